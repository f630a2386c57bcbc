//! The columns of Silver and of dead letters: the plugins' own, and where each row comes from.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray, UInt32Array,
    new_null_array,
};
use arrow::compute::{cast, take};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow::error::ArrowError;

use super::Judged;
use crate::clock::Timestamp;
use crate::sync::Seq;
use crate::table::schema::PARTITION;

/// Lineage columns that Silver takes over from Bronze.
const LINEAGE: [&str; 6] = ["host", "source", "path", "file", "offset", "ingested_at"];

fn timestamp() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

fn lineage_fields() -> Vec<Field> {
    vec![
        Field::new("host", DataType::Utf8, false),
        Field::new("source", DataType::Utf8, false),
        Field::new("path", DataType::Utf8, false),
        Field::new("file", DataType::Int64, false),
        Field::new("offset", DataType::Int64, false),
        Field::new("ingested_at", timestamp(), false),
        Field::new("processed_at", timestamp(), false),
    ]
}

/// The names that a plugin's columns may not have, because Silver adds them.
pub fn reserved() -> impl Iterator<Item = &'static str> {
    LINEAGE.into_iter().chain(["processed_at", "seq", PARTITION])
}

/// The columns of a Silver data file whose plugins write `written`: those, then lineage, then `seq`.
/// Plugins' columns are nullable, since a later version may leave one out.
pub fn silver_columns(written: &Schema) -> SchemaRef {
    let own = written.fields().iter().map(|field| field.as_ref().clone().with_nullable(true));
    let mut fields: Vec<Field> = own.collect();
    fields.extend(lineage_fields());
    fields.push(Field::new("seq", DataType::Int64, false));
    Arc::new(Schema::new(fields))
}

/// The columns of a dead-letter data file.
pub fn dead_letter_columns() -> SchemaRef {
    let mut fields =
        vec![Field::new("line", DataType::Utf8, false), Field::new("raw", DataType::Binary, true)];
    fields.extend(lineage_fields());
    fields.extend(["pipeline", "plugin", "reason"].map(|name| Field::new(name, DataType::Utf8, false)));
    Arc::new(Schema::new(fields))
}

/// `columns` with the partition column, as a table's metadata states them.
pub fn with_partition(columns: &Schema) -> SchemaRef {
    let mut fields: Vec<Arc<Field>> = columns.fields().iter().cloned().collect();
    fields.push(Arc::new(Field::new(PARTITION, DataType::Date32, true)));
    Arc::new(Schema::new(fields))
}

/// Where some rows come from.
pub(super) struct Origin<'a> {
    /// The lines.
    pub(super) input: &'a RecordBatch,
    /// For each row, the line that it was made of.
    pub(super) source_rows: &'a [u32],
}

/// `own`, what the plugins wrote, with lineage, in the order of `columns`; a column that they no longer write is null.
pub(super) fn silver_rows(
    columns: &SchemaRef,
    origin: &Origin<'_>,
    own: &RecordBatch,
    processed_at: Timestamp,
    seq: Seq,
) -> Result<RecordBatch, ArrowError> {
    let rows = origin.source_rows.len();
    let sources = UInt32Array::from(origin.source_rows.to_vec());
    let column = |field: &Arc<Field>| -> Result<ArrayRef, ArrowError> {
        match field.name().as_str() {
            name if LINEAGE.contains(&name) => lineage(origin.input, name, &sources, field.data_type()),
            "processed_at" => Ok(constant_time(processed_at, rows)),
            "seq" => Ok(Arc::new(Int64Array::from_value(seq.0 as i64, rows))),
            name => Ok(match own.column_by_name(name) {
                Some(column) => Arc::clone(column),
                None => new_null_array(field.data_type(), rows),
            }),
        }
    };
    let arrays = columns.fields().iter().map(column).collect::<Result<_, _>>()?;
    RecordBatch::try_new(Arc::clone(columns), arrays)
}

/// The dead letters of `judged`, as their table keeps them.
pub(super) fn dead_letter_rows(
    judged: &Judged<'_>,
    pipeline: &str,
    processed_at: Timestamp,
) -> Result<RecordBatch, ArrowError> {
    let columns = dead_letter_columns();
    let rows = judged.dead.len();
    let sources = UInt32Array::from_iter_values(judged.dead.iter().map(|(row, _, _)| *row));
    let column = |field: &Arc<Field>| -> Result<ArrayRef, ArrowError> {
        Ok(match field.name().as_str() {
            "processed_at" => constant_time(processed_at, rows),
            "pipeline" => Arc::new(StringArray::from_iter_values(std::iter::repeat_n(pipeline, rows))),
            "plugin" => Arc::new(StringArray::from_iter_values(judged.dead.iter().map(|(_, name, _)| *name))),
            "reason" => Arc::new(StringArray::from_iter_values(judged.dead.iter().map(|(_, _, why)| *why))),
            name => lineage(judged.input, name, &sources, field.data_type())?,
        })
    };
    let arrays = columns.fields().iter().map(column).collect::<Result<_, _>>()?;
    RecordBatch::try_new(columns, arrays)
}

fn lineage(
    input: &RecordBatch,
    name: &str,
    rows: &UInt32Array,
    kind: &DataType,
) -> Result<ArrayRef, ArrowError> {
    let column = input
        .column_by_name(name)
        .ok_or_else(|| ArrowError::SchemaError(format!("Bronze has no column `{name}`")))?;
    let taken = take(column, rows, None)?;
    if taken.data_type() == kind { Ok(taken) } else { cast(&taken, kind) }
}

fn constant_time(time: Timestamp, rows: usize) -> ArrayRef {
    Arc::new(TimestampMicrosecondArray::from_value(time.micros(), rows).with_timezone("UTC"))
}
