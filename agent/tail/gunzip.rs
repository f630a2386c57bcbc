//! A rotated file that was compressed by gzip, read on as if it were not.
//!
//! What is decompressed goes, a piece at a time, into a nameless file at the offsets that it has in the log, together with the
//! first bytes and those before the offset: so all that reads and checks files works on it as it is. Between them nothing
//! is kept, so that it takes no more room than a piece, the longest line, and a few KiB.
//!
//! Of a damaged file that is read whose checksums say that it is what was compressed: the members before the first that is
//! damaged. In one that is cut short the last member has no checksum: what can be decompressed of that is read, and a line
//! that the cut falls into is marked as cut. What is left out counts as vanished.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use super::identity::{Fingerprint, HEAD_BYTES, Stat, TAIL_BYTES, Window, bytes_at};
use super::known::Known;
use super::members::{Damage, Members};
use super::positions::FileKey;
use super::rotation::tells;

/// What is decompressed ahead of the offset.
const PIECE_BYTES: u64 = 256 << 10;
/// What is decompressed in one step.
const STEP_BYTES: usize = 64 << 10;

/// So many compressed files are read at one time; each takes a decompressor and a piece.
pub(super) const AT_ONCE_MAX: usize = 4;

/// How far a compressed file is decompressed.
#[derive(Debug)]
pub(super) struct Gunzip {
    file: Arc<File>,
    members: Members,
    piece: Arc<File>,
    /// Bytes of text decompressed.
    at: u64,
    /// Where the text ends that is to be read.
    end: u64,
    /// Nothing more comes.
    pub(super) is_at_end: bool,
}

impl Gunzip {
    /// Decompresses up to a piece behind `offset`, and not past `end`; pieces are kept in `folder`, or where the system keeps
    /// what is temporary.
    pub(super) fn open(
        file: File,
        print: &Fingerprint,
        offset: u64,
        end: u64,
        folder: Option<&Path>,
    ) -> io::Result<Self> {
        let file = Arc::new(file);
        let (members, piece) = (Members::of(Arc::clone(&file)), Arc::new(new_piece(folder)?));
        let mut gunzip = Self { file, members, piece, at: 0, end, is_at_end: false };
        let piece = Arc::clone(&gunzip.piece);
        gunzip.fill(&piece, print.tail.start(), offset + PIECE_BYTES)?;
        Ok(gunzip)
    }

    /// The compressed file.
    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// The piece to read.
    pub(super) fn piece(&self) -> Arc<File> {
        Arc::clone(&self.piece)
    }

    /// Decompresses the next piece. It begins with what the one before it holds from `keep` to `keep_end`, and with the last
    /// bytes of that.
    fn next_piece(&mut self, keep: u64, keep_end: u64, folder: Option<&Path>) -> io::Result<()> {
        let (last, piece) = (Arc::clone(&self.piece), Arc::new(new_piece(folder)?));
        let behind = self.at.saturating_sub(HEAD_BYTES as u64);
        copy(&last, &piece, 0, (HEAD_BYTES as u64).min(self.at))?;
        copy(&last, &piece, keep, keep_end.min(self.at))?;
        copy(&last, &piece, keep.max(behind), self.at)?;
        self.fill(&piece, keep, self.at + PIECE_BYTES)?;
        self.piece = piece;
        Ok(())
    }

