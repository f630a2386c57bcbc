//! The tail stage: files to Bronze.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tracing::{info, warn};

use super::feeds::Intake;
use super::meters::SourceMeters;
use super::scans::Scans;
use super::{Charged, EdgeError, Progress, Room, RunMode, sleep_until};
use crate::bronze::Bronze;
use crate::clock::{Clock, Timestamp};
use crate::config::Rhythm;
use crate::failpoint::{self, Failpoint};
use crate::feed::FeedLine;
use crate::pulse;
use crate::shutdown::{Phase, Shutdown};
use crate::tail::{Change, LineBatch, ReadOutcome, Tail, Watch};

/// That a feed was read on and nothing of it taken, or that a file is gone, is committed after this time.
const MARK_INTERVAL: Duration = Duration::from_secs(10);

/// While lines are committed it is told this often how far sources are.
const COUNT_INTERVAL: Duration = Duration::from_secs(1);

/// What the log entry of a commit takes, about, in bytes.
const ENTRY_BYTES: u64 = 2_048;

/// What the tail stage works on.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) tail: Tail,
    pub(super) feeds: Intake,
    pub(super) bronze: Bronze,
    pub(super) rhythm: Rhythm,
    pub(super) batch_bytes_max: u64,
    /// How far the pipelines are, which will make Silver of what is committed.
    pub(super) pipelines: Vec<Arc<Progress>>,
    pub(super) rescan_interval: Duration,
    pub(super) mode: RunMode,
    pub(super) is_held: bool,
    pub(super) room: watch::Receiver<Room>,
    pub(super) charged: Charged,
    pub(super) meters: SourceMeters,
    /// When it was last told how far sources are.
    pub(super) counted: Instant,
    pub(super) clock: Arc<dyn Clock>,
}

/// What is read and not committed.
struct Open {
    batch: LineBatch,
    /// When the first of its rows must be committed.
    due: Option<Instant>,
}

impl Stage {
    /// Reads until intake ends; what was read is committed before it returns.
    pub(super) async fn run(mut self, mut shutdown: Shutdown) -> Result<(), EdgeError> {
        let mut watch = Watch::new();
        let mut open = self.empty();
        let mut scans = Scans::new(self.rescan_interval);
        while shutdown.phase() == Phase::Running {
            pulse::beat();
            if let Some(change) = watch.heard() {
                self.hear(change, &watch, &mut scans);
            }
            if scans.is_due() {
                let began = Instant::now();
                tokio::task::block_in_place(|| self.scan(&mut watch));
                scans.made(began.elapsed(), watch.rescan_after());
            }
            let charged_max = self.room.borrow_and_update().charged_max;
            if self.charged.load(Ordering::Acquire) >= charged_max {
                // Files are followed also while they are not read: what is deleted stays open, and losses are counted.
                tokio::select! {
                    _ = pulse::resting(self.room.changed()) => self.tell_whether_held(),
                    () = sleep_until(Some(scans.at())) => {}
                    change = watch.changed() => self.hear(change, &watch, &mut scans),
                    () = shutdown.draining() => break,
                }
                continue;
            }
            let now = self.clock.now();
            self.feeds.take_waiting(&mut open.batch, &mut self.bronze, now);
            let outcome = tokio::task::block_in_place(|| {
                failpoint::reached(Failpoint::Read);
                self.tail.read(&mut open.batch, now)
            });
            self.set_due(&mut open);
            match outcome {
                ReadOutcome::Full | ReadOutcome::DayOver => self.flush(&mut open).await?,
                ReadOutcome::Rescan => scans.want_now(),
                ReadOutcome::More => {}
                ReadOutcome::Drained(due) => {
                    if self.mode == RunMode::Once && due.is_none() && self.feeds.is_over() {
                        break;
                    }
                    let due = due.map(|due| self.instant(due));
                    let wake = [open.due, due, Some(scans.at())].into_iter().flatten().min();
                    tokio::select! {
                        () = pulse::resting(sleep_until(wake)) => {}
                        change = watch.changed() => self.hear(change, &watch, &mut scans),
                        line = self.feeds.next(), if !self.feeds.is_over() => self.take(line, &mut open).await?,
                        () = shutdown.draining() => break,
                    }
                }
            }
            if open.due.is_some_and(|due| due <= Instant::now()) {
                self.flush(&mut open).await?;
            }
        }
        // What waits may take many batches.
        self.feeds.close();
        while let Some(line) = self.feeds.next().await {
            self.take(Some(line), &mut open).await?;
            if open.batch.is_full() {
                self.flush(&mut open).await?;
            }
        }
        self.flush(&mut open).await?;
        let counters = self.tail.counters();
        info!(lines = counters.lines, bytes = counters.bytes, "reading ended");
        Ok(())
    }

