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
//!   it is in its folder or in one in that; a file that is deleted or moved away is read to its end through its handle,
//!   if it is open.
//! - When bytes that were read are no longer there (truncated, rewritten, inode reused), the file *ends*; what stands
//!   there is a new file with a new key, read from 0. The bytes of the ended file that were not yet read are looked
//!   for in a rotated copy, which goes on under the old key (see `rotation.rs`); what is found nowhere is counted.
//! - A rotated file that is compressed by gzip goes on under its key, too (see `gunzip.rs`). Compressed files that are no
//!   file's that was known are not read, nor what is only named so; that is told (see `passed.rs`).
//! - What could never be opened is followed all the same (see `locked.rs`).
//! - The offset never passes bytes that were not taken, and a record never runs ahead of the rows.
//! - Offsets count the bytes of the file, whatever its encoding (see `encoding.rs`).
//! - Two paths with one inode are one file. Equal content is not identity.
//!
//! - A generation that came and went between two scans, or two runs, is looked for under the names that a rotation
//!   gives, also where no source includes them, if a file was known or awaited before it at its path (see `missed.rs`).
//!
//! Memory: about a kilobyte for each file that exists, and one more of marks for each that was read since the start; the
//! batch; one megabyte for searching the end of an over-long
//! line. Open files: [`TailLimits::open_files_max`] and one, and two for each of the few compressed ones that are read at one
//! time; deleted ones among them hold no more disk space than
//! [`TailLimits::deleted_bytes_max`].

mod batch;
mod container;
mod encoding;
mod end;
mod files;
mod gunzip;
mod handles;
mod holes;
mod identity;
mod judge;
mod known;
mod lines;
mod locked;
mod members;
mod missed;
mod missing;
mod multiline;
mod overlap;
mod packed;
mod passed;
mod positions;
mod power_loss;
mod read;
mod rotation;
mod scan;
mod source;
mod status;
#[cfg(test)]
mod tests;
mod turns;
mod units;
mod unpack;
mod walks;
mod watch;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use batch::{LineBatch, Lines, Origin, Run};
pub use encoding::{Encoding, EncodingError};
pub use identity::{Fingerprint, Window};
pub use members::Damage;
pub use multiline::{Multiline, Rule, RuleError};
pub use overlap::{Overlap, named_files, overlaps};
pub use passed::passed_over;
pub use positions::{FileKey, FileRecord, Positions, Told};
pub use scan::ScanReport;
pub use source::{Exclude, FileGlob, GlobError, Source, StartAt};
pub use status::{FileStatus, SourceStanding, file_status};
pub use turns::ReadOutcome;
pub use watch::{Change, Watch, WatchMode};

use crate::clock::Timestamp;
use end::Gone;
use files::Files;
use handles::{Handles, Rank};
use identity::FileId;
use judge::Held;
use known::{Known, Place};
use missed::Vacated;
use walks::Walks;

/// What a tail may use.
#[derive(Clone, Copy, Debug)]
pub struct TailLimits {
    /// Files kept open. The ones that matter most stay open: deleted ones first, then those with unread bytes.
    pub open_files_max: usize,
    /// Disk space that deleted files may take because they are kept open. Beyond it those deleted first are let go; what
    /// was not read of them is counted.
    pub deleted_bytes_max: u64,
    /// A line that goes on for more than this many bytes behind its cut is ended there; the rest is the next line.
    pub cut_bytes_max: u64,
}

