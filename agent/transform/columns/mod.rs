//! Columns on both sides of the boundary: Arrow arrays here, lists of numbers and bytes there.

mod from_guest;
mod to_guest;

use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, FieldRef, Schema, TimeUnit};

pub use from_guest::{Nullability, checked_column};
pub use to_guest::Input;

use super::wit::{FieldParam, Kind};

/// The columns of `schema` that can cross the boundary.
pub fn fields(schema: &Schema) -> Vec<FieldParam<'_>> {
    let field = |field: &FieldRef| kind_of(field.data_type()).map(|kind| (kind, field.is_nullable()));
    let named = schema.fields().iter().filter_map(|column| field(column).map(|field| (column.name(), field)));
    named.map(|(name, (kind, nullable))| FieldParam { name, kind, nullable }).collect()
}

/// The Arrow type of a column of Silver.
pub fn data_type(kind: Kind) -> DataType {
    match kind {
        Kind::Boolean => DataType::Boolean,
        Kind::Int32 => DataType::Int32,
        Kind::Int64 => DataType::Int64,
        Kind::Float64 => DataType::Float64,
        Kind::Date32 => DataType::Date32,
        Kind::TimestampUs => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        Kind::Utf8 => DataType::Utf8,
        Kind::Binary => DataType::Binary,
        Kind::StringMap => DataType::Map(MAP_ENTRIES.clone(), false),
    }
}

/// How a column of this type crosses the boundary; `None` if it cannot.
pub fn kind_of(data_type: &DataType) -> Option<Kind> {
    Some(match data_type {
        DataType::Boolean => Kind::Boolean,
        DataType::Int32 => Kind::Int32,
        DataType::Int64 => Kind::Int64,
        DataType::Float64 => Kind::Float64,
        DataType::Date32 => Kind::Date32,
        DataType::Timestamp(TimeUnit::Microsecond, _) => Kind::TimestampUs,
        DataType::Utf8 => Kind::Utf8,
        DataType::Binary => Kind::Binary,
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(fields) if fields.iter().all(|field| *field.data_type() == DataType::Utf8) => {
                Kind::StringMap
            }
            _ => return None,
        },
        _ => return None,
    })
}

/// The entries of a map, with the names that the Delta kernel gives them.
static MAP_ENTRIES: LazyLock<FieldRef> = LazyLock::new(|| {
    let key = Field::new("key", DataType::Utf8, false);
    let value = Field::new("value", DataType::Utf8, true);
    Arc::new(Field::new("key_value", DataType::Struct(vec![key, value].into()), false))
});

#[cfg(test)]
mod tests;
