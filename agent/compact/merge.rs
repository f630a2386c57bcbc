//! Merging: the small files of a day, as it grows, into few large ones that are sorted as they are.
//!
//! A merge rearranges rows and adds none: its actions say so, and no view counts them. It is a commit to the
//! version after the one that was read; where another job is at work it is left to a later pass.

use std::collections::BTreeMap;
use std::sync::Arc;

use deltalake::datafusion::error::DataFusionError;
use deltalake::datafusion::execution::SendableRecordBatchStream;
use deltalake::datafusion::physical_plan::{ExecutionPlan, execute_stream};
use deltalake::datafusion::prelude::{SessionConfig, SessionContext};
use deltalake::kernel::{Action, Add};
use futures::StreamExt;
use serde_json::json;

use super::columns::Columns;
use super::fold::{ORDER, properties};
use super::{CompactError, SILVER};
use crate::clock::{Clock, Day, Timestamp};
use crate::config::Central;
use crate::store::Place;
use crate::table::scan::Files;
use crate::table::schema::PARTITION;
use crate::table::{Commit, DataFileWriter, Snapshot, log};

/// The size, in bytes, that a merged file does not grow beyond.
const FILE_BYTES_MAX: i64 = 256 << 20;

/// A file of this size, in bytes, is left as it is.
const FILE_BYTES_ENOUGH: i64 = FILE_BYTES_MAX / 2;

/// The most files that are merged into one.
const FILES_MAX: usize = 64;

/// A day that still grows has its files merged by this many at least, so that a row is written again only a few
/// times.
const YOUNG_FILES_MIN: usize = 8;

/// Days that ended longer ago than this count as grown.
const YOUNG_DAYS: i32 = 2;

/// The most bytes that one pass reads for merging in one table.
const PASS_BYTES_MAX: i64 = 1 << 30;

/// How many rows of each file are read at a time.
const BATCH_ROWS: usize = 1_024;

/// Merges what is due in one fleet table; returns how many files went into others.
///
/// # Errors
/// The store failed, or the table is damaged.
pub async fn merge(config: &Central, table: &str, clock: &dyn Clock) -> Result<u64, CompactError> {
    let place = config.place.join(SILVER).join(table);
    let Some(snapshot) = Snapshot::load(&place).await? else { return Ok(0) };
    let merges = choose(snapshot.files()?, clock.now());
    if merges.is_empty() {
        return Ok(0);
    }
    let mut actions = Vec::new();
    for (day, files) in &merges {
        let add = rewrite(&place, &snapshot, *day, files, clock.now()).await?;
        actions.push(Action::Add(Add { data_change: false, ..add }));
    }
    let gone = |file: &Add| merges.iter().flat_map(|(_, files)| files).any(|merged| merged.path == file.path);
    let mut merged = 0;
    for mut remove in snapshot.removals(gone)? {
        remove.data_change = false;
        actions.push(Action::Remove(remove));
        merged += 1;
    }
    actions.push(log::commit_info("OPTIMIZE", json!({ "merged": merged }), clock.now()));
    match log::append(&place, snapshot.version().next(), &actions).await? {
        Commit::Done(_) => Ok(merged),
        Commit::Conflict => Ok(0),
    }
}

/// The files to be merged, by day.
fn choose(files: Vec<Add>, now: Timestamp) -> Vec<(Day, Vec<Add>)> {
    let mut days: BTreeMap<String, Vec<Add>> = BTreeMap::new();
    for file in files {
        if let Some(Some(day)) = file.partition_values.get(PARTITION) {
            days.entry(day.clone()).or_default().push(file);
        }
    }
    let (mut merges, mut bytes) = (Vec::new(), 0);
    for (day, files) in days {
        let Some(day) = Day::parse(&day) else { continue };
        let least = if day.0 + YOUNG_DAYS >= now.day().0 { YOUNG_FILES_MIN } else { 2 };
        let chosen = smallest(files);
        if chosen.len() < least {
            continue;
        }
        bytes += chosen.iter().map(|file| file.size).sum::<i64>();
        merges.push((day, chosen));
        if bytes >= PASS_BYTES_MAX {
            break;
        }
    }
    merges
}

/// The smallest files of a day, but for one that is more than twice as large as all before it together: to write that
/// one again would cost more than it saves.
fn smallest(mut files: Vec<Add>) -> Vec<Add> {
    files.sort_by(|a, b| (a.size, &a.path).cmp(&(b.size, &b.path)));
    let mut bytes = 0;
    let fits = |file: &Add| {
        bytes += file.size;
        file.size < FILE_BYTES_ENOUGH && bytes <= FILE_BYTES_MAX
    };
    let mut small: Vec<Add> = files.into_iter().take(FILES_MAX).take_while(fits).collect();
    let mut bytes: i64 = small.iter().map(|file| file.size).sum();
    while let Some(last) = small.pop_if(|last| last.size > 2 * (bytes - last.size)) {
        bytes -= last.size;
    }
    small
}

