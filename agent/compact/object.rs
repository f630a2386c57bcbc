//! Reading a landing object, with a bound on the memory that this takes.
//!
//! An object is untrusted input: whoever holds a host's key may have written it. Invariants:
//! - What it claims is judged before anything is unpacked; see [`layout`].
//! - Strings are read as views into their pages, so that a dictionary's value that stands in every row costs
//!   sixteen bytes a row; they are spread out only where the sum stays within the limit.
//! - A reader that panics on it has refused it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow::array::{Array, ArrayData, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Fields, SchemaRef};
use bytes::Bytes;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, RowGroups as _};
use parquet::arrow::{ProjectionMask, parquet_to_arrow_field_levels, parquet_to_arrow_schema};
use parquet::basic::{ConvertedType, Type};
use parquet::file::metadata::ParquetMetaData;
use parquet::schema::types::SchemaDescriptor;

use super::pages::ObjectPages;
use super::validate::{Refusal, agree};
use super::{columns, layout};
use crate::sync::landing::{FOOTER_KEY, Footer, ObjectName};
use crate::table::Digest;

/// A number whose objects have more bytes than this together is not read.
pub(super) const OBJECT_BYTES_MAX: u64 = 256 << 20;

/// A number whose objects unpack to more bytes of rows than this together is not read.
pub(super) const UNPACKED_BYTES_MAX: u64 = 1 << 30;

/// The most bytes that an object's own footer may have.
const FOOTER_BYTES_MAX: usize = 256 << 10;

/// How many rows are read at a time.
const BATCH_ROWS: usize = 8_192;

/// A readable object.
#[derive(Debug)]
pub(super) struct Opened {
    /// What it says of itself.
    pub footer: Footer,
    /// Its columns.
    pub schema: SchemaRef,
    /// Its rows.
    pub batches: Vec<RecordBatch>,
    /// The memory that the rows take.
    pub bytes: usize,
}

/// Reads an object and checks it against its name. Its rows take `unpacked_bytes_max` bytes of memory at most.
///
/// # Errors
/// Why it must not be folded.
pub(super) fn open(name: &ObjectName, bytes: Bytes, unpacked_bytes_max: u64) -> Result<Opened, Refusal> {
    let digest = Digest::of(&bytes);
    if digest.to_string() != name.digest {
        return Err(Refusal::Digest(digest));
    }
    let read = AssertUnwindSafe(|| read(name, bytes, unpacked_bytes_max));
    catch_unwind(read)
        .unwrap_or_else(|_| Err(Refusal::Parquet("the Parquet reader panicked on it".to_owned())))
}

fn read(name: &ObjectName, bytes: Bytes, unpacked_bytes_max: u64) -> Result<Opened, Refusal> {
    let metadata = layout::read(&bytes, unpacked_bytes_max)?;
    let footer = footer(&metadata)?;
    agree(&footer, name)?;
    let descriptor = metadata.file_metadata().schema_descr();
    leaves(descriptor)?;
    let unreadable = |e: &dyn std::fmt::Display| Refusal::Parquet(e.to_string());
    // By the Parquet types alone: an Arrow schema in the file's metadata is one more claim.
    let written = parquet_to_arrow_schema(descriptor, None).map_err(|e| unreadable(&e))?;
    let schema = columns::accept(&written)?;
    let views = as_views(written.fields());
    let levels = parquet_to_arrow_field_levels(descriptor, ProjectionMask::all(), Some(&views))
        .map_err(|e| unreadable(&e))?;
    let pages = ObjectPages::new(bytes, metadata);
    let reader = ParquetRecordBatchReader::try_new_with_row_groups(&levels, &pages, BATCH_ROWS, None);
    let (mut batches, mut taken) = (Vec::new(), 0_usize);
    let limit = usize::try_from(unpacked_bytes_max).unwrap_or(usize::MAX);
    for batch in reader.map_err(|e| unreadable(&e))? {
        let batch = batch.map_err(|e| unreadable(&e))?;
        if taken.saturating_add(spread_bytes(&batch)) > limit {
            return Err(Refusal::Unpacked(unpacked_bytes_max));
        }
        let batch = spread(&batch, &schema).map_err(|e| unreadable(&e))?;
        taken = taken.saturating_add(batch.get_array_memory_size());
        if taken > limit {
            return Err(Refusal::Unpacked(unpacked_bytes_max));
        }
        batches.push(batch);
    }
    let (read, told) = (batches.iter().map(RecordBatch::num_rows).sum::<usize>(), pages.num_rows());
    if read != told {
        return Err(Refusal::Parquet(format!("it holds {read} rows, and says {told}")));
    }
    Ok(Opened { footer, schema, batches, bytes: taken })
}

