use super::*;
use std::os::unix::fs::FileExt;

/// A writer that goes on at its own offset, whatever happens to the file.
struct Writer {
    file: File,
    at: u64,
}

impl Writer {
    fn new(path: &Path) -> Self {
        Self { file: OpenOptions::new().create(true).truncate(false).write(true).open(path).unwrap(), at: 0 }
    }

    fn write(&mut self, text: &str) {
        self.file.write_all_at(text.as_bytes(), self.at).unwrap();
        self.at += text.len() as u64;
    }
}

#[test]
fn the_hole_that_a_writer_leaves_after_a_truncate_is_skipped_and_counted() {
    for lines in [1, 100, 100_000] {
        let mut rig = Rig::new("*.log");
        let mut writer = Writer::new(&rig.path("a.log"));
        let old = numbered("old", 0..lines);
        writer.write(&old);
        assert_eq!(rig.run().len(), lines);
        for round in 1..4 {
            rig.truncate("a.log");
            let hole = writer.at;
            writer.write(&numbered("new", 0..10));
            assert_eq!(rig.run(), split(&numbered("new", 0..10)), "{lines} lines, round {round}");
            let row = &rig.rows[rig.rows.len() - 10];
            assert_eq!((row.offset as u64, row.cut), (hole, None));
            writer.write("later\n");
            assert_eq!(rig.run(), ["later"]);
        }
        assert_eq!(rig.tail.counters().vanished_bytes, 0);
        let holes = 3 * old.len() as u64 + 3 * 11 * 10 + 3 * 6;
        assert_eq!(rig.tail.counters().hole_bytes, holes);
    }
}

#[test]
fn a_hole_that_a_copy_has_filled_with_bytes_is_skipped_in_bounded_steps() {
    let mut rig = Rig::new("*.log");
    let mut bytes = b"before\n".to_vec();
    bytes.resize(150 << 20, 0);
    bytes.extend(b"after\n");
    rig.append("a.log", &bytes);
    assert_eq!(rig.run(), ["before", "after"]);
    assert_eq!(rig.tail.counters().hole_bytes, (150 << 20) - 7);
    rig.restart();
    rig.append("a.log", "more\n");
    assert_eq!(rig.run(), ["more"]);
}

#[test]
fn a_log_laid_out_in_advance_is_read_as_it_is_filled() {
    let mut rig = Rig::new("*.log");
    let mut writer = Writer::new(&rig.path("a.log"));
    writer.file.set_len(10 << 20).unwrap();
    assert!(rig.run().is_empty());
    for round in 0..5 {
        writer.write(&format!("line {round}\npar"));
        rig.pass(1);
        assert_eq!(rig.run(), [format!("{}line {round}", if round > 0 { "partial" } else { "" })]);
        writer.write("tial");
        rig.pass(1);
        assert!(rig.run().is_empty());
    }
    rig.pass(10);
    assert_eq!(rig.run(), ["partial"]);
    rig.remove("a.log");
    rig.run();
    rig.pass(10);
    rig.run();
    let counters = rig.tail.counters();
    assert_eq!((counters.hole_bytes, counters.vanished_bytes, rig.tail.files()), (0, 0, 0));
}

#[test]
fn a_hole_of_gigabytes_is_skipped_without_reading_it() {
    let mut rig = Rig::new("*.log");
    let mut writer = Writer::new(&rig.path("a.log"));
    writer.at = 1 << 40;
    writer.write("far out\n");
    assert_eq!(rig.run(), ["far out"]);
    assert_eq!((rig.rows[0].offset, rig.tail.counters().hole_bytes), (1 << 40, 1 << 40));
}

#[test]
fn few_nuls_are_text() {
    let mut rig = Rig::new("*.log");
    rig.append("a.log", "\0\0\0three\nfour\0\0\0\0\n\0\0\0\0\n");
    assert_eq!(rig.run(), ["\0\0\0three", "four\0\0\0\0", ""]);
    assert_eq!(rig.tail.counters().hole_bytes, 4);
}
