//! Opening the state folder: its lock, its seal, and all its tables, each checked against the others.
//!
//! Invariant: a folder whose tables do not count each other, or that was copied here, is refused before
//! anything is written to it, with the commands that settle it.

mod error;
mod retired;
mod whole;

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use rustix::fs::{Access, AtFlags, CWD, accessat};

pub use error::StateError;
pub use retired::replaced_name;

use crate::bronze::{self, Bronze, Restored};
use crate::clock::Timestamp;
use crate::config::Edge;
use crate::lock::{self, FolderLock, Locked};
use crate::seal::{self, Seal};
use crate::silver::columns::{dead_letter_columns, with_partition};
use crate::silver::open::{self, OpenError, Surroundings};
use crate::silver::unput::{Unput, unput};
use crate::silver::{DeadLetters, Ledger, Silver};
use crate::store::{self, Place, WhenFull};
use crate::sync::{Puts, Sync};
use crate::table::{Cursor, LocalTable, Snapshot, TableError, TableVersion, housekeeping, log, verify};

/// The folders below the state folder.
pub mod folder {
    /// Raw lines.
    pub const BRONZE: &str = "bronze";
    /// One table a pipeline.
    pub const SILVER: &str = "silver";
    /// What could not be transformed.
    pub const DEAD_LETTER: &str = "dead_letter";
    /// Compiled plugins.
    pub const CACHE: &str = "cache";
    /// Notes on pipelines that hold.
    pub const HELD: &str = "held";
    /// Notes on tables of which nothing is put.
    pub const UNPUT: &str = "unput";
    /// Notes on what a running agent did not take.
    pub const REFUSED: &str = "refused";
}

/// What to do where tables of the folder are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// Refuse.
    Strict,
    /// Take the folder as this machine's own. Where a table is missing: refuse.
    Adopt,
    /// Like `Adopt`; what a missing table was made of is read again, so that lines may arrive twice.
    AdoptReplay,
    /// Like `Adopt`; what a missing table was made of is passed over, so that lines may be missing.
    AdoptSkip,
}

/// A state folder, locked and open for writing.
#[derive(Debug)]
pub struct State {
    /// Held as long as the tables are used.
    pub lock: FolderLock,
    /// The Bronze table.
    pub bronze: Bronze,
    /// Where tailing stands.
    pub restored: Restored,
    /// The Silver tables, in the order of the pipelines.
    pub silvers: Vec<(Silver, Onward)>,
    /// The dead-letter table.
    pub dead_letters: Arc<DeadLetters>,
    /// Silver tables that no pipeline writes any more.
    pub retired: Vec<(Arc<LocalTable>, Onward)>,
    /// Whether what is made from here on goes to central as new streams.
    pub streams: Streams,
}

/// Under which numbers what is made from here on goes to central.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Streams {
    /// Under those that follow.
    GoOn,
    /// From 1 on, under new table ids: under the old ones other objects may be there already.
    BeginAnew,
}

/// How far what a Silver table holds has gone on from there.
#[derive(Debug)]
pub struct Onward {
    /// Up to where the dead-letter table has its dead letters.
    pub followed: TableVersion,
    /// Up to where it is in the landing.
    pub synced: TableVersion,
    /// Its way to the landing; none without a central store.
    pub sync: Option<Sync>,
}

/// Makes the state folder, if it is not there, and sees whether its disk takes what is written.
///
/// # Errors
/// It cannot be made or written to, or something else stands in its place.
pub fn make_folder(folder: &Path) -> Result<(), StateError> {
    let made = match folder.exists() && !folder.is_dir() {
        true => Err(io::Error::other("a file stands there; move it away, or name another `agent.state_dir`")),
        false => store::create_folders(folder),
    };
    let enter = Access::WRITE_OK | Access::EXEC_OK;
    let made = made.and_then(|()| Ok(accessat(CWD, folder, enter, AtFlags::EACCESS)?));
    let made = made.and_then(|()| store::probe(folder));
    made.map_err(|source| StateError::Folder { folder: folder.to_owned(), source })
}

