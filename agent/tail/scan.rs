//! Finding out which files there are.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::identity::{FileId, Stat, births_agree};
use super::judge::Begin;
use super::known::{Look, Place};
use super::missed::Vacated;
use super::positions::FileKey;
use super::source::{Walk, is_compressed};
use super::{Tail, rank};
use crate::clock::Timestamp;

/// How often a folder is listed for a file or a copy that is not there before it is given up: between the listing and
/// the look at a file a rotation may have moved it on.
pub(super) const LISTINGS: usize = 4;

/// What a scan found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScanReport {
    /// Files known after the scan.
    pub known: usize,
    /// Files seen for the first time.
    pub found: usize,
    /// Files that stand at another path than before.
    pub renamed: usize,
    /// Files that were truncated or rewritten.
    pub truncated: usize,
    /// Rotated copies that go on for a file that ended.
    pub copies: usize,
    /// Files that are gone.
    pub gone: usize,
    /// Files that may be copies of others and are held back.
    pub held: usize,
    /// Compressed files, which are not read.
    pub compressed: usize,
    /// Files that cannot be opened.
    pub unreadable: usize,
}

/// A file that no record knows.
#[derive(Clone, Debug)]
pub(super) struct Stranger {
    pub(super) path: PathBuf,
    pub(super) source: usize,
    pub(super) stat: Stat,
    /// So many of its first bytes are not to be read: they stood there when its source was first started.
    pub(super) passed: u64,
}

/// One scan's findings on the way.
#[derive(Debug)]
pub(super) struct Scan {
    pub(super) now: Timestamp,
    /// When the scan before this one was, if this process made it and the clock was not set back since.
    pub(super) last: Option<Timestamp>,
    pub(super) report: ScanReport,
    /// Files to decide about, in the order of the sources' globs.
    pub(super) strangers: Vec<Stranger>,
    /// The inodes of the strangers.
    met: HashSet<FileId>,
    /// For each source, whether this is its first scan ever.
    pub(super) is_first: Vec<bool>,
    /// Files that could not be opened in the scan before.
    pub(super) unreadable: HashMap<FileId, io::ErrorKind>,
    /// Folders that are out of sight.
    pub(super) away: HashSet<PathBuf>,
    /// Files that are gone, and copies of which are being compressed.
    pub(super) awaited: HashSet<FileKey>,
    /// Rotated files that are remembered no more.
    pub(super) forgotten: HashSet<FileId>,
    /// In a tail's first scan, once it is asked for, the files known from records, by inode number.
    by_ino: Option<HashMap<u64, Vec<FileKey>>>,
}

impl Tail {
    /// Finds new, moved, rotated, truncated and vanished files, and queues what is to be read. To be called at the
    /// start, when something changed, and now and then, which heals missed events. Costs about two system calls a file.
    pub fn scan(&mut self, now: Timestamp) -> ScanReport {
        self.scans += 1;
        self.rescan = false;
        let last = self.tell_time(now);
        if self.scans == 1 {
            self.vacate_rotated(now);
        }
        let mut scan = self.begin_scan(now, last);
        for (source, path) in self.walk(&mut scan) {
            self.look_at(&mut scan, source, path);
        }
        self.look_for_missing(&mut scan);
        self.try_locked(&mut scan);
        self.bound_deleted(&mut scan);
        self.look_into_changed();
        self.judge_suspects(&mut scan);
        // What stands where another file was comes first: others may be copies of it.
        let vacated: HashSet<&Path> = self.vacated.iter().map(Vacated::path).collect();
        let is_place_new = |at: &Path| !vacated.contains(at);
        scan.strangers.sort_by_cached_key(|stranger| is_place_new(&stranger.path));
        let successors = scan.strangers.partition_point(|stranger| !is_place_new(&stranger.path));
        for at in 0..scan.strangers.len() {
            let Some(stranger) = scan.strangers.get(at).cloned() else { break };
            let begin = if at < successors { Begin::Anew } else { Begin::BySource };
            self.meet(&mut scan, &stranger, begin);
        }
        self.look_for_missed(&mut scan);
        self.held.retain(|_, held| held.scan == self.scans);
        self.walks.forget_others(self.scans);
        self.started.extend(self.sources.iter().map(|source| source.name.clone()));
        self.queue_changed();
        scan.report.held = self.held.len();
        scan.report.known = self.files.len();
        let locked = self.files.iter().filter(|known| known.is_locked).count();
        scan.report.unreadable = locked + self.unreadable.len();
        scan.report
    }

