//! Instants and days, and the forms in which logs write them.

use std::fmt;

use crate::scan;

const SECOND: i64 = 1_000_000;

/// Microseconds since 1970-01-01T00:00:00Z.
///
/// ```
/// use logsmith_plugin::{Date, TimeOfDay, Timestamp};
///
/// let time = Timestamp::parse_rfc3339("2026-11-30 09:05:09,5+01:00").unwrap();
/// assert_eq!(time.to_string(), "2026-11-30T08:05:09.500000Z");
/// assert_eq!(Timestamp::parse_epoch("1796025909.5"), Some(time));
///
/// let day = Date::from_civil(2026, 11, 30).unwrap();
/// let time_of_day = TimeOfDay { hour: 9, minute: 5, second: 9, micros: 500_000 };
/// assert_eq!(Timestamp::from_civil(day, time_of_day, 3600), Some(time));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// 0001-01-01T00:00:00Z, the first instant that a table may hold.
    pub const MIN: Self = Self(-62_135_596_800 * SECOND);
    /// The last microsecond of the year 9999.
    pub const MAX: Self = Self(253_402_300_800 * SECOND - 1);

    /// The instant `micros` microseconds after the Unix epoch. A row with one outside of [`MIN`](Self::MIN) and
    /// [`MAX`](Self::MAX) becomes a dead letter; what parses a text never makes one.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since the Unix epoch.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// An instant of the proleptic Gregorian calendar, `offset_s` seconds east of UTC. A leap second (60) is the
    /// first moment of the next minute. `None` when there is no such time of day, or outside of the years 1 to 9999.
    pub fn from_civil(date: Date, time: TimeOfDay, offset_s: i32) -> Option<Self> {
        if time.hour > 23 || time.minute > 59 || time.second > 60 || time.micros > 999_999 {
            return None;
        }
        let seconds = i64::from(time.hour) * 3600 + i64::from(time.minute) * 60 + i64::from(time.second);
        let seconds = i64::from(date.days()) * 86_400 + seconds - i64::from(offset_s);
        Self(seconds * SECOND + i64::from(time.micros)).within_years()
    }

    pub(crate) fn within_years(self) -> Option<Self> {
        (Self::MIN..=Self::MAX).contains(&self).then_some(self)
    }

    /// `2026-11-30T08:05:09.123456Z`, `2026-11-30 08:05:09,123+01:00`: RFC 3339, also with a comma or with a blank
    /// instead of the `T`. More digits than six are cut. Without an offset it is UTC.
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let (date, rest) = bytes.split_at_checked(10)?;
        let date = Date::parse_bytes(date)?;
        let (time, rest) = rest.split_at_checked(9)?;
        let [b'T' | b't' | b' ', h1, h2, b':', m1, m2, b':', s1, s2] = *time else { return None };
        let (micros, rest) = fraction(rest)?;
        let time = TimeOfDay {
            hour: two_digits(h1, h2)?,
            minute: two_digits(m1, m2)?,
            second: two_digits(s1, s2)?,
            micros,
        };
        Self::from_civil(date, time, offset_seconds(rest)?)
    }

    /// A number since the Unix epoch, such as `1764489909`, `1764489909.123` or `1764489909123`, in the unit that
    /// the size of its integer part tells: up to 11 digits seconds, up to 14 milliseconds, up to 17 microseconds,
    /// beyond nanoseconds.
    pub fn parse_epoch(text: &str) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let number: i64 = whole.parse().ok()?;
        let unit = match number.unsigned_abs() {
            0..=99_999_999_999 => SECOND,
            100_000_000_000..=99_999_999_999_999 => 1_000,
            100_000_000_000_000..=99_999_999_999_999_999 => 1,
            _ => return Self(number.div_euclid(1_000)).within_years(),
        };
        let mut part = 0;
        let mut weight = unit;
        for digit in fraction.bytes() {
            let digit = digit.is_ascii_digit().then(|| i64::from(digit - b'0'))?;
            weight /= 10;
            part += digit * weight;
        }
        let micros = number * unit;
        Self(if whole.starts_with('-') { micros - part } else { micros + part }).within_years()
    }
}

