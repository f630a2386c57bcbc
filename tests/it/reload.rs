//! A running agent takes sources, pipelines, limits and the central store as the configuration has them, and each line
//! arrives once.

use std::fs;
use std::io::Write;
use std::os::unix::net::UnixDatagram;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::process::Signal;

use crate::support::{Agent, Host, eventually, numbers, read_back, succeed};

/// A source with its pipeline, which reads `logs/<name>/*.log`.
fn pair(name: &str, more: &str) -> String {
    format!(
        "\n[[source]]\nname = \"{name}\"\ninclude = [\"logs/{name}/*.log\"]\n{more}\
         [[pipeline]]\nname = \"{name}\"\nsources = [\"{name}\"]\nplugin = \"builtin:regex\"\n\
         config = {{ patterns = ['^(?<n>\\d+)$'], types = {{ n = \"long\" }} }}\n"
    )
}

/// The agent's part, with the central store at `url`.
fn agent(url: &str, more: &str) -> String {
    format!(
        "[agent]\nstate_dir = \"state\"\nhost = \"h1\"\nbronze_interval = \"100ms\"\n\
         silver_interval = \"200ms\"\n{more}[central]\nurl = \"{url}\"\n"
    )
}

/// Writes numbers, one a line, until it is stopped; answers how many.
fn write(host: &Host, name: &str, stop: &Arc<AtomicBool>) -> std::thread::JoinHandle<i64> {
    fs::create_dir(host.path("logs").join(name)).unwrap();
    let mut file = fs::File::create(host.path("logs").join(name).join("a.log")).unwrap();
    let stop = Arc::clone(stop);
    std::thread::spawn(move || {
        let mut written = 0;
        while !stop.load(Ordering::Relaxed) {
            writeln!(file, "{written}").unwrap();
            written += 1;
            std::thread::sleep(Duration::from_millis(1));
        }
        written
    })
}

#[test]
fn what_changes_while_lines_are_written_loses_and_repeats_none() {
    let host = Host::new("builtin:json");
    let stop = Arc::new(AtomicBool::new(false));
    let writers = ["a", "b"].map(|name| write(&host, name, &stop));
    let lake = format!("file://{}lake", host.path("").display());
    // Nothing listens there: the store is away.
    let away = "s3://bucket/x\"\noptions = { region = \"eu-central-1\", aws_endpoint = \"http://127.0.0.1:9\", \
                aws_allow_http = \"true\", aws_access_key_id = \"k\", aws_secret_access_key = \"s\" }\nupload_rate = \"1GB";
    let configure = |text: String| fs::write(host.path("edge.toml"), text).unwrap();
    configure(agent(away, "") + &pair("a", ""));

    let told = UnixDatagram::bind(host.path("notify")).unwrap();
    // Its queue is short.
    let listener = std::thread::spawn(move || {
        let (mut buffer, mut news) = ([0; 4096], String::new());
        while !news.contains("STOPPING=1") {
            let length = told.recv(&mut buffer).unwrap();
            news += &format!("{}\n", String::from_utf8_lossy(&buffer[..length]));
        }
        news
    });
    let log = fs::File::create(host.path("log")).unwrap();
    let mut run = host.edge(&["run"]);
    run.env("NOTIFY_SOCKET", host.path("notify")).env("LOGSMITH_LOG", "logsmith=info").stderr(log);
    let agent_process = Agent::start(&mut run);
    let started = |times: usize| {
        eventually(&format!("start {times}"), || {
            fs::read_to_string(host.path("log")).unwrap().matches("agent started").count() == times
        });
    };
    let judges = |table: &str| {
        let before = host.added(&format!("state/silver/{table}"));
        eventually("more lines are judged", || host.added(&format!("state/silver/{table}")) > before);
    };
    started(1);
    judges("a");

    configure(agent(away, "") + &pair("a", "") + &pair("b", ""));
    started(2);
    judges("b");
    configure(agent(away, "disk_budget = \"3GB\"\nopen_files_max = 9\n") + &pair("a", "") + &pair("b", ""));
    started(3);
    judges("a");
    configure(agent(&lake, "") + &pair("a", "") + &pair("b", "line_bytes_max = \"1KiB\"\n"));
    agent_process.signal(Signal::HUP);
    started(4);
    judges("b");
    configure(agent(&lake, "") + &pair("a", ""));
    started(5);
    judges("a");

    // What cannot be started with is refused as a whole, once.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let metrics = format!("[metrics]\nlisten = \"{}\"\n", port.local_addr().unwrap());
    configure(agent(&lake, "") + &metrics + &pair("a", ""));
    eventually("the refusal is told", || {
        succeed(&mut host.edge(&["status"])).contains("configuration changed since the agent started: ")
    });
    judges("a");
    configure(agent(&lake, "") + &pair("a", "") + &pair("b", ""));
    started(7);
    judges("b");
    assert!(!listener.is_finished(), "the service manager was told of a stop");
    stop.store(true, Ordering::Relaxed);
    let written = writers.map(|writer| writer.join().unwrap());
    agent_process.stop();
    succeed(&mut host.edge(&["run", "--once"]));

    let tables = ["a", "b"].map(|name| (host.path(&format!("state/silver/{name}")), &["n"] as &[&str]));
    for (rows, written) in read_back(&tables).iter().zip(written) {
        assert!(numbers(rows, "n") == (0..written).collect::<Vec<_>>(), "{} rows of {written}", rows.len());
    }
    assert_eq!(host.read("state/bronze", &["file"]).len() as i64, written.iter().sum::<i64>());
    let news = listener.join().unwrap();
    let log = fs::read_to_string(host.path("log")).unwrap();
    assert_eq!(log.matches("the changed configuration is not taken").count(), 1, "{log}");
    assert!(news.matches("RELOADING=1").count() >= 6, "{news}");
}
