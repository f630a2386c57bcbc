//! How a file is told again: its inode and birth time, and hashes of windows of its bytes.

use std::fmt;
use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::str::FromStr;
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use xxhash_rust::xxh3::xxh3_64;

use super::holes::hole_at_end;
use super::units::Bytes;

/// The head of a file is told by up to this many bytes.
pub(super) const HEAD_BYTES: usize = 1024;
/// What stands before an offset is told by up to this many bytes.
pub(super) const TAIL_BYTES: usize = 256;
/// Short beginnings are marked, too: a copy may be shorter than the head.
const SHORT_HEAD_BYTES: [usize; 3] = [16, 64, 256];
/// Between marks lie so many bytes, or this times a power of two.
const STRIDE_MIN: u64 = 512;
/// Marks of what was read, kept while a file is at hand: a copy ends at most a 16th of it behind one of them.
const MARKS_MAX: u64 = 32;
/// Marks of what was read, kept in a record.
const RECORDED_MARKS_MAX: u64 = 6;

/// Device and inode: unique among the files that exist at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct FileId {
    pub(super) dev: u64,
    pub(super) ino: u64,
}

/// What the file system says about a regular file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stat {
    pub(super) id: FileId,
    /// Microseconds since the epoch; none where the file system does not know.
    pub(super) born: Option<i64>,
    pub(super) size: u64,
    /// Nanoseconds since the epoch.
    pub(super) modified: i64,
    pub(super) links: u64,
}

impl Stat {
    /// The file that `path` leads to, through symbolic links; none if it is no regular file.
    pub(super) fn of_path(path: &Path) -> io::Result<Option<Self>> {
        std::fs::metadata(path).map(|metadata| Self::of(&metadata))
    }

    /// An open file; none if it is no regular file.
    pub(super) fn of_file(file: &File) -> io::Result<Option<Self>> {
        file.metadata().map(|metadata| Self::of(&metadata))
    }

    /// Opens the file at `path` if it is this one: between a look and an open a rotation may put another there.
    pub(super) fn open(&self, path: &Path) -> io::Result<File> {
        let file = open_at_once(path)?;
        match Self::of_file(&file)? {
            Some(stat) if stat.id == self.id && births_agree(stat.born, self.born) => Ok(file),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn of(metadata: &Metadata) -> Option<Self> {
        let born = metadata.created().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        metadata.is_file().then(|| Self {
            id: FileId { dev: metadata.dev(), ino: metadata.ino() },
            born: born.and_then(|age| i64::try_from(age.as_micros()).ok()),
            size: metadata.size(),
            modified: metadata.mtime().saturating_mul(1_000_000_000).saturating_add(metadata.mtime_nsec()),
            links: metadata.nlink(),
        })
    }
}

/// Opens what stands at a path now. A pipe that took the place of a file would keep an ordinary open waiting for its writer.
pub(super) fn open_at_once(path: &Path) -> io::Result<File> {
    let flags = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or_default();
    OpenOptions::new().read(true).custom_flags(flags).open(path)
}

/// Whether two birth times can be those of one file.
pub(super) fn births_agree(a: Option<i64>, b: Option<i64>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => a == b,
        _ => true,
    }
}

/// A hash of some bytes at a place in a file. Written as `start+length:hash`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Window {
    start: u64,
    len: u32,
    hash: u64,
}

impl Window {
    /// The window that covers no bytes at `start`.
    pub(super) fn empty(start: u64) -> Self {
        Self::over(start, &[])
    }

    /// The window over `bytes`, which stand at `start`.
    pub(super) fn over(start: u64, bytes: &[u8]) -> Self {
        Self { start, len: u32::try_from(bytes.len()).unwrap_or(u32::MAX), hash: xxh3_64(bytes) }
    }

    /// The window over the last bytes of `bytes`, which end at `end`.
    pub(super) fn before(end: u64, bytes: &[u8]) -> Self {
        let last = bytes.get(bytes.len().saturating_sub(TAIL_BYTES)..).unwrap_or(bytes);
        Self::over(end.saturating_sub(last.len() as u64), last)
    }

    /// Bytes covered.
    pub(super) fn len(&self) -> usize {
        self.len as usize
    }

    /// Offset of the first byte covered.
    pub(super) fn start(&self) -> u64 {
        self.start
    }

