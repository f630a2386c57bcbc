//! What a pass over a table costs that has a hundred thousand commits and as many streams behind it, beside one over a
//! table that is new. The history is made cheaply: entries of no content up to a checkpoint that holds the cursors.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use logsmith::central::run_once;
use logsmith::clock::Clock;
use logsmith::config::Central;
use logsmith::table::{Cursor, Snapshot, log};

use super::requests::{Counted, Requests};
use super::{Lake, Noon, batch};

/// A pass that folds a hundred rows into such a table takes so many seconds at most.
const SECONDS_MAX: f64 = 3.0;

/// Entries after the last checkpoint.
const RECENT: u64 = 20;

/// Folds a hundred rows into a table of so many commits and streams; whether that was fast enough.
pub async fn is_fast_enough(commits: u64) -> bool {
    let (new, of_new) = pass(0).await;
    let (took, requests) = pass(commits).await;
    println!(
        "a pass over {commits} commits and as many streams: {took:.2} s (at most {SECONDS_MAX}), {requests}; over a new \
         table {new:.2} s, {of_new}"
    );
    let gets = |requests: &Requests| requests.gets.load(Ordering::Relaxed);
    // The entries since the checkpoint are read by each step of the pass, and no others.
    gets(&requests) <= gets(&of_new) + 10 * RECENT && took <= SECONDS_MAX
}

async fn pass(commits: u64) -> (f64, Requests) {
    let folder = tempfile::tempdir().unwrap();
    let mut lake = Lake::new(folder.path(), 0, 1).await;
    if commits > 0 {
        age(&lake, commits).await;
    }
    lake.put(batch(100)).await;
    let requests = Arc::new(Requests::default());
    let counted = Arc::clone(&requests);
    let place = lake.config.place.clone().through(|inner| Arc::new(Counted { inner, requests: counted }));
    // Views would be up to date; they are not part of this.
    let config = Central { place, views: Vec::new(), ..lake.config.clone() };
    let started = Instant::now();
    let report = run_once(&config, &Noon).await.unwrap();
    let took = started.elapsed().as_secs_f64();
    assert!(report.is_whole() && report.folded.tables["web"].rows == 100, "{report}");
    drop((config, lake));
    (took, Arc::try_unwrap(requests).unwrap())
}

async fn age(lake: &Lake, commits: u64) {
    let silver = lake.config.place.join("silver/web");
    let stream = |n: u64| {
        let (host, table_id) = (format!("host-{n}"), "t".to_owned());
        let digest = Cursor::StreamDigest { host: host.clone(), table_id: table_id.clone() };
        [Cursor::Stream { host, table_id }.at(7), digest.at(n as i64)]
    };
    let mut actions: Vec<_> = (0..commits).flat_map(stream).collect();
    actions.push(log::commit_info("WRITE", serde_json::json!({}), Noon.now()));
    let version = Snapshot::load(&silver).await.unwrap().unwrap().version().next();
    let _ = log::append(&silver, version, &actions).await.unwrap();
    Snapshot::load(&silver).await.unwrap().unwrap().checkpoint().await.unwrap();
    let entries = silver.folder().unwrap().join("_delta_log");
    let of = |version: u64, kind: &str| entries.join(format!("{version:020}.{kind}"));
    let last = commits - RECENT;
    fs::rename(of(version.0, "checkpoint.parquet"), of(last, "checkpoint.parquet")).unwrap();
    fs::write(entries.join("_last_checkpoint"), format!("{{\"version\":{last},\"size\":{commits}}}"))
        .unwrap();
    let empty = serde_json::to_string(&log::commit_info("WRITE", serde_json::json!({}), Noon.now())).unwrap();
    for version in version.0 + 1..=commits {
        fs::write(of(version, "json"), &empty).unwrap();
    }
}
