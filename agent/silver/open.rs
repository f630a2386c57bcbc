//! Opening a pipeline's Silver table: its cursor must count the Bronze table that is there.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{DataType, Schema, SchemaRef};
use serde_json::json;

use super::columns::{reserved, silver_columns, with_partition};
use super::{DeadLetters, Ledger, Silver, Verdict};
use crate::clock::Timestamp;
use crate::store::Place;
use crate::table::schema::PARTITION;
use crate::table::{Cursor, LocalTable, Snapshot, TableError, TableVersion, log};
use crate::transform::Fingerprint;

/// Why a Silver table cannot be taken up.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The table cannot be read or written.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The cursor counts another Bronze table.
    #[error("{silver} has consumed another Bronze table than the one that is there ({bronze})")]
    OtherBronze {
        /// The Silver table's address.
        silver: String,
        /// The id of the Bronze table that is there.
        bronze: String,
    },
    /// The cursor is ahead of Bronze: an older Bronze was put back.
    #[error("{silver} has consumed Bronze up to version {cursor}, but Bronze ends at {bronze}")]
    Ahead {
        /// The Silver table's address.
        silver: String,
        /// The version consumed.
        cursor: TableVersion,
        /// The newest version of Bronze.
        bronze: TableVersion,
    },
    /// Bronze no longer holds what comes after the cursor: the pipeline was out of the configuration for long.
    #[error(
        "{silver} has consumed Bronze up to version {cursor}, but Bronze is whole only after version {oldest}"
    )]
    Missed {
        /// The Silver table's address.
        silver: String,
        /// The version consumed.
        cursor: TableVersion,
        /// The version after which Bronze is whole.
        oldest: TableVersion,
    },
    /// The table was longer: an older one was put back.
    #[error("{silver} ends at version {version}, and had version {was}: an older one was put back")]
    SetBack {
        /// The Silver table's address.
        silver: String,
        /// Its newest version.
        version: TableVersion,
        /// A version that it had.
        was: TableVersion,
    },
    /// A plugin writes a column that Silver adds itself.
    #[error("{silver}: the plugins write a column `{column}`, which Silver adds itself; rename it")]
    Reserved {
        /// The Silver table's address.
        silver: String,
        /// The column.
        column: String,
    },
}

/// The columns of the Silver table at `silver` for plugins that write `written`.
///
/// # Errors
/// A column has a name that Silver adds itself.
pub fn columns(silver: &Place, written: &Schema) -> Result<SchemaRef, OpenError> {
    match reserved().find(|name| written.column_with_name(name).is_some()) {
        Some(column) => {
            Err(OpenError::Reserved { silver: silver.url().to_string(), column: column.to_owned() })
        }
        None => Ok(silver_columns(written)),
    }
}

/// What a Silver table needs to know of its surroundings.
#[derive(Debug)]
pub struct Surroundings {
    /// The host, as rows and landing prefixes carry it.
    pub host: String,
    /// The Bronze table.
    pub bronze: Arc<LocalTable>,
    /// The dead-letter table.
    pub dead_letters: Arc<DeadLetters>,
}

/// Creates the table at `place`; it will consume Bronze after version `start`.
///
/// # Errors
/// The store failed, or a column has a type that Delta does not know.
pub async fn create(
    place: &Place,
    name: &str,
    columns: SchemaRef,
    around: &Surroundings,
    start: TableVersion,
    now: Timestamp,
) -> Result<Silver, OpenError> {
    let cursor = Cursor::Bronze(around.bronze.id().to_owned()).at(start.as_cursor());
    let table = LocalTable::create(place, &with_partition(&columns), vec![cursor], now).await?;
    Ok(silver(table, name, columns, around, start, Ledger::default()))
}

/// Creates the table at `place` in place of `old`, which stands elsewhere now: what follows becomes a new stream.
///
/// # Errors
/// As [`create`].
pub async fn succeed(
    place: &Place,
    old: Silver,
    around: &Surroundings,
    now: Timestamp,
) -> Result<Silver, OpenError> {
    create(place, &old.name, Arc::clone(&old.columns), around, old.cursor, now).await
}

