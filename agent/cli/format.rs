//! How rows are printed.

use std::io::Write;

use arrow::array::RecordBatch;
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
                rows.iter().try_for_each(|batch| writer.write(batch))?;
            }
        }
        Ok(())
    }
}
