//! The Debian packages: built from the binary that these tests run, and installed, upgraded, removed and purged by the real
//! dpkg, on a small Debian of their own.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::machine::{Machine, as_user, build};
use crate::readme::blocks;

fn package(what: &str, version: &str) -> PathBuf {
    build(what, &["--fast", "--compress-type", "gzip", "--compress-system", "--deb-version", version])
}

/// The agent's package, as it is first installed.
fn first() -> &'static Path {
    static PACKAGE: OnceLock<PathBuf> = OnceLock::new();
    PACKAGE.get_or_init(|| package("logsmith", "1.0-1"))
}

/// The central job's.
fn central() -> &'static Path {
    static PACKAGE: OnceLock<PathBuf> = OnceLock::new();
    PACKAGE.get_or_init(|| package("logsmith-central", "1.0-1"))
}

#[test]
fn the_agents_package_is_installed_upgraded_removed_and_purged() {
    let Some(machine) = Machine::new() else { return };
    machine.install(first());

    // What is there, and whose it is. Nothing was started: nothing is configured.
    assert!(machine.run(&["logsmith", "--version"]).starts_with("logsmith "));
    assert_eq!(machine.run(&["id", "--name", "--groups", "logsmith"]).trim(), "logsmith adm");
    assert_eq!(machine.access("/etc/logsmith"), "root:logsmith 750");
    assert_eq!(machine.access("/etc/logsmith/edge.toml"), "root:logsmith 640");
    assert_eq!(machine.access("/etc/logsmith/conf.d"), "root:logsmith 750");
    assert_eq!(machine.access("/var/lib/logsmith"), "logsmith:logsmith 750");
    assert_eq!(machine.asked(), "daemon-reload\n");
    let conffiles = machine.run(&["dpkg-query", "--show", "--showformat", "${Conffiles}", "logsmith"]);
    assert!(conffiles.trim().starts_with("/etc/logsmith/edge.toml "), "{conffiles}");
    for path in [
        "/usr/lib/systemd/system/logsmith.service",
        "/usr/lib/systemd/system/logsmith.service.d/backoff.conf",
        "/usr/share/bash-completion/completions/logsmith",
        "/usr/share/zsh/vendor-completions/_logsmith",
        "/usr/share/fish/vendor_completions.d/logsmith.fish",
    ] {
        assert!(machine.path(path).exists(), "{path}");
    }
    let pages = fs::read_dir(machine.path("/usr/share/man/man1")).unwrap();
    let pages: Vec<_> = pages.map(|page| page.unwrap().file_name().into_string().unwrap()).collect();
    for page in ["logsmith.1", "logsmith-run.1", "logsmith-plugin-new.1"] {
        assert!(pages.iter().any(|name| name.starts_with(page)), "{page}: {pages:?}");
    }

    // It reads what only adm may read, as the user of the service.
    machine.write("/var/log/app.log", "{\"level\":\"INFO\"}\n");
    machine.run(&["chown", "root:adm", "/var/log/app.log"]);
    machine.run(&["chmod", "640", "/var/log/app.log"]);
    let configuration = "[agent]\nhost = \"h1\"\n[[source]]\nname = \"app\"\ninclude = [\"/var/log/app.log\"]\n\
         [[pipeline]]\nname = \"app\"\nplugin = \"builtin:json\"\n";
    machine.write("/etc/logsmith/edge.toml", configuration);
    let once = ["logsmith", "run", "-c", "/etc/logsmith/edge.toml", "--once"];
    machine.run_as("logsmith", &once);
    assert_eq!(machine.offsets("/var/lib/logsmith/silver/app"), [0]);

    // An upgrade keeps configuration and state, and restarts what runs, unless the operator says otherwise; so does a way
    // back.
    machine.install(&package("logsmith", "1.0-2"));
    assert_eq!(machine.asked(), "daemon-reload\ntry-restart logsmith.service\n");
    machine.write("/etc/default/logsmith", "RESTART_ON_UPGRADE=no\n");
    machine.install(first());
    assert_eq!(machine.asked(), "daemon-reload\n");
    assert_eq!(fs::read_to_string(machine.path("/etc/logsmith/edge.toml")).unwrap(), configuration);
    assert_eq!(machine.access("/etc/logsmith/edge.toml"), "root:logsmith 640");
    machine.write("/var/log/app.log", "{\"level\":\"INFO\"}\n{\"level\":\"WARN\"}\n");
    machine.run_as("logsmith", &once);
    assert_eq!(machine.offsets("/var/lib/logsmith/silver/app"), [0, 17]);

    // Removed, it leaves what is the operator's, and goes on from there when it comes back.
    machine.run(&["dpkg", "--remove", "logsmith"]);
    assert_eq!(machine.asked(), "stop logsmith.service\ndaemon-reload\n");
    let traces = machine.traces("logsmith");
    let left = ["/etc/default/logsmith", "/etc/logsmith", "/var/lib/logsmith"];
    let mut found: Vec<&str> = traces.lines().collect();
    found.sort_unstable();
    assert_eq!(found, left);
    machine.install(first());
    machine.run_as("logsmith", &once);
    assert_eq!(machine.offsets("/var/lib/logsmith/silver/app"), [0, 17]);

    machine.run(&["dpkg", "--purge", "logsmith"]);
    assert_eq!(machine.traces("logsmith"), "");
}