    /// Takes a line of a feed that ended the wait, if it was one that did.
    async fn take(&mut self, line: Option<FeedLine>, open: &mut Open) -> Result<(), EdgeError> {
        let Some(line) = line else { return Ok(()) };
        let now = self.clock.now();
        if open.batch.day().is_some_and(|day| day != now.day()) {
            self.flush(open).await?;
        }
        self.feeds.take(&line, &mut open.batch, &mut self.bronze, now);
        self.set_due(open);
        Ok(())
    }

    /// Sees to it that what is in the batch is committed in time; what else is to be told may wait.
    fn set_due(&self, open: &mut Open) {
        let wait = if open.batch.rows() > 0 { self.rhythm.interval } else { MARK_INTERVAL };
        let has_news = open.batch.rows() > 0 || self.bronze.has_fed() || self.tail.has_departed();
        if has_news {
            let due = Instant::now() + wait;
            open.due = Some(open.due.map_or(due, |earlier| earlier.min(due)));
        }
    }

    fn empty(&self) -> Open {
        let bytes_max = usize::try_from(self.batch_bytes_max).unwrap_or(usize::MAX);
        Open { batch: LineBatch::new(bytes_max), due: None }
    }

    /// Looks at the files that were written to. Whatever else has changed, a scan sees.
    fn hear(&mut self, change: Change, watch: &Watch, scans: &mut Scans) {
        let (written, now) = (watch.written(), self.clock.now());
        let is_seen =
            tokio::task::block_in_place(|| self.tail.look(written.iter().map(PathBuf::as_path), now));
        if change == Change::Names || !is_seen {
            scans.want(change);
        }
    }

    fn scan(&mut self, watch: &mut Watch) {
        self.tail.scan(self.clock.now());
        watch.follow(self.tail.folders());
        self.count();
    }

    /// Tells how far sources are. A look at all files: not done for each batch.
    fn count(&mut self) {
        self.counted = Instant::now();
        self.meters.stand(self.tail.standings(), self.tail.counters());
        for (source, bytes) in self.feeds.handed_over() {
            self.meters.fed(source, bytes);
        }
    }

    /// Commits what is open, and charges what it will cost on disk until it has expired: in Bronze and, about as much, in
    /// the Silver of each pipeline.
    async fn flush(&mut self, open: &mut Open) -> Result<(), EdgeError> {
        let Open { batch, .. } = std::mem::replace(open, self.empty());
        let now = self.clock.now();
        let bytes = match batch.ingested() {
            None => self.bronze.commit(None, &mut self.tail, now).await?,
            Some((first, _)) => {
                let lines = batch.finish()?;
                let bytes = self.bronze.commit(Some((&lines, first)), &mut self.tail, now).await?;
                self.meters.committed(&lines.runs, bytes);
                bytes
            }
        };
        for pipeline in &self.pipelines {
            pipeline.owed.fetch_add(bytes, Ordering::AcqRel);
        }
        if self.counted.elapsed() >= COUNT_INTERVAL {
            self.count();
        }
        let copies = 1 + self.pipelines.len() as u64;
        self.charged.fetch_add(copies * (bytes + ENTRY_BYTES), Ordering::AcqRel);
        Ok(())
    }

    /// Says once that the budget is full, and once that it no longer is.
    fn tell_whether_held(&mut self) {
        let is_held = self.room.borrow().is_full;
        if is_held != self.is_held {
            self.is_held = is_held;
            self.meters.held(is_held);
            match is_held {
                true => warn!("the disk budget is full; reading waits until room is made"),
                false => info!("room was made; reading goes on"),
            }
        }
    }

    fn instant(&self, at: Timestamp) -> Instant {
        let wait = at.micros().saturating_sub(self.clock.now().micros()).max(0);
        Instant::now() + Duration::from_micros(wait.unsigned_abs())
    }
}
