//! The state of a view: one row for each group, merged with the rows of further Silver versions.
//!
//! The commit that adds the merged groups sets the cursor that says which Silver version they account for.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use arrow::array::RecordBatch;
use deltalake::kernel::{Action, Add, Remove};
use serde_json::json;

use super::days::Days;
use super::partition::Partition;
use super::plan::ViewPlan;
use super::write::{definition, put};
use super::{GoldError, Run, VIEW_PROPERTY};
use crate::clock::Day;
use crate::compact;
use crate::failpoint::{self, Failpoint};
use crate::store::Place;
use crate::table::schema::PARTITION;
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
        /// Partitions that count rows which a replay has replaced, and were left as they are: of what they count,
        /// Silver does not hold everything any more.
        sealed: u64,
        /// Whether that is all.
        is_last: bool,
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
    /// Nothing, in the partitions that the files touch: the first rows of them were replaced. They are counted from all
    /// that Silver holds at that version.
    Remade,
}

/// What a state is to hold for the partitions that a step touches.
struct Counted {
    groups: BTreeMap<Partition, Vec<RecordBatch>>,
    /// The partitions that are rewritten: some may have no groups any more.
    touched: BTreeSet<Partition>,
    sealed: u64,
}

/// Takes one step towards the Silver snapshot.
///
/// # Errors
/// A table failed, or the state counts another Silver table.
pub(super) async fn advance(run: &Run<'_>, plan: &ViewPlan, silver: &Snapshot) -> Result<Step, GoldError> {
    let state = Snapshot::load(&run.state).await?;
    let Some(work) = find_work(run, plan, silver, state.as_ref()).await? else { return Ok(Step::Current) };
    let now = run.clock.now();
    let first = run.view.keep.map(|keep| keep.first(now));
    // Days that are no longer shown go with what came last, and do not come back with a late row.
    let is_over = |partition: &Partition| {
        let day = partition.as_deref().and_then(Day::parse);
        day.zip(first).is_some_and(|(day, first)| day < first)
    };
    let Counted { mut groups, mut touched, sealed } = count(run, plan, &work).await?;
    groups.retain(|partition, _| !is_over(partition));
    touched.retain(|partition| !is_over(partition));
    let partitions = touched.len() as u64;
    let mut actions = Vec::new();
    if let Some(state) = &state {
        let replaced = |file: &Add| match work.base {
            Base::Kept | Base::Remade => {
                let partition = plan.partitioning.of_file(&file.partition_values);
                touched.contains(&partition) || is_over(&partition)
            }
            Base::Anew => true,
        };
        actions.extend(state.removals(replaced)?.into_iter().map(Action::Remove));
    }
    let kept = state.as_ref().filter(|_| matches!(work.base, Base::Kept));
    let files = kept.map(Snapshot::files).transpose()?.unwrap_or_default();
    for (partition, mut groups) in groups {
        if let Some(state) = kept {
            groups.extend(read_partition(&run.state, state.version(), plan, &files, &partition).await?);
        }
        let merged = plan.merge(groups).await?;
        actions
            .push(put(&run.state, &plan.partitioning.values(&partition), &plan.stored, &merged, now).await?);
    }
    if let Base::Anew = work.base {
        let properties = HashMap::from([
            (VIEW_PROPERTY.to_owned(), plan.fingerprint()),
            (SILVER_PROPERTY.to_owned(), silver.id()?),
        ]);
        let layout = plan.state_layout();
        actions.extend(definition(&run.state, state.as_ref(), &work.id, &layout, properties, now)?);
    }
    let of_silver = match work.base {
        Base::Anew => silver.cursor(&Cursor::Expired).await?,
        Base::Kept | Base::Remade => None,
    };
    actions.extend(expired(state.as_ref(), first, of_silver).await?);
    actions.push(Cursor::Silver(silver.id()?).at(work.to.as_cursor()));
    actions.push(log::commit_info("WRITE", json!({"silver": work.to}), now));
    let version = state.as_ref().map_or(TableVersion(0), |state| state.version().next());
    match log::append(&run.state, version, &actions).await? {
        Commit::Conflict => Ok(Step::Conflict),
        Commit::Done(_) => {
            failpoint::reached(Failpoint::AfterStateCommit);
            Ok(Step::Advanced { partitions, sealed, is_last: work.to == silver.version() })
        }
    }
}

