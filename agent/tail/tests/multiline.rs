use super::*;
use std::time::Duration;

fn rig(rule: Rule) -> Rig {
    Rig::with("*.log", |source| {
        source.multiline = Some(Multiline { rule, timeout: Duration::from_secs(1), lines_max: 1000 });
    })
}

fn continued(expression: &str) -> Rule {
    Rule::Continuation(regex::bytes::Regex::new(expression).unwrap())
}

/// Everything that stands in the file, and what comes of its last record.
fn records(rule: Rule, text: &str) -> Vec<String> {
    let mut rig = rig(rule);
    rig.append("a.log", text);
    rig.run();
    rig.pass(1);
    rig.run();
    rig.pass(5);
    rig.run();
    rig.rows.into_iter().map(|row| row.line).collect()
}

const JAVA: [&str; 3] = [
    "12:00:01 ERROR request failed\njava.lang.IllegalStateException: no\n\tat a.B.c(B.java:1)\n\t... 3 more\nCaused by: java.io.IOException: x\n\tat d.E.f(E.java:2)",
    "12:00:02 INFO fine",
    "12:00:03 WARN slow",
];
const PYTHON: [&str; 3] = [
    "ERROR:root:failed\nTraceback (most recent call last):\n  File \"a.py\", line 1, in <module>\n    f()\nKeyError: 'x'\n\nDuring handling of the above exception, another exception occurred:\n\nTraceback (most recent call last):\n  File \"a.py\", line 3, in <module>\n    g()\nmy.module.AppError: no",
    "INFO:root:fine",
    "WARNING:root:slow",
];
const GO: [&str; 2] = [
    "panic: runtime error: index out of range [1] with length 1\n\ngoroutine 1 [running]:\nmain.main()\n\t/tmp/x.go:5 +0x1d\nnet/http.(*conn).serve(0xc000, {0x1, 0x2})\n\t/usr/lib/go/server.go:1 +0x2\ncreated by net/http.(*Server).Serve in goroutine 1\n\t/usr/lib/go/server.go:3 +0x4\nexit status 2",
    "2026/11/22 12:00:00 started",
];
const RUST: [&str; 2] = [
    "thread 'main' panicked at src/main.rs:2:5:\nexplicit panic\nstack backtrace:\n   0: std::panicking::begin_panic\n             at /rustc/lib.rs:1:2\nnote: run with `RUST_BACKTRACE=1`",
    "started again",
];

#[test]
fn the_presets_keep_traces_together_and_other_lines_apart() {
    let cases: [(&str, &[&str]); 4] = [("java", &JAVA), ("python", &PYTHON), ("go", &GO), ("rust", &RUST)];
    for (preset, wanted) in cases {
        let found = records(Rule::preset(preset).unwrap(), &(wanted.join("\n") + "\n"));
        assert_eq!(found, wanted, "{preset}");
    }
    assert_eq!(records(Rule::preset("indented").unwrap(), "a\n b\n\tc\nd\n"), ["a\n b\n\tc", "d"]);
    assert!(Rule::preset("cobol").is_err());
}

#[test]
fn a_record_begins_with_a_line_that_matches_and_goes_on_with_all_others() {
    let rule = Rule::Start(regex::bytes::Regex::new(r"^\d\d:").unwrap());
    let found = records(rule, "no start\n12:00 a\nb\r\n\nc\r\n12:01 d\r\n12:02 e");
    assert_eq!(found, ["no start", "12:00 a\nb\r\n\nc", "12:01 d", "12:02 e"]);
}

#[test]
fn a_record_is_whole_wherever_it_stood_when_it_was_read_flushed_or_killed() {
    let text = JAVA.join("\n") + "\n";
    for cut in 0..text.len() {
        let mut rig = rig(Rule::preset("java").unwrap());
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
        rig.pass(1);
        rig.run();
        assert_eq!(rig.lines(), JAVA, "cut at {cut}");
        let offsets: Vec<i64> = rig.rows.iter().map(|row| row.offset).collect();
        let second = JAVA[0].len() as i64 + 1;
        assert_eq!(offsets, [0, second, second + JAVA[1].len() as i64 + 1]);
    }
}

