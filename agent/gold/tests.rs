mod kept;
mod layered;
pub(super) mod model;
mod replayed;
mod slices;

use std::collections::BTreeMap;

use arrow::array::AsArray;
use arrow::datatypes::Float64Type;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use deltalake::datafusion::prelude::SessionContext;

use super::*;
use crate::compact::fake_host::{DAY, FakeHost, HOUR, Noon, Row, lake};
use crate::compact::{compact, delete};
use crate::config::{Days, Retention};
use crate::query;

fn view(name: &str, sql: &str) -> View {
    View { name: name.into(), sql: sql.into(), hash_partitions: 1, keep: None }
}

/// Views of every kind that is kept.
fn views() -> Vec<View> {
    let mut views = vec![
        view("levels", "SELECT level AS log_level, count(*) AS log_count FROM silver.web GROUP BY level"),
        view(
            "hours",
            "SELECT date_trunc('hour', ingested_at) AS hour, level, count(*) AS n, sum(ms) AS total, min(ms) AS low, \
             max(size) AS high, avg(ms) AS mean FROM web GROUP BY 1, 2",
        ),
        view(
            "quarters",
            "SELECT date_bin(interval '15 minutes', ingested_at) AS start, \
             count(*) FILTER (WHERE level = 'error') AS errors, \
             100.0 * count(*) FILTER (WHERE level = 'error') / count(*) AS percent FROM web \
             WHERE ms > 2 GROUP BY start HAVING count(*) > 1 ORDER BY start",
        ),
        view(
            "total",
            "SELECT count(*) AS n, sum(size) AS bytes, max(level) AS last, count(level) AS known FROM web",
        ),
        view(
            "days",
            "SELECT date AS day, host, upper(level) AS level, avg(size) + 1 AS mean FROM web \
             GROUP BY date, host, level",
        ),
        view(
            "unknown_days",
            "SELECT date_trunc('day', CASE WHEN level = 'warn' THEN ingested_at END) AS day, count(*) AS n FROM web \
             GROUP BY 1",
        ),
        view(
            "nested",
            "WITH slow AS (SELECT host, ms * 2 AS twice FROM silver.web WHERE ms > 3) \
             SELECT host, CASE WHEN twice > 20 THEN 'slow' ELSE 'ok' END AS class, count(*) AS n, \
             max(twice) - min(twice) AS spread FROM slow GROUP BY 1, 2",
        ),
    ];
    views.push(view(
        "spread",
        "SELECT host, stddev(ms) AS deviation, stddev_pop(size) AS population, var(ms) AS variance, \
         var_pop(size) AS spread, bool_and(ms > 1) AS all_slow, bool_or(level = 'error') AS any_error, \
         stddev(ms) FILTER (WHERE level = 'warn') AS of_warnings FROM web GROUP BY host",
    ));
    views.push(view(
        "ends",
        "SELECT host, date_trunc('day', ingested_at) AS day, first_value(level ORDER BY ingested_at) AS first, \
         last_value(ms ORDER BY ingested_at, \"offset\") AS last, last_value(level ORDER BY ingested_at) AS state \
         FROM web GROUP BY 1, 2",
    ));
    views.push(view(
        "sketches",
        "SELECT date_trunc('day', ingested_at) AS day, approx_distinct(\"offset\") AS lines, \
         approx_distinct(level) AS levels FROM web GROUP BY 1",
    ));
    views.push(View {
        name: "hashed".into(),
        sql: "SELECT ms, level, count(*) AS n, min(ingested_at) AS first FROM web GROUP BY ms, level".into(),
        hash_partitions: 4,
        keep: None,
    });
    views
}

/// The rows of a query as text, sorted; floats to six digits, since the order of a sum is free.
async fn rows(context: &SessionContext, sql: &str) -> Vec<String> {
    let options = FormatOptions::default().with_null("null");
    let mut rows = Vec::new();
    for batch in query::run(context, sql).await.unwrap() {
        let columns: Vec<_> =
            batch.columns().iter().map(|column| ArrayFormatter::try_new(column, &options).unwrap()).collect();
        for row in 0..batch.num_rows() {
            let text = |column: &ArrayFormatter<'_>| {
                let value = column.value(row).to_string();
                value.parse::<f64>().map_or(value, |number| format!("{number:.6}"))
            };
            rows.push(columns.iter().map(text).collect::<Vec<_>>().join(" | "));
        }
    }
    rows.sort();
    rows
}

