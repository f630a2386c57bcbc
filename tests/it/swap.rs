//! A running agent takes changed plugins between two batches, or refuses them and runs on as before.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::Value;

use crate::support::{Agent, Host, component, eventually, read_back, succeed};

fn status(host: &Host) -> String {
    succeed(&mut host.edge(&["status"]))
}

/// The guest with this crime, in `edge.toml`.
fn guest(host: &Host, crime: &str) {
    let guest = component("hostile");
    host.configure(guest.to_str().unwrap(), &format!("config = {{ crime = \"{crime}\" }}\n"));
}

/// Puts a file in the place of another at once.
fn replace(from: &Path, to: &Path) {
    let beside = to.with_extension("new");
    fs::copy(from, &beside).unwrap();
    fs::rename(&beside, to).unwrap();
}

fn rows(host: &Host, count: u64) {
    eventually(&format!("{count} rows are in Silver"), || host.added("state/silver/app") == count);
}

/// What the verdicts of the pipeline say, oldest first.
fn verdicts(host: &Host) -> Vec<Value> {
    let log = fs::read_dir(host.path("state/silver/app/_delta_log"));
    let mut entries: Vec<_> = log.into_iter().flatten().map(|entry| entry.unwrap().path()).collect();
    entries.retain(|path| path.extension().is_some_and(|x| x == "json"));
    entries.sort();
    let lines: Vec<String> = entries.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    let actions = lines.iter().flat_map(|entry| entry.lines());
    let info =
        actions.map(|line| serde_json::from_str::<Value>(line).unwrap()["commitInfo"]["logsmith"].take());
    info.map(|mut info| info["verdict"].take()).filter(|verdict| !verdict.is_null()).collect()
}

#[test]
fn a_changed_plugin_file_takes_over_with_its_new_columns() {
    let host = Host::new("builtin:json");
    let plugin = host.path("plugin.wasm");
    fs::copy(component("json"), &plugin).unwrap();
    host.configure("plugin.wasm", "");
    let agent = host.start();
    host.append("logs/a.log", "no json\n");
    eventually("the first plugin has judged", || host.added("state/dead_letter") == 1);
    let line = r#"192.0.2.7 - - [30/Nov/2026:08:05:09 +0000] "GET /a HTTP/1.1" 404 - "-" "curl/8.5""#;
    replace(&component("access"), &plugin);
    host.append("logs/a.log", format!("{line}\n"));
    eventually("the new plugin has judged", || {
        host.append("logs/a.log", format!("{line}\n"));
        verdicts(&host).last().is_some_and(|verdict| verdict["plugins"][0]["name"] == "access")
    });
    agent.stop();
    let verdicts = verdicts(&host);
    let first = verdicts.iter().find(|verdict| verdict["plugins"][0]["name"] == "access").unwrap();
    assert_eq!(first["replaced"][0]["name"], "json", "{first}");
    let marks = verdicts.iter().filter(|verdict| !verdict["replaced"].is_null()).count();
    assert_eq!(marks, 1, "the swap is told once");
    let rows = host.read("state/silver/app", &["status", "message"]);
    assert!(rows.iter().all(|row| row["status"] == 404 && row["message"].is_null()), "{rows:?}");
}

/// What does not open, what rejects the lines of today and what changes a column's type is refused, told once, and shown
/// by `status`, while the plugin before runs on; and what is right again is taken.
#[test]
fn what_cannot_take_over_is_refused_and_the_old_one_runs_on() {
    let host = Host::new("builtin:json");
    let plugin = host.path("plugin.wasm");
    fs::copy(component("json"), &plugin).unwrap();
    host.configure("plugin.wasm", "");
    fs::write(host.path("logs/a.log"), "{\"n\":1}\n").unwrap();
    let agent = host.start_telling("log", "warn");
    rows(&host, 1);
    let refused = |what: &str| eventually(what, || status(&host).contains(what));

    fs::write(&plugin, "no plugin").unwrap();
    refused("REFUSED, and the plugins before run on:");
    refused("is not WebAssembly");
    host.append("logs/a.log", "{\"n\":2}\n");
    rows(&host, 2);
    replace(&component("access"), &plugin);
    refused("of 2 recent lines that pass today it rejects 2, one of them with: expected");
    host.append("logs/a.log", "{\"n\":3}\n");
    rows(&host, 3);
    fs::remove_file(&plugin).unwrap();
    refused("cannot read the plugin");
    replace(&component("json"), &plugin);
    eventually("the refusal is over", || !status(&host).contains("REFUSED"));
    agent.stop();
    let log = fs::read_to_string(host.path("log")).unwrap();
    assert_eq!(log.matches("changed plugins are refused; those before run on").count(), 3, "{log}");
    assert_eq!(host.read("state/dead_letter", &["line"]).len(), 0);
}

