//! `logsmith install` sets a host up that has no packages: as often as one likes, and all of it can be taken away.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::machine::{Machine, as_user, build, is_root};
use crate::support::{logsmith, succeed};

/// A file system with users in it, and nothing else.
fn root() -> Option<TempDir> {
    if !is_root() {
        return None;
    }
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("etc")).unwrap();
    fs::write(root.path().join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n").unwrap();
    fs::write(root.path().join("etc/group"), "root:x:0:\nadm:x:4:\nsystemd-journal:x:101:\n").unwrap();
    Some(root)
}

fn install(root: &Path, more: &[&str]) -> String {
    succeed(logsmith().arg("install").arg("--root").arg(root).args(more))
}

/// All files and folders, with their sizes.
fn tree(root: &Path) -> String {
    succeed(Command::new("find").arg(root).args(["-printf", "%P %M %s\n"]))
}

#[test]
fn a_dry_run_says_what_would_be_done_and_does_nothing() {
    let Some(root) = root() else { return };
    let before = tree(root.path());
    let said = install(root.path(), &["--dry-run"]);
    assert!(said.contains("write     /usr/local/bin/logsmith\n"), "{said}");
    assert!(said.ends_with("Nothing was done.\n"), "{said}");
    assert_eq!(tree(root.path()), before);
    let done = install(root.path(), &[]);
    let steps = |said: &str| said.split("\n\n").next().unwrap().to_owned();
    assert_eq!(steps(&said), steps(&done), "it does what it said");
    let before = tree(root.path());
    let said = install(root.path(), &["--uninstall", "--dry-run"]);
    assert!(said.contains("remove    /usr/local/bin/logsmith\n"), "{said}");
    assert_eq!(tree(root.path()), before);
}

#[test]
fn again_it_changes_nothing_and_mends_what_was_changed() {
    let Some(root) = root() else { return };
    install(root.path(), &[]);
    let before = tree(root.path());
    let unit = root.path().join("usr/local/lib/systemd/system/logsmith.service");
    let text = fs::read_to_string(&unit).unwrap();
    assert!(text.contains("ExecStart=/usr/local/bin/logsmith run -c /etc/logsmith/edge.toml\n"), "{text}");
    let said = install(root.path(), &[]);
    assert!(!said.contains("write ") && !said.contains("make "), "{said}");
    assert_eq!(tree(root.path()), before);

    fs::write(&unit, "[Service]\n").unwrap();
    fs::write(root.path().join("etc/logsmith/edge.toml"), "# mine\n").unwrap();
    let said = install(root.path(), &[]);
    let written: Vec<&str> = said.lines().filter(|line| line.starts_with("write ")).collect();
    assert_eq!(written, ["write     /usr/local/lib/systemd/system/logsmith.service"]);
    assert_eq!(fs::read_to_string(&unit).unwrap(), text);
    assert_eq!(fs::read_to_string(root.path().join("etc/logsmith/edge.toml")).unwrap(), "# mine\n");
}

#[test]
fn a_host_without_packages_is_set_up_and_cleared() {
    let Some(machine) = Machine::new() else { return };
    let tarball = build("tarball", &[]);
    fs::copy(tarball, machine.path("/tarball.tar.gz")).unwrap();
    machine.run(&["tar", "-xzf", "/tarball.tar.gz"]);
    machine.run(&["sh", "-c", "/logsmith-*/logsmith install"]);
    assert_eq!(machine.asked(), "daemon-reload\ntry-restart logsmith.service\n");
    assert_eq!(machine.run(&["id", "--name", "--groups", "logsmith"]).trim(), "logsmith adm");
    assert_eq!(machine.access("/etc/logsmith"), "root:logsmith 750");
    assert_eq!(machine.access("/etc/logsmith/edge.toml"), "root:logsmith 640");
    assert_eq!(machine.access("/etc/logsmith/conf.d"), "root:logsmith 750");
    assert_eq!(machine.access("/var/lib/logsmith"), "logsmith:logsmith 750");
    assert!(machine.path("/usr/local/lib/systemd/system/logsmith.service.d/backoff.conf").exists());

    machine.write("/var/log/app.log", "{\"level\":\"INFO\"}\n");
    machine.run(&["chown", "root:adm", "/var/log/app.log"]);
    machine.run(&["chmod", "640", "/var/log/app.log"]);
    let configuration = "[agent]\nhost = \"h1\"\n[[source]]\nname = \"app\"\ninclude = [\"/var/log/app.log\"]\n\
         [[pipeline]]\nname = \"app\"\nplugin = \"builtin:json\"\n";
    machine.write("/etc/logsmith/edge.toml", configuration);
    machine.run_as("logsmith", &["logsmith", "run", "-c", "/etc/logsmith/edge.toml", "--once"]);
    assert_eq!(machine.offsets("/var/lib/logsmith/silver/app"), [0]);

    machine.run(&["sh", "-c", "/logsmith-*/logsmith install"]);
    assert_eq!(machine.asked(), "", "nothing has changed");

    machine.run(&["sh", "-c", "/logsmith-*/logsmith install --uninstall"]);
    assert_eq!(machine.asked(), "disable --now logsmith.service\ndaemon-reload\n");
    let traces = machine.traces("logsmith");
    let mut found: Vec<&str> = traces.lines().filter(|path| !path.starts_with("/logsmith-")).collect();
    found.sort_unstable();
    assert_eq!(found, ["/etc/logsmith", "/var/lib/logsmith"]);
    assert_eq!(fs::read_to_string(machine.path("/etc/logsmith/edge.toml")).unwrap(), configuration);
    assert!(machine.command(&[&as_user("logsmith")[..], &["true"]].concat()).status().unwrap().success());
}
