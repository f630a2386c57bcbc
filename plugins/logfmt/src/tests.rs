use super::*;

fn read(line: &str) -> Result<String, String> {
    let mut state = Logfmt::from(Settings::default());
    let entry = logfmt(line, &mut state).map_err(|reject| reject.reason().to_owned())?;
    let Entry { level, message, time, fields } = entry;
    let or = |text: Option<Cow<'_, str>>| text.map_or("-".to_owned(), Cow::into_owned);
    let pairs = fields.pairs.iter().map(|pair| format!("{}={}", pair.key(line), or(pair.text(line))));
    let pairs: Vec<String> = pairs.collect();
    let time = time.map_or("-".to_owned(), |time| time.to_string());
    Ok(format!("{time} {} {} [{}]", or(level), or(message), pairs.join(",")))
}

#[test]
fn pairs_of_all_forms() {
    for (line, expected) in [
        (
            r#"time=2026-11-30T08:05:09Z level=info msg="signed in" user=ann cached empty= q="""#,
            "2026-11-30T08:05:09.000000Z info signed in [user=ann,cached=-,empty=,q=]",
        ),
        (r#"msg="a \"b\" \\ \n\t\u00e9\x" k=v=w"#, "- - a \"b\" \\ \n\té\\x [k=v=w]"),
        ("lvl=debug level=info level=warn", "- warn - [lvl=debug]"),
        ("level=info lvl=debug", "- info - [lvl=debug]"),
        ("ts=noon a=1 a=2", "- - - [a=2,ts=noon]"),
        ("ts=1796040000.5 a=1", "2026-11-30T12:00:00.500000Z - - [a=1]"),
        ("  a=é\tb=\u{1f600}  ", "- - - [a=é,b=\u{1f600}]"),
    ] {
        assert_eq!(read(line).as_deref(), Ok(expected), "{line}");
    }
}

#[test]
fn what_is_no_pair_says_where() {
    for (line, reason) in [
        ("", "there is no key=value"),
        ("just some words", "there is no key=value"),
        ("a=\"b", "expected a closing `\"` at byte 4"),
        ("a=\"b\\", "expected a closing `\"` at byte 5"),
        ("a=\"b\"c", "expected a blank behind the value at byte 5"),
        ("=b", "expected a key at byte 0"),
        ("a\"b=c", "expected `=` or a blank at byte 1"),
    ] {
        assert_eq!(read(line), Err(reason.to_owned()), "{line}");
    }
}

#[test]
fn of_many_doubles_the_last_counts() {
    let line: String = (0..1_000).map(|n| format!("k{}={n} ", n % 100)).collect();
    let read = read(&line).expect("pairs");
    assert_eq!(read.matches(',').count(), 99);
    assert!(read.contains("[k0=900,") && read.contains(",k99=999]"), "{read}");
}

#[test]
fn cut_lines_are_answered() {
    let good = "time=2026 msg=\"é \\\"\\u00e9\" k=\"é\\n\" é=ü b";
    let ends: Vec<usize> = good.char_indices().map(|(at, _)| at).chain([good.len()]).collect();
    for from in &ends {
        for to in ends.iter().filter(|to| *to >= from) {
            let _ = read(&good[*from..*to]);
        }
    }
}
