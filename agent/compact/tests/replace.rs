//! Rows that a replay made anew replace the old ones, once, and no others.

use super::settle::{counted, gold};
use super::*;
use crate::central::run_once;

const HOUR_SPAN: (i64, i64) = (DAY, DAY + HOUR);

/// The levels of all rows, sorted.
async fn levels(config: &Central) -> Vec<String> {
    let sql = "SELECT host || ' ' || level AS level FROM silver.web ORDER BY 1";
    let answer = crate::query::answer(&config.place, sql).await.unwrap();
    let texts = |rows: &arrow::array::RecordBatch| {
        let texts = arrow::compute::cast(rows.column(0), &DataType::Utf8).unwrap();
        texts.as_string::<i32>().iter().map(|text| text.unwrap().to_owned()).collect::<Vec<_>>()
    };
    answer.iter().flat_map(texts).collect()
}

#[tokio::test]
async fn a_generation_replaces_its_own_rows_in_one_commit_and_no_others() {
    let (_folder, config) = counted();
    let (mut a, mut b) = (FakeHost::new(&config, "a"), FakeHost::new(&config, "b"));
    // Another stream of the same host, with the same numbers, of an earlier time.
    let mut before = FakeHost::new(&config, "a");
    before.stream.table_id = "before".into();
    before.put(&[Row::at(DAY - HOUR, "before", 1)]).await;
    for host in [&mut a, &mut b] {
        host.put(&[Row::at(DAY, "old", 1), Row::at(DAY + 1, "old", 2)]).await;
        host.put(&[Row::at(DAY + 2, "older", 1)]).await;
    }
    run_once(&config, &Noon).await.unwrap();
    assert_eq!((levels(&config).await.len(), gold(&config).await), (7, 7));

    a.replace(
        &[Row::at(DAY, "new", 1), Row::at(DAY + 1, "new", 2), Row::at(DAY + 2, "new", 3)],
        (1, 2),
        HOUR_SPAN,
    )
    .await;
    a.put(&[Row::at(DAY + 3, "next", 1)]).await;
    let report = run_once(&config, &Noon).await.unwrap();
    let web = &report.folded.tables["web"];
    assert_eq!((web.rows, web.version, web.quarantined.len()), (4, Some(TableVersion(1)), 0));
    let expected =
        ["a before", "a new", "a new", "a new", "a next", "b old", "b old", "b older"].map(str::to_owned);
    assert_eq!((levels(&config).await, gold(&config).await), (expected.to_vec(), 8));
    // A pass again, and a put again, change nothing.
    run_once(&config, &Noon).await.unwrap();
    assert_eq!((levels(&config).await, gold(&config).await), (expected.to_vec(), 8));
}

#[tokio::test]
async fn what_is_replaced_by_an_object_of_the_same_commit_never_comes() {
    let (_folder, config) = counted();
    let mut a = FakeHost::new(&config, "a");
    a.put(&[Row::at(DAY, "old", 1), Row::at(DAY + 1, "old", 2)]).await;
    a.replace(&[Row::at(DAY, "new", 1)], (1, 1), HOUR_SPAN).await;
    a.replace(&[Row::at(DAY, "newest", 1)], (1, 2), HOUR_SPAN).await;
    let report = run_once(&config, &Noon).await.unwrap();
    assert_eq!(report.folded.tables["web"].rows, 1);
    assert_eq!((levels(&config).await, gold(&config).await), (vec!["a newest".to_owned()], 1));
}

#[tokio::test]
async fn a_generation_without_rows_takes_the_old_ones_away() {
    let (_folder, config) = counted();
    let mut a = FakeHost::new(&config, "a");
    a.put(&[Row::at(DAY, "old", 1), Row::at(DAY + 1, "old", 2)]).await;
    run_once(&config, &Noon).await.unwrap();
    a.replace(&[], (1, 1), HOUR_SPAN).await;
    run_once(&config, &Noon).await.unwrap();
    assert_eq!(levels(&config).await, Vec::<String>::new());
    let answer = crate::query::answer(&config.place, "SELECT n FROM gold.levels").await.unwrap();
    assert_eq!(answer.iter().map(|rows| rows.num_rows()).sum::<usize>(), 0);
    a.put(&[Row::at(DAY, "next", 1)]).await;
    run_once(&config, &Noon).await.unwrap();
    assert_eq!((levels(&config).await, gold(&config).await), (vec!["a next".to_owned()], 1));
}

