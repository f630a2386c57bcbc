//! The conversion words of log4j, logback and JBoss.

use crate::layout::{Extent, Role};

/// What a word stands for.
pub enum Word {
    Time,
    Value(Role, Extent),
    /// `%X`, with a key or without.
    Context,
    Newline,
    /// What stands behind the message, or nothing.
    Exception,
    /// What is within, in parentheses or in braces.
    Group,
}

/// The word at the front of a text, which is the longest that there is, and what follows it.
pub fn take(text: &str) -> Option<(Word, &str)> {
    let found = WORDS.iter().flat_map(|(_, names)| *names).filter(|name| text.starts_with(**name));
    let name = found.max_by_key(|name| name.len())?;
    let word = WORDS.iter().find(|(_, names)| names.contains(name))?.0(name);
    Some((word, text.get(name.len()..)?))
}

type MakeWord = fn(&str) -> Word;

const WORDS: &[(MakeWord, &[&str])] = &[
    (|_| Word::Time, &["d", "date"]),
    (|_| Word::Value(Role::Level, Extent::Letters), &["p", "le", "level"]),
    (|_| Word::Value(Role::Thread, Extent::Line), &["t", "tn", "thread", "threadName"]),
    (|_| Word::Value(Role::Logger, Extent::Word), &["c", "lo", "logger"]),
    (|_| Word::Value(Role::Message, Extent::All), &["m", "msg", "message", "s"]),
    (|_| Word::Context, &["X", "mdc", "MDC"]),
    (|_| Word::Newline, &["n"]),
    (
        |_| Word::Exception,
        &[
            "e",
            "ex",
            "exception",
            "throwable",
            "E",
            "rEx",
            "rootException",
            "xEx",
            "xException",
            "xThrowable",
            "wEx",
            "wex",
            "xwEx",
            "nopex",
            "nopexception",
        ],
    ),
    (|_| named("class", Extent::Name), &["C", "class"]),
    (|_| named("method", Extent::Method), &["M", "method"]),
    (|_| named("file", Extent::Word), &["F", "file"]),
    (|_| named("line", Extent::Digits), &["L", "line"]),
    (|_| named("location", Extent::Word), &["l", "location"]),
    (|_| named("pid", Extent::Word), &["pid", "processId"]),
    (|_| named("thread_id", Extent::Digits), &["T", "tid", "threadId"]),
    (|_| named("thread_priority", Extent::Digits), &["tp", "threadPriority"]),
    (|_| named("relative", Extent::Digits), &["r", "relative"]),
    (|_| named("sequence_number", Extent::Digits), &["sn", "sequenceNumber"]),
    (|_| named("nano", Extent::Digits), &["N", "nano"]),
    (|_| named("uuid", Extent::Word), &["u", "uuid"]),
    (|_| named("ndc", Extent::Line), &["x", "ndc", "NDC"]),
    (|_| named("marker", Extent::Line), &["marker", "markerSimpleName"]),
    (|_| named("context", Extent::Line), &["cn", "contextName"]),
    (|_| named("pairs", Extent::Line), &["kvp"]),
    (|word| named(word, Extent::Line), &["node_name", "cluster_name"]),
    (
        |_| Word::Group,
        &[
            "clr",
            "highlight",
            "style",
            "black",
            "red",
            "green",
            "yellow",
            "blue",
            "magenta",
            "cyan",
            "white",
            "gray",
            "boldRed",
            "boldGreen",
            "boldYellow",
            "boldBlue",
            "boldMagenta",
            "boldCyan",
            "boldWhite",
        ],
    ),
];

fn named(name: &str, extent: Extent) -> Word {
    Word::Value(Role::Named(name.into()), extent)
}
