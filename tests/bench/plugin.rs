//! What the plugin boundary costs: `cargo bench --bench plugin`; `-- --smoke` for a short run that judges nothing.
//!
//! CPU time of this thread in nanoseconds a row, the least of several runs. A batch of [`BATCH_ROWS`] goes in, Arrow
//! batches come out: through the `json` plugin, and through the same Rust function compiled natively, which fills the
//! same columns, also [`CALL_ROWS`] at a time. The boundary alone is a guest that hands the column back.
//! A batch costs an instance, since no state may outlive it: the last figures show that cost undivided.

#![allow(missing_docs, clippy::panic, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

#[path = "sample.rs"]
mod sample;
#[path = "thread.rs"]
mod thread;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, MapArray, RecordBatch, StringArray, StructArray, TimestampMicrosecondArray,
};
use arrow::buffer::{BooleanBuffer, NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Schema};
use logsmith::transform::{Engine, Limits, Plugin, PluginSource};
use logsmith_plugin::{Column, Outcome, Rows, Strings, Values};
use logsmith_plugin_json::{Json, json};
use thread::cpu;

/// Rows of one call of a plugin.
const CALL_ROWS: usize = 1_000;
/// Rows of one batch: few enough that the columns that native code makes stay in the processor's cache.
const BATCH_ROWS: usize = 16 * CALL_ROWS;
/// The `json` plugin may take so many times what the native function takes.
const JSON_RATIO_MAX: f64 = 1.8;
/// The boundary alone may take so many nanoseconds a row.
const BOUNDARY_NS_MAX: f64 = 50.0;

