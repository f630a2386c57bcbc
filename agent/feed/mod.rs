//! Sources that are no files: lines that come through a pipe, over a connection, or out of the journal.
//!
//! What arrives waits in a queue of bounded size until the tail stage takes it into its batch. A pipe and a connection
//! then wait in turn, each with no more than a small part of a line at hand, or, few at one time, a long one; a datagram that finds no room in the kernel's buffer is lost, as everywhere. A line counts from
//! the commit of its batch on: what a pipe or a connection had handed over and no commit holds yet is lost with the
//! process; so is what the agent had told of itself. The journal is read again from the cursor that stands in the last commit, so that nothing of it is lost or
//! doubled.

mod closing;
mod framing;
mod journal;
mod own;
mod pipe;
mod syslog;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::task::JoinSet;

use closing::Closing;
pub use journal::{Journal, Priority};
pub use own::Own;
pub use syslog::Listen;

/// Bytes that may wait to be taken, of all feeds together.
const WAITING_BYTES_MAX: usize = 4 << 20;
/// Lines that may wait to be taken.
const WAITING_LINES_MAX: usize = 16_384;
/// Bytes that connections may hold of long lines which are not complete, all together; one of the longest always finds room.
const LONG_BYTES_MAX: usize = 8 << 20;

/// A source that is no file.
#[derive(Clone, Debug)]
pub struct Feed {
    /// The name in the config and in the `source` column.
    pub name: String,
    /// Where lines come from.
    pub kind: FeedKind,
    /// Longer lines are cut to this many bytes.
    pub line_bytes_max: usize,
}

/// Where the lines of a feed come from.
#[derive(Clone, Debug)]
pub enum FeedKind {
    /// The agent's standard input, up to its end.
    Stdin,
    /// Syslog messages, over all of these.
    Syslog(Vec<Listen>),
    /// The entries of the system's journal, each as a line of JSON.
    Journal(Journal),
    /// What the agent tells of itself, each message as a line of JSON.
    Own(Own),
}

/// How long feeds are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follow {
    /// Until the agent stops.
    On,
    /// What is there now; connections are not awaited.
    UpToNow,
}

/// Why a feed cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// An address cannot be listened on.
    #[error("source `{source_name}`: cannot listen on {address}: {source}")]
    Listen {
        /// The source.
        source_name: String,
        /// The address, as it is configured.
        address: String,
        /// The system's words.
        source: std::io::Error,
    },
    /// The journal's reader cannot be started.
    #[error("source `{source_name}`: cannot run journalctl, which reads the journal: {source}")]
    Journal {
        /// The source.
        source_name: String,
        /// The system's words.
        source: std::io::Error,
    },
}

/// A line on its way from a feed to a batch. It holds its share of the queue until it is dropped.
#[derive(Debug)]
pub struct FeedLine {
    /// Which of the feeds.
    pub feed: usize,
    /// Where it came from, as the `path` column says it.
    pub path: Arc<Path>,
    /// The line, or its beginning.
    pub bytes: Vec<u8>,
    /// Bytes that were left out behind it.
    pub left_out: u64,
    /// What is reached with it, where the feed can be read again from there. Such a mark may come without a line.
    pub cursor: Option<String>,
    _share: OwnedSemaphorePermit,
}

impl FeedLine {
    /// Whether there is no line, only a mark.
    pub fn is_mark(&self) -> bool {
        self.cursor.is_some() && self.bytes.is_empty()
    }
}

/// Feeds at work, until this is dropped.
#[derive(Debug)]
pub struct Feeds {
    lines: mpsc::Receiver<FeedLine>,
    is_over: bool,
    is_closing: watch::Sender<bool>,
    /// What listens, until it is closed.
    listeners: JoinSet<()>,
    _journals: Vec<journal::Reader>,
}

