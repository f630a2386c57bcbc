//! What anyone reads the lake with sees the same rows, and a query fetches the files that it needs.

use std::collections::HashSet;
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::s3::{Fate, Server};
use crate::support::{Host, python_with, succeed};

/// The readers, in versions that fit together. DuckDB's extension for Delta is one of its own.
const READERS: [&str; 5] = [
    "deltalake==1.6.6",
    "pyarrow==26.0.1",
    "duckdb==1.5.5",
    "duckdb-extension-delta==1.5.5",
    "polars==2.1.0",
];

/// What all readers see of a table, which is the same.
fn seen(host: &Host, table: &str, columns: &[&str]) -> Vec<Value> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/readers.py");
    let mut python = Command::new(python_with(&READERS));
    let url = format!("file://{}", host.path("lake").join(table).display());
    let said: Value = serde_json::from_str(&succeed(python.arg(script).arg(url).args(columns))).unwrap();
    for reader in ["duckdb", "polars"] {
        assert_eq!(said[reader], said["deltalake"], "{table}: {reader}");
    }
    assert_eq!(said["protocol"], serde_json::json!([1, 2]), "{table}: no feature that a reader may not have");
    said["deltalake"].as_array().unwrap().clone()
}

#[test]
fn duckdb_polars_and_deltalake_see_the_same_rows() {
    let host = Host::new("builtin:json");
    for pass in 0..3 {
        for n in 0..20 {
            let level = ["INFO", "WARN"][n % 2];
            let line = format!("{{\"level\":\"{level}\",\"message\":\"p{pass}é{n}\",\"x{n}\":1}}\n");
            host.append("logs/a.log", line);
        }
        host.append("logs/a.log", "no json\n");
        host.finish();
    }
    let columns = ["level", "message", "file", "offset", "host", "ingested_at", "processed_at", "date"];
    assert_eq!(seen(&host, "silver/app", &columns).len(), 60);
    assert_eq!(seen(&host, "silver/dead_letter", &["line", "reason", "ingested_at", "date"]).len(), 3);
    let counted = seen(&host, "gold/levels", &["log_level", "log_count"]);
    assert_eq!(counted, [serde_json::json!(["INFO", "30"]), serde_json::json!(["WARN", "30"])]);
}

#[test]
fn a_query_fetches_only_the_files_that_it_needs() {
    let host = Host::new("builtin:json");
    let server = Server::start(&host.path("s3"), TcpListener::bind("127.0.0.1:0").unwrap());
    let url = format!("url = \"file://{}\"", host.path("lake").display());
    let options = server.options();
    let to_s3 = format!("url = \"s3://logs/lake\"\n\n[central.options]\n{options}");
    host.edit(|edge| edge.replace(&url, &to_s3));
    let central = fs::read_to_string(host.path("central.toml")).unwrap();
    let to_s3 = format!("url = \"s3://logs/lake\"\n\n[options]\n{options}");
    fs::write(host.path("central.toml"), central.replace(&url, &to_s3)).unwrap();
    for pass in 0..4 {
        for n in 0..5 {
            host.append("logs/a.log", format!("{{\"level\":\"INFO\",\"message\":\"p{pass}-{n}\"}}\n"));
        }
        host.finish();
    }
    server.rule(|asked| match asked.method.as_str() {
        "GET" | "HEAD" => Fate::Served,
        _ => Fate::Refused(403, "AccessDenied"),
    });
    server.asked();
    let data = |sql: &str, answer: &str| {
        let said = succeed(&mut host.central(&["query", "--format", "csv", sql]));
        assert_eq!(said, answer);
        let asked = server.asked();
        assert!(asked.len() <= 60, "{} requests for {sql}: {asked:#?}", asked.len());
        let data = asked.into_iter().map(|asked| asked.path);
        data.filter(|path| path.ends_with(".parquet") && !path.contains("_delta_log")).collect::<HashSet<_>>()
    };
    let gold = data("SELECT log_count FROM gold.levels", "log_count\n20\n");
    assert!(gold.iter().all(|path| path.starts_with("logs/lake/gold/levels/")), "{gold:?}");
    assert_eq!(gold.len(), 1);
    let one = data("SELECT count(*) AS n FROM silver.app WHERE seq = 3", "n\n5\n");
    assert_eq!(one.len(), 1, "the statistics of the other files tell that they have no such row: {one:?}");
    let all = data("SELECT count(DISTINCT message) AS n FROM silver.app", "n\n20\n");
    assert_eq!(all.len(), 4);
}
