//! A state folder that is not whole, or not this machine's, is refused with the commands that settle it; and
//! they do settle it.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::{Host, fail, succeed, text};

fn lines(numbers: std::ops::Range<u32>) -> String {
    numbers.map(|n| format!("{{\"level\":\"INFO\",\"message\":\"m{n}\"}}\n")).collect()
}

/// A host that has shipped 100 lines.
fn host() -> Host {
    let host = Host::new("builtin:json");
    fs::write(host.path("logs/a.log"), lines(0..100)).unwrap();
    host.finish();
    host
}

fn append(host: &Host, text: &str) {
    let old = fs::read_to_string(host.path("logs/a.log")).unwrap();
    fs::write(host.path("logs/a.log"), old + text).unwrap();
}

fn assert_refused(host: &Host) -> String {
    let before = listing(&host.path("state"));
    let said = fail(&mut host.edge(&["run", "--once"]));
    assert!(said.contains("logsmith adopt -c") && said.contains("logsmith fresh -c"), "{said}");
    assert_eq!(listing(&host.path("state")), before, "a refused folder was written to");
    said
}

/// The files of the folder's tables.
fn listing(folder: &Path) -> Vec<String> {
    let files =
        walkdir::WalkDir::new(folder).into_iter().flatten().filter(|entry| entry.file_type().is_file());
    let mut names: Vec<String> = files.map(|file| file.path().display().to_string()).collect();
    names.retain(|name| !name.contains("/cache/"));
    names.sort();
    names
}

fn messages(host: &Host) -> Vec<String> {
    let rows = host.read("lake/silver/app", &["message"]);
    let mut messages: Vec<String> =
        rows.iter().map(|row| row["message"].as_str().unwrap().to_owned()).collect();
    messages.sort();
    messages
}

fn expected(numbers: impl Iterator<Item = u32>) -> Vec<String> {
    let mut messages: Vec<String> = numbers.map(|n| format!("m{n}")).collect();
    messages.sort();
    messages
}

#[test]
fn a_lost_bronze_is_refused_until_it_is_skipped() {
    let host = host();
    fs::remove_dir_all(host.path("state/bronze")).unwrap();
    assert!(assert_refused(&host).contains("`bronze` is missing"));
    assert!(fail(&mut host.edge(&["adopt"])).contains("--missing"));
    succeed(&mut host.edge(&["adopt", "--missing", "skip"]));
    append(&host, &lines(100..150));
    host.finish();
    assert_eq!(messages(&host), expected(0..150));
}

#[test]
fn a_lost_bronze_is_refused_until_it_is_replayed() {
    let host = host();
    fs::remove_dir_all(host.path("state/bronze")).unwrap();
    assert_refused(&host);
    succeed(&mut host.edge(&["adopt", "--missing", "replay"]));
    append(&host, &lines(100..150));
    host.finish();
    assert_eq!(messages(&host), expected((0..100).chain(0..150)));
}

#[test]
fn a_lost_silver_is_refused_until_it_is_settled() {
    for (choice, wanted) in [("skip", expected(0..130)), ("replay", expected((0..100).chain(0..130)))] {
        let host = host();
        fs::remove_dir_all(host.path("state/silver/app")).unwrap();
        assert!(assert_refused(&host).contains("`silver/app` is missing"));
        succeed(&mut host.edge(&["adopt", "--missing", choice]));
        append(&host, &lines(100..130));
        host.finish();
        assert_eq!(messages(&host), wanted, "{choice}");
    }
}

#[test]
fn a_lost_dead_letter_table_is_refused_until_it_is_adopted() {
    let host = host();
    fs::remove_dir_all(host.path("state/dead_letter")).unwrap();
    assert!(assert_refused(&host).contains("`dead_letter` is missing"));
    succeed(&mut host.edge(&["adopt", "--missing", "skip"]));
    append(&host, &(lines(100..101) + "no json\n"));
    host.finish();
    assert_eq!(messages(&host), expected(0..101));
    assert_eq!(host.read("lake/silver/dead_letter", &["line"]).len(), 1);
}

