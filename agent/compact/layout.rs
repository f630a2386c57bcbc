//! Whether the layout of a Parquet file is one that can be read within bounds: judged from its metadata and from
//! the headers of its pages, before anything is unpacked.
//!
//! The Parquet reader allocates what these headers claim, and follows the nesting of the schema by recursion: a
//! small file could end the process. So what they claim is held against the bytes that are there, and against
//! the limits below.

use bytes::Bytes;
use parquet::basic::Compression;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData, ParquetMetaDataReader};

use super::thrift::{Field, Kind, Thrift};
use super::validate::Refusal;

/// The most bytes that the metadata may have.
const METADATA_BYTES_MAX: usize = 8 << 20;

/// The most columns, those within other columns counted too.
const COLUMNS_MAX: usize = 2_000;

/// How deep columns may lie in each other.
const DEPTH_MAX: usize = 16;

/// The most row groups.
const ROW_GROUPS_MAX: usize = 1_024;

/// The most rows.
const ROWS_MAX: u64 = 1 << 24;

/// The most values of a column whose rows may have several.
const REPEATED_VALUES_MAX: u64 = 1 << 25;

/// The most pages.
const PAGES_MAX: usize = 1 << 18;

/// What a file ends with, after the length of its metadata.
const MAGIC: &[u8] = b"PAR1";

/// Reads the metadata of a file, if its layout is within the limits and its pages unpack to `unpacked_bytes_max`
/// bytes at most, values of dictionaries counted once.
///
/// # Errors
/// [`Refusal::Parquet`], [`Refusal::Layout`] or [`Refusal::Unpacked`].
pub(super) fn read(bytes: &Bytes, unpacked_bytes_max: u64) -> Result<ParquetMetaData, Refusal> {
    let broken = |what: &str| Refusal::Parquet(what.to_owned());
    let body = bytes.strip_suffix(MAGIC).ok_or_else(|| broken("it does not end as such files do"))?;
    let (body, len) = body.split_last_chunk::<4>().ok_or_else(|| broken("it is too short"))?;
    let len = u32::from_le_bytes(*len) as usize;
    if len > METADATA_BYTES_MAX {
        return Err(Refusal::Layout(format!("{len} bytes of metadata; {METADATA_BYTES_MAX} are the most")));
    }
    let start = body.len().checked_sub(len).ok_or_else(|| broken("its metadata would be longer than it"))?;
    let encoded = body.get(start..).unwrap_or_default();
    shape(encoded).ok_or_else(|| broken("its metadata is damaged"))??;
    let metadata =
        ParquetMetaDataReader::decode_metadata(encoded).map_err(|e| Refusal::Parquet(e.to_string()))?;
    pages(&metadata, body, unpacked_bytes_max)?;
    Ok(metadata)
}

/// Counts what the metadata holds. `None`: it is damaged.
fn shape(encoded: &[u8]) -> Option<Result<(), Refusal>> {
    let (mut thrift, mut last) = (Thrift::new(encoded), 0);
    while let Some(field) = thrift.field(&mut last)? {
        let within = match field.id {
            2 => schema(&mut thrift, field)?,
            4 => {
                // Passed over from here on, so that the count is known before each of them is looked at.
                let groups = Thrift::new(thrift.rest()).list(field, Kind::Struct)?;
                thrift.skip(field.kind)?;
                at_most(groups, ROW_GROUPS_MAX, "row groups")
            }
            _ => {
                thrift.skip(field.kind)?;
                Ok(())
            }
        };
        if within.is_err() {
            return Some(within);
        }
    }
    Some(Ok(()))
}

/// The columns are a list, each with the number of those that follow and lie in it.
fn schema(thrift: &mut Thrift<'_>, field: Field) -> Option<Result<(), Refusal>> {
    let columns = thrift.list(field, Kind::Struct)?;
    let mut open: Vec<i32> = Vec::new();
    for _ in 0..columns.min(COLUMNS_MAX + 1) {
        let (mut last, mut children) = (0, 0);
        while let Some(field) = thrift.field(&mut last)? {
            match field.id {
                5 => children = thrift.i32(field)?,
                _ => thrift.skip(field.kind)?,
            }
        }
        if children < 0 {
            return None;
        }
        if let Some(left) = open.last_mut() {
            *left -= 1;
        }
        if children > 0 {
            open.push(children);
        }
        while open.last() == Some(&0) {
            open.pop();
        }
        if open.len() > DEPTH_MAX {
            return Some(at_most(open.len(), DEPTH_MAX, "levels of columns in columns"));
        }
    }
    if let Err(refusal) = at_most(columns, COLUMNS_MAX, "columns") {
        return Some(Err(refusal));
    }
    // A column that claims more than follow would have the reader make room for them.
    open.is_empty().then_some(Ok(()))
}

