//! Finds a byte in a short text fast, without a table and without a call: for the inner loops of parsers.
//!
//! ```
//! use logsmith_plugin::scan;
//!
//! let line = br#"status=200 path="/a""#;
//! let equals = scan::byte(line, 0, b'=');
//! let end = scan::digits_end(line, equals + 1);
//! assert_eq!(&line[equals + 1..end], b"200");
//! assert_eq!(scan::quote_escape_or_control(line, end), 16);
//! assert_eq!(scan::byte(line, 0, b'#'), line.len());
//! ```

// `"` is 0x22, the only other byte that is up to 0x20 once the bit 2 is turned over: so one comparison finds both it
// and the control characters.

/// How many bytes are looked at together.
const BLOCK: usize = 16;

/// The first position from `from` on of a `"`, a `\` or a control character (below 0x20); the length of `bytes`
/// when there is none.
#[inline(always)]
pub fn quote_escape_or_control(bytes: &[u8], from: usize) -> usize {
    find(bytes, from, arch::quote_escape_or_control, |byte| byte == b'"' || byte == b'\\' || byte < 0x20)
}

/// The first position from `from` on of `needle`; the length of `bytes` when there is none.
#[inline(always)]
pub fn byte(bytes: &[u8], from: usize, needle: u8) -> usize {
    find(bytes, from, |block| arch::equal(block, needle), |byte| byte == needle)
}

/// The first position from `from` on of `one` or of `other`; the length of `bytes` when there is none.
#[inline(always)]
pub fn either_byte(bytes: &[u8], from: usize, one: u8, other: u8) -> usize {
    find(
        bytes,
        from,
        |block| arch::equal(block, one) | arch::equal(block, other),
        |byte| byte == one || byte == other,
    )
}

/// The first position from `from` on of a blank or a control character (up to 0x20); the length of `bytes` when there
/// is none.
#[inline(always)]
pub fn blank_or_control(bytes: &[u8], from: usize) -> usize {
    find(bytes, from, arch::blank_or_control, |byte| byte <= b' ')
}

/// As [`blank_or_control`], but `one` and `other` end the search too.
#[inline(always)]
pub fn blank_or_control_or(bytes: &[u8], from: usize, one: u8, other: u8) -> usize {
    find(
        bytes,
        from,
        |block| arch::blank_or_control(block) | arch::equal(block, one) | arch::equal(block, other),
        |byte| byte <= b' ' || byte == one || byte == other,
    )
}

/// The first position from `from` on of anything but `0` to `9`; the length of `bytes` when there is none.
#[inline(always)]
pub fn digits_end(bytes: &[u8], from: usize) -> usize {
    find(bytes, from, arch::no_digit, |byte| !byte.is_ascii_digit())
}

/// `block` answers a bit per byte, the lowest for the first.
#[inline(always)]
fn find(
    bytes: &[u8],
    from: usize,
    block: impl Fn(&[u8; BLOCK]) -> u32,
    single: impl Fn(u8) -> bool,
) -> usize {
    let mut at = from;
    // Most texts end within the first block: that one is looked at outside of the loop.
    if let Some(chunk) = chunk_at(bytes, at) {
        let found = block(chunk);
        if found != 0 {
            return at + found.trailing_zeros() as usize;
        }
        at += BLOCK;
        while let Some(chunk) = chunk_at(bytes, at) {
            let found = block(chunk);
            if found != 0 {
                return at + found.trailing_zeros() as usize;
            }
            at += BLOCK;
        }
    }
    // The rest is shorter than a block. If the text is not, the last block that fits covers it too.
    if let Some((start, last)) = bytes.len().checked_sub(BLOCK).zip(bytes.last_chunk::<BLOCK>())
        && at < bytes.len()
    {
        let found = block(last) >> (at - start);
        return if found != 0 { at + found.trailing_zeros() as usize } else { bytes.len() };
    }
    let rest = bytes.get(at..).unwrap_or_default();
    rest.iter().position(|byte| single(*byte)).map_or(bytes.len(), |found| at + found)
}

#[inline(always)]
fn chunk_at(bytes: &[u8], at: usize) -> Option<&[u8; BLOCK]> {
    bytes.get(at..)?.first_chunk()
}

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod arch {
    use core::arch::wasm32::{
        u8x16_bitmask, u8x16_eq, u8x16_ge, u8x16_le, u8x16_splat, u8x16_sub, v128, v128_load, v128_or,
        v128_xor,
    };

    #[inline(always)]
    fn load(block: &[u8; super::BLOCK]) -> v128 {
        // SAFETY: sixteen bytes can be read at `block`, and the load wants no alignment.
        unsafe { v128_load(block.as_ptr().cast()) }
    }

    #[inline(always)]
    pub fn quote_escape_or_control(block: &[u8; super::BLOCK]) -> u32 {
        let block = load(block);
        let control_or_quote = u8x16_le(v128_xor(block, u8x16_splat(2)), u8x16_splat(0x20));
        let escape = u8x16_eq(block, u8x16_splat(b'\\'));
        u32::from(u8x16_bitmask(v128_or(control_or_quote, escape)))
    }

    #[inline(always)]
    pub fn equal(block: &[u8; super::BLOCK], needle: u8) -> u32 {
        u32::from(u8x16_bitmask(u8x16_eq(load(block), u8x16_splat(needle))))
    }

    #[inline(always)]
    pub fn blank_or_control(block: &[u8; super::BLOCK]) -> u32 {
        u32::from(u8x16_bitmask(u8x16_le(load(block), u8x16_splat(b' '))))
    }

    #[inline(always)]
    pub fn no_digit(block: &[u8; super::BLOCK]) -> u32 {
        let digit = u8x16_sub(load(block), u8x16_splat(b'0'));
        u32::from(u8x16_bitmask(u8x16_ge(digit, u8x16_splat(10))))
    }
}

