//! Gold: views over fleet Silver, written as SQL and kept up to date by the rows that are new.
//!
//! For each view there are two tables. Its *state* holds, for each group, partial aggregates that further rows
//! can be merged into; its *Gold* table shows them finished. Invariants:
//! - Only committed fleet Silver is read. The state's commit decides what is counted: it holds the merged
//!   groups and the Silver version that they account for. Gold is the state's projection, re-made from it.
//! - A run reads the new rows and the partitions that they touch, whatever the history. Partitions are the
//!   UTC days of the first group that is a time; else groups are hashed.
//! - Where a replay replaced rows in Silver, the partitions that they touch are counted again from Silver: only there
//!   does a run read more than what is new. A partition that Silver no longer covers stays as it is, and this is told.
//! - What cannot be kept so is refused, with the reason, before anything is written.
//! - A changed view is counted anew from the Silver that there is. Rows that retention has taken from Silver
//!   stay counted in an unchanged view, and are missing from a changed one.

mod days;
mod partial;
mod partition;
mod plan;
mod state;
#[cfg(test)]
mod tests;
mod write;

use std::collections::HashMap;

use arrow::datatypes::Schema;
use deltalake::datafusion::error::DataFusionError;

use crate::clock::Clock;
use crate::compact::SILVER;
use crate::config::{Central, View};
use crate::store::{Place, StoreError};
use crate::table::{Snapshot, TableError, TableVersion};
use plan::ViewPlan;
use state::Step;
use write::Projection;

pub use plan::Description;

/// The folder, below the central URL, that holds the Gold tables.
pub const GOLD: &str = "gold";

/// The folder, below the central URL, that holds the states of the views.
pub const STATE: &str = "state";

/// How often a view is started over in one run when another job is at work on it.
const ATTEMPTS: u32 = 5;

/// The table property that tells a view's definition: a change means that it is counted anew.
const VIEW_PROPERTY: &str = "logsmith.view";

/// Why a view could not be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum GoldError {
    /// A table failed.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The view is no SQL, or names what is not there.
    #[error("view {view}: {}", .source.strip_backtrace())]
    Sql {
        /// The view.
        view: String,
        /// DataFusion's own words.
        source: Box<DataFusionError>,
    },
    /// The view cannot be kept by new rows alone.
    #[error("view {view}: {reason}")]
    Refused {
        /// The view.
        view: String,
        /// What stands in the way, and what to write instead.
        reason: String,
    },
    /// Rows could not be aggregated.
    #[error("view {view}: cannot {operation}: {}", .source.strip_backtrace())]
    Execute {
        /// The view.
        view: String,
        /// What was being done.
        operation: &'static str,
        /// DataFusion's own words.
        source: Box<DataFusionError>,
    },
    /// The state counts another Silver table than the one that there is.
    #[error(
        "view {view}: its state counts {counted}, but {present} is there. Restore the Silver table, or remove \
         {STATE}/{view} and {GOLD}/{view} to count what is there now"
    )]
    OtherSilver {
        /// The view.
        view: String,
        /// The table, or the version, that the state counts.
        counted: String,
        /// What is there.
        present: String,
    },
    /// Another job was faster each time.
    #[error("view {view}: another job committed first, {ATTEMPTS} times in a row; it does this work")]
    Busy {
        /// The view.
        view: String,
    },
}

/// What a run did to a view.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct ViewUpdate {
    /// The Silver version that Gold shows; `None` while there is no Silver table.
    pub silver: Option<TableVersion>,
    /// How many commits its state took: 0 if there was nothing new.
    pub slices: u32,
    /// How many partitions of its state were rewritten.
    pub partitions: u64,
    /// How many partitions count rows that a replay has replaced, and were left as they are: of what they count, Silver
    /// does not hold everything any more.
    pub sealed: u64,
    /// How many partitions of its Gold table were rewritten.
    pub shown: u64,
    /// How often another job was in the way.
    pub conflicts: u32,
}

