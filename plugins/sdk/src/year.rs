//! The year of times that are written without one.

use crate::format::WallTime;
use crate::time::{Date, Timestamp};

/// A day is left for clocks that differ.
const AHEAD_MICROS_MAX: i64 = 86_400_000_000;

/// Eight years may lie between two leap days.
const YEARS_BACK_MAX: u32 = 8;

impl WallTime {
    /// The instant that this is, `offset_s` seconds east of UTC where no offset was written. A missing year is the last
    /// in which the time does not lie after `reference`, when it was read: what December wrote and January reads is of
    /// last year. A day is left for clocks that differ.
    ///
    /// ```
    /// use logsmith_plugin::{TimeOfDay, Timestamp, WallTime};
    ///
    /// let time = TimeOfDay { hour: 23, ..TimeOfDay::default() };
    /// let wall = WallTime { year: None, month: 12, day: 31, time, offset_s: None };
    /// let ingested_at = Timestamp::parse_rfc3339("2027-01-01T00:10:00Z").unwrap();
    /// let time = wall.instant_by(ingested_at, 0).unwrap();
    /// assert_eq!(time.to_string(), "2026-12-31T23:00:00.000000Z");
    /// ```
    pub fn instant_by(self, reference: Timestamp, offset_s: i32) -> Option<Timestamp> {
        let east = i64::from(offset_s) * 1_000_000;
        self.instant_in(reference, |shown| Timestamp::from_micros(shown.micros() - east).within_years())
    }

    /// As [`instant_by`](Self::instant_by), in a zone whose offset changes: `in_zone` says when clocks there show what
    /// clocks in UTC show at an instant. It is not asked where an offset was written.
    pub fn instant_in(
        self,
        reference: Timestamp,
        mut in_zone: impl FnMut(Timestamp) -> Option<Timestamp>,
    ) -> Option<Timestamp> {
        let mut instant = |year| match self.offset_s {
            Some(offset_s) => self.instant(year, offset_s),
            None => in_zone(self.instant(year, 0)?),
        };
        if let Some(year) = self.year {
            return instant(year);
        }
        let latest = reference.micros().saturating_add(AHEAD_MICROS_MAX);
        let next = year_of(reference)? + 1;
        (next.saturating_sub(YEARS_BACK_MAX + 1)..=next)
            .rev()
            .find_map(|year| instant(year).filter(|time| time.micros() <= latest))
    }
}

/// The UTC year of an instant.
fn year_of(time: Timestamp) -> Option<u32> {
    let days = i32::try_from(time.micros().div_euclid(86_400_000_000)).ok()?;
    let guess = u32::try_from(1970 + (i64::from(days) * 400).div_euclid(146_097)).ok()?;
    let begins_by = |year: &u32| Date::from_civil(*year, 1, 1).is_some_and(|first| first.days() <= days);
    (guess.saturating_sub(1)..=guess + 1).rev().find(begins_by)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::TimeOfDay;

    fn read(month: u32, day: u32, reference: &str, offset_s: i32) -> String {
        let time = TimeOfDay { hour: 23, ..TimeOfDay::default() };
        let wall = WallTime { year: None, month, day, time, offset_s: None };
        let reference = Timestamp::parse_rfc3339(reference).expect("a time");
        wall.instant_by(reference, offset_s).map_or("none".into(), |time| time.to_string())
    }

    #[test]
    fn a_missing_year_is_the_last_that_is_possible() {
        assert_eq!(read(11, 29, "2026-11-30T12:00:00Z", 0), "2026-11-29T23:00:00.000000Z");
        assert_eq!(read(12, 31, "2027-01-01T00:10:00Z", 0), "2026-12-31T23:00:00.000000Z");
        assert_eq!(read(1, 1, "2026-12-31T23:30:00Z", 0), "2027-01-01T23:00:00.000000Z", "a clock is ahead");
        assert_eq!(read(1, 3, "2026-12-31T23:30:00Z", 0), "2026-01-03T23:00:00.000000Z");
        assert_eq!(read(2, 29, "2027-06-01T00:00:00Z", 0), "2024-02-29T23:00:00.000000Z");
        assert_eq!(read(2, 29, "1904-01-05T00:00:00Z", 0), "1896-02-29T23:00:00.000000Z");
        assert_eq!(read(12, 31, "2027-01-01T00:10:00Z", -7200), "2027-01-01T01:00:00.000000Z");
        assert_eq!(read(2, 30, "2027-06-01T00:00:00Z", 0), "none");
    }
}
