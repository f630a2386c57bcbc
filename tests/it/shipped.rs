//! The plugins that we ship, as components.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, RecordBatch, StringArray};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Int32Type, Int64Type, TimestampMicrosecondType};
use logsmith::transform::{Limits, Plugin, PluginError, PluginSource, Verdicts};
use serde_json::{Value, json};

use crate::engine::ENGINE;
use crate::support::{component, real_logs};

/// What plugins read of lines of the file at `path`.
fn batch(path: &str, lines: &[&str]) -> RecordBatch {
    let line: ArrayRef = Arc::new(lines.iter().map(Some).collect::<StringArray>());
    let raw: ArrayRef = Arc::new(lines.iter().map(|_| None::<&[u8]>).collect::<BinaryArray>());
    let path: ArrayRef = Arc::new(lines.iter().map(|_| Some(path)).collect::<StringArray>());
    RecordBatch::try_from_iter([("line", line), ("raw", raw), ("path", path)]).expect("a batch")
}

fn applied(name: &str, config: Value, lines: &[&str]) -> (RecordBatch, Verdicts) {
    let input = batch("/var/log/pods/shop_web-0_1a2b/nginx/0.log", lines);
    let source = PluginSource::File { path: component(name), sha256: None };
    let mut plugin =
        Plugin::open(&ENGINE, &source, &config, &input.schema(), Limits::default()).expect("it opens");
    let verdicts = plugin.apply(&input).expect("a good batch");
    (concat_batches(plugin.output_schema(), &verdicts.rows).expect("one schema"), verdicts)
}

#[track_caller]
fn column<'a>(rows: &'a RecordBatch, name: &str) -> &'a ArrayRef {
    rows.column_by_name(name).unwrap_or_else(|| panic!("there is no column {name}"))
}

#[test]
fn builtins_are_inside_of_the_binary() {
    for name in PluginSource::builtins() {
        let source = PluginSource::Builtin(name.into());
        match Plugin::open(&ENGINE, &source, &json!({}), &logsmith::bronze::columns(), Limits::default()) {
            Ok(plugin) => assert_eq!(plugin.fingerprint().name, name),
            // Some do nothing without being told what.
            Err(error) => assert!(matches!(error, PluginError::Config { .. }), "{name}: {error}"),
        }
    }
}

