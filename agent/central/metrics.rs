//! What a central job that goes on tells of itself: metrics and health.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Unit;

use super::{CentralError, Event, Report};
use crate::clock::Timestamp;
use crate::metrics::{Health, Registry};

/// One label, and its value.
type Label = [(&'static str, String); 1];

/// The metrics of the job. Names of tables and views are the only labels: those are few.
#[derive(Debug, Default)]
pub struct Metrics {
    passes: Family<Label, Counter>,
    pass_seconds: Option<Histogram>,
    last_success: Gauge,
    leads: Gauge,
    objects: Family<Label, Counter>,
    rows: Family<Label, Counter>,
    bytes: Family<Label, Counter>,
    quarantined: Family<Label, Counter>,
    conflicts: Family<Label, Counter>,
    waiting_streams: Family<Label, Gauge>,
    views_failed: Family<Label, Gauge>,
    health: Arc<Mutex<Health>>,
}

impl Metrics {
    /// The metrics, and the registry that tells them.
    pub fn new() -> (Self, Registry) {
        let seconds = Histogram::new(exponential_buckets(0.1, 4.0, 8));
        let it = Self { pass_seconds: Some(seconds.clone()), ..Self::default() };
        let starting = Some("no pass has ended yet".to_owned());
        *it.health.lock().unwrap_or_else(PoisonError::into_inner) = Health { ill: None, unready: starting };
        let mut all = Registry::with_prefix("logsmith");
        let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        all.register("build", "The version of logsmith", version);
        let to = all.sub_registry_with_prefix("compact");
        to.register("passes", "Passes that ended, by result: whole, partial, failed", it.passes.clone());
        to.register_with_unit("pass_duration", "How long passes took", Unit::Seconds, seconds);
        to.register_with_unit(
            "last_success_timestamp",
            "When the last whole pass ended, since 1970",
            Unit::Seconds,
            it.last_success.clone(),
        );
        to.register("leads", "1 where this job works, 0 where it stands by", it.leads.clone());
        to.register("objects", "Landing objects folded", it.objects.clone());
        to.register("rows", "Rows folded", it.rows.clone());
        to.register_with_unit("folded", "Size of landing objects folded", Unit::Bytes, it.bytes.clone());
        to.register("quarantined", "Landing objects put into quarantine", it.quarantined.clone());
        to.register("conflicts", "Commits that another job was faster with", it.conflicts.clone());
        to.register("waiting_streams", "Streams held by a gap at the last pass", it.waiting_streams.clone());
        to.register("view_failed", "1 where the last pass could not keep a view", it.views_failed.clone());
        (it, all)
    }

    /// How the job is, for the endpoint to ask.
    pub fn health(&self) -> impl Fn() -> Health + Send + Sync + 'static {
        let health = Arc::clone(&self.health);
        move || health.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Counts what happened.
    pub fn note(&self, event: &Event, now: Timestamp) {
        match event {
            // One that stands by does what it is there for.
            Event::Standby { .. } => {
                self.leads.set(0);
                self.set_unready(None);
            }
            Event::Leads => drop(self.leads.set(1)),
            Event::Passed { result, took } => self.passed(result, *took, now),
        }
    }

    fn passed(&self, result: &Result<Report, CentralError>, took: Duration, now: Timestamp) {
        if let Some(seconds) = &self.pass_seconds {
            seconds.observe(took.as_secs_f64());
        }
        let (word, unready) = match result {
            Ok(report) if report.is_whole() => ("whole", None),
            Ok(_) => ("partial", Some("the last pass could not do all: see its log".to_owned())),
            Err(error) => ("failed", Some(format!("the last pass failed: {error}"))),
        };
        self.passes.get_or_create(&[("result", word.to_owned())]).inc();
        if unready.is_none() {
            self.last_success.set(now.micros() / 1_000_000);
        }
        self.set_unready(unready);
        let Ok(report) = result else { return };
        // A table without objects is not in a report, and nothing of it waits.
        self.waiting_streams.clear();
        for (table, folded) in &report.folded.tables {
            let label = [("table", table.clone())];
            self.objects.get_or_create(&label).inc_by(folded.objects);
            self.rows.get_or_create(&label).inc_by(folded.rows);
            self.bytes.get_or_create(&label).inc_by(folded.bytes);
            self.quarantined.get_or_create(&label).inc_by(folded.quarantined.len() as u64);
            self.conflicts.get_or_create(&label).inc_by(folded.conflicts.into());
            self.waiting_streams.get_or_create(&label).set(folded.gaps.len() as i64);
        }
        for view in &report.views {
            let label = [("view", view.view.clone())];
            self.views_failed.get_or_create(&label).set(view.result.is_err().into());
        }
    }

    fn set_unready(&self, reason: Option<String>) {
        self.health.lock().unwrap_or_else(PoisonError::into_inner).unready = reason;
    }
}
