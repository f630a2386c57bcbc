//! A plugin may be written in other languages than Rust: the same example in each passes the same fixtures, within
//! the limits that every plugin has.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::compute::concat_batches;
use arrow::datatypes::{
    DataType, Date32Type, Float64Type, Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType,
};
use chrono::{DateTime, Duration, NaiveDate};
use logsmith::transform::{Limits, Plugin, PluginError, PluginSource, Verdicts};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::engine::ENGINE;
use crate::support::succeed;

/// A case of `examples/plugins/tests`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fixture {
    #[serde(default)]
    config: Value,
    lines: Vec<String>,
    expect: Vec<Expected>,
}

/// What becomes of one line.
#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
struct Expected {
    row: Option<Value>,
    rows: Option<Vec<Value>>,
    dropped: bool,
    reject: Option<String>,
}

impl Expected {
    /// The rows, where there are some.
    fn rows(&self) -> Vec<Value> {
        self.row.iter().chain(self.rows.iter().flatten()).cloned().collect()
    }
}

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/plugins")
}

/// The example's component, or `None`, said aloud, where its language needs a tool that is not there.
fn built(language: &str, needed: &str) -> Option<PluginSource> {
    if Command::new(needed).arg("--version").output().is_err() {
        assert!(
            std::env::var_os("LOGSMITH_TEST_LANGUAGES").is_none(),
            "{needed} is not there, and it must be"
        );
        eprintln!("skipped: {language} plugins are built with {needed}, which is not there");
        return None;
    }
    let tools = Path::new(env!("CARGO_TARGET_TMPDIR")).join("guest-tools");
    let printed = succeed(
        Command::new("bash")
            .arg(examples().join("build.sh"))
            .arg(language)
            .env("LOGSMITH_GUEST_TOOLS", std::env::var_os("LOGSMITH_GUEST_TOOLS").unwrap_or(tools.into())),
    );
    Some(PluginSource::File { path: printed.trim_end().into(), sha256: None })
}

fn lines(lines: &[String]) -> RecordBatch {
    let column: ArrayRef = Arc::new(lines.iter().map(Some).collect::<StringArray>());
    RecordBatch::try_from_iter([("line", column)]).expect("a batch")
}

fn open(source: &PluginSource, config: &Value) -> Result<Plugin, PluginError> {
    Plugin::open(&ENGINE, source, config, &lines(&[]).schema(), Limits::default())
}

/// Opens with what it takes, refuses what it does not know, and gives what the fixtures expect.
fn check(language: &str, needed: &str) {
    let Some(source) = built(language, needed) else { return };
    for name in ["sales", "articles"] {
        let text = std::fs::read_to_string(examples().join(format!("tests/{name}.toml"))).expect("a fixture");
        let fixture: Fixture = toml::from_str(&text).expect("a fixture");
        let mut plugin = open(&source, &fixture.config).expect("it opens");
        assert_eq!(plugin.fingerprint().name, "sales");
        // Often enough that one call has as many rows as a call may have.
        let repeated =
            std::env::var("REP").map_or(4_096usize.div_ceil(fixture.lines.len()), |n| n.parse().unwrap());
        let many: Vec<String> = std::iter::repeat_n(&fixture.lines, repeated).flatten().cloned().collect();
        let verdicts = plugin.apply(&lines(&many)).expect("the plugin works");
        assert_eq!(verdicts.instances_discarded, 0, "{language}: {:?}", verdicts.dead);
        let all = concat_batches(plugin.output_schema(), &verdicts.rows).expect("one schema");
        for (row, expected) in (0..many.len()).zip(fixture.expect.iter().cycle()) {
            let what = format!("{language}, {name}, {:?}", many[row]);
            check_row(&what, u32::try_from(row).expect("a row"), expected, &all, &verdicts);
        }
        assert_eq!(verdicts.counts, BTreeMap::new());
    }
    for (config, words) in [
        (json!({ "article": [] }), "unknown key `article`, expected one of: articles"),
        (json!({ "articles": "pear" }), "`articles`: expected array, found \"pear\""),
        (json!("pear"), "expected an object, found \"pear\""),
    ] {
        let refused = open(&source, &config).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(refused.contains(words), "{language}: {refused}");
    }
    let nothing = RecordBatch::new_empty(Arc::new(arrow::datatypes::Schema::empty())).schema();
    let refused = Plugin::open(&ENGINE, &source, &json!({}), &nothing, Limits::default()).err();
    let refused = refused.map(|error| error.to_string()).unwrap_or_default();
    assert!(refused.contains("there is no column `line`"), "{language}: {refused}");
}

fn check_row(what: &str, row: u32, expected: &Expected, all: &RecordBatch, verdicts: &Verdicts) {
    let first = verdicts.source_rows.partition_point(|source| *source < row);
    let end = verdicts.source_rows.partition_point(|source| *source <= row);
    let rows: Vec<Value> = (first..end).map(|index| value_of_row(all, index)).collect();
    assert_eq!(rows, expected.rows(), "{what}");
    assert_eq!(verdicts.dropped.binary_search(&row).is_ok(), expected.dropped, "{what}");
    let dead = verdicts.dead.iter().find(|dead| dead.row == row).map(|dead| dead.reason.as_str());
    match (&expected.reject, dead) {
        (Some(expected), Some(reason)) => assert!(reason.contains(expected), "{what}: {reason}"),
        (expected, reason) => assert_eq!(expected.as_deref(), reason, "{what}"),
    }
}

/// A row as fixtures write it: columns without a value are left out.
fn value_of_row(rows: &RecordBatch, index: usize) -> Value {
    let schema = rows.schema();
    let fields = schema.fields().iter().zip(rows.columns()).filter(|(_, column)| !column.is_null(index));
    fields.map(|(field, column)| (field.name().clone(), value_of(column, index))).collect()
}

fn value_of(column: &ArrayRef, index: usize) -> Value {
    match column.data_type() {
        DataType::Boolean => json!(column.as_boolean().value(index)),
        DataType::Int32 => json!(column.as_primitive::<Int32Type>().value(index)),
        DataType::Int64 => json!(column.as_primitive::<Int64Type>().value(index)),
        DataType::Float64 => json!(column.as_primitive::<Float64Type>().value(index)),
        DataType::Utf8 => json!(column.as_string::<i32>().value(index)),
        DataType::Date32 => {
            let days = column.as_primitive::<Date32Type>().value(index);
            json!((NaiveDate::default() + Duration::days(days.into())).to_string())
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            let time = DateTime::from_timestamp_micros(
                column.as_primitive::<TimestampMicrosecondType>().value(index),
            )
            .expect("a time");
            let text = time.format("%Y-%m-%dT%H:%M:%S%.6f").to_string();
            json!(text.trim_end_matches('0').trim_end_matches('.').to_owned() + "Z")
        }
        DataType::Binary => {
            let bytes = column.as_binary::<i32>().value(index);
            json!(bytes.iter().fold("hex:".to_owned(), |text, byte| text + &format!("{byte:02x}")))
        }
        _ => {
            let entries = column.as_map().value(index);
            let (keys, values) = (entries.column(0).as_string::<i32>(), entries.column(1).as_string::<i32>());
            keys.iter()
                .flatten()
                .map(str::to_owned)
                .zip(values)
                .collect::<BTreeMap<_, _>>()
                .into_iter()
                .map(|(key, value)| (key, json!(value)))
                .collect()
        }
    }
}

#[test]
fn javascript() {
    check("javascript", "npm");
}

#[test]
fn python() {
    check("python", "python3");
}
