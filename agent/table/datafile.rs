//! Data files: rows as one Parquet file, with the statistics that its `add` action states.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::{max, min};
use arrow::datatypes::{
    DataType, Date32Type, Float64Type, Int32Type, Int64Type, SchemaRef, TimeUnit, TimestampMicrosecondType,
};
use bytes::Bytes;
use deltalake::kernel::Add;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::schema::PARTITION;
use super::{Snapshot, TableError, TableVersion};
use crate::clock::{Day, Timestamp};
use crate::store::{Place, Put};

/// What stands for null in the name of a partition's folder.
const NULL_PARTITION: &str = "__HIVE_DEFAULT_PARTITION__";

/// The SHA-256 of a data file, shown as hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The first 63 bits, as a number that a cursor can hold.
    pub fn as_cursor(self) -> i64 {
        let mut first = [0; 8];
        first.iter_mut().zip(self.0).for_each(|(to, from)| *to = from);
        (u64::from_be_bytes(first) >> 1) as i64
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl std::str::FromStr for Digest {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not 64 hexadecimal digits");
        let mut digest = [0; 32];
        if text.len() != 64 || !text.is_ascii() {
            return Err(wrong());
        }
        for (index, byte) in digest.iter_mut().enumerate() {
            let digits = text.get(2 * index..2 * index + 2).ok_or_else(wrong)?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| wrong())?;
        }
        Ok(Self(digest))
    }
}

impl serde::Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Rows being encoded as one Parquet file in memory; holds the encoded bytes, not the rows.
#[derive(Debug)]
pub struct DataFileWriter {
    writer: ArrowWriter<Vec<u8>>,
    file: String,
    statistics: Statistics,
}

impl DataFileWriter {
    /// A file of the table at `place` with the schema `columns` (without the partition columns).
    /// String views are written as plain strings.
    ///
    /// # Errors
    /// A column has no Parquet type.
    pub fn try_new(
        place: &Place,
        columns: &SchemaRef,
        properties: WriterProperties,
    ) -> Result<Self, TableError> {
        let file = place.url().to_string();
        let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
        match ArrowWriter::try_new_with_options(Vec::new(), Arc::clone(columns), options) {
            Ok(writer) => Ok(Self { writer, file, statistics: Statistics::default() }),
            Err(source) => Err(TableError::Parquet { file, operation: "encode", source }),
        }
    }

    /// Adds rows.
    ///
    /// # Errors
    /// The batch does not fit the schema.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<(), TableError> {
        self.writer.write(batch).map_err(|source| encode_failed(&self.file, source))?;
        self.statistics.see(batch);
        Ok(())
    }

    /// How many rows were added.
    pub fn rows(&self) -> u64 {
        self.statistics.rows
    }

    /// How many bytes the file would have if it were finished now, about.
    pub fn bytes(&self) -> usize {
        self.writer.bytes_written() + self.writer.in_progress_size()
    }

    /// Ends the file; `footer` becomes its key-value metadata.
    ///
    /// # Errors
    /// The encoder failed.
    pub fn finish(mut self, footer: &[(&str, String)]) -> Result<DataFile, TableError> {
        for (key, value) in footer {
            self.writer.append_key_value_metadata(KeyValue::new((*key).to_owned(), value.clone()));
        }
        let bytes = self.writer.into_inner().map_err(|source| encode_failed(&self.file, source))?;
        Ok(DataFile::new(bytes.into(), self.statistics))
    }
}

fn encode_failed(file: &str, source: parquet::errors::ParquetError) -> TableError {
    TableError::Parquet { file: file.to_owned(), operation: "encode", source }
}

/// Rows encoded as a Parquet file that has no name yet.
#[derive(Debug)]
pub struct DataFile {
    /// The file's bytes.
    pub bytes: Bytes,
    /// How many rows it holds.
    pub rows: u64,
    statistics: String,
}

impl DataFile {
    /// A file encoded elsewhere.
    pub fn new(bytes: Bytes, statistics: Statistics) -> Self {
        Self { bytes, rows: statistics.rows, statistics: statistics.into_json() }
    }

