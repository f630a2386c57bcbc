//! A plugin may be written in other languages than Rust: the same example in each passes the same fixtures, within
//! the limits that every plugin has.

use std::path::{Path, PathBuf};
use std::process::Command;

use arrow::datatypes::Schema;
use logsmith::clock::Timestamp;
use logsmith::transform::{Limits, Plugin, PluginSource};
use logsmith::workbench::trial::{Line, Origin, Trial, bronze_batch, fates};
use serde_json::json;

use crate::engine::ENGINE;
use crate::support::{fail, logsmith, succeed};

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/plugins")
}

/// The example's component, or `None`, said aloud, where its language needs a tool that is not there.
fn built(language: &str, needed: &str) -> Option<String> {
    if Command::new(needed).arg("--version").output().is_err() {
        assert!(
            std::env::var_os("LOGSMITH_TEST_LANGUAGES").is_none(),
            "{needed} is not there, and it must be"
        );
        eprintln!("skipped: {language} plugins are built with {needed}, which is not there");
        return None;
    }
    let tools = Path::new(env!("CARGO_TARGET_TMPDIR")).join("guest-tools");
    let printed = succeed(
        Command::new("bash")
            .arg(examples().join("build.sh"))
            .arg(language)
            .env("LOGSMITH_GUEST_TOOLS", std::env::var_os("LOGSMITH_GUEST_TOOLS").unwrap_or(tools.into())),
    );
    Some(printed.trim_end().to_owned())
}

/// Answers what the fixtures expect, refuses what it does not know, and stands a full batch.
fn check(language: &str, needed: &str) {
    let Some(component) = built(language, needed) else { return };
    let fixtures = ["articles", "sales"].map(|name| examples().join(format!("tests/{name}.toml")));
    let said = succeed(logsmith().args(["plugin", "test", &component]).args(&fixtures));
    assert!(said.ends_with("2 passed, 0 failed\n"), "{language}: {said}");
    for (config, words) in [
        (r#"{"article": []}"#, "unknown key `article`, expected one of: articles"),
        (r#"{"articles": "pear"}"#, "`articles`: expected array, found \"pear\""),
        (r#""pear""#, "expected an object, found \"pear\""),
    ] {
        let said = fail(logsmith().args(["plugin", "inspect", &component, "--config", config]));
        assert!(said.contains(words), "{language}: {said}");
    }
    let source = PluginSource::File { path: component.into(), sha256: None };
    let nothing = Plugin::open(&ENGINE, &source, &json!({}), &Schema::empty(), Limits::default());
    let said = nothing.err().map(|error| error.to_string()).unwrap_or_default();
    assert!(said.contains("there is no column `line`"), "{language}: {said}");
    check_full_batch(language, &source, &fixtures[1]);
}

/// As many rows as one call may have: they come to the same, again and again, and no instance fails.
fn check_full_batch(language: &str, source: &PluginSource, fixture: &Path) {
    let fixture: toml::Table = toml::from_str(&std::fs::read_to_string(fixture).unwrap()).unwrap();
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
    check("javascript", "npm");
}

#[test]
fn python() {
    check("python", "python3");
}
