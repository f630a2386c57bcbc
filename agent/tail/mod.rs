//! Files to lines: every byte that stands in a file, or in a rotated copy of it, when it is scanned arrives once.
//!
//! [`Tail::scan`] finds out which files there are and alone decides which is which; [`Tail::read`] takes lines from
//! files whose identity is settled and stops where it finds a file changed. What was taken and how far each file is
//! read are one step: a batch and the records that [`Tail::moved`] gives after it are committed together, and a tail opened with the
//! committed records continues exactly there.
//!
//! Invariants:
//! - A file is told again by inode and birth time AND by its bytes: the first KiB and those just before the
//!   offset. Before bytes are taken both are checked in the file they come from.
//! - A rename changes nothing: the file is read on under its new name, also where no source includes that, as long as
//!   it is in its folder; a file that is deleted or moved away is read to its end through its handle, if it is open.
//! - When bytes that were read are no longer there (truncated, rewritten, inode reused), the file *ends*; what stands
//!   there is a new file with a new key, read from 0. The bytes of the ended file that were not yet read are looked
//!   for in a rotated copy, which goes on under the old key (see `rotation.rs`); what is found nowhere is counted.
//! - The offset never passes bytes that were not taken, and a record never runs ahead of the rows.
//! - Two paths with one inode are one file. Equal content is not identity.
//!
//! Memory: one record of about half a kilobyte for each file that exists; the batch; one megabyte for searching the
//! end of an over-long line. Open files: [`TailLimits::open_files_max`] and one.

mod batch;
mod files;
mod handles;
mod identity;
mod judge;
mod lines;
mod positions;
mod read;
mod rotation;
mod scan;
mod source;
mod status;
#[cfg(test)]
mod tests;
mod watch;

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use batch::{LineBatch, line_schema};
pub use identity::{Fingerprint, Window};
pub use positions::{FileKey, FileRecord, Positions};
pub use scan::ScanReport;
pub use source::{Exclude, FileGlob, GlobError, Source, StartAt};
pub use status::{FileStatus, file_status};
pub use watch::{Change, Watch, WatchMode};

use crate::clock::Timestamp;
use files::{Files, Known, Place};
use handles::{Handles, Rank};
use identity::{FileId, Stat};
use judge::Held;
use read::{Reading, Turn};

/// What a tail may use.
#[derive(Clone, Copy, Debug)]
pub struct TailLimits {
    /// Files kept open. The ones that matter most stay open: deleted ones first, then those with unread bytes.
    pub open_files_max: usize,
    /// A line that goes on for more than this many bytes behind its cut is ended there; the rest is the next line.
    pub cut_bytes_max: u64,
}

impl Default for TailLimits {
    /// 256 open files; 64 MiB of a line that is cut.
    fn default() -> Self {
        Self { open_files_max: 256, cut_bytes_max: 64 << 20 }
    }
}

/// Why a tail cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum TailError {
    /// Two sources have one name.
    #[error("two sources are called `{0}`")]
    SameName(String),
    /// A record cannot have been written by a tail.
    #[error("the record of file {key} is damaged: {reason}")]
    Record {
        /// The file's number.
        key: i64,
        /// What is wrong.
        reason: &'static str,
    },
}

/// What a tail has done since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TailCounters {
    /// Lines taken.
    pub lines: u64,
    /// Bytes by which positions moved on.
    pub bytes: u64,
    /// Lines that were cut.
    pub cut_lines: u64,
    /// Bytes that were left out of them.
    pub cut_bytes: u64,
    /// Lines that were no UTF-8.
    pub invalid_lines: u64,
    /// Files that vanished, or were truncated, before they were read to the end.
    pub vanished_files: u64,
    /// Bytes in them that had been seen and were not read.
    pub vanished_bytes: u64,
    /// Failed attempts to read a file; what is there is read when it succeeds again.
    pub failed_reads: u64,
}

