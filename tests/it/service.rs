//! The units are right, shut in what they start, and let it do what it does: as systemd's own tools see them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::support::{Agent, Host, eventually, succeed, text};

/// The units of `examples/systemd`, in a folder of their own, with a binary that is there.
struct Units(TempDir);

impl Units {
    fn new() -> Self {
        let units = Self(tempfile::tempdir().unwrap());
        for unit in ["logsmith.service", "logsmith-central.service", "logsmith-central.timer"] {
            let binary = env!("CARGO_BIN_EXE_logsmith");
            let text = example(unit).replace("/usr/bin/logsmith-central ", &format!("{binary} "));
            fs::write(units.path(unit), text.replace("/usr/bin/logsmith ", &format!("{binary} "))).unwrap();
        }
        units
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Adds a drop-in to the agent's unit.
    fn drop_in(&self, name: &str) {
        fs::create_dir_all(self.path("logsmith.service.d")).unwrap();
        fs::write(self.path("logsmith.service.d").join(name), example(name)).unwrap();
    }

    fn assert_right(&self, unit: &str) {
        let mut verify = Command::new("systemd-analyze");
        let said = verify.args(["verify", "--man=no"]).arg(self.path(unit)).output().unwrap();
        assert!(said.status.success() && text(&said).is_empty(), "{unit}: {}", text(&said));
    }

    /// How much what a unit starts could do, from 0 to 10.
    fn exposure(&self, unit: &str) -> f64 {
        let mut security = Command::new("systemd-analyze");
        let said = succeed(security.args(["security", "--offline=true", "--no-pager"]).arg(self.path(unit)));
        let line = said.lines().find(|line| line.contains("Overall exposure level")).expect("a level");
        line.split_once(": ").and_then(|(_, level)| level.split(' ').next()?.parse().ok()).expect("a number")
    }
}

fn example(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/systemd").join(name)).unwrap()
}

fn systemd_version() -> u32 {
    let said = succeed(Command::new("systemd-analyze").arg("--version"));
    said.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn the_units_are_right_and_shut_in_what_they_start() {
    let units = Units::new();
    for unit in ["logsmith.service", "logsmith-central.service", "logsmith-central.timer"] {
        units.assert_right(unit);
    }
    for unit in ["logsmith.service", "logsmith-central.service"] {
        let exposure = units.exposure(unit);
        assert!(exposure <= 1.5, "{unit}: {exposure}");
    }
}

#[test]
fn the_drop_ins_are_right() {
    let units = Units::new();
    units.drop_in("read-all.conf");
    // Older ones do not know its keys; the package does not lay it down there.
    if systemd_version() >= 254 {
        units.drop_in("backoff.conf");
    }
    units.assert_right("logsmith.service");
    let exposure = units.exposure("logsmith.service");
    assert!(
        (1.1..3.0).contains(&exposure),
        "reading all files costs something, and not everything: {exposure}"
    );
}

/// Names of system calls that a set holds, as this systemd has it.
fn calls(set: &str, sets: &BTreeMap<String, Vec<String>>) -> BTreeSet<String> {
    let members = sets.get(set).unwrap_or_else(|| panic!("there is no set {set}"));
    members
        .iter()
        .flat_map(|member| match member.starts_with('@') {
            true => calls(member, sets),
            false => BTreeSet::from([member.clone()]),
        })
        .collect()
}

fn sets() -> BTreeMap<String, Vec<String>> {
    let said = succeed(Command::new("systemd-analyze").args(["syscall-filter", "--no-pager"]));
    let (mut sets, mut set) = (BTreeMap::new(), String::new());
    for line in said.lines() {
        let word = line.trim();
        if line.starts_with('@') {
            word.clone_into(&mut set);
            sets.insert(set.clone(), Vec::new());
        } else if line.starts_with(' ') && !word.starts_with('#') && !word.is_empty() {
            sets.entry(set.clone()).or_default().push(word.to_owned());
        }
    }
    sets
}

/// What `SystemCallFilter=` of a unit lets through.
fn allowed(unit: &str) -> BTreeSet<String> {
    let (sets, mut allowed) = (sets(), BTreeSet::new());
    let text = example(unit);
    for filter in text.lines().filter_map(|line| line.strip_prefix("SystemCallFilter=")) {
        let denies = filter.starts_with('~');
        for set in filter.trim_start_matches('~').split(' ') {
            for call in calls(set, &sets) {
                if denies {
                    allowed.remove(&call)
                } else {
                    allowed.insert(call)
                };
            }
        }
    }
    allowed
}

#[test]
fn the_agent_needs_no_system_call_that_its_unit_denies() {
    let host = Host::new("builtin:json");
    let called = host.path("called");
    let mut traced = Command::new("strace");
    traced.args(["-f", "-c", "-U", "calls,name", "-o"]).arg(&called);
    let run = host.edge(&["run"]);
    traced.arg(run.get_program()).args(run.get_args()).env("LOGSMITH_LOG", "warn");
    let mut agent = Agent::spawn(traced.stdin(Stdio::null()));
    host.append("logs/a.log", "{\"level\":\"INFO\"}\n");
    host.wait_for_lines(1);
    fs::rename(host.path("logs/a.log"), host.path("logs/a.log.1")).unwrap();
    host.append("logs/a.log", "{\"level\":\"INFO\"}\n");
    eventually("it is in the landing", || host.path("lake/landing/app").is_dir());
    // The signal is for the agent, and strace ends after it.
    let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", agent.id())).unwrap();
    succeed(Command::new("kill").args(["-TERM", children.trim()]));
    assert!(agent.wait().success());
    let said = fs::read_to_string(&called).unwrap();
    let names = said.lines().skip(2).filter_map(|line| line.split_whitespace().last());
    let names: BTreeSet<&str> = names.filter(|name| !name.starts_with('-') && *name != "total").collect();
    assert!(names.len() > 20 && names.contains("openat"), "{said}");
    // `execve` is how strace starts it.
    let allowed = allowed("logsmith.service");
    let denied: Vec<_> = names.iter().filter(|name| !allowed.contains(**name)).collect();
    assert!(denied.is_empty(), "{denied:?}");
}

/// As `MemoryDenyWriteExecute=` has the kernel do it, from Linux 6.3 on: the call is `prctl(PR_SET_MDWE)`.
const DENIED: &str = "import ctypes, os, sys\n\
    if ctypes.CDLL(None).prctl(65, 1, 0, 0, 0) != 0: sys.exit(77)\n\
    os.execv(sys.argv[1], sys.argv[1:])";

#[test]
fn plugins_run_where_no_memory_may_become_executable() {
    let host = Host::new("builtin:json");
    host.append("logs/a.log", "{\"level\":\"INFO\"}\n");
    let denied = |arguments: &[&str]| {
        let command = host.edge(arguments);
        let mut python = Command::new("python3");
        python.args(["-c", DENIED]).arg(command.get_program()).args(command.get_args());
        python.env("LOGSMITH_LOG", "warn").output().unwrap()
    };
    let checked = denied(&["check"]);
    if checked.status.code() == Some(77) {
        eprintln!("skipped: this kernel cannot deny it");
        return;
    }
    assert!(checked.status.success(), "compiled into memory: {}", text(&checked));
    // First they are compiled and kept, then mapped from where they are kept; then they cannot be kept.
    for lines in 1..=2 {
        let ran = denied(&["run", "--once"]);
        assert!(ran.status.success(), "{}", text(&ran));
        assert_eq!(host.read("state/silver/app", &["offset"]).len(), lines);
        host.append("logs/a.log", "{\"level\":\"INFO\"}\n");
    }
}
