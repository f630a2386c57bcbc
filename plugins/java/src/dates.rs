//! Times in the forms of `%d`.

use logsmith_plugin::{Date, Offset, ReadTime, TimeFormat, Timestamp, offset_seconds, scan};

/// How a pattern writes times.
#[derive(Debug)]
pub struct Dates {
    form: Form,
    /// Seconds east of UTC, where the pattern says so.
    offset_s: Option<i32>,
}

#[derive(Debug)]
enum Form {
    /// `2026-11-30 08:05:09,123`, also with a `T`, a point, an offset.
    Iso,
    /// A number since the Unix epoch.
    Epoch,
    Format(TimeFormat),
    /// Without a day; the format has one in front.
    Clock(TimeFormat),
}

/// Bytes of `2026-11-30 08:05:09`.
const SECONDS_END: usize = 19;
/// A time of day has no more. Bytes.
const CLOCK_BYTES_MAX: usize = 32;
/// The day that is put in front of a time of day: any.
const ANY_DAY: &str = "1-1 ";
/// Clocks may be ahead by this much where the day is missing. Microseconds.
const AHEAD_MAX: i64 = 3600 * SECOND;
const DAY: i64 = 86_400 * SECOND;
const SECOND: i64 = 1_000_000;

impl Dates {
    /// The name of a form, or a form in the letters of `SimpleDateFormat`.
    pub fn parse(format: &str, offset_s: Option<i32>) -> Result<Self, String> {
        let form = match format {
            "" | "DEFAULT" | "DEFAULT_MICROS" | "DEFAULT_NANOS" | "DEFAULT_PERIOD" | "STRICT" => Form::Iso,
            "ISO8601_BASIC" => Form::of("%Y%m%dT%H%M%S,%f")?,
            "ISO8601_BASIC_PERIOD" => Form::of("%Y%m%dT%H%M%S.%f")?,
            iso if iso.starts_with("ISO8601") => Form::Iso,
            "ABSOLUTE" => Form::of("%T,%f")?,
            "ABSOLUTE_MICROS" | "ABSOLUTE_NANOS" | "ABSOLUTE_PERIOD" => Form::of("%T%.f")?,
            "DATE" => Form::of("%d %b %Y %T,%f")?,
            "DATE_PERIOD" => Form::of("%d %b %Y %T.%f")?,
            "COMPACT" => Form::of("%Y%m%d%H%M%S%f")?,
            "UNIX" | "UNIX_MILLIS" => Form::Epoch,
            letters => translated(letters)
                .and_then(|format| Form::of(&format))
                .map_err(|error| format!("`%d{{{letters}}}`: {error}"))?,
        };
        Ok(Self { form, offset_s })
    }

    /// The time that a text begins with, and how many bytes it has.
    #[inline]
    pub fn read(&self, text: &str, ingested_at: Timestamp, zone: Offset) -> Option<(Timestamp, usize)> {
        let offset_s = self.offset_s.unwrap_or(zone.seconds);
        match &self.form {
            Form::Iso => iso(text, offset_s),
            Form::Epoch => {
                let end = scan::digits_end(text.as_bytes(), 0);
                Some((Timestamp::parse_epoch(text.get(..end)?)?, end))
            }
            Form::Format(format) => {
                let (read, rest) = format.read_start(text)?;
                let time = match read {
                    ReadTime::Instant(time) => time,
                    ReadTime::Wall(wall) => wall.instant_by(ingested_at, offset_s)?,
                };
                Some((time, text.len() - rest.len()))
            }
            Form::Clock(format) => clock(text, format, ingested_at, offset_s),
        }
    }
}

impl Form {
    fn of(format: &str) -> Result<Self, String> {
        if !["%Y", "%y", "%m", "%b", "%d", "%s"].iter().any(|part| format.contains(part)) {
            return TimeFormat::parse(&format!("%m-%d {format}")).map(Self::Clock);
        }
        TimeFormat::parse(format).map(Self::Format)
    }
}

