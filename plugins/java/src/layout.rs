//! Patterns as their items.

use logsmith_plugin::offset_seconds;

use crate::dates::Dates;
use crate::words::{self, Word};

/// A part of a pattern.
#[derive(Debug)]
pub enum Item {
    Literal(String),
    Time(Dates),
    Text { role: Role, extent: Extent, is_padded: bool },
}

/// What a value is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    Level,
    Thread,
    Logger,
    Message,
    /// The whole context, as pairs.
    Context,
    Named(String),
}

/// What a value is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Letters, digits and `_`, at least one.
    Letters,
    /// Digits, at least one, or `?`.
    Digits,
    /// What the name of a class has, at least one.
    Name,
    /// The same without points.
    Method,
    /// Anything but blanks, at least one.
    Word,
    /// Anything but a newline, or nothing.
    Line,
    /// Anything, or nothing.
    All,
}

impl Extent {
    /// Whether only what follows ends it.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Line | Self::All)
    }
}

/// Of one pattern: matching goes as deep.
const ITEMS_MAX: usize = 100;

/// Reads a pattern, or says what is wrong with it.
pub fn parse(pattern: &str) -> Result<Vec<Item>, String> {
    let mut layout = Layout::default();
    layout.read(&resolved(pattern)?)?;
    layout.trim();
    layout.check()?;
    Ok(layout.0)
}

/// `${NAME:-text}` is the text, and `${PID}` the process.
fn resolved(pattern: &str) -> Result<String, String> {
    let mut text = pattern.to_owned();
    // From the last on, for they may be nested.
    while let Some(start) = text.rfind("${") {
        let behind = text.get(start..).unwrap_or_default();
        let (variable, _) = behind.split_once('}').ok_or("a `${` has no `}`")?;
        let (name, default) = match variable.trim_start_matches("${").split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (variable.trim_start_matches("${"), None),
        };
        let meant = match (name.trim_start_matches("sys:"), default) {
            ("PID", _) => "%pid",
            (_, Some(default)) => default,
            (name, None) => return Err(format!("`${{{name}}}` is a variable: write what it stands for")),
        };
        let meant = meant.to_owned();
        let end = start + variable.len() + 1;
        text.replace_range(start..end, &meant);
    }
    Ok(text)
}

#[derive(Default)]
struct Layout(Vec<Item>);

impl Layout {
    fn read(&mut self, pattern: &str) -> Result<(), String> {
        let mut rest = pattern;
        while let Some(first) = rest.chars().next() {
            let behind = rest.get(first.len_utf8()..).unwrap_or_default();
            rest = match first {
                '\\' => {
                    let escaped = behind.chars().next().unwrap_or('\\');
                    self.literal(match escaped {
                        'n' => '\n',
                        't' => '\t',
                        other => other,
                    });
                    behind.get(escaped.len_utf8()..).unwrap_or_default()
                }
                '%' => self.conversion(behind)?,
                other => {
                    self.literal(other);
                    behind
                }
            };
            if self.0.len() > ITEMS_MAX {
                return Err(format!("it has more than {ITEMS_MAX} parts"));
            }
        }
        Ok(())
    }

    fn literal(&mut self, c: char) {
        match self.0.last_mut() {
            Some(Item::Literal(text)) if c != '\n' && text != "\n" => text.push(c),
            _ => self.0.push(Item::Literal(c.into())),
        }
    }

