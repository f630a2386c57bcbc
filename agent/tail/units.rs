//! Where lines end in bytes: of one, or of the two that make a unit of UTF-16.

use memchr::memchr_iter;

use super::encoding::Charset;

/// What a newline and a return are made of. All positions count from the beginning of the file, where the first unit
/// begins: the bytes of U+0A00 and of its neighbours are no newline where they stand across two units.
pub(super) trait Units: Copy {
    /// Where newlines begin in `bytes`, which stand at `at`.
    fn newlines(self, bytes: &[u8], at: u64) -> impl Iterator<Item = usize>;

    /// A newline.
    fn newline(self) -> &'static [u8];

    /// A return, which is no part of a line if a newline follows.
    fn carriage_return(self) -> &'static [u8];

    /// Where the unit begins in which `at` lies; `at` itself if one begins there.
    fn floor(self, at: u64) -> u64;

    /// The line without a return at its end.
    fn without_return(self, line: &[u8]) -> &[u8] {
        line.strip_suffix(self.carriage_return()).unwrap_or(line)
    }

    /// Whether `bytes`, which stand at `at`, end with a newline.
    fn ends_line(self, bytes: &[u8], at: u64) -> bool {
        let end = at + bytes.len() as u64;
        bytes.ends_with(self.newline()) && self.floor(end) == end
    }

    /// The whole units at the beginning of `bytes`, which stand at `at`.
    fn whole(self, bytes: &[u8], at: u64) -> &[u8] {
        let odd = at + bytes.len() as u64 - self.floor(at + bytes.len() as u64);
        bytes.get(..bytes.len() - (odd as usize).min(bytes.len())).unwrap_or_default()
    }
}

/// Units of one byte.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bytes;

impl Units for Bytes {
    #[inline(always)]
    fn newlines(self, bytes: &[u8], _at: u64) -> impl Iterator<Item = usize> {
        memchr_iter(b'\n', bytes)
    }

    #[inline(always)]
    fn newline(self) -> &'static [u8] {
        b"\n"
    }

    #[inline(always)]
    fn carriage_return(self) -> &'static [u8] {
        b"\r"
    }

    #[inline(always)]
    fn floor(self, at: u64) -> u64 {
        at
    }
}

/// The order of the bytes in units of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// The low byte comes first.
    Little,
    /// The high byte comes first.
    Big,
}

impl Units for Order {
    fn newlines(self, bytes: &[u8], at: u64) -> impl Iterator<Item = usize> {
        let (low, high) = if self == Self::Little { (0, 1) } else { (1, 0) };
        memchr_iter(b'\n', bytes).filter_map(move |found| {
            let start = found.checked_sub(low)?;
            let is_unit = (at + start as u64).is_multiple_of(2) && bytes.get(start + high) == Some(&0);
            is_unit.then_some(start)
        })
    }

    fn newline(self) -> &'static [u8] {
        if self == Self::Little { b"\n\0" } else { b"\0\n" }
    }

    fn carriage_return(self) -> &'static [u8] {
        if self == Self::Little { b"\r\0" } else { b"\0\r" }
    }

    fn floor(self, at: u64) -> u64 {
        at - at % 2
    }
}

/// For the rare cases: what is done for each line is made for [`Bytes`] and [`Order`] apart.
impl Units for Charset {
    fn newlines(self, bytes: &[u8], at: u64) -> impl Iterator<Item = usize> {
        let newlines: Box<dyn Iterator<Item = usize> + '_> = match self {
            Self::Utf16(order) => Box::new(order.newlines(bytes, at)),
            Self::Utf8 | Self::Other(_) => Box::new(Bytes.newlines(bytes, at)),
        };
        newlines
    }

    fn newline(self) -> &'static [u8] {
        match self {
            Self::Utf16(order) => order.newline(),
            Self::Utf8 | Self::Other(_) => Bytes.newline(),
        }
    }

    fn carriage_return(self) -> &'static [u8] {
        match self {
            Self::Utf16(order) => order.carriage_return(),
            Self::Utf8 | Self::Other(_) => Bytes.carriage_return(),
        }
    }

    fn floor(self, at: u64) -> u64 {
        match self {
            Self::Utf16(order) => order.floor(at),
            Self::Utf8 | Self::Other(_) => at,
        }
    }
}
