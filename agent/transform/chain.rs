//! The plugins of a pipeline, one after the other.
//!
//! Each plugin sees the columns of the input and those that plugins before it wrote; a column of the same name
//! replaces an earlier one. What comes out has the columns that plugins wrote, the input's own do not.
//!
//! **Rows are conserved over the whole chain.** An input row with an output row that a later plugin finds dead is
//! dead, and its other output rows are withdrawn; one whose output rows are all dropped later is dropped.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, filter_record_batch, take_arrays};
use arrow::datatypes::{FieldRef, Schema, SchemaRef};
use arrow::error::ArrowError;
use serde_json::Value;

use super::engine::Engine;
use super::error::PluginError;
use super::limits::Limits;
use super::meter::Meter;
use super::plan::Rest;
use super::plugin::Plugin;
use super::source::{Fingerprint, PluginSource};
use super::state::{merge_counts, thread_cpu_time};
use super::verdict::{Dead, Verdicts};
use crate::secrets::Secrets;

/// The plugins of a pipeline.
#[derive(Debug)]
pub struct Chain {
    links: Vec<Link>,
    output_schema: SchemaRef,
}

/// What a pipeline says of one plugin.
#[derive(Clone, Debug, PartialEq)]
pub struct PluginSpec {
    /// Where it comes from.
    pub source: PluginSource,
    /// Its configuration.
    pub config: Value,
    /// What of its configuration is not to be shown.
    pub secrets: Secrets,
    /// What it may use.
    pub limits: Limits,
}

/// Why a chain does not open.
#[derive(Debug)]
pub struct ChainError {
    /// Which plugin is at fault, from 0.
    pub index: usize,
    /// What is wrong with it.
    pub source: PluginError,
}

impl From<ChainError> for PluginError {
    fn from(error: ChainError) -> Self {
        error.source
    }
}

/// What a plugin did and cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Rows that it was given.
    pub rows: u64,
    /// Rows of them that it rejected, or failed on.
    pub rejects: u64,
    /// Rows of them that it dropped on purpose.
    pub dropped: u64,
    /// Instances that were thrown away after a fault.
    pub instances_discarded: u64,
    /// CPU time of its calls, the crossing of the boundary included.
    pub cpu_time: Duration,
}

#[derive(Debug)]
struct Link {
    plugin: Plugin,
    /// Since it was asked for last.
    work: Work,
    /// The columns that go along past this plugin, because a later one reads them or the chain writes them.
    carried: Vec<String>,
    /// What comes out: those that are carried, then those that it writes.
    schema: SchemaRef,
}

/// A column on its way through the chain.
#[derive(Clone, Debug)]
struct Column {
    field: FieldRef,
    origin: Origin,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    /// Of the chain's input.
    Input,
    /// Written by a plugin of the chain.
    Written,
}

impl Chain {
    /// Loads and opens the plugins, at least one, for batches of the schema `input`.
    ///
    /// # Errors
    /// The first plugin that cannot be used.
    pub fn open(engine: &Engine, specs: &[PluginSpec], input: &Schema) -> Result<Self, ChainError> {
        if specs.is_empty() {
            return Err(ChainError { index: 0, source: PluginError::NoPlugins });
        }
        let column = |field: &FieldRef| Column { field: field.clone(), origin: Origin::Input };
        let mut columns: Vec<Column> = input.fields().iter().map(column).collect();
        let mut opened = Vec::with_capacity(specs.len());
        for (index, PluginSpec { source, config, secrets, limits }) in specs.iter().enumerate() {
            let plugin = Plugin::open(engine, source, config, &schema(&columns), limits.clone())
                .map_err(|error| ChainError { index, source: error.masked(secrets) })?;
            let kept = columns_past(&plugin, columns);
            columns = kept.iter().cloned().chain(written(&plugin)).collect();
            opened.push((plugin, kept));
        }
        columns.retain(|column| column.origin == Origin::Written);
        if columns.is_empty() {
            return Err(ChainError { index: specs.len() - 1, source: PluginError::NoColumns });
        }
        let output_schema = Arc::new(schema(&columns));
        Ok(Self { links: links(opened), output_schema })
    }

