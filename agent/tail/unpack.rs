//! Compressed files that are being read: few at one time, since each takes a decompressor and room on disk.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::Tail;
use super::gunzip::{AT_ONCE_MAX, Gunzip};
use super::identity::Stat;
use super::known::Known;
use super::positions::FileKey;

/// What is read in one turn.
pub(super) enum Opened {
    /// The file itself.
    File(File),
    /// A piece of its text, if it is compressed.
    Piece(Arc<File>),
}

impl Opened {
    pub(super) fn file(&self) -> &File {
        match self {
            Self::File(file) => file,
            Self::Piece(piece) => piece,
        }
    }
}

impl Known {
    /// The piece of the text that is to be read; `kept` gives the file, if it is kept open.
    pub(super) fn piece(
        &mut self,
        folder: Option<&Path>,
        kept: impl FnOnce() -> Option<File>,
    ) -> io::Result<Arc<File>> {
        if let Some(gunzip) = &self.gunzip {
            return Ok(gunzip.piece());
        }
        let file = kept().map_or_else(|| self.open(), Ok)?;
        let gunzip = Gunzip::open(file, &self.print, self.offset, self.text_end(), folder)?;
        Ok(self.gunzip.insert(Box::new(gunzip)).piece())
    }
}

impl Tail {
    /// Whether one more compressed file may be read beside those that are, or this is one of them.
    pub(super) fn has_room_to_unpack(&mut self, key: FileKey) -> bool {
        if self.unpacking.len() < AT_ONCE_MAX || self.unpacking.contains(&key) {
            return true;
        }
        // One that has no turn to come holds nothing back.
        let has_turn = |key: &FileKey| self.files.get(*key).is_some_and(|known| known.queued);
        let (_, over): (Vec<FileKey>, Vec<FileKey>) = self.unpacking.iter().copied().partition(has_turn);
        over.iter().for_each(|key| self.put_away(*key));
        !over.is_empty()
    }

    /// Ends the reading of a compressed file for now.
    pub(super) fn put_away(&mut self, key: FileKey) {
        self.unpacking.remove(&key);
        if let Some(known) = self.files.get_mut(key) {
            known.gunzip = None;
        }
    }

    /// Whether a compressed file's text, as far as it was read, is that of `file`.
    pub(super) fn text_stands_in(&self, key: FileKey, file: &File) -> io::Result<bool> {
        let Some(known) = self.files.get(key) else { return Ok(false) };
        let folder = self.pieces_folder.as_deref();
        let gunzip = Gunzip::open(file.try_clone()?, &known.print, known.offset, known.text_end(), folder)?;
        known.print.stands_in(&gunzip.piece())
    }

    /// What the file system says of a file that is kept open.
    pub(super) fn stat_open(&self, key: FileKey) -> Option<Stat> {
        let unpacked = self.files.get(key).and_then(|known| known.gunzip.as_deref()).map(Gunzip::file);
        let file = unpacked.or_else(|| self.handles.get(key))?;
        Stat::of_file(file).ok().flatten()
    }
}
