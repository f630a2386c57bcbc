use super::*;
use crate::tail::identity::Stat;

#[test]
fn a_renamed_file_is_read_to_its_end_under_its_new_name_and_the_new_one_from_its_beginning() {
    let mut rig = Rig::new("*.log*");
    rig.append("app.log", "one\ntwo\n");
    rig.run();
    rig.append("app.log", "three\n");
    rig.rename("app.log", "app.log.1");
    rig.append("app.log.1", "four\n");
    rig.append("app.log", "new\n");
    rig.run();
    let mut lines = rig.lines();
    lines.sort_unstable();
    assert_eq!(lines, ["four", "new", "one", "three", "two"]);
    let path = |line: &str| rig.rows.iter().find(|row| row.line == line).unwrap().path.clone();
    assert_eq!(path("four"), rig.path("app.log.1").to_str().unwrap());
    assert_eq!(path("new"), rig.path("app.log").to_str().unwrap());
}

#[test]
fn a_file_renamed_to_a_name_that_is_not_included_is_read_on_as_long_as_it_stands() {
    let mut rig = Rig::new("app.log");
    rig.append("app.log", "one\n");
    rig.run();
    for generation in 1..5 {
        if generation > 1 {
            rig.rename(&format!("app.log.{}", generation - 1), &format!("app.log.{generation}"));
        } else {
            rig.rename("app.log", "app.log.1");
            rig.append("app.log", "new\n");
        }
        rig.append(&format!("app.log.{generation}"), format!("late {generation}\n"));
        rig.run();
        rig.restart();
    }
    rig.run();
    let mut lines = rig.lines();
    lines.sort_unstable();
    assert_eq!(lines, ["late 1", "late 2", "late 3", "late 4", "new", "one"]);
}

#[test]
fn a_rotated_file_that_is_not_included_is_forgotten_forty_days_after_its_last_change() {
    let mut rig = Rig::new("app.log");
    rig.append("app.log", "one\n");
    rig.run();
    rig.rename("app.log", "app.log.1");
    rig.run();
    assert_eq!(rig.positions.files.len(), 1);
    rig.pass(40 * 86_400 + 10);
    rig.run();
    assert!(rig.positions.files.is_empty());
}

#[test]
fn a_deleted_file_is_read_to_its_end_through_its_handle_and_then_let_go() {
    let mut rig = Rig::new("*.log");
    rig.append("a.log", "one\n");
    rig.run();
    let mut writer = OpenOptions::new().append(true).open(rig.path("a.log")).unwrap();
    rig.append("a.log", "two\npart");
    rig.remove("a.log");
    assert_eq!(rig.run(), ["two"]);
    writer.write_all(b"ial\nthree").unwrap();
    assert_eq!(rig.run(), ["partial"]);
    rig.pass(5);
    rig.run();
    rig.pass(5);
    rig.run();
    assert_eq!(rig.lines(), ["one", "two", "partial", "three"]);
    assert_eq!(
        (rig.tail.counters().vanished_bytes, rig.tail.handles.len(), rig.positions.files.len()),
        (0, 0, 0)
    );
}

#[test]
fn bytes_of_a_file_that_vanished_unread_are_counted_exactly() {
    let mut rig = Rig::new("*.log");
    rig.append("a.log", "one\n");
    rig.append("b.log", "one\n");
    rig.run();
    rig.append("a.log", "seen but not read\n");
    rig.tail.scan(rig.now);
    rig.tail.handles = Handles::new(1);
    rig.remove("a.log");
    rig.remove("b.log");
    rig.run();
    assert_eq!((rig.tail.counters().vanished_files, rig.tail.counters().vanished_bytes), (1, 18));
    assert!(rig.positions.files.is_empty());
}

#[test]
fn a_truncated_file_starts_anew_under_a_new_key() {
    let mut rig = Rig::new("*.log");
    rig.append("a.log", numbered("old", 0..100));
    rig.run();
    rig.truncate("a.log");
    rig.append("a.log", "new\n");
    assert_eq!(rig.run(), ["new"]);
    let last = rig.rows.last().unwrap();
    assert_eq!((last.file, last.offset), (2, 0));
    assert_eq!(rig.tail.counters().vanished_bytes, 0);
}

