//! What an operator settles: a gap that will not be filled, an object in quarantine that is to be folded after all.
//!
//! Both are commits like any other, to exactly the version after the one that the cursors were read from. An
//! object is brought back under a cursor of its own, which tells that it was, whatever happens to the file.

use std::fmt;

use super::fold::{self, Slice, Target};
use super::history::Known;
use super::object::{self, OBJECT_BYTES_MAX, UNPACKED_BYTES_MAX};
use super::plan::{Chain, Gap, Position};
use super::quarantine::{QUARANTINE, REASON};
use super::volume::Volume;
use super::{ATTEMPTS, CompactError, Refusal, SILVER, history, pass};
use crate::clock::Clock;
use crate::config::Central;
use crate::store::{Place, StoreError};
use crate::sync::landing::{LANDING, ObjectName, StreamId};
use crate::table::{Commit, Cursor, TableVersion};

/// What became of a gap that was to be given up.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// It is passed by this version of the fleet table.
    Passed(TableVersion),
    /// The cursor does not stand before it any more: it was filled, or given up before.
    Gone,
}

/// What became of an object that was to be brought back.
#[must_use]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Requeued {
    /// Its rows, this many, are in the fleet table.
    Folded(u64),
    /// Its rows had been folded before; the copy in quarantine is gone.
    Before,
    /// It cannot be folded as things stand, and stays.
    Refused(Refusal),
}

impl fmt::Display for Requeued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folded(rows) => write!(f, "{rows} rows folded"),
            Self::Before => f.write_str("was folded before"),
            Self::Refused(refusal) => write!(f, "stays in quarantine: {refusal}"),
        }
    }
}

/// Gives up what is missing, so that the objects that wait behind it are folded by the next pass. Whatever of it
/// arrives later goes into quarantine.
///
/// # Errors
/// The store or the fleet table failed, or another job was faster each time.
pub async fn accept(config: &Central, gap: &Gap, clock: &dyn Clock) -> Result<Settled, CompactError> {
    let stream = stream(&gap.stream)?;
    for _ in 0..ATTEMPTS {
        let mut target = Target::load(config, &stream.table).await?;
        if Position::read(&stream, &target.cursors).seq.next() != gap.seq {
            return Ok(Settled::Gone);
        }
        let mut slice = Slice::new(&target);
        // What stood in the gap is not known, so the next object may name anything as the one before it.
        let position = Position { seq: gap.last, chain: Chain::Open };
        slice.pass(&stream, position, Vec::new(), Vec::new(), Volume::default());
        if let Commit::Done(version) = fold::commit(slice, &mut target, clock).await? {
            tracing::warn!(stream = gap.stream, first = gap.seq.0, last = gap.last.0, "gap accepted");
            return Ok(Settled::Passed(version));
        }
    }
    Err(CompactError::Busy { table: stream.table })
}

/// Folds an object of the quarantine, named as it lies there or as it lay in the landing, and removes it from
/// there.
///
/// # Errors
/// There is no such object; the store or the fleet table failed, or another job was faster each time.
pub async fn requeue(config: &Central, object: &str, clock: &dyn Clock) -> Result<Requeued, CompactError> {
    let unknown = |reason: String| CompactError::Unknown { name: object.to_owned(), reason };
    let lake = &config.place;
    let rest = [QUARANTINE, LANDING].iter().find_map(|folder| object.strip_prefix(folder));
    let rest = rest.ok_or_else(|| unknown(format!("write the object's name as in {QUARANTINE}/...")))?;
    let name = pass::name(lake, &lake.object(&format!("{LANDING}{rest}"))).map_err(unknown)?;
    let kept = format!("{QUARANTINE}{rest}");
    let place = lake.join(SILVER).join(&name.stream.table);
    for _ in 0..ATTEMPTS {
        let mut target = Target::load(config, &name.stream.table).await?;
        let known = known(&place, &target, &name).await?;
        if known.folded.contains(&name) {
            clear(lake, &kept).await?;
            return Ok(Requeued::Before);
        }
        if let Some(by) = known.replaced.get(&name) {
            return Ok(Requeued::Refused(Refusal::Replaced(by.0)));
        }
        let Some(bytes) = fetch(lake, &kept).await? else {
            return Err(unknown("it is not in quarantine".to_owned()));
        };
        let (mut slice, to_open) = (Slice::new(&target), name.clone());
        let opened = tokio::task::spawn_blocking(move || {
            let bytes = bytes?;
            object::open(&to_open, bytes, UNPACKED_BYTES_MAX)
        });
        let opened = opened.await.map_err(|_| CompactError::Moved { object: object.to_owned() })?;
        if let Err(refusal) = opened.and_then(|opened| slice.take_requeued(&name, opened)) {
            return Ok(Requeued::Refused(refusal));
        }
        let rows = slice.rows;
        if let Commit::Done(_) = fold::commit(slice, &mut target, clock).await? {
            clear(lake, &kept).await?;
            return Ok(Requeued::Folded(rows));
        }
    }
    Err(CompactError::Busy { table: name.stream.table })
}

/// The objects in quarantine below a folder of it, such as `quarantine/app/`, in the order of their numbers.
///
/// # Errors
/// The store failed.
pub async fn in_quarantine(config: &Central, folder: &str) -> Result<Vec<String>, StoreError> {
    let root = config.place.object("");
    let objects = config.place.join(folder).list().await?;
    let names = objects.iter().filter_map(|object| object.location.as_ref().strip_prefix(root.as_ref()));
    let names = names.map(|name| name.trim_start_matches('/').to_owned());
    let mut names: Vec<String> = names.filter(|name| name.ends_with(".parquet")).collect();
    names.sort();
    Ok(names)
}

async fn known(place: &Place, target: &Target, name: &ObjectName) -> Result<Known, CompactError> {
    let mut known = match target.version() {
        Some(version) => history::consumed(place, version, [name]).await?,
        None => Known::default(),
    };
    if target.cursors.contains_key(&Cursor::Requeued(name.digest.clone()).to_string()) {
        known.folded.insert(name.clone());
    }
    Ok(known)
}

async fn fetch(lake: &Place, kept: &str) -> Result<Option<Result<bytes::Bytes, Refusal>>, StoreError> {
    match lake.size(kept).await? {
        Some(size) if size > OBJECT_BYTES_MAX => Ok(Some(Err(Refusal::Size(size)))),
        Some(_) => Ok(lake.get(kept).await?.map(Ok)),
        None => Ok(None),
    }
}

/// Removes an object from quarantine: its reason last, so that what is left of a crash still tells it.
async fn clear(lake: &Place, kept: &str) -> Result<(), StoreError> {
    lake.delete(kept).await?;
    lake.delete(&format!("{kept}{REASON}")).await
}

fn stream(name: &str) -> Result<StreamId, CompactError> {
    match name.split('/').collect::<Vec<_>>().as_slice() {
        [table, host, table_id] => Ok(StreamId {
            table: (*table).to_owned(),
            host: (*host).to_owned(),
            table_id: (*table_id).to_owned(),
        }),
        _ => Err(CompactError::Unknown {
            name: name.to_owned(),
            reason: "write a stream as table/host/table-id, as `compact` prints it".to_owned(),
        }),
    }
}
