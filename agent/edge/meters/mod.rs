//! What the agent counts while it runs, for `/metrics`.
//!
//! Stages take their handles when they are made, and add to them once a batch or a commit, so that a line costs nothing
//! here. Counters begin at 0 with the process. The values of labels are names of the configuration, never files; and no
//! more than a hundred names that the plugins of a pipeline make up.

mod pipelines;
mod process;
mod sources;
mod syncs;

use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Metric, Registry, Unit};

pub(super) use pipelines::{PipelineMeters, Pipelines};
pub(super) use sources::SourceMeters;
pub(super) use syncs::SyncMeters;

use super::housekeeping::DiskUse;
use crate::clock::Timestamp;
use crate::store::DiskWaits;

/// Values of so many labels.
type Labels<const N: usize> = [(&'static str, String); N];

/// A metric for each value of one label.
type By<M> = Family<Labels<1>, M>;

/// A number of seconds, with fractions.
type Seconds = Gauge<f64, AtomicU64>;

/// All that is counted.
#[derive(Debug)]
pub(super) struct Meters {
    pub(super) sources: sources::Sources,
    pub(super) pipelines: Pipelines,
    pub(super) syncs: syncs::Syncs,
    pub(super) host: HostMeters,
}

/// What is of no one source, pipeline or table.
#[derive(Clone, Debug)]
pub(super) struct HostMeters {
    disk_used: Gauge,
    disk_budget: Gauge,
    disk_room: Gauge,
    /// 1 while not all of the configuration as it stands is taken.
    pub(super) configuration_refused: Gauge,
}

impl Meters {
    /// Nothing counted yet; all is in `registry`.
    pub(super) fn new(registry: &mut Registry, disk: &DiskWaits, now: Timestamp) -> Self {
        process::register(registry, now);
        let registry = registry.sub_registry_with_prefix("logsmith");
        let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        process::register_messages(registry);
        registry.register("build", "Which logsmith this is", version);
        let help = "Writes that wait for a disk that is full, or may only be read";
        registry.register("disk_waits", help, disk.gauge());
        Self {
            sources: sources::Sources::new(registry),
            pipelines: Pipelines::new(registry),
            syncs: syncs::Syncs::new(registry),
            host: HostMeters {
                disk_used: bytes(registry, "disk_used", "What the state folder takes"),
                disk_budget: bytes(registry, "disk_budget", "What the state folder may take"),
                disk_room: bytes(
                    registry,
                    "disk_room",
                    "Bytes of lines that may be taken; at 0 reading waits",
                ),
                configuration_refused: plain(
                    registry,
                    "configuration_refused",
                    "1 while the configuration as it stands is not all taken",
                ),
            },
        }
    }
}

impl HostMeters {
    /// What the state folder takes now.
    pub(super) fn look_at(&self, disk: DiskUse) {
        self.disk_used.set(whole(disk.used_bytes));
        self.disk_budget.set(whole(disk.budget_bytes));
        self.disk_room.set(whole(disk.room_bytes()));
    }
}

/// A metric without a unit.
fn plain<M: Metric + Clone + Default>(registry: &mut Registry, name: &str, help: &str) -> M {
    let metric = M::default();
    registry.register(name, help, metric.clone());
    metric
}

/// A metric in bytes, which its name then says.
fn bytes<M: Metric + Clone + Default>(registry: &mut Registry, name: &str, help: &str) -> M {
    let metric = M::default();
    registry.register_with_unit(name, help, Unit::Bytes, metric.clone());
    metric
}

/// A metric in seconds, which its name then says.
fn seconds<M: Metric + Clone + Default>(registry: &mut Registry, name: &str, help: &str) -> M {
    let metric = M::default();
    registry.register_with_unit(name, help, Unit::Seconds, metric.clone());
    metric
}

/// How long ago something was, in seconds; 0 if it was not.
pub(super) fn age(since: Option<Timestamp>, now: Timestamp) -> f64 {
    since.map_or(0.0, |since| now.micros().saturating_sub(since.micros()).max(0) as f64 / 1e6)
}

/// As a gauge has it.
fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
