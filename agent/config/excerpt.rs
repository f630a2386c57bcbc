//! The line of a file in which a mistake is, without what may be secret in it.

use std::fmt;

use crate::text::Shown;

/// A longer line helps nobody.
const CHARS_MAX: usize = 160;

/// What stands for text that is not shown.
const LEFT_OUT: char = '…';

/// How much of a line is shown beside its keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// The value that the mistake is in, and what is no string. A line may hold other values, and these may be secret.
    Value,
    /// Nothing behind its first `=`.
    Keys,
}

/// A line, for people, and a mark below the place of the mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Excerpt {
    number: usize,
    line: String,
    before_mark: String,
}

/// What the end of a line is looked for in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    Nothing,
    Comment,
    /// A string that this ends; with what it begins.
    Text(&'static str),
}

impl Excerpt {
    /// The line of `text` in which byte `at` stands. `None` where what stands there might be anything.
    pub(super) fn of(text: &str, at: usize, extent: Extent) -> Option<Self> {
        let before = text.get(..at)?;
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let end = text.get(at..)?.find('\n').map_or(text.len(), |newline| at + newline);
        let written = text.get(start..end)?;
        if extent == Extent::Keys && !written.contains('=') && !written.trim_start().starts_with('[') {
            return None;
        }
        let (mut line, mut before_mark) = (String::new(), String::new());
        let mut within = Within::Nothing;
        let (mut is_shown_text, mut skipped_to) = (false, 0);
        for (place, c) in text.get(..end)?.char_indices() {
            let rest = text.get(place..end)?;
            if place == at {
                before_mark = line.chars().map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
            }
            if place < skipped_to {
                // Behind a backslash, or of a mark of three characters.
                if place >= start && (is_shown_text || within == Within::Nothing) {
                    line.push(c);
                }
                continue;
            }
            let was = within;
            match within {
                Within::Nothing if c == '#' => within = Within::Comment,
                Within::Nothing => {
                    let marks = ["\"\"\"", "'''", "\"", "'"];
                    if let Some(mark) = marks.into_iter().find(|mark| rest.starts_with(mark)) {
                        within = Within::Text(mark);
                        skipped_to = place + mark.len();
                        is_shown_text = extent == Extent::Value && place == at;
                    }
                }
                Within::Comment | Within::Text("\"" | "'") if c == '\n' => within = Within::Nothing,
                Within::Text("\"" | "\"\"\"") if c == '\\' => {
                    skipped_to = place + 1 + rest.chars().nth(1).map_or(0, char::len_utf8);
                }
                Within::Text(mark) if rest.starts_with(mark) => {
                    within = Within::Nothing;
                    skipped_to = place + mark.len();
                }
                Within::Comment | Within::Text(_) => {}
            }
            if place < start || within == Within::Comment {
                continue;
            }
            let is_mark = was != within;
            if is_mark || within == Within::Nothing || is_shown_text {
                line.push(c);
            } else if !line.ends_with(LEFT_OUT) {
                line.push(LEFT_OUT);
            }
            if extent == Extent::Keys && within == Within::Nothing && c == '=' {
                line.extend([' ', LEFT_OUT]);
                if at > place {
                    before_mark = " ".repeat(line.chars().count() - 1);
                }
                break;
            }
        }
        let is_short = line.chars().count() <= CHARS_MAX;
        let number = 1 + before.matches('\n').count();
        is_short.then(|| Self { number, line: line.trim_end().to_owned(), before_mark })
    }
}

impl fmt::Display for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = self.line.replace('\t', "    ");
        let before_mark = self.before_mark.replace('\t', "    ");
        write!(f, "{:>5} | {}\n      | {before_mark}^", self.number, Shown(line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, place: &str, extent: Extent, wanted: Option<&str>) {
        let at = text.find(place).unwrap();
        let shown = Excerpt::of(text, at, extent).map(|excerpt| excerpt.to_string());
        assert_eq!(shown.as_deref(), wanted);
    }

    #[test]
    fn the_value_is_shown_and_what_else_may_be_secret_is_not() {
        use Extent::{Keys, Value};
        check("a = 1\nb = 'x' # s3cret\n", "'x'", Value, Some("    2 | b = 'x'\n      |     ^"));
        check(
            "a = { k = \"s\\\"3\", b = \"x\" }",
            "\"x\"",
            Value,
            Some(concat!("    1 | a = { k = \"…\", b = \"x\" }\n", "      |                    ^")),
        );
        check("\tb = \"s3\"", "b", Value, Some("    1 |     b = \"…\"\n      |     ^"));
        check(
            "a = \"\"\"\ns3 = 'x\n\"\"\"\nb = 'ü', c = 1",
            "c",
            Value,
            Some(concat!("    4 | b = '…', c = 1\n", "      |          ^")),
        );
        check("url = \"s3\" # s3", "\"s3", Keys, Some("    1 | url = …\n      |       ^"));
        check("[x]\nurl = s3", "url", Keys, Some("    2 | url = …\n      | ^"));
        check("a = [\n\"s3\"\n]", "\"s3", Keys, None);
        check("[[a]", "]", Keys, Some("    1 | [[a]\n      |    ^"));
    }
}
