//! When another file is a rotated copy of one that is known.
//!
//! Equal bytes alone prove nothing: two hosts, or two workers, may begin their logs with the same lines. A file is
//! taken for a copy of a known one, its original, only if all of this holds:
//! - Its name is the original's with a rotation's addition (`app.log` -> `app.log.1`, `app-20260731.log`,
//!   `app.log.bak`), in the same folder or one below it. Live files rarely have such names, and copies have no others.
//! - It is new: no record knows it, and the original, or what ended at its place, was known before this scan. A file
//!   that no source includes must also have been born after the original was first seen, or hold all that was read and
//!   that be 1 KiB or more: older ones are copies of what stood there earlier.
//! - The original has *ended*: it was truncated or rewritten, or it is gone. As long as it stands, both are equal so
//!   far and nothing is decided: the file is held back, unread, and looked at again at every scan.
//! - Every window of the original's fingerprint that fits into the file is found there: the bytes before our offset,
//!   or, in a copy made before our last read and so shorter than what was read, earlier marks. The first bytes alone
//!   prove a copy only if it is short, since generations of one log may share a long header; what stands in the
//!   original's successor, too, proves nothing.
//!
//! A file that is held ends up in one of three ways. Its bytes come to differ from the original's: it is a file of its
//! own, read from 0. The original ends: it is the copy, read on from our offset under the original's key. Or neither:
//! then it is a prefix of a file that is read anyway. With 1 KiB or more in common that is no chance, and it stays
//! unread; a shorter one is read as a file of its own after [`HOLD`] without growth, since a few equal first lines are
//! likely. A copy in progress grows, so it is not given up.
//!
//! What is left to chance:
//! - A file below 1 KiB that comes up under a rotation's name just when an original with the very same bytes ends is
//!   taken for its copy. Nothing is lost but lines that were delivered, with equal content, from the original.
//! - After a restart, in place of a log that was truncated and of which no copy is left, a generation that was missed and
//!   begins like it is taken for a copy of it, unless it is long enough to be told by bytes further behind.
//! - A generation that came and went between two scans, begins with the same header as the truncated log before it, and is
//!   shorter than what was read of that, is taken for its copy if all that is known of the log up to there is header.
//! - A file under a rotation's name that begins with all that was read, 1 KiB or more, of one that is gone since a minute
//!   or less is taken for its copy, and read behind that.
//! - A compressed file that is damaged is taken for a copy if its first bytes are, even where a whole one had to have
//!   more in common: what was read of the log is not read again for a copy of which only the beginning is left.
//! - A file that is rewritten in place, keeps its size, and differs only in bytes that no window covers, counts as
//!   unchanged: what was read is not compared as a whole. Of one that also grows only its beginning and the bytes before
//!   our offset are compared.
//! - A copy of less than 16 bytes, made and left behind by our reading between two scans, is read again.

use std::ffi::OsStr;
use std::fs::{DirEntry, File, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::identity::{Fingerprint, HEAD_BYTES, TAIL_BYTES, Window, bytes_at};

/// A short file that equals the beginning of another is held back for this long.
pub(super) const HOLD: Duration = Duration::from_secs(10);

/// From this size on equal bytes are no chance.
pub(super) const STRONG_BYTES: u64 = HEAD_BYTES as u64;

/// A copy that is shorter than what was read may be this long to be told by its first bytes alone.
pub(super) const HEAD_ALONE_BYTES: u64 = 4096;

/// Folders in one that a rotation may take files to: so many are looked into, those changed last.
const FOLDERS_BELOW_MAX: usize = 32;

/// The folders to which a rotation may take a file of `folder`: itself, and those in it.
pub(super) fn rotation_folders(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let may_be_folder =
        |entry: &DirEntry| entry.file_type().is_ok_and(|kind| kind.is_dir() || kind.is_symlink());
    let mut below: Vec<(i64, PathBuf)> = entries
        .filter(may_be_folder)
        .filter_map(|entry| {
            let metadata = std::fs::metadata(entry.path()).ok().filter(Metadata::is_dir)?;
            Some((metadata.mtime(), entry.path()))
        })
        .collect();
    below.sort_unstable_by(|a, b| b.cmp(a));
    let below = below.into_iter().take(FOLDERS_BELOW_MAX).map(|(_, folder)| folder);
    [folder.to_owned()].into_iter().chain(below).collect()
}

/// The paths whose rotated copy could stand at `path`.
pub(super) fn origins(path: &Path) -> Vec<PathBuf> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return Vec::new() };
    let names = original_names(name.as_bytes());
    let folders = [Some(folder), folder.parent()];
    folders
        .into_iter()
        .flatten()
        .flat_map(|folder| names.iter().map(|name| folder.join(OsStr::from_bytes(name))))
        .collect()
}

