//! Answers whatever a script says, for a host that must bear anything.
//!
//! A script is read byte by byte. Zeros, and what comes behind its end, say nothing special: an answer of zeros alone is
//! an honest one.

use logsmith_plugin::{Column, Fault, Field, Kind, Maps, Output, RejectedRow, Strings, Values};

const KINDS: [Kind; 9] = [
    Kind::Boolean,
    Kind::Int32,
    Kind::Int64,
    Kind::Float64,
    Kind::Date32,
    Kind::TimestampUs,
    Kind::Utf8,
    Kind::Binary,
    Kind::StringMap,
];

/// One column of each kind, every other one with nulls.
pub fn writes() -> Vec<Field> {
    let field = |(at, kind)| Field { name: format!("c{at}"), kind, nullable: at % 2 == 0 };
    KINDS.into_iter().enumerate().map(field).collect()
}

/// The answer that `script` says for `rows` rows.
pub fn answer(script: &[u8], rows: u32) -> Result<Output, Fault> {
    let mut script = Script { rest: script, honest_len: 0 };
    if script.byte() == 1 {
        return Err(Fault::Other(script.text()));
    }
    let source_rows = script.rows().unwrap_or_else(|| (0..rows).collect());
    let dropped = script.rows().unwrap_or_default();
    let rejects = script.rows().unwrap_or_default().into_iter();
    let rejects = rejects.map(|row| RejectedRow { row, reason: script.text() }).collect();
    script.honest_len = source_rows.len();
    let columns = KINDS.iter().skip((script.byte() == 1).into()).map(|kind| script.column(*kind)).collect();
    Ok(Output { columns, source_rows, dropped, rejects })
}

struct Script<'a> {
    rest: &'a [u8],
    /// The output rows, and so the values of an honest column.
    honest_len: usize,
}

impl Script<'_> {
    /// The next byte; 0 when the script has ended.
    fn byte(&mut self) -> u8 {
        let Some((byte, rest)) = self.rest.split_first() else { return 0 };
        self.rest = rest;
        *byte
    }

    /// Mostly small, and sometimes anything.
    fn number(&mut self) -> i64 {
        match self.byte() {
            byte @ ..=127 => byte.into(),
            byte @ 128..=191 => i64::from(byte) - 192,
            byte @ 192..=223 => 1 << (byte - 192),
            byte => i64::MIN >> (byte - 224),
        }
    }

    /// How many values a column has.
    fn len(&mut self) -> usize {
        match self.byte() {
            byte @ 1..=15 => usize::from(byte) - 1,
            _ => self.honest_len,
        }
    }

    fn numbers<T>(&mut self, len: usize, make: impl Fn(i64) -> T) -> Vec<T> {
        (0..len).map(|_| make(self.number())).collect()
    }

    /// Up to seven rows, existing or not; `None` for the honest ones.
    fn rows(&mut self) -> Option<Vec<u32>> {
        match self.byte() {
            0 => None,
            len => Some(self.numbers(usize::from(len % 8), |row| row as u32)),
        }
    }

    fn text(&mut self) -> String {
        let bytes: Vec<u8> = (0..self.byte() % 32).map(|_| self.byte()).collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn bits(&mut self, len: usize) -> Vec<u8> {
        match self.byte() {
            0 => vec![0xff; len.div_ceil(8)],
            bytes => (1..bytes % 8).map(|_| self.byte()).collect(),
        }
    }

    fn validity(&mut self, len: usize) -> Option<Vec<u8>> {
        (self.byte() % 2 == 1).then(|| self.bits(len))
    }

    /// Those of values of these lengths, up to three of them replaced.
    fn offsets(&mut self, lens: impl Iterator<Item = usize>) -> Vec<i32> {
        let mut offsets = vec![0];
        let mut end = 0;
        offsets.extend(lens.map(|len| {
            end += len as i32;
            end
        }));
        for _ in 0..self.byte() % 4 {
            let at = self.byte() as usize % offsets.len();
            offsets[at] = self.number() as i32;
        }
        offsets
    }

    fn strings(&mut self, len: usize) -> Strings {
        let lens: Vec<usize> = (0..len).map(|_| usize::from(self.byte() % 16)).collect();
        let data = (0..lens.iter().sum()).map(|_| self.byte()).collect();
        Strings { offsets: self.offsets(lens.into_iter()), data }
    }

    fn column(&mut self, planned: Kind) -> Column {
        let kind = match self.byte() {
            0 | 9.. => planned,
            other => KINDS[usize::from(other)],
        };
        let len = self.len();
        let values = match kind {
            Kind::Boolean => Values::Boolean(self.bits(len)),
            Kind::Int32 => Values::Int32(self.numbers(len, |number| number as i32)),
            Kind::Int64 => Values::Int64(self.numbers(len, |number| number)),
            Kind::Float64 => Values::Float64(self.numbers(len, |number| f64::from_bits(number as u64))),
            Kind::Date32 => Values::Date32(self.numbers(len, |number| number as i32)),
            Kind::TimestampUs => Values::TimestampUs(self.numbers(len, |number| number)),
            Kind::Utf8 => Values::Utf8(self.strings(len)),
            Kind::Binary => Values::Binary(self.strings(len)),
            Kind::StringMap => {
                let lens: Vec<usize> = (0..len).map(|_| usize::from(self.byte() % 4)).collect();
                let entries = lens.iter().sum();
                let (keys, values) = (self.strings(entries), self.strings(entries));
                let offsets = self.offsets(lens.into_iter());
                Values::StringMap(Maps { offsets, keys, values, validity: self.validity(entries) })
            }
        };
        Column { values, validity: self.validity(len) }
    }
}
