//! How Bronze is laid out in Parquet.

use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

/// The layout that is fastest to write at a good ratio: lines with their lengths apart and zstd 1, dictionaries for what
/// repeats, deltas for what counts up. Lines have no statistics: nothing is ever found by their minimum.
pub fn bronze_writer_properties() -> WriterProperties {
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_dictionary_enabled(false)
        .set_statistics_enabled(EnabledStatistics::Chunk);
    for text in ["line", "raw"] {
        properties = properties
            .set_column_encoding(ColumnPath::from(text), Encoding::DELTA_LENGTH_BYTE_ARRAY)
            .set_column_statistics_enabled(ColumnPath::from(text), EnabledStatistics::None);
    }
    for repeated in ["path", "source", "host", "file"] {
        properties = properties.set_column_dictionary_enabled(ColumnPath::from(repeated), true);
    }
    for counted in ["offset", "ingested_at", "cut_bytes"] {
        properties = properties.set_column_encoding(ColumnPath::from(counted), Encoding::DELTA_BINARY_PACKED);
    }
    properties.build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::tail::{FileGlob, LineBatch, Positions, Source, Tail, TailLimits};
    use arrow::array::{Array, AsArray, RecordBatch};
    use arrow::datatypes::DataType;
    use parquet::arrow::ArrowWriter;
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    use parquet::arrow::arrow_writer::ArrowWriterOptions;

    #[test]
    fn a_batch_comes_back_from_parquet_as_plain_columns_with_every_byte_of_every_line() {
        let folder = tempfile::tempdir().unwrap();
        let lines: Vec<Vec<u8>> = (0..50_000)
            .map(|number| match number % 1000 {
                7 => b"\xff invalid and long enough not to be inlined".to_vec(),
                8 => Vec::new(),
                _ => format!("{number} {}", "é".repeat(number % 60)).into_bytes(),
            })
            .collect();
        std::fs::write(
            folder.path().join("a.log"),
            lines.iter().flat_map(|line| [&line[..], b"\n"]).collect::<Vec<_>>().concat(),
        )
        .unwrap();
        let glob = FileGlob::parse(&format!("{}/*.log", folder.path().display())).unwrap();
        let source = Source::new("app", vec![glob]);
        let mut tail = Tail::open(vec![source], Positions::default(), TailLimits::default()).unwrap();
        let now = Timestamp::from_micros(1_785_456_000_000_000);
        tail.scan(now);
        let mut batch = LineBatch::new(64 << 20);
        let _ = tail.read(&mut batch, now);
        let batch = batch.finish("host").unwrap();
        let options = ArrowWriterOptions::new()
            .with_properties(bronze_writer_properties())
            .with_skip_arrow_metadata(true);
        let mut writer = ArrowWriter::try_new_with_options(Vec::new(), batch.schema(), options).unwrap();
        writer.write(&batch).unwrap();
        let reader =
            ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(writer.into_inner().unwrap()))
                .unwrap();

        let line = reader.metadata().row_group(0).column(0);
        let encodings: Vec<_> = line.encodings().collect();
        assert!(
            encodings.contains(&Encoding::DELTA_LENGTH_BYTE_ARRAY) && !encodings.contains(&Encoding::PLAIN)
        );
        assert!(line.statistics().is_none());
        let types: Vec<_> = reader.schema().fields().iter().map(|field| field.data_type().clone()).collect();
        assert_eq!(types[0], DataType::Utf8, "no Arrow schema is written");
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
}