#[test]
fn records_are_whole_across_full_batches_and_chunks() {
    for batch_bytes in [500, 100_000, 1 << 20] {
        let mut rig = rig(Rule::preset("indented").unwrap());
        rig.batch_bytes = batch_bytes;
        let record =
            |n: usize| format!("record {n}\n{}", format!("  {}\n", "x".repeat(n % 90)).repeat(n % 40 + 1));
        let wanted: Vec<String> = (0..2000).map(record).collect();
        rig.append("a.log", wanted.concat());
        rig.run();
        rig.restart();
        rig.run();
        rig.pass(1);
        rig.run();
        let found: Vec<String> = rig.rows.iter().map(|row| row.line.clone() + "\n").collect();
        assert!(found == wanted, "{batch_bytes}: {} of {}", found.len(), wanted.len());
    }
}

#[test]
fn the_last_record_is_taken_after_its_timeout_and_when_its_file_is_over() {
    let mut rig = rig(continued("^ "));
    rig.append("a.log", "one\n more\n");
    assert!(rig.run().is_empty());
    assert_eq!(rig.positions.files.values().next().unwrap().offset, 0);
    rig.pass(1);
    assert_eq!(rig.run(), ["one\n more"]);
    rig.append("a.log", "two\n more\n unfinished");
    rig.run();
    rig.pass(1);
    assert!(rig.run().is_empty(), "a line without its newline waits longer");
    rig.pass(4);
    assert_eq!(rig.run(), ["two\n more\n unfinished"]);
    rig.append("a.log", "\nthree\n more\n");
    rig.run();
    rig.remove("a.log");
    rig.run();
    rig.pass(6);
    rig.run();
    rig.pass(6);
    rig.run();
    assert_eq!(rig.lines().last(), Some(&"three\n more"));
    assert_eq!((rig.tail.counters().vanished_bytes, rig.tail.files()), (0, 0));
}

#[test]
fn a_record_has_no_more_lines_and_bytes_than_it_may() {
    let mut rig = rig(continued("^ "));
    rig.sources[0].multiline.as_mut().unwrap().lines_max = 3;
    rig.sources[0].line_bytes_max = 20;
    rig.restart();
    rig.append("a.log", "a\n 1\n 2\n 3\n 4\nb\n 123456789\n 123456789\n 1234567890123456789012345\nc\n");
    rig.run();
    rig.pass(1);
    rig.run();
    let wanted = ["a\n 1\n 2", " 3\n 4", "b\n 123456789", " 123456789", " 1234567890123456789", "c"];
    assert_eq!(rig.lines(), wanted);
    assert_eq!((rig.tail.counters().cut_lines, rig.tail.counters().cut_bytes), (1, 6));
}

#[test]
fn an_endless_record_takes_bounded_memory() {
    let mut rig = rig(continued("^ "));
    rig.sources[0].multiline.as_mut().unwrap().lines_max = usize::MAX;
    rig.sources[0].line_bytes_max = 10_000;
    rig.restart();
    let line = format!(" {}\n", "x".repeat(98));
    rig.append("a.log", line.repeat(50_000));
    rig.run();
    rig.pass(1);
    rig.run();
    assert_eq!(rig.rows.iter().map(|row| row.line.len() + 1).sum::<usize>(), 5_000_000);
    assert!(rig.rows.iter().all(|row| row.line.len() <= 10_000 && row.cut.is_none()));
}

#[test]
fn a_record_in_a_compressed_file_is_whole() {
    let mut rig = rig(Rule::preset("java").unwrap());
    rig.append("a.log", "first\n");
    rig.run();
    rig.pass(1);
    rig.run();
    rig.append("a.log", JAVA.join("\n") + "\n");
    rig.rename("a.log", "a.log.1");
    assert!(std::process::Command::new("gzip").arg(rig.path("a.log.1")).status().unwrap().success());
    rig.restart();
    assert_eq!(rig.run(), JAVA);
}
