//! What the central job costs: `cargo bench --bench central`; `-- --smoke` for a short run that judges nothing,
//! `-- --scale 0.1` for a tenth of the hosts and rows, with `--new 1000000` of those of history alone.
//!
//! First, the small objects of ten thousand hosts in three tables, folded in one run. Second, how fast rows are folded
//! and counted by three views, beside DataFusion's reading and grouping of the same Parquet. Third, a pass over a table of a hundred
//! thousand commits and streams. Fourth, what history costs:
//!
//! The same million new rows are folded and counted by three views, over tables with no history, ten million rows and
//! three hundred million: CPU time of the whole process, the least of three runs. History is made cheaply: one file
//! of 100,000 rows, under as many names as it takes, each for a day of its own, so that table, log and states are
//! as large as they would be.

#![allow(missing_docs, clippy::panic, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod aged;
mod crowd;
mod limit;
mod requests;

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use deltalake::kernel::{Action, Add};
use logsmith::central::run_once;
use logsmith::clock::{Clock, Day, Timestamp};
use logsmith::config::{Central, View};
use logsmith::store::{Place, StoreOptions};
use logsmith::sync::landing::{BronzeRange, FOOTER_FORMAT, FOOTER_KEY, Footer, ObjectName, Seq, StreamId};
use logsmith::table::schema::PARTITION;
use logsmith::table::{DataFile, Digest, Snapshot, TableVersion, log};
use parquet::file::properties::WriterProperties;
use rustix::time::{ClockId, clock_gettime};

/// Folding and counting over history may take so many times what it takes over none.
const HISTORY_RATIO_MAX: f64 = 1.3;
/// Rows of a file of history.
const FILE_ROWS: usize = 100_000;
/// Rows of a landing object.
const OBJECT_ROWS: usize = 50_000;
/// Midnight of 2026-11-20, UTC, in microseconds.
const TODAY: i64 = 1_795_132_800_000_000;

#[derive(Debug)]
struct Noon;

