//! What an operator settles is settled once, and loses nothing.

use super::*;
use crate::central::run_once;
use crate::config::View;

pub fn counted() -> (tempfile::TempDir, Central) {
    let sql = "SELECT level, count(*) AS n FROM web GROUP BY level".to_owned();
    lake(vec![View { name: "levels".into(), sql, hash_partitions: 1, keep: None }])
}

/// How many rows the view counts in all.
pub async fn gold(config: &Central) -> i64 {
    let answer = crate::query::answer(&config.place, "SELECT sum(n) AS n FROM gold.levels").await.unwrap();
    answer[0].column(0).as_primitive::<Int64Type>().value(0)
}

/// Puts objects 1 to `last`, but for those that are `lost`, which are returned.
async fn put_without(config: &Central, lost: &[u64], last: u64) -> Vec<(ObjectName, Bytes)> {
    let mut host = FakeHost::new(config, "a");
    let mut kept_back = Vec::new();
    for seq in 1..=last {
        let batch = host.batch(&[Row::at(DAY + seq as i64, "info", seq as i64)]);
        let (name, bytes) = host.object(&batch, &host.footer(1, 1));
        host.advance(&name);
        if lost.contains(&seq) {
            kept_back.push((name, bytes));
        } else {
            host.put_as(&name, bytes).await;
        }
    }
    kept_back
}

#[tokio::test]
async fn a_gap_that_is_given_up_lets_the_others_go_on_and_what_comes_late_can_be_brought_in() {
    let (_folder, config) = counted();
    let late = put_without(&config, &[2, 3], 5).await;
    let report = pass(&config).await;
    assert_eq!(report.gaps[0].to_string(), "web/a/id-a: objects 2 to 3 are missing; 2 objects wait behind");
    let (gap, report) = crate::central::accept(&config, "web/a/id-a", &Noon).await.unwrap();
    assert_eq!((gap.seq, gap.last), (Seq(2), Seq(3)));
    assert_eq!(report.folded.tables["web"].gaps, []);
    assert_eq!((silver(&config).await.0.len(), gold(&config).await), (3, 3));
    let again = crate::central::accept(&config, "web/a/id-a", &Noon).await.unwrap_err();
    assert!(again.to_string().contains("no objects wait there"), "{again}");

    // The host was only away: what was given up comes after all.
    let mut kept = Vec::new();
    for (name, bytes) in &late {
        kept.push(host_put(&config, name, bytes.clone()).await.replace("landing/", "quarantine/"));
    }
    let report = pass(&config).await;
    assert_eq!(report.quarantined.iter().map(|bad| bad.kind).collect::<Vec<_>>(), ["late", "late"]);
    assert_eq!(requeue(&config, &kept[0], &Noon).await.unwrap(), Requeued::Folded(1));
    // Killed before the file was gone, or asked for twice: it is folded once.
    host_put_at(&config, &kept[0], late[0].1.clone()).await;
    assert_eq!(requeue(&config, &kept[0], &Noon).await.unwrap(), Requeued::Before);
    assert!(config.place.get(&kept[0]).await.unwrap().is_none());
    // So is what the host puts again.
    host_put(&config, &late[0].0, late[0].1.clone()).await;
    let report = run_once(&config, &Noon).await.unwrap();
    let web = &report.folded.tables["web"];
    assert_eq!((web.duplicates, web.quarantined.len()), (1, 0));
    assert_eq!((once(&silver(&config).await.0).len(), gold(&config).await), (4, 4));
    assert_eq!(config.place.join("quarantine").list().await.unwrap().len(), 2);
}

async fn host_put(config: &Central, name: &ObjectName, bytes: Bytes) -> String {
    host_put_at(config, &name.to_string(), bytes).await;
    name.to_string()
}

async fn host_put_at(config: &Central, name: &str, bytes: Bytes) {
    let _ = config.place.put_new(name, bytes).await.unwrap();
}

#[tokio::test]
async fn a_part_that_never_comes_can_be_given_up() {
    let (_folder, config) = counted();
    let mut host = FakeHost::new(&config, "a");
    let batch = host.batch(&[Row::at(DAY, "info", 1)]);
    let (name, bytes) = host.object(&batch, &host.footer(1, 2));
    host.put_as(&name, bytes).await;
    host.advance(&name);
    host.put(&[Row::at(DAY, "info", 2)]).await;
    assert_eq!(pass(&config).await.gaps[0].part, Some(2));
    let (_, report) = crate::central::accept(&config, "web/a/id-a", &Noon).await.unwrap();
    let web = &report.folded.tables["web"];
    assert_eq!((web.objects, web.gaps.len()), (1, 0));
    assert_eq!(web.quarantined.iter().map(|bad| bad.kind).collect::<Vec<_>>(), ["late"]);
    let kept = name.to_string().replace("landing/", "quarantine/");
    assert_eq!(requeue(&config, &kept, &Noon).await.unwrap(), Requeued::Folded(1));
    assert_eq!(once(&silver(&config).await.0).len(), 2);
}

#[tokio::test]
async fn an_operator_chooses_one_side_of_a_fork() {
    let (_folder, config) = counted();
    let mut host = FakeHost::new(&config, "a");
    let mut sides = Vec::new();
    for ms in [2, 3] {
        let batch = host.batch(&[Row::at(DAY, "info", ms)]);
        let (name, bytes) = host.object(&batch, &host.footer(1, 1));
        sides.push(host_put(&config, &name, bytes).await);
    }
    assert_eq!(pass(&config).await.quarantined.len(), 2);
    // By the name in the landing, which `compact` prints, it is found as well.
    let (one, two) = tokio::join!(requeue(&config, &sides[1], &Noon), requeue(&config, &sides[1], &Noon));
    let folded = [one, two].into_iter().filter(|outcome| matches!(outcome, Ok(Requeued::Folded(1))));
    assert_eq!(folded.count(), 1, "two at once fold it once");
    run_once(&config, &Noon).await.unwrap();
    assert_eq!((once(&silver(&config).await.0).len(), gold(&config).await), (1, 1));
}

#[tokio::test]
async fn what_is_still_wrong_stays_in_quarantine() {
    let (_folder, config) = counted();
    let mut host = FakeHost::new(&config, "a");
    let batch = host.batch(&[Row::at(DAY, "info", 1)]);
    let (name, bytes) = host.object(&batch, &host.footer(1, 1));
    host_put(&config, &name, bytes.slice(1..)).await;
    pass(&config).await;
    let kept = name.to_string().replace("landing/", "quarantine/");
    let outcome = requeue(&config, &kept, &Noon).await.unwrap();
    assert!(matches!(outcome, Requeued::Refused(Refusal::Digest(_))), "{outcome}");
    assert!(config.place.get(&kept).await.unwrap().is_some());
    for (named, reason) in [
        ("quarantine/web/a/id-a/x.parquet", "no number as seq"),
        ("silver/web/x.parquet", "write the object's name as in quarantine/"),
        (&*kept.replace("/000000000001-", "/000000000009-"), "it is not in quarantine"),
    ] {
        let error = requeue(&config, named, &Noon).await.unwrap_err().to_string();
        assert!(error.contains(reason), "{named}: {error}");
    }
}