#[test]
fn an_older_bronze_put_back_is_refused() {
    let host = host();
    succeed(Command::new("cp").arg("-a").arg(host.path("state/bronze")).arg(host.path("backup")));
    append(&host, &lines(100..200));
    host.finish();
    fs::remove_dir_all(host.path("state/bronze")).unwrap();
    fs::rename(host.path("backup"), host.path("state/bronze")).unwrap();
    assert!(assert_refused(&host).contains("Bronze ends at"));
}

#[test]
fn a_copied_folder_is_refused_until_it_is_adopted() {
    let host = host();
    succeed(Command::new("cp").arg("-a").arg(host.path("state")).arg(host.path("copy")));
    fs::remove_dir_all(host.path("state")).unwrap();
    fs::rename(host.path("copy"), host.path("state")).unwrap();
    assert!(assert_refused(&host).contains("inode"));
    succeed(&mut host.edge(&["adopt"]));
    append(&host, &lines(100..120));
    host.finish();
    assert_eq!(messages(&host), expected(0..120));
}

#[test]
fn a_folder_of_another_machine_is_refused_until_it_is_set_aside() {
    let host = host();
    for entry in fs::read_dir(host.path("state/bronze/_delta_log")).unwrap() {
        let file = entry.unwrap().path();
        let text = fs::read_to_string(&file).unwrap();
        let (before, after) = match text.split_once("\"machine\":\"") {
            Some((before, after)) => (before, after.split_once('"').unwrap().1),
            None => continue,
        };
        fs::write(&file, format!("{before}\"machine\":\"elsewhere\"{after}")).unwrap();
    }
    assert!(assert_refused(&host).contains("machine elsewhere"));
    succeed(&mut host.edge(&["fresh"]));
    host.finish();
    // A new stream: what still stands in the files is shipped again, as the command said.
    assert_eq!(messages(&host), expected((0..100).chain(0..100)));
}

#[test]
fn two_agents_on_one_folder_are_refused() {
    let host = host();
    append(&host, &lines(100..101));
    let mut first = host.start();
    crate::support::eventually("the first agent has committed", || host.added("state/bronze") == 101);
    let said = fail(&mut host.edge(&["run", "--once"]));
    assert!(said.contains("another logsmith runs on this state folder"), "{said}");
    first.kill();
}

/// What was in lost data files can only be given up; the tables are whole again without them, and central tells.
#[test]
fn lost_data_files_are_refused_until_they_are_given_up() {
    let host = Host::new("builtin:json");
    host.leave_central();
    fs::write(host.path("logs/a.log"), lines(0..100)).unwrap();
    succeed(&mut host.edge(&["run", "--once"]));
    append(&host, &lines(100..150));
    succeed(&mut host.edge(&["run", "--once"]));
    host.configure("builtin:json", "");
    let oldest = |table: &str| {
        let files = walkdir::WalkDir::new(host.path(table)).into_iter().flatten();
        let files = files.map(walkdir::DirEntry::into_path);
        let files = files.filter(|path| path.extension().is_some_and(|x| x == "parquet"));
        files.min_by_key(|path| fs::metadata(path).unwrap().modified().unwrap()).unwrap()
    };
    fs::remove_file(oldest("state/silver/app")).unwrap();
    let said = assert_refused(&host);
    assert!(said.contains("silver/app: 1 data files are lost"), "{said}");
    fail(&mut host.edge(&["adopt"]));
    succeed(&mut host.edge(&["adopt", "--missing", "skip"]));
    append(&host, &lines(150..160));
    succeed(&mut host.edge(&["run", "--once"]));
    let said = succeed(&mut host.central(&["compact"]));
    assert!(said.contains("waiting: app/h1/") && said.contains("object 1 is missing"), "{said}");
    assert_eq!(host.read("state/silver/app", &["message"]).len(), 60);
    fs::remove_file(oldest("state/bronze")).unwrap();
    assert!(assert_refused(&host).contains("bronze: 1 data files are lost"));
}

