//! Deciding which file is which: whether a known one still is itself, and what a stranger is.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::end::Cause;
use super::gunzip::Text;
use super::identity::{FileId, Fingerprint};
use super::known::{Known, Place};
use super::positions::FileKey;
use super::read::end_of_lines;
use super::rotation::{HOLD, STRONG_BYTES, equal_so_far, origins};
use super::scan::{Scan, Stranger};
use super::source::StartAt;
use super::{Tail, later, rank};
use crate::clock::Timestamp;

/// A stranger that equals the beginning of a file that stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    pub(super) original: FileKey,
    size: u64,
    /// Since when it has had this size.
    since: Timestamp,
    /// The scan that saw it last.
    pub(super) scan: u64,
}

impl Held {
    /// Brings a time that lies in the future down to `now`.
    pub(super) fn set_back(&mut self, now: Timestamp) {
        self.since = self.since.min(now);
    }

    /// When it is no longer held, if it stays as it is.
    pub(super) fn due(&self) -> Option<Timestamp> {
        (self.size < STRONG_BYTES).then(|| later(self.since, HOLD))
    }
}

/// Whether a file still holds what was read of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It does.
    Intact,
    /// It does not.
    Changed,
    /// It cannot be looked at now.
    Unknown,
}

/// Where a new file is read from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Begin {
    /// Where its source says.
    BySource,
    /// At its beginning, where a file was that ended: the place is no new one.
    Anew,
    /// At its end: its bytes were read elsewhere.
    AtEnd,
    /// At this offset: what stands before it was read.
    At(u64),
}

impl Tail {
    /// Decides about files that shrank, or in which a read found other bytes.
    pub(super) fn judge_suspects(&mut self, scan: &mut Scan) {
        let suspects: Vec<FileKey> =
            self.files.iter().filter(|known| known.suspect).map(|known| known.key).collect();
        let judged: Vec<_> = suspects.into_iter().map(|key| self.settle(scan, key)).collect();
        // Only now: what stands there may be the copy of another suspect, given an inode that was free.
        for stranger in judged.into_iter().filter_map(|(_, stranger)| stranger) {
            self.meet(scan, &stranger, Begin::Anew);
        }
    }

    /// Looks into a known file, and ends it if it does not hold what was read. What stands there then is another file.
    fn judge(&mut self, scan: &mut Scan, key: FileKey) -> Standing {
        let (standing, stranger) = self.settle(scan, key);
        if let Some(stranger) = stranger {
            // At once: a stranger may be a copy of what stands there now.
            self.meet(scan, &stranger, Begin::Anew);
        }
        standing
    }

    /// Looks into a known file, and ends it if it does not hold what was read. Returns what stands there then, too.
    fn settle(&mut self, scan: &mut Scan, key: FileKey) -> (Standing, Option<Stranger>) {
        let standing = self.standing(key);
        let Some(known) = self.files.get_mut(key) else { return (Standing::Unknown, None) };
        match standing {
            Standing::Intact => {
                // It may have lost bytes that were not read.
                let left = known.looked.size.max(known.offset);
                let lost = known.size.saturating_sub(left);
                known.size = known.size.min(left);
                known.note_intact();
                self.vanished(key, lost);
            }
            Standing::Changed => {
                scan.report.truncated += 1;
                let here = known
                    .source
                    .filter(|_| known.place == Place::Included)
                    .zip(Some(known.path.to_path_buf()));
                let left = self.left_by_power_loss(key);
                match left {
                    Some(_) => self.depart(key, 0),
                    None => self.end(scan, key, Cause::Changed),
                }
                let stranger = here.and_then(|(source, path)| {
                    let stat = self.stat(&path).ok().flatten()?;
                    Some(Stranger { path, source, stat, passed: 0 })
                });
                match (stranger, left) {
                    // Under a number of its own: what it lost stands in Bronze at the offsets that are written next.
                    (Some(stranger), Some(left)) => self.add(scan, &stranger, Begin::At(left)),
                    (stranger, _) => return (standing, stranger),
                }
            }
            Standing::Unknown => {}
        }
        (standing, None)
    }

    /// Compares a known file with what was read of it.
    fn standing(&mut self, key: FileKey) -> Standing {
        let Some(known) = self.files.get_mut(key) else { return Standing::Unknown };
        if known.is_locked {
            let is_truncated = known.looked.size < known.size;
            return if is_truncated { Standing::Changed } else { Standing::Unknown };
        }
        let Ok(file) = self.handles.take(key).map_or_else(|| known.open(), Ok) else {
            return Standing::Unknown;
        };
        let stands = match known.is_compressed {
            true => self.text_stands_in(key, &file),
            false => known
                .print
                .stands_in(&file)
                .and_then(|stands| Ok(stands && known.print.marks_stand_in(&file)?)),
        };
        let standing = match stands {
            Ok(true) => Standing::Intact,
            Ok(false) => Standing::Changed,
            Err(_) => Standing::Unknown,
        };
        if let Some(known) = self.files.get(key) {
            self.handles.keep(key, file, rank(known));
        }
        standing
    }

