//! What reading costs, before anything is encoded, and how fresh Bronze is: `cargo bench --no-default-features --bench tail`
//! (`-- --smoke` for a short run that judges nothing).
//!
//! - from file to columns, in CPU time of one thread, beside counting the lines of the same bytes;
//! - 500 files that grow by 200 KB/s each: the share of a core that following them takes;
//! - an agent whose log grows by 10 MB/s: the time from a line's write to its Bronze commit.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a bench fails by panicking")]

#[path = "agent.rs"]
mod agent;
#[path = "sample.rs"]
mod sample;
#[path = "thread.rs"]
mod thread;

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use agent::{Host, stop};
use logsmith::clock::{Clock, SystemClock};
use logsmith::tail::{FileGlob, LineBatch, Positions, ReadOutcome, Source, Tail, TailLimits};
use serde_json::Value;
use thread::cpu;

const LINE_BYTES: usize = 512;
const BATCH_BYTES: usize = 8 << 20;
/// Whichever is less.
const GB_PER_SECOND_MIN: f64 = 2.0;
const COUNTING_RATIO_MIN: f64 = 0.5;
const FOLLOWING_PERCENT_MAX: f64 = 25.0;
const FLUSH: Duration = Duration::from_millis(500);
const FRESHNESS_MAX: Duration = Duration::from_millis(600);

fn main() -> ExitCode {
    let smoke = std::env::args().any(|argument| argument == "--smoke");
    logsmith::memory::settle();
    let (lines, seconds) = if smoke { (20_000, 1) } else { (2_000_000, 20) };
    let time = Duration::from_secs(seconds);
    let is_good = [tail_only(lines), many_files(time), freshness(time)].into_iter().all(|is_good| is_good);
    if smoke || is_good {
        return ExitCode::SUCCESS;
    }
    println!("a limit is exceeded");
    ExitCode::FAILURE
}

/// Line `number`, with blanks at its end.
fn line(number: usize) -> String {
    let width = LINE_BYTES - 1;
    format!("{:<width$}\n", sample::line(number))
}

fn open(pattern: &Path) -> Tail {
    let glob = FileGlob::parse(&pattern.display().to_string()).unwrap();
    let mut tail =
        Tail::open(vec![Source::new("app", vec![glob])], Positions::default(), TailLimits::default())
            .unwrap();
    tail.scan(SystemClock.now());
    tail
}

/// Reads up to a batch; the number of its lines, and why it ended.
fn batch(tail: &mut Tail) -> (usize, ReadOutcome) {
    let mut batch = LineBatch::new(BATCH_BYTES);
    loop {
        match tail.read(&mut batch, SystemClock.now()) {
            ReadOutcome::More => {}
            outcome => return (batch.finish().unwrap().columns.num_rows(), outcome),
        }
    }
}

fn tail_only(lines: usize) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.log");
    let mut file = BufWriter::new(File::create(&path).unwrap());
    (0..lines).for_each(|number| file.write_all(line(number).as_bytes()).unwrap());
    drop(file);
    let file = File::open(&path).unwrap();
    let mut buffer = vec![0; BATCH_BYTES];
    let mut tail = open(&path);
    let (mut tailed, mut counted, mut rows, mut newlines, mut at) = (Duration::ZERO, Duration::ZERO, 0, 0, 0);
    // Batch by batch in turns, so that what else the machine does hits both alike.
    while rows < lines {
        tailed += cpu(|| rows += batch(&mut tail).0);
        counted += cpu(|| {
            for chunk in buffer.chunks_mut(512 << 10) {
                let len = file.read_at(chunk, at).unwrap();
                newlines += memchr::memchr_iter(b'\n', &chunk[..len]).count();
                at += len as u64;
            }
        });
    }
    let speed = |lines: usize, time: Duration| (lines * LINE_BYTES) as f64 / 1e9 / time.as_secs_f64();
    let (tailed, counted) = (speed(rows, tailed), speed(newlines, counted));
    let least = GB_PER_SECOND_MIN.min(COUNTING_RATIO_MIN * counted);
    println!(
        "file to columns {tailed:.2} GB/s of one core (at least {least:.2}); counting lines {counted:.2} GB/s, so {:.2} of it",
        tailed / counted
    );
    tailed >= least
}

