//! Reading a TOML file key by key, collecting every mistake with its place in the file.
//!
//! A deserialiser stops at the first mistake; an operator wants them all at once.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::environment::{Surroundings, extent, substitute};
use super::excerpt::Excerpt;
use super::files::{ConfigFiles, Part, merge, shifted};
use super::mistake::{Mistake, Mistakes};
use crate::secrets::Secrets;
use crate::text::Shown;

/// The longest time that a key may say.
const DURATION_MAX: Duration = Duration::from_hours(3_650 * 24);

/// The files being read, and the mistakes found so far. A place in them is a byte of all texts together.
#[derive(Debug)]
pub(super) struct Document<'a> {
    written: &'a ConfigFiles,
    mistakes: Vec<Mistake>,
    secrets: Secrets,
}

impl<'a> Document<'a> {
    /// Parses all parts, hands the top-level section to `read`, and returns what it made if nothing was wrong.
    pub(super) fn read<T>(
        written: &'a ConfigFiles,
        surroundings: Surroundings,
        read: impl FnOnce(&mut Document<'a>, &mut Section<'a>) -> Option<T>,
    ) -> Result<T, Mistakes> {
        let (mut document, parsed) = Self::parsed(written);
        let is_toml = parsed.is_some();
        let mut parsed = parsed.unwrap_or_default();
        substitute(&mut document, surroundings, &mut parsed, "");
        let mut root = Section::new(String::new(), 0, parsed);
        // Of what is no TOML nothing else can be said: a key may stand for another.
        let made = match is_toml {
            true => {
                let made = read(&mut document, &mut root);
                root.finish(&mut document);
                made
            }
            false => None,
        };
        match made {
            Some(made) if document.mistakes.is_empty() => Ok(made),
            _ => Err(document.into_mistakes()),
        }
    }

    /// All parts as one table, as they are written.
    pub(super) fn merged(written: &'a ConfigFiles) -> Result<(Document<'a>, DeTable<'a>), Mistakes> {
        let (document, parsed) = Self::parsed(written);
        match parsed {
            Some(parsed) if document.mistakes.is_empty() => Ok((document, parsed)),
            _ => Err(document.into_mistakes()),
        }
    }

    /// Nothing, where a part is no TOML.
    fn parsed(written: &'a ConfigFiles) -> (Document<'a>, Option<DeTable<'a>>) {
        let mut document = Document { written, mistakes: Vec::new(), secrets: Secrets::default() };
        let mut tables = Vec::new();
        for (base, part) in document.parts() {
            let (parsed, errors) = DeTable::parse_recoverable(&part.text);
            for error in errors {
                let at = error.span().map_or(0, |span| span.start);
                document.mistake(base + at, "", error.message().to_owned());
            }
            tables.push(shifted(parsed.into_inner(), base));
        }
        if !document.mistakes.is_empty() {
            return (document, None);
        }
        let mut parsed = DeTable::new();
        for table in tables {
            merge(&mut document, &mut parsed, table, "");
        }
        (document, Some(parsed))
    }

    fn into_mistakes(mut self) -> Mistakes {
        let order: Vec<_> = self.written.parts().map(|part| &part.file).collect();
        self.mistakes
            .sort_by_key(|mistake| (order.iter().position(|file| **file == mistake.file), mistake.line));
        Mistakes(self.mistakes)
    }