/// What a run did to one view of the configuration.
#[derive(Debug)]
pub struct ViewReport {
    /// The view.
    pub view: String,
    /// What became of it; one view's failure does not stop the others.
    pub result: Result<ViewUpdate, GoldError>,
}

/// Brings every view up to the committed fleet Silver.
pub async fn update(config: &Central, clock: &dyn Clock) -> Vec<ViewReport> {
    let mut reports = Vec::with_capacity(config.views.len());
    let mut tables = HashMap::new();
    for view in &config.views {
        let result = update_view(&config.place, view, clock, &mut tables).await;
        reports.push(ViewReport { view: view.name.clone(), result });
    }
    reports
}

/// Says how a view would be kept, or why it cannot be. `silver` holds the columns of the table that it reads;
/// without them only the form of the SQL is judged.
///
/// # Errors
/// [`GoldError::Sql`] or [`GoldError::Refused`].
pub async fn check(view: &View, silver: Option<&Schema>) -> Result<Description, GoldError> {
    let table = plan::source(view)?;
    match silver {
        Some(schema) => Ok(ViewPlan::new(view, schema).await?.describe()),
        None => Ok(Description { table, partitions: None, columns: Vec::new() }),
    }
}

/// The columns of a fleet Silver table, as [`check`] takes them; `None` where there is none yet.
///
/// # Errors
/// The table could not be read.
pub async fn silver_columns(lake: &Place, table: &str) -> Result<Option<Schema>, TableError> {
    let snapshot = Snapshot::load(&lake.join(SILVER).join(table)).await?;
    snapshot.map(|snapshot| Ok(snapshot.schema()?.as_ref().clone())).transpose()
}

/// The tables of one view.
struct Run<'a> {
    view: &'a View,
    silver: Place,
    state: Place,
    gold: Place,
    clock: &'a dyn Clock,
}

/// Fleet Silver tables by name, as they stood when a view first read them: one reading serves all views.
type Tables = HashMap<String, Snapshot>;

async fn update_view(
    lake: &Place,
    view: &View,
    clock: &dyn Clock,
    tables: &mut Tables,
) -> Result<ViewUpdate, GoldError> {
    let table = plan::source(view)?;
    let run = Run {
        view,
        silver: lake.join(SILVER).join(&table),
        state: lake.join(STATE).join(&view.name),
        gold: lake.join(GOLD).join(&view.name),
        clock,
    };
    let mut update = ViewUpdate::default();
    while update.conflicts < ATTEMPTS {
        if !tables.contains_key(&table)
            && let Some(silver) = Snapshot::load(&run.silver).await?
        {
            tables.insert(table.clone(), silver);
        }
        let Some(silver) = tables.get(&table) else { return Ok(update) };
        let plan = ViewPlan::new(view, &*silver.schema()?).await?;
        match state::advance(&run, &plan, silver).await {
            Ok(Step::Current) => update.silver = Some(silver.version()),
            Ok(Step::Advanced { partitions, sealed, to }) => {
                update.slices += 1;
                update.partitions += partitions;
                update.sealed += sealed;
                if to < silver.version() {
                    continue;
                }
                update.silver = Some(to);
            }
            Ok(Step::Conflict) => {
                update.conflicts += 1;
                continue;
            }
            // Maybe another job has counted what came after this reading.
            Err(GoldError::OtherSilver { .. }) if update.conflicts + 1 < ATTEMPTS => {
                update.conflicts += 1;
                tables.remove(&table);
                continue;
            }
            Err(error) => return Err(error),
        }
        match write::project(&run, &plan).await? {
            Projection::Conflict => update.conflicts += 1,
            Projection::Done { partitions } => {
                update.shown += partitions;
                return Ok(update);
            }
        }
    }
    Err(GoldError::Busy { view: view.name.clone() })
}
