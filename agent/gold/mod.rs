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
//! - A view may read another view: see [`layer`]. Each is kept by what changed in the one below, which comes first.
//! - What cannot be kept so is refused, with the reason, before anything is written.
//! - A changed view is counted anew from the Silver that there is. Rows that retention has taken from Silver
//!   stay counted in an unchanged view, and are missing from a changed one.

mod days;
mod judge;
mod layer;
mod partial;
mod partition;
mod plan;
mod source;
mod state;
#[cfg(test)]
mod tests;
mod write;

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::Schema;
use deltalake::datafusion::error::DataFusionError;

use crate::clock::Clock;
use crate::compact::SILVER;
use crate::config::{Central, View};
use crate::store::{Place, StoreError};
use crate::table::{Snapshot, TableError, TableVersion};
use layer::Below;
use plan::{Input, ViewPlan};
use source::Of;
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
    /// The view that it reads could not be brought up to date.
    #[error("view {view}: it waits for view {below}, which could not be brought up to date")]
    Below {
        /// The view.
        view: String,
        /// The view that it reads.
        below: String,
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

/// Brings every view up to the committed fleet Silver, each after the one that it reads.
pub async fn update(config: &Central, clock: &dyn Clock) -> Vec<ViewReport> {
    let mut order: Vec<(usize, usize)> = Vec::with_capacity(config.views.len());
    for (place, view) in config.views.iter().enumerate() {
        // One that cannot be kept says why when its turn comes.
        order.push((source::chain(view, &config.views).map_or(0, |(_, chain)| chain.len()), place));
    }
    order.sort_unstable();
    let mut pass = Pass { config, clock, tables: HashMap::new(), kept: HashMap::new() };
    let mut reports = Vec::with_capacity(order.len());
    for (_, place) in order {
        let Some(view) = config.views.get(place) else { continue };
        let result = pass.update(view).await;
        reports.push((place, ViewReport { view: view.name.clone(), result }));
    }
    reports.sort_by_key(|(place, _)| *place);
    reports.into_iter().map(|(_, report)| report).collect()
}

/// Says how a view of these would be kept, or why it cannot be. `silver` holds the columns of the table that its rows come
/// from; without them only the form of the SQL is judged.
///
/// # Errors
/// [`GoldError::Sql`] or [`GoldError::Refused`].
pub async fn check(view: &View, views: &[View], silver: Option<&Schema>) -> Result<Description, GoldError> {
    let (table, chain) = source::chain(view, views)?;
    let Some(silver) = silver else {
        let over = source::source(view, views)?.to_string();
        return Ok(Description { over, table, partitions: None, columns: Vec::new() });
    };
    let (mut input, mut description) = (Input::Silver(silver.clone()), None);
    for view in chain {
        let plan = ViewPlan::new(view, views, input).await?;
        description = Some(plan.describe());
        input = Input::View(Arc::new(plan));
    }
    description.ok_or_else(|| plan::refused(view, "it reads nothing".to_owned()))
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
    /// What it counts: a fleet Silver table, or the state of another view.
    source: Place,
    state: Place,
    gold: Place,
    clock: &'a dyn Clock,
}

/// What one update of all views has come to know.
struct Pass<'a> {
    config: &'a Central,
    clock: &'a dyn Clock,
    /// Fleet Silver tables by name, as they stood when a view first read them: one reading serves all views.
    tables: HashMap<String, Snapshot>,
    /// The views that were brought up to date, by name; `None` for one whose Silver table is not there.
    kept: HashMap<String, Option<Kept>>,
}

/// A view that is up to date.
#[derive(Clone)]
struct Kept {
    plan: Arc<ViewPlan>,
    silver: TableVersion,
}

impl Pass<'_> {
    async fn update(&mut self, view: &View) -> Result<ViewUpdate, GoldError> {
        source::chain(view, &self.config.views)?;
        let source = source::source(view, &self.config.views)?;
        let lake = &self.config.place;
        let run = Run {
            view,
            source: match &source.of {
                Of::Silver(table) => lake.join(SILVER).join(table),
                Of::View(below) => lake.join(STATE).join(below),
            },
            state: lake.join(STATE).join(&view.name),
            gold: lake.join(GOLD).join(&view.name),
            clock: self.clock,
        };
        let mut update = ViewUpdate::default();
        while update.conflicts < ATTEMPTS {
            let advanced = match &source.of {
                Of::Silver(table) => self.over_silver(&run, table).await,
                Of::View(below) => self.over_view(&run, below).await,
            };
            let (kept, step) = match advanced {
                Ok(Some(advanced)) => advanced,
                Ok(None) => {
                    self.kept.insert(view.name.clone(), None);
                    return Ok(update);
                }
                // Maybe another job has counted what came after this reading.
                Err(GoldError::OtherSilver { .. }) if update.conflicts + 1 < ATTEMPTS => {
                    update.conflicts += 1;
                    self.tables.clear();
                    continue;
                }
                Err(error) => return Err(error),
            };
            match step {
                Step::Current => {}
                Step::Advanced { partitions, sealed, is_last } => {
                    update.slices += 1;
                    update.partitions += partitions;
                    update.sealed += sealed;
                    if !is_last {
                        continue;
                    }
                }
                Step::Conflict => {
                    update.conflicts += 1;
                    continue;
                }
            }
            update.silver = Some(kept.silver);
            match write::project(&run, &kept.plan).await? {
                Projection::Conflict => update.conflicts += 1,
                Projection::Done { partitions } => {
                    update.shown += partitions;
                    self.kept.insert(view.name.clone(), Some(kept));
                    return Ok(update);
                }
            }
        }
        Err(GoldError::Busy { view: view.name.clone() })
    }

    /// Takes one step; `None` while there is no Silver table.
    async fn over_silver(&mut self, run: &Run<'_>, table: &str) -> Result<Option<(Kept, Step)>, GoldError> {
        if !self.tables.contains_key(table)
            && let Some(silver) = Snapshot::load(&run.source).await?
        {
            self.tables.insert(table.to_owned(), silver);
        }
        let Some(silver) = self.tables.get(table) else { return Ok(None) };
        let input = Input::Silver(silver.schema()?.as_ref().clone());
        let plan = ViewPlan::new(run.view, &self.config.views, input).await?;
        let step = state::advance(run, &plan, silver).await?;
        Ok(Some((Kept { plan: Arc::new(plan), silver: silver.version() }, step)))
    }

    /// Takes one step; `None` while there is no Silver table for the view below.
    async fn over_view(&mut self, run: &Run<'_>, below: &str) -> Result<Option<(Kept, Step)>, GoldError> {
        let waits = || GoldError::Below { view: run.view.name.clone(), below: below.to_owned() };
        let Some(kept) = self.kept.get(below).ok_or_else(waits)? else { return Ok(None) };
        let Some(state) = Snapshot::load(&run.source).await? else { return Err(waits()) };
        let plan = ViewPlan::new(run.view, &self.config.views, Input::View(Arc::clone(&kept.plan))).await?;
        let below = Below { plan: Arc::clone(&kept.plan), state };
        let step = layer::advance(run, &plan, &below).await?;
        Ok(Some((Kept { plan: Arc::new(plan), silver: kept.silver }, step)))
    }
}
