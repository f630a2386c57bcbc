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
    let (regex, nested) = (component("regex"), r#"{"patterns": ["(?<a>x)"], "types": {"a": true}}"#);
    let output = plugin(&["inspect", regex.to_str().unwrap(), "--config", nested]).output().unwrap();
    let said = text(&output);
    assert!(said.contains("`types.a`: invalid type: boolean `true`, expected a string"), "{said}");
    let (folder, path) = file(b"\0asm\x01\0\0\0");
    let said = fail(&mut plugin(&["inspect", path.to_str().unwrap()]));
    assert!(said.contains("is a core module, not a component"), "{said}");
    let said = fail(&mut plugin(&["inspect", folder.path().to_str().unwrap()]));
    assert!(said.contains("has no component yet: run `logsmith plugin build"), "{said}");
    let said = fail(&mut plugin(&["inspect", "builtin:json", "--config", "{"]));
    assert!(said.contains("--config is no JSON"), "{said}");
}

/// The agent would have waited for a writer for good, at its start and with each change.
#[test]
fn regression_a_pipe_in_a_plugins_place_is_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("plugin.wasm");
    succeed(Command::new("mkfifo").arg(&pipe));
    for path in [pipe.to_str().unwrap(), "/dev/zero"] {
        let mut inspect = Command::new("timeout");
        inspect.args(["60", env!("CARGO_BIN_EXE_logsmith"), "plugin", "inspect", path]);
        let said = fail(inspect.env("XDG_CACHE_HOME", crate::support::user_cache()));
        assert!(said.contains(&format!("cannot read the plugin {path}: it is no file")), "{said}");
    }
}

