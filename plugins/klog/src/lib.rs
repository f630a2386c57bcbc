//! The lines of klog and glog, as Kubernetes' components and many of Google's programs write them.
//!
//! ```text
//! I1130 08:05:09.123456   12345 file.go:42] message
//! I20261130 08:05:09.123456 12345 file.cc:42] message
//! ```
//!
//! The source is glog's `LogSink` and klog's `header`: a letter for the level, month and day (glog may write the year,
//! too), time, thread, file and line. Columns: `time`, `level`, `thread`, `source_file`, `source_line`, `message`. In a
//! record of several lines all that follows the first belongs to the message.
//!
//! | key | |
//! |---|---|
//! | `zone` | the offset from UTC of the times, `"Z"` if nothing is said |
//!
//! A year that is missing is the last in which the time does not lie after `ingested_at`.

use logsmith_plugin::{Offset, Record, Reject, TimeOfDay, Timestamp, WallTime, scan, transform, two_digits};
use serde::Deserialize;

/// One line.
#[derive(Record)]
#[cfg_attr(test, derive(Debug, PartialEq))]
pub struct Klog<'a> {
    time: Timestamp,
    level: &'static str,
    thread: i64,
    source_file: &'a str,
    source_line: i32,
    message: &'a str,
}

/// The configuration.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    #[serde(default)]
    zone: Offset,
}

/// Reads one line.
#[transform]
pub fn klog<'a>(line: &'a str, ingested_at: Timestamp, settings: &Settings) -> Result<Klog<'a>, Reject> {
    let bytes = line.as_bytes();
    let level = match bytes.first() {
        Some(b'I') => "INFO",
        Some(b'W') => "WARNING",
        Some(b'E') => "ERROR",
        Some(b'F') => "FATAL",
        _ => return Err(Reject::new("expected I, W, E or F at byte 0")),
    };
    let (wall, end) =
        wall_time(bytes).ok_or_else(|| Reject::new("expected a time like 1130 08:05:09.123456 at byte 1"))?;
    let time = wall.instant_by(ingested_at, settings.zone.seconds);
    let time = time.ok_or_else(|| Reject::new("there is no such day or time as at byte 1"))?;
    let (thread, at) = number(line, skip_blanks(bytes, end), "the thread")?;
    let start = skip_blanks(bytes, at);
    let closed = scan::byte(bytes, start, b']');
    let wrong = || Reject::new(format!("expected a file, `:`, a line and `]` at byte {start}"));
    let place = line.get(start..closed).filter(|_| closed < line.len()).ok_or_else(wrong)?;
    let (source_file, source_line) = place.rsplit_once(':').ok_or_else(wrong)?;
    let source_line = source_line.parse().map_err(|_| wrong())?;
    let message = line.get(closed + 1..).unwrap_or_default();
    let message = message.strip_prefix(' ').unwrap_or(message);
    Ok(Klog { time, level, thread, source_file, source_line, message })
}

/// The time behind the letter, and where it ends.
fn wall_time(bytes: &[u8]) -> Option<(WallTime, usize)> {
    let dated = scan::digits_end(bytes, 1);
    let (year, month, day) = match *bytes.get(1..dated)? {
        [m1, m2, d1, d2] => (None, two_digits(m1, m2)?, two_digits(d1, d2)?),
        [y1, y2, y3, y4, m1, m2, d1, d2] => {
            let year = two_digits(y1, y2)? * 100 + two_digits(y3, y4)?;
            (Some(year), two_digits(m1, m2)?, two_digits(d1, d2)?)
        }
        _ => return None,
    };
    let [b' ', h1, h2, b':', i1, i2, b':', s1, s2, b'.', f1, f2, f3, f4, f5, f6] =
        *bytes.get(dated..dated + 16)?
    else {
        return None;
    };
    let micros = two_digits(f1, f2)? * 10_000 + two_digits(f3, f4)? * 100 + two_digits(f5, f6)?;
    let time = TimeOfDay {
        hour: two_digits(h1, h2)?,
        minute: two_digits(i1, i2)?,
        second: two_digits(s1, s2)?,
        micros,
    };
    Some((WallTime { year, month, day, time, offset_s: None }, dated + 16))
}

fn skip_blanks(bytes: &[u8], at: usize) -> usize {
    bytes.iter().skip(at).position(|byte| *byte != b' ').map_or(bytes.len(), |blanks| at + blanks)
}

/// Digits from `at` on, and where they end.
fn number(line: &str, at: usize, what: &str) -> Result<(i64, usize), Reject> {
    let end = scan::digits_end(line.as_bytes(), at);
    let number = line.get(at..end).and_then(|digits| digits.parse().ok());
    Ok((number.ok_or_else(|| Reject::new(format!("expected {what} at byte {at}")))?, end))
}

#[cfg(test)]
mod tests;
