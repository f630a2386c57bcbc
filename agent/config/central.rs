//! The central job's configuration.

use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

use super::environment::Surroundings;
use super::files::ConfigFiles;
use super::mistake::Mistakes;
use super::reader::{Document, Found, Section};
use super::{is_name, metrics, store};
use crate::clock::{Day, Timestamp};
use crate::metrics::Address;
use crate::store::{Place, StoreOptions};
use crate::table::schema::is_taken_by_all;
use crate::transform::LINEAGE_COLUMNS;

/// What `logsmith compact` and `logsmith query` work on, checked.
#[derive(Clone, Debug)]
pub struct Central {
    /// The lake: `landing/`, `silver/`, `gold/` and `quarantine/` lie below.
    pub place: Place,
    /// Options of the store, as written.
    pub options: StoreOptions,
    /// The Gold tables to keep.
    pub views: Vec<View>,
    /// What becomes of columns whose type changed.
    pub renames: Vec<Rename>,
    /// How long the rows of fleet tables are kept; those of others are kept for ever.
    pub retentions: Vec<Retention>,
    /// How a job that goes on works beside others, and tells of itself.
    pub running: Running,
}

/// How `logsmith compact --every` works beside others, and tells of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    /// How long a job that is silent holds the lease, while others stand by.
    pub lease: Duration,
    /// Where metrics and health are served; nowhere if `None`.
    pub metrics: Option<Address>,
}

impl Default for Running {
    fn default() -> Self {
        Self { lease: LEASE, metrics: None }
    }
}

const LEASE: Duration = Duration::from_secs(60);

/// The most partitions that the groups of a view are hashed into.
const HASH_PARTITIONS_MAX: u64 = 4_096;

const DAY_SECONDS: u64 = 86_400;

/// The types of columns that have no others within.
const KINDS: [&str; 11] = [
    "string",
    "integer",
    "long",
    "double",
    "boolean",
    "timestamp",
    "date",
    "binary",
    "float",
    "short",
    "byte",
];

/// With a shorter lease a slow store would make jobs take it from each other.
const LEASE_MIN: Duration = Duration::from_secs(1);

/// How long the rows of a fleet Silver table are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retention {
    /// The fleet table.
    pub table: String,
    /// For so many whole days after the day of their ingestion.
    pub keep: Days,
}

/// A number of whole days, at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Days(i32);

impl Days {
    /// So many days; `None` for none, or for more than a calendar has.
    pub fn new(days: u64) -> Option<Self> {
        i32::try_from(days).ok().filter(|days| (1..1_000_000).contains(days)).map(Self)
    }

    /// The first day that is kept at `now`.
    pub fn first(self, now: Timestamp) -> Day {
        Day(now.day().0 - self.0)
    }
}

/// A column of a fleet table that comes with another type than the table has: it becomes a column of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rename {
    /// The fleet table.
    pub table: String,
    /// The column, as hosts write it.
    pub column: String,
    /// The type that it comes with, in Delta's words; with another type it keeps its name.
    pub kind: String,
    /// The column that the fleet table has for it.
    pub to: String,
}

/// A Gold table, defined by SQL over fleet Silver or over another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// The name of the Gold table: letters, digits and `_`.
    pub name: String,
    /// A grouping query over one fleet Silver table, or over another view.
    pub sql: String,
    /// Into how many partitions groups without a time window are hashed; 1 for few groups.
    pub hash_partitions: u32,
    /// How long its days are shown; `None` is for ever.
    pub keep: Option<Days>,
}

impl Central {
    /// Reads and checks the text of `file`.
    ///
    /// # Errors
    /// Every mistake, with its place.
    pub fn parse(file: &Path, text: &str) -> Result<Self, Mistakes> {
        Document::read(&ConfigFiles::alone(file, text), Surroundings::Needed, |doc, root| {
            let mut names = HashSet::new();
            let views = root.sections(doc, "view");
            let views: Vec<_> = views.into_iter().map(|section| view(doc, section, &mut names)).collect();
            let (mut columns, mut tables) = (HashSet::new(), HashSet::new());
            let renames = root.sections(doc, "rename");
            let renames: Vec<_> =
                renames.into_iter().map(|section| rename(doc, section, &mut columns)).collect();
            let retentions = root.sections(doc, "table");
            let retentions: Vec<_> =
                retentions.into_iter().map(|section| retention(doc, section, &mut tables)).collect();
            let running = running(doc, root);
            let (place, options) = store(doc, root)?;
            let views = views.into_iter().collect::<Option<_>>()?;
            let renames = renames.into_iter().collect::<Option<_>>()?;
            let retentions = retentions.into_iter().collect::<Option<_>>()?;
            Some(Self { place, options, views, renames, retentions, running: running? })
        })
    }
}

