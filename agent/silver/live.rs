//! Which verdicts stand: those that no replay has replaced, read from the Silver log.

use deltalake::kernel::Add;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::generation::Unit;
use super::{Counts, Object, Verdict};
use crate::clock::Timestamp;
use crate::store::Place;
use crate::sync::landing::{BronzeRange, Replaced, Seq};
use crate::table::datafile::row_count;
use crate::table::{Entry, TableError, TableVersion, log};

/// What a replay judges again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// All lines of a range of Bronze.
    Lines,
    /// Of these, the lines that are dead letters.
    DeadLetters,
}

impl Scope {
    /// What became of lines of which `was` was told before, once `again` is told of those judged again.
    pub fn after(self, was: Counts, again: Counts) -> Counts {
        match self {
            Self::Lines => again,
            Self::DeadLetters => Counts {
                lines: was.lines,
                rows: was.rows + again.rows,
                dropped: was.dropped + again.dropped,
                dead: (was.dead + again.dead).saturating_sub(again.lines),
            },
        }
    }
}

/// A run of Bronze versions, and what stands of the verdicts on them.
#[derive(Clone, Debug)]
pub struct Live {
    /// The versions.
    pub bronze: BronzeRange,
    /// What became of their lines.
    pub counts: Counts,
    /// The files that rows of them are in; they may have expired.
    pub rows: Vec<LiveFile>,
    /// The files that dead letters of them are in; they may have expired.
    pub dead_letters: Vec<LiveFile>,
    /// What stood before, and was replaced: central may not have seen what replaced it.
    before: Before,
}

/// Files of verdicts that stand no more.
#[derive(Clone, Debug, Default)]
struct Before {
    rows: Vec<LiveFile>,
    dead_letters: Vec<LiveFile>,
}

/// A file that became a landing object.
#[derive(Clone, Debug)]
pub struct LiveFile {
    /// The file, relative to its table.
    pub path: String,
    /// The number of the object.
    pub seq: Seq,
    /// The bounds of `ingested_at` and of `processed_at`, in microseconds; none where the file has no rows.
    times: Option<[(i64, i64); 2]>,
}

/// The verdicts that stand on the versions of the Bronze table `bronze_id` up to `cursor`, in their order, as far back
/// as the log of the Silver table at `place` tells of them without a gap.
///
/// # Errors
/// The store failed, or an entry is damaged.
pub async fn read(
    place: &Place,
    newest: TableVersion,
    bronze_id: &str,
    cursor: TableVersion,
) -> Result<Vec<Live>, TableError> {
    let (mut end, mut at) = (cursor, Some(newest));
    let (mut newest_first, mut retries, mut before) = (Vec::new(), Vec::<Live>::new(), Vec::new());
    while let Some(version) = at {
        let Some(entry) = log::read(place, version).await? else { break };
        at = version.0.checked_sub(1).map(TableVersion);
        let Some(verdict) = Verdict::of(place, &entry)? else { continue };
        if verdict.bronze.table_id != bronze_id {
            continue;
        }
        let scope = verdict.generation.as_ref().map_or(Scope::Lines, |generation| generation.scope);
        for unit in verdict.into_units().into_iter().rev() {
            let is_retried = retries.iter().any(|retry| holds(&retry.bronze, &unit.bronze));
            let first = unit.bronze.first;
            let is_next = unit.bronze.last == end && end > TableVersion(0);
            let is_beside = unit.bronze.last <= end;
            let live = Live::of(unit, &entry, is_retried);
            match scope {
                Scope::Lines if is_next => {
                    newest_first.push(live);
                    end = TableVersion(first.0.saturating_sub(1));
                }
                Scope::DeadLetters if is_beside => retries.push(live),
                // A replay that was made later has replaced it.
                Scope::Lines | Scope::DeadLetters => before.push(live),
            }
        }
    }
    newest_first.reverse();
    retries.reverse();
    let mut live = retries.into_iter().fold(newest_first, join);
    for Live { bronze, rows, dead_letters, before, .. } in before {
        let place =
            live.iter_mut().find(|live| (live.bronze.first..=live.bronze.last).contains(&bronze.first));
        if let Some(live) = place {
            live.before.rows.extend(rows);
            live.before.dead_letters.extend(dead_letters);
            live.before.add(before);
        }
    }
    Ok(live)
}

