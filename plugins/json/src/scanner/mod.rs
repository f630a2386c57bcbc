//! Reads a JSON text from left to right, without building anything: values are places in the line.

mod nested;

use std::num::NonZeroU64;

use logsmith_plugin::{Reject, append_str, scan};

/// Where a text is. One word, since it is handed from function to function for each field of each line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span(NonZeroU64);

impl Span {
    /// Nowhere: `null`.
    pub const NULL: Self = Self(NonZeroU64::MIN);
    /// Among the texts whose escapes were resolved, and not in the line.
    const UNESCAPED: u64 = 1 << 1;

    #[inline(always)]
    fn new(start: usize, end: usize, place: u64) -> Self {
        // Neither has more than 31 bits: a column of text has less than 2 GiB.
        Self(NonZeroU64::MIN | place | (start as u64) << 2 | (end as u64) << 33)
    }

    /// The bytes of the text: a name to compare needs no more.
    #[inline(always)]
    pub fn bytes<'a>(self, line: &'a str, unescaped: &'a str) -> &'a [u8] {
        let bits = self.0.get();
        let place = if bits & Self::UNESCAPED == 0 { line } else { unescaped };
        place.as_bytes().get((bits >> 2) as usize & 0x7fff_ffff..(bits >> 33) as usize).unwrap_or_default()
    }

    /// The text, out of the line or out of the texts whose escapes were resolved.
    ///
    /// # Safety
    /// The span was made from this very line, and `unescaped` has only grown since.
    #[inline(always)]
    pub unsafe fn text<'a>(self, line: &'a str, unescaped: &'a str) -> Option<&'a str> {
        if self == Self::NULL {
            return None;
        }
        let bits = self.0.get();
        let place = if bits & Self::UNESCAPED == 0 { line } else { unescaped };
        let range = (bits >> 2) as usize & 0x7fff_ffff..(bits >> 33) as usize;
        debug_assert!(place.get(range.clone()).is_some(), "a span of another line");
        // SAFETY: by the caller's promise the scanner made the span from `place`: in it, and between two characters, since
        // a byte of ASCII (a quote, a sign, a digit), an escape's end or an end of the text stands on either side.
        // Checking all that again for each text of each line costs a tenth of the whole way.
        Some(unsafe { place.get_unchecked(range) })
    }
}

/// The line is no JSON object.
#[derive(Clone, Copy, Debug)]
pub struct Failed {
    at: usize,
    why: Why,
}

#[derive(Clone, Copy, Debug)]
enum Why {
    /// Something else was expected.
    Expected(&'static str),
    /// A string does not go on here. Where it begins.
    StringFrom(usize),
}

impl Failed {
    /// The same in words, for the line that was scanned.
    #[cold]
    pub fn into_reject(self, line: &str) -> Reject {
        let Self { at, why } = self;
        let found = line.get(at..).and_then(|rest| rest.chars().next());
        Reject::new(match (why, found) {
            (Why::Expected(expected), Some(found)) => format!("{expected}, found `{found}` at byte {at}"),
            (Why::Expected(expected), None) => format!("{expected}, but the line ends at byte {at}"),
            (Why::StringFrom(_), Some(found)) => {
                format!("control character {:#04x} in a string at byte {at}", u32::from(found))
            }
            (Why::StringFrom(start), None) => {
                format!("the line ends inside the string that begins at byte {start}")
            }
        })
    }
}

/// A place in a line. What is not inlined takes it by value: one whose address is taken lives in memory, where each
/// step of a field waits for the one before.
#[derive(Clone, Copy)]
pub struct Scanner<'a> {
    line: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    pub fn new(line: &'a str) -> Self {
        Self { line, at: 0 }
    }