    /// Offset of the first byte after it.
    pub(super) fn end(&self) -> u64 {
        self.start.saturating_add(u64::from(self.len))
    }

    /// Whether `bytes`, read at `start`, begin with what this window saw.
    pub(super) fn opens(&self, bytes: &[u8]) -> bool {
        bytes.get(..self.len()).is_some_and(|bytes| xxh3_64(bytes) == self.hash)
    }

    /// Whether `file` has the same bytes at this place.
    pub(super) fn stands_in(&self, file: &File) -> io::Result<bool> {
        let mut buffer = [0; HEAD_BYTES];
        match buffer.get_mut(..self.len()) {
            Some(buffer) => Ok(self.opens(bytes_at(file, self.start, buffer)?)),
            None => Ok(false),
        }
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{}:{:016x}", self.start, self.len, self.hash)
    }
}

impl FromStr for Window {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parse = || {
            let (start, rest) = text.split_once('+')?;
            let (len, hash) = rest.split_once(':')?;
            let len = len.parse().ok().filter(|len| *len as usize <= HEAD_BYTES)?;
            Some(Self { start: start.parse().ok()?, len, hash: u64::from_str_radix(hash, 16).ok()? })
        };
        parse().ok_or_else(|| format!("`{text}` is not start+length:hash"))
    }
}

impl Serialize for Window {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Window {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// What is known of the bytes of one file, up to the offset read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// The first bytes of the file; grows to 1 KiB with the file.
    pub(super) head: Window,
    /// The bytes just before the offset: it ends there.
    pub(super) tail: Window,
    /// Windows further back, some at multiples of a stride, and short beginnings: they tell a copy that is shorter than
    /// what was read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) marks: Vec<Window>,
}

impl Fingerprint {
    /// Nothing known yet.
    pub(super) fn unread() -> Self {
        Self { head: Window::empty(0), tail: Window::empty(0), marks: Vec::new() }
    }

    /// Reads the fingerprint of a file as if it had been read up to `offset`.
    pub(super) fn read(file: &File, offset: u64) -> io::Result<Self> {
        let mut print = Self::unread();
        print.renew_head(file)?;
        print.tail = tail_at(file, offset)?;
        Ok(print)
    }

    /// Moves on to `offset`; `read` are the bytes that stand before it, as far as they are at hand.
    pub(super) fn advance(&mut self, offset: u64, read: &[u8]) {
        let (start, marked) = (offset.saturating_sub(read.len() as u64), self.tail.end());
        self.move_on(Window::before(offset, read));
        let stride = stride(offset, MARKS_MAX);
        let first = (start + TAIL_BYTES as u64).max(marked + 1).next_multiple_of(stride);
        let ends = (first..=offset).step_by(usize::try_from(stride).unwrap_or(usize::MAX));
        self.marks.extend(ends.filter_map(|end| {
            let before = usize::try_from(end - start).ok().and_then(|len| read.get(..len))?;
            Some(Window::before(end, before))
        }));
    }

    /// Moves on to the offset where `tail` ends.
    pub(super) fn move_on(&mut self, tail: Window) {
        self.tail = tail;
        self.thin(MARKS_MAX);
    }

    /// Keeps marks of what was read that are evenly spread, and no more than `max`.
    fn thin(&mut self, max: u64) {
        let (offset, stride) = (self.tail.end(), stride(self.tail.end(), max));
        self.marks.retain(|mark| mark.start() == 0 || (mark.end() <= offset && mark.end() % stride == 0));
    }

    /// What of it a record keeps.
    pub(super) fn recorded(&self) -> Self {
        let mut print = self.clone();
        if self.tail.end() > 0 {
            print.thin(RECORDED_MARKS_MAX);
            let shortest = print.marks.iter().filter(|mark| mark.start() == 0).map(Window::len).min();
            print.marks.retain(|mark| mark.start() > 0 || Some(mark.len()) == shortest);
        }
        print
    }

    /// Gives back memory that it does not need now.
    pub(super) fn shrink(&mut self) {
        self.marks.shrink_to_fit();
    }

    /// All windows.
    pub(super) fn windows(&self) -> impl Iterator<Item = &Window> {
        [&self.tail, &self.head].into_iter().chain(&self.marks)
    }

