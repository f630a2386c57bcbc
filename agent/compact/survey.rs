//! What the lake tells of each host, without reading rows: cursors, the `commitInfo` of recent commits, and the names of
//! what lies in the landing and in quarantine.
//!
//! The cost: one checkpoint and the entries after it for each fleet table, the entries of the time asked for, and
//! the two listings.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use futures::{StreamExt, TryStreamExt};

use super::history::{self, Consumed, StreamObjects};
use super::pass::name;
use super::plan::{Gap, Left, Listed, Planner, Position};
use super::quarantine::{QUARANTINE, REASON};
use super::volume::Volume;
use super::{CompactError, OBJECTS_MAX, SILVER};
use crate::clock::Timestamp;
use crate::config::Central;
use crate::store::{Found, Place};
use crate::sync::landing::{DEAD_LETTER, LANDING};
use crate::table::{Cursor, TableVersion, log};

/// How many log entries are fetched at once.
const FETCHES: usize = 16;

/// What the lake tells of a host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostReport {
    /// When its newest object arrived, by the store's clock; `None` if none did since the time asked for.
    pub seen: Option<Timestamp>,
    /// How long the newest line of its newest commit took from being read to arriving, in microseconds: what the host was behind
    /// then. By two clocks, the host's and the store's.
    pub lag_micros: Option<i64>,
    /// Rows folded since the time asked for, dead letters apart.
    pub rows: u64,
    /// The bytes of its objects folded since then, those of dead letters too.
    pub bytes: u64,
    /// Dead letters folded since then.
    pub rejects: u64,
    /// Objects in the landing that are not folded yet.
    pub waiting: u64,
    /// When the first of these arrived.
    pub waiting_since: Option<Timestamp>,
    /// What holds its streams.
    pub gaps: Vec<Gap>,
    /// Its objects in quarantine.
    pub quarantined: u64,
    /// The version of logsmith that made its newest object.
    pub agent: Option<String>,
    /// The plugins that made the rows of its newest commits, by table: `json 0.1.0`.
    pub plugins: BTreeMap<String, BTreeSet<String>>,
}

impl HostReport {
    /// Whether somebody should look at it: something holds it, or was refused.
    pub fn is_odd(&self) -> bool {
        !self.gaps.is_empty() || self.quarantined > 0
    }
}

/// What the lake tells of all hosts that ever put an object, by name; volumes are those since `since`.
///
/// # Errors
/// The store failed, or a log is damaged.
pub async fn survey(
    config: &Central,
    since: Timestamp,
) -> Result<BTreeMap<String, HostReport>, CompactError> {
    let mut hosts = BTreeMap::new();
    let lake = &config.place;
    let mut tables: BTreeSet<String> = lake.join(SILVER).folders().await?.into_iter().collect();
    tables.extend(lake.join(LANDING).all_folders().await?.0);
    for table in tables {
        let place = lake.join(SILVER).join(&table);
        let (entries, checkpoints) = log::recent(&place).await?;
        let newest = entries.into_iter().chain(checkpoints).max();
        let cursors = match newest {
            Some(newest) => {
                folded(&place, &table, newest, since, &mut hosts).await?;
                log::cursors(&place, newest).await?
            }
            None => HashMap::new(),
        };
        for host in cursors.keys().filter_map(|id| Cursor::stream_host(id)) {
            hosts.entry(host.to_owned()).or_default();
        }
        waiting(lake, &table, &cursors, &mut hosts).await?;
    }
    quarantined(lake, &mut hosts).await?;
    Ok(hosts)
}

/// Adds what commits since `since` say that they folded.
async fn folded(
    place: &Place,
    table: &str,
    newest: TableVersion,
    since: Timestamp,
    hosts: &mut BTreeMap<String, HostReport>,
) -> Result<(), CompactError> {
    let first = history::first_since(place, newest, since).await?;
    let entries = futures::stream::iter((first.0..=newest.0).map(TableVersion));
    let mut entries = entries.map(|version| log::read(place, version)).buffered(FETCHES);
    while let Some(entry) = entries.try_next().await? {
        let Some(entry) = entry.filter(|entry| entry.time.is_none_or(|time| time >= since)) else { continue };
        let Consumed { streams, made, .. } = serde_json::from_value(entry.info).unwrap_or_default();
        for StreamObjects { host, volume, .. } in streams {
            let host = hosts.entry(host).or_default();
            let Volume { rows, bytes, arrived, ingested, agent } = volume;
            match table {
                DEAD_LETTER => host.rejects += rows,
                _ => host.rows += rows,
            }
            host.bytes += bytes;
            let arrived = arrived.map(Timestamp::from_micros);
            if arrived >= host.seen {
                host.seen = arrived;
                host.lag_micros = arrived
                    .zip(ingested)
                    .map(|(arrived, ingested)| arrived.micros().saturating_sub(ingested).max(0))
                    .or(host.lag_micros);
                host.agent = agent.or(host.agent.take());
            }
        }
        let mut plugins: HashMap<&str, BTreeSet<String>> = HashMap::new();
        for made in &made {
            let names = made.plugins.iter().map(|plugin| format!("{} {}", plugin.name, plugin.version));
            plugins.entry(&made.host).or_default().extend(names);
        }
        for (host, plugins) in plugins {
            hosts.entry(host.to_owned()).or_default().plugins.insert(table.to_owned(), plugins);
        }
    }
    Ok(())
}

/// Adds what waits in the landing of a table.
async fn waiting(
    lake: &Place,
    table: &str,
    cursors: &HashMap<String, i64>,
    hosts: &mut BTreeMap<String, HostReport>,
) -> Result<(), CompactError> {
    let mut listing = lake.join(LANDING).join(table).list_all(1);
    let mut planner = Planner::new(cursors, OBJECTS_MAX);
    let mut gaps = Vec::new();
    while let Some(found) = listing.try_next().await? {
        // Of all other names `compact` tells.
        let Found::Object(object) = found else { continue };
        let Ok(name) = name(lake, &object.location) else { continue };
        if name.seq <= Position::read(&name.stream, cursors).seq {
            continue;
        }
        let listed = Listed::new(name, object);
        let host = hosts.entry(listed.name.stream.host.clone()).or_default();
        let arrived = Timestamp::from_micros(listed.arrived);
        host.waiting += 1;
        host.waiting_since = Some(host.waiting_since.map_or(arrived, |since| since.min(arrived)));
        host.seen = host.seen.max(Some(arrived));
        if planner.note(listed.clone()) == Left::More {
            gaps.extend(planner.finish(Left::Nothing).streams);
            planner = Planner::new(cursors, OBJECTS_MAX);
            let _ = planner.note(listed);
        }
    }
    gaps.extend(planner.finish(Left::Nothing).streams);
    for stream in gaps {
        hosts.entry(stream.stream.host).or_default().gaps.extend(stream.gap);
    }
    Ok(())
}

/// Adds what lies in quarantine.
async fn quarantined(lake: &Place, hosts: &mut BTreeMap<String, HostReport>) -> Result<(), CompactError> {
    let quarantine = lake.join(QUARANTINE);
    let mut listing = quarantine.list_all(2);
    while let Some(found) = listing.try_next().await? {
        let Found::Object(object) = found else { continue };
        let mut below = object.location.prefix_match(quarantine.path()).into_iter().flatten();
        let (_, Some(host), Some(_)) = (below.next(), below.next(), below.next()) else { continue };
        if !object.location.as_ref().ends_with(REASON) {
            hosts.entry(host.as_ref().to_owned()).or_default().quarantined += 1;
        }
    }
    Ok(())
}