impl Feeds {
    /// Opens all feeds. `cursors` says by source where those stand that were read before.
    ///
    /// # Errors
    /// See [`FeedError`].
    pub async fn open(
        feeds: &[Feed],
        cursors: &BTreeMap<String, String>,
        follow: Follow,
    ) -> Result<Self, FeedError> {
        let (sender, lines) = mpsc::channel(WAITING_LINES_MAX);
        let room = Arc::new(Semaphore::new(WAITING_BYTES_MAX));
        let longest = feeds.iter().map(|feed| feed.line_bytes_max).max().unwrap_or_default();
        let long = Arc::new(Semaphore::new(longest.max(LONG_BYTES_MAX)));
        let (mut journals, mut listeners) = (Vec::new(), JoinSet::new());
        let (is_closing, closing) = watch::channel(false);
        for (index, feed) in feeds.iter().enumerate() {
            let inlet = Inlet {
                feed: index,
                line_bytes_max: feed.line_bytes_max,
                sender: sender.clone(),
                room: Arc::clone(&room),
                long: Arc::clone(&long),
            };
            match &feed.kind {
                FeedKind::Stdin => pipe::read(std::io::stdin(), inlet),
                FeedKind::Own(_) if follow == Follow::UpToNow => {}
                FeedKind::Own(own) => own::read(own, inlet),
                FeedKind::Syslog(_) if follow == Follow::UpToNow => {}
                FeedKind::Syslog(listens) => {
                    for listen in listens {
                        let closing = Closing::of(closing.clone());
                        let listening = syslog::listen(listen, inlet.clone(), closing, &mut listeners);
                        listening.await.map_err(|source| FeedError::Listen {
                            source_name: feed.name.clone(),
                            address: listen.to_string(),
                            source,
                        })?;
                    }
                }
                FeedKind::Journal(journal) => {
                    let cursor = cursors.get(&feed.name).cloned();
                    let reader = journal::read(journal, cursor, follow, inlet)
                        .map_err(|source| FeedError::Journal { source_name: feed.name.clone(), source })?;
                    journals.push(reader);
                }
            }
        }
        Ok(Self { lines, is_over: false, is_closing, listeners, _journals: journals })
    }

    /// The next line that waits.
    pub fn waiting(&mut self) -> Option<FeedLine> {
        match self.lines.try_recv() {
            Ok(line) => Some(line),
            Err(mpsc::error::TryRecvError::Empty) => None,
            Err(mpsc::error::TryRecvError::Disconnected) => {
                self.is_over = true;
                None
            }
        }
    }

    /// The next line, whenever it comes; none once no more can come. Nothing is lost if the wait is called off.
    pub async fn next(&mut self) -> Option<FeedLine> {
        loop {
            let is_closing = *self.is_closing.borrow() && !self.lines.is_closed();
            tokio::select! {
                line = self.lines.recv() => {
                    self.is_over = line.is_none();
                    return line;
                }
                ended = self.listeners.join_next(), if is_closing => {
                    if ended.is_none() {
                        self.lines.close();
                    }
                }
            }
        }
    }

    /// Takes in no more than what has arrived: that can still be taken, and then it is over.
    pub fn close(&mut self) {
        self.is_closing.send_replace(true);
    }

    /// Whether no more can come.
    pub fn is_over(&self) -> bool {
        self.is_over
    }
}

/// The way into the queue for one feed.
#[derive(Clone, Debug)]
struct Inlet {
    feed: usize,
    line_bytes_max: usize,
    sender: mpsc::Sender<FeedLine>,
    room: Arc<Semaphore>,
    /// Room for long lines that are not complete.
    long: Arc<Semaphore>,
}

/// Nobody takes lines any more: the agent stops.
#[derive(Debug)]
struct Closed;

impl Inlet {
    /// Hands a line over, waiting for room.
    async fn send(
        &self,
        path: &Arc<Path>,
        mut bytes: Vec<u8>,
        left_out: u64,
        cursor: Option<String>,
    ) -> Result<(), Closed> {
        let kept = bytes.len().min(self.line_bytes_max);
        let left_out = left_out + (bytes.len() - kept) as u64;
        bytes.truncate(kept);
        let share = u32::try_from(kept.clamp(1, WAITING_BYTES_MAX)).unwrap_or(u32::MAX);
        let share = Arc::clone(&self.room).acquire_many_owned(share).await.map_err(|_| Closed)?;
        let line =
            FeedLine { feed: self.feed, path: Arc::clone(path), bytes, left_out, cursor, _share: share };
        self.sender.send(line).await.map_err(|_| Closed)
    }
}

/// The place of a feed that has none in the file system.
fn place(name: &str) -> Arc<Path> {
    Path::new(name).into()
}
