use super::*;
use crate::tail::gunzip::{Stray, stray};
use std::process::Command;

use flate2::Compression;
use flate2::write::GzEncoder;

/// Compresses as logrotate does: the file is replaced by one with `.gz` at its name.
fn gzip(rig: &Rig, name: &str) {
    assert!(Command::new("gzip").arg("-f").arg(rig.path(name)).status().unwrap().success());
}

#[test]
fn a_file_that_is_read_rotated_and_compressed_is_not_read_again() {
    for pattern in ["app.log", "app.log*"] {
        let mut rig = Rig::new(pattern);
        for round in 0..4 {
            rig.append("app.log", numbered(&format!("round {round}"), 0..300));
            rig.run();
            for generation in (1..round + 1).rev() {
                rig.rename(&format!("app.log.{generation}.gz"), &format!("app.log.{}.gz", generation + 1));
            }
            rig.rename("app.log", "app.log.1");
            if round % 2 == 1 {
                rig.run();
            }
            gzip(&rig, "app.log.1");
            rig.run();
            rig.pass(10);
            rig.run();
            if round == 2 {
                rig.restart();
                rig.run();
            }
        }
        assert_eq!(rig.rows.len(), 4 * 300, "{pattern}");
        assert_eq!(rig.tail.counters().vanished_bytes, 0);
    }
}

#[test]
fn a_file_rotated_and_compressed_while_the_agent_was_stopped_is_read_to_its_end() {
    for (pattern, lines) in [("app.log", 10), ("app.log*", 10), ("app.log", 400_000)] {
        let mut rig = Rig::new(pattern);
        rig.append("app.log", numbered("read", 0..100));
        rig.run();
        let unread = numbered("unread", 0..lines);
        rig.append("app.log", &unread);
        rig.append("app.log", "no newline");
        rig.rename("app.log", "app.log.1");
        gzip(&rig, "app.log.1");
        rig.append("app.log", "new\n");
        rig.restart();
        let mut lines = rig.run();
        lines.sort();
        let mut wanted = split(&(unread + "no newline\nnew\n"));
        wanted.sort();
        assert!(lines == wanted, "{pattern}: {} of {}", lines.len(), wanted.len());
        let row = rig.rows.iter().find(|row| row.line == "unread 000000").unwrap();
        assert_eq!((row.file, row.offset), (1, 1200));
        rig.restart();
        assert!(rig.run().is_empty());
        assert_eq!(rig.tail.counters().vanished_bytes, 0);
    }
}

#[test]
fn a_compressed_file_is_read_on_after_a_stop_in_its_middle() {
    let mut rig = Rig::new("app.log");
    rig.append("app.log", "read\n");
    rig.run();
    let unread = numbered("unread", 0..300_000);
    rig.append("app.log", &unread);
    rig.rename("app.log", "app.log.1");
    gzip(&rig, "app.log.1");
    rig.batch_bytes = 200_000;
    for _ in 0..5 {
        rig.restart();
        rig.tail.scan(rig.now);
        for _ in 0..3 {
            let mut batch = LineBatch::new(rig.batch_bytes);
            let _ = rig.tail.read(&mut batch, rig.now);
            rig.commit(batch);
        }
        // Killed with a batch that is not committed.
        let mut batch = LineBatch::new(rig.batch_bytes);
        let _ = rig.tail.read(&mut batch, rig.now);
    }
    rig.restart();
    rig.rename("app.log.1.gz", "app.log.2.gz");
    rig.run();
    assert!(rig.lines()[1..] == split(&unread));
}

#[test]
fn generations_that_came_went_and_were_compressed_while_the_agent_was_stopped_are_read() {
    let mut rig = Rig::new("app.log");
    rig.append("app.log", numbered("first", 0..100));
    rig.run();
    for generation in ["second", "third"] {
        if rig.path("app.log.1.gz").exists() {
            rig.rename("app.log.1.gz", "app.log.2.gz");
        }
        rig.rename("app.log", "app.log.1");
        gzip(&rig, "app.log.1");
        rig.append("app.log", numbered(generation, 0..100));
    }
    rig.restart();
    let mut lines = rig.run();
    lines.sort();
    assert_eq!(lines, split(&["second", "third"].map(|prefix| numbered(prefix, 0..100)).concat()));
    rig.restart();
    assert!(rig.run().is_empty());
}

