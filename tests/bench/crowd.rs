//! What one run over the small objects of many hosts costs: objects, rows and bytes a second, memory, and requests, which
//! buckets charge for.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use logsmith::central::run_once;
use logsmith::config::{Central, View};
use logsmith::store::{Place, StoreOptions};
use logsmith::sync::landing::{ObjectName, Seq, StreamId};
use logsmith::table::Digest;

use super::requests::{Counted, Requests};
use super::{Noon, batch, object};

/// The tables that each host has.
const TABLES: [&str; 3] = ["web", "app", "audit"];
/// The objects that each host has put for each of them.
const OBJECTS: u64 = 10;
/// The rows of an object.
const ROWS: usize = 10;

/// Has so many hosts put, and folds it all in one run.
pub async fn fold(hosts: usize) {
    let folder = tempfile::tempdir().unwrap();
    let local = Place::local(folder.path()).unwrap();
    let rows = batch(ROWS);
    let mut bytes = 0;
    for host in 0..hosts {
        for table in TABLES {
            bytes += put(folder.path(), &local, table, &format!("host-{host}"), &rows);
        }
    }
    let requests = Arc::new(Requests::default());
    let counted = Arc::clone(&requests);
    let place = local.through(|inner| Arc::new(Counted { inner, requests: counted }));
    let view = |table: &&str| View {
        name: format!("{table}_minutes"),
        sql: format!(
            "SELECT date_trunc('minute', ingested_at) AS minute, level, count(*) AS n FROM {table} GROUP BY 1, 2"
        ),
        hash_partitions: 1,
        keep: None,
    };
    let views = TABLES.iter().map(view).collect();
    let config = Central {
        place,
        options: StoreOptions::new(),
        views,
        renames: Vec::new(),
        retentions: Vec::new(),
        running: Default::default(),
    };
    let started = Instant::now();
    let report = run_once(&config, &Noon).await.unwrap();
    let took = started.elapsed().as_secs_f64();
    let objects = hosts as u64 * TABLES.len() as u64 * OBJECTS;
    let folded: u64 = report.folded.tables.values().map(|table| table.objects).sum();
    assert!(report.is_whole() && folded == objects, "{report}");
    let a_second = |count: u64| count as f64 / took;
    println!(
        "{hosts} hosts, {} tables, {objects} objects of {ROWS} rows, {:.1} MB: {took:.1} s, {:.0} objects/s, {:.0} rows/s, \
         {:.2} MB/s, {} MB of memory at most",
        TABLES.len(),
        bytes as f64 / 1e6,
        a_second(objects),
        a_second(objects * ROWS as u64),
        a_second(bytes) / 1e6,
        memory_bytes_max() >> 20
    );
    println!("  {requests}: {:.4} dollars on S3", requests.dollars());
}

/// Writes the objects of a stream, and returns how many bytes these are.
fn put(folder: &Path, place: &Place, table: &str, host: &str, rows: &arrow::array::RecordBatch) -> u64 {
    let stream = StreamId { table: table.to_owned(), host: host.to_owned(), table_id: "t".to_owned() };
    let (mut previous, mut bytes) = (None, 0);
    for seq in 1..=OBJECTS {
        let file = object(place, &stream, seq, previous, rows.clone());
        let digest: Digest = file.digest();
        let name = ObjectName { stream: stream.clone(), seq: Seq(seq), part: 1, digest: digest.to_string() }
            .to_string();
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, &file.bytes).unwrap();
        (previous, bytes) = (Some(digest), bytes + file.bytes.len() as u64);
    }
    bytes
}

/// The most memory that this process has held since its start, in bytes.
fn memory_bytes_max() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    most.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() << 10
}
