//! One turn of reading one file. Nothing is taken from a file before it is clear that it still is the file whose
//! bytes were read: the bytes before the offset come with the same read call as those behind it, and the head is checked after.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::batch::{LineBatch, Origin, Span, SpanEnd};
use super::encoding::Charset;
use super::holes::{self, hole_at_end, hole_at_start};
use super::identity::{bytes_at, tail_at};
use super::known::{Known, Partial};
use super::lines::{Before, Stretch, Taken, TakenEnd, take_beginning, take_lines, take_open_line};
use super::multiline::{Rest, take_records};
use super::source::{RestEnd, Source};
use super::units::Units;
use super::{TailCounters, later};
use crate::clock::Timestamp;

/// Bytes of an over-long line that are searched for its end in one turn.
const SEARCH_BYTES: usize = 1 << 20;

/// What a turn has at hand.
pub(super) struct Reading<'a> {
    pub(super) file: &'a File,
    pub(super) source: &'a Source,
    /// How the file is encoded.
    pub(super) charset: Charset,
    pub(super) batch: &'a mut LineBatch,
    pub(super) counters: &'a mut TailCounters,
    /// Room for searching, kept from turn to turn.
    pub(super) scratch: &'a mut Vec<u8>,
    /// A line that goes on for more than this behind its cut is ended.
    pub(super) cut_bytes_max: u64,
    pub(super) now: Timestamp,
}

/// What came of a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Turn {
    /// There may be more to read now; so many bytes were looked at.
    More(u64),
    /// The file is read to its end.
    End(u64),
    /// The file does not hold the bytes that were read any more. Nothing was taken.
    Changed,
}

/// Reads on in a file: about a chunk, or a part of an over-long line.
pub(super) fn turn(known: &mut Known, reading: &mut Reading<'_>) -> io::Result<Turn> {
    known.padding = 0;
    match (known.overlong, known.hole) {
        (1.., _) => search(known, reading),
        (_, 1..) => go_on_in_hole(known, reading),
        _ => take(known, reading, 0),
    }
}

fn go_on_in_hole(known: &mut Known, reading: &mut Reading<'_>) -> io::Result<Turn> {
    if known.print.stands_in(reading.file)? { holes::skip(known, reading) } else { Ok(Turn::Changed) }
}

