//! A plugin: loaded from its source, opened for a configuration and an input, applied to batches.

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Schema, SchemaRef};
use serde_json::Value;
use wasmtime::component::InstancePre;

use super::bisect::{self, Context, Doubt, NoVerdicts, Settled};
use super::columns::{self, Input};
use super::engine::{Compiler, Engine};
use super::error::PluginError;
use super::instance::{Component, NotOpened, fault_text};
use super::limits::Limits;
use super::linker::OFFERED;
use super::meter::Meter;
use super::plan::{Plan, Rest};
use super::source::{Fingerprint, PluginSource, Sha256, config_hash};
use super::state::{HostState, MESSAGES_MAX};
use super::verdict::{Dead, DeadKind, Verdicts};
use super::wit::{self, PluginPre};

/// What a plugin exports.
const WANTED: &str = "logsmith:transform/transform@0.1.0";

/// A plugin that was opened. No instance of it lives between two batches, so no state does.
pub struct Plugin {
    engine: Engine,
    component: Component,
    plan: Plan,
    fingerprint: Fingerprint,
    input: Schema,
    doubt: Doubt,
}

impl Plugin {
    /// Loads a plugin and opens it for `config` and for batches of the schema `input`. Columns of types that cannot
    /// cross the boundary are not shown to it.
    pub fn open(
        engine: &Engine,
        source: &PluginSource,
        config: &Value,
        input: &Schema,
        limits: Limits,
    ) -> Result<Self, PluginError> {
        let label = source.to_string();
        let (bytes, sha256) = source.read(&limits)?;
        let pre = load(engine, &label, &bytes, sha256)?;
        let component = Component { label, pre, config: config.to_string(), limits, meter: None };
        let plan = open(engine, &component, input)?;
        let fingerprint = Fingerprint {
            name: plan.name.clone(),
            version: plan.version.clone(),
            sha256,
            config_hash: config_hash(config),
        };
        Ok(Self {
            engine: engine.clone(),
            component,
            plan,
            fingerprint,
            input: input.clone(),
            doubt: Doubt::Plugin,
        })
    }

    /// Which plugin this is.
    pub fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }

    /// What the configuration calls it.
    pub(super) fn called(&self) -> &str {
        &self.component.label
    }

    /// What it may use.
    pub(super) fn limits(&self) -> &Limits {
        &self.component.limits
    }

    /// The columns that it reads.
    pub fn reads(&self) -> &[String] {
        &self.plan.reads
    }

    /// The columns that it writes.
    pub fn output_schema(&self) -> &SchemaRef {
        &self.plan.schema
    }

    /// What becomes of the columns that it does not write.
    pub fn rest(&self) -> Rest {
        self.plan.rest
    }

    /// Has what the plugin uses from now on taken down.
    pub fn metered(&mut self) -> Meter {
        self.component.meter.get_or_insert_default().clone()
    }

    /// Transforms a batch, which costs an instance: give it thousands of rows at a time. The output rows have the
    /// columns of [`output_schema`](Self::output_schema). A batch without a single row costs nothing.
    pub fn apply(&mut self, batch: &RecordBatch) -> Result<Verdicts, PluginError> {
        let columns = self.plan.reads.iter().map(|name| self.input_column(batch, name));
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        let rows = u32::try_from(batch.num_rows()).map_err(|_| {
            self.wrong_batch(format!("{} rows, more than 32 bits can count", batch.num_rows()))
        })?;
        if rows == 0 {
            return self.verdicts(Settled::default());
        }
        let fields = columns::fields(&self.input);
        let context = Context {
            component: &self.component,
            plan: &self.plan,
            fields: &fields,
            columns: &columns,
            doubt: self.doubt,
        };
        let ticking = self.engine.ticking();
        let settled = bisect::apply(&context, rows);
        drop(ticking);
        match settled {
            Ok(settled) => {
                let has_passed = !settled.answers.is_empty();
                self.doubt = if has_passed { Doubt::FewRows } else { Doubt::Plugin };
                self.verdicts(settled)
            }
            Err(NoVerdicts::Broken { reason }) => {
                Err(PluginError::Broken { plugin: self.label(), rows: batch.num_rows(), reason })
            }
            Err(NoVerdicts::OutputTooLarge) => Err(PluginError::OutputTooLarge {
                plugin: self.label(),
                bytes_max: self.component.limits.output_bytes_max,
            }),
        }
    }

    fn label(&self) -> String {
        self.component.label.clone()
    }

    pub(super) fn wrong_batch(&self, reason: String) -> PluginError {
        PluginError::WrongBatch { plugin: self.label(), reason }
    }

    fn input_column(&self, batch: &RecordBatch, name: &str) -> Result<Input, PluginError> {
        let column =
            batch.column_by_name(name).ok_or_else(|| self.wrong_batch(format!("no column `{name}`")))?;
        let planned = self.input.field_with_name(name).map(|field| field.data_type());
        if planned.is_ok_and(|planned| planned != column.data_type()) {
            return Err(self.wrong_batch(format!("column `{name}` is {}", column.data_type())));
        }
        Input::of(column)
            .ok_or_else(|| self.wrong_batch(format!("column `{name}` is {}", column.data_type())))
    }

    fn verdicts(&self, settled: Settled) -> Result<Verdicts, PluginError> {
        let Settled { answers, mut dead, counts, instances_discarded } = settled;
        let mut rows = Vec::with_capacity(answers.len());
        let (mut source_rows, mut dropped) = (Vec::new(), Vec::new());
        for answer in answers {
            if !answer.source_rows.is_empty() {
                // A plugin that only picks rows writes no columns.
                let options = RecordBatchOptions::new().with_row_count(Some(answer.source_rows.len()));
                let schema = self.plan.schema.clone();
                let part = RecordBatch::try_new_with_options(schema, answer.columns, &options);
                rows.push(part.map_err(|error| self.wrong_batch(error.to_string()))?);
            }
            source_rows.extend(answer.source_rows);
            dropped.extend(answer.dropped);
            dead.extend(answer.rejected.into_iter().map(|(row, reason)| Dead {
                row,
                plugin: 0,
                kind: DeadKind::Rejected,
                reason,
            }));
        }
        dropped.sort_unstable();
        dead.sort_by_key(|dead| dead.row);
        Ok(Verdicts { rows, source_rows, dropped, dead, counts, instances_discarded })
    }
}

