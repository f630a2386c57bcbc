mod backlog;
mod crafted;
mod hostile;
mod merge;
mod replace;
mod settle;

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int32Array, StringArray};
use arrow::datatypes::{DataType, Int64Type, TimestampMicrosecondType};
use bytes::Bytes;

use super::fake_host::{DAY, FakeHost, HOUR, Noon, Row, lake, with_column};
use super::fold::Target;
use super::*;
use crate::config::Rename;
use crate::sync::landing::{DEAD_LETTER, Footer, ObjectName, Seq};
use crate::table::{Commit, Snapshot, datafile};

async fn pass(config: &Central) -> TableReport {
    let report = compact(config, &Noon).await.unwrap();
    delete(&config.place, report.consumed).await.unwrap();
    report.tables.get("web").cloned().unwrap_or_default()
}

/// (host, offset) of every row of fleet Silver `web`, in the order of the files; and the number of files.
async fn silver(config: &Central) -> (Vec<(String, i64)>, usize) {
    let place = config.place.join("silver/web");
    let Some(snapshot) = Snapshot::load(&place).await.unwrap() else { return (Vec::new(), 0) };
    let (mut rows, mut files) = (Vec::new(), snapshot.files().unwrap());
    files.sort_by(|a, b| a.partition_values.get("date").cmp(&b.partition_values.get("date")));
    for file in &files {
        let mut last = i64::MIN;
        for batch in datafile::read(&place, snapshot.version(), &file.path).await.unwrap() {
            let hosts = batch.column_by_name("host").unwrap().as_string::<i32>();
            let offsets = batch.column_by_name("offset").unwrap().as_primitive::<Int64Type>();
            let times = batch.column_by_name("ingested_at").unwrap();
            for row in 0..batch.num_rows() {
                let time = times.as_primitive::<TimestampMicrosecondType>().value(row);
                assert!(time >= last, "sorted by time");
                last = time;
                rows.push((hosts.value(row).to_owned(), offsets.value(row)));
            }
        }
    }
    (rows, files.len())
}

fn once(rows: &[(String, i64)]) -> BTreeSet<(String, i64)> {
    let distinct: BTreeSet<_> = rows.iter().cloned().collect();
    assert_eq!(distinct.len(), rows.len(), "a row is there twice");
    distinct
}

async fn landing(config: &Central) -> usize {
    config.place.join("landing").list().await.unwrap().len()
}

#[tokio::test]
async fn objects_of_many_hosts_become_few_sorted_files_once() {
    let (_folder, config) = lake(Vec::new());
    let mut hosts: Vec<_> = ["a", "b", "c"].map(|host| FakeHost::new(&config, host)).into();
    for round in 0..4 {
        for host in &mut hosts {
            host.put(&[Row::at(DAY + round, "info", 1), Row::at(DAY + 24 * HOUR - round, "warn", 2)]).await;
            host.put(&[Row::at(DAY + 25 * HOUR - round, "info", 3)]).await;
        }
    }
    let report = pass(&config).await;
    assert_eq!((report.objects, report.rows, report.version), (24, 36, Some(TableVersion(0))));
    let (rows, files) = silver(&config).await;
    assert_eq!((once(&rows).len(), files), (36, 2), "a file a day");
    assert_eq!(rows.iter().filter(|(host, _)| host == "b").count(), 12, "the host is that of the prefix");
    assert_eq!(landing(&config).await, 0);
    assert_eq!(pass(&config).await, TableReport::default());
}

#[tokio::test]
async fn a_pass_that_died_before_deleting_is_finished_by_the_next() {
    let (_folder, config) = lake(Vec::new());
    let mut host = FakeHost::new(&config, "a");
    host.put(&[Row::at(DAY, "info", 1)]).await;
    host.put(&[Row::at(DAY + 1, "info", 2)]).await;
    compact(&config, &Noon).await.unwrap();
    host.put(&[Row::at(DAY + 2, "info", 3)]).await;
    let report = pass(&config).await;
    assert_eq!((report.objects, report.duplicates, report.quarantined.len()), (1, 2, 0));
    assert_eq!(once(&silver(&config).await.0).len(), 3);
    assert_eq!(landing(&config).await, 0);
}