    /// Where the clock was set back, waits that began in what is now the future begin now. Returns when the last scan was,
    /// if that can be told by this clock.
    fn tell_time(&mut self, now: Timestamp) -> Option<Timestamp> {
        let last = self.scanned_at.replace(now).filter(|last| *last <= now);
        if last.is_none() {
            self.files.iter_mut().for_each(|known| known.set_back(now));
            self.held.values_mut().for_each(|held| held.set_back(now));
            self.vacated.iter_mut().for_each(|vacated| vacated.set_back(now));
        }
        last
    }

    fn begin_scan(&mut self, now: Timestamp, last: Option<Timestamp>) -> Scan {
        Scan {
            now,
            last,
            report: ScanReport::default(),
            strangers: Vec::new(),
            met: HashSet::new(),
            is_first: self.sources.iter().map(|source| !self.started.contains(&source.name)).collect(),
            unreadable: std::mem::take(&mut self.unreadable),
            away: HashSet::new(),
            awaited: HashSet::new(),
            forgotten: HashSet::new(),
            by_ino: None,
        }
    }

    /// All paths that the sources include, those of the first source first; a path may come more than once.
    fn walk(&mut self, scan: &mut Scan) -> Vec<(usize, PathBuf)> {
        let mut folders = BTreeSet::new();
        let (mut paths, mut passed) = (Vec::new(), Vec::new());
        for (at, source) in self.sources.iter().enumerate() {
            let mut walk = Walk::default();
            source.include.iter().for_each(|glob| glob.walk(&mut walk));
            folders.extend(walk.folders);
            for path in walk.paths.into_iter().filter(|path| !source.excludes(path)) {
                if is_compressed(&path) {
                    passed.push(path);
                } else {
                    paths.push((at, path));
                }
            }
        }
        let targets = self.files.iter().filter_map(|known| known.target.as_deref()?.parent());
        folders.extend(targets.map(Path::to_owned));
        self.folders = folders;
        scan.report.compressed = passed.len();
        self.tell_passed_over(&passed);
        paths
    }

    fn look_at(&mut self, scan: &mut Scan, source: usize, path: PathBuf) {
        let Ok(Some(stat)) = self.stat(&path) else { return self.await_file(scan, source, &path) };
        let key = self.files.at_id(stat.id).or_else(|| self.renumbered(scan, &path, &stat));
        match key.and_then(|key| self.files.get_mut(key)) {
            Some(known) if known.seen == self.scans => {}
            Some(known) if known.can_be(&stat) && !known.is_compressed => {
                let (key, is_moved) = (known.key, *known.path != *path);
                // A file known as empty may have been written to, copied and truncated since it was last looked at.
                let may_have_held =
                    !known.is_seen() && !known.is_locked && known.looked.modified != stat.modified;
                known.source = Some(source);
                known.source_name =
                    self.names.get(source).map_or_else(|| Arc::clone(&known.source_name), Arc::clone);
                if may_have_held {
                    self.vacate(key, scan.now);
                }
                self.sighted(scan, key, &stat, Place::Included);
                if is_moved {
                    self.moved_to(scan, key, &path, &stat);
                }
            }
            known => {
                match known.map(|known| (known.key, known.is_seen() || known.is_locked)) {
                    Some((key, false)) => {
                        self.vacate(key, scan.now);
                        self.depart(key, 0);
                    }
                    // The inode was given to another file.
                    Some((key, true)) => self.files.unlink_id(key, stat.id),
                    None => {}
                }
                if scan.met.insert(stat.id) {
                    scan.strangers.push(Stranger { path, source, stat, passed: 0 });
                }
            }
        }
    }

