//! Takes a record apart by one pattern.

use logsmith_plugin::{Offset, Timestamp, scan};

use crate::exception;
use crate::layout::{Extent, Item};

/// Bytes of a record, from one to before the other.
#[derive(Clone, Copy, Debug, Default)]
pub struct Span(u32, u32);

impl Span {
    #[inline(always)]
    pub fn text(self, record: &str) -> &str {
        record.get(self.0 as usize..self.1 as usize).unwrap_or_default()
    }
}

/// What was read beside the texts.
#[derive(Clone, Copy, Debug)]
pub struct Read {
    pub time: Option<Timestamp>,
    /// Where the pattern ends: with the record, or at the newline before a throwable.
    pub end: usize,
}

/// One attempt.
pub struct Reading<'r> {
    text: &'r str,
    items: &'r [Item],
    ingested_at: Timestamp,
    zone: Offset,
    spans: &'r mut [Span],
    read: Read,
    furthest: usize,
    steps_left: usize,
}

/// A record that is not taken apart after so many steps counts as one that the pattern does not fit.
const STEPS_MAX: usize = 1_000;

/// Words and names have no more. Bytes.
const WORD_BYTES_MAX: usize = 1_024;

impl<'r> Reading<'r> {
    pub fn new(
        text: &'r str,
        items: &'r [Item],
        ingested_at: Timestamp,
        zone: Offset,
        spans: &'r mut Vec<Span>,
    ) -> Self {
        spans.clear();
        spans.resize(items.len(), Span::default());
        let read = Read { time: None, end: 0 };
        Self { text, items, ingested_at, zone, spans, read, furthest: 0, steps_left: STEPS_MAX }
    }

    pub fn read(&mut self) -> Option<Read> {
        self.fits(0, 0).then_some(self.read)
    }

    /// The last byte to which the pattern fits.
    pub fn furthest(&self) -> usize {
        self.furthest
    }

    /// Whether the pattern fits from this item and this byte on.
    fn fits(&mut self, item: usize, at: usize) -> bool {
        if self.steps_left == 0 {
            return false;
        }
        self.steps_left -= 1;
        self.furthest = self.furthest.max(at);
        let items = self.items;
        match items.get(item) {
            None => {
                self.read.end = at;
                at == self.text.len() || self.text.get(at..).is_some_and(exception::follows)
            }
            Some(Item::Literal(literal)) => {
                self.begins(at, literal) && self.fits(item + 1, at + literal.len())
            }
            Some(Item::Time(dates)) => {
                let text = self.text.get(at..).unwrap_or_default();
                let Some((time, len)) = dates.read(text, self.ingested_at, self.zone) else { return false };
                self.read.time = Some(time);
                self.fits(item + 1, at + len)
            }
            Some(Item::Text { extent, is_padded, .. }) => self.value_fits(item, at, *extent, *is_padded),
        }
    }

    fn begins(&self, at: usize, literal: &str) -> bool {
        self.text.as_bytes().get(at..).is_some_and(|rest| rest.starts_with(literal.as_bytes()))
    }

    /// Whether the pattern fits from this value on, for one of the ends that the value may have: the first does.
    fn value_fits(&mut self, item: usize, at: usize, extent: Extent, is_padded: bool) -> bool {
        let start = if is_padded { self.blanks_end(at) } else { at };
        let end = self.end(start, extent);
        if end == start && !extent.is_open() {
            return false;
        }
        let limit = if is_padded { self.blanks_end(end) } else { end };
        let items = self.items;
        let Some(Item::Literal(literal)) = items.get(item + 1) else {
            // The next value begins where this one cannot go on, and so does the end.
            return self.take(item, start, end, limit, is_padded);
        };
        let mut nesting = Nesting::before(literal, start);
        let mut from = start;
        while let Some(found) = self.find(from, limit, literal) {
            let is_whole = match &mut nesting {
                Some(nesting) => nesting.is_closed_at(found, self.text.as_bytes()),
                None => Some(true),
            };
            // Of values with brackets that were cut, the first end counts.
            let Some(is_whole) = is_whole.map(|is_whole| is_whole || from == start) else { return false };
            let next = if is_padded { self.past_padding(found, literal) } else { found };
            if is_whole
                && (found > start || extent.is_open())
                && self.take(item, start, found, next, is_padded)
            {
                return true;
            }
            from = next + 1;
        }
        false
    }

