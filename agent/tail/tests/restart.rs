use super::*;

#[test]
fn a_restart_continues_exactly_at_what_was_committed() {
    let mut rig = Rig::new("*.log");
    rig.append("a.log", numbered("a", 0..1000));
    rig.run();
    rig.append("a.log", numbered("b", 0..1000));
    rig.tail.scan(rig.now);
    let mut lost = LineBatch::new(1 << 20);
    let _ = rig.tail.read(&mut lost, rig.now);
    assert_eq!(lost.rows(), 1000);
    rig.restart();
    rig.run();
    let all = format!("{}{}", numbered("a", 0..1000), numbered("b", 0..1000));
    assert_eq!(rig.lines(), all.lines().collect::<Vec<_>>());
    assert_eq!(rig.positions.files.len(), 1);
}

/// Lines that Bronze holds may be lost from their own file: it counted as rewritten, and all of it came twice.
#[test]
fn regression_a_file_that_lost_its_end_in_a_power_loss_is_not_read_again() {
    let hour = std::time::Duration::from_secs(3_600);
    let cut = |rig: &mut Rig, modified: std::time::SystemTime| {
        let file = OpenOptions::new().write(true).open(rig.path("a.log")).unwrap();
        file.set_len(numbered("a", 0..700).len() as u64 - 5).unwrap();
        file.set_modified(modified).unwrap();
        rig.restart();
        rig.tail.booted_at(Some(SystemClock.now()));
    };
    let begun = |text: String| {
        let mut rig = Rig::new("*.log");
        rig.append("a.log", text);
        rig.run();
        rig
    };
    let now = fs::File::create(tempfile::tempdir().unwrap().path().join("now")).unwrap();
    let now = now.metadata().unwrap().modified().unwrap();

    let mut rig = begun(numbered("a", 0..1_000));
    cut(&mut rig, now - hour);
    assert!(rig.run().is_empty());
    rig.append("a.log", numbered("b", 0..1_000));
    assert_eq!(rig.run(), split(&numbered("b", 0..1_000)));
    let places: BTreeSet<_> = rig.rows.iter().map(|row| (row.file, row.offset)).collect();
    assert_eq!(places.len(), 2_000, "no two lines have one place");

    let mut rig = begun(numbered("a", 0..1_000));
    cut(&mut rig, now + hour);
    assert_eq!(rig.run().len(), 699, "somebody wrote it after the machine started");
    let mut rig = begun(numbered("b", 0..1_000));
    fs::write(rig.path("a.log"), numbered("a", 0..1_000)).unwrap();
    cut(&mut rig, now - hour);
    assert_eq!(rig.run().len(), 699, "it is another file");
}

/// Where NULs stand for what was lost, and a writer went on behind them before the file was looked at, it counted as
/// rewritten.
#[test]
fn regression_a_file_that_lost_its_end_to_nuls_in_a_power_loss_and_was_written_to_is_not_read_again() {
    // What is left of it, how long it is when the machine is started, what is written before it is looked at.
    let cases = [
        (700, 1_000, 50),
        (700, 800, 50),
        (700, 1_200, 50),
        (700, 800, 1_000),
        (700, 1_000, 0),
        (990, 1_000, 5),
    ];
    for lines in [1_000, 100_000] {
        for (left, size, written) in cases {
            let [left, size] = [left, size].map(|thousandths| thousandths * lines / 1_000 * 9);
            let mut rig = Rig::new("*.log");
            let booted = Some(Timestamp::from_micros(rig.now.micros() + 1));
            rig.append("a.log", numbered("a", 0..lines));
            rig.run();
            let file = OpenOptions::new().write(true).open(rig.path("a.log")).unwrap();
            file.set_len(left as u64 - 5).unwrap();
            file.set_len(size as u64).unwrap();
            rig.append("a.log", numbered("b", 0..written));
            rig.restart();
            rig.tail.booted_at(booted);
            let found = rig.run();
            assert_eq!(found.len(), written, "{lines}, {left}, {size}: {:?}", found.first());
            assert_eq!(found, split(&numbered("b", 0..written)));
            rig.append("a.log", numbered("c", 0..10));
            assert_eq!(rig.run(), split(&numbered("c", 0..10)));
            assert_eq!(rig.tail.counters().hole_bytes, (size - left + 5) as u64);
            assert_eq!(rig.tail.counters().vanished_bytes, 0);
            let places: BTreeSet<_> = rig.rows.iter().map(|row| (row.file, row.offset)).collect();
            assert_eq!(places.len(), lines + written + 10, "no two lines have one place");
            rig.restart();
            assert!(rig.run().is_empty());
        }
    }
    // Another file, with NULs in it.
    let mut rig = Rig::new("*.log");
    rig.append("a.log", numbered("a", 0..1_000));
    rig.run();
    fs::write(rig.path("a.log"), numbered("b", 0..100) + "\0\0\0\0\0\0" + &numbered("b", 100..200)).unwrap();
    rig.restart();
    rig.pass(1);
    rig.tail.booted_at(Some(rig.now));
    assert_eq!(rig.run().len(), 200);
}

