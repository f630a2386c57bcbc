use super::*;
use crate::tail::units::Order;
use std::time::Duration;

pub(super) const ORDERS: [(&str, Order); 2] = [("utf-16le", Order::Little), ("utf-16be", Order::Big)];
/// Characters whose bytes look like newlines and returns, alone or beside each other, and one of two units.
pub(super) const TRICKY: [char; 10] =
    ['\u{A00}', '\u{A0A}', '\u{D0A}', '\u{A0D}', '\u{D00}', '\u{100}', 'a', '語', 'é', '😀'];

pub(super) fn rig(encoding: &str) -> Rig {
    Rig::with("*.log*", |source| source.encoding = Encoding::for_label(encoding).unwrap())
}

pub(super) fn utf16(text: &str, order: Order) -> Vec<u8> {
    let bytes = |unit: u16| if order == Order::Little { unit.to_le_bytes() } else { unit.to_be_bytes() };
    text.encode_utf16().flat_map(bytes).collect()
}

/// What comes of a file with these bytes, its last line included.
fn read(encoding: &str, bytes: &[u8]) -> Vec<Row> {
    let mut rig = rig(encoding);
    rig.append("a.log", bytes);
    rig.run();
    rig.pass(5);
    rig.run();
    rig.rows
}

fn lines(rows: &[Row]) -> Vec<&str> {
    rows.iter().map(|row| row.line.as_str()).collect()
}

#[test]
fn lines_of_utf_16_end_with_its_own_newlines_only() {
    let all: String = TRICKY.iter().collect();
    let text = format!("{all}\n{all}x\r\n\n\r\nlast{all}");
    for (encoding, order) in ORDERS {
        let rows = read(encoding, &utf16(&text, order));
        assert_eq!(lines(&rows), text.lines().collect::<Vec<_>>(), "{encoding}");
        let begins = [0, utf16(&format!("{all}\n"), order).len()];
        assert_eq!(rows.iter().map(|row| row.offset as usize).take(2).collect::<Vec<_>>(), begins);
        assert!(rows.iter().all(|row| row.raw.is_none() && row.cut.is_none()));
    }
}

#[test]
fn the_mark_of_an_encoding_decides_its_order_and_is_no_part_of_the_first_line() {
    for (encoding, order) in ORDERS {
        for encoding in [encoding, "utf-16"] {
            let rows = read(encoding, &utf16("\u{FEFF}one\n\u{FEFF}two\n", order));
            assert_eq!(lines(&rows), ["one", "\u{FEFF}two"], "{encoding} {order:?}");
            assert_eq!(rows.iter().map(|row| row.offset).collect::<Vec<_>>(), [2, 10]);
        }
    }
    assert_eq!(lines(&read("utf-16", &utf16("no mark\n", Order::Little))), ["no mark"]);
    let rows = read("utf-8", "\u{FEFF}one\n\u{FEFF}two\n".as_bytes());
    assert_eq!(lines(&rows), ["one", "\u{FEFF}two"]);
    assert_eq!(rows.iter().map(|row| row.offset).collect::<Vec<_>>(), [3, 7]);
    assert_eq!(lines(&read("latin1", b"\xEF\xBB\xBFone\n")), ["ï»¿one"]);
}

#[test]
fn a_file_with_nothing_but_a_mark_has_no_line() {
    let mut rig = rig("utf-16");
    rig.append("a.log", b"\xFE\xFF");
    rig.run();
    rig.pass(6);
    rig.restart();
    assert!(rig.run().is_empty());
    rig.append("a.log", utf16("\nline\n", Order::Big));
    assert_eq!(rig.run(), ["", "line"]);
    rig.append("b.log", b"");
    rig.run();
    rig.append("b.log", b"\xFE\xFF\0o\0n\0e");
    rig.run();
    rig.pass(5);
    assert_eq!(rig.run(), ["one"]);
}

