//! A running agent takes sources, pipelines, limits and the central store as the configuration has them, and each line
//! arrives once.

use std::fs;
use std::io::Write;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::process::Signal;

use crate::feeds::{REMOTE, write_journal};
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
    let started = |times: usize| started(&host, times);
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
    let port = TcpListener::bind("127.0.0.1:0").unwrap();
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

/// Waits until the agent has started so many times.
fn started(host: &Host, times: usize) {
    told(host, "agent started", times);
}

/// Waits until the agent has told something so many times.
fn told(host: &Host, words: &str, times: usize) {
    eventually(&format!("`{words}` is told {times} times"), || {
        fs::read_to_string(host.path("log")).unwrap().matches(words).count() == times
    });
}

/// Has the agent start anew, whatever it runs.
fn change(host: &Host, open_files_max: usize) {
    let text = fs::read_to_string(host.path("edge.toml")).unwrap();
    let (before, after) = text.split_once("open_files_max = ").unwrap();
    let (_, after) = after.split_once('\n').unwrap();
    let changed = format!("{before}open_files_max = {open_files_max}\n{after}");
    fs::write(host.path("edge.new"), changed).unwrap();
    fs::rename(host.path("edge.new"), host.path("edge.toml")).unwrap();
}

#[test]
fn an_agent_killed_in_the_middle_of_a_reload_loses_and_repeats_nothing() {
    let host = Host::new("builtin:json");
    let stop = Arc::new(AtomicBool::new(false));
    let writer = write(&host, "a", &stop);
    let lake = format!("file://{}lake", host.path("").display());
    fs::write(host.path("edge.toml"), agent(&lake, "open_files_max = 9\n") + &pair("a", "")).unwrap();
    let moments = ["all starts anew for [agent]", "reading ended", "agent started"];
    for (round, moment) in moments.iter().enumerate() {
        let mut agent = host.start_telling("log", "logsmith=info");
        started(&host, 1);
        change(&host, 10 + round);
        told(&host, moment, if *moment == "agent started" { 2 } else { 1 });
        agent.kill();
    }
    stop.store(true, Ordering::Relaxed);
    let written = writer.join().unwrap();
    succeed(&mut host.edge(&["run", "--once"]));
    let rows = host.read("state/silver/a", &["n"]);
    assert!(numbers(&rows, "n") == (0..written).collect::<Vec<_>>(), "{} rows of {written}", rows.len());
    succeed(&mut host.central(&["compact"]));
    assert_eq!(host.read("lake/silver/a", &["n"]).len() as i64, written);
}

