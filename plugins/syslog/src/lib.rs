//! Syslog messages, as they come over the network and as `/var/log/messages` keeps them.
//!
//! ```text
//! <34>1 2026-11-30T08:05:09.003Z web-1 su 77 ID47 [origin ip="192.0.2.1"] 'su root' failed
//! <34>Nov 30 08:05:09 web-1 su[77]: 'su root' failed
//! Nov 30 08:05:09 web-1 su[77]: 'su root' failed
//! 2026-11-30T08:05:09.003+01:00 web-1 su[77]: 'su root' failed
//! ```
//!
//! The first is RFC 5424, the others are RFC 3164 with what daemons make of it: without the priority, with a year, with
//! a time as in RFC 3339. `-` is the absence of a value. The tag of RFC 3164 ends at the first `:` or `[`, and has 48
//! bytes at most, with a blank only before a process or a version (`syslogd 1.4.1:`); a message without one has no `app`.
//! Where the tag follows the time at once, as in what the C library sends, there is no host. Structured data become pairs `id.name` of the map `data`.
//!
//! | key | |
//! |---|---|
//! | `zone` | the offset of times that have none, `"Z"` if nothing is said |
//!
//! A year that is missing is the last in which the time does not lie after `ingested_at`.

mod modern;
mod traditional;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use logsmith_plugin::{Offset, Plain, Record, Reject, StringMaps, Timestamp, transform, two_digits};
use serde::Deserialize;

use crate::modern::params;

/// One message.
#[derive(Record)]
pub struct Message<'a> {
    time: Option<Timestamp>,
    facility: Option<&'static str>,
    severity: Option<&'static str>,
    hostname: Option<&'a str>,
    app: Option<&'a str>,
    pid: Option<&'a str>,
    message_id: Option<&'a str>,
    data: Data<'a>,
    message: &'a str,
}

/// The configuration.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    #[serde(default)]
    zone: Offset,
}

/// Structured data as they are written, checked: `[id name="value"][..]`, or nothing.
pub struct Data<'a>(&'a str);

impl Plain for Data<'_> {
    type Column = StringMaps;

    #[inline(always)]
    fn push(self, column: &mut StringMaps) {
        if !self.0.is_empty() {
            push_params(self.0, column);
        }
        column.end_map();
    }
}

fn push_params(data: &str, column: &mut StringMaps) {
    let mut seen: BTreeMap<String, String> = BTreeMap::new();
    for (id, name, value) in params(data) {
        // A name may come again, as `ip` does for a host of several addresses: its values stand in one.
        match seen.entry(format!("{id}.{name}")) {
            Entry::Occupied(mut values) => {
                values.get_mut().push(',');
                values.get_mut().push_str(&value);
            }
            Entry::Vacant(place) => drop(place.insert(value)),
        }
    }
    seen.iter().for_each(|(key, value)| column.push_entry(key, Some(value)));
}

const FACILITIES: [&str; 24] = [
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp",
    "ntp", "audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4", "local5", "local6",
    "local7",
];

const SEVERITIES: [&str; 8] =
    ["emergency", "alert", "critical", "error", "warning", "notice", "info", "debug"];

/// Reads one message.
#[transform]
pub fn syslog<'a>(line: &'a str, ingested_at: Timestamp, settings: &Settings) -> Result<Message<'a>, Reject> {
    let (priority, rest) = priority(line)?;
    let (facility, severity) = match priority {
        Some(priority) => (FACILITIES.get(priority / 8).copied(), SEVERITIES.get(priority % 8).copied()),
        None => (None, None),
    };
    let parts = match rest.strip_prefix("1 ") {
        Some(rest) if priority.is_some() => modern::read(rest, line.len() - rest.len(), settings.zone)?,
        _ => traditional::read(rest, line.len() - rest.len(), ingested_at, settings.zone)?,
    };
    let Parts { time, hostname, app, pid, message_id, data, message } = parts;
    Ok(Message { time, facility, severity, hostname, app, pid, message_id, data: Data(data), message })
}

/// What stands behind the priority.
struct Parts<'a> {
    time: Option<Timestamp>,
    hostname: Option<&'a str>,
    app: Option<&'a str>,
    pid: Option<&'a str>,
    message_id: Option<&'a str>,
    data: &'a str,
    message: &'a str,
}

/// `<34>`, if it is there, and what follows.
fn priority(line: &str) -> Result<(Option<usize>, &str), Reject> {
    let (priority, end) = match *line.as_bytes() {
        [b'<', a, b'>', ..] => (two_digits(b'0', a), 3),
        [b'<', a, b, b'>', ..] => (two_digits(a, b), 4),
        [b'<', a, b, c, b'>', ..] => {
            (two_digits(a, b).zip(two_digits(b'0', c)).map(|(ab, c)| ab * 10 + c), 5)
        }
        [b'<', ..] => (None, 0),
        _ => return Ok((None, line)),
    };
    match (priority, line.get(end..)) {
        (Some(priority @ ..=191), Some(rest)) => Ok((Some(priority as usize), rest)),
        _ => Err(Reject::new("expected a priority from <0> to <191> at byte 0")),
    }
}

/// A time as in RFC 3339; one without an offset is of `zone`.
fn rfc3339(text: &str, zone: Offset) -> Option<Timestamp> {
    let time = Timestamp::parse_rfc3339(text)?;
    let has_offset = text.ends_with(['Z', 'z'])
        || text.bytes().skip(DATE_TIME_BYTES).any(|byte| matches!(byte, b'Z' | b'z' | b'+' | b'-'));
    Some(if has_offset {
        time
    } else {
        Timestamp::from_micros(time.micros() - i64::from(zone.seconds) * 1_000_000)
    })
}

/// `2026-11-30T08:05:09`, behind which a fraction and an offset may stand.
const DATE_TIME_BYTES: usize = 19;

/// `-` is the absence of a value.
fn present(text: &str) -> Option<&str> {
    (text != "-").then_some(text)
}

#[cfg(test)]
mod tests;
