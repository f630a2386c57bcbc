//! A pass holds so much in memory, and no more, however much waits in the landing.

use std::process::Command;

use super::*;
use crate::central::run_once;
use crate::config::View;

/// Where [`victim`] finds its lake.
const VICTIM_LAKE: &str = "LOGSMITH_TEST_BACKLOG_LAKE";

const HOSTS: usize = 4;
const OBJECTS: usize = 10;
const ROWS: usize = 15_000;
/// A row as it lies in memory, in bytes.
const ROW_BYTES: usize = 4_096;
/// What the process may hold, in bytes: what a slice takes, as it was read and as it is written, and its own code.
const MEMORY_BYTES_MAX: u64 = 1_536 << 20;

#[tokio::test]
#[ignore = "a process of its own for the test below"]
async fn victim() {
    let folder = std::env::var(VICTIM_LAKE).unwrap();
    let sql = "SELECT date_trunc('hour', ingested_at) AS hour, count(*) AS n, max(message) AS last FROM web GROUP BY 1";
    let hours = View { name: "hours".into(), sql: sql.into(), hash_partitions: 1, keep: None };
    let (_own, mut config) = lake(vec![hours]);
    config.place = crate::store::Place::local(std::path::Path::new(&folder)).unwrap();
    let report = run_once(&config, &Noon).await.unwrap();
    assert!(report.is_whole(), "{report}");
    assert_eq!(report.folded.tables["web"].rows, (HOSTS * OBJECTS * ROWS) as u64);
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let most = most.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() << 10;
    assert!(most < MEMORY_BYTES_MAX, "{} MB were held", most >> 20);
}

#[tokio::test]
async fn a_backlog_that_is_larger_than_the_memory_is_folded_and_counted() {
    assert!((HOSTS * OBJECTS * ROWS * ROW_BYTES) as u64 > MEMORY_BYTES_MAX * 3 / 2);
    let (folder, config) = lake(Vec::new());
    let words = ["GET /a ", "GET /b ", "PUT /c "].map(|word| word.repeat(ROW_BYTES / word.len()));
    let messages: ArrayRef = Arc::new(StringArray::from_iter_values((0..ROWS).map(|n| &words[n % 3])));
    for host in 0..HOSTS {
        let mut host = FakeHost::new(&config, &format!("h{host}"));
        for object in 0..OBJECTS {
            let at = |n| DAY + (object * ROWS + n) as i64 * 400_000;
            let rows: Vec<Row> = (0..ROWS).map(|n| Row::at(at(n), "info", 1)).collect();
            let batch = host.batch(&rows);
            host.put_batch(&with_column(&batch, "message", Arc::clone(&messages))).await;
        }
    }
    let victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "compact::tests::backlog::victim", "--ignored", "--nocapture"])
        .env(VICTIM_LAKE, folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&victim.stdout) + String::from_utf8_lossy(&victim.stderr);
    assert!(victim.status.success() && said.contains("1 passed"), "{said}");
    assert!(config.place.join("landing").list().await.unwrap().is_empty());
}
