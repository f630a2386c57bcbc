//! One file: how far it is read, what it looked like, and what tells it again.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::gunzip::Gunzip;
use super::identity::{FileId, Fingerprint, Stat, Window, births_agree, open_at_once};
use super::lines::Before;
use super::members::Damage;
use super::positions::{FileKey, FileRecord};
use crate::clock::Timestamp;

/// After this long a change must have moved a file's modification time, however coarse its clock.
const RACY: Duration = Duration::from_secs(2);

/// A file that is read, or was.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) key: FileKey,
    /// Index of the source that reads it; none if the config has no such source now.
    pub(super) source: Option<usize>,
    pub(super) source_name: Arc<str>,
    pub(super) path: Arc<Path>,
    /// The path of the file itself, if `path` is a symbolic link.
    pub(super) target: Option<PathBuf>,
    /// Where it stood when its bytes were last found to be the same, if that was elsewhere: copies of it are named so.
    pub(super) was_at: Option<Arc<Path>>,
    pub(super) id: FileId,
    pub(super) born: Option<i64>,
    pub(super) since: Timestamp,
    pub(super) print: Fingerprint,
    pub(super) offset: u64,
    /// Its size when it was last seen that what was read stands in it: so many bytes were certainly its own.
    pub(super) size: u64,
    pub(super) before: Before,
    pub(super) place: Place,
    /// Number of the scan that found it; 0 if it, or one that ended at its place, was known before.
    pub(super) added: u64,
    /// Number of the scan that saw it last.
    pub(super) seen: u64,
    /// It is in the queue for reading.
    pub(super) queued: bool,
    /// Its record differs from the one handed out last.
    pub(super) dirty: bool,
    /// It may have been truncated or rewritten: the next scan decides.
    pub(super) suspect: bool,
    /// What the last scan saw of it.
    pub(super) looked: Look,
    /// What it looked like when it was last read to its end and found unchanged.
    pub(super) checked: Option<Look>,
    /// When it last grew, or was deleted.
    pub(super) grown: Timestamp,
    /// The bytes behind the last newline.
    pub(super) partial: Option<Partial>,
    /// Bytes from the offset on that hold no newline and are more than a line may have; 0 if there are none.
    pub(super) overlong: u64,
    /// NULs from the offset on that are known of a hole whose end was not found yet.
    pub(super) hole: u64,
    /// NULs at the end of the file, where lines may take their place.
    pub(super) padding: u64,
    /// It was compressed; offset and size are those of the text.
    pub(super) is_compressed: bool,
    /// What is wrong with it, if it was compressed.
    pub(super) damage: Option<Damage>,
    /// How far it is decompressed, while it is being read.
    pub(super) gunzip: Option<Box<Gunzip>>,
    /// It could never be opened: nothing of it is known but its size.
    pub(super) is_locked: bool,
    /// Why it cannot be read, said once.
    pub(super) trouble: Option<io::ErrorKind>,
}

/// How a file stands to the paths of its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// At a path that the source includes.
    Included,
    /// At another path, to which a rotation took it.
    Rotated,
    /// At no path: it is deleted or moved out of reach, and read through its handle.
    Unlinked,
    /// At a path that no source includes now: it is remembered and not read.
    Dormant,
}

/// Size and modification time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Look {
    pub(super) size: u64,
    pub(super) modified: i64,
}

impl Look {
    pub(super) fn of(stat: &Stat) -> Self {
        Self { size: stat.size, modified: stat.modified }
    }
}

/// Bytes behind the last newline, and since when they are as many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Partial {
    pub(super) bytes: u64,
    pub(super) since: Timestamp,
    /// They are taken when they have been so many for this long.
    pub(super) wait: Duration,
}

impl Known {
    /// A file seen for the first time; nothing of it is read.
    pub(super) fn new(
        key: FileKey,
        source: (usize, Arc<str>),
        path: &Path,
        stat: &Stat,
        now: Timestamp,
    ) -> Self {
        Self {
            key,
            source: Some(source.0),
            source_name: source.1,
            path: path.into(),
            target: link_target(path),
            was_at: None,
            id: stat.id,
            born: stat.born,
            since: now,
            print: Fingerprint::unread(),
            offset: 0,
            size: stat.size,
            before: Before::Line,
            place: Place::Included,
            added: 0,
            seen: 0,
            queued: false,
            dirty: true,
            suspect: false,
            looked: Look::of(stat),
            checked: None,
            grown: now,
            partial: None,
            overlong: 0,
            hole: 0,
            padding: 0,
            is_compressed: false,
            damage: None,
            gunzip: None,
            is_locked: false,
            trouble: None,
        }
    }

