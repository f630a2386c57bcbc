//! A plugin that stays within the letter of its limits, call after call, costs its own pipeline time and nobody memory.

use std::time::Duration;

use arrow::array::RecordBatch;
use logsmith::transform::{DeadKind, Limits, Plugin, Verdicts};
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};

use crate::engine::{ENGINE, batch, hostile};

fn open(config: &Value, limits: Limits) -> Plugin {
    Plugin::open(&ENGINE, &hostile(), config, &batch(&[]).schema(), limits).expect("the plugin opens")
}

/// That all hundred rows of a batch without poison came through at the first attempt.
#[track_caller]
fn assert_whole(verdicts: &Verdicts) {
    assert_eq!((verdicts.source_rows.len(), verdicts.instances_discarded), (100, 0), "{:?}", verdicts.dead);
}

fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap(), u32::try_from(time.tv_nsec).unwrap())
}

/// Just under the deadline each time is within the deadline: no row dies of it, and none is tried twice.
#[test]
fn a_slow_loris_is_slow_and_nothing_else() {
    const TURNS: u64 = 50_000_000;
    let generous = Limits { call_cpu_time_max: Duration::from_secs(60), ..Limits::default() };
    let mut measured = open(&json!({"crime": "loris", "turns": TURNS}), generous);
    let begun = cpu_time();
    assert_whole(&measured.apply(&batch(&[])).expect("the engine lives"));
    let call = cpu_time().saturating_sub(begun);
    // Some tenths short of it, since the clock of a shared machine is not even.
    let deadline = Duration::from_millis(200);
    let turns = (TURNS as f64 * 0.6 * deadline.as_secs_f64() / call.as_secs_f64()) as u64;
    let limits = Limits {
        call_cpu_time_max: deadline,
        row_cpu_time_max: Duration::ZERO,
        fault_cpu_time_max: Duration::from_secs(1),
        ..Limits::default()
    };
    let mut plugin = open(&json!({"crime": "loris", "turns": turns}), limits.clone());
    for _ in 0..10 {
        assert_whole(&plugin.apply(&batch(&[])).expect("the engine lives"));
    }
    // And a test that can fail: three times as slow is over it.
    let over = open(&json!({"crime": "loris", "turns": turns * 3}), limits).apply(&batch(&[]));
    let said = over.expect_err("it is broken").to_string();
    assert!(said.contains("no end after 200ms of CPU time"), "{said}");
}

/// What this process holds in memory, bytes.
fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

/// Ten gigabytes, if any instance lived on.
#[test]
fn memory_that_creeps_goes_with_each_batch() {
    let mut plugin = open(&json!({"crime": "creep"}), Limits::default());
    let input = batch(&[]);
    let mut before = 0;
    for round in 0..10_000 {
        if round == 100 {
            before = resident_bytes();
        }
        assert_whole(&plugin.apply(&input).expect("the engine lives"));
    }
    // Other tests run in this process, and hold what they hold.
    let grown = resident_bytes().saturating_sub(before);
    assert!(grown < 2 << 30, "{} MiB more after 10,000 batches", grown >> 20);
}

/// Many calls of one batch share an instance: it is replaced before it reaches its limit.
#[test]
fn memory_that_creeps_within_a_batch_is_recycled() {
    let limits = Limits { memory_bytes_max: 16 << 20, call_rows_max: 1, ..Limits::default() };
    assert_whole(&open(&json!({"crime": "creep"}), limits).apply(&batch(&[])).expect("the engine lives"));
}

fn poisoned(crime: &str) -> Verdicts {
    let input: RecordBatch = batch(&[3]);
    open(&json!({"crime": crime}), Limits::default()).apply(&input).expect("the engine lives")
}

/// Eight megabytes of messages in one call: most are dropped, and no row is lost for them.
#[test]
fn a_flood_of_messages_harms_no_row() {
    assert_whole(&poisoned("babble"));
}

#[test]
fn a_flood_of_rejects_condemns_the_row_that_set_it_off() {
    let verdicts = poisoned("reject_flood");
    let dead: Vec<_> = verdicts.dead.iter().map(|dead| (dead.row, dead.kind)).collect();
    assert_eq!(dead, [(3, DeadKind::InvalidOutput)]);
    assert_eq!(verdicts.source_rows.len(), 99);
    assert!(verdicts.dead[0].reason.len() < 1_100, "{}", verdicts.dead[0].reason);
}
