//! The README does what it says: its configurations and commands are taken from its text and run, in order.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::succeed;

/// The fenced blocks of the README: their language and their text.
pub fn blocks(text: &str) -> Vec<(String, String)> {
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(language) = line.strip_prefix("```") {
            let body: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            blocks.push((language.to_owned(), body.join("\n")));
        }
    }
    blocks
}

#[test]
fn every_command_of_the_readme_works() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path().display().to_string();
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let binaries = Path::new(env!("CARGO_BIN_EXE_logsmith")).parent().unwrap().display().to_string();
    let path = format!("{binaries}:{}", std::env::var("PATH").unwrap());
    let (mut configurations, mut commands) = (0, 0);
    for (language, body) in blocks(&readme.replace("/tmp/logsmith", &here)) {
        match language.as_str() {
            "toml" => {
                let name = body.lines().next().unwrap().strip_prefix("# ").unwrap();
                fs::write(folder.path().join(name), &body).unwrap();
                configurations += 1;
            }
            "sh" => {
                for command in body.lines() {
                    let mut shell = Command::new("sh");
                    shell.arg("-c").arg(command).current_dir(folder.path()).env("PATH", &path);
                    succeed(&mut shell);
                    commands += 1;
                }
            }
            _ => {}
        }
    }
    assert!(configurations == 2 && commands >= 10, "{configurations} configurations, {commands} commands");
}

#[test]
fn the_examples_are_right() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    for name in ["edge.toml", "central.toml"] {
        let said = succeed(crate::support::logsmith().arg("check").arg("-c").arg(folder.join(name)));
        assert!(said.ends_with("ok\n"), "{name}: {said}");
    }
}
