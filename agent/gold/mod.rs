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
//! - A view may read another view: see `layer.rs`. Each is kept by what changed in the one below, which comes first.
//! - What cannot be kept so is refused, with the reason, before anything is written.
//! - A new view, and a changed one, is counted from the Silver that there is, slice by slice, each a commit; a changed one
//!   beside what is shown. Gold shows it when it is complete. Rows that retention has taken from Silver
//!   stay counted in an unchanged view, and are missing from a changed one.

mod days;
mod judge;
mod layer;
mod partial;
mod partition;
mod plan;
mod slot;
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
use slot::{Slot, Slots};
use source::Of;
use state::Step;
use write::Projection;

pub use plan::Description;
pub use slot::is_retired;
pub use source::check_waiting;
#[cfg(test)]
pub(crate) use tests::model::cases as model_cases;

/// The folder, below the central URL, that holds the Gold tables.
pub const GOLD: &str = "gold";

/// The folder, below the central URL, that holds the states of the views.
pub const STATE: &str = "state";

/// How often a view is started over in one run when another job is at work on it.
const ATTEMPTS: u32 = 5;

/// The Silver files that one commit to a state counts, in bytes, but for a single file or version that is larger.
pub(crate) const SLICE_BYTES: i64 = 256 << 20;

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
    /// How far it is, where it is still being counted from the rows that were there before: then Gold does not show it.
    pub counting: Option<Counting>,
    /// The view that it reads, where that one is still being counted.
    pub waits_for: Option<String>,
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

/// How much of the Silver that was there before a view has counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Counting {
    /// So many data files.
    pub files: usize,
    /// Of so many.
    pub of: usize,
}

impl Counting {
    fn is_done(self) -> bool {
        self.files >= self.of
    }

    fn as_cursor(self) -> i64 {
        if self.is_done() { -1 } else { i64::try_from(self.files).unwrap_or(-1) }
    }
}

/// What a run did to one view of the configuration.
#[derive(Debug)]
pub struct ViewReport {
    /// The view.
    pub view: String,
    /// What became of it; one view's failure does not stop the others.
    pub result: Result<ViewUpdate, GoldError>,
}

/// Brings every view up to the committed fleet Silver, each after the one that it reads. A view that is new or changed gets
/// one slice further: where a report says that it is still being counted, there is more to do.
pub async fn update(config: &Central, clock: &dyn Clock) -> Vec<ViewReport> {
    update_by(config, clock, SLICE_BYTES).await
}

/// Like [`update`], with slices of so many bytes.
pub(crate) async fn update_by(config: &Central, clock: &dyn Clock, slice_bytes: i64) -> Vec<ViewReport> {
    let mut order: Vec<(usize, usize)> = Vec::with_capacity(config.views.len());
    for (place, view) in config.views.iter().enumerate() {
        // One that cannot be kept says why when its turn comes.
        order.push((source::chain(view, &config.views).map_or(0, |(_, chain)| chain.len()), place));
    }
    order.sort_unstable();
    let mut pass = Pass { config, clock, slice_bytes, tables: HashMap::new(), kept: HashMap::new() };
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

/// What one step for one view works with.
struct Run<'a> {
    view: &'a View,
    /// What it counts: a fleet Silver table, or the state of another view.
    source: Place,
    slot: &'a Slot,
    gold: Place,
    clock: &'a dyn Clock,
    /// The most bytes that one commit counts.
    slice_bytes: i64,
}

/// What one update of all views has come to know.
struct Pass<'a> {
    config: &'a Central,
    clock: &'a dyn Clock,
    slice_bytes: i64,
    /// Fleet Silver tables by name, as they stood when a view first read them: one reading serves all views.
    tables: HashMap<String, Snapshot>,
    /// The views that were dealt with, by name.
    kept: HashMap<String, Standing>,
}

/// How a view stands.
enum Standing {
    /// It is up to date.
    Kept(Kept),
    /// It is still being counted, or waits for one that is.
    Counting,
    /// Its Silver table is not there.
    NoTable,
}

/// A view that is up to date.
struct Kept {
    plan: Arc<ViewPlan>,
    state: Place,
    silver: TableVersion,
}

/// One step for a view, and what it was taken with.
struct Taken {
    step: Step,
    plan: ViewPlan,
    slots: Slots,
    source: Place,
    silver: TableVersion,
}

