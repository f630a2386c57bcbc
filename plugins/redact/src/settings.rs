//! The configuration, and what is made of it.

use std::collections::BTreeMap;

use logsmith_pattern::Pattern;
use serde::Deserialize;

use crate::rules::{Finder, Replacement, Rule};

/// The configuration, as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    #[serde(default)]
    pub(crate) columns: Vec<String>,
    rules: Option<Vec<String>>,
    #[serde(default)]
    custom: BTreeMap<String, String>,
    #[serde(default)]
    hash: Vec<String>,
    key: Option<String>,
}

/// The rules that need no expression, in the order in which they are applied.
const BUILTINS: [(&str, Finder); 4] =
    [("token", Finder::Token), ("email", Finder::Email), ("card", Finder::Card), ("ip", Finder::Ip)];

/// Fewer letters could be tried out.
const KEY_LETTERS_MIN: usize = 32;

impl Settings {
    /// The rules, in their order; or which key is wrong, and what to write.
    pub(crate) fn compile(self) -> Result<Vec<Rule>, String> {
        let Self { columns, rules, custom, hash, key } = self;
        if columns.is_empty() {
            return Err("`columns` is missing: write a list, as in `columns = [\"message\"]`".into());
        }
        let is_builtin = |name: &String| BUILTINS.iter().any(|(known, _)| known == name);
        if let Some(name) = rules.iter().flatten().find(|name| !is_builtin(name)) {
            return Err(format!(
                "`rules`: there is no `{name}`, only email, ip, card and token: others stand in `custom`"
            ));
        }
        let wanted = |name: &str| rules.as_ref().is_none_or(|rules| rules.iter().any(|rule| rule == name));
        let mut finders: Vec<(String, Finder)> = Vec::new();
        finders.extend(
            BUILTINS.into_iter().filter(|(name, _)| wanted(name)).map(|(name, finder)| (name.into(), finder)),
        );
        for (name, expression) in custom {
            let is_word = |byte: u8| byte == b'_' || byte == b'-' || byte.is_ascii_alphanumeric();
            if name.is_empty() || !name.bytes().all(is_word) || is_builtin(&name) {
                return Err(format!(
                    "`custom`: `{name}` is no name for a rule: write letters, digits, `_` and `-`, and none of email, ip, card, token"
                ));
            }
            let mut pattern =
                Pattern::new(&expression).map_err(|error| format!("`custom.{name}`: {error}"))?;
            if pattern.is_match("") {
                return Err(format!("`custom.{name}`: it matches the empty text, and so everywhere"));
            }
            finders.push((name, Finder::Custom(Box::new(pattern))));
        }
        if finders.is_empty() {
            return Err("`rules` is empty, and there is no `custom` rule: nothing would be redacted".into());
        }
        if let Some(name) = hash.iter().find(|name| !finders.iter().any(|(known, _)| known == *name)) {
            return Err(format!("`hash`: `{name}` is no rule of this plugin"));
        }
        let key = match key {
            Some(key) if key.chars().count() < KEY_LETTERS_MIN => {
                return Err(format!(
                    "`key` has fewer than {KEY_LETTERS_MIN} letters: write what `openssl rand -hex 32` prints"
                ));
            }
            None if !hash.is_empty() => {
                return Err(
                    "`key` is missing, which `hash` needs: write what `openssl rand -hex 32` prints".into()
                );
            }
            key => key.unwrap_or_default(),
        };
        let rule = |(name, finder): (String, Finder)| {
            let replacement = match hash.contains(&name) {
                true => Replacement::hash(&name, key.as_bytes()),
                false => Replacement::mask(&name),
            };
            Rule { counter: format!("redacted_{name}"), finder, replacement, finds: 0 }
        };
        Ok(finders.into_iter().map(rule).collect())
    }
}