impl std::fmt::Debug for Plugin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plugin").field("fingerprint", &self.fingerprint).finish_non_exhaustive()
    }
}

/// Compiles a component, whose hash is known, and makes sure that it is a plugin.
pub(super) fn load(
    engine: &Engine,
    label: &str,
    bytes: &[u8],
    sha256: Sha256,
) -> Result<PluginPre<HostState>, PluginError> {
    let plugin = || label.to_owned();
    match bytes.split_first_chunk::<8>() {
        Some(([b'\0', b'a', b's', b'm', 0x0d, _, 1, 0], _)) => {}
        Some(([0x7f, b'E', b'L', b'F', ..], _)) => return Err(PluginError::Precompiled { plugin: plugin() }),
        Some(([b'\0', b'a', b's', b'm', ..], _)) => return Err(PluginError::CoreModule { plugin: plugin() }),
        _ => return Err(PluginError::NotWasm { plugin: plugin() }),
    }
    let compiler @ Compiler { engine, linker, .. } = engine.compiler(bytes.len());
    let component = compiler
        .component(bytes, sha256)
        .map_err(|error| PluginError::Compile { plugin: plugin(), source: error.into() })?;
    let types = component.component_type();
    if let Some((import, _)) = types.imports(engine).find(|(name, _)| *name != OFFERED) {
        return Err(PluginError::Import { plugin: plugin(), import: import.into(), offered: OFFERED });
    }
    let exports: Vec<&str> = types.exports(engine).map(|(name, _)| name).collect();
    if !exports.contains(&WANTED) {
        let found = if exports.is_empty() { "nothing".into() } else { exports.join(", ") };
        return Err(PluginError::Export { plugin: plugin(), wanted: WANTED, found });
    }
    let pre: wasmtime::Result<InstancePre<HostState>> = linker.instantiate_pre(&component);
    pre.and_then(PluginPre::new)
        .map_err(|error| PluginError::World { plugin: plugin(), source: error.into() })
}

/// Opens the first instance, for its plan.
fn open(engine: &Engine, component: &Component, input: &Schema) -> Result<Plan, PluginError> {
    let plugin = component.label.clone();
    let ticking = engine.ticking();
    let opened = component.open(&columns::fields(input), MESSAGES_MAX);
    drop(ticking);
    match opened {
        Ok((_, plan)) => Plan::checked(plan, input).map_err(|reason| PluginError::Plan { plugin, reason }),
        Err(NotOpened::Fault(fault)) => {
            let reason = fault_text(&fault);
            Err(match fault {
                wit::Fault::Config(_) => PluginError::Config { plugin, reason },
                wit::Fault::Input(_) => PluginError::Input { plugin, reason },
                wit::Fault::Other(_) => PluginError::Open { plugin, reason },
            })
        }
        Err(NotOpened::Crash(crash)) => Err(PluginError::Open { plugin, reason: crash.reason }),
    }
}