    /// Decides what a file is that no record knows: a new one, a copy of one that ended, or not yet known which.
    pub(super) fn meet(&mut self, scan: &mut Scan, stranger: &Stranger, begin: Begin) {
        if self.files.at_id(stranger.stat.id).is_some() {
            return;
        }
        let held_for = self.held.get(&stranger.stat.id).map(|held| held.original);
        let origins = origins(&stranger.path);
        let named_for = origins.iter().flat_map(|origin| self.files.at_path(origin));
        let originals: Vec<FileKey> = held_for.into_iter().chain(named_for.copied()).collect();
        for key in originals {
            if self.files.get(key).is_none_or(|known| known.added == self.scans) {
                continue;
            }
            if self.files.get(key).is_some_and(|known| known.is_compressed) {
                continue;
            }
            let equal_bytes = self.equal_bytes(key, stranger);
            // Only now: had the original been truncated in between, the two would differ for that.
            let standing = self.judge(scan, key);
            match standing {
                // The stranger may have turned out to be the copy, or be one of what stands there now.
                Standing::Changed => return self.meet(scan, stranger, begin),
                Standing::Intact => {
                    if equal_bytes.is_some_and(|size| self.hold(scan.now, key, stranger.stat.id, size)) {
                        return;
                    }
                }
                Standing::Unknown => {}
            }
        }
        self.add(scan, stranger, begin);
    }

    /// The size of a stranger, if it equals the beginning of a file that is known.
    fn equal_bytes(&self, original: FileKey, stranger: &Stranger) -> Option<u64> {
        let known = self.files.get(original)?;
        let copy = stranger.stat.open(&stranger.path).ok()?;
        let size = copy.metadata().ok()?.len();
        let is_equal = match self.handles.get(original) {
            Some(file) => equal_so_far(file, &copy, size),
            None => known.open().and_then(|file| equal_so_far(&file, &copy, size)),
        };
        is_equal.ok()?.then_some(size)
    }

    /// Holds back a stranger that equals the beginning of a file that stands, unless it is short and has not grown for
    /// a while.
    fn hold(&mut self, now: Timestamp, original: FileKey, id: FileId, size: u64) -> bool {
        let before = self.held.get(&id).filter(|held| held.size == size && held.original == original);
        let since = before.map_or(now, |held| held.since);
        let held = Held { original, size, since, scan: self.scans };
        let is_held = held.due().is_none_or(|due| due > now);
        if is_held {
            self.held.insert(id, held);
        }
        is_held
    }

    /// Takes up a new file.
    pub(super) fn add(&mut self, scan: &mut Scan, stranger: &Stranger, begin: Begin) {
        let Stranger { path, source, stat, passed } = stranger;
        let (Some(settings), Some(name)) = (self.sources.get(*source), self.names.get(*source)) else {
            return;
        };
        let is_first = scan.is_first.get(*source).copied().unwrap_or(false);
        let opened = stat.open(path).and_then(|file| {
            let offset = match (begin, settings.start_at) {
                (Begin::AtEnd, _) => stat.size,
                (Begin::At(offset), _) => offset,
                _ if *passed > 0 => {
                    end_of_lines(&file, stat.size.min(*passed), settings.encoding.charset(&file)?)?
                }
                (Begin::BySource, StartAt::End) if is_first => {
                    end_of_lines(&file, stat.size, settings.encoding.charset(&file)?)?
                }
                (Begin::BySource | Begin::Anew, _) => {
                    self.read_before(path, &file, stat.size, scan.now).unwrap_or(0)
                }
            };
            let mut print = Fingerprint::read(&file, offset)?;
            print.renew_end(&file, stat.size)?;
            Ok((print, file))
        });
        let (print, file) = match opened {
            Ok(opened) => opened,
            Err(error) => return self.add_locked(scan, stranger, begin, &error),
        };
        let key = self.next_key;
        self.next_key = key.next();
        let mut known = Known::new(key, (*source, Arc::clone(name)), path, stat, scan.now);
        known.offset = print.tail.end();
        known.size = known.size.max(known.offset);
        known.print = print;
        known.place = if settings.matches(path) { Place::Included } else { Place::Rotated };
        known.added = if matches!(begin, Begin::Anew) { 0 } else { self.scans };
        known.seen = self.scans;
        self.handles.keep(key, file, rank(&known));
        self.held.remove(&stat.id);
        tracing::debug!(file = %key, path = %path.display(), offset = known.offset, ?begin, "new file");
        self.files.insert(known);
        scan.report.found += 1;
    }

    /// Takes up a compressed file with this text, to be read from its beginning.
    pub(super) fn add_compressed(&mut self, scan: &mut Scan, stranger: &Stranger, text: Text) {
        let Stranger { path, source, stat, .. } = stranger;
        let Some(name) = self.names.get(*source) else { return };
        let key = self.next_key;
        self.next_key = key.next();
        let mut known = Known::new(key, (*source, Arc::clone(name)), path, stat, scan.now);
        known.is_compressed = true;
        known.print.head = text.head;
        known.size = text.sound;
        known.looked.size = text.sound;
        known.place = Place::Rotated;
        known.seen = self.scans;
        tracing::debug!(file = %key, path = %path.display(), text_bytes = text.length, "new file, compressed");
        self.files.insert(known);
        scan.report.found += 1;
        if let Some(damage) = text.damage {
            self.note_damage(key, damage);
            self.vanished(key, text.length - text.sound);
        }
    }

    pub(super) fn note_unreadable(&mut self, scan: &Scan, path: &Path, id: FileId, error: &io::Error) {
        if error.kind() == io::ErrorKind::NotFound {
            // It has moved on since the walk.
            self.rescan = true;
            return;
        }
        self.counters.failed_reads += 1;
        self.unreadable.insert(id, error.kind());
        if scan.unreadable.get(&id) != Some(&error.kind()) {
            tracing::warn!(path = %path.display(), %error, "file cannot be read; trying again at every scan");
        }
    }
}
