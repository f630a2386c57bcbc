//! What plugins cost on the lines of a file, and where: in their own code, at the boundary, or in instances.

use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::error::ArrowError;

use super::trial::{Line, Origin, bronze_batch};
use crate::table::datafile::BATCH_ROWS_MAX;
use crate::transform::{Chain, Meter, PluginError, Usage, thread_cpu_time};

/// Bytes of lines in one batch, unless one line alone has more: what an agent keeps in one file of Bronze where its
/// configuration says nothing else.
const BATCH_BYTES_MAX: u64 = 8 << 20;

/// Lines as an agent reads them from Bronze.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The lines.
    pub rows: RecordBatch,
    /// What they take in a file.
    pub bytes: u64,
}

/// Lines, in batches as an agent has them.
///
/// # Errors
/// The columns do not fit together, which does not happen.
pub fn batches(lines: &[Line], mut origin: Origin) -> Result<Vec<Batch>, ArrowError> {
    let mut batches = Vec::new();
    let mut rest = lines;
    while !rest.is_empty() {
        let ends = rest.iter().scan(0, |end, line| {
            *end += line.bytes();
            Some(*end)
        });
        let rows = ends.take(BATCH_ROWS_MAX).take_while(|end| *end <= BATCH_BYTES_MAX).count().max(1);
        let (lines, behind) = rest.split_at(rows);
        let bytes = lines.iter().map(Line::bytes).sum();
        batches.push(Batch { rows: bronze_batch(lines, &origin)?, bytes });
        origin.offset += bytes;
        rest = behind;
    }
    Ok(batches)
}

/// How long plugins are run: whichever comes first, but one batch at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// CPU time of this thread, after which no further batch begins.
    pub cpu_time_max: Duration,
    /// Times that all batches are run.
    pub rounds_max: u64,
}

/// What plugins have cost. Times are CPU time of one thread.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures {
    /// Batches that were run.
    pub batches: u64,
    /// Their rows.
    pub rows: u64,
    /// What these take in a file.
    pub bytes: u64,
    /// Rows that came out.
    pub rows_out: u64,
    /// Rows that were dropped on purpose.
    pub dropped: u64,
    /// Rows that are dead letters.
    pub dead: u64,
    /// Instances that were thrown away after a fault.
    pub instances_discarded: u64,
    /// From batches in to verdicts out.
    pub total: Duration,
    /// What instances have used of that, for each plugin.
    pub usages: Vec<Usage>,
}

impl Figures {
    /// The time that is neither the plugins' own code nor instances: cutting batches into calls, copying columns in and
    /// out, checking what comes out, joining rows to those of the next plugin.
    pub fn boundary(&self) -> Duration {
        let guests: Duration = self.usages.iter().map(|usage| usage.guest).sum();
        self.total.saturating_sub(guests).saturating_sub(self.instances())
    }

    /// The time for making and opening instances.
    pub fn instances(&self) -> Duration {
        self.usages.iter().map(|usage| usage.open).sum()
    }

    /// The most memory that an instance has held, in bytes. Those of several plugins do not live at one time.
    pub fn memory_bytes_max(&self) -> usize {
        self.usages.iter().map(|usage| usage.memory_bytes_max).max().unwrap_or_default()
    }

    /// Nanoseconds of `time` for each row.
    pub fn ns_per_row(&self, time: Duration) -> f64 {
        time.as_nanos() as f64 / self.rows.max(1) as f64
    }

    /// Percent of the total.
    pub fn percent(&self, time: Duration) -> f64 {
        100.0 * time.as_secs_f64() / self.total.as_secs_f64().max(f64::MIN_POSITIVE)
    }

    /// So many of all rows or bytes in a second.
    pub fn per_s(&self, amount: u64) -> f64 {
        amount as f64 / self.total.as_secs_f64().max(f64::MIN_POSITIVE)
    }
}

/// Runs batches through plugins, round after round. What the first of them costs at first, when memory and caches are
/// cold, does not count.
///
/// # Errors
/// A plugin fails on all rows of a batch.
pub fn run(chain: &mut Chain, batches: &[Batch], span: Span) -> Result<Figures, PluginError> {
    let meters = chain.metered();
    if let Some(first) = batches.first() {
        chain.apply(&first.rows)?;
    }
    for meter in &meters {
        meter.take();
    }
    let mut figures = Figures::default();
    let rounds = (0..span.rounds_max).flat_map(|_| batches);
    for Batch { rows, bytes } in rounds {
        let start = thread_cpu_time();
        let verdicts = chain.apply(rows)?;
        figures.total += thread_cpu_time().saturating_sub(start);
        figures.batches += 1;
        figures.rows += rows.num_rows() as u64;
        figures.bytes += bytes;
        figures.rows_out += verdicts.source_rows.len() as u64;
        figures.dropped += verdicts.dropped.len() as u64;
        figures.dead += verdicts.dead.len() as u64;
        figures.instances_discarded += verdicts.instances_discarded as u64;
        if figures.total >= span.cpu_time_max {
            break;
        }
    }
    figures.usages = meters.iter().map(Meter::take).collect();
    Ok(figures)
}
