//! The agent tells the service manager when it is ready, and that it is alive for as long as its stages make progress.

use std::fs;
use std::io::ErrorKind;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::{Agent, Host, logsmith};

/// What the manager allows between two signs of life: long for an agent, short for a test.
const ALLOWED: Duration = Duration::from_secs(4);

/// A service manager, as far as it listens.
struct Manager(UnixDatagram);

impl Manager {
    fn at(host: &Host) -> Self {
        Self::listening(UnixDatagram::bind(host.path("notify")).unwrap())
    }

    fn listening(socket: UnixDatagram) -> Self {
        socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        Self(socket)
    }

    /// Starts the agent as its service.
    fn start(&self, host: &Host, more: &[(&str, &str)]) -> Agent {
        self.start_named(host, host.path("notify").to_str().unwrap(), more)
    }

    fn start_named(&self, host: &Host, name: &str, more: &[(&str, &str)]) -> Agent {
        let mut run = logsmith();
        run.arg("run").arg("-c").arg(host.path("edge.toml")).env("NOTIFY_SOCKET", name);
        run.env("WATCHDOG_USEC", ALLOWED.as_micros().to_string()).envs(more.iter().copied());
        Agent::spawn(&mut run)
    }

    /// The next message, if one comes within a tenth of a second.
    fn hear(&self) -> Option<String> {
        let mut buffer = [0; 4_096];
        match self.0.recv(&mut buffer) {
            Ok(bytes) => Some(String::from_utf8(buffer[..bytes].to_vec()).unwrap()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => None,
            Err(error) => panic!("{error}"),
        }
    }

    /// Waits for a message with this in it, and returns it.
    fn wait_for(&self, what: &str) -> String {
        let started = Instant::now();
        while started.elapsed() < Duration::from_secs(60) {
            if let Some(message) = self.hear().filter(|message| message.contains(what)) {
                return message;
            }
        }
        panic!("waited in vain for {what}");
    }

    /// Asserts that signs of life come for longer than is allowed between two.
    fn assert_lives_on(&self) {
        let started = Instant::now();
        while started.elapsed() < 3 * ALLOWED {
            self.wait_for("WATCHDOG=1");
        }
    }
}

#[test]
fn ready_means_that_a_commit_was_made() {
    let host = Host::new("builtin:json");
    let manager = Manager::at(&host);
    let agent = manager.start(&host, &[]);
    let mut first = None;
    while first.is_none() {
        first = manager.hear();
    }
    assert_eq!(first.as_deref(), Some("READY=1"));
    assert!(host.commits("state/bronze") > 0, "nothing was committed");
    let message = manager.wait_for("WATCHDOG=1");
    assert!(message.contains("\nSTATUS=reading, "), "{message}");
    agent.terminate();
    manager.wait_for("STOPPING=1");
}

#[test]
fn a_hangup_is_answered_as_a_reload_and_stops_nothing() {
    let host = Host::new("builtin:json");
    let address = format!("logsmith-test-{}", std::process::id());
    let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&address).unwrap()).unwrap();
    let manager = Manager::listening(socket);
    let agent = manager.start_named(&host, &format!("@{address}"), &[]);
    manager.wait_for("READY=1");
    agent.signal(Signal::HUP);
    let message = manager.wait_for("RELOADING=1");
    let since_boot = message.split_once("MONOTONIC_USEC=").unwrap().1;
    assert!(since_boot.parse::<u64>().unwrap() > 0, "{message}");
    manager.wait_for("READY=1");
    host.append("logs/a.log", "{\"level\":\"INFO\"}\n");
    host.wait_for_lines(1);
    agent.stop();
}

#[test]
fn an_agent_that_waits_for_others_is_alive() {
    let host = Host::new("builtin:json");
    // A file where the lake's folder would be: nothing can be put.
    fs::write(host.path("lake"), "").unwrap();
    host.append("logs/a.log", "{\"level\":\"INFO\"}\n");
    let manager = Manager::at(&host);
    let agent = manager.start(&host, &[]);
    host.wait_for_lines(1);
    manager.assert_lives_on();
    agent.signal(Signal::KILL);
}

#[test]
fn a_stage_that_hangs_is_named_and_no_sign_of_life_comes_any_more() {
    let places =
        [("read", "tail"), ("judge", "transform app"), ("put", "sync app"), ("tidy", "housekeeping")];
    std::thread::scope(|scope| {
        for (place, stage) in places {
            scope.spawn(move || assert_hang_ends_signs_of_life(place, stage));
        }
    });
}

fn assert_hang_ends_signs_of_life(place: &str, stage: &str) {
    let host = Host::new("builtin:json");
    host.append("logs/a.log", "{\"level\":\"INFO\"}\n");
    let manager = Manager::at(&host);
    let _agent = manager.start(&host, &[("LOGSMITH_HANG_AT", place)]);
    manager.wait_for("WATCHDOG=1");
    manager.wait_for(&format!("STATUS={stage} hangs"));
    let started = Instant::now();
    while started.elapsed() < 2 * ALLOWED {
        let message = manager.hear();
        assert!(!message.iter().any(|message| message.contains("WATCHDOG=1")), "{place}: {message:?}");
    }
}

/// Variables may be passed on by the process that they were meant for.
#[test]
fn what_another_process_is_allowed_is_not_asked_of_the_agent() {
    let host = Host::new("builtin:json");
    let manager = Manager::at(&host);
    let _agent = manager.start(&host, &[("WATCHDOG_PID", "1"), ("LOGSMITH_HANG_AT", "read")]);
    manager.wait_for("READY=1");
    let started = Instant::now();
    while started.elapsed() < 2 * ALLOWED {
        let message = manager.hear();
        assert!(!message.iter().any(|message| message.contains("hangs")), "{message:?}");
    }
}
