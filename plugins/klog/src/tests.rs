use super::*;

fn read(line: &str) -> Result<Klog<'_>, String> {
    let ingested_at = Timestamp::parse_rfc3339("2026-12-01T00:00:00Z").expect("a time");
    klog(line, ingested_at, &Settings { zone: Offset { seconds: -3600 } })
        .map_err(|reject| reject.reason().to_owned())
}

#[test]
fn lines_with_and_without_a_year() {
    let expected = |time: &str, message| Klog {
        time: Timestamp::parse_rfc3339(time).expect("a time"),
        level: "WARNING",
        thread: 12345,
        source_file: "a:file.go",
        source_line: 42,
        message,
    };
    let line = "W1130 08:05:09.123456   12345 a:file.go:42] it [failed]: 1";
    assert_eq!(read(line), Ok(expected("2026-11-30T09:05:09.123456Z", "it [failed]: 1")));
    let line = "W1231 08:05:09.123456   12345 a:file.go:42]";
    assert_eq!(read(line), Ok(expected("2025-12-31T09:05:09.123456Z", "")));
    let line = "W20241130 08:05:09.000001 12345 a:file.go:42] one\ntwo";
    assert_eq!(read(line), Ok(expected("2024-11-30T09:05:09.000001Z", "one\ntwo")));
}

#[test]
fn what_is_no_line_of_klog_says_where() {
    for (line, reason) in [
        ("", "expected I, W, E or F at byte 0"),
        ("D1130 08:05:09.123456 1 f.go:1] m", "expected I, W, E or F at byte 0"),
        ("I130 08:05:09.123456 1 f.go:1] m", "expected a time like 1130 08:05:09.123456 at byte 1"),
        ("I1130 08:05:09 1 f.go:1] m", "expected a time like 1130 08:05:09.123456 at byte 1"),
        ("I1131 08:05:09.123456 1 f.go:1] m", "there is no such day or time as at byte 1"),
        ("I1130 08:05:09.123456 x f.go:1] m", "expected the thread at byte 22"),
        ("I1130 08:05:09.123456 1 f.go:1 m", "expected a file, `:`, a line and `]` at byte 24"),
        ("I1130 08:05:09.123456 1 f.go:x] m", "expected a file, `:`, a line and `]` at byte 24"),
        ("I1130 08:05:09.123456", "expected the thread at byte 21"),
    ] {
        assert_eq!(read(line), Err(reason.to_owned()), "{line}");
    }
}

#[test]
fn cut_lines_are_answered() {
    let good = "E1130 08:05:09.123456   12345 é.go:42] é";
    for (at, _) in good.char_indices() {
        let _ = read(&good[..at]);
        let _ = read(&good[at..]);
    }
}
