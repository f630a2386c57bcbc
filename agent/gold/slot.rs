//! Where the state of a view lies: in one of two folders, so that a changed view is counted anew beside what is shown
//! until it is complete.
//!
//! A state that is of the view's definition is gone on with. A new one is begun in the folder whose state Gold does not
//! show. Once Gold shows the new one, the other is emptied, and holds nothing back any more.

use std::collections::HashSet;

use deltalake::kernel::Action;
use serde_json::json;

use super::write::STATE_PROPERTY;
use super::{GOLD, GoldError, STATE, VIEW_PROPERTY};
use crate::clock::Timestamp;
use crate::store::Place;
use crate::table::{Commit, Cursor, Snapshot, TableError, log};

/// What the name of the second folder ends with; no view has such a name.
const SECOND: &str = "@2";

/// A folder for a state, and the state that is there.
#[derive(Debug)]
pub(super) struct Slot {
    pub place: Place,
    pub state: Option<Snapshot>,
}

/// The two folders of a view.
#[derive(Debug)]
pub(super) struct Slots {
    /// The one for its present definition.
    pub own: Slot,
    other: Slot,
}

impl Slots {
    /// Finds the folder for the definition with this fingerprint.
    ///
    /// # Errors
    /// A table failed.
    pub async fn find(lake: &Place, view: &str, fingerprint: &str) -> Result<Self, GoldError> {
        let states = lake.join(STATE);
        let folders: HashSet<String> = states.folders().await?.into_iter().collect();
        let slot = async |name: String| -> Result<Slot, TableError> {
            let place = states.join(&name);
            let state = if folders.contains(&name) { Snapshot::load(&place).await? } else { None };
            Ok(Slot { place, state })
        };
        let (first, second) = (slot(view.to_owned()).await?, slot(format!("{view}{SECOND}")).await?);
        if first.is_of(fingerprint).await? || first.state.is_none() && second.state.is_none() {
            return Ok(Self { own: first, other: second });
        }
        if second.is_of(fingerprint).await? {
            return Ok(Self { own: second, other: first });
        }
        let shown = match Snapshot::load(&lake.join(GOLD).join(view)).await? {
            Some(gold) => gold.properties()?.remove(STATE_PROPERTY),
            None => None,
        };
        Ok(match first.id()? {
            Some(id) if Some(&id) == shown.as_ref() => Self { own: second, other: first },
            _ => Self { own: first, other: second },
        })
    }

    /// A state that counts something, of whatever definition it is.
    ///
    /// # Errors
    /// A table failed.
    pub async fn counting(lake: &Place, view: &str) -> Result<Option<Snapshot>, GoldError> {
        let Self { own, other } = Self::find(lake, view, "").await?;
        for state in [own.state, other.state].into_iter().flatten() {
            if !is_retired(&state).await? {
                return Ok(Some(state));
            }
        }
        Ok(None)
    }

    /// Empties the other folder: what was in it is shown no more.
    ///
    /// # Errors
    /// A table failed.
    pub async fn retire_other(&self, now: Timestamp) -> Result<(), TableError> {
        let Some(state) = &self.other.state else { return Ok(()) };
        if is_retired(state).await? {
            return Ok(());
        }
        let removed = state.removals(|_| true)?.into_iter().map(Action::Remove);
        let told = [Cursor::Retired.at(1), log::commit_info("DELETE", json!({}), now)];
        let actions: Vec<Action> = removed.chain(told).collect();
        // Where another job committed, it deals with this, or the next run does.
        match log::append(&self.other.place, state.version().next(), &actions).await? {
            Commit::Done(_) | Commit::Conflict => Ok(()),
        }
    }
}

impl Slot {
    async fn is_of(&self, fingerprint: &str) -> Result<bool, TableError> {
        let Some(state) = &self.state else { return Ok(false) };
        let is_same = state.properties()?.get(VIEW_PROPERTY).is_some_and(|of| of == fingerprint);
        Ok(is_same && !is_retired(state).await?)
    }

    fn id(&self) -> Result<Option<String>, TableError> {
        self.state.as_ref().map(Snapshot::id).transpose()
    }
}

/// Whether a state was emptied, because another one took its place.
///
/// # Errors
/// A table failed.
pub async fn is_retired(state: &Snapshot) -> Result<bool, TableError> {
    Ok(state.cursor(&Cursor::Retired).await?.is_some_and(|value| value != 0))
}
