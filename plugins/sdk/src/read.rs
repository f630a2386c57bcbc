//! Rust types that can be an argument of a transform: one value of a column that the plugin reads.

use crate::build::Bits;
use crate::column::{Column, Kind, Maps, Strings, Values};
use crate::time::{Date, Timestamp};

/// A column that is being read.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'b, V> {
    values: V,
    validity: Option<&'b [u8]>,
}

/// An argument that is always there.
#[diagnostic::on_unimplemented(
    message = "no column can be read as `{Self}`",
    label = "no type of an argument",
    note = "a column is read as bool, i32, i64, f64, Date, Timestamp, &str, &[u8] or Pairs, or as an Option of one of \
            these"
)]
pub trait Plain<'b>: Sized {
    /// The type of the column.
    const KIND: Kind;
    /// The values of the column.
    type Values: Copy;

    /// The values, if the column has this type.
    fn values(values: &'b Values) -> Option<Self::Values>;

    /// The value of a row, whether or not it is present.
    fn value(values: Self::Values, row: usize) -> Self;
}

/// An argument of a transform: a plain one, or an `Option` of one.
#[diagnostic::on_unimplemented(
    message = "no column can be read as `{Self}`",
    label = "no type of an argument",
    note = "a column is read as bool, i32, i64, f64, Date, Timestamp, &str, &[u8] or Pairs, or as an Option of one of \
            these"
)]
pub trait Argument<'b>: Sized {
    /// The type of the column.
    const KIND: Kind;
    /// The values of the column.
    type Values: Copy;

    /// The column, if it has this type.
    fn reader(column: &'b Column) -> Option<Reader<'b, Self::Values>>;

    /// The value of a row; `None` where it is absent and this type cannot say so.
    fn get(reader: &Reader<'b, Self::Values>, row: usize) -> Option<Self>;
}

impl<'b, T: Plain<'b>> Argument<'b> for T {
    const KIND: Kind = T::KIND;
    type Values = T::Values;

    fn reader(column: &'b Column) -> Option<Reader<'b, Self::Values>> {
        Some(Reader { values: T::values(&column.values)?, validity: column.validity.as_deref() })
    }

    #[inline(always)]
    fn get(reader: &Reader<'b, Self::Values>, row: usize) -> Option<Self> {
        match reader.validity {
            Some(validity) if !Bits::get(validity, row) => None,
            _ => Some(T::value(reader.values, row)),
        }
    }
}

impl<'b, T: Plain<'b>> Argument<'b> for Option<T> {
    const KIND: Kind = T::KIND;
    type Values = T::Values;

    fn reader(column: &'b Column) -> Option<Reader<'b, Self::Values>> {
        <T as Argument>::reader(column)
    }

    #[inline(always)]
    fn get(reader: &Reader<'b, Self::Values>, row: usize) -> Option<Self> {
        Some(<T as Argument>::get(reader, row))
    }
}

macro_rules! plain_number {
    ($($type:ty => $kind:ident [$stored:ty], |$value:ident| $made:expr;)*) => {$(
        impl<'b> Plain<'b> for $type {
            const KIND: Kind = Kind::$kind;
            type Values = &'b [$stored];

            fn values(values: &'b Values) -> Option<Self::Values> {
                match values {
                    Values::$kind(values) => Some(values),
                    _ => None,
                }
            }

            #[inline(always)]
            fn value(values: Self::Values, row: usize) -> Self {
                let $value = values[row];
                $made
            }
        }
    )*};
}

plain_number! {
    i32 => Int32[i32], |value| value;
    i64 => Int64[i64], |value| value;
    f64 => Float64[f64], |value| value;
    Date => Date32[i32], |value| Date::from_days(value);
    Timestamp => TimestampUs[i64], |value| Timestamp::from_micros(value);
}

impl<'b> Plain<'b> for bool {
    const KIND: Kind = Kind::Boolean;
    type Values = &'b [u8];

    fn values(values: &'b Values) -> Option<Self::Values> {
        match values {
            Values::Boolean(bits) => Some(bits),
            _ => None,
        }
    }

    #[inline(always)]
    fn value(values: Self::Values, row: usize) -> Self {
        Bits::get(values, row)
    }
}

impl<'b> Plain<'b> for &'b [u8] {
    const KIND: Kind = Kind::Binary;
    type Values = &'b Strings;

    fn values(values: &'b Values) -> Option<Self::Values> {
        match values {
            Values::Binary(strings) => Some(strings),
            _ => None,
        }
    }

    #[inline(always)]
    fn value(values: Self::Values, row: usize) -> Self {
        bytes(values, row)
    }
}

impl<'b> Plain<'b> for &'b str {
    const KIND: Kind = Kind::Utf8;
    type Values = &'b Strings;

    fn values(values: &'b Values) -> Option<Self::Values> {
        match values {
            Values::Utf8(strings) => Some(strings),
            _ => None,
        }
    }

    #[inline(always)]
    fn value(values: Self::Values, row: usize) -> Self {
        text(values, row)
    }
}

/// The entries of one map: an argument of a transform that reads a column of maps.
///
/// ```
/// use logsmith_plugin::{Pairs, Record, transform};
///
/// #[derive(Record)]
/// struct Labelled<'a> {
///     user: Option<&'a str>,
///     labels: i32,
/// }
///
/// #[transform]
/// fn labelled(fields: Pairs<'_>) -> Labelled<'_> {
///     Labelled { user: fields.get("user"), labels: fields.iter().count() as i32 }
/// }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Pairs<'b> {
    maps: &'b Maps,
    first: usize,
    end: usize,
}

impl<'b> Pairs<'b> {
    /// Each key with its value.
    pub fn iter(self) -> impl Iterator<Item = (&'b str, Option<&'b str>)> {
        let Self { maps, first, end } = self;
        let present = |entry| maps.validity.as_deref().is_none_or(|validity| Bits::get(validity, entry));
        (first..end)
            .map(move |entry| (text(&maps.keys, entry), present(entry).then(|| text(&maps.values, entry))))
    }

    /// The value of a key.
    pub fn get(self, key: &str) -> Option<&'b str> {
        self.iter().find(|(name, _)| *name == key)?.1
    }
}

impl<'b> Plain<'b> for Pairs<'b> {
    const KIND: Kind = Kind::StringMap;
    type Values = &'b Maps;

    fn values(values: &'b Values) -> Option<Self::Values> {
        match values {
            Values::StringMap(maps) => Some(maps),
            _ => None,
        }
    }

    #[inline(always)]
    fn value(maps: Self::Values, row: usize) -> Self {
        Pairs { maps, first: maps.offsets[row] as usize, end: maps.offsets[row + 1] as usize }
    }
}

#[inline(always)]
fn bytes(strings: &Strings, index: usize) -> &[u8] {
    &strings.data[strings.offsets[index] as usize..strings.offsets[index + 1] as usize]
}

#[inline(always)]
fn text(strings: &Strings, index: usize) -> &str {
    let bytes = bytes(strings, index);
    debug_assert!(str::from_utf8(bytes).is_ok());
    // SAFETY: the boundary promises that each value of a text column is UTF-8, and the host that fills it holds
    // Arrow arrays that were checked when they were made. Checking once more would cost more than the copy.
    unsafe { str::from_utf8_unchecked(bytes) }
}
