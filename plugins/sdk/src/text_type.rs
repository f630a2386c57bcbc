//! Texts as values of other types, as a configuration says.

use std::str::FromStr;

use crate::column::Kind;
use crate::format::{ReadTime, TimeFormat};
use crate::time::{Date, Timestamp};
use crate::view::Datum;

/// The type as which a text is read. A configuration writes it by the name that columns have in tables: `string`,
/// `integer`, `long`, `double`, `boolean`, `date`, `timestamp`, or `timestamp:` with a [`TimeFormat`].
///
/// ```
/// use logsmith_plugin::{Datum, Kind, TextType};
///
/// let read_as: TextType = "long".parse()?;
/// assert_eq!(read_as.kind(), Kind::Int64);
/// assert_eq!(read_as.read("17"), Some(Datum::Int64(17)));
/// assert_eq!(read_as.read("many"), None);
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum TextType {
    /// The text itself.
    #[default]
    String,
    /// 32 bits.
    Integer,
    /// 64 bits.
    Long,
    /// A number with a fraction, `1e5`, `inf` or `nan`.
    Double,
    /// `true` or `false`, in any case.
    Boolean,
    /// `2026-11-30`
    Date,
    /// RFC 3339, or a number since the Unix epoch.
    Timestamp,
    /// In this form, which has a year. Without an offset it is UTC.
    TimestampIn(TimeFormat),
}

impl TextType {
    /// The type of a column of such values.
    pub fn kind(&self) -> Kind {
        match self {
            Self::String => Kind::Utf8,
            Self::Integer => Kind::Int32,
            Self::Long => Kind::Int64,
            Self::Double => Kind::Float64,
            Self::Boolean => Kind::Boolean,
            Self::Date => Kind::Date32,
            Self::Timestamp | Self::TimestampIn(_) => Kind::TimestampUs,
        }
    }

    /// The value that a text writes; `None` if it writes none of this type.
    #[inline]
    pub fn read<'a>(&self, text: &'a str) -> Option<Datum<'a>> {
        Some(match self {
            Self::String => Datum::Text(text),
            Self::Integer => Datum::Int32(text.parse().ok()?),
            Self::Long => Datum::Int64(text.parse().ok()?),
            Self::Double => Datum::Float64(text.parse().ok()?),
            Self::Boolean if text.eq_ignore_ascii_case("true") => Datum::Boolean(true),
            Self::Boolean if text.eq_ignore_ascii_case("false") => Datum::Boolean(false),
            Self::Boolean => return None,
            Self::Date => Datum::Date(Date::parse(text)?),
            Self::Timestamp => {
                Datum::Timestamp(Timestamp::parse_rfc3339(text).or_else(|| Timestamp::parse_epoch(text))?)
            }
            Self::TimestampIn(format) => Datum::Timestamp(match format.read(text)? {
                ReadTime::Instant(time) => time,
                ReadTime::Wall(wall) => wall.instant(wall.year?, wall.offset_s.unwrap_or(0))?,
            }),
        })
    }
}

impl FromStr for TextType {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Ok(match name {
            "string" => Self::String,
            "integer" => Self::Integer,
            "long" => Self::Long,
            "double" => Self::Double,
            "boolean" => Self::Boolean,
            "date" => Self::Date,
            "timestamp" => Self::Timestamp,
            other => {
                let format = other.strip_prefix("timestamp:").ok_or_else(|| {
                    format!(
                        "`{other}` is no type: write string, integer, long, double, boolean, date, timestamp, or \
                         timestamp: with a format, as in `timestamp:%d/%b/%Y:%H:%M:%S %z`"
                    )
                })?;
                let format = TimeFormat::parse(format).map_err(|error| format!("`{format}`: {error}"))?;
                if !format.has_year() {
                    return Err("a time without its year is text: the plugin `time` finds the year".into());
                }
                Self::TimestampIn(format)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, text: &str, expected: Option<Datum<'_>>) {
        let read_as: TextType = name.parse().expect("a type");
        assert_eq!(read_as.read(text), expected, "{text} as {name}");
        let kind = expected.map(|datum| match datum {
            Datum::Boolean(_) => Kind::Boolean,
            Datum::Int32(_) => Kind::Int32,
            Datum::Int64(_) => Kind::Int64,
            Datum::Float64(_) => Kind::Float64,
            Datum::Date(_) => Kind::Date32,
            Datum::Timestamp(_) => Kind::TimestampUs,
            Datum::Text(_) => Kind::Utf8,
            Datum::Bytes(_) => Kind::Binary,
        });
        assert!(kind.is_none_or(|kind| kind == read_as.kind()), "{name}");
    }

    #[test]
    fn a_text_is_a_value_of_its_type_or_none() {
        let time = Timestamp::parse_rfc3339("2026-11-30T07:05:09Z");
        check("string", "", Some(Datum::Text("")));
        check("integer", "-5", Some(Datum::Int32(-5)));
        check("integer", "3000000000", None);
        check("long", "3000000000", Some(Datum::Int64(3_000_000_000)));
        check("long", "3.0", None);
        check("double", "1e3", Some(Datum::Float64(1000.0)));
        check("boolean", "True", Some(Datum::Boolean(true)));
        check("boolean", "1", None);
        check("date", "2026-11-30", Date::parse("2026-11-30").map(Datum::Date));
        check("timestamp", "2026-11-30T08:05:09+01:00", time.map(Datum::Timestamp));
        check("timestamp", "1796022309", time.map(Datum::Timestamp));
        check("timestamp:%d/%b/%Y:%T %z", "30/Nov/2026:08:05:09 +0100", time.map(Datum::Timestamp));
        check("timestamp:%F %T", "2026-11-30 07:05:09", time.map(Datum::Timestamp));
        check("timestamp:%F %T", "yesterday", None);
    }

    #[test]
    fn an_unknown_type_is_refused_with_the_ones_there_are() {
        for (name, words) in [
            ("int64", "`int64` is no type: write string, integer"),
            ("timestamp:%H", "`%H`: it has no month"),
            ("timestamp:%b %d %T", "the plugin `time` finds the year"),
        ] {
            let error = name.parse::<TextType>().expect_err(name);
            assert!(error.contains(words), "{error}");
        }
    }
}
