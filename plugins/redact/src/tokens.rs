//! Tokens and keys that open something, by what they begin with.

use std::ops::Range;

/// A kind of token.
struct Form {
    start: &'static str,
    /// Letters that follow.
    letters: fn(u8) -> bool,
    /// How many follow at least.
    len_min: usize,
}

const fn form(start: &'static str, letters: fn(u8) -> bool, len_min: usize) -> Form {
    Form { start, letters, len_min }
}

const FORMS: [Form; 20] = [
    form("AKIA", is_upper_or_digit, 16),
    form("ASIA", is_upper_or_digit, 16),
    form("ABIA", is_upper_or_digit, 16),
    form("ACCA", is_upper_or_digit, 16),
    form("AIza", is_url_safe, 35),
    form("ghp_", is_alphanumeric, 36),
    form("gho_", is_alphanumeric, 36),
    form("ghu_", is_alphanumeric, 36),
    form("ghs_", is_alphanumeric, 36),
    form("ghr_", is_alphanumeric, 36),
    form("github_pat_", is_url_safe, 22),
    form("glpat-", is_url_safe, 20),
    form("sk_live_", is_alphanumeric, 10),
    form("sk_test_", is_alphanumeric, 10),
    form("rk_live_", is_alphanumeric, 10),
    form("xoxa-", is_url_safe, 10),
    form("xoxb-", is_url_safe, 10),
    form("xoxp-", is_url_safe, 10),
    form("xoxr-", is_url_safe, 10),
    form("xoxs-", is_url_safe, 10),
];

/// Of what follows `Bearer` or `Basic`. Letters.
const CREDENTIALS_MIN: usize = 8;

/// The first token that begins at `from` or behind it.
pub fn next(text: &[u8], from: usize) -> Option<Range<usize>> {
    let mut at = from;
    loop {
        at += text.get(at..)?.iter().position(|byte| STARTS[usize::from(*byte)])?;
        let rest = text.get(at..)?;
        let found = match rest.first()? {
            b'B' | b'b' => credentials(rest),
            b'e' => web_token_len(rest).map(|len| 0..len),
            b'-' => private_key_len(rest).map(|len| 0..len),
            _ => FORMS.iter().find_map(|form| form.len(rest)).map(|len| 0..len),
        };
        if let Some(found) = found {
            return Some(at + found.start..at + found.end);
        }
        at += 1;
    }
}

/// What a token may begin with.
const STARTS: [bool; 256] = {
    let mut starts = [false; 256];
    let letters = b"AgsrxBbe-";
    let mut at = 0;
    while at < letters.len() {
        starts[letters[at] as usize] = true;
        at += 1;
    }
    starts
};

impl Form {
    fn len(&self, text: &[u8]) -> Option<usize> {
        let rest = text.strip_prefix(self.start.as_bytes())?;
        let len = count(rest, self.letters);
        (len >= self.len_min).then_some(self.start.len() + len)
    }
}

/// What follows the name of a scheme, unless it is a word of a sentence.
fn credentials(text: &[u8]) -> Option<Range<usize>> {
    let scheme = [&b"bearer "[..], b"basic "]
        .into_iter()
        .find(|scheme| text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)))?;
    let rest = text.get(scheme.len()..)?;
    let len = count(rest, |byte| is_url_safe(byte) || matches!(byte, b'.' | b'~' | b'+' | b'/' | b'='));
    let credentials = rest.get(..len)?;
    let is_no_word = credentials.iter().any(|byte| byte.is_ascii_digit() || *byte == b'=')
        || credentials.iter().skip(1).any(u8::is_ascii_uppercase);
    (len >= CREDENTIALS_MIN && is_no_word).then_some(scheme.len()..scheme.len() + len)
}

/// A JSON web token: three parts, of which the first is a JSON object in Base64.
fn web_token_len(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    text.strip_prefix(b"eyJ")?;
    for is_last in [false, false, true] {
        let len = count(text.get(at..)?, is_url_safe);
        at += len;
        if is_last {
            return Some(at);
        }
        if len == 0 || text.get(at) != Some(&b'.') {
            return None;
        }
        at += 1;
    }
    None
}

/// A private key in PEM, to its end or that of the text.
fn private_key_len(text: &[u8]) -> Option<usize> {
    let rest = text.strip_prefix(b"-----BEGIN ")?;
    let name = count(rest, |byte| byte.is_ascii_uppercase() || byte == b' ');
    rest.get(..name)?.strip_suffix(b"PRIVATE KEY")?;
    rest.get(name..)?.strip_prefix(b"-----")?;
    let end = b"PRIVATE KEY-----";
    let body = text.len() - rest.len() + name + b"-----".len();
    let found = text.get(body..)?.windows(end.len()).position(|window| window == end);
    Some(found.map_or(text.len(), |at| body + at + end.len()))
}

fn count(text: &[u8], letters: impl Fn(u8) -> bool) -> usize {
    text.iter().take_while(|byte| letters(**byte)).count()
}

fn is_upper_or_digit(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte.is_ascii_digit()
}

fn is_alphanumeric(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}

fn is_url_safe(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}
