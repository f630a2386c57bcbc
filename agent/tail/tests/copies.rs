use super::*;
use crate::tail::identity::Stat;

#[test]
fn a_copy_made_before_a_truncate_is_read_on_from_the_offset_and_never_from_its_beginning() {
    for pattern in ["app.log", "app.log*"] {
        let mut rig = Rig::new(pattern);
        rig.append("app.log", numbered("old", 0..100));
        rig.run();
        rig.append("app.log", numbered("unread", 0..100));
        rig.copy("app.log", "app.log.1");
        rig.truncate("app.log");
        rig.append("app.log", "new\n");
        let mut lines = rig.run();
        lines.sort();
        assert_eq!(lines, split(&format!("new\n{}", numbered("unread", 0..100))), "{pattern}");
        assert_eq!(rig.rows.iter().find(|row| row.line == "unread 000000").unwrap().file, 1);
        assert_eq!(rig.tail.counters().vanished_bytes, 0);
        rig.restart();
        assert!(rig.run().is_empty());
    }
}

#[test]
fn a_copy_is_known_after_a_restart_and_several_rotations() {
    let mut rig = Rig::new("app.log*");
    rig.append("app.log", numbered("old", 0..1000));
    rig.run();
    rig.append("app.log", numbered("unread", 0..10));
    rig.copy("app.log", "app.log.1");
    rig.truncate("app.log");
    rig.append("app.log", numbered("second", 0..10));
    rig.rename("app.log.1", "app.log.2");
    rig.copy("app.log", "app.log.1");
    rig.truncate("app.log");
    rig.append("app.log", numbered("third", 0..10));
    rig.restart();
    let mut lines = rig.run();
    lines.sort();
    let all = ["second", "third", "unread"].map(|prefix| numbered(prefix, 0..10)).concat();
    assert_eq!(lines, split(&all));
}

#[test]
fn a_copy_seen_before_the_truncate_is_held_and_then_known() {
    let mut rig = Rig::new("app.log*");
    rig.append("app.log", numbered("old", 0..100));
    rig.run();
    rig.copy("app.log", "app.log.1");
    assert!(rig.run().is_empty());
    rig.pass(3600);
    assert!(rig.run().is_empty(), "a long copy is held as long as its original stands");
    rig.append("app.log", "read live\n");
    assert_eq!(rig.run(), ["read live"]);
    rig.truncate("app.log");
    rig.append("app.log", "new\n");
    assert_eq!(rig.run(), ["new"]);
}

#[test]
fn a_copy_is_held_also_when_its_original_is_renamed() {
    let mut rig = Rig::new("app.log*");
    rig.append("app.log", numbered("old", 0..100));
    rig.run();
    rig.copy("app.log", "app.log.bak");
    assert!(rig.run().is_empty());
    rig.rename("app.log", "app.log.1");
    rig.append("app.log", "new\n");
    assert_eq!(rig.run(), ["new"]);
}

#[test]
fn a_copy_in_progress_is_held_from_its_first_byte_on() {
    let mut rig = Rig::new("app.log*");
    let text = numbered("old", 0..1000);
    rig.append("app.log", &text);
    rig.run();
    for part in text.as_bytes().chunks(3000) {
        assert!(rig.run().is_empty());
        rig.append("app.log.1", part);
        rig.pass(9);
    }
    assert!(rig.run().is_empty());
    rig.truncate("app.log");
    assert!(rig.run().is_empty());
    assert_eq!(rig.positions.files.len(), 2);
}

#[test]
fn a_copy_of_a_generation_that_began_in_the_same_scan_is_held() {
    let mut rig = Rig::new("app.log*");
    rig.append("app.log", numbered("first", 0..100));
    rig.run();
    rig.copy("app.log", "app.log.2");
    rig.truncate("app.log");
    let second = numbered("second", 0..10);
    rig.append("app.log", &second);
    rig.append("app.log.1", &second.as_bytes()[..50]);
    assert_eq!(rig.run(), split(&second));
    rig.append("app.log.1", &second.as_bytes()[50..]);
    rig.truncate("app.log");
    assert!(rig.run().is_empty());
}

#[test]
fn a_copy_that_ends_before_our_offset_is_known_by_a_mark() {
    for offset in [400, 3_000, 40_000, 4_000_000] {
        let mut rig = Rig::new("app.log*");
        let text = numbered("line", 0..offset / 12);
        rig.append("app.log", &text);
        rig.run();
        rig.copy("app.log", "app.log.tmp");
        rig.append("app.log", numbered("after the copy", 0..10));
        // No scan sees the copy before the truncate.
        rig.read_all();
        rig.truncate("app.log");
        rig.append("app.log", "new\n");
        rig.rename("app.log.tmp", "app.log.1");
        assert_eq!(rig.run(), ["new"], "{offset}");
    }
}

#[test]
fn a_copy_of_a_file_that_is_gone_is_known() {
    let mut rig = Rig::new("app.log*");
    rig.append("app.log", numbered("old", 0..100));
    rig.run();
    rig.append("app.log", "unread\n");
    rig.copy("app.log", "app.log.1");
    rig.remove("app.log");
    rig.append("app.log", "new\n");
    rig.restart();
    let mut lines = rig.run();
    lines.sort();
    assert_eq!(lines, ["new", "unread"]);
}

