//! Real logs arrive whole: every byte of every line, in order, and counted right.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::support::{Host, logsmith, numbers, real_logs, succeed};

/// The lines of a file with their offsets, as anyone would cut them.
fn lines(bytes: &[u8]) -> Vec<(i64, Vec<u8>)> {
    let mut lines = Vec::new();
    let mut offset = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let text = line.strip_suffix(b"\n").map_or(line, |text| text.strip_suffix(b"\r").unwrap_or(text));
        lines.push((offset as i64, text.to_vec()));
        offset += line.len();
    }
    lines
}

fn bytes_of(row: &Value) -> Vec<u8> {
    match row["raw"].as_str() {
        Some(hex) => {
            (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
        }
        None => row["line"].as_str().unwrap().as_bytes().to_vec(),
    }
}

fn assert_bronze_holds(host: &Host, files: &[&str]) {
    let mut rows = host.read("state/bronze", &["path", "offset", "line", "raw"]);
    rows.sort_by_key(|row| row["offset"].as_i64());
    for file in files {
        let path = host.path("logs").join(file);
        let found: Vec<_> = rows
            .iter()
            .filter(|row| row["path"].as_str() == path.to_str())
            .map(|row| (row["offset"].as_i64().unwrap(), bytes_of(row)))
            .collect();
        let wanted = lines(&fs::read(&path).unwrap());
        assert_eq!(found.len(), wanted.len(), "{file}: number of lines");
        assert!(found == wanted, "{file}: a line differs");
    }
}

#[test]
fn every_byte_of_real_logs_comes_back_in_order() {
    let Some(data) = real_logs() else { return };
    let host = Host::new("builtin:json");
    let files = ["access.log", "Apache.log", "HDFS.log", "OpenSSH.log", "Linux.log"];
    for file in files {
        fs::copy(data.join(file), host.path("logs").join(file)).unwrap();
    }
    succeed(&mut host.edge(&["run", "--once"]));
    assert_bronze_holds(&host, &files);
    // None of these lines is a JSON object: each must have its verdict, and be told why.
    let dead = host.read("state/dead_letter", &["reason"]);
    assert_eq!(dead.len(), 18_000);
    assert!(dead.iter().all(|row| !row["reason"].as_str().unwrap().is_empty()));
}

#[test]
fn odd_bytes_come_back_as_they_were() {
    let host = Host::new("builtin:json");
    let mut odd: Vec<u8> = b"plain\r\nno utf8: \xff\xfe\n\n\x00nul\r\nlone \r in the middle\nlong: ".to_vec();
    odd.extend(std::iter::repeat_n(b'x', 700_000));
    odd.extend("\nümlaut and no newline at the end".bytes());
    fs::write(host.path("logs/odd.log"), &odd).unwrap();
    succeed(&mut host.edge(&["run", "--once"]));
    assert_bronze_holds(&host, &["odd.log"]);
}

#[test]
fn web_requests_are_counted_as_awk_counts_them() {
    let Some(data) = real_logs() else { return };
    let host = Host::new("builtin:access");
    host.views("status", "SELECT status, count(*) AS n, sum(bytes) AS bytes FROM app GROUP BY status");
    fs::copy(data.join("access.log"), host.path("logs/access.log")).unwrap();
    host.finish();

    let program = r#"{ n[$9]++; if ($10 != "-") b[$9] += $10 } END { for (s in n) printf "%d %d %.0f\n", s, n[s], b[s] }"#;
    let counted = succeed(Command::new("awk").arg(program).arg(data.join("access.log")));
    let mut wanted: Vec<Vec<i64>> =
        counted.lines().map(|line| line.split(' ').map(|field| field.parse().unwrap()).collect()).collect();
    wanted.sort();
    let mut found: Vec<Vec<i64>> = host
        .read("lake/gold/status", &["status", "n", "bytes"])
        .iter()
        .map(|row| ["status", "n", "bytes"].map(|column| row[column].as_i64().unwrap_or(0)).to_vec())
        .collect();
    found.sort();
    assert_eq!(found, wanted);
    assert!(host.read("state/dead_letter", &["line"]).is_empty());
}

#[test]
fn generated_logs_are_counted_as_the_generator_counted() {
    let host = Host::new("builtin:json");
    let arguments = [
        "--files",
        "3",
        "--lines",
        "6000",
        "--broken-permille",
        "7",
        "--rotate-lines",
        "900",
        "--seed",
        "42",
    ];
    let written = succeed(logsmith().arg("generate").arg(host.path("logs")).args(arguments));
    let written: Value = serde_json::from_str(&written).unwrap();
    host.finish();

    let gold = host.read("lake/gold/levels", &["log_level", "log_count"]);
    let found: BTreeMap<String, i64> = gold
        .iter()
        .map(|row| (row["log_level"].as_str().unwrap().to_owned(), row["log_count"].as_i64().unwrap()))
        .collect();
    assert_eq!(serde_json::to_value(found).unwrap(), written["levels"]);
    let dead = host.read("lake/silver/dead_letter", &["offset"]);
    assert_eq!(numbers(&dead, "offset").len() as u64, written["broken"].as_u64().unwrap());
}