    /// The parts, each with the place at which it begins.
    fn parts(&self) -> impl Iterator<Item = (usize, &'a Part)> + use<'a> {
        self.written.parts().scan(0, |next, part| {
            let base = *next;
            // A mistake may be that a text ends.
            *next += part.text.len() + 1;
            Some((base, part))
        })
    }

    /// The part in which a place is, and the byte of its text.
    fn part(&self, at: usize) -> (&'a Part, usize) {
        let last = self.parts().take_while(|(base, _)| *base <= at).last();
        let (base, part) = last.unwrap_or((0, &self.written.main));
        (part, at - base)
    }

    /// The file, line and column of a place.
    pub(super) fn place(&self, at: usize) -> Place<'a> {
        let (part, at) = self.part(at);
        let before = part.text.get(..at).unwrap_or(&part.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let in_line = before.get(line_start..).unwrap_or_default();
        Place {
            file: &part.file,
            line: 1 + before.matches('\n').count(),
            column: 1 + in_line.chars().count(),
        }
    }

    /// Notes a mistake at a place.
    pub(super) fn mistake(&mut self, at: usize, key: &str, reason: String) {
        let Place { file, line, column } = self.place(at);
        let (part, byte) = self.part(at);
        // What is missing at the top stands nowhere.
        let stands_there = at > 0 || part.text.starts_with(key);
        let excerpt = stands_there.then(|| Excerpt::of(&part.text, byte, extent(key))).flatten();
        self.mistakes.push(Mistake {
            file: file.to_owned(),
            line,
            column,
            key: key.to_owned(),
            reason: self.secrets.mask(&reason),
            excerpt,
        });
    }

    /// Has mistakes show `reference` in place of `value` from here on.
    pub(super) fn conceal(&mut self, reference: &str, value: &str) {
        self.secrets.add(reference, value);
    }

    /// What is concealed so far.
    pub(super) fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// `path`, taken from the folder of the main file where it is relative; without `.` and `..`.
    pub(super) fn resolve(&self, path: &str) -> PathBuf {
        let folder = self
            .written
            .main
            .file
            .parent()
            .filter(|folder| *folder != Path::new(""))
            .unwrap_or(Path::new("."));
        let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        let joined = folder.join(path);
        let absolute = std::path::absolute(&joined).unwrap_or(joined);
        let mut clean = PathBuf::new();
        for part in absolute.components() {
            match part {
                Component::ParentDir => drop(clean.pop()),
                part => clean.push(part),
            }
        }
        clean
    }
}

/// Where something stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    file: &'a Path,
    line: usize,
    column: usize,
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", Shown(self.file.display()), self.line, self.column)
    }
}

/// A value found, with its key and place.
#[derive(Debug)]
pub(super) struct Found<T> {
    pub(super) value: T,
    pub(super) key: String,
    pub(super) at: usize,
}

/// One table of the file. Keys that nobody asked for are mistakes.
#[derive(Debug)]
pub(super) struct Section<'a> {
    key: String,
    at: usize,
    table: DeTable<'a>,
    known: BTreeSet<&'static str>,
    present: BTreeSet<&'static str>,
}

impl<'a> Section<'a> {
    fn new(key: String, at: usize, table: DeTable<'a>) -> Self {
        Self { key, at, table, known: BTreeSet::new(), present: BTreeSet::new() }
    }

    fn path(&self, name: &str) -> String {
        if self.key.is_empty() { name.to_owned() } else { format!("{}.{name}", self.key) }
    }

    /// Notes that a key must be there; `example` shows how to write it. One that is there and cannot be read has been
    /// noted when it was read.
    pub(super) fn missing(&self, doc: &mut Document<'a>, name: &str, example: &str) {
        if self.present.contains(name) {
            return;
        }
        doc.mistake(self.at, &self.path(name), format!("is missing; write {example}"));
    }

    /// Notes what is wrong with a key that was read.
    pub(super) fn wrong(&self, doc: &mut Document<'a>, name: &str, reason: &str) {
        doc.mistake(self.at, &self.path(name), reason.to_owned());
    }

