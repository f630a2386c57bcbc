//! One instance of a plugin. After a fault it must not be used again: its memory may be in any state.

use std::collections::BTreeMap;
use std::time::Duration;

use wasmtime::{Store, Trap};

use super::limits::Limits;
use super::meter::Meter;
use super::state::{DeadlineReached, HostState, check_deadline, clip, thread_cpu_time};
use super::verdict::DeadKind;
use super::wit::{self, Batch, FieldParam, Output, Plugin, PluginPre};
use crate::pulse;

/// What an instance is made of.
pub struct Component {
    /// What the configuration calls it.
    pub label: String,
    pub pre: PluginPre<HostState>,
    /// A JSON text.
    pub config: String,
    pub limits: Limits,
    /// Who asks what instances use; nobody but an author.
    pub meter: Option<Meter>,
}

/// An instance that was opened.
pub struct Instance {
    store: Store<HostState>,
    exports: Plugin,
}

/// A call failed, and the instance with it.
#[derive(Debug)]
pub struct Crash {
    pub kind: DeadKind,
    pub reason: String,
    /// What the call cost.
    pub cpu_time: Duration,
    /// The messages that the batch may still write.
    pub messages_left: u32,
}

/// Why there is no instance.
#[derive(Debug)]
pub enum NotOpened {
    /// The plugin gives a reason.
    Fault(wit::Fault),
    /// The plugin fails without one.
    Crash(Crash),
}

impl Component {
    /// A new instance, and its plan.
    pub fn open(
        &self,
        input: &[FieldParam<'_>],
        messages_left: u32,
    ) -> Result<(Instance, wit::Plan), NotOpened> {
        let limits = &self.limits;
        let state = HostState::new(&self.label, limits.memory_bytes_max, messages_left);
        let mut store = Store::new(self.pre.engine(), state);
        store.limiter(|state| state.memory());
        store.epoch_deadline_callback(check_deadline);
        let mut exports = None;
        let opened = guarded(&mut store, limits, limits.open_cpu_time_max, |store| {
            let exports = exports.insert(self.pre.instantiate(&mut *store)?);
            exports.logsmith_transform_transform().call_open(store, &self.config, input)
        });
        match (opened.map_err(NotOpened::Crash)?.map_err(NotOpened::Fault)?, exports) {
            (plan, Some(exports)) => {
                if let Some(meter) = &self.meter {
                    meter.attend(&mut store);
                }
                Ok((Instance { store, exports }, plan))
            }
            (_, None) => Err(NotOpened::Fault(wit::Fault::Other("it was not instantiated".into()))),
        }
    }
}

impl Instance {
    /// One call. On a crash this instance is used up.
    pub fn apply(
        &mut self,
        batch: Batch<'_>,
        limits: &Limits,
        cpu_time_max: Duration,
    ) -> Result<(Output, BTreeMap<String, u64>), Crash> {
        let transform = self.exports.logsmith_transform_transform();
        let answer =
            guarded(&mut self.store, limits, cpu_time_max, |store| transform.call_apply(store, batch));
        pulse::beat();
        match answer? {
            Ok(output) => Ok((output, self.store.data_mut().take_counts())),
            Err(fault) => Err(self.crash(DeadKind::Refused, fault_text(&fault))),
        }
    }

    /// That this instance's last answer cannot be used.
    pub fn crash(&self, kind: DeadKind, reason: String) -> Crash {
        let state = self.store.data();
        Crash { kind, reason, cpu_time: state.cpu_time(), messages_left: state.messages_left() }
    }

    /// Whether so much memory was used that a new instance is the better one.
    pub fn is_bloated(&mut self) -> bool {
        let memory = self.store.data_mut().memory();
        memory.bytes() > memory.bytes_max() / 2
    }

    pub fn messages_left(&self) -> u32 {
        self.store.data().messages_left()
    }
}

/// The plugin's own words.
pub fn fault_text(fault: &wit::Fault) -> String {
    let (wit::Fault::Config(text) | wit::Fault::Input(text) | wit::Fault::Other(text)) = fault;
    clip(text)
}

fn guarded<T>(
    store: &mut Store<HostState>,
    limits: &Limits,
    cpu_time_max: Duration,
    call: impl FnOnce(&mut Store<HostState>) -> wasmtime::Result<T>,
) -> Result<T, Crash> {
    store.data_mut().begin(cpu_time_max);
    store.set_epoch_deadline(1);
    store.set_hostcall_fuel(limits.transfer_bytes_max);
    let start = thread_cpu_time();
    let result = call(store);
    result.map_err(|error| {
        let cpu_time = thread_cpu_time().saturating_sub(start);
        let (kind, reason) = explain(&error, store.data_mut());
        Crash { kind, reason, cpu_time, messages_left: store.data().messages_left() }
    })
}

/// A fault in words.
fn explain(error: &wasmtime::Error, state: &mut HostState) -> (DeadKind, String) {
    if error.downcast_ref::<DeadlineReached>().is_some() {
        return (DeadKind::Deadline, format!("no end after {:?} of CPU time", state.cpu_time_max()));
    }
    let memory = state.memory();
    if let Some(refused) = memory.refused() {
        let mib = |bytes: usize| bytes.div_ceil(1 << 20);
        let reason = format!(
            "it wanted {} MiB of memory, of which it may have {}",
            mib(refused),
            mib(memory.bytes_max())
        );
        return (DeadKind::OutOfMemory, reason);
    }
    let reason = match (state.last_error(), error.downcast_ref::<Trap>()) {
        (Some(message), _) => message.to_owned(),
        (None, Some(trap)) => trap.to_string(),
        (None, None) => clip(&error.root_cause().to_string()),
    };
    (DeadKind::Trapped, reason)
}
