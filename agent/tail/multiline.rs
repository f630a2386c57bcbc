//! Records of several lines: which lines belong together, and how they are taken as one row.
//!
//! A record is complete when the line behind it is, and begins another one (one of a container runtime when its own last
//! line says so); when nothing is written for a while; when its file is over; or when it has as many lines or bytes as it
//! may. Until then the offset stays before it, so that no
//! flush, restart or rotation splits or repeats it. What is written to one file and to its successor is two records.

use regex::bytes::Regex;
use std::time::Duration;

use super::batch::{LineBatch, Text};
use super::container::OpenStreams;
use super::encoding::Charset;
use super::holes::hole_at_start;
use super::lines::{Before, Piece, Stretch, Taken, TakenEnd, no_line_at_start, push};
use super::units::Units;

/// How lines make records.
#[derive(Clone, Debug)]
pub struct Multiline {
    /// Which lines belong together.
    pub rule: Rule,
    /// A record is complete when its file has not grown for this long.
    pub timeout: Duration,
    /// A record has no more lines than this; the next line begins another one.
    pub lines_max: usize,
}

/// Which lines belong together.
#[derive(Clone, Debug)]
pub enum Rule {
    /// A line that matches begins a record, all others continue one.
    Start(Regex),
    /// A line that matches continues the record before it, all others begin one.
    Continuation(Regex),
    /// What matches continues a record, and so does whatever follows on a line that matches the second expression.
    Trace {
        /// Lines that continue a record.
        continuation: Regex,
        /// Lines that are continued by the next, whatever that is.
        announcement: Regex,
    },
    /// A line of a container runtime that is a part of what its stream says is continued up to the part that ends it,
    /// and with it what the other stream says meanwhile.
    Container,
}

/// Why a rule is refused.
#[derive(Debug, thiserror::Error)]
pub enum RuleError {
    /// There is no such preset.
    #[error("`{0}` is no preset; there are indented, java, python, go, rust and container")]
    Preset(String),
    /// An expression is malformed.
    #[error("{0}")]
    Expression(#[from] regex::Error),
}

const INDENTED: &str = r"^[ \t]";
/// Nothing matches it.
const NEVER: &str = r"[^\s\S]";
const JAVA: &str =
    r"^(?:[ \t]|Caused by: |Suppressed: |(?:[A-Za-z_$][\w$]*\.)+[A-Z][\w$]*(?:Exception|Error|Throwable)\b)";
const PYTHON: &str = concat!(
    r"^(?:[ \t]|$|Traceback \(most recent call last\):|During handling of the above exception|The above exception was|",
    r"(?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*(?:Error|Exception|Warning|Interrupt|Exit|Iteration|ExceptionGroup)(?:: |$))"
);
const GO: &str = concat!(
    r"^(?:[ \t]|$|goroutine \d+ |\[signal |\[recovered\]|created by |exit status |panic: .*\[recovered\]|runtime stack:|",
    r"[\w./-]+(?:\.\(\*?\w+(?:\[\.\.\.\])?\))?(?:\.\w+)+(?:\[\.\.\.\])?\(.*\)$)"
);
const RUST: &str = r"^(?:[ \t]|stack backtrace:|note: |Caused by:)";
const RUST_ANNOUNCEMENT: &str = r"^thread '.*' (?:\(\d+\) )?panicked at .*:$";

impl Rule {
    /// A rule for the traces of a language; `indented`: lines that begin with a space or a tab continue; or `container`.
    ///
    /// # Errors
    /// There is no preset of this name.
    pub fn preset(name: &str) -> Result<Self, RuleError> {
        let (continuation, announcement) = match name {
            "indented" => (INDENTED, NEVER),
            "java" => (JAVA, NEVER),
            "python" => (PYTHON, NEVER),
            "go" => (GO, NEVER),
            "rust" => (RUST, RUST_ANNOUNCEMENT),
            "container" => return Ok(Self::Container),
            _ => return Err(RuleError::Preset(name.to_owned())),
        };
        Ok(Self::Trace { continuation: Regex::new(continuation)?, announcement: Regex::new(announcement)? })
    }

    /// Whether `line` belongs to `record`, which precedes it. Expressions match the text of lines.
    fn continues(&self, charset: Charset, record: &Record<'_>, line: &[u8]) -> bool {
        let line = charset.text(line);
        match self {
            Self::Start(start) => !start.is_match(&line),
            Self::Continuation(continuation) => continuation.is_match(&line),
            Self::Trace { continuation, announcement } => {
                continuation.is_match(&line) || announcement.is_match(&charset.text(record.last))
            }
            Self::Container => !record.open.is_empty() && record.open.after(&line).is_some(),
        }
    }

