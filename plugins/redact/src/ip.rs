//! IP addresses.

use std::net::Ipv6Addr;
use std::ops::Range;

/// Of an IPv6 address. Bytes.
const IPV6_BYTES_MAX: usize = 45;

/// The first address that begins at `from` or behind it.
pub fn next(text: &[u8], from: usize) -> Option<Range<usize>> {
    let mut at = from;
    loop {
        at += text.get(at..)?.iter().position(|byte| is_address(*byte))?;
        let len = text.get(at..)?.iter().take_while(|byte| is_address(**byte)).count();
        let word = at..at + len;
        if let Some(found) = ipv6(text, word.clone()).or_else(|| ipv4(text, word)) {
            return Some(found);
        }
        at += len;
    }
}

/// May stand in an address.
#[inline(always)]
fn is_address(byte: u8) -> bool {
    const MAY: [bool; 256] = {
        let mut may = [false; 256];
        let mut byte = 0;
        while byte < may.len() {
            may[byte] = (byte as u8).is_ascii_hexdigit() || byte as u8 == b'.' || byte as u8 == b':';
            byte += 1;
        }
        may
    };
    MAY[usize::from(byte)]
}

fn is_letter(byte: Option<&u8>) -> bool {
    byte.is_some_and(u8::is_ascii_alphanumeric)
}

/// A word that is an address but for a colon or a point before or behind it. One without a digit is rather a name.
fn ipv6(text: &[u8], word: Range<usize>) -> Option<Range<usize>> {
    let bytes = text.get(word.clone())?;
    if bytes.len() > IPV6_BYTES_MAX + 2 || !bytes.iter().any(u8::is_ascii_digit) {
        return None;
    }
    let is_point = |byte: &u8| *byte == b':' || *byte == b'.';
    let skipped = if bytes.starts_with(b"::") { 0 } else { bytes.iter().position(|byte| !is_point(byte))? };
    let start = word.start + skipped;
    let is_inside = skipped == 0 && is_letter(text.get(..start)?.last()) || is_letter(text.get(word.end));
    if is_inside || bytes.iter().filter(|byte| **byte == b':').count() < 2 {
        return None;
    }
    let last = bytes.iter().rposition(|byte| !is_point(byte))?;
    // `fe80::` ends with two colons.
    [last + 3, last + 1].into_iter().map(|len| start..word.start + len).find(|range| {
        let address = text.get(range.clone()).and_then(|address| str::from_utf8(address).ok());
        range.end <= word.end && address.is_some_and(|address| address.parse::<Ipv6Addr>().is_ok())
    })
}

/// The first four numbers with points between them, that are not part of more numbers or of a version.
fn ipv4(text: &[u8], word: Range<usize>) -> Option<Range<usize>> {
    let mut at = word.start;
    while at < word.end {
        at += text.get(at..word.end)?.iter().position(u8::is_ascii_digit)?;
        let follows_number = match text.get(..at)? {
            [.., b'v' | b'V'] => true,
            [.., digit, b'.'] => digit.is_ascii_digit(),
            _ => false,
        };
        if !follows_number && let Some(end) = ipv4_end(text, at) {
            return Some(at..end);
        }
        at += text.get(at..)?.iter().take_while(|byte| byte.is_ascii_digit()).count();
    }
    None
}

fn ipv4_end(text: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    for part in 0..4 {
        if part > 0 {
            text.get(at).filter(|byte| **byte == b'.')?;
            at += 1;
        }
        let digits = text.get(at..)?.iter().take_while(|byte| byte.is_ascii_digit()).take(4).count();
        let number = text
            .get(at..at + digits)?
            .iter()
            .fold(0_u32, |number, digit| number * 10 + u32::from(digit - b'0'));
        if !(1..=3).contains(&digits) || number > 255 {
            return None;
        }
        at += digits;
    }
    let goes_on = match text.get(at..)? {
        [b'.', next, ..] => next.is_ascii_digit(),
        [next, ..] => next.is_ascii_alphabetic(),
        [] => false,
    };
    (!goes_on).then_some(at)
}
