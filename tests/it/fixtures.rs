//! Fixtures say what a plugin answers, run as the agent would run it, and tell where it answers otherwise.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{component, fail, logsmith, succeed, text};

fn test(plugin: &str, more: &[&str]) -> Command {
    let mut command = logsmith();
    command.args(["plugin", "test", plugin]).args(more);
    command
}

/// The folders of shipped plugins that have fixtures, and these.
fn shipped() -> Vec<(String, Vec<PathBuf>)> {
    let plugins = Path::new(env!("CARGO_MANIFEST_DIR")).join("plugins");
    let files = |folder: &Path| -> Vec<PathBuf> {
        let entries = fs::read_dir(folder.join("tests")).into_iter().flatten();
        entries
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension() == Some("toml".as_ref()))
            .collect()
    };
    let folders = fs::read_dir(plugins).unwrap().map(|entry| entry.unwrap().path());
    let named =
        folders.map(|folder| (folder.file_name().unwrap().to_str().unwrap().to_owned(), files(&folder)));
    named.filter(|(_, files)| !files.is_empty()).collect()
}

#[test]
fn shipped_plugins_answer_as_their_fixtures_say() {
    let shipped = shipped();
    assert!(shipped.len() >= 3, "{shipped:?}");
    for (name, files) in shipped {
        let component = component(&name);
        let files: Vec<&str> = files.iter().map(|file| file.to_str().unwrap()).collect();
        let said = succeed(&mut test(component.to_str().unwrap(), &files));
        assert!(said.ends_with(&format!("{} passed, 0 failed\n", files.len())), "{name}: {said}");
    }
}

const FIXTURE: &str = r#"# A comment that stays.
lines = ['{"level":"INFO","n":1}', 'no json', '{"time":"2026-11-30T12:00:00Z"}']

[[expect]]
row = { level = "WARN", fields = { n = "1" } }
[[expect]]
reject = "expected `{`"
[[expect]]
row = { time = 2026-11-30T13:00:00+01:00, fields = {} }
"#;

#[test]
fn a_verdict_that_differs_is_told_with_its_line_and_column() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("one.toml");
    let path = file.to_str().unwrap();
    fs::write(&file, FIXTURE).unwrap();
    let output = test("builtin:json", &[path]).output().unwrap();
    assert!(!output.status.success());
    let said = text(&output);
    assert!(
        said.contains(r#"level: expected "WARN", answered "INFO""#) && said.contains("line 1: {"),
        "{said}"
    );
    assert!(said.contains("1 of 3 lines") && said.ends_with("0 passed, 1 failed\n"), "{said}");

    succeed(&mut test("builtin:json", &[path, "--bless"]));
    let blessed = fs::read_to_string(&file).unwrap();
    assert!(blessed.starts_with("# A comment that stays.\nlines = "), "{blessed}");
    assert!(blessed.contains(r#"level = "INFO""#) && !blessed.contains("WARN"), "{blessed}");
    succeed(&mut test("builtin:json", &[path]));
    succeed(&mut test("builtin:json", &[path, "--bless"]));
    assert_eq!(fs::read_to_string(&file).unwrap(), blessed, "blessing twice changes nothing");
}

#[test]
fn a_fixture_that_is_none_says_what_to_write() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("one.toml");
    let said = |content: &str| {
        fs::write(&file, content).unwrap();
        let output = test("builtin:json", &[file.to_str().unwrap()]).output().unwrap();
        assert!(!output.status.success());
        text(&output)
    };
    for (content, words) in [
        ("lines = ['{}']", "0 expectations for 1 lines: write one [[expect]] for each"),
        (
            "lines = ['{}']\n[[expect]]\nrow = { n = 1 }",
            "expect[0]: the plugin writes no column `n`, but level",
        ),
        (
            "lines = ['{}']\n[[expect]]\nrow = { level = 1 }",
            "expect[0]: level: the column has the type string",
        ),
        ("lines = ['{}']\n[[expect]]\ndropped = false", "expect[0]: write one of `row`, `rows`"),
        ("lines = ['{}']\n[[expect]]\nrows = []", "expect[0]: write one of `row`, `rows`"),
        ("lines = ['{}']\nrows = []", "write either `lines` or `rows`"),
        ("lines = ['{}']\nlinse = 1", "unknown field `linse`"),
        ("lines = ['{}'", "TOML parse error at line 1"),
        ("config = { levle = 1 }\nlines = ['{}']\n[[expect]]\nrow = {}", "refuses its configuration"),
    ] {
        let said = said(content);
        assert!(said.contains(words) && said.contains("one.toml"), "{content}: {said}");
    }
    let missing = fail(&mut test("builtin:json", &[]));
    assert!(missing.contains("name the fixtures"), "{missing}");
    let output = test("builtin:json", &["nothing.toml"]).output().unwrap();
    assert!(text(&output).contains("cannot read nothing.toml"), "{}", text(&output));
}

/// A plugin later in a chain reads what others wrote.
#[test]
fn columns_can_be_given_instead_of_lines() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("one.toml");
    let fixture = "config = { crime = \"none\" }\nrows = [{ text = \"a\", n = 1 }, { text = \"b\" }]\n\
                   [[expect]]\nrow = { text = \"a\" }\n[[expect]]\nrow = { text = \"b\" }\n";
    fs::write(&file, fixture).unwrap();
    succeed(&mut test(component("hostile").to_str().unwrap(), &[file.to_str().unwrap()]));
}