#[test]
fn a_column_of_another_type_is_refused_until_a_restart() {
    let host = Host::new("builtin:json");
    guest(&host, "none");
    fs::write(host.path("logs/a.log"), "one\n").unwrap();
    let agent = host.start();
    rows(&host, 1);
    guest(&host, "date");
    eventually("it is refused", || {
        status(&host).contains("the column `text` was Utf8, and is Date32, which takes a new table; restart")
    });
    host.append("logs/a.log", "two\n");
    rows(&host, 2);
    agent.stop();
    host.append("logs/a.log", "three\n");
    succeed(&mut host.edge(&["run", "--once"]));
    assert_eq!(host.read("state/silver/app@1", &["text"]).len(), 2);
    assert_eq!(host.read("state/silver/app", &["text"]).len(), 1);
}

/// Of a changed configuration the plugins are taken. One with mistakes changes nothing, and what needs a restart is told.
#[test]
fn the_configuration_is_read_again_while_the_agent_runs() {
    let host = Host::new("builtin:json");
    fs::write(host.path("logs/a.log"), "{\"message\":\"1\",\"note\":\"a\"}\n").unwrap();
    let agent = host.start_telling("log", "warn");
    rows(&host, 1);
    let right = fs::read_to_string(host.path("edge.toml")).unwrap();
    fs::write(host.path("edge.toml"), format!("{right}colour = 1\n")).unwrap();
    let log = || fs::read_to_string(host.path("log")).unwrap();
    eventually("the mistake is told", || log().contains("pipeline[0].colour: is not known here"));
    host.append("logs/a.log", "{\"message\":\"2\",\"note\":\"b\"}\n");
    rows(&host, 2);

    let changed = right.replace("host = \"h1\"", "host = \"h2\"");
    fs::write(host.path("edge.toml"), &changed).unwrap();
    eventually("what needs a restart is told", || {
        status(&host).contains(
            "configuration changed since the agent started: a restart is needed for another `host`\n",
        )
    });
    fs::write(host.path("edge.toml"), format!("{right}config = {{ message = \"note\" }}\n")).unwrap();
    eventually("the plugin takes its new configuration", || {
        host.append("logs/a.log", "{\"message\":\"3\",\"note\":\"c\"}\n");
        std::thread::sleep(Duration::from_millis(300));
        let hashes: BTreeSet<String> =
            verdicts(&host).iter().map(|verdict| verdict["plugins"][0]["config_hash"].to_string()).collect();
        hashes.len() == 2
    });
    fs::write(host.path("edge.toml"), &right).unwrap();
    eventually("nothing needs a restart", || !status(&host).contains("a restart is needed"));
    agent.stop();
    let rows = host.read("state/silver/app", &["message"]);
    let messages: BTreeSet<&str> = rows.iter().filter_map(|row| row["message"].as_str()).collect();
    assert!(messages.contains("1") && messages.contains("2") && messages.contains("c"), "{messages:?}");
    assert_eq!(log().matches("the configuration has mistakes").count(), 1, "{}", log());
}

#[test]
fn a_broken_plugin_that_is_mended_goes_on_by_itself() {
    let host = Host::new("builtin:json");
    guest(&host, "trap");
    fs::write(host.path("logs/a.log"), "one\n").unwrap();
    let agent = host.start_telling("log", "warn");
    rows(&host, 1);
    fs::write(host.path("logs/b.log"), "POISON\n".repeat(100)).unwrap();
    eventually("the pipeline holds", || {
        let status = status(&host);
        status.contains("HOLDS") && status.contains("waiting: 1 (100 lines, ")
    });
    guest(&host, "fault");
    eventually("another one is broken too", || {
        let status = status(&host);
        status.contains("HOLDS") && status.contains("no batch with such a row")
    });
    guest(&host, "none");
    rows(&host, 101);
    eventually("it no longer holds", || !status(&host).contains("HOLDS"));
    agent.stop();
    assert_eq!(host.read("state/dead_letter", &["line"]).len(), 0);
    let log = fs::read_to_string(host.path("log")).unwrap();
    assert_eq!(log.matches("the pipeline holds").count(), 2, "{log}");
}