fn many_files(time: Duration) -> bool {
    const FILES: usize = 500;
    const TICK: Duration = Duration::from_millis(100);
    const LINES_A_TICK: usize = 40;
    const SCAN: Duration = Duration::from_millis(250);
    let folder = tempfile::tempdir().unwrap();
    let create = |file| File::create(folder.path().join(format!("{file}.log"))).unwrap();
    let files: Vec<File> = (0..FILES).map(create).collect();
    let text: String = (0..LINES_A_TICK).map(line).collect();
    let mut tail = open(&folder.path().join("*.log"));
    let is_over = AtomicBool::new(false);
    let (mut rows, mut used, mut written) = (0, Duration::ZERO, 0);
    let started = Instant::now();
    std::thread::scope(|scope| {
        let writing = scope.spawn(|| {
            let mut written = 0;
            while started.elapsed() < time {
                let tick = Instant::now();
                files.iter().for_each(|mut file| file.write_all(text.as_bytes()).unwrap());
                written += FILES * LINES_A_TICK;
                std::thread::sleep(TICK.saturating_sub(tick.elapsed()));
            }
            is_over.store(true, Ordering::Release);
            written
        });
        // As an agent does: reads when something is written, scans a moment after.
        let mut scanned = Instant::now();
        loop {
            let is_last = is_over.load(Ordering::Acquire);
            used += cpu(|| {
                if is_last || scanned.elapsed() > SCAN {
                    tail.scan(SystemClock.now());
                    scanned = Instant::now();
                }
                loop {
                    let (lines, outcome) = batch(&mut tail);
                    rows += lines;
                    if matches!(outcome, ReadOutcome::Drained(_)) {
                        break;
                    }
                }
            });
            if is_last {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        written = writing.join().unwrap();
    });
    let seconds = started.elapsed().as_secs_f64();
    assert_eq!(rows, written, "lines are missing");
    let percent = used.as_secs_f64() / seconds * 100.0;
    println!(
        "{FILES} files growing by {:.0} KB/s each: {percent:.1} % of a core (at most {FOLLOWING_PERCENT_MAX})",
        (rows / FILES * LINE_BYTES) as f64 / 1e3 / seconds
    );
    percent <= FOLLOWING_PERCENT_MAX
}

fn freshness(time: Duration) -> bool {
    const TICK: Duration = Duration::from_millis(10);
    const LINES_A_TICK: usize = 10_000_000 / 100 / LINE_BYTES;
    let host = Host::new(&format!("{}ms", FLUSH.as_millis()));
    let path = host.path("logs/a.log");
    fs::write(&path, line(0)).unwrap();
    assert!(host.command(&["run", "--once"]).status().unwrap().success());
    let mut log = Log { version: host.versions() };
    let mut file = OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(line(1).as_bytes()).unwrap();
    let agent = host.command(&["run"]).spawn().unwrap();
    host.wait_for_lines(log.version);
    let mut size = 2 * LINE_BYTES as u64;
    let text: String = (0..LINES_A_TICK).map(line).collect();
    let (mut waiting, mut ages) = (VecDeque::new(), Vec::new());
    let (started, mut next) = (Instant::now(), Instant::now());
    while started.elapsed() < time || !waiting.is_empty() {
        if started.elapsed() < time && next <= Instant::now() {
            file.write_all(text.as_bytes()).unwrap();
            size += text.len() as u64;
            waiting.push_back((size, Instant::now()));
            next += TICK;
        }
        let taken = log.offset(&host);
        while let Some((_, written)) = waiting.pop_front_if(|(end, _)| *end <= taken) {
            ages.push(written.elapsed());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    stop(agent);
    let seconds = started.elapsed().as_secs_f64();
    ages.sort_unstable();
    let p99 = ages[ages.len() * 99 / 100];
    println!(
        "a log growing by {:.1} MB/s: a line is in Bronze after {:.0} ms at the median, {:.0} ms at the 99th percentile \
         (at most {}, of which {} are the flush interval)",
        size as f64 / 1e6 / seconds,
        ages[ages.len() / 2].as_secs_f64() * 1e3,
        p99.as_secs_f64() * 1e3,
        FRESHNESS_MAX.as_millis(),
        FLUSH.as_millis()
    );
    p99 <= FRESHNESS_MAX
}

/// The log of Bronze, followed.
struct Log {
    version: u64,
}

impl Log {
    /// How far the one file is read, as the newest entry says that has a say in it.
    fn offset(&mut self, host: &Host) -> u64 {
        let mut offset = 0;
        while let Ok(text) = fs::read_to_string(host.entry(self.version)) {
            self.version += 1;
            for line in text.lines() {
                let action: Value = serde_json::from_str(line).unwrap();
                let taken = action["commitInfo"]["logsmith"]["tail"]["files"][0]["offset"].as_u64();
                offset = taken.unwrap_or(offset);
            }
        }
        offset
    }
}