#[test]
fn lines_of_utf_16_arrive_whole_wherever_the_file_stood_when_it_was_read_or_the_agent_was_killed() {
    let text = "\u{FEFF}first\r\n\u{A0A}é語\n\n\u{D0A}😀\r\nlast\n";
    let wanted: Vec<&str> = text.trim_start_matches('\u{FEFF}').lines().collect();
    for (encoding, order) in ORDERS {
        let bytes = utf16(text, order);
        for cut in 0..bytes.len() {
            let mut rig = rig(if cut % 2 == 0 { "utf-16" } else { encoding });
            rig.append("a.log", &bytes[..cut]);
            rig.run();
            if cut % 3 == 0 {
                rig.restart();
            }
            rig.append("a.log", &bytes[cut..]);
            rig.run();
            assert_eq!(rig.lines(), wanted, "{encoding} cut at {cut}");
            assert!(rig.rows.iter().all(|row| row.raw.is_none()));
        }
    }
}

#[test]
fn other_encodings_are_decoded_and_their_ascii_is_taken_as_it_is() {
    let text = "plain ascii, long enough for a view\n日本語 \\ ソ\n\nEnde";
    for label in ["shift_jis", "euc-jp", "iso-2022-jp", "gb18030", "utf-16"] {
        let codec = encoding_rs::Encoding::for_label(label.as_bytes()).unwrap();
        let bytes = match label {
            "utf-16" => utf16(text, Order::Little),
            // Each line returns to ASCII by itself, as mail wants it.
            _ => text.split_inclusive('\n').flat_map(|line| codec.encode(line).0.into_owned()).collect(),
        };
        let rows = read(label, &bytes);
        assert_eq!(lines(&rows), text.lines().collect::<Vec<_>>(), "{label}");
        assert!(rows.iter().all(|row| row.raw.is_none()), "{label}");
    }
    let rows = read("latin1", b"caf\xe9\nna\xefve, and longer than twelve\n");
    assert_eq!(lines(&rows), ["café", "naïve, and longer than twelve"]);
    assert_eq!(lines(&read("windows-1251", b"\xcf\xf0\xe8\xe2\xe5\xf2\n")), ["Привет"]);
}

#[test]
fn bytes_that_are_no_characters_are_replaced_in_line_and_kept_exactly_in_raw() {
    let rows = read("shift_jis", b"good \x93\xfa\nbad \x93\x20 \xff\n\x93\nplain\n");
    assert_eq!(lines(&rows), ["good 日", "bad \u{FFFD}  \u{FFFD}", "\u{FFFD}", "plain"]);
    let raw: Vec<_> = rows.iter().map(|row| row.raw.as_deref()).collect();
    assert_eq!(raw, [None, Some(&b"bad \x93\x20 \xff"[..]), Some(b"\x93"), None]);
    let lone = b"a\0\x3D\xD8b\0\n\0ok\0".map(|byte| byte);
    let mut rig = rig("utf-16le");
    rig.append("a.log", &lone[..8]);
    rig.append("a.log", utf16("good\n", Order::Little));
    assert_eq!(rig.run(), ["a\u{FFFD}b", "good"]);
    assert_eq!(rig.rows[0].raw.as_deref(), Some(&lone[..6]));
    assert_eq!((rig.rows[1].raw.as_deref(), rig.tail.counters().invalid_lines), (None, 1));
}

#[test]
fn half_a_unit_that_a_writer_left_behind_is_kept_and_shifts_no_line() {
    for (encoding, order) in ORDERS {
        let mut rig = rig(encoding);
        let (first, second) = (utf16("cut off", order), utf16("é whole\nnext\n", order));
        rig.append("a.log", [&first[..], &second[..1]].concat());
        rig.run();
        rig.pass(5);
        assert_eq!(rig.run(), ["cut off\u{FFFD}"]);
        rig.restart();
        rig.append("a.log", &second[1..]);
        assert_eq!(rig.run(), ["\u{FFFD} whole", "next"], "{encoding}");
        let bytes: Vec<u8> = rig.rows.iter().take(2).flat_map(|row| row.raw.clone().unwrap()).collect();
        assert_eq!(bytes, [first, utf16("é whole", order)].concat());
    }
}

#[test]
fn the_newline_of_a_taken_last_line_makes_no_empty_line_in_utf_16() {
    for (encoding, order) in ORDERS {
        for newline in ["\n", "\r\n"] {
            let mut rig = rig(encoding);
            rig.append("a.log", utf16("taken", order));
            rig.run();
            rig.pass(5);
            assert_eq!(rig.run(), ["taken"]);
            rig.restart();
            for byte in utf16(newline, order) {
                rig.append("a.log", [byte]);
                assert!(rig.run().is_empty());
            }
            rig.append("a.log", utf16("\nnext\n", order));
            assert_eq!(rig.run(), ["", "next"]);
        }
    }
}

