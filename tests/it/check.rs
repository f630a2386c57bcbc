//! Mistakes in a configuration are told all at once, each with file, line, key, and what to write.

use std::fs;

use crate::support::{Host, fail, succeed};

#[test]
fn every_mistake_is_told_at_once() {
    let host = Host::new("builtin:json");
    fs::write(
        host.path("edge.toml"),
        r#"[agent]
state_dir = 7
disk_budget = "lots"
colour = "red"

[central]
url = "ftp://somewhere"

[[source]]
name = "app"
include = ["logs/[*.log"]
start_at = "middle"

[[source]]
name = "web"
include = "logs/web.log"

[[source]]
name = "none"
include = []

[[source]]
name = "net"
syslog = ["tcp://localhost:1", "udp://127.0.0.1:1"]

[[source]]
name = "log"
[source.journal]
priority = "loud"
unit = "a"

[[pipeline]]
name = "a b"
sources = ["wbe"]

[[pipeline]]
name = "jsonn"
plugin = "builtin:jsonn"

[[pipeline]]
name = "misconfigured"
plugin = "builtin:json"
config = { levels = 3 }

[[pipeline]]
name = "lost"
plugin = "plugins/lost.wasm"
colour = "red"
"#,
    )
    .unwrap();
    let said = fail(&mut host.edge(&["check"]));
    let wanted = [
        "edge.toml:2: agent.state_dir: is of type integer; write a string",
        "edge.toml:3: agent.disk_budget: write a size like",
        "edge.toml:4: agent.colour: is not known here; known are",
        "edge.toml:7: central.url: ftp://somewhere: scheme `ftp` is not served; write file, s3, gs or az",
        "edge.toml:11: source[0].include[0]:",
        "edge.toml:12: source[0].start_at: write \"beginning\" or \"end\"",
        "edge.toml:16: source[1].include: is of type string; write a list of strings",
        "edge.toml:18: source[2].include: names no file",
        "edge.toml:24: source[3].syslog[0]: `localhost:1` is no address",
        "edge.toml:29: source[4].journal.priority: `loud` is no priority; write one of emerg, alert",
        "edge.toml:30: source[4].journal.unit: is not known here",
        "edge.toml:33: pipeline[0].name: `a b`: write letters, digits and _ only",
        "edge.toml:34: pipeline[0].sources[0]: there is no source `wbe`; there are app, log, net, none, web",
        "pipeline[0].plugin: is missing; write",
        "edge.toml:38: pipeline[1].plugin: there is no built-in plugin `jsonn`, only: access, container, json",
        "edge.toml:42: pipeline[2].plugin: builtin:json refuses its configuration: unknown field `levels`",
        "edge.toml:47: pipeline[3].plugin: cannot read the plugin",
        "No such file or directory",
        "edge.toml:48: pipeline[3].colour: is not known here",
        "18 mistakes",
    ];
    for line in wanted {
        assert!(said.contains(line), "`{line}` is not in:\n{said}");
    }
    assert!(!host.path("state").exists(), "a data folder was opened");
}

#[test]
fn a_right_configuration_shows_the_columns_of_its_plugins() {
    let host = Host::new("builtin:json");
    let said = succeed(&mut host.edge(&["check"]));
    for column in ["level", "message", "time", "fields"] {
        assert!(said.contains(column), "{said}");
    }
    assert!(said.ends_with("ok\n"), "{said}");
}

#[test]
fn a_plugin_that_cannot_be_loaded_is_named() {
    let host = Host::new("builtin:json");
    host.configure("builtin:jsonn", "");
    assert!(fail(&mut host.edge(&["check"])).contains("json"));
    fs::write(host.path("bad.wasm"), "not wasm").unwrap();
    host.configure("bad.wasm", "");
    assert!(fail(&mut host.edge(&["check"])).contains("bad.wasm"));
}

#[test]
fn a_view_that_cannot_be_kept_is_refused_with_the_reason() {
    let host = Host::new("builtin:json");
    host.views("levels", "SELECT level FROM app ORDER BY level LIMIT 3");
    let said = fail(&mut host.central(&["check"]));
    assert!(said.contains("levels") && said.contains("LIMIT"), "{said}");
    host.views("levels", "SELECT level AS log_level, count(*) AS log_count FROM app GROUP BY level");
    assert!(succeed(&mut host.central(&["check"])).ends_with("ok\n"));
}
