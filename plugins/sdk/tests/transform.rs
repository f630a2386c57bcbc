//! The macros, as plugin authors use them.

use logsmith_plugin::{
    Batch, Column, Date, Fault, Field, Kind, Maps, Output, Pairs, Record, Reject, Rest, Strings, Timestamp,
    Transform, Values, transform,
};
use serde::Deserialize;

#[derive(Record)]
struct Every<'a> {
    r#type: &'a str,
    flag: bool,
    small: i32,
    large: Option<i64>,
    real: f64,
    day: Date,
    time: Timestamp,
    bytes: &'a [u8],
    labels: Vec<(&'a str, Option<&'a str>)>,
}

/// Reads `line`; the other arguments are columns too.
#[transform]
fn every<'a>(line: &'a str, raw: Option<&'a [u8]>, offset: i64) -> Result<Every<'a>, Reject> {
    let (name, number) = line.split_once('=').ok_or_else(|| Reject::new("no `=`"))?;
    Ok(Every {
        r#type: name,
        flag: offset > 0,
        small: number.parse()?,
        large: (offset > 0).then_some(offset),
        real: 0.5,
        day: Date::from_days(1),
        time: Timestamp::from_micros(2),
        bytes: raw.unwrap_or_default(),
        labels: vec![("a", Some(number)), ("b", None)],
    })
}

#[derive(Record)]
struct Word {
    word: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    only: String,
}

/// Fans out, drops, and is configured.
#[transform(discard)]
fn words_of(message: &str, labels: Pairs<'_>, settings: &Settings) -> Vec<Word> {
    let label = labels.get("a").unwrap_or("none");
    let words = message.split(' ').filter(|word| word.starts_with(&settings.only));
    words.map(|word| Word { word: format!("{word}/{label}") }).collect()
}

fn strings(values: &[&str]) -> Strings {
    let mut strings = Strings::with_capacity(0, 0);
    values.iter().for_each(|value| strings.push(value.as_bytes()));
    strings
}

fn column(values: Values) -> Column {
    Column { values, validity: None }
}

fn field(name: &str, kind: Kind) -> Field {
    Field { name: name.into(), kind, nullable: true }
}

fn input() -> Vec<Field> {
    vec![field("raw", Kind::Binary), field("offset", Kind::Int64), field("line", Kind::Utf8)]
}

#[test]
fn a_function_becomes_a_plugin_with_a_plan() {
    let (_, plan) = EveryPlugin::open("", &input()).expect("a good input");
    assert_eq!((plan.name, plan.version, plan.rest), ("every", env!("CARGO_PKG_VERSION"), Rest::Keep));
    assert_eq!(plan.reads, ["line", "raw", "offset"]);
    let kinds: Vec<_> =
        plan.writes.iter().map(|field| (field.name.as_str(), field.kind, field.nullable)).collect();
    assert_eq!(
        kinds,
        [
            ("type", Kind::Utf8, false),
            ("flag", Kind::Boolean, false),
            ("small", Kind::Int32, false),
            ("large", Kind::Int64, true),
            ("real", Kind::Float64, false),
            ("day", Kind::Date32, false),
            ("time", Kind::TimestampUs, false),
            ("bytes", Kind::Binary, false),
            ("labels", Kind::StringMap, false),
        ]
    );
}

#[test]
fn rows_become_columns_or_rejects() {
    let (mut plugin, _) = EveryPlugin::open("{}", &input()).expect("a good input");
    let raw = Column { values: Values::Binary(strings(&["", "r", "", ""])), validity: Some(vec![0b0010]) };
    let offset = Column { values: Values::Int64(vec![0, 7, 0, 0]), validity: Some(vec![0b0111]) };
    let lines = column(Values::Utf8(strings(&["x=1", "y=2", "z", "w=3"])));
    let output = plugin.apply(Batch { rows: 4, columns: vec![lines, raw, offset] }).expect("a good batch");
    let reasons: Vec<_> = output.rejects.iter().map(|reject| (reject.row, reject.reason.as_str())).collect();
    assert_eq!(reasons, [(2, "no `=`"), (3, "column `offset` has no value")]);
    assert_eq!((output.source_rows, output.dropped), (vec![0, 1], vec![]));
    let labels = Maps {
        offsets: vec![0, 2, 4],
        keys: strings(&["a", "b", "a", "b"]),
        values: strings(&["1", "", "2", ""]),
        validity: Some(vec![0b0101]),
    };
    assert_eq!(
        output.columns,
        [
            column(Values::Utf8(strings(&["x", "y"]))),
            column(Values::Boolean(vec![0b10])),
            column(Values::Int32(vec![1, 2])),
            Column { values: Values::Int64(vec![0, 7]), validity: Some(vec![0b10]) },
            column(Values::Float64(vec![0.5, 0.5])),
            column(Values::Date32(vec![1, 1])),
            column(Values::TimestampUs(vec![2, 2])),
            column(Values::Binary(strings(&["", "r"]))),
            column(Values::StringMap(labels)),
        ]
    );
}

#[test]
fn a_row_may_become_several_or_none() {
    let fields = [field("message", Kind::Utf8), field("labels", Kind::StringMap)];
    let (mut plugin, plan) = WordsOfPlugin::open(r#"{"only":"a"}"#, &fields).expect("a good configuration");
    assert_eq!((plan.name, plan.rest), ("words_of", Rest::Discard));
    let messages = column(Values::Utf8(strings(&["ab b ac", "b"])));
    let labels =
        Maps { offsets: vec![0, 1, 1], keys: strings(&["a"]), values: strings(&["1"]), validity: None };
    let batch = Batch { rows: 2, columns: vec![messages, column(Values::StringMap(labels))] };
    let Output { columns, source_rows, dropped, rejects } = plugin.apply(batch).expect("a good batch");
    assert_eq!(columns, [column(Values::Utf8(strings(&["ab/1", "ac/1"])))]);
    assert_eq!((source_rows, dropped, rejects), (vec![0, 0], vec![1], vec![]));
}

#[test]
fn a_wrong_configuration_or_input_is_refused_in_words() {
    let refused = |config: &str, input: &[Field]| match WordsOfPlugin::open(config, input) {
        Err(fault) => fault,
        Ok(_) => panic!("opened with {config}"),
    };
    let config = r#"{"only":"a"}"#;
    assert_eq!(refused("", &[]), Fault::Config("missing field `only`".into()));
    assert_eq!(refused("[]", &[]), Fault::Config("expected an object, found []".into()));
    assert_eq!(refused(config, &[]), Fault::Input("there is no column `message`, only: ".into()));
    let number = r#"{"only":3}"#;
    let expected = "`only`: invalid type: integer `3`, expected a string";
    assert_eq!(refused(number, &[]), Fault::Config(expected.into()));
    let wrong = [field("message", Kind::Int32)];
    assert_eq!(
        refused(config, &wrong),
        Fault::Input("column `message` is Int32, but is read as Utf8".into())
    );
    let unconfigured = EveryPlugin::open(config, &input()).err();
    let expected = format!("this plugin takes no configuration, but was given {config}");
    assert_eq!(unconfigured, Some(Fault::Config(expected)));
}