#[test]
fn what_was_seen_and_truncated_before_it_was_read_is_counted() {
    let mut rig = Rig::new("*.log");
    rig.append("a.log", "old\n");
    rig.run();
    rig.append("a.log", "unread\n");
    rig.tail.scan(rig.now);
    rig.truncate("a.log");
    rig.append("a.log", "new\n");
    assert_eq!(rig.run(), ["new"]);
    assert_eq!(rig.tail.counters().vanished_bytes, 7);
}

#[test]
fn a_file_rewritten_in_place_to_a_longer_size_with_the_same_beginning_is_read_anew() {
    let mut rig = Rig::new("*.log");
    let header = numbered("header", 0..200);
    rig.append("a.log", format!("{header}{}", numbered("old", 0..10)));
    rig.run();
    let rewritten = format!("{header}{}", numbered("new", 0..100));
    fs::write(rig.path("a.log"), &rewritten).unwrap();
    assert_eq!(rig.run(), split(&rewritten));
}

#[test]
fn a_file_rewritten_in_place_to_the_same_size_is_read_anew() {
    let mut rig = Rig::new("*.log");
    rig.append("a.log", numbered("old", 0..10));
    rig.run();
    fs::write(rig.path("a.log"), numbered("new", 0..10)).unwrap();
    assert_eq!(rig.run(), split(&numbered("new", 0..10)));
}

#[test]
fn a_file_of_which_only_the_middle_was_rewritten_is_read_anew() {
    for is_stopped in [false, true] {
        let mut rig = Rig::new("*.log");
        let text = |middle| {
            let (first, last) = (numbered("first", 0..1_000), numbered("last", 0..1_000));
            format!("{first}{}{last}", numbered(middle, 0..1_000))
        };
        rig.append("a.log", text("old"));
        rig.run();
        fs::write(rig.path("a.log"), text("new")).unwrap();
        if is_stopped {
            rig.restart();
        }
        assert_eq!(rig.run(), split(&text("new")));
        assert!(rig.run().is_empty());
    }
}

#[test]
fn a_rewrite_that_only_a_read_notices_doubles_and_loses_nothing() {
    let mut rig = Rig::new("*.log");
    rig.append("a.log", numbered("old", 0..10));
    rig.run();
    fs::write(rig.path("a.log"), numbered("new", 0..100)).unwrap();
    rig.read_all();
    assert_eq!(rig.lines().len(), 110);
}

#[test]
fn a_file_that_is_only_touched_is_not_read_again() {
    let mut rig = Rig::new("*.log");
    rig.append("a.log", "one\n");
    rig.run();
    File::options()
        .append(true)
        .open(rig.path("a.log"))
        .unwrap()
        .set_modified(std::time::SystemTime::UNIX_EPOCH)
        .unwrap();
    assert!(rig.run().is_empty());
}

#[test]
fn a_new_file_with_the_inode_of_a_deleted_one_is_a_new_file() {
    for births in [Births::Known, Births::Unknown] {
        let mut rig = Rig::new("*.log");
        rig.births = births;
        rig.restart();
        let mut reused = 0;
        for round in 0..20 {
            let text = numbered(&format!("round {round}"), 0..1 + round % 3);
            let before = rig.tail.files.iter().map(|known| known.id).collect::<Vec<_>>();
            rig.append("a.log", &text);
            reused += usize::from(before.contains(&Stat::of_path(&rig.path("a.log")).unwrap().unwrap().id));
            assert_eq!(rig.run(), split(&text), "{births:?}, round {round}");
            rig.restart();
            rig.remove("a.log");
        }
        assert!(reused > 0, "the file system never reused an inode");
    }
}

#[test]
fn a_symbolic_link_and_its_target_are_one_file_and_a_link_is_followed_to_a_new_target() {
    let mut rig = Rig::new("*.log");
    fs::create_dir(rig.path("data")).unwrap();
    rig.append("data/one", "one\n");
    rig.append("real.log", "real\n");
    let link =
        |target: &str, name: &str| std::os::unix::fs::symlink(rig.path(target), rig.path(name)).unwrap();
    link("real.log", "also.log");
    link("data/one", "current.log");
    rig.run();
    let mut lines = rig.lines();
    lines.sort_unstable();
    assert_eq!(lines, ["one", "real"]);
    rig.append("data/one", "late\n");
    rig.append("data/two", "two\n");
    rig.remove("current.log");
    std::os::unix::fs::symlink(rig.path("data/two"), rig.path("current.log")).unwrap();
    let mut lines = rig.run();
    lines.sort_unstable();
    assert_eq!(lines, ["late", "two"]);
}

