//! What the edge costs: `cargo bench --no-default-features --bench edge` (`-- --smoke` for a short run that judges nothing).
//!
//! - tail to Bronze, in CPU time of one thread, beside the bare Parquet encoding of the same lines;
//! - a local commit at versions 10, 1,000 and 10,000, beside a bare durable write of the same size, and memory;
//! - memory of an idle agent.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a bench fails by panicking")]

#[path = "sample.rs"]
mod sample;
#[path = "thread.rs"]
mod thread;

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use logsmith::bronze::encode;
use logsmith::clock::{Clock, SystemClock};
use logsmith::silver::columns::{silver_columns, with_partition};
use logsmith::store::Place;
use logsmith::table::{Cursor, LocalTable, log};
use logsmith::tail::{FileGlob, LineBatch, Positions, ReadOutcome, Source, Tail, TailLimits};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use thread::cpu;

const TAIL_RATIO_MIN: f64 = 0.7;
const COMMIT_MS_MAX: f64 = 1.0;
const IDLE_MIB_MAX: f64 = 30.0;

fn main() -> ExitCode {
    let smoke = std::env::args().any(|argument| argument == "--smoke");
    logsmith::memory::settle();
    let folder = tempfile::tempdir().unwrap();
    let ratio = tail_to_bronze(folder.path(), if smoke { 20_000 } else { 1_000_000 });
    let commit = commits(folder.path(), if smoke { &[10, 100] } else { &[10, 1_000, 10_000] });
    let idle = idle_memory(folder.path(), if smoke { 1 } else { 10 });
    if smoke || (ratio >= TAIL_RATIO_MIN && commit <= COMMIT_MS_MAX && idle <= IDLE_MIB_MAX) {
        return ExitCode::SUCCESS;
    }
    println!("a limit is exceeded");
    ExitCode::FAILURE
}

fn tail_to_bronze(folder: &Path, lines: usize) -> f64 {
    let logs = folder.join("sample.log");
    let mut file = BufWriter::new(File::create(&logs).unwrap());
    (0..lines).for_each(|i| writeln!(file, "{}", sample::line(i)).unwrap());
    file.flush().unwrap();
    let bytes = fs::metadata(&logs).unwrap().len();
    let glob = FileGlob::parse(&logs.display().to_string()).unwrap();
    let source = Source::new("app", vec![glob]);
    let mut tail = Tail::open(vec![source], Positions::default(), TailLimits::default()).unwrap();
    tail.scan(SystemClock.now());
    // Batch by batch in turns, so that what else the machine does hits both alike.
    let (mut tailed, mut bare, mut rows) = (Duration::ZERO, Duration::ZERO, 0);
    loop {
        let mut batch = LineBatch::new(8 << 20);
        let mut finished = None;
        tailed += cpu(|| {
            while tail.read(&mut batch, SystemClock.now()) == ReadOutcome::More {}
            let batch = std::mem::replace(&mut batch, LineBatch::new(0));
            let lines = finished.insert(batch.finish().unwrap());
            drop(encode(lines, "host").unwrap());
        });
        let lines = finished.unwrap().columns;
        if lines.num_rows() == 0 {
            break;
        }
        rows += lines.num_rows();
        bare += cpu(|| drop(bare_encode(&lines.project(&[0]).unwrap())));
    }
    assert_eq!(rows, lines);
    let speed = |time: Duration| bytes as f64 / 1e6 / time.as_secs_f64();
    let ratio = bare.as_secs_f64() / tailed.as_secs_f64();
    println!(
        "tail to Bronze      {:8.1} MB/s of one core, lines of {} bytes",
        speed(tailed),
        bytes as usize / lines
    );
    println!("bare Parquet encode {:8.1} MB/s, so {ratio:.2} of it (at least {TAIL_RATIO_MIN})", speed(bare));
    ratio
}

/// Lines as the one column of a Parquet file, in the same layout.
fn bare_encode(lines: &RecordBatch) -> Vec<u8> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_dictionary_enabled(false)
        .set_column_encoding(ColumnPath::from("line"), Encoding::DELTA_LENGTH_BYTE_ARRAY)
        .set_statistics_enabled(EnabledStatistics::None)
        .build();
    let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
    let mut writer = ArrowWriter::try_new_with_options(Vec::new(), lines.schema(), options).unwrap();
    writer.write(lines).unwrap();
    writer.into_inner().unwrap()
}

