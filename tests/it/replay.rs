//! Lines that are kept are judged again by plugins that changed, and what comes of them replaces what was there: on the
//! host, in the fleet's Silver and in Gold, each line once at any time.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::support::{Host, component, eventually, fail, read_back, succeed};

/// A host whose plugin traps on each line with POISON in it.
fn poisoned() -> Host {
    let host = Host::new("builtin:json");
    plugin(&host, "trap");
    host.views("texts", "SELECT text, count(*) AS n FROM app GROUP BY text");
    host
}

fn plugin(host: &Host, crime: &str) {
    let guest = component("hostile");
    host.configure(guest.to_str().unwrap(), &format!("config = {{ crime = \"{crime}\" }}\n"));
}

/// Ships `rounds` files, each of ten lines, one of them poisonous; returns how many lines these are.
fn ship(host: &Host, rounds: std::ops::Range<usize>) -> usize {
    for round in rounds.clone() {
        let line = |n| format!("{} {round}.{n}\n", if n == 3 { "POISON" } else { "innocent" });
        fs::write(host.path(&format!("logs/{round}.log")), (0..10).map(line).collect::<String>()).unwrap();
        succeed(&mut host.edge(&["run", "--once"]));
    }
    rounds.len() * 10
}

fn replay(host: &Host, arguments: &[&str]) -> String {
    succeed(&mut host.edge(&[&["replay", "app"], arguments].concat()))
}

/// How often each line is there: the rows' texts, and the dead letters' lines.
fn judged(host: &Host) -> [BTreeMap<String, usize>; 2] {
    counted(host, "state/silver/app", "state/dead_letter")
}

fn counted(host: &Host, silver: &str, dead: &str) -> [BTreeMap<String, usize>; 2] {
    let tables: [(PathBuf, &[&str]); 2] = [(host.path(silver), &["text"]), (host.path(dead), &["line"])];
    let [rows, dead] = read_back(&tables).try_into().unwrap();
    [(rows, "text"), (dead, "line")].map(|(rows, column): (Vec<Value>, &str)| {
        let mut counts = BTreeMap::new();
        for row in rows {
            *counts.entry(row[column].as_str().unwrap().to_owned()).or_default() += 1;
        }
        counts
    })
}

/// Each of so many lines is there once, so many of them as dead letters.
#[track_caller]
fn assert_once([rows, dead]: [BTreeMap<String, usize>; 2], lines: usize, dead_letters: usize) {
    assert!(rows.values().chain(dead.values()).all(|count| *count == 1), "twice: {rows:?} {dead:?}");
    assert_eq!((rows.len(), dead.len()), (lines - dead_letters, dead_letters), "{rows:?} {dead:?}");
    assert!(!rows.keys().any(|text| dead.contains_key(text)));
}

/// The names and sizes of all files of the state folder, but for what is cached.
fn files(host: &Host) -> BTreeMap<PathBuf, u64> {
    let files = walkdir::WalkDir::new(host.path("state")).into_iter().flatten();
    let files =
        files.filter(|file| file.file_type().is_file() && !file.path().to_string_lossy().contains("/cache/"));
    files.map(|file| (file.path().to_owned(), file.metadata().unwrap().len())).collect()
}

#[test]
fn a_replay_tells_what_would_change_and_then_changes_it() {
    let host = poisoned();
    let lines = ship(&host, 0..3);
    assert_once(judged(&host), lines, 3);
    plugin(&host, "none");

    let before = files(&host);
    let said = replay(&host, &["--dry-run"]);
    assert_eq!(files(&host), before, "a dry run writes nothing");
    let told = |said: &str, name: &str| {
        let line = said.lines().find(|line| line.starts_with(name)).unwrap().strip_prefix(name).unwrap();
        line.split_whitespace().map(|n| n.parse().unwrap()).collect::<Vec<usize>>()
    };
    assert_eq!(told(&said, "lines "), [30, 30]);
    assert_eq!(told(&said, "rows "), [27, 30]);
    assert_eq!(told(&said, "dead letters "), [3, 0]);
    assert!(said.contains("3 lines would change"), "{said}");
    assert!(said.contains("- dead letter: ") && said.contains("+ text=POISON 1.3"), "{said}");
    assert!(!said.contains("innocent"), "lines that stay as they are: {said}");

    let said = replay(&host, &[]);
    assert_eq!(told(&said, "rows "), [27, 30]);
    assert_once(judged(&host), lines, 0);
    assert_eq!(told(&replay(&host, &["--dry-run"]), "rows "), [30, 30]);
    // The agent goes on where it was.
    let lines = lines + ship(&host, 3..4);
    assert_once(judged(&host), lines, 0);
    let status = succeed(&mut host.edge(&["status"]));
    assert!(status.contains("rows 40, dropped on purpose 0, dead letters 0"), "{status}");
}

