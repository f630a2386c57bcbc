//! Random histories of a folder against a model of what must arrive: each line that stands in a file, in a rotated copy
//! or in a compressed one when it is scanned arrives once. A history that fails is shrunk to the steps that matter.

use super::*;
use flate2::Compression;
use flate2::write::GzEncoder;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// Rotated files that are kept.
const KEPT: usize = 3;

const HEADER_LINES: usize = 150;

/// One thing that happens. A step that cannot happen as things stand is passed over.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    /// Lines are written, in two halves; the tail reads between them.
    Append(File, usize, Between),
    /// The file is renamed, after the older ones.
    Rename(File),
    /// The file is copied, after the older ones were renamed; something happens; it is truncated.
    CopyTruncate(File, Vec<Between>),
    /// All is read; the file is truncated.
    Truncate(File),
    /// All is read; the file is deleted.
    Delete(File),
    /// All is read; another file is moved over it.
    RenameOver(File, usize),
    /// A rotated file is compressed.
    Gzip(File, usize),
    Scan,
    /// The tail hears that the files were written to.
    Look,
    /// One batch is read and committed.
    Read,
    /// One batch is read, and the process is killed before it is committed.
    Kill,
    Restart,
    Pass(i64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Between {
    Nothing,
    Scan,
    Read,
    /// So many lines; after a copy nobody has to find them.
    Append(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum File {
    App,
    Web,
    Db,
}

impl File {
    fn name(self) -> &'static str {
        match self {
            Self::App => "app.log",
            Self::Web => "web.log",
            Self::Db => "db.log",
        }
    }
}

/// What a history happens to.
#[derive(Clone, Copy, Debug)]
struct Setup {
    pattern: &'static str,
    births: Births,
    open_files_max: usize,
    batch_bytes: usize,
    beginnings: Beginnings,
}

/// How the generations of a log begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Beginnings {
    Different,
    /// With a header that is longer than what files are told by at their beginning.
    Alike,
}

fn setup(random: &mut StdRng) -> Setup {
    Setup {
        pattern: if random.random() { "*.log*" } else { "*.log" },
        births: if random.random() { Births::Known } else { Births::Unknown },
        open_files_max: random.random_range(1..6),
        batch_bytes: 1 << random.random_range(10..18),
        beginnings: match std::env::var_os("TAIL_HEADERS") {
            Some(_) => Beginnings::Alike,
            None => Beginnings::Different,
        },
    }
}

fn step(random: &mut StdRng) -> Step {
    let file = [File::App, File::Web, File::Db][random.random_range(0..3)];
    let lines = |random: &mut StdRng| {
        let most = if random.random_bool(0.05) { 5_000 } else { 30 };
        random.random_range(1..most)
    };
    let between = |random: &mut StdRng| match random.random_range(0..4) {
        0 => Between::Scan,
        1 => Between::Read,
        2 => Between::Append(random.random_range(1..30)),
        _ => Between::Nothing,
    };
    match random.random_range(0..100) {
        0..35 => {
            let between = if random.random_bool(0.3) { Between::Read } else { Between::Nothing };
            Step::Append(file, lines(random), between)
        }
        35..45 => Step::Rename(file),
        45..55 => {
            let times = random.random_range(0..3);
            Step::CopyTruncate(file, (0..times).map(|_| between(random)).collect())
        }
        55..60 => Step::Truncate(file),
        60..64 => Step::Delete(file),
        64..68 => Step::RenameOver(file, lines(random)),
        68..74 => Step::Gzip(file, random.random_range(1..=KEPT)),
        74..81 => Step::Read,
        81..86 => Step::Scan,
        86..90 => Step::Look,
        90..93 => Step::Kill,
        93..97 => Step::Restart,
        _ => Step::Pass(random.random_range(0..3)),
    }
}

struct World {
    rig: Rig,
    beginnings: Beginnings,
    /// Lines written so far, by number.
    written: usize,
    /// Lines written between a copy and its truncate: they may be lost, and may not arrive twice.
    optional: BTreeSet<usize>,
    /// Files that a commit has told of.
    known: BTreeSet<File>,
}

impl World {
    fn new(setup: Setup) -> Self {
        let mut rig = Rig::new(setup.pattern);
        rig.births = setup.births;
        rig.limits.open_files_max = setup.open_files_max;
        // Time is passed here, not waited for: the tail's clock must not run ahead of the files' birth times.
        rig.pass(-1000);
        rig.batch_bytes = setup.batch_bytes;
        rig.restart();
        Self {
            rig,
            beginnings: setup.beginnings,
            written: 0,
            optional: BTreeSet::new(),
            known: BTreeSet::new(),
        }
    }

    /// The next lines, each of its own length.
    fn lines(&mut self, count: usize) -> String {
        let numbers = self.written..self.written + count;
        self.written += count;
        numbers.map(|number| format!("{number} {}\n", "x".repeat(16 + number * 7919 % 34))).collect()
    }

    fn append(&mut self, file: File, count: usize, between: Between) {
        self.begin(file);
        let text = self.lines(count);
        let half = count * 7919 % text.len();
        self.rig.append(file.name(), &text[..half]);
        self.happen(file, between);
        self.rig.append(file.name(), &text[half..]);
    }

    /// Writes the header that all generations begin with, if this is to be one of such.
    fn begin(&mut self, file: File) {
        let is_begun = fs::metadata(self.rig.path(file.name())).is_ok_and(|metadata| metadata.len() > 0);
        if self.beginnings == Beginnings::Alike && !is_begun {
            self.rig.append(file.name(), numbered("# every generation begins with this", 0..HEADER_LINES));
        }
    }

    fn happen(&mut self, file: File, between: Between) {
        match between {
            Between::Nothing => {}
            Between::Scan => drop(self.rig.tail.scan(self.rig.now)),
            Between::Read => self.read(),
            Between::Append(count) => {
                let from = self.written;
                self.append(file, count, Between::Nothing);
                self.optional.extend(from..self.written);
            }
        }
    }

    /// Renames the rotated files, compressed or not; the oldest is deleted, after it has been read.
    fn shift(&mut self, file: File) {
        // A file of which nothing was ever committed, at a path of which nothing was, is nobody's when it is rotated away.
        if self.known.insert(file) {
            self.rig.tail.scan(self.rig.now);
            self.rig.commit(LineBatch::new(0));
        }
        for ending in ["", ".gz"] {
            let name = |generation: usize| format!("{}.{generation}{ending}", file.name());
            if self.rig.path(name(KEPT)).exists() {
                self.rig.run();
                self.rig.remove(&name(KEPT));
            }
        }
        for generation in (1..KEPT).rev() {
            for ending in ["", ".gz"] {
                let name = |generation: usize| format!("{}.{generation}{ending}", file.name());
                if self.rig.path(name(generation)).exists() {
                    self.rig.rename(&name(generation), &name(generation + 1));
                }
            }
        }
    }

    fn step(&mut self, step: &Step) {
        let stands = |world: &Self, file: &File| world.rig.path(file.name()).exists();
        match step {
            Step::Append(file, count, between) => self.append(*file, *count, *between),
            Step::Rename(file) if stands(self, file) => {
                self.shift(*file);
                self.rig.rename(file.name(), &format!("{}.1", file.name()));
            }
            Step::CopyTruncate(file, between) if stands(self, file) => {
                self.shift(*file);
                self.rig.copy(file.name(), &format!("{}.1", file.name()));
                for between in between {
                    self.happen(*file, *between);
                }
                self.rig.truncate(file.name());
            }
            Step::Truncate(file) if stands(self, file) => {
                self.rig.run();
                self.rig.truncate(file.name());
            }
            Step::Delete(file) if stands(self, file) => {
                self.rig.run();
                self.rig.remove(file.name());
            }
            Step::RenameOver(file, count) if stands(self, file) => {
                self.rig.run();
                let text = self.lines(*count);
                self.rig.append("new", text);
                self.rig.rename("new", file.name());
            }
            Step::Gzip(file, generation) => self.gzip(&format!("{}.{generation}", file.name())),
            Step::Scan => drop(self.rig.tail.scan(self.rig.now)),
            Step::Look => self.look(),
            Step::Read => self.read(),
            Step::Kill => {
                let mut batch = LineBatch::new(self.rig.batch_bytes);
                let _ = self.rig.tail.read(&mut batch, self.rig.now);
                self.rig.restart();
            }
            Step::Restart => self.rig.restart(),
            Step::Pass(seconds) => self.rig.pass(*seconds),
            _ => {}
        }
    }

    /// As gzip does it: the new file gets the old one's modification time, and then the old one is removed.
    fn gzip(&mut self, name: &str) {
        let Ok(text) = fs::read(self.rig.path(name)) else { return };
        if self.rig.path(format!("{name}.gz")).exists() {
            return;
        }
        let file = fs::File::create(self.rig.path(format!("{name}.gz"))).unwrap();
        let mut gzip = GzEncoder::new(&file, Compression::fast());
        gzip.write_all(&text).unwrap();
        gzip.finish().unwrap();
        file.set_modified(fs::metadata(self.rig.path(name)).unwrap().modified().unwrap()).unwrap();
        self.rig.remove(name);
    }

    /// As the agent does it: what a look cannot settle is left to a scan.
    fn look(&mut self) {
        let paths = [File::App, File::Web, File::Db].map(|file| self.rig.path(file.name()));
        if !self.rig.tail.look(paths.iter().map(PathBuf::as_path), self.rig.now) {
            self.rig.tail.scan(self.rig.now);
        }
    }

    fn read(&mut self) {
        let mut batch = LineBatch::new(self.rig.batch_bytes);
        let _ = self.rig.tail.read(&mut batch, self.rig.now);
        self.rig.commit(batch);
    }

    fn check(mut self) -> Result<(), String> {
        for _ in 0..5 {
            self.rig.run();
            self.rig.pass(6);
        }
        let number = |row: &Row| row.line.split(' ').next().unwrap().parse::<usize>();
        let mut numbers: Vec<usize> = self
            .rig
            .rows
            .iter()
            .filter(|row| !row.line.starts_with('#'))
            .map(|row| number(row).map_err(|_| format!("{row:?}")))
            .collect::<Result<_, _>>()?;
        numbers.sort_unstable();
        let missing = (0..self.written).filter(|number| numbers.binary_search(number).is_err());
        let lost: Vec<usize> = missing.filter(|number| !self.optional.contains(number)).collect();
        let doubled: Vec<usize> =
            numbers.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect();
        let ids: BTreeSet<(i64, i64)> = self.rig.rows.iter().map(|row| (row.file, row.offset)).collect();
        let first = |numbers: &[usize]| format!("{} {:?}", numbers.len(), &numbers[..numbers.len().min(5)]);
        if !lost.is_empty() || !doubled.is_empty() {
            let places = |row: &&Row| doubled.first().is_some_and(|n| row.line.starts_with(&format!("{n} ")));
            let places: Vec<_> =
                self.rig.rows.iter().filter(places).map(|row| (row.file, row.offset, &row.path)).collect();
            return Err(format!(
                "of {} lines lost {}, doubled {} {places:?}",
                self.written,
                first(&lost),
                first(&doubled)
            ));
        }
        (ids.len() == self.rig.rows.len()).then_some(()).ok_or_else(|| "two rows are at one place".to_owned())
    }
}

/// What is wrong with what arrived after these steps.
fn fault(setup: Setup, steps: &[Step]) -> Option<String> {
    let run = || {
        let mut world = World::new(setup);
        steps.iter().for_each(|step| world.step(step));
        world.check().err()
    };
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(run))
        .unwrap_or_else(|_| Some("it panicked".to_owned()))
}

