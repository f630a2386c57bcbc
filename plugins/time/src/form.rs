//! The forms in which times are written.

use logsmith_plugin::{ReadTime, TimeFormat, Timestamp, WallTime};

use crate::zone::Zone;

/// A form.
#[derive(Debug)]
pub enum Form {
    Rfc3339,
    /// In the unit that the size of the number tells.
    Epoch,
    /// So many of the unit are a second.
    EpochIn(i64),
    Format(TimeFormat),
}

/// What is written in a row.
#[derive(Clone, Copy, Debug)]
pub enum Seen<'b> {
    Text(&'b str),
    Int(i64),
    Real(f64),
}

/// What a form says of it.
#[derive(Clone, Copy, Debug)]
pub enum Said {
    Instant(Timestamp),
    /// The instant at which clocks that show UTC show what was written.
    Local(Timestamp),
    /// Without a year.
    Wall(WallTime),
}

impl Form {
    /// The form of this name.
    pub fn parse(name: &str) -> Result<Self, String> {
        Ok(match name {
            "rfc3339" => Self::Rfc3339,
            "epoch" => Self::Epoch,
            "epoch_s" => Self::EpochIn(1),
            "epoch_ms" => Self::EpochIn(1_000),
            "epoch_us" => Self::EpochIn(1_000_000),
            "epoch_ns" => Self::EpochIn(1_000_000_000),
            format if format.contains('%') => Self::Format(TimeFormat::parse(format)?),
            _ => {
                return Err(
                    "it is no form: write rfc3339, epoch, epoch_s, epoch_ms, epoch_us, epoch_ns, or a \
                            format, as in `%d/%b/%Y:%H:%M:%S %z`"
                        .into(),
                );
            }
        })
    }

    /// Whether a number can be read by it.
    pub fn is_number(&self) -> bool {
        matches!(self, Self::Epoch | Self::EpochIn(_))
    }

    /// Whether it leaves the year out.
    pub fn lacks_year(&self) -> bool {
        matches!(self, Self::Format(format) if !format.has_year())
    }

    /// What is written, read by this form.
    #[inline]
    pub fn read(&self, seen: Seen<'_>) -> Option<Said> {
        match (self, seen) {
            (Self::Rfc3339, Seen::Text(text)) => {
                let time = Timestamp::parse_rfc3339(text)?;
                // Behind the seconds stands a fraction, or an offset.
                let has_offset = text.bytes().skip(19).any(|byte| matches!(byte, b'Z' | b'z' | b'+' | b'-'));
                Some(if has_offset { Said::Instant(time) } else { Said::Local(time) })
            }
            (Self::Format(format), Seen::Text(text)) => match format.read(text)? {
                ReadTime::Instant(time) => Some(Said::Instant(time)),
                ReadTime::Wall(wall @ WallTime { year: Some(year), .. }) => {
                    wall.instant(year, 0).map(Said::Local)
                }
                ReadTime::Wall(wall) => Some(Said::Wall(wall)),
            },
            (Self::Epoch, Seen::Text(text)) => Timestamp::parse_epoch(text).map(Said::Instant),
            (Self::EpochIn(unit), Seen::Text(text)) => {
                let micros = match text.parse() {
                    Ok(number) => whole(number, *unit)?,
                    Err(_) => fractional(text.parse().ok()?, *unit)?,
                };
                instant(micros)
            }
            (Self::Epoch, Seen::Int(number)) => instant(whole(number, unit_of(number as f64))?),
            (Self::EpochIn(unit), Seen::Int(number)) => instant(whole(number, *unit)?),
            (Self::Epoch, Seen::Real(number)) => instant(fractional(number, unit_of(number))?),
            (Self::EpochIn(unit), Seen::Real(number)) => instant(fractional(number, *unit)?),
            (Self::Rfc3339 | Self::Format(_), Seen::Int(_) | Seen::Real(_)) => None,
        }
    }
}

impl Said {
    /// The instant; `reference` is asked where the year is missing.
    #[inline]
    pub fn time(self, zone: &mut Zone, reference: impl Fn() -> Option<Timestamp>) -> Option<Timestamp> {
        match self {
            Self::Instant(time) => Some(time),
            Self::Local(local) => zone.instant(local),
            Self::Wall(wall) => wall.instant_in(reference()?, |local| zone.instant(local)),
        }
    }
}

/// As `Timestamp::parse_epoch` tells it.
fn unit_of(number: f64) -> i64 {
    match number.abs() {
        number if number < 1e11 => 1,
        number if number < 1e14 => 1_000,
        number if number < 1e17 => 1_000_000,
        _ => 1_000_000_000,
    }
}

fn whole(number: i64, unit: i64) -> Option<i64> {
    if unit > 1_000_000 {
        Some(number.div_euclid(unit / 1_000_000))
    } else {
        number.checked_mul(1_000_000 / unit)
    }
}

fn fractional(number: f64, unit: i64) -> Option<i64> {
    let micros = number * (1_000_000.0 / unit as f64);
    micros.is_finite().then_some(micros.round() as i64)
}

fn instant(micros: i64) -> Option<Said> {
    let time = Timestamp::from_micros(micros);
    (Timestamp::MIN..=Timestamp::MAX).contains(&time).then_some(Said::Instant(time))
}
