//! What many files cost an agent: `cargo bench --no-default-features --bench files` (`-- --smoke` for a short run that judges
//! nothing).
//!
//! - 100,000 known files: time from the start to the first fresh line in Bronze, memory, and CPU time while nothing happens;
//! - 1,000 of them written to: every line arrives, file handles are capped;
//! - a backlog of 50 large files found at the start: memory, and how long a fresh line of another file takes.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a bench fails by panicking")]

#[path = "agent.rs"]
mod agent;

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitCode};
use std::time::{Duration, Instant};

use agent::{Host, stop};

const START_SECONDS_MAX: f64 = 5.0;
const MEMORY_MIB_MAX: f64 = 150.0;
const IDLE_CPU_PERCENT_MAX: f64 = 1.0;
const HANDLES_MAX: usize = 400;

/// How much is tried.
struct Scale {
    files: usize,
    active: usize,
    idle: Duration,
    backlog_bytes: usize,
}

fn main() -> ExitCode {
    let smoke = std::env::args().any(|argument| argument == "--smoke");
    let second = Duration::from_secs(1);
    let scale = match smoke {
        true => Scale { files: 500, active: 50, idle: second, backlog_bytes: 20_000_000 },
        false => Scale { files: 100_000, active: 1_000, idle: 130 * second, backlog_bytes: 2_000_000_000 },
    };
    let is_good = [many_files(&scale), backlog(&scale)].into_iter().all(|is_good| is_good);
    if smoke || is_good {
        return ExitCode::SUCCESS;
    }
    println!("a limit is exceeded");
    ExitCode::FAILURE
}

fn many_files(scale: &Scale) -> bool {
    let host = Host::new("200ms");
    for file in 0..scale.files {
        fs::create_dir_all(log(&host, file).parent().unwrap()).unwrap();
        append(&log(&host, file), "{\"level\":\"INFO\"}\n");
    }
    assert!(host.command(&["run", "--once"]).status().unwrap().success());
    assert_eq!(rows(&host), scale.files);

    append(&log(&host, 0), "{\"level\":\"INFO\"}\n");
    let (before, started) = (host.versions(), Instant::now());
    let agent = host.command(&["run"]).spawn().unwrap();
    host.wait_for_lines(before);
    let start = started.elapsed().as_secs_f64();
    std::thread::sleep(Duration::from_secs(3));
    let (before_idle, from) = (cpu(&agent), Instant::now());
    std::thread::sleep(scale.idle);
    let idle = (cpu(&agent) - before_idle).as_secs_f64() / from.elapsed().as_secs_f64() * 100.0;
    for round in 0..10 {
        for file in 0..scale.active {
            append(&log(&host, file), &format!("{{\"level\":\"INFO\",\"round\":{round}}}\n"));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    std::thread::sleep(Duration::from_secs(3));
    let handles = fs::read_dir(format!("/proc/{}/fd", agent.id())).unwrap().count();
    let memory = peak_memory(&agent);
    stop(agent);
    let lines = rows(&host);
    println!(
        "{} known files: the first fresh line after {start:.1} s (at most {START_SECONDS_MAX})",
        scale.files
    );
    println!("  idle: {idle:.2} % of a core (at most {IDLE_CPU_PERCENT_MAX})");
    println!("  {} of them written to: {handles} handles (at most {HANDLES_MAX})", scale.active);
    println!("  memory {memory:.0} MiB at its peak (at most {MEMORY_MIB_MAX})");
    assert_eq!(lines, scale.files + 1 + 10 * scale.active, "lines are missing");
    start <= START_SECONDS_MAX
        && idle <= IDLE_CPU_PERCENT_MAX
        && handles <= HANDLES_MAX
        && memory <= MEMORY_MIB_MAX
}

fn backlog(scale: &Scale) -> bool {
    const FILES: usize = 50;
    let host = Host::new("200ms");
    assert!(host.command(&["run", "--once"]).status().unwrap().success());
    let line = format!("{{\"level\":\"INFO\",\"message\":\"{}\"}}\n", "x".repeat(200));
    let text = line.repeat(scale.backlog_bytes / FILES / line.len());
    let lines = FILES * (scale.backlog_bytes / FILES / line.len());
    for file in 0..FILES {
        fs::create_dir_all(log(&host, file).parent().unwrap()).unwrap();
        append(&log(&host, file), &text);
    }
    drop(text);
    let started = Instant::now();
    let agent = host.command(&["run"]).spawn().unwrap();
    host.wait_for_lines(host.versions());
    let fresh = host.path("logs/fresh.log");
    let (written, mut slowest) = (Instant::now(), Duration::ZERO);
    append(&fresh, "{\"level\":\"INFO\"}\n");
    while offset(&host, &fresh) == 0 {
        std::thread::sleep(Duration::from_millis(20));
        slowest = written.elapsed();
    }
    let memory = peak_memory(&agent);
    stop(agent);
    assert!(host.command(&["run", "--once"]).status().unwrap().success());
    assert_eq!(rows(&host), lines + 1, "lines are missing");
    println!("backlog of {} MB in {FILES} files, {lines} lines", scale.backlog_bytes / 1_000_000);
    println!("  a fresh line of another file is in Bronze after {:.2} s", slowest.as_secs_f64());
    println!("  memory {memory:.0} MiB at its peak (at most {MEMORY_MIB_MAX})");
    println!("  all read after {:.0} s", started.elapsed().as_secs_f64());
    memory <= MEMORY_MIB_MAX
}

/// How far a file is read, as committed.
fn offset(host: &Host, file: &Path) -> u64 {
    let status = String::from_utf8(host.command(&["status"]).output().unwrap().stdout).unwrap();
    let name = file.display().to_string();
    let line = status.lines().find(|line| line.starts_with(&name)).map(str::to_owned);
    line.map_or(0, |line| line.split_whitespace().nth(2).unwrap().parse().unwrap())
}

/// One of many log files, in one of a hundred folders.
fn log(host: &Host, file: usize) -> PathBuf {
    host.path(&format!("logs/{:03}/{file:06}.log", file % 100))
}

/// Lines in Bronze.
fn rows(host: &Host) -> usize {
    let status = host.command(&["status"]).output().unwrap().stdout;
    let status = String::from_utf8(status).unwrap();
    let line = status.lines().find(|line| line.starts_with("bronze ")).unwrap().to_owned();
    line.split_whitespace().nth(2).unwrap().parse().unwrap()
}

/// Appends to a file, which is made if it is not there.
fn append(path: &Path, text: &str) {
    OpenOptions::new().create(true).append(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

/// The most memory that a process has held, in MiB.
fn peak_memory(agent: &Child) -> f64 {
    let status = fs::read_to_string(format!("/proc/{}/status", agent.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}

/// CPU time of a process.
fn cpu(agent: &Child) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{}/stat", agent.id())).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 10)
}
