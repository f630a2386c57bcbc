//! The error logs of nginx and of Apache httpd (2.2 and 2.4).
//!
//! ```text
//! 2026/11/30 08:05:09 [error] 12#34: *56 open() "/x" failed (2: No such file or directory), client: 192.0.2.7, server: a
//! [Mon Nov 30 08:05:09.123456 2026] [core:error] [pid 12:tid 34] (2)No such file or directory: [client 192.0.2.7:5123] AH00132: /x
//! ```
//!
//! Which of the two a line is, its first letter tells. `message` is what is left of a line without what has a column of
//! its own: `time`, `level`, `module`, `pid`, `tid`, `connection`, `source_file` and `source_line` (of the server's own
//! source), `code` (as `AH00132`), `errno` and `error` (what the system said; in nginx's messages it stays, too),
//! `client` and `client_port`, `server`, `request`, `upstream` (also Apache's `remote`), `requested_host`, `referer`.
//! What nginx further names of a connection are pairs of the map `fields`. In a record of several lines the message goes on.
//!
//! nginx writes what a client has sent as it is: what stands behind the message is told by its form alone, and a client
//! that sends quotes and commas can imitate it.
//!
//! | key | |
//! |---|---|
//! | `zone` | the offset from UTC of the times, `"Z"` if nothing is said |

mod apache;
mod nginx;

use logsmith_plugin::{Offset, ReadTime, Record, Reject, TimeFormat, Timestamp, transform};
use serde::Deserialize;

/// One line.
#[derive(Default, Record)]
#[cfg_attr(test, derive(Debug, PartialEq))]
pub struct Entry<'a> {
    time: Option<Timestamp>,
    level: Option<&'a str>,
    module: Option<&'a str>,
    pid: Option<i64>,
    tid: Option<i64>,
    connection: Option<i64>,
    source_file: Option<&'a str>,
    source_line: Option<i32>,
    code: Option<&'a str>,
    errno: Option<i32>,
    error: Option<&'a str>,
    client: Option<&'a str>,
    client_port: Option<i32>,
    server: Option<&'a str>,
    request: Option<&'a str>,
    upstream: Option<&'a str>,
    requested_host: Option<&'a str>,
    referer: Option<&'a str>,
    message: &'a str,
    fields: Vec<(&'a str, Option<&'a str>)>,
}

/// The configured plugin.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Settings")]
pub struct WebError {
    zone: Offset,
    nginx: TimeFormat,
    apache: TimeFormat,
}

/// The configuration.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    #[serde(default)]
    zone: Offset,
}

impl TryFrom<Settings> for WebError {
    type Error = String;

    fn try_from(Settings { zone }: Settings) -> Result<Self, String> {
        let (nginx, apache) = (TimeFormat::parse("%Y/%m/%d %T")?, TimeFormat::parse("%a %b %d %T%.f %Y")?);
        Ok(Self { zone, nginx, apache })
    }
}

/// Reads one line.
#[transform]
pub fn weberror<'a>(line: &'a str, settings: &WebError) -> Result<Entry<'a>, Reject> {
    let parts = Parts { text: line, rest: line };
    if line.starts_with('[') { apache::read(parts, settings) } else { nginx::read(parts, settings) }
}

/// A line, and what of it is still unread.
#[derive(Clone, Copy)]
struct Parts<'a> {
    text: &'a str,
    rest: &'a str,
}

impl<'a> Parts<'a> {
    /// Takes what stands between `open` and the next `close`; where it does not begin so, nothing.
    fn between(&mut self, open: &str, close: &str) -> Option<&'a str> {
        let (inside, rest) = self.rest.strip_prefix(open)?.split_once(close)?;
        self.rest = rest;
        Some(inside)
    }

    /// Takes one blank, if it is there.
    fn skip_blank(&mut self) {
        self.rest = self.rest.strip_prefix(' ').unwrap_or(self.rest);
    }

    #[cold]
    fn expected(&self, what: &str) -> Reject {
        Reject::new(format!("expected {what} at byte {}", self.text.len() - self.rest.len()))
    }
}

/// The time that a text writes from its first to its last byte.
fn time(text: &str, format: &TimeFormat, zone: Offset) -> Option<Timestamp> {
    match format.read(text)? {
        ReadTime::Instant(time) => Some(time),
        ReadTime::Wall(wall) => wall.instant(wall.year?, zone.seconds),
    }
}

/// `-` and nothing are the absence of a value.
fn present(text: &str) -> Option<&str> {
    (!matches!(text, "-" | "")).then_some(text)
}

#[cfg(test)]
mod tests;
