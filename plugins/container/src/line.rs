//! One line that a container runtime has written.

use std::borrow::Cow;

use logsmith_plugin::{Reject, Timestamp};
use serde::Deserialize;

/// A line, read.
#[derive(Debug)]
pub struct Line<'a> {
    pub time: Timestamp,
    pub stream: Stream,
    pub part: Part,
    /// What the container said, without the newline.
    pub text: Cow<'a, [u8]>,
}

/// Where a container says something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    Stdout,
    Stderr,
}

/// What a line is of its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The next line of its stream goes on with it.
    Inner,
    /// It ends it.
    Last,
}

impl Stream {
    pub const COUNT: usize = 2;

    fn parse(name: &str) -> Result<Self, Reject> {
        match name {
            "stdout" => Ok(Self::Stdout),
            "stderr" => Ok(Self::Stderr),
            other => Err(Reject::new(format!("the stream is {other:?}, and neither stdout nor stderr"))),
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

/// As Docker's json-file has it. Where a container said nothing, `log` is left out.
#[derive(Deserialize)]
struct DockerLine<'a> {
    #[serde(borrow, default)]
    log: Cow<'a, str>,
    #[serde(borrow)]
    stream: Cow<'a, str>,
    #[serde(borrow)]
    time: Cow<'a, str>,
}

impl<'a> Line<'a> {
    pub fn read(line: &'a [u8]) -> Result<Self, Reject> {
        if line.starts_with(b"{") { Self::read_docker(line) } else { Self::read_cri(line) }
    }

    fn read_docker(line: &'a [u8]) -> Result<Self, Reject> {
        let DockerLine { log, stream, time } = serde_json::from_slice(line)
            .map_err(|error| Reject::new(format!("no line of Docker's json-file: {error}")))?;
        let (time, stream) = (self::time(&time)?, Stream::parse(&stream)?);
        let whole = log.strip_suffix('\n').map(|text| text.strip_suffix('\r').unwrap_or(text).len());
        let mut text = match log {
            Cow::Borrowed(log) => Cow::Borrowed(log.as_bytes()),
            Cow::Owned(log) => Cow::Owned(log.into_bytes()),
        };
        let Some(len) = whole else { return Ok(Self { time, stream, part: Part::Inner, text }) };
        text.to_mut().truncate(len);
        Ok(Self { time, stream, part: Part::Last, text })
    }

    fn read_cri(line: &'a [u8]) -> Result<Self, Reject> {
        let mut words = line.splitn(4, |byte| *byte == b' ');
        let mut word = |what: &str| {
            let word = words.next().ok_or_else(|| Reject::new(format!("there is no {what}")))?;
            str::from_utf8(word).map_err(|_| Reject::new(format!("the {what} is no text")))
        };
        let (time, stream) = (self::time(word("time")?)?, Stream::parse(word("stream")?)?);
        // Further tags stand behind a colon.
        let part = match word("tag")?.split(':').next() {
            Some("P") => Part::Inner,
            Some("F") => Part::Last,
            other => {
                let tag = other.unwrap_or_default();
                return Err(Reject::new(format!("the tag is {tag:?}, and neither P nor F")));
            }
        };
        Ok(Self { time, stream, part, text: Cow::Borrowed(words.next().unwrap_or_default()) })
    }
}

fn time(text: &str) -> Result<Timestamp, Reject> {
    let unreadable =
        || Reject::new(format!("the time is {text:?}, and not like 2026-11-30T08:05:09.123456789Z"));
    Timestamp::parse_rfc3339(text).ok_or_else(unreadable)
}
