//! What a host's stream lacks holds that stream, until the operator gives it up; what comes late is kept, and can
//! be brought in.

use std::fs;
use std::path::PathBuf;

use crate::support::{Host, numbers, succeed, text};

fn objects(host: &Host, folder: &str) -> Vec<PathBuf> {
    let files = walkdir::WalkDir::new(host.path(folder)).sort_by_file_name().into_iter().flatten();
    files
        .map(|file| file.into_path())
        .filter(|path| path.extension().is_some_and(|e| e == "parquet"))
        .collect()
}

#[test]
fn a_lost_object_is_reported_given_up_and_brought_in_when_it_turns_up() {
    let host = Host::new("builtin:json");
    for round in 0..3 {
        fs::write(host.path(&format!("logs/{round}.log")), "{\"level\":\"INFO\",\"message\":\"m\"}\n")
            .unwrap();
        succeed(&mut host.edge(&["run", "--once"]));
    }
    let put = objects(&host, "lake/landing");
    assert_eq!(put.len(), 3);
    let away = host.path("away.parquet");
    fs::rename(&put[1], &away).unwrap();

    let said = succeed(&mut host.central(&["compact"]));
    let line = said.lines().find(|line| line.contains("object 2 is missing; 1 objects wait behind")).unwrap();
    let stream = line.trim().strip_prefix("waiting: ").unwrap().split(':').next().unwrap();
    assert!(stream.starts_with("app/h1/"), "{said}");
    let said = succeed(&mut host.central(&["accept", stream]));
    assert!(said.contains("given up") && said.contains("1 objects, 1 rows folded"), "{said}");
    assert_eq!(host.read("lake/silver/app", &["offset"]).len(), 2);

    fs::rename(&away, &put[1]).unwrap();
    let said = succeed(&mut host.central(&["compact"]));
    assert!(said.contains("quarantine: landing/app/h1/") && said.contains("`requeue`"), "{said}");
    let kept = objects(&host, "lake/quarantine").remove(0);
    let name = kept.strip_prefix(host.path("lake")).unwrap().display().to_string();
    let said = succeed(&mut host.central(&["requeue", "quarantine/app/"]));
    assert!(said.contains(&name) && said.contains("1 rows folded"), "{said}");
    succeed(&mut host.central(&["compact"]));
    assert_eq!(host.read("lake/silver/app", &["offset"]).len(), 3);
    assert_eq!(numbers(&host.read("lake/gold/levels", &["log_count"]), "log_count"), [3]);
    let again = host.central(&["requeue", &name]).output().unwrap();
    assert!(text(&again).contains("was folded before"), "{}", text(&again));
}
