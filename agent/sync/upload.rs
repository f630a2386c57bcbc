//! Putting what Silver committed into the landing.
//!
//! Order: the objects of a version are put first, the cursor moves after. A crash in between repeats a put,
//! which changes nothing: names and bytes are settled in the Silver commit, and a put is create-only.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::json;
use tracing::{error, info, warn};

use super::landing::{DEAD_LETTER, ObjectName, StreamId};
use super::pace::Pace;
use crate::backoff::Backoff;
use crate::clock::{Clock, Timestamp};
use crate::failpoint::{self, Failpoint};
use crate::pulse;
use crate::shutdown::Shutdown;
use crate::silver::generation::Unit;
use crate::silver::{Object, Verdict};
use crate::store::{Place, Put};
use crate::table::cursor::IDLE_VERSIONS_MAX;
use crate::table::{Cursor, Digest, Entry, LocalTable, TableError, TableVersion, datafile, log};

/// One Silver table on its way to the landing.
#[derive(Debug)]
pub struct Sync {
    /// The fleet table.
    pub name: String,
    /// The host, as the landing prefix names it.
    pub host: String,
    /// The local Silver table.
    pub silver: Arc<LocalTable>,
    /// Where dead letters' files lie.
    pub dead_letters: Place,
    /// The central store.
    pub central: Place,
    /// The last version whose objects were all put.
    pub cursor: TableVersion,
    /// What was put so far.
    pub puts: Puts,
    /// How fast, all tables together.
    pub pace: Pace,
}

/// What is put, counted for whoever watches. Clones are of one sum.
#[derive(Clone, Debug, Default)]
pub struct Puts(Arc<Mutex<PutCounts>>);

/// What was put since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PutCounts {
    /// Objects, those among them that were there already.
    pub objects: u64,
    /// What they take.
    pub bytes: u64,
    /// Attempts that failed.
    pub failures: u64,
    /// When the version was made whose objects are tried now; none if nothing waits.
    pub waiting_since: Option<Timestamp>,
}

impl Puts {
    /// What was put up to now.
    pub fn so_far(&self) -> PutCounts {
        *self.lock()
    }

    fn lock(&self) -> MutexGuard<'_, PutCounts> {
        // Plain sums: no panic can leave them half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How putting ended.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Synced {
    /// Everything up to this version is in the landing.
    UpTo(TableVersion),
    /// Shutdown came first; the rest is put after the next start.
    Stopped,
}

/// Puts the objects of all versions after the cursor, trying until it is done or `shutdown` ends the waiting.
///
/// # Errors
/// The local table failed; a failing central store is waited for instead. What comes before a damaged data file is put all
/// the same.
pub async fn sync(
    state: &mut Sync,
    clock: &dyn Clock,
    shutdown: &mut Shutdown,
) -> Result<Synced, TableError> {
    let newest = state.silver.version();
    let (mut put, mut upto) = (0_usize, state.cursor);
    let ended = put_after(state, newest, &mut put, &mut upto, shutdown).await;
    if matches!(ended, Ok(Attempt::Stopped)) {
        return Ok(Synced::Stopped);
    }
    if ended.is_ok() {
        state.puts.lock().waiting_since = None;
    }
    if put > 0 || upto.0 - state.cursor.0 >= IDLE_VERSIONS_MAX {
        let info = log::commit_info("SYNC", json!({ "objects": put }), clock.now());
        let committed = state.silver.commit(&[Cursor::Sync.at(upto.as_cursor()), info]).await?;
        // Our own commit holds nothing to put; but a verdict may have come in between.
        state.cursor = if committed == upto.next() { committed } else { upto };
    }
    ended.map(|_| Synced::UpTo(newest))
}

/// Puts the objects of the versions after the cursor up to `newest`; counts them in `put`, and notes in `upto` up to where
/// all are put.
async fn put_after(
    state: &Sync,
    newest: TableVersion,
    put: &mut usize,
    upto: &mut TableVersion,
    shutdown: &mut Shutdown,
) -> Result<Attempt, TableError> {
    while *upto < newest {
        let version = upto.next();
        let place = state.silver.place();
        let entry = log::read_local(place, version).await?;
        for (local, name, object) in objects(state, &entry)? {
            state.puts.lock().waiting_since = entry.time;
            if put_one(state, &local, &name, &object, shutdown).await? == Attempt::Stopped {
                return Ok(Attempt::Stopped);
            }
            *put += 1;
        }
        *upto = version;
    }
    Ok(Attempt::Put)
}

