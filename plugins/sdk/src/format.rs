//! Times in the form that a format describes, in the letters of `strftime`.

use crate::scan;
use crate::time::{Date, TimeOfDay, Timestamp, offset_seconds, two_digits};

/// The form in which a text writes a time.
///
/// | in a format | in a text |
/// |---|---|
/// | `%Y` `%y` | the year: four digits; two, of which 69 to 99 are 1969 to 1999 |
/// | `%m` `%b` | the month: one or two digits; its English name, short or whole, in any case (also `%B`, `%h`) |
/// | `%d` | the day of the month: one or two digits, also behind a blank (also `%e`) |
/// | `%a` | the English name of a weekday, short or whole, which is not compared with the date (also `%A`) |
/// | `%H` `%I` `%p` | the hour of 24; of 12, with `AM` or `PM` in any case |
/// | `%M` `%S` | minute and second, which may be 60 |
/// | `%f` `%.f` | a fraction of the second: one to nine digits, cut after six; with its `.` or `,`, or missing |
/// | `%z` `%Z` | `Z`, `+01`, `+0100`, `+01:00`; `UTC`, `GMT` or `Z`, since other short names mean several zones |
/// | `%s` | seconds since the Unix epoch |
/// | `%F` `%T` `%R` | `%Y-%m-%d`, `%H:%M:%S`, `%H:%M` |
/// | a blank | one blank or tab or more |
/// | `%%`, anything else | itself |
///
/// ```
/// use logsmith_plugin::{ReadTime, TimeFormat, Timestamp};
///
/// let format = TimeFormat::parse("%d/%b/%Y:%T %z")?;
/// let time = Timestamp::parse_rfc3339("2026-11-30T07:05:09Z").unwrap();
/// assert_eq!(format.read("30/Nov/2026:08:05:09 +0100"), Some(ReadTime::Instant(time)));
/// assert_eq!(format.read("yesterday"), None);
///
/// // Where the year or the zone is missing, the plugin says which they are.
/// let format = TimeFormat::parse("%b %d %T")?;
/// let Some(ReadTime::Wall(wall)) = format.read("Nov 30 07:05:09") else { panic!("no time") };
/// assert_eq!(wall.instant(2026, 0), Some(time));
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeFormat {
    items: Vec<Item>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Item {
    Byte(u8),
    Blanks,
    Year,
    ShortYear,
    Month,
    MonthName,
    Day,
    Weekday,
    Hour,
    Hour12,
    AmPm,
    Minute,
    Second,
    Fraction,
    DotFraction,
    Offset,
    ZoneName,
    Epoch,
}

/// What a text says of a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadTime {
    /// All of it.
    Instant(Timestamp),
    /// What a clock on a wall showed; the zone or the year is missing.
    Wall(WallTime),
}

/// What a clock and a calendar on a wall show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WallTime {
    /// 1 to 9999, if it was written.
    pub year: Option<u32>,
    /// 1 to 12.
    pub month: u32,
    /// 1 to 31.
    pub day: u32,
    /// The time of day.
    pub time: TimeOfDay,
    /// Seconds east of UTC, if they were written.
    pub offset_s: Option<i32>,
}

impl WallTime {
    /// The instant in this year, `offset_s` seconds east of UTC; what was written does not count.
    pub fn instant(self, year: u32, offset_s: i32) -> Option<Timestamp> {
        Timestamp::from_civil(Date::from_civil(year, self.month, self.day)?, self.time, offset_s)
    }
}

impl TimeFormat {
    /// Reads a format, or says what is wrong with it.
    pub fn parse(format: &str) -> Result<Self, String> {
        let mut items = Vec::new();
        let mut bytes = format.bytes();
        while let Some(byte) = bytes.next() {
            let letter = match byte {
                b'%' => bytes.next().ok_or("it ends with a single `%`")?,
                b' ' | b'\t' => {
                    if items.last() != Some(&Item::Blanks) {
                        items.push(Item::Blanks);
                    }
                    continue;
                }
                other => {
                    items.push(Item::Byte(other));
                    continue;
                }
            };
            match letter {
                b'F' => items.extend([Item::Year, DASH, Item::Month, DASH, Item::Day]),
                b'T' => items.extend([Item::Hour, COLON, Item::Minute, COLON, Item::Second]),
                b'R' => items.extend([Item::Hour, COLON, Item::Minute]),
                b'.' if bytes.next() == Some(b'f') => items.push(Item::DotFraction),
                letter => items.push(Item::of(letter).ok_or_else(|| {
                    format!(
                        "`%{}` is none of %Y %y %m %b %d %a %H %I %p %M %S %f %.f %z %Z %s %F %T %R %%",
                        char::from(letter).escape_default()
                    )
                })?),
            }
        }
        let format = Self { items };
        format.check()?;
        Ok(format)
    }

