//! Whether a local table's log is whole, before anything is built on it.
//!
//! An entry is durable before it has its name, so that no crash tears one. A disk can, and so can a careless copy; an
//! entry that reads as empty would set the cursors back without a word.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

use serde::Deserialize;
use serde::de::IgnoredAny;
use tracing::warn;

use super::log::{POINTER, Pointer, checkpoint_name, entry_name, list, parse, pointer};
use super::{Snapshot, TableError, TableVersion, datafile};
use crate::store::Place;

/// What a log can do without: the checkpoints, and the pointer to one, that are damaged although all that they tell is
/// there without them.
#[must_use]
#[derive(Debug, Default)]
pub struct Needless {
    names: Vec<String>,
}

impl Needless {
    /// Deletes it from the table at `place`.
    ///
    /// # Errors
    /// The store failed.
    pub async fn drop_from(self, place: &Place) -> Result<(), TableError> {
        for name in self.names {
            warn!(table = %place.url(), name, "damaged, or pointing at nothing; all that it told is there without it");
            place.delete(&name).await?;
        }
        Ok(())
    }
}

/// Looks at every entry that the log holds, at its checkpoints, and at the pointer to the last of them. Writes nothing.
///
/// Of what is older than the last whole checkpoint entries may be missing: clean-up takes them.
///
/// # Errors
/// The store failed, or [`TableError::Damaged`].
pub async fn verify(place: &Place) -> Result<Needless, TableError> {
    let (entries, checkpoints) = list(place).await?;
    let mut needless = Needless::default();
    let (mut base, mut damage) = (None, None);
    for version in checkpoints.iter().copied().rev() {
        let bytes = place.get(&checkpoint_name(version)).await?.unwrap_or_default();
        let Err(error) = datafile::decode(bytes) else {
            base = Some(version);
            break;
        };
        damage.get_or_insert((version, error.to_string()));
        needless.names.push(checkpoint_name(version));
    }
    verify_entries(place, &entries, base.unwrap_or_default()).await?;
    let pointer = pointer(place).await?;
    if pointer != Pointer::Absent && base.map(Pointer::At) != Some(pointer) {
        needless.names.push(POINTER.to_owned());
    }
    let Some(newest) = entries.last().max(checkpoints.last()).copied() else { return Ok(needless) };
    // The entry of a checkpoint's version is kept beside it.
    let (whole_since, start) = (whole_since(&entries), base.unwrap_or_default());
    let missing = match entries.last() {
        Some(_) if whole_since > start => TableVersion(whole_since.0.saturating_sub(1)),
        last if last != Some(&newest) => newest,
        _ => return Ok(needless),
    };
    let pointed = match pointer {
        Pointer::At(version) if !checkpoints.contains(&version) => {
            Some((version, "it is missing".to_owned()))
        }
        _ => None,
    };
    Err(match damage.or(pointed) {
        Some((version, reason)) => TableError::damaged(place, version, "the checkpoint", reason),
        None => TableError::missing(place, missing),
    })
}

/// Looks at entries; takes those from `start` on apart, and only looks whether the others, which may be many, are whole.
async fn verify_entries(
    place: &Place,
    entries: &[TableVersion],
    start: TableVersion,
) -> Result<(), TableError> {
    let mut seen = HashMap::new();
    for version in entries.iter().copied() {
        let bytes = place.get(&entry_name(version)).await?.unwrap_or_default();
        let wrong = |reason: String| TableError::damaged(place, version, "the log entry", reason);
        if !is_ended(&bytes).map_err(|error| wrong(error.to_string()))? {
            return Err(wrong("it is cut short".to_owned()));
        }
        if version >= start {
            parse(place, version, &bytes).map_err(|error| wrong(error.to_string()))?;
        }
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(&bytes);
        let Some(before) = seen.insert(hash, version) else { continue };
        if place.get(&entry_name(before)).await?.as_ref() == Some(&bytes) {
            return Err(wrong(match before.next() == version {
                true => "it is the one before it again".to_owned(),
                false => format!("it is that of version {before} again"),
            }));
        }
    }
    Ok(())
}

/// Whether an entry of ours is there to its end: all are JSON, and one of them is what logsmith says of the commit.
fn is_ended(entry: &[u8]) -> serde_json::Result<bool> {
    #[derive(Deserialize)]
    struct Line {
        #[serde(rename = "commitInfo")]
        commit_info: Option<Info>,
    }
    #[derive(Deserialize)]
    struct Info {
        logsmith: Option<IgnoredAny>,
    }
    let mut is_told = false;
    for line in entry.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let line: Line = serde_json::from_slice(line)?;
        is_told |= line.commit_info.is_some_and(|info| info.logsmith.is_some());
    }
    Ok(is_told && entry.ends_with(b"\n"))
}

/// The oldest version from which on a log that holds the entries `entries`, ascending, has all of them.
pub fn whole_since(entries: &[TableVersion]) -> TableVersion {
    let pairs = entries.iter().zip(entries.iter().skip(1)).rev();
    let hole = pairs.map(|(before, after)| (*before, *after)).find(|(before, after)| before.next() != *after);
    hole.map(|(_, after)| after).or(entries.first().copied()).unwrap_or_default()
}

/// The newest version of a table whose log is whole.
///
/// # Errors
/// The store failed, or the log is damaged in a way that only its reader notices.
pub async fn snapshot(place: &Place) -> Result<Option<Snapshot>, TableError> {
    match Snapshot::load(place).await {
        Err(TableError::Delta { source, .. }) => {
            let newest = list(place).await?.0.last().copied().unwrap_or_default();
            Err(TableError::damaged(place, newest, "the snapshot", source.to_string()))
        }
        loaded => loaded,
    }
}
