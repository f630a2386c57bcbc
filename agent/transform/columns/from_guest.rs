//! From the guest to Arrow. Nothing that a guest says is believed: each length, offset and byte is looked at before
//! an array is made of it, since Arrow's own constructors panic on some of them.

use std::ops::RangeInclusive;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, ArrowPrimitiveType, BinaryArray, BooleanArray, MapArray, PrimitiveArray, StringArray,
    StructArray,
};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Date32Type, Float64Type, Int32Type, Int64Type, TimestampMicrosecondType};

use super::{MAP_ENTRIES, data_type};
use crate::transform::wit::{ColumnResult, EntriesResult, Kind, StringsResult, ValuesResult};

/// 0001-01-01 to 9999-12-31, in days.
const DAYS: RangeInclusive<i32> = -719_162..=2_932_896;
/// The same years, in microseconds.
const MICROS: RangeInclusive<i64> = -62_135_596_800_000_000..=253_402_300_799_999_999;

/// An array of `rows` values, if the guest's column is one of this kind, else what is wrong with it.
pub fn checked_column(
    column: ColumnResult,
    kind: Kind,
    nullability: Nullability,
    rows: usize,
) -> Result<ArrayRef, String> {
    let nulls = checked_validity(column.validity, rows)?;
    if let (Nullability::NeverNull, Some(nulls)) = (nullability, &nulls) {
        return Err(format!("{} nulls where the plan allows none", nulls.null_count()));
    }
    Ok(match (kind, column.values) {
        (Kind::Boolean, ValuesResult::Boolean(bits)) => {
            Arc::new(BooleanArray::new(checked_bits(bits, rows)?, nulls))
        }
        (Kind::Int32, ValuesResult::Int32(values)) => numbers::<Int32Type>(values, nulls, rows)?,
        (Kind::Int64, ValuesResult::Int64(values)) => numbers::<Int64Type>(values, nulls, rows)?,
        (Kind::Float64, ValuesResult::Float64(values)) => numbers::<Float64Type>(values, nulls, rows)?,
        (Kind::Date32, ValuesResult::Date32(values)) => {
            check_years(&values, &DAYS, nulls.as_ref())?;
            numbers::<Date32Type>(values, nulls, rows)?
        }
        (Kind::TimestampUs, ValuesResult::TimestampUs(values)) => {
            check_years(&values, &MICROS, nulls.as_ref())?;
            check_len(values.len(), rows)?;
            let array =
                PrimitiveArray::<TimestampMicrosecondType>::try_new(values.into(), nulls).map_err(text)?;
            Arc::new(array.with_timezone("UTC"))
        }
        (Kind::Utf8, ValuesResult::Utf8(strings)) => Arc::new(checked_texts(strings, nulls, rows)?),
        (Kind::Binary, ValuesResult::Binary(StringsResult { offsets, data })) => {
            let offsets = checked_offsets(offsets, data.len(), rows)?;
            Arc::new(BinaryArray::try_new(offsets, Buffer::from_vec(data), nulls).map_err(text)?)
        }
        (Kind::StringMap, ValuesResult::StringMap(entries)) => Arc::new(checked_maps(entries, nulls, rows)?),
        (kind, _) => return Err(format!("values of another type than {}", data_type(kind))),
    })
}

/// Whether a column may have nulls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nullability {
    /// It may.
    MayBeNull,
    /// A null is an error.
    NeverNull,
}

fn text(error: arrow::error::ArrowError) -> String {
    error.to_string()
}

fn check_len(len: usize, rows: usize) -> Result<(), String> {
    if len == rows { Ok(()) } else { Err(format!("{len} values for {rows} rows")) }
}

fn numbers<T: ArrowPrimitiveType>(
    values: Vec<T::Native>,
    nulls: Option<NullBuffer>,
    rows: usize,
) -> Result<ArrayRef, String> {
    check_len(values.len(), rows)?;
    Ok(Arc::new(PrimitiveArray::<T>::try_new(ScalarBuffer::from(values), nulls).map_err(text)?))
}

