//! What plugins and their boundary cost: `cargo bench --bench plugin`; `-- --smoke` for a short run that judges nothing.
//!
//! CPU time of this thread in nanoseconds a row, the least of several runs. A batch of [`BATCH_ROWS`] goes in, Arrow
//! batches come out: through a plugin, and through the same Rust code compiled natively, which fills the same columns,
//! also [`CALL_ROWS`] at a time. The boundary alone is a guest that hands the column back.
//! A batch costs an instance, since no state may outlive it: the last figures show that cost undivided.

#![allow(missing_docs, clippy::panic, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

#[path = "formats.rs"]
mod formats;
#[path = "sample.rs"]
mod sample;
#[path = "thread.rs"]
mod thread;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, Int32Array, Int64Array, MapArray, RecordBatch, StringArray, StructArray,
    TimestampMicrosecondArray,
};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Schema};
use logsmith::transform::{Engine, Limits, Plugin, PluginSource};
use logsmith_plugin::{Batch, Column, Field, Kind, Strings, Transform, Values};
use logsmith_plugin_access::AccessPlugin;
use logsmith_plugin_json::JsonPlugin;
use logsmith_plugin_logfmt::LogfmtPlugin;
use logsmith_plugin_syslog::SyslogPlugin;
use thread::cpu;

/// Rows of one call of a plugin.
const CALL_ROWS: usize = 1_000;
/// Rows of one batch: few enough that the columns that native code makes stay in the processor's cache.
const BATCH_ROWS: usize = 16 * CALL_ROWS;
/// The boundary alone may take so many nanoseconds a row.
const BOUNDARY_NS_MAX: f64 = 50.0;
/// 2026-11-30T12:00:00Z, when all lines were read.
const INGESTED_AT: i64 = 1_796_040_000_000_000;

