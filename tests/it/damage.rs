//! A state folder that a crash or a disk has damaged: either every line is still there once, or the agent says what is
//! wrong, writes nothing, and says the same at the next start.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::{Host, eventually, fail, python, read_back, succeed, text};

/// What happens to a file.
#[derive(Clone, Copy, Debug)]
enum Damage {
    Torn,
    Emptied,
    FilledWithNuls,
    Removed,
}

const ALL: [Damage; 4] = [Damage::Torn, Damage::Emptied, Damage::FilledWithNuls, Damage::Removed];

impl Damage {
    fn strike(self, file: &Path) {
        let bytes = fs::read(file).unwrap();
        match self {
            Self::Torn => fs::write(file, &bytes[..bytes.len() / 2]).unwrap(),
            Self::Emptied => fs::write(file, "").unwrap(),
            Self::FilledWithNuls => fs::write(file, vec![0; bytes.len()]).unwrap(),
            Self::Removed => fs::remove_file(file).unwrap(),
        }
    }
}

/// A host that has shipped 600 lines in several commits.
fn host() -> Host {
    let host = Host::new("builtin:json");
    for round in 0..3 {
        append(&host, round * 200..round * 200 + 200);
        succeed(&mut host.edge(&["run", "--once"]));
    }
    host
}

fn append(host: &Host, numbers: std::ops::Range<u32>) {
    let mut file = OpenOptions::new().create(true).append(true).open(host.path("logs/a.log")).unwrap();
    let lines: String = numbers.map(|n| format!("{{\"level\":\"INFO\",\"message\":\"m{n}\"}}\n")).collect();
    file.write_all(lines.as_bytes()).unwrap();
}

/// The entries of a table's log, oldest first.
fn entries(host: &Host, table: &str) -> Vec<PathBuf> {
    let folder = fs::read_dir(host.path(&format!("state/{table}/_delta_log"))).unwrap();
    let mut entries: Vec<PathBuf> = folder.flatten().map(|entry| entry.path()).collect();
    entries.retain(|path| path.extension().is_some_and(|ending| ending == "json"));
    entries.sort();
    entries
}

fn data_files(host: &Host, table: &str) -> Vec<PathBuf> {
    let files = walkdir::WalkDir::new(host.path(&format!("state/{table}"))).into_iter().flatten();
    let mut files: Vec<PathBuf> = files.map(|file| file.path().to_owned()).collect();
    files.retain(|path| path.extension().is_some_and(|ending| ending == "parquet"));
    files.sort();
    files
}

/// Starts the agent on `host` twice, with 100 more lines in the file: they and the 600 before arrive once, or both times
/// the agent says what is wrong and how to settle it.
fn check(host: &Host, case: &str) -> Result<(), String> {
    append(host, 600..700);
    let runs = [(); 2].map(|()| host.edge(&["run", "--once"]).output().unwrap());
    let said = runs.each_ref().map(text);
    assert_eq!(runs[0].status.success(), runs[1].status.success(), "{case}: {said:?}");
    if !runs[0].status.success() {
        assert!(said[0].contains("state"), "{case}: no file is named: {}", said[0]);
        assert!(said[0].contains("logsmith fresh -c"), "{case}: no way out is named: {}", said[0]);
        return Err(said[0].clone());
    }
    let rows = &read_back(&[(host.path("state/silver/app"), &["message"])])[0];
    assert_messages(rows, (0..700).map(|n| format!("m{n}")).collect(), case);
    Ok(())
}

/// Asserts that the rows are these messages, each once.
fn assert_messages(rows: &[Value], mut wanted: Vec<String>, case: &str) {
    let mut messages: Vec<&str> = rows.iter().map(|row| row["message"].as_str().unwrap()).collect();
    messages.sort_unstable();
    wanted.sort();
    assert_eq!(messages, wanted, "{case}");
}

/// Puts the tables and the log file back as they were when `whole` was made of them.
fn restore(host: &Host) {
    for table in ["bronze", "silver", "dead_letter"] {
        let _ = fs::remove_dir_all(host.path("state").join(table));
        succeed(Command::new("cp").arg("-a").arg(host.path("whole").join(table)).arg(host.path("state")));
    }
    let file = OpenOptions::new().write(true).open(host.path("logs/a.log")).unwrap();
    file.set_len(fs::metadata(host.path("whole/a.log")).unwrap().len()).unwrap();
}

