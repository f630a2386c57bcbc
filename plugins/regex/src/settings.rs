//! The configuration, and what is made of it.

use std::collections::BTreeMap;

use logsmith_pattern::{Groups, Pattern};
use logsmith_plugin::{OnFailure, TypedColumn};
use serde::Deserialize;

use crate::grok::{self, column_of};
use crate::{Alternative, RegexPlugin};

/// The configuration, as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    #[serde(default = "line")]
    pub(crate) column: String,
    #[serde(default)]
    patterns: Vec<String>,
    #[serde(default)]
    types: BTreeMap<String, String>,
    #[serde(default)]
    names: BTreeMap<String, String>,
    #[serde(default)]
    on_failure: OnFailure,
}

fn line() -> String {
    "line".into()
}

impl Settings {
    /// The plugin; or which key is wrong, and what to write.
    pub(crate) fn compile(self) -> Result<RegexPlugin, String> {
        let Self { patterns, mut types, names, on_failure, .. } = self;
        if patterns.is_empty() {
            return Err(
                r"`patterns` is missing: write a list, as in `patterns = ['^(?<word>\w+) %{INT:n}$']`".into(),
            );
        }
        for name in names.keys() {
            if !grok::is_name(name) {
                return Err(format!("`names`: `{name}` is no name: write letters, digits and `_`"));
            }
        }
        let mut columns: Vec<TypedColumn> = Vec::new();
        let mut alternatives = Vec::with_capacity(patterns.len());
        for (number, written) in (1..).zip(&patterns) {
            let wrong = |error: String| format!("`patterns`: number {number}: {error}");
            let expression = grok::expand(written, &names).map_err(wrong)?;
            let pattern = Pattern::new(&expression).map_err(wrong)?;
            let mut fills = Vec::new();
            for (group, name) in pattern.group_names().enumerate() {
                let Some(name) = name.map(column_of) else { continue };
                if !grok::is_name(name) {
                    return Err(wrong(format!(
                        "`{name}` is no name for a column: write letters, digits and `_`"
                    )));
                }
                let known = columns.iter().position(|target| target.name() == name);
                let column = known.unwrap_or(columns.len());
                if known.is_none() {
                    columns.push(TypedColumn::new(name, types.remove(name))?);
                }
                fills.push((column, group));
            }
            alternatives.push(Alternative { pattern, fills });
        }
        if columns.is_empty() {
            return Err("`patterns`: there is no named group: write `(?<name>..)` or `%{WORD:name}`".into());
        }
        if let Some(name) = types.keys().next() {
            let known: Vec<&str> = columns.iter().map(TypedColumn::name).collect();
            return Err(format!("`types`: no pattern has a group `{name}`, only: {}", known.join(", ")));
        }
        Ok(RegexPlugin { alternatives, columns, on_failure, groups: Groups::default() })
    }
}
