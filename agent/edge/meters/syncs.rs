//! What goes to the central store, and what waits.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::{By, Seconds, age, bytes, plain, seconds, whole};
use crate::clock::Timestamp;
use crate::silver::unput::{Queue, queue};
use crate::sync::{Puts, Sync};
use crate::table::{LocalTable, TableError, TableVersion};

/// What is counted of the ways to the central store.
#[derive(Debug)]
pub(in crate::edge) struct Syncs {
    objects: By<Counter>,
    put: By<Counter>,
    failures: By<Counter>,
    waiting_objects: By<Gauge>,
    waiting: By<Gauge>,
    lag: By<Seconds>,
}

/// One Silver table on its way.
#[derive(Debug)]
pub(in crate::edge) struct SyncMeters {
    table: Arc<LocalTable>,
    puts: Puts,
    /// What of the table up to this version had to be put, with what was put before the start left out.
    made: Queue,
    counted: TableVersion,
    objects: Counter,
    put: Counter,
    failures: Counter,
    waiting_objects: Gauge,
    waiting: Gauge,
    lag: Seconds,
}

impl Syncs {
    pub(super) fn new(registry: &mut Registry) -> Self {
        Self {
            objects: plain(registry, "sync_objects", "Objects put to the central store"),
            put: bytes(registry, "sync_put", "What they take"),
            failures: plain(registry, "sync_failures", "Attempts to put an object that failed"),
            waiting_objects: plain(registry, "sync_waiting_objects", "Objects that wait to be put"),
            waiting: bytes(registry, "sync_waiting", "What they take"),
            lag: seconds(registry, "sync_lag", "For how long the first of them has waited"),
        }
    }

    /// For one table, by the name of its folder.
    pub(in crate::edge) fn of(&self, sync: &Sync) -> SyncMeters {
        let url = sync.silver.place().url();
        let folder = url.path_segments().into_iter().flatten().rfind(|part| !part.is_empty());
        let label = [("table", folder.unwrap_or(&sync.name).to_owned())];
        SyncMeters {
            table: Arc::clone(&sync.silver),
            puts: sync.puts.clone(),
            made: Queue::default(),
            counted: sync.cursor,
            objects: self.objects.get_or_create_owned(&label),
            put: self.put.get_or_create_owned(&label),
            failures: self.failures.get_or_create_owned(&label),
            waiting_objects: self.waiting_objects.get_or_create_owned(&label),
            waiting: self.waiting.get_or_create_owned(&label),
            lag: self.lag.get_or_create_owned(&label),
        }
    }
}

impl SyncMeters {
    /// Looks how far it is.
    pub(in crate::edge) async fn look(&mut self, now: Timestamp) -> Result<(), TableError> {
        let newest = self.table.version();
        let Queue { objects, bytes } = queue(self.table.place(), self.counted, newest).await?;
        self.counted = newest;
        self.made.objects += objects;
        self.made.bytes += bytes;
        let puts = self.puts.so_far();
        self.objects.inner().store(puts.objects, Ordering::Relaxed);
        self.put.inner().store(puts.bytes, Ordering::Relaxed);
        self.failures.inner().store(puts.failures, Ordering::Relaxed);
        // What is lost is made and never put: where nothing is tried nothing waits.
        let waiting = puts.waiting_since.map_or_else(Queue::default, |_| Queue {
            objects: self.made.objects.saturating_sub(puts.objects),
            bytes: self.made.bytes.saturating_sub(puts.bytes),
        });
        self.waiting_objects.set(whole(waiting.objects));
        self.waiting.set(whole(waiting.bytes));
        self.lag.set(age(puts.waiting_since, now));
        Ok(())
    }
}
