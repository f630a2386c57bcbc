//! Keeping a local table small: expiry, checkpoints, log clean-up.
//!
//! Invariants:
//! - Nothing that a consumer still needs is touched: not a file that its caller names as needed, not a log
//!   entry at or above the lowest cursor or the table's anchor.
//! - The entries that tell of what can be replayed stay as long as it can.
//! - An expired file is first removed by a commit; its bytes go in a later pass, so that a reader who has
//!   just opened the table can finish.
//! - Files that no log entry names are swept only when the table is opened, before anything writes.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use deltalake::kernel::{Action, Add};
use serde_json::json;
use tracing::{debug, info};

use super::{Cursor, LocalTable, Snapshot, TableError, TableVersion, log};
use crate::clock::Timestamp;
use crate::store::Place;

/// A checkpoint is written after this many versions.
const CHECKPOINT_VERSIONS: u64 = 100;

/// The newest log entries are kept for readers, whatever the consumers have read.
const ENTRIES_MIN: u64 = 20;

/// A table keeps at most this many live files that no consumer needs.
const FILES_MAX: usize = 2_000;

/// What a pass over one table may do. Put together after the snapshot of the pass was loaded: a file that came
/// later is not in the snapshot, and so is no candidate.
#[derive(Debug)]
pub struct Allowance {
    /// Every consumer has committed that it read up to this version.
    pub consumed: TableVersion,
    /// How many bytes of data files to free, if there are as many that may go.
    pub reclaim_bytes: u64,
    /// Which files may expire.
    pub expiry: Expiry,
    /// Which entries of the log stay, and all after them, although nothing is left to consume of them.
    pub history: History,
}

/// What the log of a table is kept for beside its consumers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum History {
    /// Nothing.
    Needless,
    /// To tell which version each data file that is still there came with.
    OfFiles,
    /// To tell what became of the versions of its input from this one on.
    OfInput(TableVersion),
}

/// Which files of a table may expire.
#[derive(Debug)]
pub enum Expiry {
    /// None: the table is the only place where its rows are.
    Never,
    /// All but these, which a consumer still needs.
    Except(HashSet<String>),
}

/// Upkeep of one table, from pass to pass.
#[derive(Debug, Default)]
pub struct Upkeep {
    checkpoint: Option<TableVersion>,
    condemned: Vec<String>,
}

impl Upkeep {
    /// Whether a pass would do anything: there are bytes to free, files condemned, or a checkpoint to write.
    pub fn is_due(&self, table: &LocalTable, reclaim_bytes: u64) -> bool {
        let checkpoint_due = match self.checkpoint {
            Some(version) => table.version().0 >= version.0 + CHECKPOINT_VERSIONS,
            None => true,
        };
        checkpoint_due || reclaim_bytes > 0 || !self.condemned.is_empty()
    }
}

/// What a pass did.
#[must_use]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tidied {
    /// Bytes of the files expired now or freed since the last pass.
    pub bytes_freed: u64,
}

