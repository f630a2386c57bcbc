//! Every key of the agent's configuration, for those who write one: what it takes, and what holds without it.

/// A key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key {
    /// The table that it stands in, without indexes: `source.multiline`.
    pub(super) table: &'static str,
    pub(super) name: &'static str,
    /// What holds without it.
    pub(super) without: Without,
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

use Without::{Default, Nothing, Words};

const fn key(table: &'static str, name: &'static str, without: Without) -> Key {
    Key { table, name, without }
}

/// All of them, table by table.
pub(super) const KEYS: &[Key] = &[
    key("agent", "state_dir", Default("\"/var/lib/logsmith\"")),
    key("agent", "host", Words("this machine's name")),
    key("agent", "disk_budget", Default("\"2GB\"")),
    key("agent", "bronze_interval", Default("\"1s\"")),
    key("agent", "bronze_bytes", Default("\"8MiB\"")),
    key("agent", "silver_interval", Default("\"60s\"")),
    key("agent", "silver_bytes", Default("\"32MB\"")),
    key("agent", "rescan_interval", Default("\"10s\"")),
    key("agent", "open_files_max", Default("256")),
    key("agent", "deleted_bytes_max", Default("\"1GiB\"")),
    key("agent", "plugins_owned_by_root", Default("false")),
    key("central", "url", Nothing),
    key("central", "options", Nothing),
    key("central", "upload_rate", Words("no limit")),
    key("metrics", "listen", Nothing),
    key("source", "name", Nothing),
    key("source", "include", Nothing),
    key("source", "exclude", Default("[]")),
    key("source", "start_at", Default("\"beginning\"")),
    key("source", "encoding", Default("\"utf-8\"")),
    key("source", "line_bytes_max", Default("\"1MiB\"")),
    key("source", "last_line_timeout", Default("\"5s\"")),
    key("source", "multiline", Words("each line is a record")),
    key("source", "syslog", Nothing),
    key("source", "journal", Nothing),
    key("source", "self", Nothing),
    key("source.multiline", "preset", Nothing),
    key("source.multiline", "start", Nothing),
    key("source.multiline", "continuation", Nothing),
    key("source.multiline", "timeout", Default("\"1s\"")),
    key("source.multiline", "lines_max", Default("1000")),
    key("source.journal", "directory", Words("the system's own")),
    key("source.journal", "units", Words("all")),
    key("source.journal", "priority", Default("\"debug\"")),
    key("source.self", "level", Default("\"info\"")),
    key("source.self", "metrics", Words("never")),
    key("pipeline", "name", Nothing),
    key("pipeline", "sources", Words("all")),
    key("pipeline", "plugin", Nothing),
    key("pipeline", "sha256", Nothing),
    key("pipeline", "config", Nothing),
    key("pipeline", "limits", Nothing),
    key("pipeline", "then", Nothing),
    key("pipeline.limits", "memory_bytes_max", Default("\"256MiB\"")),
    key("pipeline.limits", "component_bytes_max", Default("\"64MiB\"")),
    key("pipeline.limits", "open_cpu_time_max", Default("\"10s\"")),
    key("pipeline.limits", "call_cpu_time_max", Default("\"100ms\"")),
    key("pipeline.limits", "row_cpu_time_max", Default("\"200us\"")),
    key("pipeline.limits", "rejects_per_minute_max", Words("no limit")),
];

/// The keys of a table.
pub(super) fn keys_of(table: &str) -> impl Iterator<Item = &'static Key> {
    // A further plugin of a pipeline may use what the first one may.
    let table = match table {
        "pipeline.then.limits" => "pipeline.limits",
        table => table,
    };
    KEYS.iter().filter(move |key| key.table == table)
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
        for Key { table, name, without: held } in KEYS {
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
}
