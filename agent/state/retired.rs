//! Silver tables that no pipeline writes any more: its pipeline was taken out of the configuration, or its plugins write
//! a column with another type, and a table never changes a type.
//!
//! Such a table is kept under its name, or under `<name>@<n>`, until all of it has gone on; it holds nobody.

use std::path::Path;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use tracing::warn;

use super::{Onward, Opening, StateError, folder};
use crate::clock::Timestamp;
use crate::config::Edge;
use crate::silver::DeadLetters;
use crate::silver::open::changed_type;
use crate::store::{self, Place};
use crate::table::{Cursor, LocalTable, Snapshot, TableError, TableVersion};

/// What stands between the name of a table and the number of the one that was replaced under it.
const REPLACED: char = '@';

/// The name of the table that was replaced under the name `folder`, if it is one that was.
pub fn replaced_name(folder: &str) -> Option<&str> {
    folder.split_once(REPLACED).map(|(name, _)| name)
}

/// The Silver tables that no pipeline of `edge` writes.
pub(super) async fn open(
    edge: &Edge,
    root: &Place,
    dead_letters: &DeadLetters,
    opening: Opening,
    now: Timestamp,
) -> Result<Vec<(Arc<LocalTable>, Onward)>, StateError> {
    let silver = root.join(folder::SILVER);
    let mut retired = Vec::new();
    for name in silver.folders().await? {
        if edge.pipelines.iter().any(|pipeline| pipeline.name == name) {
            continue;
        }
        let place = silver.join(&name);
        if let Some(snapshot) = Snapshot::load(&place).await? {
            warn!(table = name, "no pipeline writes this table any more; what it holds still goes on");
            let table = Arc::new(LocalTable::open(&place, &snapshot)?);
            let fleet = name.split(REPLACED).next().unwrap_or(&name);
            let onward = Onward::of(edge, fleet, &table, dead_letters, opening, now).await?;
            retired.push((table, onward));
        }
    }
    Ok(retired)
}

/// The table at `place`, which is the folder `at`. One that has a column with another type than in `columns` is given
/// another name, and is there no more.
pub(super) async fn unless_changed(
    place: &Place,
    at: &Path,
    columns: &SchemaRef,
) -> Result<Option<Snapshot>, StateError> {
    let Some(snapshot) = Snapshot::load(place).await? else { return Ok(None) };
    let Some(change) = changed_type(snapshot.schema()?.as_ref(), columns) else { return Ok(Some(snapshot)) };
    warn!(%change, "a column changes its type: a new table is begun");
    rename(at)?;
    Ok(None)
}

/// Gives the table in the folder `at` another name, under which what it holds still goes on.
pub(super) fn rename(at: &Path) -> Result<(), StateError> {
    let taken = |number: &u32| replaced(at, *number).exists();
    let free = (1..).find(|number| !taken(number)).map(|number| replaced(at, number)).unwrap_or_default();
    warn!(kept = %free.display(), "a Silver table is replaced");
    store::rename_folder(at, &free).map_err(|source| StateError::Folder { folder: at.to_owned(), source })
}

/// Where the table with this id, which stood at `place` and was given another name, ends: the Bronze version that it
/// has consumed.
pub(super) async fn end_of_replaced(
    silver: &Place,
    name: &str,
    id: &str,
    bronze: &str,
) -> Result<Option<TableVersion>, TableError> {
    for folder in silver.folders().await? {
        if folder.split(REPLACED).next() != Some(name) {
            continue;
        }
        if let Some(snapshot) = Snapshot::load(&silver.join(&folder)).await?
            && snapshot.id()? == id
        {
            let cursor = snapshot.cursor(&Cursor::Bronze(bronze.to_owned())).await?;
            return Ok(cursor.map(|cursor| TableVersion(cursor.unsigned_abs())));
        }
    }
    Ok(None)
}

fn replaced(folder: &Path, number: u32) -> std::path::PathBuf {
    let mut name = folder.as_os_str().to_owned();
    name.push(format!("{REPLACED}{number}"));
    name.into()
}
