//! What an agent does in the long run: `cargo bench --no-default-features --bench soak`, 30 minutes with 10 MB/s (`-- --smoke`
//! for a minute with 1 MB/s, which judges exactness and the disk budget only; `-- --minutes N` for another time).
//!
//! The log is rotated, the central store is away half of the time, the configuration changes twice, and the agent is killed
//! once. Then each line is looked for in the landing, by a Parquet reader that knows nothing of the agent.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a bench fails by panicking")]

#[path = "agent.rs"]
#[expect(dead_code, reason = "other benches look into its tables")]
mod agent;
#[path = "sample.rs"]
mod sample;

use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Child, ExitCode};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use agent::{Host, stop};
use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::DataType;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

const RSS_MB_MAX: f64 = 60.0;
/// What a line through the samples of the second half may rise by in an hour.
const RSS_MB_PER_HOUR_MAX: f64 = 5.0;
const CPU_PERCENT_MAX: f64 = 10.0;
const IDLE_RSS_MB_MAX: f64 = 20.0;
const IDLE_CPU_PERCENT_MAX: f64 = 0.1;
/// How long the agent may take to put what waits when the writer is done.
const CATCH_UP_MAX: Duration = Duration::from_secs(300);

/// How hard, and how long.
struct Plan {
    time: Duration,
    bytes_per_second: u64,
    /// The log is renamed whenever it has grown to this, and so many older copies are kept.
    rotate_bytes: u64,
    copies: usize,
    /// The central store is there for so long, then away for as long.
    phase: Duration,
    silver_interval: &'static str,
    budget_bytes: u64,
    idle: Duration,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let smoke = arguments.iter().any(|argument| argument == "--smoke");
    let minutes = arguments.iter().position(|argument| argument == "--minutes");
    let minutes = minutes.map_or(30, |at| arguments[at + 1].parse().unwrap());
    let plan = match smoke {
        true => Plan {
            time: Duration::from_secs(40),
            bytes_per_second: 1_000_000,
            rotate_bytes: 3_000_000,
            copies: 100,
            phase: Duration::from_secs(5),
            silver_interval: "2s",
            budget_bytes: 60_000_000,
            idle: Duration::from_secs(3),
        },
        false => Plan {
            time: Duration::from_secs(60 * minutes),
            bytes_per_second: 10_000_000,
            rotate_bytes: 100_000_000,
            copies: 20,
            phase: Duration::from_secs(60),
            silver_interval: "10s",
            budget_bytes: 2_000_000_000,
            idle: Duration::from_secs(60),
        },
    };
    let is_good = soak(&plan);
    if smoke || is_good {
        return ExitCode::SUCCESS;
    }
    println!("a limit is exceeded");
    ExitCode::FAILURE
}

/// Panics where a line is lost or twice, or the budget is exceeded; answers whether the other limits hold.
fn soak(plan: &Plan) -> bool {
    let host = host(plan);
    let is_over = AtomicBool::new(false);
    let (lines, mut watched, agent) = std::thread::scope(|scope| {
        let writing = scope.spawn(|| {
            let lines = write(plan, &host);
            is_over.store(true, Ordering::Release);
            lines
        });
        let (watched, agent) = disturb(plan, &host, &is_over);
        (writing.join().unwrap(), watched, agent)
    });
    catch_up(plan, &host, &mut watched);
    let used = watched.disk_bytes_max;
    println!("disk        {:8.1} MB at most (budget {:.1})", mb(used), mb(plan.budget_bytes));
    assert!(used <= plan.budget_bytes, "the state folder has taken {used} bytes");
    let idle = Idle::measure(&agent, plan.idle);
    stop(agent);
    let objects = assert_once(&host.path("central/landing/app"), lines);
    println!("lines       {lines} written, each once in {objects} objects of the landing");
    let (rss, slope) = (watched.rss_mb_max(), watched.rss_mb_per_hour());
    let cpu = watched.cpu.as_secs_f64() / watched.time.as_secs_f64() * 100.0;
    println!(
        "memory      {rss:8.1} MB at most (limit {RSS_MB_MAX}), {slope:+.1} MB an hour (limit {RSS_MB_PER_HOUR_MAX})"
    );
    println!("CPU         {cpu:8.2} % of one core (limit {CPU_PERCENT_MAX})");
    println!("idle memory {:8.1} MB (limit {IDLE_RSS_MB_MAX})", idle.rss_mb);
    println!("idle CPU    {:8.2} % of one core (limit {IDLE_CPU_PERCENT_MAX})", idle.cpu_percent);
    rss <= RSS_MB_MAX
        && slope <= RSS_MB_PER_HOUR_MAX
        && cpu <= CPU_PERCENT_MAX
        && idle.rss_mb <= IDLE_RSS_MB_MAX
        && idle.cpu_percent < IDLE_CPU_PERCENT_MAX
}

