//! A plugin may do whatever it likes: the other rows arrive, the poisonous ones are dead letters with a reason, and
//! the engine lives.

use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use arrow::array::{ArrayRef, AsArray, RecordBatch, StringArray};
use logsmith::secrets::Secrets;
use logsmith::transform::{
    CacheFolder, Chain, Dead, DeadKind, Engine, Limits, Plugin, PluginError, PluginSource, PluginSpec,
    Sha256, Verdicts,
};
use serde_json::{Value, json};

use crate::support::{component, user_cache};

/// One for all tests, with the cache of the real binary's tools, so that each component is compiled once.
pub static ENGINE: LazyLock<Engine> = LazyLock::new(|| {
    let folder = user_cache().join("logsmith/compiled");
    Engine::try_new(Some(CacheFolder { path: &folder, bytes_max: 1 << 30 })).expect("the engine starts")
});

fn file(path: PathBuf) -> PluginSource {
    PluginSource::File { path, sha256: None }
}

pub fn hostile() -> PluginSource {
    file(component("hostile"))
}

/// Tight, so that the tests are quick.
fn limits() -> Limits {
    Limits {
        memory_bytes_max: 32 << 20,
        open_cpu_time_max: Duration::from_millis(500),
        call_cpu_time_max: Duration::from_millis(40),
        lone_row_cpu_time_max: Duration::from_millis(80),
        ..Limits::default()
    }
}

fn lines<'a>(lines: impl IntoIterator<Item = &'a str>) -> RecordBatch {
    let column: ArrayRef = Arc::new(lines.into_iter().map(Some).collect::<StringArray>());
    RecordBatch::try_from_iter([("line", column)]).expect("a batch")
}

/// A hundred lines, of which those in `poisonous` are.
pub fn batch(poisonous: &[u32]) -> RecordBatch {
    let line = |row: u32| if poisonous.contains(&row) { "POISON here".into() } else { format!("line {row}") };
    let texts: Vec<String> = (0..100).map(line).collect();
    lines(texts.iter().map(String::as_str))
}

fn open(config: Value, limits: Limits) -> Result<Plugin, PluginError> {
    Plugin::open(&ENGINE, &hostile(), &config, &batch(&[]).schema(), limits)
}

fn texts(verdicts: &Verdicts) -> Vec<String> {
    let column = |rows: &RecordBatch| rows.column(0).as_string::<i32>().clone();
    let columns: Vec<StringArray> = verdicts.rows.iter().map(column).collect();
    columns.iter().flat_map(|column| column.iter().map(|text| text.unwrap_or("null").to_owned())).collect()
}

/// Two rows of a hundred make the plugin commit its crime: these two are dead of `kind`, the others arrive.
#[track_caller]
fn check(crime: &str, kind: DeadKind, reason: &str) {
    let poisonous = [17, 80];
    let mut plugin = open(json!({ "crime": crime }), limits()).expect("the plugin opens");
    for _ in 0..2 {
        let verdicts = plugin.apply(&batch(&poisonous)).expect("the engine lives");
        let expected: Vec<u32> = (0..100).filter(|row| !poisonous.contains(row)).collect();
        assert_eq!(verdicts.source_rows, expected, "{crime}");
        if crime != "date" {
            let expected: Vec<String> = expected.iter().map(|row| format!("line {row}")).collect();
            assert_eq!(texts(&verdicts), expected, "{crime}");
        }
        assert!(verdicts.dropped.is_empty(), "{crime}");
        assert_eq!(verdicts.dead.iter().map(|dead| dead.row).collect::<Vec<_>>(), poisonous, "{crime}");
        for dead in &verdicts.dead {
            assert_eq!(dead.kind, kind, "{crime}: {}", dead.reason);
            assert!(dead.reason.contains(reason), "{crime}: {}", dead.reason);
            assert!(dead.reason.len() < 1_100, "{crime}: {} bytes", dead.reason.len());
        }
    }
    let verdicts = plugin.apply(&batch(&[])).expect("the engine lives");
    assert_eq!((verdicts.source_rows.len(), verdicts.instances_discarded), (100, 0), "{crime}");
}

#[test]
fn traps() {
    check("trap", DeadKind::Trapped, "cannot take row 0");
    check("stack", DeadKind::Trapped, "call stack exhausted");
    check("chatter", DeadKind::Trapped, "tired of talking");
}

#[test]
fn endless_loops() {
    check("loop", DeadKind::Deadline, "no end after 80ms of CPU time");
}

#[test]
fn memory() {
    check("memory", DeadKind::OutOfMemory, "of memory, of which it may have 32");
}

#[test]
fn wrong_lengths() {
    check("short_column", DeadKind::InvalidOutput, "column `text`: 1 offsets for 1 values");
    check("no_column", DeadKind::InvalidOutput, "0 columns instead of 1");
    check("offsets", DeadKind::InvalidOutput, "offsets that descend");
    check("offsets_beyond", DeadKind::InvalidOutput, "do not end at the data's length");
    check("short_validity", DeadKind::InvalidOutput, "0 bytes of bits for 1 values");
    check("null", DeadKind::InvalidOutput, "1 nulls where the plan allows none");
}

