use super::*;

const YEAR: i64 = 365 * 86_400;

#[test]
fn a_last_line_is_taken_after_its_timeout_though_the_clock_is_set_back() {
    let mut rig = Rig::new("*.log");
    rig.append("a.log", "whole\npart");
    rig.run();
    rig.pass(-YEAR);
    assert!(rig.run().is_empty());
    rig.pass(5);
    assert_eq!(rig.run(), ["part"]);
}

#[test]
fn lines_arrive_once_however_the_clock_jumps() {
    let mut rig = Rig::new("app.log*");
    for (round, jump) in [-YEAR, 3 * YEAR, -1, 86_400, -2 * YEAR, 3600].into_iter().enumerate() {
        rig.append("app.log", numbered(&format!("round {round}"), 0..200));
        rig.run();
        rig.pass(jump);
        rig.append("app.log", format!("unread {round}\n"));
        rig.copy("app.log", &format!("app.log.{round}"));
        rig.truncate("app.log");
        rig.restart();
        rig.run();
        assert_eq!(rig.rows.len(), (round + 1) * 201, "round {round}");
    }
}

#[test]
fn a_copy_that_no_source_includes_is_known_though_the_clock_was_set_back_before_it_was_made() {
    let mut rig = Rig::new("app.log");
    rig.pass(YEAR);
    rig.append("app.log", numbered("old", 0..200));
    rig.run();
    rig.restart();
    rig.pass(-YEAR);
    rig.append("app.log", "unread\n");
    rig.copy("app.log", "app.log.1");
    rig.truncate("app.log");
    assert_eq!(rig.run(), ["unread"]);
    assert_eq!(rig.tail.counters().vanished_bytes, 0);
}

#[test]
fn a_file_with_a_modification_time_in_the_future_is_read_once() {
    let mut rig = Rig::new("*.log");
    rig.append("a.log", "one\n");
    let ahead = std::time::UNIX_EPOCH + std::time::Duration::from_secs(4_000_000_000);
    File::options().append(true).open(rig.path("a.log")).unwrap().set_modified(ahead).unwrap();
    assert_eq!(rig.run(), ["one"]);
    assert!(rig.run().is_empty());
    rig.append("a.log", "two\n");
    assert_eq!(rig.run(), ["two"]);
}
