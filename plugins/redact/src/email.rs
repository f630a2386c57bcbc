//! E-mail addresses.

use std::ops::Range;

use logsmith_plugin::scan;

/// The first address that begins at `from` or behind it.
pub fn next(text: &[u8], from: usize) -> Option<Range<usize>> {
    let mut at = scan::byte(text, from, b'@');
    while at < text.len() {
        let before = text.get(from..at).unwrap_or_default();
        let local = before.iter().rev().take_while(|byte| is_local(**byte)).count();
        let domain = domain_len(text.get(at + 1..).unwrap_or_default());
        if local > 0 && domain > 0 {
            return Some(at - local..at + 1 + domain);
        }
        at = scan::byte(text, at + 1, b'@');
    }
    None
}

/// Beyond ASCII any letter may stand in a name. What may as well, but in texts rather stands between an address and
/// something else, is left out: `to=ann@example.org`.
#[inline(always)]
fn is_local(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80 || b"._%+-".contains(&byte)
}

/// Of a name with a dot in it and a letter at its end, without a dot behind it; 0 where there is none.
fn domain_len(text: &[u8]) -> usize {
    let is_domain =
        |byte: &&u8| byte.is_ascii_alphanumeric() || **byte >= 0x80 || matches!(byte, b'.' | b'-');
    let len = text.iter().take_while(is_domain).count();
    let domain = text.get(..len).unwrap_or_default();
    let end = domain.iter().rposition(|byte| byte.is_ascii_alphanumeric() || *byte >= 0x80);
    let domain = end.and_then(|end| domain.get(..=end)).unwrap_or_default();
    let top = domain.rsplit(|byte| *byte == b'.').next().unwrap_or_default();
    let has_labels = top.len() < domain.len() && !domain.starts_with(b".");
    if has_labels && top.len() >= 2 && !top.iter().all(u8::is_ascii_digit) { domain.len() } else { 0 }
}
