//! Records, and what a transform may answer for a row.

use std::fmt;

use crate::column::{Column, Field, Output, RejectedRow};

/// One output row. `#[derive(Record)]` makes it of a struct whose fields are columns, each with the name of its field.
///
/// A field says with `#[record(..)]` where else its value goes:
///
/// - `rename = "type"`: its column has another name.
/// - `flatten`: its type is a record, too, whose columns stand here among the others.
/// - `into = "fields"`: it has no column, but is an entry of the map that the field `fields` has, under its own name or
///   that of `rename`; a number is written as text, and `None` is no entry. Keys should differ from those in the map.
///
/// ```
/// use std::collections::BTreeMap;
///
/// use logsmith_plugin::{Columns, Record};
///
/// #[derive(Record)]
/// struct Event<'a> {
///     #[record(rename = "type")]
///     kind: &'a str,
///     #[record(flatten)]
///     place: Place<'a>,
///     #[record(into = "fields")]
///     retries: Option<i32>,
///     fields: BTreeMap<&'a str, &'a str>,
/// }
///
/// #[derive(Record)]
/// struct Place<'a> {
///     city: &'a str,
///     country: Option<&'a str>,
/// }
///
/// let columns = <Event<'_> as Record>::Columns::fields();
/// let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
/// assert_eq!(names, ["type", "city", "country", "fields"]);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no record",
    label = "no record",
    note = "a record is a struct with `#[derive(Record)]`"
)]
pub trait Record {
    /// The columns that take it.
    type Columns: Columns;

    /// Appends this row.
    fn push(self, columns: &mut Self::Columns);
}

/// The columns of a [`Record`] under construction.
pub trait Columns: Sized {
    /// Names and types, in order.
    fn fields() -> Vec<Field>;

    /// Room for `rows` rows that hold `text_bytes` in all. Both are guesses.
    fn with_capacity(rows: usize, text_bytes: usize) -> Self;

    /// The finished columns, in the order of `fields`.
    fn finish(self) -> Vec<Column>;
}

/// Why a row cannot be transformed, for people: what is wrong, and where. The row becomes a dead letter.
///
/// Any error becomes one with `?`.
///
/// ```
/// use logsmith_plugin::Reject;
///
/// fn port(text: &str) -> Result<u16, Reject> {
///     let (_, port) = text.rsplit_once(':').ok_or_else(|| Reject::new("there is no `:`"))?;
///     Ok(port.parse()?)
/// }
///
/// assert_eq!(port("web-1").unwrap_err().reason(), "there is no `:`");
/// assert_eq!(port("web-1:x").unwrap_err().reason(), "invalid digit found in string");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject(String);

impl Reject {
    /// A reject with this reason.
    pub fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }

    /// The reason.
    pub fn reason(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<E: std::error::Error> From<E> for Reject {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

/// What a transform answers for a row: a record; an `Option` of one, where `None` drops the row on purpose; a
/// `Vec` of records, where none drops it; or a `Result` of one of these, where an error rejects the row.
///
/// ```
/// use logsmith_plugin::{Record, Reject, transform};
///
/// #[derive(Record)]
/// struct Reading {
///     sensor: String,
///     value: f64,
/// }
///
/// /// `indoor=21.5 outdoor=-3` makes two rows; an empty line none.
/// #[transform]
/// fn readings(line: &str) -> Result<Vec<Reading>, Reject> {
///     let reading = |word: &str| {
///         let (sensor, value) = word.split_once('=').ok_or_else(|| Reject::new("a word has no `=`"))?;
///         Ok(Reading { sensor: sensor.into(), value: value.parse()? })
///     };
///     line.split_whitespace().map(reading).collect()
/// }
///
/// assert_eq!(readings("indoor=21.5 outdoor=-3").unwrap().len(), 2);
/// assert!(readings("").unwrap().is_empty());
/// assert!(readings("indoor").is_err());
/// ```
#[diagnostic::on_unimplemented(
    message = "a transform cannot answer `{Self}`",
    label = "not what a transform answers",
    note = "a transform answers a record, which is a struct with `#[derive(Record)]`, an `Option` or a `Vec` of it, or a \
            `Result` of one of these",
    note = "the error of a `Result` is a `Reject`, or any type that implements `std::error::Error`"
)]
pub trait Outcome {
    /// The output row.
    type Record: Record;

    /// Writes down what became of `row`.
    fn settle(self, row: u32, rows: &mut Rows<<Self::Record as Record>::Columns>);
}

impl<R: Record> Outcome for R {
    type Record = R;

    #[inline(always)]
    fn settle(self, row: u32, rows: &mut Rows<R::Columns>) {
        self.push(&mut rows.columns);
        rows.source_rows.push(row);
    }
}

impl<R: Record> Outcome for Option<R> {
    type Record = R;

    #[inline(always)]
    fn settle(self, row: u32, rows: &mut Rows<R::Columns>) {
        match self {
            Some(record) => record.settle(row, rows),
            None => rows.dropped.push(row),
        }
    }
}

impl<R: Record> Outcome for Vec<R> {
    type Record = R;

    fn settle(self, row: u32, rows: &mut Rows<R::Columns>) {
        if self.is_empty() {
            rows.dropped.push(row);
        }
        for record in self {
            record.settle(row, rows);
        }
    }
}

impl<O: Outcome, E: Into<Reject>> Outcome for Result<O, E> {
    type Record = O::Record;

    #[inline(always)]
    fn settle(self, row: u32, rows: &mut Rows<<O::Record as Record>::Columns>) {
        match self {
            Ok(outcome) => outcome.settle(row, rows),
            Err(reject) => rows.reject(row, reject.into()),
        }
    }
}

/// What became of the rows of a batch so far: what `#[transform]` makes of the answers of a function, also for native
/// code that wants columns.
///
/// ```
/// use logsmith_plugin::{Outcome, Record, Reject, Rows, Values};
///
/// #[derive(Record)]
/// struct Number {
///     number: i64,
/// }
///
/// let mut rows = Rows::with_capacity(2, 0);
/// Number { number: 7 }.settle(0, &mut rows);
/// Err::<Number, _>(Reject::new("no number")).settle(1, &mut rows);
/// let output = rows.finish();
/// assert_eq!(output.columns[0].values, Values::Int64(vec![7]));
/// assert_eq!((output.source_rows, output.rejects.len()), (vec![0], 1));
/// ```
#[derive(Debug)]
pub struct Rows<C> {
    columns: C,
    source_rows: Vec<u32>,
    dropped: Vec<u32>,
    rejects: Vec<RejectedRow>,
}

impl<C: Columns> Rows<C> {
    /// Nothing yet, with room for `rows` rows that hold `text_bytes` in all. Both are guesses.
    pub fn with_capacity(rows: usize, text_bytes: usize) -> Self {
        Self {
            columns: C::with_capacity(rows, text_bytes),
            source_rows: Vec::with_capacity(rows),
            dropped: Vec::new(),
            rejects: Vec::new(),
        }
    }

    /// Rejects a row.
    #[cold]
    pub fn reject(&mut self, row: u32, reject: Reject) {
        self.rejects.push(RejectedRow { row, reason: reject.0 });
    }

    /// The answer for the whole batch.
    pub fn finish(self) -> Output {
        Output {
            columns: self.columns.finish(),
            source_rows: self.source_rows,
            dropped: self.dropped,
            rejects: self.rejects,
        }
    }
}
