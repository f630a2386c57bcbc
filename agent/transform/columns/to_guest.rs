//! From Arrow to the guest. The host's own arrays: their content is right, only their types are looked at.

use std::ops::Range;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, Date32Array, Float64Array, GenericByteArray,
    Int32Array, Int64Array, MapArray, StringArray, TimestampMicrosecondArray,
};
use arrow::buffer::{Buffer, NullBuffer, ScalarBuffer};
use arrow::datatypes::{
    ByteArrayType, Date32Type, Float64Type, Int32Type, Int64Type, TimestampMicrosecondType,
};

use super::kind_of;
use crate::transform::wit::{ColumnParam, EntriesParam, Kind, StringsParam, ValuesParam};

/// A column that a plugin reads.
#[expect(clippy::large_enum_variant, reason = "there is one for each column of a batch, not for each row")]
#[derive(Clone, Debug)]
pub enum Input {
    Boolean(BooleanArray),
    Int32(Int32Array),
    Int64(Int64Array),
    Float64(Float64Array),
    Date32(Date32Array),
    TimestampUs(TimestampMicrosecondArray),
    Utf8(StringArray),
    Binary(BinaryArray),
    StringMap { maps: MapArray, keys: StringArray, values: StringArray },
}

impl Input {
    /// `None` if a column of this type cannot cross the boundary.
    pub fn of(array: &ArrayRef) -> Option<Self> {
        Some(match kind_of(array.data_type())? {
            Kind::Boolean => Self::Boolean(array.as_boolean_opt()?.clone()),
            Kind::Int32 => Self::Int32(array.as_primitive_opt::<Int32Type>()?.clone()),
            Kind::Int64 => Self::Int64(array.as_primitive_opt::<Int64Type>()?.clone()),
            Kind::Float64 => Self::Float64(array.as_primitive_opt::<Float64Type>()?.clone()),
            Kind::Date32 => Self::Date32(array.as_primitive_opt::<Date32Type>()?.clone()),
            Kind::TimestampUs => {
                Self::TimestampUs(array.as_primitive_opt::<TimestampMicrosecondType>()?.clone())
            }
            Kind::Utf8 => Self::Utf8(array.as_string_opt()?.clone()),
            Kind::Binary => Self::Binary(array.as_binary_opt()?.clone()),
            Kind::StringMap => {
                let maps = array.as_map_opt()?.clone();
                let (keys, values) =
                    (maps.keys().as_string_opt()?.clone(), maps.values().as_string_opt()?.clone());
                Self::StringMap { maps, keys, values }
            }
        })
    }

    /// How many bytes of text these rows have.
    pub fn text_bytes(&self, rows: Range<usize>) -> usize {
        match self {
            Self::Utf8(array) => span(array.value_offsets(), rows).len(),
            Self::Binary(array) => span(array.value_offsets(), rows).len(),
            Self::StringMap { maps, keys, values } => {
                let entries = span(maps.value_offsets(), rows);
                span(keys.value_offsets(), entries.clone()).len()
                    + span(values.value_offsets(), entries).len()
            }
            _ => 0,
        }
    }

    /// These rows as the guest wants them.
    pub fn part(&self, rows: Range<usize>) -> Part {
        let (start, len) = (rows.start, rows.len());
        let values = match self {
            Self::Boolean(array) => PartValues::Boolean(array.slice(start, len).values().sliced()),
            Self::Int32(array) => PartValues::Int32(array.values().slice(start, len)),
            Self::Int64(array) => PartValues::Int64(array.values().slice(start, len)),
            Self::Float64(array) => PartValues::Float64(array.values().slice(start, len)),
            Self::Date32(array) => PartValues::Date32(array.values().slice(start, len)),
            Self::TimestampUs(array) => PartValues::TimestampUs(array.values().slice(start, len)),
            Self::Utf8(array) => PartValues::Utf8(PartStrings::of(array, rows)),
            Self::Binary(array) => PartValues::Binary(PartStrings::of(array, rows)),
            Self::StringMap { maps, keys, values } => {
                let entries = span(maps.value_offsets(), rows.clone());
                PartValues::StringMap {
                    offsets: rebased(maps.value_offsets(), rows),
                    keys: PartStrings::of(keys, entries.clone()),
                    values: PartStrings::of(values, entries.clone()),
                    validity: validity(values.nulls(), entries),
                }
            }
        };
        Part { values, validity: validity(self.nulls(), start..start + len) }
    }

