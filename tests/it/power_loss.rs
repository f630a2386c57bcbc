//! The power fails at any moment: what was not synced by then is gone, torn, or there, as it pleases the disk.
//! The agent opens what is left, goes on, and every line arrives once.
//!
//! A run is recorded by strace: which files were made, synced, named and removed, in which order. From the record a
//! folder is rebuilt as a disk may hold it after a power loss at one of 200 moments.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::Value;

use crate::support::{Host, read_back, succeed};

const CUTS: usize = 200;
/// Gold is made after every so many of them.
const CUTS_PER_GOLD: usize = 20;
const LINES: u64 = 1_200;

/// What changes a disk, in the order in which it was done.
#[derive(Clone, Debug)]
enum Event {
    Folder(PathBuf),
    Created(PathBuf),
    Synced(PathBuf),
    Linked { from: PathBuf, to: PathBuf },
    Renamed { from: PathBuf, to: PathBuf },
    Removed(PathBuf),
}

/// The events below `root` in a record of strace.
fn events(record: &str, root: &Path) -> Vec<Event> {
    let mut begun: HashMap<&str, String> = HashMap::new();
    let mut events = Vec::new();
    for line in record.lines() {
        let (thread, call) = line.split_once(' ').unwrap();
        let call = call.trim_start();
        if let Some(start) = call.strip_suffix(" <unfinished ...>") {
            begun.insert(thread, start.to_owned());
            continue;
        }
        let whole = match call.split_once(" resumed>") {
            Some((_, rest)) => begun.remove(thread).unwrap_or_default() + rest,
            None => call.to_owned(),
        };
        events.extend(event(&whole, root));
    }
    events
}

fn event(call: &str, root: &Path) -> Option<Event> {
    let (name, rest) = call.split_once('(')?;
    let (arguments, result) = rest.rsplit_once(") = ").or_else(|| rest.rsplit_once(")  "))?;
    let result = result.trim_start_matches([' ', '=']);
    if result.starts_with('-') {
        return None;
    }
    let quoted: Vec<PathBuf> = arguments.split('"').skip(1).step_by(2).map(PathBuf::from).collect();
    let event = match (name, quoted.as_slice()) {
        ("mkdir" | "mkdirat", [folder]) => Event::Folder(folder.clone()),
        ("openat", [file]) if arguments.contains("O_CREAT") => Event::Created(file.clone()),
        ("fsync" | "fdatasync", _) => {
            let path = arguments.split_once('<')?.1.trim_end_matches('>');
            Event::Synced(PathBuf::from(path))
        }
        ("link" | "linkat", [from, to]) => Event::Linked { from: from.clone(), to: to.clone() },
        ("rename" | "renameat" | "renameat2", [from, to]) => {
            Event::Renamed { from: from.clone(), to: to.clone() }
        }
        ("unlink" | "unlinkat", [file]) => Event::Removed(file.clone()),
        _ => return None,
    };
    let path = match &event {
        Event::Folder(path) | Event::Created(path) | Event::Synced(path) | Event::Removed(path) => path,
        Event::Linked { to, .. } | Event::Renamed { to, .. } => to,
    };
    let is_cache = path.components().any(|part| part.as_os_str() == "cache");
    (path.starts_with(root) && !is_cache).then_some(event)
}

