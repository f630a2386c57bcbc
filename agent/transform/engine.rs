//! The engine of all plugins, and the clock that interrupts them.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use wasmtime::component::{Component, Linker};
use wasmtime::{Config, Inlining};

use super::cache::{Cache, CacheFolder};
use super::error::PluginError;
use super::executable::MappedAnew;
use super::linker;
use super::source::Sha256;
use super::state::HostState;

/// How often a running plugin's deadline is looked at.
pub const TICK: Duration = Duration::from_millis(10);

/// Compiles and runs plugins. One for the process: clones share it, its cache and its one clock thread.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    small: Compiler,
    large: Compiler,
    clock: Arc<Clock>,
    thread: Option<JoinHandle<()>>,
}

/// What makes instances of components.
pub(super) struct Compiler {
    pub engine: wasmtime::Engine,
    pub linker: Linker<HostState>,
    cache: Option<Cache>,
}

/// A component up to this size is compiled with inlining across all of it, which makes plugins a tenth faster, and
/// takes 400 to 1,000 bytes of memory for each byte of the component: gigabytes for one that carries an interpreter.
const INLINED_BYTES_MAX: usize = 1 << 20;

impl Engine {
    /// Starts the engine. Compiled plugins are kept in `cache`, and trusted there. The clock's thread ends with the last
    /// clone.
    pub fn try_new(cache: Option<CacheFolder<'_>>) -> Result<Self, PluginError> {
        let started = || {
            let cache = cache.map(Cache::open).transpose()?;
            let small = Compiler::try_new(Inlining::Yes, cache.clone())?;
            let large = Compiler::try_new(Inlining::No, cache)?;
            let clock = Arc::new(Clock::default());
            let (ticking, ticked) = (Arc::clone(&clock), [small.engine.clone(), large.engine.clone()]);
            let thread =
                thread::Builder::new().name("plugin-clock".into()).spawn(move || ticking.run(&ticked))?;
            wasmtime::Result::Ok(Self(Arc::new(Inner { small, large, clock, thread: Some(thread) })))
        };
        started().map_err(|error: wasmtime::Error| PluginError::Engine(error.into()))
    }

    /// What suits a component of this size.
    pub(super) fn compiler(&self, component_bytes: usize) -> &Compiler {
        if component_bytes <= INLINED_BYTES_MAX { &self.0.small } else { &self.0.large }
    }

    /// Removes what was compiled of others than these components. Where that fails, it costs room and nothing else.
    pub fn forget_others(&self, components: &HashSet<Sha256>) {
        let Inner { small, large, .. } = &*self.0;
        let Some(cache) = &small.cache else { return };
        if let Err(error) = cache.keep_only(&[&small.engine, &large.engine], components) {
            tracing::warn!(%error, "compiled plugins that are not needed cannot be removed");
        }
    }

    /// Keeps the clock ticking until the guard is dropped.
    pub(super) fn ticking(&self) -> Ticking<'_> {
        self.0.clock.lock().guests += 1;
        self.0.clock.changed.notify_one();
        Ticking(&self.0.clock)
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").finish_non_exhaustive()
    }
}

impl Compiler {
    fn try_new(inlining: Inlining, cache: Option<Cache>) -> wasmtime::Result<Self> {
        let engine = wasmtime::Engine::new(&config(inlining))?;
        let linker = linker::host(&engine)?;
        Ok(Self { engine, linker, cache })
    }

    /// Compiles a component, whose hash is known, or takes it out of the cache.
    pub fn component(&self, wasm: &[u8], sha256: Sha256) -> wasmtime::Result<Component> {
        match &self.cache {
            Some(cache) => cache.component(&self.engine, wasm, sha256),
            None => Component::from_binary(&self.engine, wasm),
        }
    }
}

fn config(inlining: Inlining) -> Config {
    let mut config = Config::new();
    config.with_custom_code_memory(Some(Arc::new(MappedAnew)));
    config.epoch_interruption(true);
    config.compiler_inlining(inlining);
    // The same rows must give the same bytes on every host.
    config.cranelift_nan_canonicalization(true);
    config.relaxed_simd_deterministic(true);
    // Shipped plugins have no names left, and people see the panic's own words.
    config.wasm_backtrace_max_frames(None);
    config
}

/// Advances the epoch while any guest runs, and sleeps otherwise.
#[derive(Default)]
struct Clock {
    state: Mutex<ClockState>,
    changed: Condvar,
}

#[derive(Default)]
struct ClockState {
    guests: usize,
    stopped: bool,
}

impl Clock {
    fn lock(&self) -> MutexGuard<'_, ClockState> {
        // Two plain values: no panic can leave them half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self, engines: &[wasmtime::Engine]) {
        loop {
            let idle = |state: &mut ClockState| state.guests == 0 && !state.stopped;
            let state = self.changed.wait_while(self.lock(), idle).unwrap_or_else(PoisonError::into_inner);
            if state.stopped {
                return;
            }
            drop(state);
            thread::sleep(TICK);
            engines.iter().for_each(wasmtime::Engine::increment_epoch);
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.clock.lock().stopped = true;
        self.clock.changed.notify_one();
        // The thread has a hold on the engine, which is to be gone with the last clone.
        if let Some(Err(_)) = self.thread.take().map(JoinHandle::join) {
            tracing::warn!("the clock of plugins had stopped");
        }
    }
}

/// A guest may be running.
pub(super) struct Ticking<'a>(&'a Clock);

impl Drop for Ticking<'_> {
    fn drop(&mut self) {
        self.0.lock().guests -= 1;
    }
}
