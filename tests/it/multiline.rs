//! Records of several lines arrive whole and once, whatever is killed or rotated meanwhile.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::support::{Host, fail, read_back, succeed};

/// Sets `keys` as the multiline section of the host's only source.
fn configure(host: &Host, keys: &str) {
    host.configure("builtin:json", "");
    host.edit(|edge| edge.replace("[[pipeline]]", &format!("[source.multiline]\n{keys}\n[[pipeline]]")));
}

#[test]
fn a_stack_trace_is_a_column_of_its_record() {
    let host = Host::new("builtin:json");
    configure(&host, "start = '^\\d{4}-'");
    host.edit(|edge| edge.replace("builtin:json", "builtin:java"));
    let trace = "java.lang.IllegalStateException: no stock\n\tat a.B.c(B.java:1)\nCaused by: d.E";
    let head = "2026-11-30 08:05:09.123 ERROR 7 --- [           main] a.B                   : ";
    let records = format!("{head}failed\n\n{trace}\n{head}and again\n\tindented\n");
    fs::write(host.path("logs/a.log"), records).unwrap();
    succeed(&mut host.edge(&["run", "--once"]));
    let mut rows = host.read("state/silver/app", &["offset", "message", "exception"]);
    rows.sort_by_key(|row| row["offset"].as_i64());
    let found: Vec<_> = rows.iter().map(|row| (row["message"].as_str(), row["exception"].as_str())).collect();
    assert_eq!(found, [(Some("failed"), Some(trace)), (Some("and again\n\tindented"), None)]);
}

/// Record number `n`: one to four lines.
fn record(n: u64) -> String {
    let frames: String = (0..n % 4).map(|frame| format!("\n\tat a.B.c{frame}(B.java:{n})")).collect();
    format!("{n} ERROR failed{frames}")
}

#[test]
fn records_are_whole_through_kills_and_rotations() {
    let host = Host::new("builtin:json");
    configure(&host, "preset = \"java\"\ntimeout = \"5s\"");
    succeed(&mut host.edge(&["run", "--once"]));
    let stop = Arc::new(AtomicBool::new(false));
    let (told, folder) = (Arc::clone(&stop), host.path("logs"));
    let writer = std::thread::spawn(move || {
        let mut n = 0;
        while !told.load(Ordering::Relaxed) {
            let mut file = OpenOptions::new().create(true).append(true).open(folder.join("a.log")).unwrap();
            for _ in 0..200 {
                // Line by line, so that the agent comes across records in the making.
                for line in (record(n) + "\n").split_inclusive('\n') {
                    file.write_all(line.as_bytes()).unwrap();
                }
                n += 1;
                if n % 20 == 0 {
                    std::thread::sleep(Duration::from_millis(5));
                }
            }
            fs::rename(folder.join("a.log"), folder.join(format!("a.log.{n}"))).unwrap();
        }
        n
    });
    for kill in 0..10 {
        let mut agent = host.start();
        std::thread::sleep(Duration::from_millis(100 + kill * 90));
        agent.kill();
    }
    stop.store(true, Ordering::Relaxed);
    let written = writer.join().unwrap();
    succeed(&mut host.edge(&["run", "--once"]));
    let rows = &read_back(&[(host.path("state/bronze"), &["line"])])[0];
    let mut found: Vec<&str> = rows.iter().map(|row| row["line"].as_str().unwrap()).collect();
    found.sort_unstable();
    let mut wanted: Vec<String> = (0..written).map(record).collect();
    wanted.sort();
    let first = found.iter().zip(&wanted).find(|(found, wanted)| found != wanted);
    assert!(found == wanted, "{} of {}; first difference {first:?}", found.len(), wanted.len());
}

#[test]
fn mistakes_in_the_settings_are_told() {
    let host = Host::new("builtin:json");
    let cases = [
        ("preset = \"cobol\"", "source[0].multiline.preset: `cobol` is no preset; there are indented, java"),
        ("start = \"[\"", "source[0].multiline.start: regex parse error"),
        ("start = \"a\"\ncontinuation = \"b\"", "write one of preset, start and continuation"),
        ("timeout = \"1s\"", "source[0].multiline.preset: is missing"),
        ("preset = \"java\"\nlines_max = 0", "source[0].multiline.lines_max"),
        ("preset = \"java\"\nline_max = 3", "source[0].multiline.line_max: is not known here"),
    ];
    for (keys, wanted) in cases {
        configure(&host, keys);
        let said = fail(&mut host.edge(&["check"]));
        assert!(said.contains(wanted), "`{wanted}` is not in:\n{said}");
    }
    configure(&host, "continuation = '^\\s'");
    succeed(&mut host.edge(&["check"]));
}