/// Like [`kept_host`]; two of its tables have a checkpoint, and entries before and after it.
fn host_with_checkpoints() -> Host {
    let host = Host::new("builtin:json");
    append(&host, 0..300);
    succeed(&mut host.edge(&["run", "--once"]));
    for table in ["bronze", "silver/app"] {
        let script = "import sys, deltalake; deltalake.DeltaTable(sys.argv[1]).create_checkpoint()";
        succeed(Command::new(python()).args(["-c", script]).arg(host.path("state").join(table)));
        assert_eq!(checkpoints(&host, table).len(), 1, "{table}");
    }
    append(&host, 300..600);
    succeed(&mut host.edge(&["run", "--once"]));
    keep(host)
}

fn checkpoints(host: &Host, table: &str) -> Vec<PathBuf> {
    let mut files = data_files(host, &format!("{table}/_delta_log"));
    files.retain(|path| path.to_string_lossy().ends_with(".checkpoint.parquet"));
    files
}

/// A host with a copy of its tables and its log file, for [`restore`].
fn kept_host() -> Host {
    keep(host())
}

fn keep(host: Host) -> Host {
    succeed(Command::new("cp").arg("-a").arg(host.path("state")).arg(host.path("whole")));
    fs::copy(host.path("logs/a.log"), host.path("whole/a.log")).unwrap();
    host
}

#[test]
fn a_damaged_last_entry_of_a_log_is_recovered_or_refused_and_never_read_again_from_the_beginning() {
    let host = kept_host();
    for table in ["bronze", "silver/app", "dead_letter"] {
        for damage in ALL {
            restore(&host);
            damage.strike(entries(&host, table).last().unwrap());
            let outcome = check(&host, &format!("{damage:?} last entry of {table}"));
            let is_refused = !matches!(damage, Damage::Removed) || table != "silver/app";
            assert_eq!(outcome.is_err(), is_refused, "{damage:?} last entry of {table}");
        }
    }
}

#[test]
fn a_damaged_entry_in_the_middle_of_a_log_is_recovered_or_refused() {
    let host = kept_host();
    for table in ["bronze", "silver/app"] {
        for damage in ALL {
            restore(&host);
            let entries = entries(&host, table);
            damage.strike(&entries[entries.len() / 2]);
            let outcome = check(&host, &format!("{damage:?} middle entry of {table}"));
            assert!(outcome.is_err(), "{damage:?} middle entry of {table}");
        }
    }
}

#[test]
fn data_without_an_entry_and_files_half_written_are_nobodys() {
    let host = host();
    let file = data_files(&host, "bronze").remove(0);
    fs::copy(&file, file.with_file_name("part-half-a-commit.parquet")).unwrap();
    fs::write(host.path("state/bronze/_delta_log/_tmp_entry.json.tmp"), "{\"add\":{").unwrap();
    fs::write(host.path("state/bronze/_delta_log/.00000000000000000099.json.tmp"), "{").unwrap();
    check(&host, "half a commit").unwrap();
}

#[test]
fn a_refused_folder_goes_on_once_the_entry_is_put_back() {
    let host = kept_host();
    let entry = entries(&host, "bronze").pop().unwrap();
    let bytes = fs::read(&entry).unwrap();
    Damage::Torn.strike(&entry);
    assert!(check(&host, "torn").is_err());
    fs::write(&entry, bytes).unwrap();
    succeed(&mut host.edge(&["run", "--once"]));
    assert_eq!(host.read("state/silver/app", &["message"]).len(), 700);
}

#[test]
fn a_damaged_data_file_that_is_judged_already_holds_nothing_up() {
    let host = host();
    for file in data_files(&host, "bronze") {
        fs::write(&file, vec![0; 100]).unwrap();
    }
    check(&host, "data files of Bronze").unwrap();
}

/// Entries below a checkpoint still tell where files stand, and what became of lines.
#[test]
fn a_damaged_entry_that_a_checkpoint_covers_is_refused() {
    let host = host_with_checkpoints();
    for table in ["bronze", "silver/app"] {
        for damage in [Damage::Torn, Damage::Emptied, Damage::FilledWithNuls] {
            restore(&host);
            let case = format!("{damage:?} entry below the checkpoint of {table}");
            damage.strike(&entries(&host, table)[1]);
            let said = check(&host, &case).expect_err(&case);
            assert!(said.contains("the log entry of version 1 is damaged"), "{case}: {said}");
        }
    }
}

