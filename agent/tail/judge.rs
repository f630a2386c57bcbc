//! Deciding which file is which: whether a known one still is itself, and what a stranger is.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::files::{Known, Look, Place};
use super::identity::{FileId, Fingerprint};
use super::positions::FileKey;
use super::read::end_of_lines;
use super::rotation::{HOLD, STRONG_BYTES, Witness, equal_so_far, is_copy, origins};
use super::scan::{Scan, Stranger};
use super::source::{StartAt, is_compressed};
use super::{Tail, later, rank};
use crate::clock::Timestamp;

/// File systems stamp with a coarse clock, some with one of their own.
const BIRTH_SLACK: Duration = Duration::from_secs(2);

/// A stranger that equals the beginning of a file that stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    original: FileKey,
    size: u64,
    /// Since when it has had this size.
    since: Timestamp,
    /// The scan that saw it last.
    pub(super) scan: u64,
}

impl Held {
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

/// Why a file ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// It does not hold what was read of it.
    Changed,
    /// Nothing leads to it any more.
    Gone,
}

/// Where a new file is read from.
#[derive(Clone, Copy, Debug)]
enum Begin {
    /// Where its source says.
    BySource,
    /// At its end: its bytes were read elsewhere.
    AtEnd,
}

/// A file with the bytes of one that ended.
struct Copy {
    stranger: Stranger,
    file: File,
}

impl Tail {
    /// Decides about files that shrank, or in which a read found other bytes.
    pub(super) fn judge_suspects(&mut self, scan: &mut Scan) {
        let suspects: Vec<FileKey> =
            self.files.iter().filter(|known| known.suspect).map(|known| known.key).collect();
        for key in suspects {
            self.judge(scan, key);
        }
    }

