//! Retention: days of a fleet table whose time is over leave it. Views keep what they have counted.
//!
//! The files themselves go later, by vacuum, once every view has counted them.

use deltalake::kernel::{Action, Add};
use serde_json::json;

use super::{CompactError, SILVER};
use crate::clock::{Clock, Day};
use crate::config::Central;
use crate::table::schema::PARTITION;
use crate::table::{Commit, Cursor, Snapshot, log};

/// Takes the days out of a fleet table that are over by the configuration; returns how many files these had.
///
/// # Errors
/// The store failed, or the table is damaged.
pub async fn expire(config: &Central, table: &str, clock: &dyn Clock) -> Result<u64, CompactError> {
    let Some(retention) = config.retentions.iter().find(|retention| retention.table == table) else {
        return Ok(0);
    };
    let place = config.place.join(SILVER).join(table);
    let Some(snapshot) = Snapshot::load(&place).await? else { return Ok(0) };
    let first = retention.keep.first(clock.now());
    let is_over = |file: &Add| {
        let day = file.partition_values.get(PARTITION).cloned().flatten();
        day.as_deref().and_then(Day::parse).is_some_and(|day| day < first)
    };
    let mut actions: Vec<Action> = snapshot.removals(is_over)?.into_iter().map(Action::Remove).collect();
    let files = actions.len() as u64;
    if files == 0 {
        return Ok(0);
    }
    // Rows of these days that come again by a replay have nothing to replace.
    let before = snapshot.cursor(&Cursor::Expired).await?;
    actions.push(Cursor::Expired.at(before.unwrap_or(i64::MIN).max(i64::from(first.0))));
    actions.push(log::commit_info("DELETE", json!({ "before": first.to_string() }), clock.now()));
    match log::append(&place, snapshot.version().next(), &actions).await? {
        Commit::Done(_) => Ok(files),
        // Another job is at work; the next pass tries again.
        Commit::Conflict => Ok(0),
    }
}