/// What the headers of all pages of a file tell.
#[derive(Debug, Default)]
struct Totals {
    pages: usize,
    unpacked_bytes: u64,
}

fn pages(metadata: &ParquetMetaData, body: &[u8], unpacked_bytes_max: u64) -> Result<(), Refusal> {
    let (mut totals, mut rows) = (Totals::default(), 0_u64);
    let mut repeated = vec![0_u64; metadata.file_metadata().schema_descr().num_columns()];
    for group in metadata.row_groups() {
        let of_group =
            u64::try_from(group.num_rows()).map_err(|_| Refusal::Parquet("negative rows".to_owned()))?;
        rows = rows.saturating_add(of_group);
        for (column, repeated) in group.columns().iter().zip(&mut repeated) {
            let name = column.column_path();
            let values = chunk(column, body, &mut totals, unpacked_bytes_max)
                .ok_or_else(|| Refusal::Parquet(format!("the pages of column `{name}` are damaged")))??;
            if column.column_descr().max_rep_level() > 0 {
                *repeated = repeated.saturating_add(values);
                at_most(*repeated, REPEATED_VALUES_MAX, "values of a column with several a row")?;
            } else if values != of_group {
                return Err(Refusal::Parquet(format!(
                    "column `{name}` has {values} values in {of_group} rows"
                )));
            }
        }
    }
    at_most(rows, ROWS_MAX, "rows")
}

/// How many values the pages of one column in one row group hold. `None`: they are damaged.
fn chunk(
    column: &ColumnChunkMetaData,
    body: &[u8],
    totals: &mut Totals,
    unpacked_bytes_max: u64,
) -> Option<Result<u64, Refusal>> {
    // Other codecs unpack until their input ends, whatever the page's header says.
    if !matches!(column.compression(), Compression::UNCOMPRESSED | Compression::SNAPPY | Compression::ZSTD(_))
    {
        return Some(Err(Refusal::Layout(format!(
            "the codec {}; zstd and snappy are read",
            column.compression()
        ))));
    }
    let offset = |offset: i64| usize::try_from(offset).ok();
    let start = match column.dictionary_page_offset() {
        Some(start) => offset(start)?,
        None => offset(column.data_page_offset())?,
    };
    let end = start.checked_add(offset(column.compressed_size())?)?;
    let (mut rest, mut values) = (body.get(start..end)?, 0_u64);
    while !rest.is_empty() {
        let mut thrift = Thrift::new(rest);
        let page = Page::read(&mut thrift)?;
        rest = thrift.rest().get(page.packed_bytes..)?;
        values = values.saturating_add(page.values);
        totals.pages += 1;
        totals.unpacked_bytes = totals.unpacked_bytes.saturating_add(page.unpacked_bytes);
        if let Err(refusal) = at_most(totals.pages, PAGES_MAX, "pages") {
            return Some(Err(refusal));
        }
        if totals.unpacked_bytes > unpacked_bytes_max {
            return Some(Err(Refusal::Unpacked(unpacked_bytes_max)));
        }
    }
    Some(Ok(values))
}

/// What the header of a page tells.
#[derive(Debug, Default)]
struct Page {
    packed_bytes: usize,
    unpacked_bytes: u64,
    /// Those of rows; a dictionary's are none.
    values: u64,
}

impl Page {
    fn read(thrift: &mut Thrift<'_>) -> Option<Self> {
        let (mut page, mut last) = (Self::default(), 0);
        while let Some(field) = thrift.field(&mut last)? {
            match field.id {
                2 => page.unpacked_bytes = u64::try_from(thrift.i32(field)?).ok()?,
                3 => page.packed_bytes = usize::try_from(thrift.i32(field)?).ok()?,
                5 | 8 => page.values = values(thrift, field)?,
                _ => thrift.skip(field.kind)?,
            }
        }
        Some(page)
    }
}

/// The number of values that the header of a data page, of version 1 or 2, starts with.
fn values(thrift: &mut Thrift<'_>, field: Field) -> Option<u64> {
    if field.kind != Kind::Struct {
        return None;
    }
    let (mut values, mut last) = (0, 0);
    while let Some(field) = thrift.field(&mut last)? {
        match field.id {
            1 => values = u64::try_from(thrift.i32(field)?).ok()?,
            _ => thrift.skip(field.kind)?,
        }
    }
    Some(values)
}

fn at_most<T: PartialOrd + std::fmt::Display>(count: T, max: T, what: &str) -> Result<(), Refusal> {
    if count <= max { Ok(()) } else { Err(Refusal::Layout(format!("{count} {what}; {max} are the most"))) }
}