fn main() -> ExitCode {
    let smoke = std::env::args().any(|argument| argument == "--smoke");
    let rounds = if smoke { 1 } else { 20 };
    logsmith::memory::settle();
    let engine = Engine::try_new(None).expect("the engine starts");
    let lines: StringArray =
        (0..if smoke { 2 * CALL_ROWS } else { BATCH_ROWS }).map(sample::line).map(Some).collect();
    println!(
        "{} JSON lines of {} bytes, {CALL_ROWS} a call",
        lines.len(),
        lines.value_data().len() / lines.len()
    );

    let mut json = Bench::open(&engine, component("json", "plugins/dist"), "{}", &lines);
    let mut echo =
        Bench::open(&engine, component("hostile", "tests/hostile/dist"), r#"{"crime":"none"}"#, &lines);
    // In turns, so that what else the machine does hits all alike.
    let mut best = [f64::INFINITY; 5];
    for _ in 0..rounds {
        let schema = json.plugin.output_schema().clone();
        let now = [
            cpu_ns(|| native(&lines, &schema)),
            cpu_ns(|| json.whole()),
            cpu_ns(|| echo.whole()),
            cpu_ns(|| json.by_call()),
            cpu_ns(|| echo.by_call()),
        ];
        best.iter_mut().zip(now).for_each(|(best, now)| *best = best.min(now / lines.len() as f64));
    }

    let [native, json, boundary, json_by_call, boundary_by_call] = best;
    println!("json, native             {native:7.1} ns/row");
    println!(
        "json, plugin             {json:7.1} ns/row   {:.2} x native (limit {JSON_RATIO_MAX})",
        json / native
    );
    println!("boundary                 {boundary:7.1} ns/row   (limit {BOUNDARY_NS_MAX})");
    println!("json, a batch a call     {json_by_call:7.1} ns/row   {:.2} x native", json_by_call / native);
    println!("boundary, a batch a call {boundary_by_call:7.1} ns/row");
    if smoke || (json <= JSON_RATIO_MAX * native && boundary <= BOUNDARY_NS_MAX) {
        return ExitCode::SUCCESS;
    }
    println!("a limit is exceeded");
    ExitCode::FAILURE
}

/// The committed component, or a freshly built one where `LOGSMITH_TEST_PLUGINS` names a folder of these.
fn component(name: &str, committed: &str) -> PluginSource {
    let committed = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(committed);
    let folder = std::env::var_os("LOGSMITH_TEST_PLUGINS").map_or_else(committed, PathBuf::from);
    PluginSource::File { path: folder.join(format!("{name}.wasm")), sha256: None }
}

/// The same function, the same columns, no boundary.
fn native(lines: &StringArray, schema: &Arc<Schema>) -> Vec<RecordBatch> {
    let mut state: Json = serde_json::from_str("{}").expect("the default configuration");
    let call = |start: usize| {
        let call = lines.slice(start, CALL_ROWS.min(lines.len() - start));
        let text_bytes = call.value_offsets()[call.len()] - call.value_offsets()[0];
        let mut rows = Rows::with_capacity(call.len(), text_bytes as usize);
        for (row, line) in (0_u32..).zip(call.iter()) {
            json(line.unwrap_or_default(), &mut state).settle(row, &mut rows);
        }
        let columns = rows.finish().columns.into_iter().zip(schema.fields());
        let columns = columns.map(|(column, field)| array(column, field.data_type())).collect();
        RecordBatch::try_new(schema.clone(), columns).expect("a good batch")
    };
    (0..lines.len()).step_by(CALL_ROWS).map(call).collect()
}

/// A column that native code made, as an array: checked, as safe Rust does it.
fn array(Column { values, validity }: Column, data_type: &DataType) -> ArrayRef {
    let nulls = |bits: Option<Vec<u8>>, len| {
        bits.map(|bits| NullBuffer::new(BooleanBuffer::new(bits.into(), 0, len)))
    };
    let texts = |Strings { offsets, data }: Strings, validity| {
        let nulls = nulls(validity, offsets.len() - 1);
        StringArray::try_new(OffsetBuffer::new(offsets.into()), data.into(), nulls).expect("texts")
    };
    match (values, data_type) {
        (Values::Utf8(strings), _) => Arc::new(texts(strings, validity)),
        (Values::TimestampUs(micros), _) => {
            let nulls = nulls(validity, micros.len());
            Arc::new(TimestampMicrosecondArray::new(micros.into(), nulls).with_timezone("UTC"))
        }
        (Values::StringMap(maps), DataType::Map(field, _)) => {
            let DataType::Struct(fields) = field.data_type() else { panic!("entries") };
            let columns: Vec<ArrayRef> =
                vec![Arc::new(texts(maps.keys, None)), Arc::new(texts(maps.values, maps.validity))];
            let entries = StructArray::try_new(fields.clone(), columns, None).expect("entries");
            Arc::new(MapArray::new(
                field.clone(),
                OffsetBuffer::new(maps.offsets.into()),
                entries,
                None,
                false,
            ))
        }
        (values, _) => panic!("{values:?}"),
    }
}

struct Bench {
    plugin: Plugin,
    batch: RecordBatch,
}

impl Bench {
    fn open(engine: &Engine, source: PluginSource, config: &str, lines: &StringArray) -> Self {
        let config = serde_json::from_str(config).expect("JSON");
        let column: ArrayRef = Arc::new(lines.clone());
        let batch = RecordBatch::try_from_iter([("line", column)]).expect("a batch");
        let limits = Limits { call_rows_max: CALL_ROWS, call_bytes_max: usize::MAX, ..Limits::default() };
        let plugin =
            Plugin::open(engine, &source, &config, &batch.schema(), limits).expect("the plugin opens");
        Self { plugin, batch }
    }

    fn whole(&mut self) -> Vec<RecordBatch> {
        let verdicts = self.plugin.apply(&self.batch).expect("a good batch");
        assert_eq!(verdicts.source_rows.len(), self.batch.num_rows());
        verdicts.rows
    }

    fn by_call(&mut self) {
        for start in (0..self.batch.num_rows()).step_by(CALL_ROWS) {
            let call = self.batch.slice(start, CALL_ROWS.min(self.batch.num_rows() - start));
            std::hint::black_box(self.plugin.apply(&call).expect("a good batch"));
        }
    }
}

/// CPU time of this thread for a run and for giving back what it made: the least of three.
fn cpu_ns<T>(mut run: impl FnMut() -> T) -> f64 {
    let mut once = || cpu(|| drop(std::hint::black_box(run()))).as_nanos() as f64;
    (0..3).map(|_| once()).fold(f64::INFINITY, f64::min)
}