/// A time of day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimeOfDay {
    /// 0 to 23.
    pub hour: u32,
    /// 0 to 59.
    pub minute: u32,
    /// 0 to 60.
    pub second: u32,
    /// 0 to 999,999.
    pub micros: u32,
}

/// Days since 1970-01-01.
///
/// ```
/// use logsmith_plugin::Date;
///
/// let leap_day = Date::parse("2024-02-29").unwrap();
/// assert_eq!(leap_day.to_string(), "2024-02-29");
/// assert_eq!(Date::from_civil(2026, 2, 29), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(i32);

impl Date {
    /// The day `days` days after 1970-01-01.
    pub const fn from_days(days: i32) -> Self {
        Self(days)
    }

    /// Days since 1970-01-01.
    pub const fn days(self) -> i32 {
        self.0
    }

    /// A day of the proleptic Gregorian calendar, years 1 to 9999; `None` when there is no such day.
    pub fn from_civil(year: u32, month: u32, day: u32) -> Option<Self> {
        let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        let month_days = match month {
            2 if leap => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => return None,
        };
        if !(1..=9999).contains(&year) || !(1..=month_days).contains(&day) {
            return None;
        }
        // Years that begin in March put the leap day at their end, so that months have a fixed start.
        let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
        let days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 1;
        Some(Self(days as i32 - DAYS_TO_EPOCH))
    }

    /// `2026-11-30`.
    pub fn parse(text: &str) -> Option<Self> {
        Self::parse_bytes(text.as_bytes())
    }

    fn parse_bytes(bytes: &[u8]) -> Option<Self> {
        let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = *bytes else { return None };
        let year = two_digits(y1, y2)? * 100 + two_digits(y3, y4)?;
        Self::from_civil(year, two_digits(m1, m2)?, two_digits(d1, d2)?)
    }
}

/// Days from 0000-03-01 to 1970-01-01.
const DAYS_TO_EPOCH: i32 = 719_468;

impl fmt::Display for Timestamp {
    /// ISO 8601 with microseconds, UTC.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.div_euclid(SECOND);
        let (day, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        let date = Date(day as i32);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        write!(f, "{date}T{hour:02}:{minute:02}:{second:02}.{:06}Z", self.0.rem_euclid(SECOND))
    }
}

