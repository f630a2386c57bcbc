//! Lines through a plugin, as the transform stage has them pass, and what became of each.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray, new_null_array,
};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use serde_json::Value;
use toml::Table;

use super::cell::cell;
use crate::bronze;
use crate::clock::Timestamp;
use crate::transform::{DeadKind, Engine, Limits, Plugin, PluginError, PluginSource, Verdicts};

/// A line as it was read: text, and its bytes where the text could not say them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The text; U+FFFD stands for what is no character.
    pub text: String,
    /// The bytes, where they are not UTF-8.
    pub raw: Option<Vec<u8>>,
}

impl Line {
    /// A line of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        match str::from_utf8(bytes) {
            Ok(text) => Self { text: text.to_owned(), raw: None },
            Err(_) => Self { text: String::from_utf8_lossy(bytes).into_owned(), raw: Some(bytes.to_owned()) },
        }
    }

    /// How many bytes it takes in a file, with a newline.
    pub fn bytes(&self) -> u64 {
        self.raw.as_ref().map_or(self.text.len(), Vec::len) as u64 + 1
    }
}

/// Where lines are said to come from, and when.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The value of the column `path`.
    pub path: String,
    /// The value of the column `ingested_at`.
    pub ingested_at: Timestamp,
    /// The offset of the first line; each is taken to end with one newline.
    pub offset: u64,
}

/// A Bronze batch of these lines, without its partition column.
///
/// # Errors
/// The columns do not fit together, which does not happen.
pub fn bronze_batch(lines: &[Line], origin: &Origin) -> Result<RecordBatch, ArrowError> {
    let rows = lines.len();
    let text = |text: &str| -> ArrayRef { Arc::new(StringArray::from_iter_values((0..rows).map(|_| text))) };
    let offsets = lines
        .iter()
        .scan(origin.offset, |next, line| Some(std::mem::replace(next, *next + line.bytes()) as i64));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(lines.iter().map(|line| &line.text))),
        Arc::new(lines.iter().map(|line| line.raw.as_deref()).collect::<BinaryArray>()),
        Arc::new(Int64Array::from(vec![1; rows])),
        Arc::new(offsets.collect::<Int64Array>()),
        text(&origin.path),
        text("trial"),
        text("trial"),
        Arc::new(
            TimestampMicrosecondArray::from(vec![origin.ingested_at.micros(); rows]).with_timezone("UTC"),
        ),
        new_null_array(&DataType::Int64, rows),
    ];
    RecordBatch::try_new(bronze::columns(), columns)
}

/// What became of a line.
#[derive(Clone, Debug, PartialEq)]
pub enum Fate {
    /// These rows, their columns without a value left out.
    Rows(Vec<Table>),
    /// It was dropped on purpose.
    Dropped,
    /// It is a dead letter.
    Dead {
        /// What happened.
        kind: DeadKind,
        /// Why.
        reason: String,
    },
}

/// A plugin opened as a pipeline opens it.
#[derive(Debug)]
pub struct Trial {
    plugin: Plugin,
}

impl Trial {
    /// Opens a plugin for batches with the columns of `input`.
    ///
    /// # Errors
    /// The plugin cannot be used.
    pub fn open(
        engine: &Engine,
        source: &PluginSource,
        config: &Value,
        input: &arrow::datatypes::Schema,
    ) -> Result<Self, PluginError> {
        Ok(Self { plugin: Plugin::open(engine, source, config, input, Limits::default())? })
    }

    /// The plugin.
    pub fn plugin(&self) -> &Plugin {
        &self.plugin
    }

    /// Has the plugin transform a batch.
    ///
    /// # Errors
    /// The plugin fails on all of it.
    pub fn apply(&mut self, input: &RecordBatch) -> Result<Verdicts, PluginError> {
        self.plugin.apply(input)
    }
}

/// What became of each of `lines` input rows, in their order.
pub fn fates(verdicts: &Verdicts, lines: usize) -> Vec<Fate> {
    let mut fates = vec![Fate::Rows(Vec::new()); lines];
    let mut set = |row: u32, fate: Fate| {
        if let Some(place) = fates.get_mut(row as usize) {
            *place = fate;
        }
    };
    verdicts.dropped.iter().for_each(|row| set(*row, Fate::Dropped));
    for dead in &verdicts.dead {
        set(dead.row, Fate::Dead { kind: dead.kind, reason: dead.reason.clone() });
    }
    let rows = verdicts.rows.iter().flat_map(|batch| (0..batch.num_rows()).map(move |row| (batch, row)));
    for (source, (batch, row)) in verdicts.source_rows.iter().zip(rows) {
        if let Some(Fate::Rows(rows)) = fates.get_mut(*source as usize) {
            rows.push(table(batch, row));
        }
    }
    fates
}

fn table(batch: &RecordBatch, row: usize) -> Table {
    let schema = batch.schema();
    let columns = schema.fields().iter().zip(batch.columns());
    columns.filter_map(|(field, column)| Some((field.name().clone(), cell(column, row)?))).collect()
}
