use super::*;

#[test]
fn a_line_of_exactly_the_limit_is_whole() {
    for newline in ["\n", "\r\n"] {
        let mut rig = Rig::with("*.log", |source| source.line_bytes_max = 100);
        rig.append("a.log", format!("{}{newline}{}{newline}", "x".repeat(100), "y".repeat(101)));
        rig.run();
        assert_eq!(rig.lines(), ["x".repeat(100), "y".repeat(100)]);
        assert_eq!(rig.rows.iter().map(|row| row.cut).collect::<Vec<_>>(), [None, Some(1)]);
    }
}

#[test]
fn an_overlong_line_is_cut_on_a_character_marked_and_counted() {
    let mut rig = Rig::with("*.log", |source| source.line_bytes_max = 10);
    rig.append("a.log", "123456789é and more\nnext\n");
    assert_eq!(rig.run(), ["123456789", "next"]);
    assert_eq!(rig.rows[0].cut, Some(11));
    assert_eq!(rig.rows[0].raw, None);
    assert_eq!((rig.tail.counters().cut_lines, rig.tail.counters().cut_bytes), (1, 11));
}

#[test]
fn a_line_far_longer_than_a_chunk_is_cut_whatever_the_reads() {
    let mut rig = Rig::with("*.log", |source| source.line_bytes_max = 1000);
    let long = "z".repeat(3_000_000);
    rig.append("a.log", format!("before\n{long}"));
    rig.run();
    rig.append("a.log", format!("{long}\r\nafter\n"));
    rig.run();
    assert_eq!(rig.lines(), ["before", &long[..1000], "after"]);
    assert_eq!(rig.rows[1].cut, Some(6_000_000 - 1000));
    assert_eq!(rig.rows[2].offset, 7 + 6_000_000 + 2);
}

#[test]
fn long_lines_below_the_limit_are_whole() {
    let mut rig = Rig::new("*.log");
    let lines: Vec<String> = (1..20).map(|times| "語é-".repeat(times * 8_000)).collect();
    for line in &lines {
        rig.append("a.log", format!("{line}\n"));
    }
    rig.run();
    assert!(rig.lines() == lines);
}

#[test]
fn an_endless_line_takes_bounded_memory_and_the_file_goes_on() {
    let mut rig = Rig::with("*.log", |source| source.line_bytes_max = 1000);
    rig.limits.cut_bytes_max = 4 << 20;
    rig.restart();
    rig.append("a.log", "x".repeat(50 << 20));
    rig.append("a.log", "end\nnext\n");
    rig.tail.scan(rig.now);
    rig.read_all();
    let cut: i64 = rig.rows.iter().filter_map(|row| row.cut).sum();
    let kept: usize = rig.rows.iter().map(|row| row.line.len()).sum();
    assert_eq!(cut as usize + kept + 2, (50 << 20) + 9, "every byte is accounted for");
    assert_eq!(rig.lines().last(), Some(&"next"));
    assert!(rig.rows.len() < 20);
    assert!(rig.tail.scratch.len() <= 1 << 20);
}

#[test]
fn an_overlong_last_line_is_taken_after_its_timeout() {
    let mut rig = Rig::with("*.log", |source| source.line_bytes_max = 10);
    rig.append("a.log", "x".repeat(50));
    assert!(rig.run().is_empty());
    rig.pass(5);
    assert_eq!(rig.run(), ["x".repeat(10)]);
    assert_eq!(rig.rows[0].cut, Some(40));
    rig.append("a.log", "\nnext\n");
    assert_eq!(rig.run(), ["next"]);
}

#[test]
fn cut_lines_do_not_hold_their_left_out_bytes_in_memory() {
    let mut rig = Rig::with("*.log", |source| source.line_bytes_max = 10);
    for _ in 0..100 {
        rig.append("a.log", format!("{}\n", "x".repeat(100_000)));
    }
    rig.tail.scan(rig.now);
    let mut batch = LineBatch::new(1 << 20);
    while let ReadOutcome::More = rig.tail.read(&mut batch, rig.now) {}
    assert!(batch.memory_bytes() < 2 << 20, "{}", batch.memory_bytes());
}

#[test]
fn open_files_are_capped_and_nothing_is_missed() {
    let mut rig = Rig::new("*.log");
    rig.limits.open_files_max = 8;
    rig.restart();
    for round in 0..3 {
        for file in 0..100 {
            rig.append(&format!("{file:03}.log"), format!("round {round} file {file}\n"));
        }
        assert_eq!(rig.run().len(), 100);
        assert!(rig.tail.handles.len() <= 8);
        rig.now = Timestamp::from_micros(rig.now.micros() + 1);
    }
}

#[test]
fn a_deleted_file_with_unread_bytes_keeps_its_handle_before_others() {
    let mut rig = Rig::new("*.log");
    rig.limits.open_files_max = 4;
    rig.restart();
    rig.append("000.log", numbered("deleted", 0..1000));
    rig.tail.scan(rig.now);
    rig.remove("000.log");
    for file in 1..50 {
        rig.append(&format!("{file:03}.log"), "line\n");
    }
    rig.run();
    assert_eq!(rig.rows.len(), 1049);
    assert_eq!(rig.tail.counters().vanished_bytes, 0);
}

#[test]
fn ten_thousand_idle_files_are_scanned_quickly() {
    let mut rig = Rig::new("*.log");
    for file in 0..10_000 {
        rig.append(&format!("{file:05}.log"), "idle\n");
    }
    assert_eq!(rig.run().len(), 10_000);
    rig.pass(60);
    rig.run();
    let begun = std::time::Instant::now();
    assert!(rig.run().is_empty());
    assert!(begun.elapsed().as_millis() < 2000, "{:?}", begun.elapsed());
    assert!(rig.tail.queue.is_empty() && rig.tail.handles.len() <= 256);
}

#[test]
fn deleted_files_that_cannot_be_read_are_bounded_by_bytes_and_what_is_given_up_is_counted_exactly() {
    let mut rig = Rig::new("*.log");
    rig.limits.deleted_bytes_max = 10 * 12_000;
    rig.restart();
    for file in 0..30 {
        rig.append(&format!("{file:03}.log"), numbered("line", file * 1000..(file + 1) * 1000));
        rig.tail.scan(rig.now);
        rig.remove(&format!("{file:03}.log"));
        rig.pass(1);
    }
    rig.tail.scan(rig.now);
    assert_eq!(rig.tail.handles.len(), 10);
    assert_eq!((rig.tail.counters().vanished_files, rig.tail.counters().vanished_bytes), (20, 20 * 12_000));
    assert_eq!(rig.run(), split(&numbered("line", 20_000..30_000)), "those deleted last are kept");
}

#[test]
fn deleted_files_that_cannot_be_read_are_bounded_by_count_and_what_is_given_up_is_counted_exactly() {
    let mut rig = Rig::new("*.log");
    rig.limits.open_files_max = 10;
    rig.restart();
    for file in 0..30 {
        rig.append(&format!("{file:03}.log"), numbered("line", file * 1000..(file + 1) * 1000));
        rig.tail.scan(rig.now);
        rig.remove(&format!("{file:03}.log"));
        rig.tail.scan(rig.now);
    }
    assert_eq!(rig.tail.handles.len(), 10);
    assert_eq!((rig.tail.counters().vanished_files, rig.tail.counters().vanished_bytes), (20, 20 * 12_000));
    assert_eq!(rig.run().len(), 10_000);
}
