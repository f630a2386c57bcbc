//! After a replay every view shows what a fresh count would, but where Silver does not hold all that it counts.

use super::*;
use crate::central::run_once;

const DAYS: i64 = 24 * HOUR;

fn rows_of(days: std::ops::Range<i64>, level: &'static str, ms: i64) -> Vec<Row> {
    let of_day = |day: i64| (0..5).map(move |n| Row::at(DAY + day * DAYS + n * HOUR, level, ms + n));
    days.flat_map(of_day).collect()
}

#[tokio::test]
async fn views_equal_direct_sql_after_a_replay() {
    let (_folder, config) = lake(views());
    let mut hosts: Vec<_> = ["a", "b"].map(|host| FakeHost::new(&config, host)).into();
    for round in 0..3 {
        for host in &mut hosts {
            host.put(&rows_of(round..round + 2, "warn", round)).await;
        }
        fold(&config).await;
        assert_views_equal_direct_sql(&config).await;
    }
    // What was the lowest and the highest goes, groups go, and others come; then rows come that are only added.
    hosts[0].replace(&rows_of(1..3, "error", 3), (2, 3), (DAY + DAYS, DAY + 5 * DAYS)).await;
    fold(&config).await;
    hosts[1].put(&rows_of(4..5, "info", 9)).await;
    hosts[0].replace(&[], (1, 1), (DAY, DAY + 5 * DAYS)).await;
    fold(&config).await;
    assert_views_equal_direct_sql(&config).await;
    for report in update(&config, &Noon).await {
        let update = report.result.unwrap();
        assert_eq!((update.slices, update.shown), (0, 0), "{}", report.view);
    }
}

#[tokio::test]
async fn only_partitions_that_a_replay_touches_are_counted_again() {
    let (_folder, config) = lake(views());
    let mut host = FakeHost::new(&config, "a");
    for day in 0..4 {
        host.put(&rows_of(day..day + 1, "info", day)).await;
    }
    fold(&config).await;
    update(&config, &Noon).await;
    let before = files(&config, "state/hours").await;
    host.replace(&rows_of(3..4, "warn", 1), (4, 4), (DAY + 3 * DAYS, DAY + 4 * DAYS)).await;
    fold(&config).await;
    let reports = update(&config, &Noon).await;
    let hours = reports.iter().find(|r| r.view == "hours").unwrap().result.as_ref().unwrap();
    assert_eq!((hours.slices, hours.partitions, hours.shown, hours.sealed), (1, 1, 1, 0));
    let after = files(&config, "state/hours").await;
    assert_eq!(before.iter().filter(|(day, path)| after.get(*day) != Some(*path)).count(), 1);
    assert_views_equal_direct_sql(&config).await;
}

#[tokio::test]
async fn days_that_retention_took_stay_as_they_were_counted_and_this_is_told() {
    let by = |key: &str| format!("SELECT {key}, count(*) AS n, max(level) AS level FROM web GROUP BY 1");
    let days = view("days", &by("date_trunc('day', ingested_at) AS day"));
    let (_folder, mut config) = lake(vec![days, view("hosts", &by("host"))]);
    config.retentions = vec![Retention { table: "web".into(), keep: crate::config::Days::new(2).unwrap() }];
    let mut host = FakeHost::new(&config, "a");
    // Noon is on day 0: the two days before it are kept.
    host.put(&rows_of(-4..1, "warn", 1)).await;
    run_once(&config, &Noon).await.unwrap();
    let context = async || query::session(query::discover(&config.place).await.unwrap()).await.unwrap();
    assert_eq!(rows(&context().await, "SELECT count(*) FROM web").await, ["15.000000"]);

    host.replace(&rows_of(-4..1, "error", 1)[..20], (1, 1), (DAY - 9 * DAYS, DAY + DAYS)).await;
    host.put(&rows_of(0..1, "info", 1)).await;
    let report = run_once(&config, &Noon).await.unwrap();
    assert_eq!(report.folded.tables["web"].out_of_reach, 10);
    let told = report.to_string();
    assert!(told.contains("10 rows of a replay left out"), "{told}");
    assert!(told.contains("gold/hosts: 1 partitions still count rows that a replay has replaced"), "{told}");
    let context = context().await;
    // Days -4 and -3 are those of before, days -2 and -1 of the replay; day 0 lost its rows by it, and got others.
    let shown = rows(&context, "SELECT n, level FROM days ORDER BY day").await;
    let shown: Vec<_> = shown.iter().map(String::as_str).collect();
    assert_eq!(
        shown,
        ["5.000000 | error", "5.000000 | error", "5.000000 | info", "5.000000 | warn", "5.000000 | warn"]
    );
    // A group over all time keeps what it has counted, and goes on with what comes.
    assert_eq!(rows(&context, "SELECT n FROM hosts").await, ["25.000000"]);
}

#[tokio::test]
async fn of_silver_only_the_days_of_a_replay_are_read_again() {
    let hours = "SELECT date_trunc('hour', ingested_at) AS hour, max(ms) AS most FROM web GROUP BY 1";
    let (folder, config) = lake(vec![view("hours", hours)]);
    let mut host = FakeHost::new(&config, "a");
    host.put(&rows_of(0..4, "info", 1)).await;
    fold(&config).await;
    update(&config, &Noon).await;
    host.replace(&rows_of(0..1, "warn", 70), (1, 1), (DAY, DAY + DAYS - 1)).await;
    fold(&config).await;
    // Whatever the other days hold is of no use to it.
    for day in 21..24 {
        std::fs::remove_dir_all(folder.path().join(format!("silver/web/date=2026-11-{day}"))).unwrap();
    }
    assert_eq!(update(&config, &Noon).await.remove(0).result.unwrap().partitions, 1);
    let context = query::session(query::discover(&config.place).await.unwrap()).await.unwrap();
    assert_eq!(rows(&context, "SELECT count(*), max(most) FROM hours").await, ["20.000000 | 74.000000"]);
}
