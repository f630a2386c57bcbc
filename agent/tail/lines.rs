//! Bytes to lines. A line ends with `\n` or `\r\n`, which are no part of it, nor is the mark of an encoding at the
//! beginning of a file; all other bytes pass as they are.

use super::batch::{LineBatch, Rows, Span, SpanBytes, Text};
use super::encoding::Charset;
use super::holes::hole_at_start;
use super::units::{Bytes, Units};

/// A stretch of a file, in a span of a batch, about to be cut into lines.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretch {
    /// The bytes as they were read.
    pub(super) span: Span,
    /// Where in the span the stretch begins.
    pub(super) begin: usize,
    /// Offset in the file of that place.
    pub(super) offset: u64,
    /// How its text is encoded.
    pub(super) charset: Charset,
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
    match stretch.charset {
        Charset::Utf8 | Charset::Other(_) => take_lines_of(Bytes, batch, stretch),
        Charset::Utf16(order) => take_lines_of(order, batch, stretch),
    }
}

fn take_lines_of(units: impl Units, batch: &mut LineBatch, stretch: Stretch) -> Taken {
    let (span, rows) = batch.open(stretch.span);
    let bytes = span.bytes.get(stretch.begin..).unwrap_or_default();
    let mut taken = Taken::nothing(stretch.before);
    taken.bytes = no_line_at_start(bytes, &stretch);
    let text = stretch.charset.check(bytes);
    let lines = bytes.get(taken.bytes..).unwrap_or_default();
    let first = taken.bytes;
    for newline in units.newlines(lines, stretch.offset + first as u64) {
        let line = lines.get(taken.bytes - first..newline).unwrap_or_default();
        let line = units.without_return(line);
        let hole = hole_at_start(units, line, stretch.offset + taken.bytes as u64);
        let line = line.get(hole..).unwrap_or_default();
        taken.bytes += hole;
        taken.hole_bytes += hole as u64;
        push(rows, &span, &stretch, &mut taken, Piece { line, left_out: 0, text });
        taken.bytes = first + newline + units.newline().len();
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
    // A return at its end may become half of a newline.
    let content = units.without_return(units.whole(rest, stretch.offset + taken.bytes as u64));
    if taken.end == TakenEnd::NoNewline && content.len() > stretch.line_bytes_max {
        taken.end = TakenEnd::TooLong;
    }
    taken
}

/// Adds all of a stretch as one line that has no newline, or none yet.
pub(super) fn take_open_line(batch: &mut LineBatch, stretch: Stretch) -> Taken {
    let (span, rows) = batch.open(stretch.span);
    let line = span.bytes.get(stretch.begin..).unwrap_or_default();
    let mut taken = Taken::nothing(Before::OpenLine);
    // A lone return after an open line is the first half of its newline.
    if !(stretch.before == Before::OpenLine && line == stretch.charset.carriage_return()) {
        let text = Text::Unchecked(stretch.charset);
        push(rows, &span, &stretch, &mut taken, Piece { line, left_out: 0, text });
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
    let text = Text::Unchecked(stretch.charset);
    push(rows, &span, &stretch, &mut taken, Piece { line, left_out, text });
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
    let (len, max) = (piece.line.len(), stretch.line_bytes_max);
    let kept = if len > max { stretch.charset.kept_bytes(piece.line, max) } else { len };
    let start = stretch.begin + taken.bytes;
    rows.push(span, start..start + kept, piece.text, stretch.offset + taken.bytes as u64);
    let left_out = piece.left_out + (piece.line.len() - kept) as u64;
    if left_out > 0 {
        rows.mark_cut(left_out);
        taken.cut_lines += 1;
        taken.cut_bytes += left_out;
    }
}

/// Length of what stands at the beginning of a stretch and belongs to none of its lines: the newline that ends an open
/// line, or the mark of the encoding.
pub(super) fn no_line_at_start(bytes: &[u8], stretch: &Stretch) -> usize {
    let (charset, at) = (stretch.charset, stretch.offset);
    match stretch.before {
        Before::Line if at == 0 && bytes.starts_with(charset.mark()) => charset.mark().len(),
        Before::OpenLine if charset.floor(at) == at => {
            let newline = bytes.strip_prefix(charset.carriage_return()).unwrap_or(bytes);
            let behind = newline.strip_prefix(charset.newline()).map(<[u8]>::len);
            behind.map_or(0, |behind| bytes.len() - behind)
        }
        _ => 0,
    }
}
