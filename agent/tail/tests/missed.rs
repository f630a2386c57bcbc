use super::*;

/// Rotates by rename, five generations kept.
fn rotate(rig: &Rig, file: &str) {
    shift(rig, file);
    rig.rename(file, &format!("{file}.1"));
}

/// Rotates by copy and truncate, five generations kept.
fn copy_truncate(rig: &Rig, file: &str) {
    shift(rig, file);
    rig.copy(file, &format!("{file}.1"));
    rig.truncate(file);
}

fn shift(rig: &Rig, file: &str) {
    for generation in (1..5).rev().filter(|generation| rig.path(format!("{file}.{generation}")).exists()) {
        rig.rename(&format!("{file}.{generation}"), &format!("{file}.{}", generation + 1));
    }
}

#[test]
fn generations_that_came_and_went_between_two_scans_are_read_under_names_that_no_source_includes() {
    for rotation in [rotate, copy_truncate] {
        for births in [Births::Known, Births::Unknown] {
            let mut rig = Rig::new("app.log");
            rig.births = births;
            rig.restart();
            rig.append("app.log", numbered("first", 0..10));
            rig.run();
            let mut all = String::new();
            for generation in ["first, later", "second", "third", "fourth"] {
                let text = numbered(generation, 0..10);
                rig.append("app.log", &text);
                all += &text;
                rotation(&rig, "app.log");
            }
            let mut lines = rig.run();
            lines.sort();
            let mut wanted = split(&all);
            wanted.sort();
            assert_eq!(lines, wanted, "{births:?}");
            rig.restart();
            assert!(rig.run().is_empty());
        }
    }
}

#[test]
fn generations_that_came_and_went_while_the_agent_was_stopped_are_read() {
    for rotation in [rotate, copy_truncate] {
        let mut rig = Rig::new("app.log");
        rig.append("app.log", numbered("first", 0..10));
        rig.run();
        // Seen, and killed before that was committed.
        rotation(&rig, "app.log");
        rig.append("app.log", numbered("second", 0..10));
        rig.tail.scan(rig.now);
        rotation(&rig, "app.log");
        rig.append("app.log", numbered("third", 0..10));
        rig.restart();
        let mut lines = rig.run();
        lines.sort();
        assert_eq!(lines, split(&["second", "third"].map(|prefix| numbered(prefix, 0..10)).concat()));
        rig.restart();
        assert!(rig.run().is_empty());
    }
}

#[test]
fn a_copy_that_somebody_made_under_a_rotations_name_is_not_taken_for_a_missed_generation() {
    let mut rig = Rig::new("app.log");
    rig.append("app.log", numbered("first", 0..500));
    rig.copy("app.log", "app.log.bak");
    rig.append("app.log", numbered("first", 500..20_000));
    rig.run();
    rig.pass(60);
    rig.run();
    rig.truncate("app.log");
    rig.append("app.log", "new\n");
    assert_eq!(rig.run(), ["new"]);
    rotate(&rig, "app.log");
    rig.append("app.log", "newer\n");
    assert_eq!(rig.run(), ["newer"]);
}

#[test]
fn what_stood_under_a_rotations_name_before_is_not_taken_for_a_missed_generation() {
    let mut rig = Rig::new("app.log");
    for generation in 1..4 {
        rig.append(&format!("app.log.{generation}"), format!("of last week {generation}\n"));
    }
    rig.append("app.log", "first\n");
    rig.pass(60);
    rig.run();
    rotate(&rig, "app.log");
    rig.append("app.log", "second\n");
    assert_eq!(rig.run(), ["second"]);
}

#[test]
fn bytes_that_a_copy_goes_on_with_are_not_counted_as_lost() {
    let mut rig = Rig::new("app.log*");
    rig.append("app.log", "first\n");
    rig.run();
    rig.append("app.log", "unread\n");
    copy_truncate(&rig, "app.log");
    rig.append("app.log", "a second generation that is longer than the first\n");
    // The handle sees the growth before a scan looks.
    rig.read_all();
    rig.run();
    rig.pass(10);
    rig.run();
    assert_eq!((rig.rows.len(), rig.tail.counters().vanished_bytes), (3, 0));
}

#[test]
fn a_generation_is_read_that_came_and_went_where_a_scan_had_found_nothing() {
    let mut rig = Rig::new("app.log");
    assert!(rig.run().is_empty());
    rig.append("app.log", "first\n");
    rotate(&rig, "app.log");
    assert_eq!(rig.run(), ["first"]);
    rig.append("app.log", "second\n");
    rotate(&rig, "app.log");
    rig.append("app.log", "third\n");
    rotate(&rig, "app.log");
    let mut lines = rig.run();
    lines.sort();
    assert_eq!(lines, ["second", "third"]);
}

#[test]
fn a_generation_that_was_written_copied_and_truncated_in_a_file_known_as_empty_is_read() {
    let mut rig = Rig::new("app.log");
    rig.append("app.log", "");
    rig.run();
    for generation in ["first", "second"] {
        rig.append("app.log", numbered(generation, 0..10));
        copy_truncate(&rig, "app.log");
        if generation == "second" {
            rig.restart();
        }
        assert_eq!(rig.run(), split(&numbered(generation, 0..10)));
    }
}

