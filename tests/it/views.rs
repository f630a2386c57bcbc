//! Gold is what one query over Silver would say, whatever order lines came in, were late, or were judged again: held
//! against what the independent reader finds in Silver.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;

use crate::support::{Host, read_back, succeed};

const MINUTE: i64 = 60_000_000;

/// Minutes, and on top of each other hours and days; and the levels of all days, spread over partitions.
const LAYERS: &str = r#"
[[view]]
name = "days"
sql = "SELECT date_trunc('day', hour) AS day, level, sum(lines) AS lines, min(first) AS first FROM gold.hours GROUP BY 1, 2"

[[view]]
name = "hours"
sql = """
SELECT date_trunc('hour', minute) AS hour, level, sum(lines) AS lines, min(first) AS first
FROM gold.minutes GROUP BY 1, 2
"""

[[view]]
name = "minutes"
sql = """
SELECT date_trunc('minute', time) AS minute, level, count(*) AS lines, min(message) AS first
FROM app GROUP BY 1, 2
"""

[[view]]
name = "all"
sql = "SELECT level, sum(lines) AS lines, min(first) AS first FROM gold.days GROUP BY level"
hash_partitions = 4
"#;

/// Lines of an application: each a few minutes after the one before, some of them late by days.
fn lines(round: usize) -> String {
    let line = |n: usize| {
        let late = if n % 5 == 4 { 2 } else { 0 };
        let (day, hour, minute) = (10 + round - late, n * 3 % 24, n * 7 % 60);
        let (level, other) = (["info", "warn", "error"][n % 3], ["info", "fatal"][n % 2]);
        format!(
            "{{\"time\": \"2026-11-{day:02}T{hour:02}:{minute:02}:00Z\", \"level\": \"{level}\", \
             \"severity\": \"{other}\", \"message\": \"m{:03}\"}}\n",
            n * 31 % 97
        )
    };
    (0..60).map(line).collect()
}

/// By start of a span and level: how many lines, and the first message.
type Groups = BTreeMap<(Option<i64>, String), (i64, String)>;

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// The groups of Silver's rows, by spans of so many minutes, or over all time.
fn grouped(silver: &[Value], minutes: Option<i64>) -> Groups {
    let mut groups = Groups::new();
    for row in silver {
        let time = row["time"].as_i64().unwrap();
        let start = minutes.map(|minutes| time - time.rem_euclid(minutes * MINUTE));
        let message = text(&row["message"]);
        let group = groups.entry((start, text(&row["level"]))).or_insert((0, message.clone()));
        group.0 += 1;
        group.1 = message.min(group.1.clone());
    }
    groups
}

fn shown(gold: &[Value], start: &str) -> Groups {
    let group = |row: &Value| {
        let key = (row[start].as_i64(), text(&row["level"]));
        (key, (row["lines"].as_i64().unwrap(), text(&row["first"])))
    };
    let groups: Groups = gold.iter().map(group).collect();
    assert_eq!(groups.len(), gold.len(), "a group is there twice");
    groups
}

fn assert_layers_show_silver(host: &Host, rows: usize) {
    let columns = |start: &'static str| vec![start, "level", "lines", "first"];
    let asked = [
        ("silver/app", vec!["time", "level", "message"]),
        ("gold/minutes", columns("minute")),
        ("gold/hours", columns("hour")),
        ("gold/days", columns("day")),
        ("gold/all", columns("level")),
    ];
    let asked = asked.map(|(table, columns)| (host.path("lake").join(table), columns));
    let asked: Vec<_> = asked.iter().map(|(table, columns)| (table.clone(), columns.as_slice())).collect();
    let tables = read_back(&asked);
    let [silver, minutes, hours, days, all] = tables.as_slice() else { panic!("five tables") };
    assert_eq!(silver.len(), rows);
    assert_eq!(shown(minutes, "minute"), grouped(silver, Some(1)));
    assert_eq!(shown(hours, "hour"), grouped(silver, Some(60)));
    assert_eq!(shown(days, "day"), grouped(silver, Some(24 * 60)));
    assert_eq!(shown(all, ""), grouped(silver, None));
}

#[test]
fn views_over_views_show_what_silver_holds_after_late_rows_and_a_replay() {
    let host = Host::new("builtin:json");
    host.append("central.toml", LAYERS);
    for round in 0..3 {
        fs::write(host.path(&format!("logs/{round}.log")), lines(round)).unwrap();
        host.finish();
        assert_layers_show_silver(&host, 60 * (round + 1));
    }
    // The level is another field now: groups go, and others come.
    host.edit(|edge| edge + "config = { level = [\"severity\"] }\n");
    succeed(&mut host.edge(&["replay", "app"]));
    host.finish();
    assert_layers_show_silver(&host, 180);
    let said = succeed(&mut host.central(&["compact"]));
    assert!(said.contains("gold/days: 0 partitions"), "{said}");
    let said = succeed(&mut host.central(&["check"]));
    assert!(said.contains("view days: over gold.hours, partitions: a partition for each UTC day"), "{said}");
}