fn main() -> ExitCode {
    let smoke = std::env::args().any(|argument| argument == "--smoke");
    let (rows, rounds) = if smoke { (2 * CALL_ROWS, 1) } else { (BATCH_ROWS, 20) };
    logsmith::memory::settle();
    let engine = Engine::try_new(None).expect("the engine starts");
    let mut formats = [
        Format::of::<JsonPlugin>(&engine, "json", rows, sample::line, 1.8),
        Format::of::<AccessPlugin>(&engine, "access", rows, formats::access, 1.6),
        Format::of::<SyslogPlugin>(&engine, "syslog", rows, formats::syslog, 2.4),
        Format::of::<LogfmtPlugin>(&engine, "logfmt", rows, formats::logfmt, 2.3),
    ];
    let lines = formats[0].plugin.lines();
    let mut echo =
        Bench::open(&engine, component("hostile", "tests/hostile/dist"), r#"{"crime":"none"}"#, lines);
    let mut best = [f64::INFINITY; 3];
    // In turns, so that what else the machine does hits all alike.
    for _ in 0..rounds {
        formats.iter_mut().for_each(Format::measure);
        let json = &mut formats[0].plugin;
        let now = [cpu_ns(|| echo.whole()), cpu_ns(|| json.by_call()), cpu_ns(|| echo.by_call())];
        best.iter_mut().zip(now).for_each(|(best, now)| *best = best.min(now / rows as f64));
    }

    println!("{rows} lines, {CALL_ROWS} a call       native     plugin");
    formats.iter().for_each(Format::print);
    let [boundary, json_by_call, boundary_by_call] = best;
    println!("boundary                         {boundary:8.1} ns/row (limit {BOUNDARY_NS_MAX})");
    println!("json, a batch a call             {json_by_call:8.1} ns/row");
    println!("boundary, a batch a call         {boundary_by_call:8.1} ns/row");
    if smoke || (formats.iter().all(Format::is_fast) && boundary <= BOUNDARY_NS_MAX) {
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

/// A plugin that reads lines of one format, and its code without the boundary.
struct Format {
    name: &'static str,
    line_bytes: usize,
    plugin: Bench,
    native: Box<dyn FnMut(Vec<Batch>) -> Vec<RecordBatch>>,
    calls: Vec<Batch>,
    /// The plugin may take so many times what native code takes.
    ratio_max: f64,
    /// ns a row: the native code, the plugin.
    best: [f64; 2],
}

impl Format {
    fn of<T: Transform + 'static>(
        engine: &Engine,
        name: &'static str,
        rows: usize,
        line: fn(usize) -> String,
        ratio_max: f64,
    ) -> Self {
        let lines: StringArray = (0..rows).map(line).map(Some).collect();
        let plugin = Bench::open(engine, component(name, "plugins/dist"), "{}", &lines);
        let field = |name: &str, kind| Field { name: name.into(), kind, nullable: false };
        let input = [field("line", Kind::Utf8), field("ingested_at", Kind::TimestampUs)];
        let (mut code, plan) = T::open("{}", &input).expect("the code opens");
        let schema = plugin.plugin.output_schema().clone();
        let native = move |calls: Vec<Batch>| {
            let answer = |call| record_batch(code.apply(call).expect("a good batch").columns, &schema);
            calls.into_iter().map(answer).collect()
        };
        let starts = (0..rows).step_by(CALL_ROWS);
        let calls = starts.map(|start| call(&lines.slice(start, CALL_ROWS.min(rows - start)), &plan.reads));
        Self {
            name,
            line_bytes: lines.value_data().len() / rows,
            plugin,
            native: Box::new(native),
            calls: calls.collect(),
            ratio_max,
            best: [f64::INFINITY; 2],
        }
    }

    fn measure(&mut self) {
        let rows = self.plugin.batch.num_rows() as f64;
        let native = least(|| {
            let calls = self.calls.clone();
            ns(|| (self.native)(calls))
        });
        let plugin = cpu_ns(|| self.plugin.whole());
        let [best_native, best_plugin] = self.best;
        self.best = [best_native.min(native / rows), best_plugin.min(plugin / rows)];
    }

    fn ratio(&self) -> f64 {
        self.best[1] / self.best[0]
    }

    fn is_fast(&self) -> bool {
        self.ratio() <= self.ratio_max
    }

    fn print(&self) {
        let Self { name, line_bytes, best: [native, plugin], ratio_max, .. } = self;
        let ratio = self.ratio();
        println!(
            "{name:8} {line_bytes} bytes  {native:8.1}   {plugin:8.1} ns/row   {ratio:.2} x native (limit {ratio_max})"
        );
    }
}

/// What a call of the plugin gets.
fn call(lines: &StringArray, reads: &[String]) -> Batch {
    let first = lines.value_offsets()[0];
    let offsets: Vec<i32> = lines.value_offsets().iter().map(|offset| offset - first).collect();
    let data = lines.value_data()[first as usize..][..offsets[lines.len()] as usize].to_vec();
    let column = |name: &String| match name.as_str() {
        "line" => Values::Utf8(Strings { offsets: offsets.clone(), data: data.clone() }),
        "ingested_at" => Values::TimestampUs(vec![INGESTED_AT; lines.len()]),
        name => panic!("no column `{name}`"),
    };
    let columns = reads.iter().map(|name| Column { values: column(name), validity: None }).collect();
    Batch { rows: lines.len() as u32, columns }
}

/// Columns that native code made, as arrays: checked as the host checks those of a plugin.
fn record_batch(columns: Vec<Column>, schema: &Arc<Schema>) -> RecordBatch {
    let columns = columns.into_iter().zip(schema.fields());
    let columns = columns.map(|(column, field)| array(column, field.data_type())).collect();
    RecordBatch::try_new(schema.clone(), columns).expect("a good batch")
}

fn array(Column { values, validity }: Column, data_type: &DataType) -> ArrayRef {
    let nulls = |bits: Option<Vec<u8>>, len| {
        bits.map(|bits| NullBuffer::new(BooleanBuffer::new(bits.into(), 0, len)))
    };
    let texts = |strings: Strings, validity| {
        let nulls = nulls(validity, strings.offsets.len() - 1);
        texts(strings, nulls)
    };
    match (values, data_type) {
        (Values::Utf8(strings), _) => Arc::new(texts(strings, validity)),
        (Values::Int32(numbers), _) => {
            let nulls = nulls(validity, numbers.len());
            Arc::new(Int32Array::new(numbers.into(), nulls))
        }
        (Values::Int64(numbers), _) => {
            let nulls = nulls(validity, numbers.len());
            Arc::new(Int64Array::new(numbers.into(), nulls))
        }
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

/// Whether all is ASCII is asked first, which spares a look at each place where a text ends.
#[expect(unsafe_code, reason = "the host does it so")]
fn texts(Strings { offsets, data }: Strings, nulls: Option<NullBuffer>) -> StringArray {
    assert_eq!(offsets.last().map(|end| *end as usize), Some(data.len()));
    let is_ascii = data.is_ascii();
    // Panics where offsets descend.
    let (offsets, data) = (OffsetBuffer::new(offsets.into()), Buffer::from_vec(data));
    if !is_ascii {
        return StringArray::try_new(offsets, data, nulls).expect("texts");
    }
    // SAFETY: ASCII is UTF-8, and so is each part of it; the offsets ascend to the data's end; `nulls` has a bit for each
    // value, since it was made for so many.
    unsafe { StringArray::new_unchecked(offsets, data, nulls) }
}

struct Bench {
    plugin: Plugin,
    batch: RecordBatch,
}

impl Bench {
    fn open(engine: &Engine, source: PluginSource, config: &str, lines: &StringArray) -> Self {
        let config = serde_json::from_str(config).expect("JSON");
        let times = TimestampMicrosecondArray::from_value(INGESTED_AT, lines.len()).with_timezone("UTC");
        let (lines, times): (ArrayRef, ArrayRef) = (Arc::new(lines.clone()), Arc::new(times));
        let batch = RecordBatch::try_from_iter([("line", lines), ("ingested_at", times)]).expect("a batch");
        let limits = Limits { call_rows_max: CALL_ROWS, call_bytes_max: usize::MAX, ..Limits::default() };
        let plugin =
            Plugin::open(engine, &source, &config, &batch.schema(), limits).expect("the plugin opens");
        Self { plugin, batch }
    }

    fn lines(&self) -> &StringArray {
        self.batch.column(0).as_any().downcast_ref().expect("lines are texts")
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
    least(|| ns(&mut run))
}

fn least(mut once: impl FnMut() -> f64) -> f64 {
    (0..3).map(|_| once()).fold(f64::INFINITY, f64::min)
}

fn ns<T>(run: impl FnOnce() -> T) -> f64 {
    cpu(|| drop(std::hint::black_box(run()))).as_nanos() as f64
}
