//! Authors see what a plugin makes of their lines, what a component is, and where two versions differ, before any agent
//! runs it.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::support::{component, eventually, fail, logsmith, succeed, text};

fn plugin(arguments: &[&str]) -> Command {
    let mut command = logsmith();
    command.arg("plugin").args(arguments);
    command
}

/// A file with these bytes.
fn file(bytes: &[u8]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("in.log");
    fs::write(&path, bytes).unwrap();
    (folder, path)
}

const LINES: &[u8] = b"{\"level\":\"INFO\",\"n\":1}\nno \x1b[31mjson\n{\"message\":\"\xff\"}\n";

#[test]
fn rows_are_shown_with_their_lines_and_rejects_beside_theirs() {
    let (_folder, path) = file(LINES);
    let said = succeed(&mut plugin(&["run", "builtin:json", path.to_str().unwrap()]));
    assert!(said.contains("| 1 | INFO") && said.contains("| 3 | ") && said.contains('\u{fffd}'), "{said}");
    assert!(
        said.contains("line 2 rejected: not a JSON object") && said.contains("    no \\u{1b}[31mjson\n"),
        "{said}"
    );
    assert!(said.ends_with("3 lines: 2 rows, 0 dropped, 1 rejected\n"), "{said}");
    assert!(!said.contains('\u{1b}'), "a line commands the terminal: {said}");
}

#[test]
fn rows_of_a_pipe_are_json_or_csv_for_other_programs() {
    let run = |format: &str| {
        let mut command = plugin(&["run", "builtin:json", "-", "--format", format]);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(LINES).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let (rows, said) = run("json");
    let levels: Vec<serde_json::Value> = rows.lines().map(|row| serde_json::from_str(row).unwrap()).collect();
    assert_eq!((levels.len(), &levels[0]["level"]), (2, &"INFO".into()), "{rows}");
    assert!(said.contains("line 2 rejected"), "{said}");
    let (rows, _) = run("csv");
    assert!(rows.starts_with("level,message,time,fields\nINFO,,,\"{\"\"n\"\":\"\"1\"\"}\"\n"), "{rows}");
    let said = fail(&mut plugin(&["run", "builtin:json", "/nothing/here"]));
    assert!(said.contains("cannot read /nothing/here"), "{said}");
    let said = fail(&mut plugin(&["run", "builtin:json", "/"]));
    assert!(said.contains("it is a folder"), "{said}");
    let (_folder, empty) = file(b"");
    let said = succeed(&mut plugin(&["run", "builtin:json", empty.to_str().unwrap()]));
    assert_eq!(said, "0 lines: 0 rows, 0 dropped, 0 rejected\n");
}

#[test]
fn a_growing_file_is_followed() {
    let (folder, path) = file(b"{\"level\":\"ONE\"}\n");
    let shown = folder.path().join("shown");
    let mut command = plugin(&["run", "builtin:json", path.to_str().unwrap(), "--tail", "--format", "json"]);
    let mut child = command.stdout(fs::File::create(&shown).unwrap()).spawn().unwrap();
    let has = |word: &str| fs::read_to_string(&shown).unwrap().contains(word);
    eventually("the first line is shown", || has("ONE"));
    fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"level\":\"TWO\"}\n").unwrap();
    eventually("the next one, too", || has("TWO"));
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(fs::read_to_string(&shown).unwrap().matches("ONE").count(), 1);
}

/// One line that a plugin cannot bear is no reason to see none of the others.
#[test]
fn a_line_that_traps_is_shown_with_the_panics_words() {
    let (_folder, path) = file(b"fine\nPOISON\nfine too\n");
    let hostile = component("hostile");
    let arguments =
        ["run", hostile.to_str().unwrap(), path.to_str().unwrap(), "--config", r#"{"crime":"trap"}"#];
    let said = succeed(&mut plugin(&arguments));
    assert!(said.contains("line 2 trapped: panicked at") && said.contains("fine too"), "{said}");
}

#[test]
fn a_component_is_told_and_what_is_none_is_refused() {
    let json = component("json");
    let said = succeed(&mut plugin(&["inspect", json.to_str().unwrap()]));
    for words in [
        "sha256 ",
        "imports logsmith:transform/host@0.1.0",
        "exports logsmith:transform/transform@0.1.0",
        "plugin json 0.1.0",
        "reads line",
        "fields               map",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let output = plugin(&["inspect", "builtin:json", "--config", r#"{"levle":1}"#]).output().unwrap();
    assert!(text(&output).contains("unknown field `levle`") && !output.status.success(), "{}", text(&output));
    let (folder, path) = file(b"\0asm\x01\0\0\0");
    let said = fail(&mut plugin(&["inspect", path.to_str().unwrap()]));
    assert!(said.contains("is a core module, not a component"), "{said}");
    let said = fail(&mut plugin(&["inspect", folder.path().to_str().unwrap()]));
    assert!(said.contains("has no component yet: run `logsmith plugin build"), "{said}");
    let said = fail(&mut plugin(&["inspect", "builtin:json", "--config", "{"]));
    assert!(said.contains("--config is no JSON"), "{said}");
}

#[test]
fn a_configuration_may_be_a_file() {
    let (folder, path) = file(b"{\"text\":\"hello\"}\n");
    let config = folder.path().join("config.toml");
    fs::write(&config, "message = \"text\"\n").unwrap();
    let config = format!("@{}", config.display());
    let said = succeed(&mut plugin(&["run", "builtin:json", path.to_str().unwrap(), "--config", &config]));
    assert!(said.contains("| hello "), "{said}");
}

#[test]
fn two_versions_differ_where_they_do() {
    let (_folder, path) = file(b"{\"text\":\"a\"}\n{\"message\":\"b\"}\nno json\n");
    let path = path.to_str().unwrap();
    let said = succeed(&mut plugin(&["diff", "builtin:json", component("json").to_str().unwrap(), path]));
    assert!(said.starts_with("0 of 3 lines differ"), "{said}");
    let arguments = ["diff", "builtin:json", "builtin:json", path, "--new-config", r#"{"message":"text"}"#];
    let output = plugin(&arguments).output().unwrap();
    let said = text(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("line 1: {\"text\":\"a\"}") && said.contains("  - row = { fields = { text = \"a\" } }"),
        "{said}"
    );
    assert!(said.contains("2 of 3 lines differ\n  - 2 rows, 0 dropped, 1 rejected"), "{said}");
    let limited = text(&plugin(&[&arguments[..], &["--limit", "1"]].concat()).output().unwrap());
    assert!(limited.contains("and 1 more") && !limited.contains("line 2"), "{limited}");
}
