//! Numbers of payment cards.

use std::ops::Range;

/// Of a number. Digits.
const DIGITS_MIN: usize = 13;
const DIGITS_MAX: usize = 19;

/// The first number that begins at `from` or behind it.
pub fn next(text: &[u8], from: usize) -> Option<Range<usize>> {
    let mut at = from;
    loop {
        at += text.get(at..)?.iter().position(u8::is_ascii_digit)?;
        let is_within_word = match text.get(..at)? {
            [.., digit, b'.'] => digit.is_ascii_digit(),
            [.., before] => is_word(*before),
            [] => false,
        };
        if !is_within_word && let Some(len) = card_len(text.get(at..)?) {
            return Some(at..at + len);
        }
        // The next group of digits.
        at += text.get(at..)?.iter().take_while(|byte| byte.is_ascii_digit()).count();
    }
}

fn is_word(byte: u8) -> bool {
    byte == b'_' || byte.is_ascii_alphanumeric()
}

/// Of the longest number at the start of a text: of whole groups of digits, with one blank or dash between two.
fn card_len(text: &[u8]) -> Option<usize> {
    let mut digits = [0; DIGITS_MAX];
    let (mut count, mut found, mut was_digit) = (0, None, false);
    for (at, byte) in text.iter().enumerate() {
        match byte {
            b'0'..=b'9' => {
                let Some(digit) = digits.get_mut(count) else { break };
                *digit = byte - b'0';
                count += 1;
                was_digit = true;
                let ends = text.get(at + 1).is_none_or(|next| !is_word(*next));
                if ends && digits.get(..count).is_some_and(is_card) {
                    found = Some(at + 1);
                }
            }
            b' ' | b'-' if was_digit => was_digit = false,
            _ => break,
        }
    }
    found
}

/// Whether a network issues numbers that begin so and are as long, and the last digit checks the others.
fn is_card(digits: &[u8]) -> bool {
    let len = digits.len();
    if len < DIGITS_MIN {
        return false;
    }
    let starts =
        |count: usize| digits.iter().take(count).fold(0_u32, |start, digit| start * 10 + u32::from(*digit));
    let is_issued = match (starts(1), starts(2), starts(3), starts(4)) {
        (4, ..) => matches!(len, 13 | 16 | 19),
        (_, 34 | 37, ..) => len == 15,
        (_, 36 | 38 | 39, ..) | (_, _, 300..=305, _) => matches!(len, 14..=19),
        (_, 51..=55, ..) | (_, _, _, 2221..=2720) => len == 16,
        (_, _, _, 3528..=3589) => matches!(len, 16..=19),
        (_, 62 | 64 | 65, ..) | (_, _, _, 6011) => matches!(len, 16..=19),
        (_, 50 | 56..=58 | 60 | 63 | 67, ..) => matches!(len, 13..=19),
        _ => false,
    };
    is_issued && is_checked(digits)
}

/// The formula of Luhn: every second digit from the right is doubled.
fn is_checked(digits: &[u8]) -> bool {
    let mut sum = 0;
    for (place, digit) in digits.iter().rev().enumerate() {
        let digit = u32::from(*digit);
        sum += match place % 2 {
            0 => digit,
            _ if digit > 4 => digit * 2 - 9,
            _ => digit * 2,
        };
    }
    sum % 10 == 0
}
