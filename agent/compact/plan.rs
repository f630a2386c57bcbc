//! What a pass does with the objects that the landing holds, decided from their names and the cursors alone.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt;

use deltalake::kernel::Action;
use object_store::path::Path;

use crate::sync::landing::{ObjectName, Seq, StreamId};
use crate::table::Cursor;

/// The digest cursor of a stream whose last number was a fork: nobody can say which object the next one names.
const OPEN: i64 = -1;

/// A landing object, as listed.
#[derive(Clone, Debug)]
pub(super) struct Listed {
    /// Its name, taken apart.
    pub name: ObjectName,
    /// Where the store keeps it.
    pub location: Path,
    /// Its size in bytes.
    pub size: u64,
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
    /// The part that is missing, where others of the number are there.
    pub part: Option<u32>,
    /// How many objects wait behind it.
    pub waiting: u64,
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stream, seq, part, waiting } = self;
        match part {
            Some(part) => write!(f, "{stream}: part {part} of object {seq} is missing; ")?,
            None => write!(f, "{stream}: object {seq} is missing; ")?,
        }
        write!(f, "{waiting} objects wait for it")
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
}

/// Says what can be done with the objects of one table, given the table's cursors.
pub(super) fn plan(objects: Vec<Listed>, cursors: &HashMap<String, i64>) -> Plan {
    let mut streams: BTreeMap<StreamId, BTreeMap<Seq, Vec<Listed>>> = BTreeMap::new();
    for object in objects {
        let numbers = streams.entry(object.name.stream.clone()).or_default();
        numbers.entry(object.name.seq).or_default().push(object);
    }
    let mut plan = Plan::default();
    for (stream, mut numbers) in streams {
        let position = Position::read(&stream, cursors);
        let mut next = position.seq.next();
        let ahead = numbers.split_off(&next);
        plan.passed.extend(numbers.into_values().flatten());
        let mut gap = None;
        for (seq, mut objects) in ahead {
            if seq == next {
                objects.sort_by(|a, b| (a.name.part, &a.name.digest).cmp(&(b.name.part, &b.name.digest)));
                plan.numbers.push_back(Number { stream: plan.streams.len(), seq, objects });
                next = next.next();
            } else {
                let gap =
                    gap.get_or_insert(Gap { stream: stream.to_string(), seq: next, part: None, waiting: 0 });
                gap.waiting += objects.len() as u64;
            }
        }
        plan.streams.push(StreamPlan { stream, position, gap });
    }
    plan
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Digest;

    fn listed(host: &str, seq: u64, part: u32) -> Listed {
        let stream = StreamId { table: "web".into(), host: host.into(), table_id: "t".into() };
        let digest = Digest::of(format!("{host}{seq}{part}").as_bytes()).to_string();
        let name = ObjectName { stream, seq: Seq(seq), part, digest };
        Listed { location: Path::from(name.to_string()), name, size: 1 }
    }

    #[test]
    fn what_follows_the_cursor_is_ready_and_a_gap_holds_its_stream_only() {
        let objects = [(1, 1), (2, 2), (2, 1), (3, 1), (5, 1), (6, 1)].map(|(s, p)| listed("a", s, p));
        let mut objects = objects.to_vec();
        objects.push(listed("b", 1, 1));
        let mut cursors = HashMap::new();
        let stream = StreamId { table: "web".into(), host: "a".into(), table_id: "t".into() };
        Position { seq: Seq(1), chain: Chain::After(7) }.note(&stream, &mut cursors);

        let plan = plan(objects, &cursors);
        let [a, b] = plan.streams.as_slice() else { panic!("{plan:?}") };
        assert_eq!(plan.passed.len(), 1);
        assert_eq!(a.position, Position { seq: Seq(1), chain: Chain::After(7) });
        assert_eq!(b.position, Position { seq: Seq(0), chain: Chain::Start });
        let ready: Vec<_> = plan.numbers.iter().map(|n| (n.stream, n.seq.0, n.objects.len())).collect();
        assert_eq!(ready, [(0, 2, 2), (0, 3, 1), (1, 1, 1)]);
        assert_eq!(a.gap, Some(Gap { stream: "web/a/t".into(), seq: Seq(4), part: None, waiting: 2 }));
        assert_eq!(b.gap, None);
    }
}
