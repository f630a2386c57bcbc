//! How far files are read, for people.

use std::path::Path;
use std::sync::Arc;

use super::identity::Stat;
use super::known::{Known, Place};
use super::members::Damage;
use super::positions::{FileRecord, Positions};

/// How far the files of a source are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceStanding<'a> {
    /// The source.
    pub name: &'a str,
    /// Its files that are known.
    pub files: u64,
    /// Bytes that stand in them and are not read.
    pub lag_bytes: u64,
    /// Bytes read since the start.
    pub read_bytes: u64,
}

/// How far one file is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileStatus {
    /// Where it stood when its record was written.
    pub path: Arc<Path>,
    /// The source that reads it.
    pub source: Arc<str>,
    /// Its size now; none if it does not stand at its path any more.
    pub size: Option<u64>,
    /// Bytes of it that stand in Bronze.
    pub offset: u64,
    /// What is wrong with it, if it was compressed.
    pub damage: Option<Damage>,
    /// The agent could never open it.
    pub is_locked: bool,
}

impl FileStatus {
    /// Bytes that are not yet in Bronze, as far as they can be seen.
    pub fn lag(&self) -> u64 {
        self.size.unwrap_or(self.offset).saturating_sub(self.offset)
    }
}

/// Looks at all files that committed positions name, by path.
pub fn file_status(positions: &Positions) -> Vec<FileStatus> {
    let mut files: Vec<FileStatus> = positions.files.values().cloned().map(status).collect();
    files.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    files
}

fn status(record: FileRecord) -> FileStatus {
    let (path, source, offset) = (Arc::clone(&record.path), Arc::clone(&record.source), record.offset);
    let text_size = record.compressed.then_some(record.size);
    let known = Known::from_record(record, None, Place::Dormant);
    let stat = Stat::of_path(&path).ok().flatten();
    FileStatus {
        path,
        source,
        offset,
        damage: known.damage,
        is_locked: known.is_locked,
        size: stat.filter(|stat| known.is(stat)).map(|stat| text_size.unwrap_or(stat.size)),
    }
}