    /// A file known from its record.
    pub(super) fn from_record(mut record: FileRecord, source: Option<usize>, place: Place) -> Self {
        record.print.shrink();
        Self {
            key: record.key,
            source,
            source_name: record.source,
            target: link_target(&record.path),
            was_at: None,
            path: record.path,
            id: FileId { dev: record.dev, ino: record.ino },
            born: record.born,
            since: Timestamp::from_micros(record.since),
            print: record.print,
            offset: record.offset,
            size: record.size.max(record.offset),
            before: if record.open_line { Before::OpenLine } else { Before::Line },
            place,
            added: 0,
            seen: 0,
            queued: false,
            dirty: false,
            suspect: false,
            looked: Look::default(),
            checked: None,
            grown: Timestamp::from_micros(record.since),
            partial: None,
            overlong: 0,
            hole: 0,
            padding: 0,
            is_compressed: record.compressed,
            damage: record.damage,
            gunzip: None,
            is_locked: record.locked,
            trouble: None,
        }
    }

    pub(super) fn record(&self) -> FileRecord {
        FileRecord {
            key: self.key,
            source: Arc::clone(&self.source_name),
            path: Arc::clone(&self.path),
            dev: self.id.dev,
            ino: self.id.ino,
            born: self.born,
            since: self.since.micros(),
            offset: self.offset,
            size: self.size,
            print: self.print.recorded(),
            open_line: self.before == Before::OpenLine,
            rotated: matches!(self.place, Place::Rotated | Place::Unlinked),
            compressed: self.is_compressed,
            damage: self.damage,
            locked: self.is_locked,
            gone: false,
        }
    }

    /// Whether `stat` is of this file, as far as inode and birth time tell.
    pub(super) fn is(&self, stat: &Stat) -> bool {
        self.id == stat.id && births_agree(self.born, stat.born)
    }

    /// Whether a file found elsewhere, or with other content, can be this one: where births are not known, a file of
    /// which no byte is known could be any that was given its inode. Nothing is lost by taking it for a new one, unless its
    /// bytes still wait to be read.
    pub(super) fn can_be(&self, stat: &Stat) -> bool {
        let is_told = self.is_seen() || (self.born.is_some() && stat.born.is_some());
        self.is(stat) && (is_told || self.is_locked || stat.size == 0)
    }

    /// Notes that it cannot be opened, and that its first `passed` bytes are not to be read when it can be.
    pub(super) fn lock(&mut self, passed: u64) {
        self.is_locked = true;
        self.offset = passed;
        self.print.tail = Window::empty(passed);
    }

    /// Whether any of its bytes are known.
    pub(super) fn is_seen(&self) -> bool {
        self.print.head.len() > 0 || self.offset > 0
    }

    /// The largest size seen.
    pub(super) fn size_seen(&self) -> u64 {
        self.size.max(self.looked.size)
    }

    /// Bytes to read, if it is still the same file.
    pub(super) fn unread(&self) -> u64 {
        self.size_seen().saturating_sub(self.offset + self.padding)
    }

    /// Whether the file has changed, or may have, since it was last read to its end.
    pub(super) fn needs_reading(&self) -> bool {
        self.source.is_some()
            && !self.suspect
            && !self.is_locked
            && self.place != Place::Dormant
            && !(self.is_compressed && self.unread() == 0)
            && (self.checked != Some(self.looked) || self.trouble.is_some())
    }

    /// Notes that what was read of the file stands in it.
    pub(super) fn note_intact(&mut self) {
        self.size = self.size_seen();
        self.suspect = false;
        self.trouble = None;
        self.was_at = None;
    }

    /// Notes that the file is read to its end and unchanged, unless it was modified so lately that its modification
    /// time need not show a change that came after.
    pub(super) fn note_checked(&mut self, now: Timestamp) {
        let settled = i128::from(self.looked.modified) / 1000 + RACY.as_micros() as i128;
        self.checked = (i128::from(now.micros()) > settled).then_some(self.looked);
    }

    /// Brings times that lie in the future down to `now`.
    pub(super) fn set_back(&mut self, now: Timestamp) {
        self.since = self.since.min(now);
        self.grown = self.grown.min(now);
        if let Some(partial) = &mut self.partial {
            partial.since = partial.since.min(now);
        }
    }

    /// The paths that lead to the file, or did.
    pub(super) fn paths(&self) -> impl Iterator<Item = &Path> {
        [Some(&*self.path), self.target.as_deref(), self.was_at.as_deref()].into_iter().flatten()
    }

    /// What stands where this file stood before `copy`, which may be a copy of it, was made.
    pub(super) fn successor(&self, copy: &Path) -> Option<File> {
        let path = self.paths().find(|path| *path != copy)?;
        open_file(path)
    }

    /// Opens the file at its path, if that still leads to it.
    pub(super) fn open(&self) -> io::Result<File> {
        let file = open_at_once(&self.path)?;
        match Stat::of_file(&file)? {
            Some(stat) if self.is(&stat) => Ok(file),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

/// The regular file at `path`, open.
pub(super) fn open_file(path: &Path) -> Option<File> {
    Stat::of_path(path).ok().flatten()?.open(path).ok()
}

/// Where the symbolic link at `path` leads to; none if it is no link.
pub(super) fn link_target(path: &Path) -> Option<PathBuf> {
    let is_link = std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink());
    is_link.then(|| std::fs::canonicalize(path).ok()).flatten()
}
