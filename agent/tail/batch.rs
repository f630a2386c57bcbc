//! Lines as columns, from the read buffer on.
//!
//! File bytes are read into chunks; a line is a view (length, prefix, chunk, place) into its chunk and is never copied.
//! Whatever is constant for a stretch of rows is kept once for the run.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryBuilder, Int64Array, RecordBatch, StringViewArray, make_view, new_null_array,
};
use arrow::buffer::{Buffer, ScalarBuffer};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use rustix::buffer::spare_capacity;

use super::encoding::{Charset, Fidelity};
use super::positions::FileKey;
use crate::clock::{Day, Timestamp};

/// A chunk is read in one go; half a megabyte stays in the processor's cache while it is framed.
const CHUNK_BYTES: usize = 512 << 10;
/// With less room than this left, the next chunk is begun.
const ROOM_BYTES_MIN: usize = 32 << 10;
/// What a row takes besides its text: view and offset.
const ROW_BYTES: usize = 24;

/// Lines on their way to Bronze, all ingested on one UTC day.
///
/// Holds up to the given number of bytes (text, and 24 for each row), exceeded by one chunk or one line at most, and by
/// their text where it is to be written anew.
#[derive(Debug)]
pub struct LineBatch {
    chunks: Vec<Vec<u8>>,
    rows: Rows,
    runs: Vec<Run>,
    ingested: Option<(Timestamp, Timestamp)>,
}

/// What differs from row to row.
#[derive(Debug)]
pub(super) struct Rows {
    bytes_max: usize,
    /// Bytes of the chunks that are in use.
    text_bytes: usize,
    views: Vec<u128>,
    offsets: Vec<i64>,
    raw: Vec<Raw>,
    /// Rows of the span in use whose text is to be written.
    foreign: Vec<Foreign>,
    cut: Vec<(usize, u64)>,
    /// Up to here lines lie in the last chunk.
    used: usize,
}

/// A finished batch: what differs from row to row as columns, and what stays the same for stretches of rows once for
/// each stretch.
#[derive(Debug)]
pub struct Lines {
    /// `line` (views), `raw`, `offset`, `cut_bytes`.
    pub columns: RecordBatch,
    /// Where the rows come from, in their order.
    pub runs: Vec<Run>,
}

/// Consecutive rows of one file, taken at one time.
#[derive(Clone, Debug)]
pub struct Run {
    /// The number of the row behind its last.
    pub end: usize,
    /// Where its rows come from.
    pub origin: Origin,
}

/// Where rows come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The file's number.
    pub file: FileKey,
    /// The path under which it was read.
    pub path: Arc<Path>,
    /// The name of its source.
    pub source: Arc<str>,
    /// When they were taken.
    pub ingested_at: Timestamp,
}

/// A row whose text does not say all that its bytes do.
#[derive(Debug)]
struct Raw {
    row: usize,
    chunk: usize,
    bytes: Range<usize>,
}

/// A row whose bytes, in the last chunk, are not its text in UTF-8.
#[derive(Debug)]
struct Foreign {
    row: usize,
    bytes: Range<usize>,
    charset: Charset,
}

/// Bytes just read into the last chunk, not yet settled.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    start: usize,
    pub(super) len: usize,
    pub(super) end: SpanEnd,
}

/// Why a span ends where it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SpanEnd {
    /// The file ended there.
    File,
    /// The chunk was full.
    Chunk,
}

/// The bytes of a span, in their chunk.
#[derive(Clone, Copy, Debug)]
pub(super) struct SpanBytes<'a> {
    pub(super) bytes: &'a [u8],
    start: usize,
    chunk: usize,
}

/// What is known of the bytes of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Text {
    /// They are UTF-8: the stretch around them has been checked.
    Valid,
    /// They are of this encoding, and to be checked.
    Unchecked(Charset),
}

impl Rows {
    /// Adds the line that stands at `place` of the span.
    pub(super) fn push(&mut self, span: &SpanBytes<'_>, place: Range<usize>, text: Text, offset: u64) {
        let line = span.bytes.get(place.clone()).unwrap_or_default();
        let place = span.start + place.start..span.start + place.end;
        self.text_bytes += place.end.saturating_sub(self.used);
        self.used = self.used.max(place.end);
        self.offsets.push(offset as i64);
        match text {
            Text::Unchecked(charset) if !charset.is_utf8(line) => {
                self.foreign.push(Foreign { row: self.views.len(), bytes: place, charset });
                self.views.push(0);
            }
            _ => self.views.push(make_view(line, span.chunk as u32, place.start as u32)),
        }
    }

