//! The central tables stay small in files and right in rows, for every reader, however often the job runs.

use std::fs;

use crate::support::{Host, numbers};

#[test]
fn small_files_are_merged_and_other_readers_see_every_row_once() {
    let host = Host::new("builtin:json");
    for round in 0..9 {
        let text: String =
            (0..20).map(|n| format!("{{\"level\":\"INFO\",\"message\":\"{round} {n}\"}}\n")).collect();
        fs::write(host.path(&format!("logs/{round}.log")), text).unwrap();
        host.finish();
    }
    let rows = host.read("lake/silver/app", &["message"]);
    let mut messages: Vec<String> =
        rows.iter().map(|row| row["message"].as_str().unwrap().to_owned()).collect();
    messages.sort();
    let mut expected: Vec<String> = (0..9).flat_map(|r| (0..20).map(move |n| format!("{r} {n}"))).collect();
    expected.sort();
    assert_eq!(messages, expected);
    assert_eq!(numbers(&host.read("lake/gold/levels", &["log_count"]), "log_count"), [180]);
    let log = host.path("lake/silver/app/_delta_log");
    let entries = fs::read_dir(log).unwrap().map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap());
    let merges: Vec<String> = entries.filter(|entry| entry.contains("OPTIMIZE")).collect();
    assert_eq!(merges.len(), 1);
    assert!(!merges[0].contains("\"dataChange\":true"), "{}", merges[0]);
}
