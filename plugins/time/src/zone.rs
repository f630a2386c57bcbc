//! What clocks in a zone show, and when.

use jiff::tz::{Offset, TimeZone};
use logsmith_plugin::{Timestamp, offset_seconds};

/// A zone.
#[derive(Debug)]
pub enum Zone {
    /// Microseconds east of UTC.
    Fixed(i64),
    Named(Named),
}

/// A zone of the IANA database.
#[derive(Debug)]
pub struct Named {
    zone: TimeZone,
    /// The slice of local time that was asked for last, and how far east of UTC all of it is: a log goes on in time.
    last: Option<(i64, i64)>,
}

const SECOND: i64 = 1_000_000;
/// Of local time. Microseconds.
const SLICE: i64 = 15 * 60 * SECOND;

impl Zone {
    /// A zone by its name or its offset.
    pub fn parse(name: &str) -> Result<Self, String> {
        let is_offset = name.starts_with(['+', '-', 'Z']);
        if let Some(seconds) = offset_seconds(name.as_bytes()).filter(|_| is_offset) {
            return Ok(Self::Fixed(i64::from(seconds) * SECOND));
        }
        match TimeZone::get(name) {
            Ok(zone) if zone == TimeZone::UTC => Ok(Self::Fixed(0)),
            Ok(zone) => Ok(Self::Named(Named { zone, last: None })),
            Err(_) => Err(
                "there is no such zone: write a name such as `Europe/Berlin`, or an offset such as `+01:00`"
                    .into(),
            ),
        }
    }

    /// When clocks in this zone show what clocks that show UTC show at `local`.
    #[inline]
    pub fn instant(&mut self, local: Timestamp) -> Option<Timestamp> {
        let east = match self {
            Self::Fixed(east) => *east,
            Self::Named(named) => named.east(local.micros())?,
        };
        let time = Timestamp::from_micros(local.micros() - east);
        (Timestamp::MIN..=Timestamp::MAX).contains(&time).then_some(time)
    }
}

impl Named {
    fn east(&mut self, local: i64) -> Option<i64> {
        let slice = local.div_euclid(SLICE);
        if let Some((last, east)) = self.last
            && last == slice
        {
            return Some(east);
        }
        let ends = [slice * SLICE, (slice + 1) * SLICE - 1].map(|end| self.look_up(end));
        self.last = match ends {
            [Some(first), Some(last)] if first == last => Some((slice, first)),
            _ => None,
        };
        self.look_up(local)
    }

    fn look_up(&self, local: i64) -> Option<i64> {
        let shown = Offset::UTC.to_datetime(jiff::Timestamp::from_microsecond(local).ok()?);
        let time = self.zone.to_ambiguous_timestamp(shown).compatible().ok()?;
        Some(local - time.as_microsecond())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_quarter_of_an_hour_is_as_if_it_were_asked_alone() {
        let Zone::Named(mut named) = Zone::parse("America/New_York").expect("a zone") else {
            panic!("no name")
        };
        // A year in steps of seven minutes, which crosses both changes.
        let start = Timestamp::parse_rfc3339("2026-01-01T00:00:00Z").expect("a time").micros();
        for step in 0..365 * 24 * 60 / 7 {
            let local = start + step * 7 * 60 * 1_000_000;
            assert_eq!(named.east(local), named.look_up(local), "{local}");
        }
    }
}
