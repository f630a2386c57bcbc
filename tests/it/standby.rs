//! Of several central jobs one works and the others stand by, and whoever watches them sees it.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::Stdio;

use crate::support::{Agent, Host, eventually, numbers, succeed};

/// Starts a central job that goes on, with metrics on a socket of its own.
fn start(host: &Host, name: &str) -> Agent {
    let config = host.path(&format!("{name}.toml"));
    let central = fs::read_to_string(host.path("central.toml")).unwrap();
    let listen = format!("unix:{}", host.path(&format!("{name}.sock")).display());
    fs::write(&config, format!("lease = \"2s\"\n{central}\n[metrics]\nlisten = \"{listen}\"\n")).unwrap();
    let log = fs::File::create(host.path(&format!("{name}.log"))).unwrap();
    let mut compact = crate::support::logsmith();
    compact.args(["compact", "--every", "100ms", "-c"]).arg(config).env("LOGSMITH_LOG", "info");
    Agent::start(compact.stdout(Stdio::null()).stderr(log))
}

/// What a job answers to a request for a path; nothing before it listens.
fn ask(host: &Host, name: &str, path: &str) -> String {
    let mut said = String::new();
    if let Ok(mut socket) = UnixStream::connect(host.path(&format!("{name}.sock"))) {
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        let _ = socket.write_all(request.as_bytes());
        let _ = socket.read_to_string(&mut said);
    }
    said
}

fn metric(host: &Host, name: &str, metric: &str) -> Option<f64> {
    let said = ask(host, name, "/metrics");
    said.lines().find_map(|line| line.strip_prefix(metric)?.trim().parse().ok())
}

fn ship(host: &Host, lines: usize) {
    host.append("logs/a.log", "{\"level\":\"INFO\",\"message\":\"m\"}\n".repeat(lines));
    succeed(&mut host.edge(&["run", "--once"]));
}

fn counted(host: &Host) -> Vec<i64> {
    numbers(&host.read("lake/gold/levels", &["log_count"]), "log_count")
}

#[test]
fn a_standby_waits_and_takes_over_when_the_holder_is_killed() {
    let host = Host::new("builtin:json");
    let mut first = start(&host, "first");
    succeed(crate::support::logsmith().arg("check").arg("-c").arg(host.path("first.toml")));
    eventually("the first job leads", || metric(&host, "first", "logsmith_compact_leads ") == Some(1.0));
    let second = start(&host, "second");
    eventually("the second job stands by", || {
        fs::read_to_string(host.path("second.log")).unwrap().contains("standing by: the lease is with")
    });
    ship(&host, 3);
    let rows = "logsmith_compact_rows_total{table=\"app\"} ";
    eventually("the first job folds", || metric(&host, "first", rows) == Some(3.0));
    assert_eq!(metric(&host, "second", "logsmith_compact_leads "), Some(0.0));
    assert_eq!(metric(&host, "second", "logsmith_compact_passes_total{result=\"whole\"} "), None);
    assert!(ask(&host, "second", "/readyz").starts_with("HTTP/1.1 200"), "one that stands by is well");

    first.kill();
    ship(&host, 4);
    eventually("the second job takes over", || metric(&host, "second", rows) == Some(4.0));
    assert_eq!(metric(&host, "second", "logsmith_compact_leads "), Some(1.0));
    eventually("Gold counts both", || counted(&host) == [7]);

    // One that is stopped in order lets go, and another need not wait.
    let third = start(&host, "third");
    eventually("the third job stands by", || metric(&host, "third", "logsmith_compact_leads ") == Some(0.0));
    second.stop();
    ship(&host, 1);
    eventually("the third job takes over", || metric(&host, "third", rows) == Some(1.0));
    eventually("Gold counts all", || counted(&host) == [8]);
    third.stop();
    assert!(!host.path("third.sock").exists());
}

#[test]
fn a_job_tells_what_it_did_and_what_it_cannot_do() {
    let host = Host::new("builtin:json");
    for lines in [2, 1, 1] {
        ship(&host, lines);
    }
    let landing = host.path("lake/landing/app/h1");
    let objects = walkdir::WalkDir::new(&landing).sort_by_file_name().into_iter().flatten();
    let objects: Vec<_> = objects.filter(|file| file.file_type().is_file()).collect();
    fs::remove_file(objects[1].path()).unwrap();
    fs::write(landing.join("x.parquet"), "no object").unwrap();
    let job = start(&host, "job");
    let of = |name: &str| metric(&host, "job", &format!("logsmith_compact_{name} "));
    eventually("passes were whole", || of("passes_total{result=\"whole\"}").is_some_and(|n| n > 1.0));
    assert!(ask(&host, "job", "/readyz").starts_with("HTTP/1.1 200"));
    for (name, value) in [
        ("objects_total{table=\"app\"}", 1.0),
        ("rows_total{table=\"app\"}", 2.0),
        ("quarantined_total{table=\"app\"}", 1.0),
        ("waiting_streams{table=\"app\"}", 1.0),
        ("view_failed{view=\"levels\"}", 0.0),
    ] {
        assert_eq!(of(name), Some(value), "{name}");
    }
    assert!(of("folded_bytes_total{table=\"app\"}").unwrap() > 1_000.0);
    assert!(of("last_success_timestamp_seconds").unwrap() > 1e9);
    assert!(of("pass_duration_seconds_count").unwrap() > 1.0);
    job.stop();

    host.views("levels", "SELECT nothing, count(*) AS n FROM app GROUP BY nothing");
    let job = start(&host, "job");
    eventually("the job is not ready", || ask(&host, "job", "/readyz").contains("could not do all"));
    assert_eq!(of("view_failed{view=\"levels\"}"), Some(1.0));
    assert!(ask(&host, "job", "/healthz").starts_with("HTTP/1.1 200"), "starting anew would mend nothing");
    job.stop();
}
