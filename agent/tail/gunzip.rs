//! A rotated file that was compressed by gzip, read on as if it were not.
//!
//! What is decompressed goes, a piece at a time, into a nameless file at the offsets that it has in the log, together with the
//! first bytes and those before the offset: so all that reads and checks files works on it as it is. Between the two
//! nothing is kept, so that it takes no more room than a piece and the line that spans it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::files::Known;
use super::identity::{Fingerprint, HEAD_BYTES, Stat, Window};
use super::members::{Damage, Members};
use super::rotation::HEAD_ALONE_BYTES;

/// What is decompressed ahead of the offset.
const PIECE_BYTES: u64 = 1 << 20;
/// What is decompressed in one step.
const STEP_BYTES: usize = 64 << 10;

/// How far a compressed file is decompressed.
#[derive(Debug)]
pub(super) struct Gunzip {
    members: Members,
    at: u64,
    /// Nothing more comes.
    pub(super) is_at_end: bool,
}

impl Gunzip {
    /// Decompresses up to a piece behind `offset`; returns the nameless file, too.
    pub(super) fn open(file: File, print: &Fingerprint, offset: u64) -> io::Result<(Self, File)> {
        let mut gunzip = Self { members: Members::of(file), at: 0, is_at_end: false };
        let piece = tempfile::tempfile()?;
        gunzip.fill(&piece, print.tail.start(), offset + PIECE_BYTES)?;
        Ok((gunzip, piece))
    }

    /// Decompresses the next piece; it begins with what `last`, the one before it, holds from `keep` on.
    pub(super) fn next_piece(&mut self, last: &File, keep: u64) -> io::Result<File> {
        let piece = tempfile::tempfile()?;
        copy(last, &piece, 0, (HEAD_BYTES as u64).min(self.at))?;
        copy(last, &piece, keep, self.at)?;
        self.fill(&piece, keep, self.at + PIECE_BYTES)?;
        Ok(piece)
    }

    fn fill(&mut self, piece: &File, keep: u64, end: u64) -> io::Result<()> {
        let mut buffer = vec![0; STEP_BYTES];
        while self.at < end {
            let bytes = self.members.read(&mut buffer)?;
            if bytes.is_empty() {
                self.is_at_end = true;
                break;
            }
            let behind = self.at + bytes.len() as u64;
            for (from, to) in [(0, HEAD_BYTES as u64), (keep, u64::MAX)] {
                let (from, to) = (from.max(self.at), to.min(behind));
                if from < to {
                    piece.write_all_at(part(bytes, from - self.at, to - self.at), from)?;
                }
            }
            self.at = behind;
        }
        Ok(())
    }
}

impl Known {
    /// The file to read, when all is read of `piece` and more may come: the next piece; none at the end.
    pub(super) fn next_piece(&mut self, piece: &File) -> io::Result<Option<File>> {
        let keep = self.print.tail.start();
        match &mut self.gunzip {
            Some(gunzip) if !gunzip.is_at_end => gunzip.next_piece(piece, keep).map(Some),
            _ => Ok(None),
        }
    }
}

/// The text of a compressed file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Text {
    /// Its first bytes.
    pub(super) head: Window,
    /// How much can be read.
    pub(super) length: u64,
    pub(super) damage: Option<Damage>,
}

/// The text of a compressed file that is a copy of a file, of which `unread` bytes were not read; none if it is no copy.
pub(super) fn copied_text(
    stat: &Stat,
    file: File,
    print: &Fingerprint,
    unread: u64,
) -> io::Result<Option<Text>> {
    let offset = print.tail.end();
    let beginning = beginning(&file)?;
    if !begins_like(&beginning, print.windows()) {
        return Ok(None);
    }
    // Where all was read, the length that gzip notes at the end says enough.
    let mut noted = [0; 4];
    let is_noted = file.read_exact_at(&mut noted, stat.size.saturating_sub(4)).is_ok();
    if is_noted && unread == 0 && u64::from(u32::from_le_bytes(noted)) == offset & u64::from(u32::MAX) {
        return Ok(Some(Text { head: Window::over(0, &beginning), length: offset, damage: None }));
    }
    let mut probe = Probe::of(print, None);
    let text = walk(file, &beginning, |at, bytes| probe.see(at, bytes))?;
    Ok(probe.stands(&text).then_some(text))
}

/// What stands in a compressed file where a fingerprint has its windows.
struct Probe<'a> {
    offset: u64,
    /// The size of the file that the fingerprint is of, where others are no copies though they begin like it.
    size: Option<u64>,
    windows: Vec<(&'a Window, Vec<u8>)>,
}

