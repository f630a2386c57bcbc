//! Lines of `key=value` pairs, as heroku/logfmt, go-kit and slog write them: `level`, `message`, `time`, and any further
//! pairs as a map.
//!
//! ```text
//! time=2026-11-30T08:05:09Z level=info msg="user signed in" user=ann cached
//! ```
//!
//! A value in quotes may hold blanks, and the escapes `\"`, `\\`, `\n`, `\r`, `\t` and `\u00e9`; any other value ends at
//! a blank. A key without `=` has no value. A key that appears twice counts once, with its last value. A time that cannot
//! be read as one stays among the pairs. A line without any pair is rejected, and so is one whose quotes are not closed.
//!
//! | key | |
//! |---|---|
//! | `level` | names of the level, `["level", "lvl", "severity"]` if nothing is said; the first that a line has counts |
//! | `message` | likewise, `["msg", "message"]` |
//! | `time` | likewise, `["time", "ts", "timestamp", "t"]` |

mod scanner;

use std::borrow::Cow;
use std::collections::HashMap;

use logsmith_plugin::{
    Names, Plain, Record, Reject, StringMaps, Timestamp, count, name_hash, same, transform,
};
use serde::Deserialize;

use crate::scanner::{Pair, Scanner, Value};

/// One line.
#[derive(Record)]
pub struct Entry<'a> {
    level: Option<Cow<'a, str>>,
    message: Option<Cow<'a, str>>,
    time: Option<Timestamp>,
    fields: Fields<'a>,
}

/// The pairs that have no column of their own.
pub struct Fields<'a> {
    line: &'a str,
    pairs: &'a [Pair],
}

impl Plain for Fields<'_> {
    type Column = StringMaps;

    #[inline(always)]
    fn push(self, column: &mut StringMaps) {
        for pair in self.pairs {
            match pair.value {
                Value::None => column.push_entry(pair.key(self.line), None),
                Value::Plain(_) => column.push_entry(pair.key(self.line), pair.plain(self.line)),
                Value::Escaped(_) => column.push_entry(pair.key(self.line), pair.text(self.line).as_deref()),
            }
        }
        column.end_map();
    }
}

/// The configured plugin.
#[derive(Debug, Deserialize)]
#[serde(from = "Settings")]
pub struct Logfmt {
    names: Names<Name>,
    pairs: Vec<Pair>,
}

/// The configuration.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    level: Vec<String>,
    message: Vec<String>,
    time: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Self {
            level: names(&["level", "lvl", "severity"]),
            message: names(&["msg", "message"]),
            time: names(&["time", "ts", "timestamp", "t"]),
        }
    }
}

/// One of the configured names: which of the columns it is for, and its place among the names for it.
#[derive(Clone, Copy, Debug)]
struct Name {
    role: usize,
    rank: usize,
}

impl From<Settings> for Logfmt {
    fn from(Settings { level, message, time }: Settings) -> Self {
        let names = [level, message, time].into_iter().enumerate().flat_map(|(role, names)| {
            names.into_iter().enumerate().map(move |(rank, name)| (name, Name { role, rank }))
        });
        Self { names: Names::new(names), pairs: Vec::new() }
    }
}

const ROLES: usize = 3;

/// Up to so many pairs, doubles are looked for one by one; beyond, by hashing.
const FEW_PAIRS_MAX: usize = 64;

/// Reads one line.
#[transform]
pub fn logfmt<'a>(line: &'a str, logfmt: &'a mut Logfmt) -> Result<Entry<'a>, Reject> {
    let Logfmt { names, pairs } = logfmt;
    pairs.clear();
    let mut found = Found { line, roles: [None; ROLES], seen: 0, pairs };
    let mut has_value = false;
    let mut scanner = Scanner::new(line);
    while let Some(pair) = scanner.next()? {
        has_value |= !matches!(pair.value, Value::None);
        found.take(names, pair);
    }
    let Found { roles, pairs, .. } = found;
    if !has_value {
        return Err(Reject::new("there is no key=value"));
    }
    if pairs.len() > FEW_PAIRS_MAX {
        keep_last_of_doubles(line, pairs);
    }
    let [level, message, time] = roles.map(|role| role.map(|(_, pair)| pair));
    let text = |pair: Option<Pair>| pair.and_then(|pair| pair.text(line));
    let read =
        text(time).and_then(|text| Timestamp::parse_rfc3339(&text).or_else(|| Timestamp::parse_epoch(&text)));
    if let (Some(unreadable), None) = (time, read) {
        count("times_unreadable", 1);
        pairs.push(unreadable);
    }
    Ok(Entry { level: text(level), message: text(message), time: read, fields: Fields { line, pairs } })
}

/// The pairs of a line so far.
struct Found<'a> {
    line: &'a str,
    /// The pair of each column, and the rank of its name.
    roles: [Option<(usize, Pair)>; ROLES],
    /// A bit for each hash of a key among `pairs`.
    seen: u64,
    pairs: &'a mut Vec<Pair>,
}

impl Found<'_> {
    /// Puts a pair where it belongs.
    #[inline(always)]
    fn take(&mut self, names: &Names<Name>, pair: Pair) {
        let key = pair.key(self.line).as_bytes();
        let hash = name_hash(key);
        match names.find(key, hash) {
            Some(Name { role, rank }) => self.take_role(role, rank, pair, hash),
            None => self.put(pair, hash),
        }
    }

    #[inline(always)]
    fn take_role(&mut self, role: usize, rank: usize, pair: Pair, hash: usize) {
        match self.roles.get_mut(role) {
            Some(role @ None) => *role = Some((rank, pair)),
            Some(Some((taken, known))) if *taken == rank => *known = pair,
            // The earlier name counts; the other one is a pair like any.
            Some(Some((taken, known))) if rank < *taken => {
                *taken = rank;
                let other = std::mem::replace(known, pair);
                self.put(other, name_hash(other.key(self.line).as_bytes()));
            }
            _ => self.put(pair, hash),
        }
    }

    #[inline(always)]
    fn put(&mut self, pair: Pair, hash: usize) {
        let bit = 1 << hash;
        if self.seen & bit != 0 && self.replace(pair) {
            return;
        }
        self.seen |= bit;
        self.pairs.push(pair);
    }

    /// Whether this pair was there before: then it has another value now.
    fn replace(&mut self, pair: Pair) -> bool {
        if self.pairs.len() > FEW_PAIRS_MAX {
            return false;
        }
        let key = pair.key(self.line).as_bytes();
        let known = |other: &&mut Pair| same(other.key(self.line).as_bytes(), key);
        let Some(other) = self.pairs.iter_mut().find(known) else { return false };
        *other = pair;
        count("fields_twice", 1);
        true
    }
}

/// Of pairs with the same key keeps the last.
#[cold]
fn keep_last_of_doubles(line: &str, pairs: &mut Vec<Pair>) {
    let before = pairs.len();
    let last: HashMap<&str, usize> =
        pairs.iter().enumerate().map(|(at, pair)| (pair.key(line), at)).collect();
    let mut at = 0;
    pairs.retain(|pair| {
        at += 1;
        last.get(pair.key(line)) == Some(&(at - 1))
    });
    count("fields_twice", (before - pairs.len()) as u64);
}

#[cfg(test)]
mod tests;