    /// Whether `file` still is what was read, as far as its beginning and the bytes before the offset tell.
    pub(super) fn stands_in(&self, file: &File) -> io::Result<bool> {
        Ok(self.tail.stands_in(file)? && self.head.stands_in(file)? && self.end_stands_in(file)?)
    }

    /// Whether all marks of what was read stand in `file`, too.
    pub(super) fn marks_stand_in(&self, file: &File) -> io::Result<bool> {
        for mark in self.marks.iter().filter(|mark| mark.end() <= self.tail.end()) {
            if !mark.stands_in(file)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether `file` still has the last bytes that were seen of it, if nothing of it was read.
    pub(super) fn end_stands_in(&self, file: &File) -> io::Result<bool> {
        for end in self.marks.iter().filter(|mark| self.is_end(mark)) {
            if !end.stands_in(file)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Notes the last of the `size` bytes that `file` has, if nothing of it was read: its first bytes may be a header
    /// that all generations of a log begin with.
    pub(super) fn renew_end(&mut self, file: &File, size: u64) -> io::Result<()> {
        if self.tail.end() > 0 || size <= self.head.end() {
            return Ok(());
        }
        let mut buffer = [0; TAIL_BYTES];
        let start = size.saturating_sub(TAIL_BYTES as u64);
        let bytes = bytes_at(file, start, &mut buffer)?;
        let marks = std::mem::take(&mut self.marks);
        self.marks = marks.into_iter().filter(|mark| !self.is_end(mark)).collect();
        // NULs at the end may be a log laid out in advance, whose lines are still to come.
        if hole_at_end(Bytes, bytes, 0) == 0 {
            self.marks.push(Window::over(start, bytes));
        }
        Ok(())
    }

    /// Whether a mark is of bytes that were seen and not read.
    fn is_end(&self, mark: &Window) -> bool {
        self.tail.end() == 0 && mark.start() > 0
    }

    /// Whether `file`, of which `size` bytes are left, begins with what was read: all that is known of these bytes stands
    /// there, and something is.
    pub(super) fn begins_in(&self, file: &File, size: u64) -> io::Result<bool> {
        let mut is_known = false;
        for window in self.windows().filter(|window| window.len() > 0 && window.end() <= size) {
            if !window.stands_in(file)? {
                return Ok(false);
            }
            is_known = true;
        }
        Ok(is_known)
    }

    /// Checks the head against the file, and lets it grow with the file.
    pub(super) fn renew_head(&mut self, file: &File) -> io::Result<bool> {
        let mut buffer = [0; HEAD_BYTES];
        let bytes = bytes_at(file, 0, &mut buffer)?;
        if !self.head.opens(bytes) {
            return Ok(false);
        }
        // NULs at the end may be a log laid out in advance, whose lines are still to come.
        let bytes = bytes.get(..bytes.len() - hole_at_end(Bytes, bytes, 0)).unwrap_or_default();
        let known = self.head.len();
        if bytes.len() > known {
            let short =
                SHORT_HEAD_BYTES.into_iter().filter(|len| *len > known).filter_map(|len| bytes.get(..len));
            self.marks.extend(short.map(|bytes| Window::over(0, bytes)));
            self.head = Window::over(0, bytes);
        }
        Ok(true)
    }
}

/// How far apart marks are, if so many bytes were read and no more than `max` are to be kept.
fn stride(offset: u64, max: u64) -> u64 {
    let mut stride = STRIDE_MIN;
    while offset / stride > max {
        stride *= 2;
    }
    stride
}

/// The window before `offset` of an open file.
pub(super) fn tail_at(file: &File, offset: u64) -> io::Result<Window> {
    let mut buffer = [0; TAIL_BYTES];
    let start = offset.saturating_sub(TAIL_BYTES as u64);
    let len = usize::try_from(offset - start).unwrap_or(TAIL_BYTES);
    Ok(Window::over(start, bytes_at(file, start, buffer.get_mut(..len).unwrap_or_default())?))
}

/// Reads at `start` until `buffer` is full or the file ends.
pub(super) fn bytes_at<'a>(file: &File, start: u64, buffer: &'a mut [u8]) -> io::Result<&'a [u8]> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, start + filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(buffer.get(..filled).unwrap_or_default())
}
