//! RFC 5424, section 6: what stands behind the version.

use logsmith_plugin::{Offset, Reject, scan};

use crate::{Parts, present, rfc3339};

/// The mark that says that a message is UTF-8.
const BOM: char = '\u{feff}';

/// Reads `rest`, which begins at byte `at` of the line.
pub(crate) fn read(rest: &str, at: usize, zone: Offset) -> Result<Parts<'_>, Reject> {
    let mut words = Words { text: rest, at: 0, offset: at };
    let time = match present(words.next("the time")?) {
        Some(text) => Some(rfc3339(text, zone).ok_or_else(|| {
            Reject::new(format!("the time is {text:?}, and not like 2026-11-30T08:05:09.123456Z"))
        })?),
        None => None,
    };
    let hostname = present(words.next("the host")?);
    let app = present(words.next("the application")?);
    let pid = present(words.next("the process")?);
    let message_id = present(words.next("the message's id")?);
    let behind = words.rest();
    let (data, message) = match behind.strip_prefix('-') {
        Some(message) => ("", message),
        None => split(behind, words.offset + words.at)?,
    };
    let message = match message.strip_prefix(' ') {
        Some(message) => message.strip_prefix(BOM).unwrap_or(message),
        None if message.is_empty() => message,
        None => {
            let at = at + rest.len() - message.len();
            return Err(Reject::new(format!("expected a blank before the message, at byte {at}")));
        }
    };
    Ok(Parts { time, hostname, app, pid, message_id, data, message })
}

struct Words<'a> {
    text: &'a str,
    at: usize,
    offset: usize,
}

impl<'a> Words<'a> {
    /// The text before the next blank.
    fn next(&mut self, what: &str) -> Result<&'a str, Reject> {
        let end = scan::byte(self.text.as_bytes(), self.at, b' ');
        let word = self.text.get(self.at..end).unwrap_or_default();
        if word.is_empty() || end == self.text.len() {
            return Err(Reject::new(format!("expected {what} at byte {}", self.offset + self.at)));
        }
        self.at = end + 1;
        Ok(word)
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }
}

/// Structured data, checked, and what follows.
fn split(text: &str, offset: usize) -> Result<(&str, &str), Reject> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while bytes.get(at) == Some(&b'[') {
        at = element_end(bytes, at).map_err(|(what, at)| {
            Reject::new(format!("expected {what} in the structured data, at byte {}", offset + at))
        })?;
    }
    if at == 0 {
        return Err(Reject::new(format!("expected structured data or `-` at byte {offset}")));
    }
    Ok(text.split_at_checked(at).unwrap_or((text, "")))
}

type Expected = (&'static str, usize);

/// The place behind the `]` of the element that begins at `start`.
fn element_end(bytes: &[u8], start: usize) -> Result<usize, Expected> {
    let mut at = name_end(bytes, start + 1, b" ]").ok_or(("a name", start + 1))?;
    loop {
        match bytes.get(at) {
            Some(b']') => return Ok(at + 1),
            Some(b' ') => at += 1,
            _ => return Err(("`]`", at)),
        }
        let name = at;
        at = name_end(bytes, name, b"=").ok_or(("a name and `=`", name))? + 1;
        if bytes.get(at) != Some(&b'"') {
            return Err(("`\"`", at));
        }
        at = value_end(bytes, at + 1).ok_or(("a closing `\"`", bytes.len()))? + 1;
    }
}

/// Where the name ends that begins at `start`: before one of `ends`.
fn name_end(bytes: &[u8], start: usize, ends: &[u8]) -> Option<usize> {
    let rest = bytes.get(start..)?;
    let len =
        rest.iter().position(|byte| matches!(byte, b' ' | b'=' | b']' | b'"') || ends.contains(byte))?;
    (len > 0 && rest.get(len).is_some_and(|byte| ends.contains(byte))).then_some(start + len)
}

/// The closing quote of the value that begins at `start`.
fn value_end(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    loop {
        match bytes.get(at)? {
            b'"' => return Some(at),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

/// Each parameter of checked structured data: the element's id, its name, its value without escapes.
pub(crate) fn params(data: &str) -> impl Iterator<Item = (&str, &str, String)> {
    let mut rest = data;
    let mut id = "";
    std::iter::from_fn(move || {
        loop {
            if let Some(element) = rest.strip_prefix('[') {
                let end = element.find([' ', ']'])?;
                (id, rest) = element.split_at_checked(end)?;
            } else if let Some(behind) = rest.strip_prefix(']') {
                rest = behind;
            } else {
                let (name, value) = rest.strip_prefix(' ')?.split_once("=\"")?;
                let end = value_end(value.as_bytes(), 0)?;
                rest = value.get(end + 1..)?;
                return Some((id, name, unescaped(value.get(..end)?)));
            }
        }
    })
}

/// A backslash before `"`, `\` or `]` goes; before anything else it stays.
fn unescaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    let mut chars = value.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, chars.peek()) {
            ('\\', Some('"' | '\\' | ']')) => text.extend(chars.next()),
            _ => text.push(c),
        }
    }
    text
}
