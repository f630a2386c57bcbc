//! What becomes of a file that ended: a rotated copy goes on for it, or it is gone and what was not read is counted.

use std::collections::HashSet;
use std::fs::{DirEntry, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::gunzip::{Likeness, Text, likeness};
use super::handles::Rank;
use super::identity::{Fingerprint, Stat};
use super::judge::Begin;
use super::known::{Known, Look, Place};
use super::members::Damage;
use super::missed::AWAITED;
use super::positions::FileKey;
use super::rotation::{STRONG_BYTES, Witness, equal_so_far, is_copy, origins, rotation_folders};
use super::scan::{LISTINGS, Scan, Stranger};
use super::source::{is_compressed, uncompressed};
use super::{Tail, later, rank};
use crate::clock::Timestamp;

/// File systems stamp with a coarse clock, some with one of their own.
pub(super) const BIRTH_SLACK: Duration = Duration::from_secs(2);

/// So many files that are gone are remembered, for the case that they were compressed.
const GONE_MAX: usize = 1024;

/// Why a file ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// It does not hold what was read of it.
    Changed,
    /// Nothing leads to it any more.
    Gone,
}

/// A file that is gone.
#[derive(Debug)]
pub(super) struct Gone {
    /// Where it stood last.
    path: Arc<Path>,
    /// The scan that missed it.
    at: Option<Timestamp>,
    /// What was known of its bytes.
    pub(super) print: Fingerprint,
}

/// A file with the bytes of one that ended.
struct Copy {
    stranger: Stranger,
    file: File,
    form: Form,
}

/// How a copy holds the bytes.
enum Form {
    Plain,
    /// By gzip, as this text; the stranger's size is that of what can be read of it.
    Compressed(Text),
}

impl Tail {
    /// Ends a file: a copy of it goes on under its key; without one it is gone, and what was not read is lost.
    pub(super) fn end(&mut self, scan: &mut Scan, key: FileKey, cause: Cause) {
        let mut copies = (0..LISTINGS)
            .map(|_| self.copies(scan, key, cause))
            .find(|copies| !copies.is_empty())
            .unwrap_or_default();
        if copies.is_empty() && cause == Cause::Gone && self.is_awaited(scan, key) {
            return;
        }
        self.vacate(key, scan.now);
        // The longest holds all that the others do.
        copies.sort_by_key(|copy| std::cmp::Reverse(copy.stranger.stat.size));
        let Some(known) = self.files.get(key) else { return };
        let size = if cause == Cause::Changed { known.size } else { known.size_seen() };
        let unread = size.saturating_sub(known.offset + known.padding);
        let mut copies = copies.into_iter();
        let Some(best) = copies.next() else {
            scan.report.gone += usize::from(cause == Cause::Gone);
            return self.depart(key, unread);
        };
        let is_plain = |copy: &Copy| matches!(copy.form, Form::Plain);
        let others = copies.filter(|copy| is_plain(&best) && is_plain(copy));
        for other in others.filter(|copy| copy.stranger.stat.size >= STRONG_BYTES) {
            if equal_so_far(&best.file, &other.file, other.stranger.stat.size).unwrap_or(false) {
                self.add(scan, &other.stranger, Begin::AtEnd);
            }
        }
        scan.report.copies += 1;
        let grown = match best.form {
            Form::Plain => 0,
            Form::Compressed(text) => text.length.saturating_sub(size),
        };
        let missing = (size + grown).saturating_sub(best.stranger.stat.size);
        self.vanished(key, missing.min(unread + grown));
        self.go_on_in(scan, key, best);
    }

