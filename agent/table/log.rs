//! The transaction log: appending one entry, reading one back.

use std::collections::HashMap;

use arrow::array::{Array, AsArray};
use arrow::datatypes::Int64Type;
use bytes::Bytes;
use deltalake::kernel::{Action, Add, CommitInfo, Remove};
use object_store::ObjectMeta;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};

use super::{TableError, TableVersion};
use crate::clock::Timestamp;
use crate::store::{Place, Put};

/// The key in `commitInfo` under which logsmith keeps what a commit accounts for.
pub const INFO_KEY: &str = "logsmith";

/// The name of the pointer to the last checkpoint, relative to the table's folder.
pub(super) const POINTER: &str = "_delta_log/_last_checkpoint";

/// The outcome of an attempt to commit.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Commit {
    /// The entry is in the log, durable, at this version.
    Done(TableVersion),
    /// The version is taken: read the cursors again. (After an unclear answer the entry there may be our own.)
    Conflict,
}

/// One log entry, taken apart.
#[derive(Debug)]
pub struct Entry {
    /// Its version.
    pub version: TableVersion,
    /// When it was made, as it says itself.
    pub time: Option<Timestamp>,
    /// Files that it adds.
    pub adds: Vec<Add>,
    /// Files that it removes.
    pub removes: Vec<Remove>,
    /// Cursors that it sets: application id and value.
    pub cursors: Vec<(String, i64)>,
    /// What logsmith wrote into `commitInfo`, or null.
    pub info: Value,
}

impl Entry {
    /// The value that this entry gives to a cursor, if it sets it.
    pub fn cursor(&self, cursor: &super::Cursor) -> Option<i64> {
        let id = cursor.to_string();
        self.cursors.iter().find(|(app_id, _)| *app_id == id).map(|(_, value)| *value)
    }
}

/// The `commitInfo` action of a commit: the operation in Delta's words, and `info` under [`INFO_KEY`].
pub fn commit_info(operation: &str, info: Value, now: Timestamp) -> Action {
    Action::CommitInfo(CommitInfo {
        timestamp: Some(now.millis()),
        operation: Some(operation.to_owned()),
        operation_parameters: Some(std::collections::HashMap::from([("mode".to_owned(), json!("Append"))])),
        engine_info: Some(format!("logsmith {}", env!("CARGO_PKG_VERSION"))),
        info: std::collections::HashMap::from([(INFO_KEY.to_owned(), info)]),
        ..CommitInfo::default()
    })
}

/// Puts the entry of `version` into the log, create-only; one request, whatever the history.
///
/// # Errors
/// The store failed; the entry may be there or not. Read the cursors before trying again, delete nothing.
pub async fn append(place: &Place, version: TableVersion, actions: &[Action]) -> Result<Commit, TableError> {
    let mut entry = Vec::with_capacity(512 * actions.len());
    for action in actions {
        serde_json::to_writer(&mut entry, action).map_err(|e| TableError::Entry {
            table: place.url().to_string(),
            version,
            reason: format!("cannot be written as JSON: {e}"),
        })?;
        entry.push(b'\n');
    }
    match place.put_new(&entry_name(version), Bytes::from(entry)).await? {
        Put::Created => Ok(Commit::Done(version)),
        Put::AlreadyExists => Ok(Commit::Conflict),
    }
}

/// Reads the entry of `version`; `None` if the log does not hold it (not yet, or no longer).
///
/// # Errors
/// The store failed, or the entry is no valid log entry.
pub async fn read(place: &Place, version: TableVersion) -> Result<Option<Entry>, TableError> {
    let bytes = place.get(&entry_name(version)).await?;
    bytes.map(|bytes| parse(place, version, &bytes)).transpose()
}

/// Reads the entry of `version` of a local table, which must have it.
///
/// # Errors
/// The store failed, or [`TableError::Damaged`].
pub async fn read_local(place: &Place, version: TableVersion) -> Result<Entry, TableError> {
    match read(place, version).await {
        Ok(entry) => entry.ok_or_else(|| TableError::missing(place, version)),
        Err(error @ TableError::Delta { .. }) => Err(TableError::damaged_entry(place, version, error)),
        Err(error) => Err(error),
    }
}

