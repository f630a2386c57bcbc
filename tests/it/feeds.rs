//! Lines that come through a pipe, over a connection, or out of the journal reach the lake as those of files do.

use std::fs;
use std::io::Write;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, Stdio};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::support::{Host, eventually, fail, succeed};

/// Puts the configuration's source in the place of `logs/*.log*`.
fn with_source(host: &Host, source: &str) {
    host.edit(|edge| {
        let (before, after) = edge.split_once("[[source]]").unwrap();
        let (_, after) = after.split_once("[[pipeline]]").unwrap();
        format!("{before}[[source]]\nname = \"app\"\n{source}\n\n[[pipeline]]{after}")
    });
}

fn lines(host: &Host) -> Vec<String> {
    let rows = host.read("state/bronze", &["line", "file", "offset"]);
    let mut places: Vec<_> = rows.iter().map(|row| (row["file"].as_i64(), row["offset"].as_i64())).collect();
    places.sort_unstable();
    places.dedup();
    assert_eq!(places.len(), rows.len(), "two lines have one place");
    let mut lines: Vec<String> = rows.iter().map(|row| row["line"].as_str().unwrap().to_owned()).collect();
    lines.sort();
    lines
}

fn sorted(lines: impl Iterator<Item = String>) -> Vec<String> {
    let mut lines: Vec<String> = lines.collect();
    lines.sort();
    lines
}

#[test]
fn a_pipe_is_read_to_its_end() {
    let host = Host::new("builtin:json");
    let line = |n: u32| format!("{{\"level\":\"INFO\",\"message\":\"m{n}\"}}");
    let mut agent =
        host.edge(&["run", "--stdin"]).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mut pipe = agent.stdin.take().unwrap();
    for n in 0..20_000 {
        writeln!(pipe, "{}", line(n)).unwrap();
    }
    write!(pipe, "{}", line(20_000)).unwrap();
    drop(pipe);
    assert!(agent.wait().unwrap().success());
    assert_eq!(lines(&host), sorted((0..=20_000).map(line)));
    succeed(&mut host.central(&["compact"]));
    assert_eq!(host.read("lake/silver/app", &["message", "source", "path"])[0]["source"], "stdin");
}

/// Bytes that stand in a pipe.
fn unread(pipe: &impl std::os::fd::AsFd) -> u64 {
    rustix::io::ioctl_fionread(pipe).unwrap()
}

/// What waited was put into two batches, as if these had room for all of it.
#[test]
fn regression_what_waits_when_the_agent_is_stopped_is_committed_in_batches_of_their_size() {
    let host = Host::new("builtin:json");
    // There is no room for a line, so that all wait; what waits is taken all the same when the agent is stopped.
    host.edit(|edge| edge.replace("[agent]", "[agent]\ndisk_budget = \"10MB\"\nbronze_bytes = \"64KiB\""));
    fs::write(host.path("state/filler"), "").unwrap_or_else(|_| {
        fs::create_dir_all(host.path("state")).unwrap();
        fs::write(host.path("state/filler"), "").unwrap();
    });
    fs::File::options().write(true).open(host.path("state/filler")).unwrap().set_len(9_000_000).unwrap();
    let line = |n: u32| format!("{{\"level\":\"INFO\",\"message\":\"m{n}{}\"}}", "x".repeat(200));
    let mut agent =
        host.edge(&["run", "--stdin"]).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mut pipe = agent.stdin.take().unwrap();
    for n in 0..10_000 {
        writeln!(pipe, "{}", line(n)).unwrap();
    }
    pipe.flush().unwrap();
    // The pipe is empty once all of it waits in the agent.
    eventually("all lines wait", || unread(&pipe) == 0);
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert_eq!(host.added("state/bronze"), 0, "lines were taken though there was no room");
    rustix::process::kill_process(rustix::process::Pid::from_child(&agent), rustix::process::Signal::TERM)
        .unwrap();
    assert!(agent.wait().unwrap().success());
    assert_eq!(lines(&host), sorted((0..10_000).map(line)));
    assert!(host.commits("state/bronze") > 20, "the batches were larger than they may be");
}