/// Each was refused in the system's own words, or not before something was written.
#[test]
fn a_file_where_a_folder_belongs_and_a_folder_where_a_file_does_are_refused_until_they_are_moved_away() {
    let host = host();
    let state = |name: &str| host.path("state").join(name);
    for name in
        ["bronze", "silver", "silver/app", "dead_letter", "bronze/_delta_log", "silver/app/_delta_log"]
    {
        fs::rename(state(name), host.path("kept")).unwrap();
        fs::write(state(name), "").unwrap();
        let said = assert_refused(&host);
        assert!(said.contains(&format!("{}: this is a file", state(name).display())), "{said}");
        fs::remove_file(state(name)).unwrap();
        fs::rename(host.path("kept"), state(name)).unwrap();
    }
    let next =
        |table: &str| format!("{table}/_delta_log/{:020}.json", host.commits(&format!("state/{table}")));
    for name in [next("bronze"), next("silver/app"), "silver/app/_delta_log/_last_checkpoint".to_owned()] {
        fs::create_dir(state(&name)).unwrap();
        let said = assert_refused(&host);
        assert!(said.contains(&format!("{}: this is a folder", state(&name).display())), "{said}");
        fs::remove_dir(state(&name)).unwrap();
    }
    append(&host, &lines(100..110));
    host.finish();
    assert_eq!(messages(&host), expected(0..110));
}

/// It was said of the WebAssembly engine that it could not start, since a file exists.
#[test]
fn a_file_where_the_state_folder_belongs_is_named_with_what_to_do() {
    let host = Host::new("builtin:json");
    fs::write(host.path("logs/a.log"), lines(0..100)).unwrap();
    fs::write(host.path("state"), "").unwrap();
    let said = fail(&mut host.edge(&["run", "--once"]));
    let folder = host.path("state").display().to_string();
    assert!(said.contains(&format!("{folder}: a file stands there; move it away")), "{said}");
    assert!(said.contains("`agent.state_dir`") && !said.contains("WebAssembly"), "{said}");
    fs::remove_file(host.path("state")).unwrap();
    host.finish();
    assert_eq!(messages(&host), expected(0..100));
}

#[test]
fn a_folder_where_the_lock_belongs_is_refused_until_it_is_moved_away_or_all_is_set_aside() {
    let host = host();
    fs::remove_file(host.path("state/lock")).unwrap();
    fs::create_dir(host.path("state/lock")).unwrap();
    let said = assert_refused(&host);
    assert!(said.contains("state/lock: this is a folder"), "{said}");
    succeed(&mut host.edge(&["fresh"]));
    host.finish();
    assert_eq!(messages(&host), expected((0..100).chain(0..100)));
}

/// The root of a volume has the same inode as that of any other.
#[test]
fn a_folder_that_is_copied_to_another_volume_is_refused_though_it_has_the_same_inode() {
    let host = Host::new("builtin:json");
    fs::write(host.path("logs/a.log"), lines(0..100)).unwrap();
    let (state, copy) = (host.path("state"), host.path("copy"));
    fs::create_dir(&state).unwrap();
    let script = "set -e; mount -t tmpfs one $1; mkdir $1/probe; test $(stat -c %W $1/probe) != 0 || exit 77; rmdir $1/probe
        $2 run -c $3 --once; cp -a $1 $4; umount $1; sleep 0.01; mount -t tmpfs two $1; cp -a $4/. $1/
        touch -r $4 $1; $2 run -c $3 --once";
    let mut mounted = Command::new("unshare");
    mounted.args(["-m", "sh", "-c", script, "sh"]).arg(&state).arg(env!("CARGO_BIN_EXE_logsmith"));
    let output = mounted.arg(host.path("edge.toml")).arg(&copy).output().unwrap();
    if output.status.code() == Some(77) || text(&output).contains("unshare failed") {
        eprintln!("skipped: no birth times in a tmpfs, or no mounts: {}", text(&output));
        return;
    }
    let said = text(&output);
    assert!(
        !output.status.success() && said.contains("it was made at") && said.contains("logsmith adopt -c"),
        "{said}"
    );
}

/// Puts the state folder back as it is in `backup`, file by file.
fn put_back(host: &Host, backup: &str, names: &[&str]) {
    for name in names {
        let at = host.path("state").join(name);
        let _ = fs::remove_dir_all(&at).or_else(|_| fs::remove_file(&at));
        succeed(Command::new("cp").arg("-a").arg(host.path(backup).join(name)).arg(&at));
    }
}

