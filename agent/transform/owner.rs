//! Opening a plugin's file, where asked for only one that nobody but root can have put there.

use std::fmt;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path};

use rustix::fs::{FileType, Mode, OFlags, fstat, open, openat};

/// Whose a plugin's file must be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FileOwner {
    /// Whoever may write it is trusted.
    #[default]
    Anyone,
    /// The file and every folder above it belong to root, nobody else may write to them, and none of them is a symbolic
    /// link.
    Root,
}

/// Others than root can write here.
const OTHERS_WRITE: u32 = 0o022;

/// A pipe in a file's place must not be waited for.
const FILE: OFlags = OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);

/// Opens the file at `path`, whoever put it there.
///
/// # Errors
/// There is none, it cannot be read, or something else stands there, such as a pipe or a device.
pub(super) fn open_of_anyone(path: &Path) -> io::Result<File> {
    let file = open(path, FILE, Mode::empty())?;
    match is_file(&file)? {
        true => Ok(file.into()),
        false => Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no file")),
    }
}

/// Opens the file at `path` folder by folder from the root on, and looks at each by the descriptor that leads to the
/// next: what was looked at is what is opened, whatever is renamed meanwhile.
///
/// # Errors
/// Which part of the path is wrong, and why.
pub(super) fn open_of_root(path: &Path) -> io::Result<File> {
    let path = std::path::absolute(path)?;
    let folder = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = FILE | OFlags::NOFOLLOW;
    let mut at = open("/", folder, Mode::empty())?;
    check(&at, Path::new("/"))?;
    let mut so_far = Path::new("/").to_owned();
    let mut parts = path.components().filter(|part| matches!(part, Component::Normal(_))).peekable();
    while let Some(part) = parts.next() {
        so_far.push(part);
        let flags = if parts.peek().is_some() { folder } else { file };
        at = openat(&at, part.as_os_str(), flags, Mode::empty()).map_err(|error| match error {
            rustix::io::Errno::LOOP | rustix::io::Errno::NOTDIR => {
                refusal(&so_far, "is a symbolic link, or no folder; name the file itself")
            }
            error => io::Error::new(io::Error::from(error).kind(), told(&so_far, &error)),
        })?;
        check(&at, &so_far)?;
    }
    if !is_file(&at)? {
        return Err(refusal(&so_far, "is no file"));
    }
    Ok(at.into())
}

fn is_file(at: &OwnedFd) -> io::Result<bool> {
    Ok(FileType::from_raw_mode(fstat(at)?.st_mode) == FileType::RegularFile)
}

fn check(at: &OwnedFd, path: &Path) -> io::Result<()> {
    let stat = fstat(at.as_fd())?;
    if stat.st_uid != 0 {
        return Err(refusal(path, &format!("belongs to the user {}, not to root", stat.st_uid)));
    }
    if stat.st_mode & OTHERS_WRITE != 0 {
        return Err(refusal(path, "may be written by others than root"));
    }
    Ok(())
}

fn refusal(path: &Path, what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, told(path, &what))
}

fn told(path: &Path, what: &impl fmt::Display) -> String {
    format!("{} {what}", path.display())
}
