//! How the text of files is encoded, and how it becomes UTF-8.
//!
//! Only UTF-16 has newlines of its own (see `units.rs`): in every other encoding that is served, the byte of a newline
//! never stands inside a character, so that lines are found as in UTF-8, and those of ASCII alone are taken as they are.

use std::borrow::Cow;
use std::fs::File;
use std::io;
use std::ops::Range;

use encoding_rs::{ISO_2022_JP, UTF_8, UTF_16BE, UTF_16LE};
use memchr::memrchr;

use super::batch::Text;
use super::identity::bytes_at;
use super::units::Order;

/// U+FEFF, which a writer may put at the beginning of a file as a mark of the encoding.
const MARK_UTF_8: &[u8] = b"\xEF\xBB\xBF";
const MARK_LITTLE: &[u8] = b"\xFF\xFE";
const MARK_BIG: &[u8] = b"\xFE\xFF";

/// How the files of a source are encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encoding(Choice);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Choice {
    /// All files alike.
    Fixed(Charset),
    /// UTF-16, in the order that the mark of each file says; without one the low byte comes first.
    Utf16ByMark,
}

/// Why an encoding is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no encoding that is served; write a name like \"utf-8\", \"utf-16\", \"utf-16be\", \"latin1\", \
     \"windows-1252\" or \"shift_jis\""
)]
pub struct EncodingError(String);

impl Encoding {
    /// UTF-8.
    pub const UTF_8: Self = Self(Choice::Fixed(Charset::Utf8));

    /// The encoding of this name: one of the labels of the WHATWG's Encoding Standard, in any case.
    ///
    /// # Errors
    /// No encoding that can be read line by line has this name.
    pub fn for_label(label: &str) -> Result<Self, EncodingError> {
        let known = encoding_rs::Encoding::for_label_no_replacement(label.as_bytes());
        let known = known.ok_or_else(|| EncodingError(label.to_owned()))?;
        Ok(Self(if known == UTF_8 {
            Choice::Fixed(Charset::Utf8)
        } else if known == UTF_16BE {
            Choice::Fixed(Charset::Utf16(Order::Big))
        } else if known == UTF_16LE && label.trim().eq_ignore_ascii_case("utf-16le") {
            Choice::Fixed(Charset::Utf16(Order::Little))
        } else if known == UTF_16LE {
            Choice::Utf16ByMark
        } else {
            Choice::Fixed(Charset::Other(known))
        }))
    }

    /// The encoding of one file.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(super) fn charset(self, file: &File) -> io::Result<Charset> {
        match self.0 {
            Choice::Fixed(charset) => Ok(charset),
            Choice::Utf16ByMark => {
                let is_big = bytes_at(file, 0, &mut [0; MARK_BIG.len()])? == MARK_BIG;
                Ok(Charset::Utf16(if is_big { Order::Big } else { Order::Little }))
            }
        }
    }
}

/// The encoding of the bytes of one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Charset {
    Utf8,
    Utf16(Order),
    /// Any other: ASCII, and characters of one or several bytes, none of which looks like a newline.
    Other(&'static encoding_rs::Encoding),
}

/// Whether a text says all that its bytes said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fidelity {
    /// All bytes were characters.
    Exact,
    /// Some were none, and U+FFFD stands in their place.
    Replaced,
}