    pub fn line(&self) -> &'a str {
        self.line
    }

    /// The `{` that begins the line.
    pub fn open_object(&mut self) -> Result<(), Failed> {
        match self.next_sign() {
            Some(b'{') => self.step(),
            _ => return Err(self.fail("not a JSON object: expected `{`")),
        }
        Ok(())
    }

    /// Whether the object that was just opened has a field.
    pub fn first_field(&mut self) -> Result<bool, Failed> {
        match self.next_sign() {
            Some(b'"') => Ok(true),
            Some(b'}') => {
                self.step();
                Ok(false)
            }
            _ => Err(self.fail("expected the name of a field, or `}`")),
        }
    }

    /// Whether another field follows in this object.
    #[inline(always)]
    pub fn next_field(&mut self) -> Result<bool, Failed> {
        match self.next_sign() {
            Some(b',') => {
                self.step();
                match self.next_sign() {
                    Some(b'"') => Ok(true),
                    _ => Err(self.fail("expected the name of a field")),
                }
            }
            Some(b'}') => {
                self.step();
                Ok(false)
            }
            _ => Err(self.fail("expected `,` or `}` after a field")),
        }
    }

    /// A field's name and the `:` after it.
    #[inline(always)]
    pub fn field_name(&mut self, unescaped: &mut String) -> Result<Span, Failed> {
        let name = self.string(Some(unescaped))?;
        match self.next_sign() {
            Some(b':') => self.step(),
            _ => return Err(self.fail("expected `:` after the name of a field")),
        }
        Ok(name)
    }

    /// A value of any kind. Nested ones are as written.
    #[inline(always)]
    pub fn value(&mut self, unescaped: &mut String) -> Result<Span, Failed> {
        match self.next_sign() {
            Some(b'"') => self.string(Some(unescaped)),
            Some(b'{' | b'[') => {
                let start = self.at;
                self.at = self.nested()?;
                Ok(self.span(start))
            }
            _ => self.scalar(),
        }
    }

    /// That nothing follows.
    pub fn end(&mut self) -> Result<(), Failed> {
        match self.next_sign() {
            None => Ok(()),
            Some(_) => Err(self.fail("expected nothing after the object")),
        }
    }

    fn step(&mut self) {
        self.at += 1;
    }

    fn peek(&self) -> Option<u8> {
        self.line.as_bytes().get(self.at).copied()
    }

    /// The next byte that is not blank.
    #[inline(always)]
    fn next_sign(&mut self) -> Option<u8> {
        match self.peek() {
            Some(b' ' | b'\t' | b'\r' | b'\n') => {
                self.at = self.blanks_end();
                self.peek()
            }
            sign => sign,
        }
    }

    fn blanks_end(mut self) -> usize {
        while let Some(b' ' | b'\t' | b'\r' | b'\n') = self.peek() {
            self.step();
        }
        self.at
    }

    #[inline(always)]
    fn span(&self, start: usize) -> Span {
        Span::new(start, self.at, 0)
    }

    /// A string, from its opening quote on. Without a place for escapes to be resolved to, they are only checked.
    #[inline(always)]
    fn string(&mut self, unescaped: Option<&mut String>) -> Result<Span, Failed> {
        let start = self.at + 1;
        self.at = scan::quote_escape_or_control(self.line.as_bytes(), start);
        match self.peek() {
            Some(b'"') => {
                let span = self.span(start);
                self.step();
                Ok(span)
            }
            Some(b'\\') => {
                let (span, end) = self.escaped_string(start, unescaped)?;
                self.at = end;
                Ok(span)
            }
            _ => Err(self.fail_string(start)),
        }
    }

    /// The string, and the place behind it.
    #[inline(never)]
    fn escaped_string(
        mut self,
        start: usize,
        unescaped: Option<&mut String>,
    ) -> Result<(Span, usize), Failed> {
        let mut checked_only = String::new();
        let text = unescaped.unwrap_or(&mut checked_only);
        let text_start = text.len();
        let mut from = start;
        loop {
            append_str(text, self.line.get(from..self.at).unwrap_or_default());
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => text.push(self.escape()?),
                _ => return Err(self.fail_string(start)),
            }
            from = self.at;
            self.at = scan::quote_escape_or_control(self.line.as_bytes(), from);
        }
        self.step();
        Ok((Span::new(text_start, text.len(), Span::UNESCAPED), self.at))
    }

    /// What an escape stands for. Half of a surrogate pair stands for U+FFFD.
    fn escape(&mut self) -> Result<char, Failed> {
        self.step();
        let letter = self.peek();
        let meaning = match letter {
            Some(b'n') => '\n',
            Some(b't') => '\t',
            Some(b'r') => '\r',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(sign @ (b'"' | b'\\' | b'/')) => char::from(sign),
            Some(b'u') => return self.unicode_escape(),
            _ => return Err(self.fail("unknown escape")),
        };
        self.step();
        Ok(meaning)
    }

    fn unicode_escape(&mut self) -> Result<char, Failed> {
        let first = self.four_hex_digits()?;
        if let 0xd800..=0xdbff = first
            && self.line.as_bytes().get(self.at..self.at + 2) == Some(br"\u")
        {
            let here = self.at;
            self.step();
            let second = self.four_hex_digits()?;
            if let 0xdc00..=0xdfff = second {
                let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            self.at = here;
        }
        Ok(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    /// The number after a `u`, which is the current byte.
    fn four_hex_digits(&mut self) -> Result<u32, Failed> {
        let mut code = 0;
        for _ in 0..4 {
            self.step();
            let digit = self.peek().and_then(|byte| char::from(byte).to_digit(16));
            let Some(digit) = digit else {
                return Err(self.fail("expected four hexadecimal digits after `\\u`"));
            };
            code = code << 4 | digit;
        }
        self.step();
        Ok(code)
    }

    /// A number, `true`, `false` or `null`.
    #[inline(always)]
    fn scalar(&mut self) -> Result<Span, Failed> {
        match self.peek() {
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.literal(b"true"),
            Some(b'f') => self.literal(b"false"),
            Some(b'n') => self.literal(b"null").map(|_| Span::NULL),
            _ => Err(self.fail("expected a value")),
        }
    }

    #[inline(always)]
    fn literal<const N: usize>(&mut self, literal: &[u8; N]) -> Result<Span, Failed> {
        let start = self.at;
        if self.line.as_bytes().get(start..).and_then(|rest| rest.first_chunk()) != Some(literal) {
            return Err(self.fail("expected a value"));
        }
        self.at += N;
        Ok(self.span(start))
    }

    #[inline(always)]
    fn number(&mut self) -> Result<Span, Failed> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.step();
        }
        if self.peek() == Some(b'0') {
            self.step();
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.step();
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.step();
            if let Some(b'+' | b'-') = self.peek() {
                self.step();
            }
            self.digits()?;
        }
        Ok(self.span(start))
    }

    #[inline(always)]
    fn digits(&mut self) -> Result<(), Failed> {
        let start = self.at;
        self.at = scan::digits_end(self.line.as_bytes(), start);
        if self.at == start { Err(self.fail("expected a digit")) } else { Ok(()) }
    }

    #[inline(always)]
    fn fail(&self, expected: &'static str) -> Failed {
        Failed { at: self.at, why: Why::Expected(expected) }
    }

    #[inline(always)]
    fn fail_string(&self, start: usize) -> Failed {
        Failed { at: self.at, why: Why::StringFrom(start - 1) }
    }
}