#[test]
fn a_compressed_file_of_several_members_is_read_whole() {
    let mut rig = Rig::new("app.log");
    rig.append("app.log", numbered("read", 0..100));
    rig.run();
    let mut wanted = String::new();
    for part in ["read", "one", "two", "three"] {
        let text = numbered(part, 0..100);
        rig.append(&format!("{part}.txt"), &text);
        gzip(&rig, &format!("{part}.txt"));
        let member = fs::read(rig.path(format!("{part}.txt.gz"))).unwrap();
        append(&rig.path("app.log.1.gz"), &member);
        if part != "read" {
            wanted += &text;
        }
    }
    rig.remove("app.log");
    rig.restart();
    assert_eq!(rig.run(), split(&wanted));
}

#[test]
fn a_compressed_file_in_the_making_is_read_when_it_is_whole() {
    let mut rig = Rig::new("app.log");
    rig.append("app.log", numbered("first", 0..100));
    rig.run();
    rig.rename("app.log", "app.log.2");
    rig.append("second.txt", numbered("second", 0..1000));
    gzip(&rig, "second.txt");
    let bytes = fs::read(rig.path("second.txt.gz")).unwrap();
    rig.append("app.log.1.gz", &bytes[..bytes.len() / 2]);
    assert!(rig.run().is_empty());
    rig.append("app.log.1.gz", &bytes[bytes.len() / 2..]);
    assert_eq!(rig.run(), split(&numbered("second", 0..1000)));
    assert!(rig.run().is_empty());
}

#[test]
fn compressed_files_of_which_nothing_is_known_are_not_read() {
    let mut rig = Rig::new("app.log*");
    rig.append("app.log.1", numbered("old", 0..100));
    gzip(&rig, "app.log.1");
    rig.append("app.log", "new\n");
    assert_eq!(rig.run(), ["new"]);
    assert_eq!(rig.tail.scan(rig.now).compressed, 1);
}

#[test]
fn a_file_that_got_the_inode_of_one_that_was_compressed_is_read() {
    for births in [Births::Known, Births::Unknown] {
        let mut rig = Rig::new("app.log");
        rig.births = births;
        rig.restart();
        for round in 0..20 {
            rig.append("app.log", numbered(&format!("round {round}"), 0..100));
            rig.run();
            rig.append("app.log", format!("unread {round}\n"));
            rig.rename("app.log", "app.log.1");
            gzip(&rig, "app.log.1");
        }
        rig.run();
        assert_eq!(rig.rows.len(), 20 * 101, "{births:?}");
    }
}

#[test]
fn a_missed_generation_that_stands_there_both_plain_and_compressed_is_read_once() {
    for kept in ["plain", "compressed"] {
        let mut rig = Rig::new("app.log");
        rig.append("app.log", numbered("first", 0..100));
        rig.run();
        rig.rename("app.log", "app.log.2");
        rig.append("app.log.1", numbered("second", 0..100));
        assert!(Command::new("gzip").arg("-k").arg(rig.path("app.log.1")).status().unwrap().success());
        assert_eq!(rig.run(), split(&numbered("second", 0..100)));
        rig.remove(if kept == "plain" { "app.log.1.gz" } else { "app.log.1" });
        for _ in 0..3 {
            rig.pass(6);
            assert!(rig.run().is_empty(), "{kept}");
        }
        rig.restart();
        assert!(rig.run().is_empty(), "{kept}");
    }
}

#[test]
fn a_compressed_file_is_remembered_across_several_restarts() {
    let mut rig = Rig::new("app.log");
    rig.append("app.log", numbered("first", 0..100));
    rig.run();
    rig.rename("app.log", "app.log.1");
    gzip(&rig, "app.log.1");
    rig.append("app.log", "second\n");
    rig.restart();
    assert_eq!(rig.run(), ["second"]);
    for round in 0..3 {
        rig.restart();
        rig.append("new", format!("other {round}\n"));
        rig.rename("new", "app.log");
        assert_eq!(rig.run(), [format!("other {round}")]);
    }
}

