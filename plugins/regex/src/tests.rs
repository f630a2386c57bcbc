use logsmith_plugin::{Column, Kind, Strings, Values};

use super::*;

fn fields() -> Vec<Field> {
    let field = |name: &str, kind| Field { name: name.into(), kind, nullable: true };
    vec![field("line", Kind::Utf8), field("message", Kind::Utf8), field("offset", Kind::Int64)]
}

fn open(config: &str) -> (RegexPlugin, Plan) {
    RegexPlugin::open(config, &fields()).unwrap_or_else(|fault| panic!("{config}: {fault:?}"))
}

/// Each row as `column=value ..`, without columns that have no value; or the reason of its reject after a `!`.
fn rows(config: &str, lines: &[Option<&str>]) -> Vec<String> {
    let (mut plugin, plan) = open(config);
    let mut strings = Strings::with_capacity(0, 0);
    lines.iter().for_each(|line| strings.push(line.unwrap_or_default().as_bytes()));
    let validity = (0..).zip(lines).map(|(row, line)| u8::from(line.is_some()) << row).sum();
    let column = Column { values: Values::Utf8(strings), validity: Some(vec![validity]) };
    let output =
        plugin.apply(Batch { rows: lines.len() as u32, columns: vec![column] }).expect("a good batch");
    let mut rows: Vec<String> = vec![String::new(); lines.len()];
    for reject in &output.rejects {
        rows[reject.row as usize] = format!("!{}", reject.reason);
    }
    for (at, row) in output.source_rows.iter().enumerate() {
        let shown = |(field, column): (&Field, &Column)| {
            let value = match column.values {
                Values::Utf8(_) => View::<&str>::of(column)?.get(at)?.to_owned(),
                Values::Int32(_) => View::<i32>::of(column)?.get(at)?.to_string(),
                Values::Int64(_) => View::<i64>::of(column)?.get(at)?.to_string(),
                Values::Float64(_) => View::<f64>::of(column)?.get(at)?.to_string(),
                Values::TimestampUs(_) => {
                    View::<logsmith_plugin::Timestamp>::of(column)?.get(at)?.to_string()
                }
                _ => panic!("{column:?}"),
            };
            Some(format!("{}={value}", field.name))
        };
        let shown: Vec<String> = plan.writes.iter().zip(&output.columns).filter_map(shown).collect();
        rows[*row as usize] = shown.join(" ");
    }
    rows
}

#[track_caller]
fn check(config: &str, line: &str, expected: &str) {
    assert_eq!(rows(config, &[Some(line)]), [expected], "{config} on {line}");
}

/// What a pattern takes out of a line.
#[track_caller]
fn check_pattern(pattern: &str, line: &str, expected: &str) {
    check(&format!("{{\"patterns\":[{pattern:?}]}}"), line, expected);
}

#[test]
fn groups_become_columns_of_their_types() {
    let config = r#"{
        "patterns": ["^%{IP:client} %{WORD:method} (?<took>\\S+) (?<bytes>\\d+|-) %{HTTPDATE:time}$"],
        "types": {"bytes": "long", "took": "double", "time": "timestamp:%d/%b/%Y:%H:%M:%S %z"},
        "on_failure": "null"
    }"#;
    let (_, plan) = open(config);
    let columns: Vec<_> = plan.writes.iter().map(|field| (field.name.as_str(), field.kind)).collect();
    let text = Kind::Utf8;
    assert_eq!(
        columns,
        [
            ("client", text),
            ("method", text),
            ("took", Kind::Float64),
            ("bytes", Kind::Int64),
            ("time", Kind::TimestampUs)
        ]
    );
    assert_eq!(plan.reads, ["line"]);
    check(
        config,
        "192.0.2.7 GET 0.25 12 30/Nov/2026:08:05:09 +0100",
        "client=192.0.2.7 method=GET took=0.25 bytes=12 time=2026-11-30T07:05:09.000000Z",
    );
    check(config, "::1 GET x - 31/Nov/2026:08:05:09 +0100", "client=::1 method=GET");
}