    /// A format must tell a day at least.
    fn check(&self) -> Result<(), String> {
        let has = |items: &[Item]| self.items.iter().any(|item| items.contains(item));
        if has(&[Item::Epoch]) {
            return Ok(());
        }
        if !has(&[Item::Month, Item::MonthName]) || !has(&[Item::Day]) {
            return Err("it has no month or no day: write `%m` or `%b`, and `%d`".into());
        }
        if has(&[Item::Hour12]) != has(&[Item::AmPm]) {
            return Err("`%I` and `%p` go together".into());
        }
        Ok(())
    }

    /// Whether a time in this format has its year.
    pub fn has_year(&self) -> bool {
        self.items.iter().any(|item| matches!(item, Item::Year | Item::ShortYear | Item::Epoch))
    }

    /// The time that a text writes, from its first to its last byte.
    pub fn read(&self, text: &str) -> Option<ReadTime> {
        let (time, rest) = self.read_start(text)?;
        rest.is_empty().then_some(time)
    }

    /// The time that a text begins with, and what follows it.
    pub fn read_start<'a>(&self, text: &'a str) -> Option<(ReadTime, &'a str)> {
        let mut rest = text.as_bytes();
        let mut found = Found::default();
        for item in &self.items {
            rest = item.read(rest, &mut found)?;
        }
        Some((found.time()?, text.get(text.len() - rest.len()..)?))
    }
}

const DASH: Item = Item::Byte(b'-');
const COLON: Item = Item::Byte(b':');

/// What was read so far.
#[derive(Debug, Default)]
struct Found {
    year: Option<u32>,
    month: u32,
    day: u32,
    time: TimeOfDay,
    is_afternoon: Option<bool>,
    offset_s: Option<i32>,
    epoch_s: Option<i64>,
}

impl Found {
    fn time(mut self) -> Option<ReadTime> {
        if let Some(seconds) = self.epoch_s {
            let micros = seconds.checked_mul(1_000_000)?.checked_add(i64::from(self.time.micros))?;
            let time = Timestamp::from_micros(micros);
            return (Timestamp::MIN..=Timestamp::MAX).contains(&time).then_some(ReadTime::Instant(time));
        }
        if let Some(is_afternoon) = self.is_afternoon {
            if !(1..=12).contains(&self.time.hour) {
                return None;
            }
            self.time.hour = self.time.hour % 12 + if is_afternoon { 12 } else { 0 };
        }
        let Self { year, month, day, time, offset_s, .. } = self;
        let wall = WallTime { year, month, day, time, offset_s };
        // A leap year stands for one that is not known.
        let instant = wall.instant(year.unwrap_or(2000), offset_s.unwrap_or(0))?;
        Some(if year.and(offset_s).is_some() { ReadTime::Instant(instant) } else { ReadTime::Wall(wall) })
    }
}

impl Item {
    fn of(letter: u8) -> Option<Self> {
        Some(match letter {
            b'Y' => Self::Year,
            b'y' => Self::ShortYear,
            b'm' => Self::Month,
            b'b' | b'B' | b'h' => Self::MonthName,
            b'd' | b'e' => Self::Day,
            b'a' | b'A' => Self::Weekday,
            b'H' => Self::Hour,
            b'I' => Self::Hour12,
            b'p' => Self::AmPm,
            b'M' => Self::Minute,
            b'S' => Self::Second,
            b'f' => Self::Fraction,
            b'z' => Self::Offset,
            b'Z' => Self::ZoneName,
            b's' => Self::Epoch,
            b'%' => Self::Byte(b'%'),
            _ => return None,
        })
    }