/// Takes the bytes of the entry of `version` apart.
pub(super) fn parse(place: &Place, version: TableVersion, bytes: &Bytes) -> Result<Entry, TableError> {
    let actions = deltalake::logstore::get_actions(version.0, bytes).map_err(|source| TableError::Delta {
        table: place.url().to_string(),
        operation: "read a log entry",
        source: Box::new(source),
    })?;
    let (adds, removes, cursors) = (Vec::new(), Vec::new(), Vec::new());
    let mut entry = Entry { version, time: None, adds, removes, cursors, info: Value::Null };
    for action in actions {
        match action {
            Action::Add(add) => entry.adds.push(add),
            Action::Remove(remove) => entry.removes.push(remove),
            Action::Txn(txn) => entry.cursors.push((txn.app_id, txn.version)),
            Action::CommitInfo(mut info) => {
                entry.time =
                    info.timestamp.map(|millis| Timestamp::from_micros(millis.saturating_mul(1_000)));
                entry.info = info.info.remove(INFO_KEY).unwrap_or_default();
            }
            _ => {}
        }
    }
    Ok(entry)
}

/// The versions whose entries the log holds, ascending, and the versions of whole checkpoints, ascending.
///
/// # Errors
/// The store failed.
pub async fn list(place: &Place) -> Result<(Vec<TableVersion>, Vec<TableVersion>), TableError> {
    let folder = place.join("_delta_log");
    Ok(sort(&folder, folder.list().await?))
}

/// Like [`list`], from the last checkpoint on that the log points at; so the cost is that of the entries since,
/// whatever the history.
///
/// # Errors
/// The store failed.
pub async fn recent(place: &Place) -> Result<(Vec<TableVersion>, Vec<TableVersion>), TableError> {
    if let Pointer::At(version) = pointer(place).await? {
        let from = format!("{:020}", version.0);
        let folder = place.join("_delta_log");
        let (entries, checkpoints) = sort(&folder, folder.list_after(&from).await?);
        if checkpoints.first() == Some(&version) {
            return Ok((entries, checkpoints));
        }
    }
    list(place).await
}

/// What the log says of its last checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pointer {
    /// Nothing.
    Absent,
    /// What it says cannot be read.
    Unreadable,
    /// It is of this version.
    At(TableVersion),
}

/// Reads the pointer to the last checkpoint. It is a hint: what it points at may be gone.
pub(super) async fn pointer(place: &Place) -> Result<Pointer, TableError> {
    let Some(bytes) = place.get(POINTER).await? else { return Ok(Pointer::Absent) };
    let read = serde_json::from_slice::<LastCheckpoint>(&bytes);
    Ok(read.map_or(Pointer::Unreadable, |LastCheckpoint { version }| Pointer::At(version)))
}

/// What the pointer to the last checkpoint says; it says more, which nothing here needs.
#[derive(serde::Deserialize)]
struct LastCheckpoint {
    version: TableVersion,
}

/// The versions of entries and of checkpoints among the objects right in `folder`.
fn sort(folder: &Place, objects: Vec<ObjectMeta>) -> (Vec<TableVersion>, Vec<TableVersion>) {
    let (mut entries, mut checkpoints) = (Vec::new(), Vec::new());
    let depth = folder.path().parts().count() + 1;
    for object in objects.into_iter().filter(|object| object.location.parts().count() == depth) {
        let Some((number, kind)) = object.location.filename().and_then(|name| name.split_once('.')) else {
            continue;
        };
        let Ok(version) = number.parse().map(TableVersion) else { continue };
        match kind {
            "json" => entries.push(version),
            "checkpoint.parquet" => checkpoints.push(version),
            _ => {}
        }
    }
    entries.sort_unstable();
    checkpoints.sort_unstable();
    (entries, checkpoints)
}

/// All cursors as they stand at version `at`, by application id.
///
/// Reads the last whole checkpoint up to `at`, and each entry after it.
///
/// # Errors
/// The store failed, an entry that is needed is gone, or the log is damaged.
pub async fn cursors(place: &Place, at: TableVersion) -> Result<HashMap<String, i64>, TableError> {
    let (_, mut checkpoints) = recent(place).await?;
    if checkpoints.first().is_some_and(|first| *first > at) {
        checkpoints = list(place).await?.1;
    }
    let (mut cursors, mut next) = (HashMap::new(), TableVersion(0));
    if let Some(&version) = checkpoints.iter().rfind(|version| **version <= at) {
        let name = checkpoint_name(version);
        let bytes = place.get(&name).await?.ok_or_else(|| gap(place, version))?;
        cursors = checkpoint_cursors(bytes).map_err(|source| TableError::Parquet {
            file: format!("{}{name}", place.url()),
            operation: "decode",
            source,
        })?;
        next = version.next();
    }
    while next <= at {
        let entry = read(place, next).await?.ok_or_else(|| gap(place, next))?;
        cursors.extend(entry.cursors);
        next = next.next();
    }
    Ok(cursors)
}