/// Plugins swapped all the time, and the agent killed at any moment: each line has one row, and each commit's rows are
/// those of the plugins that its verdict names.
#[test]
fn an_agent_killed_while_plugins_are_swapped_judges_each_line_once() {
    let host = Host::new("builtin:json");
    let configs = ["{ message = \"a\" }", "{ message = \"b\" }"];
    host.configure("builtin:json", &format!("config = {}\n", configs[0]));
    let right = fs::read_to_string(host.path("edge.toml")).unwrap();
    let (stop, total) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let writer = std::thread::spawn({
        let (stop, total, path) = (Arc::clone(&stop), Arc::clone(&total), host.path("logs/a.log"));
        move || {
            let mut file = fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
            while !stop.load(Ordering::Relaxed) {
                for n in total.fetch_add(10, Ordering::Relaxed)..total.load(Ordering::Relaxed) {
                    use std::io::Write;
                    writeln!(file, "{{\"a\":\"a\",\"b\":\"b\",\"n\":{n}}}").unwrap();
                }
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    });
    let mut random = StdRng::seed_from_u64(5);
    let judge = || verdicts(&host).last().map(|verdict| verdict["plugins"][0]["config_hash"].clone());
    for round in 1..=6 {
        let mut agent: Agent = host.start();
        let begun = verdicts(&host).last().map(|verdict| verdict["bronze"]["last"].clone());
        eventually("the agent judges", || {
            verdicts(&host).last().map(|verdict| verdict["bronze"]["last"].clone()) != begun
        });
        // What it was started with has judged, so that another hash is that of a swap.
        let before = judge();
        fs::write(host.path("edge.toml"), right.replace(configs[0], configs[round % 2])).unwrap();
        if round % 2 == 1 {
            eventually("the plugin was swapped", || judge() != before);
        }
        std::thread::sleep(Duration::from_millis(random.random_range(0..2_500)));
        agent.kill();
    }
    stop.store(true, Ordering::Relaxed);
    writer.join().unwrap();
    succeed(&mut host.edge(&["run", "--once"]));

    let total = total.load(Ordering::Relaxed);
    let columns: &[&str] = &["message", "fields", "seq"];
    let tables =
        [(host.path("state/silver/app"), columns), (host.path("state/bronze"), &["line"] as &[&str])];
    let [silver, bronze] = read_back(&tables).try_into().unwrap();
    assert_eq!((silver.len() as u64, bronze.len() as u64), (total, total));
    let number = |row: &Value| {
        let fields = row["fields"].as_array().unwrap();
        fields.iter().find(|pair| pair[0] == "n").unwrap()[1].as_str().unwrap().parse::<u64>().unwrap()
    };
    let numbers: BTreeSet<u64> = silver.iter().map(number).collect();
    assert_eq!(numbers.len() as u64, total);
    let mut commits = BTreeMap::new();
    for row in &silver {
        let message = commits.entry(row["seq"].as_u64().unwrap()).or_insert_with(|| row["message"].clone());
        assert_eq!(*message, row["message"], "a commit has rows of both configurations");
    }
    let messages: Vec<&Value> = commits.values().collect();
    let swaps = messages.windows(2).filter(|pair| pair[0] != pair[1]).count();
    assert!(swaps >= 3, "{swaps} swaps in {} commits", commits.len());
    // Older verdicts are cleaned up.
    let of_messages: BTreeSet<(String, String)> = verdicts(&host)
        .iter()
        .filter_map(|verdict| {
            let message = commits.get(&verdict["rows"]["seq"].as_u64()?)?;
            Some((verdict["plugins"][0]["config_hash"].to_string(), message.to_string()))
        })
        .collect();
    let hashes: BTreeSet<&String> = of_messages.iter().map(|(hash, _)| hash).collect();
    assert_eq!(hashes.len(), of_messages.len(), "a verdict names other plugins: {of_messages:?}");
}
