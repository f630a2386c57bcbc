//! Feeds at the tail stage: what they hand over goes into the same batches as the lines of files.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::bronze::Bronze;
use crate::clock::Timestamp;
use crate::feed::{Feed, FeedError, FeedLine, Feeds, Follow};
use crate::tail::{FileKey, LineBatch, Origin, Tail};

/// Feeds at work, and what their lines are called in Bronze.
#[derive(Debug)]
pub(super) struct Intake {
    feeds: Feeds,
    sessions: Vec<Session>,
}

/// One feed from the start of the agent on: its lines have one number, and the offsets that they would have in a file.
#[derive(Debug)]
struct Session {
    source: Arc<str>,
    key: FileKey,
    offset: u64,
}

impl Intake {
    /// Opens feeds; `cursors` says where those stand that were read before.
    pub(super) async fn open(
        feeds: &[Feed],
        cursors: &BTreeMap<String, String>,
        follow: Follow,
        tail: &mut Tail,
    ) -> Result<Self, FeedError> {
        let session =
            |feed: &Feed| Session { source: feed.name.as_str().into(), key: tail.issue_key(), offset: 0 };
        let sessions = feeds.iter().map(session).collect();
        Ok(Self { feeds: Feeds::open(feeds, cursors, follow).await?, sessions })
    }

    /// Takes what waits, until the batch is full or of another day.
    pub(super) fn take_waiting(&mut self, batch: &mut LineBatch, bronze: &mut Bronze, now: Timestamp) {
        while !batch.is_full() && batch.day().is_none_or(|day| day == now.day()) {
            let Some(line) = self.feeds.waiting() else { return };
            self.take(&line, batch, bronze, now);
        }
    }

    /// Adds one line to the batch, which is not full and of this day.
    pub(super) fn take(
        &mut self,
        line: &FeedLine,
        batch: &mut LineBatch,
        bronze: &mut Bronze,
        now: Timestamp,
    ) {
        let Some(session) = self.sessions.get_mut(line.feed) else { return };
        if !line.is_mark() {
            let origin = Origin {
                file: session.key,
                path: Arc::clone(&line.path),
                source: Arc::clone(&session.source),
                ingested_at: now,
            };
            batch.push(&origin, session.offset, &line.bytes, line.left_out);
            session.offset += line.bytes.len() as u64 + line.left_out + 1;
        }
        if let Some(cursor) = &line.cursor {
            bronze.reach(&session.source, cursor.clone());
        }
    }

    /// The next line, whenever it comes; none once no more can come. Nothing is lost if the wait is called off.
    pub(super) async fn next(&mut self) -> Option<FeedLine> {
        self.feeds.next().await
    }

    /// Each source, and the bytes of the lines that it has handed over since the start.
    pub(super) fn handed_over(&self) -> impl Iterator<Item = (&Arc<str>, u64)> {
        self.sessions.iter().map(|session| (&session.source, session.offset))
    }

    /// Takes in no more than what has arrived: that can still be taken, and then it is over.
    pub(super) fn close(&mut self) {
        self.feeds.close();
    }

    /// Whether no more can come.
    pub(super) fn is_over(&self) -> bool {
        self.feeds.is_over()
    }
}
