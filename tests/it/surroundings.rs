//! Whatever a host does to its folders, links, mounts, permissions and limits, each line of a file arrives once.

use std::fs::{self, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Agent, Host, eventually, read_back, succeed};

fn line(n: u64) -> String {
    format!("{{\"n\":{n}}}\n")
}

fn append(host: &Host, name: &str, numbers: std::ops::Range<u64>) {
    let mut file = OpenOptions::new().create(true).append(true).open(host.path(name)).unwrap();
    file.write_all(numbers.map(line).collect::<String>().as_bytes()).unwrap();
}

/// A host that reads `pattern`, with its plugin compiled.
fn host(pattern: &str) -> Host {
    let host = Host::new("builtin:json");
    host.edit(|edge| edge.replace("logs/*.log*", pattern));
    succeed(&mut host.edge(&["run", "--once"]));
    host
}

/// The numbers of all lines in Bronze, sorted.
fn arrived(host: &Host) -> Vec<u64> {
    let rows = &read_back(&[(host.path("state/bronze"), &["line"])])[0];
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
    let mut numbers: Vec<u64> =
        rows.iter().map(|row| digits(row["line"].as_str().unwrap()).parse().unwrap()).collect();
    numbers.sort_unstable();
    numbers
}

fn stop(mut agent: Agent) {
    agent.signal(Signal::TERM);
    assert!(agent.wait().success());
}

#[test]
fn a_folder_swapped_behind_a_link_as_kubernetes_does_is_followed() {
    let host = host("logs/*.log");
    let mut agent = host.start();
    for version in 0..5 {
        let folder = format!("logs/..version_{version}");
        fs::create_dir(host.path(&folder)).unwrap();
        append(&host, &format!("{folder}/app.log"), version * 10..version * 10 + 10);
        symlink(format!("..version_{version}"), host.path("logs/..data_tmp")).unwrap();
        fs::rename(host.path("logs/..data_tmp"), host.path("logs/..data")).unwrap();
        if version == 0 {
            symlink("..data/app.log", host.path("logs/app.log")).unwrap();
        }
        eventually("the new version is read", || host.added("state/bronze") == version * 10 + 10);
        if version == 3 {
            agent.kill();
            agent = host.start();
        }
    }
    stop(agent);
    succeed(&mut host.edge(&["run", "--once"]));
    assert_eq!(arrived(&host), (0..50).collect::<Vec<_>>());
}

#[test]
fn a_file_moved_into_a_watched_folder_is_read() {
    let host = host("logs/*.log");
    append(&host, "elsewhere.txt", 0..10);
    let before = host.commits("state/bronze");
    let agent = host.start();
    eventually("the agent is at work", || host.commits("state/bronze") > before);
    fs::rename(host.path("elsewhere.txt"), host.path("logs/a.log")).unwrap();
    eventually("it is read", || host.added("state/bronze") == 10);
    stop(agent);
    assert_eq!(arrived(&host), (0..10).collect::<Vec<_>>());
}

/// Its files counted as gone, and were read from their beginning when it was back.
#[test]
fn regression_a_folder_that_is_away_for_a_while_is_read_on_when_it_is_back() {
    let host = host("logs/*/a.log");
    fs::create_dir(host.path("logs/app")).unwrap();
    append(&host, "logs/app/a.log", 0..10);
    let mut agent = host.start();
    eventually("it is read", || host.added("state/bronze") == 10);
    fs::rename(host.path("logs/app"), host.path("away")).unwrap();
    agent.kill();
    let before = host.commits("state/bronze");
    let agent = host.start();
    eventually("the agent has looked", || host.commits("state/bronze") > before);
    append(&host, "away/a.log", 10..20);
    fs::rename(host.path("away"), host.path("logs/app")).unwrap();
    eventually("it is read on", || host.added("state/bronze") >= 20);
    stop(agent);
    assert_eq!(arrived(&host), (0..20).collect::<Vec<_>>());
}

#[test]
fn a_folder_that_is_removed_and_made_again_is_read_again() {
    let host = host("logs/*/a.log");
    let agent = host.start();
    for round in 0..3 {
        fs::create_dir(host.path("logs/app")).unwrap();
        append(&host, "logs/app/a.log", round * 10..round * 10 + 10);
        eventually("it is read", || host.added("state/bronze") == round * 10 + 10);
        fs::remove_dir_all(host.path("logs/app")).unwrap();
    }
    stop(agent);
    assert_eq!(arrived(&host), (0..30).collect::<Vec<_>>());
}

