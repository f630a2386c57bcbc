//! What stands in a file, or in its name, cannot command the terminal of who looks at it.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::process::Output;

use crate::support::Host;

/// Clears the screen, forges a line, and names a window, with the long and the short introducer.
const EVIL: &str = "\u{1b}[2J\r\nforged\u{9b}31m\u{1b}]0;title\u{7}\u{202e}";

/// Asserts that what was printed holds no control character but the ends of lines, and no line of a forger.
fn assert_harmless(what: &str, output: &Output) {
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let harmful = said.chars().find(|c| (c.is_control() && !matches!(c, '\n' | '\t')) || *c == '\u{202e}');
    assert!(harmful.is_none(), "{what}: {harmful:?} in {said:?}");
    assert!(!said.lines().any(|line| line.starts_with("forged")), "{what}: {said:?}");
}

#[test]
fn names_and_content_of_files_are_printed_without_control_characters() {
    let host = Host::new("builtin:json");
    let name = format!("evil{EVIL}.log");
    // A hole of NULs is told in the agent's log, with the file's name.
    let hole = "\0".repeat(8 << 20);
    let text = format!("{{\"message\":\"one\"}}\n{hole}broken \u{1b}]0;title\u{7}\u{9b}2J\n");
    fs::write(host.path("logs").join(&name), text).unwrap();
    let bytes = [b"bytes\x1b[2J\xff".as_slice(), b".log"].concat();
    fs::write(host.path("logs").join(PathBuf::from(OsStr::from_bytes(&bytes))), "{\"message\":\"two\"}\n")
        .unwrap();

    let run = host.edge(&["run", "--once"]).output().unwrap();
    assert!(run.status.success(), "{run:?}");
    let log = String::from_utf8_lossy(&run.stderr).into_owned();
    assert!(log.contains("skipped a hole") && log.contains(r"evil\u{1b}[2J\r\nforged"), "{log}");
    assert_harmless("run", &run);

    let status = host.edge(&["status"]).output().unwrap();
    let said = String::from_utf8_lossy(&status.stdout).into_owned();
    assert!(said.contains(r"logs/evil\u{1b}[2J\r\nforged\u{9b}31m\u{1b}]0;title\u{7}\u{202e}.log"), "{said}");
    assert_harmless("status", &status);
    let json = host.edge(&["status", "--json"]).output().unwrap();
    assert_harmless("status --json", &json);
    let report: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    let paths: Vec<_> = report["files"].as_array().unwrap().iter().map(|file| &file["path"]).collect();
    assert!(paths.contains(&&serde_json::json!(host.path("logs").join(&name))), "{paths:?}");

    for arguments in [["show", "bronze"], ["show", "dead_letter"]] {
        assert_harmless(arguments[1], &host.edge(&arguments).output().unwrap());
    }
    let query = host.edge(&["query", "SELECT line, path FROM bronze"]).output().unwrap();
    assert!(query.status.success(), "{query:?}");
    assert_harmless("query", &query);

    host.edit(|edge| edge.replace("[agent]", "[agent]\n\"a\\u001b[2J\" = 1"));
    let check = host.edge(&["check"]).output().unwrap();
    assert!(!check.status.success());
    assert_harmless("check", &check);
}
