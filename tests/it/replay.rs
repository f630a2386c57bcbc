//! Lines that are kept are judged again by plugins that changed, and what comes of them replaces what was there: on the
//! host, in the fleet's Silver and in Gold, each line once at any time.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::Value;

use crate::support::{Host, component, eventually, fail, read_back, succeed, text};

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

/// As in `logsmith replay app --dry-run | head -1`: it panicked, with a backtrace.
#[test]
fn regression_a_dry_run_ends_quietly_where_nobody_reads_on() {
    let host = poisoned();
    ship(&host, 0..1);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = host.edge(&["replay", "app", "--dry-run"]).stdout(writer).output().unwrap();
    assert_eq!(output.status.signal(), Some(libc::SIGPIPE), "{}", text(&output));
    assert!(!text(&output).contains("Broken pipe"), "{}", text(&output));
}

#[test]
fn a_replay_begins_where_it_is_told_to_or_where_the_verdict_on_that_begins() {
    let host = poisoned();
    let lines = ship(&host, 0..3);
    plugin(&host, "none");
    let versions: Vec<u64> = verdicts(&host).iter().map(first).collect();
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

/// Gold is what a fresh count of fleet Silver gives, and that has each line once.
#[track_caller]
fn assert_fleet_once(host: &Host, lines: usize, dead_letters: usize) {
    let [rows, dead] = counted(host, "lake/silver/app", "lake/silver/dead_letter");
    let gold = host.read("lake/gold/texts", &["text", "n"]);
    let gold = gold
        .iter()
        .map(|row| (row["text"].as_str().unwrap().to_owned(), row["n"].as_u64().unwrap() as usize));
    assert_eq!(gold.collect::<BTreeMap<_, _>>(), rows, "Gold");
    assert_once([rows, dead], lines, dead_letters);
    let left = walkdir::WalkDir::new(host.path("lake/landing")).into_iter().flatten();
    assert_eq!(left.filter(|entry| entry.file_type().is_file()).count(), 0, "landing objects are left");
    assert!(!host.path("lake/quarantine").exists());
}

#[test]
fn a_replay_goes_on_to_the_fleet_and_to_gold() {
    let host = poisoned();
    let lines = ship(&host, 0..3);
    succeed(&mut host.central(&["compact"]));
    assert_fleet_once(&host, lines, 3);
    plugin(&host, "none");
    replay(&host, &[]);
    host.finish();
    assert_fleet_once(&host, lines, 0);
    // Back and forth, in part, and while other lines come.
    plugin(&host, "trap");
    let lines = lines + ship(&host, 3..5);
    replay(&host, &["--from", &verdicts(&host).last().unwrap()["bronze"]["first"].to_string()]);
    replay(&host, &[]);
    host.finish();
    assert_fleet_once(&host, lines, 5);
}

#[test]
fn a_replay_whose_objects_meet_a_central_job_that_is_killed_is_folded_once() {
    for edge in
        ["after-silver-commit", "after-state-commit", "after-gold-commit", "before-delete", "mid-delete"]
    {
        let host = poisoned();
        let lines = ship(&host, 0..2);
        succeed(&mut host.central(&["compact"]));
        plugin(&host, "none");
        replay(&host, &[]);
        succeed(&mut host.edge(&["run", "--once"]));
        let killed = host.central(&["compact"]).env("LOGSMITH_KILL_AT", edge).output().unwrap();
        assert!(!killed.status.success(), "{edge} was never reached");
        succeed(&mut host.central(&["compact"]));
        assert_fleet_once(&host, lines, 0);
    }
}

#[test]
fn what_was_replaced_before_it_was_put_is_put_all_the_same() {
    let host = poisoned();
    let with_central = fs::read_to_string(host.path("edge.toml")).unwrap();
    host.leave_central();
    let mut lines = ship(&host, 0..3);
    host.edit(|edge| edge.replace("\"trap\"", "\"none\""));
    replay(&host, &[]);
    // Starts sweep what nothing needs.
    lines += ship(&host, 3..5);
    fs::write(host.path("edge.toml"), with_central.replace("\"trap\"", "\"none\"")).unwrap();
    succeed(&mut host.edge(&["run", "--once"]));
    let said = succeed(&mut host.central(&["compact"]));
    assert!(!said.contains("waiting"), "{said}");
    assert_fleet_once(&host, lines, 0);
    succeed(&mut host.edge(&["run", "--once"]));
    let files = files(&host).into_keys().filter(|path| path.extension().is_some_and(|x| x == "parquet"));
    let silver = files.filter(|path| path.starts_with(host.path("state/silver/app/date"))).count();
    assert!(silver <= 3, "{silver} files: what was replaced and is put is swept");
}

#[test]
fn lines_that_are_no_longer_the_pipelines_leave_everything() {
    let host = poisoned();
    ship(&host, 0..2);
    succeed(&mut host.central(&["compact"]));
    let other = host.path("other");
    host.edit(|edge| {
        format!(
            "{edge}sources = [\"other\"]\n\n[[source]]\nname = \"other\"\ninclude = [\"{}/*.log\"]\n",
            other.display()
        )
    });
    let said = replay(&host, &[]);
    assert!(said.contains("lines                  20            0"), "{said}");
    assert_once(judged(&host), 0, 0);
    host.finish();
    assert_fleet_once(&host, 0, 0);
}

#[test]
fn dead_letters_alone_are_tried_again_and_those_that_pass_become_rows() {
    let host = poisoned();
    let mut lines = ship(&host, 0..3);
    let seqs = |host: &Host| {
        let rows = host.read("state/silver/app", &["text", "seq", "processed_at"]);
        let rows = rows.into_iter().filter(|row| row["text"].as_str().unwrap().starts_with("innocent"));
        rows.map(|row| row.to_string()).collect::<std::collections::BTreeSet<_>>()
    };
    let before = seqs(&host);
    // Those that do not pass stay what they are.
    replay(&host, &["--dead-letters"]);
    assert_once(judged(&host), lines, 3);
    host.finish();
    assert_fleet_once(&host, lines, 3);

    plugin(&host, "none");
    let said = replay(&host, &["--dead-letters", "--dry-run"]);
    assert!(said.contains("3 lines would change") && said.contains("+ text=POISON 1.3"), "{said}");
    let last = verdicts(&host).iter().map(first).max().unwrap();
    replay(&host, &["--dead-letters", "--from", &last.to_string()]);
    assert_once(judged(&host), lines, 0);
    assert_eq!(seqs(&host), before, "rows that were there were not made anew");
    host.finish();
    assert_fleet_once(&host, lines, 0);
    // All of it is replaced by a replay of all lines.
    plugin(&host, "trap");
    lines += ship(&host, 3..4);
    replay(&host, &[]);
    assert_once(judged(&host), lines, 4);
    plugin(&host, "none");
    let mut again = host.edge(&["replay", "app", "--dead-letters"]);
    let killed = again.env("LOGSMITH_KILL_AT", "after-replay-commit").output().unwrap();
    assert!(!killed.status.success());
    host.finish();
    assert_once(judged(&host), lines, 0);
    assert_fleet_once(&host, lines, 0);
    let status = succeed(&mut host.edge(&["status"]));
    assert!(
        status.contains("40 lines judged")
            && status.contains("rows 40, dropped on purpose 0, dead letters 0"),
        "{status}"
    );
}

/// As where the central job is of an older version, or had no name yet for a column of another type.
#[test]
fn a_generation_that_central_has_not_seen_is_replaced_by_the_next_all_the_same() {
    let host = poisoned();
    let lines = ship(&host, 0..2);
    succeed(&mut host.central(&["compact"]));
    plugin(&host, "none");
    replay(&host, &[]);
    succeed(&mut host.edge(&["run", "--once"]));
    let landing = walkdir::WalkDir::new(host.path("lake/landing")).into_iter().flatten();
    let objects: Vec<PathBuf> = landing.filter(|e| e.file_type().is_file()).map(|e| e.into_path()).collect();
    assert_eq!(objects.len(), 2, "rows, and that there are no dead letters");
    for object in &objects {
        let whole = fs::read(object).unwrap();
        fs::write(object, &whole[1..]).unwrap();
        let aside = host.path(object.file_name().unwrap().to_str().unwrap());
        fs::write(aside, whole).unwrap();
    }
    let said = succeed(&mut host.central(&["compact"]));
    assert_eq!(said.matches("quarantine: ").count(), 2, "{said}");
    assert_once(counted(&host, "lake/silver/app", "lake/silver/dead_letter"), lines, 2);
    replay(&host, &[]);
    host.finish();
    assert_once(counted(&host, "lake/silver/app", "lake/silver/dead_letter"), lines, 0);
    for object in &objects {
        let name = object.strip_prefix(host.path("lake/landing")).unwrap();
        let kept = host.path("lake/quarantine").join(name);
        fs::copy(host.path(name.file_name().unwrap().to_str().unwrap()), &kept).unwrap();
        let said = host.central(&["requeue", &format!("quarantine/{}", name.display())]).output().unwrap();
        let said = crate::support::text(&said);
        assert!(said.contains("its rows were replaced by those of object"), "{said}");
    }
    succeed(&mut host.central(&["compact"]));
    assert_once(counted(&host, "lake/silver/app", "lake/silver/dead_letter"), lines, 0);
    let gold = host.read("lake/gold/texts", &["n"]);
    assert_eq!(gold.iter().map(|row| row["n"].as_i64().unwrap()).sum::<i64>(), 20);
}

/// `LOGSMITH_REPLAYS=300 cargo test --test it replays_at_random` takes some minutes; 30 steps do by default.
#[test]
fn whatever_is_replayed_at_random_each_line_is_there_once() {
    let steps = std::env::var("LOGSMITH_REPLAYS").ok().and_then(|text| text.parse().ok()).unwrap_or(30);
    let host = poisoned();
    let mut random = StdRng::seed_from_u64(4);
    let (mut rounds, mut lines) = (1, ship(&host, 0..1));
    let mut told = Vec::new();
    for step in 0..steps {
        let from = random.random_range(1..4 + 2 * rounds).to_string();
        let mut arguments = vec!["replay", "app"];
        match random.random_range(0..6) {
            0 => {
                lines += ship(&host, rounds..rounds + 1);
                rounds += 1;
                told.push("ship".to_owned());
                continue;
            }
            1 => {
                succeed(&mut host.central(&["compact"]));
                told.push("compact".to_owned());
                continue;
            }
            2 => arguments.push("--dead-letters"),
            3 => arguments.extend(["--from", &from]),
            4 => arguments.extend(["--dead-letters", "--from", &from]),
            _ => {}
        }
        let crime = if random.random_bool(0.5) { "trap" } else { "none" };
        let edge = ["", "after-replay-files", "after-replay-commit"][random.random_range(0..3)];
        plugin(&host, crime);
        // What is beyond the last version, or left of no dead letters, is refused.
        let _ = host.edge(&arguments).env("LOGSMITH_KILL_AT", edge).output().unwrap();
        told.push(format!("{crime} {arguments:?} {edge}"));
        if random.random_bool(0.5) || step + 1 == steps {
            host.finish();
            let [rows, dead] = counted(&host, "lake/silver/app", "lake/silver/dead_letter");
            let here = judged(&host);
            assert_eq!(here, [rows.clone(), dead.clone()], "fleet and host differ after {told:#?}");
            assert!(
                rows.values().chain(dead.values()).all(|n| *n == 1),
                "twice: {rows:?} {dead:?} {told:#?}"
            );
            assert_eq!(rows.len() + dead.len(), lines, "{told:#?}");
        }
    }
    host.finish();
    let [_, dead] = judged(&host);
    assert_fleet_once(&host, lines, dead.len());
}
