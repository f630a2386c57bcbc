use csv_core::{ReadRecordResult, Reader};
use logsmith_plugin::{Column, Kind, Strings, Values};

use super::*;

fn fields() -> Vec<Field> {
    let field = |name: &str, kind| Field { name: name.into(), kind, nullable: true };
    vec![field("line", Kind::Utf8), field("message", Kind::Utf8), field("offset", Kind::Int64)]
}

/// Each row as `column=value|..`, without columns that have no value; `-` where it is dropped, and the reason of its
/// reject after a `!`.
fn rows(config: &str, lines: &[&str]) -> Vec<String> {
    let (mut plugin, plan) = CsvPlugin::open(config, &fields()).expect("a good configuration");
    let mut strings = Strings::with_capacity(0, 0);
    lines.iter().for_each(|line| strings.push(line.as_bytes()));
    let column = Column { values: Values::Utf8(strings), validity: None };
    let output =
        plugin.apply(Batch { rows: lines.len() as u32, columns: vec![column] }).expect("a good batch");
    let mut rows: Vec<Option<String>> = vec![None; lines.len()];
    let mut settle = |row: u32, said: String| {
        assert_eq!(rows[row as usize].replace(said), None, "two verdicts of row {row}");
    };
    output.rejects.iter().for_each(|reject| settle(reject.row, format!("!{}", reject.reason)));
    output.dropped.iter().for_each(|row| settle(*row, "-".into()));
    for (at, row) in output.source_rows.iter().enumerate() {
        let shown = |(field, column): (&Field, &Column)| {
            let value = match column.values {
                Values::Utf8(_) => View::<&str>::of(column)?.get(at)?.to_owned(),
                Values::Int64(_) => View::<i64>::of(column)?.get(at)?.to_string(),
                Values::Float64(_) => View::<f64>::of(column)?.get(at)?.to_string(),
                Values::Boolean(_) => View::<bool>::of(column)?.get(at)?.to_string(),
                Values::TimestampUs(_) => {
                    View::<logsmith_plugin::Timestamp>::of(column)?.get(at)?.to_string()
                }
                _ => panic!("{column:?}"),
            };
            Some(format!("{}={value}", field.name))
        };
        let shown: Vec<String> = plan.writes.iter().zip(&output.columns).filter_map(shown).collect();
        settle(*row, shown.join("|"));
    }
    rows.into_iter().map(|row| row.expect("a verdict of each row")).collect()
}

#[track_caller]
fn check(config: &str, line: &str, expected: &str) {
    assert_eq!(rows(config, &[line]), [expected], "{config} on {line}");
}

const THREE: &str = r#"{"columns":["a","b","c"]}"#;

