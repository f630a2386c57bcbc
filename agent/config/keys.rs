//! Every key of the agent's configuration, for those who write one: what it takes, and what holds without it.

/// A key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key {
    /// The table that it stands in, without indexes: `source.multiline`.
    pub(super) table: &'static str,
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// What holds without it.
    pub(super) without: Without,
}

/// What a key takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Texts,
    Number,
    Flag,
    /// Like `"5min"`.
    Time,
    /// Like `"64KiB"`, or a bare number.
    Bytes,
    /// Texts by name.
    Options,
    /// A table of this module.
    Table,
    /// A list of them.
    Tables,
    /// What a plugin takes.
    Any,
}

/// What holds where a key is not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Without {
    /// The same as with this value.
    Default(&'static str),
    /// What no value says.
    Words(&'static str),
    /// Nothing: it must be there, or belongs to what need not be there.
    Nothing,
}

use Kind::{Any, Bytes, Flag, Number, Options, Table, Tables, Text, Texts, Time};
use Without::{Default, Nothing, Words};

const fn key(table: &'static str, name: &'static str, kind: Kind, without: Without) -> Key {
    Key { table, name, kind, without }
}

/// All of them, table by table.
pub(super) const KEYS: &[Key] = &[
    key("agent", "state_dir", Text, Default("\"/var/lib/logsmith\"")),
    key("agent", "host", Text, Words("this machine's name")),
    key("agent", "disk_budget", Bytes, Default("\"2GB\"")),
    key("agent", "bronze_interval", Time, Default("\"1s\"")),
    key("agent", "bronze_bytes", Bytes, Default("\"8MiB\"")),
    key("agent", "silver_interval", Time, Default("\"60s\"")),
    key("agent", "silver_bytes", Bytes, Default("\"32MB\"")),
    key("agent", "rescan_interval", Time, Default("\"10s\"")),
    key("agent", "open_files_max", Number, Default("256")),
    key("agent", "deleted_bytes_max", Bytes, Default("\"1GiB\"")),
    key("agent", "plugins_owned_by_root", Flag, Default("false")),
    key("central", "url", Text, Nothing),
    key("central", "options", Options, Nothing),
    key("central", "upload_rate", Bytes, Words("no limit")),
    key("metrics", "listen", Text, Nothing),
    key("source", "name", Text, Nothing),
    key("source", "include", Texts, Nothing),
    key("source", "exclude", Texts, Default("[]")),
    key("source", "start_at", Text, Default("\"beginning\"")),
    key("source", "encoding", Text, Default("\"utf-8\"")),
    key("source", "line_bytes_max", Bytes, Default("\"1MiB\"")),
    key("source", "last_line_timeout", Time, Default("\"5s\"")),
    key("source", "multiline", Table, Words("each line is a record")),
    key("source", "syslog", Texts, Nothing),
    key("source", "journal", Table, Nothing),
    key("source", "self", Table, Nothing),
    key("source.multiline", "preset", Text, Nothing),
    key("source.multiline", "start", Text, Nothing),
    key("source.multiline", "continuation", Text, Nothing),
    key("source.multiline", "timeout", Time, Default("\"1s\"")),
    key("source.multiline", "lines_max", Number, Default("1000")),
    key("source.journal", "directory", Text, Words("the system's own")),
    key("source.journal", "units", Texts, Words("all")),
    key("source.journal", "priority", Text, Default("\"debug\"")),
    key("source.self", "level", Text, Default("\"info\"")),
    key("source.self", "metrics", Time, Words("never")),
    key("pipeline", "name", Text, Nothing),
    key("pipeline", "sources", Texts, Words("all")),
    key("pipeline", "plugin", Text, Nothing),
    key("pipeline", "sha256", Text, Nothing),
    key("pipeline", "config", Any, Nothing),
    key("pipeline", "limits", Table, Nothing),
    key("pipeline", "then", Tables, Nothing),
    key("pipeline.limits", "memory_bytes_max", Bytes, Default("\"256MiB\"")),
    key("pipeline.limits", "component_bytes_max", Bytes, Default("\"64MiB\"")),
    key("pipeline.limits", "open_cpu_time_max", Time, Default("\"10s\"")),
    key("pipeline.limits", "call_cpu_time_max", Time, Default("\"100ms\"")),
    key("pipeline.limits", "row_cpu_time_max", Time, Default("\"200us\"")),
    key("pipeline.limits", "rejects_per_minute_max", Number, Words("no limit")),
];

/// The keys of a table.
pub(super) fn keys_of(table: &str) -> impl Iterator<Item = &'static Key> {
    // A further plugin of a pipeline has what the first one has, which stands in the pipeline's own table.
    let is_further = table == "pipeline.then";
    let table = match table {
        "pipeline.then" => "pipeline",
        "pipeline.then.limits" => "pipeline.limits",
        table => table,
    };
    let is_of_pipeline = |key: &Key| matches!(key.name, "name" | "sources" | "then");
    KEYS.iter().filter(move |key| key.table == table && !(is_further && is_of_pipeline(key)))
}

#[cfg(test)]
mod tests {
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
    fn the_keys_are_those_that_are_read() {
        for table in ["agent", "central", "metrics", "source", "pipeline", "pipeline.limits"]
            .into_iter()
            .chain(["source.multiline", "source.journal", "source.self"])
        {
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
        for line in include_str!("../../examples/edge.toml").lines() {
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
            let of_key: Vec<&str> =
                told.iter().filter(|(told, _)| *told == key).map(|(_, rest)| *rest).collect();
            assert!(!of_key.is_empty(), "{key} is not there");
            if let Default(value) = without {
                let in_words = format!("default {}", value.trim_matches('"'));
                let is_told = |rest: &&str| rest.starts_with(value) || rest.contains(&in_words);
                assert!(
                    of_key.iter().any(is_told),
                    "{key}: the default is {value}, the example says {of_key:?}"
                );
            }
        }
    }
}