/// Takes up the table that `snapshot` shows, adding columns that are new; none has changed its type ([`changed_type`]).
///
/// # Errors
/// The cursor does not fit Bronze, or the log is damaged.
pub async fn open(
    place: &Place,
    snapshot: &Snapshot,
    name: &str,
    columns: SchemaRef,
    around: &Surroundings,
    now: Timestamp,
) -> Result<Silver, OpenError> {
    let address = place.url().to_string();
    let bronze_id = around.bronze.id().to_owned();
    let Some(cursor) = snapshot.cursor(&Cursor::Bronze(bronze_id.clone())).await? else {
        return Err(OpenError::OtherBronze { silver: address, bronze: bronze_id });
    };
    let (cursor, bronze) = (TableVersion(cursor.unsigned_abs()), around.bronze.version());
    if cursor > bronze {
        return Err(OpenError::Ahead { silver: address, cursor, bronze });
    }
    let table = LocalTable::open(place, snapshot)?;
    let (ledger, anchor) = Ledger::read(place, snapshot.version()).await?;
    table.set_anchor(anchor);
    let had = snapshot.schema()?;
    let columns = merge(&had, &columns);
    if columns.fields().len() + 1 > had.fields().len() {
        add_columns(&table, &columns, now).await?;
    }
    let judges = judges(place, anchor).await?;
    Ok(Silver { judges, ..silver(table, name, columns, around, cursor, ledger) })
}

/// Gives the table these columns, which are its own and new ones.
pub(super) async fn add_columns(
    table: &LocalTable,
    columns: &SchemaRef,
    now: Timestamp,
) -> Result<TableVersion, TableError> {
    let info = vec![log::commit_info("ADD COLUMNS", json!({}), now)];
    table.commit_with_schema(&with_partition(columns), info, now).await
}

/// The plugins of the verdict at `version`, if there is one.
async fn judges(place: &Place, version: TableVersion) -> Result<Option<Vec<Fingerprint>>, TableError> {
    let entry = log::read(place, version).await?;
    let verdict = entry.and_then(|mut entry| Some(entry.info.get_mut("verdict")?.take()));
    Ok(verdict.and_then(|verdict| Some(serde_json::from_value::<Verdict>(verdict).ok()?.plugins)))
}

fn silver(
    table: LocalTable,
    name: &str,
    columns: SchemaRef,
    around: &Surroundings,
    cursor: TableVersion,
    ledger: Ledger,
) -> Silver {
    Silver {
        name: name.to_owned(),
        host: around.host.clone(),
        table: Arc::new(table),
        dead_letters: Arc::clone(&around.dead_letters),
        cursor,
        columns,
        ledger,
        judges: None,
    }
}

/// A column that has one type in the table, and another in what is to be written.
#[derive(Debug, PartialEq, Eq)]
pub struct ChangedType {
    column: String,
    was: DataType,
    now: DataType,
}

impl fmt::Display for ChangedType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` was {}, and is {}", self.column, self.was, self.now)
    }
}

/// The first column of `wanted` that a table with the columns `had` cannot take.
pub fn changed_type(had: &Schema, wanted: &Schema) -> Option<ChangedType> {
    wanted.fields().iter().find_map(|field| {
        let (_, known) = had.column_with_name(field.name())?;
        (!known.data_type().equals_datatype(field.data_type())).then(|| ChangedType {
            column: field.name().clone(),
            was: known.data_type().clone(),
            now: field.data_type().clone(),
        })
    })
}

/// The table's columns, then those that are new in `wanted`.
pub(super) fn merge(had: &Schema, wanted: &Schema) -> SchemaRef {
    let mut fields: Vec<_> = had.fields().iter().filter(|field| field.name() != PARTITION).cloned().collect();
    let new = wanted.fields().iter().filter(|field| had.column_with_name(field.name()).is_none());
    fields.extend(new.map(|field| Arc::new(field.as_ref().clone().with_nullable(true))));
    Arc::new(Schema::new(fields))
}
