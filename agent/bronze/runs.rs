//! Columns whose values stay the same for stretches of rows, at a cost that grows with the stretches alone.
//!
//! The general writer looks up each row's value; five such columns cost as much as a third of what the lines do. Here a
//! column chunk is put together by hand: a dictionary page, and one data page of run lengths. The form is that of the
//! Parquet format's "Encodings": PLAIN, dictionary encoding, and the RLE / bit-packing hybrid, of which only RLE is used.

use std::collections::HashMap;
use std::hash::Hash;

use bytes::Bytes;
use parquet::basic::Encoding;
use parquet::column::page::{CompressedPage, Page, PageWriter};
use parquet::column::writer::ColumnCloseResult;
use parquet::data_type::ByteArray;
use parquet::errors::Result;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::page_index::offset_index::{OffsetIndexMetaData, PageLocation};
use parquet::file::statistics::Statistics;
use parquet::file::writer::{SerializedPageWriter, TrackedWrite};
use parquet::schema::types::ColumnDescPtr;

/// A column without nulls.
#[derive(Debug)]
pub struct RunColumn {
    /// The distinct values, PLAIN.
    dictionary: Vec<u8>,
    distinct: u32,
    /// Place in the dictionary, and number of rows.
    runs: Vec<(u32, u64)>,
    statistics: Statistics,
}

impl RunColumn {
    /// Texts, each with the number of the row behind its last.
    pub fn of_texts<'a>(runs: impl Iterator<Item = (&'a str, usize)> + Clone) -> Self {
        let bound = |text: Option<&str>| text.map(ByteArray::from);
        let texts = runs.clone().map(|(text, _)| text);
        let (low, high) = (bound(texts.clone().min()), bound(texts.max()));
        let statistics = Statistics::byte_array(low, high, None, Some(0), false);
        Self::new(runs, statistics, |text, plain| {
            plain.extend((text.len() as u32).to_le_bytes());
            plain.extend(text.as_bytes());
        })
    }

    /// Numbers of 64 bits, each with the number of the row behind its last.
    pub fn of_numbers(runs: impl Iterator<Item = (i64, usize)> + Clone) -> Self {
        let numbers = runs.clone().map(|(number, _)| number);
        let statistics = Statistics::int64(numbers.clone().min(), numbers.max(), None, Some(0), false);
        Self::new(runs, statistics, |number, plain| plain.extend(number.to_le_bytes()))
    }

    fn new<V: Copy + Eq + Hash>(
        ends: impl Iterator<Item = (V, usize)>,
        statistics: Statistics,
        append: impl Fn(V, &mut Vec<u8>),
    ) -> Self {
        let mut places: HashMap<V, u32> = HashMap::new();
        let (mut dictionary, mut runs, mut start) = (Vec::new(), Vec::new(), 0);
        for (value, end) in ends {
            let next = places.len() as u32;
            let place = *places.entry(value).or_insert_with(|| {
                append(value, &mut dictionary);
                next
            });
            runs.push((place, (end - start) as u64));
            start = end;
        }
        Self { dictionary, distinct: places.len() as u32, runs, statistics }
    }

    /// The bytes of the column chunk, and what the file's metadata says of them, with offsets from their beginning.
    ///
    /// # Errors
    /// The page writer failed.
    pub fn encode(self, descriptor: ColumnDescPtr) -> Result<(Bytes, ColumnCloseResult)> {
        let rows: u64 = self.runs.iter().map(|(_, rows)| rows).sum();
        let places = self.places();
        let dictionary = Page::DictionaryPage {
            buf: self.dictionary.into(),
            num_values: self.distinct,
            encoding: Encoding::PLAIN,
            is_sorted: false,
        };
        let data = Page::DataPage {
            buf: places.into(),
            num_values: rows as u32,
            encoding: Encoding::RLE_DICTIONARY,
            def_level_encoding: Encoding::RLE,
            rep_level_encoding: Encoding::RLE,
            statistics: None,
        };
        let mut sink = TrackedWrite::new(Vec::new());
        let mut pages = SerializedPageWriter::new(&mut sink);
        let dictionary = pages.write_page(uncompressed(dictionary))?;
        let data = pages.write_page(uncompressed(data))?;
        pages.close()?;
        let bytes = Bytes::from(sink.into_inner()?);

        let metadata = ColumnChunkMetaData::builder(descriptor)
            .set_encodings(vec![Encoding::PLAIN, Encoding::RLE, Encoding::RLE_DICTIONARY])
            .set_num_values(rows as i64)
            .set_total_compressed_size(bytes.len() as i64)
            .set_total_uncompressed_size(bytes.len() as i64)
            .set_dictionary_page_offset(Some(dictionary.offset as i64))
            .set_data_page_offset(data.offset as i64)
            .set_statistics(self.statistics)
            .build()?;
        let location = PageLocation {
            offset: data.offset as i64,
            compressed_page_size: data.bytes_written as i32,
            first_row_index: 0,
        };
        let close = ColumnCloseResult {
            bytes_written: bytes.len() as u64,
            rows_written: rows,
            metadata,
            bloom_filter: None,
            column_index: None,
            offset_index: Some(OffsetIndexMetaData {
                page_locations: vec![location],
                unencoded_byte_array_data_bytes: None,
            }),
        };
        Ok((bytes, close))
    }

    /// The body of the data page: the width of a place in bits, and then for each run twice its length, as a varint, and
    /// its place in as many whole bytes as the width needs.
    fn places(&self) -> Vec<u8> {
        let width_bits = u32::BITS - self.distinct.saturating_sub(1).leading_zeros();
        let width_bytes = width_bits.div_ceil(8) as usize;
        let mut body = vec![width_bits as u8];
        for (place, rows) in self.runs.iter().filter(|(_, rows)| *rows > 0) {
            let mut header = rows << 1;
            while header >= 0x80 {
                body.push(header as u8 | 0x80);
                header >>= 7;
            }
            body.push(header as u8);
            body.extend(place.to_le_bytes().iter().take(width_bytes));
        }
        body
    }
}

fn uncompressed(page: Page) -> CompressedPage {
    let bytes = page.buffer().len();
    CompressedPage::new(page, bytes)
}