#[test]
fn patterns_are_tried_in_order_and_share_their_columns() {
    let config = r#"{
        "column": "message",
        "patterns": ["^user (?<user>\\w+) (?<n>\\d+)$", "^(?<n>\\d+)(?<rest>.*)", "(?<user>\\w+)$"],
        "types": {"n": "integer"}
    }"#;
    assert_eq!(open(config).1.reads, ["message"]);
    let lines = ["user ann 7", "8 more", "it was bob", "?"].map(Some);
    let expected = ["user=ann n=7", "n=8 rest= more", "user=bob", "!none of the 3 patterns matches"];
    assert_eq!(rows(config, &lines), expected);
}

#[test]
fn what_fails_is_rejected_or_null() {
    let config = |on_failure: &str| {
        let types = r#""types":{"n":"integer"}"#;
        format!(r#"{{"patterns":["^n=(?<n>.*)$"],{types},"on_failure":"{on_failure}"}}"#)
    };
    let long = format!("n={}", "é".repeat(200));
    let lines = [Some("n=1"), Some("n="), Some("n=x"), Some("m=1"), None, Some(&*long)];
    let shown = format!("!`n` is {:?}, which is no integer", "é".repeat(100));
    assert_eq!(
        rows(&config("reject"), &lines),
        [
            "n=1",
            "",
            "!`n` is \"x\", which is no integer",
            "!the pattern does not match",
            "!there is no text to match",
            &shown
        ]
    );
    assert_eq!(rows(&config("null"), &lines), ["n=1", "", "", "", "", ""]);
}

#[test]
fn several_names_may_fill_a_column_and_the_first_that_took_part_does() {
    let pattern = r"^(?:%{IP:client}|%{HOSTNAME:client}) (?:\[%{INT:pid}\]|%{INT:pid})";
    check_pattern(pattern, "192.0.2.7 [5]", "client=192.0.2.7 pid=5");
    check_pattern(pattern, "web-1.example.org 6", "client=web-1.example.org pid=6");
}

#[test]
fn names_are_what_texts_look_like() {
    for (name, text) in [
        ("WORD", "ab_1"),
        ("INT", "-12"),
        ("NUMBER", "-0.5"),
        ("BASE16NUM", "0xfF"),
        ("UUID", "018f3c5e-7b1a-7e00-8000-0123456789ab"),
        ("IPV4", "192.0.2.7"),
        ("IPV6", "2001:db8:0:1:2:3:4:5"),
        ("IPV6", "2001:db8::1"),
        ("IPV6", "::ffff:192.0.2.7"),
        ("IPV6", "1:2:3:4:5:6:192.0.2.7"),
        ("IPV6", "fe80::"),
        ("IP", "::1"),
        ("IP", "192.0.2.7"),
        ("HOSTNAME", "a-b.example.org"),
        ("HOSTPORT", "a.example:80"),
        ("MAC", "00:1a:2B:3c:4d:5e"),
        ("EMAILADDRESS", "ann+x@example.org"),
        ("PATH", "/var/log/a.log"),
        ("PATH", r"C:\logs\a.log"),
        ("URI", "https://ann@example.org:8080/a/b?c=d&e#f"),
        ("URIPATHPARAM", "/a/b?c=d"),
        ("QUOTEDSTRING", r#""a \"b\" c""#),
        ("TIMESTAMP_ISO8601", "2026-11-30T08:05:09.123+01:00"),
        ("TIMESTAMP_ISO8601", "2026-11-30 08:05"),
        ("SYSLOGTIMESTAMP", "Nov  3 08:05:09"),
        ("HTTPDATE", "30/Nov/2026:08:05:09 +0100"),
        ("DAY", "Thursday"),
        ("LOGLEVEL", "WARNING"),
        ("PROG", "sshd-session"),
        ("JAVACLASS", "org.example.App$Inner"),
    ] {
        check_pattern(&format!("^%{{{name}:x}}$"), text, &format!("x={text}"));
    }
    for (name, text) in [
        ("IP", "08:05:09"),
        ("IPV6", "1:2:3:4:5:6:7"),
        ("IPV6", "12345::"),
        ("UUID", "018f3c5e-7b1a-7e00-8000-0123456789"),
        ("INT", "1.5"),
        ("WORD", "a-b"),
        ("LOGLEVEL", "inform"),
    ] {
        check_pattern(&format!("^%{{{name}:x}}$"), text, "!the pattern does not match");
    }
}

#[test]
fn every_name_is_an_expression() {
    for (name, _) in NAMES {
        open(&format!(r#"{{"patterns":["%{{{name}:x}}"]}}"#));
    }
}

#[test]
fn further_names_come_first_and_may_use_others() {
    let config = r#"{
        "patterns": ["^%{WHO} %{INT:n}$"],
        "names": {"WHO": "%{USER:user}@%{HOSTNAME:at}", "INT": "[a-c]+"}
    }"#;
    check(config, "ann@web-1 abc", "user=ann at=web-1 n=abc");
    check_pattern(r"^%\{INT}\\%{INT:n}%$", r"%{INT}\7%", "n=7");
}

#[test]
fn a_wrong_configuration_says_which_key_and_what_to_write() {
    for (config, words) in [
        ("{}", "`patterns` is missing: write a list"),
        (r#"{"patterns":["a","(?<a>"]}"#, "`patterns`: number 2: regex parse error"),
        (r#"{"patterns":["a"]}"#, "`patterns`: there is no named group: write"),
        (r#"{"patterns":["%{NOPE:a}"]}"#, "`%{NOPE:a}`: there is no `NOPE`: define it below `names`"),
        (r#"{"patterns":["%{INT:a:int}"]}"#, "`%{INT:a:int}`: the type of a column stands in `types`"),
        (r#"{"patterns":["%{INT:[a][b]}"]}"#, "a column's name has letters, digits and `_`"),
        (r#"{"patterns":["(?<a.b>x)"]}"#, "`a.b` is no name for a column"),
        (r#"{"patterns":["%{INT:a"]}"#, "a `%{` has no `}`"),
        (r#"{"patterns":["(?<a>x)"],"types":{"b":"long"}}"#, "`types`: no pattern has a group `b`, only: a"),
        (r#"{"patterns":["(?<a>x)"],"types":{"a":"int64"}}"#, "`types.a`: `int64` is no type: write string"),
        (r#"{"patterns":["%{A:a}"],"names":{"A":"%{B}","B":"%{A}"}}"#, "does one name itself?"),
        (r#"{"patterns":["%{A:a}"],"names":{"A-B":"x"}}"#, "`names`: `A-B` is no name"),
        (r#"{"patterns":["(?<a>x)"],"on_failure":"ignore"}"#, "unknown variant `ignore`"),
        (r#"{"pattern":["(?<a>x)"]}"#, "unknown field `pattern`"),
        (r#"{"patterns":["a",2]}"#, "`patterns[1]`: invalid type: integer `2`, expected a string"),
        (
            r#"{"patterns":["a"],"types":{"a":true}}"#,
            "`types.a`: invalid type: boolean `true`, expected a string",
        ),
    ] {
        match RegexPlugin::open(config, &fields()) {
            Err(Fault::Config(error)) => assert!(error.contains(words), "{config}: {error}"),
            other => panic!("{config}: {:?}", other.map(|(_, plan)| plan)),
        }
    }
    let bombs: Vec<String> =
        (0..12).map(|n| format!(r#""N{n}":"{}""#, format!("%{{N{}}}", n + 1).repeat(9))).collect();
    let config = format!(r#"{{"patterns":["%{{N0:a}}"],"names":{{{},"N12":"x"}}}}"#, bombs.join(","));
    let Err(Fault::Config(error)) = RegexPlugin::open(&config, &fields()) else { panic!("it opened") };
    assert!(error.contains("longer than 65536 bytes"), "{error}");
}

#[test]
fn only_a_column_of_text_can_be_read() {
    for (column, words) in
        [("offset", "`offset` is Int64, and no text"), ("nope", "there is no column `nope`")]
    {
        let config = format!(r#"{{"patterns":["(?<a>x)"],"column":"{column}"}}"#);
        match RegexPlugin::open(&config, &fields()) {
            Err(Fault::Input(error)) => assert!(error.contains(words), "{error}"),
            other => panic!("{:?}", other.map(|(_, plan)| plan)),
        }
    }
}
