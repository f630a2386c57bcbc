//! Mistakes in a configuration are told all at once, each with file, line, key, and what to write.

use std::fs;
use std::path::Path;

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
        "edge.toml:2:13: agent.state_dir: is of type integer; write a string",
        "edge.toml:3:15: agent.disk_budget: write a size like",
        "edge.toml:4:1: agent.colour: is not known here; known are",
        "edge.toml:7:7: central.url: ftp://somewhere: scheme `ftp` is not served; write file, s3, gs or az",
        "edge.toml:11:12: source[0].include[0]:",
        "edge.toml:12:12: source[0].start_at: write \"beginning\" or \"end\"",
        "edge.toml:16:11: source[1].include: is of type string; write a list of strings",
        "edge.toml:18:1: source[2].include: names no file",
        "edge.toml:24:11: source[3].syslog[0]: `localhost:1` is no address",
        "edge.toml:29:12: source[4].journal.priority: `loud` is no priority; write one of emerg, alert",
        "edge.toml:30:1: source[4].journal.unit: is not known here",
        "edge.toml:33:8: pipeline[0].name: `a b`: write letters, digits and _ only",
        "edge.toml:34:12: pipeline[0].sources[0]: there is no source `wbe`; there are app, log, net, none, web",
        "pipeline[0].plugin: is missing; write",
        "edge.toml:38:10: pipeline[1].plugin: there is no built-in plugin `jsonn`, only: access, ",
        "edge.toml:42:10: pipeline[2].plugin: builtin:json refuses its configuration: `levels`: unknown field `levels`",
        "edge.toml:47:10: pipeline[3].plugin: cannot read the plugin",
        "No such file or directory",
        "edge.toml:48:1: pipeline[3].colour: is not known here",
        "18 mistakes",
    ];
    for line in wanted {
        assert!(said.contains(line), "`{line}` is not in:\n{said}");
    }
    assert!(!host.path("state").exists(), "a data folder was opened");
}

