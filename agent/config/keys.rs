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
    /// What it says, in a line.
    pub(super) tells: &'static str,
}

/// What a key takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    /// One of these.
    OneOf(&'static [&'static str]),
    Texts,
    /// A whole one, from this one on.
    Number(u64),
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

use Kind::{Any, Bytes, Flag, Number, OneOf, Options, Table, Tables, Text, Texts, Time};
use Without::{Default, Nothing, Words};

const fn key(
    table: &'static str,
    name: &'static str,
    kind: Kind,
    without: Without,
    tells: &'static str,
) -> Key {
    Key { table, name, kind, without, tells }
}

/// All of them, table by table.
pub(super) const KEYS: &[Key] = &[
    key(
        "agent",
        "state_dir",
        Text,
        Default("\"/var/lib/logsmith\""),
        "The folder of the agent's tables; relative to the folder of this file",
    ),
    key(
        "agent",
        "host",
        Text,
        Words("this machine's name"),
        "The name of this host in rows and in the central store",
    ),
    key(
        "agent",
        "disk_budget",
        Bytes,
        Default("\"2GB\""),
        "The state folder stays below; when it is full, reading waits. At least \"10MB\"",
    ),
    key(
        "agent",
        "bronze_interval",
        Time,
        Default("\"1s\""),
        "Lines are committed to Bronze at least this often",
    ),
    key(
        "agent",
        "bronze_bytes",
        Bytes,
        Default("\"8MiB\""),
        "Lines are committed to Bronze whenever this much was read; at most \"256MiB\"",
    ),
    key(
        "agent",
        "silver_interval",
        Time,
        Default("\"60s\""),
        "Rows are committed to Silver, and put as one object, at least this often",
    ),
    key(
        "agent",
        "silver_bytes",
        Bytes,
        Default("\"32MB\""),
        "Rows are committed to Silver whenever they take this much; at most \"256MiB\"",
    ),
    key(
        "agent",
        "rescan_interval",
        Time,
        Default("\"10s\""),
        "How long a new file may go unnoticed if the kernel loses an event",
    ),
    key("agent", "open_files_max", Number(1), Default("256"), "Log files kept open; more are read in turn"),
    key(
        "agent",
        "deleted_bytes_max",
        Bytes,
        Default("\"1GiB\""),
        "What deleted files may take on disk until they are read; beyond it those deleted first are let go, and counted",
    ),
    key(
        "agent",
        "plugins_owned_by_root",
        Flag,
        Default("false"),
        "Whether files of plugins, and every folder above them, must be root's alone to write",
    ),
    key(
        "central",
        "url",
        Text,
        Nothing,
        "Where Silver is put: file:///folder, s3://bucket/prefix, gs://bucket/prefix or az://container/prefix",
    ),
    key(
        "central",
        "options",
        Options,
        Nothing,
        "Options of the store, over what its standard environment variables say",
    ),
    key(
        "central",
        "upload_rate",
        Bytes,
        Words("no limit"),
        "Bytes a second, of all pipelines together and on average",
    ),
    key(
        "metrics",
        "listen",
        Text,
        Nothing,
        "Where /metrics, /healthz and /readyz are served: \"127.0.0.1:9464\", or \"unix:/run/logsmith/metrics.sock\"",
    ),
    key(
        "source",
        "name",
        Text,
        Nothing,
        "What the source is called in pipelines and rows: letters, digits and _",
    ),
    key("source", "include", Texts, Nothing, "The files to read, as patterns, rotated copies among them"),
    key(
        "source",
        "exclude",
        Texts,
        Default("[]"),
        "Files not to read: names, or absolute paths, as patterns",
    ),
    key(
        "source",
        "start_at",
        OneOf(&["beginning", "end"]),
        Default("\"beginning\""),
        "Where reading begins in what stands there at the first start",
    ),
    key(
        "source",
        "encoding",
        Text,
        Default("\"utf-8\""),
        "How characters are written: \"utf-16\", \"latin1\", \"shift_jis\" and the like",
    ),
    key(
        "source",
        "line_bytes_max",
        Bytes,
        Default("\"1MiB\""),
        "Longer lines are cut, marked and counted; at most \"64MiB\"",
    ),
    key(
        "source",
        "last_line_timeout",
        Time,
        Default("\"5s\""),
        "A last line without newline is taken after this long",
    ),
    key(
        "source",
        "multiline",
        Table,
        Words("each line is a record"),
        "How records of several lines are told",
    ),
    key(
        "source",
        "syslog",
        Texts,
        Nothing,
        "Where syslog messages arrive, in place of files: udp://127.0.0.1:514, tcp://127.0.0.1:601, unix:///run/logsmith/syslog",
    ),
    key("source", "journal", Table, Nothing, "The system's journal, in place of files"),
    key("source", "self", Table, Nothing, "What the agent itself logs, in place of files"),
    key(
        "source.multiline",
        "preset",
        OneOf(&["java", "python", "go", "rust", "indented", "container"]),
        Nothing,
        "What writes these records",
    ),
    key(
        "source.multiline",
        "start",
        Text,
        Nothing,
        "A regular expression: a line that matches begins a record",
    ),
    key(
        "source.multiline",
        "continuation",
        Text,
        Nothing,
        "A regular expression: a line that matches goes on with a record",
    ),
    key(
        "source.multiline",
        "timeout",
        Time,
        Default("\"1s\""),
        "A record is complete when nothing was written for this long",
    ),
    key("source.multiline", "lines_max", Number(1), Default("1000"), "A record has no more lines"),
    key("source.journal", "directory", Text, Words("the system's own"), "The journal's folder"),
    key("source.journal", "units", Texts, Words("all"), "Entries of these units only"),
    key(
        "source.journal",
        "priority",
        OneOf(&["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"]),
        Default("\"debug\""),
        "Entries of this priority, and more urgent ones",
    ),
    key(
        "source.self",
        "level",
        OneOf(&["error", "warn", "info"]),
        Default("\"info\""),
        "Messages of this level, and graver ones",
    ),
    key(
        "source.self",
        "metrics",
        Time,
        Words("never"),
        "How often all metrics are told as one line; at least \"10s\"",
    ),
    key(
        "pipeline",
        "name",
        Text,
        Nothing,
        "What the pipeline and its Silver table are called: letters, digits and _",
    ),
    key("pipeline", "sources", Texts, Words("all"), "The sources whose lines it takes"),
    key(
        "pipeline",
        "plugin",
        Text,
        Nothing,
        "What makes rows of lines: builtin:json and the like, or the path of a .wasm component",
    ),
    key(
        "pipeline",
        "sha256",
        Text,
        Nothing,
        "Of the plugin's file, as sha256sum prints it, so that no other one runs",
    ),
    key("pipeline", "config", Any, Nothing, "What the plugin is configured with"),
    key("pipeline", "limits", Table, Nothing, "What the plugin may use"),
    key(
        "pipeline",
        "then",
        Tables,
        Nothing,
        "Further plugins, each of which sees what those before it wrote",
    ),
    key(
        "pipeline.limits",
        "memory_bytes_max",
        Bytes,
        Default("\"256MiB\""),
        "Memory of one instance; at most \"4GiB\"",
    ),
    key(
        "pipeline.limits",
        "component_bytes_max",
        Bytes,
        Default("\"64MiB\""),
        "Size of the .wasm file; at most \"1GiB\"",
    ),
    key(
        "pipeline.limits",
        "open_cpu_time_max",
        Time,
        Default("\"10s\""),
        "CPU time for an instance to open; at most \"60s\"",
    ),
    key(
        "pipeline.limits",
        "call_cpu_time_max",
        Time,
        Default("\"100ms\""),
        "CPU time of one call, which takes up to 4096 lines; at most \"60s\"",
    ),
    key(
        "pipeline.limits",
        "row_cpu_time_max",
        Time,
        Default("\"200us\""),
        "CPU time for each of these lines on top; at most \"60s\"",
    ),
    key(
        "pipeline.limits",
        "rejects_per_minute_max",
        Number(0),
        Words("no limit"),
        "With more dead letters in a minute of reading the plugin counts as broken, and its pipeline holds",
    ),
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
mod tests;
