//! Whether plugins may take the place of others while the pipeline runs.

use std::collections::HashSet;

use arrow::array::RecordBatch;

use crate::transform::{Chain, DeadKind};

/// So many recent Bronze versions, and so many lines of them, are tried in the shadow.
pub(super) const SAMPLE_VERSIONS_MAX: usize = 16;
pub(super) const SAMPLE_ROWS_MAX: usize = 1_000;

/// Runs both chains over recent lines, whose results nobody keeps.
///
/// The new one must run; must not fault on a line that passes the old one; and of the lines that pass the old one it may
/// reject no more than half.
///
/// # Errors
/// Why the new one may not take over.
pub(super) fn try_in_shadow(old: &mut Chain, new: &mut Chain, sample: &RecordBatch) -> Result<(), String> {
    let tried = new.apply(sample).map_err(|error| error.to_string())?;
    // Where the old one is broken, there is nothing to compare with.
    let Ok(before) = old.apply(sample) else { return Ok(()) };
    let passed: HashSet<u32> = before.source_rows.into_iter().chain(before.dropped).collect();
    let lost: Vec<_> = tried.dead.into_iter().filter(|dead| passed.contains(&dead.row)).collect();
    if let Some(dead) = lost.iter().find(|dead| dead.kind != DeadKind::Rejected) {
        return Err(format!("it fails on a recent line that passes today: {}", dead.reason));
    }
    match lost.first() {
        Some(dead) if lost.len() * 2 > passed.len() => Err(format!(
            "of {} recent lines that pass today it rejects {}, one of them with: {}",
            passed.len(),
            lost.len(),
            dead.reason
        )),
        _ => Ok(()),
    }
}
