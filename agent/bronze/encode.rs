//! How Bronze is laid out in Parquet.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, StringArray};
use arrow::datatypes::{Field, TimestampMicrosecondType};
use bytes::Bytes;
use parquet::arrow::ArrowSchemaConverter;
use parquet::arrow::arrow_writer::{ArrowRowGroupWriterFactory, compute_leaves};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::{ParquetError, Result};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::ColumnPath;

use super::columns;
use super::runs::RunColumn;
use crate::table::{DataFile, Statistics};
use crate::tail::{Lines, Origin};

/// The layout that is fastest to write at a good ratio: lines with their lengths apart and zstd 1, deltas for what counts
/// up. These have no statistics: nothing is ever found by a line's minimum, and the log has those of the numbers. What stays the same for stretches of rows is
/// encoded apart, by stretch ([`RunColumn`]).
fn properties() -> WriterProperties {
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_dictionary_enabled(false)
        .set_statistics_enabled(EnabledStatistics::Chunk);
    for text in ["line", "raw"] {
        properties = properties
            .set_column_encoding(ColumnPath::from(text), Encoding::DELTA_LENGTH_BYTE_ARRAY)
            .set_column_statistics_enabled(ColumnPath::from(text), EnabledStatistics::None);
    }
    for number in ["offset", "cut_bytes"] {
        properties = properties
            .set_column_encoding(ColumnPath::from(number), Encoding::DELTA_BINARY_PACKED)
            .set_column_statistics_enabled(ColumnPath::from(number), EnabledStatistics::None);
    }
    properties.build()
}

/// Encodes lines of `host` as a data file with the columns of Bronze.
///
/// # Errors
/// The encoder failed.
pub fn encode(lines: &Lines, host: &str) -> Result<DataFile> {
    let mut statistics = Statistics::default();
    statistics.see(&lines.columns);
    let schema = columns();
    let root = ArrowSchemaConverter::new().convert(&schema)?.root_schema_ptr();
    let mut file = SerializedFileWriter::new(Vec::new(), root, Arc::new(properties()))?;
    let writers = ArrowRowGroupWriterFactory::new(&file, Arc::clone(&schema)).create_column_writers(0)?;
    let descriptors = file.schema_descr().columns().to_vec();
    let mut group = file.next_row_group()?;
    for ((field, mut writer), descriptor) in schema.fields().iter().zip(writers).zip(descriptors) {
        match lines.columns.schema_ref().column_with_name(field.name()) {
            Some((index, field)) => {
                for leaf in compute_leaves(field, lines.columns.column(index))? {
                    writer.write(&leaf)?;
                }
                writer.close()?.append_to_row_group(&mut group)?;
            }
            None => {
                let (column, values) = run_column(field, lines, host)?;
                statistics.see_values(field.name(), &values);
                let (bytes, close) = column.encode(descriptor)?;
                group.append_column(&bytes, close)?;
            }
        }
    }
    group.close()?;
    Ok(DataFile::new(Bytes::from(file.into_inner()?), statistics))
}

