//! When a file that changes is at rest.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::config::ConfigFiles;

/// A file, or all of a configuration, that is looked at again and again.
#[derive(Debug)]
pub(super) struct Settling {
    path: PathBuf,
    /// Which files belong to it now.
    files: fn(&Path) -> Vec<PathBuf>,
    /// As it was when it was last taken, if that is known.
    taken: Option<Stamps>,
    /// As it was at the last look.
    seen: Option<Stamps>,
}

/// Files, and the state of each.
type Stamps = Vec<(PathBuf, Stamp)>;

/// What tells one state of a file from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stamp {
    Missing,
    There { device: u64, inode: u64, bytes: u64, written: (i64, i64), changed: (i64, i64) },
}

impl Stamp {
    fn of(path: &Path) -> Self {
        match fs::metadata(path) {
            Err(_) => Self::Missing,
            Ok(file) => Self::There {
                device: file.dev(),
                inode: file.ino(),
                bytes: file.size(),
                written: (file.mtime(), file.mtime_nsec()),
                changed: (file.ctime(), file.ctime_nsec()),
            },
        }
    }
}

impl Settling {
    /// The file at `path`, which is taken as it stands after this.
    pub(super) fn taken(path: &Path) -> Self {
        let mut file = Self { files: |path| vec![path.to_owned()], ..Self::configuration(path) };
        let stamps = Some(file.stamps());
        (file.taken, file.seen) = (stamps.clone(), stamps);
        file
    }

    /// The configuration of which `path` is the main file; nobody knows how it was when it was taken.
    pub(super) fn configuration(path: &Path) -> Self {
        Self { path: path.to_owned(), files: ConfigFiles::paths, taken: None, seen: None }
    }

    fn stamps(&self) -> Stamps {
        let stamped = |file: PathBuf| {
            let stamp = Stamp::of(&file);
            (file, stamp)
        };
        (self.files)(&self.path).into_iter().map(stamped).collect()
    }

    /// Looks at the file. Answers whether it is another than was taken, and as it was at the last look, so that nobody is
    /// writing it; it counts as taken then.
    pub(super) fn has_settled(&mut self) -> bool {
        let now = Some(self.stamps());
        let rests = std::mem::replace(&mut self.seen, now.clone()) == now;
        rests && std::mem::replace(&mut self.taken, now.clone()) != now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_taken_once_when_two_looks_see_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs::write(&path, "1").unwrap();
        let mut file = Settling::taken(&path);
        assert!(!file.has_settled());
        fs::write(&path, "12").unwrap();
        assert!(!file.has_settled(), "it may be written on");
        fs::write(&path, "123").unwrap();
        assert!(!file.has_settled(), "it was written on");
        assert!(file.has_settled());
        assert!(!file.has_settled(), "it was taken");
        fs::write(folder.path().join("b"), "456").unwrap();
        fs::rename(folder.path().join("b"), &path).unwrap();
        assert_eq!(
            (file.has_settled(), file.has_settled()),
            (false, true),
            "another file of the same length"
        );
        fs::remove_file(&path).unwrap();
        assert_eq!((file.has_settled(), file.has_settled()), (false, true));
    }
}