    fn nulls(&self) -> Option<&NullBuffer> {
        match self {
            Self::Boolean(array) => array.nulls(),
            Self::Int32(array) => array.nulls(),
            Self::Int64(array) => array.nulls(),
            Self::Float64(array) => array.nulls(),
            Self::Date32(array) => array.nulls(),
            Self::TimestampUs(array) => array.nulls(),
            Self::Utf8(array) => array.nulls(),
            Self::Binary(array) => array.nulls(),
            Self::StringMap { maps, .. } => maps.nulls(),
        }
    }
}

/// Some rows of a column, their offsets counted from the first.
#[derive(Debug)]
pub struct Part {
    values: PartValues,
    validity: Option<Buffer>,
}

#[derive(Debug)]
enum PartValues {
    Boolean(Buffer),
    Int32(ScalarBuffer<i32>),
    Int64(ScalarBuffer<i64>),
    Float64(ScalarBuffer<f64>),
    Date32(ScalarBuffer<i32>),
    TimestampUs(ScalarBuffer<i64>),
    Utf8(PartStrings),
    Binary(PartStrings),
    StringMap { offsets: Vec<i32>, keys: PartStrings, values: PartStrings, validity: Option<Buffer> },
}

impl Part {
    /// What the call takes.
    pub fn param(&self) -> ColumnParam<'_> {
        let values = match &self.values {
            PartValues::Boolean(bits) => ValuesParam::Boolean(bits),
            PartValues::Int32(numbers) => ValuesParam::Int32(numbers),
            PartValues::Int64(numbers) => ValuesParam::Int64(numbers),
            PartValues::Float64(numbers) => ValuesParam::Float64(numbers),
            PartValues::Date32(numbers) => ValuesParam::Date32(numbers),
            PartValues::TimestampUs(numbers) => ValuesParam::TimestampUs(numbers),
            PartValues::Utf8(strings) => ValuesParam::Utf8(strings.param()),
            PartValues::Binary(strings) => ValuesParam::Binary(strings.param()),
            PartValues::StringMap { offsets, keys, values, validity } => {
                ValuesParam::StringMap(EntriesParam {
                    offsets,
                    keys: keys.param(),
                    entry_values: values.param(),
                    entry_validity: validity.as_deref(),
                })
            }
        };
        ColumnParam { values, validity: self.validity.as_deref() }
    }
}

#[derive(Debug)]
struct PartStrings {
    offsets: Vec<i32>,
    data: Buffer,
}

impl PartStrings {
    fn of<T: ByteArrayType<Offset = i32>>(array: &GenericByteArray<T>, rows: Range<usize>) -> Self {
        let bytes = span(array.value_offsets(), rows.clone());
        let data = array.values().slice_with_length(bytes.start, bytes.len());
        Self { offsets: rebased(array.value_offsets(), rows), data }
    }

    fn param(&self) -> StringsParam<'_> {
        StringsParam { offsets: &self.offsets, data: &self.data }
    }
}

/// What the values of `rows` cover.
fn span(offsets: &[i32], rows: Range<usize>) -> Range<usize> {
    let at = |row: usize| offsets.get(row).and_then(|offset| usize::try_from(*offset).ok()).unwrap_or(0);
    at(rows.start)..at(rows.end)
}

fn rebased(offsets: &[i32], rows: Range<usize>) -> Vec<i32> {
    let offsets = offsets.get(rows.start..=rows.end).unwrap_or_default();
    let first = offsets.first().copied().unwrap_or(0);
    offsets.iter().map(|offset| offset - first).collect()
}

fn validity(nulls: Option<&NullBuffer>, rows: Range<usize>) -> Option<Buffer> {
    let part = nulls?.slice(rows.start, rows.len());
    (part.null_count() > 0).then(|| part.inner().sliced())
}
