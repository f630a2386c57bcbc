use super::*;

#[test]
fn lines_end_with_newline_or_with_return_and_newline_and_empty_ones_are_rows() {
    let mut rig = Rig::new("*.log");
    rig.append("a.log", "one\ntwo\r\n\n\r\nthr\ree\0\n\u{FEFF}é\n");
    assert_eq!(rig.run(), ["one", "two", "", "", "thr\ree\0", "\u{FEFF}é"]);
    let offsets: Vec<i64> = rig.rows.iter().map(|row| row.offset).collect();
    assert_eq!(offsets, [0, 4, 9, 10, 12, 20]);
    assert!(rig.rows.iter().all(|row| row.raw.is_none() && row.cut.is_none()));
}

#[test]
fn lines_arrive_whole_wherever_the_file_stood_when_it_was_read() {
    let text = "first\r\nsecond, with é and 語\n\nlast\n";
    for cut in 0..text.len() {
        let mut rig = Rig::new("*.log");
        rig.append("a.log", &text.as_bytes()[..cut]);
        rig.run();
        rig.append("a.log", &text.as_bytes()[cut..]);
        rig.run();
        assert_eq!(rig.lines(), text.lines().collect::<Vec<_>>(), "cut at {cut}");
    }
}

#[test]
fn invalid_utf8_is_replaced_in_line_and_kept_exactly_in_raw() {
    let mut rig = Rig::new("*.log");
    rig.append(
        "a.log",
        b"good \xc3\xa9\nbad \xff\xfe end\ngood again, and long enough for no inlining\n\xe2\x82\n",
    );
    assert_eq!(
        rig.run(),
        ["good é", "bad \u{FFFD}\u{FFFD} end", "good again, and long enough for no inlining", "\u{FFFD}"]
    );
    let raw: Vec<_> = rig.rows.iter().map(|row| row.raw.as_deref()).collect();
    assert_eq!(raw, [None, Some(&b"bad \xff\xfe end"[..]), None, Some(&b"\xe2\x82"[..])]);
    assert_eq!(rig.tail.counters().invalid_lines, 2);
    rig.append("a.log", "still good\n");
    assert_eq!(rig.run(), ["still good"]);
}

#[test]
fn a_last_line_without_newline_is_taken_once_after_its_timeout() {
    let mut rig = Rig::new("*.log");
    rig.append("a.log", "whole\npart");
    assert_eq!(rig.run(), ["whole"]);
    rig.pass(4);
    assert!(rig.run().is_empty());
    rig.append("a.log", "ial");
    rig.pass(4);
    assert!(rig.run().is_empty(), "growth begins the timeout anew");
    let mut batch = LineBatch::new(1000);
    let ReadOutcome::Drained(Some(due)) = rig.tail.read(&mut batch, rig.now) else {
        panic!("no time is due")
    };
    assert_eq!(due.micros() - rig.now.micros(), 5_000_000);
    rig.pass(5);
    rig.read_all();
    rig.pass(100);
    assert!(rig.run().is_empty());
    assert_eq!(rig.lines(), ["whole", "partial"]);
}

#[test]
fn the_newline_of_a_taken_last_line_makes_no_empty_line_also_after_a_restart() {
    for newline in ["\n", "\r\n"] {
        let mut rig = Rig::new("*.log");
        rig.append("a.log", "taken");
        rig.run();
        rig.pass(5);
        assert_eq!(rig.run(), ["taken"]);
        rig.restart();
        assert!(rig.run().is_empty());
        rig.append("a.log", newline);
        assert!(rig.run().is_empty());
        rig.append("a.log", "\nnext\n");
        assert_eq!(rig.run(), ["", "next"]);
    }
}

#[test]
fn the_return_and_newline_of_a_taken_last_line_may_come_apart() {
    let mut rig = Rig::new("*.log");
    rig.append("a.log", "taken");
    rig.run();
    rig.pass(5);
    rig.run();
    rig.append("a.log", "\r");
    rig.run();
    rig.pass(5);
    rig.run();
    rig.append("a.log", "\nnext\n");
    rig.run();
    assert_eq!(rig.lines(), ["taken", "next"]);
}

#[test]
fn what_follows_on_a_taken_last_line_arrives_at_its_own_offset() {
    let mut rig = Rig::new("*.log");
    rig.append("a.log", "first half");
    rig.run();
    rig.pass(5);
    rig.run();
    rig.append("a.log", " second half\nnext\n");
    assert_eq!(rig.run(), [" second half", "next"]);
    assert_eq!(rig.rows.iter().map(|row| row.offset).collect::<Vec<_>>(), [0, 10, 23]);
}

#[test]
fn the_offset_does_not_pass_a_partial_line() {
    let mut rig = Rig::new("*.log");
    rig.append("a.log", "whole\npartial");
    rig.run();
    assert_eq!(rig.positions.files.values().next().unwrap().offset, 6);
    rig.restart();
    rig.append("a.log", " and more\n");
    assert_eq!(rig.run(), ["partial and more"]);
}

#[test]
fn a_batch_holds_rows_of_one_day_and_no_more_than_its_bytes() {
    let mut rig = Rig::new("*.log");
    rig.append("a.log", numbered("line", 0..10_000));
    rig.tail.scan(rig.now);
    let mut batch = LineBatch::new(10_000);
    assert_eq!(rig.tail.read(&mut batch, rig.now), ReadOutcome::Full);
    assert!((10_000..10_100).contains(&batch.bytes()), "{}", batch.bytes());
    assert_eq!(batch.ingested(), Some((rig.now, rig.now)));
    let mut batch = LineBatch::new(1 << 30);
    rig.append("b.log", "b\n");
    let _ = rig.tail.read(&mut batch, rig.now);
    rig.pass(86_400);
    rig.append("a.log", "next day\n");
    rig.tail.scan(rig.now);
    assert_eq!(rig.tail.read(&mut batch, rig.now), ReadOutcome::DayOver);
}

#[test]
fn files_are_read_in_turn() {
    let mut rig = Rig::new("*.log");
    rig.append("backlog.log", numbered("old", 0..200_000));
    rig.append("live.log", "fresh\n");
    rig.tail.scan(rig.now);
    let mut batch = LineBatch::new(4 << 20);
    let _ = rig.tail.read(&mut batch, rig.now);
    rig.commit(batch);
    assert!(rig.lines().contains(&"fresh") && rig.rows.len() < 200_000);
}