fn take(known: &mut Known, reading: &mut Reading<'_>, need: usize) -> io::Result<Turn> {
    let tail = known.print.tail;
    let begin = tail.len();
    let mut span = reading.batch.fill(reading.file, tail.start(), need)?;
    let is_same = tail.opens(reading.batch.open(span).0.bytes)
        && known.print.renew_head(reading.file)?
        && known.print.end_stands_in(reading.file)?
        // Written to, and no longer: perhaps rewritten. That is rare enough for a closer look.
        && (span.len > begin || known.is_compressed || known.print.marks_stand_in(reading.file)?);
    if !is_same {
        reading.settle(known);
        return Ok(Turn::Changed);
    }
    let stretch = reading.stretch(known, span, begin);
    let mut taken = match &reading.source.multiline {
        None => take_lines(reading.batch, stretch),
        Some(rule) => take_records(reading.batch, stretch, rule, Rest::Waits),
    };
    let rest = reading.batch.open(span).0.bytes.get(begin + taken.bytes..).unwrap_or_default();
    let (charset, rest_at) = (reading.charset, known.offset + taken.bytes as u64);
    let rest_end = if charset.ends_line(rest, rest_at) { RestEnd::Newline } else { RestEnd::InLine };
    let wait = reading.source.wait_behind(rest_end);
    let (is_hole, padding) = (hole_at_start(charset, rest, rest_at) > 0, hole_at_end(charset, rest, rest_at));
    let is_cut_off = padding > 0 && !is_hole && span.end == SpanEnd::Chunk;
    let mut padding_behind = 0;
    if is_cut_off && let Some(bytes) = holes::reaches_the_end(reading, tail.start() + span.len as u64)? {
        padding_behind = bytes;
        span.end = SpanEnd::File;
        taken.end = TakenEnd::NoNewline;
    }
    if span.end == SpanEnd::File && taken.end == TakenEnd::NoNewline && !is_hole {
        if reading.last_line_is_due(known, (taken.rest - padding) as u64, wait) {
            let rest = Stretch {
                span: without_end(span, padding),
                begin: begin + taken.bytes,
                offset: rest_at,
                before: taken.before,
                ..stretch
            };
            let rows = reading.batch.rows();
            taken = match &reading.source.multiline {
                None => joined(taken, take_open_line(reading.batch, rest)),
                Some(rule) => joined(taken, take_records(reading.batch, rest, rule, Rest::IsTaken)),
            };
            if known.is_torn() && rest_end == RestEnd::InLine && reading.batch.rows() > rows {
                reading.batch.mark_torn();
                taken.cut_lines += 1;
                taken.cut_bytes += 1;
            }
        }
    } else {
        known.partial = None;
    }
    let read = span.len.saturating_sub(begin) as u64;
    let before_offset = reading.batch.open(span).0.bytes.get(..begin + taken.bytes).unwrap_or_default();
    known.print_advance(taken.bytes as u64, before_offset);
    reading.count(known, taken);
    known.size = known.size.max(tail.end() + read);
    if is_hole && taken.end != TakenEnd::BatchFull {
        return holes::skip(known, reading);
    }
    match (taken.end, span.end) {
        (TakenEnd::BatchFull, _) => Ok(Turn::More(read)),
        (TakenEnd::TooLong, _) => {
            known.overlong = charset.floor(known.offset + taken.rest as u64) - known.offset;
            Ok(Turn::More(read))
        }
        (TakenEnd::NoNewline, SpanEnd::File) => {
            known.padding = padding as u64 + padding_behind;
            Ok(Turn::End(read))
        }
        // The chunk was too small for the line: once more with room for the longest and what ends it.
        (TakenEnd::NoNewline, SpanEnd::Chunk) if taken.bytes == 0 && need == 0 => {
            let end_bytes = charset.carriage_return().len() + charset.newline().len();
            take(known, reading, begin + reading.source.line_bytes_max + end_bytes)
        }
        (TakenEnd::NoNewline, SpanEnd::Chunk) => Ok(Turn::More(read)),
    }
}

fn without_end(mut span: Span, bytes: usize) -> Span {
    span.len = span.len.saturating_sub(bytes);
    span
}

/// Looks for the end of a line that is longer than a line may be, without keeping what it reads.
fn search(known: &mut Known, reading: &mut Reading<'_>) -> io::Result<Turn> {
    if !known.print.stands_in(reading.file)? {
        return Ok(Turn::Changed);
    }
    let len_max = reading.source.line_bytes_max as u64 + reading.cut_bytes_max;
    let want =
        usize::try_from(len_max - known.overlong.min(len_max)).unwrap_or(SEARCH_BYTES).min(SEARCH_BYTES);
    reading.scratch.resize(SEARCH_BYTES, 0);
    let buffer = reading.scratch.get_mut(..want).unwrap_or_default();
    let found = bytes_at(reading.file, known.offset + known.overlong, buffer)?;
    let read = found.len() as u64;
    let (charset, from) = (reading.charset, known.offset + known.overlong);
    let newline = charset.newlines(found, from).next();
    known.overlong += newline.map_or(charset.floor(from + read).saturating_sub(from), |at| at as u64);
    known.size = known.size.max(known.offset + known.overlong);
    let at_end = found.len() < want;
    match newline {
        Some(_) => cut(known, reading, Before::Line)?,
        None if charset.floor(known.offset + len_max) <= known.offset + known.overlong => {
            cut(known, reading, Before::OpenLine)?
        }
        None if at_end
            && reading.last_line_is_due(known, known.overlong, reading.source.last_line_timeout) =>
        {
            cut(known, reading, Before::OpenLine)?
        }
        None if at_end => return Ok(Turn::End(read)),
        None => known.partial = None,
    }
    Ok(Turn::More(read))
}

