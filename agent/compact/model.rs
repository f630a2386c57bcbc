//! The fold's plain plan without a store, for tests that ask for many landings: which objects a pass would fold, and in
//! which order, given what it lists and what the table's cursors say.

use std::collections::HashMap;

use object_store::path::Path;

use super::plan::{Chain, Left, Listed, Planner, Position};
use crate::sync::landing::{ObjectName, Seq, StreamId};
use crate::table::Digest;

/// An object: its host, and its number in the host's stream.
pub type Object = (usize, u64);

/// What a pass finds to do.
#[derive(Debug, Default)]
pub struct Ready {
    /// What it folds, in this order.
    pub fold: Vec<Object>,
    /// What was folded before.
    pub passed: Vec<Object>,
    /// Whether there is more, for which it had no room.
    pub more: bool,
}

fn stream(host: usize) -> StreamId {
    StreamId { table: "web".into(), host: format!("h{host}"), table_id: "t".into() }
}

fn listed((host, seq): Object) -> Listed {
    let stream = stream(host);
    let digest = Digest::of(format!("{host}/{seq}").as_bytes()).to_string();
    let name = ObjectName { stream, seq: Seq(seq), part: 1, digest };
    Listed { location: Path::from(name.to_string()), name, size: 1, arrived: 0 }
}

/// Plans a pass over what is listed, those of a host together.
pub fn plan(listing: &[Object], cursors: &HashMap<String, i64>, room: usize) -> Ready {
    let mut planner = Planner::new(cursors, room);
    let left = listing.iter().map(|object| planner.note(listed(*object))).find(|left| *left == Left::More);
    let plan = planner.finish(left.unwrap_or_default());
    let object = |name: &ObjectName| (name.stream.host[1..].parse().unwrap(), name.seq.0);
    let mut next: HashMap<usize, Seq> = HashMap::new();
    let mut ready = Ready { more: plan.left == Left::More, ..Ready::default() };
    ready.passed = plan.passed.iter().map(|listed| object(&listed.name)).collect();
    for number in plan.numbers {
        // As gathering does: whatever is planned, only the one after the cursor is folded.
        let next = next.entry(number.stream).or_insert(plan.streams[number.stream].position.seq.next());
        if number.seq == *next {
            *next = next.next();
            ready.fold.extend(number.objects.iter().map(|listed| object(&listed.name)));
        }
    }
    ready
}

/// Sets the cursors as a commit that folds this object does.
pub fn note((host, seq): Object, cursors: &mut HashMap<String, i64>) {
    Position { seq: Seq(seq), chain: Chain::Open }.note(&stream(host), cursors);
}