fn footer(metadata: &ParquetMetaData) -> Result<Footer, Refusal> {
    let pairs = metadata.file_metadata().key_value_metadata();
    let json = pairs
        .and_then(|pairs| pairs.iter().find(|pair| pair.key == FOOTER_KEY)?.value.as_deref())
        .ok_or_else(|| Refusal::Footer(format!("there is no key `{FOOTER_KEY}`")))?;
    if json.len() > FOOTER_BYTES_MAX {
        return Err(Refusal::Footer(format!("it has {} bytes; {FOOTER_BYTES_MAX} are the most", json.len())));
    }
    serde_json::from_str(json).map_err(|e| Refusal::Footer(e.to_string()))
}

/// Refuses the ways to store a value that the reader takes on trust, or unpacks without bound.
fn leaves(descriptor: &SchemaDescriptor) -> Result<(), Refusal> {
    for column in descriptor.columns() {
        // Of text, only what is marked as UTF-8 is checked to be so.
        let kept = match column.physical_type() {
            Type::BYTE_ARRAY => matches!(column.converted_type(), ConvertedType::UTF8 | ConvertedType::NONE),
            Type::FIXED_LEN_BYTE_ARRAY | Type::INT96 => false,
            _ => true,
        };
        if !kept {
            let (name, physical, logical) = (column.path(), column.physical_type(), column.converted_type());
            return Err(Refusal::Column(format!(
                "column `{name}` is stored as {physical} ({logical}), which is not kept"
            )));
        }
    }
    Ok(())
}

fn as_views(fields: &Fields) -> Fields {
    fields.iter().map(as_view).collect()
}

fn as_view(field: &FieldRef) -> FieldRef {
    let data_type = match field.data_type() {
        DataType::Utf8 => DataType::Utf8View,
        DataType::Binary => DataType::BinaryView,
        DataType::List(item) => DataType::List(as_view(item)),
        DataType::Struct(fields) => DataType::Struct(as_views(fields)),
        DataType::Map(entries, sorted) => DataType::Map(as_view(entries), *sorted),
        other => other.clone(),
    };
    Arc::new(Field::new(field.name(), data_type, field.is_nullable()))
}

/// The bytes that the strings of a batch would take, spread out.
fn spread_bytes(batch: &RecordBatch) -> usize {
    batch.columns().iter().map(|column| of_views(&column.to_data())).fold(0, usize::saturating_add)
}

fn of_views(data: &ArrayData) -> usize {
    let own = match (data.data_type(), data.buffers().first()) {
        (DataType::Utf8View | DataType::BinaryView, Some(views)) => {
            // The low half of a view's first word is the value's length.
            views.typed_data::<u128>().iter().map(|view| *view as u32 as usize).fold(0, usize::saturating_add)
        }
        _ => 0,
    };
    data.child_data().iter().map(of_views).fold(own, usize::saturating_add)
}

fn spread(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, arrow::error::ArrowError> {
    let columns = batch.columns().iter().zip(schema.fields());
    let columns = columns.map(|(column, field)| cast(column, field.data_type())).collect::<Result<_, _>>()?;
    RecordBatch::try_new(Arc::clone(schema), columns)
}