#[test]
fn the_central_jobs_package_lives_beside_the_agents() {
    let Some(machine) = Machine::new() else { return };
    machine.install(first());
    machine.install(central());
    assert_eq!(machine.asked(), "daemon-reload\ndaemon-reload\n");
    assert_eq!(machine.access("/etc/logsmith-central/central.toml"), "root:logsmith-central 640");
    assert_eq!(machine.run(&["id", "--name", "--groups", "logsmith-central"]).trim(), "logsmith-central");

    let central = "url = \"file:///var/lib/logsmith-central\"\n\
         [[view]]\nname = \"levels\"\nsql = \"SELECT level, count(*) AS lines FROM app GROUP BY level\"\n";
    machine.write("/etc/logsmith-central/central.toml", central);
    let checked = machine.run_as(
        "logsmith-central",
        &["logsmith-central", "check", "-c", "/etc/logsmith-central/central.toml"],
    );
    assert!(checked.ends_with("ok\n"), "{checked}");
    machine.run_as(
        "logsmith-central",
        &["logsmith-central", "compact", "-c", "/etc/logsmith-central/central.toml"],
    );

    machine.write("/var/lib/logsmith-central/silver/app/rows", "");

    // The agent's user reads nothing of it.
    let read = ["cat", "/etc/logsmith-central/central.toml"];
    let told = machine.command(&[&as_user("logsmith")[..], &read].concat()).output().unwrap();
    assert!(!told.status.success(), "the agent can read the central job's keys");

    machine.run(&["dpkg", "--purge", "logsmith-central"]);
    assert_eq!(
        machine.asked(),
        "stop logsmith-central.timer logsmith-central.service\ndaemon-reload\ndaemon-reload\n"
    );
    assert_eq!(
        machine.traces("logsmith-central"),
        "/var/lib/logsmith-central\n",
        "a lake is nobody's to purge"
    );
    assert!(machine.run(&["logsmith", "--version"]).starts_with("logsmith "));
}

/// The blocks of the README's section on installing are run in order: what builds in the clone, the others on a host.
#[test]
fn every_command_of_the_section_on_installing_works() {
    let Some(machine) = Machine::new() else { return };
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let (_, section) = readme.split_once("\n## Install\n").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let mut runs = 0;
    for (language, block) in blocks(section) {
        assert_eq!(language, "bash");
        if block.starts_with("bash examples/packages/build ") {
            for what in block.lines().map(|line| line.rsplit(' ').next().unwrap()) {
                let built = match what {
                    "logsmith" => first().to_owned(),
                    "logsmith-central" => central().to_owned(),
                    what => build(what, &[]),
                };
                fs::copy(&built, machine.path("/root").join(built.file_name().unwrap())).unwrap();
            }
        } else {
            machine.run(&["sh", "-ec", &format!("cd /root\n{block}")]);
            runs += 1;
        }
    }
    assert_eq!(runs, 6);
}