    fn take(&mut self, name: &'static str) -> Option<Found<DeValue<'a>>> {
        self.known.insert(name);
        let value: Spanned<DeValue<'a>> = self.table.remove(name)?;
        self.present.insert(name);
        let at = value.span().start;
        Some(Found { value: value.into_inner(), key: self.path(name), at })
    }

    /// A string.
    pub(super) fn string(&mut self, doc: &mut Document<'a>, name: &'static str) -> Option<Found<String>> {
        let Found { value, key, at } = self.take(name)?;
        match value {
            DeValue::String(text) => Some(Found { value: text.into_owned(), key, at }),
            other => {
                wrong_kind(doc, &key, at, &other, "a string");
                None
            }
        }
    }

    /// A list of strings.
    pub(super) fn strings(
        &mut self,
        doc: &mut Document<'a>,
        name: &'static str,
    ) -> Option<Vec<Found<String>>> {
        let Found { value, key, at } = self.take(name)?;
        let DeValue::Array(array) = value else {
            wrong_kind(doc, &key, at, &value, "a list of strings");
            return None;
        };
        let mut strings = Vec::new();
        for (index, item) in array.into_iter().enumerate() {
            let (key, at) = (format!("{key}[{index}]"), item.span().start);
            match item.into_inner() {
                DeValue::String(text) => strings.push(Found { value: text.into_owned(), key, at }),
                other => wrong_kind(doc, &key, at, &other, "a string"),
            }
        }
        Some(strings)
    }

    /// A whole number from `least` on.
    pub(super) fn number(&mut self, doc: &mut Document<'a>, name: &'static str, least: u64) -> Option<u64> {
        let Found { value, key, at } = self.take(name)?;
        let number = match &value {
            DeValue::Integer(number) => u64::from_str_radix(number.as_str(), number.radix()).ok(),
            _ => None,
        };
        match number {
            Some(number) if number >= least => Some(number),
            _ => {
                doc.mistake(at, &key, format!("write a whole number from {least} on"));
                None
            }
        }
    }

    /// A length of time, like `"500ms"`, `"60s"`, `"5min"`.
    pub(super) fn duration(&mut self, doc: &mut Document<'a>, name: &'static str) -> Option<Duration> {
        let Found { value, key, at } = self.string(doc, name)?;
        match humantime::parse_duration(&value) {
            Ok(duration) if !duration.is_zero() && duration <= DURATION_MAX => Some(duration),
            Ok(duration) if duration > DURATION_MAX => {
                doc.mistake(at, &key, format!("`{value}` is too long; write at most \"3650days\""));
                None
            }
            _ => {
                doc.mistake(at, &key, format!("`{value}` is no time; write \"500ms\", \"60s\" or \"5min\""));
                None
            }
        }
    }

    /// `true` or `false`.
    pub(super) fn boolean(&mut self, doc: &mut Document<'a>, name: &'static str) -> Option<bool> {
        let Found { value, key, at } = self.take(name)?;
        match value {
            DeValue::Boolean(value) => Some(value),
            other => {
                wrong_kind(doc, &key, at, &other, "true or false");
                None
            }
        }
    }

    /// A number of bytes, like `"64KiB"`, `"32MB"`, or a bare number.
    pub(super) fn bytes(&mut self, doc: &mut Document<'a>, name: &'static str) -> Option<u64> {
        let Found { value, key, at } = self.take(name)?;
        let bytes = match &value {
            DeValue::String(text) => text.parse::<bytesize::ByteSize>().ok().map(|size| size.0),
            DeValue::Integer(number) => number.as_str().parse().ok(),
            _ => None,
        };
        match bytes {
            Some(bytes) if bytes > 0 => Some(bytes),
            _ => {
                doc.mistake(at, &key, "write a size like \"64KiB\", \"32MB\" or \"2GB\"".to_owned());
                None
            }
        }
    }

    /// Any value, as JSON.
    pub(super) fn json(&mut self, doc: &mut Document<'a>, name: &'static str) -> Option<serde_json::Value> {
        let Found { value, key, at } = self.take(name)?;
        match to_json(value) {
            Ok(json) => Some(json),
            Err(reason) => {
                doc.mistake(at, &key, reason);
                None
            }
        }
    }

    /// A table of strings, such as a store's options.
    pub(super) fn string_map(
        &mut self,
        doc: &mut Document<'a>,
        name: &'static str,
    ) -> std::collections::HashMap<String, String> {
        let Some(Found { value, key, at }) = self.take(name) else { return Default::default() };
        let DeValue::Table(table) = value else {
            wrong_kind(doc, &key, at, &value, "a table of strings");
            return Default::default();
        };
        let mut map = std::collections::HashMap::new();
        for (name, item) in table {
            let at = item.span().start;
            let name = name.into_inner().into_owned();
            match item.into_inner() {
                DeValue::String(text) => drop(map.insert(name, text.into_owned())),
                DeValue::Boolean(value) => drop(map.insert(name, value.to_string())),
                other => wrong_kind(doc, &format!("{key}.{name}"), at, &other, "a string"),
            }
        }
        map
    }

    /// A table within this one.
    pub(super) fn section(&mut self, doc: &mut Document<'a>, name: &'static str) -> Option<Section<'a>> {
        let Found { value, key, at } = self.take(name)?;
        match value {
            DeValue::Table(table) => Some(Section::new(key, at, table)),
            other => {
                wrong_kind(doc, &key, at, &other, &format!("a table: [{}]", header(&key)));
                None
            }
        }
    }