impl<'a> Probe<'a> {
    fn of(print: &'a Fingerprint, size: Option<u64>) -> Self {
        let windows = print.windows().filter(|window| window.len() > 0);
        let windows = windows.map(|window| (window, Vec::new())).collect();
        Self { offset: print.tail.end(), size, windows }
    }

    fn see(&mut self, at: u64, bytes: &[u8]) {
        for (window, kept) in &mut self.windows {
            let (from, to) = (window.start().max(at), window.end().min(at + bytes.len() as u64));
            if from < to {
                kept.extend_from_slice(part(bytes, from - at, to - at));
            }
        }
    }

    /// Whether the text, all of which was seen, is a copy of what the fingerprint tells.
    fn stands(&self, text: &Text) -> bool {
        let length = text.length;
        // It was copied earlier than it was read, perhaps: then it holds the earlier windows.
        let fit = || self.windows.iter().filter(|(window, _)| window.end() <= length);
        let stands = fit().all(|(window, kept)| window.opens(kept));
        if let Some(size) = self.size.filter(|_| self.offset == 0) {
            return stands && (length == size || (length < size && text.damage.is_some()));
        }
        let is_told = fit().any(|(window, _)| window.start() > 0) || length >= self.offset;
        // Of a damaged one little may be left to tell it by: what was read is not read again for that.
        stands && (is_told || length <= HEAD_ALONE_BYTES || text.damage.is_some())
    }
}

/// The text of a compressed file; none if it is a copy of one of these files, of which the fingerprint and the size are
/// given.
///
/// # Errors
/// It cannot be read.
pub(super) fn new_text<'a>(
    file: File,
    files: impl Iterator<Item = (&'a Fingerprint, u64)>,
) -> io::Result<Option<Text>> {
    let head = beginning(&file)?;
    // Generations of one log may begin alike.
    let alike = files.filter(|(print, _)| begins_like(&head, print.windows()));
    let mut probes: Vec<Probe<'_>> = alike.map(|(print, size)| Probe::of(print, Some(size))).collect();
    let text = walk(file, &head, |at, bytes| probes.iter_mut().for_each(|probe| probe.see(at, bytes)))?;
    let is_copy = probes.iter().any(|probe| probe.stands(&text));
    Ok((!is_copy).then_some(text))
}

/// The first bytes of the text in a compressed file, for [`begins_like`].
fn beginning(file: &File) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; HEAD_BYTES];
    let len = Members::of(file.try_clone()?).read(&mut bytes)?.len();
    bytes.truncate(len);
    // The clone moves the place at which the file is read on.
    rustix::fs::seek(file, rustix::fs::SeekFrom::Start(0))?;
    Ok(bytes)
}

/// Whether a text begins as the longest of these windows says that begins with a file and is no longer than the text.
fn begins_like<'a>(text: &[u8], windows: impl Iterator<Item = &'a Window>) -> bool {
    let fit = windows.filter(|window| window.start() == 0 && (1..=text.len()).contains(&window.len()));
    fit.max_by_key(|window| window.len()).is_some_and(|window| window.opens(text))
}

/// Reads all of a text that begins with `beginning`.
fn walk(file: File, beginning: &[u8], mut visit: impl FnMut(u64, &[u8])) -> io::Result<Text> {
    let (mut members, mut buffer, mut length) = (Members::of(file), vec![0; STEP_BYTES], 0);
    loop {
        let bytes = members.read(&mut buffer)?;
        if bytes.is_empty() {
            return Ok(Text { head: Window::over(0, beginning), length, damage: members.damage() });
        }
        visit(length, bytes);
        length += bytes.len() as u64;
    }
}

fn copy(from: &File, to: &File, start: u64, end: u64) -> io::Result<()> {
    let (mut at, mut buffer) = (start, vec![0; STEP_BYTES]);
    while at < end {
        let want = usize::try_from(end - at).unwrap_or(STEP_BYTES).min(STEP_BYTES);
        let bytes = super::identity::bytes_at(from, at, buffer.get_mut(..want).unwrap_or_default())?;
        if bytes.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        to.write_all_at(bytes, at)?;
        at += bytes.len() as u64;
    }
    Ok(())
}

fn part(bytes: &[u8], from: u64, to: u64) -> &[u8] {
    let index = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
    bytes.get(index(from)..index(to)).unwrap_or_default()
}
