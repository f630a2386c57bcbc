//! What the strings of a configuration name of the process's surroundings: `${NAME}` is an environment variable, and
//! `${credential:NAME}` a file of the folder that systemd hands over (`LoadCredential=` in the unit). `$${` is `${` itself.
//!
//! Every string is looked at, before any key is read. What was put in is shown by no mistake.

use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::excerpt::Extent;
use super::reader::Document;

/// systemd hands over no larger one.
const CREDENTIAL_BYTES_MAX: u64 = 1 << 20;

/// Whether the values of the surroundings are needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Surroundings {
    /// One that is not there is a mistake.
    Needed,
    /// One that is not there is one only where others would see another host: neither the store's options nor the
    /// configuration of plugins is used.
    Local,
}

/// Puts in what the strings of a table name; `key` is the table's.
pub(super) fn substitute(
    doc: &mut Document<'_>,
    surroundings: Surroundings,
    table: &mut DeTable<'_>,
    key: &str,
) {
    for (name, value) in table.iter_mut() {
        let name = name.get_ref();
        let key = if key.is_empty() { name.to_string() } else { format!("{key}.{name}") };
        let at = value.span().start;
        substitute_in(doc, surroundings, value.get_mut(), &key, at);
    }
}

fn substitute_in(
    doc: &mut Document<'_>,
    surroundings: Surroundings,
    value: &mut DeValue<'_>,
    key: &str,
    at: usize,
) {
    match value {
        DeValue::String(text) if text.contains("${") => match expanded(doc, text, Use::of(key), surroundings)
        {
            Ok(expanded) => *text = expanded.into(),
            Err(reason) => doc.mistake(at, key, reason),
        },
        DeValue::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                let at = item.span().start;
                substitute_in(doc, surroundings, item.get_mut(), &format!("{key}[{index}]"), at);
            }
        }
        DeValue::Table(table) => substitute(doc, surroundings, table, key),
        _ => {}
    }
}

/// Who uses a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    /// The store, by its options.
    Options,
    /// A plugin, which may know a `${…}` of its own.
    Plugin,
    /// Commands show it, or rows carry it.
    Shown,
}

impl Use {
    fn of(key: &str) -> Self {
        let mut parts = key.split('.').map(|part| part.split('[').next().unwrap_or(part));
        match parts.find(|part| matches!(*part, "options" | "config")) {
            Some("options") => Self::Options,
            Some(_) => Self::Plugin,
            None => Self::Shown,
        }
    }
}

/// Whether the key is one of a store's options, which are shown nowhere.
pub(super) fn is_option(key: &str) -> bool {
    Use::of(key) == Use::Options
}

/// What `text` names of the process's surroundings, in words.
pub(super) fn references(text: &str) -> Vec<String> {
    let mut named = Vec::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once("${") {
        rest = behind;
        let reference = behind.split_once('}').and_then(|(name, _)| Reference::parse(name));
        match reference.filter(|_| !before.ends_with('$')) {
            Some(Reference::Variable(name)) => named.push(format!("environment variable {name}")),
            Some(Reference::Credential(name)) => named.push(format!("credential {name}")),
            None => {}
        }
    }
    named
}

/// How much is shown of the line in which a mistake in this key is. What is no TOML, which has no key, may be anything, and
/// an address may hold a password.
pub(super) fn extent(key: &str) -> Extent {
    let may_hold_secrets = matches!(key, "" | "central") || key.split('.').next_back() == Some("url");
    match may_hold_secrets || Use::of(key) != Use::Shown {
        true => Extent::Keys,
        false => Extent::Value,
    }
}

/// What `${…}` names.
#[derive(Debug)]
enum Reference<'a> {
    Variable(&'a str),
    Credential(&'a str),
}

impl<'a> Reference<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        if let Some(name) = text.strip_prefix("credential:") {
            return Some(Self::Credential(name));
        }
        let is_name = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        let is_number = text.starts_with(|c: char| c.is_ascii_digit());
        (is_name && !is_number && !text.is_empty()).then_some(Self::Variable(text))
    }

    fn value(&self) -> Result<String, String> {
        match *self {
            Self::Variable(name) => std::env::var(name).map_err(|error| match error {
                std::env::VarError::NotPresent => {
                    format!("the environment variable `{name}` is not set; where the text is meant, write `$${{{name}}}`")
                }
                std::env::VarError::NotUnicode(_) => format!("the environment variable `{name}` is no UTF-8"),
            }),
            Self::Credential(name) => credential(name),
        }
    }
}

/// `text` with values for what it names.
fn expanded(
    doc: &mut Document<'_>,
    text: &str,
    used: Use,
    surroundings: Surroundings,
) -> Result<String, String> {
    let mut expanded = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once("${") {
        if let Some(before) = before.strip_suffix('$') {
            expanded.extend([before, "${"]);
            rest = behind;
            continue;
        }
        expanded.push_str(before);
        let named =
            behind.split_once('}').and_then(|(name, after)| Some((name, Reference::parse(name)?, after)));
        let Some((name, reference, after)) = named else {
            if used != Use::Plugin {
                return Err(
                    "a `${` begins no name; write ${NAME}, ${credential:NAME}, or `$${` for the text"
                        .to_owned(),
                );
            }
            expanded.push_str("${");
            rest = behind;
            continue;
        };
        rest = after;
        let written = format!("${{{name}}}");
        if used == Use::Shown && matches!(reference, Reference::Credential(_)) {
            return Err(format!(
                "`{written}` would be shown; a credential stands in options and in a plugin's config"
            ));
        }
        match reference.value() {
            Ok(value) => {
                doc.conceal(&written, &value);
                expanded.push_str(&value);
            }
            Err(_) if surroundings == Surroundings::Local && used != Use::Shown => {
                expanded.push_str(&written)
            }
            Err(reason) => return Err(reason),
        }
    }
    expanded.push_str(rest);
    Ok(expanded)
}

/// A credential, without the newline at its end.
fn credential(name: &str) -> Result<String, String> {
    if name.is_empty() || name.starts_with('.') || name.contains('/') {
        return Err(format!("`{name}` is no name of a credential: it is that of a file"));
    }
    let Some(folder) = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from) else {
        return Err(format!(
            "there is no credential `{name}`, since CREDENTIALS_DIRECTORY is not set; systemd sets it by LoadCredential={name}:/a/file in the unit"
        ));
    };
    let of = |what: String| format!("the credential `{name}` cannot be read: {}: {what}", folder.display());
    let text = read_bounded(&folder.join(name)).map_err(of)?;
    Ok(text.strip_suffix('\n').map_or(text.as_str(), |text| text.trim_end_matches('\r')).to_owned())
}

fn read_bounded(file: &Path) -> Result<String, String> {
    let metadata = std::fs::metadata(file).map_err(|error| error.to_string())?;
    if !metadata.is_file() || metadata.len() > CREDENTIAL_BYTES_MAX {
        return Err(format!("is no file of at most {CREDENTIAL_BYTES_MAX} bytes"));
    }
    std::fs::read_to_string(file).map_err(|error| error.to_string())
}
