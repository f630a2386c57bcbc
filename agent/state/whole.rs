//! Whether the tables of a state folder are whole: their logs, and the data files that these name.

use std::path::Path;

use deltalake::kernel::Action;
use serde_json::json;
use tracing::error;

use super::{Opening, StateError, folder};
use crate::clock::Timestamp;
use crate::store::Place;
use crate::table::verify::verify;
use crate::table::{LocalTable, Snapshot, log};

/// Looks at all tables. Data files that are lost are given up where the folder is adopted with what is missing.
///
/// # Errors
/// A log is damaged, or a data file is lost.
pub(super) async fn check(
    root: &Place,
    state_dir: &Path,
    opening: Opening,
    now: Timestamp,
) -> Result<(), StateError> {
    let silvers = root.join(folder::SILVER).folders().await?;
    let silvers = silvers.into_iter().map(|name| format!("{}/{name}", folder::SILVER));
    for name in [folder::BRONZE, folder::DEAD_LETTER].map(str::to_owned).into_iter().chain(silvers) {
        let place = root.join(&name);
        verify(&place).await?;
        let Some(snapshot) = Snapshot::load(&place).await? else { continue };
        let at = state_dir.join(&name);
        let lost = snapshot.removals(|add| !at.join(&add.path).exists())?;
        let (Some(first), files) = (lost.first().map(|remove| remove.path.clone()), lost.len()) else {
            continue;
        };
        if !matches!(opening, Opening::AdoptReplay | Opening::AdoptSkip) {
            return Err(StateError::Lost { folder: at, files, first });
        }
        error!(table = name, files, "data files are lost, and given up");
        let mut actions: Vec<Action> = lost.into_iter().map(Action::Remove).collect();
        actions.push(log::commit_info("ADOPT", json!({ "lostFiles": files }), now));
        LocalTable::open(&place, &snapshot)?.commit(&actions).await?;
    }
    Ok(())
}