fn iso(text: &str, offset_s: i32) -> Option<(Timestamp, usize)> {
    let bytes = text.as_bytes();
    let mut end = SECONDS_END;
    if let Some(b'.' | b',') = bytes.get(end) {
        let digits = scan::digits_end(bytes, end + 1);
        end = if digits > end + 1 { digits } else { end };
    }
    let is_offset =
        |len: &usize| bytes.get(end..end + len).is_some_and(|offset| offset_seconds(offset).is_some());
    match [6, 5, 3, 1].iter().find(|len| is_offset(len)) {
        Some(len) => Some((Timestamp::parse_rfc3339(text.get(..end + len)?)?, end + len)),
        None => {
            let time = Timestamp::parse_rfc3339(text.get(..end)?)?;
            Some((Timestamp::from_micros(time.micros() - i64::from(offset_s) * SECOND), end))
        }
    }
}

/// The last day on which the time of day does not lie after `ingested_at`, by more than clocks differ.
fn clock(
    text: &str,
    format: &TimeFormat,
    ingested_at: Timestamp,
    offset_s: i32,
) -> Option<(Timestamp, usize)> {
    let end = (0..=text.len().min(CLOCK_BYTES_MAX)).rev().find(|end| text.is_char_boundary(*end))?;
    let dated = format!("{ANY_DAY}{}", text.get(..end)?);
    let (ReadTime::Wall(wall), rest) = format.read_start(&dated)? else { return None };
    let today = ingested_at.micros().saturating_add(i64::from(offset_s) * SECOND).div_euclid(DAY);
    let today = Date::from_days(i32::try_from(today).ok()?);
    let time = Timestamp::from_civil(today, wall.time, wall.offset_s.unwrap_or(offset_s))?.micros();
    let latest = ingested_at.micros().saturating_add(AHEAD_MAX);
    let time = [time + DAY, time, time - DAY].into_iter().find(|time| *time <= latest)?;
    Some((Timestamp::from_micros(time), dated.len() - rest.len() - ANY_DAY.len()))
}

/// Letters of `SimpleDateFormat` in those of `strftime`.
fn translated(letters: &str) -> Result<String, String> {
    let mut format = String::new();
    let mut rest = letters;
    while let Some(letter) = rest.chars().next() {
        let behind = rest.trim_start_matches(letter);
        let times = rest.len() - behind.len();
        rest = behind;
        match (letter, times) {
            ('y' | 'u', 2) => format.push_str("%y"),
            ('y' | 'u', _) => format.push_str("%Y"),
            ('M' | 'L', 1 | 2) => format.push_str("%m"),
            ('M' | 'L', _) => format.push_str("%b"),
            ('d', _) => format.push_str("%d"),
            ('E', _) => format.push_str("%a"),
            ('H', _) => format.push_str("%H"),
            ('h', _) => format.push_str("%I"),
            ('m', _) => format.push_str("%M"),
            ('s', _) => format.push_str("%S"),
            ('S' | 'n', _) => format.push_str("%f"),
            ('a', _) => format.push_str("%p"),
            ('Z' | 'X' | 'x', _) => format.push_str("%z"),
            ('z', _) => format.push_str("%Z"),
            ('\'', times) => {
                // Two are one, and one begins a text.
                format.extend(std::iter::repeat_n('\'', times / 2));
                if times % 2 == 1 {
                    let (text, behind) = rest.split_once('\'').ok_or("a `'` is not closed")?;
                    format.push_str(&text.replace('%', "%%"));
                    rest = behind;
                }
            }
            ('%', times) => format.push_str(&"%%".repeat(times)),
            (letter, _) if letter.is_ascii_alphabetic() => {
                return Err(format!("`{letter}` is none of y u M L d E H h m s S n a Z X x z"));
            }
            (other, times) => format.extend(std::iter::repeat_n(other, times)),
        }
    }
    Ok(format)
}