/// What came of [`Tail::read`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum ReadOutcome {
    /// The batch holds its bytes: commit it, then read on.
    Full,
    /// The batch holds rows of another UTC day, so nothing was read: commit it, then read on.
    DayOver,
    /// There is more to read, and room in the batch: read on.
    More,
    /// A file is not what it was, or may be decided about now: scan, then read on.
    Rescan,
    /// Everything known is read. Scan and read when something changes, at the next rescan, or at this time, when a
    /// last line is due or a file is to be decided about.
    Drained(Option<Timestamp>),
}

/// Reads the files of some sources.
#[derive(Debug)]
pub struct Tail {
    sources: Vec<Source>,
    names: Vec<Arc<str>>,
    limits: TailLimits,
    files: Files,
    handles: Handles,
    /// Files that may be copies of others that stand; nothing of them is read.
    held: HashMap<FileId, Held>,
    /// Files to read, in turn.
    queue: VecDeque<FileKey>,
    /// Files with bytes behind their last newline.
    waiting: BTreeSet<FileKey>,
    /// Records of files that are gone, until they are handed out.
    departed: BTreeMap<FileKey, FileRecord>,
    /// Files that could not be opened when they were first seen.
    unreadable: HashMap<FileId, io::ErrorKind>,
    /// Folders whose change may change what is read.
    folders: BTreeSet<PathBuf>,
    /// Names of sources that have been started.
    started: BTreeSet<String>,
    next_key: FileKey,
    scans: u64,
    rescan: bool,
    counters: TailCounters,
    scratch: Vec<u8>,
    #[cfg(test)]
    births: Births,
}

/// Whether the file system says when a file was born; not all do.
#[cfg(test)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Births {
    Known,
    Unknown,
}

impl Tail {
    /// A tail that goes on at committed positions; [`Positions::default`] at the very first start. Reads no file yet.
    ///
    /// Files of a source that the config has no more are remembered, not read; a source that includes them takes over.
    pub fn open(sources: Vec<Source>, known: Positions, limits: TailLimits) -> Result<Self, TailError> {
        let mut names = HashSet::new();
        if let Some(twice) = sources.iter().find(|source| !names.insert(&source.name)) {
            return Err(TailError::SameName(twice.name.clone()));
        }
        let mut files = Files::default();
        for record in known.files.into_values() {
            check_record(&record, known.next_key)?;
            let source = sources.iter().position(|source| source.name == record.source);
            let is_included =
                source.and_then(|at| sources.get(at)).is_some_and(|source| source.matches(&record.path));
            let place = match (source, is_included, record.rotated) {
                (Some(_), true, _) => Place::Included,
                (Some(_), false, true) => Place::Rotated,
                _ => Place::Dormant,
            };
            files.insert(Known::from_record(record, source, place));
        }
        Ok(Self {
            names: sources.iter().map(|source| source.name.as_str().into()).collect(),
            sources,
            limits,
            files,
            handles: Handles::new(limits.open_files_max),
            held: HashMap::new(),
            queue: VecDeque::new(),
            waiting: BTreeSet::new(),
            departed: BTreeMap::new(),
            unreadable: HashMap::new(),
            folders: BTreeSet::new(),
            started: known.sources,
            next_key: known.next_key,
            scans: 0,
            rescan: false,
            counters: TailCounters::default(),
            scratch: Vec::new(),
            #[cfg(test)]
            births: Births::Known,
        })
    }

    /// Fills the batch from the files in turn, about a chunk from each.
    ///
    /// Looks at every open file for growth; what was written to others is found by [`Tail::scan`]. Looks at no more
    /// bytes than the batch may hold, and one turn.
    pub fn read(&mut self, batch: &mut LineBatch, now: Timestamp) -> ReadOutcome {
        if batch.day().is_some_and(|day| day != now.day()) {
            return ReadOutcome::DayOver;
        }
        self.queue_due(now);
        self.queue_grown(now);
        let mut looked_at = 0;
        while !batch.is_full() {
            if looked_at > batch.bytes_max() as u64 {
                return ReadOutcome::More;
            }
            let Some(key) = self.queue.pop_front() else {
                let due = self.due();
                let is_due = self.rescan || due.is_some_and(|due| due <= now);
                return if is_due { ReadOutcome::Rescan } else { ReadOutcome::Drained(due) };
            };
            looked_at += self.turn(key, batch, now);
        }
        ReadOutcome::Full
    }