#[test]
fn a_file_that_was_deleted_for_its_compressed_copy_before_a_restart_is_read_on_in_that() {
    let mut rig = Rig::new("app.log");
    rig.append("app.log", numbered("first", 0..100));
    rig.run();
    rig.rename("app.log", "app.log.1");
    rig.append("app.log.1", "late\n");
    rig.tail.scan(rig.now);
    gzip(&rig, "app.log.1");
    rig.tail.scan(rig.now);
    rig.commit(LineBatch::new(0));
    rig.restart();
    assert_eq!(rig.run(), ["late"]);
    assert_eq!(rig.tail.counters().vanished_bytes, 0);
}

#[test]
fn a_compressed_copy_that_is_shorter_than_what_was_read_is_not_read_again() {
    let mut rig = Rig::new("app.log");
    for lines in [10, 3_000] {
        rig.append("app.log", numbered("line", 0..lines));
        rig.run();
        rig.copy("app.log", "app.log.1");
        rig.append("app.log", "read live\n");
        rig.read_all();
        rig.truncate("app.log");
        gzip(&rig, "app.log.1");
        rig.run();
        rig.restart();
        rig.append("app.log", "new\n");
        assert_eq!(rig.run(), ["new"]);
        rig.remove("app.log.1.gz");
    }
}

/// What was written to a file after it was last looked at made its compressed copy another file, which was read, too.
#[test]
fn regression_a_file_that_grew_before_it_was_rotated_and_compressed_is_read_once() {
    for first in [30, 300] {
        let mut rig = Rig::new("app.log");
        rig.append("app.log", numbered("read", 0..100));
        rig.run();
        rig.rename("app.log", "app.log.2");
        let mut lines = numbered("line", 0..first);
        rig.append("app.log", &lines);
        rig.tail.scan(rig.now);
        let more = numbered("more", 0..500);
        rig.append("app.log", &more);
        lines += &more;
        rig.rename("app.log", "app.log.1");
        gzip(&rig, "app.log.1");
        rig.append("app.log", "new\n");
        let mut found = rig.run();
        found.sort();
        let mut wanted = split(&lines);
        wanted.push("new".to_owned());
        wanted.sort();
        assert_eq!(found, wanted);
        rig.pass(20);
        assert!(rig.run().is_empty());
    }
}

/// An unread file was given up when its compressed copy had no text yet.
#[test]
fn regression_a_file_is_not_given_up_while_its_compressed_copy_has_no_text_yet() {
    let mut rig = Rig::new("app.log");
    let lines = numbered("line", 0..100);
    rig.append("app.log", &lines);
    rig.tail.scan(rig.now);
    rig.commit(LineBatch::new(0));
    rig.copy("app.log", "whole");
    gzip(&rig, "whole");
    let whole = fs::read(rig.path("whole.gz")).unwrap();
    rig.remove("app.log");
    rig.append("app.log.1.gz", &whole[..12]);
    rig.restart();
    assert!(rig.run().is_empty());
    rig.append("app.log.1.gz", &whole[12..]);
    assert_eq!(rig.run(), split(&lines));
    assert_eq!(rig.tail.counters().vanished_bytes, 0);
}

/// The compressed copy of a file that was truncated between the look at it and the look at the copy was read, too.
#[test]
fn regression_a_compressed_file_waits_until_it_is_clear_what_became_of_the_one_it_begins_like() {
    let rig = Rig::new("app.log");
    rig.append("app.log", numbered("line", 0..100));
    rig.copy("app.log", "app.log.1");
    gzip(&rig, "app.log.1");
    let print = Fingerprint::read(&File::open(rig.path("app.log")).unwrap(), 120).unwrap();
    let is = || {
        let originals = [(Some(FileKey::FIRST), &print, 1_100)].into_iter();
        let open = |_| File::open(rig.path("app.log")).ok();
        stray(File::open(rig.path("app.log.1.gz")).unwrap(), originals, open, None, &mut 0).unwrap()
    };
    assert!(matches!(is(), Stray::Copy), "{:?}", is());
    rig.truncate("app.log");
    rig.append("app.log", "new\n");
    assert!(matches!(is(), Stray::AwaitsEndOf(FileKey::FIRST)), "{:?}", is());
}

