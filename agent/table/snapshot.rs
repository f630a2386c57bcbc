//! A table as it stands at one version, through the `deltalake` reader.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use deltalake::kernel::{Add, Remove};
use deltalake::logstore::StorageConfig;
use deltalake::{DeltaTable, DeltaTableError};
use object_store::prefix::PrefixStore;

use super::schema::arrow_schema;
use super::{Cursor, TableError, TableVersion};
use crate::store::Place;

/// One version of a table. Costs memory by its number of files: load, use, drop.
#[derive(Debug)]
pub struct Snapshot {
    place: Place,
    table: DeltaTable,
    version: TableVersion,
}

impl Snapshot {
    /// The newest version, or `None` where there is no table.
    ///
    /// # Errors
    /// The store failed, or the log is damaged.
    pub async fn load(place: &Place) -> Result<Option<Self>, TableError> {
        Self::load_from(place, None).await
    }

    /// The version `version`, which the log must still tell.
    ///
    /// # Errors
    /// The store failed, the log is damaged, or does not tell of this version.
    #[cfg(feature = "central")]
    pub async fn load_at(place: &Place, version: TableVersion) -> Result<Self, TableError> {
        let snapshot = Self::load_from(place, Some(version)).await?;
        snapshot.ok_or_else(|| TableError::Gap { table: place.url().to_string(), version })
    }

    async fn load_from(place: &Place, version: Option<TableVersion>) -> Result<Option<Self>, TableError> {
        let failed = |operation, source| TableError::Delta {
            table: place.url().to_string(),
            operation,
            source: Box::new(source),
        };
        // Not by the table's URL: that would look for a store of the crate's own, which is not durable.
        let below = Arc::new(PrefixStore::new(Arc::clone(place.store()), place.path().clone()));
        let mut table = DeltaTable::new(deltalake::logstore::default_logstore(
            below,
            Arc::clone(place.store()),
            place.url(),
            &StorageConfig::default(),
        ));
        let (entries, checkpoints) = super::log::recent(place).await?;
        if entries.is_empty() && checkpoints.is_empty() {
            return Ok(None);
        }
        let loaded = match version {
            None => table.load().await,
            Some(version) => table.load_version(version.0).await,
        };
        match loaded {
            Ok(()) => {}
            Err(DeltaTableError::NotATable(_)) => return Ok(None),
            Err(e) => return Err(failed("read the log", e)),
        }
        let version =
            table.version().ok_or_else(|| failed("read the log", DeltaTableError::NotInitialized))?;
        Ok(Some(Self { place: place.clone(), table, version: TableVersion(version) }))
    }

    /// Its version.
    pub fn version(&self) -> TableVersion {
        self.version
    }

    /// The id that its metadata gives to the table.
    ///
    /// # Errors
    /// The log is damaged.
    pub fn id(&self) -> Result<String, TableError> {
        Ok(self.state()?.metadata().id().to_owned())
    }

    /// Its columns, the partition column included.
    ///
    /// # Errors
    /// The log is damaged.
    pub fn schema(&self) -> Result<SchemaRef, TableError> {
        let schema: Schema = arrow_schema(&self.place, self.state()?.schema().as_ref())?;
        Ok(Arc::new(schema))
    }

    /// The properties that its metadata states.
    ///
    /// # Errors
    /// The log is damaged.
    pub fn properties(&self) -> Result<HashMap<String, String>, TableError> {
        Ok(self.state()?.metadata().configuration().clone())
    }

    /// The live data files.
    ///
    /// # Errors
    /// The log is damaged.
    #[expect(
        deprecated,
        reason = "the replacement hands out Arrow columns; the few files of a local table want actions"
    )]
    pub fn files(&self) -> Result<Vec<Add>, TableError> {
        Ok(self.state()?.log_data().iter().map(|file| file.add_action()).collect())
    }

    /// The actions that remove the live files which `chosen` picks.
    ///
    /// # Errors
    /// The log is damaged.
    #[expect(deprecated, reason = "as for `files`")]
    pub fn removals(&self, chosen: impl Fn(&Add) -> bool) -> Result<Vec<Remove>, TableError> {
        let files = self.state()?.log_data();
        Ok(files
            .iter()
            .filter(|file| chosen(&file.add_action()))
            .map(|file| file.remove_action(true))
            .collect())
    }

    /// The value of a cursor kept in this table, or `None` if it was never set.
    ///
    /// # Errors
    /// The store failed, or the log is damaged.
    pub async fn cursor(&self, cursor: &Cursor) -> Result<Option<i64>, TableError> {
        let log_store = self.table.log_store();
        let value = self.state()?.transaction_version(log_store.as_ref(), cursor).await;
        value.map_err(|source| self.failed("read a cursor", source))
    }

    /// All cursors kept in this table, by application id; one request for each entry since the last checkpoint.
    ///
    /// # Errors
    /// The store failed, or the log is damaged.
    pub async fn cursors(&self) -> Result<HashMap<String, i64>, TableError> {
        super::log::cursors(&self.place, self.version).await
    }

    /// Writes a checkpoint of this version.
    ///
    /// # Errors
    /// The store failed, or the log is damaged.
    pub async fn checkpoint(&self) -> Result<(), TableError> {
        deltalake::checkpoints::create_checkpoint(&self.table, None)
            .await
            .map_err(|source| self.failed("write a checkpoint", source))
    }

    /// The table as DataFusion and other users of `deltalake` take it.
    #[cfg(feature = "central")]
    pub fn into_table(self) -> DeltaTable {
        self.table
    }

    fn state(&self) -> Result<&deltalake::table::state::DeltaTableState, TableError> {
        self.table.snapshot().map_err(|source| self.failed("read the log", source))
    }

    fn failed(&self, operation: &'static str, source: DeltaTableError) -> TableError {
        TableError::Delta { table: self.place.url().to_string(), operation, source: Box::new(source) }
    }
}
