//! The shipped plugins in several configurations, and what is made of arbitrary bytes for them.

/// A plugin's name, and a configuration: each reads columns of Bronze.
pub const CASES: &[(&str, &str)] = &[
    ("access", "{}"),
    ("container", "{}"),
    ("csv", r#"{"columns": ["a", "b", "c"]}"#),
    (
        "csv",
        r#"{"columns": ["when", "n", "yes"], "types": {"when": "timestamp", "n": "double", "yes": "boolean"}, "delimiter": ";",
            "quote": "'", "on_failure": "null"}"#,
    ),
    ("java", "{}"),
    ("java", r#"{"patterns": ["%d{ISO8601} [%t] %-5level %logger{36} %X{id} - %msg%n"]}"#),
    ("json", "{}"),
    ("json", r#"{"level": ["severity"], "message": "text", "time": []}"#),
    ("klog", "{}"),
    ("klog", r#"{"zone": "-09:30"}"#),
    ("logfmt", "{}"),
    ("logfmt", r#"{"level": [], "message": ["a", "b"], "time": ["at"]}"#),
    ("syslog", "{}"),
    ("syslog", r#"{"zone": "+14:00"}"#),
    (
        "regex",
        r#"{"patterns": ["^%{IPORHOST:client} \\S+ %{NOTSPACE:user} \\[%{HTTPDATE:time}\\] \"%{DATA:request}\" (?:%{INT:bytes}|-)"],
            "types": {"time": "timestamp:%d/%b/%Y:%H:%M:%S %z", "bytes": "long"}}"#,
    ),
    (
        "regex",
        r#"{"patterns": ["(?<when>%{TIMESTAMP_ISO8601})|(?<day>%{YEAR}-..-..)", "%{NUMBER:n}|%{QS:text}|%{IP:text}", "(?<yes>\\w+)"],
            "types": {"when": "timestamp", "day": "date", "n": "double", "yes": "boolean"}, "on_failure": "null"}"#,
    ),
    ("redact", r#"{"columns": ["line"]}"#),
    (
        "redact",
        r#"{"columns": ["line"], "custom": {"word": "\\b\\w+é", "to-end": "x.*"}, "hash": ["email", "ip", "word"],
            "key": "0123456789abcdef0123456789abcdef"}"#,
    ),
    (
        "filter",
        r#"{"where": "line matches '^\\w+$' || number(line) > 1e3 || not (offset is null) && offset < 0 && path ends_with 'log'"}"#,
    ),
    (
        "filter",
        r#"{"where": "ingested_at >= '2026-11-30T00:00:00Z' && line in ('a', 'b') || cut_bytes is null"}"#,
    ),
    ("time", r#"{"column": "line"}"#),
    ("time", r#"{"column": "offset", "into": "when", "on_failure": "null"}"#),
    (
        "time",
        r#"{"column": "line", "formats": ["%a %b %e %H:%M:%S %Y", "%b %d %H:%M:%S", "%d.%m.%y %I:%M %p %z", "epoch_ns"],
            "zone": "America/St_Johns", "on_failure": "null"}"#,
    ),
    ("weberror", "{}"),
    ("weberror", r#"{"zone": "-05:45"}"#),
    ("sample", r#"{"keep_one_in": 3}"#),
    (
        "sample",
        r#"{"keep_one_in": 0, "by": ["line", "raw"], "weight": "of",
            "rules": [{"where": "line contains '='", "keep_one_in": 2}, {"where": "offset > 0", "keep_one_in": 4294967295}]}"#,
    ),
];

/// A record of Bronze: one line, or several as multiline sources join them.
pub struct Record<'a> {
    pub line: String,
    /// Only where `line` could not say it.
    pub raw: Option<&'a [u8]>,
    pub offset: i64,
    /// A time that a table can hold.
    pub ingested_at: i64,
}

/// The lines of a file, and the file as one record.
pub fn records(file: &[u8]) -> Vec<Record<'_>> {
    file.split(|byte| *byte == b'\n').chain([file]).map(record).collect()
}

fn record(bytes: &[u8]) -> Record<'_> {
    let mut number = [0; 8];
    number.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    let offset = i64::from_le_bytes(number);
    Record {
        line: String::from_utf8_lossy(bytes).into_owned(),
        raw: str::from_utf8(bytes).is_err().then_some(bytes),
        offset,
        ingested_at: offset.rem_euclid(253_402_300_800_000_000),
    }
}