#[test]
fn json_makes_columns_a_map_and_dead_letters() {
    let lines = [
        r#"{"level":"INFO","message":"h\u00e9","time":"2026-11-30T08:05:09.5Z","n":1,"none":null,"deep":{"a":[1]}}"#,
        r#"{"level":null}"#,
        r#"{"level":"INFO""#,
    ];
    let (rows, verdicts) = applied("json", json!({}), &lines);
    assert_eq!(column(&rows, "level").as_string::<i32>().value(0), "INFO");
    assert!(column(&rows, "level").is_null(1));
    assert_eq!(column(&rows, "message").as_string::<i32>().value(0), "hé");
    let time = column(&rows, "time");
    assert_eq!(
        *time.data_type(),
        DataType::Timestamp(arrow::datatypes::TimeUnit::Microsecond, Some("UTC".into()))
    );
    assert_eq!(time.as_primitive::<TimestampMicrosecondType>().value(0), 1_796_025_909_500_000);
    let maps = column(&rows, "fields").as_map();
    let entries = maps.value(0);
    let (keys, values) = (entries.column(0).as_string::<i32>(), entries.column(1).as_string::<i32>());
    let entries: Vec<_> =
        keys.iter().zip(values).map(|(key, value)| (key.unwrap_or("null"), value)).collect();
    assert_eq!(entries, [("n", Some("1")), ("none", None), ("deep", Some(r#"{"a":[1]}"#))]);
    assert_eq!(maps.value_length(1), 0);
    assert_eq!(verdicts.source_rows, [0, 1]);
    assert_eq!(verdicts.dead[0].reason, "expected `,` or `}` after a field, but the line ends at byte 15");
}

#[test]
fn json_counts_what_it_had_to_decide() {
    let lines = [r#"{"a":1,"a":2}"#, r#"{"time":"late"}"#, r#"{"time":"later"}"#];
    let (_, verdicts) = applied("json", json!({}), &lines);
    let expected = [("fields_twice".to_owned(), 1), ("times_unreadable".into(), 2)];
    assert_eq!(verdicts.counts, BTreeMap::from(expected));
}

#[test]
fn access_makes_a_row_of_a_line() {
    let line = r#"192.0.2.7 - - [30/Nov/2026:08:05:09 +0000] "GET /a HTTP/1.1" 404 - "-" "curl/8.5""#;
    let (rows, verdicts) = applied("access", Value::Null, &[line, "nothing like it"]);
    assert_eq!(column(&rows, "status").as_primitive::<Int32Type>().value(0), 404);
    assert_eq!(column(&rows, "url").as_string::<i32>().value(0), "/a");
    assert!(column(&rows, "bytes").is_null(0) && column(&rows, "referer").is_null(0));
    assert_eq!(verdicts.dead[0].reason, "expected the time in brackets from byte 13 on, which is 'i'");
}

#[test]
fn container_makes_a_row_of_each_message_and_names_its_pod() {
    let time = "2026-11-30T08:05:09.5Z";
    let parts = format!("{time} stdout P a\n{time} stderr F b\n{time} stdout F c");
    let (rows, verdicts) = applied("container", json!({}), &[&parts, "free text"]);
    let text = |name: &str| column(&rows, name).as_string::<i32>().clone();
    let pairs: Vec<_> = text("stream")
        .iter()
        .zip(text("message").iter())
        .map(|pair| (pair.0.unwrap().to_owned(), pair.1.unwrap().to_owned()))
        .collect();
    assert_eq!(pairs, [("stdout".to_owned(), "ac".to_owned()), ("stderr".into(), "b".into())]);
    assert_eq!(
        (text("namespace").value(1), text("pod").value(1), text("container").value(1)),
        ("shop", "web-0", "nginx")
    );
    assert!(column(&rows, "container_id").is_null(0));
    assert_eq!(
        column(&rows, "time").as_primitive::<TimestampMicrosecondType>().value(0),
        1_796_025_909_500_000
    );
    assert_eq!(verdicts.source_rows, [0, 0]);
    assert_eq!(verdicts.dead[0].reason, "the time is \"free\", and not like 2026-11-30T08:05:09.123456789Z");
}

#[test]
fn access_reads_every_line_of_a_real_log() {
    let Some(logs) = real_logs() else { return };
    let log = std::fs::read_to_string(logs.join("access.log")).expect("a log");
    let lines: Vec<&str> = log.lines().collect();
    let (rows, verdicts) = applied("access", json!({}), &lines);
    assert_eq!((lines.len(), rows.num_rows(), verdicts.dead.len()), (10_000, 10_000, 0));
    assert_eq!(column(&rows, "request").null_count(), 10_000, "no request of this log is odd");

    // What awk sees as the ninth and the tenth field.
    let mut expected = BTreeMap::<i32, (usize, i64)>::new();
    for line in &lines {
        let mut fields = line.split_ascii_whitespace().skip(8);
        let status = fields.next().and_then(|status| status.parse().ok()).expect("a status");
        let (count, bytes) = expected.entry(status).or_default();
        *count += 1;
        *bytes += fields.next().and_then(|bytes| bytes.parse::<i64>().ok()).unwrap_or(0);
    }
    let (statuses, bytes) = (column(&rows, "status").as_primitive::<Int32Type>(), column(&rows, "bytes"));
    let mut seen = BTreeMap::<i32, (usize, i64)>::new();
    for (status, size) in statuses.iter().zip(bytes.as_primitive::<Int64Type>()) {
        let (count, bytes) = seen.entry(status.expect("never null")).or_default();
        *count += 1;
        *bytes += size.unwrap_or(0);
    }
    assert_eq!(seen, expected);
}
