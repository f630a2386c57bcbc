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