#[tokio::test]
async fn what_was_replaced_before_it_came_is_not_brought_in() {
    let (_folder, config) = counted();
    let mut a = FakeHost::new(&config, "a");
    a.put(&[Row::at(DAY, "old", 1)]).await;
    let batch = a.batch(&[Row::at(DAY + 1, "old", 2)]);
    let (late, bytes) = a.object(&batch, &a.footer(1, 1));
    a.advance(&late);
    let replacing = a.replace(&[Row::at(DAY, "new", 1), Row::at(DAY + 1, "new", 2)], (1, 2), HOUR_SPAN).await;
    run_once(&config, &Noon).await.unwrap();
    let _ = crate::central::accept(&config, "web/a/id-a", &Noon).await.unwrap();
    assert_eq!((levels(&config).await.len(), gold(&config).await), (2, 2));

    a.put_as(&late, bytes).await;
    a.put(&[Row::at(DAY + 2, "next", 3)]).await;
    let report = run_once(&config, &Noon).await.unwrap();
    assert_eq!(report.folded.tables["web"].quarantined[0].kind, "late");
    let kept = late.to_string().replace("landing/", "quarantine/");
    let outcome = requeue(&config, &kept, &Noon).await.unwrap();
    assert_eq!(outcome, Requeued::Refused(Refusal::Replaced(replacing.seq.0)));
    run_once(&config, &Noon).await.unwrap();
    assert_eq!((levels(&config).await.len(), gold(&config).await), (3, 3));
}

/// As a central job does that does not know replays yet.
#[tokio::test]
async fn a_replacing_object_that_comes_out_of_quarantine_replaces_what_it_says() {
    let (_folder, config) = counted();
    let mut a = FakeHost::new(&config, "a");
    a.put(&[Row::at(DAY, "old", 1)]).await;
    run_once(&config, &Noon).await.unwrap();
    let replacing = a.replace(&[Row::at(DAY, "new", 1), Row::at(DAY, "new", 2)], (1, 1), HOUR_SPAN).await;
    let bytes = config.place.get(&replacing.to_string()).await.unwrap().unwrap();
    config.place.delete(&replacing.to_string()).await.unwrap();
    a.put_as(&replacing, bytes.slice(1..)).await;
    a.put(&[Row::at(DAY + 2, "next", 3)]).await;
    let report = run_once(&config, &Noon).await.unwrap();
    assert_eq!(report.folded.tables["web"].quarantined[0].kind, "digest");
    assert_eq!(levels(&config).await, ["a next", "a old"]);

    let kept = replacing.to_string().replace("landing/", "quarantine/");
    config.place.delete(&kept).await.unwrap();
    let _ = config.place.put_new(&kept, bytes).await.unwrap();
    assert_eq!(requeue(&config, &kept, &Noon).await.unwrap(), Requeued::Folded(2));
    run_once(&config, &Noon).await.unwrap();
    assert_eq!(
        (levels(&config).await, gold(&config).await),
        (vec!["a new".into(), "a new".into(), "a next".into()], 3)
    );
}

#[tokio::test]
async fn an_object_that_would_replace_later_ones_or_none_is_refused() {
    let (_folder, config) = counted();
    let mut a = FakeHost::new(&config, "a");
    a.put(&[Row::at(DAY, "old", 1)]).await;
    a.replace(&[Row::at(DAY, "new", 1)], (1, 2), HOUR_SPAN).await;
    a.replace(&[Row::at(DAY, "new", 1)], (2, 1), HOUR_SPAN).await;
    let report = run_once(&config, &Noon).await.unwrap();
    let kinds: Vec<_> = report.folded.tables["web"].quarantined.iter().map(|bad| bad.kind).collect();
    assert_eq!((kinds, levels(&config).await), (vec!["footer", "footer"], vec!["a old".to_owned()]));
}

#[tokio::test]
async fn merged_files_lose_their_replaced_rows_and_two_jobs_at_once_do_it_once() {
    let (_folder, config) = counted();
    let (mut a, mut b) = (FakeHost::new(&config, "a"), FakeHost::new(&config, "b"));
    for n in 0..9 {
        a.put(&[Row::at(DAY + n, "old", n)]).await;
        b.put(&[Row::at(DAY + n, "other", n)]).await;
        run_once(&config, &Noon).await.unwrap();
    }
    assert!(silver(&config).await.1 < 9, "files were merged");
    a.replace(&[Row::at(DAY + 4, "new", 1)], (3, 9), HOUR_SPAN).await;
    let (one, two) = tokio::join!(run_once(&config, &Noon), run_once(&config, &Noon));
    one.unwrap();
    two.unwrap();
    run_once(&config, &Noon).await.unwrap();
    let found = levels(&config).await;
    let count = |level: &str| found.iter().filter(|found| *found == level).count();
    assert_eq!((count("a old"), count("a new"), count("b other")), (2, 1, 9));
    assert_eq!(gold(&config).await, 12);
}