async fn assert_views_equal_direct_sql(config: &Central) {
    for report in update(config, &Noon).await {
        assert!(report.result.unwrap().silver.is_some());
    }
    let context = query::session(query::discover(&config.place).await.unwrap()).await.unwrap();
    for view in &config.views {
        let gold = context.table(format!("gold.{}", view.name)).await.unwrap();
        let names = gold.schema().fields().iter().map(|field| field.name().as_str());
        let names: Vec<&str> = names.filter(|name| !["date", "bucket"].contains(name)).collect();
        let shown = rows(&context, &format!("SELECT {} FROM gold.{}", names.join(", "), view.name)).await;
        assert_eq!(shown, rows(&context, &view.sql).await, "view {}", view.name);
    }
}

async fn fold(config: &Central) {
    let report = compact(config, &Noon).await.unwrap();
    delete(&config.place, report.consumed).await.unwrap();
}

/// The data files of a table by partition value.
async fn files(config: &Central, table: &str) -> BTreeMap<Option<String>, String> {
    let snapshot = Snapshot::load(&config.place.join(table)).await.unwrap().unwrap();
    let files = snapshot.files().unwrap();
    let key = |file: &deltalake::kernel::Add| file.partition_values.values().next().cloned().flatten();
    files.into_iter().map(|file| (key(&file), file.path)).collect()
}

#[tokio::test]
async fn views_equal_direct_sql_after_each_run_with_late_rows() {
    let (_folder, config) = lake(views());
    let mut hosts: Vec<_> = ["a", "b"].map(|host| FakeHost::new(&config, host)).into();
    let levels = ["info", "warn", "error", "info"];
    let mut merged = 0;
    for round in 0..4_i64 {
        for (index, host) in hosts.iter_mut().enumerate() {
            let mut rows: Vec<Row> = (0..40_i64)
                .map(|n| {
                    let late = if n % 7 == 0 { -9 * 24 * HOUR } else { 0 };
                    let time = DAY + round * 10 * HOUR + late + n * HOUR / 8;
                    Row::at(time, levels[(n as usize + index) % 4], (n * 3 + round) % 11)
                })
                .collect();
            rows[3].level = None;
            rows[4].ms = None;
            host.put(&rows).await;
        }
        fold(&config).await;
        merged += crate::compact::merge(&config, "web", &Noon).await.unwrap();
        assert_views_equal_direct_sql(&config).await;
    }
    assert!(merged > 0);
    let again = update(&config, &Noon).await;
    for report in again {
        let update = report.result.unwrap();
        assert_eq!((update.slices, update.shown), (0, 0), "{}", report.view);
    }
}

#[tokio::test]
async fn percentiles_stay_within_their_own_error_however_the_rows_came() {
    let sql = "SELECT level, approx_percentile_cont(0.95) WITHIN GROUP (ORDER BY ms) AS p95, \
               approx_percentile_cont(ms, 0.5) AS p50 FROM web GROUP BY level";
    let (_folder, config) = lake(vec![view("latency", sql)]);
    let mut hosts: Vec<_> = ["a", "b"].map(|host| FakeHost::new(&config, host)).into();
    for round in 0..6_i64 {
        for (index, host) in hosts.iter_mut().enumerate() {
            // All of 0 to 11,999, each once, in no order.
            let ms = (0..1_000).map(|n| ((n * 12 + round * 2 + index as i64) * 7_919) % 12_000);
            host.put(&ms.map(|ms| Row::at(DAY, "info", ms)).collect::<Vec<_>>()).await;
        }
        fold(&config).await;
        for report in update(&config, &Noon).await {
            report.result.unwrap();
        }
    }
    // Half of the rows are replaced by the same ones.
    let ms = (0..6_000).map(|n| ((n / 1_000 * 2 + n % 1_000 * 12) * 7_919) % 12_000);
    hosts[0].replace(&ms.map(|ms| Row::at(DAY, "info", ms)).collect::<Vec<_>>(), (1, 6), (DAY, DAY)).await;
    fold(&config).await;
    assert_eq!(update(&config, &Noon).await.remove(0).result.unwrap().slices, 1);
    let answer = query::answer(&config.place, "SELECT p95, p50 FROM gold.latency").await.unwrap();
    let value = |column| answer[0].column(column).as_primitive::<Float64Type>().value(0);
    assert!((11_280.0..=11_520.0).contains(&value(0)), "95 of 100 are below {}", value(0));
    assert!((5_880.0..=6_120.0).contains(&value(1)), "half are below {}", value(1));
}

