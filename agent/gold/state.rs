//! The state of a view: one row for each group, merged with the rows of further Silver versions.
//!
//! The commit that adds the merged groups sets the cursor that says which Silver version they account for. A new state is
//! counted from the Silver that is there in slices, and its cursor says how many of the files of that version it accounts
//! for: whoever is killed goes on behind the last slice. What comes after that version is counted when all are.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use arrow::array::RecordBatch;
use deltalake::kernel::{Action, Add, Remove};
use serde_json::json;

use super::days::Days;
use super::partition::Partition;
use super::plan::ViewPlan;
use super::slot::is_retired;
use super::write::{definition, put};
use super::{Counting, GoldError, Run, VIEW_PROPERTY};
use crate::clock::{Day, Timestamp};
use crate::compact::{self, SILVER};
use crate::config::View;
use crate::failpoint::{self, Failpoint};
use crate::store::Place;
use crate::table::schema::PARTITION;
use crate::table::{Commit, Cursor, Snapshot, TableError, TableVersion, datafile, log};

/// The table property that tells which Silver table a state counts.
const SILVER_PROPERTY: &str = "logsmith.silver";

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
    /// It accounts for so many of the files of the Silver version that it is counted from at first.
    Counting(Counting),
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
    /// How many of the files of that version are counted then, where it is counted from the files that are there.
    counting: Option<Counting>,
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
    let state = run.slot.state.as_ref();
    let Some(work) = find_work(run, plan, silver, state).await? else { return Ok(Step::Current) };
    let now = run.clock.now();
    let kept = state.filter(|_| !matches!(work.base, Base::Anew));
    let first = first_kept(run.view, kept, now).await?;
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
    if let Some(state) = state {
        let replaced = |file: &Add| match work.base {
            Base::Kept | Base::Remade => {
                let partition = plan.partitioning.of_file(&file.partition_values);
                touched.contains(&partition) || is_over(&partition)
            }
            Base::Anew => true,
        };
        actions.extend(state.removals(replaced)?.into_iter().map(Action::Remove));
    }
    let added_to = state.filter(|_| matches!(work.base, Base::Kept));
    let files = added_to.map(Snapshot::files).transpose()?.unwrap_or_default();
    for (partition, mut groups) in groups {
        if let Some(state) = added_to {
            groups.extend(read_partition(&run.slot.place, state.version(), plan, &files, &partition).await?);
        }
        let merged = plan.merge(groups).await?;
        actions.push(
            put(&run.slot.place, &plan.partitioning.values(&partition), &plan.stored, &merged, now).await?,
        );
    }
    if let Base::Anew = work.base {
        let properties = HashMap::from([
            (VIEW_PROPERTY.to_owned(), plan.fingerprint()),
            (SILVER_PROPERTY.to_owned(), silver.id()?),
        ]);
        let layout = plan.state_layout();
        actions.push(Cursor::Retired.at(0));
        actions.extend(definition(&run.slot.place, state, &work.id, &layout, properties, now)?);
    }
    let of_silver = match work.base {
        Base::Anew => silver.cursor(&Cursor::Expired).await?,
        Base::Kept | Base::Remade => None,
    };
    let begun = state.filter(|_| kept.is_none());
    actions.extend(expired(kept, begun, first, of_silver).await?);
    actions.push(Cursor::Silver(silver.id()?).at(work.to.as_cursor()));
    if let Some(counting) = work.counting {
        actions.push(Cursor::Counted(silver.id()?).at(counting.as_cursor()));
    }
    actions.push(log::commit_info("WRITE", json!({"silver": work.to}), now));
    let version = state.map_or(TableVersion(0), |state| state.version().next());
    match log::append(&run.slot.place, version, &actions).await? {
        Commit::Conflict => Ok(Step::Conflict),
        Commit::Done(_) => {
            failpoint::reached(Failpoint::AfterStateCommit);
            Ok(match work.counting.filter(|counting| !counting.is_done()) {
                Some(counting) => Step::Counting(counting),
                None => Step::Advanced { partitions, sealed, is_last: work.to == silver.version() },
            })
        }
    }
}

/// The first day that a view keeps, if it lets go of any. What its state has let go of stays gone when `keep` is longer
/// now: a late row alone would look like the whole day. A clock that was ahead takes no days that are still to come.
pub(super) async fn first_kept(
    view: &View,
    state: Option<&Snapshot>,
    now: Timestamp,
) -> Result<Option<Day>, TableError> {
    let Some(keep) = view.keep else { return Ok(None) };
    let gone = match state {
        Some(state) => state.cursor(&Cursor::Expired).await?,
        None => None,
    };
    let gone = gone.map(|day| Day(day.clamp(0, i64::from(now.day().0)) as i32));
    Ok(Some(gone.into_iter().fold(keep.first(now), Day::max)))
}

