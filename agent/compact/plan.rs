//! What a pass does with the objects that the landing holds, decided from their names and the cursors alone.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::fmt;

use deltalake::kernel::Action;
use object_store::ObjectMeta;
use object_store::path::Path;

use crate::sync::landing::{ObjectName, Seq, StreamId};
use crate::table::Cursor;

/// The digest cursor of a stream whose last number was a fork: nobody can say which object the next one names.
const OPEN: i64 = -1;

/// The objects of one stream that a plan keeps, however little room there is.
const ROOM_MIN: usize = 64;

/// A landing object, as listed.
#[derive(Clone, Debug)]
pub(super) struct Listed {
    /// Its name, taken apart.
    pub name: ObjectName,
    /// Where the store keeps it.
    pub location: Path,
    /// Its size in bytes.
    pub size: u64,
    /// When it arrived, by the store's clock; microseconds since 1970.
    pub arrived: i64,
}

impl Listed {
    /// An object of this name, as a listing tells it.
    pub fn new(name: ObjectName, object: ObjectMeta) -> Self {
        let ObjectMeta { location, size, last_modified, .. } = object;
        Self { name, location, size, arrived: last_modified.timestamp_micros() }
    }
}

/// What the next object of a stream must name as the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chain {
    /// Nothing: it is the first.
    Start,
    /// The object whose digest, as a cursor keeps it, is this.
    After(i64),
    /// Anything: the number before was a fork.
    Open,
}

/// Where a stream stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    /// The last number consumed; 0 before the first.
    pub seq: Seq,
    /// What the next object must name.
    pub chain: Chain,
}

impl Position {
    /// What a table's cursors say of `stream`.
    pub fn read(stream: &StreamId, cursors: &HashMap<String, i64>) -> Self {
        let [seq, digest] = cursors_of(stream).map(|cursor| cursors.get(&cursor.to_string()).copied());
        let chain = match (seq, digest) {
            (None, _) => Chain::Start,
            (Some(_), None | Some(OPEN)) => Chain::Open,
            (Some(_), Some(digest)) => Chain::After(digest),
        };
        Self { seq: Seq(seq.and_then(|seq| u64::try_from(seq).ok()).unwrap_or(0)), chain }
    }

    /// The actions that make a table say this of `stream`.
    pub fn actions(self, stream: &StreamId) -> [Action; 2] {
        let [seq, digest] = cursors_of(stream);
        [seq.at(self.seq.0 as i64), digest.at(self.digest())]
    }

    /// Notes in `cursors`, read from a table, what [`Position::actions`] has set there.
    pub fn note(self, stream: &StreamId, cursors: &mut HashMap<String, i64>) {
        let [seq, digest] = cursors_of(stream);
        cursors.insert(seq.to_string(), self.seq.0 as i64);
        cursors.insert(digest.to_string(), self.digest());
    }

    fn digest(self) -> i64 {
        match self.chain {
            Chain::After(digest) => digest,
            Chain::Start | Chain::Open => OPEN,
        }
    }
}

fn cursors_of(stream: &StreamId) -> [Cursor; 2] {
    let (host, table_id) = (stream.host.clone(), stream.table_id.clone());
    [
        Cursor::Stream { host: host.clone(), table_id: table_id.clone() },
        Cursor::StreamDigest { host, table_id },
    ]
}

/// All objects of one number of a stream.
#[derive(Debug)]
pub(super) struct Number {
    /// Its stream, as an index into [`Plan::streams`].
    pub stream: usize,
    /// The number.
    pub seq: Seq,
    /// Its objects by part; several of one part are a fork.
    pub objects: Vec<Listed>,
}

impl Number {
    /// The bytes of its objects.
    pub fn size(&self) -> u64 {
        self.objects.iter().map(|object| object.size).sum()
    }
}

/// What stands between a stream's cursor and the objects that wait behind it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Gap {
    /// The table, host and table id of the stream, as its landing folder names them.
    pub stream: String,
    /// The first number that is not there, or not whole.
    pub seq: Seq,
    /// The last number that is not there, or not whole.
    pub last: Seq,
    /// The part that is missing, where others of the number are there.
    pub part: Option<u32>,
    /// How many objects wait behind it.
    pub waiting: u64,
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stream, seq, last, part, waiting } = self;
        match part {
            Some(part) => write!(f, "{stream}: part {part} of object {seq} is missing; ")?,
            None if seq == last => write!(f, "{stream}: object {seq} is missing; ")?,
            None => write!(f, "{stream}: objects {seq} to {last} are missing; ")?,
        }
        write!(f, "{waiting} objects wait behind")
    }
}