#[test]
fn the_target_of_a_link_may_be_rotated_in_its_own_folder() {
    let mut rig = Rig::new("*.log");
    fs::create_dir(rig.path("pods")).unwrap();
    rig.append("pods/0.log", "one\n");
    std::os::unix::fs::symlink(rig.path("pods/0.log"), rig.path("app.log")).unwrap();
    rig.run();
    rig.append("pods/0.log", "two\n");
    rig.rename("pods/0.log", "pods/0.log.20261122");
    rig.append("pods/0.log", "three\n");
    rig.restart();
    let mut lines = rig.run();
    lines.sort_unstable();
    assert_eq!(lines, ["three", "two"]);
}

#[test]
fn hard_links_are_read_once() {
    let mut rig = Rig::new("*.log");
    rig.append("b.log", "one\n");
    fs::hard_link(rig.path("b.log"), rig.path("a.log")).unwrap();
    assert_eq!(rig.run(), ["one"]);
    rig.remove("a.log");
    rig.append("b.log", "two\n");
    rig.restart();
    assert_eq!(rig.run(), ["two"]);
    assert_eq!(rig.positions.files.len(), 1);
}

#[test]
fn many_renames_between_two_scans_are_followed() {
    let mut rig = Rig::new("app.log*");
    rig.append("app.log", "first\n");
    rig.run();
    for round in 0..3 {
        for generation in (0..round + 1).rev() {
            let from = if generation == 0 { "app.log".to_owned() } else { format!("app.log.{generation}") };
            rig.rename(&from, &format!("app.log.{}", generation + 1));
        }
        rig.append("app.log", format!("round {round}\n"));
    }
    rig.run();
    let mut lines = rig.lines();
    lines.sort_unstable();
    assert_eq!(lines, ["first", "round 0", "round 1", "round 2"]);
}

#[test]
fn a_file_that_cannot_be_opened_is_read_when_it_can() {
    let mut rig = Rig::new("*.log");
    rig.append("a.log", "one\n");
    rig.run();
    let key = rig.tail.files.iter().next().unwrap().key;
    turns::note_trouble(
        rig.tail.files.get_mut(key).unwrap(),
        &io::ErrorKind::PermissionDenied.into(),
        &mut rig.tail.counters,
    );
    rig.append("a.log", "two\n");
    assert_eq!(rig.run(), ["two"]);
    assert_eq!(rig.tail.counters().failed_reads, 1);
}

/// A pattern with a doubled slash found the files and then did not know them for its own: what was rotated away while the
/// agent was stopped was lost, and not counted.
#[test]
fn regression_a_pattern_with_slashes_too_many_reads_what_was_rotated_while_the_agent_was_stopped() {
    for pattern in ["/*.log", "./*.log", ".//./*.log"] {
        let mut rig = Rig::new(pattern);
        rig.sources[0].include =
            vec![FileGlob::parse(&format!("{}/{pattern}", rig.path("").display())).unwrap()];
        rig.restart();
        rig.append("app.log", "read\n");
        assert_eq!(rig.run(), ["read"], "{pattern}");
        rig.append("app.log", "late\n");
        rig.rename("app.log", "app.log.1");
        rig.append("app.log", "new\n");
        rig.restart();
        let mut lines = rig.run();
        lines.sort();
        assert_eq!(lines, ["late", "new"], "{pattern}");
    }
}

/// What such a pattern was to leave out was read.
#[test]
fn regression_an_exclude_with_slashes_too_many_leaves_out_what_it_names() {
    let mut rig = Rig::new("*.log");
    let exclude = format!("{}/.//b.log", rig.path("").display());
    rig.sources[0].exclude = vec![Exclude::parse(&exclude).unwrap()];
    rig.restart();
    rig.append("a.log", "in\n");
    rig.append("b.log", "out\n");
    assert_eq!(rig.run(), ["in"]);
}

/// A pipe in the place of a log held the agent up for ever, where the log was not kept open.
#[test]
fn regression_a_pipe_that_takes_the_place_of_a_file_is_not_waited_for() {
    let rig = Rig::new("*.log");
    rig.append("app.log", "read\n");
    let stat = Stat::of_path(&rig.path("app.log")).unwrap().unwrap();
    rig.remove("app.log");
    let made = std::process::Command::new("mkfifo").arg(rig.path("app.log")).status();
    assert!(made.unwrap().success());
    assert!(stat.open(&rig.path("app.log")).is_err());
}