/// Why the disk of the state folder takes nothing now, as far as can be seen without writing.
pub fn refusal(folder: &Path) -> Option<&'static str> {
    let tables = [folder::BRONZE, folder::SILVER, folder::DEAD_LETTER].map(|table| folder.join(table));
    std::iter::once(folder).chain(tables.iter().map(PathBuf::as_path)).find_map(store::refusal)
}

/// Locks and opens the state folder of `edge`, creating what a first start needs.
/// `written` are the columns that each pipeline's plugins write, in the order of the pipelines; `when_full` is for all that
/// is written to its tables from then on.
///
/// # Errors
/// See [`StateError`]; nothing was written where the folder does not fit.
pub async fn open(
    edge: &Edge,
    written: &[SchemaRef],
    opening: Opening,
    when_full: WhenFull,
    now: Timestamp,
) -> Result<State, StateError> {
    let folder = &edge.state_dir;
    let failed = |source| StateError::Folder { folder: folder.clone(), source };
    make_folder(folder)?;
    if lock::file(folder).is_dir() {
        return Err(StateError::Misplaced { path: lock::file(folder), is: "folder", due: "file" });
    }
    let lock = match FolderLock::acquire(folder).map_err(failed)? {
        Locked::Ours(lock) => lock,
        Locked::Taken => return Err(StateError::Taken(folder.clone())),
    };
    store::sync_folders(folder).map_err(failed)?;
    let root = Place::local_with(folder, when_full)?;
    let mut seal = Seal::of(folder, &edge.host).map_err(failed)?;
    seal::touch(folder, now).map_err(failed)?;

    whole::check(edge, &root, opening, now).await?;
    let (bronze_table, snapshot, restored) = open_bronze(&root, folder, &seal, opening, now).await?;
    let kept = restored.seal.as_ref();
    let streams = match opening {
        Opening::Strict => Streams::GoOn,
        Opening::Adopt => Streams::BeginAnew,
        // In its own place with something missing it counts on.
        Opening::AdoptReplay | Opening::AdoptSkip => {
            match kept.is_some_and(|kept| seal.differs(kept).is_none()) {
                true => Streams::GoOn,
                false => Streams::BeginAnew,
            }
        }
    };
    let versions = kept.map(|seal| seal.versions.clone()).unwrap_or_default();
    let known = restored.seal.clone().map(|seal| seal.tables).unwrap_or_default();
    let dead_letters = open_dead_letters(&root, folder, &known, opening, now).await?;
    let around = Surroundings {
        host: edge.host.clone(),
        bronze: Arc::clone(&bronze_table),
        dead_letters: Arc::clone(&dead_letters),
    };
    seal.tables = known;
    let mut silvers = Vec::new();
    for (pipeline, written) in edge.pipelines.iter().zip(written) {
        let name = format!("{}/{}", folder::SILVER, pipeline.name);
        let place = root.join(&name);
        let columns = open::columns(&place, written).map_err(StateError::Silver)?;
        let snapshot = retired::unless_changed(&place, &folder.join(&name), &columns).await?;
        let silver = match &snapshot {
            Some(snapshot) => {
                let is_known =
                    seal.tables.get(&name).is_some_and(|id| snapshot.id().is_ok_and(|own| own == *id));
                let was = versions.get(&name).copied().filter(|_| is_known).unwrap_or_default();
                let silver =
                    take_up(&place, snapshot, &pipeline.name, columns, &around, was, opening, folder, now)
                        .await?;
                let is_set_back = snapshot.version() < was;
                let begins = edge.central.is_some() && (streams == Streams::BeginAnew || is_set_back);
                match begins && silver.has_stream() {
                    true => {
                        retired::rename(&folder.join(&name))?;
                        open::succeed(&place, silver, &around, now).await.map_err(StateError::Silver)?
                    }
                    false => silver,
                }
            }
            None => {
                let start = match seal.tables.get(&name) {
                    None => oldest_whole(&bronze_table).await?,
                    Some(id) => {
                        let silver = root.join(folder::SILVER);
                        let bronze = bronze_table.id();
                        match retired::end_of_replaced(&silver, &pipeline.name, id, bronze).await? {
                            Some(end) => end,
                            None => start_of_missing(folder, &name, &bronze_table, opening).await?,
                        }
                    }
                };
                open::create(&place, &pipeline.name, columns, &around, start, now)
                    .await
                    .map_err(StateError::Silver)?
            }
        };
        seal.tables.insert(name.clone(), silver.table.id().to_owned());
        let onward = Onward::of(edge, &pipeline.name, &silver.table, &dead_letters, opening, now).await?;
        seal.versions.insert(name, silver.table.version());
        silvers.push((silver, onward));
    }
    // What a verdict names is copied to the dead-letter table before what nothing names is swept from it.
    let retired = retired::open(edge, &root, &dead_letters, opening, now).await?;
    seal.tables.insert(folder::BRONZE.to_owned(), bronze_table.id().to_owned());
    seal.tables.insert(folder::DEAD_LETTER.to_owned(), dead_letters.table().id().to_owned());
    let mut unput_dead = HashSet::new();
    let tables = silvers.iter().map(|(silver, onward)| (&silver.table, onward));
    for (table, onward) in tables.clone().chain(retired.iter().map(|(table, onward)| (table, onward))) {
        let unput = onward.unput(table).await?;
        unput_dead.extend(unput.dead_letters);
        if tables.clone().any(|(written, _)| Arc::ptr_eq(written, table)) {
            housekeeping::sweep(table.place(), &unput.rows).await?;
        }
    }
    housekeeping::sweep(dead_letters.table().place(), &unput_dead).await?;
    housekeeping::sweep(bronze_table.place(), &HashSet::new()).await?;
    let bronze = Bronze::open(bronze_table, &edge.host, snapshot.as_ref(), &restored, seal).await?;
    Ok(State { lock, bronze, restored, silvers, dead_letters, retired, streams })
}