    /// The records that changed since the last call, for the commit of the batch just filled. Not empty without rows
    /// when files were found, moved or are gone: such a state wants a commit too, with the next batch or in due time.
    pub fn moved(&mut self) -> Positions {
        let mut files = std::mem::take(&mut self.departed);
        for known in self.files.iter_mut().filter(|known| known.dirty) {
            known.dirty = false;
            files.insert(known.key, known.record());
        }
        Positions { next_key: self.next_key, sources: self.started.clone(), files }
    }

    /// The records of all files, for the commit that restates them, which needs no earlier one. To be called in place of
    /// [`Tail::moved`].
    pub fn live(&mut self) -> Positions {
        self.departed.clear();
        let mut files = BTreeMap::new();
        for known in self.files.iter_mut() {
            known.dirty = false;
            files.insert(known.key, known.record());
        }
        Positions { next_key: self.next_key, sources: self.started.clone(), files }
    }

    /// How many files are known.
    pub fn files(&self) -> usize {
        self.files.len()
    }

    /// What was done since the start.
    pub fn counters(&self) -> TailCounters {
        self.counters
    }

    /// The folders whose change may change what is read, as of the last scan. For [`Watch::follow`].
    pub fn folders(&self) -> &BTreeSet<PathBuf> {
        &self.folders
    }

    /// Gives one file its turn; returns how many bytes were looked at.
    fn turn(&mut self, key: FileKey, batch: &mut LineBatch, now: Timestamp) -> u64 {
        let Some(known) = self.files.get_mut(key) else { return 0 };
        known.queued = false;
        let Some(source) = known.source.and_then(|source| self.sources.get(source)) else { return 0 };
        let file = match self.handles.take(key).map_or_else(|| known.open(), Ok) {
            Ok(file) => file,
            Err(error) => {
                self.rescan |= error.kind() == io::ErrorKind::NotFound && !known.suspect;
                known.suspect |= error.kind() == io::ErrorKind::NotFound;
                note_trouble(known, &error, &mut self.counters);
                return 0;
            }
        };
        let mut reading = Reading {
            file: &file,
            source,
            batch,
            counters: &mut self.counters,
            scratch: &mut self.scratch,
            cut_bytes_max: self.limits.cut_bytes_max,
            now,
        };
        let (rows, offset) = (reading.batch.rows(), known.offset);
        let turn = read::turn(known, &mut reading);
        self.counters.lines += (batch.rows() - rows) as u64;
        self.counters.bytes += known.offset - offset;
        let bytes = match turn {
            Ok(turn) => self.finish_turn(key, turn, now),
            Err(error) => {
                note_trouble(known, &error, &mut self.counters);
                0
            }
        };
        if let Some(known) = self.files.get(key) {
            self.handles.keep(key, file, rank(known));
        }
        bytes
    }

    fn finish_turn(&mut self, key: FileKey, turn: Turn, now: Timestamp) -> u64 {
        let Some(known) = self.files.get_mut(key) else { return 0 };
        if known.partial.is_some() {
            self.waiting.insert(key);
        } else {
            self.waiting.remove(&key);
        }
        if turn != Turn::Changed {
            known.note_intact();
        }
        match turn {
            Turn::More(bytes) => {
                known.queued = true;
                self.queue.push_back(key);
                bytes
            }
            Turn::End(bytes) => {
                known.note_checked(now);
                bytes
            }
            Turn::Changed => {
                known.suspect = true;
                self.rescan = true;
                0
            }
        }
    }

