//! A disk that takes nothing has the agent wait, and costs no line.

use std::fs::{self, File};
use std::io::Write;
use std::ops::Range;
use std::process::Command;

use crate::support::{Agent, Host, eventually, succeed};

const LINES: i64 = 3_000;

fn append(host: &Host, numbers: Range<i64>) {
    let text: String = numbers.map(|n| format!("{{\"level\":\"INFO\",\"message\":\"{n}\"}}\n")).collect();
    host.append("logs/a.log", text);
}

/// An agent whose state folder is a disk of its own, of 20 MB; `None`, said aloud, where no mounts can be made.
fn start_on_own_disk(host: &Host) -> Option<Agent> {
    let probe = ["-m", "mount", "-t", "tmpfs", "probe", "/mnt"];
    if !Command::new("unshare").args(probe).output().unwrap().status.success() {
        eprintln!("skipped: no mounts can be made here");
        return None;
    }
    fs::create_dir(host.path("state")).unwrap();
    let script = "mount -t tmpfs -o size=20m state \"$1\" && exec \"$2\" run -c \"$3\"";
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", script, "sh"]);
    command.arg(host.path("state")).arg(env!("CARGO_BIN_EXE_logsmith")).arg(host.path("edge.toml"));
    let log = File::create(host.path("agent.log")).unwrap();
    Some(Agent::start(command.env("LOGSMITH_LOG", "info").stderr(log)))
}

fn has_told(host: &Host, words: &str) -> bool {
    fs::read_to_string(host.path("agent.log")).unwrap().contains(words)
}

fn has_put(host: &Host) -> bool {
    let landing = walkdir::WalkDir::new(host.path("lake/landing/app"));
    landing.into_iter().flatten().any(|file| file.file_type().is_file())
}

/// The rows that the agent has made, as `status` says where its disk can be seen.
fn rows(host: &Host, agent: &Agent) -> i64 {
    let mut command = Command::new("nsenter");
    command.args([
        "-m",
        "-t",
        &agent.id().to_string(),
        env!("CARGO_BIN_EXE_logsmith"),
        "status",
        "--json",
        "-c",
    ]);
    let status = succeed(command.arg(host.path("edge.toml")));
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    status["pipelines"][0]["rows"].as_i64().unwrap()
}

/// Lines are written before, while and after the disk takes nothing; each arrives once.
fn assert_waits(host: &Host, mut agent: Agent, break_it: impl Fn(&Agent), mend_it: impl Fn(&Agent)) {
    append(host, 0..LINES);
    eventually("first lines are put", || has_put(host));
    break_it(&agent);
    append(host, LINES..2 * LINES);
    eventually("the agent says that it waits", || has_told(host, "the disk takes nothing"));
    append(host, 2 * LINES..3 * LINES);
    assert!(agent.is_running());
    mend_it(&agent);
    eventually("the agent goes on", || has_told(host, "the disk takes what is written again"));
    append(host, 3 * LINES..4 * LINES);
    // The disk goes with the agent: what it has not read by then, a real one would read after its next start.
    eventually("all lines have become rows", || rows(host, &agent) == 4 * LINES);
    agent.stop();
    succeed(&mut host.central(&["compact"]));
    let rows = host.read("lake/silver/app", &["message"]);
    let mut arrived: Vec<i64> =
        rows.iter().map(|row| row["message"].as_str().unwrap().parse().unwrap()).collect();
    arrived.sort_unstable();
    assert!(arrived == (0..4 * LINES).collect::<Vec<_>>(), "{} of {} lines", arrived.len(), 4 * LINES);
}

#[test]
fn an_agent_whose_disk_is_full_waits_says_so_and_goes_on() {
    let host = Host::new("builtin:json");
    let Some(agent) = start_on_own_disk(&host) else { return };
    let filler = |agent: &Agent| format!("/proc/{}/root{}", agent.id(), host.path("state/filler").display());
    let fill = |agent: &Agent| {
        let mut file = File::create(filler(agent)).unwrap();
        // By the page, so that nothing fits any more.
        while file.write_all(&[b'x'; 4_096]).is_ok() {}
    };
    assert_waits(&host, agent, fill, |agent| fs::remove_file(filler(agent)).unwrap());
}

#[test]
fn an_agent_whose_disk_may_only_be_read_waits_says_so_and_goes_on() {
    let host = Host::new("builtin:json");
    let Some(agent) = start_on_own_disk(&host) else { return };
    let within = |agent: &Agent, script: &str| {
        let mut command = Command::new("nsenter");
        command.args(["-m", "-t", &agent.id().to_string(), "sh", "-c", script, "sh"]);
        succeed(command.arg(host.path("state/bronze")));
    };
    let lock = |agent: &Agent| within(agent, "mount --bind \"$1\" \"$1\" && mount -o remount,ro,bind \"$1\"");
    assert_waits(&host, agent, lock, |agent| within(agent, "umount \"$1\""));
}
