//! A table that this process alone writes: commits cost the same whatever its history.
//!
//! The version and the schema are kept in memory; an entry is appended create-only at the next version,
//! without loading a snapshot. A name that is taken means a second writer: the table refuses from then on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::datatypes::SchemaRef;
use deltalake::kernel::Action;
use serde_json::json;
use tokio::sync::{Mutex, watch};

use super::log::{self, Commit};
use super::schema;
use super::{Snapshot, TableError, TableVersion};
use crate::clock::Timestamp;
use crate::store::Place;

/// A table of the state folder, opened for writing.
#[derive(Debug)]
pub struct LocalTable {
    place: Place,
    id: String,
    writer: Mutex<Writer>,
    version: watch::Sender<TableVersion>,
    anchor: AtomicU64,
}

/// What one commit needs to know of the commits before it.
#[derive(Debug)]
struct Writer {
    version: TableVersion,
    schema: SchemaRef,
    state: WriterState,
}

/// Whether commits may go on.
#[derive(Clone, Copy, Debug, PartialEq)]
enum WriterState {
    Healthy,
    /// A commit failed in a way that leaves the log unclear; only a new start reads it afresh.
    Poisoned,
}

impl LocalTable {
    /// Opens a table that `snapshot` shows.
    ///
    /// # Errors
    /// The log is damaged.
    pub fn open(place: &Place, snapshot: &Snapshot) -> Result<Self, TableError> {
        Ok(Self::new(place, snapshot.id()?, snapshot.version(), snapshot.schema()?))
    }

    /// Creates a table with these columns, partitioned by day, as version 0; `cursors` are set in the same commit.
    ///
    /// # Errors
    /// There is a table already, or the store failed.
    pub async fn create(
        place: &Place,
        columns: &SchemaRef,
        cursors: Vec<Action>,
        now: Timestamp,
    ) -> Result<Self, TableError> {
        let id = uuid::Uuid::new_v4().to_string();
        let mut actions = vec![
            schema::protocol(place)?,
            schema::metadata(place, &id, columns, &[schema::PARTITION], now)?,
            log::commit_info("CREATE TABLE", json!({}), now),
        ];
        actions.extend(cursors);
        let version = TableVersion(0);
        match log::append(place, version, &actions).await? {
            Commit::Done(version) => Ok(Self::new(place, id, version, Arc::clone(columns))),
            Commit::Conflict => Err(TableError::Foreign { table: place.url().to_string(), version }),
        }
    }

    fn new(place: &Place, id: String, version: TableVersion, schema: SchemaRef) -> Self {
        let writer = Writer { version, schema, state: WriterState::Healthy };
        let (sender, _) = watch::channel(version);
        let anchor = AtomicU64::new(version.0);
        Self { place: place.clone(), id, writer: Mutex::new(writer), version: sender, anchor }
    }

    /// Notes that the next start reads the entry of `version`: log clean-up keeps it and what follows.
    pub fn set_anchor(&self, version: TableVersion) {
        self.anchor.store(version.0, Ordering::Relaxed);
    }

    /// The oldest entry that the next start reads; the version found at the opening until one was set.
    pub fn anchor(&self) -> TableVersion {
        TableVersion(self.anchor.load(Ordering::Relaxed))
    }

    /// Where it lies.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The id that its metadata gives to the table.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The newest version; the receiver wakes whoever waits for the next.
    pub fn versions(&self) -> watch::Receiver<TableVersion> {
        self.version.subscribe()
    }

    /// The newest version.
    pub fn version(&self) -> TableVersion {
        *self.version.borrow()
    }

    /// Its columns, the partition column included.
    pub async fn schema(&self) -> SchemaRef {
        Arc::clone(&self.writer.lock().await.schema)
    }

    /// Appends one entry, durably, and returns its version.
    ///
    /// # Errors
    /// The store failed or another process wrote: the table then refuses every further commit.
    pub async fn commit(&self, actions: &[Action]) -> Result<TableVersion, TableError> {
        let mut writer = self.writer.lock().await;
        self.commit_locked(&mut writer, actions).await
    }

    /// Like [`LocalTable::commit`], and gives the table these columns (old ones and new) in the same entry.
    ///
    /// # Errors
    /// As [`LocalTable::commit`]; or a column has a type that Delta does not know.
    pub async fn commit_with_schema(
        &self,
        columns: &SchemaRef,
        mut actions: Vec<Action>,
        now: Timestamp,
    ) -> Result<TableVersion, TableError> {
        let mut writer = self.writer.lock().await;
        actions.push(schema::metadata(&self.place, &self.id, columns, &[schema::PARTITION], now)?);
        let version = self.commit_locked(&mut writer, &actions).await?;
        writer.schema = Arc::clone(columns);
        Ok(version)
    }

    async fn commit_locked(
        &self,
        writer: &mut Writer,
        actions: &[Action],
    ) -> Result<TableVersion, TableError> {
        let version = writer.version.next();
        if writer.state == WriterState::Poisoned {
            return Err(TableError::Poisoned { table: self.place.url().to_string() });
        }
        writer.state = WriterState::Poisoned;
        match log::append(&self.place, version, actions).await? {
            Commit::Done(version) => {
                writer.version = version;
                writer.state = WriterState::Healthy;
                self.version.send_replace(version);
                Ok(version)
            }
            Commit::Conflict => Err(TableError::Foreign { table: self.place.url().to_string(), version }),
        }
    }
}
