//! JSON log lines: `level`, `message`, `time`, and any further fields as a map of texts.
//!
//! A line is one JSON object. Its values stay what they were: a text without its quotes and escapes, anything else
//! (numbers, `true`, nested objects) as written; `null` is the absence of a value. A time that cannot be read as
//! one stays among the further fields, so nothing of a line is lost. A name that appears twice counts once, with
//! its last value, as JSON parsers agree. Any other line is rejected with the place where it goes wrong.

mod scanner;
mod settings;

use std::collections::BinaryHeap;

use logsmith_plugin::{
    Names, Plain, Record, Reject, StringMaps, Timestamp, count, name_hash, same, transform,
};

use crate::scanner::{Failed, Scanner, Span};
pub use crate::settings::Json;
use crate::settings::{Name, Role};

/// One line.
#[derive(Record)]
pub struct Entry<'a> {
    level: Option<&'a str>,
    message: Option<&'a str>,
    time: Option<Timestamp>,
    fields: Fields<'a>,
}

/// The fields of a line that have no column of their own.
pub struct Fields<'a> {
    texts: Texts<'a>,
    pairs: &'a [Pair],
}

/// A field: its name and its value.
#[derive(Clone, Copy, Debug)]
struct Pair {
    name: Span,
    value: Span,
}

impl Plain for Fields<'_> {
    type Column = StringMaps;

    #[inline(always)]
    fn push(self, column: &mut StringMaps) {
        for pair in self.pairs {
            if let Some(name) = self.texts.get(pair.name) {
                column.push_entry(name, self.texts.get(pair.value));
            }
        }
        column.end_map();
    }
}

/// Where spans point to: the line itself, and the texts whose escapes were resolved.
#[derive(Clone, Copy)]
struct Texts<'a> {
    line: &'a str,
    unescaped: &'a str,
}

impl<'a> Texts<'a> {
    #[inline(always)]
    fn get(self, span: Span) -> Option<&'a str> {
        // SAFETY: texts are made for the line just scanned (`Scratch::texts`), and all spans are dropped before the next.
        unsafe { span.text(self.line, self.unescaped) }
    }
}

/// Scratch space, empty between lines.
#[derive(Debug, Default)]
struct Scratch {
    pairs: Vec<Pair>,
    unescaped: String,
    seen: u64,
    roles: [Option<(Name, Pair)>; Role::COUNT],
}

/// Up to so many fields a line, doubles are looked for one by one; beyond, by sorting.
const FEW_FIELDS_MAX: usize = 64;

/// Reads one line.
#[transform]
pub fn json<'a>(line: &'a str, json: &'a mut Json) -> Result<Entry<'a>, Reject> {
    let Json { names, scratch } = json;
    scratch.clear();
    scratch.scan(Scanner::new(line), names).map_err(|failed| failed.into_reject(line))?;
    if scratch.pairs.len() > FEW_FIELDS_MAX {
        scratch.keep_last_of_doubles(line);
    }

    let time = scratch.time(line);
    let texts = scratch.texts(line);
    let text = |role: Role| texts.get(scratch.roles[role as usize]?.1.value);
    let (level, message) = (text(Role::Level), text(Role::Message));
    Ok(Entry { level, message, time, fields: Fields { texts, pairs: &scratch.pairs } })
}

impl Scratch {
    fn clear(&mut self) {
        self.pairs.clear();
        self.unescaped.clear();
        self.seen = 0;
        self.roles = [None; Role::COUNT];
    }

    /// Takes all fields of a line.
    #[inline(always)]
    fn scan(&mut self, mut scanner: Scanner<'_>, names: &Names<Name>) -> Result<(), Failed> {
        scanner.open_object()?;
        let mut more = scanner.first_field()?;
        while more {
            let name = scanner.field_name(&mut self.unescaped)?;
            let value = scanner.value(&mut self.unescaped)?;
            self.take(scanner.line(), names, Pair { name, value });
            more = scanner.next_field()?;
        }
        scanner.end()
    }

    fn texts<'a>(&'a self, line: &'a str) -> Texts<'a> {
        Texts { line, unescaped: &self.unescaped }
    }

    /// Puts a field where it belongs. The first of several names for a role takes it; the others are fields.
    #[inline(always)]
    fn take(&mut self, line: &str, names: &Names<Name>, pair: Pair) {
        let name = pair.name.bytes(line, &self.unescaped);
        let hash = name_hash(name);
        if let Some(name) = names.find(name, hash) {
            let role = &mut self.roles[name.role as usize];
            if role.is_none_or(|(taken, _)| taken == name) {
                *role = Some((name, pair));
                return;
            }
        }
        let bit = 1 << hash;
        if self.seen & bit != 0 && self.replace(line, pair) {
            return;
        }
        self.seen |= bit;
        self.pairs.push(pair);
    }

    /// Whether this field was there before: then it has another value now.
    fn replace(&mut self, line: &str, pair: Pair) -> bool {
        if self.pairs.len() > FEW_FIELDS_MAX {
            return false;
        }
        let name = |pair: &Pair| pair.name.bytes(line, &self.unescaped);
        let known = |other: &&mut Pair| same(name(other), name(&pair));
        let Some(other) = self.pairs.iter_mut().find(known) else { return false };
        other.value = pair.value;
        count("fields_twice", 1);
        true
    }

    /// Of fields with the same name keeps the last. The order of the others is lost, which a map does not have.
    #[cold]
    fn keep_last_of_doubles(&mut self, line: &str) {
        let name = |pair: Pair| pair.name.bytes(line, &self.unescaped);
        let before = self.pairs.len();
        // A heap, for a sort would be a tenth of the component.
        let mut heap: BinaryHeap<_> = (0..).zip(&self.pairs).map(|(at, pair)| (name(*pair), at)).collect();
        let mut kept: Vec<Pair> = Vec::with_capacity(before);
        while let Some((next, at)) = heap.pop() {
            let at: usize = at;
            if kept.last().is_none_or(|last| name(*last) != next) {
                kept.extend(self.pairs.get(at));
            }
        }
        count("fields_twice", (before - kept.len()) as u64);
        self.pairs = kept;
    }

    /// The line's time. One that cannot be read becomes a field.
    fn time(&mut self, line: &str) -> Option<Timestamp> {
        let (_, pair) = self.roles[Role::Time as usize]?;
        let text = self.texts(line).get(pair.value)?;
        let time = Timestamp::parse_rfc3339(text).or_else(|| Timestamp::parse_epoch(text));
        if time.is_none() {
            count("times_unreadable", 1);
            self.pairs.push(pair);
        }
        time
    }
}

#[cfg(test)]
mod tests;
