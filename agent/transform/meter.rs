//! What the instances of a plugin use, taken down for an author who asks. Where nobody does, no instance is attended, and
//! a batch costs what it costs.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use wasmtime::{CallHook, Store};

use super::state::{HostState, thread_cpu_time};

/// What all instances together have used. Times are CPU time of the calling thread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Instances that were opened.
    pub instances: u64,
    /// Making and opening them.
    pub open: Duration,
    /// In the plugin's own code since then, its allocator and what it has the host log and count included.
    pub guest: Duration,
    /// The most linear memory that one of them has held, in bytes.
    pub memory_bytes_max: usize,
}

/// Sums up what instances use. Clones are of one sum.
#[derive(Clone, Debug, Default)]
pub struct Meter(Arc<Mutex<Usage>>);

impl Meter {
    /// The sum since the last time that it was taken.
    pub fn take(&self) -> Usage {
        std::mem::take(&mut *self.lock())
    }

    /// Takes down what opening this instance took, and has its further calls taken down.
    pub(super) fn attend(&self, store: &mut Store<HostState>) {
        let state = store.data_mut();
        let (open, memory_bytes) = (state.cpu_time(), state.memory().bytes());
        let mut usage = self.lock();
        usage.instances += 1;
        usage.open += open;
        usage.memory_bytes_max = usage.memory_bytes_max.max(memory_bytes);
        drop(usage);
        let meter = self.clone();
        let mut entered = Duration::ZERO;
        store.call_hook(move |mut store, crossing| {
            match crossing {
                CallHook::CallingWasm => entered = thread_cpu_time(),
                CallHook::ReturningFromWasm => {
                    let spent = thread_cpu_time().saturating_sub(entered);
                    let mut usage = meter.lock();
                    usage.guest += spent;
                    usage.memory_bytes_max = usage.memory_bytes_max.max(store.data_mut().memory().bytes());
                }
                // Looking at the clock would cost as much as what a plugin asks of the host.
                CallHook::CallingHost | CallHook::ReturningFromHost => {}
            }
            Ok(())
        });
    }

    fn lock(&self) -> MutexGuard<'_, Usage> {
        // Plain sums: no panic can leave them half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