fn checkpoint_cursors(bytes: Bytes) -> Result<HashMap<String, i64>, parquet::errors::ParquetError> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(bytes)?;
    let mask = ProjectionMask::columns(builder.parquet_schema(), ["txn.appId", "txn.version"]);
    let mut cursors = HashMap::new();
    for batch in builder.with_projection(mask).build()? {
        let batch = batch?;
        let Some(txn) = batch.column_by_name("txn").and_then(|column| column.as_struct_opt()) else { break };
        let ids = txn.column_by_name("appId").and_then(|column| column.as_string_opt::<i32>());
        let versions =
            txn.column_by_name("version").and_then(|column| column.as_primitive_opt::<Int64Type>());
        let (Some(ids), Some(versions)) = (ids, versions) else { break };
        let set = |row: &usize| txn.is_valid(*row) && ids.is_valid(*row);
        cursors
            .extend((0..txn.len()).filter(set).map(|row| (ids.value(row).to_owned(), versions.value(row))));
    }
    Ok(cursors)
}

fn gap(place: &Place, version: TableVersion) -> TableError {
    TableError::Gap { table: place.url().to_string(), version }
}

/// The name of an entry, relative to the table's folder.
pub(super) fn entry_name(version: TableVersion) -> String {
    format!("_delta_log/{:020}.json", version.0)
}

/// The name of a checkpoint, relative to the table's folder.
pub(super) fn checkpoint_name(version: TableVersion) -> String {
    format!("_delta_log/{:020}.checkpoint.parquet", version.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{Cursor, Snapshot, schema};
    use arrow::datatypes::{DataType, Field, Schema};

    async fn commit(place: &Place, version: u64, mut actions: Vec<Action>) {
        let now = Timestamp::from_micros(1_795_132_800_000_000);
        actions.push(commit_info("WRITE", json!({}), now));
        assert_eq!(
            append(place, TableVersion(version), &actions).await.unwrap(),
            Commit::Done(TableVersion(version))
        );
    }

    fn stream(n: u64) -> Cursor {
        Cursor::Stream { host: format!("host-{n}"), table_id: format!("id-{n}") }
    }

    /// Whatever came before the last checkpoint is not even looked at: it may be gone.
    #[tokio::test]
    async fn a_table_of_many_streams_is_opened_from_its_last_checkpoint() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::local(folder.path()).unwrap();
        let columns = Schema::new(vec![Field::new("n", DataType::Int64, true)]);
        let now = Timestamp::from_micros(0);
        let metadata = schema::metadata(&place, "t", &columns, &[], now).unwrap();
        let mut first = vec![schema::protocol(&place).unwrap(), metadata];
        first.extend((0..10_000).map(|n| stream(n).at(1)));
        commit(&place, 0, first).await;
        for version in 1..=3 {
            commit(&place, version, vec![stream(version).at(10 + version as i64)]).await;
        }
        Snapshot::load(&place).await.unwrap().unwrap().checkpoint().await.unwrap();
        commit(&place, 4, vec![stream(1).at(20)]).await;
        for version in 0..3 {
            place.delete(&entry_name(TableVersion(version))).await.unwrap();
        }
        let (entries, checkpoints) = recent(&place).await.unwrap();
        assert_eq!((entries, checkpoints), (vec![TableVersion(3), TableVersion(4)], vec![TableVersion(3)]));
        let snapshot = Snapshot::load(&place).await.unwrap().unwrap();
        let cursors = snapshot.cursors().await.unwrap();
        let of = |n: u64| cursors.get(&stream(n).to_string()).copied();
        assert_eq!((cursors.len(), of(0), of(1), of(2)), (10_000, Some(1), Some(20), Some(12)));
        // The pointer to the checkpoint is a hint: without it, or wrong, the log is listed.
        for pointer in [None, Some(r#"{"version":77,"size":1}"#), Some("{")] {
            place.delete("_delta_log/_last_checkpoint").await.unwrap();
            if let Some(pointer) = pointer {
                let _ = place.put_new("_delta_log/_last_checkpoint", pointer.into()).await.unwrap();
            }
            assert_eq!(recent(&place).await.unwrap().0.last(), Some(&TableVersion(4)));
        }
    }
}