/// The hole was passed over where nothing looked below the checkpoint; above it the reader's own words came, and no way out.
#[test]
fn a_missing_entry_is_refused_where_a_checkpoint_does_not_tell_what_it_told() {
    let host = host_with_checkpoints();
    for table in ["bronze", "silver/app"] {
        restore(&host);
        let checkpoint = checkpoints(&host, table)[0].to_string_lossy().replace("checkpoint.parquet", "json");
        Damage::Removed.strike(Path::new(&checkpoint));
        let said = check(&host, table).expect_err(table);
        assert!(said.contains("the log entry of version") && said.contains("it is missing"), "{said}");
        // Below it an entry may be gone: all that it told is in the checkpoint.
        restore(&host);
        Damage::Removed.strike(&entries(&host, table)[0]);
        check(&host, table).unwrap();
    }
}

#[test]
fn an_entry_that_was_copied_to_the_next_version_is_refused() {
    let host = kept_host();
    for table in ["bronze", "silver/app"] {
        restore(&host);
        let entries = entries(&host, table);
        let next = host.path(&format!("state/{table}/_delta_log/{:020}.json", entries.len()));
        fs::copy(entries.last().unwrap(), next).unwrap();
        let said = check(&host, table).expect_err(table);
        assert!(said.contains("it is the one before it again"), "{said}");
        restore(&host);
        fs::copy(&entries[1], entries.last().unwrap()).unwrap();
        let said = check(&host, table).expect_err(table);
        assert!(said.contains("it is that of version 1 again"), "{said}");
    }
}

#[test]
fn a_lost_or_damaged_checkpoint_is_no_loss_while_all_entries_are_there() {
    let host = host_with_checkpoints();
    for table in ["bronze", "silver/app"] {
        for damage in ALL {
            restore(&host);
            damage.strike(&checkpoints(&host, table)[0]);
            check(&host, &format!("{damage:?} checkpoint of {table}")).unwrap();
            restore(&host);
            damage.strike(&host.path(&format!("state/{table}/_delta_log/_last_checkpoint")));
            check(&host, &format!("{damage:?} pointer of {table}")).unwrap();
        }
    }
}

#[test]
fn a_lost_or_damaged_checkpoint_is_refused_once_entries_below_it_are_gone() {
    let host = host_with_checkpoints();
    for table in ["bronze", "silver/app"] {
        for damage in ALL {
            restore(&host);
            damage.strike(&checkpoints(&host, table)[0]);
            Damage::Removed.strike(&entries(&host, table)[0]);
            let said = check(&host, table).expect_err(table);
            assert!(said.contains("the checkpoint of version"), "{said}");
        }
    }
}

/// A host whose lines are in Bronze and not judged yet; 300 before them are in Silver.
fn host_that_has_not_judged() -> Host {
    let host = Host::new("builtin:json");
    append(&host, 0..300);
    succeed(&mut host.edge(&["run", "--once"]));
    host.edit(|edge| edge.replace("silver_interval = \"200ms\"", "silver_interval = \"1h\""));
    let mut agent = host.start();
    append(&host, 300..600);
    eventually("the lines are in Bronze", || host.added("state/bronze") == 600);
    agent.kill();
    host
}

fn newest_data_file(host: &Host, table: &str) -> PathBuf {
    let written = |file: &PathBuf| fs::metadata(file).unwrap().modified().unwrap();
    data_files(host, table).into_iter().max_by_key(written).unwrap()
}

fn assert_says_what_is_damaged(said: &str, file: &Path) {
    let name = file.file_name().unwrap().to_str().unwrap();
    assert!(said.contains(name) && said.contains("this data file is damaged"), "{said}");
    assert!(said.contains("logsmith adopt -c CONFIG --missing skip"), "{said}");
    assert!(said.contains("logsmith fresh -c CONFIG"), "{said}");
}

