//! What ways across the plugin boundary cost: `cargo bench --no-default-features --bench matrix`; `-- --smoke` for a
//! short run that judges nothing, `-- --picture FILE` to say where the picture goes.
//!
//! CPU time of this thread in nanoseconds a row, the least of many runs, for one transform: a line becomes a row of
//! six columns, Arrow in, checked Arrow out.
//! - **native**: the transform and no boundary;
//! - **columns**: what logsmith does, through its own WIT and SDK; **list<record>**: a value for each row;
//!   **Arrow IPC**: a stream as bytes, written and read by Arrow's own crate on both sides, which makes a guest of 2 MB,
//!   so that it is compiled as the agent compiles large ones, without inlining;
//! - **rows** of one call; **epochs**: whether the guest can be interrupted; **instance**: made for each call, or kept;
//!   **SIMD**: whether the guest was compiled for it;
//! - **the agent**: columns by the engine as it runs in production, with its limits and all that it checks, a batch a
//!   call, which is an instance a call.
//!
//! On two shared cores of a busy machine, where ratios hold and absolute figures drift, with SIMD and epochs, ns a row:
//!
//! | | 100 rows | 1,000 rows | 10,000 rows |
//! |---|---|---|---|
//! | native | 200 | 101 | 87 |
//! | columns, instance reused, fresh | 308, 1,159 | 202, 514 | 207, 468 |
//! | list<record>, reused, fresh | 952, 1,962 | 1,030, 1,427 | 913, 1,341 |
//! | Arrow IPC, reused, fresh | 474, 1,656 | 263, 731 | 280, 693 |
//!
//! Epochs are about 50 of these for columns, 40 to 90 for the others; this transform gains nothing by SIMD.
//!
//! All answers are compared before anything is timed. The guests are built by `plugins/build.sh` when there is need.

#![allow(missing_docs, clippy::panic, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod picture;
#[path = "../thread.rs"]
mod thread;
mod ways;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, StringArray};
use logsmith::transform::{Engine, Limits, Plugin, PluginSource};
use logsmith_boundary::transform;
use serde_json::json;
use thread::cpu;
use ways::{Call, Way};

/// Rows of a call.
pub const ROWS: [usize; 3] = [100, 1_000, 10_000];
/// Rows of one measurement: as many calls as it takes.
const MEASURED_ROWS: usize = 10_000;

/// On or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    On,
    Off,
}

impl Switch {
    const ALL: [Self; 2] = [Self::On, Self::Off];

    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Off => "off",
        }
    }
}

/// How long an instance lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instances {
    /// For all calls.
    Reused,
    /// For one.
    Fresh,
}

impl Instances {
    const ALL: [Self; 2] = [Self::Reused, Self::Fresh];

    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Reused => "reused",
            Self::Fresh => "fresh",
        }
    }
}

/// What can be chosen for each way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    pub instances: Instances,
    pub epochs: Switch,
    pub simd: Switch,
}

impl Setting {
    /// What the agent runs with: a batch is the life of an instance.
    pub fn agent() -> [Self; 2] {
        Instances::ALL.map(|instances| Self { instances, epochs: Switch::On, simd: Switch::On })
    }

    fn all() -> Vec<Self> {
        let epochs = |instances| Switch::ALL.map(|epochs| (instances, epochs));
        let simd = |(instances, epochs)| Switch::ALL.map(|simd| Self { instances, epochs, simd });
        Instances::ALL.into_iter().flat_map(epochs).flat_map(simd).collect()
    }
}

/// A line of the table.
pub struct Series {
    /// Of the way, or what else it is.
    pub name: &'static str,
    /// `None` where there is nothing to choose.
    pub setting: Option<Setting>,
    /// For each of [`ROWS`] the nanoseconds of a row.
    pub row_ns: [f64; ROWS.len()],
    call: Call,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let smoke = arguments.iter().any(|argument| argument == "--smoke");
    let built = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let picture = arguments.iter().position(|argument| argument == "--picture");
    let picture = picture.map_or_else(|| built.join("boundary.svg"), |at| PathBuf::from(&arguments[at + 1]));
    logsmith::memory::settle();

    let guests = built.join("boundary");
    build(&guests);
    let settings = if smoke { Setting::agent().to_vec() } else { Setting::all() };
    let mut all = series(&guests, &settings);
    let inputs = ROWS.map(|rows| (0..rows).map(|row| Some(line(row))).collect::<StringArray>());
    compare(&mut all, &inputs);
    measure(&mut all, &inputs, if smoke { 1 } else { 30 });
    let line_bytes = inputs[1].value_data().len() / inputs[1].len();
    print(&all, line_bytes);
    fs::write(&picture, picture::draw(&all, line_bytes)).unwrap();
    println!("picture: {}", picture.display());
    if smoke || columns_are_cheapest(&all) {
        return ExitCode::SUCCESS;
    }
    println!("another way than columns is cheaper");
    ExitCode::FAILURE
}