/// What to do with one stream.
#[derive(Debug)]
pub(super) struct StreamPlan {
    /// The stream.
    pub stream: StreamId,
    /// Where it stands.
    pub position: Position,
    /// What holds its further objects, if there are any.
    pub gap: Option<Gap>,
}

/// What to do with the objects of one table.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// Their streams.
    pub streams: Vec<StreamPlan>,
    /// Objects that a cursor has passed: consumed before, or forks.
    pub passed: Vec<Listed>,
    /// The numbers right after the cursors, without a gap, those of a stream together and in order.
    pub numbers: VecDeque<Number>,
    /// Whether there are more that could be done, for which there was no room.
    pub left: Left,
    /// How many objects it deals with.
    size: usize,
}

/// Whether there is more to be done than was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Left {
    /// No: what can be done is.
    #[default]
    Nothing,
    /// Yes: it is found by beginning again.
    More,
}

/// Makes a plan out of a listing, object by object, and keeps of it what the plan has room for: what waits behind
/// a gap is only counted. The objects of a stream come one after the other, as stores list them.
#[derive(Debug)]
pub(super) struct Planner<'a> {
    cursors: &'a HashMap<String, i64>,
    room: usize,
    plan: Plan,
    seen: HashSet<StreamId>,
    current: Option<Current>,
}

/// The stream that is being listed.
#[derive(Debug)]
struct Current {
    stream: StreamId,
    objects: BTreeMap<(Seq, u32, String), Listed>,
    /// The lowest number that an object was dropped of, for want of room, and how many were dropped.
    dropped: Option<(Seq, u64)>,
}

impl<'a> Planner<'a> {
    /// For a table with these cursors; the plan holds `room` objects, but for a single number that has more.
    pub fn new(cursors: &'a HashMap<String, i64>, room: usize) -> Self {
        Self { cursors, room, plan: Plan::default(), seen: HashSet::new(), current: None }
    }

    /// Takes the next object of the listing; [`Left::More`] if it is of a further stream, and there is no room.
    pub fn note(&mut self, object: Listed) -> Left {
        let stream = &object.name.stream;
        if self.current.as_ref().is_none_or(|current| current.stream != *stream) {
            self.close();
            if self.plan.size >= self.room {
                return Left::More;
            }
            let stream = stream.clone();
            self.current = Some(Current { stream, objects: BTreeMap::new(), dropped: None });
        }
        let room = self.room.saturating_sub(self.plan.size).max(ROOM_MIN);
        let Some(current) = &mut self.current else { return Left::Nothing };
        let key = (object.name.seq, object.name.part, object.name.digest.clone());
        current.objects.insert(key, object);
        if current.objects.len() > room
            && let Some(((seq, ..), _)) = current.objects.pop_last()
        {
            let (lowest, count) = current.dropped.unwrap_or((seq, 0));
            current.dropped = Some((lowest.min(seq), count + 1));
        }
        Left::Nothing
    }

    /// The plan, the listing being at its end, or having been left where there was no room.
    pub fn finish(mut self, left: Left) -> Plan {
        self.close();
        if left == Left::More {
            self.plan.left = left;
        }
        self.plan
    }

    fn close(&mut self) {
        let Some(Current { stream, objects, dropped }) = self.current.take() else { return };
        // A second visit to a stream would be planned from the same cursor. The next plan has it whole.
        if !self.seen.insert(stream.clone()) {
            return;
        }
        let mut numbers: BTreeMap<Seq, Vec<Listed>> = BTreeMap::new();
        for ((seq, ..), object) in objects {
            numbers.entry(seq).or_default().push(object);
        }
        if let Some((seq, _)) = dropped {
            // A number of which an object was dropped is not whole; alone it is taken all the same.
            let cut = numbers.split_off(&seq);
            if numbers.is_empty() {
                numbers.extend(cut.into_iter().take(1));
            }
        }
        let held = self.plan.add(stream, numbers, self.cursors, dropped.map_or(0, |(_, count)| count));
        if dropped.is_some() && !held {
            self.plan.left = Left::More;
        }
    }
}

