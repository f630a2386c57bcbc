use super::*;
use std::time::Duration;

fn rig() -> Rig {
    Rig::with("*.log", |source| {
        let rule = Rule::preset("container").unwrap();
        source.multiline = Some(Multiline { rule, timeout: Duration::from_secs(1), lines_max: 1000 });
    })
}

fn cri(stream: &str, tag: &str, text: &str) -> String {
    format!("2026-11-22T10:00:00.000000001Z {stream} {tag} {text}\n")
}

fn docker(stream: &str, text: &str) -> String {
    format!("{{\"log\":\"{text}\",\"stream\":\"{stream}\",\"time\":\"2026-11-22T10:00:00.000000001Z\"}}\n")
}

/// Records, each of some lines with their newlines.
fn records() -> Vec<Vec<String>> {
    let (out, err) = ("stdout", "stderr");
    vec![
        vec![cri(out, "F", "whole")],
        vec![cri(out, "P", "a"), cri(out, "P", "b"), cri(out, "F", "c")],
        vec![cri(err, "F", "")],
        // Interleaved: the record ends when neither is open.
        vec![
            cri(out, "P", "x"),
            cri(err, "F", "aside"),
            cri(err, "P", "y"),
            cri(out, "F", "x"),
            cri(err, "F", "y"),
        ],
        vec!["free text\n".to_owned()],
        vec![docker(out, "whole\\n")],
        vec![docker(out, "a"), docker(err, "aside\\n"), docker(out, "b\\n")],
        vec![cri(out, "F", "last")],
    ]
}

fn joined(record: &[String]) -> String {
    record.concat().trim_end_matches('\n').to_owned()
}

#[test]
fn parts_of_a_message_are_one_record_and_whole_lines_wait_for_nothing() {
    let mut rig = rig();
    for record in records() {
        for (number, line) in record.iter().enumerate() {
            rig.append("a.log", line);
            let wanted = if number + 1 == record.len() { vec![joined(&record)] } else { Vec::new() };
            assert_eq!(rig.run(), wanted, "{line}");
        }
    }
}

#[test]
fn a_record_of_a_container_is_whole_wherever_it_stood_when_it_was_read_flushed_or_killed() {
    let text: String = records().concat().concat();
    let wanted: Vec<String> = records().iter().map(|record| joined(record)).collect();
    for cut in 0..text.len() {
        let mut rig = rig();
        rig.batch_bytes = [100, 1 << 20][cut % 2];
        rig.append("a.log", &text[..cut]);
        rig.run();
        if cut % 3 == 0 {
            rig.restart();
        }
        if cut % 5 == 0 {
            rig.rename("a.log", "b.log");
            append(&rig.path("b.log"), &text.as_bytes()[cut..]);
        } else {
            rig.append("a.log", &text[cut..]);
        }
        rig.run();
        assert_eq!(rig.lines(), wanted, "cut at {cut}");
    }
}

#[test]
fn a_part_whose_end_does_not_come_is_taken_after_the_timeout_and_when_something_else_follows() {
    let mut rig = rig();
    rig.append("a.log", cri("stdout", "P", "a"));
    assert!(rig.run().is_empty());
    rig.pass(1);
    assert_eq!(rig.run(), [cri("stdout", "P", "a").trim_end()]);
    rig.append("a.log", cri("stdout", "F", "late"));
    assert_eq!(rig.run(), [cri("stdout", "F", "late").trim_end()]);
    rig.append("a.log", cri("stderr", "P", "b") + "broken\n");
    assert_eq!(rig.run(), [cri("stderr", "P", "b").trim_end(), "broken"]);
}

#[test]
fn a_message_of_more_lines_and_bytes_than_a_record_may_have_is_several() {
    let mut rig = rig();
    rig.sources[0].multiline.as_mut().unwrap().lines_max = 3;
    rig.restart();
    let text = cri("stdout", "P", "a").repeat(7) + &cri("stdout", "F", "b");
    rig.append("a.log", &text);
    rig.run();
    let lines: Vec<usize> = rig.rows.iter().map(|row| row.line.lines().count()).collect();
    assert_eq!(lines, [3, 3, 2]);
    rig.sources[0].line_bytes_max = 100;
    rig.restart();
    rig.append("a.log", &text);
    rig.run();
    let lines: Vec<usize> = rig.rows.iter().skip(3).map(|row| row.line.lines().count()).collect();
    assert_eq!(lines, [2, 2, 2, 2]);
    assert_eq!(rig.rows.iter().map(|row| row.line.clone() + "\n").collect::<String>(), text.repeat(2));
}

/// What stood before a record that was not yet complete was counted when it was looked at and when it was skipped.
#[test]
fn regression_a_hole_before_an_open_record_is_counted_once() {
    let mut rig = rig();
    rig.append("a.log", [&[0; 5000][..], cri("stdout", "P", "a").as_bytes()].concat());
    for _ in 0..5 {
        rig.run();
    }
    rig.append("a.log", cri("stdout", "F", "b"));
    assert_eq!(rig.run().len(), 1);
    assert_eq!(rig.tail.counters().hole_bytes, 5000);
}

/// What is written to one file and to its successor is two records, however a message was cut.
#[test]
fn parts_before_and_after_a_rotation_are_records_of_their_own_and_arrive_once() {
    let mut rig = rig();
    rig.append("0.log", cri("stdout", "F", "read") + &cri("stdout", "P", "old"));
    rig.run();
    rig.rename("0.log", "0.log.20261122-100000");
    rig.append("0.log", cri("stdout", "F", "new"));
    rig.restart();
    assert_eq!(rig.run(), [cri("stdout", "F", "new").trim_end()]);
    rig.pass(1);
    assert_eq!(rig.run(), [cri("stdout", "P", "old").trim_end()]);
}
