//! What a configuration is written in: its file, and the further parts of it in the folder `conf.d` beside that.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::{fs, iter};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::reader::Document;

/// The folder of further parts, beside the file that names a configuration.
pub const PARTS: &str = "conf.d";

/// A file of a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Where it stands.
    pub file: PathBuf,
    /// What stands in it.
    pub text: String,
}

/// All files of a configuration, as they stood when they were read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigFiles {
    /// The file that names the configuration; relative paths in all parts are taken from its folder.
    pub main: Part,
    /// Those in `conf.d`, by name.
    pub further: Vec<Part>,
}

/// A file of a configuration, or their folder, cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {}: {source}", path.display())]
pub struct Unreadable {
    path: PathBuf,
    source: io::Error,
}

impl ConfigFiles {
    /// A configuration without further parts.
    pub fn alone(file: &Path, text: &str) -> Self {
        Self { main: Part { file: file.to_owned(), text: text.to_owned() }, further: Vec::new() }
    }

    /// Reads `file` and what lies in `conf.d` beside it.
    ///
    /// # Errors
    /// See [`Unreadable`].
    pub fn read(file: &Path) -> Result<Self, Unreadable> {
        let part = |file: PathBuf| match fs::read_to_string(&file) {
            Ok(text) => Ok(Part { file, text }),
            Err(source) => Err(Unreadable { path: file, source }),
        };
        let further = further(file)?.into_iter().map(part).collect::<Result<_, _>>()?;
        Ok(Self { main: part(file.to_owned())?, further })
    }

    /// All files, the main one first.
    pub fn parts(&self) -> impl Iterator<Item = &Part> {
        iter::once(&self.main).chain(&self.further)
    }

    /// The files that are read for the configuration of `file` now.
    pub fn paths(file: &Path) -> Vec<PathBuf> {
        iter::once(file.to_owned()).chain(further(file).unwrap_or_default()).collect()
    }
}

/// Files named `*.toml` that are not hidden, by name.
fn further(file: &Path) -> Result<Vec<PathBuf>, Unreadable> {
    let folder = file.with_file_name(PARTS);
    let unreadable = |source| Unreadable { path: folder.clone(), source };
    let entries = match fs::read_dir(&folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(unreadable)?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(unreadable)?.path();
        let is_hidden =
            path.file_name().is_some_and(|name| name.as_encoded_bytes().first().is_some_and(|b| *b == b'.'));
        if !is_hidden && path.extension().is_some_and(|extension| extension == "toml") && !path.is_dir() {
            files.push(path);
        }
    }
    files.sort_unstable();
    Ok(files)
}

/// Adds what a further part has to a table: lists of tables and tables grow; what stands there already is a mistake.
pub(super) fn merge<'a>(doc: &mut Document<'a>, into: &mut DeTable<'a>, part: DeTable<'a>, key: &str) {
    for (name, value) in part {
        let key =
            if key.is_empty() { name.get_ref().to_string() } else { format!("{key}.{}", name.get_ref()) };
        let Some(there) = into.get_mut(name.get_ref().as_ref()) else {
            into.insert(name, value);
            continue;
        };
        let (at, earlier) = (value.span().start, there.span().start);
        match (there.get_mut(), value.into_inner()) {
            (DeValue::Array(there), DeValue::Array(more)) if are_tables(there) && are_tables(&more) => {
                more.into_iter().for_each(|item| there.push(item));
            }
            (DeValue::Table(there), DeValue::Table(more)) => merge(doc, there, more, &key),
            _ => {
                let reason = format!("stands in {} already; write it in one place", doc.place(earlier));
                doc.mistake(at, &key, reason);
            }
        }
    }
}

fn are_tables(items: &[Spanned<DeValue<'_>>]) -> bool {
    items.iter().all(|item| item.get_ref().is_table())
}

/// A table whose places are counted from `base` on.
pub(super) fn shifted(table: DeTable<'_>, base: usize) -> DeTable<'_> {
    table.into_iter().map(|(name, value)| (moved(name, base), shifted_value(value, base))).collect()
}

fn shifted_value(value: Spanned<DeValue<'_>>, base: usize) -> Spanned<DeValue<'_>> {
    let value = moved(value, base);
    let span = value.span();
    let inner = match value.into_inner() {
        DeValue::Array(items) => {
            DeValue::Array(items.into_iter().map(|item| shifted_value(item, base)).collect())
        }
        DeValue::Table(table) => DeValue::Table(shifted(table, base)),
        other => other,
    };
    Spanned::new(span, inner)
}

fn moved<T>(spanned: Spanned<T>, base: usize) -> Spanned<T> {
    let span = spanned.span();
    Spanned::new(span.start + base..span.end + base, spanned.into_inner())
}
