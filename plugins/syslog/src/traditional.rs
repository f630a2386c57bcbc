//! RFC 3164, section 4, and what daemons make of it.

use logsmith_plugin::{Offset, Reject, TimeOfDay, Timestamp, WallTime, scan, two_digits};

use crate::{Parts, present, rfc3339};

/// A longer text before a `:` is no tag.
const TAG_BYTES_MAX: usize = 48;

/// Reads `rest`, which begins at byte `at` of the line.
pub(crate) fn read(rest: &str, at: usize, ingested_at: Timestamp, zone: Offset) -> Result<Parts<'_>, Reject> {
    let (time, behind) = time(rest, ingested_at, zone).ok_or_else(|| {
        Reject::new(format!("expected a time like `Nov 30 08:05:09` or 2026-11-30T08:05:09Z at byte {at}"))
    })?;
    let bytes = behind.as_bytes();
    let end = scan::byte(bytes, 0, b' ');
    let (hostname, content) = behind.split_at_checked(end).unwrap_or((behind, ""));
    if hostname.is_empty() {
        return Err(Reject::new(format!("expected the host at byte {}", at + rest.len() - behind.len())));
    }
    // The tag may follow at once, as in what the C library sends.
    let (hostname, content) = match hostname.ends_with(':') {
        true => (None, behind),
        false => (present(hostname), content.strip_prefix(' ').unwrap_or(content)),
    };
    let (app, pid, message) = tag(content);
    Ok(Parts { time: Some(time), hostname, app, pid, message_id: None, data: "", message })
}

/// The time, and what stands behind the blank that follows it.
fn time(text: &str, ingested_at: Timestamp, zone: Offset) -> Option<(Timestamp, &str)> {
    let bytes = text.as_bytes();
    if bytes.first()?.is_ascii_digit() {
        let end = scan::byte(bytes, 0, b' ');
        return Some((rfc3339(text.get(..end)?, zone)?, text.get(end + 1..)?));
    }
    let [m1, m2, m3, b' ', d1, d2, b' ', clock @ ..] = bytes else { return None };
    let day = if *d1 == b' ' { two_digits(b'0', *d2)? } else { two_digits(*d1, *d2)? };
    let (year, clock) = match clock {
        [y1, y2, y3, y4, b' ', clock @ ..] => {
            (Some(two_digits(*y1, *y2)? * 100 + two_digits(*y3, *y4)?), clock)
        }
        clock => (None, clock),
    };
    let [h1, h2, b':', i1, i2, b':', s1, s2, behind @ ..] = clock else { return None };
    let (micros, behind) = match behind {
        [b'.', behind @ ..] => fraction(behind)?,
        behind => (0, behind),
    };
    let [b' ', behind @ ..] = behind else { return None };
    let time = TimeOfDay {
        hour: two_digits(*h1, *h2)?,
        minute: two_digits(*i1, *i2)?,
        second: two_digits(*s1, *s2)?,
        micros,
    };
    let wall = WallTime { year, month: month([*m1, *m2, *m3])?, day, time, offset_s: None };
    Some((wall.instant_by(ingested_at, zone.seconds)?, text.get(text.len() - behind.len()..)?))
}

/// Digits as microseconds, and what follows.
fn fraction(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (digits, rest) = bytes.split_at_checked(scan::digits_end(bytes, 0))?;
    let micros = digits.iter().take(6).fold((0, 1_000_000), |(micros, weight), digit| {
        (micros + u32::from(digit - b'0') * (weight / 10), weight / 10)
    });
    (!digits.is_empty()).then_some((micros.0, rest))
}

fn month(letters: [u8; 3]) -> Option<u32> {
    Some(match &letters.map(|letter| letter.to_ascii_lowercase()) {
        b"jan" => 1,
        b"feb" => 2,
        b"mar" => 3,
        b"apr" => 4,
        b"may" => 5,
        b"jun" => 6,
        b"jul" => 7,
        b"aug" => 8,
        b"sep" => 9,
        b"oct" => 10,
        b"nov" => 11,
        b"dec" => 12,
        _ => return None,
    })
}

/// `su[77]: text`: the application, the process, the text.
fn tag(content: &str) -> (Option<&str>, Option<&str>, &str) {
    let whole = (None, None, content);
    let end = scan::either_byte(content.as_bytes(), 0, b':', b'[');
    let has_tag = (1..=TAG_BYTES_MAX).contains(&end) && end < content.len();
    let Some((app, rest)) = content.split_at_checked(end).filter(|_| has_tag) else { return whole };
    let (pid, rest) = match rest.strip_prefix('[') {
        Some(inside) => {
            let end = scan::byte(inside.as_bytes(), 0, b']');
            match (inside.get(..end), inside.get(end + 1..)) {
                (Some(pid), Some(rest)) if end <= TAG_BYTES_MAX => (Some(pid), rest),
                _ => return whole,
            }
        }
        None => (None, rest),
    };
    let has_version = |app: &str| {
        let version = app.rsplit(' ').next().and_then(|word| word.bytes().next());
        version.is_some_and(|byte| byte.is_ascii_digit())
    };
    if pid.is_none() && app.contains(' ') && !has_version(app) {
        return whole;
    }
    // `su[77] text` has no colon, and `a::b` none that ends a tag.
    let message = match rest.strip_prefix(':') {
        Some(message) if message.is_empty() || message.starts_with(' ') => message,
        None if pid.is_some() && rest.starts_with(' ') => rest,
        _ => return whole,
    };
    (Some(app), pid, message.strip_prefix(' ').unwrap_or(message))
}
