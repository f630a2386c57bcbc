//! Time is passed in, so that a test can choose it.

use std::fmt;

use chrono::{DateTime, NaiveDate, Utc};
use rustix::time::{ClockId, clock_gettime};

/// Microseconds since 1970-01-01T00:00:00Z, the resolution that Delta tables keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The instant `micros` microseconds after the Unix epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Reads an instant with its zone, `2026-11-30T08:05:09.5Z` or `2026-11-30T09:05:09+01:00`.
    pub fn parse(text: &str) -> Option<Self> {
        DateTime::parse_from_rfc3339(text).ok().map(|time| Self(time.timestamp_micros()))
    }

    /// Microseconds since the Unix epoch.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Milliseconds since the Unix epoch, as Delta log entries keep them.
    pub const fn millis(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// The UTC day of this instant, as days since 1970-01-01 (Arrow's `date32`).
    pub const fn day(self) -> Day {
        Day(self.0.div_euclid(86_400_000_000) as i32)
    }
}

impl fmt::Display for Timestamp {
    /// ISO 8601 with milliseconds, UTC.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match DateTime::<Utc>::from_timestamp_micros(self.0) {
            Some(time) => write!(f, "{}", time.format("%Y-%m-%dT%H:%M:%S%.3fZ")),
            None => write!(f, "{} µs", self.0),
        }
    }
}

/// A UTC day, as days since 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(pub i32);

impl Day {
    /// Reads the form of a Delta partition value, `2026-11-30`.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse::<NaiveDate>().ok().map(|date| Self(date.to_epoch_days()))
    }

    /// Its first instant.
    pub const fn start(self) -> Timestamp {
        Timestamp(self.0 as i64 * 86_400_000_000)
    }
}

impl fmt::Display for Day {
    /// `2026-11-30`, the form of a Delta partition value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NaiveDate::from_epoch_days(self.0) {
            Some(date) => write!(f, "{date}"),
            None => write!(f, "day {}", self.0),
        }
    }
}

/// Where the time comes from.
pub trait Clock: fmt::Debug + Send + Sync {
    /// The current instant.
    fn now(&self) -> Timestamp;

    /// When the machine was started, if that is known.
    fn booted(&self) -> Option<Timestamp> {
        None
    }
}

/// The host's wall clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place where the wall clock is read")]
    fn now(&self) -> Timestamp {
        Timestamp(Utc::now().timestamp_micros())
    }

    fn booted(&self) -> Option<Timestamp> {
        let up = clock_gettime(ClockId::Boottime);
        Some(Timestamp(self.now().0 - up.tv_sec * 1_000_000 - up.tv_nsec / 1_000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_utc_and_floors_before_the_epoch() {
        assert_eq!(Timestamp::from_micros(1_785_456_000_000_000).day().to_string(), "2026-07-31");
        assert_eq!(Timestamp::from_micros(-1).day().to_string(), "1969-12-31");
    }
}