fn back_up(host: &Host) {
    succeed(Command::new("cp").arg("-a").arg(host.path("state")).arg(host.path("backup")));
}

const TABLES: [&str; 3] = ["bronze", "silver", "dead_letter"];

/// It ran on without a word, and central quarantined what followed.
#[test]
fn an_older_backup_put_back_into_the_same_folder_is_refused_until_it_is_adopted() {
    let host = host();
    back_up(&host);
    append(&host, &lines(100..200));
    host.finish();
    put_back(&host, "backup", &["bronze", "silver", "dead_letter", "lock"]);
    append(&host, &lines(200..300));
    assert!(assert_refused(&host).contains("its `lock` is another file"));
    let said = succeed(&mut host.edge(&["adopt"]));
    assert!(said.contains("is put again, and is in central twice"), "{said}");
    host.finish();
    append(&host, &lines(300..310));
    host.finish();
    // As it said: the second hundred was put since the backup was made.
    assert_eq!(messages(&host), expected((0..310).chain(100..200)));
    assert!(!host.path("lake/quarantine").exists());
}

/// Where nothing on the host tells, central does, and says what settles it.
#[test]
fn an_older_backup_that_the_host_cannot_notice_is_settled_by_beginning_anew() {
    let host = host();
    back_up(&host);
    append(&host, &lines(100..200));
    host.finish();
    put_back(&host, "backup", &TABLES);
    append(&host, &lines(200..300));
    succeed(&mut host.edge(&["run", "--once"]));
    let said = succeed(&mut host.central(&["compact"]));
    assert!(said.contains("state folder was set back") && said.contains("logsmith fresh"), "{said}");
    assert_eq!(messages(&host), expected(0..200));
    succeed(&mut host.edge(&["fresh"]));
    host.finish();
    append(&host, &lines(300..310));
    host.finish();
    // As it says: all that still stands in the files comes again, once.
    assert_eq!(messages(&host), expected((0..200).chain(0..310)));
}

/// What was not put when the folder was moved is put under its old numbers, and what follows under new ones.
#[test]
fn a_moved_folder_puts_what_was_waiting_and_goes_on_with_no_line_lost_or_doubled() {
    let host = Host::new("builtin:json");
    host.leave_central();
    for numbers in [0..50, 50..100] {
        host.append("logs/a.log", lines(numbers) + "no json\n");
        succeed(&mut host.edge(&["run", "--once"]));
    }
    host.configure("builtin:json", "");
    succeed(Command::new("cp").arg("-a").arg(host.path("state")).arg(host.path("copy")));
    fs::remove_dir_all(host.path("state")).unwrap();
    fs::rename(host.path("copy"), host.path("state")).unwrap();
    assert_refused(&host);
    for round in 0..2 {
        succeed(&mut host.edge(&["adopt"]));
        host.append("logs/a.log", lines(100 + 10 * round..110 + 10 * round) + "no json\n");
        host.finish();
    }
    assert_eq!(messages(&host), expected(0..120));
    assert_eq!(host.read("lake/silver/dead_letter", &["line"]).len(), 4);
    assert!(!host.path("lake/quarantine").exists());
}

/// Its lines were judged again, under numbers that central had consumed.
#[test]
fn an_older_silver_put_back_is_refused_until_it_is_settled() {
    for (choice, wanted) in [("skip", expected(0..210)), ("replay", expected((0..210).chain(100..200)))] {
        let host = host();
        back_up(&host);
        append(&host, &lines(100..200));
        host.finish();
        host.finish();
        put_back(&host, "backup", &["silver"]);
        assert!(assert_refused(&host).contains("an older one was put back"));
        fail(&mut host.edge(&["adopt"]));
        succeed(&mut host.edge(&["adopt", "--missing", choice]));
        append(&host, &lines(200..210));
        host.finish();
        assert_eq!(messages(&host), wanted, "{choice}");
        assert!(!host.path("lake/quarantine").exists());
    }
}