#[test]
fn the_line_of_a_mistake_is_shown_with_a_mark_below() {
    let host = Host::new("builtin:json");
    host.edit(|edge| {
        let edge = edge.replace("\"100ms\"", "\"soon\"  # a remark");
        edge.replace("[[source]]\n", "[[source]]\n\tcolour = \"red\"\n") + "\n[[pipeline]]\nname = \"b\"\n"
    });
    let said = fail(&mut host.edge(&["check"]));
    let wanted = [
        "500ms\", \"60s\" or \"5min\"\n    4 | bronze_interval = \"soon\"\n      |                   ^\n",
        "last_line_timeout, line_bytes_max, multiline, name, self, start_at, syslog\n   11 |     colour = \"…\"\n      |     ^\n",
        "or a path to a .wasm file\n   20 | [[pipeline]]\n      | ^\n",
    ];
    for line in wanted {
        assert!(said.contains(line), "`{line}` is not in:\n{said}");
    }
    assert!(fail(&mut host.edge(&["run"])).contains(wanted[0]), "run does not show it");
    host.edit(|edge| edge.replace("silver_interval = \"200ms\"", "silver_interval = 9s"));
    let said = fail(&mut host.edge(&["check"]));
    assert!(said.contains("\n    5 | silver_interval = …\n      |                   ^\n"), "{said}");
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

#[test]
fn every_mistake_in_the_central_configuration_is_told_at_once() {
    let host = Host::new("builtin:json");
    let root = host.path("").display().to_string();
    let rename = |column: &str, kind: &str, to: &str| {
        format!("[[rename]]\ntable = \"app\"\ncolumn = \"{column}\"\ntype = \"{kind}\"\nto = \"{to}\"\n")
    };
    let view = |name: &str, more: &str| {
        format!("[[view]]\nname = \"{name}\"\nsql = \"SELECT count(*) AS n FROM app\"\n{more}\n")
    };
    let text = [
        format!("url = \"file://{root}lake\"\n"),
        view("levels", "hash_partitions = 100000"),
        view("Levels", ""),
        view("_delta_log", "keep = \"36h\""),
        "[[table]]\nname = \"app\"\nkeep = \"9d\"\n".repeat(2),
        "[[table]]\nname = \"../app\"\nkeep = \"9d\"\n".to_owned(),
        rename("status", "text", "status_text"),
        rename("status", "string", "the status"),
        rename("status", "long", "date"),
        rename("host", "string", "host_text"),
        rename("ms", "double", "ms_double").repeat(2),
    ];
    fs::write(host.path("central.toml"), text.concat()).unwrap();
    let said = fail(&mut host.central(&["check"]));
    let wanted = [
        "view[0].hash_partitions: each is a file; write at most 4096",
        "view[1].name: `Levels` is the name of an earlier view; case does not tell them apart",
        "view[2].keep: is no number of whole days; write \"90d\"",
        "view[2].name: `_delta_log` is what Delta calls a table's log",
        "rename[0].type: `text` is no type; write string, integer, long",
        "rename[1].to: `the status` is a name that other engines do not take",
        "rename[2].to: `date` is the name of a column that there is",
        "rename[3].column: `host` says where a row comes from",
        "rename[5].column: `ms` of this table and type has a name already",
        "table[1].name: `app` is the name of an earlier table",
        "table[2].name: `../app`: write letters, digits and _ only",
        "11 mistakes",
    ];
    for line in wanted {
        assert!(said.contains(line), "`{line}` is not in:\n{said}");
    }
}

#[test]
fn the_example_of_the_central_configuration_has_every_key() {
    let host = Host::new("builtin:json");
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/central.toml");
    let example = fs::read_to_string(example).unwrap();
    for table in ["url =", "[metrics]", "[[view]]", "[[table]]", "[[rename]]"] {
        let (before, behind) = example.split_once(table).unwrap();
        let rest = if table == "url =" {
            format!("no_key = 1\n{table}{behind}")
        } else {
            format!("{table}\nno_key = 1{behind}")
        };
        fs::write(host.path("central.toml"), format!("{before}{rest}")).unwrap();
        let said = fail(&mut host.central(&["check"]));
        let (_, known) = said.split_once("no_key: is not known here; known are ").unwrap();
        for key in known.lines().next().unwrap().split(", ") {
            let is_told =
                |line: &str| ["", "[", "[["].iter().any(|open| line.starts_with(&format!("{open}{key}")));
            assert!(example.lines().any(is_told), "{table}: {key} is not in the example");
        }
    }
}

#[test]
fn a_view_that_names_another_one_like_a_table_is_told_how_that_is_called() {
    let host = Host::new("builtin:json");
    host.views("levels", "SELECT level, count(*) AS n FROM app GROUP BY level");
    let more = "\n[[view]]\nname = \"all\"\nsql = \"SELECT sum(n) AS n FROM levels\"\n";
    let central = fs::read_to_string(host.path("central.toml")).unwrap() + more;
    fs::write(host.path("central.toml"), &central).unwrap();
    let said = fail(&mut host.central(&["check"]));
    let wanted = "view all: it reads silver.levels, which is not there; the view of that name is gold.levels";
    assert!(said.contains(wanted), "{said}");
    fs::write(host.path("central.toml"), central.replace("FROM levels", "FROM gold.levels")).unwrap();
    assert!(succeed(&mut host.central(&["check"])).ends_with("ok\n"));
}

/// Replaces the sources of the configuration, and returns what `check` says and whether it is content.
fn check_sources(host: &Host, sources: &str) -> (String, bool) {
    host.edit(|edge| {
        let (before, after) = edge.split_once("[[source]]").unwrap();
        let (_, after) = after.split_once("[[pipeline]]").unwrap();
        format!("{before}{sources}\n[[pipeline]]{after}")
    });
    let output = host.edge(&["check"]).output().unwrap();
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    (said, output.status.success())
}

#[test]
fn a_key_written_twice_is_one_mistake() {
    let host = Host::new("builtin:json");
    host.edit(|edge| edge.replace("[agent]", "[agent]\ndisk_budget = \"2GB\"\ndisk_budget = \"1GB\""));
    let said = fail(&mut host.edge(&["check"]));
    assert!(said.contains("edge.toml:3:1: duplicate key"), "{said}");
    assert!(said.ends_with("1 mistake\n"), "{said}");
}

#[test]
fn an_include_that_names_a_folder_is_told() {
    let host = Host::new("builtin:json");
    for written in ["logs", "logs/", "./logs/../logs"] {
        let source = format!("[[source]]\nname = \"app\"\ninclude = [\"{written}\"]\n");
        let (said, is_right) = check_sources(&host, &source);
        let logs = host.path("logs").canonicalize().unwrap();
        let wanted = format!("/logs` is a folder; write `{}/*`", logs.display());
        let wanted = if written.ends_with('/') { wanted.replacen("/logs`", "/logs/`", 1) } else { wanted };
        assert!(!is_right && said.contains(&wanted) && said.ends_with("1 mistake\n"), "{said}");
    }
    let (said, is_right) =
        check_sources(&host, "[[source]]\nname = \"app\"\ninclude = [\"logs/not-there-yet\"]\n");
    assert!(is_right, "{said}");
}

#[test]
fn an_exclude_that_can_match_nothing_is_told() {
    let host = Host::new("builtin:json");
    let check = |exclude: &str| {
        let include = "include = [\"/var/log/**/*.log\", \"logs/*.log\"]";
        check_sources(&host, &format!("[[source]]\nname = \"app\"\n{include}\nexclude = [\"{exclude}\"]\n"))
    };
    for vain in ["old/*.log", "logs/old/*.log", "logs/*.txt/x", "./more/debug.log"] {
        let (said, is_right) = check(vain);
        let wanted = format!("source[0].exclude[0]: `{vain}` means `/");
        assert!(!is_right && said.contains(&wanted) && said.contains("write `/**/"), "{said}");
    }
    for right in ["*.tmp", "logs/debug*", "logs/*", "/var/log/old/**", "/**/old/*.log"] {
        let (said, is_right) = check(right);
        assert!(is_right, "{right}: {said}");
    }
}

#[test]
fn a_file_that_two_sources_name_is_told_and_read_by_the_first() {
    let host = Host::new("builtin:json");
    let source = |name: &str, keys: &str| {
        format!("[[source]]\nname = \"{name}\"\n{keys}\nstart_at = \"beginning\"\n\n")
    };
    // A pattern that can get nothing is a mistake.
    let twice = [
        source("app", "include = [\"logs/*.log\"]"),
        source("all", "include = [\"logs/*\", \"logs/*.log\"]"),
    ];
    let (said, is_right) = check_sources(&host, &twice.concat());
    let wanted =
        "source[1].include[1]: source `app` reads these files; a file is read once, by the first source";
    assert!(!is_right && said.contains(wanted) && said.ends_with("1 mistake\n"), "{said}");

    // One that gets what another leaves is none; files that stand there are named.
    let rest = [
        source("app", "include = [\"logs/*.log\"]\nexclude = [\"b*\"]"),
        source("all", "include = [\"logs/*.log\"]"),
        source("link", "include = [\"links/*\"]"),
    ];
    for name in ["a", "b", "c"] {
        fs::write(host.path(&format!("logs/{name}.log")), format!("{{\"message\":\"{name}\"}}\n")).unwrap();
    }
    fs::create_dir(host.path("links")).unwrap();
    std::os::unix::fs::symlink(host.path("logs/b.log"), host.path("links/b")).unwrap();
    let (said, is_right) = check_sources(&host, &rest.concat());
    let warnings = [
        "warning: sources `app` and `all` both name ",
        "/logs/a.log and 1 more; `app` reads it",
        "warning: sources `all` and `link` both name ",
        "/links/b; `all` reads it",
    ];
    assert!(is_right, "{said}");
    for warning in warnings {
        assert!(said.contains(warning), "`{warning}` is not in:\n{said}");
    }
    succeed(&mut host.edge(&["run", "--once"]));
    let mut rows: Vec<(String, String)> = host
        .read("state/bronze", &["line", "source"])
        .iter()
        .map(|row| (row["line"].to_string(), row["source"].as_str().unwrap().to_owned()))
        .collect();
    rows.sort();
    let sources: Vec<&str> = rows.iter().map(|(_, source)| source.as_str()).collect();
    assert_eq!(sources, ["app", "all", "app"]);
}
