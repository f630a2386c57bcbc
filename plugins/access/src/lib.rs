//! Web server access logs in the common or combined format, also with the server in front (Apache's `vhost_combined`):
//!
//! ```text
//! 192.0.2.7 - ann [30/Nov/2026:08:05:09 +0100] "GET /a HTTP/1.1" 200 2326 "https://example.org/" "curl/8.5"
//! example.org:443 192.0.2.7 - ann [30/Nov/2026:08:05:09 +0100] "GET /a HTTP/1.1" 200 2326 "-" "curl/8.5"
//! ```
//!
//! `-` is the absence of a value. Quoted texts stay as written, with their escapes. A request that is not a
//! method, a URL and a protocol stands whole in `request`. The last quoted text may lack its closing quote, as
//! where a server cut an over-long line. What follows the common or the combined format stands in `rest`.
//!
//! A server stands in front where there is a word more than client, identity and user, and it has a port or no identity
//! follows; otherwise the user has blanks in its name. Several clients, as proxies name them, are one text:
//! `192.0.2.7, 192.0.2.8`.

use logsmith_plugin::{
    Date, Record, Reject, TimeOfDay, Timestamp, count, offset_seconds, scan, transform, two_digits,
};

/// One request.
#[derive(Record)]
#[cfg_attr(test, derive(Debug, PartialEq))]
pub struct Access<'a> {
    time: Timestamp,
    server: Option<&'a str>,
    port: Option<i32>,
    client: &'a str,
    ident: Option<&'a str>,
    user: Option<&'a str>,
    method: Option<&'a str>,
    url: Option<&'a str>,
    protocol: Option<&'a str>,
    request: Option<&'a str>,
    status: Option<i32>,
    bytes: Option<i64>,
    referer: Option<&'a str>,
    agent: Option<&'a str>,
    rest: Option<&'a str>,
}

/// Reads one line.
#[transform]
pub fn access(line: &str) -> Result<Access<'_>, Reject> {
    let mut rest = Rest { line, at: 0 };
    let client = rest.words("the client")?;
    let ident = rest.words("the identity")?;
    let user = rest.up_to(b'[', "the time in brackets")?.trim_end_matches(' ');
    let Who { server, client, ident, user } = Who::of(client, ident, user);
    let (server, port) = server.map_or((None, None), server_and_port);
    let time = time(rest.up_to(b']', "the end of the time")?).ok_or_else(|| {
        Reject::new(format!(
            "the time that ends at byte {} is not like 30/Nov/2026:08:05:09 +0100",
            rest.at - 1
        ))
    })?;
    let request = rest.quoted("the request")?;
    let status = match rest.number("the status")? {
        Some(status @ 0..=999) => Some(status as i32),
        Some(_) => return Err(Reject::new("the status has more than three digits")),
        None => None,
    };
    let bytes = rest.number("the size in bytes")?;
    let referer = rest.quoted_if_any("the referer")?;
    let agent = match referer {
        Some(_) => rest.quoted_if_any("the user agent")?,
        None => None,
    };
    let request = Request::of(request);
    Ok(Access {
        time,
        server,
        port,
        client,
        ident: present(ident),
        user: present(user),
        method: request.method,
        url: request.url,
        protocol: request.protocol,
        request: request.odd,
        status,
        bytes,
        referer: referer.and_then(present),
        agent: agent.and_then(present),
        rest: Some(rest.remainder()).filter(|rest| !rest.is_empty()),
    })
}

/// `-` and nothing are the absence of a value.
fn present(text: &str) -> Option<&str> {
    (!matches!(text, "-" | "")).then_some(text)
}

/// What stands before the time.
struct Who<'a> {
    server: Option<&'a str>,
    client: &'a str,
    ident: &'a str,
    user: &'a str,
}

impl<'a> Who<'a> {
    fn of(first: &'a str, second: &'a str, more: &'a str) -> Self {
        match more.split_once(' ') {
            Some((ident, user)) if second != "-" && (ident == "-" || server_and_port(first).1.is_some()) => {
                Self { server: Some(first), client: second, ident, user: user.trim_start_matches(' ') }
            }
            _ => Self { server: None, client: first, ident: second, user: more },
        }
    }
}

/// `example.org:443`, `[2001:db8::1]:443`, or without the port.
fn server_and_port(text: &str) -> (Option<&str>, Option<i32>) {
    let is_name = |name: &str| !name.contains(':') || name.ends_with(']');
    let parts = text.rsplit_once(':').filter(|(name, _)| is_name(name));
    match parts.and_then(|(name, port)| Some((name, port.parse::<u16>().ok()?))) {
        Some((name, port)) => (present(name), Some(port.into())),
        None => (present(text), None),
    }
}

/// The parts of a request line, or all of it where it is odd.
#[derive(Default)]
struct Request<'a> {
    method: Option<&'a str>,
    url: Option<&'a str>,
    protocol: Option<&'a str>,
    odd: Option<&'a str>,
}

impl<'a> Request<'a> {
    /// The URL may have blanks in it; the protocol may be missing, as in HTTP/0.9.
    fn of(text: &'a str) -> Self {
        let odd = Self { odd: present(text), ..Self::default() };
        let bytes = text.as_bytes();
        let method_end = scan::byte(bytes, 0, b' ');
        let Some((method, url)) = text.split_at_checked(method_end) else { return odd };
        let url = url.trim_start_matches(' ');
        if method.is_empty() || url.is_empty() || !method.bytes().all(|byte| byte.is_ascii_alphabetic()) {
            return odd;
        }
        let (url, protocol) = match url.rsplit_once(' ') {
            Some((url, protocol)) if protocol.contains('/') && !url.is_empty() => (url, Some(protocol)),
            Some(_) => return odd,
            None => (url, None),
        };
        Self { method: Some(method), url: Some(url), protocol, odd: None }
    }
}

