use super::*;
use std::time::Duration;

async fn within_seconds(watch: &Watch) -> Option<Change> {
    tokio::time::timeout(Duration::from_secs(10), watch.changed()).await.ok()
}

#[tokio::test]
async fn writes_and_renames_are_heard_and_many_become_one() {
    let mut rig = Rig::new("*.log");
    rig.append("a.log", "one\n");
    rig.tail.scan(rig.now);
    let mut watch = Watch::new();
    watch.follow(rig.tail.folders());
    assert_eq!(watch.mode(), WatchMode::Events);
    assert_eq!(within_seconds(&watch).await, Some(Change::Names), "a new folder wants a scan");
    for _ in 0..1000 {
        rig.append("a.log", "more\n");
    }
    assert!(within_seconds(&watch).await.is_some());
    tokio::time::sleep(Duration::from_millis(300)).await;
    while let Ok(change) = tokio::time::timeout(Duration::from_millis(300), watch.changed()).await {
        assert_eq!(change, Change::Written);
    }
    rig.rename("a.log", "a.log.1");
    assert_eq!(within_seconds(&watch).await, Some(Change::Names));
}

#[tokio::test]
async fn files_that_are_written_to_are_read_without_a_scan_also_where_they_are_not_open() {
    let mut rig = Rig::new("*.log");
    rig.limits.open_files_max = 1;
    rig.restart();
    let names = ["a.log", "b.log", "c.log"];
    names.iter().for_each(|name| rig.append(name, format!("{name} 1\n")));
    rig.run();
    let mut watch = Watch::new();
    watch.follow(rig.tail.folders());
    let heard = async |rig: &mut Rig| {
        while tokio::time::timeout(Duration::from_millis(300), watch.changed()).await.is_ok() {}
        let written = watch.written();
        rig.tail.look(written.iter().map(PathBuf::as_path), rig.now)
    };
    heard(&mut rig).await;
    names.iter().for_each(|name| rig.append(name, format!("{name} 2\n")));
    assert!(heard(&mut rig).await);
    rig.read_all();
    let mut lines = rig.lines().split_off(3);
    lines.sort_unstable();
    assert_eq!(lines, ["a.log 2", "b.log 2", "c.log 2"]);

    rig.append("d.log", "d.log 1\n");
    assert!(!heard(&mut rig).await, "a file that is not known");
    rig.run();
    rig.append("a.log", "a.log 3\n");
    rig.run();
    rig.truncate("b.log");
    assert!(!heard(&mut rig).await, "a file that is not what it was");
}

/// What was open needed no look, it seemed; but looks at others close it.
#[test]
fn regression_a_look_sees_what_was_written_to_a_file_that_it_closes() {
    let mut rig = Rig::new("*.log");
    rig.limits.open_files_max = 1;
    rig.restart();
    let names = ["a.log", "b.log"];
    names.iter().for_each(|name| rig.append(name, format!("{name} 1\n")));
    rig.run();
    names.iter().for_each(|name| rig.append(name, format!("{name} 2\n")));
    let open = rig.tail.handles.iter().next().map(|(key, _)| key).unwrap();
    let open = rig.tail.files.get(open).unwrap().path.to_path_buf();
    let other = names.map(|name| rig.path(name)).into_iter().find(|path| *path != open).unwrap();
    assert!(rig.tail.look([&*open, &*other], rig.now));
    rig.read_all();
    assert_eq!(rig.rows.len(), 4);
}

#[tokio::test]
async fn reading_a_file_is_no_change() {
    let mut rig = Rig::new("*.log");
    rig.append("a.log", "one\n");
    rig.run();
    let mut watch = Watch::new();
    watch.follow(rig.tail.folders());
    assert!(within_seconds(&watch).await.is_some());
    fs::read(rig.path("a.log")).unwrap();
    assert!(tokio::time::timeout(Duration::from_millis(300), watch.changed()).await.is_err());
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_no_error() {
    let mut watch = Watch::new();
    watch.follow(&BTreeSet::from([PathBuf::from("/no/such/folder")]));
    assert_eq!(watch.mode(), WatchMode::Events);
}

#[tokio::test]
async fn a_folder_that_is_removed_and_made_again_is_watched_again() {
    let mut rig = Rig::new("*/a.log");
    let mut watch = Watch::new();
    for round in 0..2 {
        fs::create_dir(rig.path("folder")).unwrap();
        rig.append("folder/a.log", format!("{round}\n"));
        assert_eq!(rig.run(), [format!("{round}")]);
        watch.follow(rig.tail.folders());
        while tokio::time::timeout(Duration::from_millis(300), watch.changed()).await.is_ok() {}
        rig.append("folder/a.log", "more\n");
        assert!(within_seconds(&watch).await.is_some());
        rig.read_all();
        fs::remove_dir_all(rig.path("folder")).unwrap();
    }
}
