//! Builds columns value by value.

use crate::column::{Column, Kind, Maps, Strings, Values};
use crate::copy;

/// A column under construction.
pub trait Build: Sized {
    /// The type of the column.
    const KIND: Kind;

    /// Room for `rows` values of `text_bytes` in all. Both are guesses.
    fn with_capacity(rows: usize, text_bytes: usize) -> Self;

    /// A value that stands where a row has none.
    fn push_empty(&mut self);

    /// The finished values.
    fn finish(self) -> Values;
}

/// Numbers of one size.
#[derive(Debug)]
pub struct Numbers<T, const KIND: u8>(Vec<T>);

macro_rules! numbers {
    ($($alias:ident = $number:ty, $kind:ident, $text:literal;)*) => {$(
        #[doc = concat!("A column of `", $text, "`.")]
        pub type $alias = Numbers<$number, { Kind::$kind as u8 }>;

        impl $alias {
            /// Appends one value.
            #[inline(always)]
            pub fn push(&mut self, value: $number) {
                self.0.push(value);
            }
        }

        impl Build for $alias {
            const KIND: Kind = Kind::$kind;

            fn with_capacity(rows: usize, _text_bytes: usize) -> Self {
                Self(Vec::with_capacity(rows))
            }

            #[inline(always)]
            fn push_empty(&mut self) {
                self.0.push(Default::default());
            }

            fn finish(self) -> Values {
                Values::$kind(self.0)
            }
        }
    )*};
}

numbers! {
    Int32s = i32, Int32, "i32";
    Int64s = i64, Int64, "i64";
    Float64s = f64, Float64, "f64";
    Dates = i32, Date32, "Date";
    Timestamps = i64, TimestampUs, "Timestamp";
}

/// Packed bits, the lowest first.
#[derive(Debug, Default)]
pub struct Bits {
    bytes: Vec<u8>,
    len: usize,
}

impl Bits {
    /// Appends one bit.
    #[inline(always)]
    pub fn push(&mut self, bit: bool) {
        let shift = self.len % 8;
        if shift == 0 {
            self.bytes.push(0);
        }
        if let Some(last) = self.bytes.last_mut() {
            *last |= u8::from(bit) << shift;
        }
        self.len += 1;
    }

    /// The bit at `index`; `false` beyond the end.
    #[inline(always)]
    pub fn get(bytes: &[u8], index: usize) -> bool {
        bytes.get(index / 8).is_some_and(|byte| byte >> (index % 8) & 1 == 1)
    }
}

/// A column of `bool`.
#[derive(Debug, Default)]
pub struct Booleans(Bits);

impl Booleans {
    /// Appends one value.
    #[inline(always)]
    pub fn push(&mut self, value: bool) {
        self.0.push(value);
    }
}

impl Build for Booleans {
    const KIND: Kind = Kind::Boolean;

    fn with_capacity(rows: usize, _text_bytes: usize) -> Self {
        Self(Bits { bytes: Vec::with_capacity(rows.div_ceil(8)), len: 0 })
    }

    #[inline(always)]
    fn push_empty(&mut self) {
        self.0.push(false);
    }

    fn finish(self) -> Values {
        Values::Boolean(self.0.bytes)
    }
}

impl Strings {
    /// Room for `values` values of `bytes` in all.
    pub fn with_capacity(values: usize, bytes: usize) -> Self {
        let mut offsets = Vec::with_capacity(values + 1);
        offsets.push(0);
        Self { offsets, data: Vec::with_capacity(bytes) }
    }

    /// Appends one value.
    #[inline(always)]
    pub fn push(&mut self, value: &[u8]) {
        copy::append(&mut self.data, value);
        self.end_value();
    }

    /// Ends a value whose bytes were appended to `data` beforehand.
    #[inline(always)]
    fn end_value(&mut self) {
        // A column of 2 GiB is more than a batch may hold: `checked` refuses it when the column is finished.
        self.offsets.push(self.data.len() as i32);
    }

    /// Offsets are 32 bits wide: a column beyond that must not be given away.
    fn checked(self) -> Self {
        assert!(i32::try_from(self.data.len()).is_ok(), "a column of more than 2 GiB in one batch");
        self
    }
}

/// A column of text.
#[derive(Debug)]
pub struct Texts(Strings);

impl Texts {
    /// Appends one value.
    #[inline(always)]
    pub fn push(&mut self, value: &str) {
        self.0.push(value.as_bytes());
    }
}

impl Build for Texts {
    const KIND: Kind = Kind::Utf8;

    fn with_capacity(rows: usize, text_bytes: usize) -> Self {
        Self(Strings::with_capacity(rows, text_bytes))
    }

    #[inline(always)]
    fn push_empty(&mut self) {
        self.0.end_value();
    }

    fn finish(self) -> Values {
        Values::Utf8(self.0.checked())
    }
}

/// A column of bytes.
#[derive(Debug)]
pub struct Binaries(Strings);

impl Binaries {
    /// Appends one value.
    #[inline(always)]
    pub fn push(&mut self, value: &[u8]) {
        self.0.push(value);
    }
}

impl Build for Binaries {
    const KIND: Kind = Kind::Binary;

    fn with_capacity(rows: usize, text_bytes: usize) -> Self {
        Self(Strings::with_capacity(rows, text_bytes))
    }

    #[inline(always)]
    fn push_empty(&mut self) {
        self.0.end_value();
    }

    fn finish(self) -> Values {
        Values::Binary(self.0.checked())
    }
}