#[test]
fn a_replay_begins_where_it_is_told_to_or_where_the_verdict_on_that_begins() {
    let host = poisoned();
    let lines = ship(&host, 0..3);
    plugin(&host, "none");
    let versions: Vec<u64> = verdicts(&host).iter().map(|verdict| first(verdict)).collect();
    let said = fail(&mut host.edge(&["replay", "app", "--from", "99"]));
    assert!(said.contains("version 99 of Bronze is not judged yet"), "{said}");
    replay(&host, &["--from", &versions[versions.len() - 1].to_string()]);
    assert_once(judged(&host), lines, 2);
    // What was replayed is replaced by a further replay, and by its part of it alone.
    let lines = lines + ship(&host, 3..4);
    plugin(&host, "trap");
    replay(&host, &["--from", &versions[versions.len() - 1].to_string()]);
    assert_once(judged(&host), lines, 4);
    plugin(&host, "none");
    replay(&host, &["--from", "2000-01-01"]);
    assert_once(judged(&host), lines, 0);
    let said = fail(&mut host.edge(&["replay", "app", "--from", "2999-01-01T00:00:00Z"]));
    assert!(said.contains("nothing to replay"), "{said}");
    let said = fail(&mut host.edge(&["replay", "nobody"]));
    assert!(said.contains("no pipeline `nobody`") && said.contains("there are: app"), "{said}");
}

/// The verdicts of the log, in order.
fn verdicts(host: &Host) -> Vec<Value> {
    let log = fs::read_dir(host.path("state/silver/app/_delta_log")).unwrap();
    let mut entries: Vec<PathBuf> = log.map(|entry| entry.unwrap().path()).collect();
    entries.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    entries.sort();
    let lines = entries.iter().flat_map(|entry| {
        let text = fs::read_to_string(entry).unwrap();
        text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).collect::<Vec<_>>()
    });
    let verdicts = lines.map(|action| action["commitInfo"]["logsmith"]["verdict"].clone());
    verdicts.filter(|verdict| verdict["counts"]["lines"].as_u64() > Some(0)).collect()
}

fn first(verdict: &Value) -> u64 {
    verdict["bronze"]["first"].as_u64().unwrap()
}

#[test]
fn a_replay_killed_at_each_edge_is_done_or_not_done_and_each_line_is_there_once() {
    for (edge, dead_letters) in [("after-replay-files", 3), ("after-replay-commit", 0)] {
        let host = poisoned();
        let lines = ship(&host, 0..3);
        plugin(&host, "none");
        let killed = host.edge(&["replay", "app"]).env("LOGSMITH_KILL_AT", edge).output().unwrap();
        assert!(!killed.status.success(), "{edge} was never reached");
        succeed(&mut host.edge(&["run", "--once"]));
        assert_once(judged(&host), lines, dead_letters);
        replay(&host, &[]);
        assert_once(judged(&host), lines, 0);
    }
}

#[test]
fn a_replay_waits_for_nobody_and_a_broken_plugin_replaces_nothing() {
    let host = poisoned();
    let lines = ship(&host, 0..2);
    let before = host.commits("state/bronze");
    let agent = host.start();
    eventually("the agent has opened the folder", || host.commits("state/bronze") > before);
    let said = fail(&mut host.edge(&["replay", "app"]));
    assert!(said.contains("systemctl stop logsmith"), "{said}");
    replay(&host, &["--dry-run"]);
    agent.stop();

    assert_once(judged(&host), lines, 2);
}

#[test]
fn a_plugin_that_fails_on_everything_or_changes_a_type_replaces_nothing() {
    let host = Host::new("builtin:json");
    plugin(&host, "none");
    fs::write(host.path("logs/a.log"), (0..100).map(|n| format!("POISON {n}\n")).collect::<String>())
        .unwrap();
    succeed(&mut host.edge(&["run", "--once"]));
    let before = files(&host);
    plugin(&host, "trap");
    let said = fail(&mut host.edge(&["replay", "app"]));
    assert!(said.contains("nothing was replaced"), "{said}");
    plugin(&host, "date");
    let said = fail(&mut host.edge(&["replay", "app"]));
    assert!(said.contains("`text` was Utf8, and is Date32"), "{said}");
    assert_eq!(files(&host), before);
    assert_once(judged(&host), 100, 0);
}