    /// The strangers that hold the bytes of a file that ended.
    fn copies(&mut self, scan: &mut Scan, key: FileKey, cause: Cause) -> Vec<Copy> {
        let Some(known) = self.files.get(key).filter(|known| known.place != Place::Dormant) else {
            return Vec::new();
        };
        let met = scan.strangers.iter().map(|stranger| stranger.path.clone());
        let mut paths: Vec<PathBuf> = met.chain(names_like(known)).collect();
        paths.sort_unstable();
        paths.dedup();
        let own: HashSet<PathBuf> = known.paths().map(Path::to_owned).collect();
        // A compressed copy is told by its bytes; meanwhile it may have been renamed on, as the file was before.
        let family: HashSet<PathBuf> = own.iter().flat_map(|path| origins(path)).chain(own.clone()).collect();
        paths.retain(|path| match uncompressed(path) {
            Some(plain) if plain == *path => origins(path).iter().any(|origin| own.contains(origin)),
            Some(plain) => {
                family.contains(&plain) || origins(&plain).iter().any(|origin| family.contains(origin))
            }
            None => false,
        });
        let copies = paths.into_iter().filter_map(|path| match is_compressed(&path) {
            true => self.compressed_copy_at(scan, key, path),
            false => self.copy_at(key, path, cause),
        });
        copies.collect()
    }

    /// The file at `path`, if it is unknown and holds the bytes of the file that ended.
    fn copy_at(&mut self, key: FileKey, path: PathBuf, cause: Cause) -> Option<Copy> {
        let stat = self.stat(&path).ok().flatten()?;
        let file = stat.open(&path).ok()?;
        if !self.is_unknown(&stat, &file) {
            return None;
        }
        // What stands in the file itself after it was truncated is no copy of it, though it may begin alike.
        let known = self.files.get(key).filter(|known| cause == Cause::Gone || known.id != stat.id)?;
        let born = Timestamp::from_micros(stat.born.unwrap_or(stat.modified / 1000));
        // Births and our clock do not agree where the clock was set: a lot of equal bytes says more.
        let is_long = known.offset >= STRONG_BYTES && stat.size >= known.offset;
        let is_new = later(born, BIRTH_SLACK) >= known.since || is_long || self.includes(key, &path);
        let held = self.held.get(&stat.id).filter(|held| held.original == key);
        let witness = if held.is_some() { Witness::Held } else { Witness::None };
        let successor = known.successor(&path);
        let is_copy = is_new && is_copy(&known.print, &file, stat.size, witness, successor.as_ref()).ok()?;
        // Generations may begin alike: as long as the bytes themselves are at hand they decide.
        let own = self.handles.get(key).filter(|_| cause == Cause::Gone && stat.size < known.offset);
        let is_copy = is_copy && own.is_none_or(|own| equal_so_far(own, &file, stat.size).unwrap_or(false));
        let stranger = Stranger { path, source: known.source?, stat, passed: 0 };
        is_copy.then_some(Copy { stranger, file, form: Form::Plain })
    }

    /// Whether `file` is none that is known. One that is over, and whose inode it was given, is noted as such.
    pub(super) fn is_unknown(&mut self, stat: &Stat, file: &File) -> bool {
        let Some(other) = self.files.at_id(stat.id).and_then(|other| self.files.get_mut(other)) else {
            return true;
        };
        let is_same =
            other.can_be(stat) && (other.is_compressed || other.print.stands_in(file).unwrap_or(true));
        if !is_same {
            other.suspect = true;
            let other = other.key;
            self.files.unlink_id(other, stat.id);
        }
        !is_same
    }

    /// The compressed file at `path`, if it is unknown and holds the bytes of the file that ended.
    fn compressed_copy_at(&mut self, scan: &mut Scan, key: FileKey, path: PathBuf) -> Option<Copy> {
        let stat = self.stat(&path).ok().flatten()?;
        if !self.is_unknown(&stat, &stat.open(&path).ok()?) {
            return None;
        }
        let known = self.files.get(key)?;
        if !self.walks.is_due(&stat, scan.now, self.scans) {
            scan.awaited.insert(key);
            return None;
        }
        let (file, successor) = (stat.open(&path).ok()?, known.successor(&path));
        let walked = &mut self.counters.walked_bytes;
        let likeness =
            likeness(&stat, file, &known.print, known.unread(), successor.as_ref(), walked).ok()?;
        let (text, damage) = match likeness {
            Likeness::Copy(text) => (Some(text), text.damage),
            Likeness::Unclear(damage) => (None, Some(damage)),
            Likeness::Other => return None,
        };
        if is_in_the_making(&stat, damage, scan.now) {
            self.walks.note_in_the_making(&stat);
            scan.awaited.insert(key);
            return None;
        }
        let (text, file) = (text?, stat.open(&path).ok()?);
        let stat = Stat { size: text.sound, ..stat };
        let stranger = Stranger { path, source: known.source?, stat, passed: 0 };
        Some(Copy { stranger, file, form: Form::Compressed(text) })
    }

