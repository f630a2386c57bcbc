//! The state of a view: one row for each group, merged with the rows of further Silver versions.
//!
//! The commit that adds the merged groups sets the cursor that says which Silver version they account for.

use std::collections::HashMap;

use arrow::array::RecordBatch;
use deltalake::kernel::{Action, Add};
use serde_json::json;

use super::partition::Partition;
use super::plan::ViewPlan;
use super::write::{definition, put};
use super::{GoldError, Run, VIEW_PROPERTY};
use crate::clock::Day;
use crate::failpoint::{self, Failpoint};
use crate::store::Place;
use crate::table::{Commit, Cursor, Snapshot, TableError, TableVersion, datafile, log};

/// The table property that tells which Silver table a state counts.
const SILVER_PROPERTY: &str = "logsmith.silver";

/// The Silver files that one state commit counts, in bytes, but for a single version that is larger.
const SLICE_BYTES: i64 = 1 << 30;

/// How far a state got in one step.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// It accounts for all of the Silver snapshot.
    Current,
    /// It accounts for more than before, and maybe not for all.
    Advanced {
        /// The partitions that were rewritten.
        partitions: u64,
        /// The Silver version that it accounts for.
        to: TableVersion,
    },
    /// Another job committed first.
    Conflict,
}

/// What the next commit to a state is made from.
struct Work {
    /// The state's id.
    id: String,
    /// The Silver files to count.
    files: Vec<Add>,
    /// The Silver version that they lead to.
    to: TableVersion,
    base: Base,
}

/// What the files are counted into.
enum Base {
    /// The groups that are there.
    Kept,
    /// Nothing: there is no state, or it is of another definition and goes.
    Anew,
}

/// Takes one step towards the Silver snapshot.
///
/// # Errors
/// A table failed, or the state counts another Silver table.
pub(super) async fn advance(run: &Run<'_>, plan: &ViewPlan, silver: &Snapshot) -> Result<Step, GoldError> {
    let state = Snapshot::load(&run.state).await?;
    let Some(work) = find_work(run, plan, silver, state.as_ref()).await? else { return Ok(Step::Current) };
    let now = run.clock.now();
    let counted = plan.count(&run.silver, &work.files).await?;
    let mut new = plan.partitioning.split(counted).map_err(|e| plan.failed("split groups", e))?;
    let first = run.view.keep.map(|keep| keep.first(now));
    // Days that are no longer shown go with what came last, and do not come back with a late row.
    let is_over = |partition: &Partition| {
        let day = partition.as_deref().and_then(Day::parse);
        day.zip(first).is_some_and(|(day, first)| day < first)
    };
    new.retain(|partition, _| !is_over(partition));
    let partitions = new.len() as u64;
    let mut actions = Vec::new();
    if let Some(state) = &state {
        let replaced = |file: &Add| match work.base {
            Base::Kept => {
                let partition = plan.partitioning.of_file(&file.partition_values);
                new.contains_key(&partition) || is_over(&partition)
            }
            Base::Anew => true,
        };
        actions.extend(state.removals(replaced)?.into_iter().map(Action::Remove));
    }
    let kept = state.as_ref().filter(|_| matches!(work.base, Base::Kept));
    let files = kept.map(Snapshot::files).transpose()?.unwrap_or_default();
    for (partition, mut groups) in new {
        if let Some(state) = kept {
            groups.extend(read_partition(&run.state, state.version(), plan, &files, &partition).await?);
        }
        let merged = plan.merge(groups).await?;
        actions.push(put(&run.state, plan, &partition, &plan.stored, &merged, now).await?);
    }
    if let Base::Anew = work.base {
        let properties = HashMap::from([
            (VIEW_PROPERTY.to_owned(), plan.fingerprint()),
            (SILVER_PROPERTY.to_owned(), silver.id()?),
        ]);
        actions.extend(definition(
            &run.state,
            state.as_ref(),
            &work.id,
            plan,
            &plan.stored,
            properties,
            now,
        )?);
    }
    actions.push(Cursor::Silver(silver.id()?).at(work.to.as_cursor()));
    actions.push(log::commit_info("WRITE", json!({"silver": work.to}), now));
    let version = state.as_ref().map_or(TableVersion(0), |state| state.version().next());
    match log::append(&run.state, version, &actions).await? {
        Commit::Conflict => Ok(Step::Conflict),
        Commit::Done(_) => {
            failpoint::reached(Failpoint::AfterStateCommit);
            Ok(Step::Advanced { partitions, to: work.to })
        }
    }
}

/// The groups that one partition of a state holds at `version`, whose live files are `files`.
pub(super) async fn read_partition(
    state: &Place,
    version: TableVersion,
    plan: &ViewPlan,
    files: &[Add],
    partition: &Partition,
) -> Result<Vec<RecordBatch>, TableError> {
    let mut groups = Vec::new();
    for file in files.iter().filter(|file| plan.partitioning.of_file(&file.partition_values) == *partition) {
        groups.extend(datafile::read(state, version, &file.path).await?);
    }
    Ok(groups)
}

async fn find_work(
    run: &Run<'_>,
    plan: &ViewPlan,
    silver: &Snapshot,
    state: Option<&Snapshot>,
) -> Result<Option<Work>, GoldError> {
    let anew = |id| {
        let (files, to) = (silver.files()?, silver.version());
        Ok(Some(Work { id, files, to, base: Base::Anew }))
    };
    let Some(state) = state else { return anew(uuid::Uuid::new_v4().to_string()) };
    let properties = state.properties()?;
    if properties.get(VIEW_PROPERTY) != Some(&plan.fingerprint()) {
        return anew(state.id()?);
    }
    let other = |counted, present| GoldError::OtherSilver { view: run.view.name.clone(), counted, present };
    let id = silver.id()?;
    match properties.get(SILVER_PROPERTY) {
        Some(counted) if *counted == id => {}
        counted => return Err(other(format!("the table {}", counted.map_or("", String::as_str)), id)),
    }
    let counted = state.cursor(&Cursor::Silver(id.clone())).await?;
    let counted = counted.and_then(|version| u64::try_from(version).ok()).map(TableVersion);
    let Some(counted) = counted else { return anew(state.id()?) };
    if counted > silver.version() {
        return Err(other(format!("version {counted}"), format!("version {}", silver.version())));
    }
    if counted == silver.version() {
        return Ok(None);
    }
    let (files, to) = new_files(&run.silver, counted, silver.version()).await?;
    Ok(Some(Work { id: state.id()?, files, to, base: Base::Kept }))
}

/// The files that versions after `after` add rows with, up to a slice's worth, and the last of these versions.
async fn new_files(
    silver: &Place,
    after: TableVersion,
    newest: TableVersion,
) -> Result<(Vec<Add>, TableVersion), TableError> {
    let (mut files, mut bytes, mut at) = (Vec::new(), 0, after);
    while at < newest && bytes < SLICE_BYTES {
        let next = at.next();
        let entry = log::read(silver, next).await?;
        let entry =
            entry.ok_or_else(|| TableError::Gap { table: silver.url().to_string(), version: next })?;
        // Files that only rearrange rows bring none.
        let new = entry.adds.into_iter().filter(|file| file.data_change);
        for file in new {
            bytes += file.size;
            files.push(file);
        }
        at = next;
    }
    Ok((files, at))
}
