//! One pass over the landing: list, plan, fold slice by slice, commit each.

use std::collections::{BTreeSet, HashMap};

use futures::{Stream, StreamExt, TryStreamExt};
use object_store::path::Path;

use super::fold::{self, Target};
use super::plan::{Left, Listed, Plan, Planner};
use super::validate::Refusal;
use super::{ATTEMPTS, CompactError, QUARANTINED_MAX, SILVER, TableReport, gather, history, quarantine};
use crate::clock::Clock;
use crate::config::Central;
use crate::failpoint::{self, Failpoint};
use crate::store::{Found, Place, StoreError};
use crate::sync::landing::{LANDING, ObjectName, StreamId};
use crate::table::{Commit, TableVersion};

/// The most parts that a number has.
const PARTS_MAX: u32 = 1_000;

/// The longest name of a fleet table.
const TABLE_NAME_MAX: usize = 64;

/// What all steps of a pass share.
pub(super) struct Pass<'a> {
    config: &'a Central,
    clock: &'a dyn Clock,
    objects_max: usize,
    /// Objects that this pass has done with.
    pub consumed: BTreeSet<Path>,
    /// Names that it came across and cannot use.
    pub unusable: Vec<String>,
    /// Whether it came across more.
    pub left: Left,
}

/// How a try to fold a table ended.
#[must_use]
enum Outcome {
    /// All that can be folded is.
    Done,
    /// Another job committed: the cursors must be read again.
    Overtaken,
}

impl<'a> Pass<'a> {
    pub fn new(config: &'a Central, clock: &'a dyn Clock, objects_max: usize) -> Self {
        Self {
            config,
            clock,
            objects_max,
            consumed: BTreeSet::new(),
            unusable: Vec::new(),
            left: Left::Nothing,
        }
    }

    pub async fn fold_table(&mut self, table: &str, report: &mut TableReport) -> Result<(), CompactError> {
        for _ in 0..ATTEMPTS {
            match self.try_fold(table, report).await {
                Ok(Outcome::Done) => return Ok(()),
                Ok(Outcome::Overtaken) | Err(CompactError::Moved { .. }) => report.conflicts += 1,
                Err(e) => return Err(e),
            }
        }
        Err(CompactError::Busy { table: table.to_owned() })
    }

    async fn try_fold(&mut self, table: &str, report: &mut TableReport) -> Result<Outcome, CompactError> {
        let place = self.config.place.join(SILVER).join(table);
        let landing = self.config.place.join(LANDING).join(table);
        // A host that puts names which cannot be used hides its own objects, and no other's.
        let mut listing = Box::pin(landing.list_all(1).peekable());
        if listing.as_mut().peek().await.is_none() {
            return Ok(Outcome::Done);
        }
        let mut target = Target::load(self.config, table).await?;
        let mut plan = self.plan(listing, &target.cursors, report).await?;
        if plan.left == Left::More {
            self.left = Left::More;
        }
        let passed = std::mem::take(&mut plan.passed);
        if let Some(version) = target.version() {
            self.clear_passed(&place, version, passed, report).await?;
        }
        while !plan.numbers.is_empty() {
            let mut slice = gather::gather(&self.config.place, &target, &mut plan, self.clock).await?;
            if slice.is_empty() {
                continue;
            }
            let (objects, rows, bytes, out_of_reach) =
                (slice.objects, slice.rows, slice.bytes, slice.out_of_reach);
            let consumed = std::mem::take(&mut slice.consumed);
            let quarantined = std::mem::take(&mut slice.quarantined);
            match fold::commit(slice, &mut target, self.clock).await? {
                Commit::Conflict => return Ok(Outcome::Overtaken),
                Commit::Done(_) => failpoint::reached(Failpoint::AfterSilverCommit),
            }
            report.objects += objects;
            report.rows += rows;
            report.bytes += bytes;
            report.out_of_reach += out_of_reach;
            quarantined.into_iter().for_each(|bad| report.note(bad));
            self.consumed.extend(consumed);
        }
        report.gaps = plan.streams.into_iter().filter_map(|stream| stream.gap).collect();
        report.version = target.version();
        Ok(Outcome::Done)
    }

