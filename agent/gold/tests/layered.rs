//! Views over views equal what one query over Silver would say, whatever changed below.

use super::*;
use crate::central::run_once;

const DAYS: i64 = 24 * HOUR;

/// Views over views of all kinds, each with the query over Silver that says the same.
fn layers() -> Vec<(View, &'static str)> {
    let below = [
        (
            "minutes",
            "SELECT date_trunc('minute', ingested_at) AS minute, level, count(*) AS n, sum(ms) AS total, \
             count(ms) AS known, min(ms) AS low, max(size) AS high, sum(size) AS bytes FROM web GROUP BY 1, 2",
        ),
        ("levels", "SELECT level, count(*) AS n FROM web GROUP BY level"),
    ];
    let above = [
        (
            "hours",
            "SELECT date_trunc('hour', minute) AS hour, level, sum(n) AS n, sum(total) AS total, sum(known) AS known, \
             min(low) AS low, max(high) AS high, sum(total) / sum(known) AS mean FROM gold.minutes GROUP BY 1, 2",
            "SELECT date_trunc('hour', ingested_at) AS hour, level, count(*) AS n, sum(ms) AS total, \
             count(ms) AS known, min(ms) AS low, max(size) AS high, sum(ms) / count(ms) AS mean FROM web GROUP BY 1, 2",
        ),
        (
            "days",
            "SELECT date_trunc('day', hour) AS day, sum(n) AS n, max(high) AS high FROM gold.hours WHERE level <> 'info' \
             GROUP BY 1",
            "SELECT date_trunc('day', ingested_at) AS day, count(*) AS n, max(size) AS high FROM web \
             WHERE level <> 'info' GROUP BY 1",
        ),
        (
            "weeks",
            "SELECT date_trunc('week', date) AS week, bool_or(n > 4) AS busy, max(n) AS most, \
             first_value(n ORDER BY minute, level) AS first FROM gold.minutes GROUP BY 1",
            "SELECT date_trunc('week', minute) AS week, bool_or(n > 4) AS busy, max(n) AS most, \
             first_value(n ORDER BY minute, level) AS first FROM \
             (SELECT date_trunc('minute', ingested_at) AS minute, level, count(*) AS n FROM web GROUP BY 1, 2) GROUP BY 1",
        ),
        (
            "whole",
            "SELECT sum(n) AS n, count(*) AS groups, max(date) AS last FROM gold.minutes",
            "SELECT count(*) AS n, count(DISTINCT concat(date_trunc('minute', ingested_at), level)) AS groups, \
             max(date) AS last FROM web",
        ),
        (
            "histogram",
            "SELECT n, count(*) AS minutes FROM gold.minutes GROUP BY n HAVING count(*) > 1",
            "SELECT n, count(*) AS minutes FROM (SELECT count(*) AS n FROM web \
             GROUP BY date_trunc('minute', ingested_at), level) GROUP BY n HAVING count(*) > 1",
        ),
        (
            "seldom",
            "SELECT upper(level) AS level, sum(n) AS n FROM gold.levels WHERE bucket >= 0 GROUP BY 1",
            "SELECT upper(level) AS level, count(*) AS n FROM web GROUP BY 1",
        ),
    ];
    let hashed = |name: &str, of: View| {
        let hash_partitions = if ["levels", "histogram", "seldom"].contains(&name) { 3 } else { 1 };
        View { hash_partitions, ..of }
    };
    let above = above.map(|(name, sql, direct)| (hashed(name, view(name, sql)), direct));
    let below = below.map(|(name, sql)| (hashed(name, view(name, sql)), sql));
    // Those above come first: the order of the configuration does not matter.
    above.into_iter().rev().chain(below).collect()
}

fn layered() -> (tempfile::TempDir, Central) {
    lake(layers().into_iter().map(|(view, _)| view).collect())
}

async fn assert_layers_equal_direct_sql(config: &Central) {
    for report in update(config, &Noon).await {
        assert!(report.result.unwrap().silver.is_some());
    }
    let context = query::session(query::discover(&config.place).await.unwrap()).await.unwrap();
    for (view, direct) in layers() {
        let gold = context.table(format!("gold.{}", view.name)).await.unwrap();
        let names = gold.schema().fields().iter().map(|field| field.name().as_str());
        let names: Vec<&str> = names.filter(|name| !["date", "bucket"].contains(name)).collect();
        let shown = rows(&context, &format!("SELECT {} FROM gold.{}", names.join(", "), view.name)).await;
        assert_eq!(shown, rows(&context, direct).await, "view {}", view.name);
    }
}