#[test]
fn a_pipe_that_no_pipeline_takes_is_refused() {
    let host = Host::new("builtin:json");
    host.configure("builtin:json", "sources = [\"app\"]\n");
    let said = fail(host.edge(&["run", "--stdin"]).stdin(Stdio::null()));
    assert!(said.contains("no pipeline takes the source `stdin`"), "{said}");
}

#[test]
fn syslog_messages_arrive_over_udp_tcp_and_a_socket() {
    let host = Host::new("builtin:json");
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let socket = host.path("syslog.sock");
    let listens = format!("syslog = [\"udp://{free}\", \"tcp://{free}\", \"unix://{}\"]", socket.display());
    with_source(&host, &listens);
    let mut agent = host.start();
    eventually("the agent listens", || TcpStream::connect(free).is_ok() && socket.exists());

    let message = |kind: &str, n: u32| format!("<13>1 2026-11-22T10:00:00Z h app - - - {kind} {n}");
    let mut counted = TcpStream::connect(free).unwrap();
    let mut by_line = TcpStream::connect(free).unwrap();
    let (udp, unix) = (UdpSocket::bind("127.0.0.1:0").unwrap(), UnixDatagram::unbound().unwrap());
    for n in 0..100 {
        let two_lines = format!("{}\nmore", message("counted", n));
        write!(counted, "{} {two_lines}", two_lines.len()).unwrap();
        write!(by_line, "{}\r\n", message("line", n)).unwrap();
        udp.send_to(message("udp", n).as_bytes(), free).unwrap();
        unix.send_to(format!("{}\n", message("unix", n)).as_bytes(), &socket).unwrap();
        // Datagrams are dropped where nobody takes them in time, which is no promise of ours.
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    drop((counted, by_line));
    let expected = sorted((0..100).flat_map(|n| {
        let two_lines = format!("{}\nmore", message("counted", n));
        [two_lines, message("line", n), message("udp", n), message("unix", n)]
    }));
    eventually("all messages are in Bronze", || {
        host.path("state/bronze/_delta_log/00000000000000000001.json").exists()
            && lines(&host).len() == expected.len()
    });
    agent.terminate();
    assert!(agent.wait().success());
    assert_eq!(lines(&host), expected);

    // A socket that was left behind is no hindrance, an address that is taken is told.
    let _taken = TcpListener::bind(free).unwrap();
    let said = fail(&mut host.edge(&["run"]));
    assert!(said.contains("source `app`: cannot listen on tcp://"), "{said}");
}

/// Each connection held as much of its message as a line may have, outside of what may wait.
#[test]
fn regression_long_messages_over_many_connections_take_bounded_memory() {
    const CONNECTIONS: u32 = 120;
    let host = Host::new("builtin:json");
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    with_source(&host, &format!("syslog = [\"tcp://{free}\"]"));
    let agent = host.start();
    eventually("the agent listens", || TcpStream::connect(free).is_ok());
    let before = agent.memory_bytes_max();
    let message = |n: u32| format!("<13>{n:03}{}", "x".repeat(1_000_000));
    std::thread::scope(|threads| {
        for n in 0..CONNECTIONS {
            threads.spawn(move || writeln!(TcpStream::connect(free).unwrap(), "{}", message(n)).unwrap());
        }
    });
    eventually("all messages are in Bronze", || host.added("state/bronze") == u64::from(CONNECTIONS));
    let grown = agent.memory_bytes_max().saturating_sub(before);
    agent.stop();
    assert!(grown < 100 << 20, "{} MiB more than before", grown >> 20);
    assert!(lines(&host) == sorted((0..CONNECTIONS).map(message)));
}

#[test]
fn a_socket_in_use_and_a_file_of_another_kind_are_left_alone() {
    let host = Host::new("builtin:json");
    let path = host.path("syslog.sock");
    with_source(&host, &format!("syslog = [\"unix://{}\"]", path.display()));
    let refused = |reason: &str| {
        let said = fail(&mut host.edge(&["run"]));
        let told = format!("source `app`: cannot listen on unix://{}: {reason}", path.display());
        assert!(said.contains(&told), "{said}");
    };

    let living = UnixDatagram::bind(&path).unwrap();
    refused("another process receives there");
    let sender = UnixDatagram::unbound().unwrap();
    sender.send_to(b"still mine", &path).unwrap();
    let mut buffer = [0; 16];
    let len = living.recv(&mut buffer).unwrap();
    assert_eq!(&buffer[..len], b"still mine");
    drop(living);
    fs::remove_file(&path).unwrap();

    fs::write(&path, "a file").unwrap();
    refused("what stands there is no socket");
    assert_eq!(fs::read_to_string(&path).unwrap(), "a file");
    fs::remove_file(&path).unwrap();

    // What a killed agent leaves behind is no hindrance.
    for _ in 0..2 {
        let mut agent = host.start();
        eventually("the agent receives", || sender.send_to(b"<13>hello", &path).is_ok());
        agent.kill();
    }
}

/// What makes journals.
pub const REMOTE: &str = "/lib/systemd/systemd-journal-remote";

/// Appends entries to a journal by systemd's own tool; every third is of another unit, every fourth only a notice.
pub fn write_journal(file: &Path, numbers: std::ops::Range<u32>) {
    let entry = |n: u32| {
        let unit = if n.is_multiple_of(3) { "cron.service" } else { "web.service" };
        let priority = if n.is_multiple_of(4) { 5 } else { 3 };
        format!(
            "__REALTIME_TIMESTAMP={}\n__MONOTONIC_TIMESTAMP={}\n_BOOT_ID=0123456789abcdef0123456789abcdee\n\
             PRIORITY={priority}\n_SYSTEMD_UNIT={unit}\nMESSAGE=m{n}\n\n",
            1_796_040_000_000_000_u64 + u64::from(n),
            1_000 + n
        )
    };
    let export = file.with_extension("export");
    fs::write(&export, numbers.map(entry).collect::<String>()).unwrap();
    succeed(Command::new(REMOTE).arg("-o").arg(file).arg(&export));
}

#[test]
fn the_journal_is_read_once_through_kills_rotation_and_vacuum() {
    if !Path::new(REMOTE).exists() {
        return eprintln!("skipped: {REMOTE}, which makes journals, is not there");
    }
    let host = Host::new("builtin:json");
    let journal = host.path("journal");
    fs::create_dir(&journal).unwrap();
    with_source(
        &host,
        &format!(
            "[source.journal]\ndirectory = \"{}\"\nunits = [\"web.service\"]\npriority = \"err\"",
            journal.display()
        ),
    );
    write_journal(&journal.join("one.journal"), 0..3_000);
    succeed(&mut host.edge(&["run", "--once"]));
    let mut random = StdRng::seed_from_u64(3);
    for round in 1..6 {
        let mut agent = host.start();
        std::thread::sleep(std::time::Duration::from_millis(random.random_range(100..600)));
        write_journal(&journal.join("one.journal"), round * 3_000..round * 3_000 + 3_000);
        std::thread::sleep(std::time::Duration::from_millis(random.random_range(20..600)));
        agent.kill();
    }
    // All of it was read by now: rotated away, it may be vacuumed.
    succeed(&mut host.edge(&["run", "--once"]));
    write_journal(&journal.join("two.journal"), 18_000..19_000);
    fs::remove_file(journal.join("one.journal")).unwrap();
    succeed(&mut host.edge(&["run", "--once"]));

    let taken = |n: &u32| !n.is_multiple_of(3) && !n.is_multiple_of(4);
    let messages = lines(&host).into_iter().map(|line| {
        let entry: serde_json::Value = serde_json::from_str(&line).unwrap();
        entry["MESSAGE"].as_str().unwrap().to_owned()
    });
    assert_eq!(sorted(messages), sorted((0..19_000).filter(taken).map(|n| format!("m{n}"))));

    // What is filtered out moves the cursor too.
    let cursor = || {
        let log = host.path("state/bronze/_delta_log");
        let newest = fs::read_dir(log)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|x| x == "json"))
            .max();
        let text = fs::read_to_string(newest.unwrap()).unwrap();
        text.split_once("\"feeds\":").unwrap().1.split_once('}').unwrap().0.to_owned()
    };
    let before = cursor();
    write_journal(&journal.join("two.journal"), 21_000..21_001);
    succeed(&mut host.edge(&["run", "--once"]));
    assert_ne!(cursor(), before);
    assert_eq!(lines(&host).len(), (0..19_000).filter(taken).count());
}
