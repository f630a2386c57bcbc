//! How rows are printed.

use std::io::Write;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, StringArray};
use arrow::datatypes::{DataType, Field, FieldRef, Schema};
use arrow::util::pretty::pretty_format_batches;
use clap::ValueEnum;

use crate::text::ShownLines;

/// How rows are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// A table for people.
    Table,
    /// One JSON object a row, a line each.
    Json,
    /// CSV with a header.
    Csv,
}

/// Whether the names of the columns come first, where the format has such a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Header {
    /// They do.
    Shown,
    /// They were shown before.
    LeftOut,
}

impl Format {
    /// Prints rows of one schema.
    pub(super) fn print(self, rows: &[RecordBatch], header: Header) -> anyhow::Result<()> {
        let mut out = std::io::stdout().lock();
        match self {
            Self::Table => writeln!(out, "{}", ShownLines(pretty_format_batches(rows)?))?,
            Self::Json => {
                let mut writer = arrow::json::LineDelimitedWriter::new(out);
                writer.write_batches(&rows.iter().collect::<Vec<_>>())?;
                writer.finish()?;
            }
            Self::Csv => {
                let builder = arrow::csv::WriterBuilder::new().with_header(header == Header::Shown);
                let mut writer = builder.build(out);
                rows.iter().try_for_each(|batch| anyhow::Ok(writer.write(&flat(batch)?)?))?;
            }
        }
        Ok(())
    }
}

/// Columns of maps and the like as JSON texts, since a CSV file has plain values only.
fn flat(batch: &RecordBatch) -> anyhow::Result<RecordBatch> {
    let schema = batch.schema();
    let column = |(field, column): (&FieldRef, &ArrayRef)| match field.data_type().is_nested() {
        true => Ok((Arc::new(Field::new(field.name(), DataType::Utf8, true)), json_texts(column)?)),
        false => anyhow::Ok((Arc::clone(field), Arc::clone(column))),
    };
    let columns = schema.fields().iter().zip(batch.columns()).map(column);
    let (fields, columns): (Vec<FieldRef>, _) =
        columns.collect::<anyhow::Result<Vec<_>>>()?.into_iter().unzip();
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)?)
}

/// Each value as JSON.
fn json_texts(column: &ArrayRef) -> anyhow::Result<ArrayRef> {
    let mut json = Vec::new();
    let mut writer = arrow::json::LineDelimitedWriter::new(&mut json);
    writer.write(&RecordBatch::try_from_iter_with_nullable([("value", Arc::clone(column), true)])?)?;
    writer.finish()?;
    let value = |line: &str| -> anyhow::Result<Option<String>> {
        let row: serde_json::Value = serde_json::from_str(line)?;
        Ok(row.get("value").map(ToString::to_string))
    };
    let texts = str::from_utf8(&json)?.lines().map(value).collect::<anyhow::Result<StringArray>>()?;
    Ok(Arc::new(texts))
}
