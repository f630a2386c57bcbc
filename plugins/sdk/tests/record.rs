//! Records whose fields are not columns one to one.

use std::collections::BTreeMap;

use logsmith_plugin::{
    Batch, Column, Columns, Field, Kind, Maps, Plain, Record, Reject, StringMaps, Strings, Transform, Values,
    transform,
};

/// Whatever the author has under such names is found, not what the macros use.
#[derive(Record)]
struct Value<'a> {
    #[record(rename = "type")]
    kind: &'a str,
    #[record(flatten)]
    place: Entry<'a>,
    r#fn: Option<i64>,
    #[record(into = "fields", rename = "user.name")]
    user: Option<&'a str>,
    #[record(into = "fields")]
    retries: i32,
    fields: BTreeMap<String, String>,
    #[record(flatten)]
    times: Times,
}

#[derive(Record)]
struct Entry<'a> {
    city: &'a str,
    #[record(flatten)]
    country: Country,
}

#[derive(Record)]
struct Country {
    #[record(rename = "Country")]
    code: String,
}

#[derive(Record)]
struct Times {
    first: Option<bool>,
}

fn names<R: Record>() -> Vec<(String, Kind, bool)> {
    let fields = R::Columns::fields().into_iter();
    fields.map(|Field { name, kind, nullable }| (name, kind, nullable)).collect()
}

fn texts(values: &[&str]) -> Strings {
    let mut strings = Strings::with_capacity(0, 0);
    values.iter().for_each(|value| strings.push(value.as_bytes()));
    strings
}

fn row<'a>(kind: &'a str, user: Option<&'a str>) -> Value<'a> {
    Value {
        kind,
        place: Entry { city: "Kiel", country: Country { code: "DE".into() } },
        r#fn: None,
        user,
        retries: 2,
        fields: BTreeMap::from([("z".into(), "last".into())]),
        times: Times { first: Some(true) },
    }
}

#[test]
fn columns_of_a_flattened_record_stand_where_its_field_does() {
    let expected = [
        ("type", Kind::Utf8, false),
        ("city", Kind::Utf8, false),
        ("Country", Kind::Utf8, false),
        ("fn", Kind::Int64, true),
        ("fields", Kind::StringMap, false),
        ("first", Kind::Boolean, true),
    ];
    assert_eq!(
        names::<Value<'_>>(),
        expected.map(|(name, kind, nullable)| (name.to_owned(), kind, nullable))
    );
}

#[test]
fn fields_go_into_columns_of_columns_and_into_maps() {
    let mut columns = <Value<'_> as Record>::Columns::with_capacity(2, 0);
    row("a", Some("ann")).push(&mut columns);
    row("b", None).push(&mut columns);
    let columns = columns.finish();
    let values: Vec<Values> = columns.into_iter().map(|Column { values, .. }| values).collect();
    let fields = Maps {
        offsets: vec![0, 3, 5],
        keys: texts(&["user.name", "retries", "z", "retries", "z"]),
        values: texts(&["ann", "2", "last", "2", "last"]),
        validity: None,
    };
    let expected = [
        Values::Utf8(texts(&["a", "b"])),
        Values::Utf8(texts(&["Kiel", "Kiel"])),
        Values::Utf8(texts(&["DE", "DE"])),
        Values::Int64(vec![0, 0]),
        Values::StringMap(fields),
        Values::Boolean(vec![0b11]),
    ];
    assert_eq!(values, expected);
}

/// The further fields, as a type of the author's own.
struct Rest<'a>(&'a str);

impl Plain for Rest<'_> {
    type Column = StringMaps;

    fn push(self, column: &mut StringMaps) {
        column.push_entry("rest", Some(self.0));
        column.end_map();
    }
}

#[derive(Record)]
struct Own<'a> {
    #[record(into = "rest")]
    real: f64,
    rest: Rest<'a>,
}

/// Columns may be called as the macro calls what it works with.
#[transform]
fn own<'a>(row: &'a str, rows: i64) -> Result<Own<'a>, Reject> {
    Ok(Own { real: rows as f64 / 2.0, rest: Rest(row) })
}

#[test]
fn a_map_of_an_own_type_takes_entries_too() {
    let field = |name: &str, kind| Field { name: name.into(), kind, nullable: true };
    let (mut plugin, plan) =
        OwnPlugin::open("", &[field("row", Kind::Utf8), field("rows", Kind::Int64)]).expect("a good input");
    assert_eq!(plan.reads, ["row", "rows"]);
    let column = |values| Column { values, validity: None };
    let columns = vec![column(Values::Utf8(texts(&["a", "b"]))), column(Values::Int64(vec![1, 2]))];
    let output = plugin.apply(Batch { rows: 2, columns }).expect("a good batch");
    let maps = Maps {
        offsets: vec![0, 2, 4],
        keys: texts(&["real", "rest", "real", "rest"]),
        values: texts(&["0.5", "a", "1", "b"]),
        validity: None,
    };
    assert_eq!(output.columns, [column(Values::StringMap(maps))]);
}