#[tokio::test]
async fn only_touched_partitions_are_rewritten() {
    let (_folder, config) = lake(views());
    let mut host = FakeHost::new(&config, "a");
    let days: Vec<Row> = (0..5).map(|day| Row::at(DAY + day * 24 * HOUR, "info", day)).collect();
    host.put(&days).await;
    fold(&config).await;
    update(&config, &Noon).await;
    let tables = ["state/hours", "gold/hours", "state/hashed", "gold/hashed"];
    let mut before = Vec::new();
    for table in tables {
        before.push(files(&config, table).await);
    }
    assert_eq!(before[0].len(), 5);
    assert!(before[0].contains_key(&Some("2026-11-22".into())), "{:?}", before[0]);
    // A late row for the third day, of a group that is there.
    host.put(&[Row::at(DAY + 2 * 24 * HOUR, "info", 2)]).await;
    fold(&config).await;
    let reports = update(&config, &Noon).await;
    let hours = reports.iter().find(|r| r.view == "hours").unwrap().result.as_ref().unwrap();
    assert_eq!((hours.slices, hours.partitions, hours.shown), (1, 1, 1));
    for (table, before) in tables.iter().zip(before) {
        let after = files(&config, table).await;
        let changed: Vec<_> = before.iter().filter(|(key, path)| after.get(*key) != Some(*path)).collect();
        assert_eq!((changed.len(), after.len()), (1, before.len()), "{table}");
    }
    assert_views_equal_direct_sql(&config).await;
}

#[tokio::test]
async fn gold_is_made_again_from_the_state_after_a_crash_between_their_commits() {
    let (folder, config) = lake(views());
    let mut host = FakeHost::new(&config, "a");
    host.put(&[Row::at(DAY, "info", 1), Row::at(DAY + 24 * HOUR, "warn", 2)]).await;
    fold(&config).await;
    update(&config, &Noon).await;
    host.put(&[Row::at(DAY, "info", 5)]).await;
    fold(&config).await;
    for view in &config.views {
        let source = config.place.join(SILVER).join("web");
        let silver = Snapshot::load(&source).await.unwrap().unwrap();
        let input = Input::Silver(silver.schema().unwrap().as_ref().clone());
        let plan = ViewPlan::new(view, &config.views, input).await.unwrap();
        let slots = Slots::find(&config.place, &view.name, &plan.fingerprint()).await.unwrap();
        let gold = config.place.join(GOLD).join(&view.name);
        let (clock, slice_bytes) = (&Noon, SLICE_BYTES);
        let run = Run { view, source, slot: &slots.own, gold, clock, slice_bytes };
        let advanced = Step::Advanced { partitions: 1, sealed: 0, is_last: true };
        assert_eq!(state::advance(&run, &plan, &silver).await.unwrap(), advanced);
    }
    assert_views_equal_direct_sql(&config).await;
    // A Gold table that is lost is made again too.
    std::fs::remove_dir_all(folder.path().join("gold/hours")).unwrap();
    assert_views_equal_direct_sql(&config).await;
}

#[tokio::test]
async fn a_changed_view_is_counted_anew() {
    let (_folder, mut config) = lake(views());
    let mut host = FakeHost::new(&config, "a");
    host.put(&[Row::at(DAY, "info", 1), Row::at(DAY + 24 * HOUR, "warn", 2)]).await;
    fold(&config).await;
    update(&config, &Noon).await;
    let day = "SELECT date_trunc('day', ingested_at) AS day, max(ms) AS high FROM web GROUP BY 1";
    config.views =
        vec![view("levels", day), view("hours", "SELECT host, count(*) AS n FROM web GROUP BY host")];
    assert_views_equal_direct_sql(&config).await;
    host.put(&[Row::at(DAY + 24 * HOUR, "warn", 7)]).await;
    fold(&config).await;
    assert_views_equal_direct_sql(&config).await;
}

#[tokio::test]
async fn two_runs_at_once_count_every_row_once() {
    for _ in 0..2 {
        let (_folder, config) = lake(views());
        let mut host = FakeHost::new(&config, "a");
        for n in 0..3 {
            host.put(&[Row::at(DAY + n * HOUR, "info", n), Row::at(DAY + 24 * HOUR, "warn", 2)]).await;
            fold(&config).await;
            let (first, second) = tokio::join!(update(&config, &Noon), update(&config, &Noon));
            for report in first.into_iter().chain(second) {
                report.result.unwrap();
            }
        }
        assert_views_equal_direct_sql(&config).await;
    }
}

