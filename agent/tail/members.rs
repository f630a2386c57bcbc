//! The text of a file that gzip compressed, as far as it can be read: that of all its members, one after the other.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use flate2::bufread::GzDecoder;
use serde::{Deserialize, Serialize};

use crate::pulse;

/// What is read of the compressed file in one step.
const STEP_BYTES: usize = 64 << 10;

/// What is wrong with a compressed file. Zeros behind its last member, as a tape or `dd` leaves there, are nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Damage {
    /// It ends within a member.
    Cut,
    /// Its bytes are not those that were compressed: they cannot be decompressed, or are not what their checksum says.
    Broken,
    /// Something else stands behind its last member.
    Garbage,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cut => "it is cut short",
            Self::Broken => "its bytes are damaged",
            Self::Garbage => "behind its end stands something else",
        })
    }
}

/// Reads a text. Where the file is damaged the text goes on as far as possible, and the damage is noted.
#[derive(Debug)]
pub(super) struct Members {
    at: At,
    /// Members begun.
    begun: usize,
    /// Bytes of text read so far.
    text_bytes: u64,
    /// Bytes of text before the member that is being read.
    text_before: u64,
    damage: Option<Damage>,
    /// Bytes of text before the first member whose bytes are damaged.
    sound_bytes: Option<u64>,
}

/// A file read from its beginning, wherever others read it.
#[derive(Debug)]
struct Input {
    file: Arc<File>,
    at: u64,
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(buffer, self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}

#[expect(
    clippy::large_enum_variant,
    reason = "there is one for each file that is being read, not for each byte"
)]
#[derive(Debug)]
enum At {
    Between(BufReader<Input>),
    Within(GzDecoder<BufReader<Input>>),
    End,
}

impl Members {
    pub(super) fn of(file: Arc<File>) -> Self {
        let at = At::Between(BufReader::with_capacity(STEP_BYTES, Input { file, at: 0 }));
        Self { at, begun: 0, text_bytes: 0, text_before: 0, damage: None, sound_bytes: None }
    }

    /// How much of the text that was read is what was compressed: what stands before the first member with damaged bytes.
    /// A member's checksum comes last, so that this is known of it only when it is over. Of one that is cut short there is
    /// none: what can be decompressed of that counts.
    pub(super) fn sound_bytes(&self) -> u64 {
        self.sound_bytes.unwrap_or(self.text_bytes)
    }

    /// What has been found to be wrong so far; the first of it.
    pub(super) fn damage(&self) -> Option<Damage> {
        self.damage
    }

    /// Reads until `buffer` is full or nothing more comes.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(super) fn read<'a>(&mut self, buffer: &'a mut [u8]) -> io::Result<&'a [u8]> {
        // All of a large file may be read for one look at it.
        pulse::beat();
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match std::mem::replace(&mut self.at, At::End) {
                At::End => break,
                At::Between(input) => self.at = self.begin(input)?,
                At::Within(mut member) => match member.read(rest) {
                    Ok(0) => self.at = At::Between(member.into_inner()),
                    Ok(count) => {
                        filled += count;
                        self.text_bytes += count as u64;
                        self.at = At::Within(member);
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => self.at = At::Within(member),
                    Err(error) => self.at = self.stumble(member, error)?,
                },
            }
        }
        Ok(buffer.get(..filled).unwrap_or_default())
    }

    /// Begins the next member.
    fn begin(&mut self, mut input: BufReader<Input>) -> io::Result<At> {
        let is_first = self.begun == 0;
        self.text_before = self.text_bytes;
        let next = next_byte(&mut input, if is_first { Zeros::Count } else { Zeros::AreSkipped })?;
        match next {
            Some(0x1f) => {
                self.begun += 1;
                return Ok(At::Within(GzDecoder::new(input)));
            }
            Some(_) => self.note(if is_first { Damage::Broken } else { Damage::Garbage }),
            None if is_first => self.note(Damage::Cut),
            None => {}
        }
        Ok(At::End)
    }

    /// Goes on behind a member that ends with an error, if where it ends is known.
    fn stumble(&mut self, mut member: GzDecoder<BufReader<Input>>, error: io::Error) -> io::Result<At> {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => self.note(Damage::Cut),
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => {
                let is_header = member.header().is_none();
                self.note(if is_header && self.begun > 1 { Damage::Garbage } else { Damage::Broken });
                self.sound_bytes.get_or_insert(self.text_before);
                // Behind a checksum that does not agree the member is over; it says so when it is asked again.
                if !is_header && matches!(member.read(&mut [0]), Ok(0)) {
                    return Ok(At::Between(member.into_inner()));
                }
            }
            _ => return Err(error),
        }
        Ok(At::End)
    }

    fn note(&mut self, damage: Damage) {
        self.damage.get_or_insert(damage);
    }
}

/// What zeros between members are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Zeros {
    Count,
    AreSkipped,
}

/// The byte that comes next, which is not taken; none at the end.
fn next_byte(input: &mut BufReader<Input>, zeros: Zeros) -> io::Result<Option<u8>> {
    loop {
        let bytes = match input.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            bytes => bytes?,
        };
        let is_padding = |byte: &&u8| **byte == 0 && zeros == Zeros::AreSkipped;
        let (padding, len) = (bytes.iter().take_while(is_padding).count(), bytes.len());
        let next = bytes.get(padding).copied();
        input.consume(padding);
        if next.is_some() || len == 0 {
            return Ok(next);
        }
    }
}
