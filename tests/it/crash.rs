//! Killed at any moment, every line arrives once: in Bronze, as a verdict, and in Gold.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::Value;

use crate::support::{Host, read_back, succeed};

/// Line number `n`: every 50th is broken JSON, which still tells its number.
fn line(n: u64) -> String {
    let level = ["INFO", "WARN", "ERROR"][(n % 3) as usize];
    if n % 50 == 7 {
        format!("{{\"n\":{n},broken\n")
    } else {
        format!("{{\"level\":\"{level}\",\"message\":\"m\",\"n\":{n}}}\n")
    }
}

fn number_in(line: &str) -> u64 {
    let digits: String =
        line.split("\"n\":").nth(1).unwrap().chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap()
}

/// Writes numbered lines to two files and rotates them by rename, until told to stop; returns how many.
fn write_until(folder: &Path, stop: &AtomicBool) -> u64 {
    let open = |name: &str| OpenOptions::new().create(true).append(true).open(folder.join(name)).unwrap();
    let mut files: Vec<(String, File)> = ["a.log", "b.log"].map(|name| (name.to_owned(), open(name))).into();
    let mut n = 0;
    while !stop.load(Ordering::Relaxed) {
        for (name, file) in &mut files {
            for _ in 0..20 {
                file.write_all(line(n).as_bytes()).unwrap();
                n += 1;
            }
            if n % 1_000 < 20 {
                fs::rename(folder.join(&*name), folder.join(format!("{name}.{n}"))).unwrap();
                *file = OpenOptions::new().create(true).append(true).open(folder.join(&*name)).unwrap();
            }
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    n
}

/// Asserts that each of the lines `0..total` is in Bronze once, has one verdict, and is counted once in Gold.
fn assert_each_once(host: &Host, total: u64) {
    let tables: [(_, &[&str]); 5] = [
        (host.path("state/bronze"), &["line"]),
        (host.path("state/silver/app"), &["fields"]),
        (host.path("state/dead_letter"), &["line"]),
        (host.path("lake/gold/levels"), &["log_level", "log_count"]),
        (host.path("lake/silver/dead_letter"), &["line"]),
    ];
    let [bronze, silver, dead, gold, fleet_dead] = read_back(&tables).try_into().unwrap();
    let in_lines = |rows: &[Value]| -> Vec<u64> {
        rows.iter().map(|row| number_in(row["line"].as_str().unwrap())).collect()
    };
    let judged: Vec<u64> = silver.iter().map(|row| field(row, "n")).collect();
    assert_each("Bronze", &in_lines(&bronze), total);
    assert_each("Silver and dead letters", &[judged, in_lines(&dead)].concat(), total);
    assert_eq!(in_lines(&fleet_dead).len(), dead.len(), "dead letters of the fleet");
    let mut wanted: HashMap<&str, u64> = HashMap::new();
    for n in (0..total).filter(|n| n % 50 != 7) {
        *wanted.entry(["INFO", "WARN", "ERROR"][(n % 3) as usize]).or_default() += 1;
    }
    let found: HashMap<&str, u64> = gold
        .iter()
        .map(|row| (row["log_level"].as_str().unwrap(), row["log_count"].as_u64().unwrap()))
        .collect();
    assert_eq!(found, wanted, "Gold");
}

fn field(row: &Value, name: &str) -> u64 {
    let pairs = row["fields"].as_array().unwrap();
    let pair = pairs.iter().find(|pair| pair[0] == name).unwrap();
    pair[1].as_str().unwrap().parse().unwrap()
}

fn assert_each(what: &str, numbers: &[u64], total: u64) {
    let mut seen = vec![0_u32; total as usize];
    numbers.iter().for_each(|n| seen[*n as usize] += 1);
    let lost: Vec<usize> = (0..seen.len()).filter(|n| seen[*n] == 0).collect();
    let twice: Vec<usize> = (0..seen.len()).filter(|n| seen[*n] > 1).collect();
    let first =
        |numbers: &[usize]| format!("{} ({:?} ...)", numbers.len(), &numbers[..numbers.len().min(20)]);
    assert!(
        lost.is_empty() && twice.is_empty(),
        "{what}: of {total}, lost {}, more than once {}",
        first(&lost),
        first(&twice)
    );
}

/// `LOGSMITH_KILLS=200 cargo test --test it killed_at_random` takes some three minutes; 30 kills do by default.
#[test]
fn an_agent_killed_at_random_moments_loses_and_repeats_nothing() {
    let kills = std::env::var("LOGSMITH_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(30);
    let host = Host::new("builtin:json");
    // The first start compiles the plugin; the moments to come are those of the work itself.
    succeed(&mut host.edge(&["run", "--once"]));
    let stop = Arc::new(AtomicBool::new(false));
    let (folder, told) = (host.path("logs"), Arc::clone(&stop));
    let writer = std::thread::spawn(move || write_until(&folder, &told));
    let mut random = StdRng::seed_from_u64(30);
    for kill in 0..kills {
        let mut agent = host.start();
        std::thread::sleep(Duration::from_millis(random.random_range(20..1_500)));
        agent.kill();
        if kill % 10 == 9 {
            succeed(&mut host.central(&["compact"]));
        }
    }
    stop.store(true, Ordering::Relaxed);
    let total = writer.join().unwrap();
    host.finish();
    assert_each_once(&host, total);
}

#[test]
fn a_stop_drains_and_the_next_start_goes_on() {
    let host = Host::new("builtin:json");
    let text: String = (0..3_000).map(line).collect();
    fs::write(host.path("logs/a.log"), &text).unwrap();
    let mut agent = host.start();
    crate::support::eventually("Bronze is there", || host.path("state/bronze/_delta_log").exists());
    agent.terminate();
    assert!(agent.wait().success());
    host.finish();
    assert_each_once(&host, 3_000);
}

#[test]
fn the_central_job_killed_at_each_edge_counts_each_line_once() {
    let edges =
        ["after-silver-commit", "after-state-commit", "after-gold-commit", "before-delete", "mid-delete"];
    let host = Host::new("builtin:json");
    let mut total = 0;
    for (round, edge) in edges.iter().enumerate() {
        let text: String = (total..total + 700).map(line).collect();
        fs::write(host.path(&format!("logs/{round}.log")), text).unwrap();
        total += 700;
        succeed(&mut host.edge(&["run", "--once"]));
        let killed = host.central(&["compact"]).env("LOGSMITH_KILL_AT", edge).output().unwrap();
        assert!(!killed.status.success(), "{edge} was never reached");
    }
    succeed(&mut host.central(&["compact"]));
    assert_each_once(&host, total);
    let left = walkdir::WalkDir::new(host.path("lake/landing")).into_iter().flatten();
    assert_eq!(left.filter(|entry| entry.file_type().is_file()).count(), 0, "landing objects are left");
}

#[test]
fn two_central_jobs_at_once_count_each_line_once() {
    let host = Host::new("builtin:json");
    let mut total = 0;
    for round in 0..4 {
        let text: String = (total..total + 500).map(line).collect();
        fs::write(host.path(&format!("logs/{round}.log")), text).unwrap();
        total += 500;
        succeed(&mut host.edge(&["run", "--once"]));
        let jobs: Vec<_> = (0..2).map(|_| host.central(&["compact"]).spawn().unwrap()).collect();
        for mut job in jobs {
            assert!(job.wait().unwrap().success());
        }
    }
    succeed(&mut host.central(&["compact"]));
    assert_each_once(&host, total);
}
