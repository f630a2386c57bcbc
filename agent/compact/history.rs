//! Which objects a fleet table has consumed: each commit says it in its `commitInfo`.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

use super::plan::Listed;
use crate::store::Place;
use crate::sync::landing::{ObjectName, Seq, StreamId};
use crate::table::{TableError, TableVersion, log};

/// What a commit consumed.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Consumed {
    /// By stream.
    pub streams: Vec<StreamObjects>,
}

/// What a commit consumed of one stream.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct StreamObjects {
    /// The host, as the landing prefix names it.
    pub host: String,
    /// The id of the host's Silver table.
    pub table_id: String,
    /// Objects whose rows the commit adds.
    pub folded: Vec<ObjectId>,
    /// Objects that are in quarantine.
    pub quarantined: Vec<ObjectId>,
}

/// An object of a stream: its number, its part, its digest.
pub(super) type ObjectId = (Seq, u32, String);

/// The id of an object within its stream.
pub(super) fn id(name: &ObjectName) -> ObjectId {
    (name.seq, name.part, name.digest.clone())
}

/// Those of `objects`, which the cursors have passed, that commits up to `version` say they consumed.
///
/// Reads back only as far as the log tells of the numbers asked for.
///
/// # Errors
/// The store failed, or the log is damaged.
pub(super) async fn consumed(
    place: &Place,
    version: TableVersion,
    objects: &[&Listed],
) -> Result<HashSet<ObjectName>, TableError> {
    let mut wanted: HashMap<(String, String), Vec<&ObjectName>> = HashMap::new();
    for object in objects {
        let StreamId { host, table_id, .. } = object.name.stream.clone();
        wanted.entry((host, table_id)).or_default().push(&object.name);
    }
    let mut found = HashSet::new();
    let mut version = Some(version);
    while let (false, Some(at)) = (wanted.is_empty(), version) {
        let Some(entry) = log::read(place, at).await? else { break };
        let consumed: Consumed = serde_json::from_value(entry.info).unwrap_or_default();
        for StreamObjects { host, table_id, folded, quarantined } in consumed.streams {
            let key = (host, table_id);
            let Some(names) = wanted.get_mut(&key) else { continue };
            let told: HashSet<&ObjectId> = folded.iter().chain(&quarantined).collect();
            let Some(first) = told.iter().map(|(seq, _, _)| *seq).min() else { continue };
            found.extend(names.iter().filter(|name| told.contains(&id(name))).map(|name| (*name).clone()));
            // A number is consumed by one commit, and commits consume in order.
            names.retain(|name| name.seq < first);
            if names.is_empty() {
                wanted.remove(&key);
            }
        }
        version = at.0.checked_sub(1).map(TableVersion);
    }
    Ok(found)
}
