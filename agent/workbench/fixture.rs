//! Fixtures: input lines of a plugin, and the verdict that is expected on each.
//!
//! ```toml
//! # What this file shows.
//! config = { }                  # the plugin's configuration; may be left out
//! path = "/var/log/x.log"       # the value of the column `path`; may be left out
//! ingested_at = "2026-11-30T12:00:00Z"   # of that column; may be left out
//! lines = ["first", "second", "third", "fourth"]
//!
//! [[expect]]                    # one for each line, in order
//! row = { status = 200 }        # columns without a value are left out
//! [[expect]]
//! rows = [{ a = 1 }, { a = 2 }]
//! [[expect]]
//! dropped = true
//! [[expect]]
//! reject = "expected a number"  # a part of the reason
//! ```
//!
//! Instead of `lines`, `rows = [{ message = "x" }]` gives columns that plugins before this one would have written. How
//! values are written: see [`cell`](super::cell).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use chrono::DateTime;
use serde::Deserialize;
use toml::{Table, Value};

use super::cell::{canonical, inline};
use super::trial::{Fate, Line, Origin, Trial, bronze_batch, fates};
use crate::clock::Timestamp;
use crate::transform::{Engine, PluginError, PluginSource};

/// When lines are taken to be ingested that do not say it.
const INGESTED_AT: &str = "2026-11-30T12:00:00Z";

/// The heading of an expectation.
const EXPECT: &str = "[[expect]]";

/// Why a fixture cannot be tried.
#[derive(Debug, thiserror::Error)]
pub enum FixtureError {
    /// The file cannot be read or written.
    #[error("cannot {operation} {path}: {source}")]
    Io {
        /// What was tried.
        operation: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The file is no fixture.
    #[error("{path}: {reason}")]
    Form {
        /// Which file.
        path: PathBuf,
        /// What is wrong, where, and what to write.
        reason: String,
    },
    /// The plugin cannot be used with the fixture's configuration and columns, or fails on all its lines.
    #[error("{path}: {source}")]
    Plugin {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: PluginError,
    },
}

/// A file of input and expectations.
#[derive(Debug)]
pub struct Fixture {
    path: PathBuf,
    text: String,
    config: serde_json::Value,
    /// Each input row, for people.
    shown: Vec<String>,
    input: RecordBatch,
    expect: Vec<Expect>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    #[serde(default)]
    config: serde_json::Map<String, serde_json::Value>,
    #[serde(default)]
    path: Option<String>,
    #[serde(default)]
    ingested_at: Option<Value>,
    #[serde(default)]
    lines: Option<Vec<String>>,
    #[serde(default)]
    rows: Option<Vec<Table>>,
    #[serde(default)]
    expect: Vec<Expect>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expect {
    row: Option<Table>,
    rows: Option<Vec<Table>>,
    dropped: Option<bool>,
    reject: Option<String>,
}

/// What a fixture came to.
#[derive(Debug)]
pub struct Report {
    /// How many input rows there are.
    pub lines: usize,
    /// Where a verdict is not the expected one.
    pub differences: Vec<Difference>,
}

/// A verdict that is not the expected one.
#[derive(Debug)]
pub struct Difference {
    /// Which input row, from 1 on.
    pub line: usize,
    /// The row, for people.
    pub input: String,
    /// What differs, one a line.
    pub lines: Vec<String>,
}

impl Fixture {
    /// Reads a fixture.
    ///
    /// # Errors
    /// The file cannot be read, or is no fixture.
    pub fn read(path: &Path) -> Result<Self, FixtureError> {
        let io = |source| FixtureError::Io { operation: "read", path: path.to_owned(), source };
        let text = std::fs::read_to_string(path).map_err(io)?;
        let wrong = |reason: String| FixtureError::Form { path: path.to_owned(), reason };
        let form: Form =
            toml::from_str(&text).map_err(|error| wrong(error.to_string().trim_end().to_owned()))?;
        let Form { config, path: origin, ingested_at, lines, rows, expect } = form;
        let ingested_at = instant(ingested_at.unwrap_or_else(|| INGESTED_AT.into()))
            .ok_or_else(|| wrong(format!("ingested_at: write \"{INGESTED_AT}\"")))?;
        let origin = Origin {
            path: origin.unwrap_or_else(|| "/var/log/trial.log".to_owned()),
            ingested_at,
            offset: 0,
        };
        let (lines, columns) = match (lines, rows) {
            (Some(lines), None) => (lines, Vec::new()),
            (None, Some(rows)) => (vec![String::new(); rows.len()], rows),
            _ => return Err(wrong("write either `lines` or `rows`".to_owned())),
        };
        let shown = match columns.as_slice() {
            [] => lines.clone(),
            rows => rows.iter().map(|row| inline(&Value::Table(row.clone()))).collect(),
        };
        let lines: Vec<Line> = lines.into_iter().map(|text| Line { text, raw: None }).collect();
        let bronze = bronze_batch(&lines, &origin).map_err(|error| wrong(error.to_string()))?;
        let input = with_columns(&bronze, &columns).map_err(wrong)?;
        let config = serde_json::Value::Object(config);
        Ok(Self { path: path.to_owned(), text, config, shown, input, expect })
    }

