//! The compact protocol of Thrift, in which Parquet writes its metadata, read within bounds.
//!
//! Nothing is allocated for what a header claims, nesting has a limit, and no number is cut to fit. So what
//! passes here can be handed to a reader that trusts more.

/// How deep structs and lists may lie in each other.
const DEPTH_MAX: u32 = 32;

/// What a value is, by its number in the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A truth value; as a field it takes no bytes of its own.
    Bool,
    /// One byte.
    Byte,
    /// An integer of 16, 32 or 64 bits.
    Int,
    /// Eight bytes.
    Double,
    /// Bytes or text.
    Binary,
    /// Values of one kind.
    List,
    /// Fields with numbers.
    Struct,
}

impl Kind {
    /// Sets, maps and UUIDs do not occur in Parquet's metadata.
    fn of(number: u8) -> Option<Self> {
        Some(match number {
            1 | 2 => Self::Bool,
            3 => Self::Byte,
            4..=6 => Self::Int,
            7 => Self::Double,
            8 => Self::Binary,
            9 => Self::List,
            12 => Self::Struct,
            _ => return None,
        })
    }
}

/// The header of a field.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    /// Its number in the struct.
    pub id: i16,
    /// What it holds.
    pub kind: Kind,
}

/// Bytes of the protocol, read from the front. `None` from any method: they end early, or are no such value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Thrift<'a> {
    rest: &'a [u8],
}

impl<'a> Thrift<'a> {
    /// Reads these bytes.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What was not read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next field of a struct, after the field `last`; the inner `None` is the struct's end.
    pub fn field(&mut self, last: &mut i16) -> Option<Option<Field>> {
        let header = self.byte()?;
        if header & 0x0f == 0 {
            return Some(None);
        }
        let kind = Kind::of(header & 0x0f)?;
        let id = match header >> 4 {
            0 => i16::try_from(self.signed()?).ok()?,
            delta => last.checked_add(i16::from(delta))?,
        };
        *last = id;
        Some(Some(Field { id, kind }))
    }

    /// An integer that fits 32 bits.
    pub fn i32(&mut self, field: Field) -> Option<i32> {
        i32::try_from(self.i64(field)?).ok()
    }

    /// An integer.
    pub fn i64(&mut self, field: Field) -> Option<i64> {
        if field.kind == Kind::Int { self.signed() } else { None }
    }

    /// The start of a list of `kind`: how many values follow. There are at least as many bytes.
    pub fn list(&mut self, field: Field, kind: Kind) -> Option<usize> {
        if field.kind != Kind::List {
            return None;
        }
        let (found, len) = self.list_header()?;
        (len == 0 || found == kind).then_some(len)
    }

    /// Passes over a value.
    pub fn skip(&mut self, kind: Kind) -> Option<()> {
        self.skip_within(kind, DEPTH_MAX)
    }

    fn skip_within(&mut self, kind: Kind, depth: u32) -> Option<()> {
        let below = depth.checked_sub(1)?;
        match kind {
            Kind::Bool => {}
            Kind::Byte => self.take(1)?,
            Kind::Int => drop(self.signed()?),
            Kind::Double => self.take(8)?,
            Kind::Binary => {
                let len = self.unsigned()?;
                self.take(usize::try_from(len).ok()?)?;
            }
            Kind::List => {
                let (kind, len) = self.list_header()?;
                for _ in 0..len {
                    // In a list a truth value is a byte.
                    self.skip_within(if kind == Kind::Bool { Kind::Byte } else { kind }, below)?;
                }
            }
            Kind::Struct => {
                let mut last = 0;
                while let Some(field) = self.field(&mut last)? {
                    self.skip_within(field.kind, below)?;
                }
            }
        }
        Some(())
    }

    fn list_header(&mut self) -> Option<(Kind, usize)> {
        let header = self.byte()?;
        if header == 0 {
            return Some((Kind::Byte, 0));
        }
        let kind = Kind::of(header & 0x0f)?;
        let len = match header >> 4 {
            15 => usize::try_from(self.unsigned()?).ok()?,
            len => usize::from(len),
        };
        (len <= self.rest.len()).then_some((kind, len))
    }

    fn signed(&mut self) -> Option<i64> {
        let zigzag = self.unsigned()?;
        Some((zigzag >> 1) as i64 ^ -((zigzag & 1) as i64))
    }

    fn unsigned(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return None;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn take(&mut self, len: usize) -> Option<()> {
        self.rest = self.rest.get(len..)?;
        Some(())
    }
}

/// The number that `bytes` start with, as Parquet's encodings write it: seven bits a byte, lowest first.
pub(super) fn leading_numbers<const N: usize>(bytes: &[u8]) -> Option<[u64; N]> {
    let mut thrift = Thrift::new(bytes);
    let mut numbers = [0; N];
    for number in &mut numbers {
        *number = thrift.unsigned()?;
    }
    Some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_and_what_is_not_wanted_is_passed_over() {
        // 1: i32 = -3, 2: [true, false], 4: {1: "ab"}, 300: i64 = 64, end.
        let bytes = [0x15, 5, 0x19, 0x21, 1, 2, 0x2c, 0x18, 2, b'a', b'b', 0, 0x06, 0xd8, 4, 0x80, 1, 0, 9];
        let (mut thrift, mut last, mut seen) = (Thrift::new(&bytes), 0, Vec::new());
        while let Some(field) = thrift.field(&mut last).unwrap() {
            match field.kind {
                Kind::Int => seen.push((field.id, thrift.i64(field).unwrap())),
                kind => thrift.skip(kind).unwrap(),
            }
        }
        assert_eq!(seen, [(1, -3), (300, 64)]);
        assert_eq!(thrift.rest(), [9]);
    }

    #[test]
    fn a_list_longer_than_its_bytes_and_nesting_without_end_are_no_values() {
        assert_eq!(Thrift::new(&[0xf5, 0xff, 0xff, 0xff, 0xff, 7, 1]).skip(Kind::List), None);
        assert_eq!(Thrift::new(&[0x1c; 4_000]).skip(Kind::Struct), None);
        assert_eq!(Thrift::new(&[0x19; 4_000]).skip(Kind::List), None);
        assert_eq!(Thrift::new(&[0xff; 20]).skip(Kind::Int), None);
        assert_eq!(Thrift::new(&[4, 1]).skip(Kind::Binary), None);
    }
}
