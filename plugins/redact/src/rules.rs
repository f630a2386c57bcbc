//! A rule: what it finds, and what it puts in its place.

use std::fmt::{self, Write};
use std::ops::Range;

use hmac::{Hmac, KeyInit, Mac};
use logsmith_pattern::Pattern;
use sha2::Sha256;

use crate::{cards, email, ip, tokens};

/// A rule, and how often it has found something.
#[derive(Debug)]
pub struct Rule {
    /// The name of its count.
    pub counter: String,
    pub finder: Finder,
    pub replacement: Replacement,
    pub finds: u64,
}

/// What a rule finds.
#[derive(Debug)]
pub enum Finder {
    Token,
    Email,
    Card,
    Ip,
    Custom(Box<Pattern>),
}

impl Finder {
    /// The first find that begins at byte `from` or behind it. It is never empty, and `from` is between two characters.
    #[inline]
    pub fn next(&mut self, text: &str, from: usize) -> Option<Range<usize>> {
        match self {
            Self::Token => tokens::next(text.as_bytes(), from),
            Self::Email => email::next(text.as_bytes(), from),
            Self::Card => cards::next(text.as_bytes(), from),
            Self::Ip => ip::next(text.as_bytes(), from),
            Self::Custom(pattern) => pattern.find(text, from).filter(|found| !found.is_empty()),
        }
    }
}

/// What stands in the place of a find.
pub enum Replacement {
    /// Always the same.
    Mask(String),
    /// A hash of the find between a start and a `]`.
    Hash { start: String, keyed: Hmac<Sha256> },
}

/// Of a hash. Bytes.
const HASH_BYTES: usize = 8;

impl Replacement {
    /// `[name]`
    pub fn mask(name: &str) -> Self {
        Self::Mask(format!("[{name}]"))
    }

    /// `[name:0123456789abcdef]`
    pub fn hash(name: &str, key: &[u8]) -> Self {
        let keyed = Hmac::new_from_slice(key).unwrap_or_else(|_| unreachable!("a key may have any length"));
        Self::Hash { start: format!("[{name}:"), keyed }
    }

    /// Writes what stands in the place of `find`.
    #[inline]
    pub fn write(&self, find: &str, into: &mut String) {
        match self {
            Self::Mask(mask) => into.push_str(mask),
            Self::Hash { start, keyed } => {
                let mut keyed = keyed.clone();
                keyed.update(find.as_bytes());
                into.push_str(start);
                for byte in keyed.finalize().into_bytes().iter().take(HASH_BYTES) {
                    // Writing to a string does not fail.
                    let _ = write!(into, "{byte:02x}");
                }
                into.push(']');
            }
        }
    }
}

impl fmt::Debug for Replacement {
    /// Without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mask(mask) => f.write_str(mask),
            Self::Hash { start, .. } => f.write_str(start),
        }
    }
}
