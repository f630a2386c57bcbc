//! The configuration, and what is made of it.

use std::collections::BTreeMap;

use logsmith_plugin::{OnFailure, TypedColumn};
use serde::Deserialize;

use crate::CsvPlugin;
use crate::split::Form;

/// The configuration, as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    #[serde(default)]
    columns: Vec<String>,
    #[serde(default)]
    types: BTreeMap<String, String>,
    header: Option<Vec<String>>,
    #[serde(default = "comma")]
    delimiter: String,
    #[serde(default = "double_quote")]
    quote: String,
    #[serde(default)]
    null: Vec<String>,
    comment: Option<String>,
    #[serde(default = "line")]
    pub(crate) column: String,
    #[serde(default)]
    on_failure: OnFailure,
}

fn comma() -> String {
    ",".into()
}

fn double_quote() -> String {
    "\"".into()
}

fn line() -> String {
    "line".into()
}

impl Settings {
    /// The plugin; or which key is wrong, and what to write.
    pub(crate) fn compile(self) -> Result<CsvPlugin, String> {
        let Self { columns: names, mut types, header, delimiter, quote, null, comment, on_failure, .. } =
            self;
        if names.is_empty() {
            return Err(
                "`columns` is missing: write a list of names, as in `columns = [\"time\", \"user\"]`".into(),
            );
        }
        let delimiter = character(&delimiter).map_err(|error| format!("`delimiter`: {error}"))?;
        let quote = match quote.as_str() {
            "" => None,
            quote => Some(character(quote).map_err(|error| format!("`quote`: {error}"))?),
        };
        if quote == Some(delimiter) {
            return Err("`quote` and `delimiter` are the same".into());
        }
        if comment.as_deref() == Some("") {
            return Err("`comment` is empty: leave it out where there are no comments".into());
        }
        let mut columns = Vec::with_capacity(names.len());
        for (number, name) in names.iter().enumerate() {
            if names.iter().take(number).any(|before| before == name) {
                return Err(format!("`columns`: `{name}` is there twice"));
            }
            columns.push(TypedColumn::new(name, types.remove(name))?);
        }
        if let Some(name) = types.keys().next() {
            return Err(format!("`types`: there is no column `{name}`, only: {}", names.join(", ")));
        }
        let header = header.unwrap_or(names);
        Ok(CsvPlugin { form: Form { delimiter, quote }, columns, header, null, comment, on_failure })
    }
}

/// One character of ASCII that is no newline.
fn character(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        [byte] if byte.is_ascii() && !matches!(byte, b'\n' | b'\r') => Ok(*byte),
        _ => Err(format!("{text:?} is not one character of ASCII: write one, as in \",\" or \"\\t\"")),
    }
}
