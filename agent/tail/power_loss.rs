//! Files that lost bytes which were not synced when the machine stopped.
//!
//! Bronze is synced, so that it holds lines that their own file has lost. What stands before them is read, and not to be
//! read again; what is written behind is to be read.

use std::fs::File;
use std::io;

use super::Tail;
use super::holes::HOLE_BYTES_MIN;
use super::identity::{Fingerprint, bytes_at};
use super::positions::FileKey;

/// So many bytes are searched for what was lost; what is written between the machine's start and ours is less.
const SEARCH_BYTES_MAX: u64 = 256 << 20;
/// Bytes that are looked at in one step.
const STEP_BYTES: usize = 256 << 10;

impl Tail {
    /// How much of what was read a file has left that lost its end when the machine stopped; none if it is not known to be
    /// one.
    ///
    /// Either it is shorter than what was read and begins with it, and nobody has modified it since the machine started;
    /// or a stretch of NULs stands where other bytes were read, behind bytes that are unchanged as far as the marks along
    /// the file tell. Then others may have been written behind it. (Where they were written in place of what was lost,
    /// without a trace of that, nobody can tell; such a file counts as rewritten.)
    pub(super) fn left_by_power_loss(&self, key: FileKey) -> Option<u64> {
        let known = self.files.get(key).filter(|known| !known.is_compressed && !known.is_locked)?;
        let booted = self.booted.filter(|booted| known.since < *booted)?;
        let file = known.open().ok()?;
        let size = known.looked.size;
        let is_older = known.looked.modified / 1_000 < booted.micros();
        let is_short = is_older && size < known.offset && known.print.begins_in(&file, size).unwrap_or(false);
        let left = match is_short {
            true => size,
            false => known.print.left_before_nuls(&file).ok()??,
        };
        let (path, bytes) = (known.path.display(), known.offset - left);
        tracing::warn!(%path, bytes, "file lost its end when the machine stopped; reading goes on behind what is left");
        Some(left)
    }
}

impl Fingerprint {
    /// Where the last NULs begin that stand where something else was read, if all before them is what was read, as far as
    /// the windows tell.
    fn left_before_nuls(&self, file: &File) -> io::Result<Option<u64>> {
        let offset = self.tail.end();
        let Some(start) = last_nuls(file, offset.min(file.metadata()?.len()))? else { return Ok(None) };
        Ok(self.begins_in(file, start)?.then_some(start))
    }
}

/// Where the last stretch of NULs before `end` begins.
fn last_nuls(file: &File, end: u64) -> io::Result<Option<u64>> {
    let mut buffer = vec![0; STEP_BYTES];
    // How many NULs stand at `at`, as far as was looked.
    let (mut at, mut nuls) = (end, 0);
    let lowest = end.saturating_sub(SEARCH_BYTES_MAX);
    while at > lowest {
        let start = at.saturating_sub(STEP_BYTES as u64).max(lowest);
        let len = usize::try_from(at - start).unwrap_or(STEP_BYTES);
        let bytes = bytes_at(file, start, buffer.get_mut(..len).unwrap_or_default())?;
        for (place, byte) in bytes.iter().enumerate().rev() {
            match byte {
                0 => nuls += 1,
                _ if nuls >= HOLE_BYTES_MIN => return Ok(Some(start + place as u64 + 1)),
                _ => nuls = 0,
            }
        }
        at = start;
    }
    Ok(None)
}
