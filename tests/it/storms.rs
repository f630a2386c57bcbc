//! A store that fails in every way that stores fail: nothing is lost, and nothing arrives twice.

use std::collections::HashSet;
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::s3::{self, Asked, Fate, Server};
use crate::support::{Host, eventually, fail, python, succeed};

/// The patience of clients in these tests.
const PATIENCE: &str = "timeout = \"2s\"\n";

/// A host, and a lake on an S3 server that knows no harm yet.
fn with_server() -> (Host, Server) {
    let host = Host::new("builtin:json");
    let server = Server::start(&host.path("s3"), TcpListener::bind("127.0.0.1:0").unwrap());
    let options = server.options() + PATIENCE;
    let url = format!("url = \"file://{}\"", host.path("lake").display());
    host.edit(|edge| {
        edge.replace(&url, &format!("url = \"s3://logs/lake\"\n\n[central.options]\n{options}"))
    });
    let central = format!(
        "url = \"s3://logs/lake\"\n\n[options]\n{options}\n[[view]]\nname = \"levels\"\n\
         sql = \"SELECT level AS log_level, count(*) AS log_count FROM app GROUP BY level\"\n"
    );
    fs::write(host.path("central.toml"), central).unwrap();
    (host, server)
}

/// Rows of tables in the lake, as the independent reader sees them.
fn read(server: &Server, table: &str, columns: &[&str]) -> Vec<Value> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/read_back.py");
    let mut python = Command::new(python());
    let table = format!("s3://logs/lake/{table}");
    let said = succeed(python.arg(script).arg(table).args(columns).envs(s3::environment(server.address())));
    said.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Lines `from..to`, every tenth broken; each says its number.
fn lines(from: u64, to: u64) -> String {
    let line = |n: u64| match n % 10 {
        7 => format!("{{\"message\":\"m{n}\n"),
        _ => format!("{{\"level\":\"INFO\",\"message\":\"m{n}\"}}\n"),
    };
    (from..to).map(line).collect()
}

/// Asserts that each of the lines `0..total` is in the lake once, as a row or as a dead letter, and counted once.
fn assert_each_once(server: &Server, total: u64) {
    let number = |text: &str| text.rsplit('m').next().unwrap().parse::<u64>().unwrap();
    let rows = read(server, "silver/app", &["message"]);
    let dead = read(server, "silver/dead_letter", &["line"]);
    let rows = rows.iter().map(|row| row["message"].as_str().unwrap());
    let dead = dead.iter().map(|row| row["line"].as_str().unwrap());
    let mut numbers: Vec<u64> = rows.chain(dead).map(number).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..total).collect::<Vec<_>>());
    let counted = read(server, "gold/levels", &["log_count"]);
    assert_eq!(counted, [json!({"log_count": total - total / 10})]);
}

/// A number that a request and a seed always draw.
fn drawn(seed: u64, asked: &Asked) -> u64 {
    let text = format!("{seed} {} {} {}", asked.method, asked.path, asked.query);
    u64::from_le_bytes(Sha256::digest(text).as_slice()[..8].try_into().unwrap())
}

/// Each request fails once, in a way that its name and the seed draw, before it is served.
fn every_request_fails_once(seed: u64) -> impl Fn(&Asked) -> Fate + Send + Sync {
    let failed = Mutex::new(HashSet::new());
    move |asked| {
        if !failed.lock().unwrap().insert((asked.method.clone(), asked.path.clone(), asked.query.clone())) {
            return Fate::Served;
        }
        let drawn = drawn(seed, asked);
        match drawn % 8 {
            0 => Fate::Refused(503, "SlowDown"),
            1 => Fate::Refused(500, "InternalError"),
            2 => Fate::RefusedAfter(500, "InternalError"),
            3 => Fate::Cut,
            4 => Fate::CutAfter,
            5 if asked.create_only => Fate::Refused(409, "ConditionalRequestConflict"),
            6 if drawn % 64 == 6 => Fate::Silence,
            7 if asked.lists() => Fate::Unnoticed(|key| key.len() % 2 == 0),
            _ => Fate::Slow(Duration::from_millis(drawn % 50)),
        }
    }
}

