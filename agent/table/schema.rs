//! Arrow schemas as Delta metadata and back.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use deltalake::kernel::engine::arrow_conversion::{TryIntoArrow, TryIntoKernel};
use deltalake::kernel::{Action, Metadata, Protocol, StructType};
use serde_json::json;

use super::{TableError, TableVersion};
use crate::clock::Timestamp;
use crate::store::Place;

/// The partition column of every table: the UTC day. It stands in the log, not in the data files.
pub const PARTITION: &str = "date";

/// Characters that engines which read Delta do not take in the name of a column.
const NOT_IN_NAMES: &str = " ,;{}()\n\t=";

/// Whether every engine that reads Delta takes `name` as that of a column.
pub fn is_taken_by_all(name: &str) -> bool {
    !name.contains(|c| NOT_IN_NAMES.contains(c))
}

/// Readers from version 1 on and writers from version 2 on understand these tables.
///
/// # Errors
/// The action cannot be made, which does not happen.
pub fn protocol(place: &Place) -> Result<Action, TableError> {
    let protocol = json!({"minReaderVersion": 1, "minWriterVersion": 2});
    let protocol: Protocol = serde_json::from_value(protocol).map_err(|e| TableError::Entry {
        table: place.url().to_string(),
        version: TableVersion(0),
        reason: e.to_string(),
    })?;
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
    metadata_with(place, id, columns, partition, HashMap::new(), now)
}

/// Like [`metadata`], with further table properties.
///
/// # Errors
/// A column has a type that Delta does not know.
pub fn metadata_with(
    place: &Place,
    id: &str,
    columns: &Schema,
    partition: &[&str],
    mut properties: HashMap<String, String>,
    now: Timestamp,
) -> Result<Action, TableError> {
    properties.insert("delta.deletedFileRetentionDuration".to_owned(), "interval 1 hours".to_owned());
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
        "configuration": properties,
        "createdTime": now.millis(),
    }))
    .map_err(json)?;
    Ok(Action::Metadata(metadata))
}

/// The one Arrow form, of those that Delta keeps alike, in which rows of such a column are written and read
/// back; `None` where Delta (reader version 1) keeps no such column.
///
/// Strings and binaries lose their widths and views, and the entries of lists and maps get the names that
/// the protocol gives them. Nothing inside a column counts as never null, but for the keys of a map.
pub fn plain(data_type: &DataType) -> Option<DataType> {
    let inner = |name: &str, field: &Field| Some(Field::new(name, plain(field.data_type())?, true));
    Some(match data_type {
        DataType::Boolean
        | DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::Float32
        | DataType::Float64
        | DataType::Date32
        | DataType::Decimal128(_, _) => data_type.clone(),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => DataType::Binary,
        DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => utc(),
        DataType::List(item) | DataType::LargeList(item) => DataType::List(Arc::new(inner("element", item)?)),
        DataType::Struct(fields) => {
            let fields: Option<Vec<Field>> = fields.iter().map(|field| inner(field.name(), field)).collect();
            DataType::Struct(fields?.into())
        }
        DataType::Map(entries, _) => {
            let DataType::Struct(entries) = entries.data_type() else { return None };
            let [key, value] = entries.as_ref() else { return None };
            let entries = vec![inner("key", key)?.with_nullable(false), inner("value", value)?];
            DataType::Map(Arc::new(Field::new("key_value", DataType::Struct(entries.into()), false)), false)
        }
        _ => return None,
    })
}

/// What Delta calls the type of a column, of those that [`plain`] gives.
pub fn type_name(data_type: &DataType) -> String {
    let name = match data_type {
        DataType::Boolean => "boolean",
        DataType::Int8 => "byte",
        DataType::Int16 => "short",
        DataType::Int32 => "integer",
        DataType::Int64 => "long",
        DataType::Float32 => "float",
        DataType::Float64 => "double",
        DataType::Date32 => "date",
        DataType::Timestamp(_, _) => "timestamp",
        DataType::Utf8 => "string",
        DataType::Binary => "binary",
        DataType::List(item) => return format!("array<{}>", type_name(item.data_type())),
        DataType::Struct(fields) => {
            let field = |field: &Arc<Field>| format!("{}:{}", field.name(), type_name(field.data_type()));
            return format!("struct<{}>", fields.iter().map(field).collect::<Vec<_>>().join(","));
        }
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(fields) => {
                let inner = fields.iter().map(|field| type_name(field.data_type()));
                return format!("map<{}>", inner.collect::<Vec<_>>().join(","));
            }
            _ => "map",
        },
        other => return other.to_string().to_lowercase(),
    };
    name.to_owned()
}

/// The type of every point in time: microseconds, UTC.
pub fn utc() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// The columns that a table's metadata states, partition columns included.
pub(super) fn arrow_schema(place: &Place, schema: &StructType) -> Result<Schema, TableError> {
    schema.try_into_arrow().map_err(|source| TableError::Schema { table: place.url().to_string(), source })
}
