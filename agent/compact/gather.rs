//! Gathering: the objects that one commit is to fold, fetched, unpacked and judged.
//!
//! Memory, whatever waits: a slice holds at most [`SLICE_BYTES`] of landing objects, or one number's
//! [`OBJECT_BYTES_MAX`], and takes no more when it is full; up to [`OPENED`] further objects' rows wait beside it.

use std::collections::VecDeque;

use bytes::Bytes;
use futures::StreamExt;
use object_store::ObjectStoreExt;

use super::fold::{SLICE_OBJECTS, Slice, Target};
use super::object::{self, OBJECT_BYTES_MAX, Opened, UNPACKED_BYTES_MAX};
use super::plan::{Gap, Listed, Number, Plan, Position, StreamPlan};
use super::validate::{self, Judged, Refusal, Verdict};
use super::volume::Volume;
use super::{CompactError, history, quarantine};
use crate::clock::Clock;
use crate::store::{Place, StoreError};
use crate::sync::landing::ObjectName;

/// The most landing bytes that one commit folds, but for a single number that is larger.
const SLICE_BYTES: u64 = 128 << 20;

/// How many objects are fetched at once.
const FETCHES: usize = 8;

/// How many objects are unpacked at once, ahead of the slice.
const OPENED: usize = 2;

/// Takes the next slice off the front of the plan, reading and judging its objects. What is refused is in
/// quarantine afterwards.
///
/// # Errors
/// [`CompactError::Moved`] where an object is gone; or the store failed.
pub(super) async fn gather(
    lake: &Place,
    target: &Target,
    plan: &mut Plan,
    clock: &dyn Clock,
) -> Result<Slice, CompactError> {
    let objects = futures::stream::iter(front(&plan.numbers));
    let fetched = objects.map(|object| fetch(lake, object)).buffered(FETCHES);
    let mut fetched = std::pin::pin!(fetched.map(open).buffered(OPENED));
    let mut slice = Slice::new(target);
    while !slice.is_full() {
        let Some(first) = fetched.next().await else { break };
        let Some(number) = plan.numbers.pop_front() else { break };
        let mut objects = vec![first?];
        while objects.len() < number.objects.len() {
            let Some(object) = fetched.next().await else { break };
            objects.push(object?);
        }
        let Some(stream) = plan.streams.get_mut(number.stream) else { continue };
        let waiting = number.objects.len() as u64;
        if number.seq != stream.position.seq.next() {
            if let Some(gap) = &mut stream.gap {
                gap.waiting += waiting;
            }
            continue;
        }
        match validate::judge(objects, stream.position.chain) {
            Verdict::Missing { part } => {
                let behind = stream.gap.take().map_or(0, |gap| gap.waiting);
                let waiting = waiting + behind;
                let (part, of, seq) = (Some(part), stream.stream.to_string(), number.seq);
                stream.gap = Some(Gap { stream: of, seq, last: seq, part, waiting });
            }
            Verdict::Whole { objects, chain } => {
                stream.position = Position { seq: number.seq, chain };
                settle(lake, &mut slice, stream, &number, objects, clock).await?;
            }
        }
    }
    Ok(slice)
}

/// An object to be read, and what its number leaves it.
struct Wanted {
    object: Listed,
    /// The bytes of all objects of its number.
    number_bytes: u64,
    /// The most memory that its rows may take.
    unpacked_bytes_max: u64,
}

/// The objects of the numbers that a slice may hold, by their listed sizes.
fn front(numbers: &VecDeque<Number>) -> Vec<Wanted> {
    let (mut bytes, mut objects) = (0, 0);
    let within = numbers.iter().take_while(|number| {
        let fits = bytes == 0 || (bytes + number.size() <= SLICE_BYTES && objects < SLICE_OBJECTS);
        bytes += number.size();
        objects += number.objects.len() as u64;
        fits
    });
    let wanted = within.flat_map(|number| {
        let number_bytes = number.size();
        let unpacked_bytes_max = UNPACKED_BYTES_MAX / (number.objects.len() as u64).max(1);
        number.objects.iter().cloned().map(move |object| Wanted { object, number_bytes, unpacked_bytes_max })
    });
    wanted.collect()
}

/// An object as it was fetched: its name, its bytes, and the most memory that its rows may take.
type Fetched = (ObjectName, Result<Bytes, Refusal>, u64);

async fn fetch(lake: &Place, wanted: Wanted) -> Result<Fetched, CompactError> {
    let Wanted { object: Listed { name, location, .. }, number_bytes, unpacked_bytes_max } = wanted;
    if number_bytes > OBJECT_BYTES_MAX {
        return Ok((name, Err(Refusal::Size(number_bytes)), unpacked_bytes_max));
    }
    let fetched = match lake.store().get(&location).await {
        Ok(found) => found.bytes().await,
        Err(source) => Err(source),
    };
    match fetched {
        Ok(bytes) => Ok((name, Ok(bytes), unpacked_bytes_max)),
        Err(object_store::Error::NotFound { .. }) => {
            Err(CompactError::Moved { object: location.to_string() })
        }
        Err(source) => {
            Err(StoreError::Request { operation: "read", url: format!("{}{name}", lake.url()), source }
                .into())
        }
    }
}

/// Unpacks an object on a thread of its own.
async fn open(fetched: Result<Fetched, CompactError>) -> Result<Judged, CompactError> {
    let (name, bytes, unpacked_bytes_max) = fetched?;
    let bytes = match bytes {
        Ok(bytes) => bytes,
        Err(refusal) => return Ok((name, Err(refusal))),
    };
    let location = name.to_string();
    let opening = tokio::task::spawn_blocking(move || {
        let opened = object::open(&name, bytes, unpacked_bytes_max);
        (name, opened)
    });
    // Only a runtime that shuts down gives no answer.
    opening.await.map_err(|_| CompactError::Moved { object: location })
}

/// Takes the rows of a whole number into the slice, and puts into quarantine what is refused.
async fn settle(
    lake: &Place,
    slice: &mut Slice,
    stream: &StreamPlan,
    number: &Number,
    objects: Vec<Judged>,
    clock: &dyn Clock,
) -> Result<(), CompactError> {
    let (mut folded, mut quarantined, mut volume) = (Vec::new(), Vec::new(), Volume::default());
    for ((name, opened), listed) in objects.into_iter().zip(&number.objects) {
        let location = &listed.location;
        let take = |opened: Opened| {
            let taken = Volume::of(listed, &opened);
            slice.take(&name, opened).map(|()| taken)
        };
        match opened.and_then(take) {
            Ok(taken) => {
                folded.push(history::id(&name));
                volume.add(taken);
            }
            Err(refusal) => {
                slice.quarantined.push(quarantine::keep(lake, location, &refusal, clock.now()).await?);
                quarantined.push(history::id(&name));
            }
        }
        slice.consumed.push(location.clone());
    }
    slice.pass(&stream.stream, stream.position, folded, quarantined, volume);
    Ok(())
}