    /// Looks into a known file, and ends it if it does not hold what was read. What stands there then is a stranger.
    fn judge(&mut self, scan: &mut Scan, key: FileKey) -> Standing {
        let standing = self.standing(key);
        let Some(known) = self.files.get_mut(key) else { return Standing::Unknown };
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
                self.end(scan, key, Cause::Changed);
                if let Some((source, path)) = here
                    && let Ok(Some(stat)) = self.stat(&path)
                {
                    scan.strangers.push(Stranger { path, source, stat });
                }
            }
            Standing::Unknown => {}
        }
        standing
    }

    /// Compares a known file with what was read of it.
    fn standing(&mut self, key: FileKey) -> Standing {
        let Some(known) = self.files.get(key) else { return Standing::Unknown };
        let Ok(file) = self.handles.take(key).map_or_else(|| known.open(), Ok) else {
            return Standing::Unknown;
        };
        let standing = match known.print.stands_in(&file) {
            Ok(true) => Standing::Intact,
            Ok(false) => Standing::Changed,
            Err(_) => Standing::Unknown,
        };
        self.handles.keep(key, file, rank(known));
        standing
    }

    /// Decides what a file is that no record knows: a new one, a copy of one that ended, or not yet known which.
    pub(super) fn meet(&mut self, scan: &mut Scan, stranger: &Stranger) {
        for origin in origins(&stranger.path) {
            for key in self.files.at_path(&origin).to_vec() {
                let is_earlier = self.files.get(key).is_some_and(|known| known.added != self.scans);
                if is_earlier && self.judge(scan, key) == Standing::Intact && self.hold(scan, key, stranger) {
                    return;
                }
            }
        }
        // The end of an original may have shown that it is the copy.
        if self.files.at_id(stranger.stat.id).is_none() {
            self.add(scan, stranger, Begin::BySource);
        }
    }

    /// Holds a stranger back if it equals the beginning of a file that stands, and may be a copy of it.
    fn hold(&mut self, scan: &Scan, original: FileKey, stranger: &Stranger) -> bool {
        let Some(known) = self.files.get(original) else { return false };
        let Ok(copy) = File::open(&stranger.path) else { return false };
        let size = copy.metadata().map_or(stranger.stat.size, |metadata| metadata.len());
        let is_equal = match self.handles.get(original) {
            Some(file) => equal_so_far(file, &copy, size),
            None => known.open().and_then(|file| equal_so_far(&file, &copy, size)),
        };
        let before =
            self.held.get(&stranger.stat.id).filter(|held| held.size == size && held.original == original);
        let since = before.map_or(scan.now, |held| held.since);
        let held = Held { original, size, since, scan: self.scans };
        let may_be_copy = is_equal.unwrap_or(false) && held.due().is_none_or(|due| due > scan.now);
        if may_be_copy {
            self.held.insert(stranger.stat.id, held);
        }
        may_be_copy
    }

    /// Takes up a new file.
    fn add(&mut self, scan: &mut Scan, stranger: &Stranger, begin: Begin) {
        let Stranger { path, source, stat } = stranger;
        let (Some(settings), Some(name)) = (self.sources.get(*source), self.names.get(*source)) else {
            return;
        };
        let is_first = scan.is_first.get(*source).copied().unwrap_or(false);
        let opened = File::open(path).and_then(|file| {
            let offset = match (begin, settings.start_at) {
                (Begin::AtEnd, _) => stat.size,
                (Begin::BySource, StartAt::End) if is_first => end_of_lines(&file, stat.size)?,
                (Begin::BySource, _) => 0,
            };
            Ok((Fingerprint::read(&file, offset)?, file))
        });
        let (print, file) = match opened {
            Ok(opened) => opened,
            Err(error) => return self.note_unreadable(scan, path, stat.id, &error),
        };
        let key = self.next_key;
        self.next_key = key.next();
        let mut known = Known::new(key, (*source, Arc::clone(name)), path, stat, scan.now);
        known.offset = print.tail.end();
        known.size = known.size.max(known.offset);
        known.print = print;
        known.added = self.scans;
        known.seen = self.scans;
        self.handles.keep(key, file, rank(&known));
        self.held.remove(&stat.id);
        self.files.insert(known);
        scan.report.found += 1;
    }

    fn note_unreadable(&mut self, scan: &Scan, path: &Path, id: FileId, error: &io::Error) {
        if error.kind() == io::ErrorKind::NotFound {
            return;
        }
        self.counters.failed_reads += 1;
        self.unreadable.insert(id, error.kind());
        if scan.unreadable.get(&id) != Some(&error.kind()) {
            tracing::warn!(path = %path.display(), %error, "file cannot be read; trying again at every scan");
        }
    }

    /// Ends a file: a copy of it goes on under its key; without one it is gone, and what was not read is lost.
    pub(super) fn end(&mut self, scan: &mut Scan, key: FileKey, cause: Cause) {
        let mut copies = self.copies(scan, key);
        // The longest holds all that the others do.
        copies.sort_by_key(|copy| std::cmp::Reverse(copy.stranger.stat.size));
        let Some(known) = self.files.get(key) else { return };
        let size = if cause == Cause::Changed { known.size } else { known.size_seen() };
        let unread = size.saturating_sub(known.offset);
        let mut copies = copies.into_iter();
        let Some(best) = copies.next() else {
            scan.report.gone += usize::from(cause == Cause::Gone);
            return self.depart(key, unread);
        };
        for other in copies.filter(|copy| copy.stranger.stat.size >= STRONG_BYTES) {
            if equal_so_far(&best.file, &other.file, other.stranger.stat.size).unwrap_or(false) {
                self.add(scan, &other.stranger, Begin::AtEnd);
            }
        }
        scan.report.copies += 1;
        self.vanished(key, unread.min(size.saturating_sub(best.stranger.stat.size)));
        self.go_on_in(scan, key, best);
    }

    /// The strangers that hold the bytes of a file that ended.
    fn copies(&mut self, scan: &Scan, key: FileKey) -> Vec<Copy> {
        let Some(known) = self.files.get(key).filter(|known| known.place != Place::Dormant) else {
            return Vec::new();
        };
        let met = scan.strangers.iter().map(|stranger| stranger.path.clone());
        let mut paths: Vec<PathBuf> = met.chain(names_like(known)).collect();
        paths.sort_unstable();
        paths.dedup();
        paths.retain(|path| {
            !is_compressed(path) && known.paths().any(|own| origins(path).iter().any(|origin| own == origin))
        });
        paths.into_iter().filter_map(|path| self.copy_at(key, path)).collect()
    }

    /// The file at `path`, if it is unknown and holds the bytes of the file that ended.
    fn copy_at(&mut self, key: FileKey, path: PathBuf) -> Option<Copy> {
        let stat = self.stat(&path).ok().flatten()?;
        if let Some(other) = self.files.at_id(stat.id) {
            if other == key || self.standing(other) != Standing::Changed {
                return None;
            }
            // The other is about to end, too, and the copy was given its inode.
            self.files.unlink_id(other, stat.id);
            self.files.get_mut(other)?.suspect = true;
        }
        let known = self.files.get(key)?;
        let born = Timestamp::from_micros(stat.born.unwrap_or(stat.modified / 1000));
        let is_new = later(born, BIRTH_SLACK) >= known.since || self.includes(key, &path);
        let held = self.held.get(&stat.id).filter(|held| held.original == key);
        let witness = if held.is_some() { Witness::Held } else { Witness::None };
        let file = File::open(&path).ok()?;
        let is_copy = is_new && is_copy(&known.print, &file, stat.size, witness).ok()?;
        is_copy.then_some(Copy { stranger: Stranger { path, source: known.source?, stat }, file })
    }

    /// Lets a copy go on for a file that ended.
    fn go_on_in(&mut self, scan: &Scan, key: FileKey, copy: Copy) {
        let Stranger { path, stat, .. } = copy.stranger;
        let place = if self.includes(key, &path) { Place::Included } else { Place::Rotated };
        self.files.set_id(key, stat.id, stat.born);
        self.files.move_to(key, &path);
        self.held.remove(&stat.id);
        self.waiting.remove(&key);
        let Some(known) = self.files.get_mut(key) else { return };
        // It may be shorter than what was read, and its head shorter than what was seen.
        if let Ok(print) = Fingerprint::read(&copy.file, known.offset.min(stat.size)) {
            known.offset = print.tail.end();
            known.print = print;
        }
        known.size = stat.size;
        known.place = place;
        known.seen = self.scans;
        known.note_intact();
        known.looked = Look::of(&stat);
        known.checked = None;
        known.grown = scan.now;
        known.partial = None;
        known.overlong = 0;
        let rank = rank(known);
        self.handles.take(key);
        self.handles.keep(key, copy.file, rank);
    }

    /// Takes out a file that is gone, of which so many bytes were not read.
    pub(super) fn depart(&mut self, key: FileKey, unread: u64) {
        self.vanished(key, unread);
        self.handles.take(key);
        self.waiting.remove(&key);
        if let Some(known) = self.files.remove(key) {
            let mut record = known.record();
            record.gone = true;
            self.departed.insert(key, record);
        }
    }

    fn vanished(&mut self, key: FileKey, bytes: u64) {
        if bytes == 0 {
            return;
        }
        self.counters.vanished_files += 1;
        self.counters.vanished_bytes += bytes;
        if let Some(known) = self.files.get(key) {
            tracing::warn!(path = %known.label, bytes, "bytes vanished from a file before they were read");
        }
    }
}

/// The files in the folders of a known one whose names begin like its own.
fn names_like(known: &Known) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    for path in known.paths() {
        let (Some(folder), Some(stem)) = (path.parent(), path.file_stem()) else { continue };
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let stem = stem.as_encoded_bytes();
        let names =
            entries.map(|entry| entry.file_name()).filter(|name| name.as_encoded_bytes().starts_with(stem));
        paths.extend(names.map(|name| folder.join(name)));
    }
    paths
}
