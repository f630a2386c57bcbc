//! A disk that takes nothing has the agent wait, and costs no line.

use std::fs::{self, File};
use std::io::Write;
use std::ops::Range;
use std::process::Command;

use crate::metrics::{readiness, serve};
use crate::support::{Agent, Host, eventually, succeed};

const LINES: i64 = 3_000;

fn append(host: &Host, numbers: Range<i64>) {
    let text: String = numbers.map(|n| format!("{{\"level\":\"INFO\",\"message\":\"{n}\"}}\n")).collect();
    host.append("logs/a.log", text);
}

/// An agent whose state folder is a disk of its own, of 20 MB, mounted with these options more; `None`, said aloud, where
/// no mounts can be made.
fn start_on_own_disk(host: &Host, options: &str) -> Option<Agent> {
    let probe = ["-m", "mount", "-t", "tmpfs", "probe", "/mnt"];
    if !Command::new("unshare").args(probe).output().unwrap().status.success() {
        eprintln!("skipped: no mounts can be made here");
        return None;
    }
    serve(host);
    fs::create_dir(host.path("state")).unwrap();
    let script = "mount -t tmpfs -o size=20m,$4 state \"$1\" && exec \"$2\" run -c \"$3\"";
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", script, "sh"]);
    command.arg(host.path("state")).arg(env!("CARGO_BIN_EXE_logsmith")).arg(host.path("edge.toml"));
    let log = File::create(host.path("agent.log")).unwrap();
    Some(Agent::start(command.arg(options).env("LOGSMITH_LOG", "info").stderr(log)))
}

/// Runs a script where the agent's disk can be seen; `$1` is a path of it.
fn within(agent: &Agent, script: &str, path: std::path::PathBuf) {
    let mut command = Command::new("nsenter");
    command.args(["-m", "-t", &agent.id().to_string(), "sh", "-c", script, "sh"]);
    succeed(command.arg(path));
}

/// Asserts that the agent says that it waits for the disk: to its log, to a probe, and to who asks for its status.
fn assert_says_that_it_waits(host: &Host, agent: &Agent, reason: &str) {
    eventually("the agent says that it waits", || has_told(host, "the disk takes nothing"));
    eventually("a probe hears that it waits", || {
        readiness(host).ends_with("the disk takes nothing; the agent waits until it does\n")
    });
    let status = status(host, agent, &[]);
    let said = format!("the disk takes nothing: {reason}; the agent waits until it does\n");
    assert!(status.contains(&said), "{status}");
    let seen: serde_json::Value = serde_json::from_str(&self::status(host, agent, &["--json"])).unwrap();
    assert_eq!(seen["disk"]["takes_nothing"], reason);
}

fn has_told(host: &Host, words: &str) -> bool {
    fs::read_to_string(host.path("agent.log")).unwrap().contains(words)
}

fn has_put(host: &Host) -> bool {
    let landing = walkdir::WalkDir::new(host.path("lake/landing/app"));
    landing.into_iter().flatten().any(|file| file.file_type().is_file())
}

/// What `status` says where the agent's disk can be seen.
fn status(host: &Host, agent: &Agent, more: &[&str]) -> String {
    let mut command = Command::new("nsenter");
    command.args(["-m", "-t", &agent.id().to_string(), env!("CARGO_BIN_EXE_logsmith"), "status"]);
    succeed(command.args(more).arg("-c").arg(host.path("edge.toml")))
}

/// The rows that the agent has made.
fn rows(host: &Host, agent: &Agent) -> i64 {
    let status: serde_json::Value = serde_json::from_str(&status(host, agent, &["--json"])).unwrap();
    status["pipelines"][0]["rows"].as_i64().unwrap_or_default()
}

