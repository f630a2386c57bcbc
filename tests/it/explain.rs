//! `check --explain` tells what holds for every key, where that comes from, and which files are read.

use std::fs;

use crate::support::{Host, fail, succeed};

/// The lines of what `check --explain` says, each without what aligns it.
fn explained(host: &Host) -> Vec<String> {
    let said = succeed(host.edge(&["check", "--explain"]).env("HOST", "web-7").env("KEY", "hunter2"));
    assert!(said.ends_with("ok\n") && !said.contains("hunter2") && !said.contains("literal"), "{said}");
    said.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn every_key_is_told_with_its_value_and_where_it_comes_from() {
    let host = Host::new("builtin:json");
    host.edit(|edge| {
        let options =
            "[central.options]\naws_access_key_id = \"${KEY}\"\naws_secret_access_key = \"literal${KEY}\"\n";
        let edge = edge.replace("[[source]]", &format!("{options}\n[[source]]"));
        edge.replace("\"h1\"", "\"${HOST}\"")
    });
    fs::create_dir(host.path("conf.d")).unwrap();
    let part = "[agent]\ndisk_budget = \"3GB\"\n[[source]]\nname = \"net\"\nsyslog = [\"udp://127.0.0.1:1\"]\n\
                [[pipeline]]\nname = \"net\"\nplugin = \"builtin:syslog\"\n[[pipeline.then]]\nplugin = \"builtin:filter\"\n\
                config = { where = 'line != \"a\"' }\nlimits = { memory_bytes_max = \"9MB\" }\n";
    fs::write(host.path("conf.d/net.toml"), part).unwrap();
    for name in ["a.log", "b.log", "c.txt"] {
        fs::write(host.path("logs").join(name), "{}\n").unwrap();
    }
    let said = explained(&host);
    let main = host.path("edge.toml").display().to_string();
    let part = host.path("conf.d/net.toml").display().to_string();
    let logs = host.path("logs").display().to_string();
    let wanted = [
        format!("agent.host = \"${{HOST}}\" {main}:3:8, environment variable HOST"),
        format!("agent.disk_budget = \"3GB\" {part}:2:15"),
        "agent.open_files_max = 256 default".to_owned(),
        format!("central.options.aws_access_key_id = \"${{KEY}}\" {main}:11:21, environment variable KEY"),
        format!("central.options.aws_secret_access_key = … {main}:12:25, environment variable KEY"),
        "central.upload_rate = (no limit) default".to_owned(),
        format!("source[0].last_line_timeout = \"300ms\" {main}:17:21"),
        "source[0].start_at = \"beginning\" default".to_owned(),
        format!("source[1].syslog = [\"udp://127.0.0.1:1\"] {part}:5:10"),
        "source[1].line_bytes_max = \"1MiB\" default".to_owned(),
        "pipeline[0].sources = (all) default".to_owned(),
        "pipeline[0].limits.memory_bytes_max = \"256MiB\" default".to_owned(),
        format!("pipeline[1].then[0].limits.memory_bytes_max = \"9MB\" {part}:12:31"),
        "pipeline[1].then[0].limits.call_cpu_time_max = \"100ms\" default".to_owned(),
        "source app names 2 files now".to_owned(),
        format!("{logs}/a.log"),
        format!("{logs}/b.log"),
        "pipeline net: app, net, stdin -> silver/net".to_owned(),
    ];
    for line in &wanted {
        assert!(said.contains(line), "`{line}` is not in:\n{}", said.join("\n"));
    }
    for other in ["source[1].start_at", "source[1].exclude", "metrics.", "c.txt"] {
        assert!(!said.iter().any(|line| line.contains(other)), "{other}");
    }
    let said = fail(&mut host.central(&["check", "--explain"]));
    assert!(said.contains("--explain is for an agent's configuration"), "{said}");
}
