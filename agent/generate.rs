//! Sample logs: JSON lines as a service would write them, with rotation and a few broken lines.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde::Serialize;

use crate::clock::Clock;

/// What to write.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The folder to write to; created if missing.
    pub folder: PathBuf,
    /// How many files are written side by side.
    pub files: usize,
    /// How many lines to write in all.
    pub lines: u64,
    /// Lines a second; 0 for as fast as possible.
    pub rate: u64,
    /// Levels and their weights.
    pub levels: Vec<(String, u32)>,
    /// Of a thousand lines, how many are broken JSON.
    pub broken_permille: u32,
    /// A file is rotated, by rename, after this many of its lines; 0 for never.
    pub rotate_lines: u64,
    /// Where the random choices begin: the same seed writes the same lines, but for their times.
    pub seed: u64,
}

/// What was written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Written {
    /// Lines in all, broken ones included.
    pub lines: u64,
    /// Bytes in all.
    pub bytes: u64,
    /// Lines that are no JSON.
    pub broken: u64,
    /// Whole lines by level.
    pub levels: BTreeMap<String, u64>,
}

const MESSAGES: [&str; 8] = [
    "request served",
    "user signed in",
    "cache miss",
    "retrying upstream call",
    "connection reset by peer",
    "payment accepted",
    "slow query",
    "job finished",
];

const SERVICES: [&str; 4] = ["api", "auth", "billing", "search"];

/// Writes what `plan` asks for and tells `progress` after each slice of a tenth of a second.
///
/// # Errors
/// A file cannot be written.
pub fn generate(plan: &Plan, clock: &dyn Clock, mut progress: impl FnMut(&Written)) -> io::Result<Written> {
    std::fs::create_dir_all(&plan.folder)?;
    let mut random = StdRng::seed_from_u64(plan.seed);
    let mut files: Vec<LogFile> =
        (0..plan.files.max(1)).map(|index| LogFile::open(&plan.folder, index)).collect::<io::Result<_>>()?;
    let mut written = Written::default();
    let started = Instant::now();
    let slice = if plan.rate == 0 { 10_000 } else { (plan.rate / 10).max(1) };
    while written.lines < plan.lines {
        let until = plan.lines.min(written.lines + slice);
        while written.lines < until {
            let count = files.len() as u64;
            let index = usize::try_from(written.lines % count).unwrap_or(0);
            let Some(file) = files.get_mut(index) else { break };
            let line = line(plan, &mut random, written.lines, clock, &mut written);
            file.write(&line)?;
            written.lines += 1;
            written.bytes += line.len() as u64;
            if plan.rotate_lines > 0 && file.lines == plan.rotate_lines {
                file.rotate()?;
            }
        }
        files.iter_mut().try_for_each(|file| file.file.flush())?;
        progress(&written);
        if plan.rate > 0 {
            let due = Duration::from_secs_f64(written.lines as f64 / plan.rate as f64);
            std::thread::sleep(due.saturating_sub(started.elapsed()));
        }
    }
    Ok(written)
}

/// One line with its newline; counts it.
fn line(plan: &Plan, random: &mut StdRng, seq: u64, clock: &dyn Clock, written: &mut Written) -> Vec<u8> {
    let level = pick_level(&plan.levels, random);
    let message = MESSAGES.get(random.random_range(0..MESSAGES.len())).copied().unwrap_or_default();
    let service = SERVICES.get(random.random_range(0..SERVICES.len())).copied().unwrap_or_default();
    let milliseconds: u32 = random.random_range(1..2_000);
    let time = clock.now();
    let mut line = format!(
        r#"{{"time":"{time}","level":"{level}","message":"{message}","service":"{service}","duration_ms":{milliseconds},"seq":{seq}}}"#
    );
    if random.random_range(0..1_000) < plan.broken_permille {
        line.truncate(line.len() / 2);
        written.broken += 1;
    } else {
        *written.levels.entry(level.to_owned()).or_default() += 1;
    }
    line.push('\n');
    line.into_bytes()
}

fn pick_level<'a>(levels: &'a [(String, u32)], random: &mut StdRng) -> &'a str {
    let total: u32 = levels.iter().map(|(_, weight)| weight).sum();
    let mut ticket = random.random_range(0..total.max(1));
    for (level, weight) in levels {
        if ticket < *weight {
            return level;
        }
        ticket -= weight;
    }
    "INFO"
}

/// A file being written, `app-<index>.log`; rotated copies are `app-<index>.log.1`, `.2`, ...
struct LogFile {
    path: PathBuf,
    file: BufWriter<File>,
    lines: u64,
    rotations: u32,
}

impl LogFile {
    fn open(folder: &Path, index: usize) -> io::Result<Self> {
        let path = folder.join(format!("app-{index}.log"));
        Ok(Self { file: append(&path)?, path, lines: 0, rotations: 0 })
    }

    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        self.lines += 1;
        self.file.write_all(line)
    }

    fn rotate(&mut self) -> io::Result<()> {
        self.file.flush()?;
        for number in (1..=self.rotations).rev() {
            std::fs::rename(self.rotated(number), self.rotated(number + 1))?;
        }
        std::fs::rename(&self.path, self.rotated(1))?;
        self.rotations += 1;
        self.lines = 0;
        self.file = append(&self.path)?;
        Ok(())
    }

    fn rotated(&self, number: u32) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{number}"));
        PathBuf::from(name)
    }
}

fn append(path: &Path) -> io::Result<BufWriter<File>> {
    Ok(BufWriter::new(OpenOptions::new().create(true).append(true).open(path)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;

    #[test]
    fn what_is_counted_is_what_stands_in_the_files() {
        let folder = tempfile::tempdir().unwrap();
        let plan = Plan {
            folder: folder.path().to_owned(),
            files: 2,
            lines: 1_000,
            rate: 0,
            levels: vec![("INFO".into(), 3), ("ERROR".into(), 1)],
            broken_permille: 20,
            rotate_lines: 150,
            seed: 1,
        };
        let written = generate(&plan, &SystemClock, |_| {}).unwrap();
        let mut text = String::new();
        for file in std::fs::read_dir(folder.path()).unwrap() {
            text.push_str(&std::fs::read_to_string(file.unwrap().path()).unwrap());
        }
        let errors = text.lines().filter(|line| line.contains("\"level\":\"ERROR\"") && line.ends_with('}'));
        assert_eq!(text.lines().count(), 1_000);
        assert_eq!(errors.count() as u64, written.levels["ERROR"]);
        assert_eq!(written.levels.values().sum::<u64>() + written.broken, 1_000);
        assert!(folder.path().join("app-1.log.3").exists());
    }
}