#[test]
fn a_file_seen_twice_through_a_bind_mount_is_read_once() {
    let host = host("logs/**/*.log");
    append(&host, "logs/a.log", 0..10);
    fs::create_dir(host.path("logs/twin")).unwrap();
    fs::create_dir(host.path("real")).unwrap();
    append(&host, "real/b.log", 10..20);
    fs::create_dir(host.path("logs/other")).unwrap();
    let script = format!(
        "mount --bind {0}/real {0}/logs/twin && mount --bind {0}/real {0}/logs/other && exec {1} run --once -c {0}/edge.toml",
        host.path("").display(),
        env!("CARGO_BIN_EXE_logsmith")
    );
    let mut mounted = Command::new("unshare");
    mounted.args(["-m", "sh", "-c", &script]);
    if !Command::new("unshare")
        .args(["-m", "mount", "--bind", "/tmp", "/tmp"])
        .output()
        .unwrap()
        .status
        .success()
    {
        eprintln!("skipped: no mounts can be made here");
        return;
    }
    succeed(&mut mounted);
    append(&host, "real/b.log", 20..30);
    succeed(&mut mounted);
    assert_eq!(arrived(&host), (0..30).collect::<Vec<_>>());
}

const NOBODY: u32 = 65_534;

/// A host whose agent runs as somebody who may not read all that root may, with the agent's binary.
fn host_of_nobody() -> Host {
    let host = Host::new("builtin:json");
    // Who may not look into our build folder.
    fs::copy(env!("CARGO_BIN_EXE_logsmith"), host.path("logsmith")).unwrap();
    fs::set_permissions(host.path(""), Permissions::from_mode(0o755)).unwrap();
    succeed(Command::new("chown").args(["-R", "65534:65534"]).arg(host.path("")));
    host
}

/// A subcommand as that user.
fn as_nobody(host: &Host, arguments: &[&str]) -> Command {
    let mut command = Command::new(host.path("logsmith"));
    command.args(arguments).arg("-c").arg(host.path("edge.toml"));
    command.uid(NOBODY).gid(NOBODY).env("LOGSMITH_LOG", "warn");
    command
}

