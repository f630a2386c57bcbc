//! The Gold table of a view: what its state says, finished.
//!
//! Gold holds nothing that its state does not: it can be removed at any time, and is re-made. Its cursor is the
//! version of the state that it shows.

use std::collections::{BTreeSet, HashMap};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use deltalake::kernel::{Action, Add};
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use serde_json::json;

use super::partition::Partition;
use super::plan::{Layout, ViewPlan};
use super::state::read_partition;
use super::{GoldError, Run, VIEW_PROPERTY};
use crate::clock::Timestamp;
use crate::failpoint::{self, Failpoint};
use crate::store::Place;
use crate::table::{Commit, Cursor, DataFile, Snapshot, TableError, TableVersion, log, schema};

/// The table property that tells which state a Gold table shows.
pub(super) const STATE_PROPERTY: &str = "logsmith.state";

/// How showing a state ended.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Projection {
    /// Gold shows the newest state.
    Done {
        /// The partitions that were rewritten.
        partitions: u64,
    },
    /// Another job committed first.
    Conflict,
}

/// Which partitions of a Gold table do not show the state.
enum Stale {
    /// None.
    Nothing,
    /// Those that changed since the version that it shows.
    Some(BTreeSet<Partition>),
    /// The whole table: it is not there, or of another definition.
    All,
}

/// Makes the Gold table show the newest state.
///
/// # Errors
/// A table failed.
pub(super) async fn project(run: &Run<'_>, plan: &ViewPlan) -> Result<Projection, GoldError> {
    let Some(state) = Snapshot::load(&run.slot.place).await? else {
        return Ok(Projection::Done { partitions: 0 });
    };
    let gold = Snapshot::load(&run.gold).await?;
    let files = state.files()?;
    let partition_of = |file: &Add| plan.partitioning.of_file(&file.partition_values);
    let (stale, all) = match find_stale(run, plan, &state, gold.as_ref()).await? {
        Stale::Nothing => return Ok(Projection::Done { partitions: 0 }),
        Stale::Some(stale) => (stale, false),
        Stale::All => (files.iter().map(partition_of).collect(), true),
    };
    let now = run.clock.now();
    let mut actions = Vec::new();
    if let Some(gold) = &gold {
        let removed = gold.removals(|file| all || stale.contains(&partition_of(file)))?;
        actions.extend(removed.into_iter().map(Action::Remove));
    }
    for partition in &stale {
        let groups = read_partition(&run.slot.place, state.version(), plan, &files, partition).await?;
        let rows = plan.finish(groups).await?;
        if !rows.is_empty() {
            actions
                .push(put(&run.gold, &plan.partitioning.values(partition), &plan.shown, &rows, now).await?);
        }
    }
    if all {
        let id = match &gold {
            Some(gold) => gold.id()?,
            None => uuid::Uuid::new_v4().to_string(),
        };
        let properties = HashMap::from([
            (VIEW_PROPERTY.to_owned(), plan.fingerprint()),
            (STATE_PROPERTY.to_owned(), state.id()?),
        ]);
        actions.extend(definition(&run.gold, gold.as_ref(), &id, &plan.gold_layout(), properties, now)?);
    }
    actions.push(Cursor::State(state.id()?).at(state.version().as_cursor()));
    actions.push(log::commit_info("WRITE", json!({"state": state.version()}), now));
    let version = gold.as_ref().map_or(TableVersion(0), |gold| gold.version().next());
    match log::append(&run.gold, version, &actions).await? {
        Commit::Conflict => Ok(Projection::Conflict),
        Commit::Done(_) => {
            failpoint::reached(Failpoint::AfterGoldCommit);
            Ok(Projection::Done { partitions: stale.len() as u64 })
        }
    }
}

async fn find_stale(
    run: &Run<'_>,
    plan: &ViewPlan,
    state: &Snapshot,
    gold: Option<&Snapshot>,
) -> Result<Stale, GoldError> {
    let Some(gold) = gold else { return Ok(Stale::All) };
    let (properties, id) = (gold.properties()?, state.id()?);
    let told = (properties.get(VIEW_PROPERTY), properties.get(STATE_PROPERTY));
    if told != (Some(&plan.fingerprint()), Some(&id)) {
        return Ok(Stale::All);
    }
    let shown = gold.cursor(&Cursor::State(id)).await?.and_then(|version| u64::try_from(version).ok());
    let Some(at) = shown.map(TableVersion).filter(|shown| *shown <= state.version()) else {
        return Ok(Stale::All);
    };
    if at == state.version() {
        return Ok(Stale::Nothing);
    }
    let changed = changed(&run.slot.place, plan, at, state.version()).await?;
    Ok(changed.map_or(Stale::All, Stale::Some))
}

/// The partitions of a view's state that versions after `after` up to `to` changed; `None` where the log does not
/// tell any more.
pub(super) async fn changed(
    state: &Place,
    plan: &ViewPlan,
    after: TableVersion,
    to: TableVersion,
) -> Result<Option<BTreeSet<Partition>>, TableError> {
    let (mut changed, mut at) = (BTreeSet::new(), after);
    while at < to {
        at = at.next();
        let Some(entry) = log::read(state, at).await? else { return Ok(None) };
        let removed = entry.removes.iter().filter_map(|file| file.partition_values.as_ref());
        let added = entry.adds.iter().map(|file| &file.partition_values);
        changed.extend(removed.chain(added).map(|values| plan.partitioning.of_file(values)));
    }
    Ok(Some(changed))
}

/// Writes the rows of one partition, of these values, as a data file.
pub(super) async fn put(
    place: &Place,
    partition: &[(&str, Partition)],
    columns: &SchemaRef,
    rows: &[RecordBatch],
    now: Timestamp,
) -> Result<Action, TableError> {
    let properties =
        WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default())).build();
    let file = DataFile::encode(place, columns, rows, properties, &[])?;
    Ok(Action::Add(file.put_in(place, partition, now).await?))
}

/// The actions that define a table, or define it anew.
pub(super) fn definition(
    place: &Place,
    before: Option<&Snapshot>,
    id: &str,
    layout: &Layout,
    properties: HashMap<String, String>,
    now: Timestamp,
) -> Result<Vec<Action>, TableError> {
    let Layout { columns, partition } = layout;
    let metadata = schema::metadata_with(place, id, columns, partition, properties, now)?;
    Ok(match before {
        Some(_) => vec![metadata],
        None => vec![schema::protocol(place)?, metadata],
    })
}
