//! Columns chosen at run time: read row by row, and built value by value.

use crate::build::{
    Binaries, Booleans, BuildColumn, Dates, Float64s, Int32s, Int64s, Nullable, Texts, Timestamps,
};
use crate::column::{Batch, Column, Fault, Field, Kind};
use crate::read::{Argument, Plain, Reader};
use crate::time::{Date, Timestamp};
use crate::transform::reader;

/// The values of a column, read as `T`: any type that an argument of a transform may have, but no `Option`.
///
/// ```
/// use logsmith_plugin::{AnyColumn, Datum, Kind, View};
///
/// let mut column = AnyColumn::with_capacity(Kind::Int64, 2, 0).unwrap();
/// column.push(Some(Datum::Int64(7)));
/// column.push(None);
/// let column = column.finish();
///
/// let numbers: View<'_, i64> = View::of(&column).unwrap();
/// assert_eq!((numbers.get(0), numbers.get(1)), (Some(7), None));
/// assert!(View::<&str>::of(&column).is_none());
/// ```
pub struct View<'b, T: Plain<'b>>(Reader<'b, T::Values>);

impl<'b, T: Plain<'b>> View<'b, T> {
    /// The column, if it has the type of `T`.
    pub fn of(column: &'b Column) -> Option<Self> {
        <T as Argument>::reader(column).map(Self)
    }

    /// The column at `index` of a batch.
    ///
    /// # Errors
    /// There is none, or it has another type than `T`: the host follows another plan.
    pub fn in_batch(batch: &'b Batch, index: usize) -> Result<Self, Fault> {
        reader::<T>(&batch.columns, index).map(Self)
    }

    /// The value of a row, if it has one. Panics where the column has no such row.
    #[inline(always)]
    pub fn get(&self, row: usize) -> Option<T> {
        <T as Argument>::get(&self.0, row)
    }
}

/// The field of this name, or what to say where there is none.
///
/// ```
/// use logsmith_plugin::{Fault, Field, Kind, input_field};
///
/// let input = [Field { name: "line".into(), kind: Kind::Utf8, nullable: false }];
/// assert_eq!(input_field("line", &input), Ok(&input[0]));
/// let wrong = Fault::Input("there is no column `text`, only: line".into());
/// assert_eq!(input_field("text", &input), Err(wrong));
/// ```
pub fn input_field<'a>(name: &str, input: &'a [Field]) -> Result<&'a Field, Fault> {
    input.iter().find(|field| field.name == name).ok_or_else(|| {
        let names: Vec<&str> = input.iter().map(|field| field.name.as_str()).collect();
        Fault::Input(format!("there is no column `{name}`, only: {}", names.join(", ")))
    })
}