impl Charset {
    /// The mark of this encoding; empty if it has none.
    pub(super) fn mark(self) -> &'static [u8] {
        match self {
            Self::Utf8 => MARK_UTF_8,
            Self::Utf16(Order::Little) => MARK_LITTLE,
            Self::Utf16(Order::Big) => MARK_BIG,
            Self::Other(_) => b"",
        }
    }

    /// What is known of all complete lines of a stretch, which are looked at at once.
    pub(super) fn check(self, bytes: &[u8]) -> Text {
        if let Self::Utf16(_) = self {
            return Text::Unchecked(self);
        }
        let complete = memrchr(b'\n', bytes).and_then(|end| bytes.get(..end)).unwrap_or_default();
        if self.is_utf8(complete) { Text::Valid } else { Text::Unchecked(self) }
    }

    /// Whether these bytes say in UTF-8 what they say here.
    pub(super) fn is_utf8(self, bytes: &[u8]) -> bool {
        match self {
            Self::Utf8 => simdutf8::basic::from_utf8(bytes).is_ok(),
            Self::Utf16(_) => bytes.is_empty(),
            Self::Other(known) if known == ISO_2022_JP => {
                encoding_rs::Encoding::iso_2022_jp_ascii_valid_up_to(bytes) == bytes.len()
            }
            Self::Other(_) => bytes.is_ascii(),
        }
    }

    /// A line for expressions to match: in UTF-8, as far as it is text.
    pub(super) fn text(self, line: &[u8]) -> Cow<'_, [u8]> {
        if self == Self::Utf8 || self.is_utf8(line) {
            return Cow::Borrowed(line);
        }
        match self.codec().decode_without_bom_handling(line).0 {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        }
    }

    /// How much is kept of a line of more than `max` bytes: no part of a character.
    pub(super) fn kept_bytes(self, line: &[u8], max: usize) -> usize {
        let ends_here = |at: usize| match self {
            Self::Utf8 => line.get(at).is_none_or(|byte| *byte & 0b1100_0000 != 0b1000_0000),
            Self::Utf16(_) | Self::Other(_) => line.get(..at).is_some_and(|kept| {
                self.codec().decode_without_bom_handling_and_without_replacement(kept).is_some()
            }),
        };
        (max.saturating_sub(3)..=max).rev().find(|at| ends_here(*at)).unwrap_or(max)
    }

    /// Writes the text of a line behind all that stands in its chunk, with U+FFFD for what is no character, and returns
    /// its place. The line stands at `at` in its file.
    pub(super) fn write_text(
        self,
        chunk: &mut Vec<u8>,
        mut line: Range<usize>,
        at: u64,
    ) -> (Range<usize>, Fidelity) {
        let start = chunk.len();
        let mut fidelity = Fidelity::Exact;
        if let Self::Utf16(_) = self
            && at % 2 == 1
        {
            // The other half of this unit was taken before.
            chunk.extend_from_slice("\u{FFFD}".as_bytes());
            line.start = (line.start + 1).min(line.end);
            fidelity = Fidelity::Replaced;
        }
        let text_start = chunk.len();
        let mut decoder = self.codec().new_decoder_without_bom_handling();
        let room = decoder.max_utf8_buffer_length(line.len()).unwrap_or_default();
        chunk.resize(text_start + room, 0);
        let (before, text) = chunk.split_at_mut(text_start);
        let bytes = before.get(line).unwrap_or_default();
        let (_, _, written, is_replaced) = decoder.decode_to_utf8(bytes, text, true);
        chunk.truncate(text_start + written);
        if is_replaced {
            fidelity = Fidelity::Replaced;
        }
        (start..text_start + written, fidelity)
    }

    fn codec(self) -> &'static encoding_rs::Encoding {
        match self {
            Self::Utf8 => UTF_8,
            Self::Utf16(Order::Little) => UTF_16LE,
            Self::Utf16(Order::Big) => UTF_16BE,
            Self::Other(known) => known,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn other(label: &str) -> Charset {
        match Encoding::for_label(label) {
            Ok(Encoding(Choice::Fixed(charset))) => charset,
            found => panic!("{label}: {found:?}"),
        }
    }

    #[test]
    fn names_are_those_of_the_standard_and_others_are_refused_with_what_to_write() {
        assert_eq!(Encoding::for_label("UTF8"), Ok(Encoding::UTF_8));
        assert_eq!(Encoding::for_label("Utf-16").unwrap().0, Choice::Utf16ByMark);
        assert_eq!(other("utf-16LE"), Charset::Utf16(Order::Little));
        assert_eq!(other("utf-16be"), Charset::Utf16(Order::Big));
        assert_eq!(other("latin1"), Charset::Other(encoding_rs::WINDOWS_1252));
        assert_eq!(other("iso-8859-15"), Charset::Other(encoding_rs::ISO_8859_15));
        for label in ["ebcdic", "", "iso-2022-kr", "utf-32"] {
            let refused = Encoding::for_label(label).unwrap_err().to_string();
            assert!(
                refused.starts_with(&format!("`{label}` is no encoding that is served; write")),
                "{refused}"
            );
        }
    }

    /// Lines are found by their newline byte before they are decoded.
    #[test]
    fn no_encoding_but_utf_16_has_the_byte_of_a_newline_inside_a_character() {
        for label in ["shift_jis", "euc-jp", "iso-2022-jp", "gb18030", "gbk", "big5", "euc-kr"] {
            let charset = other(label);
            for lead in 0x80..=0xFF_u8 {
                for bytes in [&[lead, b'\n'][..], &[lead, 0x30, b'\n'], &[lead, 0x30, lead, b'\n']] {
                    let mut chunk = bytes.to_vec();
                    let (text, _) = charset.write_text(&mut chunk, 0..bytes.len(), 0);
                    let ends = chunk.get(text).unwrap().ends_with(b"\n");
                    assert!(ends, "{label}: the newline is part of a character behind {bytes:02x?}");
                }
            }
        }
    }

    #[test]
    fn a_line_is_cut_between_characters() {
        let cases: [(Charset, &[u8], [usize; 5]); 4] = [
            (Charset::Utf8, "aé語x".as_bytes(), [0, 1, 1, 3, 3]),
            (other("shift_jis"), b"\x93\xfa\x96\x7bx", [0, 0, 2, 2, 4]),
            (other("gb18030"), b"a\x81\x30\x81\x30b", [0, 1, 1, 1, 1]),
            (Charset::Utf16(Order::Little), b"a\0\x3D\xD8\x00\xDEb\0", [0, 0, 2, 2, 2]),
        ];
        for (charset, line, wanted) in cases {
            let kept: Vec<usize> = (0..wanted.len()).map(|max| charset.kept_bytes(line, max)).collect();
            assert_eq!(kept, wanted, "{charset:?}");
        }
    }
}