    /// A file whose device has another number than when its record was written: same inode number, birth and bytes.
    fn renumbered(&mut self, scan: &mut Scan, path: &Path, stat: &Stat) -> Option<FileKey> {
        if self.scans > 1 {
            return None;
        }
        let by_ino = scan.by_ino.get_or_insert_with(|| {
            let mut by_ino: HashMap<u64, Vec<FileKey>> = HashMap::new();
            self.files.iter().for_each(|known| by_ino.entry(known.id.ino).or_default().push(known.key));
            by_ino
        });
        let known = by_ino.get(&stat.id.ino)?.iter().filter_map(|key| self.files.get(*key));
        let mut same = known.filter(|known| {
            let is_born_then = known.born.is_some() && known.born == stat.born;
            let is_there = *known.path == *path && births_agree(known.born, stat.born);
            known.id.dev != stat.id.dev && known.seen != self.scans && (is_born_then || is_there)
        });
        let file = stat.open(path).ok()?;
        let key = same.find(|known| known.print.stands_in(&file).unwrap_or(false))?.key;
        self.files.set_id(key, stat.id, stat.born);
        Some(key)
    }

    /// Notes what a scan sees of a known file.
    pub(super) fn sighted(&mut self, scan: &Scan, key: FileKey, stat: &Stat, place: Place) {
        let Some(known) = self.files.get_mut(key) else { return };
        known.seen = self.scans;
        known.place = place;
        if known.is_compressed {
            known.looked = Look { size: known.size, modified: stat.modified };
            return;
        }
        known.suspect |= stat.size < known.size_seen();
        if stat.size > known.size_seen() {
            known.grown = scan.now;
        }
        known.looked = Look::of(stat);
        if known.is_locked {
            known.size = known.size_seen();
        }
    }

    /// Notes that a known file was found at another path, unless it still stands at the one that is known, too.
    fn moved_to(&mut self, scan: &mut Scan, key: FileKey, path: &Path, stat: &Stat) {
        let Some(known) = self.files.get(key) else { return };
        let is_there = self.stat(&known.path).ok().flatten().is_some_and(|old| old.id == stat.id);
        if !(is_there && self.includes(key, &known.path)) {
            self.vacate(key, scan.now);
            self.files.move_to(key, path);
            scan.report.renamed += 1;
        }
    }

    /// Looks into the files that have changed.
    fn look_into_changed(&mut self) {
        let changed = self.files.iter().filter(|known| known.needs_reading() && known.unread() > 0);
        for key in changed.map(|known| known.key).collect::<Vec<_>>() {
            self.hold_fast(key);
        }
    }

    /// Opens a file with unread bytes, so that it cannot vanish unread while it is kept open, and looks whether the bytes
    /// are its own. Its first bytes are noted: by them a copy can be told before anything is read.
    pub(super) fn hold_fast(&mut self, key: FileKey) {
        let Some(known) = self.files.get_mut(key) else { return };
        if known.gunzip.is_some() {
            return;
        }
        let Ok(file) = self.handles.take(key).map_or_else(|| known.open(), Ok) else { return };
        if known.is_compressed {
            return self.handles.keep(key, file, rank(known));
        }
        let head = known.print.head;
        match known.print.stands_in(&file).and_then(|stands| Ok(stands && known.print.renew_head(&file)?)) {
            Ok(true) => {
                known.note_intact();
                // If it cannot be read now, the next look sees it.
                let _ = known.print.renew_end(&file, known.size);
            }
            Ok(false) => known.suspect = true,
            Err(_) => {}
        }
        known.dirty |= known.print.head != head;
        self.handles.keep(key, file, rank(known));
    }

    fn queue_changed(&mut self) {
        let changed = self.files.iter().filter(|known| known.needs_reading());
        for key in changed.map(|known| known.key).collect::<Vec<_>>() {
            self.enqueue(key);
        }
    }

    /// Whether the source of a known file reads `path`.
    pub(super) fn includes(&self, key: FileKey, path: &Path) -> bool {
        let source = self.files.get(key).and_then(|known| self.sources.get(known.source?));
        source.is_some_and(|source| source.matches(path))
    }

    pub(super) fn stat(&self, path: &Path) -> io::Result<Option<Stat>> {
        #[cfg(test)]
        if self.births == super::Births::Unknown {
            return Ok(Stat::of_path(path)?.map(|stat| Stat { born: None, ..stat }));
        }
        Stat::of_path(path)
    }
}
