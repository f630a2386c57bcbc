//! What a start finds after an end that nobody planned; each of these lost or doubled lines once.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::process::Command;
use std::time::{Duration, UNIX_EPOCH};

use crate::support::{Host, component, eventually, fail, read_back, succeed};

fn line(n: usize) -> String {
    format!("{{\"level\":\"INFO\",\"message\":\"m{n}\"}}\n")
}

fn append(host: &Host, file: &str, text: &str) {
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(host.path(file))
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
}

/// Where a source that begins at the end began was known only once a line was committed: what was written between a
/// crash and the next start was passed over.
#[test]
fn regression_a_source_that_began_at_the_end_goes_on_there_after_a_crash() {
    let host = Host::new("builtin:json");
    host.edit(|edge| edge.replace("last_line_timeout", "start_at = \"end\"\nlast_line_timeout"));
    append(&host, "logs/a.log", &line(0));
    let mut agent = host.start();
    eventually("the agent has begun", || host.commits("state/bronze") > 1);
    agent.kill();
    append(&host, "logs/a.log", &(1..=50).map(line).collect::<String>());
    host.finish();
    assert_eq!(host.read("lake/silver/app", &["message"]).len(), 50);
}

/// `command` on a machine that seems to have started within the last second, where the kernel can make it seem so.
fn after_a_start_of_the_machine(command: &Command) -> Option<Command> {
    let uptime = fs::read_to_string("/proc/uptime").unwrap();
    let seconds = uptime.split('.').next().unwrap();
    let mut started = Command::new("unshare");
    started.args(["--time", "--boottime", &format!("-{seconds}")]);
    let is_possible =
        Command::new("unshare").args(started.get_args()).arg("true").output().unwrap().status.success();
    started.arg(command.get_program()).args(command.get_args());
    is_possible.then_some(started)
}

/// What was not synced of a log when the power failed is gone from it, and in Bronze: all of the log came twice.
#[test]
fn regression_a_log_that_lost_its_end_in_a_power_loss_is_not_read_again() {
    let host = Host::new("builtin:json");
    append(&host, "logs/a.log", &(0..100).map(line).collect::<String>());
    host.finish();
    let log = OpenOptions::new().write(true).open(host.path("logs/a.log")).unwrap();
    log.set_len(log.metadata().unwrap().len() - 500).unwrap();
    log.set_modified(UNIX_EPOCH + Duration::from_secs(1_000_000_000)).unwrap();
    // What was read was read before the machine started.
    std::thread::sleep(Duration::from_secs(2));
    let Some(mut run) = after_a_start_of_the_machine(&host.edge(&["run", "--once"])) else {
        eprintln!("skipped: no namespaces of time here");
        return;
    };
    succeed(&mut run);
    append(&host, "logs/a.log", &(100..150).map(line).collect::<String>());
    host.finish();
    let rows = host.read("lake/silver/app", &["message", "file", "offset"]);
    let distinct = |keys: &[&str]| {
        let values = rows.iter().map(|row| keys.iter().map(|key| row[*key].to_string()).collect::<Vec<_>>());
        values.collect::<BTreeSet<_>>().len()
    };
    assert_eq!((rows.len(), distinct(&["message"]), distinct(&["file", "offset"])), (150, 150, 150));
}

/// The files of dead letters that a crash kept from their table were swept before a table that nobody writes any more
/// had told of them.
#[test]
fn regression_dead_letters_of_a_pipeline_that_was_renamed_after_a_crash_are_kept() {
    let host = Host::new("builtin:json");
    fs::write(host.path("logs/a.log"), line(1) + "no json\n").unwrap();
    host.leave_central();
    succeed(&mut host.edge(&["run", "--once"]));
    // As if the agent had died between the two commits.
    fs::remove_file(host.path("state/dead_letter/_delta_log/00000000000000000001.json")).unwrap();
    host.configure("builtin:json", "");
    host.edit(|edge| edge.replace("[[pipeline]]\nname = \"app\"", "[[pipeline]]\nname = \"renamed\""));
    host.finish();
    // The pipeline of a new name judges what Bronze holds, too.
    for table in ["state/dead_letter", "lake/silver/dead_letter"] {
        let mut pipelines: Vec<String> = host
            .read(table, &["pipeline"])
            .iter()
            .map(|row| row["pipeline"].as_str().unwrap().to_owned())
            .collect();
        pipelines.sort();
        assert_eq!(pipelines, ["app", "renamed"], "{table}");
    }
}