#[cfg(target_arch = "x86_64")]
mod arch {
    use core::arch::x86_64::{
        __m128i, _mm_cmpeq_epi8, _mm_loadu_si128, _mm_max_epu8, _mm_min_epu8, _mm_movemask_epi8,
        _mm_or_si128, _mm_set1_epi8, _mm_sub_epi8, _mm_xor_si128,
    };

    #[inline(always)]
    pub fn quote_escape_or_control(block: &[u8; super::BLOCK]) -> u32 {
        // SAFETY: every x86_64 has SSE2; sixteen bytes can be read at `block`, and the load wants no alignment.
        unsafe {
            let block = _mm_loadu_si128(block.as_ptr().cast::<__m128i>());
            let swapped = _mm_xor_si128(block, _mm_set1_epi8(2));
            let control_or_quote = _mm_cmpeq_epi8(_mm_min_epu8(swapped, _mm_set1_epi8(0x20)), swapped);
            let escape = _mm_cmpeq_epi8(block, _mm_set1_epi8(b'\\' as i8));
            _mm_movemask_epi8(_mm_or_si128(control_or_quote, escape)) as u32
        }
    }

    #[inline(always)]
    pub fn equal(block: &[u8; super::BLOCK], needle: u8) -> u32 {
        // SAFETY: as above.
        unsafe {
            let block = _mm_loadu_si128(block.as_ptr().cast::<__m128i>());
            _mm_movemask_epi8(_mm_cmpeq_epi8(block, _mm_set1_epi8(needle as i8))) as u32
        }
    }

    #[inline(always)]
    pub fn blank_or_control(block: &[u8; super::BLOCK]) -> u32 {
        // SAFETY: as above.
        unsafe {
            let block = _mm_loadu_si128(block.as_ptr().cast::<__m128i>());
            _mm_movemask_epi8(_mm_cmpeq_epi8(_mm_min_epu8(block, _mm_set1_epi8(0x20)), block)) as u32
        }
    }

    #[inline(always)]
    pub fn no_digit(block: &[u8; super::BLOCK]) -> u32 {
        // SAFETY: as above.
        unsafe {
            let block = _mm_loadu_si128(block.as_ptr().cast::<__m128i>());
            let digit = _mm_sub_epi8(block, _mm_set1_epi8(b'0' as i8));
            _mm_movemask_epi8(_mm_cmpeq_epi8(_mm_max_epu8(digit, _mm_set1_epi8(10)), digit)) as u32
        }
    }
}

#[cfg(not(any(all(target_arch = "wasm32", target_feature = "simd128"), target_arch = "x86_64")))]
mod arch {
    #[inline(always)]
    fn mask(block: &[u8; super::BLOCK], test: impl Fn(u8) -> bool) -> u32 {
        block.iter().enumerate().fold(0, |mask, (i, byte)| mask | u32::from(test(*byte)) << i)
    }

    #[inline(always)]
    pub fn quote_escape_or_control(block: &[u8; super::BLOCK]) -> u32 {
        mask(block, |byte| byte == b'"' || byte == b'\\' || byte < 0x20)
    }

    #[inline(always)]
    pub fn equal(block: &[u8; super::BLOCK], needle: u8) -> u32 {
        mask(block, |byte| byte == needle)
    }

    #[inline(always)]
    pub fn blank_or_control(block: &[u8; super::BLOCK]) -> u32 {
        mask(block, |byte| byte <= b' ')
    }

    #[inline(always)]
    pub fn no_digit(block: &[u8; super::BLOCK]) -> u32 {
        mask(block, |byte| !byte.is_ascii_digit())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_hit_is_found_at_every_place_of_every_length() {
        for len in 0..70 {
            for hit in 0..=len {
                for stop in [b'"', b'\\', 0, 0x1f] {
                    let mut text = vec![b'a'; len];
                    text.iter_mut().skip(hit).step_by(3).for_each(|byte| *byte = stop);
                    for from in 0..=hit {
                        assert_eq!(quote_escape_or_control(&text, from), hit);
                        assert_eq!(byte(&text, from, stop), hit);
                        assert_eq!(either_byte(&text, from, stop, b'x'), hit);
                        assert_eq!(either_byte(&text, from, b'x', stop), hit);
                        assert_eq!(blank_or_control_or(&text, from, b'\\', b'"'), hit);
                    }
                }
            }
        }
    }

    #[test]
    fn digits_end_where_anything_else_begins() {
        for end in [0, b'/', b':', 0x7f, 0x80, 0xff] {
            for len in 0..40 {
                let mut text = "0123456789".repeat(4).into_bytes();
                text[len] = end;
                assert_eq!(digits_end(&text, 0), len);
                assert_eq!(digits_end(&text[..len], 0), len);
            }
        }
    }

    #[test]
    fn blanks_and_control_characters_end_a_word() {
        let text: Vec<u8> = (0x21..=0xff).collect();
        assert_eq!(blank_or_control(&text, 0), text.len());
        assert_eq!(blank_or_control_or(&text, 0x10, b'!', b'!'), text.len());
        for end in 0..=0x20 {
            assert_eq!(blank_or_control(&[b"word", &[end][..], b"next and more words"].concat(), 0), 4);
        }
    }

    #[test]
    fn bytes_beyond_ascii_are_not_control_characters() {
        let text: Vec<u8> = (0x20..=0xff).filter(|byte| *byte != b'"' && *byte != b'\\').collect();
        assert_eq!(quote_escape_or_control(&text, 0), text.len());
    }
}