/// The agent ended at each start, in the decoder's own words.
#[test]
fn a_damaged_data_file_of_bronze_holds_its_pipeline_until_it_is_back_or_given_up() {
    for damage in [Damage::Torn, Damage::Emptied, Damage::FilledWithNuls] {
        let host = host_that_has_not_judged();
        let file = newest_data_file(&host, "bronze");
        let bytes = fs::read(&file).unwrap();
        damage.strike(&file);
        append(&host, 600..700);
        for _ in 0..2 {
            assert_says_what_is_damaged(&fail(&mut host.edge(&["run", "--once"])), &file);
        }
        let mut agent = host.start();
        let status = || succeed(&mut host.edge(&["status"]));
        eventually("the pipeline holds", || status().contains("HOLDS"));
        assert_says_what_is_damaged(&status(), &file);
        append(&host, 700..800);
        eventually("reading goes on", || host.added("state/bronze") == 800);
        assert!(agent.is_running());
        agent.stop();
        let wanted: Vec<String> = match damage {
            Damage::Torn => {
                fs::write(&file, &bytes).unwrap();
                (0..800).map(|n| format!("m{n}")).collect()
            }
            _ => {
                fs::rename(&file, host.path("damaged.parquet")).unwrap();
                succeed(&mut host.edge(&["adopt", "--missing", "skip"]));
                (0..300).chain(600..800).map(|n| format!("m{n}")).collect()
            }
        };
        succeed(&mut host.edge(&["run", "--once"]));
        assert_messages(&host.read("state/silver/app", &["message"]), wanted, &format!("{damage:?}"));
    }
}

/// Damaged bytes went to central, under the name that promises others.
#[test]
fn a_damaged_data_file_of_silver_never_reaches_central_and_holds_nothing_but_its_own_stream() {
    let host = Host::new("builtin:json");
    host.leave_central();
    append(&host, 0..300);
    succeed(&mut host.edge(&["run", "--once"]));
    append(&host, 300..600);
    succeed(&mut host.edge(&["run", "--once"]));
    let file = newest_data_file(&host, "silver/app");
    let bytes = fs::read(&file).unwrap();
    let mut flipped = bytes.clone();
    *flipped.last_mut().unwrap() ^= 1;
    fs::write(&file, flipped).unwrap();
    host.configure("builtin:json", "\n[[pipeline]]\nname = \"two\"\nplugin = \"builtin:json\"\n");

    for _ in 0..2 {
        assert_says_what_is_damaged(&fail(&mut host.edge(&["run", "--once"])), &file);
    }
    let mut agent = host.start();
    let status = || succeed(&mut host.edge(&["status"]));
    eventually("nothing is put", || status().contains("PUTS NOTHING"));
    assert_says_what_is_damaged(&status(), &file);
    append(&host, 600..700);
    eventually("both pipelines go on", || {
        ["state/silver/app", "state/silver/two"].iter().all(|table| host.added(table) == 700)
    });
    assert!(agent.is_running());
    agent.stop();
    succeed(&mut host.central(&["compact"]));
    let messages = |numbers: std::ops::Range<u32>| numbers.map(|n| format!("m{n}")).collect::<Vec<_>>();
    assert_messages(&host.read("lake/silver/app", &["message"]), messages(0..300), "what came before it");
    assert_messages(&host.read("lake/silver/two", &["message"]), messages(0..700), "the other pipeline");
    assert!(!host.path("lake/quarantine").exists());

    fs::write(&file, bytes).unwrap();
    succeed(&mut host.edge(&["run", "--once"]));
    assert!(!status().contains("PUTS NOTHING"));
    succeed(&mut host.central(&["compact"]));
    assert_messages(&host.read("lake/silver/app", &["message"]), messages(0..700), "all of it");
}

/// A name of ours in an entry that a bit has changed was told without what settles it.
#[test]
fn an_entry_that_reads_as_json_and_does_not_say_what_it_should_is_refused() {
    let host = kept_host();
    for (table, name) in
        [("bronze", "\"losses\""), ("silver/app", "\"counts\""), ("silver/app", "\"totals\"")]
    {
        restore(&host);
        for entry in entries(&host, table) {
            let text = fs::read_to_string(&entry).unwrap();
            fs::write(&entry, text.replace(name, &name.replace('s', "t"))).unwrap();
        }
        let said = check(&host, name).expect_err(name);
        assert!(said.contains("the log entry of version") && said.contains("is damaged"), "{said}");
    }
}