    /// The SHA-256 of its bytes.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.bytes)
    }

    /// Encodes `batches` at once; see [`DataFileWriter`].
    ///
    /// # Errors
    /// The batches do not fit the schema, or the encoder failed.
    pub fn encode(
        place: &Place,
        columns: &SchemaRef,
        batches: &[RecordBatch],
        properties: WriterProperties,
        footer: &[(&str, String)],
    ) -> Result<Self, TableError> {
        let mut writer = DataFileWriter::try_new(place, columns, properties)?;
        for batch in batches {
            writer.write(batch)?;
        }
        writer.finish(footer)
    }

    /// Gives the file a new name in the table's folder, durably, and returns the action that adds it.
    ///
    /// # Errors
    /// The store failed.
    pub async fn put(&self, place: &Place, day: Day, now: Timestamp) -> Result<Add, TableError> {
        self.put_in(place, &[(PARTITION, Some(day.to_string()))], now).await
    }

    /// Like [`DataFile::put`], for a table with other partition columns, or none. A partition value may be null.
    ///
    /// # Errors
    /// The store failed.
    pub async fn put_in(
        &self,
        place: &Place,
        partition: &[(&str, Option<String>)],
        now: Timestamp,
    ) -> Result<Add, TableError> {
        let folders: String = partition
            .iter()
            .map(|(column, value)| format!("{column}={}/", value.as_deref().unwrap_or(NULL_PARTITION)))
            .collect();
        loop {
            let path = format!("{folders}{}.parquet", uuid::Uuid::new_v4());
            if place.put_new(&path, self.bytes.clone()).await? == Put::AlreadyExists {
                continue;
            }
            return Ok(Add {
                path,
                partition_values: partition
                    .iter()
                    .map(|(column, value)| ((*column).to_owned(), value.clone()))
                    .collect(),
                size: self.bytes.len() as i64,
                modification_time: now.millis(),
                data_change: true,
                stats: Some(self.statistics.clone()),
                tags: None,
                deletion_vector: None,
                base_row_id: None,
                default_row_commit_version: None,
                clustering_provider: None,
            });
        }
    }
}

/// How many rows the statistics of a file state.
pub fn row_count(add: &Add) -> Option<u64> {
    serde_json::from_str::<Value>(add.stats.as_deref()?).ok()?.get("numRecords")?.as_u64()
}

/// Reads all rows of a data file that `version` of the table named, in batches of up to 8,192 rows.
///
/// # Errors
/// The file is missing or is not the Parquet file that was written.
pub async fn read(place: &Place, version: TableVersion, path: &str) -> Result<Vec<RecordBatch>, TableError> {
    let bytes = place.get(path).await?.ok_or_else(|| TableError::Entry {
        table: place.url().to_string(),
        version,
        reason: format!("data file {path} is missing"),
    })?;
    decode(bytes).map_err(|source| TableError::Parquet {
        file: format!("{}{path}", place.url()),
        operation: "decode",
        source,
    })
}

/// Like [`read`], of a local table.
///
/// # Errors
/// [`TableError::DamagedFile`], also where the file is missing.
pub async fn read_local(place: &Place, path: &str) -> Result<Vec<RecordBatch>, TableError> {
    let damaged = |reason: &dyn fmt::Display| TableError::damaged_file(place, path, reason);
    let bytes = place.get(path).await.map_err(|error| damaged(&error))?;
    decode(bytes.ok_or_else(|| damaged(&"it is missing"))?).map_err(|error| damaged(&error))
}

/// Whether a data file that a consumer has yet to read was given up: it is lost, and the table no longer has it.
/// Nothing else takes a file away before its consumers have read it.
///
/// # Errors
/// The store failed.
pub async fn is_given_up(place: &Place, path: &str) -> Result<bool, TableError> {
    if place.get(path).await?.is_some() {
        return Ok(false);
    }
    let Some(snapshot) = Snapshot::load(place).await? else { return Ok(false) };
    Ok(!snapshot.files()?.iter().any(|add| add.path == path))
}

/// Rows of a batch that is read.
pub const BATCH_ROWS_MAX: usize = 8_192;