/// What a disk holds after `done` happened and the power failed: names of files, and whether their bytes are whole.
fn survivors(done: &[Event], random: &mut StdRng) -> (HashSet<PathBuf>, HashMap<PathBuf, Bytes>) {
    let mut folders: HashMap<PathBuf, bool> = HashMap::new();
    let mut names: HashMap<PathBuf, bool> = HashMap::new();
    let mut whole: HashSet<PathBuf> = HashSet::new();
    let mut removed: HashSet<PathBuf> = HashSet::new();
    for event in done {
        match event {
            Event::Folder(path) => drop(folders.insert(path.clone(), false)),
            Event::Created(path) => drop(names.insert(path.clone(), false)),
            Event::Synced(path) => {
                whole.insert(path.clone());
                folders
                    .iter_mut()
                    .filter(|(entry, _)| entry.parent() == Some(path))
                    .for_each(|(_, d)| *d = true);
                names
                    .iter_mut()
                    .filter(|(entry, _)| entry.parent() == Some(path))
                    .for_each(|(_, d)| *d = true);
                let gone: Vec<_> =
                    removed.iter().filter(|entry| entry.parent() == Some(path)).cloned().collect();
                for entry in gone {
                    removed.remove(&entry);
                    names.remove(&entry);
                }
            }
            Event::Linked { from, to } => {
                if whole.contains(from) {
                    whole.insert(to.clone());
                }
                names.insert(to.clone(), false);
            }
            Event::Renamed { from, to } => {
                if whole.contains(from) {
                    whole.insert(to.clone());
                }
                removed.insert(from.clone());
                names.entry(to.clone()).or_insert(false);
            }
            Event::Removed(path) => drop(removed.insert(path.clone())),
        }
    }
    // What no sync of its folder has settled is there or not, one by one.
    let kept_folders: HashSet<PathBuf> = folders
        .into_iter()
        .filter(|(_, durable)| *durable || random.random())
        .map(|(path, _)| path)
        .collect();
    let kept = names
        .into_iter()
        .filter(|(path, durable)| match removed.contains(path) {
            true => random.random(),
            false => *durable || random.random(),
        })
        .map(|(path, _)| {
            let bytes = if whole.contains(&path) { Bytes::Whole } else { Bytes::Torn };
            (path, bytes)
        })
        .collect();
    (kept_folders, kept)
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Bytes {
    Whole,
    Torn,
}

/// The file by which a state folder is known as the one that was written.
const LOCK: &str = "state/lock";

/// Empties `root` and puts back what survived, with bytes from `finished`, where the recorded run ended. The lock comes
/// back as the same file.
fn rebuild(root: &Path, finished: &Path, done: &[Event], random: &mut StdRng) {
    for top in ["state", "lake"] {
        let folder = root.join(top);
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if entry.file_name() != "cache" {
                if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
            }
        }
    }
    let (folders, files) = survivors(done, random);
    let stands = |path: &Path| {
        let above = path.ancestors().skip(1).take_while(|folder| *folder != root && folder.starts_with(root));
        above.into_iter().all(|folder| {
            folders.contains(folder) || folder == root.join("state") || folder == root.join("lake")
        })
    };
    for folder in folders.iter().filter(|folder| stands(folder)) {
        fs::create_dir_all(folder).unwrap();
    }
    for (path, bytes) in files.iter().filter(|(path, _)| stands(path)) {
        if *path == root.join(LOCK) {
            fs::hard_link(root.join("lock"), path).unwrap();
            continue;
        }
        let text = path.to_str().unwrap();
        let name = text.split_once('#').map_or(text, |(name, _)| name);
        let content =
            fs::read(finished.join(Path::new(name).strip_prefix(root).unwrap())).unwrap_or_default();
        let content = match bytes {
            Bytes::Whole => content,
            Bytes::Torn => {
                let mut torn = content[..random.random_range(0..=content.len())].to_vec();
                torn.extend(std::iter::repeat_n(0, random.random_range(0..100)));
                torn
            }
        };
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
}

/// Runs the agent once, and returns what it did to the disk below `root`.
fn recorded(root: &Path) -> Vec<Event> {
    let record = root.join("record");
    let calls =
        "trace=openat,fsync,fdatasync,link,linkat,rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat";
    let mut command = Command::new("strace");
    command.args(["-f", "-y", "-s", "4096", "-e", calls, "-o"]).arg(&record);
    command.arg(env!("CARGO_BIN_EXE_logsmith")).args(["run", "--once", "-c"]).arg(root.join("edge.toml"));
    succeed(&mut command);
    events(&fs::read_to_string(&record).unwrap(), root)
}

fn line(n: u64) -> String {
    if n % 40 == 3 {
        format!("broken {n}\n")
    } else {
        format!("{{\"level\":\"INFO\",\"message\":\"{n}\"}}\n")
    }
}

fn number(row: &Value, column: &str) -> u64 {
    let digits: String = row[column].as_str().unwrap().chars().filter(char::is_ascii_digit).collect();
    digits.parse().unwrap()
}

#[test]
fn after_a_power_loss_at_any_moment_every_line_arrives_once() {
    let host = Host::new("builtin:json");
    // Small flushes, so that one run commits often.
    host.edit(|edge| {
        edge.replace("bronze_interval", "bronze_bytes = \"2KiB\"\nsilver_bytes = \"8KiB\"\nbronze_interval")
    });
    let half = |range: std::ops::Range<u64>| range.map(line).collect::<String>();
    fs::write(host.path("logs/a.log"), half(0..LINES / 2)).unwrap();
    fs::write(host.path("logs/b.log"), half(LINES / 2..LINES)).unwrap();
    let root = host.path("").canonicalize().unwrap();

    let events = recorded(&root);
    let commits = events
        .iter()
        .filter(|e| matches!(e, Event::Linked { to, .. } if to.extension().is_some_and(|x| x == "json")));
    assert!(commits.count() > 20, "the record holds too little: {}", events.len());
    fs::hard_link(root.join(LOCK), root.join("lock")).unwrap();
    let finished = root.join("finished");
    fs::create_dir(&finished).unwrap();
    for top in ["state", "lake"] {
        succeed(Command::new("cp").arg("-a").arg(root.join(top)).arg(&finished));
    }

    let mut random = StdRng::seed_from_u64(200);
    let mut results: Vec<(PathBuf, &[&str])> = Vec::new();
    let mut reports: Vec<String> = Vec::new();
    let mut golds: Vec<(PathBuf, &[&str])> = Vec::new();
    for cut in 0..CUTS {
        let at = (cut * events.len() + random.random_range(0..events.len())) / CUTS;
        rebuild(&root, &finished, &events[..at], &mut random);
        let output = host.edge(&["run", "--once"]).output().unwrap();
        assert!(output.status.success(), "cut {cut} after event {at}: {}", crate::support::text(&output));
        let result = root.join(format!("result-{cut}"));
        if cut % CUTS_PER_GOLD == 0 {
            reports.push(succeed(&mut host.central(&["compact"])));
            succeed(
                Command::new("cp").arg("-a").arg(root.join("lake")).arg(root.join(format!("lake-{cut}"))),
            );
            golds.push((root.join(format!("lake-{cut}/gold/levels")), &["log_count"]));
        }
        succeed(Command::new("cp").arg("-a").arg(root.join("state")).arg(&result));
        results.push((result.join("bronze"), &["line"]));
        results.push((result.join("silver/app"), &["message"]));
        results.push((result.join("dead_letter"), &["line"]));
    }
    let all: Vec<u64> = (0..LINES).collect();
    for (cut, tables) in read_back(&results).chunks(3).enumerate() {
        let sorted = |mut numbers: Vec<u64>| {
            numbers.sort_unstable();
            numbers
        };
        let bronze: Vec<u64> = tables[0].iter().map(|row| number(row, "line")).collect();
        let judged = tables[1].iter().map(|row| number(row, "message"));
        let judged = judged.chain(tables[2].iter().map(|row| number(row, "line"))).collect();
        assert_eq!(sorted(bronze), all, "Bronze after cut {cut}");
        assert_eq!(sorted(judged), all, "Silver and dead letters after cut {cut}");
    }
    let whole = (0..LINES).filter(|n| n % 40 != 3).count() as u64;
    for (cut, gold) in read_back(&golds).iter().enumerate() {
        assert_eq!(
            gold[0]["log_count"].as_u64(),
            Some(whole),
            "Gold after cut {}: {}",
            cut * CUTS_PER_GOLD,
            reports[cut]
        );
    }
}

/// A process that is killed between naming a file and syncing its folder leaves a name that a power loss takes away.
#[test]
fn regression_what_a_killed_process_named_is_synced_before_anything_is_built_on_it() {
    let host = Host::new("builtin:json");
    fs::write(host.path("logs/a.log"), line(1)).unwrap();
    succeed(&mut host.edge(&["run", "--once"]));
    fs::write(host.path("logs/b.log"), line(2)).unwrap();
    let events = recorded(&host.path("").canonicalize().unwrap());
    let first = events.iter().position(|event| matches!(event, Event::Linked { .. })).unwrap();
    for table in ["bronze", "silver/app", "dead_letter"] {
        let log = format!("state/{table}/_delta_log");
        let is_synced = |event: &Event| matches!(event, Event::Synced(path) if path.ends_with(&log));
        assert!(events[..first].iter().any(is_synced), "{log} is not synced before {:?}", events[first]);
    }
}