/// A column of maps from text to text: see [`Plain`](crate::Plain).
#[derive(Debug)]
pub struct StringMaps {
    offsets: Vec<i32>,
    keys: Strings,
    values: Strings,
    validity: Validity,
}

impl StringMaps {
    /// Appends an entry to the map that [`end_map`](Self::end_map) will end. Keys should differ within a map.
    #[inline(always)]
    pub fn push_entry(&mut self, key: &str, value: Option<&str>) {
        self.keys.push(key.as_bytes());
        match value {
            Some(value) => {
                self.values.push(value.as_bytes());
                self.validity.push_present();
            }
            None => {
                self.values.end_value();
                self.validity.push_absent();
            }
        }
    }

    /// Ends the map of this row.
    #[inline(always)]
    pub fn end_map(&mut self) {
        self.offsets.push(self.keys.offsets.len() as i32 - 1);
    }
}

impl Build for StringMaps {
    const KIND: Kind = Kind::StringMap;

    fn with_capacity(rows: usize, text_bytes: usize) -> Self {
        let mut offsets = Vec::with_capacity(rows + 1);
        offsets.push(0);
        let keys = Strings::with_capacity(rows * 4, text_bytes / 2);
        let values = Strings::with_capacity(rows * 4, text_bytes);
        Self { offsets, keys, values, validity: Validity::default() }
    }

    #[inline(always)]
    fn push_empty(&mut self) {
        self.end_map();
    }

    fn finish(self) -> Values {
        Values::StringMap(Maps {
            offsets: self.offsets,
            keys: self.keys.checked(),
            values: self.values.checked(),
            validity: self.validity.finish(),
        })
    }
}

/// Which values are present. Costs a counter until the first one is absent.
#[derive(Debug, Default)]
struct Validity {
    present: usize,
    bits: Option<Bits>,
}

impl Validity {
    #[inline(always)]
    fn push_present(&mut self) {
        match &mut self.bits {
            Some(bits) => bits.push(true),
            None => self.present += 1,
        }
    }

    #[inline(always)]
    fn push_absent(&mut self) {
        let present = self.present;
        self.bits.get_or_insert_with(|| Self::all_present(present)).push(false);
    }

    #[cold]
    fn all_present(len: usize) -> Bits {
        let mut bytes = vec![0xff; len.div_ceil(8)];
        if let (Some(last), 1..) = (bytes.last_mut(), len % 8) {
            *last = (1 << (len % 8)) - 1;
        }
        Bits { bytes, len }
    }

    fn finish(self) -> Option<Vec<u8>> {
        self.bits.map(|bits| bits.bytes)
    }
}

/// A column in which a row may have no value.
#[derive(Debug)]
pub struct Nullable<B> {
    values: B,
    validity: Validity,
}

impl<B: Build> Nullable<B> {
    /// Appends the value that `push` gives to the column.
    #[inline(always)]
    pub fn push_with(&mut self, push: impl FnOnce(&mut B)) {
        push(&mut self.values);
        self.validity.push_present();
    }

    /// Appends the absence of a value.
    #[inline(always)]
    pub fn push_null(&mut self) {
        self.values.push_empty();
        self.validity.push_absent();
    }
}

/// Values with or without nulls: what a record's field needs.
pub trait BuildColumn: Sized {
    /// The type of the column.
    const KIND: Kind;
    /// Whether a row may have no value.
    const NULLABLE: bool;

    /// Room for `rows` values of `text_bytes` in all. Both are guesses.
    fn with_capacity(rows: usize, text_bytes: usize) -> Self;

    /// The finished column.
    fn finish_column(self) -> Column;
}

impl<B: Build> BuildColumn for B {
    const KIND: Kind = B::KIND;
    const NULLABLE: bool = false;

    fn with_capacity(rows: usize, text_bytes: usize) -> Self {
        B::with_capacity(rows, text_bytes)
    }

    fn finish_column(self) -> Column {
        Column { values: self.finish(), validity: None }
    }
}

impl<B: Build> BuildColumn for Nullable<B> {
    const KIND: Kind = B::KIND;
    const NULLABLE: bool = true;

    fn with_capacity(rows: usize, text_bytes: usize) -> Self {
        Self { values: B::with_capacity(rows, text_bytes), validity: Validity::default() }
    }

    fn finish_column(self) -> Column {
        Column { values: self.values.finish(), validity: self.validity.finish() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn validity_appears_with_the_first_null_and_keeps_what_was_before() {
        for before in 0..20 {
            let mut column = <Nullable<Int32s> as BuildColumn>::with_capacity(0, 0);
            for i in 0..before {
                column.push_with(|values| values.push(i));
            }
            column.push_null();
            column.push_with(|values| values.push(7));
            let bits = column.finish_column().validity.expect("there is a null");
            let seen: Vec<bool> = (0..before as usize + 2).map(|i| Bits::get(&bits, i)).collect();
            let mut expected = vec![true; before as usize];
            expected.extend([false, true]);
            assert_eq!(seen, expected);
            assert!(!Bits::get(&bits, seen.len()), "bits past the end are 0");
        }
    }

    #[test]
    fn a_column_without_nulls_has_no_validity() {
        let mut column = <Nullable<Texts> as BuildColumn>::with_capacity(1, 1);
        column.push_with(|values| values.push("a"));
        let expected = Strings { offsets: vec![0, 1], data: b"a".to_vec() };
        assert_eq!(column.finish_column(), Column { values: Values::Utf8(expected), validity: None });
    }
}