#[test]
fn whatever_fails_once_neither_loses_nor_repeats_a_line() {
    let (host, server) = with_server();
    for round in 0..3 {
        server.rule(every_request_fails_once(round));
        for part in 0..2 {
            let from = round * 100 + part * 50;
            host.append("logs/a.log", lines(from, from + 50));
            succeed(&mut host.edge(&["run", "--once"]));
        }
        // A pass may fail; the next goes on.
        eventually("a pass was whole and found nothing more", || {
            let pass = host.central(&["compact"]).output().unwrap();
            let said = String::from_utf8_lossy(&pass.stdout).into_owned();
            pass.status.success() && said.contains("gold/levels") && !said.contains("waiting") && {
                server.rule(|_| Fate::Served);
                let said = succeed(&mut host.central(&["fleet", "--format", "json"]));
                let host: Value = serde_json::from_str(said.lines().next().unwrap()).unwrap();
                server.rule(every_request_fails_once(100 + round));
                host["waiting"] == 0
            }
        });
        server.rule(|_| Fate::Served);
        assert_each_once(&server, (round + 1) * 100);
    }
}

/// S3 answers 409 where another request for the name is under way, and nothing is there afterwards. That was taken for
/// "it is there already", and the host went on without the object.
#[test]
fn regression_a_put_that_the_store_did_not_decide_is_put_again() {
    let (host, server) = with_server();
    let answered = Mutex::new(HashSet::new());
    server.rule(move |asked| {
        let is_new = asked.create_only && answered.lock().unwrap().insert(asked.path.clone());
        if is_new { Fate::Refused(409, "ConditionalRequestConflict") } else { Fate::Served }
    });
    host.append("logs/a.log", lines(0, 20));
    succeed(&mut host.edge(&["run", "--once"]));
    succeed(&mut host.central(&["compact"]));
    assert_each_once(&server, 20);
}

/// Two jobs that both believe to be alone, over a store whose listings lag and whose answers get lost.
#[test]
fn two_jobs_at_once_over_a_failing_store_fold_each_line_once() {
    let (host, server) = with_server();
    let count = Mutex::new(0_u64);
    server.rule(move |asked| {
        let mut count = count.lock().unwrap();
        *count += 1;
        match drawn(*count, asked) % 12 {
            0 => Fate::CutAfter,
            1 => Fate::RefusedAfter(503, "SlowDown"),
            2 if asked.lists() => Fate::Unnoticed(|key| key.ends_with(['1', '3', '5', '7', '9', 't'])),
            3 => Fate::Refused(500, "InternalError"),
            _ => Fate::Served,
        }
    });
    let mut total = 0;
    for _ in 0..4 {
        host.append("logs/a.log", lines(total, total + 50));
        total += 50;
        succeed(&mut host.edge(&["run", "--once"]));
        let jobs = [(); 2].map(|()| {
            host.central(&["compact"])
                .stdout(std::process::Stdio::null())
                .stderr(std::process::Stdio::null())
                .spawn()
                .unwrap()
        });
        for mut job in jobs {
            job.wait().unwrap();
        }
    }
    server.rule(|_| Fate::Served);
    succeed(&mut host.central(&["compact"]));
    assert_each_once(&server, total);
}

#[test]
fn a_store_that_refuses_for_good_is_told_and_nothing_is_deleted() {
    let (host, server) = with_server();
    host.append("logs/a.log", lines(0, 20));
    succeed(&mut host.edge(&["run", "--once"]));
    server.rule(|asked| match asked.path.contains("_delta_log") && asked.method == "PUT" {
        true => Fate::Refused(403, "AccessDenied"),
        false => Fate::Served,
    });
    let said = fail(&mut host.central(&["compact"]));
    assert!(!said.contains(s3::SECRET), "{said}");
    let deleted =
        server.asked().into_iter().filter(|asked| asked.method == "DELETE" || asked.query.contains("delete"));
    assert_eq!(deleted.count(), 0);
    server.rule(|_| Fate::Served);
    succeed(&mut host.central(&["compact"]));
    assert_each_once(&server, 20);
}
