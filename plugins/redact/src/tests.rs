use logsmith_plugin::{Column, Maps, Strings, Values};

use super::*;

fn fields() -> Vec<Field> {
    let field = |name: &str, kind| Field { name: name.into(), kind, nullable: true };
    vec![field("message", Kind::Utf8), field("fields", Kind::StringMap), field("status", Kind::Int32)]
}

fn open(config: &str) -> RedactPlugin {
    RedactPlugin::open(config, &fields()).unwrap_or_else(|fault| panic!("{config}: {fault:?}")).0
}

fn strings(texts: &[&str]) -> Strings {
    let mut strings = Strings::with_capacity(0, 0);
    texts.iter().for_each(|text| strings.push(text.as_bytes()));
    strings
}

fn texts(strings: &Strings) -> Vec<&str> {
    let text =
        |ends: &[i32]| str::from_utf8(&strings.data[ends[0] as usize..ends[1] as usize]).expect("UTF-8");
    strings.offsets.windows(2).map(text).collect()
}

fn redacted(config: &str, lines: &[&str]) -> Vec<String> {
    let column = Column { values: Values::Utf8(strings(lines)), validity: None };
    let batch = Batch { rows: lines.len() as u32, columns: vec![column] };
    let output = open(config).apply(batch).expect("a good batch");
    assert_eq!(output.source_rows, (0..lines.len() as u32).collect::<Vec<_>>());
    let [Column { values: Values::Utf8(strings), validity: None }] = output.columns.as_slice() else {
        panic!("{output:?}")
    };
    texts(strings).into_iter().map(str::to_owned).collect()
}

const ALL: &str = r#"{"columns":["message"]}"#;

#[track_caller]
fn check(text: &str, expected: &str) {
    assert_eq!(redacted(ALL, &[text]), [expected], "{text}");
}

#[track_caller]
fn check_left(texts: &[&str]) {
    assert_eq!(redacted(ALL, texts), texts);
}

#[test]
fn emails() {
    check("mail ann@example.org.", "mail [email].");
    check("<a.b+c@mail.example.co.uk>,x@y.zz", "<[email]>,[email]");
    check("to=jörg@müller.example, 来自ann@例え.jp", "to=[email], [email]");
    check("@a @b.org c@d.org", "@a @b.org [email]");
    check_left(&["ann@localhost", "@", "a@", "a@b.", "git@1.2.3", "a@.org", "x@y.z"]);
}

#[test]
fn addresses() {
    check("from 192.0.2.7:8080, 10.0.0.1.", "from [ip]:8080, [ip].");
    check("peer=192.0.2.7/24 a:10.1.2.3-10.1.2.9", "peer=[ip]/24 a:[ip]-[ip]");
    check("face:192.0.2.7 192.0.2.7: x", "face:[ip] [ip]: x");
    check("来自192.0.2.7的", "来自[ip]的");
    check("[2001:db8::1]:443 fe80::1%eth0 ::1 fe80::", "[[ip]]:443 [ip]%eth0 [ip] [ip]");
    check("from:2001:db8::7: no ::ffff:192.0.2.7,", "from:[ip]: no [ip],");
    check("2001:db8:0:1:2:3:4:5/64", "[ip]/64");
    check("addr::192.0.2.7", "addr::[ip]");
    check_left(&[
        "1.2.3",
        "1.2.3.4.5",
        "v1.2.3.4",
        "256.1.1.1",
        "1.2.3.4rc1",
        "08:05:09",
        "2026-11-30T08:05:09.123",
        "std::vec::Vec",
        "a::b",
        "12:34:56:78:9a:bc",
        "::",
        ":::",
        "1..2.3.4",
        "0001.2.3.4",
    ]);
}

#[test]
fn cards() {
    check("card 4111111111111111.", "card [card].");
    check("4111-1111-1111-1111 12/27", "[card] 12/27");
    check("5500 0000 0000 0004 2026 1", "[card] 2026 1");
    check("order 5 378282246310005", "order 5 [card]");
    check("卡号6011111111111117的 3530111333300000", "卡号[card]的 [card]");
    check_left(&[
        "4111111111111112",
        "1764489909123456",
        "x4111111111111111",
        "41111111111111110000000000",
        "0.4111111111111111",
        "4111  1111  1111  1111",
        "-",
    ]);
}

#[test]
fn tokens() {
    check("Authorization: Bearer abc.DEF-123_~", "Authorization: Bearer [token]");
    check("basic dXNlcjpwYXNzd29yZA==", "basic [token]");
    check("t=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln-_ x", "t=[token] x");
    check("AKIAIOSFODNN7EXAMPLE and ghp_0123456789abcdefghijABCDEFGHIJ012345", "[token] and [token]");
    check("xoxb-123456789012-abcdef", "[token]");
    let key = "a -----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY----- b";
    check(key, "a [token] b");
    check("-----BEGIN PRIVATE KEY-----\nMIIE cut", "[token]");
    check_left(&[
        "Basic authentication failed",
        "Bearer",
        "bearer x1",
        "eyJ.x",
        "eyJab",
        "AKIA",
        "-----BEGIN CERTIFICATE-----",
        "é",
    ]);
}

