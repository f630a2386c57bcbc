//! Parquet files that no writer writes: columns of hand-made pages, and hand-made metadata.

use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::{Compression, ConvertedType, Encoding, Repetition, Type};
use parquet::column::writer::ColumnCloseResult;
use parquet::file::metadata::{ColumnChunkMetaData, KeyValue, ParquetMetaDataReader};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{SchemaDescriptor, Type as SchemaType};

use crate::sync::landing::{FOOTER_KEY, Footer};

/// A hand-made page.
#[derive(Clone, Debug)]
pub enum RawPage {
    /// A dictionary.
    Dictionary {
        /// How many values it claims.
        values: i32,
        /// Its bytes.
        bytes: Vec<u8>,
    },
    /// Rows.
    Data {
        /// How many values it claims.
        values: i32,
        /// How its values are written, by Parquet's number.
        encoding: i32,
        /// How many bytes it claims to unpack to; `None` is as many as it has.
        unpacked: Option<i32>,
        /// Its bytes.
        bytes: Vec<u8>,
    },
}

/// A column of hand-made pages.
#[derive(Clone, Debug)]
pub struct RawColumn {
    /// What it is stored as.
    pub physical: Type,
    /// What its bytes mean.
    pub converted: ConvertedType,
    /// Whether a row has one value or several.
    pub repetition: Repetition,
    /// How its pages claim to be packed.
    pub codec: Compression,
    /// Its pages.
    pub pages: Vec<RawPage>,
}

impl RawColumn {
    /// A column of required byte arrays.
    pub fn bytes(pages: Vec<RawPage>) -> Self {
        Self {
            physical: Type::BYTE_ARRAY,
            converted: ConvertedType::UTF8,
            repetition: Repetition::REQUIRED,
            codec: Compression::UNCOMPRESSED,
            pages,
        }
    }
}

/// A value as the plain encoding writes it.
pub fn plain(value: &[u8]) -> Vec<u8> {
    [&(value.len() as u32).to_le_bytes(), value].concat()
}

/// One value, `count` times, as a run of indices or levels of one bit.
pub fn run(value: u8, count: u32) -> Vec<u8> {
    [varint(u64::from(count) << 1), vec![value]].concat()
}

/// A number in seven bits a byte, lowest first.
pub fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value > 0x7f {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

fn int(header: u8, value: i32) -> Vec<u8> {
    [vec![header], varint(((value << 1) ^ (value >> 31)) as u32 as u64)].concat()
}

impl RawPage {
    fn encode(&self) -> Vec<u8> {
        let (kind, bytes, unpacked, inner) = match self {
            Self::Dictionary { values, bytes } => (
                2,
                bytes,
                bytes.len() as i32,
                [vec![0x4c], int(0x15, *values), int(0x15, 0), vec![0]].concat(),
            ),
            Self::Data { values, encoding, unpacked, bytes } => {
                let levels = [int(0x15, 3), int(0x15, 3)].concat();
                let inner = [vec![0x2c], int(0x15, *values), int(0x15, *encoding), levels, vec![0]].concat();
                (0, bytes, unpacked.unwrap_or(bytes.len() as i32), inner)
            }
        };
        let sizes = [int(0x15, kind), int(0x15, unpacked), int(0x15, bytes.len() as i32)].concat();
        [sizes, inner, vec![0], bytes.clone()].concat()
    }

    fn values(&self) -> i32 {
        match self {
            Self::Dictionary { .. } => 0,
            Self::Data { values, .. } => *values,
        }
    }
}

/// A file of the columns of `written`, another file of one row group, and, after them, the column `crafted`.
pub fn file(written: &Bytes, footer: &Footer, column: &RawColumn) -> Bytes {
    let metadata = ParquetMetaDataReader::new().parse_and_finish(written).unwrap();
    let crafted = SchemaType::primitive_type_builder("crafted", column.physical)
        .with_converted_type(column.converted)
        .with_repetition(column.repetition)
        .with_length(if column.physical == Type::FIXED_LEN_BYTE_ARRAY { 1 << 20 } else { -1 })
        .build()
        .unwrap();
    let mut fields = metadata.file_metadata().schema().get_fields().to_vec();
    fields.push(Arc::new(crafted));
    let root = Arc::new(SchemaType::group_type_builder("root").with_fields(fields).build().unwrap());
    let schema = SchemaDescriptor::new(Arc::clone(&root));
    let mut file = SerializedFileWriter::new(Vec::new(), root, Arc::default()).unwrap();
    let mut group = file.next_row_group().unwrap();
    let rows = metadata.row_group(0).num_rows() as u64;
    for column in metadata.row_group(0).columns() {
        group.append_column(written, close(column.clone(), rows)).unwrap();
    }
    let (bytes, chunk) = chunk(column, &schema);
    group.append_column(&bytes, close(chunk, rows)).unwrap();
    group.close().unwrap();
    let json = serde_json::to_string(footer).unwrap();
    file.append_key_value_metadata(KeyValue::new(FOOTER_KEY.to_owned(), json));
    Bytes::from(file.into_inner().unwrap())
}

fn chunk(column: &RawColumn, schema: &SchemaDescriptor) -> (Bytes, ColumnChunkMetaData) {
    let pages: Vec<Vec<u8>> = column.pages.iter().map(RawPage::encode).collect();
    let dictionary = matches!(column.pages.first(), Some(RawPage::Dictionary { .. }));
    let first = if dictionary { pages[0].len() as i64 } else { 0 };
    let bytes = Bytes::from(pages.concat());
    let values: i64 = column.pages.iter().map(|page| i64::from(page.values())).sum();
    let metadata = ColumnChunkMetaData::builder(schema.column(schema.num_columns() - 1))
        .set_compression(column.codec)
        .set_encodings(vec![Encoding::PLAIN])
        .set_num_values(values)
        .set_total_compressed_size(bytes.len() as i64)
        .set_total_uncompressed_size(bytes.len() as i64)
        .set_data_page_offset(first)
        .set_dictionary_page_offset(dictionary.then_some(0))
        .build()
        .unwrap();
    (bytes, metadata)
}

fn close(metadata: ColumnChunkMetaData, rows_written: u64) -> ColumnCloseResult {
    ColumnCloseResult {
        bytes_written: metadata.compressed_size() as u64,
        rows_written,
        metadata,
        bloom_filter: None,
        column_index: None,
        offset_index: None,
    }
}

/// A file that is metadata alone: these bytes, their length, and the magic number.
pub fn metadata(encoded: &[u8]) -> Bytes {
    Bytes::from([b"PAR1", encoded, &(encoded.len() as u32).to_le_bytes(), b"PAR1"].concat())
}

/// Encoded metadata with a schema of `columns` elements, each said to hold `children`, and `groups` row groups
/// claimed and none there.
pub fn claims(columns: usize, children: i32, groups: u64) -> Vec<u8> {
    let element = [int(0x35, 0), vec![0x18, 1, b'c'], int(0x15, children), vec![0]].concat();
    let mut encoded = int(0x15, 1);
    encoded.extend([vec![0x19, 0xfc], varint(columns as u64)].concat());
    encoded.extend(element.repeat(columns));
    encoded.extend([vec![0x16, 0], vec![0x19, 0xfc], varint(groups), vec![0]].concat());
    encoded
}
