//! Whether a local table's log is whole, before anything is built on it.
//!
//! An entry is durable before it has its name, so that no crash tears one. A disk can, and so can a careless copy; an
//! entry that reads as empty would set the cursors back without a word.

use super::log::{checkpoint_cursors, checkpoint_name, list, read};
use super::{TableError, TableVersion};
use crate::store::Place;

/// Looks at the last checkpoint and at every entry after it.
///
/// # Errors
/// The store failed, or [`TableError::Damaged`].
pub async fn verify(place: &Place) -> Result<(), TableError> {
    let (entries, checkpoints) = list(place).await?;
    let (Some(newest), Some(oldest)) = (entries.last().copied(), entries.first().copied()) else {
        return Ok(());
    };
    let damaged =
        |version, what, reason| TableError::Damaged { table: place.url().to_string(), version, what, reason };
    let mut next = TableVersion(0);
    if let Some(&version) = checkpoints.last() {
        let bytes = place.get(&checkpoint_name(version)).await?.unwrap_or_default();
        checkpoint_cursors(bytes).map_err(|error| damaged(version, "the checkpoint", error.to_string()))?;
        next = version.next();
    }
    next = next.max(oldest.min(newest));
    while next <= newest {
        let entry =
            read(place, next).await.map_err(|error| damaged(next, "the log entry", error.to_string()))?;
        let reason = match entry {
            None => "it is missing",
            Some(entry) if entry.info.is_null() => "it is cut short",
            Some(_) => {
                next = next.next();
                continue;
            }
        };
        return Err(damaged(next, "the log entry", reason.to_owned()));
    }
    Ok(())
}
