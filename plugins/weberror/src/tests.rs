use super::*;

fn read(line: &str) -> Result<Entry<'_>, String> {
    let settings = WebError::try_from(Settings { zone: Offset { seconds: 3600 } }).expect("two formats");
    weberror(line, &settings).map_err(|reject| reject.reason().to_owned())
}

fn at(text: &str) -> Option<Timestamp> {
    Timestamp::parse_rfc3339(text)
}

#[test]
fn nginx_with_all_that_it_says() {
    let line = concat!(
        r#"2026/11/30 08:05:09 [error] 12#34: *56 open() "/srv/a, b" failed (2: No such file or directory), "#,
        r#"client: 2001:db8::1, server: example.org, request: "GET /a?q="x", y HTTP/1.1", subrequest: "/s", "#,
        r#"upstream: "http://127.0.0.1:80/a", host: "example.org", referrer: "https://example.net/""#,
    );
    let expected = Entry {
        time: at("2026-11-30T07:05:09Z"),
        level: Some("error"),
        pid: Some(12),
        tid: Some(34),
        connection: Some(56),
        errno: Some(2),
        error: Some("No such file or directory"),
        client: Some("2001:db8::1"),
        server: Some("example.org"),
        request: Some(r#"GET /a?q="x", y HTTP/1.1"#),
        upstream: Some("http://127.0.0.1:80/a"),
        requested_host: Some("example.org"),
        referer: Some("https://example.net/"),
        message: r#"open() "/srv/a, b" failed (2: No such file or directory)"#,
        fields: vec![("subrequest", Some("/s"))],
        ..Entry::default()
    };
    assert_eq!(read(line), Ok(expected));
}

#[test]
fn pairs_of_nginx_begin_where_all_that_follows_is_pairs() {
    let head = "2026/11/30 08:05:09 [warn] 1#1: ";
    for (tail, message, client, server) in [
        ("signal process started", "signal process started", None, None),
        ("a, client: b c", "a, client: b c", None, None),
        ("a, client: 1.2.3.4", "a", Some("1.2.3.4"), None),
        ("*7 a, udp client: 1.2.3.4, server: 0.0.0.0:53", "a", Some("1.2.3.4"), Some("0.0.0.0:53")),
        ("a, client: unix:, server: ", "a", Some("unix:"), None),
        (
            "a \"b, client: x\" while reading, client: 1.2.3.4, server: s",
            "a \"b, client: x\" while reading",
            Some("1.2.3.4"),
            Some("s"),
        ),
        ("a\nb, client: 1.2.3.4, server: s", "a\nb", Some("1.2.3.4"), Some("s")),
        (
            "a, client: 1.2.3.4, server: s, colour: red",
            "a, client: 1.2.3.4, server: s, colour: red",
            None,
            None,
        ),
    ] {
        let line = format!("{head}{tail}");
        let entry = read(&line).expect("an entry");
        assert_eq!((entry.message, entry.client, entry.server), (message, client, server), "{tail}");
    }
}

#[test]
fn apache_with_all_that_it_says() {
    let line = concat!(
        "[Mon Nov 30 08:05:09.123456 2026] [core:trace3] [pid 12:tid 139877] core.c(123): (13)Permission denied: ",
        "[client 2001:db8::1:5123] AH00132: cannot read: /a, referer: https://example.net/",
    );
    let expected = Entry {
        time: at("2026-11-30T07:05:09.123456Z"),
        level: Some("trace3"),
        module: Some("core"),
        pid: Some(12),
        tid: Some(139_877),
        source_file: Some("core.c"),
        source_line: Some(123),
        code: Some("AH00132"),
        errno: Some(13),
        error: Some("Permission denied"),
        client: Some("2001:db8::1"),
        client_port: Some(5123),
        referer: Some("https://example.net/"),
        message: "cannot read: /a",
        ..Entry::default()
    };
    assert_eq!(read(line), Ok(expected));
}

#[test]
fn apache_of_all_ages() {
    for (line, client, port, message) in [
        (
            "[Sun Dec 04 04:47:44 2005] [error] [client 2001:db8::1] Directory index forbidden",
            Some("2001:db8::1"),
            None,
            "Directory index forbidden",
        ),
        ("[Sun Dec  4 04:47:44 2005] [notice] caught SIGTERM", None, None, "caught SIGTERM"),
        (
            "[2026-11-30 08:05:09.1] [ssl:info] [pid 9] [client 192.0.2.7:1] AH1: x",
            Some("192.0.2.7"),
            Some(1),
            "AH1: x",
        ),
        (
            "[Mon Nov 30 08:05:09 2026] [-:error] [client 2001:db8::1] [x] y",
            Some("2001:db8::1"),
            None,
            "[x] y",
        ),
        ("[Mon Nov 30 08:05:09 2026] [mpm_event:notice] [pid 1:tid 2] (x)y: z", None, None, "(x)y: z"),
    ] {
        let entry = read(line).expect("an entry");
        assert_eq!((entry.client, entry.client_port, entry.message), (client, port, message), "{line}");
    }
    let proxied = "[Mon Nov 30 08:05:09 2026] [ssl:info] [pid 1] [remote 192.0.2.9:443] AH02003: failed";
    assert_eq!(read(proxied).expect("an entry").upstream, Some("192.0.2.9:443"));
}

#[test]
fn what_is_no_line_of_either_says_where() {
    for (line, reason) in [
        ("", "expected a time like 2026/11/30 08:05:09 at byte 0"),
        ("2026/11/31 08:05:09 [error] 1#1: x", "expected a time like 2026/11/30 08:05:09 at byte 0"),
        ("2026/11/30 08:05:09 error", "expected a level like ` [error]` at byte 19"),
        ("2026/11/30 08:05:09 [error] 1: x", "expected a process and a thread like ` 12#34: ` at byte 27"),
        ("[yesterday] [error] x", "expected a time like [Mon Nov 30 08:05:09.123456 2026] at byte 0"),
        ("[Mon Nov 30 08:05:09 2026] error", "expected a level like [core:error] at byte 27"),
    ] {
        assert_eq!(read(line), Err(reason.to_owned()), "{line}");
    }
}

/// Any part of a line, behind either beginning: an answer, and no panic.
#[test]
fn cut_and_mixed_lines_are_answered() {
    let heads = ["2026/11/30 08:05:09 [error] 1#1: ", "[Mon Nov 30 08:05:09 2026] [é:error] "];
    let tail = r#"*5 é (2: é), client: é, server: , host: "é", "[pid 1:tid 2] c.c(1): (2)é: [client ::1:5] AH00001: é, referer: é"#;
    let ends: Vec<usize> = tail.char_indices().map(|(at, _)| at).chain([tail.len()]).collect();
    for head in heads {
        for from in &ends {
            for to in ends.iter().filter(|to| *to >= from) {
                read(&format!("{head}{}", &tail[*from..*to])).expect("an entry");
            }
        }
    }
    let whole = format!("{}{tail}", heads[1]);
    for (at, _) in whole.char_indices() {
        let _ = (read(&whole[..at]), read(&whole[at..]));
    }
}