/// Joins the runs whose dead letters were tried again together: what came of it stands beside all of them.
fn join(live: Vec<Live>, retry: Live) -> Vec<Live> {
    let is_whole = live.first().is_some_and(|oldest| oldest.bronze.first <= retry.bronze.first);
    let (mut joined, mut into) = (Vec::with_capacity(live.len()), None::<usize>);
    for one in live {
        if !holds(&retry.bronze, &one.bronze) {
            joined.push(one);
        } else if let Some(of_all) = into.and_then(|index| joined.get_mut(index)) {
            of_all.bronze.last = one.bronze.last;
            of_all.counts = of_all.counts.plus(one.counts);
            of_all.add(one);
        } else if is_whole {
            into = Some(joined.len());
            joined.push(one);
        }
    }
    if let Some(of_all) = into.and_then(|index| joined.get_mut(index)) {
        of_all.counts = Scope::DeadLetters.after(of_all.counts, retry.counts);
        of_all.add(retry);
    }
    joined
}

fn holds(outer: &BronzeRange, inner: &BronzeRange) -> bool {
    outer.first <= inner.first && inner.last <= outer.last
}

impl Live {
    fn of(unit: Unit, entry: &Entry, is_retried: bool) -> Self {
        let Unit { bronze, counts, rows, dead_letters } = unit;
        let add = |object: &Object| entry.adds.iter().find(|add| add.path == object.path);
        let rows = rows.map(|object| LiveFile::of(&object, add(&object))).into_iter().collect();
        let dead = dead_letters.map(|dead| LiveFile::of(&dead.object, Some(&dead.add)));
        let (mut dead_letters, mut before) = (Vec::new(), Before::default());
        if is_retried { &mut before.dead_letters } else { &mut dead_letters }.extend(dead);
        Self { bronze, counts, rows, dead_letters, before }
    }

    fn add(&mut self, other: Self) {
        self.rows.extend(other.rows);
        self.dead_letters.extend(other.dead_letters);
        self.before.add(other.before);
    }

    /// The files of all rows that were ever made of the lines.
    pub(super) fn all_rows(&self) -> impl Iterator<Item = &LiveFile> {
        self.rows.iter().chain(&self.before.rows)
    }

    /// The files of all dead letters that lines of these ever were.
    pub(super) fn all_dead_letters(&self) -> impl Iterator<Item = &LiveFile> {
        self.dead_letters.iter().chain(&self.before.dead_letters)
    }
}

impl Before {
    fn add(&mut self, other: Self) {
        self.rows.extend(other.rows);
        self.dead_letters.extend(other.dead_letters);
    }
}

impl LiveFile {
    fn of(object: &Object, add: Option<&Add>) -> Self {
        let times = (add.and_then(row_count) != Some(0))
            .then(|| ["ingested_at", "processed_at"].map(|column| bounds(add, column)));
        Self { path: object.path.clone(), seq: object.seq, times }
    }
}

/// The bounds that a file's statistics state for a column of times, rounded outwards; all times where they state none.
fn bounds(add: Option<&Add>, column: &str) -> (i64, i64) {
    let statistics = add.and_then(|add| serde_json::from_str::<Value>(add.stats.as_deref()?).ok());
    let bound = |of: &str| Timestamp::parse(statistics.as_ref()?.get(of)?.get(column)?.as_str()?);
    let micros = |of: &str, unknown: i64| bound(of).map_or(unknown, Timestamp::micros);
    (micros("minValues", i64::MIN), micros("maxValues", i64::MAX))
}

/// What `files` are to an object of the generation that replaces them; `None` where none of them has rows.
pub(super) fn replaced<'a>(
    files: impl Iterator<Item = &'a LiveFile>,
    generation: u64,
    pipeline: &str,
) -> Option<Replaced> {
    let (mut numbers, mut times) = (Vec::new(), None::<[(i64, i64); 2]>);
    let wider = |a: (i64, i64), b: (i64, i64)| (a.0.min(b.0), a.1.max(b.1));
    for file in files {
        numbers.push(file.seq);
        times = match (times, file.times) {
            (Some([a, b]), Some([c, d])) => Some([wider(a, c), wider(b, d)]),
            (known, None) => known,
            (None, new) => new,
        };
    }
    let [ingested_at, processed_at] = times?;
    numbers.sort_unstable();
    let mut objects: Vec<(Seq, Seq)> = Vec::new();
    for seq in numbers {
        match objects.last_mut() {
            Some((_, last)) if last.next() == seq => *last = seq,
            _ => objects.push((seq, seq)),
        }
    }
    Some(Replaced { generation, pipeline: pipeline.to_owned(), objects, ingested_at, processed_at })
}
