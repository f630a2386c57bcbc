//! A plugin may be written in other languages than Rust: the same example in each passes the same fixtures, within
//! the limits that every plugin has.

use std::fs;
use std::path::Path;
use std::process::Command;

use arrow::datatypes::Schema;
use logsmith::clock::Timestamp;
use logsmith::transform::{Limits, Plugin, PluginSource};
use logsmith::workbench::trial::{Line, Origin, Trial, bronze_batch, fates};
use serde_json::json;
use tempfile::TempDir;

use crate::engine::ENGINE;
use crate::support::{can_install, fail, logsmith, succeed};

/// The real binary's tools for plugins, in a folder.
fn plugin(folder: &TempDir, arguments: &[&str]) -> Command {
    let mut command = logsmith();
    command.current_dir(folder).arg("plugin").args(arguments);
    command
}

/// What `plugin new` makes in a language is built and does what it says.
fn check_project(language: &str) {
    let folder = tempfile::tempdir().unwrap();
    succeed(&mut plugin(&folder, &["new", "sales", "--lang", language]));
    let said = succeed(&mut plugin(&folder, &["build", "sales"]));
    assert!(said.contains("sales.wasm: ") && said.contains(", sha256 "), "{language}: {said}");
    assert!(said.contains("    part                 string, may be null"), "{language}: {said}");
    let said = succeed(&mut plugin(&folder, &["test", "sales"]));
    assert!(said.ends_with("1 passed, 0 failed\n"), "{language}: {said}");
    let said = succeed(&mut plugin(&folder, &["run", "sales", "sales/sample.log"]));
    assert!(said.ends_with("5 lines: 3 rows, 1 dropped, 1 rejected\n"), "{language}: {said}");
}

/// The example answers what the fixtures expect, refuses what it does not know, and stands a full batch.
fn check_example(language: &str) {
    let folder = tempfile::tempdir().unwrap();
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/plugins").join(language);
    succeed(Command::new("cp").arg("-rL").arg(example).arg(folder.path()));
    succeed(&mut plugin(&folder, &["build", language]));
    let said = succeed(&mut plugin(&folder, &["test", language]));
    assert!(said.ends_with("2 passed, 0 failed\n"), "{language}: {said}");
    for (config, words) in [
        (r#"{"article": []}"#, "unknown key `article`, expected one of: articles"),
        (r#"{"articles": "pear"}"#, "`articles`: expected array, found \"pear\""),
        (r#""pear""#, "expected an object, found \"pear\""),
    ] {
        let said = fail(&mut plugin(&folder, &["inspect", language, "--config", config]));
        assert!(said.contains(words), "{language}: {said}");
    }
    let path = folder.path().join(language).join("dist").join(language).with_extension("wasm");
    let source = PluginSource::File { path, sha256: None };
    let nothing = Plugin::open(&ENGINE, &source, &json!({}), &Schema::empty(), Limits::default());
    let said = nothing.err().map(|error| error.to_string()).unwrap_or_default();
    assert!(said.contains("there is no column `line`"), "{language}: {said}");
    check_full_batch(language, &source, &folder.path().join(language).join("tests/sales.toml"));
}

/// As many rows as one call may have: they come to the same, again and again, and no instance fails.
fn check_full_batch(language: &str, source: &PluginSource, fixture: &Path) {
    let fixture: toml::Table = toml::from_str(&fs::read_to_string(fixture).unwrap()).unwrap();
    let lines = fixture["lines"].as_array().unwrap();
    let line = |line: &toml::Value| Line::of(line.as_str().unwrap().as_bytes());
    let many: Vec<Line> = lines.iter().cycle().take(4_096).map(line).collect();
    let origin = Origin { path: String::new(), ingested_at: Timestamp::from_micros(0), offset: 0 };
    let input = bronze_batch(&many, &origin).unwrap();
    let mut trial = Trial::open(&ENGINE, source, &json!({}), &input.schema()).unwrap();
    let verdicts = trial.apply(&input).unwrap();
    assert_eq!(verdicts.instances_discarded, 0, "{language}: {:?}", verdicts.dead);
    let fates = fates(&verdicts, many.len());
    let again = fates.iter().zip(fates.iter().skip(lines.len()));
    again.for_each(|(first, again)| assert_eq!(first, again, "{language}"));
}

#[test]
fn javascript() {
    if can_install("npm") {
        check_project("js");
        check_example("javascript");
    }
}

#[test]
fn python() {
    if can_install("python3") {
        check_project("python");
        check_example("python");
    }
}

#[test]
fn c() {
    if can_install("python3") {
        check_project("c");
        check_example("c");
    }
}

/// Values of each kind in and out, and each thing that a plugin may do wrong.
#[test]
fn c_reads_and_writes_every_kind() {
    if !can_install("python3") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    succeed(&mut plugin(&folder, &["new", "echo", "--lang", "c"]));
    fs::write(folder.path().join("echo/plugin.c"), include_str!("languages/echo.c")).unwrap();
    fs::write(folder.path().join("echo/tests/first.toml"), include_str!("languages/echo.toml")).unwrap();
    let said = succeed(&mut plugin(&folder, &["build", "echo"]));
    assert!(said.contains("its columns depend: "), "{said}");
    let said = succeed(&mut plugin(&folder, &["test", "echo"]));
    assert!(said.ends_with("1 passed, 0 failed\n"), "{said}");
}

/// What does not compile, and what calls for a system, leaves the component alone; no path of this machine is in it.
#[test]
fn c_calls_for_nothing_of_a_system() {
    if !can_install("python3") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    succeed(&mut plugin(&folder, &["new", "sales", "--lang", "c"]));
    succeed(&mut plugin(&folder, &["build", "sales"]));
    let built = folder.path().join("sales/dist/sales.wasm");
    let component = fs::read(&built).unwrap();
    for path in [std::env::temp_dir(), std::env::home_dir().unwrap()] {
        let path = path.into_os_string().into_encoded_bytes();
        assert!(!component.windows(path.len()).any(|window| window == path), "a path is inside");
    }
    let source = folder.path().join("sales/plugin.c");
    let good = fs::read_to_string(&source).unwrap();
    for (call, words) in [
        ("printf(\"a line\")", "what was compiled is no plugin: "),
        ("print(line)", "undeclared function 'print'"),
    ] {
        let bad = good.replace("/* Reads one line.", "#include <stdio.h>\n/* Reads one line.");
        let bad = bad.replace("  int64_t micros;", &format!("  {call};\n  int64_t micros;"));
        fs::write(&source, bad).unwrap();
        let said = fail(&mut plugin(&folder, &["build", "sales"]));
        assert!(said.contains(words), "{said}");
        assert_eq!(fs::read(&built).unwrap(), component);
    }
}