    /// A plugin alone, whether or not it writes columns.
    pub fn of(plugin: Plugin) -> Self {
        let output_schema = Arc::clone(plugin.output_schema());
        Self { links: links(vec![(plugin, Vec::new())]), output_schema }
    }

    /// The columns that come out.
    pub fn output_schema(&self) -> &SchemaRef {
        &self.output_schema
    }

    /// Which plugins these are, in order.
    pub fn fingerprints(&self) -> impl Iterator<Item = &Fingerprint> {
        self.links.iter().map(|link| link.plugin.fingerprint())
    }

    /// Has what each plugin uses from now on taken down, in order.
    pub fn metered(&mut self) -> Vec<Meter> {
        self.links.iter_mut().map(|link| link.plugin.metered()).collect()
    }

    /// What the configuration calls each plugin, and how many lines of a minute it may find dead.
    pub(super) fn rejects_per_minute_max(&self) -> impl Iterator<Item = (&str, Option<u64>)> {
        let plugins = self.links.iter().map(|link| &link.plugin);
        plugins.map(|plugin| (plugin.called(), plugin.limits().rejects_per_minute_max))
    }

    /// What each plugin, by what the configuration calls it, did since this was asked last.
    pub fn take_work(&mut self) -> impl Iterator<Item = (&str, Work)> {
        self.links.iter_mut().map(|link| (link.plugin.called(), std::mem::take(&mut link.work)))
    }

    /// Transforms a batch. Rows in the verdicts are rows of `batch`.
    pub fn apply(&mut self, batch: &RecordBatch) -> Result<Verdicts, PluginError> {
        if let [only] = self.links.as_mut_slice() {
            return only.apply(batch);
        }
        let mut flow = Flow::start(batch);
        for (index, link) in self.links.iter_mut().enumerate() {
            flow.through(index, link)?;
        }
        flow.end().map_err(|error| PluginError::WrongBatch {
            plugin: "the chain".into(),
            reason: error.to_string(),
        })
    }
}

impl Link {
    fn apply(&mut self, rows: &RecordBatch) -> Result<Verdicts, PluginError> {
        let began = thread_cpu_time();
        let verdicts = self.plugin.apply(rows);
        self.work.cpu_time += thread_cpu_time().saturating_sub(began);
        self.work.rows += rows.num_rows() as u64;
        if let Ok(verdicts) = &verdicts {
            self.work.rejects += verdicts.dead.len() as u64;
            self.work.dropped += verdicts.dropped.len() as u64;
            self.work.instances_discarded += verdicts.instances_discarded as u64;
        }
        verdicts
    }
}

fn schema(columns: &[Column]) -> Schema {
    Schema::new(columns.iter().map(|column| column.field.clone()).collect::<Vec<_>>())
}

/// The columns that a plugin leaves as they are.
fn columns_past(plugin: &Plugin, columns: Vec<Column>) -> Vec<Column> {
    let replaced = |column: &Column| {
        plugin
            .output_schema()
            .fields()
            .iter()
            .any(|field| field.name().eq_ignore_ascii_case(column.field.name()))
    };
    match plugin.rest() {
        Rest::Kept => columns.into_iter().filter(|column| !replaced(column)).collect(),
        Rest::Discarded => Vec::new(),
    }
}

fn written(plugin: &Plugin) -> impl Iterator<Item = Column> {
    let fields = plugin.output_schema().fields().iter();
    fields.map(|field| Column { field: field.clone(), origin: Origin::Written })
}

/// From the last plugin to the first: what is carried past each is what somebody after it needs.
fn links(opened: Vec<(Plugin, Vec<Column>)>) -> Vec<Link> {
    let mut needed: Vec<String> = Vec::new();
    let mut links = Vec::with_capacity(opened.len());
    for (plugin, kept) in opened.into_iter().rev() {
        let is_needed =
            |column: &Column| column.origin == Origin::Written || needed.contains(column.field.name());
        let carried: Vec<Column> = kept.into_iter().filter(is_needed).collect();
        needed.retain(|name| carried.iter().any(|column| column.field.name() == name));
        needed.extend(plugin.reads().iter().cloned());
        let names = carried.iter().map(|column| column.field.name().clone()).collect();
        let past: Vec<Column> = carried.into_iter().chain(written(&plugin)).collect();
        links.push(Link { schema: Arc::new(schema(&past)), carried: names, work: Work::default(), plugin });
    }
    links.reverse();
    links
}

