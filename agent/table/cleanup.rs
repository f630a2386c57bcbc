//! Cleaning up a table that several jobs may write to: data files and log entries that nothing needs any more.
//!
//! Invariants:
//! - No data file that is live, that a consumer has yet to read, or that is younger than a day: a job may be
//!   about to commit it. Nor one that was removed within it: a reader may have opened the table before.
//! - No log entry from the last checkpoint on, nor one that a consumer has yet to read.

use std::collections::HashSet;
use std::time::Duration;

use object_store::ObjectMeta;
use tracing::debug;

use super::{Snapshot, TableError, TableVersion, log};
use crate::clock::Timestamp;
use crate::store::Place;

/// How long a file is left alone after it was written, and after it was removed from the table.
const GRACE: Duration = Duration::from_secs(24 * 3_600);

/// How many log entries stay for readers, whatever the consumers have read.
const ENTRIES_KEPT: u64 = 1_000;

/// How many whole checkpoints stay.
const CHECKPOINTS_KEPT: usize = 3;

/// Deletes the data files that the table neither has nor had of late, and returns how many these were. `consumed`:
/// every consumer has read up to this version.
///
/// # Errors
/// The store failed, or the log is damaged.
pub async fn vacuum(
    place: &Place,
    snapshot: &Snapshot,
    consumed: TableVersion,
    now: Timestamp,
) -> Result<u64, TableError> {
    let since = Timestamp::from_micros(now.micros() - GRACE.as_micros() as i64);
    let live: HashSet<String> = snapshot.files()?.into_iter().map(|add| add.path).collect();
    let old = |object: &ObjectMeta| object.last_modified.timestamp_micros() < since.micros();
    let mut unused: HashSet<String> = place
        .list()
        .await?
        .iter()
        .filter(|object| old(object))
        .filter_map(|object| data_file(place, object))
        .filter(|path| !live.contains(path))
        .collect();
    let mut at = Some(snapshot.version());
    while let (false, Some(version)) = (unused.is_empty(), at) {
        let Some(entry) = log::read(place, version).await? else { break };
        if version <= consumed && entry.time.is_some_and(|time| time < since) {
            break;
        }
        for remove in entry.removes {
            unused.remove(&remove.path);
        }
        at = version.0.checked_sub(1).map(TableVersion);
    }
    for path in &unused {
        place.delete(path).await?;
        debug!(table = %place.url(), path, "vacuumed");
    }
    Ok(unused.len() as u64)
}

/// The path of a data file within the table's folder.
fn data_file(place: &Place, object: &ObjectMeta) -> Option<String> {
    let path = object.location.as_ref().strip_prefix(place.path().as_ref())?.trim_start_matches('/');
    (path.ends_with(".parquet") && !path.starts_with("_delta_log/")).then(|| path.to_owned())
}

/// Which entries of a log may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entries {
    /// None: they say what the checkpoints do not. A consumer may want the table as it was at this version.
    Kept(TableVersion),
    /// Those that are neither new, nor of use to a consumer, all of which have read up to this version.
    Consumed(TableVersion),
}