#[test]
fn a_rotation_while_stopped_is_followed() {
    for pattern in ["app.log", "app*"] {
        let mut rig = Rig::new(pattern);
        rig.append("app.log", "one\n");
        rig.run();
        rig.append("app.log", "two\n");
        rig.rename("app.log", "app-20261122.log");
        rig.append("app.log", "three\n");
        rig.restart();
        let mut lines = rig.run();
        lines.sort();
        assert_eq!(lines, ["three", "two"], "{pattern}");
        rig.restart();
        assert!(rig.run().is_empty());
    }
}

#[test]
fn start_at_end_leaves_out_what_stood_there_at_the_very_first_start_and_nothing_else() {
    let mut rig = Rig::with("*.log", |source| source.start_at = StartAt::End);
    rig.append("old.log", "left out\nhalf");
    assert!(rig.run().is_empty());
    rig.append("old.log", " line\nnext\n");
    rig.append("new.log", "new\n");
    let mut lines = rig.run();
    lines.sort();
    assert_eq!(lines, ["half line", "new", "next"]);
    rig.append("newer.log", "newer\n");
    rig.restart();
    assert_eq!(rig.run(), ["newer"]);
}

#[test]
fn a_source_that_found_no_file_at_its_first_start_has_been_started() {
    let mut rig = Rig::with("*.log", |source| source.start_at = StartAt::End);
    rig.run();
    rig.append("a.log", "written while stopped\n");
    rig.restart();
    assert_eq!(rig.run(), ["written while stopped"]);
}

#[test]
fn keys_are_never_issued_twice() {
    let mut rig = Rig::new("*.log");
    for round in 0..5 {
        rig.append("a.log", format!("{round}\n"));
        rig.run();
        rig.remove("a.log");
        rig.run();
        rig.pass(10);
        rig.run();
        rig.restart();
    }
    let keys: BTreeSet<i64> = rig.rows.iter().map(|row| row.file).collect();
    assert_eq!((rig.rows.len(), keys.len()), (5, 5));
}

#[test]
fn a_device_that_got_another_number_holds_the_same_files() {
    let mut rig = Rig::new("*.log");
    rig.append("a.log", numbered("a", 0..10));
    rig.append("b.log", numbered("b", 0..10));
    rig.run();
    rig.positions.files.values_mut().for_each(|record| record.dev += 1);
    rig.rename("b.log", "c.log");
    rig.append("a.log", "more\n");
    rig.restart();
    assert_eq!(rig.run(), ["more"]);
}

#[test]
fn a_source_that_left_the_config_is_remembered_while_its_files_stand() {
    let mut rig = Rig::new("*.log");
    rig.append("a.log", "one\n");
    rig.append("b.log", "one\n");
    rig.run();
    let sources = std::mem::take(&mut rig.sources);
    rig.restart();
    rig.append("a.log", "two\n");
    rig.remove("b.log");
    assert!(rig.run().is_empty());
    assert_eq!(rig.positions.files.len(), 1);
    rig.sources = sources;
    rig.restart();
    assert_eq!(rig.run(), ["two"]);
}

#[test]
fn a_file_that_the_config_excludes_now_is_read_no_more() {
    let mut rig = Rig::new("*.log");
    rig.append("a.log", "one\n");
    rig.run();
    rig.sources[0].exclude = vec![Exclude::parse("a*").unwrap()];
    rig.restart();
    rig.append("a.log", "two\n");
    assert!(rig.run().is_empty());
}

/// A file that could not be seen for some seconds counted as gone, and all of it came twice.
#[test]
fn regression_files_of_a_folder_that_was_out_of_sight_are_not_read_again() {
    for is_running in [true, false] {
        let mut rig = Rig::new("logs/*.log");
        fs::create_dir(rig.path("logs")).unwrap();
        rig.append("logs/a.log", numbered("a", 0..100));
        rig.run();
        if !is_running {
            rig.restart();
        }
        rig.rename("logs", "off");
        for _ in 0..5 {
            assert!(rig.run().is_empty());
            rig.pass(60);
        }
        rig.append("off/a.log", numbered("b", 0..10));
        rig.rename("off", "logs");
        let lines = rig.run();
        assert_eq!(lines, split(&numbered("b", 0..10)), "running: {is_running}");
        fs::remove_dir_all(rig.path("logs")).unwrap();
        rig.restart();
        rig.run();
        rig.pass(2 * 24 * 60 * 60);
        rig.run();
        assert!(rig.positions.files.is_empty(), "a folder that stays away is forgotten");
    }
}