#[test]
fn invalid_utf8() {
    check("utf8", DeadKind::InvalidOutput, "column `text`: ");
    check("split_character", DeadKind::InvalidOutput, "column `text`: ");
}

#[test]
fn lost_and_doubled_rows() {
    check("lost", DeadKind::InvalidOutput, "row 0 is lost");
    check("doubled", DeadKind::InvalidOutput, "row 0 is Dropped, but also Output");
    check("rejected_twice", DeadKind::InvalidOutput, "row 0 is Rejected, but also Rejected");
    check("no_such_row", DeadKind::InvalidOutput, "row 9 of 1 rows");
}

#[test]
fn wrong_types() {
    check("type", DeadKind::InvalidOutput, "values of another type than Utf8");
    check("date", DeadKind::InvalidOutput, "a time outside of the years 1 to 9999");
}

#[test]
fn too_much() {
    check("flood", DeadKind::OutOfMemory, "of which it may have 32");
    check("fault", DeadKind::Refused, "no batch with such a row");
}

#[test]
fn a_reason_of_a_megabyte_is_cut() {
    let mut plugin = open(json!({"crime": "long_reason"}), limits()).expect("the plugin opens");
    let verdicts = plugin.apply(&batch(&[3])).expect("the engine lives");
    let [Dead { row: 3, kind: DeadKind::Rejected, reason, .. }] = verdicts.dead.as_slice() else {
        panic!("{:?}", verdicts.dead)
    };
    assert!(reason.starts_with("éé") && reason.ends_with('…') && reason.len() < 1_100, "{reason}");
}

#[test]
fn an_answer_larger_than_may_cross() {
    let limits = Limits { memory_bytes_max: 256 << 20, transfer_bytes_max: 1 << 20, ..limits() };
    let mut plugin = open(json!({"crime": "flood"}), limits).expect("the plugin opens");
    let verdicts = plugin.apply(&batch(&[3])).expect("the engine lives");
    let [Dead { row: 3, kind: DeadKind::Trapped, reason, .. }] = verdicts.dead.as_slice() else {
        panic!("{:?}", verdicts.dead)
    };
    assert!(reason.contains("too much data"), "{reason}");
}

#[test]
fn no_state_outlives_a_batch() {
    let limits = Limits { call_rows_max: 40, ..limits() };
    let mut plugin = open(json!({"crime": "remember"}), limits).expect("the plugin opens");
    for _ in 0..3 {
        let verdicts = plugin.apply(&batch(&[])).expect("a good batch");
        let mut calls = texts(&verdicts);
        calls.dedup();
        assert_eq!(calls, ["1", "2", "3"], "three calls of one instance");
    }
}

#[test]
fn a_plugin_that_fails_on_everything_is_broken_and_condemns_nothing() {
    let everything: Vec<u32> = (0..100).collect();
    for (crime, words) in [("trap", "cannot take row"), ("lost", "is lost")] {
        let mut plugin = open(json!({ "crime": crime }), limits()).expect("the plugin opens");
        match plugin.apply(&batch(&everything)) {
            Err(PluginError::Broken { rows: 100, reason, .. }) => assert!(reason.contains(words), "{reason}"),
            other => panic!("{other:?}"),
        }
        assert_eq!(plugin.apply(&batch(&[5])).expect("the engine lives").dead.len(), 1);
    }
    let limits = Limits { fault_cpu_time_max: Duration::from_millis(300), ..limits() };
    let mut plugin = open(json!({"crime": "loop"}), limits).expect("the plugin opens");
    assert!(matches!(plugin.apply(&batch(&everything)), Err(PluginError::Broken { .. })));
}

#[test]
fn a_single_row_that_fails_is_dead() {
    let mut plugin = open(json!({"crime": "trap"}), limits()).expect("the plugin opens");
    let verdicts = plugin.apply(&lines(["POISON"])).expect("the engine lives");
    assert_eq!(verdicts.dead.len(), 1);
}

#[test]
fn plugins_that_do_not_open_say_why() {
    let refused = |config| open(config, limits()).expect_err("a refusal").to_string();
    let crime = |crime: &str| refused(json!({ "crime": crime }));
    for (message, words) in [
        (refused(json!({"crime": "arson"})), "refuses its configuration: `crime`: unknown variant `arson`"),
        (crime("open_trap"), "does not open: panicked at /logsmith/tests/hostile/src/crimes.rs"),
        (crime("open_loop"), "does not open: no end after 500ms of CPU time"),
        (crime("reads_nothing"), "it reads `nothing`, which the input does not have"),
        (crime("writes_host"), "it writes `host`, a column that Silver fills by itself"),
        (crime("writes_twice"), "it writes two columns `TEXT`"),
    ] {
        assert!(message.contains(words), "{message}");
    }
}