/// A column that [`Lines`] has in runs, and all its values.
fn run_column(field: &Field, lines: &Lines, host: &str) -> Result<(RunColumn, ArrayRef)> {
    let numbers = |value: fn(&Origin) -> i64| {
        let runs = lines.runs.iter().map(|run| (value(&run.origin), run.end));
        let values: Int64Array = lines.runs.iter().map(|run| value(&run.origin)).collect();
        (RunColumn::of_numbers(runs), values)
    };
    let texts = |value: &dyn Fn(&Origin) -> String| {
        let values: Vec<String> = lines.runs.iter().map(|run| value(&run.origin)).collect();
        let runs = values.iter().zip(&lines.runs).map(|(value, run)| (value.as_str(), run.end));
        (RunColumn::of_texts(runs), Arc::new(StringArray::from_iter_values(&values)) as ArrayRef)
    };
    Ok(match field.name().as_str() {
        "file" => {
            let (column, values) = numbers(|origin| origin.file.column());
            (column, Arc::new(values))
        }
        "ingested_at" => {
            let (column, values) = numbers(|origin| origin.ingested_at.micros());
            (column, Arc::new(values.reinterpret_cast::<TimestampMicrosecondType>()))
        }
        "path" => texts(&|origin| origin.path.to_string_lossy().into_owned()),
        "source" => texts(&|origin| origin.source.to_string()),
        "host" => texts(&|_| host.to_owned()),
        other => return Err(ParquetError::General(format!("lines have no column {other}"))),
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use arrow::array::{Array, AsArray, RecordBatch};
    use arrow::datatypes::{DataType, Int64Type};
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

    use super::*;
    use crate::clock::Timestamp;
    use crate::tail::{FileGlob, LineBatch, Positions, ReadOutcome, Source, Tail, TailLimits};

    fn write(file: &Path, lines: &[Vec<u8>]) {
        std::fs::write(file, lines.iter().flat_map(|line| [&line[..], b"\n"]).collect::<Vec<_>>().concat())
            .unwrap();
    }

    fn encoded(files: &[Vec<Vec<u8>>]) -> (DataFile, ParquetRecordBatchReaderBuilder<Bytes>) {
        let folder = tempfile::tempdir().unwrap();
        for (number, lines) in files.iter().enumerate() {
            write(&folder.path().join(format!("{number:04}.log")), lines);
        }
        let glob = FileGlob::parse(&format!("{}/*.log", folder.path().display())).unwrap();
        let source = Source::new("app", vec![glob]);
        let mut tail = Tail::open(vec![source], Positions::default(), TailLimits::default()).unwrap();
        let now = Timestamp::from_micros(1_785_456_000_000_000);
        tail.scan(now);
        let mut batch = LineBatch::new(64 << 20);
        while tail.read(&mut batch, now) == ReadOutcome::More {}
        let file = encode(&batch.finish().unwrap(), "h").unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(file.bytes.clone()).unwrap();
        (file, reader)
    }

    #[test]
    fn a_batch_comes_back_from_parquet_as_plain_columns_with_every_byte_of_every_line() {
        let lines: Vec<Vec<u8>> = (0..50_000)
            .map(|number| match number % 1000 {
                7 => b"\xff invalid and long enough not to be inlined".to_vec(),
                8 => Vec::new(),
                _ => format!("{number} {}", "é".repeat(number % 60)).into_bytes(),
            })
            .collect();
        let (_, reader) = encoded(std::slice::from_ref(&lines));

        let line = reader.metadata().row_group(0).column(0);
        let encodings: Vec<_> = line.encodings().collect();
        assert!(
            encodings.contains(&Encoding::DELTA_LENGTH_BYTE_ARRAY) && !encodings.contains(&Encoding::PLAIN)
        );
        assert!(line.statistics().is_none());
        assert_eq!(*reader.schema().field(0).data_type(), DataType::Utf8, "no Arrow schema is written");
        let read: Vec<RecordBatch> = reader.build().unwrap().map(Result::unwrap).collect();
        let back: Vec<Vec<u8>> = read
            .iter()
            .flat_map(|batch| {
                let (line, raw) =
                    (batch.column(0).as_string::<i32>().clone(), batch.column(1).as_binary::<i32>().clone());
                (0..batch.num_rows()).map(move |row| match raw.is_valid(row) {
                    true => raw.value(row).to_vec(),
                    false => line.value(row).as_bytes().to_vec(),
                })
            })
            .collect();
        assert!(back == lines);
    }

    /// One value needs no bits for its place, two need one, and 300 need two bytes; runs of one row and of thousands.
    #[test]
    fn every_run_comes_back_row_by_row() {
        for files in [1, 2, 5, 300] {
            let lines = |number: usize| vec![format!("{number}").into_bytes(); 1 + number % 7 * 500];
            let contents: Vec<_> = (0..files).map(lines).collect();
            let (file, reader) = encoded(&contents);
            let rows: usize = contents.iter().map(Vec::len).sum();
            assert_eq!(file.rows, rows as u64);
            let mut seen = 0;
            for batch in reader.build().unwrap().map(Result::unwrap) {
                let text = |name: &str| batch.column_by_name(name).unwrap().as_string::<i32>().clone();
                let (line, path, source, host) = (text("line"), text("path"), text("source"), text("host"));
                let key = batch.column_by_name("file").unwrap().as_primitive::<Int64Type>().clone();
                for row in 0..batch.num_rows() {
                    let number: i64 = line.value(row).parse().unwrap();
                    assert!(path.value(row).ends_with(&format!("/{number:04}.log")), "{}", path.value(row));
                    assert_eq!((source.value(row), host.value(row)), ("app", "h"));
                    assert_eq!(key.value(row) - key.value(0), number - line.value(0).parse::<i64>().unwrap());
                }
                seen += batch.num_rows();
            }
            assert_eq!(seen, rows, "{files} files");
        }
    }
}