/// Decodes the bytes of a Parquet file, in batches of up to [`BATCH_ROWS_MAX`] rows.
///
/// # Errors
/// The bytes are no Parquet file, or a damaged one.
pub fn decode(bytes: Bytes) -> Result<Vec<RecordBatch>, parquet::errors::ParquetError> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes)?.with_batch_size(BATCH_ROWS_MAX).build()?;
    reader.collect::<Result<_, _>>().map_err(Into::into)
}

/// Row count, null counts and bounds, as the protocol's "per-file statistics" want them.
///
/// Bounds are kept for numbers, dates and timestamps: those that files are skipped by.
#[derive(Debug, Default)]
pub struct Statistics {
    rows: u64,
    nulls: HashMap<String, u64>,
    bounds: HashMap<String, (Value, Value)>,
}

impl Statistics {
    /// Takes in rows.
    pub fn see(&mut self, batch: &RecordBatch) {
        self.rows += batch.num_rows() as u64;
        for (field, column) in batch.schema_ref().fields().iter().zip(batch.columns()) {
            self.see_values(field.name(), column);
        }
    }

    /// Takes in all values that rows seen elsewhere have in a column, each at least once, and nulls as often as they
    /// stand there.
    pub fn see_values(&mut self, name: &str, values: &ArrayRef) {
        if values.data_type().is_nested() {
            return;
        }
        *self.nulls.entry(name.to_owned()).or_default() += values.null_count() as u64;
        if let Some((low, high)) = bounds(values) {
            self.bounds
                .entry(name.to_owned())
                .and_modify(|seen| widen(seen, &low, &high))
                .or_insert((low, high));
        }
    }

    fn into_json(self) -> String {
        let (mut low, mut high) = (Map::new(), Map::new());
        for (column, (min, max)) in self.bounds {
            low.insert(column.clone(), min);
            high.insert(column, max);
        }
        json!({"numRecords": self.rows, "minValues": low, "maxValues": high, "nullCount": self.nulls})
            .to_string()
    }
}

fn bounds(column: &ArrayRef) -> Option<(Value, Value)> {
    match column.data_type() {
        DataType::Int32 => {
            let column = column.as_primitive::<Int32Type>();
            Some((json!(min(column)?), json!(max(column)?)))
        }
        DataType::Int64 => {
            let column = column.as_primitive::<Int64Type>();
            Some((json!(min(column)?), json!(max(column)?)))
        }
        DataType::Float64 => {
            let column = column.as_primitive::<Float64Type>();
            let (low, high) = (min(column)?, max(column)?);
            (low.is_finite() && high.is_finite()).then(|| (json!(low), json!(high)))
        }
        DataType::Date32 => {
            let column = column.as_primitive::<Date32Type>();
            Some((json!(Day(min(column)?).to_string()), json!(Day(max(column)?).to_string())))
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            let column = column.as_primitive::<TimestampMicrosecondType>();
            let text = |micros, up| timestamp_bound(micros, up).map(Value::from);
            Some((text(min(column)?, Rounding::Down)?, text(max(column)?, Rounding::Up)?))
        }
        _ => None,
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Rounding {
    Down,
    Up,
}

/// Statistics keep milliseconds: the bound is rounded outwards. `None` outside the years 0 to 9999.
fn timestamp_bound(micros: i64, rounding: Rounding) -> Option<String> {
    let millis = match rounding {
        Rounding::Down => micros.div_euclid(1_000),
        Rounding::Up => micros.div_euclid(1_000) + i64::from(micros.rem_euclid(1_000) != 0),
    };
    (-62_167_219_200_000..253_402_300_800_000)
        .contains(&millis)
        .then(|| Timestamp::from_micros(millis * 1_000).to_string())
}

fn widen(seen: &mut (Value, Value), low: &Value, high: &Value) {
    if less(low, &seen.0) {
        seen.0 = low.clone();
    }
    if less(&seen.1, high) {
        seen.1 = high.clone();
    }
}

fn less(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::String(a), Value::String(b)) => a < b,
        (Value::Number(a), Value::Number(b)) => match (a.as_i64(), b.as_i64()) {
            (Some(a), Some(b)) => a < b,
            _ => a.as_f64() < b.as_f64(),
        },
        _ => false,
    }
}