    /// Whether the copy of a file that is gone is still being compressed: until it is whole, or nobody writes to it any
    /// more, the file is not given up.
    fn is_awaited(&mut self, scan: &Scan, key: FileKey) -> bool {
        let is_awaited = scan.awaited.contains(&key);
        if is_awaited && let Some(known) = self.files.get_mut(key) {
            known.seen = self.scans;
        }
        is_awaited
    }

    /// Notes what is wrong with a compressed file.
    pub(super) fn note_damage(&mut self, key: FileKey, damage: Damage) {
        let Some(known) = self.files.get_mut(key) else { return };
        known.damage = Some(damage);
        self.counters.damaged_files += 1;
        let (path, text_bytes) = (known.path.display(), known.size);
        tracing::warn!(%path, %damage, text_bytes, "compressed file is damaged; what can be read of it is read");
    }

    /// Lets a copy go on for a file that ended.
    fn go_on_in(&mut self, scan: &Scan, key: FileKey, copy: Copy) {
        let Stranger { path, stat, .. } = copy.stranger;
        tracing::debug!(file = %key, copy = %path.display(), size = stat.size, "file goes on in a copy");
        let is_compressed = matches!(copy.form, Form::Compressed(..));
        let is_included = !is_compressed && self.includes(key, &path);
        let place = if is_included { Place::Included } else { Place::Rotated };
        self.files.set_id(key, stat.id, stat.born);
        self.files.move_to(key, &path);
        self.held.remove(&stat.id);
        self.waiting.remove(&key);
        let Some(known) = self.files.get_mut(key) else { return };
        // It may be shorter than what was read, and its head shorter than what was seen.
        if !is_compressed && let Ok(print) = Fingerprint::read(&copy.file, known.offset.min(stat.size)) {
            known.offset = print.tail.end();
            known.print = print;
        }
        known.size = if is_compressed { stat.size.max(known.offset) } else { stat.size };
        known.place = place;
        known.seen = self.scans;
        // First: what was last seen at the old place is of another file by now.
        known.looked = Look::of(&stat);
        known.note_intact();
        known.checked = None;
        known.grown = scan.now;
        known.partial = None;
        known.overlong = 0;
        known.hole = 0;
        known.padding = 0;
        known.is_compressed = is_compressed;
        let damage = match copy.form {
            Form::Plain => None,
            Form::Compressed(text) => text.damage,
        };
        let rank = rank(known);
        self.put_away(key);
        self.handles.take(key);
        if !is_compressed || rank != Rank::Idle {
            self.handles.keep(key, copy.file, rank);
        }
        if let Some(damage) = damage {
            self.note_damage(key, damage);
        }
    }

    /// A file to which no path leads is read through its handle until nothing more comes.
    pub(super) fn read_out(&mut self, scan: &mut Scan, key: FileKey, stat: &Stat) {
        let is_new = self.files.get(key).is_some_and(|known| known.place != Place::Unlinked);
        if is_new {
            self.vacate(key, scan.now);
        }
        self.sighted(scan, key, stat, Place::Unlinked);
        self.handles.set_rank(key, Rank::Unlinked);
        let Some(known) = self.files.get_mut(key) else { return };
        if is_new {
            known.grown = scan.now;
        }
        if self.files.get(key).and_then(|known| self.end_due(known)).is_some_and(|due| due <= scan.now) {
            self.end(scan, key, Cause::Gone);
        }
    }