/// Makes a file root's, with these permissions.
fn give_to_root(host: &Host, name: &str, mode: u32) {
    succeed(Command::new("chown").arg("0:0").arg(host.path(name)));
    fs::set_permissions(host.path(name), Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_file_whose_permission_is_lost_and_regained_is_read_when_it_can_be() {
    let host = host_of_nobody();
    append(&host, "logs/a.log", 0..10);
    let run = |expected: u64| {
        let output = as_nobody(&host, &["run", "--once"]).output().unwrap();
        let said = crate::support::text(&output);
        assert!(output.status.success(), "{said}");
        assert_eq!(arrived(&host), (0..expected).collect::<Vec<_>>());
        said
    };
    run(10);
    append(&host, "logs/a.log", 10..20);
    append(&host, "logs/b.log", 20..30);
    for name in ["logs/a.log", "logs/b.log"] {
        give_to_root(&host, name, 0o600);
    }
    let said = run(10);
    assert!(said.contains("cannot be read") && said.contains("a.log") && said.contains("b.log"), "{said}");
    for name in ["logs/a.log", "logs/b.log"] {
        give_to_root(&host, name, 0o644);
    }
    run(30);
}

/// It was said of the WebAssembly engine that it was denied something: the usual end of a first try as root.
#[test]
fn regression_a_state_folder_of_another_user_is_named_as_what_cannot_be_written() {
    let host = host_of_nobody();
    append(&host, "logs/a.log", 0..10);
    let run = || as_nobody(&host, &["run", "--once"]).output().unwrap();
    assert!(run().status.success());
    give_to_root(&host, "state", 0o755);
    let refused = run();
    let (said, folder) = (crate::support::text(&refused), host.path("state").display().to_string());
    assert!(!refused.status.success() && !said.contains("WebAssembly"), "{said}");
    assert!(said.contains(&format!("{folder}: Permission denied")), "{said}");
    assert!(said.contains("the agent needs to create and write this folder"), "{said}");
    succeed(Command::new("chown").arg("65534:65534").arg(host.path("state")));
    // One of its folders alone.
    give_to_root(&host, "state/cache", 0o700);
    let said = crate::support::text(&run());
    assert!(said.contains(&format!("{folder}/cache: Permission denied")), "{said}");
    succeed(Command::new("chown").arg("65534:65534").arg(host.path("state/cache")));
    append(&host, "logs/a.log", 10..20);
    assert!(run().status.success());
    assert_eq!(arrived(&host), (0..20).collect::<Vec<_>>());
}

/// A file that could never be opened was forgotten when it was rotated or removed, and nothing told what it had held.
#[test]
fn regression_a_file_that_could_never_be_opened_is_read_under_its_rotated_name_or_counted_when_it_is_gone() {
    let host = host_of_nobody();
    host.edit(|edge| edge.replace("logs/*.log*", "logs/*.log"));
    let make = |name: &str, numbers| {
        append(&host, name, numbers);
        give_to_root(&host, name, 0o600);
    };
    make("logs/gone.log", 0..10);
    make("logs/rotated.log", 10..20);
    make("logs/truncated.log", 20..30);
    make("logs/gone_while_stopped.log", 30..40);
    let telling = |file: &str| {
        let log = fs::File::create(host.path(file)).unwrap();
        Agent::start(as_nobody(&host, &["run"]).stdout(Stdio::null()).stderr(log))
    };
    let status = || succeed(&mut host.edge(&["status"]));
    let agent = telling("told");
    let locked = "unread: the agent could never open it";
    eventually("the files are known", || status().matches(locked).count() == 4);
    fs::rename(host.path("logs/rotated.log"), host.path("logs/rotated.log.1")).unwrap();
    append(&host, "logs/rotated.log", 40..50);
    fs::remove_file(host.path("logs/gone.log")).unwrap();
    OpenOptions::new().write(true).open(host.path("logs/truncated.log")).unwrap().set_len(9).unwrap();
    eventually("what is gone is counted", || {
        status().contains(&format!("files vanished unread: 2 ({} B)", 10 * 8 + 10 * 9))
    });
    stop(agent);
    fs::remove_file(host.path("logs/gone_while_stopped.log")).unwrap();
    give_to_root(&host, "logs/rotated.log.1", 0o644);
    let agent = telling("told_later");
    eventually("the rotated file is read", || host.added("state/bronze") == 20);
    eventually("what is gone is counted", || status().contains("files vanished unread: 3 (260 B)"));
    stop(agent);
    assert_eq!(arrived(&host), (10..20).chain(40..50).collect::<Vec<_>>());
    let told = fs::read_to_string(host.path("told")).unwrap();
    for name in ["gone.log", "truncated.log"] {
        let lines = |what: &str| told.lines().filter(|l| l.contains(name) && l.contains(what)).count();
        assert_eq!(lines("bytes vanished from a file before they were read"), 1, "{told}");
        // What stands there after a truncate is another file.
        assert!((1..=2).contains(&lines("file cannot be read")), "{told}");
    }
}

#[test]
fn an_agent_that_is_refused_file_events_says_so_and_polls() {
    let host = host("logs/*.log");
    for limit in ["max_inotify_instances", "max_inotify_watches"] {
        let script = format!(
            "echo 0 > /proc/sys/user/{limit} && exec {} run -c {}",
            env!("CARGO_BIN_EXE_logsmith"),
            host.path("edge.toml").display()
        );
        let probe = ["-Ur", "sh", "-c", "echo 0 > /proc/sys/user/max_inotify_watches"];
        if !Command::new("unshare").args(probe).output().unwrap().status.success() {
            eprintln!("skipped: no user namespaces here");
            return;
        }
        let mut limited = Command::new("unshare");
        limited.args(["-Ur", "sh", "-c", &script]);
        limited.env("LOGSMITH_LOG", "warn").stdout(Stdio::piped()).stderr(Stdio::piped());
        let agent = limited.spawn().unwrap();
        let count = arrived_or_none(&host);
        for round in 0..2 {
            let end = count + round * 10 + 10;
            append(&host, "logs/a.log", end - 10..end);
            eventually("polling finds the lines", || host.added("state/bronze") == end);
        }
        kill_process(Pid::from_child(&agent), Signal::TERM).unwrap();
        let output = agent.wait_with_output().unwrap();
        let said = crate::support::text(&output);
        assert!(said.contains("looking every second"), "{limit}: {said}");
    }
    assert_eq!(arrived(&host), (0..40).collect::<Vec<_>>());
}

fn arrived_or_none(host: &Host) -> u64 {
    if host.path("logs/a.log").exists() { arrived(host).len() as u64 } else { 0 }
}

#[test]
fn events_that_overflow_while_the_agent_is_stopped_lose_nothing() {
    let limit = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
    let limit: u64 = limit.trim().parse().unwrap();
    if limit > 100_000 {
        eprintln!("skipped: {limit} events fit into the queue");
        return;
    }
    let host = host("logs/*.log");
    let agent = host.start();
    append(&host, "logs/first.log", 0..1);
    eventually("the agent is at work", || host.added("state/bronze") == 1);
    agent.signal(Signal::STOP);
    // Each makes two events at least.
    for n in 0..limit {
        fs::write(host.path("logs/other.tmp"), "").unwrap();
        fs::rename(host.path("logs/other.tmp"), host.path(&format!("logs/other.{}", n % 2))).unwrap();
    }
    for n in 1..200 {
        append(&host, &format!("logs/{n}.log"), n..n + 1);
    }
    agent.signal(Signal::CONT);
    let wanted = 200;
    let count = || succeed(&mut host.edge(&["status"])).lines().filter(|l| l.contains(".log")).count();
    eventually("all files are known", || count() >= wanted);
    stop(agent);
    assert_eq!(arrived(&host), (0..200).collect::<Vec<_>>());
}
