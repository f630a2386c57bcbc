//! Which objects a fleet table has consumed: each commit says it in its `commitInfo`.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::replace::Replacement;
use super::volume::Volume;
use crate::clock::Timestamp;
use crate::store::Place;
use crate::sync::landing::{ObjectName, Replaced, Seq, StreamId};
use crate::table::{Entry, Snapshot, TableError, TableVersion, log};
use crate::transform::Fingerprint;

/// What a commit consumed.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Consumed {
    /// By stream.
    pub streams: Vec<StreamObjects>,
    /// Objects out of quarantine whose rows the commit adds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requeued: Vec<Requeued>,
    /// Which plugins made the rows that it adds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub made: Vec<Made>,
    /// Objects whose rows leave the table, because rows that the commit adds replace them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replaced: Vec<ReplacedObjects>,
    /// The files, among those that it adds, that hold what is left of others: their rows are not new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<Vec<String>>,
}

/// The files that a commit of fleet Silver adds for what it took out of others, given what it says of itself; `None` if
/// it took no rows out of the table.
pub fn kept(info: &serde_json::Value) -> Option<Vec<String>> {
    Consumed::deserialize(info).ok()?.kept
}

/// Objects of a stream whose rows an object of it has replaced.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ReplacedObjects {
    host: String,
    table_id: String,
    /// The number of the object that replaces them.
    by: Seq,
    replaced: Replaced,
}

impl ReplacedObjects {
    /// What a commit says of `replacement`.
    pub fn of(replacement: Replacement) -> Self {
        let Replacement { name, replaced } = replacement;
        let StreamId { host, table_id, .. } = name.stream;
        Self { host, table_id, by: name.seq, replaced }
    }
}

/// Which plugins made the rows of some objects of a stream.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Made {
    /// The host, as the landing prefix names it.
    pub host: String,
    table_id: String,
    /// The number of the first of the objects.
    first: Seq,
    /// And of the last.
    last: Seq,
    /// The plugins, in the order of the pipeline.
    pub plugins: Vec<Fingerprint>,
}

/// What a commit says of plugins has a bound, whatever hosts say: so many entries, of so many plugins each, whose names
/// and versions have so many bytes. What is more is not told.
const MADE_MAX: usize = 512;
const PLUGINS_MAX: usize = 16;
const NAME_BYTES_MAX: usize = 200;

/// Takes down that these plugins, as a footer names them, made the rows of the object `name`.
pub(super) fn note(made: &mut Vec<Made>, name: &ObjectName, plugins: &[Value]) {
    let is_short = |plugin: &Fingerprint| plugin.name.len().max(plugin.version.len()) <= NAME_BYTES_MAX;
    let plugins = plugins.iter().take(PLUGINS_MAX).filter_map(|it| Fingerprint::deserialize(it).ok());
    let plugins: Vec<Fingerprint> = plugins.filter(is_short).collect();
    let ObjectName { stream: StreamId { host, table_id, .. }, seq, .. } = name;
    let entries = made.len();
    let before = made.iter_mut().rev().find(|made| made.host == *host && made.table_id == *table_id);
    match before {
        Some(made) if made.plugins == plugins && (made.last == *seq || made.last.next() == *seq) => {
            made.last = *seq;
        }
        _ if entries < MADE_MAX => {
            let (host, table_id) = (host.clone(), table_id.clone());
            made.push(Made { host, table_id, first: *seq, last: *seq, plugins });
        }
        _ => {}
    }
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
    /// How much was folded; nothing where a commit of an earlier version does not tell.
    #[serde(default)]
    pub volume: Volume,
}

