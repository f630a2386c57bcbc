//! Typed columns out of records whose fields are separated by commas, tabs or the like (RFC 4180).
//!
//! ```toml
//! [[pipeline]]
//! plugin = "builtin:csv"
//! [pipeline.config]
//! columns = ["time", "user", "bytes"]
//! types = { time = "timestamp:%d.%m.%Y %H:%M:%S", bytes = "long" }
//! ```
//!
//! | key | |
//! |---|---|
//! | `columns` | the names of the columns, one for each field |
//! | `types` | for each column its type, `string` if nothing is said: see [`TextType`](logsmith_plugin::TextType) |
//! | `header` | the first row of the files, where its names are others than `columns` |
//! | `delimiter` | the character of ASCII between fields, `","` if nothing is said |
//! | `quote` | the character of ASCII around fields, `"\""` if nothing is said; `""` where there is none |
//! | `null` | texts that stand for no value, as `["-", "NULL"]` |
//! | `comment` | what begins a line that is no record, as `"#"` |
//! | `column` | the column that is read, `line` if nothing is said |
//! | `on_failure` | `"reject"` (if nothing is said) or `"null"`: what becomes of a row with a value not of its type |
//!
//! - A row that says what `header` or `columns` say is dropped on purpose, wherever it stands: each file of a rotation
//!   has one. So is a comment.
//! - A row with another number of fields is rejected, whatever `on_failure` says, since nobody knows which one is missing.
//! - In quotes a field may have delimiters, newlines, and quotes that are doubled. A record with newlines is one where
//!   `[source.multiline]` says how records begin. Blanks are part of a field.
//! - An empty text is no value where the type is another than `string`.
//!
//! Counts: `unreadable` values, where `on_failure` is `"null"`.

mod settings;
mod split;

use logsmith_plugin::{
    AnyColumn, Batch, Datum, Fault, Field, OnFailure, Output, Plan, RejectedRow, Rest, Transform,
    TypedColumn, View, count, input_text, parse_config,
};

pub use crate::settings::Settings;
use crate::split::{Form, Place};

/// The plugin, as the host sees it.
#[derive(Debug)]
pub struct CsvPlugin {
    form: Form,
    columns: Vec<TypedColumn>,
    header: Vec<String>,
    null: Vec<String>,
    comment: Option<String>,
    on_failure: OnFailure,
}

/// What a row is, once it is split.
enum Split {
    /// Its first place.
    Record(usize),
    Dropped,
    Rejected(String),
}

/// The rows of a batch, split.
#[derive(Default)]
struct Splits {
    rows: Vec<Split>,
    /// The fields of all records.
    places: Vec<Place>,
    /// The texts whose quotes were doubled.
    unescaped: String,
}

impl Transform for CsvPlugin {
    fn open(config: &str, input: &[Field]) -> Result<(Self, Plan), Fault> {
        let settings: Settings = parse_config(config)?;
        let column = settings.column.clone();
        input_text(&column, input)?;
        let plugin = settings.compile().map_err(Fault::Config)?;
        let plan = Plan {
            name: "csv",
            version: env!("CARGO_PKG_VERSION"),
            reads: vec![column],
            writes: plugin.columns.iter().map(TypedColumn::field).collect(),
            rest: Rest::Keep,
        };
        Ok((plugin, plan))
    }

    fn apply(&mut self, batch: Batch) -> Result<Output, Fault> {
        let rows = batch.rows as usize;
        let texts: View<'_, &str> = View::in_batch(&batch, 0)?;
        let splits = self.split(&texts, rows);
        let mut columns = TypedColumn::columns(&self.columns, &batch);
        let mut values = vec![None; columns.len()];
        let mut output = Output { source_rows: Vec::with_capacity(rows), ..Output::default() };
        let mut unreadable = 0;
        for (row, split) in (0..).zip(&splits.rows) {
            let read = match split {
                Split::Record(first) => {
                    let fields = splits.fields(texts.get(row as usize).unwrap_or_default(), *first);
                    self.read(fields, &mut values, &mut unreadable)
                }
                Split::Dropped => {
                    output.dropped.push(row);
                    continue;
                }
                Split::Rejected(reason) => Err(reason.clone()),
            };
            if let Err(reason) = read {
                output.rejects.push(RejectedRow { row, reason });
                continue;
            }
            for (column, value) in columns.iter_mut().zip(&values) {
                column.push(*value);
            }
            output.source_rows.push(row);
        }
        if unreadable > 0 {
            count("unreadable", unreadable);
        }
        output.columns = columns.into_iter().map(AnyColumn::finish).collect();
        Ok(output)
    }
}

impl Splits {
    /// The texts of a record, from its first place on to the end of all.
    fn fields<'t>(&'t self, record: &'t str, first: usize) -> impl Iterator<Item = &'t str> {
        let places = self.places.get(first..).unwrap_or_default();
        places.iter().map(move |place| place.text(record, &self.unescaped))
    }
}

impl CsvPlugin {
    fn split<'b>(&self, texts: &View<'b, &'b str>, rows: usize) -> Splits {
        let mut splits = Splits::default();
        for row in 0..rows {
            let split = match texts.get(row) {
                Some(text) => self.split_row(text, &mut splits),
                None => Split::Rejected("there is no text to read".into()),
            };
            splits.rows.push(split);
        }
        splits
    }

    fn split_row(&self, record: &str, splits: &mut Splits) -> Split {
        if self.comment.as_deref().is_some_and(|comment| record.starts_with(comment)) {
            return Split::Dropped;
        }
        let first = splits.places.len();
        let split = self.form.split(record, &mut splits.places, &mut splits.unescaped);
        let fields = splits.places.len() - first;
        let split = match split {
            Err(reason) => Split::Rejected(reason),
            Ok(()) if splits.fields(record, first).eq(&self.header) => Split::Dropped,
            Ok(()) if fields != self.columns.len() => {
                Split::Rejected(format!("expected {} fields, found {fields}", self.columns.len()))
            }
            Ok(()) => return Split::Record(first),
        };
        splits.places.truncate(first);
        split
    }

    /// Takes the values out of fields. Where a value that is not of its type is to be none, it is counted.
    #[inline]
    fn read<'t>(
        &self,
        fields: impl Iterator<Item = &'t str>,
        values: &mut [Option<Datum<'t>>],
        unreadable: &mut u64,
    ) -> Result<(), String> {
        for ((target, value), text) in self.columns.iter().zip(values).zip(fields) {
            let is_null = self.null.iter().any(|null| null == text);
            *value = if is_null { None } else { target.read(text) };
            if value.is_some() || is_null || text.is_empty() {
                continue;
            }
            match self.on_failure {
                OnFailure::Reject => return Err(target.reason(text)),
                OnFailure::Null => *unreadable += 1,
            }
        }
        Ok(())
    }
}

logsmith_plugin::export!(CsvPlugin);

#[cfg(test)]
mod tests;
