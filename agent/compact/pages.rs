//! The pages of a landing object, each looked at after it is unpacked and before its values are read.
//!
//! Some encodings state how many values they hold, and the reader makes room for as many. A page holds no more
//! than its header says, which [`layout`](super::layout) has judged.

use std::sync::Arc;

use bytes::Bytes;
use parquet::arrow::arrow_reader::RowGroups;
use parquet::basic::Encoding;
use parquet::column::page::{Page, PageIterator, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::file::serialized_reader::SerializedPageReader;

use super::thrift::leading_numbers;

/// An object in memory, as the Arrow reader takes it.
#[derive(Debug)]
pub(super) struct ObjectPages {
    bytes: Arc<Bytes>,
    metadata: Arc<ParquetMetaData>,
}

impl ObjectPages {
    /// The pages that `metadata` tells of in `bytes`.
    pub fn new(bytes: Bytes, metadata: ParquetMetaData) -> Self {
        Self { bytes: Arc::new(bytes), metadata: Arc::new(metadata) }
    }
}

impl RowGroups for ObjectPages {
    fn num_rows(&self) -> usize {
        let rows =
            self.metadata.row_groups().iter().map(|group| usize::try_from(group.num_rows()).unwrap_or(0));
        rows.sum()
    }

    fn column_chunks(&self, column: usize) -> Result<Box<dyn PageIterator>> {
        let (bytes, metadata) = (Arc::clone(&self.bytes), Arc::clone(&self.metadata));
        Ok(Box::new(Chunks { bytes, metadata, column, group: 0 }))
    }

    fn row_groups(&self) -> Box<dyn Iterator<Item = &RowGroupMetaData> + '_> {
        Box::new(self.metadata.row_groups().iter())
    }

    fn metadata(&self) -> &ParquetMetaData {
        &self.metadata
    }
}

/// One column, row group by row group.
struct Chunks {
    bytes: Arc<Bytes>,
    metadata: Arc<ParquetMetaData>,
    column: usize,
    group: usize,
}

impl Iterator for Chunks {
    type Item = Result<Box<dyn PageReader>>;

    fn next(&mut self) -> Option<Self::Item> {
        let group = self.metadata.row_groups().get(self.group)?;
        let chunk = group.columns().get(self.column)?;
        self.group += 1;
        let rows = usize::try_from(group.num_rows()).unwrap_or(0);
        let (rep, def) = (chunk.column_descr().max_rep_level(), chunk.column_descr().max_def_level());
        let pages = SerializedPageReader::new(Arc::clone(&self.bytes), chunk, rows, None);
        Some(pages.map(|pages| Box::new(Checked { pages, levels: [rep > 0, def > 0] }) as _))
    }
}

impl PageIterator for Chunks {}

/// Pages of which each is checked.
struct Checked {
    pages: SerializedPageReader<Bytes>,
    /// Whether repetition levels and definition levels stand before the values of a page.
    levels: [bool; 2],
}

impl Iterator for Checked {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl PageReader for Checked {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        let page = self.pages.get_next_page()?;
        if let Some(page) = &page {
            check(page, self.levels).map_err(|what| ParquetError::General(what.to_owned()))?;
        }
        Ok(page)
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        self.pages.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<()> {
        self.pages.skip_next_page()
    }
}

fn check(page: &Page, levels: [bool; 2]) -> std::result::Result<(), &'static str> {
    let (values, count) = match page {
        Page::DictionaryPage { buf, num_values, .. } => {
            // Four bytes is the least that a value of a dictionary takes.
            let fits = (*num_values as usize).checked_mul(4).is_some_and(|least| least <= buf.len());
            return if fits { Ok(()) } else { Err("a dictionary claims more values than it has bytes for") };
        }
        Page::DataPage { buf, num_values, def_level_encoding, rep_level_encoding, .. } => {
            let mut values = buf.as_ref();
            for (present, encoding) in levels.into_iter().zip([rep_level_encoding, def_level_encoding]) {
                if present && *encoding != Encoding::RLE {
                    return Err("levels in another encoding than RLE");
                }
                if present {
                    values = after_levels(values).ok_or("levels that are longer than their page")?;
                }
            }
            (values, *num_values)
        }
        Page::DataPageV2 { buf, num_values, def_levels_byte_len, rep_levels_byte_len, .. } => {
            let levels = *def_levels_byte_len as usize + *rep_levels_byte_len as usize;
            (buf.get(levels..).ok_or("levels that are longer than their page")?, *num_values)
        }
    };
    match page.encoding() {
        Encoding::PLAIN
        | Encoding::RLE
        | Encoding::PLAIN_DICTIONARY
        | Encoding::RLE_DICTIONARY
        | Encoding::DELTA_BINARY_PACKED => Ok(()),
        Encoding::DELTA_LENGTH_BYTE_ARRAY => match leading_numbers(values) {
            Some([_, _, lengths]) if lengths <= u64::from(count) => Ok(()),
            None if values.is_empty() => Ok(()),
            _ => Err("a page holds more lengths than values"),
        },
        // The prefixes of DELTA_BYTE_ARRAY make long values of few bytes, again and again.
        _ => Err("an encoding that is not read"),
    }
}

fn after_levels(values: &[u8]) -> Option<&[u8]> {
    let (len, rest) = values.split_first_chunk::<4>()?;
    rest.get(u32::from_le_bytes(*len) as usize..)
}