    /// Lets go of deleted files while they take more disk space than they may: those that are read first, then those
    /// that were deleted, or grew, the longest ago.
    pub(super) fn bound_deleted(&mut self, scan: &mut Scan) {
        let deleted = self.files.iter().filter(|known| known.place == Place::Unlinked);
        let mut deleted: Vec<_> =
            deleted.map(|known| (known.unread() > 0, known.grown, known.key, known.looked.size)).collect();
        let mut bytes: u64 = deleted.iter().map(|(.., size)| size).sum();
        deleted.sort_unstable();
        for (_, _, key, size) in deleted {
            if bytes <= self.limits.deleted_bytes_max {
                break;
            }
            bytes -= size;
            self.end(scan, key, Cause::Gone);
        }
    }

    /// How much of a file was read as one that is gone lately: copies may be moved on by the next rotation while they are
    /// looked for, and show up when their original is known no more. Only a lot of equal bytes says so, up to those that
    /// were read last.
    pub(super) fn read_before(&self, path: &Path, file: &File, size: u64, now: Timestamp) -> Option<u64> {
        let origins = origins(path);
        let lately = |gone: &&Gone| gone.at.is_some_and(|at| now <= later(at, AWAITED));
        let gone = self.gone.iter().take_while(lately).filter(|gone| {
            let read = gone.print.tail.end();
            let is_origin = origins.iter().any(|origin| **origin == *gone.path);
            (STRONG_BYTES..=size).contains(&read) && (is_origin || is_sibling(&origins, &gone.path))
        });
        let copied = gone.filter(|gone| gone.print.stands_in(file).unwrap_or(false));
        copied.map(|gone| gone.print.tail.end()).max()
    }

    /// Takes out a file that is gone, of which so many bytes were not read.
    pub(super) fn depart(&mut self, key: FileKey, unread: u64) {
        self.vanished(key, unread);
        self.put_away(key);
        self.handles.take(key);
        self.waiting.remove(&key);
        if let Some(known) = self.files.remove(key) {
            self.gone.truncate(GONE_MAX - 1);
            let path = Arc::clone(&known.path);
            tracing::debug!(file = %key, path = %path.display(), offset = known.offset, "file is gone");
            self.gone.push_front(Gone { path, at: self.scanned_at, print: known.print.clone() });
            let mut record = known.record();
            record.gone = true;
            self.departed.insert(key, record);
        }
    }

    pub(super) fn vanished(&mut self, key: FileKey, bytes: u64) {
        if bytes == 0 {
            return;
        }
        self.counters.vanished_files += 1;
        self.counters.vanished_bytes += bytes;
        if let Some(known) = self.files.get(key) {
            tracing::warn!(path = %known.path.display(), bytes, "bytes vanished from a file before they were read");
        }
    }
}

/// Whether the file at `path` may have been rotated from the same place as one with these origins.
fn is_sibling(others: &[PathBuf], path: &Path) -> bool {
    origins(path).iter().any(|origin| others.contains(origin))
}

/// Whether a compressed file is not whole, and somebody may still be writing it.
pub(super) fn is_in_the_making(stat: &Stat, damage: Option<Damage>, now: Timestamp) -> bool {
    let written = Timestamp::from_micros(stat.modified / 1000);
    damage.is_some() && now < later(written, AWAITED)
}

/// The files whose names begin like that of a known one, in its folders and where a rotation may have put its copies.
fn names_like(known: &Known) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    for path in known.paths() {
        let (Some(folder), Some(stem)) = (path.parent(), path.file_stem()) else { continue };
        let folders = rotation_folders(folder);
        let entries = folders.iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten().flatten();
        let is_like =
            |entry: &DirEntry| entry.file_name().as_encoded_bytes().starts_with(stem.as_encoded_bytes());
        paths.extend(entries.filter(is_like).map(|entry| entry.path()));
    }
    paths
}
