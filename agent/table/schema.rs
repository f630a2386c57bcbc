//! Arrow schemas as Delta metadata and back.

use std::collections::HashMap;

use arrow::datatypes::Schema;
use deltalake::kernel::engine::arrow_conversion::{TryIntoArrow, TryIntoKernel};
use deltalake::kernel::{Action, Metadata, Protocol, StructType};
use serde_json::json;

use super::TableError;
use crate::clock::Timestamp;
use crate::store::Place;

/// The partition column of every table: the UTC day. It stands in the log, not in the data files.
pub const PARTITION: &str = "date";

/// Readers from version 1 on and writers from version 2 on understand these tables.
pub fn protocol() -> Result<Action, serde_json::Error> {
    let protocol: Protocol = serde_json::from_value(json!({"minReaderVersion": 1, "minWriterVersion": 2}))?;
    Ok(Action::Protocol(protocol))
}

/// The `metaData` action of a table with these columns.
///
/// Tombstones are kept for an hour only, so that checkpoints stay small; no property expires `txn` actions.
///
/// # Errors
/// A column has a type that Delta does not know.
pub fn metadata(
    place: &Place,
    id: &str,
    columns: &Schema,
    partition: &[&str],
    now: Timestamp,
) -> Result<Action, TableError> {
    let failed = |source| TableError::Schema { table: place.url().to_string(), source };
    let json = |e: serde_json::Error| failed(arrow::error::ArrowError::SchemaError(e.to_string()));
    let schema: StructType = columns.try_into_kernel().map_err(failed)?;
    let metadata: Metadata = serde_json::from_value(json!({
        "id": id,
        "name": null,
        "description": null,
        "format": {"provider": "parquet", "options": {}},
        "schemaString": serde_json::to_string(&schema).map_err(json)?,
        "partitionColumns": partition,
        "configuration": HashMap::from([("delta.deletedFileRetentionDuration", "interval 1 hours")]),
        "createdTime": now.millis(),
    }))
    .map_err(json)?;
    Ok(Action::Metadata(metadata))
}

/// The columns that a table's metadata states, partition columns included.
pub(super) fn arrow_schema(place: &Place, schema: &StructType) -> Result<Schema, TableError> {
    schema.try_into_arrow().map_err(|source| TableError::Schema { table: place.url().to_string(), source })
}