/// A rotation to a folder below.
type ToFolder = fn(&Rig);

const TO_FOLDER: [ToFolder; 2] = [
    |rig| {
        shift_below(rig);
        rig.rename("app.log", "old/app.log.1");
    },
    |rig| {
        shift_below(rig);
        rig.copy("app.log", "old/app.log.1");
        rig.truncate("app.log");
    },
];

fn shift_below(rig: &Rig) {
    for generation in (1..5).rev().filter(|generation| rig.path(format!("old/app.log.{generation}")).exists())
    {
        rig.rename(&format!("old/app.log.{generation}"), &format!("old/app.log.{}", generation + 1));
    }
}

/// Generations that stood only between two scans were lost where a rotation takes files to another folder.
#[test]
fn regression_generations_that_came_and_went_in_a_folder_below_are_read() {
    for rotation in TO_FOLDER {
        for births in [Births::Known, Births::Unknown] {
            let mut rig = Rig::new("app.log");
            rig.births = births;
            rig.restart();
            fs::create_dir(rig.path("old")).unwrap();
            rig.append("app.log", numbered("first", 0..10));
            rig.run();
            let mut all = String::new();
            for generation in ["first, later", "second", "third"] {
                let text = numbered(generation, 0..10);
                rig.append("app.log", &text);
                all += &text;
                rotation(&rig);
            }
            let mut lines = rig.run();
            lines.sort();
            let mut wanted = split(&all);
            wanted.sort();
            assert_eq!(lines, wanted, "{births:?}");
            rig.restart();
            rotation_while_stopped(&mut rig, rotation);
        }
    }
}

fn rotation_while_stopped(rig: &mut Rig, rotation: ToFolder) {
    assert!(rig.run().is_empty());
    rig.append("app.log", "fourth\n");
    rig.run();
    rig.append("app.log", "fourth, unread\n");
    rotation(rig);
    rig.append("app.log", "fifth\n");
    rotation(rig);
    rig.restart();
    let mut lines = rig.run();
    lines.sort();
    assert_eq!(lines, ["fifth", "fourth, unread"]);
    assert_eq!(rig.tail.counters().vanished_bytes, 0);
}

#[test]
fn the_rotated_files_of_another_log_in_a_folder_below_are_not_taken_for_missed_generations() {
    let mut rig = Rig::new("app.log");
    fs::create_dir(rig.path("other")).unwrap();
    rig.append("app.log", numbered("ours", 0..10));
    rig.run();
    rig.append("other/app.log.1", numbered("theirs", 0..10));
    rotate(&rig, "app.log");
    rig.append("app.log", "next\n");
    assert_eq!(rig.run(), ["next"]);
}

/// What stood at a path that nothing stood at before was not looked for after the time that this is done had passed, in a
/// suspended host for instance, without a look.
#[test]
fn regression_a_generation_is_read_that_came_and_went_while_the_host_was_suspended_for_long() {
    let mut rig = Rig::new("*.log");
    rig.append("app.log", "first\n");
    rig.run();
    rotate(&rig, "app.log");
    rig.run();
    rig.append("app.log", "second\n");
    rotate(&rig, "app.log");
    rig.pass(3600);
    assert_eq!(rig.run(), ["second"]);
    rig.pass(3600);
    assert!(rig.run().is_empty());
}

/// A rotation by rename that compresses at once.
fn rotate_and_compress(rig: &Rig, file: &str) {
    for generation in (1..9).rev().filter(|generation| rig.path(format!("{file}.{generation}.gz")).exists()) {
        rig.rename(&format!("{file}.{generation}.gz"), &format!("{file}.{}.gz", generation + 1));
    }
    rig.rename(file, &format!("{file}.1"));
    let gzip = std::process::Command::new("gzip").arg(rig.path(format!("{file}.1"))).status();
    assert!(gzip.unwrap().success());
}

/// Generations that begin with the same long header as a file that is known were taken for copies of it.
#[test]
fn regression_missed_generations_that_begin_alike_are_read() {
    let header = numbered("every generation begins with this", 0..200);
    for (at, rotation) in [rotate, copy_truncate, rotate_and_compress].into_iter().enumerate() {
        for (births, is_stopped) in [(Births::Known, false), (Births::Unknown, false), (Births::Known, true)]
        {
            let mut rig = Rig::new("app.log");
            rig.births = births;
            rig.restart();
            rig.append("app.log", format!("{header}{}", numbered("first", 0..1000)));
            rig.run();
            // While the agent runs, enough to remove the first, where five are kept.
            let last = if is_stopped { 6 } else { 8 };
            let mut all: Vec<String> = Vec::new();
            for generation in 2..last {
                rotation(&rig, "app.log");
                all.push(format!("{header}{}", numbered(&format!("{generation}"), 0..10 * generation)));
                rig.append("app.log", all.last().unwrap());
            }
            if is_stopped {
                rig.restart();
            }
            let mut lines = rig.run();
            lines.sort();
            let mut wanted = split(&all.concat());
            wanted.sort();
            let found: Vec<usize> = (2..last).filter(|n| lines.contains(&format!("{n} 000000"))).collect();
            assert_eq!(lines.len(), wanted.len(), "{at} {births:?}, {is_stopped}: {found:?}");
            assert_eq!(lines, wanted, "{births:?}");
        }
    }
}
