//! What the agent logs reaches the journal with its fields, and never fills a disk.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Output};
use std::sync::mpsc;
use std::time::Duration;

use crate::support::{Host, component, eventually, text};

/// Runs the agent once as a service does: its standard error is the journal, whose socket is where `socket` says.
fn run_as_a_service(host: &Host, socket: &str) -> Output {
    let run = host.edge(&["run", "--once"]);
    let arguments = run.get_args().map(|it| it.to_str().unwrap()).collect::<Vec<_>>().join(" ");
    let environment = run.get_envs().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())));
    // In a name space of its own, so that the journal of this machine is left alone.
    let script = format!(
        "mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/journal && {socket} \
         JOURNAL_STREAM=$(stat -L -c %d:%i /dev/stderr) LOGSMITH_LOG=logsmith=info exec {} {arguments}",
        env!("CARGO_BIN_EXE_logsmith"),
    );
    let whose = if rustix::process::geteuid().is_root() { "-m" } else { "-rm" };
    let mut command = Command::new("unshare");
    command.args([whose, "--propagation", "private", "sh", "-c", &script]).envs(environment);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    output
}

/// The fields of an entry in the journal's own form.
fn fields(mut entry: &[u8]) -> BTreeMap<String, String> {
    let mut fields = BTreeMap::new();
    while let Some(end) = entry.iter().position(|byte| *byte == b'\n') {
        let line = String::from_utf8(entry[..end].to_vec()).unwrap();
        entry = &entry[end + 1..];
        if let Some((name, value)) = line.split_once('=') {
            fields.insert(name.to_owned(), value.to_owned());
        } else {
            let (length, rest) = entry.split_at(8);
            let (value, rest) = rest.split_at(u64::from_le_bytes(length.try_into().unwrap()) as usize);
            fields.insert(line, String::from_utf8(value.to_vec()).unwrap());
            entry = &rest[1..];
        }
    }
    fields
}

#[test]
fn a_service_logs_entries_with_fields_to_the_journal() {
    let host = Host::new("builtin:json");
    host.append("logs/a.log", "{\"message\":\"one\"}\nbroken\n");
    fs::create_dir(host.path("journal")).unwrap();
    let journal = UnixDatagram::bind(host.path("journal/socket")).unwrap();
    journal.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let (sender, entries) = mpsc::channel();
    std::thread::spawn(move || {
        let mut entry = vec![0; 1 << 20];
        // An empty datagram asks whether somebody is there.
        while let Ok(bytes) = journal.recv(&mut entry) {
            if bytes > 0 && sender.send(fields(&entry[..bytes])).is_err() {
                return;
            }
        }
    });
    let socket = format!("mount --bind {} /run/systemd/journal &&", host.path("journal").display());
    let output = run_as_a_service(&host, &socket);
    assert_eq!(text(&output), "", "what the journal has is not written twice");
    let dead = entries.iter().find(|entry| entry["MESSAGE"] == "judged, with dead letters").unwrap();
    drop(entries);
    for (name, value) in [
        ("PRIORITY", "6"),
        ("SYSLOG_IDENTIFIER", "logsmith"),
        ("LOGSMITH_DEAD", "1"),
        ("LOGSMITH_ROWS", "1"),
        ("SPAN_NAME", "transform"),
        ("LOGSMITH_PIPELINE", "app"),
    ] {
        assert_eq!(dead.get(name).map(String::as_str), Some(value), "{name} in {dead:#?}");
    }
}

#[test]
fn where_the_journals_socket_is_hidden_lines_carry_their_priority() {
    let host = Host::new("builtin:json");
    host.append("logs/a.log", "{\"message\":\"one\"}\nbroken\n");
    let output = run_as_a_service(&host, "");
    let said = String::from_utf8(output.stderr).unwrap();
    let is_prioritised = |line: &str| ["<3>", "<4>", "<6>"].iter().any(|it| line.starts_with(it));
    assert!(said.lines().count() > 2 && said.lines().all(is_prioritised), "{said}");
    let dead = said.lines().find(|line| line.contains("judged, with dead letters")).unwrap();
    assert!(
        dead.starts_with("<6>") && dead.contains("transform{pipeline=\"app\"}") && dead.contains("dead=1"),
        "{dead}"
    );
}

