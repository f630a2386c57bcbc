//! A new view over old Silver is counted slice by slice, and a changed one beside what is shown.

use super::*;

const DAYS: i64 = 24 * HOUR;

/// One file of Silver for each of so many days.
async fn old_silver(config: &Central, days: i64) -> FakeHost {
    let mut host = FakeHost::new(config, "a");
    for day in 0..days {
        host.put(&[Row::at(DAY + day * DAYS, "info", day), Row::at(DAY, "warn", day)]).await;
        fold(config).await;
    }
    host
}

async fn shown(config: &Central, sql: &str) -> Result<Vec<String>, query::QueryError> {
    let context = query::session(query::discover(&config.place).await?).await?;
    query::run(&context, sql).await?;
    Ok(rows(&context, sql).await)
}

/// How many files of how many a view has counted, or the view that it waits for.
type Standing = (Option<(usize, usize)>, Option<String>);

fn counting(reports: Vec<ViewReport>) -> Vec<Standing> {
    let of = |report: ViewReport| {
        let update = report.result.unwrap();
        (update.counting.map(|it| (it.files, it.of)), update.waits_for)
    };
    reports.into_iter().map(of).collect()
}

#[tokio::test]
async fn a_new_view_is_counted_in_slices_while_rows_come_and_shown_when_it_is_complete() {
    let (_folder, mut config) = lake(vec![view("all", "SELECT count(*) AS n FROM web")]);
    let mut host = old_silver(&config, 5).await;
    let days = "SELECT date_trunc('day', ingested_at) AS day, count(*) AS n FROM web GROUP BY 1";
    config.views.push(view("days", days));
    config.views.push(view("above", "SELECT sum(n) AS n, count(*) AS days FROM gold.days"));
    for round in 1..=9 {
        // A late row, a new day, and the files of what is being counted merged into others.
        host.put(&[Row::at(DAY + round * DAYS, "error", 1)]).await;
        fold(&config).await;
        crate::compact::merge(&config, "web", &Noon).await.unwrap();
        let standing = counting(update_by(&config, &Noon, 1).await);
        let (counted, of) = standing[1].0.unwrap_or_default();
        if counted == 0 {
            break;
        }
        assert_eq!(standing[1].0, Some((round as usize, of)));
        assert_eq!(standing[2].1.as_deref(), Some("days"));
        assert!(shown(&config, "SELECT * FROM gold.days").await.is_err(), "it is not complete");
    }
    assert_views_equal_direct_sql(&Central { views: config.views[..2].to_vec(), ..config.clone() }).await;
    assert_eq!(
        shown(&config, "SELECT n FROM gold.all").await.unwrap(),
        shown(&config, "SELECT count(*) FROM web").await.unwrap()
    );
    update(&config, &Noon).await;
    let direct = shown(&config, "SELECT count(*), count(DISTINCT date) FROM web").await.unwrap();
    assert_eq!(shown(&config, "SELECT n, days FROM gold.above").await.unwrap(), direct);
}

#[tokio::test]
async fn a_changed_view_is_shown_as_it_was_until_the_new_one_is_complete() {
    let sql = |level: &str| {
        format!(
            "SELECT date_trunc('day', ingested_at) AS day, count(*) AS n FROM web WHERE level = '{level}' GROUP BY 1"
        )
    };
    let above = view("above", "SELECT sum(n) AS n FROM gold.days");
    let (_folder, mut config) = lake(vec![view("days", &sql("info")), above]);
    let mut host = old_silver(&config, 5).await;
    let total = async |config: &Central| {
        let days = shown(config, "SELECT sum(n) FROM gold.days").await.unwrap().remove(0);
        assert_eq!(shown(config, "SELECT n FROM gold.above").await.unwrap(), [days.as_str()]);
        days
    };
    while counting(update_by(&config, &Noon, 1).await).iter().any(|it| it.0.is_some()) {}
    assert_eq!(total(&config).await, "5.000000");

    config.views[0].sql = sql("warn");
    for files in 1..=3 {
        assert_eq!(counting(update_by(&config, &Noon, 1).await)[0].0, Some((files, 9)));
        assert_eq!(total(&config).await, "5.000000", "what is shown stays");
    }
    // Who changes it back loses nothing: what was shown is gone on with.
    config.views[0].sql = sql("info");
    host.put(&[Row::at(DAY, "info", 1)]).await;
    fold(&config).await;
    let reports = update_by(&config, &Noon, 1).await;
    assert_eq!(reports[0].result.as_ref().unwrap().partitions, 1);
    assert_eq!(total(&config).await, "6.000000");

    config.views[0].sql = sql("warn");
    host.put(&[Row::at(DAY, "warn", 1), Row::at(DAY + 7 * DAYS, "warn", 1)]).await;
    fold(&config).await;
    while counting(update_by(&config, &Noon, 1).await).iter().any(|it| it.0.is_some()) {}
    assert_eq!(total(&config).await, "7.000000");
    assert_views_equal_direct_sql(&config.clone()).await;
    // What took its place holds no files any more, and what comes next takes that place in turn.
    let left = async |table: &str| files(&config, table).await.len();
    let states = (left("state/days").await, left("state/days@2").await);
    assert!(states.0.min(states.1) == 0 && states.0.max(states.1) == 2, "{states:?}");
    for level in ["info", "warn", "error"] {
        config.views[0].sql = sql(level);
        update(&config, &Noon).await;
        let direct =
            shown(&config, &format!("SELECT count(*) FROM web WHERE level = '{level}'")).await.unwrap();
        assert_eq!(
            shown(&config, "SELECT coalesce(sum(n), 0) FROM gold.days").await.unwrap(),
            direct,
            "{level}"
        );
    }
}

#[tokio::test]
async fn regression_a_view_over_a_view_that_is_changed_back_shows_all_it_showed() {
    let hours = "SELECT date_trunc('hour', ingested_at) AS hour, count(*) AS n FROM web GROUP BY 1";
    let above =
        |of: &str| format!("SELECT date_trunc('day', hour) AS day, {of} AS n FROM gold.hours GROUP BY 1");
    let (_folder, mut config) = lake(vec![view("hours", hours), view("days", &above("sum(n)"))]);
    let mut host = old_silver(&config, 3).await;
    for (round, (of, direct)) in [("sum(n)", "count(*)"), ("count(*)", "count(DISTINCT ingested_at)")]
        .repeat(2)
        .into_iter()
        .enumerate()
    {
        config.views[1].sql = above(of);
        for _ in 0..2 {
            update(&config, &Noon).await.into_iter().for_each(|report| drop(report.result.unwrap()));
            let direct = format!("SELECT date, {direct} FROM web GROUP BY date");
            let shown = shown(&config, "SELECT date, n FROM gold.days").await.unwrap();
            assert_eq!(shown, self::shown(&config, &direct).await.unwrap(), "round {round}, {of}");
            host.put(&[Row::at(DAY + DAYS, "info", 1)]).await;
            fold(&config).await;
            update(&config, &Noon).await.into_iter().for_each(|report| drop(report.result.unwrap()));
        }
    }
}