impl Plan {
    /// Plans one stream, of which `dropped` further objects were not kept; tells whether a gap holds it.
    fn add(
        &mut self,
        stream: StreamId,
        mut numbers: BTreeMap<Seq, Vec<Listed>>,
        cursors: &HashMap<String, i64>,
        dropped: u64,
    ) -> bool {
        let position = Position::read(&stream, cursors);
        let mut next = position.seq.next();
        let ahead = numbers.split_off(&next);
        let passed = self.passed.len();
        self.passed.extend(numbers.into_values().flatten());
        self.size += self.passed.len() - passed;
        let mut gap = None;
        for (seq, objects) in ahead {
            if seq == next {
                self.size += objects.len();
                self.numbers.push_back(Number { stream: self.streams.len(), seq, objects });
                next = next.next();
            } else {
                let begin = || Gap {
                    stream: stream.to_string(),
                    seq: next,
                    last: Seq(seq.0 - 1),
                    part: None,
                    waiting: dropped,
                };
                gap.get_or_insert_with(begin).waiting += objects.len() as u64;
            }
        }
        let held = gap.is_some();
        self.streams.push(StreamPlan { stream, position, gap });
        held
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Digest;

    fn listed(host: &str, seq: u64, part: u32) -> Listed {
        let stream = StreamId { table: "web".into(), host: host.into(), table_id: "t".into() };
        let digest = Digest::of(format!("{host}{seq}{part}").as_bytes()).to_string();
        let name = ObjectName { stream, seq: Seq(seq), part, digest };
        Listed { location: Path::from(name.to_string()), name, size: 1, arrived: 0 }
    }

    fn planned(
        objects: impl IntoIterator<Item = Listed>,
        cursors: &HashMap<String, i64>,
        room: usize,
    ) -> Plan {
        let mut planner = Planner::new(cursors, room);
        let left = objects.into_iter().map(|object| planner.note(object)).find(|left| *left == Left::More);
        planner.finish(left.unwrap_or_default())
    }

    #[test]
    fn a_plan_keeps_what_it_has_room_for_and_gaps_take_none() {
        let cursors = HashMap::new();
        // Listed backwards, as a file system may.
        let a = (1..=500).rev().map(|seq| listed("a", seq, 1));
        let held = (2..=500).map(|seq| listed("held", seq, 1));
        let z = (1..=3).map(|seq| listed("z", seq, 1));
        let plan = planned(held.clone().chain(a).chain(z.clone()), &cursors, 200);
        let numbers: Vec<_> = plan.numbers.iter().map(|number| (number.stream, number.seq.0)).collect();
        assert_eq!(numbers, (1..=200).map(|seq| (1, seq)).collect::<Vec<_>>());
        assert_eq!(plan.left, Left::More);
        assert_eq!(plan.streams[0].gap.as_ref().map(|gap| gap.waiting), Some(499));
        assert_eq!((plan.streams.len(), &plan.streams[1].gap), (2, &None));

        let plan = planned(held.chain(z), &cursors, 200);
        assert_eq!((plan.numbers.len(), plan.left), (3, Left::Nothing));
    }

    #[test]
    fn a_number_of_which_an_object_found_no_room_is_left_whole() {
        let one = (1..=ROOM_MIN as u64).map(|seq| listed("a", seq, 1));
        let plan = planned(one.chain([listed("a", ROOM_MIN as u64, 2)]), &HashMap::new(), 1);
        assert_eq!((plan.numbers.len(), plan.left), (ROOM_MIN - 1, Left::More));
        // But where it is the first, it is taken: it must be passed some time.
        let forks = (1..=ROOM_MIN as u32 + 9).map(|part| listed("a", 1, part));
        let plan = planned(forks, &HashMap::new(), 1);
        assert_eq!(plan.numbers.iter().map(|n| n.objects.len()).collect::<Vec<_>>(), [ROOM_MIN]);
    }

    #[test]
    fn what_follows_the_cursor_is_ready_and_a_gap_holds_its_stream_only() {
        let objects = [(1, 1), (2, 2), (2, 1), (3, 1), (5, 1), (6, 1)].map(|(s, p)| listed("a", s, p));
        let objects = objects.into_iter().chain([listed("b", 1, 1)]);
        let mut cursors = HashMap::new();
        let stream = StreamId { table: "web".into(), host: "a".into(), table_id: "t".into() };
        Position { seq: Seq(1), chain: Chain::After(7) }.note(&stream, &mut cursors);

        let plan = planned(objects, &cursors, 100);
        let [a, b] = plan.streams.as_slice() else { panic!("{plan:?}") };
        assert_eq!(plan.passed.len(), 1);
        assert_eq!(a.position, Position { seq: Seq(1), chain: Chain::After(7) });
        assert_eq!(b.position, Position { seq: Seq(0), chain: Chain::Start });
        let ready: Vec<_> = plan.numbers.iter().map(|n| (n.stream, n.seq.0, n.objects.len())).collect();
        assert_eq!(ready, [(0, 2, 2), (0, 3, 1), (1, 1, 1)]);
        let gap = Gap { stream: "web/a/t".into(), seq: Seq(4), last: Seq(4), part: None, waiting: 2 };
        assert_eq!(a.gap, Some(gap));
        assert_eq!(b.gap, None);
    }
}