impl Default for TailLimits {
    /// 256 open files; 1 GiB of deleted ones; 64 MiB of a line that is cut.
    fn default() -> Self {
        Self { open_files_max: 256, deleted_bytes_max: 1 << 30, cut_bytes_max: 64 << 20 }
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
    /// Lines with bytes that are no characters of their encoding.
    pub invalid_lines: u64,
    /// Files that vanished, or were truncated, before they were read to the end.
    pub vanished_files: u64,
    /// Bytes in them that had been seen and were not read.
    pub vanished_bytes: u64,
    /// NUL bytes skipped that stood where a line should begin: nobody wrote them.
    pub hole_bytes: u64,
    /// Rotated files that gzip compressed and that are damaged; what can be read of them is read.
    pub damaged_files: u64,
    /// Bytes decompressed to find out which files compressed ones are.
    pub walked_bytes: u64,
    /// Failed attempts to read a file; what is there is read when it succeeds again.
    pub failed_reads: u64,
}

/// Reads the files of some sources.
#[derive(Debug)]
pub struct Tail {
    sources: Vec<Source>,
    names: Vec<Arc<str>>,
    limits: TailLimits,
    files: Files,
    handles: Handles,
    /// Compressed files that are being read.
    unpacking: BTreeSet<FileKey>,
    /// Where what is decompressed is kept, if that is given.
    pieces_folder: Option<PathBuf>,
    /// What was found out about compressed files.
    walks: Walks,
    /// Files that may be copies of others that stand; nothing of them is read.
    held: HashMap<FileId, Held>,
    /// Files to read, in turn.
    queue: VecDeque<FileKey>,
    /// Files with bytes behind their last newline.
    waiting: BTreeSet<FileKey>,
    /// Records of files that are gone, until they are handed out.
    departed: BTreeMap<FileKey, FileRecord>,
    /// Files that are gone, the last first.
    gone: VecDeque<Gone>,
    /// Compressed files that could not be opened.
    unreadable: HashMap<FileId, io::ErrorKind>,
    /// Files that are passed over for their names, and were looked at.
    passed: HashSet<FileId>,
    /// Folders whose change may change what is read.
    folders: BTreeSet<PathBuf>,
    /// Folders that are out of sight, and since when.
    away: BTreeMap<PathBuf, Timestamp>,
    /// Paths that files have left, where others may have stood meanwhile.
    vacated: Vec<Vacated>,
    /// Names of sources that have been started.
    started: BTreeSet<String>,
    next_key: FileKey,
    scans: u64,
    /// The time of the last scan.
    scanned_at: Option<Timestamp>,
    /// When the machine was started, if that is known.
    booted: Option<Timestamp>,
    rescan: bool,
    counters: TailCounters,
    /// Bytes by which positions moved on, source by source.
    read_bytes: Vec<u64>,
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
        let mut met = HashSet::new();
        if let Some(twice) = sources.iter().find(|source| !met.insert(&source.name)) {
            return Err(TailError::SameName(twice.name.clone()));
        }
        let names: Vec<Arc<str>> = sources.iter().map(|source| source.name.as_str().into()).collect();
        let mut files = Files::default();
        for mut record in known.files.into_values() {
            check_record(&record, known.next_key)?;
            let source = names.iter().position(|name| *name == record.source);
            if let Some(name) = source.and_then(|at| names.get(at)) {
                record.source = Arc::clone(name);
            }
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
            read_bytes: vec![0; names.len()],
            names,
            sources,
            limits,
            files,
            handles: Handles::new(limits.open_files_max),
            unpacking: BTreeSet::new(),
            pieces_folder: None,
            walks: Walks::default(),
            held: HashMap::new(),
            queue: VecDeque::new(),
            waiting: BTreeSet::new(),
            departed: BTreeMap::new(),
            gone: VecDeque::new(),
            unreadable: HashMap::new(),
            passed: HashSet::new(),
            folders: BTreeSet::new(),
            away: BTreeMap::new(),
            vacated: Vec::new(),
            started: known.sources,
            next_key: known.next_key,
            scans: 0,
            scanned_at: None,
            booted: None,
            rescan: false,
            counters: TailCounters::default(),
            scratch: Vec::new(),
            #[cfg(test)]
            births: Births::Known,
        })
    }

    /// Says when the machine was started. Files that were known before may have lost their ends when it stopped; without
    /// this such a file counts as rewritten, and is read again.
    pub fn booted_at(&mut self, booted: Option<Timestamp>) {
        self.booted = booted;
    }

    /// Says where to keep what is decompressed of files that are being read: nameless files of a piece each, few at one time.
    pub fn unpack_in(&mut self, folder: PathBuf) {
        self.pieces_folder = Some(folder);
    }

    /// The records that changed since the last call, for the commit of the batch just filled. Not empty without rows
    /// when files were found, moved or are gone: such a state wants a commit too, with the next batch or in due time.
    ///
    /// # Errors
    /// A record cannot be written as JSON, which is a fault of this module.
    pub fn moved(&mut self) -> serde_json::Result<Told> {
        let mut files = std::mem::take(&mut self.departed);
        for known in self.files.iter_mut().filter(|known| known.dirty) {
            known.dirty = false;
            files.insert(known.key, known.record());
        }
        Told::new(self.next_key, self.started.clone(), files.into_values())
    }

    /// Whether files are gone of which [`Tail::moved`] has not told yet.
    pub fn has_departed(&self) -> bool {
        !self.departed.is_empty()
    }

    /// The records of all files, for the commit that restates them, which needs no earlier one. To be called in place of
    /// [`Tail::moved`].
    ///
    /// # Errors
    /// As for [`Tail::moved`].
    pub fn live(&mut self) -> serde_json::Result<Told> {
        self.departed.clear();
        let records = self.files.iter_mut().map(|known| {
            known.dirty = false;
            known.record()
        });
        Told::new(self.next_key, self.started.clone(), records)
    }

    /// A number for lines that come from no file; like those of files, it is never given again.
    pub fn issue_key(&mut self) -> FileKey {
        let key = self.next_key;
        self.next_key = key.next();
        key
    }

    /// How many files are known.
    pub fn files(&self) -> usize {
        self.files.len()
    }

    /// What was done since the start.
    pub fn counters(&self) -> TailCounters {
        self.counters
    }

    /// How far each source is, as of the last look at its files.
    pub fn standings(&self) -> impl Iterator<Item = SourceStanding<'_>> {
        let mut sources = vec![(0, 0); self.names.len()];
        for known in self.files.iter() {
            if let Some((files, lag_bytes)) = known.source.and_then(|source| sources.get_mut(source)) {
                *files += 1;
                *lag_bytes += known.unread();
            }
        }
        let read = self.names.iter().zip(&self.read_bytes);
        read.zip(sources).map(|((name, read_bytes), (files, lag_bytes))| SourceStanding {
            name,
            files,
            lag_bytes,
            read_bytes: *read_bytes,
        })
    }

    /// The folders whose change may change what is read, as of the last scan. For [`Watch::follow`].
    pub fn folders(&self) -> &BTreeSet<PathBuf> {
        &self.folders
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

/// The time `wait` after `time`.
fn later(time: Timestamp, wait: Duration) -> Timestamp {
    Timestamp::from_micros(time.micros().saturating_add(i64::try_from(wait.as_micros()).unwrap_or(i64::MAX)))
}
