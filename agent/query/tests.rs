use arrow::util::pretty::pretty_format_batches;

use super::*;
use crate::compact::fake_host::{DAY, FakeHost, Noon, Row, lake};
use crate::compact::{SILVER, compact};

async fn silver() -> (tempfile::TempDir, SessionContext) {
    let (folder, config) = lake(Vec::new());
    let mut host = FakeHost::new(&config, "a");
    host.put(&[Row::at(DAY, "info", 1), Row::at(DAY, "warn", 2), Row::at(DAY, "info", 3)]).await;
    compact(&config, &Noon).await.unwrap();
    let tables = discover(&config.place).await.unwrap();
    assert_eq!(tables.iter().map(|t| t.schema.as_str()).collect::<Vec<_>>(), [SILVER]);
    let context = session(tables).await.unwrap();
    (folder, context)
}

#[tokio::test]
async fn a_table_answers_to_its_full_and_to_its_bare_name() {
    let (_folder, context) = silver().await;
    for table in ["silver.web", "web"] {
        let sql = format!(
            "SELECT level, count(*) AS n, max(date) AS day FROM {table} GROUP BY level ORDER BY level"
        );
        let answer = run(&context, &sql).await.unwrap();
        let text = pretty_format_batches(&answer).unwrap().to_string();
        let expected = "\
+-------+---+------------+
| level | n | day        |
+-------+---+------------+
| info  | 2 | 2026-11-20 |
| warn  | 1 | 2026-11-20 |
+-------+---+------------+";
        assert_eq!(text, expected);
    }
    assert!(!run(&context, "EXPLAIN SELECT * FROM web").await.unwrap().is_empty());
}

#[tokio::test]
async fn an_unknown_table_is_told_with_those_that_there_are() {
    let (_folder, context) = silver().await;
    let error = run(&context, "SELECT * FROM webb").await.unwrap_err();
    assert_eq!(error.to_string(), "there is no table webb; there are: silver.web");
    let error = run(&context, "SELECT nothing FROM web").await.unwrap_err();
    assert!(error.to_string().contains("No field named nothing"), "{error}");
}

#[tokio::test]
async fn nothing_is_written() {
    let (folder, context) = silver().await;
    let target = folder.path().join("out.csv");
    for sql in [
        "DELETE FROM web",
        "INSERT INTO web SELECT * FROM web",
        "CREATE TABLE t AS SELECT 1",
        "DROP TABLE web",
        "SET datafusion.execution.batch_size = 1",
        "EXPLAIN ANALYZE DELETE FROM web",
        &format!("COPY web TO '{}'", target.display()),
        &format!("CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '{}'", target.display()),
    ] {
        let refused = run(&context, sql).await;
        assert!(matches!(refused, Err(QueryError::ReadOnly)), "{sql}: {refused:?}");
    }
    assert!(!target.exists());
}
