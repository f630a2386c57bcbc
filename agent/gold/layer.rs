//! The state of a view over another view: for each partition of the view below, the partial aggregates of the groups
//! that it has there.
//!
//! Groups change as late rows come, so that nothing can be added to what was counted of them: where a partition below
//! changed, what is kept of it is counted again, and replaces what was there. A view's own partition is what is kept for
//! it of all partitions below. So the cost is that of the partitions below that changed, and of its own that they touch.
//!
//! What the view below let go of when its time was over stays as it was counted.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use deltalake::kernel::{Action, Add};
use serde_json::json;

use super::days::Days;
use super::partition::Partition;
use super::plan::{BELOW, ViewPlan};
use super::state::{Step, expired, first_kept, read_partition};
use super::write::{changed, definition, put};
use super::{GoldError, Run, VIEW_PROPERTY, is_retired};
use crate::clock::Day;
use crate::failpoint::{self, Failpoint};
use crate::table::{Commit, Cursor, Snapshot, TableVersion, log};

/// The table property that tells whose state a state counts.
const BELOW_PROPERTY: &str = "logsmith.below";

/// The view that another view reads, when it is up to date.
#[derive(Debug)]
pub(super) struct Below {
    /// What it is.
    pub plan: Arc<ViewPlan>,
    /// Its state.
    pub state: Snapshot,
}

/// What the next commit is made from.
struct Work {
    /// The state's id.
    id: String,
    /// The partitions below to count.
    partitions: BTreeSet<Partition>,
    base: Base,
}

/// What they are counted into.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Base {
    /// What is there of the other partitions.
    Kept,
    /// The same, but what is below was counted anew since.
    Recounted,
    /// Nothing: there is no state, or it is of another definition and goes.
    Anew,
}

/// Brings the state up to that of the view below.
///
/// # Errors
/// A table failed, or groups cannot be counted.
pub(super) async fn advance(run: &Run<'_>, plan: &ViewPlan, below: &Below) -> Result<Step, GoldError> {
    let state = run.slot.state.as_ref();
    let work = match find_work(run, plan, below, state).await? {
        Found::Work(work) => work,
        Found::Nothing => return Ok(Step::Current),
        Found::Later => return Ok(Step::Conflict),
    };
    let (now, to) = (run.clock.now(), below.state.version());
    let kept = state.filter(|_| work.base != Base::Anew);
    let first = first_kept(run.view, kept, now).await?;
    let day = |partition: &Partition| partition.as_deref().and_then(Day::parse);
    let is_over = |partition: &Partition| day(partition).zip(first).is_some_and(|(day, first)| day < first);
    let gone = below.state.cursor(&Cursor::Expired).await?.filter(|day| *day > 0);
    // Whether the view below may have had more there than it has now, and let go of it.
    let is_let_go = |partition: &Partition| match (gone, day(partition)) {
        (Some(gone), Some(day)) => {
            let unsure = work.base == Base::Recounted && below.plan.days == Days::Other;
            unsure || i64::from(day.0) < gone
        }
        _ => false,
    };
    let files = below.state.files()?;
    let (mut replaced, mut touched, mut sealed) = (BTreeSet::new(), BTreeSet::new(), 0);
    let mut actions = Vec::new();
    for partition in work.partitions {
        let states = read_partition(&run.source, to, &below.plan, &files, &partition).await?;
        if states.is_empty() && is_let_go(&partition) {
            sealed += u64::from(work.base == Base::Recounted);
            continue;
        }
        let groups = plan.count_groups(&partition, states).await?;
        let groups = plan.partitioning.split(groups).map_err(|e| plan.failed("split groups", e))?;
        for (own, groups) in groups.into_iter().filter(|(own, _)| !is_over(own)) {
            let merged = plan.merge(groups).await?;
            let mut values = plan.partitioning.values(&own);
            values.push((BELOW, partition.clone()));
            actions.push(put(&run.slot.place, &values, &plan.stored, &merged, now).await?);
            touched.insert(own);
        }
        replaced.insert(partition);
    }
    if let Some(state) = state {
        let removed = |file: &Add| {
            let own = plan.partitioning.of_file(&file.partition_values);
            work.base == Base::Anew || replaced.contains(&of_below(file)) || is_over(&own)
        };
        let removed = state.removals(removed)?.into_iter();
        actions.extend(removed.map(|file| {
            touched.extend(file.partition_values.as_ref().map(|values| plan.partitioning.of_file(values)));
            Action::Remove(file)
        }));
    }
    if work.base != Base::Kept {
        let properties = HashMap::from([
            (VIEW_PROPERTY.to_owned(), plan.fingerprint()),
            (BELOW_PROPERTY.to_owned(), below.state.id()?),
        ]);
        let layout = plan.state_layout();
        actions.push(Cursor::Retired.at(0));
        actions.extend(definition(&run.slot.place, state, &work.id, &layout, properties, now)?);
    }
    let never = gone.filter(|_| work.base == Base::Anew);
    let begun = state.filter(|_| kept.is_none());
    actions.extend(expired(kept, begun, first, never).await?);
    actions.push(Cursor::State(below.state.id()?).at(to.as_cursor()));
    actions.push(log::commit_info("WRITE", json!({"below": to}), now));
    let version = state.map_or(TableVersion(0), |state| state.version().next());
    match log::append(&run.slot.place, version, &actions).await? {
        Commit::Conflict => Ok(Step::Conflict),
        Commit::Done(_) => {
            failpoint::reached(Failpoint::AfterStateCommit);
            Ok(Step::Advanced { partitions: touched.len() as u64, sealed, is_last: true })
        }
    }
}

/// The partition below that a file of the state is of.
fn of_below(file: &Add) -> Partition {
    file.partition_values.get(BELOW).cloned().flatten()
}

enum Found {
    Work(Work),
    Nothing,
    /// Another job has counted what came after this reading of the view below.
    Later,
}

async fn find_work(
    run: &Run<'_>,
    plan: &ViewPlan,
    below: &Below,
    state: Option<&Snapshot>,
) -> Result<Found, GoldError> {
    let files = below.state.files()?;
    let present = files.iter().map(|file| below.plan.partitioning.of_file(&file.partition_values));
    let mut partitions: BTreeSet<Partition> = present.collect();
    let Some(state) = state else {
        return Ok(Found::Work(Work { id: uuid::Uuid::new_v4().to_string(), partitions, base: Base::Anew }));
    };
    let (properties, id) = (state.properties()?, state.id()?);
    if properties.get(VIEW_PROPERTY) != Some(&plan.fingerprint()) || is_retired(state).await? {
        return Ok(Found::Work(Work { id, partitions, base: Base::Anew }));
    }
    let (of_below, newest) = (below.state.id()?, below.state.version());
    if properties.get(BELOW_PROPERTY) == Some(&of_below) {
        let counted = state.cursor(&Cursor::State(of_below)).await?;
        let counted = counted.and_then(|version| u64::try_from(version).ok()).map(TableVersion);
        match counted {
            Some(counted) if counted == newest => return Ok(Found::Nothing),
            Some(counted) if counted > newest => return Ok(Found::Later),
            Some(counted) => {
                if let Some(partitions) = changed(&run.source, &below.plan, counted, newest).await? {
                    return Ok(Found::Work(Work { id, partitions, base: Base::Kept }));
                }
            }
            None => {}
        }
    }
    partitions.extend(state.files()?.iter().map(self::of_below));
    Ok(Found::Work(Work { id, partitions, base: Base::Recounted }))
}
