//! Silver reaches an S3 server over HTTP, however long the server was away, and the lake is read from there.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use crate::s3::{self, KEY, SECRET, Server};
use crate::support::{Agent, Host, eventually, python, succeed};

fn store_options(address: SocketAddr) -> String {
    s3::options(address, KEY, SECRET)
}

/// Has the host put to the server at `address`.
fn put_to_s3(host: &Host, address: SocketAddr) {
    let url = format!("url = \"file://{}\"", host.path("lake").display());
    let options = store_options(address);
    host.edit(|edge| {
        edge.replace(&url, &format!("url = \"s3://logs/lake\"\n\n[central.options]\n{options}"))
    });
}

#[test]
fn silver_waits_for_an_s3_server_that_is_away_and_gold_is_made_there() {
    let host = Host::new("builtin:json");
    let lake = host.path("s3");
    fs::create_dir_all(lake.join("logs")).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);

    put_to_s3(&host, address);
    let options = store_options(address);
    let central = format!(
        "url = \"s3://logs/lake\"\n\n[options]\n{options}\n[[view]]\nname = \"levels\"\n\
         sql = \"SELECT level AS log_level, count(*) AS log_count FROM app GROUP BY level\"\n"
    );
    fs::write(host.path("central.toml"), central).unwrap();
    let text: String = (0..500).map(|n| format!("{{\"level\":\"INFO\",\"message\":\"m{n}\"}}\n")).collect();
    fs::write(host.path("logs/a.log"), text + "no json\n").unwrap();

    let mut agent = host.start();
    eventually("Silver was made while the server is away", || host.commits("state/silver/app") > 1);
    let server = Server::start(&lake, TcpListener::bind(address).unwrap());
    let landing = lake.join("logs/lake/landing");
    let objects =
        || walkdir::WalkDir::new(&landing).into_iter().flatten().filter(|e| e.file_type().is_file()).count();
    eventually("rows and dead letters are in the landing", || objects() >= 2);
    agent.terminate();
    assert!(agent.wait().success());

    succeed(&mut host.central(&["compact"]));
    let said = succeed(&mut host.central(&[
        "query",
        "--format",
        "csv",
        "SELECT log_level, log_count FROM gold.levels",
    ]));
    assert_eq!(said, "log_level,log_count\nINFO,500\n");
    assert_eq!(objects(), 0, "folded objects are still in the landing");

    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/read_back.py");
    let read = succeed(
        std::process::Command::new(python())
            .arg(script)
            .args(["s3://logs/lake/gold/levels", "log_level", "log_count"])
            .envs(s3::environment(address)),
    );
    assert_eq!(read.trim(), r#"{"log_level": "INFO", "log_count": 500}"#);
    drop(server);
}

/// One name that no client can use made every listing fail, and stopped the job for all hosts.
#[test]
fn regression_names_that_cannot_be_used_hide_the_objects_of_their_host_only() {
    let host = Host::new("builtin:json");
    let lake = host.path("s3");
    fs::create_dir_all(lake.join("logs")).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    put_to_s3(&host, address);
    let options = store_options(address);
    let central = format!("url = \"s3://logs/lake\"\n\n[options]\n{options}");
    fs::write(host.path("central.toml"), central).unwrap();
    let _server = Server::start(&lake, listener);
    fs::write(host.path("logs/a.log"), "{\"level\":\"INFO\"}\n".repeat(7)).unwrap();
    succeed(&mut host.edge(&["run", "--once"]));

    let landing = lake.join("logs/lake/landing");
    let names =
        ["app/evil/t/a\u{1}.parquet", "app/evil/t/b\u{1}.parquet", "a\u{2}b/evil/x", "aaa/evil/\u{3}/x"];
    for name in names {
        let file = landing.join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, "x").unwrap();
    }
    fs::create_dir_all(landing.join("app/x1")).unwrap();
    fs::write(landing.join("app/x1/stray"), "x").unwrap();
    let said = succeed(&mut host.central(&["compact"]));
    assert!(said.contains("silver/app: 1 objects, 7 rows folded"), "{said}");
    assert!(said.contains("quarantine: landing/app/x1/stray"), "what comes after is listed too: {said}");
    for name in [r"landing/app/evil/t/a\u{1}", r"landing/a\u{2}b/evil/x", r"landing/aaa/evil/\u{3}/x"] {
        assert!(said.contains(&format!("remove by hand: `lake/{name}")), "{name}: {said}");
    }
    assert_eq!(said.matches("remove by hand").count(), 3, "a folder is told once: {said}");
}

/// A verdict that was committed while earlier ones were put was passed over until the next start.
#[test]
fn regression_a_verdict_that_comes_while_others_are_put_is_put_too() {
    let host = Host::new("builtin:json");
    host.edit(|edge| {
        edge.replace("bronze_interval", "bronze_bytes = \"4KiB\"\nsilver_bytes = \"1KiB\"\nbronze_interval")
    });
    for round in 0..5 {
        let text: String =
            (0..2_000).map(|n| format!("{{\"level\":\"INFO\",\"message\":\"m{n}\"}}\n")).collect();
        fs::write(host.path(&format!("logs/{round}.log")), text).unwrap();
        host.finish();
        assert_eq!(host.read("lake/silver/app", &["offset"]).len(), 2_000 * (round + 1));
    }
}

/// An agent whose Silver waits for a server that takes connections and never answers, and what it shipped before.
fn with_a_silent_server() -> (Host, TcpListener, Agent) {
    let host = Host::new("builtin:json");
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    put_to_s3(&host, silent.local_addr().unwrap());
    fs::write(host.path("logs/a.log"), "{\"message\":\"m1\"}\n").unwrap();
    let agent = host.start();
    eventually("Silver waits to be put", || host.commits("state/silver/app") > 1);
    (host, silent, agent)
}

fn assert_the_next_start_ships_what_was_left(host: &Host) {
    host.configure("builtin:json", "");
    host.finish();
    assert_eq!(host.read("lake/silver/app", &["message"]).len(), 1);
}

#[test]
fn a_stop_waits_for_the_central_store_only_so_long() {
    let (host, _silent, mut agent) = with_a_silent_server();
    agent.terminate();
    assert!(agent.wait().success());
    assert_the_next_start_ships_what_was_left(&host);
}

#[test]
fn a_second_signal_stops_at_once() {
    let (host, _silent, mut agent) = with_a_silent_server();
    agent.terminate();
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert!(agent.is_running(), "the first signal waits for what is left");
    agent.terminate();
    assert_eq!(agent.wait().code(), Some(1));
    assert_the_next_start_ships_what_was_left(&host);
}