/// What of the line is still unread.
struct Rest<'a> {
    line: &'a str,
    at: usize,
}

impl<'a> Rest<'a> {
    /// The text up to the next blank that does not follow a comma.
    #[inline(always)]
    fn words(&mut self, what: &str) -> Result<&'a str, Reject> {
        let start = self.at;
        while self.up_to(b' ', what)?.ends_with(',') {}
        match self.line.get(start..self.at - 1).unwrap_or_default() {
            "" => Err(Reject::new(format!("expected {what} at byte {start}"))),
            words => Ok(words),
        }
    }

    /// The text before the next `end`, and past that.
    #[inline(always)]
    fn up_to(&mut self, end: u8, what: &str) -> Result<&'a str, Reject> {
        let found = scan::byte(self.line.as_bytes(), self.at, end);
        if found == self.line.len() {
            return Err(self.fail(what));
        }
        let text = self.line.get(self.at..found).unwrap_or_default();
        self.at = found + 1;
        Ok(text)
    }

    fn skip_blanks(&mut self) {
        while self.line.as_bytes().get(self.at) == Some(&b' ') {
            self.at += 1;
        }
    }

    /// A text in quotes. A quote after a backslash belongs to the text.
    #[inline(always)]
    fn quoted(&mut self, what: &str) -> Result<&'a str, Reject> {
        self.skip_blanks();
        let bytes = self.line.as_bytes();
        if bytes.get(self.at) != Some(&b'"') {
            return Err(self.fail(what));
        }
        let start = self.at + 1;
        let mut end = scan::byte(bytes, start, b'"');
        while end < bytes.len() && backslashes_before(bytes.get(start..end).unwrap_or_default()) % 2 == 1 {
            end = scan::byte(bytes, end + 1, b'"');
        }
        if end == bytes.len() {
            count("quotes_unclosed", 1);
        }
        self.at = (end + 1).min(bytes.len());
        Ok(self.line.get(start..end).unwrap_or_default())
    }

    /// A text in quotes, if one follows.
    #[inline(always)]
    fn quoted_if_any(&mut self, what: &str) -> Result<Option<&'a str>, Reject> {
        self.skip_blanks();
        match self.line.as_bytes().get(self.at) {
            Some(b'"') => self.quoted(what).map(Some),
            _ => Ok(None),
        }
    }

    /// Digits, or `-`.
    #[inline(always)]
    fn number(&mut self, what: &str) -> Result<Option<i64>, Reject> {
        self.skip_blanks();
        let start = self.at;
        let bytes = self.line.as_bytes();
        let mut number = 0_i64;
        while let Some(digit @ b'0'..=b'9') = bytes.get(self.at) {
            let next = number.checked_mul(10).and_then(|number| number.checked_add(i64::from(digit - b'0')));
            number = next.ok_or_else(|| self.fail(what))?;
            self.at += 1;
        }
        let number = if self.at > start {
            Some(number)
        } else if bytes.get(self.at) == Some(&b'-') {
            self.at += 1;
            None
        } else {
            return Err(self.fail(what));
        };
        match bytes.get(self.at) {
            None | Some(b' ') => Ok(number),
            Some(_) => Err(self.fail("a blank")),
        }
    }

    fn remainder(&self) -> &'a str {
        self.line.get(self.at..).unwrap_or_default().trim_matches(' ')
    }

    #[cold]
    fn fail(&self, what: &str) -> Reject {
        let at = self.at;
        match self.line.get(at..).and_then(|rest| rest.chars().next()) {
            Some(found) => Reject::new(format!("expected {what} from byte {at} on, which is {found:?}")),
            None => Reject::new(format!("expected {what}, but the line ends at byte {at}")),
        }
    }
}

fn backslashes_before(text: &[u8]) -> usize {
    text.iter().rev().take_while(|byte| **byte == b'\\').count()
}

/// `30/Nov/2026:08:05:09 +0100`.
fn time(text: &str) -> Option<Timestamp> {
    let (clock, offset) = text.as_bytes().split_at_checked(21)?;
    let [d1, d2, b'/', m1, m2, m3, b'/', y1, y2, y3, y4, b':', time @ .., b' '] = clock else { return None };
    let [h1, h2, b':', i1, i2, b':', s1, s2] = time else { return None };
    let month = match [*m1, *m2, *m3].map(|letter| letter.to_ascii_lowercase()) {
        [b'j', b'a', b'n'] => 1,
        [b'f', b'e', b'b'] => 2,
        [b'm', b'a', b'r'] => 3,
        [b'a', b'p', b'r'] => 4,
        [b'm', b'a', b'y'] => 5,
        [b'j', b'u', b'n'] => 6,
        [b'j', b'u', b'l'] => 7,
        [b'a', b'u', b'g'] => 8,
        [b's', b'e', b'p'] => 9,
        [b'o', b'c', b't'] => 10,
        [b'n', b'o', b'v'] => 11,
        [b'd', b'e', b'c'] => 12,
        _ => return None,
    };
    let year = two_digits(*y1, *y2)? * 100 + two_digits(*y3, *y4)?;
    let date = Date::from_civil(year, month, two_digits(*d1, *d2)?)?;
    let time = TimeOfDay {
        hour: two_digits(*h1, *h2)?,
        minute: two_digits(*i1, *i2)?,
        second: two_digits(*s1, *s2)?,
        micros: 0,
    };
    Timestamp::from_civil(date, time, offset_seconds(offset)?)
}

#[cfg(test)]
mod tests;
