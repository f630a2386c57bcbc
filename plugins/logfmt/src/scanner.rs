//! Reads pairs from left to right, without building anything: keys and values are places in the line.

use std::borrow::Cow;

use logsmith_plugin::{Reject, scan};

/// Bytes of a line, from one to before the other.
type Place = (u32, u32);

/// A key, and its value.
#[derive(Clone, Copy, Debug)]
pub struct Pair {
    key: Place,
    pub value: Value,
}

/// The value of a pair.
#[derive(Clone, Copy, Debug)]
pub enum Value {
    /// The key stands alone.
    None,
    /// As it stands there.
    Plain(Place),
    /// With escapes.
    Escaped(Place),
}

#[inline(always)]
fn text(line: &str, (start, end): Place) -> &str {
    line.get(start as usize..end as usize).unwrap_or_default()
}

impl Pair {
    #[inline(always)]
    pub fn key(self, line: &str) -> &str {
        text(line, self.key)
    }

    /// The value, where it has no escapes.
    #[inline(always)]
    pub fn plain(self, line: &str) -> Option<&str> {
        match self.value {
            Value::Plain(place) => Some(text(line, place)),
            Value::None | Value::Escaped(_) => None,
        }
    }

    pub fn text(self, line: &str) -> Option<Cow<'_, str>> {
        match self.value {
            Value::None => None,
            Value::Plain(place) => Some(Cow::Borrowed(text(line, place))),
            Value::Escaped(place) => Some(Cow::Owned(unescaped(text(line, place)))),
        }
    }
}

pub struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Scanner<'a> {
    pub fn new(line: &'a str) -> Self {
        Self { bytes: line.as_bytes(), at: 0 }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn place(&self, start: usize) -> Place {
        (start as u32, self.at as u32)
    }

    /// The next pair; none at the end of the line.
    #[inline(always)]
    pub fn next(&mut self) -> Result<Option<Pair>, Reject> {
        while matches!(self.peek(), Some(0..=b' ')) {
            self.at += 1;
        }
        let start = self.at;
        self.at = scan::blank_or_control_or(self.bytes, start, b'=', b'"');
        if start == self.at {
            return match self.peek() {
                None => Ok(None),
                Some(_) => Err(self.fail("a key")),
            };
        }
        let key = self.place(start);
        if self.peek() != Some(b'=') {
            if self.peek() == Some(b'"') {
                return Err(self.fail("`=` or a blank"));
            }
            return Ok(Some(Pair { key, value: Value::None }));
        }
        self.at += 1;
        let value = if self.peek() == Some(b'"') { self.quoted()? } else { self.bare() };
        Ok(Some(Pair { key, value }))
    }

    #[inline(always)]
    fn bare(&mut self) -> Value {
        let start = self.at;
        self.at = scan::blank_or_control(self.bytes, start);
        Value::Plain(self.place(start))
    }

    /// From the opening quote on.
    #[inline(always)]
    fn quoted(&mut self) -> Result<Value, Reject> {
        let start = self.at + 1;
        self.at = start;
        let mut has_escapes = false;
        loop {
            self.at = scan::quote_escape_or_control(self.bytes, self.at);
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    has_escapes = true;
                    self.at += 2;
                }
                Some(_) => self.at += 1,
                None => {
                    self.at = self.bytes.len();
                    return Err(self.fail("a closing `\"`"));
                }
            }
        }
        let place = self.place(start);
        self.at += 1;
        match self.peek() {
            None | Some(0..=b' ') => {}
            Some(_) => return Err(self.fail("a blank behind the value")),
        }
        Ok(if has_escapes { Value::Escaped(place) } else { Value::Plain(place) })
    }

    #[cold]
    fn fail(&self, what: &str) -> Reject {
        Reject::new(format!("expected {what} at byte {}", self.at))
    }
}

/// An escape that means nothing stays as it is.
fn unescaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    let mut rest = value;
    while let Some((before, behind)) = rest.split_once('\\') {
        text.push_str(before);
        let mut chars = behind.chars();
        let meaning = match chars.next() {
            Some('n') => Some('\n'),
            Some('r') => Some('\r'),
            Some('t') => Some('\t'),
            Some(sign @ ('"' | '\\')) => Some(sign),
            Some('u') => {
                let digits = chars.as_str().get(..4);
                let number = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
                let meaning = number.and_then(char::from_u32);
                if meaning.is_some() {
                    chars.nth(3);
                }
                meaning
            }
            _ => None,
        };
        match meaning {
            Some(c) => {
                text.push(c);
                rest = chars.as_str();
            }
            None => {
                text.push('\\');
                rest = behind;
            }
        }
    }
    text.push_str(rest);
    text
}