/// A value of a row that is null is nobody's: it may be anything.
fn check_years<T: PartialOrd + Copy>(
    values: &[T],
    years: &RangeInclusive<T>,
    nulls: Option<&NullBuffer>,
) -> Result<(), String> {
    let within = |value: &T| (value >= years.start()) & (value <= years.end());
    if values.iter().fold(true, |all, value| all & within(value)) {
        return Ok(());
    }
    let present = |row: usize| nulls.is_none_or(|nulls| row < nulls.len() && nulls.is_valid(row));
    match values.iter().enumerate().find(|(row, value)| !within(value) && present(*row)) {
        Some(_) => Err("a time outside of the years 1 to 9999".into()),
        None => Ok(()),
    }
}

fn checked_bits(bits: Vec<u8>, len: usize) -> Result<BooleanBuffer, String> {
    if bits.len() != len.div_ceil(8) {
        return Err(format!("{} bytes of bits for {len} values", bits.len()));
    }
    Ok(BooleanBuffer::new(Buffer::from_vec(bits), 0, len))
}

fn checked_validity(validity: Option<Vec<u8>>, len: usize) -> Result<Option<NullBuffer>, String> {
    let Some(bits) = validity else { return Ok(None) };
    let nulls = NullBuffer::new(checked_bits(bits, len)?);
    Ok((nulls.null_count() > 0).then_some(nulls))
}

/// Offsets of `values` values that cover `len` bytes or entries.
fn checked_offsets(offsets: Vec<i32>, len: usize, values: usize) -> Result<OffsetBuffer<i32>, String> {
    if offsets.len() != values + 1 {
        return Err(format!("{} offsets for {values} values", offsets.len()));
    }
    if offsets.first() != Some(&0) {
        return Err("offsets that do not begin at 0".into());
    }
    // Without a way out of the loop, several are compared at once.
    let ascend = offsets.iter().zip(offsets.iter().skip(1)).fold(true, |ok, (one, next)| ok & (one <= next));
    if !ascend {
        return Err("offsets that descend".into());
    }
    let end = offsets.last().copied().and_then(|end| usize::try_from(end).ok());
    if end != Some(len) {
        return Err(format!("offsets that do not end at the data's length, {len}"));
    }
    Ok(OffsetBuffer::new(ScalarBuffer::from(offsets)))
}

fn checked_texts(
    strings: StringsResult,
    nulls: Option<NullBuffer>,
    values: usize,
) -> Result<StringArray, String> {
    let StringsResult { offsets, data } = strings;
    let offsets = checked_offsets(offsets, data.len(), values)?;
    if data.is_ascii() && nulls.as_ref().is_none_or(|nulls| nulls.len() == values) {
        return Ok(ascii_texts(offsets, data, nulls));
    }
    StringArray::try_new(offsets, Buffer::from_vec(data), nulls).map_err(text)
}

/// Texts of ASCII, offsets and nulls checked: any place in such data is between two characters.
#[expect(
    unsafe_code,
    reason = "the safe constructor looks at each byte and each offset again: a third of the boundary"
)]
fn ascii_texts(offsets: OffsetBuffer<i32>, data: Vec<u8>, nulls: Option<NullBuffer>) -> StringArray {
    // SAFETY: ASCII is UTF-8, and so is each part of it; `checked_offsets` saw the offsets ascend from 0 to the data's
    // end, and the caller saw that there is a bit for each value.
    unsafe { StringArray::new_unchecked(offsets, Buffer::from_vec(data), nulls) }
}

fn checked_maps(maps: EntriesResult, nulls: Option<NullBuffer>, rows: usize) -> Result<MapArray, String> {
    let EntriesResult { offsets, keys, entry_values, entry_validity } = maps;
    let entries = keys.offsets.len().saturating_sub(1);
    let offsets = checked_offsets(offsets, entries, rows)?;
    let keys = checked_texts(keys, None, entries)?;
    let values = checked_texts(entry_values, checked_validity(entry_validity, entries)?, entries)?;
    let DataType::Struct(fields) = MAP_ENTRIES.data_type() else {
        return Err("maps without entries".into());
    };
    let entries =
        StructArray::try_new(fields.clone(), vec![Arc::new(keys), Arc::new(values)], None).map_err(text)?;
    MapArray::try_new(MAP_ENTRIES.clone(), offsets, entries, nulls, false).map_err(text)
}
