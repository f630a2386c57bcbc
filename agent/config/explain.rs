//! What holds, key by key, and where it comes from.

use toml::de::{DeTable, DeValue};

use super::environment::{is_option, references};
use super::files::ConfigFiles;
use super::keys::{Without, keys_of};
use super::mistake::Mistakes;
use super::reader::{Document, to_json};
use crate::text::Shown;

/// A key and what holds for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// The key, written with dots and indexes: `pipeline[0].plugin`.
    pub key: String,
    /// Its value, as it is written: what it names of the environment is not put in, and the options of a store are left
    /// out.
    pub value: String,
    /// Where the value comes from: a place in a file, with what it names of the environment, or `default`.
    pub origin: String,
}

/// Every key of an agent's configuration that is written, and every other one that has a default.
///
/// # Errors
/// The files are no TOML, or contradict each other.
pub fn explain(written: &ConfigFiles) -> Result<Vec<Explained>, Mistakes> {
    let (document, root) = Document::merged(written)?;
    let mut explained = Vec::new();
    if !root.contains_key("agent") {
        add_table(&document, &DeTable::new(), "agent", &mut explained);
    }
    for (name, value) in &root {
        add(&document, value.get_ref(), value.span().start, name.get_ref(), &mut explained);
    }
    Ok(explained)
}

fn add(document: &Document<'_>, value: &DeValue<'_>, at: usize, key: &str, to: &mut Vec<Explained>) {
    match value {
        DeValue::Table(table) => add_table(document, table, key, to),
        DeValue::Array(items) if !items.is_empty() && items.iter().all(|item| item.get_ref().is_table()) => {
            for (index, item) in items.iter().enumerate() {
                add(document, item.get_ref(), item.span().start, &format!("{key}[{index}]"), to);
            }
        }
        value => {
            let shown = to_json(value.clone()).map_or_else(|reason| reason, |json| json.to_string());
            let named = references(&shown);
            let is_reference = named.len() == 1 && shown.starts_with("\"${") && shown.ends_with("}\"");
            let is_left_out = is_option(key) && !is_reference;
            let value = if is_left_out { "…".to_owned() } else { shown };
            let mut origin = document.place(at).to_string();
            for name in named {
                origin += &format!(", {name}");
            }
            to.push(Explained { key: key.to_owned(), value, origin });
        }
    }
}

fn add_table(document: &Document<'_>, table: &DeTable<'_>, key: &str, to: &mut Vec<Explained>) {
    for (name, value) in table {
        let key = format!("{key}.{}", Shown(name.get_ref()));
        add(document, value.get_ref(), value.span().start, &key, to);
    }
    let plain =
        key.split('.').map(|part| part.split('[').next().unwrap_or(part)).collect::<Vec<_>>().join(".");
    let is_no_file = plain == "source" && !table.contains_key("include");
    for known in keys_of(&plain) {
        let is_for_files =
            known.name != "line_bytes_max" && !(known.name == "start_at" && table.contains_key("journal"));
        if table.contains_key(known.name) || (is_no_file && is_for_files) {
            continue;
        }
        let value = match known.without {
            Without::Default(value) => value.to_owned(),
            Without::Words(words) => format!("({words})"),
            Without::Nothing => continue,
        };
        to.push(Explained { key: format!("{key}.{}", known.name), value, origin: "default".to_owned() });
    }
    let has_limits = matches!(plain.as_str(), "pipeline" | "pipeline.then");
    if has_limits && !table.contains_key("limits") {
        add_table(document, &DeTable::new(), &format!("{key}.limits"), to);
    }
}
