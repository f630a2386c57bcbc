//! The engine of all plugins, and the clock that interrupts them.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use wasmtime::component::Linker;
use wasmtime::{Cache, CacheConfig, Config, Inlining};

use super::cache;
use super::error::PluginError;
use super::linker;
use super::state::HostState;

/// How often a running plugin's deadline is looked at.
pub const TICK: Duration = Duration::from_millis(10);

/// Compiles and runs plugins. One for the process: clones share it, its cache and its one clock thread.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    engine: wasmtime::Engine,
    linker: Linker<HostState>,
    clock: Arc<Clock>,
    thread: Option<JoinHandle<()>>,
}

impl Engine {
    /// Starts the engine. Compiled plugins are kept in `cache_folder`, and trusted there: it is made private, and what
    /// others could write to is thrown away. The clock's thread ends with the last clone.
    pub fn try_new(cache_folder: Option<&Path>) -> Result<Self, PluginError> {
        let started = || {
            let engine = wasmtime::Engine::new(&config(cache_folder)?)?;
            let linker = linker::host(&engine)?;
            let clock = Arc::new(Clock::default());
            let (ticking, ticked) = (Arc::clone(&clock), engine.clone());
            let thread =
                thread::Builder::new().name("plugin-clock".into()).spawn(move || ticking.run(&ticked))?;
            wasmtime::Result::Ok(Self(Arc::new(Inner { engine, linker, clock, thread: Some(thread) })))
        };
        started().map_err(|error: wasmtime::Error| PluginError::Engine(error.into()))
    }

    pub(super) fn wasmtime(&self) -> &wasmtime::Engine {
        &self.0.engine
    }

    pub(super) fn linker(&self) -> &Linker<HostState> {
        &self.0.linker
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

fn config(cache_folder: Option<&Path>) -> wasmtime::Result<Config> {
    let mut config = Config::new();
    config.epoch_interruption(true);
    config.compiler_inlining(Inlining::Yes);
    // The same rows must give the same bytes on every host.
    config.cranelift_nan_canonicalization(true);
    config.relaxed_simd_deterministic(true);
    // Shipped plugins have no names left, and people see the panic's own words.
    config.wasm_backtrace_max_frames(None);
    if let Some(folder) = cache_folder {
        let folder = std::path::absolute(folder)?;
        cache::make_private(&folder)?;
        let mut cache = CacheConfig::new();
        cache.with_directory(folder);
        config.cache(Some(Cache::new(cache)?));
    }
    Ok(config)
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

    fn run(&self, engine: &wasmtime::Engine) {
        loop {
            let idle = |state: &mut ClockState| state.guests == 0 && !state.stopped;
            let state = self.changed.wait_while(self.lock(), idle).unwrap_or_else(PoisonError::into_inner);
            if state.stopped {
                return;
            }
            drop(state);
            thread::sleep(TICK);
            engine.increment_epoch();
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