    /// Deals with objects that a cursor has passed: consumed ones may go, all others are forks, or come late.
    async fn clear_passed(
        &mut self,
        place: &Place,
        version: TableVersion,
        passed: Vec<Listed>,
        report: &mut TableReport,
    ) -> Result<(), CompactError> {
        let known = history::consumed(place, version, passed.iter().map(|object| &object.name)).await?;
        for Listed { name, location, .. } in passed {
            let is_mended = known.quarantined.contains(&name)
                && quarantine::mends(&self.config.place, &location, &name.digest).await?;
            if !is_mended && (known.folded.contains(&name) || known.quarantined.contains(&name)) {
                report.duplicates += 1;
                self.consumed.insert(location);
                continue;
            }
            let refusal = if is_mended {
                Refusal::Late(name.seq.0)
            } else if known.told.contains(&name) {
                Refusal::SetBack(name.seq.0)
            } else {
                Refusal::Late(name.seq.0)
            };
            self.refuse(location, &refusal, report).await?;
        }
        Ok(())
    }

    /// How many further objects this pass deals with.
    pub fn room(&self) -> usize {
        self.objects_max.saturating_sub(self.consumed.len())
    }

    /// Plans what this pass does with the objects of a table that it has not done with. What has no stream goes
    /// into quarantine.
    pub async fn plan(
        &mut self,
        mut listing: impl Stream<Item = Result<Found, StoreError>> + Unpin,
        cursors: &HashMap<String, i64>,
        report: &mut TableReport,
    ) -> Result<Plan, CompactError> {
        let mut planner = Planner::new(cursors, self.room());
        while let Some(found) = listing.try_next().await? {
            let object = match found {
                Found::Object(object) => object,
                Found::Unusable(name) => {
                    self.note_unusable(name);
                    continue;
                }
            };
            if self.consumed.contains(&object.location) {
                continue;
            }
            if self.room() == 0 {
                return Ok(planner.finish(Left::More));
            }
            match name(&self.config.place, &object.location) {
                Ok(name) => {
                    if planner.note(Listed::new(name, object)) == Left::More {
                        return Ok(planner.finish(Left::More));
                    }
                }
                Err(reason) => self.refuse(object.location, &Refusal::Name(reason), report).await?,
            }
        }
        Ok(planner.finish(Left::Nothing))
    }

    /// Notes a name that cannot be used, but for those beyond the first thousand.
    pub fn note_unusable(&mut self, name: String) {
        tracing::warn!(name = %name.escape_debug(), "object name that cannot be used: its host's objects wait");
        if self.unusable.len() < QUARANTINED_MAX && !self.unusable.contains(&name) {
            self.unusable.push(name);
        }
    }

    async fn refuse(
        &mut self,
        location: Path,
        refusal: &Refusal,
        report: &mut TableReport,
    ) -> Result<(), CompactError> {
        report.note(quarantine::keep(&self.config.place, &location, refusal, self.clock.now()).await?);
        self.consumed.insert(location);
        Ok(())
    }
}

/// Takes the name of an object apart. There is one way to write a name, and no other is read.
pub(super) fn name(lake: &Place, location: &Path) -> Result<ObjectName, String> {
    let path = location.as_ref();
    let relative = path.strip_prefix(lake.path().as_ref()).unwrap_or(path).trim_start_matches('/');
    let name = ObjectName::parse(relative)?;
    let StreamId { table, host, table_id } = &name.stream;
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    // A table of this name would make a table of the folder that holds all tables.
    if !table.bytes().all(word) || table.len() > TABLE_NAME_MAX || table == "_delta_log" {
        return Err(format!("`{table}` in `{relative}` is no name of a table"));
    }
    let plain = |part: &str| part.bytes().all(|byte| word(byte) || b".-".contains(&byte));
    if !plain(host) || !plain(table_id) {
        return Err(format!(
            "a name in `{relative}` has characters beyond letters, digits, `.`, `_` and `-`"
        ));
    }
    let numbered = name.seq.0 > 0 && (1..=PARTS_MAX).contains(&name.part);
    if !numbered || name.to_string() != relative {
        return Err(format!("`{relative}` is not how the name of a landing object is written"));
    }
    Ok(name)
}
