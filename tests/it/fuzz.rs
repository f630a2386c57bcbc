//! Whatever a plugin answers, and whatever a line holds, each row is settled once and nothing else happens: tried with
//! the seeds of `tests/fuzz` and with some thousand mutations of them. `tests/fuzz/run` looks longer, and for new ways.

use std::fs;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use logsmith::secrets;
use logsmith::transform::{self, DeadKind, Limits, Plugin, PluginSource};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

use crate::engine::ENGINE;
use crate::support::component;

#[path = "../fuzz/src/answers.rs"]
mod answers;
#[path = "../fuzz/src/cases.rs"]
mod cases;

/// Whatever a plugin answers, the host lives.
#[test]
fn no_answer_is_too_hostile() {
    let mut puppets = answers::Puppets::open(&ENGINE, &component("hostile"));
    for scripts in inputs("answers", 2_000) {
        puppets.check(&scripts);
    }
}

/// Whatever a line holds, no shipped plugin traps on it, stays with it, or answers what the host refuses.
#[test]
fn no_line_is_too_hostile() {
    let files = inputs("parsers", 2_000);
    let records: Vec<_> = files.iter().flat_map(|file| cases::records(file)).collect();
    let batch = bronze(&records);
    for (plugin, config) in cases::CASES {
        let source = PluginSource::Builtin((*plugin).into());
        let config = serde_json::from_str(config).unwrap();
        let mut opened = Plugin::open(&ENGINE, &source, &config, &batch.schema(), Limits::default()).unwrap();
        let verdicts = opened.apply(&batch).unwrap();
        for dead in verdicts.dead {
            let line = &records[dead.row as usize].line;
            assert_eq!(dead.kind, DeadKind::Rejected, "{plugin} {config}: {}: {line:?}", dead.reason);
        }
    }
}

/// A plugin that is new gets its case.
#[test]
fn each_shipped_plugin_has_a_case() {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("plugins/dist");
    for path in fs::read_dir(shipped).unwrap().map(|entry| entry.unwrap().path()) {
        let plugin = path.file_stem().unwrap().to_str().unwrap();
        let is_case = cases::CASES.iter().any(|(name, _)| *name == plugin);
        assert!(is_case || plugin == "MANIFEST", "{plugin}");
    }
}

/// The seeds of a target, and so many mutations of them: the same each time.
fn inputs(target: &str, mutations: usize) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/seeds").join(target);
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let mut inputs: Vec<_> = paths.iter().map(|path| fs::read(path).unwrap()).collect();
    let seeds = inputs.clone();
    let mut random = StdRng::seed_from_u64(4);
    inputs.extend((0..mutations).map(|_| mutation(&seeds, &mut random)));
    inputs
}

/// A seed with up to eight places changed.
fn mutation(seeds: &[Vec<u8>], random: &mut StdRng) -> Vec<u8> {
    let mut input = seeds.choose(random).unwrap().clone();
    for _ in 0..random.random_range(1..=8) {
        let place = part(&input, random);
        match random.random_range(0..4) {
            0 => drop(input.drain(place)),
            1 => input.insert(place.start, random.random()),
            2 => input[place].fill(random.random()),
            _ => {
                let other = seeds.choose(random).unwrap();
                input.splice(place, other[part(other, random)].iter().copied());
            }
        }
    }
    input
}

/// Up to eight bytes.
fn part(of: &[u8], random: &mut StdRng) -> Range<usize> {
    let start = random.random_range(0..=of.len());
    start..(start + random.random_range(0..=8)).min(of.len())
}

fn bronze(records: &[cases::Record]) -> RecordBatch {
    let lines: ArrayRef = Arc::new(records.iter().map(|record| Some(&record.line)).collect::<StringArray>());
    let texts = |text| -> ArrayRef { Arc::new(StringArray::from(vec![text; records.len()])) };
    let raw: ArrayRef = Arc::new(records.iter().map(|record| record.raw).collect::<BinaryArray>());
    let offsets: ArrayRef =
        Arc::new(Int64Array::from_iter_values(records.iter().map(|record| record.offset)));
    let times = records.iter().map(|record| record.ingested_at);
    let times = TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC");
    RecordBatch::try_from_iter_with_nullable([
        ("line", lines.clone(), false),
        ("raw", raw, true),
        ("file", offsets.clone(), false),
        ("offset", offsets, false),
        // A path may hold anything, too.
        ("path", lines, false),
        ("source", texts("app"), false),
        ("host", texts("web-1"), false),
        ("ingested_at", Arc::new(times), false),
        ("cut_bytes", Arc::new(Int64Array::new_null(records.len())), true),
    ])
    .unwrap()
}
