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
//! - What a pass holds in memory has a bound, whatever the landing holds and whatever its objects claim to be.
//! - Rows that a replay made anew leave the table in the commit that brings the new ones.
//! - No value is cast to another type, and no row is dropped in silence: what is not folded lies in quarantine, or
//!   waits and is told.

mod columns;
mod days;
mod expire;
#[cfg(test)]
pub(crate) mod fake_host;
mod fold;
mod gather;
mod history;
mod layout;
mod merge;
#[cfg(test)]
pub(crate) mod model;
mod object;
mod pages;
mod pass;
mod plan;
mod quarantine;
mod replace;
mod settle;
mod survey;
#[cfg(test)]
mod tests;
mod thrift;
mod validate;
mod volume;

use std::collections::BTreeMap;

use futures::StreamExt;
use object_store::ObjectStore as _;
use object_store::path::Path;

use crate::clock::Clock;
use crate::config::Central;
use crate::failpoint::{self, Failpoint};
use crate::store::{Place, StoreError};
use crate::sync::landing::LANDING;
use crate::table::{TableError, TableVersion};
use pass::Pass;

pub use expire::expire;
pub use history::{Origin, kept, origin};
pub use merge::merge;
pub use plan::{Gap, Left};
pub use settle::{Requeued, Settled, accept, in_quarantine, requeue};
pub use survey::{HostReport, survey};
pub use validate::Refusal;

/// The folder, below the central URL, that holds the fleet's Silver tables.
pub const SILVER: &str = "silver";

/// How often a table is started over in one pass when another job is at work on it.
const ATTEMPTS: u32 = 5;

/// How many objects a pass deals with. What more there is, the next one finds.
pub const OBJECTS_MAX: usize = 50_000;

/// How many of the objects that a pass puts into quarantine its report names.
const QUARANTINED_MAX: usize = 1_000;

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
    /// Rows of a fleet table could not be read to be merged.
    #[error("{table}: cannot merge files: {}", .source.strip_backtrace())]
    Merge {
        /// The table's address.
        table: String,
        /// DataFusion's own words.
        source: Box<deltalake::datafusion::error::DataFusionError>,
    },
    /// A listed object was gone when it was read: another job is at work.
    #[error("{object} was taken away by another job")]
    Moved {
        /// Where it was.
        object: String,
    },
    /// What an operator names is not there.
    #[error("{name}: {reason}")]
    Unknown {
        /// What was named.
        name: String,
        /// What is wrong with it, and what to write.
        reason: String,
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
    /// The bytes of the objects folded in.
    pub bytes: u64,
    /// Rows of replays that were not folded in: retention has taken the days of the rows that they would replace.
    pub out_of_reach: u64,
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
    /// Why not all of it could be done.
    pub failure: Option<String>,
}

/// What a pass did.
#[derive(Clone, Debug, Default)]
pub struct CompactReport {
    /// By fleet table.
    pub tables: BTreeMap<String, TableReport>,
    /// Objects that nothing needs any more, as [`delete`] takes them.
    pub consumed: Vec<Path>,
    /// Names of objects that no client can read, move or delete: somebody must remove them by other means. Those of
    /// the same host in the same table wait. The first thousand of them.
    pub unusable: Vec<String>,
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
        self.unusable = further.unusable;
        self.left = further.left;
    }
}

impl TableReport {
    fn add(&mut self, further: Self) {
        self.objects += further.objects;
        self.rows += further.rows;
        self.bytes += further.bytes;
        self.out_of_reach += further.out_of_reach;
        self.duplicates += further.duplicates;
        self.conflicts += further.conflicts;
        further.quarantined.into_iter().for_each(|bad| self.note(bad));
        // These tell how things stand, not what was done.
        self.gaps = further.gaps;
        self.version = further.version.or(self.version);
        self.failure = further.failure;
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
    let mut pass = Pass::new(config, clock, objects_max);
    let mut tables = BTreeMap::new();
    let (folders, unusable) = config.place.join(LANDING).all_folders().await?;
    unusable.into_iter().for_each(|name| pass.note_unusable(name));
    for table in folders {
        if pass.room() == 0 {
            pass.left = Left::More;
            break;
        }
        let mut report = TableReport::default();
        if let Err(error) = pass.fold_table(&table, &mut report).await {
            tracing::warn!(table, %error, "this table could not be folded; the others go on");
            report.failure = Some(error.to_string());
        }
        tables.insert(table, report);
    }
    let consumed = pass.consumed.into_iter().collect();
    Ok(CompactReport { tables, consumed, unusable: pass.unusable, left: pass.left })
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
