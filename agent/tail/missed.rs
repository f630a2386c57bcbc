//! Looking for generations that came and went between two scans.
//!
//! When a file leaves its path, others may have stood there since it was first seen, each rotated on before a scan
//! could see it. Where a source includes the rotated names a scan comes across them anyway; elsewhere a file is taken for
//! such a generation if its name is one that a rotation of the path gives, if it was born after the file that left was
//! first seen, or after it was awaited in vain, if no record knows it, and if it is no copy of the file that left.
//!
//! In a folder below that of the path such a file is looked for only where a file that is known was taken to: the
//! rotated files there may be those of another log.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::Tail;
use super::end::{BIRTH_SLACK, is_in_the_making};
use super::gunzip::{Stray, stray};
use super::identity::{FileId, Fingerprint, Stat};
use super::judge::Begin;
use super::known::{Place, open_file};
use super::later;
use super::positions::FileKey;
use super::rotation::{Witness, equal_so_far, is_copy, origins};
use super::scan::{LISTINGS, Scan, Stranger};
use super::source::{is_compressed, uncompressed};
use crate::clock::Timestamp;

/// A path at which nothing stands is watched for this long after a file left it, and a compressed file that is not whole
/// after it was written to.
pub(super) const AWAITED: Duration = Duration::from_secs(60);

/// File systems stamp with a clock that is late by up to this.
const CLOCK_TICK: Duration = Duration::from_millis(20);

/// A path that a known file has left, or where one is awaited.
#[derive(Clone, Debug)]
pub(super) struct Vacated {
    path: Arc<Path>,
    source: usize,
    since: Timestamp,
    /// The file that left, and what was known of its bytes; nothing where one is awaited.
    left: Option<(FileKey, FileId)>,
    print: Fingerprint,
    /// How long to look on while nothing stands there. There is a last look after it: the host may have been suspended.
    until: Timestamp,
}

impl Vacated {
    /// The path.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Brings times that lie in the future down to `now`.
    pub(super) fn set_back(&mut self, now: Timestamp) {
        self.since = self.since.min(now);
        self.until = self.until.min(later(now, AWAITED));
    }
}

/// Whether a file was made since the last scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Newness {
    /// It was.
    SinceLastScan,
    /// It was made before, or nobody knows.
    Unknown,
}

/// What came of looking at a file that may be a missed generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taking {
    /// It is clear what it is.
    Settled,
    /// It is being compressed.
    InTheMaking,
    /// A rotation moved it on before it was opened, or ended what it may be a copy of: another scan tells.
    Overtaken,
}

impl Tail {
    /// Notes that a file is about to leave its path, if its source reads what stands there.
    pub(super) fn vacate(&mut self, key: FileKey, now: Timestamp) {
        let Some(known) = self.files.get(key).filter(|known| self.includes(key, &known.path)) else { return };
        let Some(source) = known.source else { return };
        self.vacated.push(Vacated {
            path: Arc::clone(&known.path),
            source,
            since: known.since,
            left: Some((key, known.id)),
            print: known.print.clone(),
            until: later(now, AWAITED),
        });
    }

    /// At a start: what was rotated before was followed by others, which may have been rotated on, too, before a commit
    /// told of them.
    pub(super) fn vacate_rotated(&mut self, now: Timestamp) {
        let until = later(now, AWAITED);
        let mut vacated: HashMap<PathBuf, Vacated> = HashMap::new();
        for known in self.files.iter() {
            let source = known.source.and_then(|at| Some((at, self.sources.get(at)?)));
            let (Some((at, source)), Some(plain)) = (source, uncompressed(&known.path)) else { continue };
            let is_origin = |origin: &PathBuf| {
                let is_added = plain.as_os_str().as_bytes().starts_with(origin.as_os_str().as_bytes());
                (known.place == Place::Rotated || is_added) && source.matches(origin)
            };
            for origin in origins(&plain).into_iter().filter(is_origin) {
                if vacated.get(&origin).is_none_or(|last| last.since < known.since) {
                    let (left, print) = (Some((known.key, known.id)), known.print.clone());
                    let path = origin.as_path().into();
                    vacated
                        .insert(origin, Vacated { path, source: at, since: known.since, left, print, until });
                }
            }
        }
        let vacated = vacated.into_values().filter(|vacated| self.files.at_path(&vacated.path).is_empty());
        self.vacated.extend(vacated.collect::<Vec<_>>());
    }