    /// What stands behind a `%`; answers what follows it.
    fn conversion<'p>(&mut self, text: &'p str) -> Result<&'p str, String> {
        if let Some(rest) = text.strip_prefix('%') {
            self.literal('%');
            return Ok(rest);
        }
        let behind = text.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, '-' | '.'));
        let modifier = text.get(..text.len() - behind.len()).unwrap_or_default();
        let is_padded = modifier.trim_start_matches('-').starts_with(|c: char| c.is_ascii_digit());
        if behind.starts_with('(') {
            return self.group(behind);
        }
        let Some((word, rest)) = words::take(behind) else {
            let unknown: String = behind.chars().take_while(|c| c.is_ascii_alphabetic()).collect();
            return Err(format!(
                "there is no conversion word `%{unknown}`; what it stands for can be read as `%X{{name}}`"
            ));
        };
        if matches!(word, Word::Group) {
            return self.group(rest);
        }
        let mut options = Vec::new();
        let mut rest = rest;
        while let Some((option, behind)) = enclosed(rest, '{', '}') {
            options.push(option);
            rest = behind;
        }
        match word {
            Word::Time => self.0.push(Item::Time(dates(&options)?)),
            Word::Value(role, extent) => self.0.push(Item::Text { role, extent, is_padded }),
            Word::Context => self.context(&options, is_padded),
            Word::Newline => self.literal('\n'),
            Word::Exception | Word::Group => {}
        }
        Ok(rest)
    }

    fn context(&mut self, options: &[&str], is_padded: bool) {
        let role = match options.first() {
            // Several keys are written as all are.
            Some(key) if !key.contains(',') => {
                Role::Named(key.split_once(":-").map_or(*key, |(key, _)| key).into())
            }
            _ => Role::Context,
        };
        self.0.push(Item::Text { role, extent: Extent::Line, is_padded });
    }

    /// `(..){..}`, or `{..}{..}`: what is within, and no colours.
    fn group<'p>(&mut self, text: &'p str) -> Result<&'p str, String> {
        let inside = enclosed(text, '(', ')').or_else(|| enclosed(text, '{', '}'));
        let (inside, mut rest) = inside.ok_or("a group is not closed")?;
        self.read(inside)?;
        while let Some((_, behind)) = enclosed(rest, '{', '}') {
            rest = behind;
        }
        Ok(rest)
    }

    /// The record's end is that of the pattern, and a message goes up to it.
    fn trim(&mut self) {
        loop {
            match self.0.as_slice() {
                [.., Item::Literal(text)] if text == "\n" => {}
                [.., Item::Text { role: Role::Message, .. }, Item::Literal(text)]
                    if text.trim().is_empty() => {}
                _ => return,
            }
            self.0.pop();
        }
    }

    fn check(&self) -> Result<(), String> {
        if !self.0.iter().any(|item| matches!(item, Item::Text { .. })) {
            return Err("it has no conversion word: write one, as in `%d [%t] %-5p %c - %m%n`".into());
        }
        for pair in self.0.windows(2) {
            if let [Item::Text { extent, .. }, Item::Time(_) | Item::Text { .. }] = pair
                && extent.is_open()
            {
                return Err("two values have nothing between them that tells where the first one ends".into());
            }
        }
        Ok(())
    }
}

/// What is within brackets, which may be nested and escaped, and what follows them.
fn enclosed(text: &str, open: char, close: char) -> Option<(&str, &str)> {
    let inside = text.strip_prefix(open)?;
    let mut depth = 1;
    let mut is_escaped = false;
    for (at, c) in inside.char_indices() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            c if c == open => depth += 1,
            c if c == close => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some((inside.get(..at)?, inside.get(at + close.len_utf8()..)?));
        }
    }
    None
}

/// `{format}{zone}`, or `{format, zone}`.
fn dates(options: &[&str]) -> Result<Dates, String> {
    let format = options.first().map_or("", |format| format.trim_matches('"'));
    let with_zone = format.rsplit_once(", ").filter(|(_, zone)| offset(zone).is_some());
    match (options.get(1), with_zone) {
        (Some(zone), _) => {
            let offset = offset(zone)
                .ok_or_else(|| format!("`{zone}` is no offset from UTC: write one, or leave it to `zone`"))?;
            Dates::parse(format, Some(offset))
        }
        (None, Some((format, zone))) => Dates::parse(format.trim_matches('"'), offset(zone)),
        (None, None) => Dates::parse(format, None),
    }
}

/// `UTC`, `GMT+1`, `+01:00`: seconds east of UTC.
fn offset(zone: &str) -> Option<i32> {
    let named = zone.strip_prefix("UTC").or_else(|| zone.strip_prefix("GMT"));
    match named.unwrap_or(zone).as_bytes() {
        [] if named.is_some() => Some(0),
        [sign @ (b'+' | b'-'), hour] => offset_seconds(&[*sign, b'0', *hour]),
        [b'+' | b'-' | b'Z', ..] => offset_seconds(named.unwrap_or(zone).as_bytes()),
        _ => None,
    }
}