async fn rewrite(
    place: &Place,
    snapshot: &Snapshot,
    day: Day,
    files: &[Add],
    now: Timestamp,
) -> Result<Add, CompactError> {
    let columns = Columns::of_table(&*snapshot.schema()?).of_files();
    let mut rows = rows_of(place, snapshot, files)?;
    let mut writer = DataFileWriter::try_new(place, &columns, properties())?;
    while let Some(batch) = rows.next().await {
        writer.write(&batch.map_err(|source| failed(place, source))?)?;
    }
    Ok(writer.finish(&[])?.put(place, day, now).await?)
}

/// The rows of `files` together, in [`ORDER`]. Holds a batch of each file, not the files.
///
/// # Errors
/// A file cannot be read as one of this table.
pub(super) fn rows_of(
    place: &Place,
    snapshot: &Snapshot,
    files: &[Add],
) -> Result<SendableRecordBatchStream, CompactError> {
    let plan = Files::new(place, &*snapshot.schema()?, files).and_then(|files| files.merged(&ORDER));
    plan.and_then(|plan| run(place, plan)).map_err(|source| failed(place, source))
}

/// Those columns of one file that the table has, of `columns`.
///
/// # Errors
/// The file cannot be read as one of this table.
pub(super) fn columns_of(
    place: &Place,
    snapshot: &Snapshot,
    file: &Add,
    columns: &[&str],
) -> Result<SendableRecordBatchStream, CompactError> {
    let schema = snapshot.schema()?;
    let there: Vec<&str> =
        columns.iter().copied().filter(|name| schema.column_with_name(name).is_some()).collect();
    let files = Files::new(place, &schema, std::slice::from_ref(file));
    let plan = files.and_then(|files| files.projected(&there));
    plan.and_then(|plan| run(place, plan)).map_err(|source| failed(place, source))
}

fn run(place: &Place, plan: Arc<dyn ExecutionPlan>) -> Result<SendableRecordBatchStream, DataFusionError> {
    let context = SessionContext::new_with_config(SessionConfig::new().with_batch_size(BATCH_ROWS));
    context.register_object_store(place.url(), Arc::clone(place.store()));
    execute_stream(plan, context.task_ctx())
}

pub(super) fn failed(place: &Place, source: DataFusionError) -> CompactError {
    CompactError::Merge { table: place.url().to_string(), source: Box::new(source) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(day: &str, size: i64) -> Add {
        Add {
            path: format!("{day}-{size}"),
            partition_values: [(PARTITION.to_owned(), Some(day.to_owned()))].into(),
            size,
            ..serde_json::from_value(json!({
                "path": "", "partitionValues": {}, "size": 0, "modificationTime": 0, "dataChange": true
            }))
            .unwrap()
        }
    }

    fn chosen(files: &[(&str, i64)]) -> Vec<(String, Vec<i64>)> {
        let now = Timestamp::from_micros(1_795_132_800_000_000);
        let merges = choose(files.iter().map(|(day, size)| file(day, *size)).collect(), now);
        let sizes = |files: Vec<Add>| files.iter().map(|file| file.size).collect();
        merges.into_iter().map(|(day, files)| (day.to_string(), sizes(files))).collect()
    }

    #[test]
    fn a_young_day_is_merged_by_eights_and_an_old_one_to_its_end() {
        let (young, old) = ("2026-11-20", "2026-11-10");
        let seven = [(young, 10); 7];
        assert_eq!(chosen(&seven), []);
        let eight = [(young, 10); 8];
        assert_eq!(chosen(&eight), [(young.to_owned(), vec![10; 8])]);
        assert_eq!(chosen(&[(old, 10), (old, 10)]), [(old.to_owned(), vec![10, 10])]);
        // Files are seldom of one size.
        assert_eq!(chosen(&[(old, 10), (old, 11), (old, 40)]), [(old.to_owned(), vec![10, 11, 40])]);
        let uneven = [1, 9, 30, 31, 33, 34, 36, 40].map(|size| (young, size));
        assert_eq!(chosen(&uneven).len(), 1);
        // A late row does not have a large file written again.
        assert_eq!(chosen(&[(old, 10), (old, 11 << 20)]), []);
    }

    #[test]
    fn large_files_stay_and_none_grows_beyond_the_limit() {
        let old = "2026-11-10";
        assert_eq!(chosen(&[(old, 130 << 20), (old, 130 << 20)]), []);
        let many = [(old, 100 << 20); 5];
        assert_eq!(chosen(&many), [(old.to_owned(), vec![100 << 20; 2])]);
    }

    #[test]
    fn a_day_that_grows_by_many_small_files_is_written_again_a_few_times_only() {
        let (mut files, mut written, mut most) = (Vec::new(), 0, 0);
        for n in 0..1_000 {
            files.push(("2026-11-20", (1 << 10) + n % 97));
            for (_, merged) in chosen(&files) {
                for size in &merged {
                    let at = files.iter().position(|(_, other)| other == size).unwrap();
                    files.remove(at);
                }
                files.push(("2026-11-20", merged.iter().sum()));
                written += merged.iter().sum::<i64>();
            }
            most = most.max(files.len());
        }
        assert!(most < 40, "{most} files at a time");
        assert!(written < 6 * (1_000 << 10), "each byte was written {} times", written / (1_000 << 10));
    }
}
