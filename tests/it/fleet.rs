//! The operator of many hosts sees of each how it is, at the cost of a few listings.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::support::{Host, succeed};

/// Has a host of this name ship lines, with a state folder and logs of its own.
fn ship(lake: &Host, name: &str, lines: &str) {
    let root = lake.path("").display().to_string();
    let root = root.trim_end_matches('/');
    fs::create_dir_all(lake.path(&format!("{name}/logs"))).unwrap();
    lake.append(&format!("{name}/logs/a.log"), lines);
    lake.configure("builtin:json", "");
    lake.edit(|edge| {
        edge.replace("\"state\"", &format!("\"{name}/state\""))
            .replace("host = \"h1\"", &format!("host = \"{name}\""))
            .replace(&format!("{root}/logs/"), &format!("{root}/{name}/logs/"))
    });
    succeed(&mut lake.edge(&["run", "--once"]));
}

/// The objects of a host in the landing.
fn landed(lake: &Host, table: &str, host: &str) -> Vec<PathBuf> {
    let files = walkdir::WalkDir::new(lake.path("lake/landing").join(table).join(host)).sort_by_file_name();
    let files = files.into_iter().flatten().filter(|file| file.file_type().is_file());
    files.map(|file| file.into_path()).collect()
}

fn fleet(lake: &Host) -> Vec<Value> {
    let said = succeed(&mut lake.central(&["fleet", "--format", "json"]));
    said.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn each_host_is_told_with_volume_rejects_versions_gaps_and_quarantine() {
    let lake = Host::new("builtin:json");
    let said = succeed(&mut lake.central(&["fleet"]));
    assert!(said.starts_with("0 hosts"), "{said}");

    let line = "{\"level\":\"INFO\",\"message\":\"m\"}\n";
    ship(&lake, "calm", &line.repeat(3));
    ship(&lake, "noisy", &format!("{}no json\nnor this\n", line.repeat(5)));
    for _ in 0..3 {
        ship(&lake, "torn", line);
    }
    fs::remove_file(&landed(&lake, "app", "torn")[1]).unwrap();
    ship(&lake, "forged", line);
    fs::write(&landed(&lake, "app", "forged")[0], "not what its name says").unwrap();
    succeed(&mut lake.central(&["compact"]));
    // What came since waits.
    ship(&lake, "calm", line);
    ship(&lake, "young", line);

    let hosts = fleet(&lake);
    let names: Vec<&str> = hosts.iter().map(|host| host["host"].as_str().unwrap()).collect();
    assert_eq!(names, ["calm", "forged", "noisy", "torn", "young"]);
    let of = |key: &str| hosts.iter().map(|host| host[key].clone()).collect::<Vec<_>>();
    assert_eq!(of("rows"), [3, 0, 5, 1, 0]);
    assert_eq!(of("rejects"), [0, 0, 2, 0, 0]);
    assert_eq!(of("waiting"), [1, 0, 0, 1, 1]);
    assert_eq!(of("quarantined"), [0, 1, 0, 0, 0]);
    for (host, name) in hosts.iter().zip(names) {
        let gaps = host["gaps"].as_array().unwrap();
        assert_eq!(gaps.len(), usize::from(name == "torn"), "{host}");
        if ["calm", "noisy", "torn"].contains(&name) {
            assert_eq!(host["logsmith"], env!("CARGO_PKG_VERSION"), "{host}");
            assert!(host["plugins"][0].as_str().unwrap().starts_with("json "), "{host}");
            assert!(host["bytes"].as_u64().unwrap() > 1_000, "{host}");
            assert!(host["lag_ms"].as_u64().is_some_and(|lag| lag < 3_600_000), "{host}");
        }
        assert_eq!(host["last_seen"].is_null(), name == "forged", "{host}");
        assert_eq!(host["waiting_since"].is_null(), host["waiting"] == 0, "{host}");
    }
    assert!(of("gaps")[3][0].as_str().unwrap().contains("object 2 is missing; 1 objects wait behind"));

    let said = succeed(&mut lake.central(&["fleet"]));
    assert!(said.starts_with("5 hosts; nothing of 1 since "), "{said}");
    assert!(said.contains("; 1 with gaps; 1 with objects in quarantine\n  waiting: app/torn/"), "{said}");
    let first = said.lines().skip_while(|line| !line.starts_with("HOST")).skip(1);
    let first: Vec<&str> = first.filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(first, ["forged", "torn", "calm", "noisy", "young"], "what is odd comes first: {said}");
    let csv = succeed(&mut lake.central(&["fleet", "--format", "csv"]));
    assert_eq!(csv.lines().count(), 6, "{csv}");

    // Of what is longer ago than asked for, only that the hosts exist is told.
    succeed(&mut lake.central(&["compact"]));
    std::thread::sleep(std::time::Duration::from_millis(20));
    let said = succeed(&mut lake.central(&["fleet", "--since", "1ms", "--format", "json"]));
    let calm: Value = serde_json::from_str(said.lines().next().unwrap()).unwrap();
    assert_eq!(
        (&calm["host"], &calm["rows"], calm["last_seen"].is_null()),
        (&"calm".into(), &0.into(), true)
    );
}
