//! Whether the tables of a state folder are whole: their logs, and the data files that these name.

use std::fs;
use std::path::{Path, PathBuf};

use deltalake::kernel::Action;
use serde_json::{Value, json};
use tracing::error;

use super::{Opening, StateError, folder};
use crate::clock::Timestamp;
use crate::config::Edge;
use crate::store::Place;
use crate::table::verify::{snapshot, verify};
use crate::table::{LocalTable, log};

/// What a commit calls the data files that it gives up.
const GIVEN_UP: &str = "givenUp";

/// The data files that a commit gives up.
pub(super) fn given_up(entry: &log::Entry) -> impl Iterator<Item = String> {
    let paths = entry.info.get(GIVEN_UP).and_then(Value::as_array);
    paths.into_iter().flatten().filter_map(|path| path.as_str().map(str::to_owned))
}

/// Looks at all tables. Data files that are lost are given up where the folder is adopted with what is missing.
///
/// # Errors
/// A file stands for a folder or a folder for a file, a log is damaged, or a data file is lost.
pub(super) async fn check(
    edge: &Edge,
    root: &Place,
    opening: Opening,
    now: Timestamp,
) -> Result<(), StateError> {
    let state_dir = &edge.state_dir;
    let mut names = vec![folder::BRONZE.to_owned(), folder::DEAD_LETTER.to_owned()];
    expect_folder(state_dir.join(folder::SILVER))?;
    let silver = |name: &String| format!("{}/{name}", folder::SILVER);
    for pipeline in &edge.pipelines {
        expect_folder(state_dir.join(silver(&pipeline.name)))?;
    }
    names.extend(root.join(folder::SILVER).folders().await?.iter().map(silver));
    let mut needless = Vec::new();
    for name in &names {
        expect_log(&state_dir.join(name))?;
        needless.push(verify(&root.join(name)).await?);
    }
    for (name, needless) in names.iter().zip(needless) {
        needless.drop_from(&root.join(name)).await?;
    }
    for name in &names {
        give_up_lost(&root.join(name), &state_dir.join(name), opening, now).await?;
    }
    Ok(())
}

async fn give_up_lost(place: &Place, at: &Path, opening: Opening, now: Timestamp) -> Result<(), StateError> {
    let Some(snapshot) = snapshot(place).await? else { return Ok(()) };
    let lost = snapshot.removals(|add| !at.join(&add.path).exists())?;
    let (Some(first), files) = (lost.first().map(|remove| remove.path.clone()), lost.len()) else {
        return Ok(());
    };
    if !matches!(opening, Opening::AdoptReplay | Opening::AdoptSkip) {
        return Err(StateError::Lost { folder: at.to_owned(), files, first });
    }
    error!(table = %at.display(), files, "data files are lost, and given up");
    let paths: Vec<String> = lost.iter().map(|remove| remove.path.clone()).collect();
    let mut actions: Vec<Action> = lost.into_iter().map(Action::Remove).collect();
    actions.push(log::commit_info("ADOPT", json!({ GIVEN_UP: paths }), now));
    LocalTable::open(place, &snapshot)?.commit(&actions).await?;
    Ok(())
}

/// The log of the table in the folder `table` is a folder of files, if it is there.
fn expect_log(table: &Path) -> Result<(), StateError> {
    let log = table.join("_delta_log");
    expect_folder(table.to_owned())?;
    expect_folder(log.clone())?;
    let Ok(files) = fs::read_dir(&log) else { return Ok(()) };
    let is_of_log = |path: &Path| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        name == "_last_checkpoint" || name.ends_with(".json") || name.ends_with(".checkpoint.parquet")
    };
    let misplaced = files.flatten().map(|file| file.path()).find(|path| path.is_dir() && is_of_log(path));
    misplaced.map_or(Ok(()), |path| Err(StateError::Misplaced { path, is: "folder", due: "file" }))
}

fn expect_folder(path: PathBuf) -> Result<(), StateError> {
    match path.exists() && !path.is_dir() {
        true => Err(StateError::Misplaced { path, is: "file", due: "folder" }),
        false => Ok(()),
    }
}
