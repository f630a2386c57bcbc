use logsmith_plugin::{Maps, Strings, Values};

use super::*;

fn fields() -> Vec<Field> {
    let field = |name: &str, kind| Field { name: name.into(), kind, nullable: true };
    vec![
        field("when", Kind::Utf8),
        field("fields", Kind::StringMap),
        field("n", Kind::Int64),
        field("r", Kind::Float64),
        field("day", Kind::Date32),
        field("ingested_at", Kind::TimestampUs),
    ]
}

fn strings(texts: &[&str]) -> Strings {
    let mut strings = Strings::with_capacity(0, 0);
    texts.iter().for_each(|text| strings.push(text.as_bytes()));
    strings
}

/// The time of one row; `null`, or the reason of its reject after a `!`.
fn read(config: &str, column: Values, ingested_at: &str) -> String {
    let (mut plugin, plan) =
        TimePlugin::open(config, &fields()).unwrap_or_else(|fault| panic!("{config}: {fault:?}"));
    let mut columns = vec![Column { values: column, validity: None }];
    if plan.reads.len() > 1 {
        let time = Timestamp::parse_rfc3339(ingested_at).expect("a time");
        columns.push(Column { values: Values::TimestampUs(vec![time.micros()]), validity: None });
    }
    let output = plugin.apply(Batch { rows: 1, columns }).expect("a good batch");
    if let Some(reject) = output.rejects.first() {
        return format!("!{}", reject.reason);
    }
    let times: View<'_, Timestamp> = View::of(&output.columns[0]).expect("times");
    times.get(0).map_or("null".into(), |time| time.to_string())
}