/// Has the guests built, where their sources are newer.
fn build(guests: &Path) {
    let root = env!("CARGO_MANIFEST_DIR");
    let script = Path::new(root).join("plugins/build.sh");
    let output = Command::new("bash").arg(script).arg("--boundary").arg(guests).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Line `row`, 245 bytes.
fn line(row: usize) -> String {
    let levels = ["INFO", "INFO", "DEBUG", "INFO", "WARN", "ERROR"];
    let user = if row.is_multiple_of(7) { "-".to_owned() } else { (row * 7_919 % 100_000).to_string() };
    let start = format!(
        "2026-11-30T08:{:02}:{:02}.{:03}Z {} checkout {} {user} request {row} finished, the cart has {} items",
        row / 60_000 % 60,
        row / 1_000 % 60,
        row % 1_000,
        levels[row % levels.len()],
        [200, 201, 404, 500][row % 4],
        row % 17,
    );
    format!("{start:.<245}")
}

fn series(guests: &Path, settings: &[Setting]) -> Vec<Series> {
    let native: Call = Box::new(|lines| transform(lines).unwrap());
    let row_ns = [f64::INFINITY; ROWS.len()];
    let mut all = vec![
        Series { name: "native", setting: None, row_ns, call: native },
        Series { name: "the agent", setting: None, row_ns, call: agent(guests) },
    ];
    for setting in settings {
        all.extend(Way::ALL.map(|way| Series {
            name: way.name(),
            setting: Some(*setting),
            row_ns,
            call: ways::call(way, guests, *setting),
        }));
    }
    all
}

/// The production engine.
fn agent(guests: &Path) -> Call {
    let engine = Engine::try_new(None).unwrap();
    let path = guests.join(Way::Columns.file(Switch::On));
    let source = PluginSource::File { path, sha256: None };
    let batch = |lines: &StringArray| {
        let lines: ArrayRef = Arc::new(lines.clone());
        RecordBatch::try_from_iter([("line", lines)]).unwrap()
    };
    let schema = batch(&StringArray::new_null(0)).schema();
    // One call for each batch, whatever its rows.
    let limits = Limits { call_rows_max: usize::MAX, call_bytes_max: usize::MAX, ..Limits::default() };
    let mut plugin = Plugin::open(&engine, &source, &json!({}), &schema, limits).unwrap();
    Box::new(move |lines| {
        let mut verdicts = plugin.apply(&batch(lines)).unwrap();
        assert_eq!(verdicts.source_rows.len(), lines.len());
        verdicts.rows.pop().unwrap()
    })
}

/// Every way makes the same rows of the same lines, also when it is asked again.
fn compare(all: &mut [Series], inputs: &[StringArray; ROWS.len()]) {
    for lines in inputs {
        let expected = transform(lines).expect("lines of ours");
        assert_eq!(expected.num_rows(), lines.len());
        for series in &mut *all {
            for _ in 0..2 {
                let rows = (series.call)(lines);
                assert_eq!(rows.columns(), expected.columns(), "{} {:?}", series.name, series.setting);
            }
        }
    }
}

/// In turns, so that what else the machine does hits all alike.
fn measure(all: &mut [Series], inputs: &[StringArray; ROWS.len()], runs: usize) {
    for _ in 0..runs {
        for series in &mut *all {
            for (best, lines) in series.row_ns.iter_mut().zip(inputs) {
                let calls = MEASURED_ROWS / lines.len();
                let took = cpu(|| {
                    for _ in 0..calls {
                        drop(std::hint::black_box((series.call)(std::hint::black_box(lines))));
                    }
                });
                *best = best.min(took.as_nanos() as f64 / MEASURED_ROWS as f64);
            }
        }
    }
}

fn print(all: &[Series], line_bytes: usize) {
    println!("ns/row, lines of {line_bytes} bytes, rows of one call:");
    let rows = ROWS.map(|rows| format!("{rows:>9}")).concat();
    println!("{:8} {:7} {:6} {:14}{rows}", "instance", "epochs", "SIMD", "way");
    for Series { name, setting, row_ns, .. } in all {
        let [instance, epochs, simd] = setting.map_or([""; 3], |setting| {
            [setting.instances.name(), setting.epochs.name(), setting.simd.name()]
        });
        let row_ns = row_ns.map(|ns| format!("{ns:>9.1}")).concat();
        println!("{instance:8} {epochs:7} {simd:6} {name:14}{row_ns}");
    }
}

/// In every setting, at every number of rows.
fn columns_are_cheapest(all: &[Series]) -> bool {
    let ways = all.iter().filter(|series| series.setting.is_some());
    let ways: Vec<_> = ways.collect();
    ways.chunks(Way::ALL.len()).all(|ways| {
        let [columns, others @ ..] = ways else { return true };
        let cheaper =
            |other: &&Series| columns.row_ns.iter().zip(other.row_ns).all(|(own, other)| *own < other);
        others.iter().all(cheaper)
    })
}
