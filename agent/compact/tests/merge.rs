//! Files are merged, rows are not touched, and no view counts them again.

use super::settle::{counted, gold};
use super::*;
use crate::central::run_once;

#[tokio::test]
async fn the_small_files_of_a_day_become_one_and_its_rows_stay_what_they_are() {
    let (_folder, config) = counted();
    let mut hosts: Vec<_> = ["a", "b"].map(|host| FakeHost::new(&config, host)).into();
    let mut most = 0;
    for round in 0..20 {
        for (index, host) in hosts.iter_mut().enumerate() {
            let late = DAY - 48 * HOUR + round;
            let batch = host
                .batch(&[Row::at(DAY + 40 - 2 * round + index as i64, "info", 1), Row::at(late, "warn", 2)]);
            let status = Arc::new(Int32Array::from(vec![200, 201]));
            // The column comes later: files with it and without it are merged.
            host.put_batch(&if round < 6 { batch } else { with_column(&batch, "status", status) }).await;
        }
        let report = run_once(&config, &Noon).await.unwrap();
        assert!(report.views.iter().all(|view| view.result.is_ok()), "{report:?}");
        let (rows, files) = silver(&config).await;
        assert_eq!(once(&rows).len() as i64, 4 * (round + 1));
        assert_eq!(gold(&config).await, 4 * (round + 1));
        most = most.max(files);
    }
    assert!(most <= 20, "{most} files");
    let answer = crate::query::answer(&config.place, "SELECT sum(status) AS n FROM web").await.unwrap();
    assert_eq!(answer[0].column(0).as_primitive::<Int64Type>().value(0), 28 * 401);
}

#[tokio::test]
async fn a_merge_that_lost_its_race_leaves_the_table_as_the_other_made_it() {
    let (_folder, config) = counted();
    let mut host = FakeHost::new(&config, "a");
    for n in 0..9 {
        host.put(&[Row::at(DAY + n, "info", n)]).await;
        pass(&config).await;
    }
    host.put(&[Row::at(DAY, "info", 9)]).await;
    let ((), merged) = tokio::join!(
        async {
            pass(&config).await;
        },
        merge(&config, "web", &Noon)
    );
    assert!([0, 9, 10].contains(&merged.unwrap()));
    assert_eq!(once(&silver(&config).await.0).len(), 10);
    let (one, two) = tokio::join!(merge(&config, "web", &Noon), merge(&config, "web", &Noon));
    assert!(one.unwrap() == 0 || two.unwrap() == 0, "one merges, the other does nothing");
    assert_eq!(once(&silver(&config).await.0).len(), 10);
}
