//! What containers say arrives once and whole, as columns, whatever their runtimes, kubelet and a kill do meanwhile.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;

use crate::support::{Host, eventually, read_back, succeed};

const POD: &str = "logs/pods/shop_web-7d9f_0a1b-2c/nginx";

/// A host that reads the files below `logs` that match `pattern`, by the rule for containers.
fn host(pattern: &str) -> Host {
    let host = Host::new("builtin:container");
    host.edit(|edge| {
        let rule = "[source.multiline]\npreset = \"container\"\ntimeout = \"20s\"\n[[pipeline]]";
        edge.replace("*.log*", pattern).replace("[[pipeline]]", rule)
    });
    // The first start compiles the plugin.
    succeed(&mut host.edge(&["run", "--once"]));
    host
}

fn append(path: &Path, text: &str) {
    OpenOptions::new().create(true).append(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

fn cri(stream: &str, tag: &str, text: &str) -> String {
    format!("2026-11-22T10:00:00.000000001Z {stream} {tag} {text}\n")
}

/// The lines of a record, and its messages.
fn record(n: u64) -> (Vec<String>, Vec<String>) {
    let (out, err) = ("stdout", "stderr");
    match n % 4 {
        0 => (vec![cri(out, "F", &format!("{n} whole"))], vec![format!("stdout {n} whole")]),
        1 => (
            vec![cri(err, "P", &format!("{n} a")), cri(err, "P", "b"), cri(err, "F", "c")],
            vec![format!("stderr {n} abc")],
        ),
        2 => (
            vec![
                cri(out, "P", &format!("{n} x")),
                cri(err, "P", &format!("{n} u")),
                cri(out, "F", "y"),
                cri(out, "F", &format!("{n} aside")),
                cri(err, "F", "v"),
            ],
            vec![format!("stdout {n} xy"), format!("stderr {n} uv"), format!("stdout {n} aside")],
        ),
        _ => (
            vec![cri(out, "F", &format!("{n} {}", "é".repeat(40)))],
            vec![format!("stdout {n} {}", "é".repeat(40))],
        ),
    }
}

/// Renames the log as kubelet does, and compresses what was renamed before: to a temporary file first.
fn rotate(folder: &Path, n: u64, before: &mut Option<PathBuf>) {
    let rotated = folder.join(format!("0.log.20261122-{n:06}"));
    fs::rename(folder.join("0.log"), &rotated).unwrap();
    if let Some(old) = before.replace(rotated) {
        let of = |ending: &str| PathBuf::from(format!("{}.{ending}", old.display()));
        let compressed = succeed_bytes(Command::new("gzip").arg("-c").arg(&old));
        fs::write(of("tmp"), compressed).unwrap();
        fs::rename(of("tmp"), of("gz")).unwrap();
        fs::remove_file(&old).unwrap();
    }
}

fn succeed_bytes(command: &mut Command) -> Vec<u8> {
    let output = command.output().unwrap();
    assert!(output.status.success());
    output.stdout
}

fn said(rows: &[Value]) -> Vec<String> {
    let text = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
    let mut said: Vec<String> =
        rows.iter().map(|row| format!("{} {}", text(row, "stream"), text(row, "message"))).collect();
    said.sort();
    said
}

#[test]
fn messages_are_whole_through_kills_and_rotations_by_kubelet() {
    let host = host("pods/*/*/*.log");
    let folder = host.path(POD);
    fs::create_dir_all(&folder).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let (told, path) = (Arc::clone(&stop), folder);
    let writer = std::thread::spawn(move || {
        let (mut n, mut before) = (0, None);
        while !told.load(Ordering::Relaxed) {
            for _ in 0..100 {
                // Line by line, so that the agent comes across parts without their end, and commits between them.
                let lines = record(n).0;
                for (line, number) in lines.iter().zip(1..) {
                    append(&path.join("0.log"), line);
                    if number < lines.len() && n % 20 < 2 {
                        std::thread::sleep(Duration::from_millis(if n % 100 == 1 { 200 } else { 5 }));
                    }
                }
                n += 1;
                if n % 10 == 0 {
                    std::thread::sleep(Duration::from_millis(8));
                }
            }
            rotate(&path, n, &mut before);
        }
        n
    });
    for kill in 0..8 {
        let mut agent = host.start();
        std::thread::sleep(Duration::from_millis(200 + kill * 90));
        agent.kill();
    }
    stop.store(true, Ordering::Relaxed);
    let written = writer.join().unwrap();
    succeed(&mut host.edge(&["run", "--once"]));
    let columns: &[&str] = &["time", "stream", "message", "namespace", "pod", "container", "path"];
    let [rows, dead] =
        read_back(&[(host.path("state/silver/app"), columns), (host.path("state/dead_letter"), &["line"])])
            .try_into()
            .unwrap();
    let mut wanted: Vec<String> = (0..written).flat_map(|n| record(n).1).collect();
    wanted.sort();
    let found = said(&rows);
    let first = found.iter().zip(&wanted).find(|(found, wanted)| found != wanted);
    assert!(found == wanted, "{} of {}; first difference {first:?}", found.len(), wanted.len());
    assert_eq!(dead, Vec::<Value>::new());
    for row in &rows {
        let named = (&row["namespace"], &row["pod"], &row["container"], &row["time"]);
        let wanted = (&"shop".into(), &"web-7d9f".into(), &"nginx".into(), &1_795_341_600_000_000_i64.into());
        assert_eq!(named, wanted, "{row}");
    }
}

#[test]
fn a_message_whose_parts_come_before_and_after_a_flush_and_a_restart_is_one() {
    let host = host("pods/*/*/*.log");
    fs::create_dir_all(host.path(POD)).unwrap();
    let log = host.path(POD).join("0.log");
    let begun = host.commits("state/bronze");
    append(&log, &(cri("stdout", "F", "one") + &cri("stdout", "P", "tw") + &cri("stderr", "F", "aside")));
    let mut agent = host.start();
    eventually("the first message is committed", || host.commits("state/bronze") > begun);
    append(&log, &cri("stdout", "P", "o "));
    std::thread::sleep(Duration::from_millis(300));
    agent.kill();
    append(&log, &(cri("stdout", "F", "parts") + "free text\n"));
    succeed(&mut host.edge(&["run", "--once"]));
    let tables: [(_, &[&str]); 2] = [
        (host.path("state/silver/app"), &["stream", "message"]),
        (host.path("state/dead_letter"), &["line", "reason"]),
    ];
    let [rows, dead] = read_back(&tables).try_into().unwrap();
    assert_eq!(said(&rows), ["stderr aside", "stdout one", "stdout two parts"]);
    assert_eq!(dead.len(), 1);
    assert_eq!(dead[0]["line"], "free text");
    assert!(dead[0]["reason"].as_str().unwrap().contains("the time is \"free\""), "{}", dead[0]);
}

#[test]
fn docker_and_the_links_of_kubelet_are_read_too() {
    let host = host("containers/**/*.log*");
    let id = "0123456789abcdef".repeat(4);
    let docker = host.path("logs/containers").join(&id);
    fs::create_dir_all(&docker).unwrap();
    fs::create_dir_all(host.path(POD)).unwrap();
    append(&host.path(POD).join("0.log"), &(cri("stderr", "P", "by ") + &cri("stderr", "F", "link")));
    let link = host.path("logs/containers").join(format!("web-7d9f_shop_nginx-{id}.log"));
    std::os::unix::fs::symlink(host.path(POD).join("0.log"), link).unwrap();
    let line = |stream: &str, text: &str| {
        format!(
            "{{\"log\":\"{text}\",\"stream\":\"{stream}\",\"time\":\"2026-11-22T10:00:00.000000001Z\"}}\n"
        )
    };
    let log = docker.join(format!("{id}-json.log"));
    let rotated = docker.join(format!("{id}-json.log.1"));
    append(&log, &(line("stdout", "a") + &line("stderr", "aside\\n") + &line("stdout", "b\\r\\n")));
    succeed(&mut host.edge(&["run", "--once"]));
    append(&log, &line("stdout", "rotated\\n"));
    fs::rename(&log, rotated).unwrap();
    append(&log, &line("stdout", "new\\n"));
    let target = host.path(POD).join("0.log");
    append(&target, &cri("stderr", "F", "by link too"));
    fs::rename(&target, host.path(POD).join("0.log.20261122-100000")).unwrap();
    append(&target, &cri("stderr", "F", "by link again"));
    succeed(&mut host.edge(&["run", "--once"]));
    let columns = &["stream", "message", "namespace", "pod", "container", "container_id"];
    let rows = host.read("state/silver/app", columns);
    let linked = ["stderr by link", "stderr by link again", "stderr by link too"];
    let wanted = [&["stderr aside"], &linked[..], &["stdout ab", "stdout new", "stdout rotated"]].concat();
    assert_eq!(said(&rows), wanted);
    for row in rows {
        let is_link = row["stream"] == "stderr" && row["message"] != "aside";
        // A file that was rotated under a link is named as it stands, and that name has no id.
        let is_rotated = row["message"] == "by link too";
        assert_eq!(row["container_id"].as_str(), (!is_rotated).then_some(id.as_str()), "{row}");
        assert_eq!(row["namespace"].as_str(), is_link.then_some("shop"), "{row}");
        assert_eq!(row["container"].as_str(), is_link.then_some("nginx"));
    }
}
