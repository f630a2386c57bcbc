//! Text for people, in which what comes from outside can do no harm.

use std::fmt::{self, Write};

/// Shows control characters as escapes, `\n` and `\u{1b}`: a file name, or what stands in a file, may hold any, and a
/// terminal obeys them. So are characters shown that turn the direction of writing, behind which other text can hide.
#[derive(Clone, Copy, Debug)]
pub struct Shown<T>(pub T);

impl<T: fmt::Display> fmt::Display for Shown<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What is to be padded must be known as a whole.
        if f.width().is_some() {
            let mut shown = String::new();
            write!(Escaping { to: &mut shown, kept: &[] }, "{}", self.0)?;
            return f.pad(&shown);
        }
        write!(Escaping { to: f, kept: &[] }, "{}", self.0)
    }
}

/// Text of several lines, as [`Shown`]; what ends and indents lines is kept.
#[derive(Clone, Copy, Debug)]
pub struct ShownLines<T>(pub T);

impl<T: fmt::Display> fmt::Display for ShownLines<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaping { to: f, kept: &['\n', '\t'] }, "{}", self.0)
    }
}

/// JSON in which the same characters are escaped as JSON does it; it is the same JSON.
pub fn json_text(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        match is_unfit(c) && c != '\n' {
            true => c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| text += &format!("\\u{unit:04x}")),
            false => text.push(c),
        }
    }
    text
}

/// Writes to `to`, with escapes for all that is not fit for a terminal and not kept.
struct Escaping<'a, W> {
    to: W,
    kept: &'a [char],
}

impl<W: Write> Write for Escaping<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some(at) = rest.find(|c| is_unfit(c) && !self.kept.contains(&c)) {
            let (fit, behind) = rest.split_at(at);
            self.to.write_str(fit)?;
            let mut characters = behind.chars();
            if let Some(unfit) = characters.next() {
                write!(self.to, "{}", unfit.escape_default())?;
            }
            rest = characters.as_str();
        }
        self.to.write_str(rest)
    }
}

fn is_unfit(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped_and_all_else_stays() {
        let text = "a\u{1b}[2J\r\nb\u{7f}\u{9b}é\\ 日\u{202e}\0";
        assert_eq!(Shown(text).to_string(), r"a\u{1b}[2J\r\nb\u{7f}\u{9b}é\ 日\u{202e}\u{0}");
        assert_eq!(ShownLines("a\n\tb\u{7}").to_string(), "a\n\tb\\u{7}");
        assert_eq!(json_text("[\"a\u{9b}\",\n\"\u{202e}é\"]"), "[\"a\\u009b\",\n\"\\u202eé\"]");
        assert_eq!(format!("{:<6}|", Shown("\u{7}")), "\\u{7} |");
    }
}
