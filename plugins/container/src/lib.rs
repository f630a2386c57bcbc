//! What containers say, out of the files in which their runtimes keep it:
//!
//! ```text
//! 2026-11-30T08:05:09.123456789Z stdout F one line, as containerd and CRI-O write it
//! {"log":"one line, as Docker's json-file has it\n","stream":"stderr","time":"2026-11-30T08:05:09.123456789Z"}
//! ```
//!
//! A runtime cuts a long line into parts. Where parts stand in one record, as the source's multiline preset `container`
//! puts them, they are one message, with the time of the first; those of the other stream in between are messages of
//! their own. A part whose end is not in the record is a message as it stands. Messages come in the order in which they
//! begin. A record with a line that no runtime writes is rejected, and the reason says which line.
//!
//! Whose container it is stands in the file's path; see [`Place`].

mod line;
mod place;

use std::borrow::Cow;

use logsmith_plugin::{Record, Reject, Timestamp, transform};

use crate::line::{Line, Part, Stream};
pub use crate::place::Place;

/// One message.
#[derive(Record)]
#[cfg_attr(test, derive(Debug, PartialEq))]
pub struct Message<'a> {
    time: Timestamp,
    stream: &'a str,
    message: Cow<'a, str>,
    #[record(flatten)]
    place: Place<'a>,
}

/// Reads one record. `raw` has its bytes where a character was cut in two, or is none.
#[transform]
pub fn container<'a>(
    line: &'a str,
    raw: Option<&'a [u8]>,
    path: &'a str,
) -> Result<Vec<Message<'a>>, Reject> {
    // JSON is text: what was none in it stays replaced.
    let record = raw.filter(|_| !line.starts_with('{')).unwrap_or(line.as_bytes());
    let mut messages: Vec<Unfinished<'a>> = Vec::with_capacity(1);
    let mut open: [Option<usize>; Stream::COUNT] = [None; Stream::COUNT];
    for (number, line) in (1..).zip(record.split(|byte| *byte == b'\n')) {
        let line = Line::read(line).map_err(|reject| match record.contains(&b'\n') {
            true => Reject::new(format!("line {number} of the record: {}", reject.reason())),
            false => reject,
        })?;
        let Some(begun) = open.get_mut(line.stream as usize) else { continue };
        let index = *begun.get_or_insert(messages.len());
        match messages.get_mut(index) {
            Some(message) => message.text.to_mut().extend_from_slice(&line.text),
            None => messages.push(Unfinished { time: line.time, stream: line.stream, text: line.text }),
        }
        if line.part == Part::Last {
            *begun = None;
        }
    }
    let place = Place::of(path);
    Ok(messages.into_iter().map(|message| message.finish(place)).collect())
}

/// A message of which more parts may come.
struct Unfinished<'a> {
    time: Timestamp,
    stream: Stream,
    text: Cow<'a, [u8]>,
}

impl<'a> Unfinished<'a> {
    fn finish(self, place: Place<'a>) -> Message<'a> {
        let message = match self.text {
            Cow::Borrowed(text) => String::from_utf8_lossy(text),
            Cow::Owned(text) => Cow::Owned(into_text(text)),
        };
        Message { time: self.time, stream: self.stream.name(), message, place }
    }
}

fn into_text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests;