#[test]
fn fields_are_plain_or_quoted() {
    check(THREE, "1, 2 ,", "a=1|b= 2 |c=");
    check(THREE, r#""x, y","he said ""no""","""""#, r#"a=x, y|b=he said "no"|c=""#);
    check(THREE, "\"two\nlines\",é,\"\"", "a=two\nlines|b=é|c=");
    check(THREE, r#"5" disk,a"b,"c""#, r#"a=5" disk|b=a"b|c=c"#);
    check(THREE, "\u{feff}1,2,3", "a=1|b=2|c=3");
    check(r#"{"columns":["a","b"],"delimiter":"\t","quote":"'"}"#, "'a\t''b'''\tc\"", "a=a\t'b'|b=c\"");
    check(r#"{"columns":["a","b"],"delimiter":"|","quote":""}"#, "\"a|b\"", "a=\"a|b=b\"");
    check(r#"{"columns":["a"]}"#, "", "a=");
}

#[test]
fn columns_have_types_and_texts_that_are_none() {
    let config = |on_failure: &str| {
        format!(
            r#"{{"columns":["t","n","x","b","s"],"null":["-","NULL"],"on_failure":"{on_failure}",
            "types":{{"t":"timestamp:%d.%m.%Y %H:%M:%S","n":"long","x":"double","b":"boolean"}}}}"#
        )
    };
    let lines = ["30.11.2026 08:05:09,7,0.5,TRUE,-", "\"-\",,NULL,false,", "-,x,-,-,-"];
    let first = "t=2026-11-30T08:05:09.000000Z|n=7|x=0.5|b=true";
    assert_eq!(rows(&config("reject"), &lines), [first, "b=false|s=", "!`n` is \"x\", which is no long"]);
    assert_eq!(rows(&config("null"), &lines), [first, "b=false|s=", ""]);
}

#[test]
fn headers_and_comments_are_dropped_on_purpose() {
    let lines = ["a,b,c", "1,2,3", "\"a\",\"b\",\"c\"", "\u{feff}a,b,c", "a,b,d"];
    assert_eq!(rows(THREE, &lines), ["-", "a=1|b=2|c=3", "-", "-", "a=a|b=b|c=d"]);
    let config =
        r##"{"columns":["day","path"],"header":["Day (UTC)","Path","?"],"delimiter":" ","comment":"#"}"##;
    let lines = ["#Fields: date cs-uri-stem", "\"Day (UTC)\" Path ?", "2026-11-30 /", "day path"];
    assert_eq!(rows(config, &lines), ["-", "-", "day=2026-11-30|path=/", "day=day|path=path"]);
}

#[test]
fn what_is_no_record_says_why() {
    for (line, reason) in [
        ("1,2", "expected 3 fields, found 2"),
        ("", "expected 3 fields, found 1"),
        ("1,2,3,4", "expected 3 fields, found 4"),
        ("1,\"2,3", "the quote at byte 2 is not closed"),
        ("1,\"2,3\"\"", "the quote at byte 2 is not closed"),
        ("1,\"2\"x,3", "expected `,` behind the quote, at byte 5"),
        ("1,2\n3,4", "the newline at byte 3 is not in quotes"),
    ] {
        check(THREE, line, &format!("!{reason}"));
    }
}

#[test]
fn a_wrong_configuration_says_which_key_and_what_to_write() {
    for (config, words) in [
        ("{}", "`columns` is missing: write a list of names"),
        (r#"{"columns":["a","a"]}"#, "`columns`: `a` is there twice"),
        (r#"{"columns":["a"],"types":{"b":"long"}}"#, "`types`: there is no column `b`, only: a"),
        (r#"{"columns":["a"],"types":{"a":"int64"}}"#, "`types.a`: `int64` is no type: write string"),
        (r#"{"columns":["a"],"delimiter":"::"}"#, "`delimiter`: \"::\" is not one character of ASCII"),
        (r#"{"columns":["a"],"quote":"\n"}"#, "`quote`: \"\\n\" is not one character of ASCII"),
        (r#"{"columns":["a"],"quote":","}"#, "`quote` and `delimiter` are the same"),
        (r#"{"columns":["a"],"comment":""}"#, "`comment` is empty"),
        (r#"{"column":["a"]}"#, "invalid type: sequence"),
    ] {
        match CsvPlugin::open(config, &fields()) {
            Err(Fault::Config(error)) => assert!(error.contains(words), "{config}: {error}"),
            other => panic!("{config}: {:?}", other.map(|(_, plan)| plan)),
        }
    }
    let Err(Fault::Input(error)) = CsvPlugin::open(r#"{"columns":["a"],"column":"offset"}"#, &fields())
    else {
        panic!("it opened")
    };
    assert!(error.contains("`offset` is Int64, and no text"), "{error}");
}

/// What another parser takes a record for.
fn by_csv_core(record: &str) -> Vec<String> {
    let mut texts = vec![0; record.len() + 1];
    let mut ends = vec![0; record.len() + 2];
    let mut reader = Reader::new();
    let (_, mut read, mut written, mut fields) = reader.read_record(record.as_bytes(), &mut texts, &mut ends);
    loop {
        let more = reader.read_record(&record.as_bytes()[read..], &mut texts[written..], &mut ends[fields..]);
        (read, written, fields) = (read + more.1, written + more.2, fields + more.3);
        if matches!(more.0, ReadRecordResult::Record | ReadRecordResult::End) {
            break;
        }
    }
    let starts = std::iter::once(0).chain(ends.iter().copied());
    let texts = starts.zip(&ends[..fields]).map(|(start, end)| &texts[start..*end]);
    texts.map(|text| String::from_utf8(text.to_vec()).expect("whole characters")).collect()
}

/// Each record that can be made of these characters, up to a length: one that is taken is taken for what it is.
#[test]
fn records_are_what_another_parser_takes_them_for() {
    let form = Form { delimiter: b',', quote: Some(b'"') };
    let mut taken = 0;
    for length in 1..=6_u32 {
        for number in 0..5_usize.pow(length) {
            let letter = |at| [",", "\"", "a", "\n", "é"][number / 5_usize.pow(at) % 5];
            let record: String = (0..length).map(letter).collect();
            let (mut places, mut unescaped) = (Vec::new(), String::new());
            if form.split(&record, &mut places, &mut unescaped).is_err() {
                continue;
            }
            taken += 1;
            let texts: Vec<&str> = places.iter().map(|place| place.text(&record, &unescaped)).collect();
            assert_eq!(texts, by_csv_core(&record), "{record:?}");
        }
    }
    assert!(taken > 3_000, "{taken}");
}