#[test]
fn finds_that_overlap_are_one_of_the_longer() {
    check("a+AKIAIOSFODNN7EXAMPLE@example.org", "[email]");
    check("192.0.2.7@example.org", "[email]");
    let config = r#"{"columns":["message"],"rules":["ip","email"],"custom":{"pair":"\\d \\S{5,}"}}"#;
    assert_eq!(redacted(config, &["x 192.0.2.7 ann@example.org 1.1.1.1"]), ["x [pair] [ip]"]);
}

#[test]
fn rules_are_chosen_and_added() {
    let config = r#"{"columns":["message"],"rules":["email"],"custom":{"staff":"\\bE\\d{6}\\b"}}"#;
    let text = "E123456 E1234567 ann@example.org 192.0.2.7";
    assert_eq!(redacted(config, &[text]), ["[staff] E1234567 [email] 192.0.2.7"]);
}

#[test]
fn equal_finds_have_equal_hashes_under_a_key_and_others_under_another() {
    let config =
        |key: &str| format!(r#"{{"columns":["message"],"hash":["email"],"key":"{}"}}"#, key.repeat(32));
    let lines = ["ann@example.org 192.0.2.7", "x", "by ann@example.org", "bob@example.org"];
    let rows = redacted(&config("a"), &lines);
    let hash = rows[0].strip_suffix(" [ip]").expect("a hash, a mask");
    assert_eq!(hash.len(), "[email:0123456789abcdef]".len());
    assert_eq!(rows[1..3], ["x".to_owned(), format!("by {hash}")]);
    assert_ne!(rows[3], hash);
    assert_ne!(redacted(&config("b"), &lines)[3], rows[3]);
    // As `printf ann@example.org | openssl dgst -sha256 -hmac aaaa..` prints it.
    assert_eq!(hash, "[email:75256c4bedacb304]");
}

#[test]
fn columns_keep_their_nulls_and_maps_their_keys() {
    let mut plugin = open(r#"{"columns":["fields","message"]}"#);
    let maps = Maps {
        offsets: vec![0, 2, 2],
        keys: strings(&["ann@example.org", "ip"]),
        values: strings(&["", "at 192.0.2.7"]),
        validity: Some(vec![0b10]),
    };
    let untouched = Column { values: Values::Utf8(strings(&["a", ""])), validity: Some(vec![0b01]) };
    let columns = vec![Column { values: Values::StringMap(maps), validity: None }, untouched.clone()];
    let output = plugin.apply(Batch { rows: 2, columns }).expect("a good batch");
    let Values::StringMap(maps) = &output.columns[0].values else { panic!("{output:?}") };
    assert_eq!(
        (texts(&maps.keys), texts(&maps.values)),
        (vec!["ann@example.org", "ip"], vec!["", "at [ip]"])
    );
    assert_eq!((&maps.offsets, &maps.validity), (&vec![0, 2, 2], &Some(vec![0b10])));
    assert_eq!(output.columns[1], untouched);
}

#[test]
fn arbitrary_texts_pass() {
    // A generator of its own: the same texts in every run.
    let mut state = 7_u64;
    let mut next = |below: usize| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as usize % below
    };
    let parts = [
        "4111111111111111",
        "1",
        "22",
        "::",
        ":",
        ".",
        "a@b.org",
        "@",
        "é",
        "例",
        "-----BEGIN PRIVATE KEY-----",
        "eyJ",
        "Bearer ",
        "192.0.2.7",
        "fe80",
        "-",
        " ",
        "\n",
        "AKIA0123456789ABCDEF",
        "v",
        "\0",
    ];
    let config = r#"{"columns":["message"],"custom":{"x":".[:.].","y":"é|@"}}"#;
    for _ in 0..2_000 {
        let text: String = (0..next(12)).map(|_| parts[next(parts.len())]).collect();
        let rows = redacted(config, &[&text]);
        assert!(!rows[0].contains("192.0.2.7@") && !rows[0].contains('@'), "{text:?} became {:?}", rows[0]);
    }
}

#[test]
fn a_wrong_configuration_says_which_key_and_what_to_write() {
    for (config, words) in [
        ("{}", "`columns` is missing: write a list"),
        (r#"{"columns":["message"],"rules":["mail"]}"#, "`rules`: there is no `mail`, only email, ip"),
        (r#"{"columns":["message"],"rules":[]}"#, "nothing would be redacted"),
        (r#"{"columns":["message"],"custom":{"x":"("}}"#, "`custom.x`: regex parse error"),
        (r#"{"columns":["message"],"custom":{"x":"a*"}}"#, "`custom.x`: it matches the empty text"),
        (r#"{"columns":["message"],"custom":{"ip":"a"}}"#, "`custom`: `ip` is no name for a rule"),
        (r#"{"columns":["message"],"hash":["ip"]}"#, "`key` is missing, which `hash` needs"),
        (r#"{"columns":["message"],"hash":["x"]}"#, "`hash`: `x` is no rule"),
        (r#"{"columns":["message"],"hash":["ip"],"key":"secret"}"#, "`key` has fewer than 32 letters"),
        (r#"{"columns":["message"],"mask":"x"}"#, "unknown field `mask`"),
        (r#"{"columns":["status"]}"#, "column `status` is Int32, and neither text nor a map"),
        (r#"{"columns":["nope"]}"#, "there is no column `nope`"),
    ] {
        match RedactPlugin::open(config, &fields()) {
            Err(Fault::Config(error) | Fault::Input(error)) => {
                assert!(error.contains(words), "{config}: {error}")
            }
            other => panic!("{config}: {:?}", other.map(|(_, plan)| plan)),
        }
    }
}