/// One value that is no map.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(missing_docs, reason = "the variants are types of columns")]
pub enum Datum<'a> {
    Boolean(bool),
    Int32(i32),
    Int64(i64),
    Float64(f64),
    Date(Date),
    Timestamp(Timestamp),
    Text(&'a str),
    Bytes(&'a [u8]),
}

/// A column under construction whose type is chosen at run time. A row may have no value. See [`View`].
#[derive(Debug)]
pub struct AnyColumn(Any);

#[derive(Debug)]
enum Any {
    Boolean(Nullable<Booleans>),
    Int32(Nullable<Int32s>),
    Int64(Nullable<Int64s>),
    Float64(Nullable<Float64s>),
    Date(Nullable<Dates>),
    Timestamp(Nullable<Timestamps>),
    Text(Nullable<Texts>),
    Bytes(Nullable<Binaries>),
}

impl AnyColumn {
    /// A column of type `kind` with room for `rows` values of `text_bytes` in all, which are guesses. `None` for maps.
    pub fn with_capacity(kind: Kind, rows: usize, text_bytes: usize) -> Option<Self> {
        fn column<B: BuildColumn>(rows: usize, text_bytes: usize) -> B {
            B::with_capacity(rows, text_bytes)
        }
        Some(Self(match kind {
            Kind::Boolean => Any::Boolean(column(rows, 0)),
            Kind::Int32 => Any::Int32(column(rows, 0)),
            Kind::Int64 => Any::Int64(column(rows, 0)),
            Kind::Float64 => Any::Float64(column(rows, 0)),
            Kind::Date32 => Any::Date(column(rows, 0)),
            Kind::TimestampUs => Any::Timestamp(column(rows, 0)),
            Kind::Utf8 => Any::Text(column(rows, text_bytes)),
            Kind::Binary => Any::Bytes(column(rows, text_bytes)),
            Kind::StringMap => return None,
        }))
    }

    /// Appends one value, or the absence of one. Panics where the value is not of the column's type.
    #[inline(always)]
    pub fn push(&mut self, value: Option<Datum<'_>>) {
        let Some(value) = value else { return self.push_null() };
        match (&mut self.0, value) {
            (Any::Boolean(column), Datum::Boolean(value)) => column.push_with(|values| values.push(value)),
            (Any::Int32(column), Datum::Int32(value)) => column.push_with(|values| values.push(value)),
            (Any::Int64(column), Datum::Int64(value)) => column.push_with(|values| values.push(value)),
            (Any::Float64(column), Datum::Float64(value)) => column.push_with(|values| values.push(value)),
            (Any::Date(column), Datum::Date(value)) => column.push_with(|values| values.push(value.days())),
            (Any::Timestamp(column), Datum::Timestamp(value)) => {
                column.push_with(|values| values.push(value.micros()));
            }
            (Any::Text(column), Datum::Text(value)) => column.push_with(|values| values.push(value)),
            (Any::Bytes(column), Datum::Bytes(value)) => column.push_with(|values| values.push(value)),
            (_, value) => panic!("{value:?} is not of the column's type"),
        }
    }

    fn push_null(&mut self) {
        match &mut self.0 {
            Any::Boolean(column) => column.push_null(),
            Any::Int32(column) => column.push_null(),
            Any::Int64(column) => column.push_null(),
            Any::Float64(column) => column.push_null(),
            Any::Date(column) => column.push_null(),
            Any::Timestamp(column) => column.push_null(),
            Any::Text(column) => column.push_null(),
            Any::Bytes(column) => column.push_null(),
        }
    }

    /// The finished column.
    pub fn finish(self) -> Column {
        match self.0 {
            Any::Boolean(column) => column.finish_column(),
            Any::Int32(column) => column.finish_column(),
            Any::Int64(column) => column.finish_column(),
            Any::Float64(column) => column.finish_column(),
            Any::Date(column) => column.finish_column(),
            Any::Timestamp(column) => column.finish_column(),
            Any::Text(column) => column.finish_column(),
            Any::Bytes(column) => column.finish_column(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_built_is_read_again() {
        let time = Timestamp::from_micros(7);
        for (kind, value) in [
            (Kind::Boolean, Datum::Boolean(true)),
            (Kind::Int32, Datum::Int32(-1)),
            (Kind::Int64, Datum::Int64(1 << 40)),
            (Kind::Float64, Datum::Float64(0.5)),
            (Kind::Date32, Datum::Date(Date::from_days(3))),
            (Kind::TimestampUs, Datum::Timestamp(time)),
            (Kind::Utf8, Datum::Text("é")),
            (Kind::Binary, Datum::Bytes(b"\xff")),
        ] {
            let mut column = AnyColumn::with_capacity(kind, 3, 2).expect("no map");
            column.push(Some(value));
            column.push(None);
            column.push(Some(value));
            let column = column.finish();
            assert_eq!(column.validity, Some(vec![0b101]), "{kind:?}");
            let seen = |row| match kind {
                Kind::Boolean => View::of(&column)?.get(row).map(Datum::Boolean),
                Kind::Int32 => View::of(&column)?.get(row).map(Datum::Int32),
                Kind::Int64 => View::of(&column)?.get(row).map(Datum::Int64),
                Kind::Float64 => View::of(&column)?.get(row).map(Datum::Float64),
                Kind::Date32 => View::of(&column)?.get(row).map(Datum::Date),
                Kind::TimestampUs => View::of(&column)?.get(row).map(Datum::Timestamp),
                Kind::Utf8 => View::of(&column)?.get(row).map(Datum::Text),
                Kind::Binary => View::of(&column)?.get(row).map(Datum::Bytes),
                Kind::StringMap => None,
            };
            assert_eq!([seen(0), seen(1), seen(2)], [Some(value), None, Some(value)]);
        }
        assert!(AnyColumn::with_capacity(Kind::StringMap, 1, 1).is_none());
    }

    #[test]
    fn a_column_is_read_as_its_own_type_only() {
        let mut column = AnyColumn::with_capacity(Kind::Int64, 1, 0).expect("no map");
        column.push(Some(Datum::Int64(1)));
        let column = column.finish();
        assert!(View::<i32>::of(&column).is_none() && View::<&str>::of(&column).is_none());
    }
}
