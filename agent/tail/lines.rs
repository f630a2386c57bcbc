//! Bytes to lines. A line ends with `\n` or `\r\n`, which are no part of it; all other bytes pass as they are.

use memchr::{memchr_iter, memrchr};

use super::batch::{LineBatch, Rows, Span, SpanBytes, Text};
use super::holes::hole_at_start;

/// A stretch of a file, in a span of a batch, about to be cut into lines.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretch {
    /// The bytes as they were read.
    pub(super) span: Span,
    /// Where in the span the stretch begins.
    pub(super) begin: usize,
    /// Offset in the file of that place.
    pub(super) offset: u64,
    /// Longer lines are cut to this many bytes.
    pub(super) line_bytes_max: usize,
    /// What was taken before.
    pub(super) before: Before,
}

/// What stands before a stretch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Before {
    /// A complete line, or the beginning of the file.
    Line,
    /// A line that was taken without its newline, which may come first now.
    OpenLine,
}

/// What came of a stretch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Taken {
    /// Bytes taken, with the newlines.
    pub(super) bytes: usize,
    /// Bytes behind them.
    pub(super) rest: usize,
    /// Lines that were cut.
    pub(super) cut_lines: u64,
    /// Bytes that were left out of them.
    pub(super) cut_bytes: u64,
    /// NULs that were skipped.
    pub(super) hole_bytes: u64,
    /// Why it ended.
    pub(super) end: TakenEnd,
    /// What the next stretch finds before it.
    pub(super) before: Before,
}

/// Why no more lines were taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TakenEnd {
    /// No newline is in the rest.
    NoNewline,
    /// No newline is in the rest, and it is longer than a line may be.
    TooLong,
    /// The batch is full.
    BatchFull,
}

impl Taken {
    pub(super) fn nothing(before: Before) -> Self {
        Self {
            bytes: 0,
            rest: 0,
            cut_lines: 0,
            cut_bytes: 0,
            hole_bytes: 0,
            end: TakenEnd::NoNewline,
            before,
        }
    }
}

/// Adds the complete lines of a stretch to the batch.
pub(super) fn take_lines(batch: &mut LineBatch, stretch: Stretch) -> Taken {
    let (span, rows) = batch.open(stretch.span);
    let bytes = span.bytes.get(stretch.begin..).unwrap_or_default();
    let mut taken = Taken::nothing(stretch.before);
    taken.bytes = newline_of_open_line(bytes, stretch.before);
    let text = check(bytes);
    let lines = bytes.get(taken.bytes..).unwrap_or_default();
    let first = taken.bytes;
    for newline in memchr_iter(b'\n', lines) {
        let line = lines.get(taken.bytes - first..newline).unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let hole = hole_at_start(line);
        let line = line.get(hole..).unwrap_or_default();
        taken.bytes += hole;
        taken.hole_bytes += hole as u64;
        push(rows, &span, &stretch, &mut taken, Piece { line, left_out: 0, text });
        taken.bytes = first + newline + 1;
        if rows.is_full() {
            taken.end = TakenEnd::BatchFull;
            break;
        }
    }
    if taken.bytes > 0 {
        taken.before = Before::Line;
    }
    taken.rest = bytes.len() - taken.bytes;
    let rest = bytes.get(taken.bytes..).unwrap_or_default();
    if taken.end == TakenEnd::NoNewline && content(rest).len() > stretch.line_bytes_max {
        taken.end = TakenEnd::TooLong;
    }
    taken
}

/// Adds all of a stretch as one line that has no newline, or none yet.
pub(super) fn take_open_line(batch: &mut LineBatch, stretch: Stretch) -> Taken {
    let (span, rows) = batch.open(stretch.span);
    let line = span.bytes.get(stretch.begin..).unwrap_or_default();
    let mut taken = Taken::nothing(Before::OpenLine);
    // A lone `\r` after an open line is the first half of its newline.
    if !(stretch.before == Before::OpenLine && line == b"\r") {
        push(rows, &span, &stretch, &mut taken, Piece { line, left_out: 0, text: Text::Unchecked });
    }
    taken.bytes = line.len();
    taken
}

/// Adds the beginning of a line that is too long to be read as a whole; `left_out` counts the bytes behind the
/// stretch that belong to it.
pub(super) fn take_beginning(batch: &mut LineBatch, stretch: Stretch, left_out: u64) -> Taken {
    let (span, rows) = batch.open(stretch.span);
    let line = span.bytes.get(stretch.begin..).unwrap_or_default();
    let mut taken = Taken::nothing(Before::Line);
    push(rows, &span, &stretch, &mut taken, Piece { line, left_out, text: Text::Unchecked });
    taken.bytes = line.len();
    taken
}

/// A line on its way to the batch.
pub(super) struct Piece<'a> {
    pub(super) line: &'a [u8],
    /// Bytes of it that are not at hand.
    pub(super) left_out: u64,
    pub(super) text: Text,
}

/// Adds the line that stands behind what was taken.
pub(super) fn push(
    rows: &mut Rows,
    span: &SpanBytes<'_>,
    stretch: &Stretch,
    taken: &mut Taken,
    piece: Piece<'_>,
) {
    let kept = kept_bytes(piece.line, stretch.line_bytes_max);
    let start = stretch.begin + taken.bytes;
    rows.push(span, start..start + kept, piece.text, stretch.offset + taken.bytes as u64);
    let left_out = piece.left_out + (piece.line.len() - kept) as u64;
    if left_out > 0 {
        rows.mark_cut(left_out);
        taken.cut_lines += 1;
        taken.cut_bytes += left_out;
    }
}

/// How much of a line is kept: at most `max` bytes, and no part of a character.
fn kept_bytes(line: &[u8], max: usize) -> usize {
    if line.len() <= max {
        return line.len();
    }
    let is_boundary = |at: usize| line.get(at).is_none_or(|byte| *byte & 0b1100_0000 != 0b1000_0000);
    (max.saturating_sub(3)..=max).rev().find(|at| is_boundary(*at)).unwrap_or(max)
}

/// What of `rest` is certainly text: a `\r` at its end may become half of a newline.
fn content(rest: &[u8]) -> &[u8] {
    rest.strip_suffix(b"\r").unwrap_or(rest)
}

/// Length of the newline that ends an open line, if it stands at the beginning.
pub(super) fn newline_of_open_line(bytes: &[u8], before: Before) -> usize {
    match (before, bytes) {
        (Before::OpenLine, [b'\n', ..]) => 1,
        (Before::OpenLine, [b'\r', b'\n', ..]) => 2,
        _ => 0,
    }
}

/// Checks all complete lines at once: newlines never stand inside a character.
pub(super) fn check(bytes: &[u8]) -> Text {
    let complete = memrchr(b'\n', bytes).and_then(|end| bytes.get(..end)).unwrap_or_default();
    match simdutf8::basic::from_utf8(complete) {
        Ok(_) => Text::Valid,
        Err(_) => Text::Unchecked,
    }
}
