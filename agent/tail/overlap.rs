//! Files that several sources name. Each is read once, by the first of them.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::PathBuf;

use super::identity::Stat;
use super::source::{Source, Walk, is_compressed};
use crate::text::Shown;

/// Files that two sources name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overlap {
    /// The source that reads them: the first in the config.
    pub reader: String,
    /// The source that names them, too.
    pub other: String,
    /// How many there are.
    pub files: usize,
    /// One of them, as the other source names it.
    pub path: PathBuf,
}

impl fmt::Display for Overlap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { reader, other, files, path } = self;
        let path = Shown(path.display());
        write!(f, "sources `{reader}` and `{other}` both name {path}")?;
        if *files > 1 {
            write!(f, " and {} more", files - 1)?;
        }
        write!(f, "; `{reader}` reads it, since a file is read once, by the first source that names it")
    }
}

/// The files on disk that a source names, by path.
pub fn named_files(source: &Source) -> Vec<PathBuf> {
    let mut walk = Walk::default();
    source.include.iter().for_each(|glob| glob.walk(&mut walk));
    let mut paths = walk.paths;
    paths.retain(|path| !source.excludes(path) && !is_compressed(path));
    paths.sort_unstable();
    paths.dedup();
    paths
}

/// The files on disk that more than one source names, whatever path leads to them.
pub fn overlaps(sources: &[Source]) -> Vec<Overlap> {
    let mut readers = HashMap::new();
    let mut overlaps: BTreeMap<(usize, usize), (usize, PathBuf)> = BTreeMap::new();
    for (at, source) in sources.iter().enumerate() {
        for path in named_files(source) {
            let Ok(Some(stat)) = Stat::of_path(&path) else { continue };
            let reader = *readers.entry(stat.id).or_insert(at);
            if reader != at {
                overlaps.entry((reader, at)).or_insert((0, path)).0 += 1;
            }
        }
    }
    let name = |at: usize| sources.get(at).map(|source| source.name.clone()).unwrap_or_default();
    let overlap =
        |((reader, other), (files, path))| Overlap { reader: name(reader), other: name(other), files, path };
    overlaps.into_iter().map(overlap).collect()
}