#[test]
fn a_copy_of_a_deleted_file_that_is_read_through_its_handle_is_known() {
    let mut rig = Rig::new("app.log*");
    rig.append("app.log", numbered("old", 0..100));
    rig.run();
    rig.append("app.log", "unread\n");
    rig.copy("app.log", "app.log.1");
    rig.remove("app.log");
    rig.append("app.log", "new\n");
    for _ in 0..5 {
        rig.run();
        rig.pass(4);
    }
    assert_eq!(rig.rows.len(), 102);
}

#[test]
fn several_copies_of_one_file_are_read_once() {
    let mut rig = Rig::new("app.log*");
    rig.append("app.log", numbered("old", 0..100));
    rig.run();
    rig.copy("app.log", "app.log.bak");
    rig.append("app.log", "unread\n");
    rig.copy("app.log", "app.log.1");
    rig.truncate("app.log");
    rig.append("app.log", "new\n");
    let mut lines = rig.run();
    lines.sort();
    assert_eq!(lines, ["new", "unread"]);
    rig.pass(3600);
    rig.restart();
    assert!(rig.run().is_empty());
}

#[test]
fn a_copy_in_a_folder_below_is_known() {
    let mut rig = Rig::new("**/app.log*");
    fs::create_dir(rig.path("old")).unwrap();
    rig.append("app.log", numbered("old", 0..100));
    rig.run();
    rig.append("app.log", "unread\n");
    rig.copy("app.log", "old/app.log-20261122");
    rig.truncate("app.log");
    assert_eq!(rig.run(), ["unread"]);
}

#[test]
fn two_live_files_with_the_same_first_lines_are_two_files() {
    for (a, b) in [("a.log", "b.log"), ("app.log", "app-error.log"), ("worker-1.log", "worker-2.log")] {
        let mut rig = Rig::new("*.log");
        let same = numbered("same", 0..1000);
        rig.append(a, &same);
        rig.run();
        rig.append(b, &same);
        assert_eq!(rig.run(), split(&same), "{a} {b}");
        rig.append(a, "of a\n");
        rig.append(b, "of b\n");
        rig.run();
        let text = |file: &str| {
            rig.rows.iter().filter(|row| row.path.ends_with(file)).map(|row| row.line.clone()).collect()
        };
        let (of_a, of_b): (Vec<_>, Vec<_>) = (text(a), text(b));
        assert_eq!((of_a.last().unwrap().as_str(), of_b.last().unwrap().as_str()), ("of a", "of b"));
        assert_eq!((of_a.len(), of_b.len()), (1001, 1001));
    }
}

#[test]
fn two_live_files_with_the_same_first_lines_are_two_files_from_the_first_scan_on() {
    let mut rig = Rig::new("app*");
    rig.append("app.log", numbered("same", 0..1000));
    rig.append("app.log.1", numbered("same", 0..1000));
    rig.run();
    assert_eq!(rig.rows.len(), 2000);
}

#[test]
fn a_live_file_with_the_name_of_a_copy_and_the_same_beginning_is_read_once_it_differs() {
    let mut rig = Rig::new("*.log");
    let header = numbered("header", 0..100);
    rig.append("worker.log", &header);
    rig.run();
    rig.append("worker-1.log", &header);
    assert!(rig.run().is_empty());
    rig.append("worker-1.log", "its own\n");
    assert_eq!(rig.run(), split(&format!("{header}its own\n")));
}

#[test]
fn a_short_live_file_with_the_name_of_a_copy_and_the_same_lines_is_read_after_a_while() {
    let mut rig = Rig::new("*.log");
    rig.append("worker.log", "started\n");
    rig.run();
    rig.append("worker-1.log", "started\n");
    assert!(rig.run().is_empty());
    rig.pass(10);
    assert_eq!(rig.run(), ["started"]);
    rig.truncate("worker.log");
    rig.run();
    rig.append("worker.log", "started\nagain\n");
    assert_eq!(rig.run(), ["started", "again"]);
}

#[test]
fn older_copies_that_no_source_includes_are_not_taken_for_the_copy_of_today() {
    let mut rig = Rig::new("app.log");
    rig.append("app.log.7", "header\nof last week\n");
    rig.append("app.log", "header\n");
    rig.pass(60);
    rig.run();
    rig.truncate("app.log");
    rig.run();
    rig.append("app.log", "header\nof today\n");
    assert_eq!(rig.run(), ["header", "of today"]);
}

#[test]
fn a_new_generation_with_the_same_beginning_is_no_copy_of_the_one_before() {
    let mut rig = Rig::new("app.log*");
    let header = numbered("header", 0..200);
    rig.append("app.log", format!("{header}{}", numbered("first", 0..1000)));
    rig.run();
    rig.append("app.log", "unread and lost\n");
    rig.truncate("app.log");
    let second = format!("{header}{}", numbered("second", 0..300));
    rig.append("app.log", &second);
    rig.copy("app.log", "app.log.1");
    rig.truncate("app.log");
    rig.restart();
    assert_eq!(rig.run(), split(&second));
}