fn host(plan: &Plan) -> Host {
    let host = Host::new("1s");
    fs::create_dir(host.path("central")).unwrap();
    fs::write(host.path("away"), "no folder").unwrap();
    lead(&host, "central");
    let config = fs::read_to_string(host.path("edge.toml")).unwrap();
    let agent = format!(
        "[agent]\nhost = \"h1\"\ndisk_budget = \"{}\"\nsilver_interval = \"{}\"",
        plan.budget_bytes, plan.silver_interval
    );
    let config = config.replace("[agent]", &agent).replace("**/*.log", "app.log*");
    let central = format!("[central]\nurl = \"file://{}\"\n", host.path("lake").display());
    fs::write(host.path("edge.toml"), config + &central).unwrap();
    host
}

/// Has the name of the central store lead there, in one step.
fn lead(host: &Host, target: &str) {
    symlink(host.path(target), host.path("lake.new")).unwrap();
    fs::rename(host.path("lake.new"), host.path("lake")).unwrap();
}

/// Writes lines, rotating; answers how many.
fn write(plan: &Plan, host: &Host) -> usize {
    const TICKS: u64 = 20;
    let path = host.path("logs/app.log");
    let open = || BufWriter::new(OpenOptions::new().create(true).append(true).open(&path).unwrap());
    let copy = |number: usize| host.path(&format!("logs/app.log.{number}"));
    let (mut file, mut bytes, mut lines, mut rotations) = (open(), 0, 0, 0);
    let started = Instant::now();
    for tick in 1.. {
        let mut written = 0;
        while written < plan.bytes_per_second / TICKS {
            let line = sample::line(lines);
            writeln!(file, "{line}").unwrap();
            written += line.len() as u64 + 1;
            lines += 1;
        }
        file.flush().unwrap();
        bytes += written;
        if bytes >= plan.rotate_bytes {
            rotations += 1;
            fs::rename(&path, copy(rotations)).unwrap();
            if rotations > plan.copies {
                fs::remove_file(copy(rotations - plan.copies)).unwrap();
            }
            (file, bytes) = (open(), 0);
        }
        let due = Duration::from_millis(1_000 / TICKS * tick);
        if due >= plan.time {
            break;
        }
        std::thread::sleep(due.saturating_sub(started.elapsed()));
    }
    println!("written     {lines} lines in {:.0} s, {rotations} rotations", started.elapsed().as_secs_f64());
    lines
}

/// Lets happen what is due, and watches, until the writer is done; then the central store is there.
fn disturb(plan: &Plan, host: &Host, is_over: &AtomicBool) -> (Watched, Child) {
    const LOOK: Duration = Duration::from_millis(500);
    let mut agent = host.command(&["run"]).spawn().unwrap();
    let mut watched = Watched::default();
    let started = Instant::now();
    let mut is_away = false;
    let mut changes = [plan.time / 4, plan.time * 5 / 8].into_iter().zip([1_000_001, 1_000_002]).peekable();
    let mut kill_at = Some(plan.time / 2);
    while !is_over.load(Ordering::Acquire) {
        let time = started.elapsed();
        let away = (time.as_millis() / plan.phase.as_millis()) % 2 == 1;
        if away != is_away {
            lead(host, if away { "away" } else { "central" });
            is_away = away;
        }
        if let Some((_, rejects)) = changes.next_if(|(at, _)| time >= *at) {
            change(host, rejects);
            signal(&agent, rustix::process::Signal::HUP);
        }
        if kill_at.take_if(|at| time >= *at).is_some() {
            watched.end_of(&agent);
            agent.kill().unwrap();
            agent.wait().unwrap();
            agent = host.command(&["run"]).spawn().unwrap();
        }
        assert!(agent.try_wait().unwrap().is_none(), "the agent has ended by itself");
        watched.look(host, &agent, started);
        std::thread::sleep(LOOK);
    }
    lead(host, "central");
    watched.end_of(&agent);
    watched.time = started.elapsed();
    (watched, agent)
}

/// Changes the configuration, which the running agent takes.
fn change(host: &Host, rejects: u32) {
    let config = fs::read_to_string(host.path("edge.toml")).unwrap();
    let (before, _) = config.split_once("[pipeline.limits]").unwrap_or((&config, ""));
    let changed = format!("{before}[pipeline.limits]\nrejects_per_minute_max = {rejects}\n");
    fs::write(host.path("edge.new"), changed).unwrap();
    fs::rename(host.path("edge.new"), host.path("edge.toml")).unwrap();
}

fn signal(agent: &Child, signal: rustix::process::Signal) {
    rustix::process::kill_process(rustix::process::Pid::from_child(agent), signal).unwrap();
}