impl Onward {
    /// Of the rows that go to the fleet table `name`. What a crash kept from the dead-letter table is copied there.
    async fn of(
        edge: &Edge,
        name: &str,
        table: &Arc<LocalTable>,
        dead_letters: &DeadLetters,
        opening: Opening,
        now: Timestamp,
    ) -> Result<Self, StateError> {
        let id = table.id().to_owned();
        let mut from = cursor(dead_letters.table().place(), &Cursor::Silver(id.clone())).await?;
        if from > table.version() {
            if matches!(opening, Opening::Strict | Opening::Adopt) {
                let (silver, version) = (table.place().url().to_string(), table.version());
                let what = OpenError::SetBack { silver, version, was: from }.to_string();
                return Err(StateError::Unfit { folder: edge.state_dir.clone(), what });
            }
            from = table.version();
            let cursor = Cursor::Silver(id.clone()).at(from.as_cursor());
            let info = log::commit_info("ADOPT", serde_json::json!({}), now);
            dead_letters.table().commit(&[cursor, info]).await?;
        }
        let followed = dead_letters.follow(table.place(), &id, from, table.version(), now).await?;
        let synced = cursor(table.place(), &Cursor::Sync).await?;
        let whole_since = verify::whole_since(&log::list(table.place()).await?.0);
        if edge.central.is_some() && synced.next() < whole_since && synced < table.version() {
            return Err(TableError::missing(table.place(), synced.next()).into());
        }
        let sync = edge.central.as_ref().map(|central| Sync {
            name: name.to_owned(),
            host: edge.host.clone(),
            silver: Arc::clone(table),
            dead_letters: dead_letters.table().place().clone(),
            central: central.clone(),
            cursor: synced,
            puts: Puts::default(),
            pace: edge.upload_pace.clone(),
        });
        Ok(Self { followed, synced, sync })
    }

