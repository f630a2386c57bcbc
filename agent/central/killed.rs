//! Passes that are killed at their edges, over and over, in processes of their own.

use arrow::util::pretty::pretty_format_batches;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};

use super::*;
use crate::compact::fake_host::{DAY, FakeHost, Noon, Row, lake};
use crate::config::View;
use crate::query;
use crate::store::Place;

fn view(name: &str, sql: &str) -> View {
    View { name: name.into(), sql: sql.into(), hash_partitions: 1, keep: None }
}

const VICTIM_LAKE: &str = "LOGSMITH_TEST_LAKE";

/// So few that a slice is one file.
const VICTIM_SLICE_BYTES: i64 = 1;

fn counted() -> Vec<View> {
    vec![
        view("levels", "SELECT level, count(*) AS n, sum(ms) AS ms FROM web GROUP BY level"),
        view("hours", "SELECT date_trunc('hour', ingested_at) AS hour, count(*) AS n FROM web GROUP BY 1"),
        view("days", "SELECT date_trunc('day', hour) AS day, sum(n) AS n FROM gold.hours GROUP BY 1"),
    ]
}

#[tokio::test]
#[ignore = "a process of its own for the test below"]
async fn victim() {
    let Ok(folder) = std::env::var(VICTIM_LAKE) else { return };
    let place = Place::local(std::path::Path::new(&folder)).unwrap();
    let config = Central {
        place,
        options: Default::default(),
        views: counted(),
        renames: Vec::new(),
        retentions: Vec::new(),
        running: Default::default(),
    };
    rounds(&config, &Noon, OBJECTS_MAX, VICTIM_SLICE_BYTES).await.unwrap();
}

fn victim_until(edge: &str, folder: &std::path::Path) -> std::process::Output {
    std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "central::killed::victim", "--ignored"])
        .env(VICTIM_LAKE, folder)
        .env("LOGSMITH_KILL_AT", edge)
        .output()
        .unwrap()
}

/// Runs a pass of the victim, and asserts that it was killed there.
fn kill_at(edge: &str, folder: &std::path::Path) {
    let killed = victim_until(edge, folder);
    let signal = std::os::unix::process::ExitStatusExt::signal(&killed.status);
    assert_eq!(signal, Some(6), "{edge}: {killed:?}");
}

#[tokio::test]
async fn new_views_over_old_silver_go_on_where_a_kill_left_them() {
    let (folder, mut config) = lake(Vec::new());
    let mut host = FakeHost::new(&config, "a");
    for day in 0..6 {
        host.put(&[Row::at(DAY + day * 86_400_000_000, "info", 1), Row::at(DAY, "warn", 2)]).await;
        run_once(&config, &Noon).await.unwrap();
    }
    config.views = counted();
    let state = async |view: &str| {
        let state = crate::table::Snapshot::load(&config.place.join("state").join(view)).await.unwrap();
        state.map_or(0, |state| state.version().0 + 1)
    };
    // One slice is one file of 7; the first view gets one, then the second one.
    for kill in 1..=5 {
        kill_at("after-state-commit", folder.path());
        assert_eq!((state("levels").await, state("hours").await), (kill, 0));
        assert!(config.place.join("gold").list().await.unwrap().is_empty(), "not yet complete");
        host.put(&[Row::at(DAY + kill as i64, "info", 1), Row::at(DAY, "warn", 2)]).await;
    }
    for edge in ["after-gold-commit", "before-delete", "mid-delete"] {
        host.put(&[Row::at(DAY, "info", 1), Row::at(DAY, "warn", 2)]).await;
        kill_at(edge, folder.path());
    }
    run_once(&config, &Noon).await.unwrap();
    let context = query::session(query::discover(&config.place).await.unwrap()).await.unwrap();
    for sql in [
        "SELECT count(*), count(DISTINCT offset) FROM silver.web",
        "SELECT sum(n), sum(ms) * 2 / 3 FROM gold.levels",
        "SELECT sum(n) AS n, sum(n) AS m FROM gold.hours",
    ] {
        let answer = query::run(&context, sql).await.unwrap();
        let text = pretty_format_batches(&answer).unwrap().to_string();
        assert!(text.contains("| 28 ") && text.matches("28 ").count() == 2, "{sql}: {text}");
    }
}