#[test]
fn what_is_no_plugin_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let refused = |bytes: &[u8], sha256| {
        let path = folder.path().join("p.wasm");
        std::fs::write(&path, bytes).expect("a file");
        let source = PluginSource::File { path, sha256 };
        let opened = Plugin::open(&ENGINE, &source, &json!({}), &batch(&[]).schema(), limits());
        opened.expect_err("a refusal").to_string()
    };
    const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";
    // A component that imports a function `evil`: a section with its type, a section with the import.
    let imports = [COMPONENT, b"\x07\x05\x01\x40\x00\x01\x00", b"\x0a\x09\x01\x00\x04evil\x01\x00"].concat();
    assert!(refused(b"#!/bin/sh", None).ends_with("p.wasm is not WebAssembly"));
    assert!(refused(b"", None).ends_with("p.wasm is not WebAssembly"));
    assert!(refused(b"\0asm\x01\0\0\0", None).contains("is a core module, not a component"));
    assert!(refused(&[COMPONENT, b"\xff\xff"].concat(), None).contains("cannot be compiled"));
    assert!(
        refused(&imports, None).contains("imports `evil`, which no plugin gets"),
        "{}",
        refused(&imports, None)
    );
    let message = refused(COMPONENT, None);
    assert!(
        message.contains("does not export `logsmith:transform/transform@0.1.0`, but: nothing"),
        "{message}"
    );
    let (expected, actual) = (Sha256::of(b"something else"), Sha256::of(COMPONENT));
    let message = refused(COMPONENT, Some(expected));
    assert!(message.contains(&expected.to_string()) && message.contains(&actual.to_string()), "{message}");
    let missing = PluginSource::File { path: folder.path().join("nothing.wasm"), sha256: None };
    let opened = Plugin::open(&ENGINE, &missing, &json!({}), &batch(&[]).schema(), limits());
    assert!(matches!(opened, Err(PluginError::Read { .. })));
    let unknown = PluginSource::Builtin("jsn".into());
    let message =
        Plugin::open(&ENGINE, &unknown, &json!({}), &batch(&[]).schema(), limits()).expect_err("a refusal");
    let known: Vec<&str> = PluginSource::builtins().collect();
    assert!(known.contains(&"json"), "{known:?}");
    assert_eq!(message.to_string(), format!("there is no built-in plugin `jsn`, only: {}", known.join(", ")));
}

fn spec(source: PluginSource, config: Value) -> PluginSpec {
    PluginSpec { source, config, secrets: Secrets::default(), limits: limits() }
}

#[test]
fn a_chain_conserves_rows_from_end_to_end() {
    let input = lines([
        r#"{"level":"INFO","message":"good","n":1}"#,
        "no JSON",
        r#"{"level":"WARN","message":"POISON","text":"x"}"#,
        r#"{"level":"INFO","message":"good too"}"#,
    ]);
    let json = || file(component("json"));
    let named = json!({"message": "msg", "level": ["level"], "time": []});
    // `json` writes no `text`: the second plugin reads `line`, which the chain carries along for it.
    let specs = [spec(json(), named), spec(hostile(), json!({"crime": "trap"}))];
    let mut chain = Chain::open(&ENGINE, &specs, &input.schema()).expect("the chain opens");
    let names: Vec<_> = chain.output_schema().fields().iter().map(|field| field.name().as_str()).collect();
    assert_eq!(names, ["level", "message", "time", "fields", "text"]);
    assert_eq!(
        chain.fingerprints().map(|print| print.name.as_str()).collect::<Vec<_>>(),
        ["json", "hostile"]
    );

    let verdicts = chain.apply(&input).expect("a good batch");
    assert_eq!(verdicts.source_rows, [0, 3]);
    let dead: Vec<_> = verdicts.dead.iter().map(|dead| (dead.row, dead.plugin, dead.kind)).collect();
    assert_eq!(dead, [(1, 0, DeadKind::Rejected), (2, 1, DeadKind::Trapped)]);
    let [rows] = verdicts.rows.as_slice() else { panic!("{:?}", verdicts.rows) };
    assert_eq!(rows.schema(), *chain.output_schema());
    assert_eq!(rows.column(0).as_string::<i32>().value(1), "INFO");
    assert_eq!(rows.column(4).as_string::<i32>().value(0), r#"{"level":"INFO","message":"good","n":1}"#);
}

#[test]
fn a_chain_of_the_same_column_replaces_it() {
    let input = lines(["a", "POISON", "b"]);
    let specs = [spec(hostile(), json!({"crime": "none"})), spec(hostile(), json!({"crime": "lost"}))];
    let mut chain = Chain::open(&ENGINE, &specs, &input.schema()).expect("the chain opens");
    assert_eq!(chain.output_schema().fields().len(), 1);
    let verdicts = chain.apply(&input).expect("a good batch");
    assert_eq!((texts(&verdicts), verdicts.source_rows), (vec!["a".to_owned(), "b".into()], vec![0, 2]));
    assert_eq!(verdicts.dead.len(), 1);
    let nothing = chain.apply(&lines([])).expect("an empty batch");
    assert!(nothing.rows.is_empty() && nothing.dead.is_empty());
}