/// The cursor that says which days the state lets go of, or never had all rows of: those before `first`, and those before
/// `never`, the days that what it was counted from had let go of when it was begun. `kept` is the state as it was, if it
/// is gone on with, and `begun` one of another definition that it takes the place of.
pub(super) async fn expired(
    kept: Option<&Snapshot>,
    begun: Option<&Snapshot>,
    first: Option<Day>,
    never: Option<i64>,
) -> Result<Option<Action>, TableError> {
    let mut before = None;
    for state in kept.into_iter().chain(begun) {
        before = state.cursor(&Cursor::Expired).await?;
    }
    let gone =
        first.map(|day| i64::from(day.0)).into_iter().chain(never).chain(before.filter(|_| kept.is_some()));
    // What the other definition had let go of is counted.
    let gone = gone.max().or(before.map(|_| 0));
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
        (Some(first), Days::Same | Days::OfIngestion) => day(partition).is_some_and(|day| day >= first),
        (Some(_), Days::Other) => false,
    };
    let (touched, sealed): (BTreeSet<_>, BTreeSet<_>) = touched.into_iter().partition(is_whole);
    let mut files = silver.files()?;
    let of_file = |file: &Add| file.partition_values.get(PARTITION).cloned().flatten();
    match (plan.days, touched.iter().map(day).min()) {
        (Days::Same, _) => files.retain(|file| touched.contains(&of_file(file))),
        (Days::OfIngestion, Some(Some(first))) => {
            files.retain(|file| day(&of_file(file)).is_none_or(|day| day >= first));
        }
        _ => {}
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
        let (files, counting) = slice(silver.files()?, 0, run.slice_bytes);
        Ok(Some(Work { id, files, to: silver.version(), base: Base::Anew, counting: Some(counting) }))
    };
    let Some(state) = state else { return anew(uuid::Uuid::new_v4().to_string()) };
    let properties = state.properties()?;
    if properties.get(VIEW_PROPERTY) != Some(&plan.fingerprint()) || is_retired(state).await? {
        return anew(state.id()?);
    }
    let id = silver.id()?;
    if properties.get(SILVER_PROPERTY) != Some(&id) {
        return Err(other_silver(run.view, state, id)?);
    }
    let counted = state.cursor(&Cursor::Silver(id.clone())).await?;
    let counted = counted.and_then(|version| u64::try_from(version).ok()).map(TableVersion);
    let Some(counted) = counted else { return anew(state.id()?) };
    if counted > silver.version() {
        let (counted, present) = (format!("version {counted}"), format!("version {}", silver.version()));
        return Err(GoldError::OtherSilver { view: run.view.name.clone(), counted, present });
    }
    let files = state.cursor(&Cursor::Counted(id)).await?.and_then(|files| usize::try_from(files).ok());
    if let Some(from) = files {
        let silver = Snapshot::load_at(&run.source, counted).await?;
        let (files, counting) = slice(silver.files()?, from, run.slice_bytes);
        let (id, to, base) = (state.id()?, counted, Base::Kept);
        return Ok(Some(Work { id, files, to, base, counting: Some(counting) }));
    }
    if counted == silver.version() {
        return Ok(None);
    }
    let (files, to, base) = new_files(&run.source, counted, silver.version(), run.slice_bytes).await?;
    Ok(Some(Work { id: state.id()?, files, to, base, counting: None }))
}

/// Whether the Silver table that a state counts is in the lake; true where it counts none.
///
/// # Errors
/// A table failed.
pub(super) async fn finds_silver(lake: &Place, state: &Snapshot) -> Result<bool, GoldError> {
    let Some(counted) = state.properties()?.remove(SILVER_PROPERTY) else { return Ok(true) };
    let tables = lake.join(SILVER);
    for name in tables.folders().await? {
        if let Some(silver) = Snapshot::load(&tables.join(&name)).await?
            && silver.id()? == counted
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// That the state of a view counts another Silver table than what is there.
pub(super) fn other_silver(view: &View, state: &Snapshot, present: String) -> Result<GoldError, TableError> {
    let counted = state.properties()?.remove(SILVER_PROPERTY).unwrap_or_default();
    Ok(GoldError::OtherSilver { view: view.name.clone(), counted: format!("the table {counted}"), present })
}

/// The files of a version from the place `from` on, up to a slice's worth, and how many are counted with them. They are
/// in the order of their days, so that a slice touches few partitions of a view by days.
fn slice(mut files: Vec<Add>, from: usize, bytes_max: i64) -> (Vec<Add>, Counting) {
    let day = |file: &Add| file.partition_values.get(PARTITION).cloned().flatten();
    files.sort_by_cached_key(|file| (day(file), file.path.clone()));
    let (of, mut bytes) = (files.len(), 0);
    let fits = |file: &Add| {
        let fits = bytes < bytes_max;
        bytes += file.size;
        fits
    };
    let slice: Vec<Add> = files.into_iter().skip(from).take_while(fits).collect();
    let counting = Counting { files: from.saturating_add(slice.len()).min(of), of };
    (slice, counting)
}

/// The files that versions after `after` add rows with, up to a slice's worth, and the last of these versions. One in
/// which rows were replaced is a slice of its own, and the files that these rows were in are among its files.
async fn new_files(
    silver: &Place,
    after: TableVersion,
    newest: TableVersion,
    bytes_max: i64,
) -> Result<(Vec<Add>, TableVersion, Base), TableError> {
    let (mut files, mut bytes, mut at) = (Vec::new(), 0, after);
    while at < newest && bytes < bytes_max {
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
