//! A component on disk works as the built-in one does, and only the one that is meant.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::{Host, component, fail, succeed};

fn sha256(file: &Path) -> String {
    let printed = succeed(std::process::Command::new("sha256sum").arg(file));
    printed.split(' ').next().unwrap().to_owned()
}

const LINES: &str = concat!(
    r#"{"level":"INFO","message":"one","time":"2026-11-30T12:00:00Z","n":1,"deep":{"a":[1,2]}}"#,
    "\n",
    r#"{"level":"WARN","message":"zwei ☃","time":1796040000000,"ok":true,"none":null}"#,
    "\nno json\n[1]\n",
);

fn rows(plugin: &str, more: &str) -> (Vec<Value>, Vec<Value>) {
    let host = Host::new("builtin:json");
    host.configure(plugin, more);
    fs::write(host.path("logs/a.log"), LINES).unwrap();
    succeed(&mut host.edge(&["run", "--once"]));
    let mut rows = host.read("state/silver/app", &["level", "message", "time", "fields", "offset"]);
    let mut dead = host.read("state/dead_letter", &["line", "reason", "plugin"]);
    rows.sort_by_key(|row| row["offset"].as_i64());
    dead.sort_by_key(ToString::to_string);
    (rows, dead)
}

#[test]
fn a_component_on_disk_gives_the_rows_of_the_built_in_one() {
    let file = component("json");
    let pinned = format!("sha256 = \"{}\"\n", sha256(&file));
    let (rows_of_file, dead_of_file) = rows(file.to_str().unwrap(), &pinned);
    assert_eq!((rows_of_file.clone(), dead_of_file.clone()), rows("builtin:json", ""));
    assert_eq!(rows_of_file[0]["time"], rows_of_file[1]["time"]);
    assert_eq!(rows_of_file[1]["message"], "zwei ☃");
    assert_eq!(dead_of_file.len(), 2);
}

#[test]
fn a_component_that_is_not_the_pinned_one_is_refused() {
    let host = Host::new("builtin:json");
    let (json, access) = (component("json"), component("access"));
    let pinned = format!("sha256 = \"{}\"\n", sha256(&access));
    host.configure(json.to_str().unwrap(), &pinned);
    let said = fail(&mut host.edge(&["run", "--once"]));
    assert!(said.contains(&sha256(&access)) && said.contains(&sha256(&json)), "{said}");
    assert!(!host.path("state/bronze").exists(), "a table was opened");
}

/// A table never changes a type: what the new plugin writes goes to a table of its own, the old one is kept and goes on
/// to the landing, no line is skipped or judged twice, and centrally the other type waits in quarantine.
#[test]
fn a_column_that_changes_its_type_begins_a_new_table() {
    let host = Host::new("builtin:json");
    let with = |crime: &str| {
        let guest = component("hostile");
        host.configure(guest.to_str().unwrap(), &format!("config = {{ crime = \"{crime}\" }}\n"));
    };
    let lines = |numbers: std::ops::Range<u32>| numbers.map(|n| format!("line {n}\n")).collect::<String>();
    with("none");
    host.views("counts", "SELECT text, count(*) AS n FROM app GROUP BY text");
    // The fleet table has its type before the two kinds of rows come.
    fs::write(host.path("logs/0.log"), "line\n").unwrap();
    host.finish();
    host.leave_central();
    fs::write(host.path("logs/a.log"), lines(0..10)).unwrap();
    succeed(&mut host.edge(&["run", "--once"]));

    with("date");
    fs::write(host.path("logs/b.log"), lines(10..15)).unwrap();
    host.finish();
    assert_eq!(host.read("state/silver/app@1", &["text"]).len(), 11);
    let dates = host.read("state/silver/app", &["text"]);
    assert_eq!(dates.len(), 5);
    assert_ne!(dates[0]["text"], "line 10");
    let fleet = host.read("lake/silver/app", &["text"]);
    assert_eq!(fleet.len(), 11, "what the old table held went on, and the other type did not");
    let held = walkdir::WalkDir::new(host.path("lake/quarantine")).into_iter().flatten();
    let reasons: Vec<String> = held.filter_map(|entry| fs::read_to_string(entry.path()).ok()).collect();
    assert!(reasons.iter().any(|reason| reason.contains("text")), "{reasons:?}");

    with("none");
    fs::write(host.path("logs/c.log"), lines(15..18)).unwrap();
    host.finish();
    assert_eq!(host.read("lake/silver/app", &["text"]).len(), 14);
    assert_eq!(host.read("state/silver/app@2", &["text"]).len(), 5);
}
