//! What sync has yet to put.

use std::collections::HashSet;

use super::Verdict;
use crate::store::Place;
use crate::table::{LocalTable, TableError, TableVersion, log};

/// The files that are not in the landing yet. A replay may have taken some of them out of their tables; the streams
/// would have gaps without them.
#[derive(Debug, Default)]
pub struct Unput {
    /// Of rows, relative to their table.
    pub rows: HashSet<String>,
    /// Of dead letters, relative to theirs.
    pub dead_letters: HashSet<String>,
}

/// The files that the versions of a Silver table after `synced` made.
///
/// # Errors
/// The store failed, or an entry is damaged.
pub async fn unput(table: &LocalTable, synced: TableVersion) -> Result<Unput, TableError> {
    let mut unput = Unput::default();
    for version in (synced.0 + 1..=table.version().0).map(TableVersion) {
        let Some(entry) = log::read(table.place(), version).await? else { continue };
        for unit in Verdict::of(table.place(), &entry)?.into_iter().flat_map(Verdict::into_units) {
            unput.rows.extend(unit.rows.map(|object| object.path));
            unput.dead_letters.extend(unit.dead_letters.map(|dead| dead.object.path));
        }
    }
    Ok(unput)
}

/// How much waits to be put.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Queue {
    /// Objects, dead letters' among them.
    pub objects: u64,
    /// Bytes of them.
    pub bytes: u64,
}

/// What the versions of the Silver table at `place` after `synced` have for the landing.
///
/// # Errors
/// The store failed, or an entry is damaged.
pub async fn queue(place: &Place, synced: TableVersion, newest: TableVersion) -> Result<Queue, TableError> {
    let mut queue = Queue::default();
    for version in (synced.0 + 1..=newest.0).map(TableVersion) {
        let Some(entry) = log::read(place, version).await? else { continue };
        for unit in Verdict::of(place, &entry)?.into_iter().flat_map(Verdict::into_units) {
            let size = |path: &str| entry.adds.iter().find(|add| add.path == path).map(|add| add.size);
            let rows = unit.rows.map(|object| size(&object.path).unwrap_or_default());
            for bytes in rows.into_iter().chain(unit.dead_letters.map(|dead| dead.add.size)) {
                queue.objects += 1;
                queue.bytes += bytes.unsigned_abs();
            }
        }
    }
    Ok(queue)
}
