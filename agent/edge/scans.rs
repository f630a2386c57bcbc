//! When to scan: soon after a change, now and then without one, and never so often that looking costs much.
//!
//! A scan looks at every known file, a few microseconds each. With 100,000 of them it takes a third of a second: then
//! scans are spaced by what the last one took, so that they stay below a share of a core.

use std::time::Duration;

use tokio::time::Instant;

use crate::tail::Change;

/// A write to a file that is not known, or not what it was, waits this long for a scan.
const WRITTEN_DELAY: Duration = Duration::from_millis(250);

/// Between scans lie so many times what the last one took, and at most so long: the first scan, which reads files, takes
/// longest.
struct Spacing {
    times: u32,
    max: Duration,
}

/// Without a change: half a percent of a core.
const UNCHANGED: Spacing = Spacing { times: 200, max: Duration::from_secs(60) };
/// Where such files were written to: a twentieth of a core.
const WRITTEN: Spacing = Spacing { times: 20, max: Duration::from_secs(5) };
/// Where names have changed, a rotation may be under way, and files that were not seen may soon be gone: half a core.
const NAMES: Spacing = Spacing { times: 1, max: Duration::from_secs(1) };

impl Spacing {
    fn after(&self, took: Duration) -> Duration {
        (took * self.times).min(self.max)
    }
}

/// When the next scan is due.
#[derive(Debug)]
pub(super) struct Scans {
    interval: Duration,
    next: Instant,
    last_end: Instant,
    last_took: Duration,
}

impl Scans {
    /// The first is due at once; without changes they are at most `interval` apart, unless they take long.
    pub(super) fn new(interval: Duration) -> Self {
        let now = Instant::now();
        Self { interval, next: now, last_end: now, last_took: Duration::ZERO }
    }

    /// When the next one is due.
    pub(super) fn at(&self) -> Instant {
        self.next
    }

    /// Whether one is due.
    pub(super) fn is_due(&self) -> bool {
        self.next <= Instant::now()
    }

    /// Notes that one was made, and took so long; `heal_after` is when to look again if nothing is heard.
    pub(super) fn made(&mut self, took: Duration, heal_after: Duration) {
        self.last_end = Instant::now();
        self.last_took = took;
        self.next = self.last_end + self.interval.min(heal_after).max(UNCHANGED.after(took));
    }

    /// Has one made for a change.
    pub(super) fn want(&mut self, change: Change) {
        let (delay, spacing) = match change {
            Change::Names => (Duration::ZERO, NAMES),
            Change::Written => (WRITTEN_DELAY, WRITTEN),
        };
        let at = (Instant::now() + delay).max(self.last_end + spacing.after(self.last_took));
        self.next = self.next.min(at);
    }

    /// Has one made at once: a file is not what it was.
    pub(super) fn want_now(&mut self) {
        self.next = Instant::now();
    }
}
