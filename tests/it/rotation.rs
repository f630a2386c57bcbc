//! The system's logrotate at work on a file that is being written: every byte that stands in the file or in a copy that
//! it keeps arrives once. What logrotate loses between its copy and its truncate exists nowhere.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::support::{Host, read_back, succeed};

/// How the writer finds its file after a rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Writing {
    /// It opens the file again when another stands at its path.
    Reopening,
    /// It keeps it open.
    KeepingOpen,
}

/// Rotates `LOGSMITH_ROTATIONS` times (600 at 100 ms are the minute that is promised), by default 20 times.
fn rotations() -> u32 {
    std::env::var("LOGSMITH_ROTATIONS").ok().and_then(|text| text.parse().ok()).unwrap_or(20)
}

/// The system's logrotate, installed if need be; none, said aloud, where it cannot be had.
fn logrotate() -> Option<PathBuf> {
    let path = PathBuf::from("/usr/sbin/logrotate");
    if !path.exists() {
        let _ = Command::new("apt-get").args(["install", "-y", "-qq", "logrotate"]).output();
    }
    if path.exists() {
        return Some(path);
    }
    eprintln!("skipped: logrotate is not installed");
    None
}

/// Writes numbered lines until told to stop.
fn write(path: &Path, writing: Writing, stop: &AtomicBool) {
    let open = || OpenOptions::new().create(true).append(true).open(path).unwrap();
    let mut file = open();
    let mut n = 0;
    while !stop.load(Ordering::Relaxed) {
        let is_moved = fs::metadata(path).map_or(true, |now| now.ino() != file.metadata().unwrap().ino());
        if is_moved && writing == Writing::Reopening {
            file = open();
        }
        let lines: String = (n..n + 10).map(|n| format!("{{\"n\":{n}}}\n")).collect();
        file.write_all(lines.as_bytes()).unwrap();
        n += 10;
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// In which files of these folders each line stands.
fn standing(folders: &[PathBuf]) -> BTreeMap<String, Vec<PathBuf>> {
    let mut lines: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    let files = folders.iter().flat_map(|folder| fs::read_dir(folder).unwrap()).flatten();
    for file in files.map(|file| file.path()).filter(|file| file.is_file()) {
        let mut bytes = fs::read(&file).unwrap();
        if bytes.starts_with(&[0x1f, 0x8b]) {
            bytes = Command::new("gzip").arg("-cdf").arg(&file).output().unwrap().stdout;
        }
        for line in String::from_utf8_lossy(&bytes).lines() {
            lines.entry(line.to_owned()).or_default().push(file.clone());
        }
    }
    lines
}

/// Lets logrotate rotate with `settings` while an agent tails `pattern`.
fn check(pattern: &str, settings: &str, writing: Writing, every: Duration) {
    let Some(logrotate) = logrotate() else { return };
    let host = Host::new("builtin:json");
    host.edit(|edge| edge.replace("*.log*", pattern));
    // The first start compiles the plugin.
    succeed(&mut host.edge(&["run", "--once"]));
    for folder in ["removed", "logs/old"] {
        fs::create_dir_all(host.path(folder)).unwrap();
    }
    let (log, removed) = (host.path("logs/app.log"), host.path("removed"));
    let config = format!(
        "{} {{\n su root root\n rotate 5\n missingok\n {settings}\n preremove\n cp \"$1\" {}/$(date +%s%N).gz\n endscript\n}}\n",
        log.display(),
        removed.display()
    );
    fs::write(host.path("logrotate.conf"), config).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&stop);
    let path = log.clone();
    let writer = std::thread::spawn(move || write(&path, writing, &told));
    crate::support::eventually("the log is written", || log.exists());
    let mut agent = host.start_telling("agent.log", "warn,logsmith::tail=debug");
    // Of a file that is rotated away before it was ever seen nobody knows where its copies are.
    crate::support::eventually("the log is read", || host.added("state/bronze") > 0);
    let rotations = if every == SECOND { rotations().min(8) } else { rotations() };
    for _ in 0..rotations {
        let next = Instant::now() + every;
        let mut rotate = Command::new(&logrotate);
        // It fails now and then where the writer has made the file that it wants to make.
        rotate
            .arg("-f")
            .arg("-s")
            .arg(host.path("rotated"))
            .arg(host.path("logrotate.conf"))
            .output()
            .unwrap();
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    stop.store(true, Ordering::Relaxed);
    writer.join().unwrap();
    agent.terminate();
    assert!(agent.wait().success());
    succeed(&mut host.edge(&["run", "--once"]));

    let stood = standing(&[host.path("logs"), host.path("logs/old"), removed]);
    let rows = &read_back(&[(host.path("state/bronze"), &["line", "file", "offset", "path"])])[0];
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in rows {
        let place = format!("{} of file {} at {}", row["offset"], row["file"], row["path"]);
        found.entry(row["line"].as_str().unwrap().to_owned()).or_default().push(place);
    }
    let lost: Vec<&String> = stood.keys().filter(|line| !found.contains_key(*line)).collect();
    let doubled: Vec<&String> =
        found.iter().filter(|(_, places)| places.len() > 1).map(|(line, _)| line).collect();
    let first = |lines: &[&String]| {
        let places = lines.first().and_then(|line| stood.get(*line));
        let rows = lines.first().and_then(|line| found.get(*line));
        format!("{} {:?} in {places:?}, read as {rows:?}", lines.len(), &lines[..lines.len().min(3)])
    };
    assert!(
        lost.is_empty() && doubled.is_empty(),
        "of {} lines lost {}, doubled {}\n{}",
        stood.len(),
        first(&lost),
        first(&doubled),
        fs::read_to_string(host.path("agent.log")).unwrap_or_default()
    );
    assert!(stood.len() > 100);
}

const TENTH: Duration = Duration::from_millis(100);
const SECOND: Duration = Duration::from_millis(1_050);

#[test]
fn logrotate_by_rename() {
    check("app.log*", "create", Writing::Reopening, TENTH);
}

#[test]
fn logrotate_by_rename_to_names_that_no_source_includes() {
    check("app.log", "create", Writing::Reopening, TENTH);
}

#[test]
fn logrotate_by_copy_and_truncate() {
    check("app.log*", "copytruncate", Writing::KeepingOpen, TENTH);
}

#[test]
fn logrotate_by_copy_and_truncate_to_names_that_no_source_includes() {
    check("app.log", "copytruncate", Writing::KeepingOpen, TENTH);
}

#[test]
fn logrotate_with_dates() {
    check("app.log*", "create\n dateext\n dateformat -%Y%m%d-%s", Writing::Reopening, SECOND);
}

#[test]
fn logrotate_by_rename_compressed_later() {
    check("app.log*", "create\n compress\n delaycompress", Writing::Reopening, TENTH);
}

#[test]
fn logrotate_by_copy_and_truncate_compressed_at_once_under_names_that_no_source_includes() {
    check("app.log", "copytruncate\n compress", Writing::KeepingOpen, TENTH);
}

#[test]
fn logrotate_to_another_folder() {
    check("app.log*", "create\n olddir old", Writing::Reopening, TENTH);
}
