//! Lines of a pipe.

use std::io::{self, BufRead, BufReader, Read};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use tokio::io::{AsyncBufRead, AsyncRead, ReadBuf};
use tokio::runtime::Handle;
use tracing::warn;

use super::framing::{Framing, Limit, next_frame};
use super::{Inlet, place};

/// Reads `pipe` to its end, on a thread of its own: a read cannot be called off.
pub(super) fn read(pipe: impl Read + Send + Unpin + 'static, inlet: Inlet) {
    let runtime = Handle::current();
    thread::spawn(move || {
        let path = place("stdin");
        let limit = Limit { bytes_max: inlet.line_bytes_max, long: None, stall_max: Duration::MAX };
        let mut input = OwnThread(BufReader::with_capacity(64 << 10, pipe));
        runtime.block_on(async {
            loop {
                match next_frame(&mut input, Framing::Lines, &limit).await {
                    Ok(Some(frame)) => {
                        if inlet.send(&path, frame.bytes, frame.left_out, None).await.is_err() {
                            return;
                        }
                        if let Some(error) = frame.broken {
                            return warn!(%error, "standard input cannot be read on");
                        }
                    }
                    Ok(None) => return,
                    Err(error) => return warn!(%error, "standard input cannot be read on"),
                }
            }
        });
    });
}

/// A reader that waits where it is asked: for a thread that has nothing else to do.
pub(super) struct OwnThread<R>(pub(super) R);

impl<R: BufRead + Unpin> AsyncRead for OwnThread<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = self.0.read(into.initialize_unfilled())?;
        into.advance(read);
        Poll::Ready(Ok(()))
    }
}

impl<R: BufRead + Unpin> AsyncBufRead for OwnThread<R> {
    fn poll_fill_buf(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        Poll::Ready(self.get_mut().0.fill_buf())
    }

    fn consume(mut self: Pin<&mut Self>, amount: usize) {
        self.0.consume(amount);
    }
}