fn read_text(more: &str, text: &str, ingested_at: &str) -> String {
    read(&format!(r#"{{"column":"when"{more}}}"#), Values::Utf8(strings(&[text])), ingested_at)
}

#[track_caller]
fn check(more: &str, text: &str, expected: &str) {
    assert_eq!(read_text(more, text, "2026-11-30T12:00:00Z"), expected, "{more} on {text}");
}

#[test]
fn forms_are_tried_in_order() {
    check("", "2026-11-30T08:05:09.5+01:00", "2026-11-30T07:05:09.500000Z");
    check("", "1764489909.25", "2025-11-30T08:05:09.250000Z");
    check("", "30/Nov/2026", "!\"30/Nov/2026\" is no time in any of the formats");
    let formats = r#","formats":["%d/%b/%Y","%Y%m%d","epoch_ms"]"#;
    check(formats, "30/Nov/2026", "2026-11-30T00:00:00.000000Z");
    check(formats, "20261130", "2026-11-30T00:00:00.000000Z");
    check(formats, "1764489909", "1970-01-21T10:08:09.909000Z");
    check(&format!(r#"{formats},"on_failure":"null""#), "never", "null");
}

#[test]
fn a_zone_counts_where_no_offset_is_written() {
    let berlin = r#","zone":"Europe/Berlin","formats":["rfc3339","%d.%m.%Y %H:%M:%S"]"#;
    for (text, expected) in [
        ("2026-11-30 08:05:09,123", "2026-11-30T07:05:09.123000Z"),
        ("2026-07-01 08:05:09", "2026-07-01T06:05:09.000000Z"),
        ("2026-07-01T08:05:09Z", "2026-07-01T08:05:09.000000Z"),
        ("2026-07-01T08:05:09-05:00", "2026-07-01T13:05:09.000000Z"),
        ("01.07.2026 08:05:09", "2026-07-01T06:05:09.000000Z"),
        // Clocks are set back at 3:00, so that 2:30 comes twice, and forward from 2:00 to 3:00.
        ("2026-10-25 02:30:00", "2026-10-25T00:30:00.000000Z"),
        ("2026-10-25 03:00:00", "2026-10-25T02:00:00.000000Z"),
        ("2026-03-29 02:30:00", "2026-03-29T01:30:00.000000Z"),
        ("2040-07-01 08:05:09", "2040-07-01T06:05:09.000000Z"),
    ] {
        check(berlin, text, expected);
    }
    check(r#","zone":"-05:30""#, "2026-11-30 08:05:09", "2026-11-30T13:35:09.000000Z");
    check(r#","zone":"utc""#, "2026-11-30 08:05:09", "2026-11-30T08:05:09.000000Z");
    check(
        r#","zone":"+23:00""#,
        "0001-01-01 00:00:00",
        "!\"0001-01-01 00:00:00\" is no time in any of the formats",
    );
}

#[test]
fn a_missing_year_is_the_last_that_is_not_in_the_future() {
    for (text, ingested_at, expected) in [
        ("Nov 30 08:05:09", "2026-11-30T12:00:00Z", "2026-11-30T08:05:09.000000Z"),
        ("Dec 31 23:59:59", "2027-01-01T00:00:05Z", "2026-12-31T23:59:59.000000Z"),
        ("Jan  1 00:00:00", "2026-12-31T23:59:58Z", "2027-01-01T00:00:00.000000Z"),
        ("Jan  3 00:00:00", "2026-12-31T23:59:58Z", "2026-01-03T00:00:00.000000Z"),
        ("Feb 29 12:00:00", "2027-01-05T00:00:00Z", "2024-02-29T12:00:00.000000Z"),
        ("Feb 29 12:00:00", "1904-01-05T00:00:00Z", "1896-02-29T12:00:00.000000Z"),
        ("Feb 30 12:00:00", "2027-01-05T00:00:00Z", "!\"Feb 30 12:00:00\" is no time in any of the formats"),
    ] {
        let seen = read_text(r#","formats":["%b %d %T"]"#, text, ingested_at);
        assert_eq!(seen, expected, "{text} at {ingested_at}");
    }
    let tokyo = r#","formats":["%b %d %T"],"zone":"Asia/Tokyo""#;
    assert_eq!(read_text(tokyo, "Jan  1 08:00:00", "2026-12-31T23:00:01Z"), "2026-12-31T23:00:00.000000Z");
    let offset = r#","formats":["%b %d %T %z"],"zone":"Asia/Tokyo""#;
    assert_eq!(
        read_text(offset, "Jan 1 00:30:00 +0100", "2026-12-31T23:31:00Z"),
        "2026-12-31T23:30:00.000000Z"
    );
}

#[test]
fn numbers_and_entries_of_maps_are_read_too() {
    let expected = "2025-11-30T08:05:09.123456Z";
    for (more, number, expected) in [
        ("", 1_764_489_909_123_456, expected),
        ("", 1_764_489_909_123_456_789, expected),
        (r#","formats":["epoch_ns"]"#, 1_764_489_909_123_456_789, expected),
        (r#","formats":["epoch_s"]"#, 1_764_489_909, "2025-11-30T08:05:09.000000Z"),
        (r#","formats":["epoch_s"]"#, i64::MAX, "!9223372036854775807 is no time in any of the formats"),
        ("", -1, "1969-12-31T23:59:59.000000Z"),
    ] {
        let seen = read(&format!(r#"{{"column":"n"{more}}}"#), Values::Int64(vec![number]), "");
        assert_eq!(seen, expected, "{more} on {number}");
    }
    for (number, expected) in [
        (1_764_489_909.5, "2025-11-30T08:05:09.500000Z"),
        (1_764_489_909_123.0, "2025-11-30T08:05:09.123000Z"),
        (f64::NAN, "!NaN is no time in any of the formats"),
        (f64::INFINITY, "!inf is no time in any of the formats"),
    ] {
        assert_eq!(read(r#"{"column":"r"}"#, Values::Float64(vec![number]), ""), expected, "{number}");
    }
    let maps = |key: &str| {
        let (keys, values) = (strings(&[key]), strings(&["1764489909.123456"]));
        Values::StringMap(Maps { offsets: vec![0, 1], keys, values, validity: None })
    };
    let config = r#"{"column":"fields","key":"ts"}"#;
    assert_eq!(read(config, maps("ts"), ""), expected);
    assert_eq!(read(config, maps("at"), ""), "!there is no time to read");
}

#[test]
fn the_column_that_is_written_is_chosen() {
    for (config, into, nullable) in [
        (r#"{"column":"when"}"#, "when", false),
        (r#"{"column":"when","into":"time","on_failure":"null"}"#, "time", true),
        (r#"{"column":"fields","key":"ts"}"#, "time", false),
    ] {
        let plan = TimePlugin::open(config, &fields()).expect("a good configuration").1;
        assert_eq!(plan.writes, [Field { name: into.into(), kind: Kind::TimestampUs, nullable }]);
    }
}

#[test]
fn a_wrong_configuration_says_which_key_and_what_to_write() {
    for (config, words) in [
        ("{}", "`column` is missing"),
        (r#"{"column":"nope"}"#, "there is no column `nope`"),
        (r#"{"column":"day"}"#, "column `day` is Date32, and neither text nor a number"),
        (r#"{"column":"fields"}"#, "`key` is missing: `fields` is a map"),
        (r#"{"column":"when","key":"x"}"#, "`key`: `when` is no map"),
        (r#"{"column":"when","formats":[]}"#, "`formats` is empty: write a form"),
        (r#"{"column":"when","formats":["iso"]}"#, "`formats`: `iso`: it is no form: write rfc3339"),
        (r#"{"column":"when","formats":["%H"]}"#, "`formats`: `%H`: it has no month"),
        (r#"{"column":"n","formats":["rfc3339"]}"#, "`n` is a number, which is read by epoch"),
        (r#"{"column":"when","zone":"Berlin"}"#, "`zone`: `Berlin`: there is no such zone: write a name"),
        (r#"{"column":"when","format":"%F"}"#, "unknown field `format`"),
    ] {
        match TimePlugin::open(config, &fields()) {
            Err(Fault::Config(error) | Fault::Input(error)) => {
                assert!(error.contains(words), "{config}: {error}")
            }
            other => panic!("{config}: {:?}", other.map(|(_, plan)| plan)),
        }
    }
    let config = r#"{"column":"when","formats":["%b %d %T"]}"#;
    let Err(Fault::Input(error)) = TimePlugin::open(config, &fields()[..1]) else { panic!("it opened") };
    assert!(error.contains("there is no column `ingested_at`"), "{error}");
}
