//! Which objects a fleet table has consumed: each commit says it in its `commitInfo`.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

use crate::store::Place;
use crate::sync::landing::{ObjectName, Seq, StreamId};
use crate::table::{TableError, TableVersion, log};

/// What a commit consumed.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Consumed {
    /// By stream.
    pub streams: Vec<StreamObjects>,
    /// Objects out of quarantine whose rows the commit adds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requeued: Vec<Requeued>,
}

/// An object that was folded out of quarantine.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Requeued {
    host: String,
    table_id: String,
    object: ObjectId,
}

impl Requeued {
    /// What a commit says of the object `name`.
    pub fn of(name: &ObjectName) -> Self {
        let StreamId { host, table_id, .. } = name.stream.clone();
        Self { host, table_id, object: id(name) }
    }
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

impl StreamObjects {
    /// None yet.
    pub fn none(stream: &StreamId) -> Self {
        let StreamId { host, table_id, .. } = stream.clone();
        Self { host, table_id, folded: Vec::new(), quarantined: Vec::new() }
    }
}

/// An object of a stream: its number, its part, its digest.
pub(super) type ObjectId = (Seq, u32, String);

/// The id of an object within its stream.
pub(super) fn id(name: &ObjectName) -> ObjectId {
    (name.seq, name.part, name.digest.clone())
}

/// What the log tells of objects that the cursors have passed.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// Those whose rows are in the table.
    pub folded: HashSet<ObjectName>,
    /// Those that are in quarantine.
    pub quarantined: HashSet<ObjectName>,
    /// Those for whose number any object was consumed.
    pub told: HashSet<ObjectName>,
}

/// What commits up to `version` say of `objects`, which the cursors have passed.
///
/// Reads back only as far as the log tells of the numbers asked for.
///
/// # Errors
/// The store failed, or the log is damaged.
pub(super) async fn consumed(
    place: &Place,
    version: TableVersion,
    objects: impl IntoIterator<Item = &ObjectName>,
) -> Result<Known, TableError> {
    let mut wanted: HashMap<(String, String), Vec<&ObjectName>> = HashMap::new();
    for name in objects {
        let StreamId { host, table_id, .. } = name.stream.clone();
        wanted.entry((host, table_id)).or_default().push(name);
    }
    let mut known = Known::default();
    let mut version = Some(version);
    while let (false, Some(at)) = (wanted.is_empty(), version) {
        let Some(entry) = log::read(place, at).await? else { break };
        let consumed: Consumed = serde_json::from_value(entry.info).unwrap_or_default();
        for Requeued { host, table_id, object } in consumed.requeued {
            let names = wanted.get(&(host, table_id)).into_iter().flatten();
            known.folded.extend(names.filter(|name| id(name) == object).map(|name| (*name).clone()));
        }
        for StreamObjects { host, table_id, folded, quarantined } in consumed.streams {
            let key = (host, table_id);
            let Some(names) = wanted.get_mut(&key) else { continue };
            let Some(first) = folded.iter().chain(&quarantined).map(|(seq, _, _)| *seq).min() else {
                continue;
            };
            let [folded, quarantined] = [folded, quarantined].map(HashSet::<ObjectId>::from_iter);
            let numbers: HashSet<Seq> = folded.iter().chain(&quarantined).map(|(seq, _, _)| *seq).collect();
            for name in names.iter().copied() {
                if numbers.contains(&name.seq) {
                    known.told.insert(name.clone());
                }
                if folded.contains(&id(name)) {
                    known.folded.insert(name.clone());
                } else if quarantined.contains(&id(name)) {
                    known.quarantined.insert(name.clone());
                }
            }
            // A number is consumed by one commit, and commits consume in order.
            names.retain(|name| name.seq < first);
            if names.is_empty() {
                wanted.remove(&key);
            }
        }
        version = at.0.checked_sub(1).map(TableVersion);
    }
    Ok(known)
}