    /// Takes what this item says off the front of `bytes`, and answers the rest.
    #[inline]
    fn read<'a>(self, bytes: &'a [u8], found: &mut Found) -> Option<&'a [u8]> {
        match self {
            Self::Byte(byte) => match bytes {
                [first, rest @ ..] if *first == byte => Some(rest),
                _ => None,
            },
            Self::Blanks => {
                let rest = bytes.trim_ascii_start();
                (rest.len() < bytes.len()).then_some(rest)
            }
            Self::Year => {
                let ([y1, y2, y3, y4], rest) = bytes.split_first_chunk()?;
                found.year = Some(two_digits(*y1, *y2)? * 100 + two_digits(*y3, *y4)?);
                Some(rest)
            }
            Self::ShortYear => {
                let ([tens, ones], rest) = bytes.split_first_chunk()?;
                let year = two_digits(*tens, *ones)?;
                found.year = Some(if year < 69 { 2000 + year } else { 1900 + year });
                Some(rest)
            }
            Self::Month => number(bytes, &mut found.month),
            Self::MonthName => name(bytes, &MONTHS, &mut found.month),
            Self::Day => number(bytes.strip_prefix(b" ").unwrap_or(bytes), &mut found.day),
            Self::Weekday => name(bytes, &WEEKDAYS, &mut 0),
            Self::Hour | Self::Hour12 => number(bytes, &mut found.time.hour),
            Self::AmPm => {
                let ([first, b'M' | b'm'], rest) = bytes.split_first_chunk()? else { return None };
                found.is_afternoon = Some(match first.to_ascii_uppercase() {
                    b'A' => false,
                    b'P' => true,
                    _ => return None,
                });
                Some(rest)
            }
            Self::Minute => number(bytes, &mut found.time.minute),
            Self::Second => number(bytes, &mut found.time.second),
            Self::Fraction => fraction(bytes, &mut found.time.micros),
            Self::DotFraction => match bytes {
                [b'.' | b',', rest @ ..] => fraction(rest, &mut found.time.micros),
                _ => Some(bytes),
            },
            Self::Offset => {
                let len = offset_len(bytes)?;
                let (offset, rest) = bytes.split_at_checked(len)?;
                found.offset_s = Some(offset_seconds(offset)?);
                Some(rest)
            }
            Self::ZoneName => {
                found.offset_s = Some(0);
                [&b"UTC"[..], b"GMT", b"Z"].iter().find_map(|name| bytes.strip_prefix(*name))
            }
            Self::Epoch => {
                let sign = usize::from(bytes.first() == Some(&b'-'));
                let (number, rest) = bytes.split_at_checked(scan::digits_end(bytes, sign))?;
                found.epoch_s = Some(str::from_utf8(number).ok()?.parse().ok()?);
                Some(rest)
            }
        }
    }
}

/// One or two digits.
fn number<'a>(bytes: &'a [u8], into: &mut u32) -> Option<&'a [u8]> {
    let (value, rest) = match bytes {
        [tens, ones, rest @ ..] if ones.is_ascii_digit() => (two_digits(*tens, *ones)?, rest),
        [ones, rest @ ..] => (two_digits(b'0', *ones)?, rest),
        [] => return None,
    };
    *into = value;
    Some(rest)
}

/// One to nine digits behind a point, in microseconds.
fn fraction<'a>(bytes: &'a [u8], into: &mut u32) -> Option<&'a [u8]> {
    let (digits, rest) = bytes.split_at_checked(scan::digits_end(bytes, 0))?;
    if !(1..=9).contains(&digits.len()) {
        return None;
    }
    let mut weight = 1_000_000;
    *into = 0;
    for digit in digits {
        weight /= 10;
        *into += u32::from(digit - b'0') * weight;
    }
    Some(rest)
}

/// How many bytes an offset from UTC has.
fn offset_len(bytes: &[u8]) -> Option<usize> {
    let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    match bytes.first()? {
        b'Z' | b'z' => Some(1),
        b'+' | b'-' if bytes.get(3) == Some(&b':') => Some(6),
        b'+' | b'-' if digit(3) && digit(4) => Some(5),
        b'+' | b'-' => Some(3),
        _ => None,
    }
}

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
const WEEKDAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
/// Of a short name. Bytes.
const SHORT_NAME: usize = 3;

