use std::path::Path;

use super::super::{ConfigFiles, Edge};
use super::*;

fn parsed(text: &str) -> Result<Edge, String> {
    Edge::parse(&ConfigFiles::alone(Path::new("edge.toml"), text)).map_err(|error| error.to_string())
}

/// A configuration in which every table stands, each with `lines` where it is `table`.
fn with(table: &str, lines: &str) -> String {
    let tables = [
        ("agent", "[agent]\n"),
        ("metrics", "[metrics]\nlisten = \"127.0.0.1:1\"\n"),
        ("central", "[central]\nurl = \"file:///lake\"\n"),
        ("source", "[[source]]\nname = \"a\"\ninclude = [\"/a\"]\n"),
        ("source.multiline", "[source.multiline]\npreset = \"java\"\n"),
        ("", "[[source]]\nname = \"b\"\n"),
        ("source.journal", "[source.journal]\n"),
        ("", "[[source]]\nname = \"c\"\n"),
        ("source.self", "[source.self]\n"),
        ("pipeline", "[[pipeline]]\nname = \"a\"\nplugin = \"builtin:json\"\n"),
        ("pipeline.limits", "[pipeline.limits]\n"),
    ];
    let written = tables.map(|(name, text)| match name == table {
        true => format!("{text}{lines}\n"),
        false => text.to_owned(),
    });
    written.concat()
}

#[test]
fn a_default_that_is_written_changes_nothing() {
    let shown = |text: &str| {
        let edge = parsed(text).unwrap();
        format!("{:?}", Edge { written: ConfigFiles::alone(Path::new(""), ""), ..edge })
    };
    let without = shown(&with("", ""));
    let mut tried = 0;
    for Key { table, name, without: held, .. } in KEYS {
        if let Default(value) = held {
            assert_eq!(shown(&with(table, &format!("{name} = {value}"))), without, "{table}.{name}");
            tried += 1;
        }
    }
    assert!(tried > 20);
}

#[test]
fn a_choice_is_between_what_is_taken() {
    let mut tried = 0;
    for Key { table, name, kind, .. } in KEYS {
        let OneOf(choices) = kind else { continue };
        let chosen = |value: &str| match *name {
            // It stands there already.
            "preset" => parsed(&with("", "").replace("\"java\"", &format!("\"{value}\""))),
            name => parsed(&with(table, &format!("{name} = \"{value}\""))),
        };
        for choice in *choices {
            chosen(choice).unwrap_or_else(|error| panic!("{table}.{name}: {error}"));
        }
        assert!(chosen("none").is_err(), "{table}.{name}");
        tried += 1;
    }
    assert_eq!(tried, 4);
}

#[test]
fn the_keys_are_those_that_are_read() {
    for table in ["agent", "central", "metrics", "source", "pipeline", "pipeline.limits"].into_iter().chain([
        "source.multiline",
        "source.journal",
        "source.self",
    ]) {
        let said = parsed(&with(table, "no_key = 1")).unwrap_err();
        let (_, read) = said.split_once("no_key: is not known here; known are ").unwrap();
        let read = read.lines().next().unwrap();
        let mut listed: Vec<&str> = keys_of(table).map(|key| key.name).collect();
        listed.sort_unstable();
        assert_eq!(read, listed.join(", "), "{table}");
    }
}

/// The example may say it in words, where it has another value.
#[test]
fn the_example_has_every_key_and_says_what_holds_without_it() {
    let mut table = String::new();
    let mut told: Vec<(String, &str)> = Vec::new();
    for line in include_str!("../../../examples/edge.toml").lines() {
        let line = line.trim_start_matches(['#', ' ']);
        if let Some(header) = line.strip_prefix('[') {
            table = header.trim_start_matches('[').split(']').next().unwrap().to_owned();
            told.push((table.clone(), ""));
        } else if let Some((name, rest)) = line.split_once(" = ") {
            told.push((format!("{table}.{name}"), rest));
        }
    }
    for Key { table, name, without, .. } in KEYS {
        let key = format!("{table}.{name}");
        let of_key: Vec<&str> = told.iter().filter(|(told, _)| *told == key).map(|(_, rest)| *rest).collect();
        assert!(!of_key.is_empty(), "{key} is not there");
        if let Default(value) = without {
            let in_words = format!("default {}", value.trim_matches('"'));
            let is_told = |rest: &&str| rest.starts_with(value) || rest.contains(&in_words);
            assert!(of_key.iter().any(is_told), "{key}: the default is {value}, the example says {of_key:?}");
        }
    }
}
