//! Copies and compares short texts without `memory.copy` and without loops.
//!
//! In a component a copy of unknown length is a call into the host, and each turn of a loop looks at the clock: both
//! are dearer than a few words. So short texts go in words of fixed size, of which the last may overlap others.

/// Longer values are copied by the host.
const SHORT_BYTES_MAX: usize = 512;

/// Appends `value` to `data`.
#[inline(always)]
pub fn append(data: &mut Vec<u8>, value: &[u8]) {
    let len = value.len();
    if len > SHORT_BYTES_MAX {
        data.extend_from_slice(value);
        return;
    }
    if data.capacity() - data.len() < len {
        grow(data, len);
    }
    // SAFETY: `data` has room for `len` bytes past its length (grown above), which `value` cannot overlap since
    // `data` is borrowed alone; `copy_short` writes exactly those `len` bytes before the length covers them.
    unsafe {
        copy_short(value.as_ptr(), data.as_mut_ptr().add(data.len()), len);
        data.set_len(data.len() + len);
    }
}

/// Appends `value` to `text`, fast where `value` is short.
///
/// ```
/// use logsmith_plugin::append_str;
///
/// let mut text = String::from("GET ");
/// append_str(&mut text, "/index.html");
/// assert_eq!(text, "GET /index.html");
/// ```
#[inline(always)]
pub fn append_str(text: &mut String, value: &str) {
    // SAFETY: UTF-8 with UTF-8 behind it is UTF-8.
    append(unsafe { text.as_mut_vec() }, value.as_bytes());
}

/// Whether two texts are the same, fast where they are short.
///
/// ```
/// use logsmith_plugin::same;
///
/// assert!(same(b"level", b"level") && !same(b"level", b"lever"));
/// ```
#[inline(always)]
pub fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    match a.len() {
        0 => true,
        1 => a.first() == b.first(),
        2..=3 => ends_same::<2>(a, b),
        4..=7 => ends_same::<4>(a, b),
        8..=16 => ends_same::<8>(a, b),
        _ => a == b,
    }
}

/// Whether the first and the last `N` bytes are the same.
#[inline(always)]
fn ends_same<const N: usize>(a: &[u8], b: &[u8]) -> bool {
    a.first_chunk::<N>() == b.first_chunk::<N>() && a.last_chunk::<N>() == b.last_chunk::<N>()
}

#[cold]
fn grow(data: &mut Vec<u8>, len: usize) {
    data.reserve(len.max(data.capacity()));
}

/// Copies `N` bytes as one word.
///
/// # Safety
/// `N` bytes can be read at `from` and written at `to`, and the two do not overlap.
#[inline(always)]
unsafe fn word<const N: usize>(from: *const u8, to: *mut u8) {
    // SAFETY: the caller's promise; `[u8; N]` has no alignment.
    unsafe { to.cast::<[u8; N]>().write_unaligned(from.cast::<[u8; N]>().read_unaligned()) }
}

/// Copies `len` bytes.
///
/// # Safety
/// `len` bytes can be read at `from` and written at `to`, and the two do not overlap.
#[inline(always)]
unsafe fn copy_short(from: *const u8, to: *mut u8, len: usize) {
    // SAFETY: every word lies within the `len` bytes: a branch with words of N bytes is taken with `len >= N`, and
    // each word begins at 0, at `len - N`, or before it.
    unsafe {
        if len > 64 {
            let mut at = 0;
            while at + 64 < len {
                word::<64>(from.add(at), to.add(at));
                at += 64;
            }
            word::<64>(from.add(len - 64), to.add(len - 64));
        } else if len > 32 {
            word::<32>(from, to);
            word::<32>(from.add(len - 32), to.add(len - 32));
        } else if len >= 16 {
            word::<16>(from, to);
            word::<16>(from.add(len - 16), to.add(len - 16));
        } else if len >= 8 {
            word::<8>(from, to);
            word::<8>(from.add(len - 8), to.add(len - 8));
        } else if len >= 4 {
            word::<4>(from, to);
            word::<4>(from.add(len - 4), to.add(len - 4));
        } else if len >= 2 {
            word::<2>(from, to);
            word::<2>(from.add(len - 2), to.add(len - 2));
        } else if len == 1 {
            word::<1>(from, to);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_every_length_differ_by_any_byte() {
        for len in 0..40 {
            let text = "a".repeat(len);
            assert!(same(text.as_bytes(), text.clone().as_bytes()));
            assert!(!same(text.as_bytes(), "a".repeat(len + 1).as_bytes()));
            for at in 0..len {
                let mut other = text.clone();
                other.replace_range(at..=at, "b");
                assert!(!same(text.as_bytes(), other.as_bytes()), "{text} {other}");
            }
        }
    }

    #[test]
    fn every_length_arrives_whole_behind_what_was_there() {
        let source: Vec<u8> = (0..600_u32).map(|i| (i % 251) as u8).collect();
        for len in 0..source.len() {
            let mut data = b"before".to_vec();
            append(&mut data, &source[..len]);
            append(&mut data, b"x");
            assert_eq!(&data[..6], b"before");
            assert_eq!(&data[6..6 + len], &source[..len]);
            assert_eq!(&data[6 + len..], b"x");
        }
    }
}
