//! Rotation far faster than in service, while the tail reads: what stood long enough to be scanned arrives once.
//!
//! The writer notes when each generation came to be and when its last bytes were removed, and the tail notes its
//! scans. Lines of a generation that stood while a whole scan ran are the tail's to ship; others exist for nobody.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::*;

/// Lines that are there before rotation begins, and that the tail has read by then.
const SEEN_LINES: usize = 20;

/// How the writer's file is rotated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rotation {
    Rename,
    CopyTruncate,
}

/// Lines that stood together, and when.
#[derive(Debug)]
struct Generation {
    lines: std::ops::Range<usize>,
    complete: Instant,
    removed: Option<Instant>,
}

struct Writer {
    folder: PathBuf,
    rotation: Rotation,
    every: Duration,
    kept: usize,
    generations: Vec<Generation>,
}

impl Writer {
    /// Writes and rotates until told to stop.
    fn run(mut self, stop: &AtomicBool) -> Vec<Generation> {
        let live = self.folder.join("app.log");
        let mut number = SEEN_LINES;
        while !stop.load(Ordering::Relaxed) {
            let begun = Instant::now();
            let first = if self.generations.is_empty() { 0 } else { number };
            let mut file = OpenOptions::new().create(true).append(true).open(&live).unwrap();
            while begun.elapsed() < self.every {
                file.write_all(numbered("line", number..number + 20).as_bytes()).unwrap();
                number += 20;
                std::thread::sleep(Duration::from_millis(1));
            }
            self.generations.push(Generation {
                lines: first..number,
                complete: Instant::now(),
                removed: None,
            });
            self.rotate(&live);
        }
        self.generations
    }

    fn rotate(&mut self, live: &Path) {
        let kept = |generation: usize| self.folder.join(format!("app.log.{generation}"));
        // Noted before it happens: what is removed while a scan runs did not stand through it.
        let now = Instant::now();
        if let Some(oldest) = self.generations.len().checked_sub(self.kept + 1) {
            self.generations[oldest].removed = Some(now);
        }
        for generation in (1..self.kept).rev().filter(|generation| kept(*generation).exists()) {
            fs::rename(kept(generation), kept(generation + 1)).unwrap();
        }
        match self.rotation {
            Rotation::Rename => fs::rename(live, kept(1)).unwrap(),
            Rotation::CopyTruncate => {
                fs::copy(live, kept(1)).unwrap();
                OpenOptions::new().write(true).open(live).unwrap().set_len(0).unwrap();
            }
        }
    }
}

/// Lets a tail of `pattern` follow a rotating file, and checks what arrived.
fn torture(pattern: &str, rotation: Rotation, every_ms: u64, pause_ms: u64, rotations: u32) {
    let mut rig = Rig::new(pattern);
    rig.batch_bytes = 8 << 20;
    let every = Duration::from_millis(every_ms);
    let writer =
        Writer { folder: rig.folder.path().to_owned(), rotation, every, kept: 5, generations: Vec::new() };
    // A file that a rotation takes to an unknown name before it was ever seen is not looked for.
    append(&rig.folder.path().join("app.log"), numbered("line", 0..SEEN_LINES).as_bytes());
    rig.now = SystemClock.now();
    rig.run();
    let stop = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&stop);
    let begun = Instant::now();
    let writer = std::thread::spawn(move || writer.run(&told));
    let mut scans = Vec::new();
    while begun.elapsed() < every * rotations {
        rig.now = SystemClock.now();
        let from = Instant::now();
        rig.tail.scan(rig.now);
        scans.push(from..Instant::now());
        rig.read_all();
        std::thread::sleep(Duration::from_millis(pause_ms));
    }
    stop.store(true, Ordering::Relaxed);
    let generations = writer.join().unwrap();
    rig.now = SystemClock.now();
    rig.run();
    rig.pass(20);
    rig.run();

    let mut found: Vec<usize> =
        rig.rows.iter().map(|row| row.line.strip_prefix("line ").unwrap().parse().unwrap()).collect();
    found.sort_unstable();
    let doubled: Vec<usize> =
        found.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect();
    let mut lost = Vec::new();
    for (number, generation) in generations.iter().enumerate() {
        let missing: Vec<usize> =
            generation.lines.clone().filter(|line| found.binary_search(line).is_err()).collect();
        let stood = generation.removed.is_none_or(|removed| {
            scans.iter().any(|scan| scan.start >= generation.complete && scan.end <= removed)
        });
        if stood && !missing.is_empty() {
            lost.push((number, missing.len(), generation.lines.len()));
        }
    }
    let doubled = &doubled[..doubled.len().min(5)];
    assert!(doubled.is_empty(), "arrived twice: {doubled:?} ...");
    assert!(lost.is_empty(), "(generation, lines lost, of) {lost:?}");
}

/// Rotates every so many milliseconds, with a tail that looks every so many; `TAIL_ROTATIONS` sets how often, by default
/// 30 times. `TAIL_ROTATIONS=600 cargo test --release tail::tests::torture` runs for some minutes.
fn torture_at_several_speeds(pattern: &str, rotation: Rotation) {
    let rotations = std::env::var("TAIL_ROTATIONS").ok().and_then(|text| text.parse().ok()).unwrap_or(30);
    for (every_ms, pause_ms) in [(5, 2), (10, 15), (20, 60), (100, 5)] {
        torture(pattern, rotation, every_ms, pause_ms, rotations);
    }
}

#[test]
fn renames_in_quick_succession_lose_and_repeat_nothing() {
    torture_at_several_speeds("app.log*", Rotation::Rename);
}

#[test]
fn renames_to_names_that_no_source_includes_in_quick_succession_lose_and_repeat_nothing() {
    torture_at_several_speeds("app.log", Rotation::Rename);
}

#[test]
fn copies_and_truncates_in_quick_succession_lose_and_repeat_nothing() {
    torture_at_several_speeds("app.log*", Rotation::CopyTruncate);
}

#[test]
fn copies_to_names_that_no_source_includes_in_quick_succession_lose_and_repeat_nothing() {
    torture_at_several_speeds("app.log", Rotation::CopyTruncate);
}
