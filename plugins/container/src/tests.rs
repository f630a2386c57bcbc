use super::*;

const TIME: &str = "2026-11-30T08:05:09.123456789Z";
const MICROS: i64 = 1_796_025_909_123_456;

fn messages(record: &str) -> Vec<(String, String)> {
    read(record, None)
        .into_iter()
        .map(|message| (message.stream.to_owned(), message.message.into_owned()))
        .collect()
}

fn read<'a>(record: &'a str, raw: Option<&'a [u8]>) -> Vec<Message<'a>> {
    container(record, raw, "/var/log/x.log").expect("a record")
}

fn reason(record: &str) -> String {
    container(record, None, "").expect_err("a reject").reason().to_owned()
}

fn pair(stream: &str, message: &str) -> (String, String) {
    (stream.to_owned(), message.to_owned())
}

#[test]
fn a_whole_line_is_a_message() {
    let line = format!("{TIME} stderr F  two  blanks ");
    let found = read(&line, None);
    let wanted = Message {
        time: Timestamp::from_micros(MICROS),
        stream: "stderr",
        message: " two  blanks ".into(),
        place: Place::default(),
    };
    assert_eq!(found, [wanted]);
    assert_eq!(messages(&format!("{TIME} stdout F ")), [pair("stdout", "")]);
    assert_eq!(messages(&format!("{TIME} stdout F:x:y a")), [pair("stdout", "a")]);
    let docker =
        format!(r#"{{"log":"say \"é\"\r\n","stream":"stdout","attrs":{{"a":"b"}},"time":"{TIME}"}}"#);
    assert_eq!(messages(&docker), [pair("stdout", "say \"é\"")]);
    assert_eq!(read(&docker, None)[0].time.micros(), MICROS);
    let newlines = format!(r#"{{"log":"a\n\n","stream":"stdout","time":"{TIME}"}}"#);
    assert_eq!(messages(&newlines), [pair("stdout", "a\n")]);
}

#[test]
fn parts_are_joined_by_stream_in_the_order_in_which_messages_begin() {
    let lines = [
        "2026-11-30T08:05:09.1Z stdout P a1",
        "2026-11-30T08:05:09.2Z stderr F b",
        "2026-11-30T08:05:09.3Z stderr P c1",
        "2026-11-30T08:05:09.4Z stdout F a2",
        "2026-11-30T08:05:09.5Z stdout F d",
        "2026-11-30T08:05:09.6Z stderr P c2",
    ];
    let record = lines.join("\n");
    let wanted = [pair("stdout", "a1a2"), pair("stderr", "b"), pair("stderr", "c1c2"), pair("stdout", "d")];
    assert_eq!(messages(&record), wanted);
    assert_eq!(read(&record, None)[2].time.micros() % 1_000_000, 300_000, "the time of the first part");
    let docker = |text: &str| format!(r#"{{"log":"{text}","stream":"stdout","time":"{TIME}"}}"#);
    let record = [docker("a"), docker("b"), docker("c\\n"), docker("d\\n")].join("\n");
    assert_eq!(messages(&record), [pair("stdout", "abc"), pair("stdout", "d")]);
}

/// A runtime cuts at a number of bytes, which may be within a character.
#[test]
fn a_character_that_was_cut_in_two_is_whole_again() {
    let mut raw = format!("{TIME} stdout P caf").into_bytes();
    raw.extend(b"\xc3\n");
    raw.extend(format!("{TIME} stdout F ").into_bytes());
    raw.extend(b"\xa9 \xff");
    let line = String::from_utf8_lossy(&raw);
    assert_eq!(read(&line, Some(&raw))[0].message, "café \u{FFFD}");
}

#[test]
fn what_no_runtime_writes_is_rejected_with_the_reason() {
    assert_eq!(reason("free"), "the time is \"free\", and not like 2026-11-30T08:05:09.123456789Z");
    assert_eq!(reason(TIME), "there is no stream");
    assert_eq!(reason(&format!("{TIME} stdout")), "there is no tag");
    assert_eq!(
        reason(&format!("{TIME} stdlog F a")),
        "the stream is \"stdlog\", and neither stdout nor stderr"
    );
    assert_eq!(reason(&format!("{TIME} stdout X a")), "the tag is \"X\", and neither P nor F");
    assert!(reason("{\"log\":\"a").starts_with("no line of Docker's json-file: EOF while parsing"));
    assert!(reason(r#"{"log":"a\n","time":"x"}"#).contains("missing field `stream`"));
    let record = format!("{TIME} stdout P a\nfree text");
    assert!(reason(&record).starts_with("line 2 of the record: the time is \"free\""));
}

#[test]
fn the_path_says_whose_container_it_is() {
    let id = "0123456789abcdef".repeat(4);
    let named = |namespace, pod, container, container_id| Place { namespace, pod, container, container_id };
    let pods = "/var/log/pods/kube-system_coredns-7d.x_0a1b-2c/core-dns";
    for file in ["0.log", "12.log", "0.log.20261130-080509", "0.log.20261130-080509.gz"] {
        let wanted = named(Some("kube-system"), Some("coredns-7d.x"), Some("core-dns"), None);
        assert_eq!(Place::of(&format!("{pods}/{file}")), wanted, "{file}");
    }
    assert_eq!(
        Place::of(&format!("/var/log/containers/web-0.a_default_nginx-x-{id}.log")),
        named(Some("default"), Some("web-0.a"), Some("nginx-x"), Some(&id))
    );
    for file in ["-json.log", "-json.log.1"] {
        let path = format!("/var/lib/docker/containers/{id}/{id}{file}");
        assert_eq!(Place::of(&path), named(None, None, None, Some(&id)));
    }
    let others = [
        "",
        "0.log",
        "stdin",
        "/var/log/pods/a_b/c/0.log",
        "/var/log/pods/a_b_c_d/c/0.log",
        "/var/log/pods/a_b_c/d/x.log",
        "/var/log/containers/a_b_c.log",
        "/var/log/containers/a_b_c-nohex.log",
        "/var/lib/docker/containers/abc/abd-json.log",
    ];
    for path in others {
        assert_eq!(Place::of(path), Place::default(), "{path}");
    }
}
