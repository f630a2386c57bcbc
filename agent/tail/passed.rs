//! Files that a source includes, and that are passed over for their names.
//!
//! A name that says that a file is compressed is believed: such a file is read only where it is a rotated file's that was
//! known. One that holds plain text all the same is not read either, and told.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

use super::Tail;
use super::identity::{FileId, Stat, bytes_at};
use super::source::{Source, Walk, is_compressed};

/// So many of its first bytes tell whether a file is text.
const LOOK_BYTES: usize = 512;

/// The files on disk that sources name, that are named as if they were compressed, and that hold plain text: they are not
/// read.
pub fn passed_over(sources: &[Source]) -> Vec<PathBuf> {
    let mut met = HashSet::new();
    let paths = sources.iter().flat_map(|source| {
        let mut walk = Walk::default();
        source.include.iter().for_each(|glob| glob.walk(&mut walk));
        walk.paths
            .into_iter()
            .filter(|path| is_compressed(path) && !source.excludes(path))
            .collect::<Vec<_>>()
    });
    let mut passed: Vec<PathBuf> = paths
        .filter(|path| {
            let stat = Stat::of_path(path).ok().flatten();
            stat.is_some_and(|stat| met.insert(stat.id) && is_text(&stat, path).unwrap_or(false))
        })
        .collect();
    passed.sort_unstable();
    passed
}

impl Tail {
    /// Says once of each file that is passed over for its name if it is plain text.
    pub(super) fn tell_passed_over(&mut self, paths: &[PathBuf]) {
        let mut before = std::mem::take(&mut self.passed);
        for path in paths {
            let Some(stat) = self.stat(path).ok().flatten().filter(|stat| stat.size > 0) else { continue };
            let is_known = |id: FileId| self.files.at_id(id).is_some();
            let is_told = before.remove(&stat.id) || self.passed.contains(&stat.id) || is_known(stat.id);
            if !is_told && is_text(&stat, path).unwrap_or(false) {
                tracing::warn!(
                    path = %path.display(),
                    "file is not read: it is named as if it were compressed, and is plain text"
                );
            }
            self.passed.insert(stat.id);
        }
    }
}

/// Whether a file begins as a text does, in an encoding that ASCII is a part of, and not as a compressed file.
fn is_text(stat: &Stat, path: &Path) -> io::Result<bool> {
    let mut buffer = [0; LOOK_BYTES];
    let bytes = bytes_at(&stat.open(path)?, 0, &mut buffer)?;
    let is_in_text = |byte: &u8| *byte >= b' ' || matches!(byte, b'\t' | b'\n' | b'\r' | 0x0c | 0x1b);
    Ok(!bytes.is_empty() && !bytes.starts_with(b"BZh") && bytes.iter().all(is_in_text))
}
