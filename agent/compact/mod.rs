//! Compaction: the landing objects of all hosts into the fleet's Silver tables.
//!
//! Invariants:
//! - An object's rows are committed together with the cursor of its stream, which passes it; so they are in
//!   Silver once, however often a pass is killed, repeated, or run twice at a time.
//! - Nothing that a host writes stops a pass: a bad object goes into quarantine and is passed by its stream's
//!   cursor, a gap holds its stream alone.
//! - A pass deletes nothing. [`delete`] does, after the commit that passes an object; whoever is killed before
//!   finds the objects again, behind the cursors, and the log tells that they were consumed.
//! - The host of a row is the one in the landing prefix: there a host's key can write, and nowhere else.

mod columns;
mod days;
#[cfg(test)]
pub(crate) mod fake_host;
mod fold;
mod history;
mod layout;
mod object;
mod pages;
mod plan;
mod quarantine;
#[cfg(test)]
mod tests;
mod thrift;
mod validate;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use futures::{Stream, StreamExt};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore as _};

use crate::clock::Clock;
use crate::config::Central;
use crate::failpoint::{self, Failpoint};
use crate::store::{Place, StoreError};
use crate::sync::landing::{LANDING, ObjectName, StreamId};
use crate::table::{Commit, TableError, TableVersion};
use fold::Target;
use plan::{Listed, Plan, Planner};

pub use plan::{Gap, Left};
pub use validate::Refusal;

/// The folder, below the central URL, that holds the fleet's Silver tables.
pub const SILVER: &str = "silver";

/// How often a table is started over in one pass when another job is at work on it.
const ATTEMPTS: u32 = 5;

/// How many objects a pass deals with. What more there is, the next one finds.
pub const OBJECTS_MAX: usize = 50_000;

/// How many of the objects that a pass puts into quarantine its report names.
const QUARANTINED_MAX: usize = 1_000;

/// The most parts that a number has.
const PARTS_MAX: u32 = 1_000;

/// The longest name of a fleet table.
const TABLE_NAME_MAX: usize = 64;

/// Why a pass could not go on.
#[derive(Debug, thiserror::Error)]
pub enum CompactError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A fleet table could not be read or written.
    #[error(transparent)]
    Table(#[from] TableError),
    /// Rows that were judged good could not be brought into one form.
    #[error("{table}: cannot sort rows: {source}")]
    Rows {
        /// The table's address.
        table: String,
        /// What Arrow says.
        source: arrow::error::ArrowError,
    },
    /// A listed object was gone when it was read: another job is at work.
    #[error("{object} was taken away by another job")]
    Moved {
        /// Where it was.
        object: String,
    },
    /// Another job was faster each time.
    #[error("table {table}: another job committed first, {ATTEMPTS} times in a row; it does this work")]
    Busy {
        /// The fleet table.
        table: String,
    },
}

/// An object in quarantine.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Quarantined {
    /// Where it was in the landing.
    pub object: String,
    /// The kind of reason, in one word.
    pub kind: &'static str,
    /// Why.
    pub reason: String,
}

/// What a pass did to one fleet table.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct TableReport {
    /// Objects whose rows were folded in.
    pub objects: u64,
    /// Rows folded in.
    pub rows: u64,
    /// Objects that had been consumed before, and were put again or not yet deleted.
    pub duplicates: u64,
    /// Objects put into quarantine; the first thousand of them.
    pub quarantined: Vec<Quarantined>,
    /// Streams that wait for something.
    pub gaps: Vec<Gap>,
    /// How often another job was in the way.
    pub conflicts: u32,
    /// The table's version afterwards.
    pub version: Option<TableVersion>,
}

/// What a pass did.
#[derive(Clone, Debug, Default)]
pub struct CompactReport {
    /// By fleet table.
    pub tables: BTreeMap<String, TableReport>,
    /// Objects that nothing needs any more, as [`delete`] takes them.
    pub consumed: Vec<Path>,
    /// Whether there is more, for which the pass had no room.
    pub left: Left,
}

impl CompactReport {
    /// Adds what a further pass did.
    pub fn add(&mut self, further: Self) {
        for (table, report) in further.tables {
            self.tables.entry(table).or_default().add(report);
        }
        self.consumed.extend(further.consumed);
        self.left = further.left;
    }
}

impl TableReport {
    fn add(&mut self, further: Self) {
        self.objects += further.objects;
        self.rows += further.rows;
        self.duplicates += further.duplicates;
        self.conflicts += further.conflicts;
        further.quarantined.into_iter().for_each(|bad| self.note(bad));
        // These tell how things stand, not what was done.
        self.gaps = further.gaps;
        self.version = further.version.or(self.version);
    }