/// Leaves out steps as long as what is left goes wrong, too.
fn shrink(setup: Setup, mut steps: Vec<Step>) -> Vec<Step> {
    let mut part = steps.len() / 2;
    while part > 0 {
        let mut at = 0;
        while at < steps.len() {
            let mut fewer = steps.clone();
            fewer.drain(at..steps.len().min(at + part));
            if fault(setup, &fewer).is_some() {
                steps = fewer;
            } else {
                at += part;
            }
        }
        part /= 2;
    }
    steps
}

/// `TAIL_SEEDS=1000 cargo test --release tail::tests::model` tries that many histories; 40 are tried by default.
/// With `TAIL_HEADERS=1` all generations begin alike; such histories come upon what `rotation.rs` leaves to chance.
#[test]
fn each_line_arrives_once_whatever_happens_to_the_files_and_the_process() {
    let seeds = std::env::var("TAIL_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(40);
    for seed in 0..seeds {
        let mut random = StdRng::seed_from_u64(seed);
        let setup = setup(&mut random);
        let steps: Vec<Step> = (0..80).map(|_| step(&mut random)).collect();
        if fault(setup, &steps).is_some() {
            let steps = shrink(setup, steps);
            let script: String = steps.iter().map(|step| format!("\n  {step:?},")).collect();
            panic!("seed {seed}, {setup:?}: {}, after{script}", fault(setup, &steps).unwrap_or_default());
        }
    }
}