    /// Takes the value, and goes on behind it at `next`.
    fn take(&mut self, item: usize, start: usize, end: usize, next: usize, is_padded: bool) -> bool {
        let value = self.text.get(start..end).unwrap_or_default();
        let value_end = if is_padded { start + value.trim_end_matches(' ').len() } else { end };
        if let Some(span) = self.spans.get_mut(item) {
            *span = Span(start as u32, value_end as u32);
        }
        self.fits(item + 1, next)
    }

    /// The first place of a literal that begins at `limit` at the latest.
    fn find(&self, from: usize, limit: usize, literal: &str) -> Option<usize> {
        let bytes = self.text.as_bytes();
        let first = *literal.as_bytes().first()?;
        let mut at = from;
        loop {
            at = scan::byte(bytes, at, first);
            if at > limit || at >= bytes.len() {
                return None;
            }
            if self.begins(at, literal) {
                return Some(at);
            }
            at += 1;
        }
    }

    /// Of blanks before a literal that begins with one, all but those that it needs are padding.
    fn past_padding(&self, found: usize, literal: &str) -> usize {
        let mut at = found;
        while self.text.as_bytes().get(at) == Some(&b' ') && self.begins(at + 1, literal) {
            at += 1;
        }
        at
    }

    fn blanks_end(&self, at: usize) -> usize {
        let rest = self.text.as_bytes().get(at..).unwrap_or_default();
        at + rest.iter().take_while(|byte| **byte == b' ').count()
    }

    /// Where a value must end at the latest.
    fn end(&self, start: usize, extent: Extent) -> usize {
        let bytes = self.text.as_bytes();
        let while_are = |is: fn(u8) -> bool| {
            let rest = bytes.get(start..).unwrap_or_default();
            start + rest.iter().take(WORD_BYTES_MAX).take_while(|byte| is(**byte)).count()
        };
        let end = match extent {
            Extent::Letters => while_are(|byte| byte.is_ascii_alphanumeric() || byte == b'_'),
            Extent::Digits if bytes.get(start) == Some(&b'?') => start + 1,
            Extent::Digits => while_are(|byte| byte.is_ascii_digit()),
            Extent::Name => while_are(|byte| byte.is_ascii_alphanumeric() || b"_.$<>/?~-".contains(&byte)),
            Extent::Method => while_are(|byte| byte.is_ascii_alphanumeric() || b"_$<>?~-".contains(&byte)),
            Extent::Word => while_are(|byte| !byte.is_ascii_whitespace()),
            Extent::Line => scan::byte(bytes, start, b'\n'),
            Extent::All => bytes.len(),
        };
        // A word that is cut may be so within a character.
        (start..=end).rev().find(|end| self.text.is_char_boundary(*end)).unwrap_or(start)
    }
}

/// How deep within brackets a value is that stands in brackets itself.
struct Nesting {
    open: u8,
    close: u8,
    depth: usize,
    counted: usize,
}

impl Nesting {
    /// For a value from `start` on that this literal follows.
    fn before(literal: &str, start: usize) -> Option<Self> {
        let (open, close) = match literal.bytes().next()? {
            b']' => (b'[', b']'),
            b')' => (b'(', b')'),
            _ => return None,
        };
        Some(Self { open, close, depth: 0, counted: start })
    }

    /// Whether all brackets that the value opens are closed before `end`; `None` where one is closed before a blank
    /// that the value has not opened: it has ended there.
    fn is_closed_at(&mut self, end: usize, bytes: &[u8]) -> Option<bool> {
        for at in self.counted..end {
            let byte = *bytes.get(at)?;
            if byte == self.open {
                self.depth += 1;
            } else if byte == self.close && self.depth > 0 {
                self.depth -= 1;
            } else if byte == self.close && bytes.get(at + 1) == Some(&b' ') {
                return None;
            }
        }
        self.counted = end;
        Some(self.depth == 0)
    }
}
