//! Real logs of several systems, read by the plugins that we ship, configured and nothing else, say what their publishers
//! found in them: the samples of Loghub (Zhu et al., ISSRE 2023).

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;

use crate::support::{Host, real_logs, succeed};

/// The rows of a CSV file by the names of their columns.
fn truth(text: &str) -> Vec<BTreeMap<String, String>> {
    let mut records = text.split_inclusive('\n').map(fields);
    let names = records.next().unwrap();
    let row = |fields: Vec<String>| names.iter().cloned().zip(fields).collect();
    records.map(row).collect()
}

/// A line of RFC 4180 without newlines in its fields.
fn fields(line: &str) -> Vec<String> {
    let (mut fields, mut field, mut is_quoted) = (Vec::new(), String::new(), false);
    let mut chars = line.trim_end_matches(['\r', '\n']).chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if is_quoted && chars.peek() == Some(&'"') => field.extend(chars.next()),
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => fields.push(std::mem::take(&mut field)),
            c => field.push(c),
        }
    }
    fields.push(field);
    fields
}

/// Runs the agent over a sample, and compares each row with what its publishers found in the line.
fn check(
    name: &str,
    plugin: &str,
    columns: &[&str],
    told: impl Fn(&BTreeMap<String, String>) -> Vec<String>,
) {
    let Some(data) = real_logs() else { return };
    let host = Host::new("builtin:json");
    let (plugin, more) = plugin.split_once('\n').unwrap_or((plugin, ""));
    host.configure(plugin, more);
    fs::copy(data.join(format!("{name}.log")), host.path("logs/sample.log")).unwrap();
    succeed(&mut host.edge(&["run", "--once"]));
    let dead = host.read("state/dead_letter", &["line", "reason"]);
    assert!(dead.is_empty(), "{name}: {} dead letters, such as {}", dead.len(), dead[0]);
    let mut rows = host.read("state/silver/app", &[&["offset"], columns].concat());
    rows.sort_by_key(|row| row["offset"].as_i64());
    let truth = truth(&fs::read_to_string(data.join(format!("{name}.truth.csv"))).unwrap());
    assert_eq!((rows.len(), truth.len()), (2_000, 2_000), "{name}");
    for (at, (row, truth)) in rows.iter().zip(&truth).enumerate() {
        let text = |column: &&str| match &row[*column] {
            Value::String(text) => text.clone(),
            Value::Null => String::new(),
            other => other.to_string(),
        };
        let actual: Vec<String> = columns.iter().map(text).collect();
        let trimmed =
            |texts: Vec<String>| -> Vec<String> { texts.iter().map(|text| text.trim().to_owned()).collect() };
        assert_eq!(trimmed(actual), trimmed(told(truth)), "{name}: line {}", at + 1);
    }
}

fn of(truth: &BTreeMap<String, String>, names: &[&str]) -> Vec<String> {
    names.iter().map(|name| truth[*name].clone()).collect()
}

#[test]
fn openssh() {
    check("OpenSSH", "builtin:syslog", &["hostname", "app", "pid", "message"], |truth| {
        // Its publishers call the host the component.
        vec![truth["Component"].clone(), "sshd".to_owned(), truth["Pid"].clone(), truth["Content"].clone()]
    });
}

#[test]
fn linux() {
    check("Linux", "builtin:syslog", &["hostname", "app", "pid", "message"], |truth| {
        // And here its level.
        of(truth, &["Level", "Component", "PID", "Content"])
    });
}

/// Microseconds since the Unix epoch, as tables read back say them.
fn micros(time: &str) -> String {
    logsmith_plugin::Timestamp::parse_rfc3339(time).unwrap().micros().to_string()
}

#[test]
fn apache() {
    check("Apache", "builtin:weberror", &["time", "level", "client", "message"], |truth| {
        let [_, month, day, clock, year] = truth["Time"].split(' ').collect::<Vec<_>>()[..] else {
            panic!("{truth:?}")
        };
        assert_eq!(month, "Dec");
        // Its publishers count the client among the content.
        let content = truth["Content"].as_str();
        let named = content.strip_prefix("[client ").and_then(|rest| rest.split_once("] "));
        let (client, message) = named.unwrap_or(("", content));
        let time = micros(&format!("{year}-12-{day}T{clock}Z"));
        vec![time, truth["Level"].clone(), client.to_owned(), message.to_owned()]
    });
}

#[test]
fn apache_by_a_pattern() {
    let plugin = "builtin:regex\n[pipeline.config]\n\
                  patterns = ['^\\[(?<time>[^\\]]+)\\] \\[(?<level>\\w+)\\] (?<message>.*)$']\n";
    check("Apache", plugin, &["time", "level", "message"], |truth| of(truth, &["Time", "Level", "Content"]));
}

#[test]
fn hdfs() {
    let plugin = "builtin:java\n[pipeline.config]\npatterns = [\"%d{yyMMdd HHmmss} %t %p %c: %m%n\"]\n";
    check("HDFS", plugin, &["time", "thread", "level", "logger", "message"], |truth| {
        let part = |name: &str, at: usize| truth[name].get(at..at + 2).unwrap().to_owned();
        let [day, clock] = ["Date", "Time"].map(|name| [0, 2, 4].map(|at| part(name, at)));
        let time = micros(&format!("20{}T{}Z", day.join("-"), clock.join(":")));
        [vec![time], of(truth, &["Pid", "Level", "Component", "Content"])].concat()
    });
}

#[test]
fn hdfs_by_a_pattern() {
    let plugin = "builtin:regex\n[pipeline.config]\n\
                  patterns = ['^(?<day>\\d{6}) (?<clock>\\d{6}) (?<pid>\\d+) (?<level>\\w+) (?<component>[^:]+): (?<message>.*)$']\n\
                  types = { pid = \"long\" }\n";
    let columns = ["day", "clock", "pid", "level", "component", "message"];
    check("HDFS", plugin, &columns, |truth| {
        of(truth, &["Date", "Time", "Pid", "Level", "Component", "Content"])
    });
}
