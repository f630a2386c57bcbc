//! What the plugin boundary costs: `cargo bench --bench plugin` (`-- --smoke` for a short run that judges nothing).
//!
//! CPU time of this thread, the best of several runs, in nanoseconds a row. The `json` plugin is measured beside the
//! same Rust function compiled natively, and the boundary alone with a guest that hands the column back.

#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a bench fails by panicking")]

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{Array, ArrayRef, RecordBatch, StringArray};
use logsmith::transform::{Engine, Limits, Plugin, PluginSource};
use logsmith_plugin::{Outcome, Rows};
use logsmith_plugin_json::{Json, json};
use rustix::time::{ClockId, clock_gettime};

/// Rows of one call of a plugin.
const CALL_ROWS: usize = 1_000;
/// The `json` plugin may take so many times what the native function takes.
const JSON_RATIO_MAX: f64 = 1.8;
/// The boundary alone may take so many nanoseconds a row.
const BOUNDARY_NS_MAX: f64 = 50.0;

fn main() -> ExitCode {
    let smoke = std::env::args().any(|argument| argument == "--smoke");
    let (rows, runs) = if smoke { (2 * CALL_ROWS, 1) } else { (64 * CALL_ROWS, 15) };
    let engine = Engine::try_new(None).expect("the engine starts");
    let lines = lines(rows);
    let bytes = lines.value_data().len() / rows;
    println!("{rows} JSON lines of {bytes} bytes, {CALL_ROWS} a call, ns of CPU time a row");

    let native = best(runs, rows, || native(&lines));
    let json = through(&engine, PluginSource::Builtin("json".into()), "{}", &lines, rows, runs);
    let echo = through(&engine, hostile(), r#"{"crime":"none"}"#, &lines, rows, runs);
    println!("json, native            {native:8.1}");
    println!(
        "json, plugin            {:8.1}   {:.2} x native (limit {JSON_RATIO_MAX})",
        json.whole,
        json.whole / native
    );
    println!("json, batches of a call {:8.1}   {:.2} x native", json.single, json.single / native);
    println!("boundary                {:8.1}   (limit {BOUNDARY_NS_MAX})", echo.whole);
    println!("boundary, batch = call  {:8.1}", echo.single);
    if smoke || (json.whole <= JSON_RATIO_MAX * native && echo.whole <= BOUNDARY_NS_MAX) {
        return ExitCode::SUCCESS;
    }
    println!("a limit is exceeded");
    ExitCode::FAILURE
}

fn hostile() -> PluginSource {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/hostile/dist/hostile.wasm"));
    PluginSource::File { path, sha256: None }
}

fn lines(rows: usize) -> StringArray {
    let levels = ["INFO", "INFO", "DEBUG", "INFO", "WARN", "ERROR"];
    let line = |i: usize| {
        format!(
            r#"{{"time":"2026-11-30T08:{:02}:{:02}.{:03}Z","level":"{}","message":"request {i} finished, the cart has {} items","service":"checkout","trace_id":"{:032x}","user_id":{},"duration_ms":{}.{},"path":"/api/v1/cart/{}","ok":true}}"#,
            i / 60_000 % 60,
            i / 1_000 % 60,
            i % 1_000,
            levels[i % levels.len()],
            i % 17,
            (i as u128).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835),
            i * 7919 % 100_000,
            i % 500,
            i % 10,
            i % 1_000,
        )
    };
    (0..rows).map(|i| Some(line(i))).collect()
}

/// The same function, the same columns, no boundary.
fn native(lines: &StringArray) {
    let mut state: Json = serde_json::from_str("{}").expect("the default configuration");
    for start in (0..lines.len()).step_by(CALL_ROWS) {
        let call = lines.slice(start, CALL_ROWS.min(lines.len() - start));
        let text_bytes = call.value_offsets()[call.len()] - call.value_offsets()[0];
        let mut rows = Rows::with_capacity(call.len(), text_bytes as usize);
        for (row, line) in (0_u32..).zip(call.iter()) {
            json(line.unwrap_or_default(), &mut state).settle(row, &mut rows);
        }
        std::hint::black_box(rows.finish());
    }
}

struct Through {
    /// One batch, in many calls.
    whole: f64,
    /// Many batches, of one call each: an instance each.
    single: f64,
}

fn through(
    engine: &Engine,
    source: PluginSource,
    config: &str,
    lines: &StringArray,
    rows: usize,
    runs: usize,
) -> Through {
    let config = serde_json::from_str(config).expect("JSON");
    let column: ArrayRef = Arc::new(lines.clone());
    let batch = RecordBatch::try_from_iter([("line", column)]).expect("a batch");
    let limits = Limits { call_rows_max: CALL_ROWS, call_bytes_max: usize::MAX, ..Limits::default() };
    let mut plugin =
        Plugin::open(engine, &source, &config, &batch.schema(), limits).expect("the plugin opens");
    let mut apply = |batch: &RecordBatch| {
        let verdicts = plugin.apply(batch).expect("a good batch");
        assert_eq!(verdicts.source_rows.len(), batch.num_rows());
        std::hint::black_box(verdicts);
    };
    let whole = best(runs, rows, || apply(&batch));
    let single = best(runs, rows, || {
        (0..rows)
            .step_by(CALL_ROWS)
            .for_each(|start| apply(&batch.slice(start, CALL_ROWS.min(rows - start))));
    });
    Through { whole, single }
}

/// The least nanoseconds a row of several runs.
fn best(runs: usize, rows: usize, mut run: impl FnMut()) -> f64 {
    let mut timed = || {
        let start = cpu_time();
        run();
        (cpu_time() - start).as_nanos() as f64 / rows as f64
    };
    (0..runs).map(|_| timed()).fold(f64::INFINITY, f64::min)
}

fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
