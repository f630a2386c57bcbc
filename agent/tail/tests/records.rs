use super::*;

#[test]
fn a_record_is_readable_and_short() {
    let mut rig = Rig::new("*.log");
    rig.append("a.log", numbered("line", 0..100_000));
    rig.run();
    let json = serde_json::to_value(rig.tail.live().unwrap()).unwrap();
    let record = &json["files"][0];
    assert_eq!(
        (&record["key"], &record["source"], &record["offset"]),
        (&1.into(), &"app".into(), &1_200_000.into())
    );
    assert!(record["head"].as_str().unwrap().starts_with("0+1024:"));
    assert!(record["tail"].as_str().unwrap().starts_with("1199744+256:"));
    assert!(record["marks"].as_array().unwrap().len() <= 6);
    assert!(record.get("gone").is_none() && record.get("open_line").is_none());
    assert!(record.to_string().len() < 700, "{record}");
}

#[test]
fn a_path_of_any_bytes_survives_a_record() {
    let mut rig = Rig::new("*.log");
    let names: [&[u8]; 3] = [b"100% \xff\n.log", b"%41.log", b"\xe9\"\\.log"];
    for name in names {
        append(&rig.path(OsStr::from_bytes(name)), b"line\n");
    }
    assert_eq!(rig.run().len(), 3);
    let json = serde_json::to_string(&rig.tail.live().unwrap()).unwrap();
    assert!(json.contains("100%25 %FF%0A.log"), "{json}");
    rig.restart();
    assert!(rig.run().is_empty());
    let paths: Vec<_> = rig.positions.files.values().map(|record| record.path.to_path_buf()).collect();
    assert!(names.iter().all(|name| paths.contains(&rig.path(OsStr::from_bytes(name)))));
}

#[test]
fn the_records_of_later_commits_replace_and_end_earlier_ones() {
    let mut rig = Rig::new("*.log");
    rig.append("a.log", "a\n");
    rig.append("b.log", "b\n");
    rig.run();
    assert_eq!(rig.positions.files.len(), 2);
    rig.remove("a.log");
    rig.run();
    rig.pass(10);
    rig.run();
    assert_eq!(rig.positions.files.len(), 1);
    let live = serde_json::to_value(rig.tail.live().unwrap()).unwrap();
    assert_eq!(serde_json::from_value::<Positions>(live).unwrap(), rig.positions);
    assert_eq!(rig.tail.moved().unwrap().records(), 0);
}

#[test]
fn many_records_are_packed_and_come_back() {
    let mut rig = Rig::new("*.log");
    for file in 0..1_100 {
        rig.append(&format!("{file}.log"), format!("line of file {file}\n"));
    }
    rig.run();
    let json = serde_json::to_value(rig.tail.live().unwrap()).unwrap();
    let packed = json["files"].as_str().unwrap();
    assert!(packed.len() < 1_100 * 150, "{} bytes", packed.len());
    assert_eq!(serde_json::from_value::<Positions>(json).unwrap(), rig.positions);
    rig.restart();
    assert!(rig.run().is_empty());
}

#[test]
fn damaged_records_are_refused() {
    let mut rig = Rig::new("*.log");
    rig.append("a.log", "a\n");
    rig.run();
    let mut ahead = rig.positions.clone();
    ahead.next_key = FileKey::FIRST;
    assert!(Tail::open(rig.sources.clone(), ahead, rig.limits).is_err());
    let mut shifted = rig.positions.clone();
    shifted.files.values_mut().for_each(|record| record.offset += 1);
    assert!(Tail::open(rig.sources.clone(), shifted, rig.limits).is_err());
}

#[test]
fn status_shows_size_offset_and_lag() {
    let mut rig = Rig::new("*.log");
    rig.append("a.log", "line\npart");
    rig.append("b.log", "line\n");
    rig.run();
    rig.remove("b.log");
    let status = file_status(&rig.positions);
    assert_eq!((status[0].size, status[0].offset, status[0].lag()), (Some(9), 5, 4));
    assert_eq!((status[1].size, status[1].lag()), (None, 0));
}

#[test]
fn globs_name_files_at_any_depth_and_refuse_what_they_cannot_mean() {
    let mut rig = Rig::with("**/*.{log,txt}", |source| {
        source.exclude = vec![Exclude::parse("debug*").unwrap()];
    });
    fs::create_dir_all(rig.path("x/y")).unwrap();
    for name in ["top.log", "x/one.txt", "x/y/two.log", "x/debug.log", "x/y/other.csv", "x/y/three.log.gz"] {
        rig.append(name, format!("{name}\n"));
    }
    std::os::unix::fs::symlink(rig.folder.path(), rig.path("x/loop")).unwrap();
    let mut lines = rig.run();
    lines.sort();
    assert_eq!(lines, ["top.log", "x/one.txt", "x/y/two.log"]);
    for bad in ["relative/*.log", "/a/{b,c/d}/*.log", "/a/../b.log", "/a/[.log"] {
        assert!(FileGlob::parse(bad).is_err(), "{bad}");
    }
    assert!(Exclude::parse("a/b").is_err());
}