#[tokio::test]
async fn a_state_that_counts_another_silver_table_is_refused() {
    let (folder, config) = lake(vec![view("levels", "SELECT level, count(*) AS n FROM web GROUP BY level")]);
    let mut host = FakeHost::new(&config, "a");
    host.put(&[Row::at(DAY, "info", 1)]).await;
    fold(&config).await;
    update(&config, &Noon).await;
    std::fs::remove_dir_all(folder.path().join("silver")).unwrap();
    let error = update(&config, &Noon).await.remove(0).result.unwrap_err().to_string();
    assert!(error.contains("but no table is there. Restore the Silver table"), "{error}");
    let mut host = FakeHost::new(&config, "b");
    host.put(&[Row::at(DAY, "info", 1)]).await;
    fold(&config).await;
    let error = update(&config, &Noon).await.remove(0).result.unwrap_err();
    assert!(matches!(error, GoldError::OtherSilver { .. }), "{error}");
    assert!(error.to_string().contains("remove state/levels and gold/levels"), "{error}");
}

#[tokio::test]
async fn what_cannot_be_kept_is_refused_with_the_reason() {
    let (_folder, config) = lake(Vec::new());
    FakeHost::new(&config, "a").put(&[Row::at(DAY, "info", 1)]).await;
    fold(&config).await;
    let schema = silver_columns(&config.place, "web").await.unwrap().unwrap();
    let cases = [
        ("SELECT level FROM web", "it must group rows"),
        ("SELECT count(*) AS n FROM web, web b", "without joins"),
        ("SELECT count(*) AS n FROM web JOIN web b ON web.ms = b.ms", "without joins"),
        (
            "SELECT count(*) AS n FROM (SELECT w.ms FROM web w JOIN web b ON w.ms = b.ms)",
            "a join cannot be kept",
        ),
        ("SELECT level, count(*) AS n FROM web GROUP BY level LIMIT 3", "LIMIT"),
        ("SELECT DISTINCT level FROM web", "DISTINCT"),
        ("SELECT count(DISTINCT level) AS n FROM web", "count(DISTINCT ...) would keep every value"),
        ("SELECT median(ms) AS m FROM web", "median is not kept; count, sum, min, max, avg, stddev"),
        ("SELECT first_value(ms) AS m FROM web", "write first_value(column ORDER BY ingested_at)"),
        ("SELECT sum(ms ORDER BY ms) AS m FROM web", "sum with ORDER BY is not kept"),
        ("SELECT array_agg(ms) AS m FROM web", "array_agg is not kept"),
        ("SELECT level, sum(count(*)) OVER () AS n FROM web GROUP BY level", "a window function"),
        ("SELECT count(*) AS n FROM web WHERE ms > (SELECT avg(ms) FROM web)", "subquery"),
        ("SELECT count(*) AS n FROM web WHERE ingested_at > now()", "now() gives another value tomorrow"),
        ("SELECT level, host, count(*) AS n FROM web GROUP BY CUBE(level, host)", "grouping sets"),
        ("SELECT max(n) AS m FROM (SELECT count(*) AS n FROM web GROUP BY level)", "it groups groups"),
        ("SELECT count(*) AS n FROM web UNION ALL SELECT count(*) FROM web", "it must be one SELECT"),
        ("SELECT level, count(*) FROM web GROUP BY level", "name it with AS"),
        ("SELECT date, count(*) AS n FROM web GROUP BY date", "partition column's name"),
        ("SELECT nothing, count(*) AS n FROM web GROUP BY nothing", "nothing"),
        ("SELECT count(*) AS n FROM gold.levels", "it reads `gold.levels`, which is no view"),
        ("DELETE FROM web", "it is no query"),
        ("SELEC level", "SELEC"),
    ];
    for (sql, reason) in cases {
        let error = check(&view("v", sql), &[], Some(&schema)).await.unwrap_err().to_string();
        assert!(error.contains(reason), "{sql}: {error}");
    }
    let kept = check(&views()[1], &[], Some(&schema)).await.unwrap();
    assert_eq!(kept.partitions.as_deref(), Some("a partition for each UTC day"));
    assert_eq!(kept.columns.first(), Some(&("hour".to_owned(), r#"Timestamp(µs, "UTC")"#.to_owned())));
    let unknown = check(&views()[1], &[], None).await.unwrap();
    assert_eq!((unknown.table.as_str(), unknown.partitions), ("web", None));
}

#[tokio::test]
async fn a_view_without_its_table_waits() {
    let (_folder, config) = lake(views());
    for report in update(&config, &Noon).await {
        assert_eq!(report.result.unwrap(), ViewUpdate::default());
    }
    assert!(config.place.list().await.unwrap().is_empty());
}
