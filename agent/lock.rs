//! One process per state folder.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

/// Holds the folder's `lock` file; the kernel lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub struct FolderLock {
    _file: File,
}

/// The outcome of trying to lock a folder.
#[must_use]
#[derive(Debug)]
pub enum Locked {
    /// It is ours.
    Ours(FolderLock),
    /// Another process has it.
    Taken,
}

/// The file that a lock on `folder` is a lock on.
pub fn file(folder: &Path) -> PathBuf {
    folder.join("lock")
}

impl FolderLock {
    /// Locks `folder`, which must exist.
    ///
    /// # Errors
    /// The lock file cannot be opened.
    pub fn acquire(folder: &Path) -> io::Result<Locked> {
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(file(folder))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Locked::Ours(Self { _file: file })),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(Locked::Taken),
            Err(error) => Err(error.into()),
        }
    }
}
