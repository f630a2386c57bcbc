//! A rotated file that was compressed by gzip, read on as if it were not.
//!
//! What is decompressed goes, a piece at a time, into a nameless file at the offsets that it has in the log, together with the
//! first bytes and those before the offset: so all that reads and checks files works on it as it is. Between the two
//! nothing is kept, so that it takes no more room than a piece and the line that spans it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::known::Known;
use super::identity::{Fingerprint, HEAD_BYTES, Stat, TAIL_BYTES, Window};
use super::members::{Damage, Members};
use super::positions::FileKey;
use super::rotation::tells;

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
    /// Its last bytes, where it was walked through.
    end: Window,
    /// How much can be read.
    pub(super) length: u64,
    pub(super) damage: Option<Damage>,
}

/// What a compressed file is to one that ended.
#[derive(Clone, Copy, Debug)]
pub(super) enum Likeness {
    /// A copy, with this text.
    Copy(Text),
    /// None.
    Other,
    /// Too little can be read of it to tell, for this reason.
    Unclear(Damage),
}

/// What a compressed file is to one of which `unread` bytes were not read, and at whose place `successor` stands.
pub(super) fn likeness(
    stat: &Stat,
    file: File,
    print: &Fingerprint,
    unread: u64,
    successor: Option<&File>,
) -> io::Result<Likeness> {
    let offset = print.tail.end();
    let beginning = Beginning::of(&file)?;
    match (beginning.is_like(print), beginning.damage) {
        (Some(true), _) => {}
        (None, Some(damage)) => return Ok(Likeness::Unclear(damage)),
        _ => return Ok(Likeness::Other),
    }
    // Where all was read, the length that gzip notes at the end says enough.
    let mut noted = [0; 4];
    let is_noted = file.read_exact_at(&mut noted, stat.size.saturating_sub(4)).is_ok();
    if is_noted && unread == 0 && u64::from(u32::from_le_bytes(noted)) == offset & u64::from(u32::MAX) {
        let (head, end) = (Window::over(0, &beginning.bytes), Window::empty(offset));
        return Ok(Likeness::Copy(Text { head, end, length: offset, damage: None }));
    }
    let mut probe = Probe::of(print, None);
    let text = walk(file, &beginning, |at, bytes| probe.see(at, bytes))?;
    Ok(if probe.stands(&text, successor)? { Likeness::Copy(text) } else { Likeness::Other })
}

/// What stands in a compressed file where a fingerprint has its windows.
struct Probe<'a> {
    print: &'a Fingerprint,
    /// The size of the file that the fingerprint is of, where others are no copies though they begin like it.
    size: Option<u64>,
    windows: Vec<(&'a Window, Vec<u8>)>,
}

impl<'a> Probe<'a> {
    fn of(print: &'a Fingerprint, size: Option<u64>) -> Self {
        let windows = print.windows().filter(|window| window.len() > 0);
        Self { print, size, windows: windows.map(|window| (window, Vec::new())).collect() }
    }

    fn see(&mut self, at: u64, bytes: &[u8]) {
        for (window, kept) in &mut self.windows {
            let (from, to) = (window.start().max(at), window.end().min(at + bytes.len() as u64));
            if from < to {
                kept.extend_from_slice(part(bytes, from - at, to - at));
            }
        }
    }

    /// Whether the text, all of which was seen, is a copy of the file that the fingerprint is of, at whose place
    /// `successor` stands.
    fn stands(&self, text: &Text, successor: Option<&File>) -> io::Result<bool> {
        let (length, offset) = (text.length, self.print.tail.end());
        // It was copied earlier than it was read, perhaps: then it holds the earlier windows.
        let fit = || self.windows.iter().filter(|(window, _)| window.end() <= length);
        if !fit().all(|(window, kept)| window.opens(kept)) {
            return Ok(false);
        }
        if let Some(size) = self.size.filter(|_| offset == 0) {
            // It may have grown after it was seen last; then its end at that time is in the text.
            let has_grown = length > size && fit().any(|(window, _)| window.start() > 0);
            return Ok(length == size || has_grown || (length < size && text.damage.is_some()));
        }
        // Of a damaged one little may be left to tell it by: what was read is not read again for that.
        let mut is_told = text.damage.is_some();
        for (window, _) in fit() {
            is_told = is_told || tells(window, self.print, length, successor)?;
        }
        Ok(is_told)
    }
}