impl Pass<'_> {
    async fn update(&mut self, view: &View) -> Result<ViewUpdate, GoldError> {
        source::chain(view, &self.config.views)?;
        let source = source::source(view, &self.config.views)?;
        let mut update = ViewUpdate::default();
        if let Of::View(below) = &source.of
            && let Some(Standing::Counting) = self.kept.get(below)
        {
            update.waits_for = Some(below.clone());
            self.kept.insert(view.name.clone(), Standing::Counting);
            return Ok(update);
        }
        while update.conflicts < ATTEMPTS {
            let taken = match &source.of {
                Of::Silver(table) => self.over_silver(view, table).await,
                Of::View(below) => self.over_view(view, below).await,
            };
            let taken = match taken {
                Ok(Some(taken)) => taken,
                Ok(None) => {
                    self.kept.insert(view.name.clone(), Standing::NoTable);
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
            match taken.step {
                Step::Current => {}
                Step::Advanced { partitions, sealed, is_last } => {
                    update.slices += 1;
                    update.partitions += partitions;
                    update.sealed += sealed;
                    if !is_last {
                        continue;
                    }
                }
                Step::Counting(counting) => {
                    tracing::info!(view = view.name, counting.files, counting.of, "counting what was there");
                    update.slices += 1;
                    update.counting = Some(counting);
                    self.kept.insert(view.name.clone(), Standing::Counting);
                    return Ok(update);
                }
                Step::Conflict => {
                    update.conflicts += 1;
                    continue;
                }
            }
            let Taken { plan, slots, silver, source, .. } = taken;
            let run = self.run(view, source, &slots.own);
            match write::project(&run, &plan).await? {
                Projection::Conflict => update.conflicts += 1,
                Projection::Done { partitions } => {
                    slots.retire_other(self.clock.now()).await?;
                    update.shown += partitions;
                    update.silver = Some(silver);
                    let kept = Kept { plan: Arc::new(plan), state: slots.own.place, silver };
                    self.kept.insert(view.name.clone(), Standing::Kept(kept));
                    return Ok(update);
                }
            }
        }
        Err(GoldError::Busy { view: view.name.clone() })
    }

    fn run<'a>(&'a self, view: &'a View, source: Place, slot: &'a Slot) -> Run<'a> {
        let gold = self.config.place.join(GOLD).join(&view.name);
        Run { view, source, slot, gold, clock: self.clock, slice_bytes: self.slice_bytes }
    }

    /// Takes one step; `None` while there is no Silver table.
    async fn over_silver(&mut self, view: &View, table: &str) -> Result<Option<Taken>, GoldError> {
        let source = self.config.place.join(SILVER).join(table);
        if !self.tables.contains_key(table)
            && let Some(silver) = Snapshot::load(&source).await?
        {
            self.tables.insert(table.to_owned(), silver);
        }
        let Some(silver) = self.tables.get(table) else {
            let lake = &self.config.place;
            return match Slots::counting(lake, &view.name).await? {
                Some(state) if !state::finds_silver(lake, &state).await? => {
                    Err(state::other_silver(view, &state, "no table".to_owned())?)
                }
                Some(_) | None => Ok(None),
            };
        };
        let input = Input::Silver(silver.schema()?.as_ref().clone());
        let plan = ViewPlan::new(view, &self.config.views, input).await?;
        let slots = Slots::find(&self.config.place, &view.name, &plan.fingerprint()).await?;
        let step = state::advance(&self.run(view, source.clone(), &slots.own), &plan, silver).await?;
        Ok(Some(Taken { step, plan, slots, source, silver: silver.version() }))
    }

    /// Takes one step; `None` while there is no Silver table for the view below.
    async fn over_view(&mut self, view: &View, below: &str) -> Result<Option<Taken>, GoldError> {
        let waits = || GoldError::Below { view: view.name.clone(), below: below.to_owned() };
        let kept = match self.kept.get(below) {
            Some(Standing::Kept(kept)) => kept,
            Some(Standing::NoTable) => return Ok(None),
            Some(Standing::Counting) | None => return Err(waits()),
        };
        let source = kept.state.clone();
        let state = Snapshot::load(&source).await?.ok_or_else(waits)?;
        let input = Input::View(Arc::clone(&kept.plan));
        let plan = ViewPlan::new(view, &self.config.views, input).await?;
        let below = Below { plan: Arc::clone(&kept.plan), state };
        let slots = Slots::find(&self.config.place, &view.name, &plan.fingerprint()).await?;
        let step = layer::advance(&self.run(view, source.clone(), &slots.own), &plan, &below).await?;
        Ok(Some(Taken { step, plan, slots, source, silver: kept.silver }))
    }
}
