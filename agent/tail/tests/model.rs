//! Random histories of a folder: whatever happens, each line that stands in a file when it is scanned arrives once.

use super::*;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// Rotated files that are kept.
const KEPT: usize = 3;

struct World {
    rig: Rig,
    random: StdRng,
    /// Lines written so far, by number.
    written: usize,
    /// Lines written between a copy and its truncate: they may be lost, and may not arrive twice.
    optional: BTreeSet<usize>,
    steps: Vec<String>,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let mut rig = Rig::new(if random.random() { "*.log*" } else { "*.log" });
        rig.births = if random.random() { Births::Known } else { Births::Unknown };
        rig.limits.open_files_max = random.random_range(1..6);
        // Time is passed here, not waited for: the tail's clock must not run ahead of the files' birth times.
        rig.pass(-1000);
        rig.batch_bytes = 1 << random.random_range(10..18);
        rig.restart();
        Self { rig, random, written: 0, optional: BTreeSet::new(), steps: Vec::new() }
    }

    fn file(&mut self) -> String {
        format!("{}.log", ["app", "web", "db"][self.random.random_range(0..3)])
    }

    fn note(&mut self, step: String) {
        let vanished = self.rig.tail.counters().vanished_bytes;
        self.steps.push(format!("{step} (vanished {vanished}, {} rows)", self.rig.rows.len()));
    }

    fn append(&mut self, file: &str) {
        let most = if self.random.random_bool(0.05) { 5_000 } else { 30 };
        let lines = self.random.random_range(1..most);
        let mut text = String::new();
        for number in self.written..self.written + lines {
            let filling = self.random.random_range(16..50);
            text += &format!("{number} {}\n", "x".repeat(filling));
        }
        self.written += lines;
        self.note(format!("append {}.. to {file}", self.written - lines));
        // In two halves, so that a read may come between them.
        let at = self.random.random_range(0..text.len());
        self.rig.append(file, &text[..at]);
        if self.random.random_bool(0.3) {
            self.read();
        }
        self.rig.append(file, &text[at..]);
    }

    /// Shifts the rotated files; the oldest is deleted, after it has been read.
    fn shift(&mut self, file: &str) {
        let oldest = format!("{file}.{KEPT}");
        if self.rig.path(&oldest).exists() {
            self.drain();
            self.rig.remove(&oldest);
        }
        for generation in (1..KEPT).rev() {
            let from = format!("{file}.{generation}");
            if self.rig.path(&from).exists() {
                self.rig.rename(&from, &format!("{file}.{}", generation + 1));
            }
        }
    }

    fn step(&mut self) {
        let file = self.file();
        let exists = self.rig.path(&file).exists();
        match self.random.random_range(0..100) {
            0..40 => self.append(&file),
            40..50 if exists => {
                self.be_known();
                self.shift(&file);
                self.note(format!("rename {file}"));
                self.rig.rename(&file, &format!("{file}.1"));
            }
            50..60 if exists => {
                self.be_known();
                self.shift(&file);
                self.note(format!("copytruncate {file}"));
                self.rig.copy(&file, &format!("{file}.1"));
                for _ in 0..self.random.random_range(0..3) {
                    match self.random.random_range(0..3) {
                        0 => self.scan(),
                        1 => self.read(),
                        _ => {
                            let from = self.written;
                            self.append(&file);
                            self.optional.extend(from..self.written);
                        }
                    }
                }
                self.rig.truncate(&file);
            }
            60..65 if exists => {
                self.drain();
                self.note(format!("truncate {file}"));
                self.rig.truncate(&file);
            }
            65..70 if exists => {
                self.drain();
                self.note(format!("delete {file}"));
                self.rig.remove(&file);
            }
            70..80 => self.read(),
            80..90 => self.scan(),
            90..95 => {
                self.note("restart".into());
                self.rig.restart();
            }
            _ => {
                let seconds = self.random.random_range(0..3);
                self.rig.pass(seconds);
            }
        }
    }

    fn scan(&mut self) {
        self.note("scan".into());
        self.rig.tail.scan(self.rig.now);
    }

    /// Makes all files known for good: a rotation may take them to a name that is not included, where a file that was
    /// never seen, or was seen by a process that was killed, is nobody's.
    fn be_known(&mut self) {
        self.scan();
        self.rig.commit(LineBatch::new(0));
    }

    /// Reads one batch, and commits it or is killed before.
    fn read(&mut self) {
        let mut batch = LineBatch::new(self.rig.batch_bytes);
        let outcome = self.rig.tail.read(&mut batch, self.rig.now);
        if self.random.random_bool(0.05) {
            self.note(format!("killed with {} rows not committed", batch.rows()));
            self.rig.restart();
            self.scan();
        } else {
            self.note(format!("read {} rows: {outcome:?}", batch.rows()));
            self.rig.commit(batch);
        }
    }

    fn drain(&mut self) {
        self.note("drain".into());
        self.rig.run();
    }

    fn check(mut self, seed: u64) {
        for _ in 0..5 {
            self.drain();
            self.rig.pass(6);
        }
        let mut numbers: Vec<usize> =
            self.rig.rows.iter().map(|row| row.line.split(' ').next().unwrap().parse().unwrap()).collect();
        numbers.sort_unstable();
        let lost: Vec<usize> = (0..self.written)
            .filter(|number| numbers.binary_search(number).is_err() && !self.optional.contains(number))
            .collect();
        let doubled: Vec<usize> =
            numbers.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect();
        for number in doubled.iter().take(1) {
            for row in self.rig.rows.iter().filter(|row| row.line.starts_with(&format!("{number} "))) {
                self.steps.push(format!("{number}: file {} offset {} {}", row.file, row.offset, row.path));
            }
        }
        assert!(
            lost.is_empty() && doubled.is_empty(),
            "seed {seed}, births {:?}, handles {}: lost {:?} of {}, doubled {:?} of {}, of {} written, after\n{}",
            self.rig.births,
            self.rig.limits.open_files_max,
            &lost[..lost.len().min(5)],
            lost.len(),
            &doubled[..doubled.len().min(5)],
            doubled.len(),
            self.written,
            self.steps.join("\n")
        );
        let ids: BTreeSet<(i64, i64)> = self.rig.rows.iter().map(|row| (row.file, row.offset)).collect();
        assert_eq!(ids.len(), self.rig.rows.len(), "seed {seed}: file and offset name a line");
    }
}

#[test]
fn each_line_arrives_once_through_random_rotations_truncations_deletions_kills_and_restarts() {
    let seeds = std::env::var("TAIL_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(60);
    for seed in 0..seeds {
        let mut world = World::new(seed);
        for _ in 0..80 {
            world.step();
        }
        world.check(seed);
    }
}
