//! The plugins of a pipeline pass lines on to each other, and each plugin that is wrong is told by its own key.

use std::fs;

use crate::support::{Host, component, fail, succeed};

/// `[[pipeline.then]]` with the guest that copies `line` to `text`, and what it is to do.
fn then(crime: &str) -> String {
    let guest = component("hostile");
    format!("[[pipeline.then]]\nplugin = \"{}\"\nconfig = {{ crime = \"{crime}\" }}\n", guest.display())
}

#[test]
fn lines_pass_all_plugins_of_a_pipeline_and_each_is_in_the_verdict() {
    let host = Host::new("builtin:json");
    host.configure("builtin:json", &then("trap"));
    fs::write(
        host.path("logs/a.log"),
        "{\"message\":\"one\"}\nno json\n{\"message\":\"POISON\"}\n{\"message\":\"two\"}\n",
    )
    .unwrap();
    host.finish();
    for table in ["state/silver/app", "lake/silver/app"] {
        let mut rows = host.read(table, &["message", "text", "offset"]);
        rows.sort_by_key(|row| row["offset"].as_i64());
        let texts: Vec<_> = rows.iter().map(|row| (row["message"].clone(), row["text"].clone())).collect();
        let pair = |message: &str| (message.into(), format!("{{\"message\":\"{message}\"}}").into());
        assert_eq!(texts, [pair("one"), pair("two")], "{table}");
    }
    let mut dead: Vec<_> = host.read("state/dead_letter", &["line", "plugin"]);
    dead.sort_by_key(|row| row["line"].to_string());
    let dead: Vec<_> =
        dead.iter().map(|row| (row["line"].as_str().unwrap(), row["plugin"].as_str().unwrap())).collect();
    assert_eq!(dead, [("no json", "json"), ("{\"message\":\"POISON\"}", "hostile")]);
    let verdicts: String = fs::read_dir(host.path("state/silver/app/_delta_log"))
        .unwrap()
        .filter_map(|entry| fs::read_to_string(entry.unwrap().path()).ok())
        .collect();
    let (json, hostile) = (verdicts.find("\"name\":\"json\""), verdicts.find("\"name\":\"hostile\""));
    assert!(json.is_some() && json < hostile, "{verdicts}");
}

#[test]
fn check_shows_every_plugin_and_the_columns_after_the_last() {
    let host = Host::new("builtin:json");
    host.configure("builtin:json", &then("none"));
    let said = succeed(&mut host.edge(&["check"]));
    let order = [
        "plugin json ",
        "sha256 ",
        "config hash ",
        "plugin hostile ",
        "sha256 ",
        "config hash ",
        "fields ",
        "text ",
    ];
    let mut rest = said.as_str();
    for word in order {
        rest = rest.split_once(word).unwrap_or_else(|| panic!("no `{word}` in its place in:\n{said}")).1;
    }
}

#[test]
fn a_wrong_plugin_of_a_chain_is_told_by_its_own_key() {
    let host = Host::new("builtin:json");
    let check = |more: &str, wanted: &str| {
        host.configure("builtin:json", more);
        let said = fail(&mut host.edge(&["check"]));
        assert!(said.contains(wanted) && said.contains("1 mistake\n"), "no `{wanted}` in:\n{said}");
    };
    check(
        "[[pipeline.then]]\nplugin = \"builtin:json\"\nconfig = { levels = 1 }\n",
        "pipeline[0].then[0].plugin: builtin:json refuses",
    );
    check(&(then("none") + "[[pipeline.then]]\nsha256 = \"x\"\n"), "pipeline[0].then[1].plugin: is missing");
    check(&(then("none") + "colour = \"red\"\n"), "pipeline[0].then[0].colour: is not known here; known are");
    check(
        "then = \"builtin:json\"\n",
        "pipeline[0].then: is of type string; write a list of tables: [[pipeline.then]]",
    );
    check(&then("writes_host"), "pipeline[0].then[0].plugin:");
}
