//! One test for each promise, on real files; [`Rig`] plays the agent around a tail.

mod containers;
mod copies;
mod encoded_files;
mod encodings;
mod gzip;
mod holes;
mod limits;
mod lines;
mod missed;
mod model;
mod multiline;
mod records;
mod restart;
mod rotation;
mod time;
mod torture;
mod watch;

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use arrow::array::{Array, AsArray};
use arrow::datatypes::Int64Type;
use tempfile::TempDir;

use super::*;
use crate::clock::{Clock, SystemClock};

/// One line as it would stand in Bronze.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Row {
    line: String,
    raw: Option<Vec<u8>>,
    file: i64,
    offset: i64,
    path: String,
    cut: Option<i64>,
}

/// A tail over a folder of its own, with what it has committed.
struct Rig {
    folder: TempDir,
    sources: Vec<Source>,
    limits: TailLimits,
    batch_bytes: usize,
    births: Births,
    tail: Tail,
    positions: Positions,
    rows: Vec<Row>,
    now: Timestamp,
}

impl Rig {
    /// A tail of all files in a new folder that match `pattern`.
    fn new(pattern: &str) -> Self {
        Self::with(pattern, |_| {})
    }

    fn with(pattern: &str, settings: impl FnOnce(&mut Source)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let glob = FileGlob::parse(folder.path().join(pattern).to_str().unwrap()).unwrap();
        let mut source = Source::new("app", vec![glob]);
        settings(&mut source);
        let sources = vec![source];
        let limits = TailLimits::default();
        let tail = Tail::open(sources.clone(), Positions::default(), limits).unwrap();
        let now = SystemClock.now();
        Self {
            folder,
            sources,
            limits,
            batch_bytes: 1 << 20,
            births: Births::Known,
            tail,
            positions: Positions::default(),
            rows: Vec::new(),
            now,
        }
    }

    fn path(&self, name: impl AsRef<OsStr>) -> PathBuf {
        self.folder.path().join(name.as_ref())
    }

    fn append(&self, name: &str, bytes: impl AsRef<[u8]>) {
        append(&self.path(name), bytes.as_ref());
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).unwrap();
    }

    fn copy(&self, from: &str, to: &str) {
        fs::copy(self.path(from), self.path(to)).unwrap();
    }

    fn truncate(&self, name: &str) {
        OpenOptions::new().write(true).open(self.path(name)).unwrap().set_len(0).unwrap();
    }

    fn remove(&self, name: &str) {
        fs::remove_file(self.path(name)).unwrap();
    }

    fn pass(&mut self, seconds: i64) {
        self.now = Timestamp::from_micros(self.now.micros() + seconds * 1_000_000);
    }

    /// Scans, reads everything and commits it. Returns the new lines.
    fn run(&mut self) -> Vec<String> {
        let before = self.rows.len();
        self.tail.scan(self.now);
        self.read_all();
        self.rows[before..].iter().map(|row| row.line.clone()).collect()
    }

    /// Reads everything without a scan, unless the tail asks for one.
    fn read_all(&mut self) {
        for _ in 0..100_000 {
            let mut batch = LineBatch::new(self.batch_bytes);
            let outcome = self.tail.read(&mut batch, self.now);
            self.commit(batch);
            match outcome {
                ReadOutcome::Drained(due) => {
                    assert!(due.is_none_or(|due| due > self.now), "due in the past");
                    return;
                }
                ReadOutcome::Rescan => drop(self.tail.scan(self.now)),
                ReadOutcome::Full | ReadOutcome::More => {}
                ReadOutcome::DayOver => panic!("an empty batch has no day"),
            }
        }
        panic!("reading does not come to an end");
    }

    fn commit(&mut self, batch: LineBatch) {
        let moved = self.tail.moved().unwrap();
        self.rows.extend(rows(&batch.finish().unwrap()));
        let json = serde_json::to_string(&moved).unwrap();
        self.positions.apply(serde_json::from_str(&json).unwrap());
    }

    /// Forgets everything that is not committed, and starts again.
    fn restart(&mut self) {
        self.tail = Tail::open(self.sources.clone(), self.positions.clone(), self.limits).unwrap();
        self.tail.births = self.births;
    }

    fn lines(&self) -> Vec<&str> {
        self.rows.iter().map(|row| row.line.as_str()).collect()
    }
}

fn append(path: &Path, bytes: &[u8]) {
    OpenOptions::new().create(true).append(true).open(path).unwrap().write_all(bytes).unwrap();
}

fn rows(Lines { columns, runs }: &Lines) -> Vec<Row> {
    let line = columns.column_by_name("line").unwrap().as_string_view();
    let raw = columns.column_by_name("raw").unwrap().as_binary::<i32>();
    let number = |name: &str| columns.column_by_name(name).unwrap().as_primitive::<Int64Type>().clone();
    let (offset, cut) = (number("offset"), number("cut_bytes"));
    assert_eq!(runs.last().map_or(0, |run| run.end), columns.num_rows());
    let origin = |row: usize| &runs[runs.partition_point(|run| run.end <= row)].origin;
    (0..columns.num_rows())
        .map(|row| {
            let Origin { file, path, source, ingested_at } = origin(row);
            assert_eq!(&**source, "app");
            assert!(ingested_at.micros() > 0);
            Row {
                line: line.value(row).to_owned(),
                raw: raw.is_valid(row).then(|| raw.value(row).to_vec()),
                file: file.column(),
                offset: offset.value(row),
                path: path.to_string_lossy().into_owned(),
                cut: cut.is_valid(row).then(|| cut.value(row)),
            }
        })
        .collect()
}

/// `from..to` as lines `<prefix> <number>`, each with a newline.
fn numbered(prefix: &str, numbers: std::ops::Range<usize>) -> String {
    numbers.map(|number| format!("{prefix} {number:06}\n")).collect()
}

/// The lines of a text.
fn split(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}