/// A name, short or whole; `into` becomes its number, from 1 on.
fn name<'a>(bytes: &'a [u8], names: &[&str], into: &mut u32) -> Option<&'a [u8]> {
    let starts =
        |name: &str| bytes.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name.as_bytes()));
    let short = |name: &str| name.get(..SHORT_NAME).is_some_and(starts);
    let (number, name) = (1..).zip(names).find(|(_, name)| short(name))?;
    *into = number;
    bytes.get(if starts(name) { name.len() } else { SHORT_NAME }..)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(format: &str, text: &str) -> String {
        let format = TimeFormat::parse(format).unwrap_or_else(|error| panic!("{format}: {error}"));
        match format.read(text) {
            Some(ReadTime::Instant(time)) => time.to_string(),
            Some(ReadTime::Wall(WallTime { year, month, day, time, offset_s })) => {
                let TimeOfDay { hour, minute, second, micros } = time;
                format!("{year:?} {month}-{day} {hour}:{minute}:{second}.{micros} {offset_s:?}")
            }
            None => "none".into(),
        }
    }

    #[test]
    fn forms_of_common_loggers() {
        for (format, text, expected) in [
            ("%d/%b/%Y:%H:%M:%S %z", "30/Nov/2026:08:05:09 +0100", "2026-11-30T07:05:09.000000Z"),
            ("%Y-%m-%dT%H:%M:%S%.f%z", "2026-11-30T08:05:09.1234567-01:30", "2026-11-30T09:35:09.123456Z"),
            ("%F %T,%f", "2026-11-30 08:05:09,5", "Some(2026) 11-30 8:5:9.500000 None"),
            ("%b %d %H:%M:%S", "Nov  3 08:05:09", "None 11-3 8:5:9.0 None"),
            ("%b %e %T", "feb 29 23:59:60", "None 2-29 23:59:60.0 None"),
            ("%a, %d %B %Y %T %Z", "Monday, 30 november 2026 08:05:09 GMT", "2026-11-30T08:05:09.000000Z"),
            ("%a %b %d %T %z %Y", "Thu Sep 03 08:05:09 Z 2026", "2026-09-03T08:05:09.000000Z"),
            ("%m/%d/%y %I:%M:%S %p", "1/2/70 12:00:00 am", "Some(1970) 1-2 0:0:0.0 None"),
            ("%m/%d/%y %I:%M %p", "1/2/68 12:30 PM", "Some(2068) 1-2 12:30:0.0 None"),
            ("%Y%m%d%H%M%S%z", "20261130080509+01", "2026-11-30T07:05:09.000000Z"),
            ("%s%.f", "1764489909.25", "2025-11-30T08:05:09.250000Z"),
            ("%s", "-1", "1969-12-31T23:59:59.000000Z"),
            ("100%% %F", "100% 2026-11-30", "Some(2026) 11-30 0:0:0.0 None"),
        ] {
            assert_eq!(read(format, text), expected, "{format} on {text}");
        }
    }

    #[test]
    fn other_texts_are_no_time() {
        for (format, text) in [
            ("%F", ""),
            ("%F", "2026-02-29"),
            ("%F", "2026-11-30 "),
            ("%F", "0000-01-01"),
            ("%F %T", "2026-11-30 24:00:00"),
            ("%F %T", "2026-11-3008:05:09"),
            ("%F %R %z", "2026-11-30 08:05 01:00"),
            ("%F %R %z", "2026-11-30 08:05 +0"),
            ("%F %R %Z", "2026-11-30 08:05 CET"),
            ("%F %T.%f", "2026-11-30 08:05:09."),
            ("%F %T.%f", "2026-11-30 08:05:09.1234567890"),
            ("%F %I %p", "2026-11-30 13 PM"),
            ("%F %I %p", "2026-11-30 0 AM"),
            ("%b %d", "Nox 3"),
            ("%b %d", "Fébruary 3"),
            ("%s", "99999999999999"),
            ("%s", "-"),
        ] {
            assert_eq!(read(format, text), "none", "{format} on {text}");
        }
    }

    #[test]
    fn what_follows_a_time_is_handed_back() {
        let format = TimeFormat::parse("%F %T%.f").expect("a format");
        let read = |text| format.read_start(text).map(|(_, rest)| rest);
        assert_eq!(read("2026-11-30 08:05:09,25 é"), Some(" é"));
        assert_eq!(read("2026-11-30 08:05:09"), Some(""));
        assert_eq!(read("2026-11-30 08:05é"), None);
    }

    #[test]
    fn a_format_that_tells_no_day_is_refused() {
        for (format, words) in [
            ("%H:%M", "no month"),
            ("%Y %b", "no month or no day"),
            ("%F %I", "go together"),
            ("%F %q", "`%q` is none of"),
            ("%F %.3f", "`%.` is none of"),
            ("%F %", "ends with a single"),
            ("", "no month"),
        ] {
            let error = TimeFormat::parse(format).expect_err(format);
            assert!(error.contains(words), "{format}: {error}");
        }
    }
}
