//! Whose turn it is to be read, and when something is due though nothing changes.

use std::cmp::Ordering;
use std::io;
use std::path::Path;

use super::batch::LineBatch;
use super::gunzip::Next;
use super::identity::Stat;
use super::judge::Held;
use super::known::{Known, Look, Place};
use super::positions::FileKey;
use super::read::{self, Reading, Turn};
use super::unpack::Opened;
use super::{Tail, TailCounters, later, rank};
use crate::clock::Timestamp;

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

impl Tail {
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

    /// Looks at the files at `paths`, which were written to: a look at each, where a scan looks at all. Says whether that
    /// will do; if not, one of them is not known, or not what it was, and a scan sees to it.
    pub fn look<'a>(&mut self, paths: impl IntoIterator<Item = &'a Path>, now: Timestamp) -> bool {
        let mut will_do = true;
        for path in paths {
            will_do &= self.look_at_written(path, now);
        }
        will_do
    }

    fn look_at_written(&mut self, path: &Path, now: Timestamp) -> bool {
        let &[key] = self.files.at_path(path) else { return false };
        let Some(stat) = self.stat(path).ok().flatten() else { return false };
        let Some(known) = self.files.get_mut(key) else { return false };
        let is_it = known.place == Place::Included && !known.is_compressed && known.is(&stat);
        if !is_it || stat.size < known.size_seen() {
            return false;
        }
        if stat.size > known.size_seen() {
            known.grown = now;
        }
        known.looked = Look::of(&stat);
        if known.needs_reading() {
            self.hold_fast(key);
            self.enqueue(key);
        }
        self.files.get(key).is_some_and(|known| !known.suspect)
    }

    /// Gives one file its turn; returns how many bytes were looked at.
    fn turn(&mut self, key: FileKey, batch: &mut LineBatch, now: Timestamp) -> u64 {
        let has_room = self.has_room_to_unpack(key);
        let Some(known) = self.files.get_mut(key) else { return 0 };
        known.queued = false;
        let Some(source) = known.source.and_then(|source| self.sources.get(source)) else { return 0 };
        let folder = self.pieces_folder.as_deref();
        let opened = match known.is_compressed {
            true if !has_room => {
                known.queued = true;
                self.queue.push_back(key);
                return 0;
            }
            true => known.piece(folder, || self.handles.take(key)).map(Opened::Piece),
            false => self.handles.take(key).map_or_else(|| known.open(), Ok).map(Opened::File),
        };
        let opened = match opened {
            Ok(opened) => opened,
            Err(error) => {
                self.rescan |= error.kind() == io::ErrorKind::NotFound && !known.suspect;
                known.suspect |= error.kind() == io::ErrorKind::NotFound;
                note_trouble(known, &error, &mut self.counters);
                return 0;
            }
        };
        if known.is_compressed {
            self.unpacking.insert(key);
        }
        let (rows, offset) = (batch.rows(), known.offset);
        let file = opened.file();
        let mut turn = source.encoding.charset(file).and_then(|charset| {
            let mut reading = Reading {
                file,
                source,
                charset,
                batch,
                counters: &mut self.counters,
                scratch: &mut self.scratch,
                cut_bytes_max: self.limits.cut_bytes_max,
                now,
            };
            read::turn(known, &mut reading)
        });
        if let Ok(Turn::End(bytes)) = turn {
            turn = known.next_piece(source.line_bytes_max, folder).map(|next| match next {
                Next::Piece => Turn::More(bytes),
                Next::End => Turn::End(bytes),
            });
        }
        self.counters.lines += (batch.rows() - rows) as u64;
        let moved = known.offset - offset;
        self.counters.bytes += moved;
        if let Some(read) = known.source.and_then(|source| self.read_bytes.get_mut(source)) {
            *read += moved;
        }
        let bytes = match turn {
            Ok(turn) => self.finish_turn(key, turn, now),
            Err(error) => {
                note_trouble(known, &error, &mut self.counters);
                0
            }
        };
        match (opened, self.files.get(key)) {
            (Opened::File(file), Some(known)) => self.handles.keep(key, file, rank(known)),
            (Opened::Piece(_), Some(known)) if known.queued => {}
            _ => self.put_away(key),
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

    pub(super) fn enqueue(&mut self, key: FileKey) {
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
            let Some(known) = self.files.get_mut(key).filter(|known| !known.is_compressed) else { continue };
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
        let partial = known.source.and(known.partial)?;
        Some(later(partial.since, partial.wait))
    }

    /// When something is to be done though nothing changes.
    fn due(&self) -> Option<Timestamp> {
        let last_lines = self.waiting.iter().filter_map(|key| self.last_line_due(*key));
        let held = self.held.values().filter_map(Held::due);
        let open = self.handles.iter().filter_map(|(key, _)| self.files.get(key));
        let unlinked = open.filter_map(|known| self.end_due(known));
        last_lines.chain(held).chain(unlinked).chain(self.walks.due()).min()
    }

    /// When a file to which no path leads, and of which all is read that can be, is over if nothing more is written.
    pub(super) fn end_due(&self, known: &Known) -> Option<Timestamp> {
        let source = self.sources.get(known.source?)?;
        let is_read = known.unread() == 0 || known.trouble.is_some();
        (known.place == Place::Unlinked && is_read).then(|| later(known.grown, source.last_line_timeout))
    }
}

/// Says once that a file cannot be read. A file that is not at its path any more is no trouble: the next scan knows.
pub(super) fn note_trouble(known: &mut Known, error: &io::Error, counters: &mut TailCounters) {
    if error.kind() == io::ErrorKind::NotFound {
        return;
    }
    counters.failed_reads += 1;
    if known.trouble != Some(error.kind()) {
        known.trouble = Some(error.kind());
        tracing::warn!(path = %known.path.display(), %error, "file cannot be read; trying again at every scan");
    }
}