#[test]
fn a_service_whose_errors_go_elsewhere_writes_lines() {
    let host = Host::new("builtin:json");
    host.append("logs/a.log", "broken\n");
    // As a child of a service has it.
    let output = host
        .edge(&["run", "--once"])
        .env("JOURNAL_STREAM", "9:999")
        .env("LOGSMITH_LOG", "logsmith=info")
        .output();
    let said = String::from_utf8(output.unwrap().stderr).unwrap();
    assert!(said.contains(" INFO ") && !said.contains("<6>"), "{said}");
}

#[test]
fn a_message_that_repeats_is_not_written_a_thousand_times() {
    let host = Host::new("builtin:json");
    // Pipelines of a plugin that logs as much as it may, twenty messages a batch.
    let plugin = component("hostile").display().to_string();
    let pipeline = |n: u32| {
        format!("[[pipeline]]\nname = \"p{n}\"\nplugin = \"{plugin}\"\nconfig = {{ crime = \"chatter\" }}\n")
    };
    let pipelines = (0..8).map(pipeline).collect::<String>();
    host.edit(|edge| edge.split_once("[[pipeline]]").unwrap().0.to_owned() + &pipelines);
    host.append("logs/a.log", "innocent\nPOISON\n");
    let output = host.edge(&["run", "--once"]).env("LOGSMITH_LOG", "logsmith=info").output().unwrap();
    let said = text(&output);
    assert!(output.status.success(), "{said}");
    let (told, left_out): (Vec<_>, Vec<_>) = said
        .lines()
        .filter(|line| line.contains("chatter"))
        .partition(|line| !line.contains("messages were left out that were like this one: chatter"));
    assert_eq!(told.len(), 100);
    assert!(left_out.len() == 1 && left_out[0].contains(" 60 messages"), "{left_out:#?}");
    assert_eq!(host.read("state/dead_letter", &["line"]).len(), 8, "lines are not left out");
}

#[test]
fn the_agent_ships_what_it_logs_and_counts_and_does_not_feed_on_itself() {
    let host = Host::new("builtin:json");
    let own = "sources = [\"app\"]\n\n[[source]]\nname = \"agent\"\n[source.self]\nmetrics = \"10s\"\n\n\
               [[pipeline]]\nname = \"agent\"\nsources = [\"agent\"]\nplugin = \"builtin:json\"\n\
               [[pipeline]]\nname = \"rejects_all\"\nsources = [\"agent\"]\nplugin = \"builtin:access\"\n";
    host.configure("builtin:json", own);
    host.append("logs/a.log", "{\"message\":\"one\"}\nbroken\n");
    let agent = host.start();
    eventually("its metrics are shipped twice", || {
        let rows = if host.commits("state/silver/agent") > 1 {
            host.read("state/silver/agent", &["message", "fields"])
        } else {
            Vec::new()
        };
        rows.iter().filter(|row| row["message"] == "metrics").count() >= 2
    });
    agent.stop();
    let rows = host.read("state/silver/agent", &["level", "message", "fields", "path", "source"]);
    let field = |row: &serde_json::Value, name: &str| {
        let fields = row["fields"].as_array().unwrap();
        fields.iter().find(|field| field[0] == name).map(|field| field[1].as_str().unwrap().to_owned())
    };
    let dead = rows.iter().find(|row| row["message"] == "judged, with dead letters").unwrap();
    assert_eq!((dead["level"].as_str(), dead["path"].as_str()), (Some("INFO"), Some("self")));
    assert_eq!(field(dead, "pipeline").as_deref(), Some("app"));
    assert_eq!(field(dead, "dead").as_deref(), Some("1"));
    let counted = rows.iter().find(|row| row["message"] == "metrics").unwrap();
    let lines = field(counted, "logsmith_pipeline_lines_total{pipeline=\"app\"}").unwrap();
    assert_eq!(lines.parse::<f64>().unwrap(), 2.0);
    // Twenty seconds and more of a pipeline that tells at each commit of its own lines that all of them are dead letters: if
    // that were shipped too, there would be no end of it.
    assert!(host.read("state/dead_letter", &["line"]).len() >= rows.len());
    assert!(rows.len() < 12, "{} rows: {rows:#?}", rows.len());
    assert!(rows.iter().all(|row| field(row, "pipeline").is_none_or(|name| name == "app")), "{rows:#?}");
}