impl StreamObjects {
    /// None yet.
    pub fn none(stream: &StreamId) -> Self {
        let StreamId { host, table_id, .. } = stream.clone();
        Self { host, table_id, folded: Vec::new(), quarantined: Vec::new(), volume: Volume::default() }
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
    /// Those whose rows were replaced, with the number of the object that did it.
    pub replaced: HashMap<ObjectName, Seq>,
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
        for ReplacedObjects { host, table_id, by, replaced } in consumed.replaced {
            let names = wanted.get(&(host, table_id)).into_iter().flatten();
            let names = names.filter(|name| replaced.has(name.seq));
            known.replaced.extend(names.map(|name| ((*name).clone(), by)));
        }
        for Requeued { host, table_id, object } in consumed.requeued {
            let names = wanted.get(&(host, table_id)).into_iter().flatten();
            known.folded.extend(names.filter(|name| id(name) == object).map(|name| (*name).clone()));
        }
        for StreamObjects { host, table_id, folded, quarantined, .. } in consumed.streams {
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

/// The object that brought a row into fleet Silver.
#[derive(Debug)]
pub struct Origin {
    /// Its name in the landing, where it is no more.
    pub object: ObjectName,
    /// The commit that folded it.
    pub version: TableVersion,
    /// When that was made.
    pub time: Option<Timestamp>,
    /// The plugins that made its rows; empty where the commit does not tell.
    pub plugins: Vec<Fingerprint>,
}

/// The clocks of a host and of the central job may differ by this.
const CLOCKS_DIFFER_MAX: Duration = Duration::from_secs(24 * 3_600);

/// The object with the number `seq` of a host, in the log of the fleet table `table` at `place`. `processed_at` tells streams of
/// the host apart, which begin their numbers anew: the object was folded after it.
///
/// Reads the log from about then on, and what is before only if nothing is found there.
///
/// # Errors
/// The store failed, or the log is damaged.
pub async fn origin(
    place: &Place,
    table: &str,
    host: &str,
    seq: Seq,
    processed_at: Timestamp,
) -> Result<Option<Origin>, TableError> {
    let Some(snapshot) = Snapshot::load(place).await? else { return Ok(None) };
    let newest = snapshot.version();
    let margin = CLOCKS_DIFFER_MAX.as_micros() as i64;
    let start = first_since(place, newest, Timestamp::from_micros(processed_at.micros() - margin)).await?;
    let mut earlier = None;
    for version in (start.0..=newest.0).map(TableVersion) {
        let Some(entry) = log::read(place, version).await? else { continue };
        let time = entry.time;
        if let Some(origin) = in_entry(entry, table, host, seq) {
            if time.is_some_and(|time| time >= processed_at) {
                return Ok(Some(origin));
            }
            earlier = Some(origin);
        }
    }
    let mut before = start.0.checked_sub(1).map(TableVersion);
    while let (None, Some(version)) = (&earlier, before) {
        let Some(entry) = log::read(place, version).await? else { break };
        earlier = in_entry(entry, table, host, seq);
        before = version.0.checked_sub(1).map(TableVersion);
    }
    Ok(earlier)
}

/// The first version that was made at `time` or later, by halving; the oldest where entries are missing.
pub(super) async fn first_since(
    place: &Place,
    newest: TableVersion,
    time: Timestamp,
) -> Result<TableVersion, TableError> {
    let (mut low, mut high) = (0, newest.0);
    while low < high {
        let middle = low + (high - low) / 2;
        let entry = log::read(place, TableVersion(middle)).await?;
        match entry.is_none_or(|entry| entry.time.is_some_and(|made| made < time)) {
            true => low = middle + 1,
            false => high = middle,
        }
    }
    Ok(TableVersion(low))
}

fn in_entry(entry: Entry, table: &str, host: &str, seq: Seq) -> Option<Origin> {
    let Consumed { streams, requeued, made, .. } = serde_json::from_value(entry.info).ok()?;
    let folded = streams.into_iter().flat_map(|stream| {
        let StreamObjects { host, table_id, folded, .. } = stream;
        folded.into_iter().map(move |object| Requeued {
            host: host.clone(),
            table_id: table_id.clone(),
            object,
        })
    });
    let mut objects = folded.chain(requeued);
    let Requeued { host, table_id, object: (seq, part, digest) } =
        objects.find(|found| found.host == host && found.object.0 == seq)?;
    let is_of = |made: &Made| {
        made.host == host && made.table_id == table_id && (made.first..=made.last).contains(&seq)
    };
    let plugins = made.into_iter().find(is_of).map(|made| made.plugins).unwrap_or_default();
    let stream = StreamId { table: table.to_owned(), host, table_id };
    let object = ObjectName { stream, seq, part, digest };
    Some(Origin { object, version: entry.version, time: entry.time, plugins })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::transform::Sha256;

    fn name(seq: u64) -> ObjectName {
        let stream = StreamId { table: "app".into(), host: "h1".into(), table_id: "t".into() };
        ObjectName { stream, seq: Seq(seq), part: 1, digest: String::new() }
    }

    fn plugin(name: &str) -> Value {
        let hash = Sha256::of(name.as_bytes());
        json!({"name": name, "version": "1", "sha256": hash, "config_hash": hash})
    }

    #[test]
    fn plugins_are_told_once_until_others_follow() {
        let mut made = Vec::new();
        for seq in 1..=5 {
            note(&mut made, &name(seq), &[plugin(if seq < 4 { "a" } else { "b" })]);
        }
        let told: Vec<_> =
            made.iter().map(|made| (made.first.0, made.last.0, &*made.plugins[0].name)).collect();
        assert_eq!(told, [(1, 3, "a"), (4, 5, "b")]);
    }

    #[test]
    fn what_a_commit_says_of_plugins_has_a_bound_whatever_hosts_say() {
        let mut made = Vec::new();
        let long = plugin(&"n".repeat(10_000));
        note(&mut made, &name(1), &[long, json!("no plugin"), plugin("a")]);
        assert_eq!(made[0].plugins.len(), 1);
        note(&mut made, &name(2), &vec![plugin("b"); 1_000]);
        assert_eq!(made[1].plugins.len(), PLUGINS_MAX);
        for seq in 3..10_000 {
            note(&mut made, &name(seq), &[plugin(&seq.to_string())]);
        }
        assert_eq!(made.len(), MADE_MAX);
    }
}
