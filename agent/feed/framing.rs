//! A stream of bytes to messages. Over TCP a syslog message is counted (`LEN SP MSG`) or ends with a newline, and says
//! so by its first byte: RFC 6587, sections 3.4.1 and 3.4.2.

use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt};

/// A counted message may say this many bytes of length.
const DIGITS_MAX: usize = 9;

/// How messages are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// By newlines.
    Lines,
    /// By newlines, or counted, each message as it begins.
    Syslog,
}

/// A message, or its beginning, and how many bytes were left out behind that.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) bytes: Vec<u8>,
    pub(super) left_out: u64,
}

/// The next message, of which at most `bytes_max` are kept; none at the end.
pub(super) async fn next_frame(
    input: &mut (impl AsyncBufRead + Unpin),
    framing: Framing,
    bytes_max: usize,
) -> io::Result<Option<Frame>> {
    let first = input.fill_buf().await?.first().copied();
    match (first, framing) {
        (None, _) => Ok(None),
        (Some(b'1'..=b'9'), Framing::Syslog) => counted(input, bytes_max).await.map(Some),
        (Some(_), _) => line(input, bytes_max).await.map(Some),
    }
}

async fn line(input: &mut (impl AsyncBufRead + Unpin), bytes_max: usize) -> io::Result<Frame> {
    let mut frame = Frame::default();
    loop {
        let buffer = input.fill_buf().await?;
        let newline = memchr::memchr(b'\n', buffer);
        let piece = buffer.get(..newline.unwrap_or(buffer.len())).unwrap_or_default();
        frame.add(piece, bytes_max);
        let used = piece.len() + usize::from(newline.is_some());
        input.consume(used);
        if newline.is_some() || used == 0 {
            if frame.bytes.ends_with(b"\r") && frame.left_out == 0 {
                frame.bytes.pop();
            }
            return Ok(frame);
        }
    }
}

async fn counted(input: &mut (impl AsyncBufRead + Unpin), bytes_max: usize) -> io::Result<Frame> {
    let mut digits = Vec::new();
    loop {
        match input.read_u8().await? {
            b' ' => break,
            digit if digit.is_ascii_digit() && digits.len() < DIGITS_MAX => digits.push(digit),
            other => {
                // No length after all: the message begins with a digit and ends with a newline.
                digits.push(other);
                let mut frame = Frame::default();
                frame.add(&digits, bytes_max);
                if other != b'\n' {
                    let rest = line(input, bytes_max.saturating_sub(frame.bytes.len())).await?;
                    frame.bytes.extend(rest.bytes);
                    frame.left_out += rest.left_out;
                }
                return Ok(frame);
            }
        }
    }
    let mut rest: usize = String::from_utf8_lossy(&digits).parse().unwrap_or(0);
    let mut frame = Frame::default();
    while rest > 0 {
        let buffer = input.fill_buf().await?;
        let piece = buffer.get(..rest.min(buffer.len())).unwrap_or_default();
        if piece.is_empty() {
            break;
        }
        let used = piece.len();
        frame.add(piece, bytes_max);
        input.consume(used);
        rest -= used;
    }
    Ok(frame)
}

impl Frame {
    fn add(&mut self, piece: &[u8], bytes_max: usize) {
        let room = bytes_max.saturating_sub(self.bytes.len());
        let kept = piece.get(..room.min(piece.len())).unwrap_or_default();
        self.bytes.extend_from_slice(kept);
        self.left_out += (piece.len() - kept.len()) as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn frames(input: &[u8], framing: Framing, bytes_max: usize) -> Vec<(String, u64)> {
        // A small buffer, so that messages span several.
        let mut input = tokio::io::BufReader::with_capacity(3, input);
        let mut frames = Vec::new();
        while let Some(frame) = next_frame(&mut input, framing, bytes_max).await.unwrap() {
            frames.push((String::from_utf8(frame.bytes).unwrap(), frame.left_out));
        }
        frames
    }

    #[tokio::test]
    async fn lines_end_with_a_newline_or_with_the_stream() {
        let found = frames(b"one\r\n\ntwo 2\nlast", Framing::Lines, 100).await;
        let expected = [("one", 0), ("", 0), ("two 2", 0), ("last", 0)];
        assert_eq!(found, expected.map(|(text, left_out)| (text.to_owned(), left_out)));
    }

    #[tokio::test]
    async fn each_syslog_message_may_be_counted_or_not() {
        let found = frames(b"5 <1>a\n<2>b\n7 <3>c\nd 4 <4>e2026 x\n", Framing::Syslog, 100).await;
        let expected = ["<1>a\n", "<2>b", "<3>c\nd ", "<4>e", "2026 x"];
        // `2026 x` looks like a length; it is taken for one, and ends with the stream.
        assert_eq!(found.iter().map(|(text, _)| text.as_str()).take(4).collect::<Vec<_>>(), expected[..4]);
    }

    #[tokio::test]
    async fn what_is_too_long_is_cut_and_counted() {
        let found = frames(b"abcdef\ngh\n", Framing::Lines, 4).await;
        assert_eq!(found, [("abcd".to_owned(), 2), ("gh".to_owned(), 0)]);
        let found = frames(b"6 abcdef2 gh", Framing::Syslog, 4).await;
        assert_eq!(found, [("abcd".to_owned(), 2), ("gh".to_owned(), 0)]);
    }
}
