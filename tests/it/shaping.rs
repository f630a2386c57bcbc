//! The plugins that shape rows by configuration do so in chains, from files to tables.

use std::fs;

use serde_json::{Value, json};

use crate::support::{Host, fail, succeed};

/// Rows of Silver, in the order of their lines, and the reasons of dead letters.
fn shaped(plugin: &str, more: &str, lines: &str, columns: &[&str]) -> (Vec<Value>, Vec<String>) {
    let host = Host::new(plugin);
    host.configure(plugin, more);
    fs::write(host.path("logs/a.log"), lines).unwrap();
    succeed(&mut host.edge(&["run", "--once"]));
    let mut rows = host.read("state/silver/app", &[columns, &["offset"]].concat());
    rows.sort_by_key(|row| row["offset"].as_i64());
    let dead = host.read("state/dead_letter", &["reason"]);
    (rows, dead.iter().map(|row| row["reason"].as_str().unwrap().to_owned()).collect())
}

#[test]
fn lines_of_any_format_get_columns_and_their_time() {
    let more = r#"
[pipeline.config]
patterns = ['^(?<when>%{SYSLOGTIMESTAMP}) %{HOSTNAME:machine} %{PROG:program}(?:\[%{INT:pid}\])?: (?<message>.*)$']
types = { pid = "integer" }

[[pipeline.then]]
plugin = "builtin:time"
config = { column = "when", into = "time", formats = ["%b %d %H:%M:%S"], zone = "+01:00" }

[[pipeline.then]]
plugin = "builtin:filter"
config = { where = 'pid > 1 && not message contains "noise" && path ends_with ".log"' }
"#;
    let lines = "Jan  2 03:04:05 web-1 sshd[77]: Accepted\nJan  2 03:04:05 web-1 sshd[77]: noise\n\
                 Feb 30 03:04:05 web-1 sshd[77]: no such day\nfree text\nJan  2 03:04:05 web-1 kernel: no pid\n";
    let (rows, mut dead) =
        shaped("builtin:regex", more, lines, &["time", "machine", "program", "pid", "message"]);
    dead.sort();
    assert_eq!(dead, ["\"Feb 30 03:04:05\" is no time in any of the formats", "the pattern does not match"]);
    assert_eq!(rows.len(), 1, "{rows:?}");
    let row = &rows[0];
    let seen = (&row["machine"], &row["program"], &row["pid"], &row["message"]);
    assert_eq!(seen, (&json!("web-1"), &json!("sshd"), &json!(77), &json!("Accepted")));
    // 2:04:05 in UTC, on the second of January of whatever year.
    let seconds = row["time"].as_i64().unwrap() / 1_000_000;
    assert_eq!(seconds % 86_400, 2 * 3_600 + 4 * 60 + 5);
}

#[test]
fn what_nobody_should_read_is_in_no_column_and_what_is_sampled_keeps_its_weight() {
    let more = r#"
[[pipeline.then]]
plugin = "builtin:redact"
[pipeline.then.config]
columns = ["message", "fields"]
hash = ["email"]
key = "0123456789abcdef0123456789abcdef"

[[pipeline.then]]
plugin = "builtin:sample"
[pipeline.then.config]
keep_one_in = 0
rules = [{ where = 'level == "ERROR"', keep_one_in = 1 }, { where = 'level == "INFO"', keep_one_in = 10 }]
"#;
    let line = |level: &str, n: u32| {
        format!("{{\"level\":\"{level}\",\"message\":\"{n} from 192.0.2.7\",\"user\":\"ann@example.org\"}}\n")
    };
    let lines: String = (0..1_000)
        .map(|n| line(["INFO", "DEBUG"][n as usize % 2], n))
        .chain([line("ERROR", 1_000)])
        .collect();
    let (rows, dead) = shaped("builtin:json", more, &lines, &["level", "message", "fields", "weight"]);
    assert!(dead.is_empty(), "{dead:?}");
    assert!((20..100).contains(&rows.len()), "{} of 500 rows, one in ten", rows.len());
    for row in &rows {
        let text = row.to_string();
        assert!(!text.contains("192.0.2.7") && !text.contains("ann@"), "{text}");
        assert!(row["message"].as_str().unwrap().ends_with(" from [ip]"), "{text}");
        assert_eq!(row["fields"], rows[0]["fields"], "equal values have equal hashes");
        assert_eq!(row["weight"], if row["level"] == "ERROR" { 1 } else { 10 }, "{text}");
    }
    assert_eq!(rows.last().unwrap()["level"], "ERROR");
    assert!(rows[0]["fields"].to_string().contains("[email:"), "{}", rows[0]);
}

#[test]
fn a_wrong_configuration_is_told_before_anything_is_read() {
    let host = Host::new("builtin:json");
    let filter = "[[pipeline.then]]\nplugin = \"builtin:filter\"\nconfig = { where = 'levl == \"a\"' }\n";
    host.configure("builtin:json", filter);
    let said = fail(&mut host.edge(&["check"]));
    assert!(said.contains("`where`: at letter 1: there is no column `levl`, only:"), "{said}");
    host.configure("builtin:filter", "config = { where = 'line contains \"a\"' }\n");
    let said = fail(&mut host.edge(&["check"]));
    assert!(said.contains("write no column"), "{said}");
}
