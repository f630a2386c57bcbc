//! Which fields have columns of their own.

use std::fmt;

use logsmith_plugin::Names;
use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};

use crate::Scratch;

/// The configured plugin.
#[derive(Debug, Deserialize)]
#[serde(from = "Settings")]
pub struct Json {
    pub(crate) names: Names<Name>,
    pub(crate) scratch: Scratch,
}

/// The configuration: for each column one name, or several of which the first in a line counts.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    level: OneOrMany,
    message: OneOrMany,
    time: OneOrMany,
}

impl Default for Settings {
    fn default() -> Self {
        let names = |names: &[&str]| OneOrMany(names.iter().map(|name| name.to_string()).collect());
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
        let names = roles.into_iter().flat_map(|(role, OneOrMany(names))| {
            (0..).zip(names).map(move |(index, name)| (name, Name { role, index }))
        });
        Self { names: Names::new(names), scratch: Scratch::default() }
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

/// A text, or a list of texts.
#[derive(Debug)]
struct OneOrMany(Vec<String>);

impl<'de> Deserialize<'de> for OneOrMany {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = OneOrMany;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a field, or a list of names")
            }

            fn visit_str<E>(self, name: &str) -> Result<OneOrMany, E> {
                Ok(OneOrMany(vec![name.into()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<OneOrMany, A::Error> {
                let mut names = Vec::new();
                while let Some(name) = list.next_element()? {
                    names.push(name);
                }
                Ok(OneOrMany(names))
            }
        }

        deserializer.deserialize_any(Either)
    }
}