impl fmt::Display for Date {
    /// `2026-11-30`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days = i64::from(self.0) + i64::from(DAYS_TO_EPOCH);
        let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
        let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
        let day = day - (year * 365 + year / 4 - year / 100);
        let month = (day * 5 + 2) / 153;
        let day = day - (month * 153 + 2) / 5 + 1;
        let (year, month) = (year + era * 400 + i64::from(month > 9), (month + 2) % 12 + 1);
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

/// The number that two ASCII digits write.
///
/// ```
/// use logsmith_plugin::two_digits;
///
/// assert_eq!(two_digits(b'4', b'2'), Some(42));
/// assert_eq!(two_digits(b'4', b'-'), None);
/// ```
#[inline]
pub fn two_digits(tens: u8, ones: u8) -> Option<u32> {
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    (tens < 10 && ones < 10).then(|| u32::from(tens) * 10 + u32::from(ones))
}

/// `.123` as microseconds, and what follows.
fn fraction(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let [b'.' | b',', rest @ ..] = bytes else { return Some((0, bytes)) };
    // Milliseconds are what most logs write.
    if let [a, b, c, rest @ ..] = rest
        && c.is_ascii_digit()
        && !rest.first().is_some_and(u8::is_ascii_digit)
    {
        let millis = two_digits(*a, *b)? * 10 + two_digits(b'0', *c)?;
        return Some((millis * 1_000, rest));
    }
    let (digits, rest) = rest.split_at_checked(scan::digits_end(rest, 0))?;
    let mut weight = 1_000_000;
    let mut micros = 0;
    for digit in digits {
        weight /= 10;
        micros += u32::from(digit - b'0') * weight;
    }
    (!digits.is_empty()).then_some((micros, rest))
}

/// `Z`, `+01:00`, `+0100`, `+01` or nothing, as seconds east of UTC.
///
/// ```
/// use logsmith_plugin::offset_seconds;
///
/// assert_eq!(offset_seconds(b"-0530"), Some(-19_800));
/// assert_eq!(offset_seconds(b"CET"), None);
/// ```
pub fn offset_seconds(bytes: &[u8]) -> Option<i32> {
    let (sign, hours, minutes) = match *bytes {
        [] | [b'Z' | b'z'] => return Some(0),
        [sign, h1, h2] => (sign, two_digits(h1, h2)?, 0),
        [sign, h1, h2, m1, m2] | [sign, h1, h2, b':', m1, m2] => {
            (sign, two_digits(h1, h2)?, two_digits(m1, m2)?)
        }
        _ => return None,
    };
    if hours > 23 || minutes > 59 {
        return None;
    }
    let seconds = (hours * 3600 + minutes * 60) as i32;
    match sign {
        b'+' => Some(seconds),
        b'-' => Some(-seconds),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> String {
        Timestamp::parse_rfc3339(text).map_or("none".into(), |time| time.to_string())
    }

    #[test]
    fn the_forms_of_rfc3339_and_of_common_loggers() {
        for (text, expected) in [
            ("2026-11-30T08:05:09Z", "2026-11-30T08:05:09.000000Z"),
            ("2026-11-30T08:05:09.5Z", "2026-11-30T08:05:09.500000Z"),
            ("2026-11-30T08:05:09.25Z", "2026-11-30T08:05:09.250000Z"),
            ("2026-11-30T08:05:09.25", "2026-11-30T08:05:09.250000Z"),
            ("2026-11-30t08:05:09.123456789z", "2026-11-30T08:05:09.123456Z"),
            ("2026-11-30 08:05:09,123", "2026-11-30T08:05:09.123000Z"),
            ("2026-11-30T00:30:00+01:00", "2026-11-29T23:30:00.000000Z"),
            ("2026-12-31T23:30:00-0130", "2027-01-01T01:00:00.000000Z"),
            ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000000Z"),
            ("2024-02-29T00:00:00Z", "2024-02-29T00:00:00.000000Z"),
            ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000000Z"),
            ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59.000000Z"),
        ] {
            assert_eq!(parsed(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in [
            "",
            "2026-11-30",
            "2026-11-30T08:05",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-11-30T24:00:00Z",
            "2026-11-30T08:05:09.Z",
            "2026-11-30T08:05:09+25:00",
            "2026-11-30T08:05:09Z trailing",
            "0000-01-01T00:00:00Z",
            "0001-01-01T00:00:00+01:00",
        ] {
            assert_eq!(parsed(text), "none", "{text}");
        }
    }

    #[test]
    fn the_size_of_an_epoch_number_tells_its_unit() {
        for text in [
            "1764489909.123456",
            "1764489909123.456",
            "1764489909123456",
            "1764489909123456789",
            "1764489909.1234569",
        ] {
            assert_eq!(
                Timestamp::parse_epoch(text).map(Timestamp::micros),
                Some(1_764_489_909_123_456),
                "{text}"
            );
        }
        assert_eq!(Timestamp::parse_epoch("-1.5").map(Timestamp::micros), Some(-1_500_000));
        assert_eq!(Timestamp::parse_epoch("-99999999999"), None, "before the year 1");
        assert_eq!(Timestamp::parse_epoch("1e9"), None);
        assert_eq!(Timestamp::parse_epoch("1.2.3"), None);
    }

    #[test]
    fn every_day_reads_as_it_is_written() {
        for days in (-719_162..2_932_897).step_by(97) {
            let date = Date::from_days(days);
            assert_eq!(Date::parse(&date.to_string()), Some(date));
        }
    }
}
