//! What is read, and what is not.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::{By, bytes, plain, whole};
use crate::tail::{Run, SourceStanding, TailCounters};

/// What is counted of sources.
#[derive(Debug)]
pub(in crate::edge) struct Sources {
    lines: By<Counter>,
    read: By<Counter>,
    lag: By<Gauge>,
    files: By<Gauge>,
    totals: Totals,
}

/// What is counted of all sources together.
#[derive(Clone, Debug)]
struct Totals {
    bronze_commits: Counter,
    bronze_written: Counter,
    is_held: Gauge,
    cut_lines: Counter,
    cut: Counter,
    invalid_lines: Counter,
    vanished_files: Counter,
    vanished: Counter,
    hole: Counter,
    damaged_files: Counter,
    failed_reads: Counter,
}

/// The tail stage's handles.
#[derive(Debug)]
pub(in crate::edge) struct SourceMeters {
    sources: BTreeMap<String, Source>,
    totals: Totals,
}

#[derive(Debug)]
struct Source {
    lines: Counter,
    read: Counter,
    lag: Gauge,
    files: Gauge,
}

impl Sources {
    pub(super) fn new(registry: &mut Registry) -> Self {
        Self {
            lines: plain(registry, "source_lines", "Lines committed to Bronze"),
            read: bytes(registry, "source_read", "Bytes read"),
            lag: bytes(registry, "source_lag", "Bytes that stand in files and are not read yet"),
            files: plain(registry, "source_files", "Files that are known"),
            totals: Totals {
                bronze_commits: plain(registry, "bronze_commits", "Commits to Bronze"),
                bronze_written: bytes(registry, "bronze_written", "Data files of Bronze that were written"),
                is_held: plain(registry, "reading_held", "1 while reading waits for room in the disk budget"),
                cut_lines: plain(registry, "lines_cut", "Lines that were longer than may be, and were cut"),
                cut: bytes(registry, "lines_cut_off", "What was cut off them"),
                invalid_lines: plain(registry, "lines_invalid", "Lines with bytes that are no characters"),
                vanished_files: plain(registry, "files_vanished", "Files that were gone before all was read"),
                vanished: bytes(
                    registry,
                    "files_vanished_unread",
                    "What of them had been seen and was not read",
                ),
                hole: bytes(registry, "holes_skipped", "NULs that were skipped where a line should begin"),
                damaged_files: plain(registry, "files_damaged", "Compressed files that are damaged"),
                failed_reads: plain(registry, "read_failures", "Attempts to read a file that failed"),
            },
        }
    }

    /// For the tail stage, which reads these.
    pub(in crate::edge) fn of<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> SourceMeters {
        let source = |name: &str| {
            let label = [("source", name.to_owned())];
            let source = Source {
                lines: self.lines.get_or_create_owned(&label),
                read: self.read.get_or_create_owned(&label),
                lag: self.lag.get_or_create_owned(&label),
                files: self.files.get_or_create_owned(&label),
            };
            (name.to_owned(), source)
        };
        SourceMeters { sources: names.into_iter().map(source).collect(), totals: self.totals.clone() }
    }

    /// 1 while reading waits for room.
    pub(in crate::edge) fn is_held(&self) -> Gauge {
        self.totals.is_held.clone()
    }
}

impl SourceMeters {
    /// A commit to Bronze: where its lines come from, and what its data file takes.
    pub(in crate::edge) fn committed(&self, runs: &[Run], file_bytes: u64) {
        self.totals.bronze_commits.inc();
        self.totals.bronze_written.inc_by(file_bytes);
        let mut start = 0;
        for run in runs {
            if let Some(source) = self.sources.get(&*run.origin.source) {
                source.lines.inc_by((run.end - start) as u64);
            }
            start = run.end;
        }
    }

    /// How files stand, and what was lost of them since the start.
    pub(in crate::edge) fn stand<'a>(
        &self,
        sources: impl Iterator<Item = SourceStanding<'a>>,
        counters: TailCounters,
    ) {
        for SourceStanding { name, files, lag_bytes, read_bytes } in sources {
            let Some(source) = self.sources.get(name) else { continue };
            source.files.set(whole(files));
            source.lag.set(whole(lag_bytes));
            source.read.inner().store(read_bytes, Ordering::Relaxed);
        }
        let totals = &self.totals;
        for (counter, count) in [
            (&totals.cut_lines, counters.cut_lines),
            (&totals.cut, counters.cut_bytes),
            (&totals.invalid_lines, counters.invalid_lines),
            (&totals.vanished_files, counters.vanished_files),
            (&totals.vanished, counters.vanished_bytes),
            (&totals.hole, counters.hole_bytes),
            (&totals.damaged_files, counters.damaged_files),
            (&totals.failed_reads, counters.failed_reads),
        ] {
            counter.inner().store(count, Ordering::Relaxed);
        }
    }

    /// How many bytes a source that is no file has handed over since the start.
    pub(in crate::edge) fn fed(&self, source: &Arc<str>, read_bytes: u64) {
        if let Some(source) = self.sources.get(&**source) {
            source.read.inner().store(read_bytes, Ordering::Relaxed);
        }
    }

    /// Whether reading waits for room.
    pub(in crate::edge) fn held(&self, is_held: bool) {
        self.totals.is_held.set(is_held.into());
    }
}