    /// The files that a replay may have taken out of their tables, and that are to be put all the same.
    async fn unput(&self, table: &LocalTable) -> Result<Unput, TableError> {
        match Ledger::read(table.place(), table.version()).await?.0.generation {
            0 => Ok(Unput::default()),
            _ => unput(table, self.synced).await,
        }
    }
}

/// The version that a table has consumed of another.
async fn cursor(place: &Place, cursor: &Cursor) -> Result<TableVersion, TableError> {
    let Some(snapshot) = Snapshot::load(place).await? else { return Ok(TableVersion(0)) };
    Ok(TableVersion(snapshot.cursor(cursor).await?.unwrap_or(0).unsigned_abs()))
}

async fn open_bronze(
    root: &Place,
    folder: &Path,
    seal: &Seal,
    opening: Opening,
    now: Timestamp,
) -> Result<(Arc<LocalTable>, Option<Snapshot>, Restored), StateError> {
    let place = root.join(folder::BRONZE);
    if let Some(snapshot) = Snapshot::load(&place).await? {
        let restored = Restored::read(&place, snapshot.version()).await?;
        let kept_host = restored.seal.as_ref().and_then(|kept| kept.host.clone());
        if let Some(was) = kept_host.filter(|was| Some(was) != seal.host.as_ref()) {
            let now = seal.host.clone().unwrap_or_default();
            return Err(StateError::Host { folder: folder.to_owned(), was, now });
        }
        let difference = restored.seal.as_ref().and_then(|kept| seal.differs(kept));
        if let (Some(difference), Opening::Strict) = (difference, opening) {
            return Err(StateError::Foreign { folder: folder.to_owned(), difference });
        }
        let table = LocalTable::open(&place, &snapshot)?;
        table.set_anchor(restored.restated_at);
        return Ok((Arc::new(table), Some(snapshot), restored));
    }
    let mut others: Vec<String> = Vec::new();
    for name in root.join(folder::SILVER).folders().await? {
        others.push(format!("{}/{name}", folder::SILVER));
    }
    if Snapshot::load(&root.join(folder::DEAD_LETTER)).await?.is_some() {
        others.push(folder::DEAD_LETTER.to_owned());
    }
    if !others.is_empty() && !matches!(opening, Opening::AdoptReplay | Opening::AdoptSkip) {
        let what = format!("`bronze` is missing, but {} is there", others.join(", "));
        return Err(StateError::Unfit { folder: folder.to_owned(), what });
    }
    let columns = with_partition(&bronze::columns());
    let table = LocalTable::create(&place, &columns, Vec::new(), now).await?;
    Ok((Arc::new(table), None, Restored::default()))
}

async fn open_dead_letters(
    root: &Place,
    folder: &Path,
    known: &std::collections::BTreeMap<String, String>,
    opening: Opening,
    now: Timestamp,
) -> Result<Arc<DeadLetters>, StateError> {
    let place = root.join(folder::DEAD_LETTER);
    let table = match Snapshot::load(&place).await? {
        Some(snapshot) => LocalTable::open(&place, &snapshot)?,
        None if known.contains_key(folder::DEAD_LETTER)
            && matches!(opening, Opening::Strict | Opening::Adopt) =>
        {
            let what = "`dead_letter` is missing".to_owned();
            return Err(StateError::Unfit { folder: folder.to_owned(), what });
        }
        None => {
            let columns = with_partition(&dead_letter_columns());
            // What the Silver logs tell of a lost table's files is about files that are gone.
            let gone = known.iter().filter(|(name, _)| name.starts_with(folder::SILVER));
            let mut cursors = Vec::new();
            for (name, id) in gone.filter(|_| known.contains_key(folder::DEAD_LETTER)) {
                if let Some(silver) = Snapshot::load(&root.join(name)).await? {
                    cursors.push(Cursor::Silver(id.clone()).at(silver.version().as_cursor()));
                }
            }
            LocalTable::create(&place, &columns, cursors, now).await?
        }
    };
    Ok(Arc::new(DeadLetters::new(Arc::new(table))))
}

