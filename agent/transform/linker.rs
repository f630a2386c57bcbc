//! What the host gives to a plugin: every capability, line by line.

use wasmtime::component::{HasSelf, Linker};

use super::state::HostState;
use super::wit::host::{self, Host, Level};

/// The one interface that a plugin may import.
pub const OFFERED: &str = "logsmith:transform/host@0.1.0";

/// A linker with [`OFFERED`], and nothing else.
pub fn host(engine: &wasmtime::Engine) -> wasmtime::Result<Linker<HostState>> {
    let mut linker = Linker::new(engine);
    host::add_to_linker::<_, HasSelf<HostState>>(&mut linker, |state| state)?;
    Ok(linker)
}

impl Host for HostState {
    fn log(&mut self, level: Level, message: String) {
        self.say(level, &message);
    }

    fn count(&mut self, name: String, by: u64) {
        self.add(name, by);
    }
}
