//! Prometheus reads what the agent does, and whoever asks hears whether it works. Read by Prometheus' own client for Python.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;

use crate::support::{Host, eventually, fail, python_with, succeed};

/// Everything that an agent tells, as the independent parser reads it.
pub fn scrape(address: &str) -> Vec<Value> {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    let python = PYTHON.get_or_init(|| python_with(&["prometheus-client==0.26.0"]));
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scrape.py");
    serde_json::from_str(&succeed(Command::new(python).arg(script).arg(address))).unwrap()
}

/// The value of the sample of this name that has these labels, and no others.
fn value(samples: &[Value], name: &str, labels: &[(&str, &str)]) -> f64 {
    let labels: Value = labels.iter().map(|(name, value)| (name.to_string(), Value::from(*value))).collect();
    let found = samples.iter().find(|sample| sample["name"] == name && sample["labels"] == labels);
    let found = found.unwrap_or_else(|| panic!("no {name} {labels} in {samples:#?}"));
    found["value"].as_f64().unwrap()
}

/// Has the agent serve its metrics on a socket, whose address is returned.
pub fn serve(host: &Host) -> String {
    let address = format!("unix:{}", host.path("metrics.sock").display());
    host.edit(|edge| format!("{edge}\n[metrics]\nlisten = \"{address}\"\n"));
    address
}

/// What an agent that serves its metrics so answers to whoever asks whether it does its work; nothing, if it does not serve
/// yet.
pub fn readiness(host: &Host) -> String {
    let Ok(mut socket) = UnixStream::connect(host.path("metrics.sock")) else { return String::new() };
    write!(socket, "GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    answer
}

fn is_ready(host: &Host) -> bool {
    readiness(host).starts_with("HTTP/1.1 200 ")
}

#[test]
fn prometheus_reads_what_each_part_of_the_agent_does() {
    let host = Host::new("builtin:json");
    host.configure(
        "builtin:json",
        "[[pipeline.then]]\nplugin = \"builtin:filter\"\nconfig = { where = 'message != \"left out\"' }\n",
    );
    host.edit(|edge| edge.replace("last_line_timeout = \"300ms\"", "last_line_timeout = \"1h\""));
    let address = serve(&host);
    // The central store is away: where its folder should be stands a file.
    fs::write(host.path("lake"), "").unwrap();
    host.append("logs/a.log", "{\"message\":\"one\"}\n{\"message\":\"left out\"}\nbroken\n");
    host.append("logs/b.log", "{\"message\":\"two\"}\n{\"mess");
    let agent = host.start();
    let (app, pipeline) = ([("source", "app")], [("pipeline", "app")]);
    let table = [("table", "app")];
    // What files are read to is told each second.
    eventually("objects wait to be put, and files are told of", || {
        is_ready(&host) && {
            let seen = scrape(&address);
            value(&seen, "logsmith_sync_waiting_objects", &table) == 2.0
                && value(&seen, "logsmith_source_read_bytes_total", &app) > 0.0
        }
    });
    let seen = scrape(&address);
    for (name, labels, wanted) in [
        ("logsmith_source_lines_total", &app, 4.0),
        ("logsmith_source_read_bytes_total", &app, 18.0 + 23.0 + 7.0 + 18.0),
        ("logsmith_source_lag_bytes", &app, 6.0),
        ("logsmith_source_files", &app, 2.0),
        ("logsmith_pipeline_lines_total", &pipeline, 4.0),
        ("logsmith_pipeline_rows_total", &pipeline, 2.0),
        ("logsmith_pipeline_dropped_total", &pipeline, 1.0),
        ("logsmith_pipeline_dead_letters_total", &pipeline, 1.0),
        ("logsmith_pipeline_held", &pipeline, 0.0),
        ("logsmith_pipeline_waiting_versions", &pipeline, 0.0),
        ("logsmith_pipeline_lag_seconds", &pipeline, 0.0),
        ("logsmith_sync_objects_total", &table, 0.0),
    ] {
        assert_eq!(value(&seen, name, labels), wanted, "{name}");
    }
    let json = [("pipeline", "app"), ("step", "1"), ("plugin", "builtin:json")];
    let filter = [("pipeline", "app"), ("step", "2"), ("plugin", "builtin:filter")];
    assert_eq!(value(&seen, "logsmith_plugin_rows_total", &json), 4.0);
    assert_eq!(value(&seen, "logsmith_plugin_rejects_total", &json), 1.0);
    assert_eq!(value(&seen, "logsmith_plugin_rows_total", &filter), 3.0);
    assert_eq!(value(&seen, "logsmith_plugin_dropped_total", &filter), 1.0);
    for (name, labels) in [
        ("logsmith_plugin_cpu_seconds_total", json.as_slice()),
        ("logsmith_plugin_cpu_seconds_total", &filter),
        ("logsmith_sync_waiting_bytes", &table),
        ("logsmith_sync_failures_total", &table),
        ("logsmith_disk_used_bytes", &[]),
        ("logsmith_disk_room_bytes", &[]),
        ("logsmith_bronze_commits_total", &[]),
        ("logsmith_bronze_written_bytes_total", &[]),
        ("process_cpu_seconds_total", &[]),
        ("process_resident_memory_bytes", &[]),
        ("process_open_fds", &[]),
    ] {
        assert!(value(&seen, name, labels) > 0.0, "{name}");
    }
    assert_eq!(value(&seen, "logsmith_disk_budget_bytes", &[]), 2e9);
    assert_eq!(value(&seen, "logsmith_disk_waits", &[]), 0.0);
    let began = value(&seen, "process_start_time_seconds", &[]);
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Realtime).tv_sec as f64;
    assert!((now - 600.0..=now + 1.0).contains(&began), "{began}, now {now}");
    assert_names_are_standard(&seen);

    eventually("time passes", || value(&scrape(&address), "logsmith_sync_lag_seconds", &table) > 0.0);
    fs::remove_file(host.path("lake")).unwrap();
    eventually("all is put", || value(&scrape(&address), "logsmith_sync_objects_total", &table) == 2.0);
    eventually("nothing waits", || {
        let seen = scrape(&address);
        ["logsmith_sync_waiting_objects", "logsmith_sync_waiting_bytes", "logsmith_sync_lag_seconds"]
            .iter()
            .all(|name| value(&seen, name, &table) == 0.0)
    });
    assert!(value(&scrape(&address), "logsmith_sync_put_bytes_total", &table) > 0.0);
    agent.stop();
    assert!(!host.path("metrics.sock").exists(), "the socket is left behind");
}