    /// Notes that nothing stands at a path that a source names: what does from now on may be gone at the next scan.
    pub(super) fn await_file(&mut self, scan: &Scan, source: usize, path: &Path) {
        let until = later(scan.now, AWAITED);
        if let Some(vacated) = self.vacated.iter_mut().find(|vacated| *vacated.path == *path) {
            vacated.until = until;
            return;
        }
        // What was rotated before is not meant; a birth is stamped by a clock that is a tick late.
        let since = later(scan.now, BIRTH_SLACK - CLOCK_TICK);
        let print = Fingerprint::unread();
        self.vacated.push(Vacated { path: path.into(), source, since, left: None, print, until });
    }

    /// Adds the generations that were missed at the paths left lately. Lists each folder once, or a few times while files
    /// are moved about in it.
    pub(super) fn look_for_missed(&mut self, scan: &mut Scan) {
        let vacated = std::mem::take(&mut self.vacated);
        if vacated.is_empty() {
            return;
        }
        let mut by_path: HashMap<&Path, Vec<usize>> = HashMap::new();
        for (at, vacated) in vacated.iter().enumerate() {
            by_path.entry(&vacated.path).or_default().push(at);
        }
        let folders = self.folders_rotated_to(&by_path);
        let (mut seen, mut unsettled) = (HashSet::new(), BTreeSet::new());
        for _ in 0..LISTINGS {
            let mut is_news = false;
            let mut paths: Vec<PathBuf> = folders.iter().flat_map(|folder| names_in(folder)).collect();
            // While a file is compressed both stand there for a moment.
            paths.sort_by_cached_key(|path| is_compressed(path));
            for path in paths {
                let Some(plain) = uncompressed(&path) else { continue };
                let left = origins(&plain).iter().find_map(|origin| by_path.get(&**origin).cloned());
                let Some(left) = left else { continue };
                let Some(stat) = self.stat(&path).ok().flatten().filter(|stat| seen.insert(stat.id)) else {
                    continue;
                };
                is_news = true;
                for at in left {
                    let Some(vacated) = vacated.get(at) else { continue };
                    match self.take_missed(scan, vacated, &path, stat) {
                        Taking::Settled => {}
                        Taking::InTheMaking => drop(unsettled.insert(at)),
                        Taking::Overtaken => {
                            unsettled.insert(at);
                            self.rescan = true;
                        }
                    }
                }
            }
            if !is_news {
                break;
            }
        }
        for (at, mut vacated) in vacated.into_iter().enumerate() {
            if unsettled.contains(&at) {
                vacated.until = later(scan.now, AWAITED);
                self.vacated.push(vacated);
            } else if scan.now < vacated.until && self.files.at_path(&vacated.path).is_empty() {
                // What was born before has been looked at.
                vacated.since = vacated.since.max(scan.now);
                self.vacated.push(vacated);
            }
        }
    }

    /// The folders of these paths, and those below them to which files were rotated that stood there.
    fn folders_rotated_to(&self, paths: &HashMap<&Path, Vec<usize>>) -> BTreeSet<PathBuf> {
        let own: BTreeSet<&Path> = paths.keys().filter_map(|path| path.parent()).collect();
        let rotated = self.files.iter().filter(|known| known.place == Place::Rotated);
        let below = rotated.filter_map(|known| {
            let folder =
                known.path.parent().filter(|folder| folder.parent().is_some_and(|up| own.contains(up)))?;
            let plain = uncompressed(&known.path)?;
            origins(&plain).iter().any(|origin| paths.contains_key(&**origin)).then_some(folder)
        });
        own.iter().copied().chain(below).map(Path::to_owned).collect()
    }

    fn take_missed(&mut self, scan: &mut Scan, vacated: &Vacated, path: &Path, stat: Stat) -> Taking {
        let born = Timestamp::from_micros(stat.born.unwrap_or(stat.modified / 1000));
        if later(born, BIRTH_SLACK) < vacated.since
            || self.held.contains_key(&stat.id)
            || scan.forgotten.contains(&stat.id)
        {
            return Taking::Settled;
        }
        match stat.open(path) {
            Ok(file) if self.is_unknown(&stat, &file) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Taking::Overtaken,
            Err(error) if !is_compressed(path) && self.files.at_id(stat.id).is_none() => {
                let stranger = Stranger { path: path.to_owned(), source: vacated.source, stat, passed: 0 };
                self.add_locked(scan, &stranger, Begin::Anew, &error);
                return Taking::Settled;
            }
            Ok(_) | Err(_) => return Taking::Settled,
        }
        if is_compressed(path) {
            return self.take_missed_compressed(scan, vacated, path, stat);
        }
        let is_new = scan.last.is_some_and(|last| later(born, BIRTH_SLACK) >= last);
        let newness = if is_new { Newness::SinceLastScan } else { Newness::Unknown };
        let begin = stat.open(path).and_then(|file| {
            let is_copy = self.is_copy_of_left(vacated, &file, stat.size, newness)?;
            // Of one that was given up the rest is still to be read.
            let is_given_up = self.read_before(path, &file, stat.size, scan.now).is_some();
            Ok(if is_copy && !is_given_up { Begin::AtEnd } else { Begin::Anew })
        });
        let begin = match begin {
            Ok(begin) => begin,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Taking::Overtaken,
            Err(_) => return Taking::Settled,
        };
        let stranger = Stranger { path: path.to_owned(), source: vacated.source, stat, passed: 0 };
        self.meet(scan, &stranger, begin);
        Taking::Settled
    }

