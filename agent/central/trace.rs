//! Where rows of fleet Silver come from: the line on its host, the object that brought it, the plugins that made it.

use std::fmt;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Int64Type, TimestampMicrosecondType};

use crate::clock::Timestamp;
use crate::compact::{self, Origin};
use crate::config::Central;
use crate::query::{self, QueryError};
use crate::sync::landing::Seq;
use crate::text::Shown;

/// So many rows are traced at most.
pub const ROWS_MAX: usize = 20;

/// A row of fleet Silver, and where it comes from.
#[derive(Debug)]
pub struct Trace {
    table: String,
    host: String,
    path: String,
    source: String,
    file: i64,
    offset: i64,
    ingested_at: Timestamp,
    processed_at: Timestamp,
    origin: Option<Origin>,
}

/// Traces the first [`ROWS_MAX`] rows of the fleet table `table` for which `condition`, in SQL, holds.
///
/// # Errors
/// The query is wrong, or a table cannot be read.
pub async fn trace(config: &Central, table: &str, condition: &str) -> Result<Vec<Trace>, QueryError> {
    let columns = "host, path, source, file, \"offset\", ingested_at, processed_at, seq";
    let sql = format!("SELECT {columns} FROM silver.\"{table}\" WHERE {condition} LIMIT {ROWS_MAX}");
    let place = config.place.join(compact::SILVER).join(table);
    let mut traces = Vec::new();
    for batch in query::answer(&config.place, &sql).await? {
        for row in 0..batch.num_rows() {
            let (processed_at, host) = (time(&batch, "processed_at", row), text(&batch, "host", row));
            let seq = Seq(number(&batch, "seq", row).unsigned_abs());
            traces.push(Trace {
                table: table.to_owned(),
                path: text(&batch, "path", row),
                source: text(&batch, "source", row),
                file: number(&batch, "file", row),
                offset: number(&batch, "offset", row),
                ingested_at: time(&batch, "ingested_at", row),
                processed_at,
                origin: compact::origin(&place, table, &host, seq, processed_at).await?,
                host,
            });
        }
    }
    Ok(traces)
}

fn text(batch: &RecordBatch, name: &str, row: usize) -> String {
    let column = batch.column_by_name(name).and_then(|it| arrow::compute::cast(it, &DataType::Utf8).ok());
    let column = column.as_ref().and_then(|column| column.as_string_opt::<i32>());
    column
        .filter(|column| column.is_valid(row))
        .map(|column| column.value(row).to_owned())
        .unwrap_or_default()
}

fn number(batch: &RecordBatch, name: &str, row: usize) -> i64 {
    let column = batch.column_by_name(name).and_then(|column| column.as_primitive_opt::<Int64Type>());
    column.map_or(0, |column| column.value(row))
}

fn time(batch: &RecordBatch, name: &str, row: usize) -> Timestamp {
    let column = batch.column_by_name(name);
    let column = column.and_then(|column| column.as_primitive_opt::<TimestampMicrosecondType>());
    Timestamp::from_micros(column.map_or(0, |column| column.value(row)))
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { table, host, path, source, file, offset, ingested_at, processed_at, origin } = self;
        let (path, host, source) = (Shown(path), Shown(host), Shown(source));
        writeln!(
            f,
            "line      {path} on {host}, byte {offset} (file {file}), source {source}, read {ingested_at}"
        )?;
        writeln!(f, "judged    {processed_at}")?;
        let Some(Origin { object, version, time, plugins }) = origin else {
            return write!(f, "fleet     the log of silver/{table} tells no more of it");
        };
        writeln!(f, "landing   {}", Shown(object))?;
        write!(f, "fleet     silver/{table} version {version}")?;
        time.map_or(Ok(()), |time| write!(f, ", {time}"))?;
        if plugins.is_empty() {
            write!(
                f,
                "\nplugins   not told by this commit; ask the host: logsmith trace {table} --file {file} --offset {offset}"
            )?;
        }
        plugins.iter().try_for_each(|plugin| write!(f, "\n{plugin}"))
    }
}
