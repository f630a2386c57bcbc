//! Rust types that can be a field of a record.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::build::{
    Binaries, Booleans, Build, BuildColumn, Dates, Float64s, Int32s, Int64s, Nullable, StringMaps, Texts,
    Timestamps,
};
use crate::time::{Date, Timestamp};

/// A value that is always there. Implement it for a type of your own to give it a column.
pub trait Plain {
    /// The column that takes it.
    type Column: Build;

    /// Appends this value.
    fn push(self, column: &mut Self::Column);
}

/// A field of a record: a [`Plain`] value or an `Option` of one.
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
