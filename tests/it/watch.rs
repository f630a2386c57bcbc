//! Programs and people see how far a host is, and what it does.

use std::fs;

use serde_json::{Value, json};

use crate::support::{Host, eventually, succeed};

/// What `status --json` says.
fn status(host: &Host) -> Value {
    serde_json::from_str(&succeed(&mut host.edge(&["status", "--json"]))).unwrap()
}

/// Asserts that an object has exactly these fields: programs rely on their names.
fn assert_fields(object: &Value, names: &str) {
    let mut found: Vec<&str> = object.as_object().unwrap().keys().map(String::as_str).collect();
    let mut wanted: Vec<&str> = names.split_whitespace().collect();
    found.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(found, wanted);
}

#[test]
fn status_tells_programs_how_far_a_host_is() {
    let host = Host::new("builtin:json");
    assert_eq!(status(&host)["has_run"], json!(false));

    // The central store is away: where its folder should be stands a file.
    fs::write(host.path("lake"), "").unwrap();
    host.append("logs/a.log", "{\"message\":\"one\"}\n{\"message\":\"two\"}\nbroken\n");
    let agent = host.start();
    eventually("objects wait to be put", || {
        status(&host)["pipelines"][0]["uploads"]["waiting_objects"] == json!(2)
    });
    let seen = status(&host);
    assert_fields(
        &seen,
        "format host state_dir has_run files passed_over sources tables pipelines losses disk configuration_refused",
    );
    assert_eq!((&seen["format"], &seen["host"]), (&json!(1), &json!("h1")));
    let file = &seen["files"][0];
    let path = host.path("logs/a.log");
    let wanted = json!({
        "path": path, "source": "app", "size_bytes": 43, "taken_bytes": 43, "lag_bytes": 0, "damage": null,
        "locked": false
    });
    assert_eq!(*file, wanted);
    assert_fields(&seen["tables"][0], "name version rows bytes");
    let tables: Vec<_> =
        seen["tables"].as_array().unwrap().iter().map(|table| (&table["name"], &table["rows"])).collect();
    let (bronze, silver, dead) = (json!("bronze"), json!("silver/app"), json!("dead_letter"));
    assert_eq!(tables, [(&bronze, &json!(3)), (&silver, &json!(2)), (&dead, &json!(1))]);
    let pipeline = &seen["pipelines"][0];
    assert_fields(pipeline, "name lines rows dropped dead_letters waiting held refused uploads");
    for (name, count) in [("lines", 3), ("rows", 2), ("dropped", 0), ("dead_letters", 1)] {
        assert_eq!(pipeline[name], json!(count), "{name}");
    }
    assert_fields(&pipeline["waiting"], "versions lines bytes");
    let uploads = &pipeline["uploads"];
    assert_fields(uploads, "url version put_up_to objects_made waiting_objects waiting_bytes held");
    let made = fs::read_dir(host.path("state/silver/app")).unwrap().chain(dead_files(&host));
    let made = made.flat_map(|entry| parquet_bytes(&entry.unwrap().path())).sum::<u64>();
    assert_eq!(uploads["waiting_bytes"], json!(made));
    assert_fields(
        &seen["losses"],
        "cut_lines cut_bytes vanished_files vanished_bytes hole_bytes damaged_files",
    );
    assert_fields(&seen["disk"], "used_bytes budget_bytes room_bytes is_full takes_nothing");
    assert_eq!(seen["disk"]["budget_bytes"], json!(2_000_000_000));

    fs::remove_file(host.path("lake")).unwrap();
    eventually("nothing waits any more", || {
        status(&host)["pipelines"][0]["uploads"]["waiting_objects"] == json!(0)
    });
    agent.stop();

    host.append("logs/a.log", "{\"message\":\"three\"}\n");
    let behind = status(&host);
    assert_eq!(behind["files"][0]["lag_bytes"], json!(20));
    assert_eq!(behind["sources"], json!([{"name": "app", "files": 1, "lag_bytes": 20}]));
}

fn dead_files(host: &Host) -> fs::ReadDir {
    fs::read_dir(host.path("state/dead_letter")).unwrap()
}

/// What data files take below one day of a table.
fn parquet_bytes(day: &std::path::Path) -> Vec<u64> {
    if day.ends_with("_delta_log") || !day.is_dir() {
        return Vec::new();
    }
    fs::read_dir(day).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).collect()
}