/// Takes an over-long line, whose length is now known, with its newline if it is followed by one.
fn cut(known: &mut Known, reading: &mut Reading<'_>, after: Before) -> io::Result<()> {
    let (offset, max) = (known.offset, reading.source.line_bytes_max);
    let (newline, carriage_return) = (reading.charset.newline(), reading.charset.carriage_return());
    let behind = if after == Before::Line { newline.len() as u64 } else { 0 };
    let mut last = vec![0; carriage_return.len()];
    let last_at = (offset + known.overlong).saturating_sub(last.len() as u64);
    let is_return = after == Before::Line && bytes_at(reading.file, last_at, &mut last)? == carriage_return;
    let return_bytes = if is_return { carriage_return.len() as u64 } else { 0 };
    let line_bytes = known.overlong.saturating_sub(return_bytes);
    // One byte more than is kept shows whether a character ends there.
    let mut span = reading.batch.fill(reading.file, offset, max + 2)?;
    span.len = span.len.min(max + 1).min(usize::try_from(line_bytes).unwrap_or(usize::MAX));
    let stretch = reading.stretch(known, span, 0);
    let taken_bytes = known.overlong + behind;
    // All that can fail comes before the row is added.
    let tail = tail_at(reading.file, offset + taken_bytes)?;
    let mut taken = take_beginning(reading.batch, stretch, line_bytes - span.len as u64);
    taken.before = after;
    reading.count(known, taken);
    known.print.move_on(tail);
    known.offset += taken_bytes;
    known.overlong = 0;
    known.partial = None;
    known.dirty = true;
    Ok(())
}

fn joined(lines: Taken, last: Taken) -> Taken {
    Taken {
        bytes: lines.bytes + last.bytes,
        rest: 0,
        hole_bytes: lines.hole_bytes + last.hole_bytes,
        cut_lines: lines.cut_lines + last.cut_lines,
        cut_bytes: lines.cut_bytes + last.cut_bytes,
        ..last
    }
}

impl Known {
    /// Moves the position on over `taken` bytes; `read` ends there.
    fn print_advance(&mut self, taken: u64, read: &[u8]) {
        if taken > 0 {
            self.offset += taken;
            self.print.advance(self.offset, read);
            self.dirty = true;
        }
    }
}

impl Reading<'_> {
    fn stretch(&self, known: &Known, span: Span, begin: usize) -> Stretch {
        Stretch {
            span,
            begin,
            offset: known.offset,
            charset: self.charset,
            line_bytes_max: self.source.line_bytes_max,
            before: known.before,
        }
    }

    /// Notes that `bytes` stand behind the last newline at the end of the file, and says whether that has been so for
    /// long enough to take them for a line.
    fn last_line_is_due(&self, known: &mut Known, bytes: u64, wait: Duration) -> bool {
        if let Some(gunzip) = &known.gunzip {
            return bytes > 0 && gunzip.is_at_end;
        }
        let known_since = known.partial.filter(|partial| partial.bytes == bytes).map(|partial| partial.since);
        let since = known_since.unwrap_or(self.now);
        let is_due = bytes > 0 && self.now >= later(since, wait);
        known.partial = (bytes > 0 && !is_due).then_some(Partial { bytes, since, wait });
        is_due
    }

    /// Ends the use of the span read last, and counts what was taken.
    fn count(&mut self, known: &mut Known, taken: Taken) {
        known.before = taken.before;
        self.counters.cut_lines += taken.cut_lines;
        self.counters.cut_bytes += taken.cut_bytes;
        self.counters.hole_bytes += taken.hole_bytes;
        self.settle(known);
    }

    fn settle(&mut self, known: &Known) {
        let origin = Origin {
            file: known.key,
            path: Arc::clone(&known.path),
            source: Arc::clone(&known.source_name),
            ingested_at: self.now,
        };
        self.counters.invalid_lines += self.batch.settle(&origin);
    }
}

/// Where a file is read from if what stands in it is to be left out: behind its last newline, or, if that is far, at
/// its end.
pub(super) fn end_of_lines(file: &File, size: u64, charset: Charset) -> io::Result<u64> {
    const BACK_BYTES: u64 = 64 << 10;
    let start = size.saturating_sub(BACK_BYTES);
    let mut buffer = vec![0; usize::try_from(size - start).unwrap_or_default()];
    let bytes = bytes_at(file, start, &mut buffer)?;
    let newline = charset.newlines(bytes, start).last();
    let behind = newline.map(|at| start + (at + charset.newline().len()) as u64);
    Ok(behind.unwrap_or(if start == 0 { 0 } else { charset.floor(start + bytes.len() as u64) }))
}