/// Deletes log entries and checkpoints that have served, and returns how many these were.
///
/// # Errors
/// The store failed.
pub async fn clean_log(place: &Place, which: Entries) -> Result<u64, TableError> {
    let (entries, checkpoints) = log::list(place).await?;
    let (Some(newest), Some(last)) = (entries.last(), checkpoints.last()) else { return Ok(0) };
    let kept = checkpoints.iter().rev().nth(CHECKPOINTS_KEPT - 1).unwrap_or(last);
    let wanted = match which {
        Entries::Kept(consumed) => checkpoints.iter().rfind(|version| **version <= consumed),
        Entries::Consumed(_) => None,
    };
    let outdated = checkpoints.iter().filter(|version| *version < kept && Some(*version) != wanted);
    let outdated = outdated.map(|version| log::checkpoint_name(*version));
    let mut gone: Vec<String> = outdated.collect();
    if let Entries::Consumed(consumed) = which {
        // From the oldest checkpoint that stays on, every version can be read.
        let from = [*kept, consumed.next(), TableVersion(newest.0.saturating_sub(ENTRIES_KEPT))];
        let from = from.into_iter().min().unwrap_or_default();
        gone.extend(entries.iter().filter(|version| **version < from).map(|v| log::entry_name(*v)));
    }
    for name in &gone {
        place.delete(name).await?;
    }
    Ok(gone.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{Commit, DataFile, schema};
    use arrow::array::{Int64Array, RecordBatch};
    use deltalake::kernel::Action;
    use std::sync::Arc;

    const HOUR: i64 = 3_600_000_000;

    /// A table that has one file, which replaced another, and beside it a file that no entry names.
    async fn table(now: Timestamp) -> (tempfile::TempDir, Place, [String; 3]) {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::local(folder.path()).unwrap();
        let rows = RecordBatch::try_from_iter([("n", Arc::new(Int64Array::from(vec![1])) as _)]).unwrap();
        let columns = rows.schema();
        let file = DataFile::encode(&place, &columns, &[rows], Default::default(), &[]).unwrap();
        let mut adds = Vec::new();
        for _ in 0..3 {
            adds.push(file.put_in(&place, &[], now).await.unwrap());
        }
        let metadata = schema::metadata(&place, "t", &columns, &[], now).unwrap();
        let first = [schema::protocol(&place).unwrap(), metadata, Action::Add(adds[0].clone())];
        append(&place, 0, &first, now).await;
        let snapshot = Snapshot::load(&place).await.unwrap().unwrap();
        let replaced = snapshot.removals(|_| true).unwrap().into_iter().map(Action::Remove);
        let second: Vec<Action> = replaced.chain([Action::Add(adds[1].clone())]).collect();
        append(&place, 1, &second, now).await;
        let paths = adds.into_iter().map(|add| add.path).collect::<Vec<_>>();
        (folder, place, paths.try_into().unwrap())
    }

    async fn append(place: &Place, version: u64, actions: &[Action], now: Timestamp) {
        let info = log::commit_info("WRITE", serde_json::json!({}), now);
        let actions: Vec<Action> = actions.iter().cloned().chain([info]).collect();
        let version = TableVersion(version);
        assert_eq!(log::append(place, version, &actions).await.unwrap(), Commit::Done(version));
    }

    async fn left(place: &Place, consumed: u64, now: Timestamp) -> Vec<String> {
        let snapshot = Snapshot::load(place).await.unwrap().unwrap();
        vacuum(place, &snapshot, TableVersion(consumed), now).await.unwrap();
        place.list().await.unwrap().iter().filter_map(|object| data_file(place, object)).collect()
    }

    #[tokio::test]
    async fn a_file_goes_a_day_after_nothing_names_it_and_not_before_it_was_consumed() {
        use crate::clock::{Clock, SystemClock};
        // The store's own clock dates the files.
        let now = SystemClock.now();
        let later = |hours: i64| Timestamp::from_micros(now.micros() + hours * HOUR);
        let (_folder, place, [replaced, live, orphan]) = table(now).await;
        assert_eq!(left(&place, 1, later(23)).await.len(), 3, "they are young");
        // A view that is at version 0 has yet to see what version 1 removed.
        let kept = left(&place, 0, later(25)).await;
        assert!(kept.contains(&replaced) && !kept.contains(&orphan), "{kept:?}");
        assert_eq!(left(&place, 1, later(25)).await, [live]);
    }

    #[tokio::test]
    async fn a_file_that_was_removed_of_late_stays_however_old_it_is() {
        use crate::clock::{Clock, SystemClock};
        let now = SystemClock.now();
        let removed = Timestamp::from_micros(now.micros() + 30 * HOUR);
        let (_folder, place, [_, live, _]) = table(removed).await;
        let after = Timestamp::from_micros(now.micros() + 53 * HOUR);
        assert_eq!(left(&place, 1, after).await.len(), 2, "only the one that no entry names went");
        let after = Timestamp::from_micros(now.micros() + 55 * HOUR);
        assert_eq!(left(&place, 1, after).await, [live]);
    }

    #[tokio::test]
    async fn log_entries_go_below_checkpoint_consumer_and_what_readers_may_want() {
        let now = Timestamp::from_micros(1_795_132_800_000_000);
        let (_folder, place, _) = table(now).await;
        let last = 2 * ENTRIES_KEPT;
        for version in 2..=last {
            append(&place, version, &[], now).await;
            if version % 400 == 0 {
                Snapshot::load(&place).await.unwrap().unwrap().checkpoint().await.unwrap();
            }
        }
        let first = async || log::list(&place).await.unwrap().0[0].0;
        clean_log(&place, Entries::Kept(TableVersion(700))).await.unwrap();
        assert_eq!(first().await, 0);
        let checkpoints = log::list(&place).await.unwrap().1;
        assert_eq!(checkpoints.iter().map(|version| version.0).collect::<Vec<_>>(), [400, 1200, 1600, 2000]);
        clean_log(&place, Entries::Kept(TableVersion(last))).await.unwrap();
        assert_eq!(log::list(&place).await.unwrap().1.len(), CHECKPOINTS_KEPT);
        clean_log(&place, Entries::Consumed(TableVersion(700))).await.unwrap();
        assert_eq!(first().await, 701);
        clean_log(&place, Entries::Consumed(TableVersion(last))).await.unwrap();
        assert_eq!(first().await, last - ENTRIES_KEPT);
        let snapshot = Snapshot::load(&place).await.unwrap().unwrap();
        assert_eq!((snapshot.version().0, snapshot.files().unwrap().len()), (last, 1));
    }
}