/// Who leaves out `builtin:` is told so, and not only that some file is missing.
#[test]
fn a_built_in_plugin_without_its_prefix_is_told() {
    let (_folder, path) = file(LINES);
    let path = path.to_str().unwrap();
    for arguments in [
        &["run", "json", path] as &[&str],
        &["inspect", "json"],
        &["bench", "json", path, "--rounds", "1"],
        &["diff", "builtin:json", "json", path],
    ] {
        let said = fail(&mut plugin(arguments));
        assert!(said.contains("the built-in plugin is written `builtin:json`"), "{arguments:?}: {said}");
    }
    let said = fail(&mut plugin(&["run", "nothing.wasm", path]));
    assert!(said.contains("cannot read the plugin nothing.wasm: No such file"), "{said}");
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

/// The number behind each word that begins a line.
fn figure(said: &str, word: &str) -> f64 {
    let line = said.lines().find(|line| line.trim_start().starts_with(word));
    let line = line.unwrap_or_else(|| panic!("no {word}: {said}"));
    line.trim_start()[word.len()..].split_whitespace().next().unwrap().parse().unwrap()
}

fn is_near(one: f64, other: f64) -> bool {
    (one - other).abs() <= 0.02 * other.abs() + 0.5
}

/// Nine thousand lines are two batches; of each ten one is no JSON.
#[test]
fn what_a_plugin_costs_adds_up() {
    let line = |n: u32| {
        if n.is_multiple_of(10) { "none\n".into() } else { format!("{{\"level\":\"INFO\",\"n\":{n}}}\n") }
    };
    let text: String = (0..9_000).map(line).collect();
    let (_folder, path) = file(text.as_bytes());
    let arguments = ["bench", "builtin:json", path.to_str().unwrap(), "--rounds", "3", "--time", "10min"];
    let said = succeed(&mut plugin(&arguments));
    assert!(said.starts_with("json 0.1.0: 9000 lines in 2 batches\n"), "{said}");
    assert!(said.contains("27000  in 6 batches, "), "{said}");
    assert!(
        said.ends_with("24300 rows came out, 0 were dropped, 2700 are dead letters; 0 instances broke\n"),
        "{said}"
    );
    let [rows_per_s, mb_per_s, ns_per_row] = ["rows/s", "MB/s", "ns/row"].map(|word| figure(&said, word));
    assert!(is_near(rows_per_s * ns_per_row, 1e9), "{said}");
    assert!(is_near(mb_per_s * 1e6 / rows_per_s, text.len() as f64 / 9_000.0), "{said}");
    let parts = ["plugin ", "boundary ", "instances "].map(|part| figure(&said, part));
    assert!(parts.iter().all(|ns| *ns > 0.0) && is_near(parts.iter().sum(), ns_per_row), "{said}");
    let percent = |line: &str| line.split(" %").next()?.split_whitespace().last()?.parse::<f64>().ok();
    let percents: f64 = said.lines().filter(|line| line.contains(" %")).filter_map(percent).sum();
    assert!((percents - 100.0).abs() < 0.3, "{said}");
    let mebibytes = figure(&said, "memory MiB");
    assert!(mebibytes > 1.0 && mebibytes < 256.0, "{said}");
}

/// Of a pipeline each plugin has its own share, and a program reads the same figures as people do.
#[test]
fn a_bench_of_a_pipeline_tells_what_each_plugin_costs() {
    let (folder, path) = file(&LINES.repeat(1_000));
    let edge = folder.path().join("edge.toml");
    let pipeline = |then: &str| {
        format!(
            "[[source]]\nname = \"app\"\ninclude = [\"*.log\"]\n[[pipeline]]\nname = \"app\"\nplugin = \"builtin:json\"\n{then}"
        )
    };
    let then = "[[pipeline.then]]\nplugin = \"builtin:filter\"\nconfig = { where = 'level == \"ERROR\"' }\n";
    std::fs::write(&edge, pipeline(then)).unwrap();
    let (edge, path) = (edge.to_str().unwrap(), path.to_str().unwrap());
    let said = succeed(&mut plugin(&["bench", "-c", edge, "app", path, "--rounds", "1"]));
    let (head, figures) = said.split_once('\n').unwrap();
    assert!(head.starts_with("json 0.1.0, filter 0.1.0: "), "{said}");
    let parts = ["json ", "filter ", "boundary ", "instances "].map(|part| figure(figures, part));
    assert!(parts.iter().all(|ns| *ns > 0.0), "{said}");
    assert!(is_near(parts.iter().sum(), figure(&said, "ns/row")), "{said}");

    let output =
        plugin(&["bench", "-c", edge, "app", path, "--rounds", "1", "--format", "json"]).output().unwrap();
    let figures: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let ns = |key: &str| figures[key].as_f64().unwrap();
    let own: f64 = ["json", "filter"]
        .iter()
        .zip(figures["plugins"].as_array().unwrap())
        .map(|(name, plugin)| {
            assert_eq!(plugin["name"], *name);
            plugin["own_ns"].as_f64().unwrap()
        })
        .sum();
    assert!(is_near(own + ns("boundary_ns") + ns("instances_ns"), ns("ns")), "{figures}");
    let count = |key: &str| figures[key].as_u64().unwrap();
    assert_eq!(count("rows"), count("rows_out") + count("dropped") + count("dead_letters"), "{figures}");
    assert!(count("dropped") > 0 && count("dead_letters") > 0, "{figures}");

    let said = fail(&mut plugin(&["bench", "-c", edge, "other", path]));
    assert!(said.contains("has no pipeline `other`, only: app"), "{said}");
}

#[test]
fn a_bench_ends_in_time_and_says_where_there_is_nothing_to_run() {
    let (_folder, path) = file(&LINES.repeat(4_000));
    let path = path.to_str().unwrap();
    let said = succeed(&mut plugin(&["bench", "builtin:json", path, "--time", "1ms"]));
    assert!(said.contains(" 8192  in 1 batches, "), "no more than the first batch: {said}");
    let (_folder, empty) = file(b"");
    let said = fail(&mut plugin(&["bench", "builtin:json", empty.to_str().unwrap()]));
    assert!(said.contains("has no lines"), "{said}");
}
