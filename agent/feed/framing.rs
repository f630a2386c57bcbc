//! A stream of bytes to messages. Over TCP a syslog message is counted (`LEN SP MSG`) or ends with a newline, and says
//! so by its first byte: RFC 6587, sections 3.4.1 and 3.4.2.

use std::io;

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

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

/// Up to so many bytes a message needs no room for long ones.
const SHORT_BYTES_MAX: usize = 16 << 10;

/// How much is kept of a message.
#[derive(Clone, Debug)]
pub(super) struct Limit {
    /// At most so many bytes.
    pub(super) bytes_max: usize,
    /// Where many read at one time: room that they share for what is longer than a short message. One waits until there is
    /// enough for the longest.
    pub(super) long: Option<Arc<Semaphore>>,
    /// How long a sender may stop in the middle of a message that takes such room.
    pub(super) stall_max: Duration,
}

/// A message, or its beginning, and how many bytes were left out behind that. It holds its share of the room for long ones
/// until it is dropped.
#[derive(Debug, Default)]
pub(super) struct Frame {
    pub(super) bytes: Vec<u8>,
    pub(super) left_out: u64,
    /// Why no more comes, if the stream broke within it.
    pub(super) broken: Option<io::Error>,
    pub(super) share: Option<OwnedSemaphorePermit>,
}

/// The next message, of which no more is kept than `limit` says; none at the end.
pub(super) async fn next_frame(
    input: &mut (impl AsyncBufRead + Unpin),
    framing: Framing,
    limit: &Limit,
) -> io::Result<Option<Frame>> {
    let mut frame = Frame::default();
    let first = input.fill_buf().await?.first().copied();
    let read = match (first, framing) {
        (None, _) => return Ok(None),
        (Some(b'1'..=b'9'), Framing::Syslog) => counted(input, &mut frame, limit).await,
        (Some(_), _) => line(input, &mut frame, limit).await,
    };
    match read {
        Err(error) if frame.bytes.is_empty() => return Err(error),
        Err(error) => {
            // How much of it did not come nobody knows.
            frame.left_out += 1;
            frame.broken = Some(error);
        }
        Ok(()) => {}
    }
    Ok(Some(frame))
}

/// What comes next of a message. One that holds room that others wait for must go on.
async fn fill<'a>(
    input: &'a mut (impl AsyncBufRead + Unpin),
    frame: &Frame,
    limit: &Limit,
) -> io::Result<&'a [u8]> {
    match frame.share {
        None => input.fill_buf().await,
        Some(_) => tokio::time::timeout(limit.stall_max, input.fill_buf()).await?,
    }
}

async fn line(input: &mut (impl AsyncBufRead + Unpin), frame: &mut Frame, limit: &Limit) -> io::Result<()> {
    loop {
        let buffer = fill(input, frame, limit).await?;
        let newline = memchr::memchr(b'\n', buffer);
        let piece = buffer.get(..newline.unwrap_or(buffer.len())).unwrap_or_default();
        frame.add(piece, limit).await;
        let used = piece.len() + usize::from(newline.is_some());
        input.consume(used);
        if newline.is_some() || used == 0 {
            if frame.bytes.ends_with(b"\r") && frame.left_out == 0 {
                frame.bytes.pop();
            }
            return Ok(());
        }
    }
}

async fn counted(
    input: &mut (impl AsyncBufRead + Unpin),
    frame: &mut Frame,
    limit: &Limit,
) -> io::Result<()> {
    let mut digits = Vec::new();
    loop {
        match input.read_u8().await? {
            b' ' => break,
            digit if digit.is_ascii_digit() && digits.len() < DIGITS_MAX => digits.push(digit),
            other => {
                // No length after all: the message begins with a digit and ends with a newline.
                digits.push(other);
                frame.add(&digits, limit).await;
                return if other == b'\n' { Ok(()) } else { line(input, frame, limit).await };
            }
        }
    }
    let mut rest: usize = String::from_utf8_lossy(&digits).parse().unwrap_or(0);
    while rest > 0 {
        let buffer = fill(input, frame, limit).await?;
        let piece = buffer.get(..rest.min(buffer.len())).unwrap_or_default();
        if piece.is_empty() {
            break;
        }
        let used = piece.len();
        frame.add(piece, limit).await;
        input.consume(used);
        rest -= used;
    }
    Ok(())
}

impl Frame {
    /// Adds what comes next, and waits for room where that makes it a long one.
    async fn add(&mut self, piece: &[u8], limit: &Limit) {
        let room = limit.bytes_max.saturating_sub(self.bytes.len());
        let kept = piece.get(..room.min(piece.len())).unwrap_or_default();
        let is_long = self.bytes.len() + kept.len() > SHORT_BYTES_MAX;
        if let Some(long) = limit.long.as_ref().filter(|_| is_long && self.share.is_none()) {
            let share = u32::try_from(limit.bytes_max).unwrap_or(u32::MAX);
            // Nobody closes it.
            self.share = Arc::clone(long).acquire_many_owned(share).await.ok();
        }
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
        let limit = Limit { bytes_max, long: None, stall_max: Duration::MAX };
        while let Some(frame) = next_frame(&mut input, framing, &limit).await.unwrap() {
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

    fn limit(room: usize) -> Limit {
        Limit {
            bytes_max: 100_000,
            long: Some(Arc::new(Semaphore::new(room))),
            stall_max: Duration::from_millis(50),
        }
    }

    /// Messages that were read at one time took as much as connections and the longest message allow.
    #[tokio::test]
    async fn regression_long_messages_wait_for_the_room_that_they_share() {
        let limit = limit(200_000);
        let long = format!("{}\nshort\n", "x".repeat(50_000));
        let mut inputs: Vec<&[u8]> = vec![long.as_bytes(); 3];
        let [one, two, three] = inputs.get_disjoint_mut([0, 1, 2]).unwrap();
        let first = next_frame(one, Framing::Lines, &limit).await.unwrap().unwrap();
        let second = next_frame(two, Framing::Lines, &limit).await.unwrap().unwrap();
        let third = next_frame(three, Framing::Lines, &limit);
        tokio::pin!(third);
        assert!(futures::poll!(&mut third).is_pending(), "there is no room for a third");
        let short = next_frame(one, Framing::Lines, &limit).await.unwrap().unwrap();
        assert_eq!((first.bytes.len(), second.bytes.len(), &*short.bytes), (50_000, 50_000, &b"short"[..]));
        drop(first);
        assert_eq!(third.await.unwrap().unwrap().bytes.len(), 50_000);
    }

    #[tokio::test]
    async fn a_sender_that_stops_in_a_long_message_is_let_go_and_what_came_of_it_is_torn() {
        let limit = limit(100_000);
        let (mut sender, receiver) = tokio::io::duplex(100_000);
        tokio::io::AsyncWriteExt::write_all(&mut sender, &[b'x'; 30_000]).await.unwrap();
        let mut receiver = tokio::io::BufReader::new(receiver);
        let torn = next_frame(&mut receiver, Framing::Syslog, &limit).await.unwrap().unwrap();
        assert_eq!((torn.bytes.len(), torn.left_out), (30_000, 1));
        assert_eq!(torn.broken.as_ref().unwrap().kind(), io::ErrorKind::TimedOut);
        drop(torn);
        assert_eq!(limit.long.unwrap().available_permits(), 100_000);
    }
}