/// Lines are written before, while and after the disk takes nothing; each arrives once.
fn assert_waits(
    host: &Host,
    mut agent: Agent,
    break_it: impl Fn(&Agent),
    reason: &str,
    mend_it: impl Fn(&Agent),
) {
    append(host, 0..LINES);
    eventually("first lines are put", || has_put(host));
    break_it(&agent);
    append(host, LINES..2 * LINES);
    assert_says_that_it_waits(host, &agent, reason);
    append(host, 2 * LINES..3 * LINES);
    assert!(agent.is_running());
    mend_it(&agent);
    eventually("the agent goes on", || has_told(host, "the disk takes what is written again"));
    eventually("a probe hears that it goes on", || readiness(host).ends_with("ok\n"));
    append(host, 3 * LINES..4 * LINES);
    assert_all_arrive(host, agent, 4 * LINES);
}

/// Each line becomes a row of the fleet, once.
fn assert_all_arrive(host: &Host, agent: Agent, lines: i64) {
    // The disk goes with the agent: what it has not read by then, a real one would read after its next start.
    eventually("all lines have become rows", || rows(host, &agent) == lines);
    agent.stop();
    succeed(&mut host.central(&["compact"]));
    let rows = host.read("lake/silver/app", &["message"]);
    let mut arrived: Vec<i64> =
        rows.iter().map(|row| row["message"].as_str().unwrap().parse().unwrap()).collect();
    arrived.sort_unstable();
    assert!(arrived == (0..lines).collect::<Vec<_>>(), "{} of {lines} lines", arrived.len());
}

#[test]
fn an_agent_whose_disk_is_full_waits_says_so_and_goes_on() {
    let host = Host::new("builtin:json");
    let Some(agent) = start_on_own_disk(&host, "rw") else { return };
    let filler = |agent: &Agent| format!("/proc/{}/root{}", agent.id(), host.path("state/filler").display());
    let fill = |agent: &Agent| {
        let mut file = File::create(filler(agent)).unwrap();
        // By the page, so that nothing fits any more.
        while file.write_all(&[b'x'; 4_096]).is_ok() {}
    };
    assert_waits(&host, agent, fill, "it is full", |agent| fs::remove_file(filler(agent)).unwrap());
}

#[test]
fn an_agent_whose_disk_may_only_be_read_waits_says_so_and_goes_on() {
    let host = Host::new("builtin:json");
    let Some(agent) = start_on_own_disk(&host, "rw") else { return };
    let bronze = || host.path("state/bronze");
    let lock = |agent: &Agent| {
        within(agent, "mount --bind \"$1\" \"$1\" && mount -o remount,ro,bind \"$1\"", bronze());
    };
    let unlock = |agent: &Agent| within(agent, "umount \"$1\"", bronze());
    assert_waits(&host, agent, lock, "it may only be read", unlock);
}

/// The agent ended.
#[test]
fn regression_an_agent_whose_disk_may_only_be_read_when_it_starts_waits_says_so_and_goes_on() {
    let host = Host::new("builtin:json");
    let Some(mut agent) = start_on_own_disk(&host, "ro") else { return };
    append(&host, 0..LINES);
    assert_says_that_it_waits(&host, &agent, "it may only be read");
    assert!(agent.is_running());
    within(&agent, "mount -o remount,rw \"$1\"", host.path("state"));
    eventually("a probe hears that it goes on", || readiness(&host).ends_with("ok\n"));
    assert_all_arrive(&host, agent, LINES);
}

/// Each write to the disk takes half a second, which is nobody's fault: all arrives, and the agent counts as alive.
#[test]
fn a_slow_disk_slows_the_agent_down_and_costs_no_line() {
    let host = Host::new("builtin:json");
    let run = host.edge(&["run", "--once"]);
    let mut traced = Command::new("strace");
    let slow = ["-f", "-e", "trace=fsync", "-e", "inject=fsync:delay_exit=500000", "-o", "/dev/null"];
    traced.args(slow).arg(run.get_program()).args(run.get_args());
    traced.envs(run.get_envs().filter_map(|(name, value)| Some((name, value?))));
    append(&host, 0..LINES);
    succeed(&mut traced);
    succeed(&mut host.central(&["compact"]));
    let rows = host.read("lake/silver/app", &["message"]);
    assert_eq!(rows.len() as i64, LINES);
}
