//! Fields of a record, without building anything: a field is a place in the record, unless its quotes are doubled.

use logsmith_plugin::scan;

/// What separates fields, and what may stand around them.
#[derive(Clone, Copy, Debug)]
pub struct Form {
    pub delimiter: u8,
    pub quote: Option<u8>,
}

/// Where the text of a field stands, from one byte to before the other.
#[derive(Clone, Copy, Debug)]
pub enum Place {
    Record(u32, u32),
    Unescaped(u32, u32),
}

impl Place {
    #[inline(always)]
    pub fn text<'t>(self, record: &'t str, unescaped: &'t str) -> &'t str {
        let (text, start, end) = match self {
            Self::Record(start, end) => (record, start, end),
            Self::Unescaped(start, end) => (unescaped, start, end),
        };
        text.get(start as usize..end as usize).unwrap_or_default()
    }
}

/// What some programs write at the beginning of a file.
const BOM: &str = "\u{feff}";

impl Form {
    /// Appends the places of a record's fields, of which there is one at least; or says what is wrong, and where.
    #[inline]
    pub fn split(self, record: &str, places: &mut Vec<Place>, unescaped: &mut String) -> Result<(), String> {
        let bytes = record.as_bytes();
        let has_newline = scan::byte(bytes, 0, b'\n') < bytes.len();
        let mut start = if record.starts_with(BOM) { BOM.len() } else { 0 };
        loop {
            let (place, end) = match self.quote {
                Some(quote) if bytes.get(start) == Some(&quote) => {
                    self.quoted(record, start + 1, quote, unescaped)?
                }
                _ => {
                    let end = scan::byte(bytes, start, self.delimiter);
                    if has_newline {
                        no_newline(bytes, start, end)?;
                    }
                    (Place::Record(start as u32, end as u32), end)
                }
            };
            places.push(place);
            if end >= bytes.len() {
                return Ok(());
            }
            start = end + 1;
        }
    }

    /// The field behind an opening quote, and where the delimiter or the record's end follows it.
    fn quoted(
        self,
        record: &str,
        start: usize,
        quote: u8,
        unescaped: &mut String,
    ) -> Result<(Place, usize), String> {
        let bytes = record.as_bytes();
        let copied = unescaped.len();
        let mut part = start;
        loop {
            let end = scan::byte(bytes, part, quote);
            if end == bytes.len() {
                return Err(format!("the quote at byte {} is not closed", start - 1));
            }
            let text = record.get(part..end).unwrap_or_default();
            match bytes.get(end + 1) {
                Some(next) if *next == quote => {
                    unescaped.push_str(text);
                    unescaped.push(char::from(quote));
                    part = end + 2;
                    continue;
                }
                Some(next) if *next != self.delimiter => {
                    let delimiter = char::from(self.delimiter).escape_default();
                    return Err(format!("expected `{delimiter}` behind the quote, at byte {}", end + 1));
                }
                _ => {}
            }
            let place = if unescaped.len() == copied {
                Place::Record(start as u32, end as u32)
            } else {
                unescaped.push_str(text);
                Place::Unescaped(copied as u32, unescaped.len() as u32)
            };
            return Ok((place, end + 1));
        }
    }
}

#[cold]
fn no_newline(bytes: &[u8], start: usize, end: usize) -> Result<(), String> {
    match scan::byte(bytes, start, b'\n') {
        at if at < end => Err(format!("the newline at byte {at} is not in quotes")),
        _ => Ok(()),
    }
}
