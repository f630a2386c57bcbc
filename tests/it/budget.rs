//! A small disk budget slows the agent down and costs no line.

use std::collections::HashSet;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::support::{Host, numbers, succeed};

/// Lines that do not compress well, each with its number in `offset` order.
fn lines(count: usize, random: &mut StdRng) -> String {
    let pad = |random: &mut StdRng| -> String {
        (0..1_500)
            .map(|_| char::from(random.random_range(b'0'..=b'z')))
            .map(|c| if c == '\\' { '-' } else { c })
            .collect()
    };
    (0..count).map(|_| format!("{{\"level\":\"INFO\",\"pad\":\"{}\"}}\n", pad(random))).collect()
}

fn with_budget(host: &Host, more: &str) {
    host.edit(|edge| edge.replace("[agent]", &format!("[agent]\ndisk_budget = \"10MB\"\n{more}")));
}

fn tables_bytes(host: &Host) -> u64 {
    let files = walkdir::WalkDir::new(host.path("state")).into_iter().flatten();
    files
        .filter(|file| file.file_type().is_file())
        .filter_map(|file| file.metadata().ok())
        .map(|m| m.len())
        .sum()
}

fn assert_fleet_has(host: &Host, lines: usize) {
    succeed(&mut host.central(&["compact"]));
    let rows = host.read("lake/silver/app", &["file", "offset"]);
    assert_eq!(numbers(&rows, "offset").len(), lines, "rows");
    let distinct: HashSet<(i64, i64)> =
        rows.iter().map(|row| (row["file"].as_i64().unwrap(), row["offset"].as_i64().unwrap())).collect();
    assert_eq!(distinct.len(), lines, "distinct rows");
}

/// Housekeeping took a file that was committed while it looked for one that every pipeline had judged.
#[test]
fn regression_what_no_pipeline_has_judged_does_not_expire() {
    let host = Host::new("builtin:json");
    succeed(&mut host.edge(&["run", "--once"]));
    host.edit(|edge| {
        edge.replace("\"100ms\"", "\"20ms\"")
            .replace("silver_interval = \"200ms\"", "silver_interval = \"600s\"")
    });
    with_budget(&host, "");
    let mut agent = host.start();
    let mut random = StdRng::seed_from_u64(10);
    let mut file = OpenOptions::new().create(true).append(true).open(host.path("logs/a.log")).unwrap();
    for _ in 0..120 {
        file.write_all(lines(80, &mut random).as_bytes()).unwrap();
        std::thread::sleep(Duration::from_millis(60));
        let used = tables_bytes(&host);
        assert!(used < 10_000_000, "{used} bytes are in use");
    }
    agent.kill();
    host.configure("builtin:json", "");
    with_budget(&host, "");
    succeed(&mut host.edge(&["run", "--once"]));
    assert_fleet_has(&host, 120 * 80);
}

/// A pipeline without lines kept its cursor, so that Bronze could not expire and reading stopped for good.
#[test]
fn regression_a_pipeline_without_lines_does_not_hold_the_others() {
    let host = Host::new("builtin:json");
    let root = host.path("").display().to_string();
    let more = format!(
        "sources = [\"app\"]\n[[source]]\nname = \"quiet\"\ninclude = [\"{root}quiet/*.log\"]\n\
         [[pipeline]]\nname = \"quiet\"\nplugin = \"builtin:json\"\nsources = [\"quiet\"]\n"
    );
    host.configure("builtin:json", &more);
    with_budget(&host, "");
    fs::write(host.path("logs/a.log"), lines(12_000, &mut StdRng::seed_from_u64(11))).unwrap();
    let mut run = std::process::Command::new("timeout");
    run.arg("150")
        .arg(env!("CARGO_BIN_EXE_logsmith"))
        .args(["run", "--once", "-c"])
        .arg(host.path("edge.toml"));
    succeed(&mut run);
    assert_fleet_has(&host, 12_000);
}

/// Without a central store the Silver log was cleaned up as if all of it had been put.
#[test]
fn regression_sync_can_be_configured_later() {
    let host = Host::new("builtin:json");
    host.leave_central();
    host.edit(|edge| {
        edge.replace("bronze_interval", "bronze_bytes = \"1KiB\"\nsilver_bytes = \"1\"\nbronze_interval")
    });
    let text: String = (0..6_000).map(|n| format!("{{\"level\":\"INFO\",\"message\":\"m{n}\"}}\n")).collect();
    fs::write(host.path("logs/a.log"), text).unwrap();
    let mut agent = host.start();
    crate::support::eventually("many versions were committed, and a checkpoint was written", || {
        host.path("state/silver/app/_delta_log/_last_checkpoint").exists()
    });
    std::thread::sleep(Duration::from_secs(6));
    agent.kill();
    host.configure("builtin:json", "");
    succeed(&mut host.edge(&["run", "--once"]));
    assert_fleet_has(&host, 6_000);
}

/// Each pipeline makes Silver of the same lines, which does not go away while the central store does.
#[test]
fn regression_several_pipelines_without_a_central_store_stay_within_the_budget() {
    let host = Host::new("builtin:json");
    succeed(&mut host.edge(&["run", "--once"]));
    with_budget(&host, "");
    let more = ["two", "three"]
        .map(|name| format!("\n[[pipeline]]\nname = \"{name}\"\nplugin = \"builtin:json\"\n"));
    host.edit(|edge| edge + &more.concat());
    fs::write(host.path("lake"), "not a folder").unwrap();
    let mut random = StdRng::seed_from_u64(11);
    let count = 8_000;
    fs::write(host.path("logs/a.log"), lines(count, &mut random)).unwrap();
    let agent = host.start();
    for _ in 0..150 {
        std::thread::sleep(Duration::from_millis(100));
        let used = tables_bytes(&host);
        assert!(used < 10_000_000, "{used} bytes are in use");
    }
    drop(agent);
    fs::remove_file(host.path("lake")).unwrap();
    succeed(&mut host.edge(&["run", "--once"]));
    assert_fleet_has(&host, count);
}