fn view<'a>(doc: &mut Document<'a>, mut section: Section<'a>, names: &mut HashSet<String>) -> Option<View> {
    let name = section.string(doc, "name");
    let sql = section.string(doc, "sql");
    let hash_partitions = section.number(doc, "hash_partitions", 1).unwrap_or(1);
    if hash_partitions > HASH_PARTITIONS_MAX {
        let reason = format!("each is a file; write at most {HASH_PARTITIONS_MAX}");
        section.wrong(doc, "hash_partitions", &reason);
    }
    let keep = days(doc, &mut section);
    match &name {
        None => section.missing(doc, "name", "name = \"levels\""),
        Some(name) if !is_name(&name.value) => {
            doc.mistake(name.at, &name.key, format!("`{}`: write letters, digits and _ only", name.value));
        }
        // A folder of this name would make a table of the folder that holds all views.
        Some(name) if name.value == "_delta_log" => {
            doc.mistake(name.at, &name.key, "`_delta_log` is what Delta calls a table's log".to_owned());
        }
        Some(name) if !names.insert(name.value.to_ascii_lowercase()) => {
            let reason =
                format!("`{}` is the name of an earlier view; case does not tell them apart", name.value);
            doc.mistake(name.at, &name.key, reason);
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
        keep,
    })
}

fn rename<'a>(
    doc: &mut Document<'a>,
    mut section: Section<'a>,
    earlier: &mut HashSet<[String; 3]>,
) -> Option<Rename> {
    let mut text = |key, example| {
        let found = section.string(doc, key);
        if found.is_none() {
            section.missing(doc, key, example);
        }
        found
    };
    let table = text("table", "table = \"app\"");
    let column = text("column", "column = \"status\"");
    let kind = text("type", "type = \"string\", the type that it comes with");
    let to = text("to", "to = \"status_text\"");
    section.finish(doc);
    let (table, column, kind, to) = (table?, column?, kind?, to?);
    let mut wrong = |found: &Found<String>, reason: &str| {
        doc.mistake(found.at, &found.key, format!("`{}` {reason}", found.value));
    };
    if !is_name(&table.value) {
        wrong(&table, "is no table: their names have letters, digits and _ only");
    }
    if LINEAGE_COLUMNS.contains(&column.value.as_str()) {
        wrong(&column, "says where a row comes from, and keeps its name");
    }
    let is_nested = ["array<", "struct<", "map<", "decimal128("].iter().any(|of| kind.value.starts_with(of));
    if !is_nested && !KINDS.contains(&kind.value.as_str()) {
        wrong(&kind, &format!("is no type; write {}, ... as `compact` tells it", KINDS.join(", ")));
    }
    let is_lineage = LINEAGE_COLUMNS.iter().any(|name| to.value.eq_ignore_ascii_case(name));
    if is_lineage || to.value.eq_ignore_ascii_case(&column.value) {
        wrong(&to, "is the name of a column that there is");
    } else if to.value.is_empty() || !is_taken_by_all(&to.value) {
        wrong(&to, "is a name that other engines do not take");
    }
    if !earlier.insert([&table, &column, &kind].map(|found| found.value.clone())) {
        wrong(&column, "of this table and type has a name already");
    }
    Some(Rename { table: table.value, column: column.value, kind: kind.value, to: to.value })
}

fn retention<'a>(
    doc: &mut Document<'a>,
    mut section: Section<'a>,
    earlier: &mut HashSet<String>,
) -> Option<Retention> {
    let name = section.string(doc, "name");
    match &name {
        None => section.missing(doc, "name", "name = \"app\""),
        Some(name) if !is_name(&name.value) => {
            doc.mistake(name.at, &name.key, format!("`{}`: write letters, digits and _ only", name.value));
        }
        Some(name) if !earlier.insert(name.value.clone()) => {
            doc.mistake(name.at, &name.key, format!("`{}` is the name of an earlier table", name.value));
        }
        Some(_) => {}
    }
    let keep = days(doc, &mut section);
    if keep.is_none() {
        section.missing(doc, "keep", "keep = \"90d\"");
    }
    section.finish(doc);
    Some(Retention { table: name?.value, keep: keep? })
}

/// The key `lease` and the table `[metrics]`.
fn running<'a>(doc: &mut Document<'a>, root: &mut Section<'a>) -> Option<Running> {
    let lease = root.duration(doc, "lease").unwrap_or(LEASE);
    if lease < LEASE_MIN {
        root.wrong(doc, "lease", "is less than a second; write \"60s\"");
    }
    Some(Running { lease, metrics: metrics(doc, root)? })
}

/// The key `keep`, in whole days.
fn days<'a>(doc: &mut Document<'a>, section: &mut Section<'a>) -> Option<Days> {
    let keep = section.duration(doc, "keep")?.as_secs();
    if !keep.is_multiple_of(DAY_SECONDS) {
        section.wrong(doc, "keep", "is no number of whole days; write \"90d\"");
        return Days::new(keep.div_ceil(DAY_SECONDS));
    }
    Days::new(keep / DAY_SECONDS)
}