/// One pass over a table: frees what was condemned, expires files of `snapshot`, writes a checkpoint, cleans the
/// log up.
///
/// # Errors
/// The store failed, or the log is damaged.
pub async fn tidy(
    table: &LocalTable,
    upkeep: &mut Upkeep,
    snapshot: &Snapshot,
    allowance: &Allowance,
    now: Timestamp,
) -> Result<Tidied, TableError> {
    let place = table.place();
    for path in std::mem::take(&mut upkeep.condemned) {
        place.delete(&path).await?;
    }
    let checkpoint = match upkeep.checkpoint {
        Some(version) => version,
        None => log::list(place).await?.1.last().copied().unwrap_or(TableVersion(0)),
    };
    upkeep.checkpoint = Some(checkpoint);
    let checkpoint_due = table.version().0 >= checkpoint.0 + CHECKPOINT_VERSIONS;
    if !checkpoint_due && allowance.reclaim_bytes == 0 {
        return Ok(Tidied::default());
    }
    let victims = victims(snapshot.files()?, allowance);
    let bytes_freed = victims.iter().map(|add| add.size.unsigned_abs()).sum();
    if !victims.is_empty() {
        let paths: HashSet<&str> = victims.iter().map(|add| add.path.as_str()).collect();
        let removals = snapshot.removals(|add| paths.contains(add.path.as_str()))?;
        let mut actions: Vec<Action> = removals.into_iter().map(Action::Remove).collect();
        actions.push(log::commit_info("DELETE", json!({ "expired": victims.len() }), now));
        table.commit(&actions).await?;
        info!(table = %place.url(), files = victims.len(), bytes = bytes_freed, "expired");
        upkeep.condemned = victims.into_iter().map(|add| add.path).collect();
    }
    if checkpoint_due {
        snapshot.checkpoint().await?;
        upkeep.checkpoint = Some(snapshot.version());
        let victims: HashSet<String> = upkeep.condemned.iter().cloned().collect();
        let live = snapshot.files()?.into_iter().map(|add| add.path);
        let live: HashSet<String> = live.filter(|path| !victims.contains(path)).collect();
        clean_log(table, snapshot.version(), allowance, &live).await?;
    }
    Ok(Tidied { bytes_freed })
}

/// The files to expire: the oldest that may go, until the bytes are freed and the count is kept.
fn victims(mut files: Vec<Add>, allowance: &Allowance) -> Vec<Add> {
    let Expiry::Except(needed) = &allowance.expiry else { return Vec::new() };
    files.retain(|add| !needed.contains(&add.path));
    files.sort_by_key(|add| add.modification_time);
    let surplus = files.len().saturating_sub(FILES_MAX);
    let mut freed = 0;
    let enough = |(index, add): &(usize, Add)| {
        let more = *index < surplus || freed < allowance.reclaim_bytes;
        freed += add.size.unsigned_abs();
        more
    };
    files.into_iter().enumerate().take_while(enough).map(|(_, add)| add).collect()
}

/// Deletes log entries and checkpoints that neither a consumer, nor the next start, nor the newest checkpoint, nor a
/// replay needs. `live` are the data files that stay.
async fn clean_log(
    table: &LocalTable,
    checkpoint: TableVersion,
    allowance: &Allowance,
    live: &HashSet<String>,
) -> Result<(), TableError> {
    let newest_first = TableVersion(table.version().0.saturating_sub(ENTRIES_MIN));
    let keep_from = [checkpoint, allowance.consumed.next(), table.anchor(), newest_first].into_iter().min();
    let Some(keep_from) = keep_from else { return Ok(()) };
    let place = table.place();
    let (entries, checkpoints) = log::list(place).await?;
    let outdated = checkpoints.into_iter().filter(|version| *version < checkpoint).map(log::checkpoint_name);
    for name in outdated {
        place.delete(&name).await?;
    }
    for version in entries.into_iter().filter(|version| *version < keep_from) {
        if is_told_of(place, version, allowance.history, live).await? {
            break;
        }
        place.delete(&log::entry_name(version)).await?;
        debug!(table = %place.url(), %version, "cleaned up");
    }
    Ok(())
}

/// Whether an entry tells of something that can be replayed.
async fn is_told_of(
    place: &Place,
    version: TableVersion,
    history: History,
    live: &HashSet<String>,
) -> Result<bool, TableError> {
    if history == History::Needless {
        return Ok(false);
    }
    let Some(entry) = log::read(place, version).await? else { return Ok(false) };
    Ok(match history {
        History::Needless => false,
        History::OfFiles => entry.adds.iter().any(|add| live.contains(&add.path)),
        History::OfInput(first) => entry.cursors.iter().any(|(app_id, value)| {
            Cursor::bronze_id(app_id).is_some() && u64::try_from(*value).is_ok_and(|last| last >= first.0)
        }),
    })
}

/// The files that the versions after `consumed` added: those that a consumer at `consumed` still needs.
///
/// # Errors
/// The store failed, or an entry is missing or damaged.
pub async fn needed(table: &LocalTable, consumed: TableVersion) -> Result<HashSet<String>, TableError> {
    let place = table.place();
    let mut paths = HashSet::new();
    for number in consumed.0 + 1..=table.version().0 {
        let version = TableVersion(number);
        let entry = log::read_local(place, version).await?;
        paths.extend(entry.adds.into_iter().map(|add| add.path));
    }
    Ok(paths)
}