    /// What is open behind `line` in a record that has `open` before it.
    fn open_after(&self, charset: Charset, open: OpenStreams, line: &[u8]) -> OpenStreams {
        match self {
            Self::Container => open.after(&charset.text(line)).unwrap_or_default(),
            Self::Start(_) | Self::Continuation(_) | Self::Trace { .. } => open,
        }
    }

    /// Whether nothing that follows can belong to a record that has `open` at its end.
    fn is_complete(&self, open: OpenStreams) -> bool {
        matches!(self, Self::Container) && open.is_empty()
    }
}

/// What is to become of a record that may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// It waits for its end.
    Waits,
    /// It is taken as it is.
    IsTaken,
}

/// The lines of a record, in their stretch.
#[derive(Clone, Copy, Debug, Default)]
struct Record<'a> {
    start: usize,
    /// NULs before it that are a hole.
    hole: usize,
    /// The end of the last line without its newline, and with it.
    end: usize,
    next: usize,
    lines: usize,
    last: &'a [u8],
    open: OpenStreams,
}

/// Adds the complete records of a stretch to the batch.
pub(super) fn take_records(batch: &mut LineBatch, stretch: Stretch, rule: &Multiline, rest: Rest) -> Taken {
    let (span, rows) = batch.open(stretch.span);
    let bytes = span.bytes.get(stretch.begin..).unwrap_or_default();
    let mut taken = Taken::nothing(stretch.before);
    taken.bytes = no_line_at_start(bytes, &stretch);
    let charset = stretch.charset;
    let complete = charset.check(bytes);
    let mut add = |taken: &mut Taken, record: Record<'_>, text: Text| {
        taken.bytes = record.start;
        let line = bytes.get(record.start..record.end).unwrap_or_default();
        push(rows, &span, &stretch, taken, Piece { line, left_out: 0, text });
        taken.hole_bytes += record.hole as u64;
        taken.bytes = record.next;
        taken.before = if record.next > record.end { Before::Line } else { Before::OpenLine };
        rows.is_full()
    };
    let mut open: Option<Record<'_>> = None;
    let mut next = taken.bytes;
    for (end, behind) in line_ends(bytes, &stretch, next, rest) {
        let line = bytes.get(next..end).unwrap_or_default();
        let line = if behind > end { charset.without_return(line) } else { line };
        let hole = hole_at_start(charset, line, stretch.offset + next as u64);
        let text = if behind > end { complete } else { Text::Unchecked(charset) };
        let line = line.get(hole..).unwrap_or_default();
        let start = next + hole;
        next = behind;
        let joined = open.filter(|record| {
            hole == 0
                && record.lines < rule.lines_max
                && start + line.len() - record.start <= stretch.line_bytes_max
                && rule.rule.continues(charset, record, line)
        });
        if joined.is_none()
            && let Some(before) = open.take()
            && add(&mut taken, before, text)
        {
            taken.end = TakenEnd::BatchFull;
            break;
        }
        let before = joined.unwrap_or(Record { start, hole, ..Record::default() });
        let streams = rule.rule.open_after(charset, before.open, line);
        let (end, lines) = (start + line.len(), before.lines + 1);
        let record = Record { end, next: behind, lines, last: line, open: streams, ..before };
        open = Some(record);
        if rule.rule.is_complete(record.open) {
            open = None;
            if add(&mut taken, record, text) {
                taken.end = TakenEnd::BatchFull;
                break;
            }
        }
    }
    let rest_bytes = bytes.len() - taken.bytes;
    let is_over = rest == Rest::IsTaken || rest_bytes > stretch.line_bytes_max;
    if let Some(record) = open
        && is_over
    {
        add(&mut taken, record, Text::Unchecked(charset));
    }
    taken.rest = bytes.len() - taken.bytes;
    if taken.end == TakenEnd::NoNewline && taken.rest > stretch.line_bytes_max {
        taken.end = TakenEnd::TooLong;
    }
    taken
}

/// Where the lines of a stretch end from `first` on, without their newline and with it; what stands behind the last
/// newline is a line if the rest is taken.
fn line_ends(bytes: &[u8], stretch: &Stretch, first: usize, rest: Rest) -> Vec<(usize, usize)> {
    let (charset, at) = (stretch.charset, stretch.offset);
    let newline_bytes = charset.newline().len();
    let ends = charset.newlines(bytes, at).filter(|end| *end >= first).map(|end| (end, end + newline_bytes));
    let is_open = rest == Rest::IsTaken && !charset.ends_line(bytes, at);
    ends.chain(is_open.then_some((bytes.len(), bytes.len()))).collect()
}
