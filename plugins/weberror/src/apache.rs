//! Apache httpd: parts in brackets, what the system said, a code, the message, the page that linked here.

use std::net::Ipv6Addr;

use logsmith_plugin::{Reject, Timestamp};

use crate::{Entry, Parts, WebError, present, time};

pub(crate) fn read<'a>(mut parts: Parts<'a>, settings: &WebError) -> Result<Entry<'a>, Reject> {
    let wrong_time = parts.expected("a time like [Mon Nov 30 08:05:09.123456 2026]");
    let time = parts.between("[", "]").and_then(|text| {
        let compact = || {
            let seconds = i64::from(settings.zone.seconds);
            Some(Timestamp::from_micros(Timestamp::parse_rfc3339(text)?.micros() - seconds * 1_000_000))
        };
        time(text, &settings.apache, settings.zone).or_else(compact)
    });
    let time = time.ok_or(wrong_time)?;
    parts.skip_blank();
    let level = parts.between("[", "]").ok_or_else(|| parts.expected("a level like [core:error]"))?;
    let (module, level) =
        level.split_once(':').map_or((None, level), |(module, level)| (Some(module), level));
    parts.skip_blank();
    let mut entry = Entry {
        time: Some(time),
        module: module.and_then(present),
        level: present(level),
        ..Entry::default()
    };
    // Servers of 2.2 write no module, no process, and no port of the client.
    let mut has_ports = module.is_some();
    loop {
        if let Some(ids) = parts.between("[pid ", "]") {
            let (pid, tid) = ids.split_once(":tid ").map_or((ids, None), |(pid, tid)| (pid, Some(tid)));
            entry.pid = pid.parse().ok();
            entry.tid = tid.and_then(|tid| tid.parse().ok());
            has_ports = true;
        } else if let Some(client) = parts.between("[client ", "]") {
            let (client, port) = address(client, has_ports);
            entry.client = present(client);
            entry.client_port = port;
        } else if let Some(remote) = parts.between("[remote ", "]") {
            entry.upstream = present(remote);
        } else if !(system_error(&mut parts, &mut entry) || source(&mut parts, &mut entry)) {
            break;
        }
        parts.skip_blank();
    }
    entry.code = code(&mut parts);
    match parts.rest.rsplit_once(", referer: ") {
        Some((message, referer)) => (entry.message, entry.referer) = (message, present(referer)),
        None => entry.message = parts.rest,
    }
    Ok(entry)
}

/// The client, and its port.
fn address(text: &str, has_port: bool) -> (&str, Option<i32>) {
    let is_address = |address: &str| !address.contains(':') || address.parse::<Ipv6Addr>().is_ok();
    let parts = text.rsplit_once(':').filter(|(address, _)| has_port && is_address(address));
    match parts.and_then(|(address, port)| Some((address, port.parse::<u16>().ok()?))) {
        Some((address, port)) => (address, Some(port.into())),
        None => (text, None),
    }
}

/// `(2)No such file or directory: `, once.
fn system_error<'a>(parts: &mut Parts<'a>, entry: &mut Entry<'a>) -> bool {
    let before = *parts;
    let number = parts.between("(", ")").and_then(|number| number.parse().ok());
    match (entry.errno, number, parts.between("", ": ")) {
        (None, Some(number), Some(error)) => {
            (entry.errno, entry.error) = (Some(number), Some(error));
            true
        }
        _ => {
            *parts = before;
            false
        }
    }
}

/// `core.c(123): `, once.
fn source<'a>(parts: &mut Parts<'a>, entry: &mut Entry<'a>) -> bool {
    let before = *parts;
    let place = parts.between("", "): ").and_then(|place| place.split_once('('));
    let place = place.and_then(|(file, line)| Some((file, line.parse().ok()?)));
    match place.filter(|(file, _)| entry.source_line.is_none() && !file.contains(' ')) {
        Some((file, line)) => {
            (entry.source_file, entry.source_line) = (Some(file), Some(line));
            true
        }
        None => {
            *parts = before;
            false
        }
    }
}

/// `AH00128: `
fn code<'a>(parts: &mut Parts<'a>) -> Option<&'a str> {
    let (code, rest) = parts.rest.split_once(": ")?;
    let digits = code.strip_prefix("AH")?;
    let is_code = digits.len() == 5 && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_code.then(|| {
        parts.rest = rest;
        code
    })
}