/// The objects of one Silver version: where the file lies, the object's name, and what the verdict says of it.
fn objects(state: &Sync, entry: &Entry) -> Result<Vec<(Place, ObjectName, Object)>, TableError> {
    let Some(verdict) = Verdict::of(state.silver.place(), entry)? else { return Ok(Vec::new()) };
    let name = |table: &str, object: &Object| ObjectName {
        stream: StreamId {
            table: table.to_owned(),
            host: state.host.clone(),
            table_id: state.silver.id().to_owned(),
        },
        seq: object.seq,
        part: 1,
        digest: object.digest.to_string(),
    };
    // Dead letters first: whoever counts rows centrally then never sees rows without their rejects.
    let of_unit = |unit: Unit| {
        let dead = unit.dead_letters.map(|dead| dead.object);
        let dead = dead.map(|dead| (state.dead_letters.clone(), name(DEAD_LETTER, &dead), dead));
        let rows = unit.rows.map(|rows| (state.silver.place().clone(), name(&state.name, &rows), rows));
        dead.into_iter().chain(rows)
    };
    Ok(verdict.into_units().into_iter().flat_map(of_unit).collect())
}

#[derive(PartialEq)]
enum Attempt {
    Put,
    Stopped,
}

async fn put_one(
    state: &Sync,
    local: &Place,
    name: &ObjectName,
    object: &Object,
    shutdown: &mut Shutdown,
) -> Result<Attempt, TableError> {
    let damaged = |reason: &dyn std::fmt::Display| TableError::damaged_file(local, &object.path, reason);
    let bytes = match local.get(&object.path).await.map_err(|error| damaged(&error))? {
        Some(bytes) if Digest::of(&bytes) == object.digest => bytes,
        // Under a name that promises other bytes they would be refused for good.
        Some(_) => return Err(damaged(&"its bytes are not those that were committed")),
        None if name.stream.table == DEAD_LETTER => {
            // Their table was lost and adopted anew. The gap in the stream tells central.
            error!(seq = object.seq.0, file = object.path, "dead letters are lost, and cannot be put");
            return Ok(Attempt::Put);
        }
        None if datafile::is_given_up(local, &object.path).await? => {
            error!(seq = object.seq.0, file = object.path, "rows were given up, and cannot be put");
            return Ok(Attempt::Put);
        }
        None => {
            return Err(damaged(&"it is missing"));
        }
    };
    tokio::task::block_in_place(|| failpoint::reached(Failpoint::Put));
    let mut backoff = Backoff::new();
    let mut failed = false;
    loop {
        let name_in_landing = name.to_string();
        let put = async {
            state.pace.turn(bytes.len()).await;
            state.central.put_new(&name_in_landing, bytes.clone()).await
        };
        let attempt = tokio::select! {
            attempt = pulse::resting(put) => attempt,
            () = shutdown.drain_expired() => return Ok(Attempt::Stopped),
        };
        match attempt {
            // The digest is part of the name: what is there already is the same object.
            Ok(Put::Created | Put::AlreadyExists) => {
                if failed {
                    info!(table = state.name, seq = object.seq.0, "central store is back");
                }
                let mut puts = state.puts.lock();
                puts.objects += 1;
                puts.bytes += bytes.len() as u64;
                return Ok(Attempt::Put);
            }
            Err(error) if !failed => {
                warn!(table = state.name, seq = object.seq.0, %error, "cannot put to the central store, trying on");
                failed = true;
            }
            Err(_) => {}
        }
        state.puts.lock().failures += 1;
        let delay = backoff.delay(&mut rand::rng());
        tokio::select! {
            () = pulse::resting(tokio::time::sleep(delay)) => {}
            () = shutdown.drain_expired() => return Ok(Attempt::Stopped),
        }
    }
}