    fn note(&mut self, bad: Quarantined) {
        if self.quarantined.len() < QUARANTINED_MAX {
            self.quarantined.push(bad);
        }
    }
}

/// Folds what the landing holds into fleet Silver, once; of a long backlog, as much as a pass takes on.
///
/// # Errors
/// A store or a table failed, or another job does the same work. What was committed before stays.
pub async fn compact(config: &Central, clock: &dyn Clock) -> Result<CompactReport, CompactError> {
    compact_some(config, clock, OBJECTS_MAX).await
}

/// Like [`compact`], for a pass that deals with about `objects_max` objects.
///
/// # Errors
/// As for [`compact`].
pub async fn compact_some(
    config: &Central,
    clock: &dyn Clock,
    objects_max: usize,
) -> Result<CompactReport, CompactError> {
    let mut pass = Pass::new(&config.place, clock, objects_max);
    let mut tables = BTreeMap::new();
    for table in pass.lake.join(LANDING).folders().await? {
        if pass.room() == 0 {
            pass.left = Left::More;
            break;
        }
        let mut report = TableReport::default();
        pass.fold_table(&table, &mut report).await?;
        tables.insert(table, report);
    }
    Ok(CompactReport { tables, consumed: pass.consumed.into_iter().collect(), left: pass.left })
}

/// Deletes landing objects that a pass has consumed; those that are gone already are none the worse.
///
/// # Errors
/// The store failed; what is left is found again by the next pass.
pub async fn delete(lake: &Place, consumed: Vec<Path>) -> Result<(), StoreError> {
    let paths = consumed.into_iter().map(Ok);
    let mut deleted = lake.store().delete_stream(Box::pin(futures::stream::iter(paths)));
    while let Some(result) = deleted.next().await {
        match result {
            Ok(_) | Err(object_store::Error::NotFound { .. }) => failpoint::reached(Failpoint::MidDelete),
            Err(source) => {
                let url = format!("{}{LANDING}", lake.url());
                return Err(StoreError::Request { operation: "delete", url, source });
            }
        }
    }
    Ok(())
}

/// What all steps of a pass share.
struct Pass<'a> {
    lake: &'a Place,
    clock: &'a dyn Clock,
    objects_max: usize,
    /// Objects that this pass has done with.
    consumed: BTreeSet<Path>,
    /// Whether it came across more.
    left: Left,
}

/// How a try to fold a table ended.
#[must_use]
enum Outcome {
    /// All that can be folded is.
    Done,
    /// Another job committed: the cursors must be read again.
    Overtaken,
}

impl<'a> Pass<'a> {
    fn new(lake: &'a Place, clock: &'a dyn Clock, objects_max: usize) -> Self {
        Self { lake, clock, objects_max, consumed: BTreeSet::new(), left: Left::Nothing }
    }

    async fn fold_table(&mut self, table: &str, report: &mut TableReport) -> Result<(), CompactError> {
        for _ in 0..ATTEMPTS {
            match self.try_fold(table, report).await {
                Ok(Outcome::Done) => return Ok(()),
                Ok(Outcome::Overtaken) | Err(CompactError::Moved { .. }) => report.conflicts += 1,
                Err(e) => return Err(e),
            }
        }
        Err(CompactError::Busy { table: table.to_owned() })
    }

    async fn try_fold(&mut self, table: &str, report: &mut TableReport) -> Result<Outcome, CompactError> {
        let place = self.lake.join(SILVER).join(table);
        let landing = self.lake.join(LANDING).join(table);
        let mut listing = Box::pin(landing.store().list(Some(landing.path())).peekable());
        if listing.as_mut().peek().await.is_none() {
            return Ok(Outcome::Done);
        }
        let mut target = Target::load(&place).await?;
        let mut plan = self.plan(&landing, listing, &target.cursors, report).await?;
        if plan.left == Left::More {
            self.left = Left::More;
        }
        let passed = std::mem::take(&mut plan.passed);
        if let Some(version) = target.version() {
            self.clear_passed(&place, version, passed, report).await?;
        }
        while !plan.numbers.is_empty() {
            let mut slice = fold::gather(self.lake, &target, &mut plan, self.clock).await?;
            if slice.is_empty() {
                continue;
            }
            let (objects, rows) = (slice.objects, slice.rows);
            let consumed = std::mem::take(&mut slice.consumed);
            let quarantined = std::mem::take(&mut slice.quarantined);
            match fold::commit(slice, &mut target, self.clock).await? {
                Commit::Conflict => return Ok(Outcome::Overtaken),
                Commit::Done(_) => failpoint::reached(Failpoint::AfterSilverCommit),
            }
            report.objects += objects;
            report.rows += rows;
            quarantined.into_iter().for_each(|bad| report.note(bad));
            self.consumed.extend(consumed);
        }
        report.gaps = plan.streams.into_iter().filter_map(|stream| stream.gap).collect();
        report.version = target.version();
        Ok(Outcome::Done)
    }

