//! Open files, bounded in number: the ones that matter most stay open.

use std::collections::BTreeMap;
use std::fs::File;

use super::positions::FileKey;

/// Why a file is kept open, least important first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// Read to its end; open so that what is written just before it vanishes is not missed.
    Idle,
    /// There are bytes to read.
    Unread,
    /// There are bytes to read, and a rotation has moved the file.
    Moved,
    /// No path leads to the file any more: this handle is the only way to its bytes.
    Unlinked,
}

#[derive(Debug)]
struct Held {
    file: File,
    rank: Rank,
    used: u64,
}

/// At most `max` open files. A handle that is taken out is the taker's to put back.
#[derive(Debug)]
pub(super) struct Handles {
    held: BTreeMap<FileKey, Held>,
    max: usize,
    uses: u64,
}

impl Handles {
    pub(super) fn new(max: usize) -> Self {
        Self { held: BTreeMap::new(), max: max.max(1), uses: 0 }
    }

    pub(super) fn take(&mut self, key: FileKey) -> Option<File> {
        self.held.remove(&key).map(|held| held.file)
    }

    /// Keeps a file open; if there are too many, closes the least important one that was used longest ago, which may be
    /// this one.
    pub(super) fn keep(&mut self, key: FileKey, file: File, rank: Rank) {
        self.uses += 1;
        if self.held.len() >= self.max && !self.held.contains_key(&key) {
            let least = self.held.iter().min_by_key(|(_, held)| (held.rank, held.used));
            match least.map(|(key, held)| (*key, held.rank)) {
                Some((other, least)) if least <= rank && least < Rank::Unlinked => self.held.remove(&other),
                _ => return,
            };
        }
        self.held.insert(key, Held { file, rank, used: self.uses });
    }

    pub(super) fn get(&self, key: FileKey) -> Option<&File> {
        self.held.get(&key).map(|held| &held.file)
    }

    pub(super) fn set_rank(&mut self, key: FileKey, rank: Rank) {
        if let Some(held) = self.held.get_mut(&key) {
            held.rank = rank;
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (FileKey, &File)> {
        self.held.iter().map(|(key, held)| (*key, &held.file))
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.held.len()
    }
}
