use logsmith_plugin::{Batch, Column, Field, Kind, Output, Strings, Transform, Values};

use super::*;

/// The record as one text: `level|message|time|name=value;..`, `~` for null; or the reason of the reject.
fn read(config: &str, line: &str) -> String {
    let mut json: Json = plugin(config).0;
    let entry = match super::json(line, &mut json) {
        Ok(entry) => entry,
        Err(reject) => return reject.to_string(),
    };
    let text = |text: Option<&str>| text.unwrap_or("~").to_owned();
    let time = entry.time.map_or("~".into(), |time| time.to_string());
    let texts = entry.fields.texts;
    let pair = |pair: &Pair| format!("{}={}", text(texts.get(pair.name)), text(texts.get(pair.value)));
    let fields: Vec<String> = entry.fields.pairs.iter().map(pair).collect();
    format!("{}|{}|{}|{}", text(entry.level), text(entry.message), time, fields.join(";"))
}

fn plugin(config: &str) -> JsonPlugin {
    let input = [Field { name: "line".into(), kind: Kind::Utf8, nullable: false }];
    JsonPlugin::open(config, &input).expect("a good configuration").0
}

#[track_caller]
fn check(line: &str, expected: &str) {
    assert_eq!(read("{}", line), expected, "{line}");
}