/// What the parser does not mind, and people do: every name is ours or the one that all have, and ends with its unit.
fn assert_names_are_standard(samples: &[Value]) {
    for sample in samples {
        let (family, unit) = (sample["family"].as_str().unwrap(), sample["unit"].as_str().unwrap());
        assert!(family.starts_with("logsmith_") || family.starts_with("process_"), "{sample}");
        let is_counter = sample["type"] == "counter";
        assert_eq!(sample["name"].as_str().unwrap().ends_with("_total"), is_counter, "{sample}");
        for word in ["bytes", "seconds"] {
            assert_eq!(family.ends_with(word), unit == word, "{sample}");
        }
    }
}

#[test]
fn what_a_plugin_counts_is_told_and_what_many_files_do_takes_no_more_series() {
    let host = Host::new("builtin:json");
    let address = serve(&host);
    host.append("logs/a.log", "{\"message\":\"one\"}\n");
    let agent = host.start();
    let series = |samples: &[Value]| -> BTreeSet<String> {
        samples.iter().map(|sample| format!("{} {}", sample["name"], sample["labels"])).collect()
    };
    let lines = |samples: &[Value]| value(samples, "logsmith_pipeline_lines_total", &[("pipeline", "app")]);
    eventually("a line is judged", || is_ready(&host) && lines(&scrape(&address)) == 1.0);
    let before = series(&scrape(&address));
    for file in 0..50 {
        host.append(&format!("logs/{file}.log"), "{\"message\":\"one\"}\n");
    }
    eventually("50 more are", || lines(&scrape(&address)) == 51.0);
    assert_eq!(series(&scrape(&address)), before);
    agent.stop();
}

#[test]
fn a_probe_hears_whether_the_agent_works() {
    let host = Host::new("builtin:json");
    let limit = |rejects: u32| {
        let limits = format!(
            "[pipeline.limits]\nrejects_per_minute_max = {rejects}\n[metrics]\nlisten = \"127.0.0.1:0\"\n"
        );
        host.configure("builtin:json", &limits);
    };
    limit(0);
    host.append("logs/a.log", "{\"message\":\"one\"}\n");
    let agent = host.start_telling("log", "info");
    let address = || -> Option<String> {
        let log = fs::read_to_string(host.path("log")).ok()?;
        Some(log.split("metrics on ").nth(1)?.lines().next()?.to_owned())
    };
    eventually("it is served", || address().is_some());
    let address = address().unwrap();
    let ask = |path: &str| {
        let mut socket = TcpStream::connect(&address).unwrap();
        write!(socket, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().to_owned(), body.to_owned())
    };
    let well = ("200".to_owned(), "ok\n".to_owned());
    assert_eq!(ask("/healthz"), well);
    eventually("it is ready", || ask("/readyz") == well);
    host.append("logs/a.log", "broken\n");
    let holds = "pipelines hold, since their plugins are broken: app\n";
    eventually("it is not ready", || ask("/readyz") == ("503".to_owned(), holds.to_owned()));
    assert_eq!(ask("/healthz"), well, "a new start would mend nothing");
    let samples = scrape(&address);
    assert_eq!(value(&samples, "logsmith_pipeline_held", &[("pipeline", "app")]), 1.0);
    let waiting = || value(&scrape(&address), "logsmith_pipeline_waiting_versions", &[("pipeline", "app")]);
    eventually("it is seen what waits", || waiting() == 1.0);
    assert!(value(&samples, "logsmith_log_messages_total", &[("level", "error")]) >= 1.0);
    limit(1);
    eventually("it goes on", || ask("/readyz") == well);
    agent.stop();
}

#[test]
fn mistakes_of_what_the_agent_tells_are_told_by_check() {
    let host = Host::new("builtin:json");
    let own = "\n[[source]]\nname = \"agent\"\n[source.self]\n";
    for (more, wanted) in [
        ("\n[metrics]\n".to_owned(), "metrics.listen: is missing"),
        ("\n[metrics]\nlisten = \"localhost:1\"\n".to_owned(), "`localhost:1` is no address"),
        ("\n[metrics]\nlisten = \"127.0.0.1:0\"\nport = 1\n".to_owned(), "metrics.port: is not known here"),
        (format!("{own}level = \"debug\"\n"), "write \"info\", \"warn\" or \"error\""),
        (format!("{own}metrics = \"1s\"\n"), "is too often; write at least \"10s\""),
        (format!("{own}{}", own.replace("agent", "again")), "only one source can be [source.self]"),
    ] {
        host.configure("builtin:json", &more);
        let said = fail(&mut host.edge(&["check"]));
        assert!(said.contains(wanted), "{more}: {said}");
    }
}
