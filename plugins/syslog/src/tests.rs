use logsmith_plugin::Timestamp;

use super::*;

fn read(line: &str) -> Result<Message<'_>, String> {
    let ingested_at = Timestamp::parse_rfc3339("2026-11-30T12:00:00Z").expect("a time");
    let settings = Settings { zone: Offset { seconds: 3600 } };
    syslog(line, ingested_at, &settings).map_err(|reject| reject.reason().to_owned())
}

#[track_caller]
fn check(line: &str, expected: [&str; 7]) {
    let Message { time, facility, severity, hostname, app, pid, message_id, data: _, message } =
        read(line).expect("a message");
    let time = time.map_or("-".to_owned(), |time| time.to_string());
    let or = |text: Option<&str>| text.unwrap_or("-").to_owned();
    let priority = format!("{}.{}", or(facility), or(severity));
    let actual = [time, priority, or(hostname), or(app), or(pid), or(message_id), message.to_owned()];
    assert_eq!(actual, expected.map(str::to_owned), "{line}");
}

#[test]
fn both_forms_and_what_daemons_make_of_them() {
    check(
        "<34>1 2026-11-30T08:05:09.003Z web-1 su 77 ID47 - \u{feff}'su root' failed",
        ["2026-11-30T08:05:09.003000Z", "auth.critical", "web-1", "su", "77", "ID47", "'su root' failed"],
    );
    check("<191>1 - - - - - -", ["-", "local7.debug", "-", "-", "-", "-", ""]);
    check(
        "<13>Nov  3 08:05:09 web-1 su[77]: failed: yes",
        ["2026-11-03T07:05:09.000000Z", "user.notice", "web-1", "su", "77", "-", "failed: yes"],
    );
    check(
        "Dec 31 23:59:59 combo syslogd 1.4.1: restart.",
        ["2025-12-31T22:59:59.000000Z", "-.-", "combo", "syslogd 1.4.1", "-", "-", "restart."],
    );
    check(
        "Nov 30 2024 08:05:09.25 fw %ASA-6-302013: Built",
        ["2024-11-30T07:05:09.250000Z", "-.-", "fw", "%ASA-6-302013", "-", "-", "Built"],
    );
    check(
        "2026-11-30T08:05:09.5+02:00 web-1 kernel: [12.3] up",
        ["2026-11-30T06:05:09.500000Z", "-.-", "web-1", "kernel", "-", "-", "[12.3] up"],
    );
    check(
        "Nov 30 08:05:09 web-1 last message repeated 3 times",
        ["2026-11-30T07:05:09.000000Z", "-.-", "web-1", "-", "-", "-", "last message repeated 3 times"],
    );
    check(
        "<13>Nov 30 08:05:09 app[1]: text",
        ["2026-11-30T07:05:09.000000Z", "user.notice", "-", "app", "1", "-", "text"],
    );
    check(
        "2026-11-30T08:05:09 web-1 no tag in this: text",
        ["2026-11-30T07:05:09.000000Z", "-.-", "web-1", "-", "-", "-", "no tag in this: text"],
    );
    check(
        "Nov 30 08:05:09 combo  -- root[2421]: ROOT LOGIN",
        ["2026-11-30T07:05:09.000000Z", "-.-", "combo", " -- root", "2421", "-", "ROOT LOGIN"],
    );
    check(
        "<34>1 2026-11-30T08:05:09 - - - - -",
        ["2026-11-30T07:05:09.000000Z", "auth.critical", "-", "-", "-", "-", ""],
    );
    check("Nov 30 08:05:09 web-1", ["2026-11-30T07:05:09.000000Z", "-.-", "web-1", "-", "-", "-", ""]);
}

#[test]
fn structured_data_are_pairs_without_escapes() {
    let line = r#"<1>1 - - - - - [a@1 x="1" y="q\"\\\]\n"][b][c z="é" z="2"] m"#;
    let message = read(line).expect("a message");
    let data: Vec<_> =
        params(message.data.0).map(|(id, name, value)| format!("{id}.{name}={value}")).collect();
    assert_eq!(data, ["a@1.x=1", r#"a@1.y=q"\]\n"#, "c.z=é", "c.z=2"]);
    assert_eq!(message.message, "m");
}

#[test]
fn what_is_no_message_says_where() {
    for (line, reason) in [
        ("", "expected a time like `Nov 30 08:05:09` or 2026-11-30T08:05:09Z at byte 0"),
        ("<192>Nov 30 08:05:09 h a: m", "expected a priority from <0> to <191> at byte 0"),
        ("<1>nonsense", "expected a time like `Nov 30 08:05:09` or 2026-11-30T08:05:09Z at byte 3"),
        (
            "Nov 31 08:05:09 h a: m",
            "expected a time like `Nov 30 08:05:09` or 2026-11-30T08:05:09Z at byte 0",
        ),
        ("Nov 30 08:05:09  a: m", "expected the host at byte 16"),
        ("<1>1 noon h a p i - m", "the time is \"noon\", and not like 2026-11-30T08:05:09.123456Z"),
        ("<1>1 - h a p", "expected the process at byte 11"),
        ("<1>1 - h a p i m", "expected structured data or `-` at byte 15"),
        ("<1>1 - h a p i [a x=1]", "expected `\"` in the structured data, at byte 20"),
        ("<1>1 - h a p i [a x=\"1]", "expected a closing `\"` in the structured data, at byte 23"),
        ("<1>1 - h a p i -m", "expected a blank before the message, at byte 16"),
    ] {
        assert_eq!(read(line).err().as_deref(), Some(reason), "{line}");
    }
}

/// Any bytes behind any beginning: an answer, and no panic.
#[test]
fn cut_and_mixed_messages_are_answered() {
    let good = r#"<34>1 2026-11-30T08:05:09.003Z é su 77 ID47 [a@1 x="\"é"][b y="2"] text <1>Nov 30 08:05:09 é su[é]: é"#;
    let ends: Vec<usize> = good.char_indices().map(|(at, _)| at).chain([good.len()]).collect();
    for from in &ends {
        for to in ends.iter().filter(|to| *to >= from) {
            let _ = read(&good[*from..*to]).map(|message| params(message.data.0).count());
        }
    }
}