/// Which tables there are stood in Bronze only after its next commit: an agent that was killed before knew nothing of a
/// table that it had made, and made it anew when it was lost.
#[test]
fn regression_a_table_made_just_before_a_kill_is_missed_when_it_is_lost() {
    let host = Host::new("builtin:json");
    fs::write(host.path("logs/a.log"), (0..100).map(line).collect::<String>()).unwrap();
    host.finish();
    let guest = component("hostile");
    host.edit(|edge| {
        edge + &format!(
            "\n[[pipeline]]\nname = \"raw\"\nplugin = \"{}\"\nconfig = {{ crime = \"none\" }}\n",
            guest.display()
        )
    });
    let mut agent = host.start();
    eventually("the new pipeline has judged", || host.commits("state/silver/raw") > 1);
    agent.kill();
    fs::remove_dir_all(host.path("state/silver/raw")).unwrap();
    let said = fail(&mut host.edge(&["run", "--once"]));
    assert!(said.contains("`silver/raw` is missing"), "{said}");
}

/// Objects went on under the new name with the numbers of the old one: central waited for the first for good.
#[test]
fn regression_a_host_that_gets_another_name_is_refused_until_it_has_its_own_again() {
    let host = Host::new("builtin:json");
    fs::write(host.path("logs/a.log"), line(1)).unwrap();
    host.finish();
    host.edit(|edge| edge.replace("\"h1\"", "\"h2\""));
    for command in [&["run", "--once"][..], &["adopt"], &["adopt", "--missing", "skip"]] {
        let said = fail(&mut host.edge(command));
        assert!(said.contains("host = \"h1\"") && said.contains("logsmith fresh"), "{said}");
    }
    host.edit(|edge| edge.replace("\"h2\"", "\"h1\""));
    append(&host, "logs/a.log", &line(2));
    host.finish();
    assert_eq!(host.read("lake/silver/app", &["message"]).len(), 2);
}

/// Two lines that a plugin traps on, alone in a commit, passed for a broken plugin, and held the pipeline for good.
#[test]
fn regression_a_few_poisonous_lines_alone_do_not_hold_a_plugin_that_passes_others() {
    let host = Host::new("builtin:json");
    host.configure(component("hostile").to_str().unwrap(), "config = { crime = \"trap\" }\n");
    fs::write(host.path("logs/a.log"), "POISON 1\nPOISON 2\n").unwrap();
    let said = fail(&mut host.edge(&["run", "--once"]));
    assert!(said.contains("holds"), "nothing tells whether these are odd or the plugin is: {said}");
    append(&host, "logs/a.log", "good 1\ngood 2\n");
    succeed(&mut host.edge(&["run", "--once"]));
    append(&host, "logs/a.log", "POISON 3\n");
    succeed(&mut host.edge(&["run", "--once"]));
    let tables: [(_, &[&str]); 2] =
        [(host.path("state/silver/app"), &["text"]), (host.path("state/dead_letter"), &["line"])];
    let [rows, dead] = read_back(&tables).try_into().unwrap();
    assert_eq!((rows.len(), dead.len()), (2, 3));
}

/// Paths with `..` passed `check`, and no table could be opened under them.
#[test]
fn regression_paths_may_go_up() {
    let host = Host::new("builtin:json");
    fs::create_dir(host.path("etc")).unwrap();
    host.edit(|edge| edge.replace("state_dir = \"state\"", "state_dir = \"../up/./state\""));
    fs::rename(host.path("edge.toml"), host.path("etc/edge.toml")).unwrap();
    fs::write(host.path("logs/a.log"), line(1)).unwrap();
    let mut run = crate::support::logsmith();
    run.current_dir(host.path("logs")).args(["run", "--once", "-c", "../etc/edge.toml"]);
    succeed(&mut run);
    assert_eq!(host.read("up/state/bronze", &["line"]).len(), 1);
}
