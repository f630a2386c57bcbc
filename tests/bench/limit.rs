//! How fast new rows are folded and counted, beside DataFusion that reads the same Parquet and groups it by the same
//! queries, and keeps nothing: the limit.

use std::fs;
use std::time::Instant;

use deltalake::datafusion::prelude::{ParquetReadOptions, SessionContext};

use super::{Lake, OBJECT_ROWS, batch, queries};

/// Rows a second that are folded and counted by three views at least, on two cores.
const ROWS_PER_SECOND_MIN: f64 = 1e6;

/// Folds and counts so many rows; whether that was fast enough.
pub async fn is_fast_enough(rows: usize) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let mut lake = Lake::new(folder.path(), 0, 1).await;
    let (mut ours, mut limit) = (f64::INFINITY, f64::INFINITY);
    for run in 0..3 {
        for _ in 0..rows.div_ceil(OBJECT_ROWS) {
            lake.put(batch(OBJECT_ROWS.min(rows))).await;
        }
        // The same objects under another name: those of the landing go.
        let same = folder.path().join(format!("same-{run}"));
        fs::create_dir(&same).unwrap();
        let objects = walkdir::WalkDir::new(folder.path().join("landing")).into_iter().flatten();
        for (n, object) in objects.filter(|entry| entry.file_type().is_file()).enumerate() {
            fs::hard_link(object.path(), same.join(format!("{n}.parquet"))).unwrap();
        }
        let started = Instant::now();
        let report = logsmith::central::run_once(&lake.config, &super::Noon).await.unwrap();
        ours = ours.min(started.elapsed().as_secs_f64());
        assert!(report.is_whole(), "{report}");

        let started = Instant::now();
        for (_, sql, _) in queries("CAST(ingested_at AS DATE)") {
            let context = SessionContext::new();
            let read = ParquetReadOptions::default();
            context.register_parquet("web", same.to_str().unwrap(), read).await.unwrap();
            context.sql(&sql).await.unwrap().collect().await.unwrap();
        }
        limit = limit.min(started.elapsed().as_secs_f64());
    }
    let speed = rows as f64 / ours;
    println!(
        "{rows} rows folded and counted by 3 views: {ours:.2} s, {:.2} M rows/s (at least {:.1}); read and grouped by \
         DataFusion {limit:.2} s, {:.2} M rows/s: a ratio of {:.2}",
        speed / 1e6,
        ROWS_PER_SECOND_MIN / 1e6,
        rows as f64 / limit / 1e6,
        ours / limit
    );
    speed >= ROWS_PER_SECOND_MIN
}