#[test]
fn level_message_and_time_have_columns_and_the_rest_is_a_map() {
    check(
        r#"{"time":"2026-11-30T08:05:09.123Z","level":"INFO","message":"hello","user":"ann","took_ms":12.5}"#,
        "INFO|hello|2026-11-30T08:05:09.123000Z|user=ann;took_ms=12.5",
    );
    check(
        r#" { "msg" : "m" , "ok" : true , "none" : null , "ts" : 1764489909 } "#,
        "~|m|2025-11-30T08:05:09.000000Z|ok=true;none=~",
    );
    check("{}", "~|~|~|");
    check(r#"{"level":30,"message":{"a":1},"time":null}"#, r#"30|{"a":1}|~|"#);
}

#[test]
fn nested_values_stay_as_written() {
    check(
        r#"{"a":{"b":[1,{"c":"}\""}, []],"d":{}},"e":[ ]}"#,
        r#"~|~|~|a={"b":[1,{"c":"}\""}, []],"d":{}};e=[ ]"#,
    );
}

#[test]
fn escapes_are_resolved_in_names_and_values() {
    check(
        r#"{"message":"a\"b\\c\/d\n\t\u00e9\ud83d\ude00","n\u0061me":"x\ud800y"}"#,
        "~|a\"b\\c/d\n\té😀|~|name=x\u{fffd}y",
    );
    check(r#"{"le\u0076el":"warn"}"#, "warn|~|~|");
    check(r#"{"a":"\ud800\u0041"}"#, "~|~|~|a=\u{fffd}A");
}

#[test]
fn a_time_that_is_none_stays_a_field() {
    check(r#"{"time":"yesterday","a":1}"#, "~|~|~|a=1;time=yesterday");
    check(r#"{"time":"1764489909.5"}"#, "~|~|2025-11-30T08:05:09.500000Z|");
}

#[test]
fn of_a_name_that_appears_twice_the_last_counts() {
    check(r#"{"a":1,"b":2,"a":3,"level":"x","level":"y"}"#, "y|~|~|a=3;b=2");
    let mut many: Vec<String> = (0..100).map(|i| format!(r#""k{i}":{i}"#)).collect();
    many.push(r#""k7":"last""#.into());
    let seen = read("{}", &format!("{{{}}}", many.join(",")));
    assert!(seen.contains("k7=last") && !seen.contains("k7=7;"), "{seen}");
    assert_eq!(seen.matches('=').count(), 100);
}

#[test]
fn the_first_of_several_names_takes_the_column() {
    check(r#"{"severity":"a","level":"b"}"#, "a|~|~|level=b");
}

#[test]
fn names_are_configurable() {
    let config = r#"{"level":"l","message":["text","body"],"time":[]}"#;
    assert_eq!(
        read(config, r#"{"l":"x","body":"y","time":"2026-11-30T00:00:00Z","level":"z"}"#),
        "x|y|~|time=2026-11-30T00:00:00Z;level=z"
    );
    let input = [Field { name: "line".into(), kind: Kind::Utf8, nullable: false }];
    for config in [r#"{"lvel":"x"}"#, r#"{"level":3}"#, "[]"] {
        assert!(JsonPlugin::open(config, &input).is_err(), "{config}");
    }
}

#[test]
fn what_is_no_object_is_rejected_with_the_place() {
    for (line, reason) in [
        ("", "not a JSON object: expected `{`, but the line ends at byte 0"),
        ("hello", "not a JSON object: expected `{`, found `h` at byte 0"),
        ("[1]", "not a JSON object: expected `{`, found `[` at byte 0"),
        ("{", "expected the name of a field, or `}`, but the line ends at byte 1"),
        (r#"{"a" 1}"#, "expected `:` after the name of a field, found `1` at byte 5"),
        (r#"{"a":}"#, "expected a value, found `}` at byte 5"),
        (r#"{"a":nul}"#, "expected a value, found `n` at byte 5"),
        (r#"{"a":1"#, "expected `,` or `}` after a field, but the line ends at byte 6"),
        (r#"{"a":1,}"#, "expected the name of a field, found `}` at byte 7"),
        (r#"{"a":01}"#, "expected `,` or `}` after a field, found `1` at byte 6"),
        (r#"{"a":1.}"#, "expected a digit, found `}` at byte 7"),
        (r#"{"a":-}"#, "expected a digit, found `}` at byte 6"),
        (r#"{"a":"b"#, "the line ends inside the string that begins at byte 5"),
        ("{\"a\":\"b\tc\"}", "control character 0x09 in a string at byte 7"),
        (r#"{"a":"\x"}"#, "unknown escape, found `x` at byte 7"),
        (r#"{"a":"\u12"}"#, "expected four hexadecimal digits after `\\u`, found `\"` at byte 10"),
        (r#"{"a":1} é"#, "expected nothing after the object, found `é` at byte 8"),
        (r#"{"a":[1 2]}"#, "expected `,` or `]` after an element, found `2` at byte 8"),
        (r#"{"a":[1,]}"#, "expected a value, found `]` at byte 8"),
        (r#"{"a":{"b"}}"#, "expected `:` after the name of a field, found `}` at byte 9"),
        (r#"{"a":{"b":1}"#, "expected `,` or `}` after a field, but the line ends at byte 12"),
    ] {
        check(line, reason);
    }
    let deep = format!("{{\"a\":{}", "[".repeat(1000));
    check(&deep, "nested too deep, found `[` at byte 134");
}

#[test]
fn a_batch_becomes_columns_and_rejects() {
    let lines = [r#"{"level":"a"}"#, "no", r#"{"x":"1"}"#];
    let mut offsets = vec![0];
    offsets.extend(lines.iter().scan(0, |end, line| {
        *end += line.len() as i32;
        Some(*end)
    }));
    let strings = Strings { offsets, data: lines.concat().into_bytes() };
    let batch = Batch { rows: 3, columns: vec![Column { values: Values::Utf8(strings), validity: None }] };
    let Output { columns, source_rows, dropped, rejects } = plugin("").apply(batch).expect("a good batch");
    assert_eq!(source_rows, [0, 2]);
    assert!(dropped.is_empty());
    assert_eq!(rejects.iter().map(|reject| reject.row).collect::<Vec<_>>(), [1]);
    assert_eq!(columns.len(), 4);
    let level = Values::Utf8(Strings { offsets: vec![0, 1, 1], data: b"a".to_vec() });
    assert_eq!(columns[0], Column { values: level, validity: Some(vec![0b01]) });
}
