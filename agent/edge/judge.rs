//! What a pipeline's plugins make of the lines of one Bronze version. Shared by the transform stage and by replay.

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use deltalake::kernel::Add;
use tracing::error;

use super::EdgeError;
use crate::clock::Day;
use crate::silver::Judged;
use crate::store::Place;
use crate::table::schema::PARTITION;
use crate::table::{Entry, TableError, TableVersion, datafile};
use crate::transform::{Chain, Dead, Fingerprint, PluginError, Verdicts};

/// Why a Bronze version could not be judged.
pub(super) enum Held {
    /// The plugin fails on everything; Bronze keeps the lines until it is mended.
    Plugin(PluginError),
    /// A data file is damaged; what comes after it waits until it is back, or given up.
    Damaged(TableError),
    Failed(EdgeError),
}

impl<E: Into<EdgeError>> From<E> for Held {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// Lines, and what became of them.
#[derive(Debug)]
pub(super) struct JudgedLines {
    /// The UTC day on which they were ingested.
    pub(super) day: Day,
    pub(super) lines: RecordBatch,
    pub(super) verdicts: Verdicts,
}

impl JudgedLines {
    /// As Silver takes it, judged by these plugins.
    pub(super) fn by<'a>(&'a self, plugins: &'a [Fingerprint]) -> Judged<'a> {
        let plugin = |dead: &Dead| plugins.get(dead.plugin).map_or("", |plugin| plugin.name.as_str());
        let Verdicts { rows, source_rows, dropped, dead, .. } = &self.verdicts;
        Judged {
            input: &self.lines,
            rows,
            source_rows,
            dropped: dropped.len(),
            dead: dead.iter().map(|dead| (dead.row, plugin(dead), dead.reason.as_str())).collect(),
        }
    }
}

/// Which lines of a batch are judged.
pub(super) type Choice<'a> = dyn Fn(&RecordBatch) -> Result<RecordBatch, EdgeError> + Sync + 'a;

/// Judges the lines of one version of Bronze that `choose` takes: all of them, or none.
pub(super) async fn version(
    bronze: &Place,
    entry: &Entry,
    choose: &Choice<'_>,
    chain: &mut Chain,
) -> Result<Vec<JudgedLines>, Held> {
    let mut judged = Vec::new();
    for add in entry.adds.iter().filter(|add| add.data_change) {
        let day = day_of(bronze, entry.version, add)?;
        let batches = match datafile::read_local(bronze, &add.path).await {
            Err(_) if datafile::is_given_up(bronze, &add.path).await? => {
                error!(file = add.path, "a data file of Bronze was given up; its lines have no verdict");
                continue;
            }
            batches => batches.map_err(Held::Damaged)?,
        };
        for batch in batches {
            let lines = choose(&batch)?;
            if lines.num_rows() > 0 {
                let verdicts = tokio::task::block_in_place(|| chain.apply(&lines)).map_err(Held::Plugin)?;
                judged.push(JudgedLines { day, lines, verdicts });
            }
        }
    }
    Ok(judged)
}

fn day_of(bronze: &Place, version: TableVersion, add: &Add) -> Result<Day, TableError> {
    let value = add.partition_values.get(PARTITION).and_then(Option::as_deref);
    value.and_then(Day::parse).ok_or_else(|| TableError::Entry {
        table: bronze.url().to_string(),
        version,
        reason: format!("{} has no day as its partition", add.path),
    })
}

/// The lines that come from one of `sources`.
pub(super) fn of_sources(batch: &RecordBatch, sources: &[String]) -> Result<RecordBatch, EdgeError> {
    let Some(column) = batch.column_by_name("source") else { return Ok(batch.slice(0, 0)) };
    let column = column.as_string::<i32>();
    let chosen: BooleanArray =
        (0..column.len()).map(|row| Some(sources.iter().any(|source| source == column.value(row)))).collect();
    if chosen.true_count() == batch.num_rows() {
        return Ok(batch.clone());
    }
    Ok(filter_record_batch(batch, &chosen)?)
}