#[expect(clippy::too_many_arguments, reason = "the surroundings of one table")]
async fn take_up(
    place: &Place,
    snapshot: &Snapshot,
    name: &str,
    columns: SchemaRef,
    around: &Surroundings,
    was: TableVersion,
    opening: Opening,
    folder: &Path,
    now: Timestamp,
) -> Result<Silver, StateError> {
    let oldest = oldest_whole(&around.bronze).await?;
    let version = snapshot.version();
    let error = match open::open(place, snapshot, name, columns.clone(), around, now).await {
        Ok(silver) if version < was && (opening != Opening::AdoptReplay || silver.cursor < oldest) => {
            OpenError::SetBack { silver: place.url().to_string(), version, was }
        }
        Ok(silver) if silver.cursor >= oldest => return Ok(silver),
        Ok(silver) => OpenError::Missed { silver: place.url().to_string(), cursor: silver.cursor, oldest },
        Err(error @ (OpenError::OtherBronze { .. } | OpenError::Ahead { .. })) => error,
        Err(error) => return Err(StateError::Silver(error)),
    };
    let start = match opening {
        // What came before is nowhere any more.
        Opening::AdoptReplay | Opening::AdoptSkip if matches!(error, OpenError::Missed { .. }) => oldest,
        Opening::AdoptReplay => oldest,
        Opening::AdoptSkip => around.bronze.version(),
        Opening::Strict | Opening::Adopt => {
            return Err(StateError::Unfit { folder: folder.to_owned(), what: error.to_string() });
        }
    };
    let table = LocalTable::open(place, snapshot)?;
    let cursor = Cursor::Bronze(around.bronze.id().to_owned()).at(start.as_cursor());
    table.commit(&[cursor, log::commit_info("ADOPT", serde_json::json!({}), now)]).await?;
    drop(table);
    let snapshot = Snapshot::load(place).await?;
    let gone =
        || StateError::Unfit { folder: folder.to_owned(), what: format!("`silver/{name}` is missing") };
    let snapshot = snapshot.ok_or_else(gone)?;
    open::open(place, &snapshot, name, columns, around, now).await.map_err(StateError::Silver)
}

async fn start_of_missing(
    folder: &Path,
    name: &str,
    bronze: &LocalTable,
    opening: Opening,
) -> Result<TableVersion, StateError> {
    match opening {
        Opening::AdoptReplay => Ok(oldest_whole(bronze).await?),
        Opening::AdoptSkip => Ok(bronze.version()),
        Opening::Strict | Opening::Adopt => {
            let what = format!("`{name}` is missing");
            Err(StateError::Unfit { folder: folder.to_owned(), what })
        }
    }
}

async fn oldest_whole(bronze: &LocalTable) -> Result<TableVersion, TableError> {
    match Snapshot::load(bronze.place()).await? {
        Some(snapshot) => whole_after(bronze.place(), &snapshot, GivenUp::Settled).await,
        None => Ok(TableVersion(0)),
    }
}

/// What data files are to [`whole_after`] that were lost and then given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GivenUp {
    /// Gone, as those that have expired.
    Gone,
    /// As good as there: whoever goes on passes over them alone.
    Settled,
}

/// The version before the oldest one from which on all of the Bronze table that `snapshot` shows is still there.
///
/// # Errors
/// The store failed, or the log is damaged.
pub async fn whole_after(
    place: &Place,
    snapshot: &Snapshot,
    given_up: GivenUp,
) -> Result<TableVersion, TableError> {
    let mut there: HashSet<String> = snapshot.files()?.into_iter().map(|add| add.path).collect();
    let mut oldest = snapshot.version();
    while oldest.0 > 0 {
        let Some(entry) = log::read(place, oldest).await? else { break };
        if given_up == GivenUp::Settled {
            there.extend(whole::given_up(&entry));
        }
        if !entry.adds.iter().all(|add| there.contains(&add.path)) {
            break;
        }
        oldest = TableVersion(oldest.0 - 1);
    }
    Ok(oldest)
}
