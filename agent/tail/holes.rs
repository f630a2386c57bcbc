//! NUL bytes where a line should begin: nobody wrote them.
//!
//! A writer without `O_APPEND` goes on at its old offset after a truncate, and the file system fills what lies before
//! with NULs; so does a power loss. Such a hole is skipped and counted. A log that is laid out in advance, and filled
//! from its beginning on, has NULs up to its end: they are left alone, since lines will take their place.

use std::fs::File;
use std::io;

use rustix::fs::{SeekFrom, seek};

use super::identity::{bytes_at, tail_at};
use super::known::Known;
use super::read::{Reading, Turn};
use super::units::Units;

/// Fewer NULs are taken for text.
pub(super) const HOLE_BYTES_MIN: usize = 4;
/// Bytes that are looked at in one step.
const STEP_BYTES: usize = 256 << 10;
/// Bytes that are looked at in one turn.
const TURN_BYTES: u64 = 64 << 20;

/// How many NULs stand at the beginning of `bytes`, which stand at `at`, if they are a hole. One that is half of a
/// character is none of them.
#[inline(always)]
pub(super) fn hole_at_start(units: impl Units, bytes: &[u8], at: u64) -> usize {
    if bytes.first() != Some(&0) {
        return 0;
    }
    let len = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len());
    let len = units.floor(at + len as u64).saturating_sub(at) as usize;
    if len < HOLE_BYTES_MIN { 0 } else { len }
}

/// How many NULs stand at the end of `bytes`, which stand at `at`, if they are a hole. One that is half of a character
/// is none of them.
pub(super) fn hole_at_end(units: impl Units, bytes: &[u8], at: u64) -> usize {
    let nuls = bytes.iter().rev().take_while(|byte| **byte == 0).count();
    let start = at + (bytes.len() - nuls) as u64;
    let half = (start - units.floor(start)) as usize;
    let len = nuls.saturating_sub(half);
    if len < HOLE_BYTES_MIN { 0 } else { len }
}

/// Skips the hole at the offset, if it ends before the file does.
pub(super) fn skip(known: &mut Known, reading: &mut Reading<'_>) -> io::Result<Turn> {
    let begin = known.offset + known.hole;
    let (end, found) = look(reading, begin)?;
    let looked_at = end - begin;
    known.partial = None;
    known.hole += looked_at;
    match found {
        Found::Nothing => return Ok(Turn::More(looked_at)),
        Found::End => {
            known.padding = known.hole;
            known.hole = 0;
            known.size = known.size.max(end);
            return Ok(Turn::End(looked_at));
        }
        Found::Data => {}
    }
    let bytes = std::mem::take(&mut known.hole);
    // A log laid out in advance is filled from its beginning on, perhaps just now.
    let first = bytes_at(reading.file, known.offset, reading.scratch)?;
    if (hole_at_start(reading.charset, first, known.offset) as u64) < bytes.min(first.len() as u64) {
        return Ok(Turn::More(looked_at));
    }
    known.print.move_on(tail_at(reading.file, end)?);
    known.offset = end;
    known.size = known.size.max(end);
    known.dirty = true;
    reading.counters.hole_bytes += bytes;
    tracing::warn!(path = %known.path.display(), bytes, "skipped a hole of NUL bytes");
    Ok(Turn::More(looked_at))
}

/// How many NULs stand from `at` up to the end of the file; none if something else does, or more than one turn may look at.
pub(super) fn reaches_the_end(reading: &mut Reading<'_>, at: u64) -> io::Result<Option<u64>> {
    let (end, found) = look(reading, at)?;
    Ok(matches!(found, Found::End).then(|| end - at))
}

/// What ends a stretch of NULs.
enum Found {
    /// Another byte.
    Data,
    /// The end of the file.
    End,
    /// It may go on.
    Nothing,
}

/// Looks for the first unit from `at` on that is not NUL, past what the file system knows to be empty.
fn look(reading: &mut Reading<'_>, at: u64) -> io::Result<(u64, Found)> {
    reading.scratch.resize(STEP_BYTES, 0);
    let (file, buffer): (&File, &mut [u8]) = (reading.file, reading.scratch);
    let mut next = at;
    while next - at < TURN_BYTES {
        match seek(file, SeekFrom::Data(next)) {
            Ok(data) => next = data,
            Err(rustix::io::Errno::NXIO) => {
                let size = file.metadata()?.len();
                return Ok((size.max(next), Found::End));
            }
            // Not every file system knows its holes.
            Err(_) => {}
        }
        let bytes = bytes_at(file, next, buffer)?;
        if let Some(data) = bytes.iter().position(|byte| *byte != 0) {
            return Ok((reading.charset.floor(next + data as u64).max(at), Found::Data));
        }
        next += bytes.len() as u64;
        if bytes.is_empty() {
            return Ok((next, Found::End));
        }
    }
    Ok((next, Found::Nothing))
}
