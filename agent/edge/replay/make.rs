//! Making a new generation: runs of Bronze versions that belong together, each no larger than what a commit of the
//! transform stage holds.
//!
//! Runs follow the verdicts that they replace: what these have added is replaced by the run in which the first of their
//! lines is judged again. So each landing object replaces whole objects, and no line is twice in any that were folded.

use super::range::{Range, entry};
use super::{Chosen, Places, ReplayError};
use crate::clock::Clock;
use crate::config::Pipeline;
use crate::edge::judge::{self, JudgedLines};
use crate::edge::transform::UNPACKED_BYTES_MAX;
use crate::silver::generation::Draft;
use crate::silver::{Live, Pending, Scope, Silver};
use crate::sync::landing::BronzeRange;
use crate::table::{TableError, TableVersion};
use crate::transform::{Chain, Fingerprint};

/// A run is ended at this many bytes of files.
const RUN_BYTES_MAX: usize = 32 << 20;

/// Judges `range` again. The files of what comes of it are durable, and no commit names them.
pub(super) async fn make(
    places: &Places,
    range: &Range,
    pipeline: &Pipeline,
    silver: &Silver,
    chain: &mut Chain,
    clock: &dyn Clock,
) -> Result<Draft, ReplayError> {
    let plugins: Vec<_> = chain.fingerprints().cloned().collect();
    let mut runs = Runs {
        silver,
        plugins: &plugins,
        clock,
        range,
        draft: silver.draft(range.scope),
        run: Run::default(),
        owed: Vec::new(),
        ended: range.bronze.last,
    };
    for live in &range.live {
        if range.scope == Scope::DeadLetters && live.dead_letters.is_empty() {
            continue;
        }
        let Some(chosen) = Chosen::of(places, live, range.scope, &pipeline.sources).await? else {
            return Err(ReplayError::Nothing(format!(
                "the dead letters of Bronze versions {} to {} have expired; --from says where to begin after them",
                live.bronze.first, live.bronze.last
            )));
        };
        runs.begin(live);
        for version in (live.bronze.first.0..=live.bronze.last.0).map(TableVersion) {
            let entry = entry(places, version).await?;
            for judged in judge::version(&places.bronze, &entry, &|batch| chosen.lines(batch), chain).await? {
                runs.take(version, &judged).await?;
            }
        }
        runs.end(live).await?;
    }
    runs.finish().await
}

struct Runs<'a> {
    silver: &'a Silver,
    plugins: &'a [Fingerprint],
    clock: &'a dyn Clock,
    range: &'a Range,
    draft: Draft,
    run: Run<'a>,
    /// What was begun, and none of whose lines are in a run yet.
    owed: Vec<&'a Live>,
    /// The last version of what was ended.
    ended: TableVersion,
}

/// The run that is being made.
#[derive(Default)]
struct Run<'a> {
    pending: Option<Pending>,
    unpacked_bytes: usize,
    /// Its first version; none before anything is in it.
    first: Option<TableVersion>,
    /// What it replaces.
    old: Vec<&'a Live>,
}

impl<'a> Runs<'a> {
    fn begin(&mut self, live: &'a Live) {
        self.owed.push(live);
        self.run.first.get_or_insert(live.bronze.first);
    }

    async fn take(&mut self, version: TableVersion, judged: &JudgedLines) -> Result<(), TableError> {
        if self.run.pending.as_ref().is_some_and(|pending| pending.day != judged.day) {
            self.close(TableVersion(version.0 - 1)).await?;
            self.run.first = Some(version);
        }
        self.run.old.append(&mut self.owed);
        self.run.unpacked_bytes += judged.lines.get_array_memory_size();
        let pending = match &mut self.run.pending {
            Some(pending) => pending,
            None => {
                let begun = self.silver.begin_in(&self.draft, judged.day, self.clock.now())?;
                self.run.pending.insert(begun)
            }
        };
        let judged = judged.by(self.plugins);
        tokio::task::block_in_place(|| self.silver.add(pending, &judged))
    }

    async fn end(&mut self, live: &'a Live) -> Result<(), TableError> {
        self.ended = live.bronze.last;
        let bytes = self.run.pending.as_ref().map_or(0, Pending::bytes);
        if bytes >= RUN_BYTES_MAX || self.run.unpacked_bytes >= UNPACKED_BYTES_MAX {
            self.run.old.append(&mut self.owed);
            self.close(self.ended).await?;
        }
        Ok(())
    }

    async fn close(&mut self, last: TableVersion) -> Result<(), TableError> {
        let Run { pending, first, old, .. } = std::mem::take(&mut self.run);
        let Some(first) = first else { return Ok(()) };
        let bronze = BronzeRange { table_id: self.range.bronze.table_id.clone(), first, last };
        let (draft, now) = (&mut self.draft, self.clock.now());
        self.silver.end_in(draft, pending, bronze, &old, self.plugins, now).await
    }

    async fn finish(mut self) -> Result<Draft, ReplayError> {
        self.run.old.append(&mut self.owed);
        self.close(self.ended).await?;
        Ok(self.draft)
    }
}
