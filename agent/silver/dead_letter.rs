//! The dead-letter table: a projection of the Silver logs.

use std::collections::HashSet;
use std::sync::Arc;

use deltalake::kernel::Action;
use serde_json::json;
use tokio::sync::Mutex;

use super::Verdict;
use crate::clock::Timestamp;
use crate::store::Place;
use crate::table::cursor::IDLE_VERSIONS_MAX;
use crate::table::{Cursor, LocalTable, Snapshot, TableError, TableVersion, log};

/// The dead-letter table of a state folder, fed by all its pipelines.
#[derive(Debug)]
pub struct DeadLetters {
    table: Arc<LocalTable>,
    // Copying from one Silver log must not interleave with itself.
    copying: Mutex<()>,
}

impl DeadLetters {
    /// Over the opened table.
    pub fn new(table: Arc<LocalTable>) -> Self {
        Self { table, copying: Mutex::new(()) }
    }

    /// The table.
    pub fn table(&self) -> &Arc<LocalTable> {
        &self.table
    }

    /// Copies what the Silver commits of the versions after `from` up to `to` decided, in one commit; where
    /// they decided nothing, the cursor follows only once it lags far. Returns where the cursor stands.
    ///
    /// # Errors
    /// The store failed, or an entry of the Silver log is missing or damaged.
    pub async fn follow(
        &self,
        silver: &Place,
        silver_id: &str,
        from: TableVersion,
        to: TableVersion,
        now: Timestamp,
    ) -> Result<TableVersion, TableError> {
        let _copying = self.copying.lock().await;
        let (mut adds, mut replaced) = (Vec::new(), HashSet::new());
        for number in from.0 + 1..=to.0 {
            let version = TableVersion(number);
            let entry = log::read_local(silver, version).await?;
            let Some(verdict) = Verdict::of(silver, &entry)? else { continue };
            if let Some(generation) = &verdict.generation {
                replaced.extend(generation.replaced_dead_letters.iter().cloned());
            }
            adds.extend(verdict.into_units().into_iter().filter_map(|unit| Some(unit.dead_letters?.add)));
        }
        // A file that came and went within these versions was never in the table.
        adds.retain(|add| !replaced.contains(&add.path));
        let mut actions: Vec<Action> = adds.into_iter().map(Action::Add).collect();
        actions.extend(self.removals(&replaced).await?);
        if actions.is_empty() && to.0 - from.0 < IDLE_VERSIONS_MAX {
            return Ok(from);
        }
        actions.push(Cursor::Silver(silver_id.to_owned()).at(to.as_cursor()));
        actions.push(log::commit_info("WRITE", json!({ "follows": silver_id }), now));
        let version = self.table.commit(&actions).await?;
        // A start reads no entry of this table.
        self.table.set_anchor(version);
        Ok(to)
    }

    /// The actions that remove what is still there of the files at `paths`.
    async fn removals(&self, paths: &HashSet<String>) -> Result<Vec<Action>, TableError> {
        if paths.is_empty() {
            return Ok(Vec::new());
        }
        let Some(snapshot) = Snapshot::load(self.table.place()).await? else { return Ok(Vec::new()) };
        let removals = snapshot.removals(|add| paths.contains(&add.path))?;
        Ok(removals.into_iter().map(Action::Remove).collect())
    }
}