    /// Has a plugin transform the input, and compares.
    ///
    /// # Errors
    /// The plugin cannot be used, or an expectation cannot be one.
    pub fn run(&self, engine: &Engine, plugin: &PluginSource) -> Result<Report, FixtureError> {
        let (fates, schema) = self.fates(engine, plugin)?;
        let wrong = |reason: String| FixtureError::Form { path: self.path.clone(), reason };
        if self.expect.len() != fates.len() {
            let (expected, lines) = (self.expect.len(), fates.len());
            return Err(wrong(format!(
                "{expected} expectations for {lines} lines: write one {EXPECT} for each, or let --bless write them"
            )));
        }
        let mut differences = Vec::new();
        for (at, (fate, expect)) in fates.iter().zip(&self.expect).enumerate() {
            let named = |reason| wrong(format!("expect[{at}]: {reason}"));
            let lines = expect.differences(fate, &schema).map_err(named)?;
            if !lines.is_empty() {
                let input = self.shown.get(at).cloned().unwrap_or_default();
                differences.push(Difference { line: at + 1, input, lines });
            }
        }
        Ok(Report { lines: fates.len(), differences })
    }

    /// Writes what the plugin answers now as the expectations; what stands before them stays.
    ///
    /// # Errors
    /// The plugin cannot be used, or the file not written.
    pub fn bless(&self, engine: &Engine, plugin: &PluginSource) -> Result<(), FixtureError> {
        let (fates, _) = self.fates(engine, plugin)?;
        let mut text: String = self
            .text
            .split_inclusive('\n')
            .take_while(|line| !line.trim_start().starts_with(EXPECT))
            .collect();
        text.truncate(text.trim_end().len());
        text.push('\n');
        for (fate, shown) in fates.iter().zip(&self.shown) {
            text.push_str(&format!("\n{EXPECT} # {}\n{}\n", for_comment(shown), told(fate)));
        }
        let io = |source| FixtureError::Io { operation: "write", path: self.path.clone(), source };
        std::fs::write(&self.path, text).map_err(io)
    }

