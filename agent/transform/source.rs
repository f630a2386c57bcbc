//! Where a plugin comes from, and which one it is.

use std::fmt;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::Digest;

use super::error::PluginError;
use super::limits::Limits;
use super::owner::{FileOwner, open_of_anyone, open_of_root};
use crate::text::Shown;

macro_rules! builtins {
    ($($name:literal)*) => {
        &[$(($name, include_bytes!(concat!("../../plugins/dist/", $name, ".wasm")))),*]
    };
}

/// The plugins inside this binary.
const BUILTINS: &[(&str, &[u8])] = builtins![
    "access" "container" "csv" "filter" "java" "json" "klog" "logfmt" "redact" "regex" "sample" "syslog" "time"
    "weberror"
];

/// Where a plugin comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PluginSource {
    /// Inside this binary.
    Builtin(String),
    /// A component on disk.
    File {
        /// The file.
        path: PathBuf,
        /// If given, the only content that is accepted.
        sha256: Option<Sha256>,
    },
}

impl PluginSource {
    /// The names of the built-in plugins.
    pub fn builtins() -> impl Iterator<Item = &'static str> {
        BUILTINS.iter().map(|(name, _)| *name)
    }

    /// The component's bytes and their hash.
    pub(super) fn read(&self, limits: &Limits) -> Result<(Vec<u8>, Sha256), PluginError> {
        match self {
            Self::Builtin(name) => match BUILTINS.iter().find(|(known, _)| known == name) {
                Some((_, bytes)) => Ok((bytes.to_vec(), Sha256::of(bytes))),
                None => {
                    let known = Self::builtins().collect::<Vec<_>>().join(", ");
                    Err(PluginError::UnknownBuiltin { name: name.clone(), known })
                }
            },
            Self::File { path, sha256 } => {
                let bytes = read_file(path, limits)?;
                let actual = Sha256::of(&bytes);
                match sha256 {
                    Some(expected) if *expected != actual => {
                        Err(PluginError::WrongSha256 { path: path.clone(), expected: *expected, actual })
                    }
                    _ => Ok((bytes, actual)),
                }
            }
        }
    }
}

impl fmt::Display for PluginSource {
    /// As in the configuration.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Builtin(name) => write!(f, "builtin:{name}"),
            Self::File { path, .. } => write!(f, "{}", path.display()),
        }
    }
}

/// The built-in plugin of which this path would be the name.
fn builtin_of(path: &Path) -> Option<&'static str> {
    PluginSource::builtins().find(|name| path.file_name().is_some_and(|file| file == *name))
}

fn read_file(path: &Path, limits: &Limits) -> Result<Vec<u8>, PluginError> {
    let failed = |source| PluginError::Read { path: path.into(), source };
    let bytes_max = limits.component_bytes_max;
    let file = match limits.file_owner {
        FileOwner::Anyone => open_of_anyone(path),
        FileOwner::Root => open_of_root(path),
    };
    let file = file.map_err(|source| match builtin_of(path) {
        Some(name) if source.kind() == ErrorKind::NotFound => {
            PluginError::BareBuiltin { path: path.into(), name }
        }
        _ => failed(source),
    })?;
    let bytes = file.metadata().map_err(failed)?.len();
    let mut content = Vec::new();
    // A file may grow while it is read.
    file.take(bytes_max.saturating_add(1)).read_to_end(&mut content).map_err(failed)?;
    let bytes = bytes.max(content.len() as u64);
    if bytes > bytes_max {
        return Err(PluginError::FileTooLarge { path: path.into(), bytes, bytes_max });
    }
    Ok(content)
}

/// A SHA-256 hash, written as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Sha256([u8; 32]);

impl Sha256 {
    /// The hash of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(sha2::Sha256::digest(bytes).into())
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is not 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a sha256 is written as 64 hexadecimal digits")]
pub struct NotSha256;

impl FromStr for Sha256 {
    type Err = NotSha256;

    fn from_str(text: &str) -> Result<Self, NotSha256> {
        let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return Err(NotSha256) };
        let mut hash = [0; 32];
        if pairs.len() != hash.len() {
            return Err(NotSha256);
        }
        for (byte, [high, low]) in hash.iter_mut().zip(pairs) {
            let digit = |letter: u8| char::from(letter).to_digit(16).ok_or(NotSha256);
            *byte = (digit(*high)? << 4 | digit(*low)?) as u8;
        }
        Ok(Self(hash))
    }
}

impl From<Sha256> for String {
    fn from(hash: Sha256) -> Self {
        hash.to_string()
    }
}

impl TryFrom<String> for Sha256 {
    type Error = NotSha256;

    fn try_from(text: String) -> Result<Self, NotSha256> {
        text.parse()
    }
}

/// Which plugin made a row: recorded with every commit that holds rows of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// The plugin's name for itself.
    pub name: String,
    /// The plugin's version.
    pub version: String,
    /// Of the component.
    pub sha256: Sha256,
    /// Of the configuration, in canonical form.
    pub config_hash: Sha256,
}

impl fmt::Display for Fingerprint {
    /// On three lines.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, version, sha256, config_hash } = self;
        let (name, version) = (Shown(name), Shown(version));
        write!(f, "plugin    {name} {version}\n  sha256       {sha256}\n  config hash  {config_hash}")
    }
}

/// The hash of a configuration: equal for equal values, however their keys are ordered.
pub(super) fn config_hash(config: &serde_json::Value) -> Sha256 {
    Sha256::of(canonical(config).to_string().as_bytes())
}

fn canonical(value: &serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    match value {
        Value::Object(object) => {
            let mut keys: Vec<_> = object.iter().collect();
            keys.sort_by_key(|(key, _)| *key);
            Value::Object(keys.into_iter().map(|(key, value)| (key.clone(), canonical(value))).collect())
        }
        Value::Array(values) => Value::Array(values.iter().map(canonical).collect()),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_reads_as_it_is_written_and_nothing_else_does() {
        let hash = Sha256::of(b"abc");
        assert_eq!(hash.to_string(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(hash.to_string().to_uppercase().parse(), Ok(hash));
        for text in ["", "ba78", &"g".repeat(64), &"0".repeat(63), &"0".repeat(66)] {
            assert_eq!(text.parse::<Sha256>(), Err(NotSha256), "{text}");
        }
    }

    #[test]
    fn the_order_of_keys_is_no_part_of_a_configuration() {
        let hash = |text: &str| config_hash(&serde_json::from_str(text).expect("JSON"));
        assert_eq!(hash(r#"{"a":1,"b":{"c":2,"d":3}}"#), hash(r#"{"b":{"d":3,"c":2},"a":1}"#));
        assert_ne!(hash(r#"{"a":1}"#), hash(r#"{"a":2}"#));
    }
}