    /// A list of tables, written `[[name]]`.
    pub(super) fn sections(&mut self, doc: &mut Document<'a>, name: &'static str) -> Vec<Section<'a>> {
        let Some(Found { value, key, at }) = self.take(name) else { return Vec::new() };
        let DeValue::Array(array) = value else {
            wrong_kind(doc, &key, at, &value, &format!("a list of tables: [[{}]]", header(&key)));
            return Vec::new();
        };
        let mut sections = Vec::new();
        for (index, item) in array.into_iter().enumerate() {
            let (key, at) = (format!("{key}[{index}]"), item.span().start);
            match item.into_inner() {
                DeValue::Table(table) => sections.push(Section::new(key, at, table)),
                other => wrong_kind(doc, &key, at, &other, &format!("a table: [[{}]]", header(&key))),
            }
        }
        sections
    }

    /// Notes every key that nobody asked for.
    pub(super) fn finish(self, doc: &mut Document<'a>) {
        for (name, _) in &self.table {
            let known: Vec<&str> = self.known.iter().copied().collect();
            let reason = format!("is not known here; known are {}", known.join(", "));
            let key = if self.key.is_empty() {
                name.get_ref().to_string()
            } else {
                format!("{}.{}", self.key, name.get_ref())
            };
            doc.mistake(name.span().start, &key, reason);
        }
    }
}

/// The header of a table with this key: no header has indexes.
fn header(key: &str) -> String {
    let names = key.split('.').map(|part| part.split('[').next().unwrap_or(part));
    names.collect::<Vec<_>>().join(".")
}

fn wrong_kind(doc: &mut Document<'_>, key: &str, at: usize, found: &DeValue<'_>, wanted: &str) {
    doc.mistake(at, key, format!("is of type {}; write {wanted}", found.type_str()));
}

/// A value as JSON.
pub(super) fn to_json(value: DeValue<'_>) -> Result<serde_json::Value, String> {
    use serde_json::Value;
    Ok(match value {
        DeValue::String(text) => Value::from(text.into_owned()),
        DeValue::Boolean(value) => Value::from(value),
        DeValue::Integer(number) => {
            let parsed = i64::from_str_radix(number.as_str(), number.radix());
            Value::from(parsed.map_err(|_| format!("`{}` does not fit 64 bits", number.as_str()))?)
        }
        DeValue::Float(number) => {
            let parsed: f64 = number.as_str().parse().map_err(|_| "is no number".to_owned())?;
            Value::from(parsed)
        }
        DeValue::Datetime(time) => Value::from(time.to_string()),
        DeValue::Array(array) => {
            let items = array.into_iter().map(|item| to_json(item.into_inner()));
            Value::Array(items.collect::<Result<_, _>>()?)
        }
        DeValue::Table(table) => {
            let pairs = table
                .into_iter()
                .map(|(name, item)| Ok((name.into_inner().into_owned(), to_json(item.into_inner())?)));
            Value::Object(pairs.collect::<Result<_, String>>()?)
        }
    })
}
