//! What happens to files of UTF-16: holes, rotation, compression, restarts.

use super::encodings::{ORDERS, TRICKY, rig, utf16};
use super::*;
use crate::tail::units::Order;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::os::unix::fs::FileExt;

#[test]
fn holes_are_skipped_and_the_zero_bytes_of_utf_16_are_none() {
    for (encoding, order) in ORDERS {
        let mut rig = rig(encoding);
        let file = File::create(rig.path("a.log")).unwrap();
        let text = "line 1\n\u{100}\u{100}\nline 2\n";
        file.write_all_at(&utf16(text, order), 0).unwrap();
        rig.run();
        for hole in [6, 5_000, 2_000_000] {
            rig.truncate("a.log");
            rig.run();
            file.write_all_at(&utf16(text, order), hole).unwrap();
            let before = rig.tail.counters().hole_bytes;
            assert_eq!(rig.run(), text.lines().collect::<Vec<_>>(), "{encoding} {hole}");
            assert_eq!(rig.tail.counters().hole_bytes - before, hole);
            assert!(rig.rows.iter().all(|row| row.raw.is_none()));
        }
    }
}

#[test]
fn a_log_of_utf_16_laid_out_in_advance_is_read_as_it_is_filled() {
    for (encoding, order) in ORDERS {
        let mut rig = rig(encoding);
        let file = File::create(rig.path("a.log")).unwrap();
        file.set_len(1 << 20).unwrap();
        let text = utf16("\u{100}one\ntwo\u{100}\n\nlast", order);
        for (at, byte) in text.iter().enumerate() {
            file.write_all_at(&[*byte], at as u64).unwrap();
            rig.run();
        }
        rig.pass(5);
        rig.run();
        assert_eq!(rig.lines(), ["\u{100}one", "two\u{100}", "", "last"], "{encoding}");
        assert_eq!(rig.tail.counters().hole_bytes, 0);
    }
}

#[test]
fn a_source_that_starts_at_the_end_begins_behind_the_last_newline_of_utf_16() {
    for (encoding, order) in ORDERS {
        for before in [10, 100_000] {
            let mut rig = rig(encoding);
            rig.sources[0].start_at = StartAt::End;
            rig.restart();
            rig.append("a.log", utf16(&format!("\u{FEFF}{}\n\u{A0A}open", "x\n".repeat(before)), order));
            rig.append("a.log", &utf16("é", order)[..1]);
            rig.run();
            rig.append("a.log", &utf16("é", order)[1..]);
            rig.append("a.log", utf16("\nnext\n", order));
            assert_eq!(rig.run(), ["\u{A0A}opené", "next"], "{encoding}");
        }
    }
}

#[test]
fn files_of_utf_16_are_told_again_after_copy_and_truncate_rename_and_gzip() {
    for order in [Order::Little, Order::Big] {
        let mut rig = rig("utf-16");
        let mut wanted = Vec::new();
        for round in 0..6 {
            let text = numbered(&format!("\u{A0A}round {round}"), 0..500);
            wanted.extend(split(&text));
            rig.append("app.log", utf16(&format!("\u{FEFF}{text}"), order));
            if round % 2 == 0 {
                rig.run();
            }
            match round % 3 {
                0 => {
                    rig.copy("app.log", &format!("app.log.{round}"));
                    rig.truncate("app.log");
                }
                1 => rig.rename("app.log", &format!("app.log.{round}")),
                _ => {
                    rig.run();
                    let name = format!("app.log.{round}");
                    rig.rename("app.log", &name);
                    let path = rig.path(&name);
                    assert!(std::process::Command::new("gzip").arg(path).status().unwrap().success());
                }
            }
            rig.restart();
            rig.run();
        }
        rig.pass(10);
        rig.run();
        let mut found: Vec<String> = rig.rows.iter().map(|row| row.line.clone()).collect();
        found.sort();
        wanted.sort();
        assert!(found == wanted, "{order:?}: {} of {}", found.len(), wanted.len());
        assert_eq!(rig.tail.counters().vanished_bytes, 0);
    }
}

#[test]
fn a_file_of_utf_16_compressed_while_the_agent_was_stopped_is_read_to_its_end() {
    let mut rig = rig("utf-16");
    rig.append("app.log", utf16("\u{FEFF}read\n", Order::Big));
    rig.run();
    let unread = numbered("unread \u{A0A}", 0..100_000);
    rig.append("app.log", utf16(&(unread.clone() + "no newline"), Order::Big));
    rig.rename("app.log", "app.log.1");
    assert!(std::process::Command::new("gzip").arg(rig.path("app.log.1")).status().unwrap().success());
    rig.restart();
    let wanted = split(&(unread + "no newline"));
    let found = rig.run();
    assert!(found == wanted, "{} of {}", found.len(), wanted.len());
}

/// Random text of tricky characters, in random pieces, batches, restarts and encodings, is what was written.
#[test]
fn whatever_is_written_in_any_encoding_is_read() {
    for seed in 0..60 {
        let mut random = StdRng::seed_from_u64(seed);
        let (encoding, order) = ORDERS[random.random_range(0..2)];
        let mut rig = rig(encoding);
        rig.batch_bytes = [1_000, 50_000, 1 << 20][random.random_range(0..3)];
        let lines = random.random_range(1..3_000);
        let mut text = String::new();
        for _ in 0..lines {
            let length = [3, 40, 400][random.random_range(0..3)];
            text.extend((0..random.random_range(0..length)).map(|_| TRICKY[random.random_range(0..10)]));
            text.push_str(if random.random_bool(0.3) { "\r\n" } else { "\n" });
        }
        let bytes = utf16(&text, order);
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let piece = random.random_range(1..=rest.len());
            rig.append("a.log", &rest[..piece]);
            rest = &rest[piece..];
            rig.run();
            if random.random_bool(0.3) {
                rig.restart();
            }
        }
        let wanted: Vec<&str> = text.lines().collect();
        assert!(rig.lines() == wanted, "seed {seed}: {} of {lines}", rig.rows.len());
        let offsets = rig.rows.windows(2).all(|pair| pair[0].offset < pair[1].offset);
        assert!(offsets && rig.rows.iter().all(|row| row.raw.is_none() && row.offset % 2 == 0));
    }
}
