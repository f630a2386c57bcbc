//! What log4j, logback, JBoss and `java.util.logging` write, taken apart by the patterns that made it.
//!
//! ```toml
//! [[pipeline]]
//! plugin = "builtin:java"
//! [pipeline.config]
//! patterns = ["%d{yyyy-MM-dd HH:mm:ss,SSS} [%t] %-5level %logger{36} %X{user} - %msg%n"]
//! ```
//!
//! | key | |
//! |---|---|
//! | `patterns` | patterns as they stand in log4j's, logback's or JBoss's configuration, tried in order; if nothing is said, [`DEFAULTS`] |
//! | `zone` | the offset from UTC of times that have none, `"Z"` if nothing is said |
//!
//! Columns: `time`, `level`, `thread`, `logger`, `message`, `exception` (what follows the message from the throwable's name
//! on, to the end of the record), and the map `fields`: `%X` by their keys, and `class`, `method`, `file`, `line`, `pid`,
//! `marker`, `ndc` and the like, where a pattern has them.
//!
//! - A width (`%-5p`, `%15.15t`) means that blanks around the value are no part of it.
//! - `%d` alone, `DEFAULT` and `ISO8601` are `2026-11-30 08:05:09,123`, also with a `T`, a point, an offset. A missing year
//!   is the last in which the time does not lie after `ingested_at`, a missing day the last on which it does not.
//! - A value ends where what follows it in the pattern begins; within a thread in brackets these may be nested.
//! - Colours (`%clr(..){..}`, `%highlight{..}`) count as what is within, `${NAME:-text}` as the text, `${PID}` as `%pid`.
//! - `[source.multiline]` keeps records together: with `preset = "java"`, or with `start = '^\d{4}-'` where an empty line
//!   stands before the throwable, as Spring Boot writes it.
//!
//! A line that no pattern fits, or that could be taken apart in too many ways, is rejected.

mod dates;
mod exception;
mod layout;
mod reading;
mod settings;
mod words;

use std::collections::BTreeMap;

use logsmith_plugin::{Plain, Record, Reject, StringMaps, Timestamp, transform};

use crate::layout::{Item, Role};
use crate::reading::{Reading, Span};
pub use crate::settings::{DEFAULTS, Java};

/// One record.
#[derive(Record)]
pub struct Entry<'a> {
    time: Option<Timestamp>,
    level: Option<&'a str>,
    thread: Option<&'a str>,
    logger: Option<&'a str>,
    message: Option<&'a str>,
    exception: Option<&'a str>,
    fields: Fields<'a>,
}

/// The values that have no column of their own.
pub struct Fields<'a> {
    text: &'a str,
    items: &'a [Item],
    spans: &'a [Span],
}

impl<'a> Fields<'a> {
    fn pairs(&self) -> BTreeMap<&'a str, &'a str> {
        let mut pairs = BTreeMap::new();
        for (item, span) in self.items.iter().zip(self.spans) {
            let Item::Text { role, .. } = item else { continue };
            match (role, span.text(self.text)) {
                (_, "") => {}
                (Role::Named(name), value) => drop(pairs.insert(name.as_str(), value)),
                (Role::Context, value) => pairs.extend(context(value)),
                _ => {}
            }
        }
        pairs
    }
}

impl Plain for Fields<'_> {
    type Column = StringMaps;

    #[inline(always)]
    fn push(self, column: &mut StringMaps) {
        self.pairs().iter().for_each(|(key, value)| column.push_entry(key, Some(value)));
        column.end_map();
    }
}

/// `{user=ann, ip=::1}` of log4j, `user=ann, ip=::1` of logback. What has no `=` belongs to the value before.
fn context(text: &str) -> Vec<(&str, &str)> {
    let text = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')).unwrap_or(text);
    let mut pairs = Vec::new();
    let (mut start, mut at) = (0, 0);
    for piece in text.split(", ") {
        if piece.contains('=') && at > 0 {
            pairs.extend(text.get(start..at - ", ".len()).and_then(|pair| pair.split_once('=')));
            start = at;
        }
        at += piece.len() + ", ".len();
    }
    pairs.extend(text.get(start..).and_then(|pair| pair.split_once('=')));
    pairs
}

/// Reads one record.
#[transform]
pub fn java<'a>(line: &'a str, ingested_at: Timestamp, java: &'a mut Java) -> Result<Entry<'a>, Reject> {
    let Java { layouts, zone, spans } = java;
    let mut furthest = 0;
    let read = layouts.iter().find_map(|layout| {
        let mut reading = Reading::new(line, layout, ingested_at, *zone, spans);
        let read = reading.read();
        furthest = furthest.max(reading.furthest());
        read.map(|read| (layout, read))
    });
    let Some((layout, read)) = read else {
        return Err(Reject::new(match layouts.len() {
            1 => format!("the pattern does not fit from byte {furthest} on"),
            many => format!("none of the {many} patterns fits from byte {furthest} on"),
        }));
    };
    let spans: &[Span] = spans;
    let items = layout.as_slice();
    let text = |wanted: Role| {
        let is_wanted = |item: &Item| matches!(item, Item::Text { role, .. } if *role == wanted);
        let at = items.iter().position(is_wanted)?;
        Some(spans.get(at)?.text(line)).filter(|text| !text.is_empty())
    };
    let (message, exception) = match text(Role::Message) {
        Some(message) if read.end == line.len() => {
            let (message, exception) = exception::split(message);
            (Some(message), exception)
        }
        message => (message, line.get(read.end + 1..)),
    };
    Ok(Entry {
        time: read.time,
        level: text(Role::Level),
        thread: text(Role::Thread),
        logger: text(Role::Logger),
        message,
        exception,
        fields: Fields { text: line, items, spans },
    })
}

#[cfg(test)]
mod tests;
