//! A replay's commit: a new generation of rows and dead letters for a range of Bronze that was judged before.
//!
//! Files are written run by run, so that memory has a bound; one commit then adds all of them, removes what they
//! replace, and corrects the totals. Until it is there the old generation is what the table holds. The cursor stays:
//! nothing is judged that was not judged before.

use std::collections::HashSet;

use deltalake::kernel::Action;
use serde::{Deserialize, Serialize};

use super::live::replaced;
use super::put::{About, BothReplaced, Put};
use super::{Counts, DeadObject, GENERATION_FORMAT, Ledger, Live, Object, Pending, Scope, Silver, Verdict};
use crate::clock::{Day, Timestamp};
use crate::sync::landing::BronzeRange;
use crate::table::{Cursor, Snapshot, TableError, TableVersion, log};
use crate::transform::Fingerprint;

/// What a replay made, as its verdict tells it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Generation {
    /// 1 for the table's first replay.
    pub number: u64,
    /// What was judged again.
    pub scope: Scope,
    /// What was made of it.
    pub units: Vec<Unit>,
    /// The files of dead letters that leave their table.
    pub replaced_dead_letters: Vec<String>,
}

/// A run of Bronze versions that was judged together.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Unit {
    /// The versions.
    pub bronze: BronzeRange,
    /// What became of the lines that were judged.
    pub counts: Counts,
    /// The landing object made of the rows.
    pub rows: Option<Object>,
    /// The landing object made of the dead letters.
    pub dead_letters: Option<DeadObject>,
}

/// A generation in the making: its files are durable, and no commit names them yet.
#[derive(Debug)]
pub struct Draft {
    scope: Scope,
    ledger: Ledger,
    units: Vec<Unit>,
    adds: Vec<Action>,
}

impl Silver {
    /// Begins a generation.
    pub fn draft(&self, scope: Scope) -> Draft {
        let generation = self.ledger.generation + 1;
        let ledger = Ledger { generation, ..self.ledger };
        Draft { scope, ledger, units: Vec::new(), adds: Vec::new() }
    }

    /// Begins the next run of a generation, with lines ingested on `day`.
    ///
    /// # Errors
    /// The table's columns cannot be written as Parquet.
    pub fn begin_in(&self, draft: &Draft, day: Day, now: Timestamp) -> Result<Pending, TableError> {
        self.begin_after(&draft.ledger, day, now)
    }

    /// Ends a run: its files, which stand in place of those of `old`, are durable afterwards.
    ///
    /// # Errors
    /// The store failed; nothing was replaced.
    pub async fn end_in(
        &self,
        draft: &mut Draft,
        pending: Option<Pending>,
        bronze: BronzeRange,
        old: &[&Live],
        plugins: &[Fingerprint],
        now: Timestamp,
    ) -> Result<(), TableError> {
        let generation = draft.ledger.generation;
        let both = BothReplaced {
            rows: match draft.scope {
                Scope::Lines => replaced(old.iter().flat_map(|live| live.all_rows()), generation, &self.name),
                Scope::DeadLetters => None,
            },
            dead_letters: replaced(
                old.iter().flat_map(|live| live.all_dead_letters()),
                generation,
                &self.name,
            ),
        };
        let is_told = both.rows.is_some() || both.dead_letters.is_some();
        let pending = match pending {
            None if is_told => Some(self.begin_in(draft, now.day(), now)?),
            pending => pending,
        };
        let mut unit = Unit { bronze, counts: Counts::default(), rows: None, dead_letters: None };
        if let Some(pending) = pending {
            unit.counts = pending.counts();
            let about = About { bronze: &unit.bronze, plugins, replaced: both };
            let Put { rows, dead_letters } = self.put(pending, about, &mut draft.ledger, now).await?;
            if let Some((object, add)) = rows {
                draft.adds.push(Action::Add(add));
                unit.rows = Some(object);
            }
            unit.dead_letters = dead_letters;
        }
        draft.units.push(unit);
        Ok(())
    }

    /// Commits a generation in place of `old`: the commit decides, and the dead-letter table follows it.
    ///
    /// # Errors
    /// The store failed; a new start tells whether the commit is there.
    pub async fn replace(
        &mut self,
        draft: Draft,
        old: &[Live],
        bronze: BronzeRange,
        plugins: &[Fingerprint],
        now: Timestamp,
    ) -> Result<Verdict, TableError> {
        let Draft { scope, mut ledger, units, adds } = draft;
        let counts = units.iter().fold(Counts::default(), |sum, unit| sum.plus(unit.counts));
        let was = old.iter().fold(Counts::default(), |sum, live| sum.plus(live.counts));
        ledger.totals = ledger.totals.minus(was).plus(scope.after(was, counts));
        let mut actions = self.removals(scope, old).await?;
        actions.extend(adds);
        let tips = [
            (Cursor::Seq, ledger.rows, self.ledger.rows),
            (Cursor::DeadLetterSeq, ledger.dead_letters, self.ledger.dead_letters),
        ];
        for (cursor, tip, before) in tips {
            actions.extend(tip.seq.filter(|_| tip != before).map(|seq| cursor.at(seq.0 as i64)));
        }
        let dead = old.iter().flat_map(|live| &live.dead_letters).map(|file| file.path.clone());
        let verdict = Verdict {
            format: GENERATION_FORMAT,
            bronze,
            plugins: plugins.to_vec(),
            replaced: self.judges.take_if(|judges| judges.as_slice() != plugins),
            counts,
            rows: None,
            dead_letters: None,
            generation: Some(Generation {
                number: ledger.generation,
                scope,
                units,
                replaced_dead_letters: dead.collect(),
            }),
        };
        let info = serde_json::json!({ "verdict": verdict, "ledger": ledger });
        actions.push(log::commit_info("REPLAY", info, now));
        let version: TableVersion = self.table.commit(&actions).await?;
        self.table.set_anchor(version);
        self.ledger = ledger;
        self.judges = Some(plugins.to_vec());
        Ok(verdict)
    }

    /// The actions that remove what is still there of the rows in `old`.
    async fn removals(&self, scope: Scope, old: &[Live]) -> Result<Vec<Action>, TableError> {
        if scope == Scope::DeadLetters {
            return Ok(Vec::new());
        }
        let paths: HashSet<&str> = old.iter().flat_map(|live| &live.rows).map(|file| &*file.path).collect();
        let Some(snapshot) = Snapshot::load(self.table.place()).await? else { return Ok(Vec::new()) };
        let removals = snapshot.removals(|add| paths.contains(add.path.as_str()))?;
        Ok(removals.into_iter().map(Action::Remove).collect())
    }
}