#[test]
fn over_long_lines_of_utf_16_are_cut_between_characters_and_counted() {
    for (encoding, order) in ORDERS {
        for length in [12, 5_000, 3_000_000] {
            let mut rig = rig(encoding);
            rig.sources[0].line_bytes_max = 21;
            rig.restart();
            let long = format!("{}{}", "\u{A0A}12345678😀", "x".repeat(length));
            let text = format!("\u{FEFF}{long}\r\nshort\n{long}\n{long}");
            rig.append("a.log", utf16(&text, order));
            rig.run();
            rig.pass(6);
            rig.run();
            rig.append("a.log", utf16("\nshort\n", order));
            rig.run();
            let kept = "\u{A0A}12345678";
            assert_eq!(rig.lines(), [kept, "short", kept, kept, "short"], "{encoding} {length}");
            let left_out = 4 + 2 * length as i64;
            assert!(rig.rows.iter().all(|row| row.cut.is_none_or(|cut| cut == left_out)));
            assert_eq!(rig.tail.counters().cut_lines, 3);
            assert!(rig.rows.iter().all(|row| row.raw.is_none()));
        }
    }
}

#[test]
fn an_endless_line_of_utf_16_is_ended_between_units() {
    for (encoding, order) in ORDERS {
        let mut rig = rig(encoding);
        rig.sources[0].line_bytes_max = 101;
        rig.limits.cut_bytes_max = 10_000;
        rig.restart();
        rig.append("a.log", utf16(&("\u{A0A}".repeat(40_000) + "\nnext\n"), order));
        rig.run();
        assert_eq!(rig.lines().last(), Some(&"next"));
        assert!(rig.rows.iter().all(|row| row.raw.is_none() && row.offset % 2 == 0), "{encoding}");
    }
}

#[test]
fn expressions_match_the_text_of_lines_whatever_their_encoding() {
    let text = "日 one\n more\r\n\n日 two\n more";
    let start = Rule::Start(regex::bytes::Regex::new("^日").unwrap());
    for label in ["utf-16", "utf-16be", "shift_jis", "utf-8"] {
        let mut rig = rig(label);
        rig.sources[0].multiline =
            Some(Multiline { rule: start.clone(), timeout: Duration::from_secs(1), lines_max: 1000 });
        rig.restart();
        let bytes = match label {
            "utf-16" => utf16(&format!("\u{FEFF}{text}"), Order::Little),
            "utf-16be" => utf16(text, Order::Big),
            _ => encoding_rs::Encoding::for_label(label.as_bytes()).unwrap().encode(text).0.into_owned(),
        };
        for byte in &bytes {
            rig.append("a.log", [*byte]);
            rig.run();
        }
        rig.pass(5);
        rig.run();
        assert_eq!(rig.lines(), ["日 one\n more\r\n", "日 two\n more"], "{label}");
        assert!(rig.rows.iter().all(|row| row.raw.is_none()));
    }
}

/// A newline of UTF-16 with its return has four bytes, for which no room was made behind the longest line.
#[test]
fn regression_lines_of_utf_16_as_long_as_a_line_may_be_are_whole() {
    for (encoding, order) in ORDERS {
        for max in [1_000, 1 << 20, (1 << 20) + 1] {
            let mut rig = rig(encoding);
            rig.sources[0].line_bytes_max = max;
            rig.batch_bytes = 100_000;
            rig.restart();
            let units = [max / 2, max / 2 + 1, max / 2 - 1];
            let wanted: Vec<String> =
                units.iter().map(|units| "\u{A0A}".repeat((*units).min(max / 2))).collect();
            for newline in ["\n", "\r\n"] {
                let text: String = units.iter().map(|units| "\u{A0A}".repeat(*units) + newline).collect();
                rig.append("a.log", utf16(&text, order));
                assert!(rig.run() == wanted, "{encoding} {max}");
            }
            assert_eq!(rig.tail.counters().cut_lines, 2);
        }
    }
}