#[tokio::test]
async fn an_object_put_again_after_it_was_folded_is_dropped_and_a_fork_is_not() {
    let (_folder, config) = lake(Vec::new());
    let mut host = FakeHost::new(&config, "a");
    let batch = host.batch(&[Row::at(DAY, "info", 1)]);
    let (name, bytes) = host.object(&batch, &host.footer(1, 1));
    let other = host.batch(&[Row::at(DAY, "info", 2)]);
    let (fork, fork_bytes) = host.object(&other, &host.footer(1, 1));
    host.put_as(&name, bytes.clone()).await;
    host.advance(&name);
    pass(&config).await;
    host.put(&[Row::at(DAY, "info", 3)]).await;
    pass(&config).await;

    host.put_as(&name, bytes).await;
    let stray = host.put_as(&fork, fork_bytes.clone()).await;
    let report = pass(&config).await;
    assert_eq!((report.objects, report.duplicates), (0, 1));
    assert_eq!(report.quarantined.iter().map(|q| q.kind).collect::<Vec<_>>(), ["fork"]);
    assert_eq!(once(&silver(&config).await.0).len(), 2);
    let kept = stray.replace("landing/", "quarantine/");
    assert_eq!(config.place.get(&kept).await.unwrap().unwrap(), fork_bytes);
    let reason = config.place.get(&format!("{kept}.reason.json")).await.unwrap().unwrap();
    assert!(String::from_utf8_lossy(&reason).contains(r#""kind":"fork""#));
    assert_eq!(landing(&config).await, 0);
}

#[tokio::test]
async fn a_gap_holds_its_stream_only_and_is_reported() {
    let (_folder, config) = lake(Vec::new());
    let (mut a, mut b) = (FakeHost::new(&config, "a"), FakeHost::new(&config, "b"));
    a.put(&[Row::at(DAY, "info", 1)]).await;
    let batch = a.batch(&[Row::at(DAY, "info", 2)]);
    let (late, bytes) = a.object(&batch, &a.footer(1, 1));
    a.advance(&late);
    a.put(&[Row::at(DAY, "info", 3)]).await;
    a.put(&[Row::at(DAY, "info", 4)]).await;
    b.put(&[Row::at(DAY, "info", 5)]).await;

    let report = pass(&config).await;
    assert_eq!(report.objects, 2);
    assert_eq!(report.gaps.len(), 1);
    assert_eq!(report.gaps[0].to_string(), "web/a/id-a: object 2 is missing; 2 objects wait behind");
    assert_eq!(landing(&config).await, 2);

    a.put_as(&late, bytes).await;
    let report = pass(&config).await;
    assert_eq!((report.objects, report.gaps.len()), (3, 0));
    assert_eq!(once(&silver(&config).await.0).len(), 5);
}

#[tokio::test]
async fn a_number_waits_for_all_of_its_parts() {
    let (_folder, config) = lake(Vec::new());
    let mut host = FakeHost::new(&config, "a");
    let (one, two) = (host.batch(&[Row::at(DAY, "info", 1)]), host.batch(&[Row::at(DAY, "info", 2)]));
    let (first, first_bytes) = host.object(&one, &host.footer(1, 2));
    let second_footer = Footer { previous: Some(first.digest.parse().unwrap()), ..host.footer(2, 2) };
    let (second, second_bytes) = host.object(&two, &second_footer);
    host.advance(&second);
    host.put_as(&second, second_bytes).await;
    host.put(&[Row::at(DAY, "info", 3)]).await;
    let report = pass(&config).await;
    assert_eq!(
        report.gaps[0].to_string(),
        "web/a/id-a: part 1 of object 1 is missing; 2 objects wait behind"
    );
    host.put_as(&first, first_bytes).await;
    let report = pass(&config).await;
    assert_eq!((report.objects, report.gaps.len(), report.quarantined.len()), (3, 0, 0));
    assert_eq!(once(&silver(&config).await.0).len(), 3);
}

#[tokio::test]
async fn two_objects_of_one_number_are_both_kept_out_and_the_stream_goes_on() {
    let (_folder, config) = lake(Vec::new());
    let mut host = FakeHost::new(&config, "a");
    host.put(&[Row::at(DAY, "info", 1)]).await;
    for ms in [2, 3] {
        let batch = host.batch(&[Row::at(DAY, "info", ms)]);
        let (name, bytes) = host.object(&batch, &host.footer(1, 1));
        host.put_as(&name, bytes).await;
        if ms == 3 {
            host.advance(&name);
        }
    }
    let report = pass(&config).await;
    assert_eq!((report.objects, report.quarantined.len()), (1, 2));
    host.put(&[Row::at(DAY, "info", 4)]).await;
    let report = pass(&config).await;
    assert_eq!((report.objects, report.quarantined.len()), (1, 0));
    assert_eq!(once(&silver(&config).await.0).len(), 2);
}

#[tokio::test]
async fn bad_objects_are_put_away_with_the_reason_and_passed() {
    let (_folder, config) = lake(Vec::new());
    let mut host = FakeHost::new(&config, "a");
    let row = [Row::at(DAY, "info", 1)];
    // Bytes that are not those that the name promises.
    let batch = host.batch(&row);
    let (name, bytes) = host.object(&batch, &host.footer(1, 1));
    host.put_as(&name, bytes.slice(1..)).await;
    host.advance(&name);
    // No Parquet.
    let text = Bytes::from_static(b"hello");
    let digest = crate::table::Digest::of(&text).to_string();
    let name = ObjectName { seq: Seq(2), digest, ..name };
    host.put_as(&name, text).await;
    host.advance(&name);
    // Another host's object.
    let footer = Footer { host: "b".into(), ..host.footer(1, 1) };
    let (name, bytes) = host.object(&batch, &footer);
    host.put_as(&name, bytes).await;
    host.advance(&name);
    // A broken chain.
    host.previous = None;
    host.put(&row).await;
    // A column of a type that is not kept.
    let odd = with_column(&batch, "n", Arc::new(arrow::array::UInt64Array::from(vec![1])) as ArrayRef);
    host.put_batch(&odd).await;
    // A good one.
    host.put(&row).await;
    // Names that are none.
    let stray = Bytes::from_static(b"x");
    let _ = config.place.put_new("landing/web/a/notes.txt", stray.clone()).await.unwrap();
    let unpadded = name.to_string().replace("/000000000003-", "/3-");
    let _ = config.place.put_new(&unpadded, stray).await.unwrap();

    let report = pass(&config).await;
    assert_eq!(report.objects, 1);
    let mut kinds: Vec<_> = report.quarantined.iter().map(|q| q.kind).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["chain", "column", "digest", "identity", "name", "name", "parquet"]);
    assert_eq!(landing(&config).await, 0);
    assert_eq!(config.place.join("quarantine").list().await.unwrap().len(), 14);
    assert_eq!(silver(&config).await.0.len(), 1);
}

#[tokio::test]
async fn a_table_whose_first_objects_are_all_bad_still_passes_them() {
    let (_folder, config) = lake(Vec::new());
    let mut host = FakeHost::new(&config, "a");
    let batch = host.batch(&[Row::at(DAY, "info", 1)]);
    let footer = Footer { format: 9, ..host.footer(1, 1) };
    let (name, bytes) = host.object(&batch, &footer);
    host.put_as(&name, bytes).await;
    host.advance(&name);
    let report = pass(&config).await;
    assert_eq!((report.objects, report.quarantined.len()), (0, 1));
    host.put(&[Row::at(DAY, "info", 2)]).await;
    assert_eq!(pass(&config).await.objects, 1);
    assert_eq!(silver(&config).await.0.len(), 1);
}

#[tokio::test]
async fn new_columns_merge_and_a_changed_type_is_kept_out_until_it_has_a_name() {
    let (_folder, mut config) = lake(Vec::new());
    let (mut a, mut b) = (FakeHost::new(&config, "a"), FakeHost::new(&config, "b"));
    a.put(&[Row::at(DAY, "info", 1)]).await;
    pass(&config).await;
    let batch = b.batch(&[Row::at(DAY, "info", 1)]);
    b.put_batch(&with_column(&batch, "status", Arc::new(Int32Array::from(vec![200])))).await;
    pass(&config).await;
    let batch = a.batch(&[Row::at(DAY, "info", 1)]);
    a.put_batch(&with_column(&batch, "status", Arc::new(StringArray::from(vec!["200"])))).await;
    a.put(&[Row::at(DAY, "info", 1)]).await;
    let report = pass(&config).await;
    assert_eq!(report.objects, 1);
    let Quarantined { object, kind, reason } = &report.quarantined[0];
    assert!(*kind == "type" && reason.contains("the type string; the table has integer"), "{reason}");
    let snapshot = Snapshot::load(&config.place.join("silver/web")).await.unwrap().unwrap();
    let schema = snapshot.schema().unwrap();
    assert_eq!(schema.field_with_name("status").unwrap().data_type(), &DataType::Int32);
    assert_eq!(silver(&config).await.0.len(), 3);

    // The operator gives the new type a column of its own: what was kept out is brought in, and what comes is taken.
    let rename = |column: &str, to: &str| Rename {
        table: "web".into(),
        column: column.into(),
        kind: "string".into(),
        to: to.into(),
    };
    config.renames = vec![rename("status", "level")];
    let outcome = requeue(&config, object, &Noon).await.unwrap();
    assert!(outcome.to_string().contains("column `level` stands there twice"), "{outcome}");
    config.renames = vec![rename("status", "status_text"), rename("host", "machine")];
    assert_eq!(requeue(&config, object, &Noon).await.unwrap(), Requeued::Folded(1));
    let batch = a.batch(&[Row::at(DAY, "info", 1)]);
    a.put_batch(&with_column(&batch, "status", Arc::new(StringArray::from(vec!["404"])))).await;
    assert_eq!((pass(&config).await.objects, once(&silver(&config).await.0).len()), (1, 5));
    let sql = "SELECT min(status_text) || max(status_text) AS n, sum(status) AS m FROM web";
    let answer = crate::query::answer(&config.place, sql).await.unwrap();
    assert_eq!(answer[0].column(0).as_string_view().value(0), "200404");
    assert_eq!(answer[0].column(1).as_primitive::<Int64Type>().value(0), 200);
}

#[tokio::test]
async fn two_passes_at_once_fold_everything_once() {
    for _ in 0..5 {
        let (_folder, config) = lake(Vec::new());
        let mut hosts: Vec<_> = ["a", "b", "c"].map(|host| FakeHost::new(&config, host)).into();
        for host in &mut hosts {
            for ms in 0..5 {
                host.put(&[Row::at(DAY + ms, "info", ms)]).await;
            }
        }
        let run = || async {
            let report = compact(&config, &Noon).await.unwrap();
            delete(&config.place, report.consumed).await.unwrap();
            report.tables.get("web").cloned().unwrap_or_default()
        };
        let (first, second) = tokio::join!(run(), run());
        assert_eq!(first.objects + second.objects, 15, "{first:?} {second:?}");
        assert_eq!(first.quarantined.len() + second.quarantined.len(), 0);
        assert_eq!(once(&silver(&config).await.0).len(), 15);
        assert_eq!(landing(&config).await, 0);
    }
}

#[tokio::test]
async fn a_commit_that_lost_its_race_starts_over_from_the_cursors() {
    let (_folder, config) = lake(Vec::new());
    let mut host = FakeHost::new(&config, "a");
    host.put(&[Row::at(DAY, "info", 1)]).await;
    let mut slow = Target::load(&config, "web").await.unwrap();
    let mut first = Pass::new(&config, &Noon, OBJECTS_MAX);
    let landing = config.place.join("landing/web");
    let mut plan = first.plan(landing.list_all(1), &slow.cursors, &mut TableReport::default()).await.unwrap();
    let slice = gather::gather(&config.place, &slow, &mut plan, &Noon).await.unwrap();
    assert_eq!(pass(&config).await.objects, 1);
    assert_eq!(fold::commit(slice, &mut slow, &Noon).await.unwrap(), Commit::Conflict);
    assert_eq!(once(&silver(&config).await.0).len(), 1);
}

#[tokio::test]
async fn cursors_are_read_through_a_checkpoint() {
    let (_folder, config) = lake(Vec::new());
    let mut host = FakeHost::new(&config, "a");
    host.put(&[Row::at(DAY, "info", 1)]).await;
    pass(&config).await;
    let place = config.place.join("silver/web");
    let before = Snapshot::load(&place).await.unwrap().unwrap();
    before.checkpoint().await.unwrap();
    host.put(&[Row::at(DAY, "info", 2)]).await;
    let report = pass(&config).await;
    assert_eq!((report.objects, report.quarantined.len()), (1, 0));
    let after = Snapshot::load(&place).await.unwrap().unwrap();
    assert_eq!(after.cursors().await.unwrap().get("stream/a/id-a"), Some(&2));
    assert_eq!(before.cursors().await.unwrap().get("stream/a/id-a"), Some(&1));
}

#[tokio::test]
async fn dead_letters_are_folded_like_any_table_and_an_object_without_rows_is_passed() {
    let (_folder, config) = lake(Vec::new());
    let mut host = FakeHost::new(&config, "a");
    host.put(&[]).await;
    host.stream.table = DEAD_LETTER.into();
    let batch = host.batch(&[Row::at(DAY, "info", 1)]);
    let columns = ["host", "source", "path", "file", "offset", "ingested_at", "processed_at"];
    let indices: Vec<usize> = columns.iter().map(|name| batch.schema().index_of(name).unwrap()).collect();
    let batch = batch.project(&indices).unwrap();
    let batch = with_column(&batch, "line", Arc::new(StringArray::from(vec!["{broken"])));
    let raw = arrow::array::BinaryArray::from(vec![Some(b"\xff".as_slice())]);
    let batch = with_column(&batch, "raw", Arc::new(raw));
    host.seq = 0;
    host.previous = None;
    host.put_batch(&with_column(&batch, "reason", Arc::new(StringArray::from(vec!["no JSON"])))).await;

    let report = compact(&config, &Noon).await.unwrap();
    let rows = |table: &str| report.tables.get(table).map(|table| (table.objects, table.rows));
    assert_eq!((rows("web"), rows("dead_letter")), (Some((1, 0)), Some((1, 1))));
    assert_eq!(silver(&config).await.1, 0);
    let place = config.place.join("silver/dead_letter");
    let snapshot = Snapshot::load(&place).await.unwrap().unwrap();
    assert_eq!(snapshot.files().unwrap().len(), 1);
    assert!(snapshot.schema().unwrap().field_with_name("seq").is_err());
}