/// Waits until all that was written is put, as the agent's own `status` says.
fn catch_up(plan: &Plan, host: &Host, watched: &mut Watched) {
    let started = Instant::now();
    let is_done = || {
        let status = host.command(&["status", "--json"]).output().unwrap();
        let status: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap();
        let lag =
            status["sources"].as_array().unwrap().iter().map(|source| source["lag_bytes"].as_u64().unwrap());
        let pipeline = &status["pipelines"][0];
        assert!(status["configuration_refused"].is_null() && pipeline["refused"].is_null(), "{status}");
        lag.sum::<u64>() == 0
            && pipeline["waiting"]["lines"] == 0
            && pipeline["uploads"]["waiting_objects"] == 0
    };
    while !is_done() {
        assert!(started.elapsed() < CATCH_UP_MAX.max(plan.time), "the agent does not catch up");
        watched.look_at_disk(host);
        std::thread::sleep(Duration::from_secs(1));
    }
}

/// What was seen of the agent while lines came.
#[derive(Default)]
struct Watched {
    /// Resident memory in MB at a second.
    rss: Vec<(f64, f64)>,
    /// What all its processes have used.
    cpu: Duration,
    time: Duration,
    disk_bytes_max: u64,
}

impl Watched {
    fn look(&mut self, host: &Host, agent: &Child, started: Instant) {
        self.rss.push((started.elapsed().as_secs_f64(), rss_mb(agent)));
        self.look_at_disk(host);
    }

    fn look_at_disk(&mut self, host: &Host) {
        let files = walkdir::WalkDir::new(host.path("state")).into_iter().flatten();
        let sizes = files.filter_map(|file| file.metadata().ok()).filter(fs::Metadata::is_file);
        self.disk_bytes_max = self.disk_bytes_max.max(sizes.map(|file| file.len()).sum());
    }

    /// Counts what a process has used, which is not watched from here on.
    fn end_of(&mut self, agent: &Child) {
        self.cpu += cpu(agent);
    }

    fn rss_mb_max(&self) -> f64 {
        self.rss.iter().map(|(_, mb)| *mb).fold(0.0, f64::max)
    }

    /// The slope of the straight line that is nearest to the later half of the samples: one process, warm by then.
    fn rss_mb_per_hour(&self) -> f64 {
        let half = &self.rss[self.rss.len() * 11 / 20..];
        let count = half.len() as f64;
        let mean = |of: fn(&(f64, f64)) -> f64| half.iter().map(of).sum::<f64>() / count;
        let (at, mb) = (mean(|sample| sample.0), mean(|sample| sample.1));
        let (rise, run) = half.iter().fold((0.0, 0.0), |(rise, run), sample| {
            (rise + (sample.0 - at) * (sample.1 - mb), run + (sample.0 - at).powi(2))
        });
        rise / run * 3_600.0
    }
}

/// What the agent takes when nothing happens.
struct Idle {
    rss_mb: f64,
    cpu_percent: f64,
}

impl Idle {
    fn measure(agent: &Child, time: Duration) -> Self {
        // What the last lines took is given back a moment later.
        std::thread::sleep(Duration::from_secs(6));
        let before = cpu(agent);
        std::thread::sleep(time);
        let used = cpu(agent) - before;
        Self { rss_mb: rss_mb(agent), cpu_percent: used.as_secs_f64() / time.as_secs_f64() * 100.0 }
    }
}

/// Each line stands in the objects below `landing` once; answers how many objects there are.
fn assert_once(landing: &Path, lines: usize) -> usize {
    let mut seen = vec![false; lines];
    let (mut objects, mut twice) = (0, 0);
    for object in walkdir::WalkDir::new(landing) {
        let object = object.unwrap();
        if !object.file_type().is_file() {
            continue;
        }
        objects += 1;
        let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(object.path()).unwrap()).unwrap();
        let mask = ProjectionMask::columns(reader.parquet_schema(), ["message"]);
        for batch in reader.with_projection(mask).build().unwrap() {
            let messages = cast(batch.unwrap().column(0), &DataType::Utf8).unwrap();
            for message in messages.as_string::<i32>() {
                let number: usize = message.unwrap().split(' ').nth(1).unwrap().parse().unwrap();
                twice += usize::from(std::mem::replace(&mut seen[number], true));
            }
        }
    }
    let lost = seen.iter().filter(|seen| !**seen).count();
    assert!(lost == 0 && twice == 0, "of {lines} lines {lost} are lost, and {twice} came again");
    objects
}

fn rss_mb(agent: &Child) -> f64 {
    let status = fs::read_to_string(format!("/proc/{}/status", agent.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() * 1_024.0 / 1e6
}

/// CPU time of a process, in the kernel and outside, which counts in hundredths of a second.
fn cpu(agent: &Child) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{}/stat", agent.id())).unwrap();
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let ticks = fields.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap());
    Duration::from_millis(ticks.sum::<u64>() * 10)
}

fn mb(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
