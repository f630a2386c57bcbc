//! What was found out about compressed files by walking through their whole text, so that it is not done again and again.
//!
//! One that is being made grows from scan to scan and is not whole until it is. It is walked through again when it has
//! doubled, or has rested for a while, which gets longer each time that it went on after all: so that what is
//! decompressed in vain stays within a few times what the file holds in the end.

use std::collections::HashMap;
use std::time::Duration;

use super::identity::{FileId, Stat};
use super::later;
use super::missed::AWAITED;
use crate::clock::Timestamp;

/// How long a file must have rested for the first time.
const REST: Duration = Duration::from_secs(2);

#[derive(Debug)]
struct Walk {
    /// The scan that asked for it last.
    scan: u64,
    size: u64,
    modified: i64,
    /// Since when it has had this size.
    since: Timestamp,
    /// Its size when it was last walked through and was not whole.
    walked: u64,
    rest: Duration,
    /// It was found to be a copy.
    is_copy: bool,
}

/// Compressed files that a scan has looked at, and none has settled.
#[derive(Debug, Default)]
pub(super) struct Walks {
    files: HashMap<FileId, Walk>,
}

impl Walks {
    /// Whether to walk through a file now; if not, it is still in the making.
    pub(super) fn is_due(&mut self, stat: &Stat, now: Timestamp, scan: u64) -> bool {
        let walk = self.files.entry(stat.id).or_insert_with(|| Walk {
            scan,
            size: stat.size,
            modified: stat.modified,
            since: now,
            walked: 0,
            rest: REST,
            is_copy: false,
        });
        if walk.size != stat.size || walk.since > now {
            walk.since = now;
        }
        (walk.scan, walk.size, walk.modified) = (scan, stat.size, stat.modified);
        let has_rested = walk.size != walk.walked && now >= later(walk.since, walk.rest);
        let is_over = now >= later(Timestamp::from_micros(stat.modified / 1000), AWAITED);
        let is_due = is_over || has_rested || walk.walked == 0 || stat.size / 2 >= walk.walked;
        if has_rested {
            walk.rest = (walk.rest * 2).min(AWAITED);
        }
        if is_due {
            walk.walked = 0;
        }
        is_due
    }

    /// Notes that a file was walked through and is not whole yet.
    pub(super) fn note_in_the_making(&mut self, stat: &Stat) {
        if let Some(walk) = self.files.get_mut(&stat.id) {
            walk.walked = stat.size;
        }
    }

    /// Notes that a file was walked through and is a copy of another.
    pub(super) fn note_copy(&mut self, stat: &Stat) {
        if let Some(walk) = self.files.get_mut(&stat.id) {
            walk.is_copy = true;
        }
    }

    /// Whether a file was found to be a copy, and has not changed since.
    pub(super) fn is_copy(&mut self, stat: &Stat, scan: u64) -> bool {
        let Some(walk) = self.files.get_mut(&stat.id) else { return false };
        walk.scan = scan;
        walk.is_copy &= walk.size == stat.size && walk.modified == stat.modified;
        walk.is_copy
    }

    /// Forgets the files that this scan has not asked for.
    pub(super) fn forget_others(&mut self, scan: u64) {
        self.files.retain(|_, walk| walk.scan == scan);
    }

    /// When a file in the making will have rested.
    pub(super) fn due(&self) -> Option<Timestamp> {
        let resting = self.files.values().filter(|walk| walk.walked > 0 && walk.walked != walk.size);
        resting.map(|walk| later(walk.since, walk.rest)).min()
    }
}