/// A rig whose file was read and rotated away; of the text that followed it in `app.log.1`, compressed, is made what
/// `damage` makes of it.
fn damaged(lines: usize, damage: impl FnOnce(&mut Vec<u8>)) -> Rig {
    let mut rig = Rig::new("app.log");
    rig.append("app.log", numbered("read", 0..100));
    rig.run();
    rig.append("app.log", numbered("unread", 0..lines));
    rig.tail.scan(rig.now);
    rig.commit(LineBatch::new(0));
    rig.rename("app.log", "app.log.1");
    gzip(&rig, "app.log.1");
    let mut bytes = fs::read(rig.path("app.log.1.gz")).unwrap();
    damage(&mut bytes);
    fs::write(rig.path("app.log.1.gz"), bytes).unwrap();
    rig.restart();
    rig
}

/// Lets a tail find a damaged file; returns what it reads, now and when nobody has written to the file for a while.
fn runs(rig: &mut Rig) -> (Vec<String>, Vec<String>) {
    let at_once = rig.run();
    rig.pass(120);
    let later = rig.run();
    rig.restart();
    rig.pass(120);
    assert!(rig.run().is_empty(), "read again");
    (at_once, later)
}

fn damages(rig: &Rig) -> Vec<Option<Damage>> {
    file_status(&rig.positions).iter().map(|file| file.damage).collect()
}

#[test]
fn zeros_behind_a_compressed_file_are_nothing() {
    for zeros in [1, 511, 200_000] {
        let mut rig = damaged(1_000, |bytes| bytes.extend(std::iter::repeat_n(0, zeros)));
        let counters = rig.tail.counters();
        let (at_once, later) = runs(&mut rig);
        assert_eq!(at_once, split(&numbered("unread", 0..1_000)), "{zeros}");
        assert!(later.is_empty());
        assert_eq!((damages(&rig), counters.damaged_files), (vec![None], 0));
    }
}

#[test]
fn zeros_between_members_are_nothing() {
    let mut rig = damaged(10, |bytes| {
        bytes.extend([0; 1000]);
        let mut more = GzEncoder::new(bytes, Compression::fast());
        more.write_all(b"more\n").unwrap();
        more.finish().unwrap();
    });
    assert_eq!(runs(&mut rig).0, split(&(numbered("unread", 0..10) + "more\n")));
    assert_eq!(damages(&rig), [None]);
}

