//! The central job's configuration.

use std::collections::HashSet;
use std::path::Path;

use super::reader::{Document, Mistakes, Section};
use super::{is_name, store};
use crate::store::{Place, StoreOptions};

/// What `logsmith compact` and `logsmith query` work on, checked.
#[derive(Clone, Debug)]
pub struct Central {
    /// The lake: `landing/`, `silver/`, `gold/` and `quarantine/` lie below.
    pub place: Place,
    /// Options of the store, as written.
    pub options: StoreOptions,
    /// The Gold tables to keep.
    pub views: Vec<View>,
}

/// A Gold table, defined by SQL over fleet Silver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// The name of the Gold table: letters, digits and `_`.
    pub name: String,
    /// A grouping query over one fleet Silver table.
    pub sql: String,
    /// Into how many partitions groups without a time window are hashed; 1 for few groups.
    pub hash_partitions: u32,
}

impl Central {
    /// Reads and checks the text of `file`.
    ///
    /// # Errors
    /// Every mistake, with its line.
    pub fn parse(file: &Path, text: &str) -> Result<Self, Mistakes> {
        Document::read(file, text, |doc, root| {
            let mut names = HashSet::new();
            let views = root.sections(doc, "view");
            let views: Vec<_> = views.into_iter().map(|section| view(doc, section, &mut names)).collect();
            let (place, options) = store(doc, root)?;
            Some(Self { place, options, views: views.into_iter().collect::<Option<_>>()? })
        })
    }
}

fn view<'a>(doc: &mut Document<'a>, mut section: Section<'a>, names: &mut HashSet<String>) -> Option<View> {
    let name = section.string(doc, "name");
    let sql = section.string(doc, "sql");
    let hash_partitions = section.number(doc, "hash_partitions", 1).unwrap_or(1);
    match &name {
        None => section.missing(doc, "name", "name = \"levels\""),
        Some(name) if !is_name(&name.value) => {
            doc.mistake(name.at, &name.key, format!("`{}`: write letters, digits and _ only", name.value));
        }
        Some(name) if !names.insert(name.value.clone()) => {
            doc.mistake(name.at, &name.key, format!("`{}` is the name of an earlier view", name.value));
        }
        Some(_) => {}
    }
    if sql.is_none() {
        section.missing(doc, "sql", "sql = \"SELECT level, count(*) AS n FROM app GROUP BY level\"");
    }
    section.finish(doc);
    Some(View {
        name: name?.value,
        sql: sql?.value,
        hash_partitions: u32::try_from(hash_partitions).unwrap_or(u32::MAX),
    })
}
