//! Hearing of changes early. Events only say when to look: a missed one costs time until the next rescan, never a line.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use notify::event::{AccessKind, AccessMode, ModifyKind};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;

/// Rescans while events come: they heal what was missed.
const RESCAN: Duration = Duration::from_secs(10);
/// Paths that were written to, of which more are not told apart.
const WRITTEN_MAX: usize = 10_000;
/// Rescans while none come.
const POLL: Duration = Duration::from_secs(1);

/// What has happened since the last time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// Something was written to files: [`Tail::look`](super::Tail::look) at those that [`Watch::written`] names.
    Written,
    /// Files were made, renamed or removed, or events were lost: scan.
    Names,
}

/// How changes are noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WatchMode {
    /// By events, and by a rescan now and then.
    Events,
    /// Events are not to be had for all folders: only rescans notice.
    Polling,
}

/// Watches folders, not what lies below them. Any number of events becomes one [`Change`].
#[derive(Debug)]
pub struct Watch {
    watcher: Option<RecommendedWatcher>,
    /// The folders watched, with device and inode: one that is removed and made again wants a new watch.
    followed: BTreeMap<PathBuf, (u64, u64)>,
    /// Folders that cannot be watched.
    refused: BTreeSet<PathBuf>,
    signal: Arc<Signal>,
}

#[derive(Debug, Default)]
struct Signal {
    /// 0: nothing, 1: [`Change::Written`], 2: [`Change::Names`].
    change: AtomicU8,
    written: Mutex<HashSet<PathBuf>>,
    wake: Notify,
}

impl Signal {
    /// Keeps the paths that were written to; where there are too many, a scan sees them all.
    fn hear(&self, event: notify::Result<Event>) {
        let Some(mut change) = meaning(&event) else { return };
        if let (Change::Written, Ok(event)) = (change, event) {
            let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
            written.extend(event.paths);
            if written.len() > WRITTEN_MAX {
                written.clear();
                change = Change::Names;
            }
        }
        self.raise(change);
    }

    fn raise(&self, change: Change) {
        self.change.fetch_max(change as u8 + 1, Ordering::AcqRel);
        self.wake.notify_one();
    }
}

impl Watch {
    /// A watch over no folder yet. If the system offers no events, it says so once and polls.
    pub fn new() -> Self {
        let signal = Arc::new(Signal::default());
        let heard = Arc::clone(&signal);
        let watcher = notify::recommended_watcher(move |event| heard.hear(event));
        let watcher = watcher
            .inspect_err(
                |error| tracing::warn!(%error, "file events are not available; looking every second"),
            )
            .ok();
        Self { watcher, followed: BTreeMap::new(), refused: BTreeSet::new(), signal }
    }

    /// Watches these folders and no others. After a folder was added a scan is due, which is signalled: something may
    /// have happened in it before. To be called after every scan.
    pub fn follow(&mut self, folders: &BTreeSet<PathBuf>) {
        let Some(watcher) = &mut self.watcher else { return };
        for folder in self.followed.keys().filter(|folder| !folders.contains(*folder)) {
            // It may be gone, and its watch with it.
            let _ = watcher.unwatch(folder);
        }
        self.followed.retain(|folder, _| folders.contains(folder));
        self.refused.retain(|folder| folders.contains(folder));
        for folder in folders {
            let Ok(metadata) = std::fs::metadata(folder) else { continue };
            let id = (metadata.dev(), metadata.ino());
            if !metadata.is_dir() || self.followed.get(folder) == Some(&id) {
                continue;
            }
            match watcher.watch(folder, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    self.refused.remove(folder);
                    self.followed.insert(folder.clone(), id);
                    self.signal.raise(Change::Names);
                }
                Err(error) => refuse(&mut self.refused, folder, &error),
            }
        }
    }

    /// What has changed since the last time, if anything.
    pub fn heard(&self) -> Option<Change> {
        match self.signal.change.swap(0, Ordering::AcqRel) {
            0 => None,
            1 => Some(Change::Written),
            _ => Some(Change::Names),
        }
    }

    /// The files that were written to since the last time.
    pub fn written(&self) -> HashSet<PathBuf> {
        std::mem::take(&mut *self.signal.written.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits for a change. Nothing is lost if the future is dropped.
    pub async fn changed(&self) -> Change {
        loop {
            match self.heard() {
                Some(change) => return change,
                None => self.signal.wake.notified().await,
            }
        }
    }

    /// How changes are noticed.
    pub fn mode(&self) -> WatchMode {
        if self.watcher.is_some() && self.refused.is_empty() { WatchMode::Events } else { WatchMode::Polling }
    }

    /// How long to wait for a change before scanning without one.
    pub fn rescan_after(&self) -> Duration {
        match self.mode() {
            WatchMode::Events => RESCAN,
            WatchMode::Polling => POLL,
        }
    }
}

impl Default for Watch {
    fn default() -> Self {
        Self::new()
    }
}

fn refuse(refused: &mut BTreeSet<PathBuf>, folder: &Path, error: &notify::Error) {
    if refused.is_empty() {
        tracing::warn!(folder = %folder.display(), %error, "folder cannot be watched; looking every second");
    }
    refused.insert(folder.to_owned());
}

/// What an event means for a tail; nothing if files were only read.
fn meaning(event: &notify::Result<Event>) -> Option<Change> {
    let Ok(event) = event else { return Some(Change::Names) };
    match event.kind {
        _ if event.need_rescan() => Some(Change::Names),
        EventKind::Access(AccessKind::Close(AccessMode::Write)) | EventKind::Modify(ModifyKind::Data(_)) => {
            Some(Change::Written)
        }
        EventKind::Access(_) => None,
        _ => Some(Change::Names),
    }
}