    fn fill(&mut self, piece: &File, keep: u64, up_to: u64) -> io::Result<()> {
        let mut buffer = vec![0; STEP_BYTES];
        while self.at < up_to {
            let left = self.end.saturating_sub(self.at);
            let want = usize::try_from(left).unwrap_or(STEP_BYTES).min(STEP_BYTES);
            let bytes = self.members.read(buffer.get_mut(..want).unwrap_or_default())?;
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

fn new_piece(folder: Option<&Path>) -> io::Result<File> {
    folder.map_or_else(tempfile::tempfile, tempfile::tempfile_in)
}

/// What came of going on to the next piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// There is more to read.
    Piece,
    /// All was read.
    End,
}

impl Known {
    /// Goes on to the next piece, when all is read of the last.
    pub(super) fn next_piece(&mut self, line_bytes_max: usize, folder: Option<&Path>) -> io::Result<Next> {
        let (keep, keep_end) = (self.print.tail.start(), self.offset + (line_bytes_max + HEAD_BYTES) as u64);
        match &mut self.gunzip {
            Some(gunzip) if !gunzip.is_at_end => {
                gunzip.next_piece(keep, keep_end, folder).map(|()| Next::Piece)
            }
            _ => Ok(Next::End),
        }
    }

    /// Where the text ends that is to be read, if the file is compressed.
    pub(super) fn text_end(&self) -> u64 {
        if self.damage.is_some() { self.size } else { u64::MAX }
    }

    /// Whether the text is not whole: a line without newline at its end is torn.
    pub(super) fn is_torn(&self) -> bool {
        matches!(self.damage, Some(Damage::Cut | Damage::Broken))
    }
}

/// The text of a compressed file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Text {
    /// Its first bytes.
    pub(super) head: Window,
    /// Its last bytes, where it was walked through.
    end: Window,
    /// How much can be decompressed.
    pub(super) length: u64,
    /// How much of that is to be read.
    pub(super) sound: u64,
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
///
/// Adds to `walked` how much had to be decompressed to find out.
pub(super) fn likeness(
    stat: &Stat,
    file: File,
    print: &Fingerprint,
    unread: u64,
    successor: Option<&File>,
    walked: &mut u64,
) -> io::Result<Likeness> {
    let (offset, file) = (print.tail.end(), Arc::new(file));
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
        return Ok(Likeness::Copy(Text { head, end, length: offset, sound: offset, damage: None }));
    }
    let mut probe = Probe::of(print, None);
    let text = walk(file, &beginning, walked, |at, bytes| probe.see(at, bytes))?;
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
/// that are at hand. `successor` stands where they stood. Adds to `walked` how much had to be decompressed to find out.
///
/// # Errors
/// It cannot be read.
pub(super) fn stray<'a>(
    file: File,
    originals: impl Iterator<Item = (Option<FileKey>, &'a Fingerprint, u64)>,
    open: impl Fn(FileKey) -> Option<File>,
    successor: Option<&File>,
    walked: &mut u64,
) -> io::Result<Stray> {
    let file = Arc::new(file);
    let head = Beginning::of(&file)?;
    // Generations of one log may begin alike.
    let alike = originals.filter(|(_, print, _)| head.is_like(print) == Some(true));
    let mut probes: Vec<_> = alike.map(|(key, print, size)| (key, Probe::of(print, Some(size)))).collect();
    let see = |at, bytes: &[u8]| probes.iter_mut().for_each(|(_, probe)| probe.see(at, bytes));
    let text = walk(file, &head, walked, see)?;
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
    fn of(file: &Arc<File>) -> io::Result<Self> {
        let (mut bytes, mut members) = (vec![0; HEAD_BYTES], Members::of(Arc::clone(file)));
        let len = members.read(&mut bytes)?.len();
        bytes.truncate(len);
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
fn walk(
    file: Arc<File>,
    beginning: &Beginning,
    walked: &mut u64,
    mut visit: impl FnMut(u64, &[u8]),
) -> io::Result<Text> {
    let (mut members, mut buffer, mut length) = (Members::of(file), vec![0; STEP_BYTES], 0);
    let mut last = Vec::new();
    loop {
        let bytes = members.read(&mut buffer)?;
        if bytes.is_empty() {
            let (head, end) = (Window::over(0, &beginning.bytes), Window::before(length, &last));
            let (sound, damage) = (members.sound_bytes(), members.damage().or(beginning.damage));
            return Ok(Text { head, end, length, sound, damage });
        }
        visit(length, bytes);
        length += bytes.len() as u64;
        *walked += bytes.len() as u64;
        last.extend_from_slice(bytes.get(bytes.len().saturating_sub(TAIL_BYTES)..).unwrap_or(bytes));
        last.drain(..last.len().saturating_sub(TAIL_BYTES));
    }
}

fn copy(from: &File, to: &File, start: u64, end: u64) -> io::Result<()> {
    let (mut at, mut buffer) = (start, vec![0; STEP_BYTES]);
    while at < end {
        let want = usize::try_from(end - at).unwrap_or(STEP_BYTES).min(STEP_BYTES);
        let bytes = bytes_at(from, at, buffer.get_mut(..want).unwrap_or_default())?;
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