/// What was decompressed of a damaged member entered as lines as if it were what had been compressed.
#[test]
fn regression_of_a_damaged_compressed_file_only_what_its_checksums_vouch_for_is_read_once_and_the_rest_counted()
 {
    let garbage = |bytes: &mut Vec<u8>| bytes.extend(b"\0\0something else");
    let checksum = |bytes: &mut Vec<u8>| {
        let at = bytes.len() - 8;
        bytes[at] ^= 1;
    };
    let members = |bytes: &mut Vec<u8>| {
        checksum(bytes);
        let member = bytes.clone();
        bytes.extend(member);
    };
    let all = split(&numbered("unread", 0..1_000));
    type Spoil<'a> = &'a dyn Fn(&mut Vec<u8>);
    let bit = |bytes: &mut Vec<u8>| {
        let at = bytes.len() / 2;
        bytes[at] ^= 4;
    };
    let second = |bytes: &mut Vec<u8>| {
        let mut member = bytes.clone();
        bit(&mut member);
        bytes.extend(member);
    };
    // Of a member that cannot be decompressed to its end nobody knows how much it held.
    let cases: [(Spoil<'_>, Damage, usize, std::ops::RangeInclusive<u64>); 5] = [
        (&garbage, Damage::Garbage, 1_000, 0..=0),
        (&checksum, Damage::Broken, 0, 14_000..=14_000),
        (&members, Damage::Broken, 0, 29_200..=29_200),
        (&bit, Damage::Broken, 0, 1..=20_000),
        (&second, Damage::Broken, 1_000, 1..=20_000),
    ];
    for (spoil, damage, sound, lost) in cases {
        let mut rig = damaged(1_000, spoil);
        let at_once = rig.run();
        assert!(at_once.is_empty(), "it may be in the making");
        rig.pass(120);
        assert_eq!(rig.run(), all[..sound], "{damage:?}");
        assert_eq!(rig.tail.counters().damaged_files, 1);
        let vanished = rig.tail.counters().vanished_bytes;
        assert!(lost.contains(&vanished), "{damage:?}: {vanished}");
        assert_eq!(damages(&rig), [Some(damage)]);
        let (again, later) = runs(&mut rig);
        assert!(again.is_empty() && later.is_empty());
        assert_eq!(rig.tail.counters().damaged_files, 0, "counted again");
        assert_eq!(damages(&rig), [Some(damage)]);
    }
}

#[test]
fn a_compressed_file_that_is_cut_short_is_read_as_far_as_it_goes() {
    for lines in [10_000, 100_000] {
        let mut rig = damaged(lines, |bytes| bytes.truncate(bytes.len() / 2));
        assert!(rig.run().is_empty(), "it may be in the making");
        rig.pass(120);
        let found = rig.run();
        let all = split(&numbered("unread", 0..lines));
        assert!(found.len() > lines / 4, "{} of {lines}", found.len());
        let (last, whole) = found.split_last().unwrap();
        assert_eq!(whole, &all[..whole.len()]);
        assert!(all[whole.len()].starts_with(last), "{last}");
        // The cut may fall between two lines.
        let is_torn = all[whole.len()] != *last;
        assert_eq!(rig.rows.last().unwrap().cut, is_torn.then_some(1));
        assert!(rig.rows[..rig.rows.len() - 1].iter().all(|row| row.cut.is_none()));
        assert_eq!(rig.tail.counters().cut_lines, u64::from(is_torn));
        assert_eq!((rig.tail.counters().damaged_files, damages(&rig)), (1, vec![Some(Damage::Cut)]));
        let (again, later) = runs(&mut rig);
        assert!(again.is_empty() && later.is_empty());
    }
}

#[test]
fn a_compressed_file_that_grows_is_not_cut_short() {
    let mut whole = Vec::new();
    let mut rig = damaged(50_000, |bytes| {
        whole = bytes.clone();
        bytes.truncate(bytes.len() / 3);
    });
    rig.append("app.log", "new\n");
    let new = rig.run();
    assert_eq!(new, ["new"]);
    rig.pass(30);
    assert!(rig.run().is_empty());
    let half = whole.len() / 2;
    append(&rig.path("app.log.1.gz"), &whole[whole.len() / 3..half]);
    rig.tail.scan(rig.now);
    rig.restart();
    assert!(rig.run().is_empty());
    append(&rig.path("app.log.1.gz"), &whole[half..]);
    assert_eq!(rig.run(), split(&numbered("unread", 0..50_000)));
    assert_eq!((rig.tail.counters().damaged_files, rig.tail.counters().vanished_bytes), (0, 0));
    assert_eq!(damages(&rig), [None, None]);
}

#[test]
fn a_missed_generation_that_is_damaged_is_read_as_far_as_it_goes_and_one_without_text_is_told() {
    for (keep, damage) in [(3, Damage::Cut), (0, Damage::Broken)] {
        let mut rig = Rig::new("app.log");
        rig.append("app.log", numbered("first", 0..100));
        rig.run();
        rig.rename("app.log", "app.log.2");
        rig.append("app.log.1", numbered("second", 0..20_000));
        gzip(&rig, "app.log.1");
        let bytes = fs::read(rig.path("app.log.1.gz")).unwrap();
        let left = match keep {
            0 => b"no gzip at all".to_vec(),
            _ => bytes[..bytes.len() / 2].to_vec(),
        };
        fs::write(rig.path("app.log.1.gz"), left).unwrap();
        assert!(rig.run().is_empty());
        rig.pass(120);
        let found = rig.run();
        let all = split(&numbered("second", 0..20_000));
        assert_eq!(found.len() > 1_000, keep > 0);
        assert!(found.iter().zip(&all).all(|(found, line)| line.starts_with(found)));
        assert_eq!(rig.tail.counters().damaged_files, 1);
        assert_eq!(damages(&rig), [Some(damage), None]);
        let (again, later) = runs(&mut rig);
        assert!(again.is_empty() && later.is_empty());
        assert_eq!(rig.tail.counters().damaged_files, 0, "counted again");
    }
}

/// Looking what became of a file walked through its compressed copy from the beginning at each scan while that was made.
#[test]
fn regression_what_is_decompressed_of_a_file_in_the_making_is_a_few_times_what_it_holds() {
    const STEPS: usize = 100;
    for missed in [false, true] {
        let mut whole = Vec::new();
        let mut rig = damaged(50_000, |bytes| {
            whole = bytes.clone();
            bytes.truncate(whole.len() / STEPS);
        });
        if missed {
            // Of a file that is known nothing is left to be found: what is compressed is a generation of its own.
            rig = Rig::new("app.log");
            rig.append("app.log", "first\n");
            rig.run();
            rig.rename("app.log", "app.log.2");
            rig.append("app.log.1.gz", &whole[..whole.len() / STEPS]);
        }
        for step in 1..STEPS {
            let (from, to) = (step * whole.len() / STEPS, (step + 1) * whole.len() / STEPS);
            append(&rig.path("app.log.1.gz"), &whole[from..to]);
            if step + 1 < STEPS {
                assert!(rig.run().is_empty());
                // It stalls now and then, for long enough to look whole.
                rig.pass(if step % 25 == 0 { 20 } else { 0 });
                assert!(rig.run().is_empty());
            }
        }
        rig.run();
        rig.pass(60);
        rig.run();
        let of_missed = if missed { numbered("read", 0..100) } else { String::new() };
        assert!(
            rig.lines().ends_with(
                &split(&(of_missed + &numbered("unread", 0..50_000)))
                    .iter()
                    .map(String::as_str)
                    .collect::<Vec<_>>()
            )
        );
        let text_bytes = numbered("unread", 0..50_000).len() as u64;
        let walked = rig.tail.counters().walked_bytes;
        assert!(walked < 8 * text_bytes, "{walked} of {text_bytes}, missed: {missed}");
        assert_eq!(rig.tail.counters().vanished_bytes, 0);
    }
}

#[test]
fn compressed_files_without_number_are_read_a_few_at_a_time_in_small_pieces() {
    let mut rig = Rig::with("app.log", |source| source.line_bytes_max = 1000);
    let pieces = tempfile::tempdir().unwrap();
    rig.batch_bytes = 200_000;
    rig.append("app.log", "first\n");
    rig.run();
    let mut wanted = Vec::new();
    // One of them holds a line that is far too long.
    for generation in 0..12 {
        rig.rename("app.log", &format!("app.log.{generation}"));
        if generation > 0 {
            gzip(&rig, &format!("app.log.{generation}"));
        }
        let mut text = numbered(&format!("generation {generation}"), 0..40_000);
        wanted.extend(split(&text));
        if generation == 5 {
            let long = "x".repeat(9_000_000);
            wanted.push("x".repeat(1000));
            text += &format!("{long}\n");
        }
        rig.append("app.log", text);
    }
    rig.restart();
    rig.tail.unpack_in(pieces.path().to_owned());
    rig.tail.scan(rig.now);
    let mut most = 0;
    loop {
        let mut batch = LineBatch::new(rig.batch_bytes);
        let outcome = rig.tail.read(&mut batch, rig.now);
        rig.commit(batch);
        let open = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
        let in_folder = open.filter(|entry| {
            std::fs::read_link(entry.path()).is_ok_and(|target| target.starts_with(pieces.path()))
        });
        let blocks: Vec<u64> = in_folder
            .filter_map(|entry| {
                Some(std::os::unix::fs::MetadataExt::blocks(&std::fs::metadata(entry.path()).ok()?))
            })
            .collect();
        assert!(blocks.len() <= 4, "{} pieces", blocks.len());
        most = most.max(blocks.iter().sum::<u64>() * 512);
        match outcome {
            ReadOutcome::Drained(_) => break,
            ReadOutcome::Rescan => drop(rig.tail.scan(rig.now)),
            _ => {}
        }
    }
    assert!(most > 0 && most <= 4 * (300 << 10), "{most} bytes");
    assert_eq!(std::fs::read_dir(pieces.path()).unwrap().count(), 0);
    let mut lines: Vec<String> = rig.lines()[1..].iter().map(|line| (*line).to_owned()).collect();
    lines.sort();
    wanted.sort();
    assert!(lines == wanted, "{} lines of {}", lines.len(), wanted.len());
}

/// A plain text under such a name was passed over without a word.
#[test]
fn regression_a_file_that_is_named_as_if_it_were_compressed_and_is_text_is_told() {
    let mut rig = Rig::new("*");
    rig.append("text.gz", numbered("line", 0..10));
    rig.append("whole", "compressed\n");
    gzip(&rig, "whole");
    rig.append("empty.zst", "");
    assert!(rig.run().is_empty());
    assert_eq!(rig.tail.scan(rig.now).compressed, 3);
    assert_eq!(passed_over(&rig.sources), [rig.path("text.gz")]);
}