impl Clock for Noon {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(TODAY + 12 * 3_600_000_000)
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let smoke = arguments.iter().any(|argument| argument == "--smoke");
    let number = |name: &str| -> Option<f64> {
        let at = arguments.iter().position(|argument| argument == name)?;
        Some(arguments[at + 1].parse().expect("a number"))
    };
    let scale = number("--scale").unwrap_or(if smoke { 0.002 } else { 1.0 });
    let scaled = |rows: f64| (rows * scale) as usize;
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(crowd::fold(((10_000.0 * if smoke { 0.01 } else { scale }) as usize).max(1)));
    let fast = runtime.block_on(limit::is_fast_enough(if smoke { 2_000 } else { scaled(4e6) }));
    let aged = runtime.block_on(aged::is_fast_enough(if smoke { 1_000 } else { 100_000 }));
    let new = number("--new").map_or_else(|| scaled(1e6), |rows| rows as usize);
    let runs = if smoke { 1 } else { 3 };
    let mut worst = 0.0_f64;
    let mut none = 0.0;
    for history in [0, scaled(1e7), scaled(3e8)] {
        let folder = tempfile::tempdir().unwrap();
        // As many files at any scale: they are what history costs, if anything.
        let file_rows = if smoke { FILE_ROWS } else { scaled(FILE_ROWS as f64) };
        let mut lake = runtime.block_on(Lake::new(folder.path(), history, file_rows));
        let took = (0..runs).map(|_| runtime.block_on(lake.fold(new))).fold(f64::INFINITY, f64::min);
        if history == 0 {
            none = took;
        }
        let ratio = took / none;
        worst = worst.max(ratio);
        println!(
            "{new} new rows over {history:>9}: {took:.2} s of CPU, {:.0} rows a second, {ratio:.2} of none (at most \
             {HISTORY_RATIO_MAX})",
            new as f64 / took
        );
    }
    for (is_kept, what) in [
        (fast, "too slow"),
        (aged, "an old table is slow to open"),
        (worst <= HISTORY_RATIO_MAX, "history costs too much"),
    ] {
        if !smoke && !is_kept {
            println!("{what}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

/// A lake with one host that puts.
struct Lake {
    config: Central,
    seq: u64,
    previous: Option<Digest>,
}

impl Lake {
    async fn new(folder: &Path, history: usize, file_rows: usize) -> Self {
        let view = |(name, sql, hash_partitions): (&str, String, u32)| View {
            name: name.to_owned(),
            sql,
            hash_partitions,
            keep: None,
        };
        let views = queries("date").map(view).into();
        let place = Place::local(folder).unwrap();
        let config = Central {
            place,
            options: StoreOptions::new(),
            views,
            renames: Vec::new(),
            retentions: Vec::new(),
            running: Default::default(),
        };
        let mut lake = Self { config, seq: 0, previous: None };
        lake.put(batch(100)).await;
        run_once(&lake.config, &Noon).await.unwrap();
        if history > 0 {
            lake.remember(folder, history, file_rows).await;
        }
        // The views are up to what there is before anything is timed.
        let report = run_once(&lake.config, &Noon).await.unwrap();
        assert!(report.is_whole(), "{report}");
        lake
    }

    /// Adds history to Silver: one file under many names, a day each.
    async fn remember(&self, folder: &Path, rows: usize, file_rows: usize) {
        let silver = self.config.place.join("silver/web");
        let batch = batch(file_rows.min(rows));
        let file =
            DataFile::encode(&silver, &batch.schema(), &[batch], WriterProperties::new(), &[]).unwrap();
        let now = Noon.now();
        let first = file.put(&silver, Day(now.day().0 - 10), now).await.unwrap();
        let names = rows.div_ceil(file_rows);
        let mut actions = vec![Action::Add(first.clone())];
        for n in 1..names {
            let day = Day(now.day().0 - 10 - n as i32).to_string();
            let path = format!("date={day}/history.parquet");
            let root = folder.join("silver/web");
            fs::create_dir_all(root.join(&path).parent().unwrap()).unwrap();
            fs::hard_link(root.join(&first.path), root.join(&path)).unwrap();
            let partition_values = [(PARTITION.to_owned(), Some(day))].into();
            actions.push(Action::Add(Add { path, partition_values, ..first.clone() }));
        }
        actions.push(log::commit_info("WRITE", serde_json::json!({}), now));
        let snapshot = Snapshot::load(&silver).await.unwrap().unwrap();
        let _ = log::append(&silver, snapshot.version().next(), &actions).await.unwrap();
    }

    /// Puts new rows, and folds and counts them; returns the CPU seconds of the latter.
    async fn fold(&mut self, rows: usize) -> f64 {
        let mut left = rows;
        while left > 0 {
            let next = left.min(OBJECT_ROWS);
            self.put(batch(next)).await;
            left -= next;
        }
        let started = cpu();
        let report = run_once(&self.config, &Noon).await.unwrap();
        let took = cpu() - started;
        assert!(report.is_whole() && report.folded.tables["web"].rows == rows as u64, "{report}");
        took.as_secs_f64()
    }

    async fn put(&mut self, rows: RecordBatch) {
        self.seq += 1;
        let stream = StreamId { table: "web".to_owned(), host: "h".to_owned(), table_id: "t".to_owned() };
        let place = &self.config.place;
        let file = object(place, &stream, self.seq, self.previous, rows);
        let digest = file.digest();
        let name = ObjectName { stream, seq: Seq(self.seq), part: 1, digest: digest.to_string() };
        let _ = place.put_new(&name.to_string(), file.bytes).await.unwrap();
        self.previous = Some(digest);
    }
}

/// The views: by days, by minutes, and by groups that are hashed. `date` is what tells a row's day.
fn queries(date: &str) -> [(&'static str, String, u32); 3] {
    let days =
        format!("SELECT {date} AS day, level, count(*) AS n, sum(bytes) AS bytes FROM web GROUP BY 1, 2");
    let minutes = "SELECT date_trunc('minute', ingested_at) AS minute, count(*) AS n, avg(bytes) AS mean FROM web GROUP BY 1";
    let clients = "SELECT path, count(*) AS n, max(bytes) AS most FROM web GROUP BY path";
    [("days", days, 1), ("minutes", minutes.to_owned(), 1), ("clients", clients.to_owned(), 16)]
}

/// An object as a host puts it.
fn object(
    place: &Place,
    stream: &StreamId,
    seq: u64,
    previous: Option<Digest>,
    rows: RecordBatch,
) -> DataFile {
    let StreamId { table, host, table_id } = stream.clone();
    let bronze = BronzeRange { table_id: "b".into(), first: TableVersion(1), last: TableVersion(1) };
    let footer = Footer {
        format: FOOTER_FORMAT,
        table,
        host,
        table_id,
        seq: Seq(seq),
        part: 1,
        parts: 1,
        bronze,
        previous,
        plugins: Vec::new(),
        replaces: None,
        agent: None,
    };
    let pairs = [(FOOTER_KEY, serde_json::to_string(&footer).unwrap())];
    DataFile::encode(place, &rows.schema(), &[rows], WriterProperties::new(), &pairs).unwrap()
}

/// Rows of one day, as an access log has them.
fn batch(rows: usize) -> RecordBatch {
    let text = |value: &dyn Fn(usize) -> String| {
        Arc::new(StringArray::from_iter_values((0..rows).map(value))) as ArrayRef
    };
    let number = |value: &dyn Fn(i64) -> i64| {
        Arc::new(Int64Array::from_iter_values((0..rows as i64).map(value))) as ArrayRef
    };
    let times = (0..rows as i64).map(|n| TODAY + n * 7_919 % 86_400_000_000);
    let times: ArrayRef = Arc::new(TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC"));
    RecordBatch::try_from_iter([
        ("level", text(&|n| ["info", "warn", "error"][n % 3].to_owned())),
        ("bytes", number(&|n| n * 31 % 65_536)),
        ("message", text(&|n| format!("GET /item/{} HTTP/1.1", n * 7_919 % 10_007))),
        ("host", text(&|_| "h".to_owned())),
        ("source", text(&|_| "web".to_owned())),
        ("path", text(&|n| format!("/var/log/{}.log", n % 1_000))),
        ("file", number(&|_| 1)),
        ("offset", number(&|n| n)),
        ("ingested_at", Arc::clone(&times)),
        ("processed_at", times),
    ])
    .unwrap()
}

/// The CPU time of this process.
fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
