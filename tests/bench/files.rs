//! What many files cost an agent: `cargo bench --no-default-features --bench files` (`-- --smoke` for a short run that judges
//! nothing).
//!
//! - 100,000 known files: time from the start to the first fresh line in Bronze, memory, and CPU time while nothing happens;
//! - 1,000 of them written to: every line arrives, file handles are capped;
//! - a backlog of 50 large files found at the start: memory, and how long a fresh line of another file takes.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a bench fails by panicking")]

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode};
use std::time::{Duration, Instant};

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
        false => Scale { files: 100_000, active: 1_000, idle: 30 * second, backlog_bytes: 2_000_000_000 },
    };
    let is_good = [many_files(&scale), backlog(&scale)].into_iter().all(|is_good| is_good);
    if smoke || is_good {
        return ExitCode::SUCCESS;
    }
    println!("a limit is exceeded");
    ExitCode::FAILURE
}

/// An agent with its folder.
struct Host(tempfile::TempDir);

impl Host {
    fn new() -> Self {
        let host = Self(tempfile::tempdir().unwrap());
        let root = host.0.path().display();
        let config = format!(
            "[agent]\nstate_dir = \"state\"\nbronze_interval = \"200ms\"\n[[source]]\nname = \"app\"\n\
             include = [\"{root}/logs/**/*.log\"]\n[[pipeline]]\nname = \"app\"\nplugin = \"builtin:json\"\n"
        );
        fs::create_dir(host.path("logs")).unwrap();
        fs::write(host.path("edge.toml"), config).unwrap();
        host
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn log(&self, file: usize) -> PathBuf {
        self.path(&format!("logs/{:03}/{file:06}.log", file % 100))
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_logsmith"));
        command.args(arguments).arg("-c").arg(self.path("edge.toml")).env("LOGSMITH_LOG", "error");
        command
    }

    /// Lines in Bronze.
    fn rows(&self) -> usize {
        let status = self.command(&["status"]).output().unwrap().stdout;
        let status = String::from_utf8(status).unwrap();
        let line = status.lines().find(|line| line.starts_with("bronze ")).unwrap().to_owned();
        line.split_whitespace().nth(2).unwrap().parse().unwrap()
    }

    fn entries(&self) -> usize {
        fs::read_dir(self.path("state/bronze/_delta_log")).map_or(0, Iterator::count)
    }

    /// Waits for the next Bronze commit.
    fn wait_for_entry(&self, before: usize) {
        while self.entries() == before {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

fn append(path: &Path, text: &str) {
    OpenOptions::new().create(true).append(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

fn many_files(scale: &Scale) -> bool {
    let host = Host::new();
    for file in 0..scale.files {
        fs::create_dir_all(host.log(file).parent().unwrap()).unwrap();
        append(&host.log(file), "{\"level\":\"INFO\"}\n");
    }
    assert!(host.command(&["run", "--once"]).status().unwrap().success());
    assert_eq!(host.rows(), scale.files);

    append(&host.log(0), "{\"level\":\"INFO\"}\n");
    let (before, started) = (host.entries(), Instant::now());
    let agent = host.command(&["run"]).spawn().unwrap();
    host.wait_for_entry(before);
    let start = started.elapsed().as_secs_f64();
    std::thread::sleep(Duration::from_secs(3));
    let (cpu, from) = (cpu(&agent), Instant::now());
    std::thread::sleep(scale.idle);
    let idle = (self::cpu(&agent) - cpu).as_secs_f64() / from.elapsed().as_secs_f64() * 100.0;
    for round in 0..10 {
        for file in 0..scale.active {
            append(&host.log(file), &format!("{{\"level\":\"INFO\",\"round\":{round}}}\n"));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    std::thread::sleep(Duration::from_secs(3));
    let handles = fs::read_dir(format!("/proc/{}/fd", agent.id())).unwrap().count();
    let memory = peak_memory(&agent);
    stop(agent);
    let rows = host.rows();
    println!(
        "{} known files: the first fresh line after {start:.1} s (at most {START_SECONDS_MAX})",
        scale.files
    );
    println!("  idle: {idle:.2} % of a core (at most {IDLE_CPU_PERCENT_MAX})");
    println!("  {} of them written to: {handles} handles (at most {HANDLES_MAX})", scale.active);
    println!("  memory {memory:.0} MiB at its peak (at most {MEMORY_MIB_MAX})");
    assert_eq!(rows, scale.files + 1 + 10 * scale.active, "lines are missing");
    start <= START_SECONDS_MAX
        && idle <= IDLE_CPU_PERCENT_MAX
        && handles <= HANDLES_MAX
        && memory <= MEMORY_MIB_MAX
}

fn backlog(scale: &Scale) -> bool {
    const FILES: usize = 50;
    let host = Host::new();
    assert!(host.command(&["run", "--once"]).status().unwrap().success());
    let line = format!("{{\"level\":\"INFO\",\"message\":\"{}\"}}\n", "x".repeat(200));
    let text = line.repeat(scale.backlog_bytes / FILES / line.len());
    let lines = FILES * (scale.backlog_bytes / FILES / line.len());
    for file in 0..FILES {
        fs::create_dir_all(host.log(file).parent().unwrap()).unwrap();
        append(&host.log(file), &text);
    }
    drop(text);
    let started = Instant::now();
    let agent = host.command(&["run"]).spawn().unwrap();
    host.wait_for_entry(host.entries());
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
    assert_eq!(host.rows(), lines + 1, "lines are missing");
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

fn stop(mut agent: Child) {
    let pid = rustix::process::Pid::from_child(&agent);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    agent.wait().unwrap();
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