    /// Says of the line added last that `bytes` of it were left out.
    pub(super) fn mark_cut(&mut self, bytes: u64) {
        let row = self.views.len().saturating_sub(1);
        match self.cut.last_mut().filter(|(cut, _)| *cut == row) {
            Some((_, left_out)) => *left_out += bytes,
            None => self.cut.push((row, bytes)),
        }
    }

    /// Whether the batch holds its bytes.
    pub(super) fn is_full(&self) -> bool {
        self.text_bytes + ROW_BYTES * self.views.len() >= self.bytes_max
    }
}

impl LineBatch {
    /// An empty batch for up to `bytes_max` bytes. Allocates nothing yet.
    pub fn new(bytes_max: usize) -> Self {
        let rows = Rows {
            bytes_max,
            text_bytes: 0,
            views: Vec::new(),
            offsets: Vec::new(),
            raw: Vec::new(),
            foreign: Vec::new(),
            cut: Vec::new(),
            used: 0,
        };
        Self { chunks: Vec::new(), rows, runs: Vec::new(), ingested: None }
    }

    /// Number of lines.
    pub fn rows(&self) -> usize {
        self.rows.views.len()
    }

    /// Bytes held: text, and 24 for each row.
    pub fn bytes(&self) -> usize {
        self.rows.text_bytes + ROW_BYTES * self.rows()
    }

    /// The most bytes that this batch is to hold.
    pub fn bytes_max(&self) -> usize {
        self.rows.bytes_max
    }

    /// Whether the batch holds its bytes.
    pub fn is_full(&self) -> bool {
        self.rows.is_full()
    }

    #[cfg(test)]
    pub(super) fn memory_bytes(&self) -> usize {
        self.chunks.iter().map(Vec::capacity).sum::<usize>() + ROW_BYTES * self.rows.views.capacity()
    }

    /// The first and the last `ingested_at`; none while there are no rows.
    pub fn ingested(&self) -> Option<(Timestamp, Timestamp)> {
        self.ingested
    }

    /// The UTC day of all rows; none while there are no rows.
    pub fn day(&self) -> Option<Day> {
        self.ingested.map(|(first, _)| first.day())
    }

    /// Reads from `at` into the room of the last chunk, which is at least `need` bytes.
    pub(super) fn fill(&mut self, file: &File, at: u64, need: usize) -> io::Result<Span> {
        let room = self.chunks.last().map_or(0, |chunk| chunk.capacity() - chunk.len());
        if room < need.max(ROOM_BYTES_MIN) {
            // A chunk that was begun and not used is not kept.
            self.chunks.pop_if(|chunk| chunk.is_empty());
            self.chunks.push(Vec::with_capacity(need.max(CHUNK_BYTES)));
        }
        let Some(chunk) = self.chunks.last_mut() else { return Err(io::ErrorKind::OutOfMemory.into()) };
        let start = chunk.len();
        self.rows.used = start;
        let mut end = SpanEnd::Chunk;
        while chunk.len() < chunk.capacity() {
            let next = at + (chunk.len() - start) as u64;
            match rustix::io::pread(file, spare_capacity(chunk), next) {
                Ok(0) => {
                    end = SpanEnd::File;
                    break;
                }
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => {
                    chunk.truncate(start);
                    return Err(error.into());
                }
            }
        }
        Ok(Span { start, len: chunk.len() - start, end })
    }

    /// Adds a line that was read elsewhere; `left_out` bytes of it are not here. All rows of a batch are of one day.
    pub fn push(&mut self, origin: &Origin, offset: u64, line: &[u8], left_out: u64) {
        let room = self.chunks.last().map_or(0, |chunk| chunk.capacity() - chunk.len());
        if room < line.len() {
            self.chunks.push(Vec::with_capacity(line.len().max(CHUNK_BYTES)));
        }
        let Some(chunk) = self.chunks.last_mut() else { return };
        let start = chunk.len();
        self.rows.used = start;
        chunk.extend_from_slice(line);
        let (span, rows) = self.open(Span { start, len: line.len(), end: SpanEnd::File });
        rows.push(&span, 0..line.len(), Text::Unchecked(Charset::Utf8), offset);
        if left_out > 0 {
            rows.mark_cut(left_out);
        }
        let _ = self.settle(origin);
    }

    /// Says of the line added last that it is torn: nobody knows how many bytes of it are missing, but one is.
    pub(super) fn mark_torn(&mut self) {
        self.rows.mark_cut(1);
    }

    /// The bytes of a span, and the rows to add its lines to.
    pub(super) fn open(&mut self, span: Span) -> (SpanBytes<'_>, &mut Rows) {
        let chunk = self.chunks.len().saturating_sub(1);
        let bytes = self.chunks.last().and_then(|chunk| chunk.get(span.start..span.start + span.len));
        (SpanBytes { bytes: bytes.unwrap_or_default(), start: span.start, chunk }, &mut self.rows)
    }

