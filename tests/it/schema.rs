//! Editors know the agent's configuration by a JSON schema, which an independent judge holds against configurations.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Host, logsmith, python_with, succeed, text};

const JUDGE: [&str; 1] = ["jsonschema==4.26.0"];

const SCRIPT: &str = "
import json, sys, tomllib, jsonschema
schema = json.load(open(sys.argv[1]))
jsonschema.Draft7Validator.check_schema(schema)
jsonschema.validate(tomllib.load(open(sys.argv[2], 'rb')), schema)
";

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name)
}

/// What the judge has against a configuration; nothing if it is right.
fn judged(configuration: &Path) -> Result<(), String> {
    let mut judge = Command::new(python_with(&JUDGE));
    judge.args(["-c", SCRIPT]).arg(example("edge.schema.json")).arg(configuration);
    let output = judge.output().unwrap();
    output.status.success().then_some(()).ok_or_else(|| text(&output))
}

#[test]
fn the_schema_beside_the_example_is_what_the_binary_prints() {
    let printed = succeed(logsmith().args(["check", "--schema"]));
    let committed = fs::read_to_string(example("edge.schema.json")).unwrap();
    assert!(printed == committed, "write what `logsmith check --schema` prints to examples/edge.schema.json");
}

#[test]
fn right_configurations_are_valid_and_wrong_ones_are_not() {
    judged(&example("edge.toml")).unwrap();
    let host = Host::new("builtin:json");
    let file = host.path("edge.toml");
    judged(&file).unwrap();
    let right = fs::read_to_string(&file).unwrap();
    let named = "[agent]\ndisk_budget = \"${SIZE}\"\nrescan_interval = \"${credential:time}\"";
    fs::write(
        &file,
        right.replace("[agent]", named).replace("include =", "start_at = \"${START}\"\ninclude ="),
    )
    .unwrap();
    judged(&file).unwrap();
    let wrong = [
        ("[agent]", "[agent]\ncolour = 1", "'colour' was unexpected"),
        ("[agent]", "[agent]\ndisk_budget = true", "True is not"),
        ("[agent]", "[agent]\ndisk_budget = \"lots\"", "'lots'"),
        ("[agent]", "[agent]\nrescan_interval = \"10\"", "'10'"),
        ("[agent]", "[agent]\nopen_files_max = 0", "0 is less than the minimum of 1"),
        ("include =", "start_at = \"middle\"\ninclude =", "'middle'"),
        ("[agent]", "[agent]\nopen_files_max = \"9\"", "'9' is not of type 'integer'"),
        ("[[source]]\nname = \"app\"", "[[source]]", "'name' is a required property"),
        ("[[pipeline]]", "[pipeline]", "is not of type 'array'"),
        ("plugin =", "then = [{ config = {} }]\nplugin =", "'plugin' is a required property"),
    ];
    for (from, to, wanted) in wrong {
        fs::write(&file, right.replace(from, to)).unwrap();
        let said = judged(&file).unwrap_err();
        assert!(said.contains(wanted), "{to}: {said}");
        assert!(!host.edge(&["check"]).output().unwrap().status.success(), "{to}");
    }
}
