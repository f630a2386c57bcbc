//! What became of the known files that a scan did not come across: followed where they moved, or gone.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::io;
use std::os::unix::fs::DirEntryExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::end::Cause;
use super::identity::Stat;
use super::known::Place;
use super::positions::FileKey;
use super::rotation::rotation_folders;
use super::scan::{LISTINGS, Scan};
use super::source::is_compressed;
use super::{Tail, later};
use crate::clock::Timestamp;

/// Files whose folder is out of sight are remembered for this long.
const AWAY_KEPT: Duration = Duration::from_secs(24 * 60 * 60);
/// A rotated file that no source includes is forgotten when it is read and has not changed for this long.
/// Until then it may still be renamed and compressed, as once a month.
const ROTATED_KEPT: Duration = Duration::from_secs(40 * 24 * 60 * 60);

impl Tail {
    /// Finds out what became of the known files that the walk did not come across.
    pub(super) fn look_for_missing(&mut self, scan: &mut Scan) {
        let unseen = self.files.iter().filter(|known| known.seen != self.scans);
        let mut missing: Vec<FileKey> = unseen.map(|known| known.key).collect();
        missing.retain(|key| !self.is_out_of_sight(scan, *key) && !self.is_at_path(scan, *key));
        self.away.retain(|folder, _| scan.away.contains(folder));
        let (open, mut moved): (Vec<_>, Vec<_>) = missing.into_iter().partition(|key| self.is_deleted(*key));
        for _ in 0..LISTINGS {
            let listing = self.list_folders(&moved);
            moved.retain(|key| !self.is_listed(scan, &listing, *key));
        }
        for key in open.into_iter().chain(moved) {
            match self.stat_open(key) {
                Some(stat) => self.read_out(scan, key, &stat),
                None => self.end(scan, key, Cause::Gone),
            }
        }
    }

    /// Whether a file that no glob showed is at its path all the same, or needs no search.
    fn is_at_path(&mut self, scan: &mut Scan, key: FileKey) -> bool {
        let Some(known) = self.files.get(key) else { return true };
        let place = known.place;
        match self.stat(&known.path).ok().flatten().filter(|stat| known.is(stat)) {
            Some(stat) => {
                self.sighted(scan, key, &stat, place);
                self.forget_if_old(scan, key);
                true
            }
            None if place == Place::Dormant => {
                self.depart(key, 0);
                true
            }
            None => false,
        }
    }

    /// Whether nobody can tell if a file is still there: its folder is not there, or may not be looked into. It may be
    /// mounted again, moved back or opened up, with the same files, which are remembered for a while.
    fn is_out_of_sight(&mut self, scan: &mut Scan, key: FileKey) -> bool {
        let Some(known) = self.files.get(key) else { return false };
        let Some(folder) = known.path.parent().map(Path::to_owned) else { return false };
        let is_hidden = match self.stat(&known.path) {
            Ok(_) => false,
            Err(error) if error.kind() == io::ErrorKind::NotFound => std::fs::metadata(&folder).is_err(),
            Err(error) => error.kind() != io::ErrorKind::NotADirectory,
        };
        if !is_hidden || self.is_deleted(key) {
            return false;
        }
        let since = *self.away.entry(folder.clone()).or_insert_with(|| {
            tracing::warn!(folder = %folder.display(), "folder is out of sight; its files are remembered");
            scan.now
        });
        scan.away.insert(folder);
        let is_remembered = scan.now < later(since, AWAY_KEPT);
        if is_remembered && let Some(known) = self.files.get_mut(key) {
            known.seen = self.scans;
        }
        is_remembered
    }

    fn is_deleted(&self, key: FileKey) -> bool {
        self.stat_open(key).is_some_and(|stat| stat.links == 0)
    }

    /// What stands in the folders in which these files were, and in those to which a rotation may have taken them, by
    /// inode number.
    fn list_folders(&self, keys: &[FileKey]) -> HashMap<u64, Vec<PathBuf>> {
        let known = keys.iter().filter_map(|key| self.files.get(*key));
        let wanted: HashSet<u64> = known.clone().map(|known| known.id.ino).collect();
        let left: BTreeSet<&Path> = known.flat_map(|known| known.paths().filter_map(Path::parent)).collect();
        let folders: BTreeSet<PathBuf> = left.into_iter().flat_map(rotation_folders).collect();
        let mut listing: HashMap<u64, Vec<PathBuf>> = HashMap::new();
        for entry in
            folders.into_iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten().flatten()
        {
            if wanted.contains(&entry.ino()) {
                listing.entry(entry.ino()).or_default().push(entry.path());
            }
        }
        listing
    }

    /// Whether a file stands in one of the listed folders under another name, which is noted.
    fn is_listed(&mut self, scan: &mut Scan, listing: &HashMap<u64, Vec<PathBuf>>, key: FileKey) -> bool {
        let Some(known) = self.files.get(key) else { return true };
        let paths = listing.get(&known.id.ino).map_or(&[] as &[PathBuf], Vec::as_slice);
        let found = paths.iter().find_map(|path| {
            let is_like = |stat: &Stat| known.can_be(stat) && known.is_compressed == is_compressed(path);
            let stat = self.stat(path).ok().flatten().filter(is_like)?;
            Some((path, stat))
        });
        let Some((path, stat)) = found else { return false };
        let place = if self.includes(key, path) { Place::Included } else { Place::Rotated };
        self.vacate(key, scan.now);
        self.sighted(scan, key, &stat, place);
        self.files.move_to(key, path);
        scan.report.renamed += 1;
        true
    }

    fn forget_if_old(&mut self, scan: &mut Scan, key: FileKey) {
        let Some(known) = self.files.get(key) else { return };
        let changed = Timestamp::from_micros(known.looked.modified / 1000);
        if known.place == Place::Rotated && known.unread() == 0 && later(changed, ROTATED_KEPT) < scan.now {
            scan.forgotten.insert(known.id);
            self.depart(key, 0);
        }
    }
}