/// The names to which a rotation may have added something to get `name`: at the end, or before the extension.
fn original_names(name: &[u8]) -> Vec<Vec<u8>> {
    let extension = name.iter().rposition(|byte| *byte == b'.').unwrap_or(name.len());
    let mut names = Vec::new();
    for end in [name.len(), extension] {
        let (Some(body), Some(ending)) = (name.get(..end), name.get(end..)) else { continue };
        for (cut, _) in body.iter().enumerate().skip(1).filter(|(_, byte)| is_separator(**byte)) {
            if let Some((stem, added)) = body.split_at_checked(cut)
                && is_rotation(added)
            {
                names.push([stem, ending].concat());
            }
        }
    }
    names
}

fn is_separator(byte: u8) -> bool {
    matches!(byte, b'.' | b'-' | b'_' | b'~')
}

/// Whether `added` consists of separators, numbers, dates and the words that tools add to old files.
fn is_rotation(added: &[u8]) -> bool {
    const WORDS: [&[u8]; 11] = [
        b"old",
        b"bak",
        b"backup",
        b"copy",
        b"orig",
        b"prev",
        b"previous",
        b"rotated",
        b"save",
        b"tmp",
        b"temp",
    ];
    let mut tokens = added
        .split(|byte| is_separator(*byte) || matches!(byte, b':' | b'+'))
        .filter(|token| !token.is_empty());
    let known = tokens.all(|token| {
        let digits = token.iter().all(|byte| byte.is_ascii_digit() || matches!(byte, b'T' | b'Z'));
        let word = token.iter().take_while(|byte| !byte.is_ascii_digit()).count();
        let (word, number) = token.split_at_checked(word).unwrap_or((token, &[]));
        digits || (WORDS.contains(&word) && number.iter().all(u8::is_ascii_digit))
    });
    known && added.len() > 1 || added == b"~"
}

/// What speaks for a copy besides its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Witness {
    /// Nothing: it was found when the original had ended.
    None,
    /// It was compared with the original itself while that still stood.
    Held,
    /// The original has not moved: it was truncated.
    Place,
}

/// Whether `file`, of `size` bytes, has the bytes of the original that ended with `print`; `successor` is what stands at
/// its place now, if anything does.
pub(super) fn is_copy(
    print: &Fingerprint,
    file: &File,
    size: u64,
    witness: Witness,
    successor: Option<&File>,
) -> io::Result<bool> {
    let mut evidence = witness != Witness::None;
    for window in print.windows().filter(|window| window.len() > 0 && window.end() <= size) {
        if !window.stands_in(file)? {
            return Ok(false);
        }
        evidence = evidence || tells(window, print, size, successor)?;
    }
    Ok(size > 0 && evidence)
}

/// Whether a window that stands in a file of `size` bytes says that it is a copy of the original, and not a generation
/// that begins with the same header. So the successor may, too.
pub(super) fn tells(
    window: &Window,
    print: &Fingerprint,
    size: u64,
    successor: Option<&File>,
) -> io::Result<bool> {
    let is_far = window.start() > 0 || size <= HEAD_ALONE_BYTES;
    match successor {
        _ if size >= print.tail.end() => Ok(true),
        Some(successor) if is_far => Ok(!window.stands_in(successor)?),
        _ => Ok(is_far),
    }
}

/// Whether the first `size` bytes of two files are equal, as far as their first KiB and the bytes before `size` tell.
pub(super) fn equal_so_far(original: &File, file: &File, size: u64) -> io::Result<bool> {
    let head = usize::try_from(size).unwrap_or(HEAD_BYTES).min(HEAD_BYTES);
    let tail = usize::try_from(size).unwrap_or(TAIL_BYTES).min(TAIL_BYTES);
    for (start, len) in [(0, head), (size - tail as u64, tail)] {
        let (mut a, mut b) = ([0; HEAD_BYTES], [0; HEAD_BYTES]);
        let (Some(a), Some(b)) = (a.get_mut(..len), b.get_mut(..len)) else { return Ok(false) };
        let (a, b) = (bytes_at(original, start, a)?, bytes_at(file, start, b)?);
        if a != b || b.len() != len {
            return Ok(false);
        }
    }
    Ok(true)
}
