//! Files that could never be opened.
//!
//! Nothing is known of such a file but its inode and its size. It is followed under its names as any other: once it can be
//! opened it is decided about as if it were seen for the first time, and when it is gone, or truncated, before that, its
//! bytes count as vanished.

use std::io;

use super::Tail;
use super::judge::Begin;
use super::known::{Known, Place};
use super::positions::FileKey;
use super::scan::{Scan, Stranger};
use super::source::StartAt;
use super::turns::note_trouble;

impl Tail {
    /// Takes up a file that cannot be opened, for this reason.
    pub(super) fn add_locked(
        &mut self,
        scan: &mut Scan,
        stranger: &Stranger,
        begin: Begin,
        error: &io::Error,
    ) {
        let Stranger { path, source, stat, .. } = stranger;
        if error.kind() == io::ErrorKind::NotFound {
            // It has moved on since the walk.
            self.rescan = true;
            return;
        }
        let (Some(settings), Some(name)) = (self.sources.get(*source), self.names.get(*source)) else {
            return;
        };
        let is_first = scan.is_first.get(*source).copied().unwrap_or(false);
        let is_passed = match begin {
            Begin::AtEnd => true,
            Begin::BySource => is_first && settings.start_at == StartAt::End,
            Begin::Anew | Begin::At(_) => false,
        };
        let place = if settings.matches(path) { Place::Included } else { Place::Rotated };
        let key = self.next_key;
        self.next_key = key.next();
        let mut known = Known::new(key, (*source, name.clone()), path, stat, scan.now);
        known.lock(if is_passed { stat.size } else { 0 });
        known.place = place;
        known.seen = self.scans;
        note_trouble(&mut known, error, &mut self.counters);
        self.files.insert(known);
        scan.report.found += 1;
    }

    /// Tries to open the files that could not be: those that can be by now are strangers.
    pub(super) fn try_locked(&mut self, scan: &mut Scan) {
        let seen = |known: &&Known| known.is_locked && known.seen == self.scans && !known.suspect;
        let locked: Vec<FileKey> = self.files.iter().filter(seen).map(|known| known.key).collect();
        for key in locked {
            let Some(known) = self.files.get_mut(key).filter(|known| known.place != Place::Dormant) else {
                continue;
            };
            if let Err(error) = known.open() {
                self.rescan |= error.kind() == io::ErrorKind::NotFound;
                note_trouble(known, &error, &mut self.counters);
                continue;
            }
            let (path, passed) = (known.path.to_path_buf(), known.offset);
            let (Some(source), Ok(Some(stat))) = (known.source, self.stat(&path)) else { continue };
            self.depart(key, 0);
            scan.strangers.push(Stranger { path, source, stat, passed });
        }
    }
}
