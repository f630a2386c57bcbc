//! Looking for generations that came and went between two scans.
//!
//! When a file leaves its path, others may have stood there since it was first seen, each rotated on before a scan
//! could see it. Where a source includes the rotated names a scan comes across them anyway; elsewhere a file is taken for
//! such a generation if its name is one that a rotation of the path gives, if it was born after the file that left was
//! first seen, if no record knows it, and if it does not begin like the file that left: then it would be a copy of it.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Tail;
use super::end::BIRTH_SLACK;
use super::identity::{FileId, Stat, Window};
use super::judge::Begin;
use super::later;
use super::positions::FileKey;
use super::rotation::origins;
use super::scan::{LISTINGS, Scan, Stranger};
use super::source::is_compressed;
use crate::clock::Timestamp;

/// A path that a known file has left.
#[derive(Clone, Debug)]
pub(super) struct Vacated {
    path: Arc<Path>,
    source: usize,
    since: Timestamp,
    head: Window,
    /// Scans that may still look.
    scans_left: usize,
}

/// What came of looking at a file that may be a missed generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taking {
    /// It is clear what it is.
    Settled,
    /// A rotation moved it on before it was opened.
    MovedOn,
}

impl Tail {
    /// Notes that a file is about to leave its path, if its source reads what stands there.
    pub(super) fn vacate(&mut self, key: FileKey) {
        let Some(known) = self.files.get(key).filter(|known| self.includes(key, &known.path)) else { return };
        let Some(source) = known.source else { return };
        self.vacated.push(Vacated {
            path: Arc::clone(&known.path),
            source,
            since: known.since,
            head: known.print.head,
            scans_left: LISTINGS,
        });
    }

    /// Adds the generations that were missed at the paths left lately. Lists each folder once, or a few times while files
    /// are moved about in it.
    pub(super) fn look_for_missed(&mut self, scan: &mut Scan) {
        let vacated = std::mem::take(&mut self.vacated);
        let folders: BTreeSet<&Path> = vacated.iter().filter_map(|vacated| vacated.path.parent()).collect();
        let mut by_path: HashMap<&Path, Vec<usize>> = HashMap::new();
        for (at, vacated) in vacated.iter().enumerate() {
            by_path.entry(&vacated.path).or_default().push(at);
        }
        let (mut seen, mut unsettled) = (HashSet::new(), BTreeSet::new());
        for _ in 0..LISTINGS {
            let mut is_news = false;
            for path in folders.iter().flat_map(|folder| names_in(folder)) {
                let left = origins(&path).iter().find_map(|origin| by_path.get(&**origin).cloned());
                let Some(left) = left.filter(|_| !is_compressed(&path)) else { continue };
                let Some(stat) = self.stat(&path).ok().flatten().filter(|stat| seen.insert(stat.id)) else {
                    continue;
                };
                is_news = true;
                for at in left {
                    let Some(vacated) = vacated.get(at) else { continue };
                    if self.take_missed(scan, vacated, &path, stat) == Taking::MovedOn {
                        unsettled.insert(at);
                    }
                }
            }
            if !is_news {
                break;
            }
        }
        for mut vacated in unsettled.iter().filter_map(|at| vacated.get(*at).cloned()) {
            vacated.scans_left -= 1;
            if vacated.scans_left > 0 {
                self.rescan = true;
                self.vacated.push(vacated);
            }
        }
    }

    fn take_missed(&mut self, scan: &mut Scan, vacated: &Vacated, path: &Path, stat: Stat) -> Taking {
        let born = Timestamp::from_micros(stat.born.unwrap_or(stat.modified / 1000));
        let is_known = self.is_known(&stat) || self.held.contains_key(&stat.id);
        if is_known || later(born, BIRTH_SLACK) < vacated.since {
            return Taking::Settled;
        }
        let head =
            stat.open(path).and_then(|file| Ok(vacated.head.len() > 0 && vacated.head.stands_in(&file)?));
        let begin = match head {
            Ok(true) => Begin::AtEnd,
            Ok(false) => Begin::Anew,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Taking::MovedOn,
            Err(_) => return Taking::Settled,
        };
        self.meet(scan, &Stranger { path: path.to_owned(), source: vacated.source, stat }, begin);
        Taking::Settled
    }

    fn is_known(&self, stat: &Stat) -> bool {
        let known = |id: FileId| self.files.at_id(id).and_then(|key| self.files.get(key));
        known(stat.id).is_some_and(|known| known.is(stat))
    }
}

/// The paths in a folder.
fn names_in(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}