#[test]
fn a_copy_that_got_a_reused_inode_is_a_copy() {
    for births in [Births::Known, Births::Unknown] {
        let mut rig = Rig::new("app.log*");
        rig.births = births;
        rig.restart();
        for round in 0..30 {
            rig.append("app.log", numbered(&format!("round {round}"), 0..100));
            rig.run();
            rig.append("app.log", format!("unread {round}\n"));
            if round > 1 {
                rig.remove("app.log.2");
            }
            if round > 0 {
                rig.rename("app.log.1", "app.log.2");
            }
            rig.copy("app.log", "app.log.1");
            rig.truncate("app.log");
        }
        rig.run();
        assert_eq!(rig.rows.len(), 30 * 101, "{births:?}");
    }
}

/// Where births are not known, a copy with the inode of a file that was deleted was taken for a rewrite of that, and read
/// as a new file before the file that it is a copy of was found to be truncated.
#[test]
fn regression_a_copy_with_a_reused_inode_is_known_though_its_original_moved_on() {
    let mut rig = Rig::new("*.log*");
    rig.births = Births::Unknown;
    // A file that is kept open keeps its inode.
    rig.limits.open_files_max = 1;
    rig.restart();
    rig.append("other.log", numbered("other", 0..5));
    rig.run();
    rig.append("app.log", numbered("line", 0..30));
    rig.run();
    let inode = Stat::of_path(&rig.path("other.log")).unwrap().unwrap().id;
    rig.remove("other.log");
    rig.copy("app.log", "app.log.2");
    if Stat::of_path(&rig.path("app.log.2")).unwrap().unwrap().id != inode {
        eprintln!("skipped: the file system did not give the inode away again");
    }
    rig.truncate("app.log");
    rig.rename("app.log", "app.log.1");
    assert!(rig.run().is_empty());
}

#[test]
fn regression_a_file_that_was_truncated_filled_again_alike_and_moved_is_no_copy_of_itself() {
    let header = numbered("every generation begins with this", 0..200);
    let mut rig = Rig::new("*.log*");
    rig.append("app.log", format!("{header}{}", numbered("first", 0..40)));
    rig.run();
    rig.truncate("app.log");
    let text = format!("{header}{}", numbered("second", 0..10));
    rig.append("app.log", &text);
    rig.rename("app.log", "app.log.1");
    assert_eq!(rig.run(), split(&text));
}

/// Of a file that was seen and not read only the beginning was known: when it was truncated and filled again, with the same
/// header, what it had held was not looked for in its copy.
#[test]
fn regression_a_copy_is_found_of_a_file_that_was_truncated_unread_and_begins_as_before() {
    let header = numbered("every generation begins with this", 0..100);
    for births in [Births::Known, Births::Unknown] {
        let mut rig = Rig::new("app.log");
        rig.births = births;
        rig.restart();
        rig.append("app.log", format!("{header}{}", numbered("first", 0..10)));
        rig.tail.scan(rig.now);
        rig.copy("app.log", "app.log.1");
        rig.truncate("app.log");
        rig.append("app.log", format!("{header}{}", numbered("second", 0..20)));
        let mut lines = rig.run();
        lines.retain(|line| !line.starts_with("every"));
        lines.sort();
        assert_eq!(lines, split(&(numbered("first", 0..10) + &numbered("second", 0..20))));
    }
}

#[test]
fn a_copy_that_shows_up_when_its_original_is_given_up_is_read_behind_what_was_read() {
    for pattern in ["app.log", "app.log*"] {
        let mut rig = Rig::new(pattern);
        rig.append("app.log", numbered("first", 0..200));
        rig.run();
        rig.append("app.log", "unread\n");
        // The next rotation moves the copy on while it is looked for.
        rig.copy("app.log", "on its way");
        rig.truncate("app.log");
        rig.append("app.log", numbered("second", 0..100));
        assert_eq!(rig.run(), split(&numbered("second", 0..100)));
        rig.rename("app.log", "app.log.1");
        rig.rename("on its way", "app.log.2");
        rig.append("app.log", "third\n");
        let mut lines = rig.run();
        lines.sort();
        assert_eq!(lines, ["third", "unread"], "{pattern}");
    }
}

#[test]
fn a_copy_made_long_before_the_last_of_its_original_was_read_is_not_read_again() {
    for (pattern, births) in [("app.log", Births::Known), ("app.log*", Births::Unknown)] {
        let mut rig = Rig::new(pattern);
        rig.births = births;
        rig.restart();
        rig.append("app.log", "start\n");
        rig.run();
        rig.append("app.log", numbered("line", 0..3_000));
        rig.copy("app.log", "app.log.1");
        rig.append("app.log", numbered("read live", 0..2_000));
        rig.read_all();
        assert_eq!(rig.rows.len(), 5_001);
        rig.truncate("app.log");
        rig.append("app.log", "new\n");
        assert_eq!(rig.run(), ["new"], "{pattern}");
        rig.pass(20);
        assert!(rig.run().is_empty(), "{pattern}");
    }
}
