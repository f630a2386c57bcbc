//! nginx: time, level, process and thread, connection, message, and what is known of the connection.

use logsmith_plugin::{Reject, scan};

use crate::{Entry, Parts, WebError, present, time};

/// Bytes of `2026/11/30 08:05:09`.
const TIME_BYTES: usize = 19;

/// The first pair, behind `,` or `, udp`.
const CLIENT: &str = " client: ";
/// Places at which the pairs may begin: a message that imitates more of them keeps its pairs.
const PLACES_MAX: usize = 16;

/// What may follow, in any order.
const FURTHER: [&str; 9] = [
    ", server: ",
    ", request: ",
    ", subrequest: ",
    ", upstream: ",
    ", host: ",
    ", referrer: ",
    ", login: ",
    ", bytes from/to client:",
    ", bytes from/to upstream:",
];

pub(crate) fn read<'a>(mut parts: Parts<'a>, settings: &WebError) -> Result<Entry<'a>, Reject> {
    let wrong_time = || parts.expected("a time like 2026/11/30 08:05:09");
    let (text, rest) = parts.rest.split_at_checked(TIME_BYTES).ok_or_else(wrong_time)?;
    let time = time(text, &settings.nginx, settings.zone).ok_or_else(wrong_time)?;
    parts.rest = rest;
    let level = parts.between(" [", "]").ok_or_else(|| parts.expected("a level like ` [error]`"))?;
    let wrong_ids = parts.expected("a process and a thread like ` 12#34: `");
    let ids = parts.between(" ", ": ").and_then(|ids| ids.split_once('#'));
    let ids = ids.and_then(|(pid, tid)| Some((pid.parse().ok()?, tid.parse().ok()?)));
    let (pid, tid) = ids.ok_or(wrong_ids)?;
    let connection = connection(&mut parts);
    let mut entry = Entry {
        time: Some(time),
        level: Some(level),
        pid: Some(pid),
        tid: Some(tid),
        connection,
        message: parts.rest,
        ..Entry::default()
    };
    split_pairs(parts.rest, &mut entry);
    (entry.errno, entry.error) = system_error(entry.message);
    Ok(entry)
}

/// `*56 `
fn connection(parts: &mut Parts<'_>) -> Option<i64> {
    let (number, rest) = parts.rest.strip_prefix('*')?.split_once(' ')?;
    let number = number.parse().ok()?;
    parts.rest = rest;
    Some(number)
}

/// Takes the pairs off the message: from the first place on from which all that follows is pairs.
fn split_pairs<'a>(text: &'a str, entry: &mut Entry<'a>) {
    for (at, client) in text.match_indices(CLIENT).take(PLACES_MAX) {
        let (Some(before), Some(pairs)) = (text.get(..at), text.get(at + client.len()..)) else { return };
        // UDP is named in front.
        let Some(message) = before.strip_suffix(", udp").or_else(|| before.strip_suffix(',')) else {
            continue;
        };
        if take_pairs(pairs, entry) {
            entry.message = message;
            return;
        }
    }
}

/// Takes the pairs of a text that begins with the client; whether it is nothing but pairs.
fn take_pairs<'a>(text: &'a str, entry: &mut Entry<'a>) -> bool {
    let mut pairs = Vec::new();
    let (mut key, mut rest) = ("client", text);
    loop {
        let Some((value, behind)) = value(rest) else { return false };
        pairs.push((key, value));
        let Some(next) = FURTHER.iter().find(|next| behind.starts_with(**next)) else { break };
        rest = behind.get(next.len()..).unwrap_or_default();
        key = next.trim_matches([',', ':', ' ']);
        if pairs.iter().any(|(taken, _)| *taken == key) {
            return false;
        }
    }
    for (key, value) in pairs {
        let column = match key {
            "client" => &mut entry.client,
            "server" => &mut entry.server,
            "request" => &mut entry.request,
            "upstream" => &mut entry.upstream,
            "host" => &mut entry.requested_host,
            "referrer" => &mut entry.referer,
            further => {
                entry.fields.push((further, Some(value)));
                continue;
            }
        };
        *column = present(value);
    }
    true
}

/// The value at the front, and what follows it: nothing, or a further key.
fn value(text: &str) -> Option<(&str, &str)> {
    let is_end = |behind: &str| behind.is_empty() || FURTHER.iter().any(|key| behind.starts_with(key));
    if let Some(quoted) = text.strip_prefix('"') {
        let mut ends = quoted.match_indices('"').map(|(end, _)| end);
        return ends.find_map(|end| {
            let behind = quoted.get(end + 1..).filter(|behind| is_end(behind))?;
            Some((quoted.get(..end)?, behind))
        });
    }
    let (word, _) = text.split_at_checked(text.find([' ', '"', '\n']).unwrap_or(text.len()))?;
    let mut ends = word.match_indices(',').map(|(end, _)| end).chain([word.len()]);
    let end = ends.find(|end| text.get(*end..).is_some_and(is_end))?;
    text.split_at_checked(end)
}

/// ` (2: No such file or directory)`
fn system_error(message: &str) -> (Option<i32>, Option<&str>) {
    let numbered = |(at, open): (usize, &str)| {
        let behind = message.get(at + open.len()..)?;
        let (number, text) = behind.split_at_checked(scan::digits_end(behind.as_bytes(), 0))?;
        let text = text.strip_prefix(": ")?;
        Some((Some(number.parse().ok()?), text.split_once(')').map(|(text, _)| text)))
    };
    message.match_indices(" (").find_map(numbered).unwrap_or_default()
}