    /// Whether a file is a copy of the one that left. Generations may begin alike: it is compared with that file's bytes
    /// or, where these are gone, with what is known of them. A shorter file that is new since the last scan is a generation;
    /// an older one is a copy also where too little is known, if the file that left was truncated and so had not moved.
    fn is_copy_of_left(
        &self,
        vacated: &Vacated,
        file: &File,
        size: u64,
        newness: Newness,
    ) -> io::Result<bool> {
        let Some((key, id)) = vacated.left.filter(|_| vacated.print.head.len() > 0) else { return Ok(false) };
        if !vacated.print.head.stands_in(file)? {
            return Ok(false);
        }
        if let Some(left) = self.open_itself(key) {
            return equal_so_far(&left, file, size);
        }
        if newness == Newness::SinceLastScan && size < vacated.print.tail.end() {
            return Ok(false);
        }
        let there = self.files.at_id(id).and_then(|key| self.files.get(key));
        let is_truncated = there.is_some_and(|there| there.key != key && there.path == vacated.path);
        let witness =
            if is_truncated && newness == Newness::Unknown { Witness::Place } else { Witness::None };
        is_copy(&vacated.print, file, size, witness, open_file(&vacated.path).as_ref())
    }

    /// A known file, open, if it is at hand and not compressed.
    fn open_itself(&self, key: FileKey) -> Option<File> {
        let known = self.files.get(key).filter(|known| !known.is_compressed)?;
        match self.handles.get(key) {
            Some(file) => file.try_clone().ok(),
            None => known.open().ok(),
        }
    }

    /// Takes a compressed file for a missed generation if it was written to since the file that left was first seen, and
    /// is a copy of no file that is or was known.
    fn take_missed_compressed(
        &mut self,
        scan: &mut Scan,
        vacated: &Vacated,
        path: &Path,
        stat: Stat,
    ) -> Taking {
        let written = Timestamp::from_micros(stat.modified / 1000);
        if later(written, BIRTH_SLACK) < vacated.since {
            return Taking::Settled;
        }
        if self.walks.is_copy(&stat, self.scans) {
            return Taking::Settled;
        }
        if !self.walks.is_due(&stat, scan.now, self.scans) {
            return Taking::InTheMaking;
        }
        let mut walked = 0;
        let known = self.files.iter().map(|known| (Some(known.key), &known.print, known.size_seen()));
        let gone = self.gone.iter().map(|gone| &gone.print).chain([&vacated.print]);
        let gone = gone.map(|print| (None, print, print.tail.end()));
        let successor = open_file(&vacated.path);
        let open = |key| self.open_itself(key);
        let stray = stat
            .open(path)
            .and_then(|file| stray(file, known.chain(gone), open, successor.as_ref(), &mut walked));
        self.counters.walked_bytes += walked;
        match stray {
            Ok(Stray::Generation(text)) if is_in_the_making(&stat, text.damage, scan.now) => {
                self.walks.note_in_the_making(&stat);
                Taking::InTheMaking
            }
            Ok(Stray::Generation(text)) => {
                let stranger = Stranger { path: path.to_owned(), source: vacated.source, stat, passed: 0 };
                self.add_compressed(scan, &stranger, text);
                Taking::Settled
            }
            Ok(Stray::AwaitsEndOf(key)) => {
                if let Some(original) = self.files.get_mut(key) {
                    original.suspect = true;
                }
                Taking::Overtaken
            }
            Ok(Stray::Copy) => {
                self.walks.note_copy(&stat);
                Taking::Settled
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Taking::Overtaken,
            Err(error) => {
                self.note_unreadable(scan, path, stat.id, &error);
                Taking::InTheMaking
            }
        }
    }
}

/// The paths in a folder.
fn names_in(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}