    fn fates(&self, engine: &Engine, plugin: &PluginSource) -> Result<(Vec<Fate>, SchemaRef), FixtureError> {
        let failed = |source| FixtureError::Plugin { path: self.path.clone(), source };
        let mut trial = Trial::open(engine, plugin, &self.config, &self.input.schema()).map_err(failed)?;
        let verdicts = trial.apply(&self.input).map_err(failed)?;
        Ok((fates(&verdicts, self.input.num_rows()), trial.plugin().output_schema().clone()))
    }
}

impl Expect {
    /// What of `fate` is not as expected.
    fn differences(&self, fate: &Fate, schema: &Schema) -> Result<Vec<String>, String> {
        let rows = match (&self.row, &self.rows, self.dropped, &self.reject) {
            (Some(row), None, None, None) => vec![row.clone()],
            (None, Some(rows), None, None) if !rows.is_empty() => rows.clone(),
            (None, None, Some(true), None) => {
                return Ok(otherwise(fate == &Fate::Dropped, "dropped = true", fate));
            }
            (None, None, None, Some(reason)) => {
                let is_so = matches!(fate, Fate::Dead { reason: actual, .. } if actual.contains(reason));
                return Ok(otherwise(is_so, &format!("reject = {}", inline(&reason.as_str().into())), fate));
            }
            _ => return Err("write one of `row`, `rows`, `dropped = true` and `reject`".to_owned()),
        };
        let rows = rows.into_iter().map(|row| canonical_row(row, schema)).collect::<Result<Vec<_>, _>>()?;
        match fate {
            Fate::Rows(actual) if actual.len() == rows.len() => Ok(rows
                .iter()
                .zip(actual)
                .flat_map(|(row, actual)| row_differences(row, actual, schema))
                .collect()),
            fate => Ok(otherwise(false, &told(&Fate::Rows(rows)), fate)),
        }
    }
}

fn otherwise(is_so: bool, expected: &str, fate: &Fate) -> Vec<String> {
    if is_so { Vec::new() } else { vec![format!("expected {expected}"), format!("answered {}", told(fate))] }
}

fn row_differences(expected: &Table, actual: &Table, schema: &Schema) -> Vec<String> {
    let told = |value: Option<&Value>| value.map_or("nothing".to_owned(), inline);
    let differs = |field: &Arc<Field>| {
        let (expected, actual) = (expected.get(field.name()), actual.get(field.name()));
        let name = field.name();
        (!same(expected, actual))
            .then(|| format!("{name}: expected {}, answered {}", told(expected), told(actual)))
    };
    schema.fields().iter().filter_map(differs).collect()
}

/// Whether two values are the same: of doubles, their bits count.
fn same(one: Option<&Value>, other: Option<&Value>) -> bool {
    match (one, other) {
        (Some(Value::Float(one)), Some(Value::Float(other))) => one.to_bits() == other.to_bits(),
        (one, other) => one == other,
    }
}

fn canonical_row(row: Table, schema: &Schema) -> Result<Table, String> {
    let column = |(name, value): (String, Value)| {
        let Ok(field) = schema.field_with_name(&name) else {
            let known: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
            return Err(format!("the plugin writes no column `{name}`, but {}", known.join(", ")));
        };
        let value = canonical(value, field.data_type()).map_err(|reason| format!("{name}: {reason}"))?;
        Ok((name, value))
    };
    row.into_iter().map(column).collect()
}

/// A verdict as an expectation says it.
pub fn told(fate: &Fate) -> String {
    match fate {
        Fate::Rows(rows) => match rows.as_slice() {
            [row] => format!("row = {}", inline(&Value::Table(row.clone()))),
            rows => {
                format!("rows = {}", inline(&Value::Array(rows.iter().cloned().map(Value::Table).collect())))
            }
        },
        Fate::Dropped => "dropped = true".to_owned(),
        Fate::Dead { reason, .. } => format!("reject = {}", inline(&reason.as_str().into())),
    }
}

/// A line that fits a comment.
fn for_comment(line: &str) -> String {
    let clean: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    clean.trim_end().to_owned()
}

fn instant(value: Value) -> Option<Timestamp> {
    let text = match value {
        Value::String(text) => text,
        Value::Datetime(time) => time.to_string(),
        _ => return None,
    };
    DateTime::parse_from_rfc3339(&text).ok().map(|time| Timestamp::from_micros(time.timestamp_micros()))
}

/// The batch with the columns that `rows` have, in place of those of the same name.
fn with_columns(bronze: &RecordBatch, rows: &[Table]) -> Result<RecordBatch, String> {
    let mut names: Vec<&String> = rows.iter().flat_map(|row| row.keys()).collect();
    names.sort_unstable();
    names.dedup();
    let schema = bronze.schema();
    let mut fields: Vec<Arc<Field>> = schema.fields().iter().cloned().collect();
    let mut columns = bronze.columns().to_vec();
    for name in names {
        let values: Vec<Option<&Value>> = rows.iter().map(|row| row.get(name)).collect();
        let column = column(&values).map_err(|reason| format!("rows: {name}: {reason}"))?;
        let field = Arc::new(Field::new(name, column.data_type().clone(), column.null_count() > 0));
        match fields.iter().position(|field| field.name() == name) {
            Some(at) => {
                fields.splice(at..=at, [field]);
                columns.splice(at..=at, [column]);
            }
            None => {
                fields.push(field);
                columns.push(column);
            }
        }
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).map_err(|error| error.to_string())
}

/// A column of the type that the first value has.
fn column(values: &[Option<&Value>]) -> Result<ArrayRef, String> {
    let all = |fits: bool, array: ArrayRef| match fits {
        true => Ok(array),
        false => Err("its values are of several types".to_owned()),
    };
    let present = || values.iter().flatten();
    match present().next() {
        Some(Value::Boolean(_)) => {
            let array: BooleanArray = values.iter().map(|value| value.and_then(Value::as_bool)).collect();
            all(array.len() - array.null_count() == present().count(), Arc::new(array))
        }
        Some(Value::Integer(_)) => {
            let array: Int64Array = values.iter().map(|value| value.and_then(Value::as_integer)).collect();
            all(array.len() - array.null_count() == present().count(), Arc::new(array))
        }
        Some(Value::Float(_)) => {
            let array: Float64Array = values.iter().map(|value| value.and_then(Value::as_float)).collect();
            all(array.len() - array.null_count() == present().count(), Arc::new(array))
        }
        Some(Value::Datetime(_)) => {
            let micros = |value: &Option<&Value>| Some(instant((*value)?.clone())?.micros());
            let array: TimestampMicrosecondArray = values.iter().map(micros).collect();
            all(array.len() - array.null_count() == present().count(), Arc::new(array.with_timezone("UTC")))
        }
        Some(Value::Table(_)) => map_column(values),
        _ => {
            let array: StringArray = values.iter().map(|value| value.and_then(Value::as_str)).collect();
            all(array.len() - array.null_count() == present().count(), Arc::new(array))
        }
    }
}

fn map_column(values: &[Option<&Value>]) -> Result<ArrayRef, String> {
    let names = arrow::array::MapFieldNames {
        entry: "key_value".to_owned(),
        key: "key".to_owned(),
        value: "value".to_owned(),
    };
    let texts = arrow::array::StringBuilder::new;
    let mut maps = arrow::array::MapBuilder::new(Some(names), texts(), texts())
        .with_values_field(Field::new("value", DataType::Utf8, true));
    for value in values {
        for (key, value) in value.and_then(Value::as_table).into_iter().flatten() {
            maps.keys().append_value(key);
            maps.values().append_option(value.as_str());
        }
        maps.append(value.is_some()).map_err(|error| error.to_string())?;
    }
    Ok(Arc::new(maps.finish()))
}
