use super::*;

const COMBINED: &str = concat!(
    r#"192.0.2.7 - ann [30/Nov/2026:08:05:09 +0100] "GET /a b?c HTTP/1.1" 200 2326 "#,
    r#""https://example.org/" "curl \"8\"" 0.004 up1"#,
);

fn at(text: &str) -> Timestamp {
    Timestamp::parse_rfc3339(text).expect("a time")
}

#[test]
fn the_combined_format_and_what_follows_it() {
    let expected = Access {
        time: at("2026-11-30T07:05:09Z"),
        server: None,
        port: None,
        client: "192.0.2.7",
        ident: None,
        user: Some("ann"),
        method: Some("GET"),
        url: Some("/a b?c"),
        protocol: Some("HTTP/1.1"),
        request: None,
        status: Some(200),
        bytes: Some(2326),
        referer: Some("https://example.org/"),
        agent: Some(r#"curl \"8\""#),
        rest: Some("0.004 up1"),
    };
    assert_eq!(access(COMBINED), Ok(expected));
}

#[test]
fn the_common_format_ends_after_the_size() {
    let row = access(r#"::1 - - [30/Nov/2026:08:05:09 +0000] "HEAD / HTTP/2.0" 304 -"#).expect("a row");
    assert_eq!((row.status, row.bytes, row.user, row.agent, row.rest), (Some(304), None, None, None, None));
}

#[test]
fn a_user_may_have_blanks_in_its_name() {
    let row = access(r#"h - jo de [30/Nov/2026:08:05:09 +0000] "GET / HTTP/1.1" 200 1"#).expect("a row");
    assert_eq!(row.user, Some("jo de"));
}

#[test]
fn a_server_may_stand_in_front() {
    for (head, server, port, client, user) in [
        ("example.org:443 192.0.2.7 - ann", Some("example.org"), Some(443), "192.0.2.7", Some("ann")),
        ("example.org:443 ::1 - jo de", Some("example.org"), Some(443), "::1", Some("jo de")),
        ("example.org:443 ::1 id jo", Some("example.org"), Some(443), "::1", Some("jo")),
        ("[2001:db8::1]:80 ::1 - -", Some("[2001:db8::1]"), Some(80), "::1", None),
        ("example.org 192.0.2.7 - -", Some("example.org"), None, "192.0.2.7", None),
        ("a:80 192.0.2.7, 192.0.2.8 - -", Some("a"), Some(80), "192.0.2.7, 192.0.2.8", None),
        ("192.0.2.7, 192.0.2.8 - -", None, None, "192.0.2.7, 192.0.2.8", None),
        ("192.0.2.7:5123 - jo de", None, None, "192.0.2.7:5123", Some("jo de")),
        ("2001:db8::1 id jo de", None, None, "2001:db8::1", Some("jo de")),
        ("unix: - -", None, None, "unix:", None),
    ] {
        let line = format!(r#"{head} [30/Nov/2026:08:05:09 +0000] "GET / HTTP/2" 200 1"#);
        let row = access(&line).expect("a row");
        assert_eq!((row.server, row.port, row.client, row.user), (server, port, client, user), "{head}");
    }
}

#[test]
fn what_follows_may_lack_the_quoted_texts_and_the_status_its_number() {
    for (tail, referer, agent, more) in [
        ("- - 0.004", None, None, Some("0.004")),
        (r#"- 1 "-""#, None, None, None),
        (r#"- 1 "r" 0.004 "x""#, Some("r"), None, Some(r#"0.004 "x""#)),
        (r#"- 1 "r" "a" "192.0.2.8""#, Some("r"), Some("a"), Some(r#""192.0.2.8""#)),
    ] {
        let line = format!(r#"h - - [30/Nov/2026:08:05:09 +0000] "GET / HTTP/2" {tail}"#);
        let row = access(&line).expect("a row");
        let found = (row.status, row.referer, row.agent, row.rest);
        assert_eq!(found, (None, referer, agent, more), "{tail}");
    }
}

#[test]
fn an_odd_request_is_kept_whole() {
    for (request, method, odd) in [
        ("GET /", Some("GET"), None),
        ("-", None, None),
        ("", None, None),
        (r"\x16\x03\x01", None, Some(r"\x16\x03\x01")),
        (r"\x16 \x03 HTTP/1.1", None, Some(r"\x16 \x03 HTTP/1.1")),
        ("GET", None, Some("GET")),
        ("SSH-2.0-x y", None, Some("SSH-2.0-x y")),
    ] {
        let line = format!(r#"h - - [30/Nov/2026:08:05:09 +0000] "{request}" 400 0 "-" "-""#);
        let row = access(&line).expect("a row");
        assert_eq!((row.method, row.request), (method, odd), "{request}");
    }
}

#[test]
fn a_last_quote_may_be_missing() {
    let line = r#"h - - [30/Nov/2026:08:05:09 +0000] "GET / HTTP/1.1" 200 1 "-" "Mozilla/5.0 (compat"#;
    assert_eq!(access(line).expect("a row").agent, Some("Mozilla/5.0 (compat"));
}

#[test]
fn other_lines_are_rejected_with_the_place() {
    for (line, reason) in [
        ("", "expected the client, but the line ends at byte 0"),
        ("h - -", "expected the time in brackets from byte 4 on, which is '-'"),
        ("h - - [30/Nov/2026", "expected the end of the time from byte 7 on, which is '3'"),
        ("h - - [yesterday] ", "the time that ends at byte 16 is not like 30/Nov/2026:08:05:09 +0100"),
        ("h - - [30/Nov/2026:08:05:09 +0000] GET", "expected the request from byte 35 on, which is 'G'"),
        (
            r#"h - - [30/Nov/2026:08:05:09 +0000] "GET / HTTP/1.1" x"#,
            "expected the status from byte 52 on, which is 'x'",
        ),
        (
            r#"h - - [30/Nov/2026:08:05:09 +0000] "GET / HTTP/1.1" 2000 1"#,
            "the status has more than three digits",
        ),
        (
            r#"h - - [30/Nov/2026:08:05:09 +0000] "GET / HTTP/1.1" 200 1x"#,
            "expected a blank from byte 57 on, which is 'x'",
        ),
        (
            r#"h - - [30/Nov/2026:08:05:09 +0000] "GET / HTTP/1.1" 200"#,
            "expected the size in bytes, but the line ends at byte 55",
        ),
    ] {
        let rejected = access(line).map(|_| ()).expect_err(line);
        assert_eq!(rejected.reason(), reason, "{line}");
    }
}