#[tokio::test]
async fn views_over_views_equal_direct_sql_with_late_rows_and_replays() {
    let (_folder, config) = layered();
    let mut hosts: Vec<_> = ["a", "b"].map(|host| FakeHost::new(&config, host)).into();
    let levels = ["info", "warn", "error", "info"];
    for round in 0..4_i64 {
        for (index, host) in hosts.iter_mut().enumerate() {
            let row = |n: i64| {
                let late = if n % 7 == 0 { -9 * DAYS } else { 0 };
                let time = DAY + round * 10 * HOUR + late + n * HOUR / 8;
                Row::at(time, levels[(n as usize + index) % 4], (n * 3 + round) % 11)
            };
            host.put(&(0..40).map(row).collect::<Vec<_>>()).await;
        }
        fold(&config).await;
        assert_layers_equal_direct_sql(&config).await;
    }
    // Groups go, others come, and what was the lowest and the highest changes.
    hosts[0].replace(&[Row::at(DAY + HOUR, "fatal", 77)], (2, 3), (DAY - 20 * DAYS, DAY + 9 * DAYS)).await;
    fold(&config).await;
    hosts[1].put(&[Row::at(DAY + DAYS, "info", 9)]).await;
    hosts[0].replace(&[], (1, 1), (DAY - 20 * DAYS, DAY + 9 * DAYS)).await;
    fold(&config).await;
    assert_layers_equal_direct_sql(&config).await;
    for report in update(&config, &Noon).await {
        let update = report.result.unwrap();
        assert_eq!((update.slices, update.shown), (0, 0), "{}", report.view);
    }
}

#[tokio::test]
async fn a_late_row_costs_its_partition_in_every_layer() {
    let (_folder, config) = layered();
    let mut host = FakeHost::new(&config, "a");
    host.put(&(0..9).map(|day| Row::at(DAY + day * DAYS, "warn", day)).collect::<Vec<_>>()).await;
    fold(&config).await;
    update(&config, &Noon).await;
    let before = files(&config, "state/days").await;
    assert_eq!(before.len(), 9);
    host.put(&[Row::at(DAY + 3 * DAYS, "warn", 2)]).await;
    fold(&config).await;
    for report in update(&config, &Noon).await {
        let update = report.result.unwrap();
        assert_eq!((update.slices, update.partitions), (1, 1), "{}", report.view);
    }
    let after = files(&config, "state/days").await;
    assert_eq!(before.iter().filter(|(day, path)| after.get(*day) != Some(*path)).count(), 1);
    assert_layers_equal_direct_sql(&config).await;
}

#[tokio::test]
async fn what_a_view_below_lets_go_of_stays_counted_above() {
    let hours = "SELECT date_trunc('hour', ingested_at) AS hour, count(*) AS n FROM web GROUP BY 1";
    let hours = View { keep: Days::new(1), ..view("hours", hours) };
    let total = view("total", "SELECT sum(n) AS n FROM gold.hours");
    let days = view("days", "SELECT date_trunc('day', hour) AS day, sum(n) AS n FROM gold.hours GROUP BY 1");
    let (_folder, config) = lake(vec![days, total, hours]);
    #[derive(Debug)]
    struct At(i64);
    impl crate::clock::Clock for At {
        fn now(&self) -> crate::clock::Timestamp {
            crate::clock::Timestamp::from_micros(self.0)
        }
    }
    let mut host = FakeHost::new(&config, "a");
    for day in 0..5 {
        // With a row that is late by two days: the hours of that day are over.
        host.put(&[Row::at(DAY + day * DAYS, "info", 1), Row::at(DAY + (day - 2) * DAYS, "info", 1)]).await;
        run_once(&config, &At(DAY + day * DAYS + HOUR)).await.unwrap();
    }
    let context = query::session(query::discover(&config.place).await.unwrap()).await.unwrap();
    assert_eq!(rows(&context, "SELECT count(*), sum(n) FROM gold.hours").await, ["2.000000 | 2.000000"]);
    assert_eq!(rows(&context, "SELECT count(*), sum(n) FROM days").await, ["5.000000 | 5.000000"]);
    assert_eq!(rows(&context, "SELECT n FROM total").await, ["5.000000"]);
}