/// A batch on its way through the chain.
struct Flow {
    rows: RecordBatch,
    /// For each row of `rows` the row of the chain's input that it comes from; `None` while they are the same.
    sources: Option<Vec<u32>>,
    dropped: Vec<u32>,
    dead: Vec<Dead>,
    counts: BTreeMap<String, u64>,
    instances_discarded: usize,
    input_rows: usize,
}

impl Flow {
    fn start(batch: &RecordBatch) -> Self {
        Self {
            rows: batch.clone(),
            sources: None,
            dropped: Vec::new(),
            dead: Vec::new(),
            counts: BTreeMap::new(),
            instances_discarded: 0,
            input_rows: batch.num_rows(),
        }
    }

    fn through(&mut self, index: usize, link: &mut Link) -> Result<(), PluginError> {
        let verdicts = link.apply(&self.rows)?;
        let Verdicts { rows, source_rows, dropped, dead, counts, instances_discarded } = verdicts;
        let origin = |row: u32| match &self.sources {
            Some(sources) => sources.get(row as usize).copied().unwrap_or(row),
            None => row,
        };
        self.dropped.extend(dropped.into_iter().map(origin));
        self.dead.extend(dead.into_iter().map(|dead| Dead { row: origin(dead.row), plugin: index, ..dead }));
        let sources: Vec<u32> = source_rows.iter().map(|row| origin(*row)).collect();
        let carried =
            link.carried.iter().filter_map(|name| self.rows.column_by_name(name).cloned()).collect();
        self.rows = concat_batches(link.plugin.output_schema(), &rows)
            .and_then(|rows| {
                let carried = gathered(carried, source_rows, self.rows.num_rows())?;
                let columns = carried.into_iter().chain(rows.columns().iter().cloned()).collect();
                RecordBatch::try_new(link.schema.clone(), columns)
            })
            .map_err(|error| link.plugin.wrong_batch(error.to_string()))?;
        self.sources = Some(sources);
        merge_counts(&mut self.counts, counts);
        self.instances_discarded += instances_discarded;
        Ok(())
    }

    /// Settles what several output rows of one input row came to.
    fn end(self) -> Result<Verdicts, ArrowError> {
        let Self { rows, sources, mut dropped, mut dead, counts, instances_discarded, input_rows } = self;
        let mut source_rows = sources.unwrap_or_else(|| (0..input_rows as u32).collect());
        dead.sort_by_key(|dead| dead.row);
        dead.dedup_by_key(|dead| dead.row);
        // Answers whether the row was not settled before.
        let mut settled = vec![false; input_rows];
        let mut settle =
            |row: u32| settled.get_mut(row as usize).is_some_and(|done| !std::mem::replace(done, true));
        for dead in &dead {
            settle(dead.row);
        }
        let is_dead = |row: &u32| dead.binary_search_by_key(row, |dead| dead.row).is_ok();
        let rows = if !dead.is_empty() && source_rows.iter().any(is_dead) {
            let alive: BooleanArray = source_rows.iter().map(|row| Some(!is_dead(row))).collect();
            source_rows.retain(|row| !is_dead(row));
            filter_record_batch(&rows, &alive)?
        } else {
            rows
        };
        for row in &source_rows {
            settle(*row);
        }
        dropped.retain(|row| settle(*row));
        dropped.sort_unstable();
        let rows = if rows.num_rows() == 0 { Vec::new() } else { vec![rows] };
        Ok(Verdicts { rows, source_rows, dropped, dead, counts, instances_discarded })
    }
}

/// The values of the source rows, one for each output row.
fn gathered(columns: Vec<ArrayRef>, source_rows: Vec<u32>, rows: usize) -> Result<Vec<ArrayRef>, ArrowError> {
    let one_to_one = source_rows.len() == rows && source_rows.iter().copied().eq(0..rows as u32);
    if columns.is_empty() || one_to_one {
        return Ok(columns);
    }
    take_arrays(&columns, &UInt32Array::from(source_rows), None)
}
