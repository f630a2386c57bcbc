//! Days leave Silver and each view in their own time, and none comes back as a part of what it was.

use super::*;

#[tokio::test]
async fn days_that_are_over_leave_silver_and_views_each_in_its_own_time() {
    let by_day = "SELECT date_trunc('day', ingested_at) AS day, count(*) AS n FROM web GROUP BY 1";
    let kept = View { keep: Days::new(3), ..view("kept", by_day) };
    let (_folder, mut config) = lake(vec![view("all", by_day), kept]);
    config.retentions = vec![Retention { table: "web".into(), keep: Days::new(1).unwrap() }];
    let mut host = FakeHost::new(&config, "a");
    let days =
        |count: i64| (0..count).map(|day| Row::at(DAY - day * 24 * HOUR, "info", day)).collect::<Vec<_>>();
    let counts = async || {
        crate::central::run_once(&config, &Noon).await.unwrap();
        let sql =
            "SELECT (SELECT count(*) FROM web), (SELECT sum(n) FROM gold.all), (SELECT sum(n) FROM kept)";
        let context = query::session(query::discover(&config.place).await.unwrap()).await.unwrap();
        rows(&context, sql).await.remove(0)
    };
    host.put(&days(6)).await;
    assert_eq!(counts().await, "2.000000 | 6.000000 | 4.000000");
    // A late row of a day that is over is counted where that day is shown, and nowhere else.
    host.put(&days(6)).await;
    assert_eq!(counts().await, "4.000000 | 12.000000 | 8.000000");
    assert_eq!(counts().await, "4.000000 | 12.000000 | 8.000000");

    // Days go as time goes on.
    #[derive(Debug)]
    struct Later;
    impl crate::clock::Clock for Later {
        fn now(&self) -> crate::clock::Timestamp {
            crate::clock::Timestamp::from_micros(DAY + 50 * HOUR)
        }
    }
    host.put(&[Row::at(DAY + 49 * HOUR, "info", 1)]).await;
    crate::central::run_once(&config, &Later).await.unwrap();
    let context = query::session(query::discover(&config.place).await.unwrap()).await.unwrap();
    assert_eq!(rows(&context, "SELECT day, n FROM kept ORDER BY day").await.len(), 3);
    assert_eq!(rows(&context, "SELECT sum(n) FROM gold.all").await, ["13.000000"]);
    assert_eq!(rows(&context, "SELECT * FROM web").await.len(), 1);

    config.views = vec![View {
        keep: Days::new(3),
        ..view("levels", "SELECT level, count(*) AS n FROM web GROUP BY 1")
    }];
    let refused = update(&config, &Noon).await.remove(0).result.unwrap_err().to_string();
    assert!(refused.contains("`keep` wants a group that is a time"), "{refused}");
}

#[tokio::test]
async fn regression_a_day_that_was_let_go_of_does_not_come_back_with_a_late_row_when_days_are_kept_longer() {
    let by_day = "SELECT date_trunc('day', ingested_at) AS day, count(*) AS n FROM web GROUP BY 1";
    let above = "SELECT date_trunc('day', day) AS day, sum(n) AS n FROM gold.days GROUP BY 1";
    let kept = |days: u64| {
        let views = [view("days", by_day), view("above", above)];
        views.map(|view| View { keep: Days::new(days), ..view }).to_vec()
    };
    let (_folder, mut config) = lake(kept(2));
    let mut host = FakeHost::new(&config, "a");
    let days = |ago: i64| Row::at(DAY - ago * 24 * HOUR, "info", ago);
    let shown = async |config: &Central| {
        fold(config).await;
        update(config, &Noon).await.into_iter().for_each(|report| drop(report.result.unwrap()));
        let context = query::session(query::discover(&config.place).await.unwrap()).await.unwrap();
        let sql = "SELECT date, n FROM gold.days";
        let shown = rows(&context, sql).await;
        assert_eq!(rows(&context, &sql.replace("days", "above")).await, shown);
        shown
    };
    host.put(&[5, 5, 4, 2, 1, 1].map(days)).await;
    assert_eq!(shown(&config).await, ["2026-11-18 | 1.000000", "2026-11-19 | 2.000000"]);
    config.views = kept(30);
    host.put(&[5, 4, 3, 2, 0].map(days)).await;
    let whole = ["2026-11-18 | 2.000000", "2026-11-19 | 2.000000", "2026-11-20 | 1.000000"];
    assert_eq!(shown(&config).await, whole);
    // A changed view is counted from all that there is, also where the one before had let go of it.
    for (round, days) in [(0, 30), (1, 2), (2, 30)] {
        config.views = kept(days);
        config.views[0].sql = by_day.replace("web", &format!("web WHERE ms <> 9{round}"));
        config.views[1].sql = above.replace("days", &format!("days WHERE n <> 9{round}"));
        assert_eq!(shown(&config).await.len(), if days == 2 { 3 } else { 6 }, "{days} days");
    }

    // A clock that was ahead takes the days that it believes to be over, and no later ones.
    #[derive(Debug)]
    struct Ahead;
    impl crate::clock::Clock for Ahead {
        fn now(&self) -> crate::clock::Timestamp {
            crate::clock::Timestamp::from_micros(DAY + 400 * 24 * HOUR)
        }
    }
    host.put(&[days(0)]).await;
    fold(&config).await;
    update(&config, &Ahead).await.into_iter().for_each(|report| drop(report.result.unwrap()));
    host.put(&[-1, -1].map(days)).await;
    assert_eq!(shown(&config).await, ["2026-11-21 | 2.000000"]);
}