/// As the model of Gold's tests tries it in memory: here one landing for each two hundred there, fifty for ten thousand.
#[tokio::test]
async fn any_order_kill_and_duplicate_gives_the_same_gold_through_real_tables() {
    let edges =
        ["after-silver-commit", "after-state-commit", "after-gold-commit", "before-delete", "mid-delete"];
    for seed in 0..gold::model_cases().div_ceil(200) {
        let random = &mut StdRng::seed_from_u64(seed);
        let (folder, mut config) = lake(Vec::new());
        config.views = counted();
        let mut objects = Vec::new();
        for host in ["a", "b", "c"].into_iter().take(random.random_range(1..4)) {
            let mut host = FakeHost::new(&config, host);
            for _ in 0..random.random_range(1..6) {
                let mut time = || DAY + random.random_range(-30..30_i64) * 3_600_000_000;
                let rows = [Row::at(time(), "info", 1), Row::at(time(), "warn", 2)];
                let batch = host.batch(&rows);
                let (name, bytes) = host.object(&batch, &host.footer(1, 1));
                host.advance(&name);
                objects.push((name.to_string(), bytes));
            }
        }
        let all = objects.len() as u64;
        let again = objects[random.random_range(0..objects.len())].clone();
        objects.push(again);
        objects.shuffle(random);
        while !objects.is_empty() {
            for (name, bytes) in objects.split_off(objects.len() - random.random_range(1..=objects.len())) {
                let _ = config.place.put_new(&name, bytes).await.unwrap();
            }
            match edges.get(random.random_range(0..9)) {
                // Nothing to do may be what there is to do: then nobody gets there.
                Some(edge) => drop(victim_until(edge, folder.path())),
                None => drop(rounds(&config, &Noon, random.random_range(1..9), 1).await.unwrap()),
            }
        }
        let report = run_once(&config, &Noon).await.unwrap();
        assert!(
            report.is_whole() && config.place.join("landing").list().await.unwrap().is_empty(),
            "{report}"
        );
        let context = query::session(query::discover(&config.place).await.unwrap()).await.unwrap();
        for (shown, direct) in [
            (
                "SELECT level, n, ms FROM gold.levels ORDER BY 1",
                "SELECT level, count(*) AS n, sum(ms) AS ms FROM web GROUP BY level ORDER BY 1",
            ),
            (
                "SELECT hour, n FROM gold.hours ORDER BY 1",
                "SELECT date_trunc('hour', ingested_at) AS hour, count(*) AS n FROM web GROUP BY 1 ORDER BY 1",
            ),
            (
                "SELECT sum(n) AS n FROM gold.days",
                "SELECT count(DISTINCT concat(host, offset)) AS n FROM web",
            ),
        ] {
            let answer = async |sql| {
                pretty_format_batches(&query::run(&context, sql).await.unwrap()).unwrap().to_string()
            };
            assert_eq!(answer(shown).await, answer(direct).await, "seed {seed}");
        }
        let rows = query::run(&context, "SELECT * FROM web").await.unwrap();
        assert_eq!(rows.iter().map(|batch| batch.num_rows() as u64).sum::<u64>(), 2 * all, "seed {seed}");
    }
}

#[tokio::test]
async fn a_pass_killed_at_any_edge_is_finished_by_the_next() {
    let (folder, mut config) = lake(Vec::new());
    config.views = counted();
    let mut hosts = ["a", "b"].map(|host| FakeHost::new(&config, host));
    let edges =
        ["after-silver-commit", "after-state-commit", "after-gold-commit", "before-delete", "mid-delete"];
    for (n, edge) in (0..).zip(edges.into_iter().chain(edges)) {
        for host in &mut hosts {
            host.put(&[Row::at(DAY + n * 3_600_000_000, "info", 1), Row::at(DAY, "warn", 2)]).await;
        }
        kill_at(edge, folder.path());
    }
    let report = run_once(&config, &Noon).await.unwrap();
    assert!(report.views.iter().all(|view| view.result.is_ok()), "{report:?}");
    assert!(report.folded.tables.values().all(|table| table.quarantined.is_empty()));
    assert!(config.place.join("landing").list().await.unwrap().is_empty());
    let context = query::session(query::discover(&config.place).await.unwrap()).await.unwrap();
    for sql in [
        "SELECT count(*), count(DISTINCT host || offset) FROM silver.web",
        "SELECT sum(n), sum(ms) * 2 / 3 FROM gold.levels",
        "SELECT sum(n) AS n, sum(n) AS m FROM gold.hours",
    ] {
        let answer = query::run(&context, sql).await.unwrap();
        let text = pretty_format_batches(&answer).unwrap().to_string();
        assert!(text.contains("| 40 ") && text.matches("40 ").count() == 2, "{sql}: {text}");
    }
}