    /// Ends the use of a span: what lies behind the lines added is dropped, and all rows added since the last call
    /// come from `origin`. Returns how many of them have bytes that are no characters.
    pub(super) fn settle(&mut self, origin: &Origin) -> u64 {
        let before: usize = self.runs.last().map_or(0, |run| run.end);
        let last = self.chunks.len().saturating_sub(1);
        let Some(chunk) = self.chunks.last_mut() else { return 0 };
        chunk.truncate(self.rows.used);
        let known = self.rows.raw.len();
        for Foreign { row, bytes, charset } in self.rows.foreign.drain(..) {
            let at = self.rows.offsets.get(row).map_or(0, |offset| offset.cast_unsigned());
            let (text, fidelity) = charset.write_text(chunk, bytes.clone(), at);
            self.rows.text_bytes += text.len();
            if let Some(row) = self.rows.views.get_mut(row) {
                *row = make_view(chunk.get(text.clone()).unwrap_or_default(), last as u32, text.start as u32);
            }
            if fidelity == Fidelity::Replaced {
                self.rows.raw.push(Raw { row, chunk: last, bytes });
            }
        }
        let rows = self.rows();
        if rows > before {
            let at = origin.ingested_at;
            let (first, last) = self.ingested.unwrap_or((at, at));
            self.ingested = Some((first.min(at), last.max(at)));
            match self.runs.last_mut().filter(|run| run.origin == *origin) {
                Some(run) => run.end = rows,
                None => self.runs.push(Run { end: rows, origin: origin.clone() }),
            }
        }
        (self.rows.raw.len() - known) as u64
    }

    /// Ends the batch.
    ///
    /// # Errors
    /// The columns contradict each other, which is a fault of this module.
    pub fn finish(self) -> Result<Lines, ArrowError> {
        let (raw, cut) = (self.raw_column(), self.cut_column());
        let chunks: Vec<Buffer> = self.chunks.into_iter().map(Buffer::from_vec).collect();
        let columns: Vec<ArrayRef> = vec![
            view_column(self.rows.views, chunks),
            raw,
            Arc::new(Int64Array::from(self.rows.offsets)),
            cut,
        ];
        Ok(Lines { columns: RecordBatch::try_new(row_schema(), columns)?, runs: self.runs })
    }

    fn raw_column(&self) -> ArrayRef {
        if self.rows.raw.is_empty() {
            return new_null_array(&DataType::Binary, self.rows());
        }
        let mut column =
            BinaryBuilder::with_capacity(self.rows(), self.rows.raw.iter().map(|raw| raw.bytes.len()).sum());
        let mut next = 0;
        for raw in &self.rows.raw {
            column.append_nulls(raw.row - next);
            let chunk = self.chunks.get(raw.chunk);
            column.append_value(chunk.and_then(|chunk| chunk.get(raw.bytes.clone())).unwrap_or_default());
            next = raw.row + 1;
        }
        column.append_nulls(self.rows() - next);
        Arc::new(column.finish())
    }

    fn cut_column(&self) -> ArrayRef {
        if self.rows.cut.is_empty() {
            return new_null_array(&DataType::Int64, self.rows());
        }
        let mut column = Int64Array::builder(self.rows());
        let mut next = 0;
        for (row, bytes) in &self.rows.cut {
            column.append_nulls(row - next);
            column.append_value(*bytes as i64);
            next = row + 1;
        }
        column.append_nulls(self.rows() - next);
        Arc::new(column.finish())
    }
}

/// The columns of [`Lines`] that differ from row to row.
fn row_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("line", DataType::Utf8View, false),
        Field::new("raw", DataType::Binary, true),
        Field::new("offset", DataType::Int64, false),
        Field::new("cut_bytes", DataType::Int64, true),
    ]))
}

#[expect(
    unsafe_code,
    reason = "the safe constructor checks every row again: a tenth of the way from file to Parquet"
)]
fn view_column(views: Vec<u128>, chunks: Vec<Buffer>) -> ArrayRef {
    // SAFETY: each view was made by `make_view` from the very bytes at its chunk and place (`push`, `settle`). A chunk is only ever truncated to `used`, behind all of its lines, and appended to. The bytes are
    // UTF-8: `push` checks them unless `take_lines` has checked the stretch around them, and `write_text` writes only
    // valid text.
    Arc::new(unsafe { StringViewArray::new_unchecked(ScalarBuffer::from(views), chunks, None) })
}