/// The cursor that says which days the state lets go of, or never had all rows of: those before `first`, and those before
/// `never`, the days that what it was counted from had let go of when it was begun.
pub(super) async fn expired(
    state: Option<&Snapshot>,
    first: Option<Day>,
    never: Option<i64>,
) -> Result<Option<Action>, TableError> {
    let before = match state {
        Some(state) => state.cursor(&Cursor::Expired).await?,
        None => None,
    };
    let gone = [before, first.map(|day| i64::from(day.0)), never].into_iter().flatten().max();
    Ok(gone.filter(|gone| Some(*gone) != before).map(|gone| Cursor::Expired.at(gone)))
}

async fn count(run: &Run<'_>, plan: &ViewPlan, work: &Work) -> Result<Counted, GoldError> {
    let split = |counted| plan.partitioning.split(counted).map_err(|e| plan.failed("split groups", e));
    let groups = split(plan.count(&run.source, &work.files).await?)?;
    let touched: BTreeSet<Partition> = groups.keys().cloned().collect();
    if !matches!(work.base, Base::Remade) {
        return Ok(Counted { groups, touched, sealed: 0 });
    }
    let silver = Snapshot::load_at(&run.source, work.to).await?;
    let first_kept = silver.cursor(&Cursor::Expired).await?.and_then(|day| i32::try_from(day).ok()).map(Day);
    let day = |partition: &Partition| partition.as_deref().and_then(Day::parse);
    let is_whole = |partition: &Partition| match (first_kept, plan.days) {
        (None, _) => true,
        (Some(first), Days::OfIngestion) => day(partition).is_some_and(|day| day >= first),
        (Some(_), Days::Other) => false,
    };
    let (touched, sealed): (BTreeSet<_>, BTreeSet<_>) = touched.into_iter().partition(is_whole);
    let mut files = silver.files()?;
    if plan.days == Days::OfIngestion
        && let Some(Some(first)) = touched.iter().map(day).min()
    {
        let of_file = |file: &Add| file.partition_values.get(PARTITION).cloned().flatten();
        files.retain(|file| day(&of_file(file)).is_none_or(|day| day >= first));
    }
    let mut groups = match touched.is_empty() {
        true => BTreeMap::new(),
        false => split(plan.count(&run.source, &files).await?)?,
    };
    groups.retain(|partition, _| touched.contains(partition));
    Ok(Counted { groups, touched, sealed: sealed.len() as u64 })
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
    let (files, to, base) = new_files(&run.source, counted, silver.version()).await?;
    Ok(Some(Work { id: state.id()?, files, to, base }))
}

/// The files that versions after `after` add rows with, up to a slice's worth, and the last of these versions. One in
/// which rows were replaced is a slice of its own, and the files that these rows were in are among its files.
async fn new_files(
    silver: &Place,
    after: TableVersion,
    newest: TableVersion,
) -> Result<(Vec<Add>, TableVersion, Base), TableError> {
    let (mut files, mut bytes, mut at) = (Vec::new(), 0, after);
    while at < newest && bytes < SLICE_BYTES {
        let next = at.next();
        let entry = log::read(silver, next).await?;
        let entry =
            entry.ok_or_else(|| TableError::Gap { table: silver.url().to_string(), version: next })?;
        if let Some(kept) = compact::kept(&entry.info) {
            if at > after {
                break;
            }
            files.extend(entry.adds.into_iter().filter(|file| !kept.contains(&file.path)));
            files.extend(entry.removes.into_iter().map(removed));
            return Ok((files, next, Base::Remade));
        }
        // Files that only rearrange rows bring none.
        let new = entry.adds.into_iter().filter(|file| file.data_change);
        for file in new {
            bytes += file.size;
            files.push(file);
        }
        at = next;
    }
    Ok((files, at, Base::Kept))
}

/// A file that left the table, as it was in it: what had not been counted everywhere is still there.
fn removed(file: Remove) -> Add {
    Add {
        path: file.path,
        partition_values: file.partition_values.unwrap_or_default(),
        size: file.size.unwrap_or_default(),
        modification_time: 0,
        data_change: false,
        stats: None,
        tags: None,
        deletion_vector: None,
        base_row_id: None,
        default_row_commit_version: None,
        clustering_provider: None,
    }
}
