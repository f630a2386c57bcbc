//! Upkeep of the central tables after a pass: retention, merging, checkpoints, vacuum, log clean-up.
//!
//! None of it is needed for a right answer, so a failure is told and left to a later pass. It is due where a table's
//! log has grown, which takes one request to see.

use crate::clock::Clock;
use crate::compact::{self, CompactReport, SILVER};
use crate::config::Central;
use crate::gold::{self, GOLD, STATE};
use crate::store::Place;
use crate::table::cleanup::{Entries, clean_log, vacuum};
use crate::table::{Cursor, Snapshot, TableError, TableVersion, log};

/// How many log entries a table gathers before a checkpoint is written and the table is cleaned up.
pub(super) const CHECKPOINT_COMMITS: u64 = 50;

/// Looks after all tables of the lake, after a pass that `folded` tells of.
pub(super) async fn keep(config: &Central, folded: &CompactReport, clock: &dyn Clock) {
    for kind in [SILVER, STATE, GOLD] {
        let folder = config.place.join(kind);
        let tables = folder.folders().await.unwrap_or_else(|error| {
            tracing::warn!(%error, "tables cannot be listed");
            Vec::new()
        });
        for table in tables {
            if kind == SILVER {
                match compact::expire(config, &table, clock).await {
                    Ok(0) => {}
                    Ok(files) => tracing::info!(table, files, "expired"),
                    Err(error) => tracing::warn!(table, %error, "days that are over stay"),
                }
            }
            if kind == SILVER && folded.tables.get(&table).is_some_and(|report| report.objects > 0) {
                match compact::merge(config, &table, clock).await {
                    Ok(0) => {}
                    Ok(files) => tracing::info!(table, files, "merged"),
                    Err(error) => tracing::warn!(table, %error, "files not merged"),
                }
            }
            if let Err(error) = clean_up(&config.place, kind, &table, clock).await {
                tracing::warn!(table = %folder.join(&table).url(), %error, "not cleaned up");
            }
        }
    }
}

async fn clean_up(lake: &Place, kind: &str, table: &str, clock: &dyn Clock) -> Result<(), TableError> {
    let place = lake.join(kind).join(table);
    let (entries, checkpoints) = log::recent(&place).await?;
    let newest = entries.last().map_or(0, |version| version.0);
    let covered = checkpoints.last().map_or(0, |version| version.0);
    if newest < covered + CHECKPOINT_COMMITS {
        return Ok(());
    }
    let Some(snapshot) = Snapshot::load(&place).await? else { return Ok(()) };
    let consumed = match kind {
        SILVER => consumed_by_views(lake, &snapshot).await?,
        STATE => consumed_by_gold(lake, table, &snapshot).await?,
        _ => snapshot.version(),
    };
    snapshot.checkpoint().await?;
    // The entries of fleet Silver tell which objects were consumed, and nothing else does.
    let which = if kind == SILVER { Entries::Kept(consumed) } else { Entries::Consumed(consumed) };
    let entries = clean_log(&place, which).await?;
    let files = vacuum(&place, &snapshot, consumed, clock.now()).await?;
    if files + entries > 0 {
        tracing::info!(table = %place.url(), files, entries, "cleaned up");
    }
    Ok(())
}

/// The version up to which every view has counted this fleet Silver table. A view that left the configuration holds
/// it back as long as its state is there: it may come back.
async fn consumed_by_views(lake: &Place, silver: &Snapshot) -> Result<TableVersion, TableError> {
    let cursor = Cursor::Silver(silver.id()?);
    let mut lowest = silver.version();
    for view in lake.join(STATE).folders().await? {
        let Some(state) = Snapshot::load(&lake.join(STATE).join(&view)).await? else { continue };
        if gold::is_retired(&state).await? {
            continue;
        }
        if let Some(counted) = state.cursor(&cursor).await? {
            lowest = lowest.min(version(Some(counted)));
        }
    }
    Ok(lowest)
}

/// The version of a view's state that its Gold table shows, and that every view over it has counted.
async fn consumed_by_gold(lake: &Place, view: &str, state: &Snapshot) -> Result<TableVersion, TableError> {
    let (cursor, mut lowest) = (Cursor::State(state.id()?), state.version());
    if gold::is_retired(state).await? {
        return Ok(lowest);
    }
    // Of the two states that a view may have, Gold shows one.
    let shown = view.split_once('@').map_or(view, |(name, _)| name);
    if let Some(gold) = Snapshot::load(&lake.join(GOLD).join(shown)).await? {
        lowest = version(gold.cursor(&cursor).await?);
    }
    for view in lake.join(STATE).folders().await? {
        let Some(above) = Snapshot::load(&lake.join(STATE).join(&view)).await? else { continue };
        if gold::is_retired(&above).await? {
            continue;
        }
        if let Some(counted) = above.cursor(&cursor).await? {
            lowest = lowest.min(version(Some(counted)));
        }
    }
    Ok(lowest)
}

fn version(cursor: Option<i64>) -> TableVersion {
    TableVersion(cursor.and_then(|version| u64::try_from(version).ok()).unwrap_or(0))
}