/// Median commit time at each version, less a bare durable write; returns the greatest, in ms.
fn commits(folder: &Path, versions: &[u64]) -> f64 {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let place = Place::local(&folder.join("table")).unwrap();
    let columns = with_partition(&silver_columns(&Schema::empty()));
    let now = SystemClock.now();
    let mut worst = 0.0_f64;
    runtime.block_on(async {
        let table = LocalTable::create(&place, &columns, Vec::new(), now).await.unwrap();
        let mut times = Vec::new();
        let last = versions.last().copied().unwrap();
        for version in 1..=last {
            let started = Instant::now();
            let info = log::commit_info("WRITE", serde_json::json!({}), now);
            table.commit(&[Cursor::Tail.at(version as i64), info]).await.unwrap();
            times.push(started.elapsed());
            if versions.contains(&version) {
                let commit = median(times.split_off(times.len().saturating_sub(50)));
                let bare = bare_write(folder);
                let own = (commit - bare).max(0.0);
                worst = worst.max(own);
                println!(
                    "commit at version {version:>6}: {commit:.2} ms, a bare durable write {bare:.2} ms, so {own:.2} ms \
                     of our own (at most {COMMIT_MS_MAX}); memory {:.1} MiB",
                    resident("self")
                );
            }
        }
    });
    worst
}

/// Median time of a file written, synced, linked, and its folder synced, in ms.
fn bare_write(folder: &Path) -> f64 {
    let folder = folder.join("bare-writes");
    fs::create_dir_all(&folder).unwrap();
    let times = (0..50).map(|n| {
        let started = Instant::now();
        let (staged, name) = (folder.join("staged"), folder.join(n.to_string()));
        let mut file = File::create(&staged).unwrap();
        file.write_all(&[b'x'; 300]).unwrap();
        file.sync_all().unwrap();
        fs::hard_link(&staged, &name).unwrap();
        File::open(&folder).unwrap().sync_all().unwrap();
        fs::remove_file(&staged).unwrap();
        started.elapsed()
    });
    let median = median(times.collect());
    fs::remove_dir_all(&folder).unwrap();
    median
}

fn idle_memory(folder: &Path, seconds: u64) -> f64 {
    let idle = folder.join("idle");
    fs::create_dir_all(idle.join("logs")).unwrap();
    fs::write(idle.join("logs/a.log"), "{\"level\":\"INFO\"}\n").unwrap();
    let root = idle.display();
    let config = format!(
        "[agent]\nstate_dir = \"state\"\nsilver_interval = \"500ms\"\n[[source]]\nname = \"app\"\n\
         include = [\"{root}/logs/*.log\"]\n[[pipeline]]\nname = \"app\"\nplugin = \"builtin:json\"\n"
    );
    fs::write(idle.join("edge.toml"), config).unwrap();
    let start = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_logsmith"));
        command.args(["run", "-c"]).arg(idle.join("edge.toml")).env("LOGSMITH_LOG", "error").spawn().unwrap()
    };
    // The first start compiles the plugin, and leaves the compiler's code mapped, which the kernel takes back when it wants;
    // it is shown, and later ones, which find the plugin in their cache, are judged.
    let held = ["first", "later"].map(|name| {
        let mut agent = start();
        std::thread::sleep(Duration::from_secs(seconds + 4));
        let process = agent.id().to_string();
        let (memory, file) = (resident(&process), memory_mib(&process, "RssFile:"));
        agent.kill().unwrap();
        agent.wait().unwrap();
        println!(
            "an idle agent holds {memory:.1} MiB after a {name} start, {file:.1} of them its own file{}",
            if name == "later" { format!(" (at most {IDLE_MIB_MAX})") } else { String::new() }
        );
        memory
    });
    held[1]
}

/// Resident memory of a process, in MiB.
fn resident(process: &str) -> f64 {
    memory_mib(process, "VmRSS:")
}

fn memory_mib(process: &str, kind: &str) -> f64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with(kind)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64() * 1_000.0
}