/// What listened let go of its address when the next message came, so that the agent could not start again, and ended.
#[test]
fn regression_what_arrives_over_syslog_is_taken_before_and_after_a_reload() {
    let host = Host::new("builtin:json");
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let metrics = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (lake, socket) = (format!("file://{}lake", host.path("").display()), host.path("syslog.sock"));
    let listens = format!("\"udp://{free}\", \"tcp://{free}\", \"unix://{}\"", socket.display());
    let source = format!(
        "[metrics]\nlisten = \"{metrics}\"\n[[source]]\nname = \"net\"\nsyslog = [{listens}]\n\
         [[source]]\nname = \"self\"\n[source.self]\n\
         [[pipeline]]\nname = \"net\"\nsources = [\"net\"]\nplugin = \"builtin:syslog\"\n\
         [[pipeline]]\nname = \"self\"\nsources = [\"self\"]\nplugin = \"builtin:json\"\n"
    );
    fs::write(host.path("edge.toml"), agent(&lake, "open_files_max = 9\n") + &source).unwrap();
    let mut running = host.start_telling("log", "logsmith=info");
    let mut expected = Vec::new();
    for reload in 1..=3 {
        started(&host, reload);
        let mut connection = TcpStream::connect(free).unwrap();
        let (udp, unix) = (UdpSocket::bind("127.0.0.1:0").unwrap(), UnixDatagram::unbound().unwrap());
        for n in 0..50 {
            let message = |kind| format!("<13>1 2026-11-22T10:00:00Z h app - - - {kind} {reload} {n}");
            writeln!(connection, "{}", message("tcp")).unwrap();
            udp.send_to(message("udp").as_bytes(), free).unwrap();
            unix.send_to(message("unix").as_bytes(), &socket).unwrap();
            expected.extend(["tcp", "udp", "unix"].map(message));
        }
        change(&host, 10 + reload);
    }
    started(&host, 4);
    assert!(running.is_running());
    assert!(TcpStream::connect(metrics).is_ok(), "metrics are served no more");
    running.stop();
    let tables = [(host.path("state/bronze"), &["line", "source"] as &[&str])];
    let rows = read_back(&tables).remove(0);
    let of = |source: &str| {
        let rows = rows.iter().filter(|row| row["source"] == source);
        rows.map(|row| row["line"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let mut lines = of("net");
    lines.sort();
    expected.sort();
    assert_eq!(lines, expected);
    let starts = of("self").iter().filter(|line| line.contains("agent started")).count();
    assert!(starts >= 3, "after a reload it tells no more of itself: {starts}");
}

#[test]
fn a_pipeline_that_holds_holds_no_reload_up() {
    let host = Host::new("builtin:json");
    let stop = Arc::new(AtomicBool::new(false));
    let writer = write(&host, "a", &stop);
    let lake = format!("file://{}lake", host.path("").display());
    let broken = "\n[[pipeline]]\nname = \"b\"\nsources = [\"a\"]\nplugin = \"builtin:access\"\n\
                  [pipeline.limits]\nrejects_per_minute_max = 1\n";
    let configure = |more: &str, broken: &str| {
        fs::write(host.path("edge.toml"), agent(&lake, more) + &pair("a", "") + broken)
    };
    configure("", broken).unwrap();
    let running = host.start_telling("log", "logsmith=info");
    let holds = || succeed(&mut host.edge(&["status"])).contains("HOLDS until its plugin is mended");
    eventually("it holds", holds);
    configure("open_files_max = 9\n", broken).unwrap();
    started(&host, 2);
    eventually("it holds again", holds);
    let before = host.added("state/silver/a");
    eventually("the other one goes on", || host.added("state/silver/a") > before);

    // Mended by what has all start anew.
    let mended = broken.replace("rejects_per_minute_max = 1", "call_cpu_time_max = \"200ms\"");
    configure("open_files_max = 10\n", &mended).unwrap();
    started(&host, 3);
    stop.store(true, Ordering::Relaxed);
    let written = writer.join().unwrap();
    running.stop();
    succeed(&mut host.edge(&["run", "--once"]));
    let rows = host.read("state/silver/a", &["n"]);
    assert!(numbers(&rows, "n") == (0..written).collect::<Vec<_>>(), "{} rows of {written}", rows.len());
    let dead = host.read("state/dead_letter", &["line"]);
    let mut dead: Vec<i64> = dead.iter().map(|row| row["line"].as_str().unwrap().parse().unwrap()).collect();
    dead.sort_unstable();
    assert!(dead == (0..written).collect::<Vec<_>>(), "{} dead letters of {written}", dead.len());
}

#[test]
fn the_journal_goes_on_where_it_was_when_the_configuration_changes() {
    if !Path::new(REMOTE).exists() {
        return eprintln!("skipped: {REMOTE}, which makes journals, is not there");
    }
    let host = Host::new("builtin:json");
    fs::create_dir(host.path("journal")).unwrap();
    let journal = host.path("journal/one.journal");
    let source = format!(
        "[[source]]\nname = \"journal\"\n[source.journal]\ndirectory = \"{}\"\nunits = [\"web.service\"]\n\
         [[pipeline]]\nname = \"journal\"\nplugin = \"builtin:json\"\n",
        host.path("journal").display()
    );
    let lake = format!("file://{}lake", host.path("").display());
    fs::write(host.path("edge.toml"), agent(&lake, "open_files_max = 9\n") + &source).unwrap();
    write_journal(&journal, 0..1_000);
    let running = host.start_telling("log", "logsmith=info");
    for reload in 1..=3 {
        started(&host, reload);
        write_journal(&journal, reload as u32 * 1_000..reload as u32 * 1_000 + 1_000);
        change(&host, 10 + reload);
    }
    started(&host, 4);
    running.stop();
    succeed(&mut host.edge(&["run", "--once"]));
    let rows = host.read("state/bronze", &["line"]);
    let number = |row: &serde_json::Value| {
        let entry: serde_json::Value = serde_json::from_str(row["line"].as_str().unwrap()).unwrap();
        entry["MESSAGE"].as_str().unwrap()[1..].parse::<u32>().unwrap()
    };
    let mut found: Vec<u32> = rows.iter().map(number).collect();
    found.sort_unstable();
    assert_eq!(found, (0..4_000).filter(|n: &u32| !n.is_multiple_of(3)).collect::<Vec<_>>());
}