/// Removes what a crash left in a table's folder: temporary files, and data files that are not live, but for those in
/// `needed`, which a consumer has yet to read. Only for a table that nothing writes to yet.
///
/// # Errors
/// The log is damaged. A file that cannot be removed stays, and is tried again at the next start.
pub async fn sweep(place: &Place, needed: &HashSet<String>) -> Result<(), TableError> {
    let (Some(folder), Some(snapshot)) = (place.folder(), Snapshot::load(place).await?) else {
        return Ok(());
    };
    let live = snapshot.files()?.into_iter().map(|add| add.path);
    let live: HashSet<String> = live.chain(needed.iter().cloned()).collect();
    for file in walkdir::WalkDir::new(&folder).into_iter().flatten().filter(|e| e.file_type().is_file()) {
        let Ok(name) = file.path().strip_prefix(&folder) else { continue };
        if is_orphan(name, &live) && fs::remove_file(file.path()).is_ok() {
            debug!(file = %file.path().display(), "swept");
        }
    }
    Ok(())
}

fn is_orphan(name: &Path, live: &HashSet<String>) -> bool {
    let text = name.to_string_lossy();
    let temporary =
        text.rsplit_once('#').is_some_and(|(_, number)| number.bytes().all(|b| b.is_ascii_digit()));
    let data = !name.starts_with("_delta_log") && text.ends_with(".parquet");
    temporary || (data && !live.contains(text.as_ref()))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int64Array, RecordBatch};

    use super::*;
    use crate::clock::Day;
    use crate::table::DataFile;

    /// The versions whose entries are left of a table of 130 commits, each with a file and a cursor that counts them, of
    /// which the first fifty files have expired.
    async fn left(history: History) -> Vec<TableVersion> {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::local(folder.path()).unwrap();
        let now = Timestamp::from_micros(0);
        let rows = RecordBatch::try_from_iter([("n", Arc::new(Int64Array::from(vec![1])) as _)]).unwrap();
        let columns = crate::silver::columns::with_partition(&rows.schema());
        let table = LocalTable::create(&place, &columns, Vec::new(), now).await.unwrap();
        let file = DataFile::encode(&place, &rows.schema(), &[rows], Default::default(), &[]).unwrap();
        let mut expired = HashSet::new();
        for number in 1..=130_i64 {
            let add = file.put(&place, Day(0), now).await.unwrap();
            if number <= 50 {
                expired.insert(add.path.clone());
            }
            let cursor = Cursor::Bronze("b".into()).at(2 * number);
            let version = table.commit(&[Action::Add(add), cursor]).await.unwrap();
            table.set_anchor(version);
        }
        let snapshot = Snapshot::load(&place).await.unwrap().unwrap();
        let removals = snapshot.removals(|add| expired.contains(&add.path)).unwrap();
        let actions: Vec<Action> = removals.into_iter().map(Action::Remove).collect();
        table.commit(&actions).await.unwrap();
        let snapshot = Snapshot::load(&place).await.unwrap().unwrap();
        let consumed = table.version();
        let allowance = Allowance { consumed, reclaim_bytes: 0, expiry: Expiry::Never, history };
        let _ = tidy(&table, &mut Upkeep::default(), &snapshot, &allowance, now).await.unwrap();
        Snapshot::load(&place).await.unwrap().unwrap();
        log::list(&place).await.unwrap().0
    }

    #[tokio::test]
    async fn the_log_is_kept_as_long_as_what_it_tells_of_can_be_replayed() {
        assert_eq!(left(History::OfFiles).await.first(), Some(&TableVersion(51)));
        assert_eq!(left(History::OfInput(TableVersion(141))).await.first(), Some(&TableVersion(71)));
        assert_eq!(left(History::Needless).await.first(), Some(&TableVersion(111)));
    }
}
