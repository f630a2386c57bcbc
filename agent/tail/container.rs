//! Lines that container runtimes write: which stream each is of, and whether it ends what the container said.
//!
//! A runtime cuts what a container says at 16 KiB, and the pieces of stdout and stderr may alternate. Where containerd and
//! CRI-O write, a piece that is not the last one is tagged `P`; in Docker's json-file its `log` lacks the newline.

use std::borrow::Cow;

use serde::Deserialize;

/// A stream of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stream {
    Stdout,
    Stderr,
}

/// What one line is of its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece {
    /// The next line of its stream goes on with it.
    Partial(Stream),
    /// It is whole, or the end.
    Full(Stream),
}

/// The streams whose last line in a record was a partial one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct OpenStreams {
    stdout: bool,
    stderr: bool,
}

impl OpenStreams {
    /// Whether none is open: the record is complete.
    pub(super) fn is_empty(self) -> bool {
        self == Self::default()
    }

    /// What is open behind `line`; none if no container runtime writes such a line.
    pub(super) fn after(mut self, line: &[u8]) -> Option<Self> {
        let (stream, is_open) = match piece(line)? {
            Piece::Partial(stream) => (stream, true),
            Piece::Full(stream) => (stream, false),
        };
        match stream {
            Stream::Stdout => self.stdout = is_open,
            Stream::Stderr => self.stderr = is_open,
        }
        Some(self)
    }
}

#[derive(Deserialize)]
struct DockerLine<'a> {
    #[serde(borrow, default)]
    log: Cow<'a, str>,
    #[serde(borrow)]
    stream: Cow<'a, str>,
}

fn piece(line: &[u8]) -> Option<Piece> {
    let (stream, is_partial) = if line.starts_with(b"{") {
        let line = String::from_utf8_lossy(line);
        let line: DockerLine<'_> = serde_json::from_str(&line).ok()?;
        (stream(line.stream.as_bytes())?, !line.log.ends_with('\n'))
    } else {
        let mut words = line.splitn(4, |byte| *byte == b' ').skip(1);
        let stream = stream(words.next()?)?;
        // Further tags stand behind a colon.
        match words.next()?.split(|byte| *byte == b':').next()? {
            b"P" => (stream, true),
            b"F" => (stream, false),
            _ => return None,
        }
    };
    Some(if is_partial { Piece::Partial(stream) } else { Piece::Full(stream) })
}

fn stream(name: &[u8]) -> Option<Stream> {
    match name {
        b"stdout" => Some(Stream::Stdout),
        b"stderr" => Some(Stream::Stderr),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_is_told_by_its_tag_or_by_the_newline_that_docker_keeps() {
        let cases: [(&str, Option<Piece>); 11] = [
            ("2026-11-22T10:00:00.000000001Z stdout F whole", Some(Piece::Full(Stream::Stdout))),
            ("2026-11-22T10:00:00.000000001Z stderr P part", Some(Piece::Partial(Stream::Stderr))),
            ("2026-11-22T10:00:00.000000001+01:00 stdout P:x F", Some(Piece::Partial(Stream::Stdout))),
            ("2026-11-22T10:00:00.000000001Z stdout F ", Some(Piece::Full(Stream::Stdout))),
            ("2026-11-22T10:00:00.000000001Z stdout X tagged", None),
            ("2026-11-22T10:00:00.000000001Z stdlog F x", None),
            ("free text", None),
            (r#"{"log":"a\n","stream":"stdout","time":"t"}"#, Some(Piece::Full(Stream::Stdout))),
            (r#"{"log":"a\\n","stream":"stderr","time":"t"}"#, Some(Piece::Partial(Stream::Stderr))),
            (r#"{"stream":"stderr","attrs":{"a":"b"},"log":"é\n"}"#, Some(Piece::Full(Stream::Stderr))),
            (r#"{"log":"a\n","stream":"stdout","#, None),
        ];
        for (line, wanted) in cases {
            assert_eq!(piece(line.as_bytes()), wanted, "{line}");
        }
        assert_eq!(piece(b""), None);
    }
}