/// What a compressed file is of which nothing is known.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stray {
    /// A generation of its own, with this text.
    Generation(Text),
    /// A copy of a file.
    Copy,
    /// It begins like this file, which has ended: what became of that is to be found out first.
    AwaitsEndOf(FileKey),
}

/// What a compressed file is beside these files, of which the fingerprint and the size are given, and `open` gives those
/// that are at hand. `successor` stands where they stood.
///
/// # Errors
/// It cannot be read.
pub(super) fn stray<'a>(
    file: File,
    originals: impl Iterator<Item = (Option<FileKey>, &'a Fingerprint, u64)>,
    open: impl Fn(FileKey) -> Option<File>,
    successor: Option<&File>,
) -> io::Result<Stray> {
    let head = Beginning::of(&file)?;
    // Generations of one log may begin alike.
    let alike = originals.filter(|(_, print, _)| head.is_like(print) == Some(true));
    let mut probes: Vec<_> = alike.map(|(key, print, size)| (key, Probe::of(print, Some(size)))).collect();
    let text = walk(file, &head, |at, bytes| probes.iter_mut().for_each(|(_, probe)| probe.see(at, bytes)))?;
    for (key, probe) in probes {
        let is_copy = match key.and_then(|key| Some((key, open(key)?))) {
            Some((key, file)) if !probe.print.stands_in(&file)? => return Ok(Stray::AwaitsEndOf(key)),
            // It may have grown since it was looked at.
            Some((_, file)) => text.head.stands_in(&file)? && text.end.stands_in(&file)?,
            None => probe.stands(&text, successor)?,
        };
        if is_copy {
            return Ok(Stray::Copy);
        }
    }
    Ok(Stray::Generation(text))
}

/// The first bytes of the text in a compressed file.
struct Beginning {
    bytes: Vec<u8>,
    /// Why there are no more, if the file is not whole.
    damage: Option<Damage>,
}

impl Beginning {
    fn of(file: &File) -> io::Result<Self> {
        let (mut bytes, mut members) = (vec![0; HEAD_BYTES], Members::of(file.try_clone()?));
        let len = members.read(&mut bytes)?.len();
        bytes.truncate(len);
        // The clone moves the place at which the file is read on.
        rustix::fs::seek(file, rustix::fs::SeekFrom::Start(0))?;
        Ok(Self { bytes, damage: members.damage() })
    }

    /// Whether it is what the longest window says that begins with a file and is no longer; none if there is none.
    fn is_like(&self, print: &Fingerprint) -> Option<bool> {
        let lengths = 1..=self.bytes.len();
        let fit = print.windows().filter(|window| window.start() == 0 && lengths.contains(&window.len()));
        Some(fit.max_by_key(|window| window.len())?.opens(&self.bytes))
    }
}

/// Reads all of a text that begins so. It counts as damaged if it was when its beginning was read: it may be written now.
fn walk(file: File, beginning: &Beginning, mut visit: impl FnMut(u64, &[u8])) -> io::Result<Text> {
    let (mut members, mut buffer, mut length) = (Members::of(file), vec![0; STEP_BYTES], 0);
    let mut last = Vec::new();
    loop {
        let bytes = members.read(&mut buffer)?;
        if bytes.is_empty() {
            let (head, end) = (Window::over(0, &beginning.bytes), Window::before(length, &last));
            return Ok(Text { head, end, length, damage: members.damage().or(beginning.damage) });
        }
        visit(length, bytes);
        length += bytes.len() as u64;
        last.extend_from_slice(bytes.get(bytes.len().saturating_sub(TAIL_BYTES)..).unwrap_or(bytes));
        last.drain(..last.len().saturating_sub(TAIL_BYTES));
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
