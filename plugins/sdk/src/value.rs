//! Rust types that can be a field of a record.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::build::{
    Binaries, Booleans, Build, BuildColumn, Dates, Float64s, Int32s, Int64s, Nullable, StringMaps, Texts,
    Timestamps,
};
use crate::time::{Date, Timestamp};

/// A value that is always there. Implement it for a type of your own to give it a column:
///
/// ```
/// use logsmith_plugin::{Plain, Record, StringMaps};
///
/// /// Words as keys, each with its place.
/// struct Words<'a>(&'a str);
///
/// impl Plain for Words<'_> {
///     type Column = StringMaps;
///
///     fn push(self, column: &mut StringMaps) {
///         for (place, word) in (1..).zip(self.0.split_whitespace()) {
///             column.push_entry(word, Some(&place.to_string()));
///         }
///         column.end_map();
///     }
/// }
///
/// #[derive(Record)]
/// struct Row<'a> {
///     words: Words<'a>,
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no value of a column",
    label = "no type of a column",
    note = "a column is of bool, i32, i64, f64, Date, Timestamp, &str, String, &[u8], Vec<u8>, BTreeMap<String, String> \
            or Vec<(&str, Option<&str>)>, or of an Option of one of these",
    note = "`#[record(flatten)]` takes the columns of a field that is a record itself"
)]
pub trait Plain {
    /// The column that takes it.
    type Column: Build;

    /// Appends this value.
    fn push(self, column: &mut Self::Column);
}

/// A field of a record: a [`Plain`] value or an `Option` of one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no value of a column",
    label = "no type of a column",
    note = "a column is of bool, i32, i64, f64, Date, Timestamp, &str, String, &[u8], Vec<u8>, BTreeMap<String, String> \
            or Vec<(&str, Option<&str>)>, or of an Option of one of these",
    note = "`#[record(flatten)]` takes the columns of a field that is a record itself"
)]
pub trait Value {
    /// The column that takes it.
    type Column: BuildColumn;

    /// Appends this value.
    fn push(self, column: &mut Self::Column);
}

impl<T: Plain> Value for T {
    type Column = T::Column;

    #[inline(always)]
    fn push(self, column: &mut Self::Column) {
        Plain::push(self, column);
    }
}

impl<T: Plain> Value for Option<T> {
    type Column = Nullable<T::Column>;

    #[inline(always)]
    fn push(self, column: &mut Self::Column) {
        match self {
            Some(value) => column.push_with(|values| value.push(values)),
            None => column.push_null(),
        }
    }
}

macro_rules! plain {
    ($($type:ty => $column:ident, |$value:ident| $inner:expr;)*) => {$(
        impl Plain for $type {
            type Column = $column;

            #[inline(always)]
            fn push(self, column: &mut $column) {
                let $value = self;
                column.push($inner);
            }
        }
    )*};
}

plain! {
    bool => Booleans, |value| value;
    i32 => Int32s, |value| value;
    i64 => Int64s, |value| value;
    f64 => Float64s, |value| value;
    Date => Dates, |value| value.days();
    Timestamp => Timestamps, |value| value.micros();
    &str => Texts, |value| value;
    Cow<'_, str> => Texts, |value| &value;
    String => Texts, |value| &value;
    &[u8] => Binaries, |value| value;
    Vec<u8> => Binaries, |value| &value;
}

impl<K: AsRef<str>, V: AsRef<str>> Plain for BTreeMap<K, V> {
    type Column = StringMaps;

    fn push(self, column: &mut StringMaps) {
        for (key, value) in &self {
            column.push_entry(key.as_ref(), Some(value.as_ref()));
        }
        column.end_map();
    }
}

/// Keys should differ from each other.
impl<K: AsRef<str>, V: AsRef<str>> Plain for Vec<(K, Option<V>)> {
    type Column = StringMaps;

    fn push(self, column: &mut StringMaps) {
        for (key, value) in &self {
            column.push_entry(key.as_ref(), value.as_ref().map(AsRef::as_ref));
        }
        column.end_map();
    }
}

/// A value that can be an entry of a map, as text. `None` is no entry.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no entry of a map",
    label = "no text, and nothing that is written as one",
    note = "an entry is of &str, String, Cow<str>, bool, i32, i64, f64, Date or Timestamp, or of an Option of one of these"
)]
pub trait Entry {
    /// Appends this value to the map that is not ended yet.
    fn push_entry(self, key: &str, maps: &mut StringMaps);
}

impl<T: Entry> Entry for Option<T> {
    #[inline(always)]
    fn push_entry(self, key: &str, maps: &mut StringMaps) {
        if let Some(value) = self {
            value.push_entry(key, maps);
        }
    }
}

macro_rules! entry {
    ($($type:ty => |$value:ident| $text:expr;)*) => {$(
        impl Entry for $type {
            #[inline(always)]
            fn push_entry(self, key: &str, maps: &mut StringMaps) {
                let $value = self;
                maps.push_entry(key, Some($text));
            }
        }
    )*};
}

entry! {
    &str => |value| value;
    Cow<'_, str> => |value| &value;
    String => |value| &value;
    bool => |value| if value { "true" } else { "false" };
    i32 => |value| &value.to_string();
    i64 => |value| &value.to_string();
    f64 => |value| &value.to_string();
    Date => |value| &value.to_string();
    Timestamp => |value| &value.to_string();
}
