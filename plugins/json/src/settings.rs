//! Which fields have columns of their own.

use std::fmt;
use std::ops::Range;

use logsmith_plugin::same;
use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};

use crate::{HASHES, Scratch, hash};

/// The configured plugin.
#[derive(Debug, Deserialize)]
#[serde(from = "Settings")]
pub struct Json {
    pub(crate) names: RoleNames,
    pub(crate) scratch: Scratch,
}

/// The configuration: for each column one name, or several of which the first in a line counts.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    level: Names,
    message: Names,
    time: Names,
}

impl Default for Settings {
    fn default() -> Self {
        let names = |names: &[&str]| Names(names.iter().map(|name| name.to_string()).collect());
        Self {
            level: names(&["level", "severity", "log_level", "lvl"]),
            message: names(&["message", "msg"]),
            time: names(&["time", "timestamp", "@timestamp", "ts"]),
        }
    }
}

impl From<Settings> for Json {
    fn from(Settings { level, message, time }: Settings) -> Self {
        let roles = [(Role::Level, level), (Role::Message, message), (Role::Time, time)];
        let names = roles
            .into_iter()
            .flat_map(|(role, Names(names))| names.into_iter().map(move |name| (role, name)));
        Self { names: RoleNames::new(names), scratch: Scratch::default() }
    }
}

/// A column that one field of a line fills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Level,
    Message,
    Time,
}

impl Role {
    pub const COUNT: usize = 3;
}

/// One of the configured names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Name {
    pub role: Role,
    index: u32,
}

/// The configured names of all roles, found by a hash: most other fields are told apart by it alone.
#[derive(Debug)]
pub struct RoleNames {
    /// Ordered by hash.
    names: Vec<(Role, String)>,
    /// For each hash the first of its names, and how many there are.
    slots: [(u32, u32); HASHES],
}

impl RoleNames {
    fn new(names: impl Iterator<Item = (Role, String)>) -> Self {
        let mut by_hash = [const { Vec::new() }; HASHES];
        for (role, name) in names {
            by_hash[hash(name.as_bytes())].push((role, name));
        }
        let mut names = Vec::new();
        let slots = by_hash.map(|mut same_hash| {
            let slot = (names.len() as u32, same_hash.len() as u32);
            names.append(&mut same_hash);
            slot
        });
        Self { names, slots }
    }

    /// The configured name that is this field's, of this hash.
    #[inline(always)]
    pub fn find(&self, field: &[u8], hash: usize) -> Option<Name> {
        let (first, count) = self.slots[hash];
        if count == 0 {
            return None;
        }
        let (role, name) = self.names.get(first as usize)?;
        if same(name.as_bytes(), field) {
            return Some(Name { role: *role, index: first });
        }
        self.find_among(field, first + 1..first + count)
    }

    #[cold]
    fn find_among(&self, field: &[u8], mut indices: Range<u32>) -> Option<Name> {
        indices.find_map(|index| {
            let (role, name) = self.names.get(index as usize)?;
            same(name.as_bytes(), field).then_some(Name { role: *role, index })
        })
    }
}

/// A text, or a list of texts.
#[derive(Debug)]
struct Names(Vec<String>);

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMany;

        impl<'de> Visitor<'de> for OneOrMany {
            type Value = Names;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a field, or a list of names")
            }

            fn visit_str<E>(self, name: &str) -> Result<Names, E> {
                Ok(Names(vec![name.into()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Names, A::Error> {
                let mut names = Vec::new();
                while let Some(name) = list.next_element()? {
                    names.push(name);
                }
                Ok(Names(names))
            }
        }

        deserializer.deserialize_any(OneOrMany)
    }
}