    fn enqueue(&mut self, key: FileKey) {
        if let Some(known) = self.files.get_mut(key).filter(|known| !known.queued && !known.suspect) {
            known.queued = true;
            self.queue.push_back(key);
        }
    }

    /// Queues the files whose last line is due.
    fn queue_due(&mut self, now: Timestamp) {
        let waiting = self.waiting.iter().copied();
        let due = waiting.filter(|key| self.last_line_due(*key).is_some_and(|due| due <= now));
        for key in due.collect::<Vec<_>>() {
            self.enqueue(key);
        }
    }

    /// Queues the open files that have grown.
    fn queue_grown(&mut self, now: Timestamp) {
        let mut grown = Vec::new();
        for (key, file) in self.handles.iter() {
            let Some(known) = self.files.get_mut(key) else { continue };
            let seen = known.size_seen();
            let size = Stat::of_file(file).ok().flatten().map_or(seen, |stat| stat.size);
            match size.cmp(&seen) {
                Ordering::Greater => {
                    known.looked.size = size;
                    known.grown = now;
                    grown.push(key);
                }
                Ordering::Less => {
                    known.suspect = true;
                    self.rescan = true;
                }
                Ordering::Equal => {}
            }
        }
        for key in grown {
            self.enqueue(key);
        }
    }

    /// When the last line of a file is to be taken; none if it is not waiting, or cannot be read before the next scan.
    fn last_line_due(&self, key: FileKey) -> Option<Timestamp> {
        let known = self.files.get(key).filter(|known| !known.suspect && known.trouble.is_none())?;
        Some(later(known.partial?.since, self.sources.get(known.source?)?.last_line_timeout))
    }

    /// When something is to be done though nothing changes.
    fn due(&self) -> Option<Timestamp> {
        let last_lines = self.waiting.iter().filter_map(|key| self.last_line_due(*key));
        let held = self.held.values().filter_map(Held::due);
        let open = self.handles.iter().filter_map(|(key, _)| self.files.get(key));
        let unlinked = open.filter_map(|known| self.end_due(known));
        last_lines.chain(held).chain(unlinked).min()
    }

    /// When a file to which no path leads, and of which all is read that can be, is over if nothing more is written.
    fn end_due(&self, known: &Known) -> Option<Timestamp> {
        let source = self.sources.get(known.source?)?;
        let is_read = known.unread() == 0 || known.trouble.is_some();
        (known.place == Place::Unlinked && is_read).then(|| later(known.grown, source.last_line_timeout))
    }
}

fn rank(known: &Known) -> Rank {
    match (known.place, known.unread()) {
        (Place::Unlinked, _) => Rank::Unlinked,
        (_, 0) => Rank::Idle,
        (Place::Rotated, _) => Rank::Moved,
        _ => Rank::Unread,
    }
}

fn check_record(record: &FileRecord, next_key: FileKey) -> Result<(), TailError> {
    let reason = if record.key >= next_key {
        "its number was not issued yet"
    } else if record.print.tail.end() != record.offset {
        "its hashes do not end at its offset"
    } else {
        return Ok(());
    };
    Err(TailError::Record { key: record.key.column(), reason })
}

/// Says once that a file cannot be read. A file that is not at its path any more is no trouble: the next scan knows.
fn note_trouble(known: &mut Known, error: &io::Error, counters: &mut TailCounters) {
    if error.kind() == io::ErrorKind::NotFound {
        return;
    }
    counters.failed_reads += 1;
    if known.trouble != Some(error.kind()) {
        known.trouble = Some(error.kind());
        tracing::warn!(path = %known.label, %error, "file cannot be read; trying again at every scan");
    }
}

/// The time `wait` after `time`.
fn later(time: Timestamp, wait: Duration) -> Timestamp {
    Timestamp::from_micros(time.micros().saturating_add(i64::try_from(wait.as_micros()).unwrap_or(i64::MAX)))
}