#[tokio::test]
async fn a_changed_view_below_is_counted_anew_above() {
    let (_folder, mut config) = layered();
    let mut host = FakeHost::new(&config, "a");
    host.put(&(0..9).map(|day| Row::at(DAY + day * DAYS, "warn", day)).collect::<Vec<_>>()).await;
    fold(&config).await;
    assert_layers_equal_direct_sql(&config).await;
    let minutes = config.views.iter_mut().find(|view| view.name == "minutes").unwrap();
    minutes.sql = minutes.sql.replace("FROM web", "FROM web WHERE ms < 7");
    host.put(&[Row::at(DAY, "error", 3)]).await;
    fold(&config).await;
    update(&config, &Noon).await;
    let context = query::session(query::discover(&config.place).await.unwrap()).await.unwrap();
    assert_eq!(rows(&context, "SELECT sum(n) FROM gold.days").await, ["8.000000"]);
    assert_eq!(rows(&context, "SELECT n FROM gold.whole").await, ["8.000000"]);
    // A state that is lost is counted again, and so is all that stands upon it.
    std::fs::remove_dir_all(_folder.path().join("state/minutes")).unwrap();
    config.views = layers().into_iter().map(|(view, _)| view).collect();
    assert_layers_equal_direct_sql(&config).await;
}

#[tokio::test]
async fn what_cannot_be_kept_of_a_view_is_refused_with_the_aggregate_and_the_reason() {
    let (_folder, config) = lake(Vec::new());
    FakeHost::new(&config, "a").put(&[Row::at(DAY, "info", 1)]).await;
    fold(&config).await;
    let schema = silver_columns(&config.place, "web").await.unwrap().unwrap();
    let below = "SELECT date_trunc('hour', ingested_at) AS hour, count(*) AS n, avg(ms) AS mean, stddev(ms) AS spread, \
                 approx_distinct(host) AS hosts, sum(ms) + 1 AS more, max(ms) AS most FROM web GROUP BY 1";
    let mut views = vec![view("hours", below), view("v", ""), view("w", "SELECT sum(n) AS n FROM gold.v")];
    let cases = [
        ("SELECT avg(mean) AS m FROM gold.hours", "avg(mean): `mean` is the avg of each group below"),
        ("SELECT sum(mean) AS m FROM gold.hours", "write sum(total) / sum(n) here"),
        (
            "SELECT max(spread) + stddev(spread) AS m FROM gold.hours",
            "keep count(*), sum(x) and sum(x * x) below",
        ),
        ("SELECT sum(hosts) AS m FROM gold.hours", "make a view over Silver of it"),
        ("SELECT avg(x) AS m FROM (SELECT mean * 2 AS x FROM gold.hours)", "expression of each group below"),
        ("SELECT sum(more) AS m FROM gold.hours", "keep the parts of the expression below"),
        ("SELECT sum(n) AS n FROM gold.w", "views go round in a circle: v reads w reads v"),
        ("SELECT sum(n) AS n FROM gold.v", "views go round in a circle: v reads v"),
        ("SELECT sum(n) AS n FROM gold.other", "it reads `gold.other`, which is no view"),
    ];
    for (sql, reason) in cases {
        views[1].sql = sql.to_owned();
        let error = check(&views[1], &views, Some(&schema)).await.unwrap_err().to_string();
        assert!(error.contains(reason), "{sql}: {error}");
    }
    views[1].sql = "SELECT max(mean) AS m, sum(most) AS n, avg(n) AS a FROM gold.hours".to_owned();
    let kept = check(&views[2], &views, Some(&schema)).await.unwrap().to_string();
    assert!(kept.starts_with("over gold.v, partitions: one partition"), "{kept}");
    let form = check(&views[2], &views, None).await.unwrap().to_string();
    assert!(form.starts_with("over gold.v; silver.web is not there yet"), "{form}");
}

#[tokio::test]
async fn regression_a_view_named_like_a_table_changes_nothing_that_others_read() {
    let levels = "SELECT level, count(*) AS n FROM web GROUP BY level";
    let (_folder, mut config) = lake(vec![view("levels", levels)]);
    FakeHost::new(&config, "a").put(&[Row::at(DAY, "info", 1), Row::at(DAY, "info", 2)]).await;
    fold(&config).await;
    config.views.push(view("web", levels));
    config.views.push(view("above", "SELECT level, count(*) AS n FROM gold.web GROUP BY level"));
    for report in update(&config, &Noon).await {
        assert!(report.result.unwrap().silver.is_some());
    }
    let context = query::session(query::discover(&config.place).await.unwrap()).await.unwrap();
    for (name, n) in [("levels", 2), ("web", 2), ("above", 1)] {
        let shown = rows(&context, &format!("SELECT n FROM gold.{name}")).await;
        assert_eq!(shown, [format!("{n}.000000")], "{name}");
    }
    let error = query::run(&context, "SELECT * FROM web").await.unwrap_err();
    assert_eq!(error.to_string(), "web is one of gold.web, silver.web: write which");
}