    /// Deals with objects that a cursor has passed: consumed ones may go, all others are forks.
    async fn clear_passed(
        &mut self,
        place: &Place,
        version: TableVersion,
        passed: Vec<Listed>,
        report: &mut TableReport,
    ) -> Result<(), CompactError> {
        let known = history::consumed(place, version, &passed.iter().collect::<Vec<_>>()).await?;
        for Listed { name, location, .. } in passed {
            if known.contains(&name) {
                report.duplicates += 1;
                self.consumed.insert(location);
            } else {
                let reason = format!("the cursor has passed {}, and the log names another", name.seq);
                self.refuse(location, &Refusal::Fork(reason), report).await?;
            }
        }
        Ok(())
    }

    /// How many further objects this pass deals with.
    fn room(&self) -> usize {
        self.objects_max.saturating_sub(self.consumed.len())
    }

    /// Plans what this pass does with the objects of a table that it has not done with. What has no stream goes
    /// into quarantine.
    async fn plan(
        &mut self,
        place: &Place,
        mut listing: impl Stream<Item = object_store::Result<ObjectMeta>> + Unpin,
        cursors: &HashMap<String, i64>,
        report: &mut TableReport,
    ) -> Result<Plan, CompactError> {
        let mut planner = Planner::new(cursors, self.room());
        while let Some(object) = listed(place, listing.next().await)? {
            let location = object.location;
            if self.consumed.contains(&location) {
                continue;
            }
            if self.room() == 0 {
                return Ok(planner.finish(Left::More));
            }
            match name(self.lake, &location) {
                Ok(name) => {
                    if planner.note(Listed { name, location, size: object.size }) == Left::More {
                        return Ok(planner.finish(Left::More));
                    }
                }
                Err(reason) => self.refuse(location, &Refusal::Name(reason), report).await?,
            }
        }
        Ok(planner.finish(Left::Nothing))
    }

    async fn refuse(
        &mut self,
        location: Path,
        refusal: &Refusal,
        report: &mut TableReport,
    ) -> Result<(), CompactError> {
        report.note(quarantine::keep(self.lake, &location, refusal, self.clock.now()).await?);
        self.consumed.insert(location);
        Ok(())
    }
}

/// The next object of a listing; a folder that is missing holds none.
fn listed(
    place: &Place,
    next: Option<object_store::Result<ObjectMeta>>,
) -> Result<Option<ObjectMeta>, StoreError> {
    match next {
        Some(Ok(object)) => Ok(Some(object)),
        None | Some(Err(object_store::Error::NotFound { .. })) => Ok(None),
        Some(Err(source)) => {
            Err(StoreError::Request { operation: "list", url: place.url().to_string(), source })
        }
    }
}

/// Takes the name of an object apart. There is one way to write a name, and no other is read.
fn name(lake: &Place, location: &Path) -> Result<ObjectName, String> {
    let path = location.as_ref();
    let relative = path.strip_prefix(lake.path().as_ref()).unwrap_or(path).trim_start_matches('/');
    let name = ObjectName::parse(relative)?;
    let StreamId { table, host, table_id } = &name.stream;
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    // A table of this name would make a table of the folder that holds all tables.
    if !table.bytes().all(word) || table.len() > TABLE_NAME_MAX || table == "_delta_log" {
        return Err(format!("`{table}` in `{relative}` is no name of a table"));
    }
    let plain = |part: &str| part.bytes().all(|byte| word(byte) || b".-".contains(&byte));
    if !plain(host) || !plain(table_id) {
        return Err(format!(
            "a name in `{relative}` has characters beyond letters, digits, `.`, `_` and `-`"
        ));
    }
    let numbered = name.seq.0 > 0 && (1..=PARTS_MAX).contains(&name.part);
    if !numbered || name.to_string() != relative {
        return Err(format!("`{relative}` is not how the name of a landing object is written"));
    }
    Ok(name)
}
