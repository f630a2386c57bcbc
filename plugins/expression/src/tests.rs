use logsmith_plugin::{AnyColumn, Datum, Kind, Maps, Strings, Timestamp, Values};

use super::*;

fn input() -> Vec<Field> {
    let field = |name: &str, kind| Field { name: name.into(), kind, nullable: true };
    vec![
        field("level", Kind::Utf8),
        field("status", Kind::Int32),
        field("size", Kind::Int64),
        field("took", Kind::Float64),
        field("ok", Kind::Boolean),
        field("time", Kind::TimestampUs),
        field("day", Kind::Date32),
        field("fields", Kind::StringMap),
        field("raw", Kind::Binary),
        field("odd-name", Kind::Utf8),
        field("none", Kind::Int64),
    ]
}

/// The column of one row that each field has.
fn column(field: &Field) -> Column {
    let datum = match field.name.as_str() {
        "level" => Datum::Text("ERROR"),
        "status" => Datum::Int32(503),
        "size" => Datum::Int64(1 << 40),
        "took" => Datum::Float64(0.25),
        "ok" => Datum::Boolean(false),
        "time" => Datum::Timestamp(Timestamp::parse_rfc3339("2026-11-30T08:05:09Z").expect("a time")),
        "day" => Datum::Date(logsmith_plugin::Date::parse("2026-11-30").expect("a date")),
        "odd-name" => Datum::Text("é"),
        "fields" => {
            let texts = |values: &[&str]| {
                let mut strings = Strings::with_capacity(0, 0);
                values.iter().for_each(|value| strings.push(value.as_bytes()));
                strings
            };
            let (keys, values) = (texts(&["user", "n", "gone"]), texts(&["ann", "7.5", ""]));
            let maps = Maps { offsets: vec![0, 3], keys, values, validity: Some(vec![0b011]) };
            return Column { values: Values::StringMap(maps), validity: None };
        }
        _ => {
            let mut column = AnyColumn::with_capacity(field.kind, 1, 0).expect("no map");
            column.push(None);
            return column.finish();
        }
    };
    let mut column = AnyColumn::with_capacity(field.kind, 1, 0).expect("no map");
    column.push(Some(datum));
    column.finish()
}

fn holds(expression: &str) -> Option<bool> {
    let fields = input();
    let mut expression =
        Expression::compile(expression, &fields).unwrap_or_else(|error| panic!("{expression}: {error}"));
    let columns: Vec<Column> = expression
        .columns()
        .iter()
        .map(|name| column(fields.iter().find(|field| field.name == *name).expect("a field")))
        .collect();
    expression.bind(&columns).expect("its columns").holds(0)
}

#[test]
fn conditions_that_hold() {
    for expression in [
        r#"level == "ERROR""#,
        "level == 'ERROR' && status >= 500 || level contains 'timeout'",
        "status == 503 && size > 1000000000000 && took < 0.3 && took <= 0.25 && -1 < took && took != 1e3",
        "status > 502.5",
        "not ok && ok == false && ok != true",
        "not (ok || status < 500)",
        "level in ('WARN', 'ERROR') && level not in ('INFO') && status in (1, 503.0)",
        "level contains 'RRO' && level starts_with 'ER' && level ends_with 'OR'",
        "level matches '^E.*R$' && not level matches 'x'",
        "fields['user'] == \"ann\" && number(fields['n']) > 7 && fields['user'] contains fields['user']",
        "fields['gone'] is null && fields['nope'] is null && fields['n'] is not null && none is null",
        "time >= '2026-11-30T08:05:09Z' && time < '2026-12-01 00:00:00+01:00' && '2026-01-01T00:00:00Z' < time",
        "day == '2026-11-30' && day in ('2026-11-29', '2026-11-30')",
        "`odd-name` == 'é' && `level` > 'A'",
        "status is null || true",
        "none == 1 || level == 'ERROR'",
    ] {
        assert_eq!(holds(expression), Some(true), "{expression}");
    }
}

#[test]
fn conditions_that_do_not_or_are_unknown() {
    for expression in ["level != 'ERROR'", "ok && none == 1", "none == 1 && ok", "not (none == 1 || not ok)"]
    {
        assert_eq!(holds(expression), Some(false), "{expression}");
    }
    for expression in [
        "none == 1",
        "not none == 1",
        "none in (1, 2)",
        "status in (1, none)",
        "fields['gone'] matches '.'",
        "number(level) > 1",
        "none == 1 && not ok",
    ] {
        assert_eq!(holds(expression), None, "{expression}");
    }
}

#[test]
fn only_the_columns_of_an_expression_are_read() {
    let expression = Expression::compile("status > 1 && level == 'a' && status < 9", &input()).expect("good");
    assert_eq!(expression.columns(), ["status", "level"]);
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let deep = "not ".repeat(101) + "ok";
    for (expression, words) in [
        ("", "at letter 1: expected a column or a value, it ends"),
        ("level", "at letter 1: `level` is a text, and no condition"),
        ("levl == 'a'", "at letter 1: there is no column `levl`, only: level, status"),
        ("level = 'a'", "at letter 7: write `==` for equal"),
        ("!ok", "at letter 1: write `not`"),
        ("ok and ok", "at letter 4: write `&&` for and"),
        ("ok or ok", "at letter 4: write `||` for or"),
        ("ok ok", "at letter 4: expected `&&`, `||` or the end, found `ok`"),
        (
            "status == '503'",
            "at letter 11: `status` is a number, and \"503\" is a text: write number(\"503\")",
        ),
        (
            "fields['n'] > 7",
            "at letter 15: fields[\"n\"] is a text, and 7 is a number: write number(fields[\"n\"])",
        ),
        ("fields == 'a'", "at letter 1: `fields` is a map: write fields[\"key\"]"),
        ("fields[1] == 'a'", "at letter 8: expected a key between quotes, found 1"),
        ("raw is null", "at letter 1: `raw` is binary"),
        ("level == null", "at letter 10: nothing equals null: write `is null`"),
        ("level is 'a'", "at letter 10: expected `null` or `not null` behind `is`, found \"a\""),
        ("ok > true", "at letter 1: true and false have no order"),
        ("time > 'yesterday'", "at letter 8: \"yesterday\" is not a time: write \"2026-11-30T08:05:09Z\""),
        ("day > level", "at letter 7: `level` is not a date"),
        ("status contains '5'", "at letter 1: `status` is a number, and no text"),
        ("level matches level", "at letter 15: expected a regular expression between quotes"),
        ("level matches '('", "at letter 15: regex parse error"),
        ("level in 'a'", "at letter 10: expected `(`, found \"a\""),
        ("level in ('a' 'b')", "at letter 15: expected `)`, found \"b\""),
        ("level not 'a'", "at letter 11: expected `in` behind `not`"),
        ("(ok", "at letter 4: expected `)`, it ends"),
        ("lower(level) == 'a'", "at letter 1: there is no `lower(..)`, only `number(..)`"),
        ("level == 'a", "at letter 10: the `'` is not closed"),
        ("status == 1x", "at letter 11: `1x` is no number"),
        ("é", "at letter 1: `é` means nothing here"),
        (&deep, "more than 100 conditions within each other"),
    ] {
        let error = Expression::compile(expression, &input()).map(|_| ()).expect_err(expression);
        assert!(error.contains(words), "{expression}: {error}");
    }
}
