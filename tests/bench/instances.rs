//! What loaded plugins cost: `cargo bench --bench instances`; `-- --smoke` for a short run that judges nothing.
//!
//! - How long it takes from a component whose compiled code is kept to an opened instance: hashed, mapped, linked,
//!   instantiated, opened. The median of many.
//! - How much memory a process takes for many plugins, each another component, that were all opened and have judged lines:
//!   what it holds then beyond what it held before. A process of its own loads them, which has compiled nothing.

#![allow(missing_docs, clippy::panic, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

#[path = "formats.rs"]
mod formats;
#[path = "sample.rs"]
mod sample;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use logsmith::bronze;
use logsmith::clock::Timestamp;
use logsmith::transform::{CacheFolder, Engine, PluginSource};
use logsmith::workbench::trial::{Line, Origin, Trial, bronze_batch};

/// Plugins in the process whose memory is looked at.
const PLUGINS: usize = 64;
const MEGABYTES_MAX: f64 = 100.0;
const INSTANCE_MS_MAX: f64 = 1.0;
/// Lines that each plugin judges.
const LINES: usize = 1_000;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(at) = arguments.iter().position(|argument| argument == "--load") {
        println!("{}", load(Path::new(&arguments[at + 1])));
        return ExitCode::SUCCESS;
    }
    let smoke = arguments.iter().any(|argument| argument == "--smoke");
    let (plugins, rounds) = if smoke { (2, 3) } else { (PLUGINS, 200) };
    let folder = tempfile::tempdir().expect("a folder");
    let components = components(folder.path(), plugins);
    // Compiles all.
    let engine = engine(folder.path());
    components.iter().for_each(|component| drop(open(&engine, component)));
    drop(engine);

    let engine = self::engine(folder.path());
    let mut times: Vec<Duration> = components
        .iter()
        .cycle()
        .take(rounds)
        .map(|component| {
            let start = Instant::now();
            let trial = open(&engine, component);
            let time = start.elapsed();
            drop(trial);
            time
        })
        .collect();
    times.sort_unstable();
    let instance_ms = times[times.len() / 2].as_secs_f64() * 1e3;
    println!("instance of a compiled plugin    {instance_ms:8.3} ms (limit {INSTANCE_MS_MAX})");

    let loaded = Command::new(&arguments[0]).arg("--load").arg(folder.path()).output().expect("a process");
    let megabytes: f64 = String::from_utf8_lossy(&loaded.stdout).trim().parse().expect("a number");
    println!(
        "{plugins} plugins loaded               {megabytes:8.1} MB (limit {MEGABYTES_MAX} for {PLUGINS})"
    );
    if smoke || (instance_ms <= INSTANCE_MS_MAX && megabytes <= MEGABYTES_MAX) {
        return ExitCode::SUCCESS;
    }
    println!("a limit is exceeded");
    ExitCode::FAILURE
}

/// The shipped parsers in turns, each with a section at its end that makes it another component.
fn components(folder: &Path, count: usize) -> Vec<PathBuf> {
    let names = ["json", "access", "syslog", "logfmt"];
    let dist = Path::new(env!("CARGO_MANIFEST_DIR")).join("plugins/dist");
    (0..count)
        .map(|number| {
            let name = names[number % names.len()];
            let mut wasm = fs::read(dist.join(name).with_extension("wasm")).expect("a component");
            // A custom section: its length, the length of its name, its name.
            wasm.extend([0, 4, 3]);
            wasm.extend(format!("{number:03}").bytes());
            let path = folder.join(format!("{number:03}-{name}.wasm"));
            fs::write(&path, wasm).expect("a file");
            path
        })
        .collect()
}

fn engine(folder: &Path) -> Engine {
    let cache = CacheFolder { path: &folder.join("cache"), bytes_max: 1 << 30 };
    Engine::try_new(Some(cache)).expect("the engine starts")
}

fn open(engine: &Engine, component: &Path) -> Trial {
    let source = PluginSource::File { path: component.to_owned(), sha256: None };
    Trial::open(engine, &source, &serde_json::json!({}), &bronze::columns()).expect("the plugin opens")
}

/// Megabytes that loading all components takes.
fn load(folder: &Path) -> f64 {
    logsmith::memory::settle();
    let engine = engine(folder);
    let files = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("a file").path());
    let mut components: Vec<PathBuf> = files.filter(|path| path.extension().is_some()).collect();
    components.sort();
    let before = memory_bytes();
    let trials: Vec<Trial> = components
        .iter()
        .map(|component| {
            let mut trial = open(&engine, component);
            judge(&mut trial, component);
            trial
        })
        .collect();
    let loaded = memory_bytes();
    drop(trials);
    loaded.saturating_sub(before) as f64 / 1e6
}

/// Lines of the component's format through it, so that its code was run.
fn judge(trial: &mut Trial, component: &Path) {
    let name = component.file_stem().unwrap().to_string_lossy().into_owned();
    let line: fn(usize) -> String = match name.split_once('-').unwrap().1 {
        "json" => sample::line,
        "access" => formats::access,
        "syslog" => formats::syslog,
        _ => formats::logfmt,
    };
    let lines: Vec<Line> = (0..LINES).map(|i| Line::of(line(i).as_bytes())).collect();
    let ingested_at = Timestamp::from_micros(1_796_040_000_000_000);
    let origin = Origin { path: name, ingested_at, offset: 0 };
    let verdicts = trial.apply(&bronze_batch(&lines, &origin).expect("a batch")).expect("verdicts");
    assert_eq!(verdicts.source_rows.len(), LINES);
}

/// What this process holds in memory, pages of mapped files included.
fn memory_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") << 10
}
