//! Folding: many landing objects into few large, time-sorted files, and one commit that adds them together
//! with the cursors of their streams.
//!
//! A commit goes to exactly the version after the one that the cursors were read from.
//!
//! Memory, whatever waits: a slice holds at most [`SLICE_BYTES`] of landing objects, or one number's
//! [`OBJECT_BYTES_MAX`], and takes no more at [`SLICE_UNPACKED_BYTES`] of rows; up to [`OPENED`] further numbers'
//! rows wait beside it. Rows are sorted by their keys and encoded piece by piece, never copied as a whole.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::{SortColumn, concat, interleave_record_batch, lexsort_to_indices};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use bytes::Bytes;
use deltalake::kernel::Action;
use futures::StreamExt;
use object_store::ObjectStoreExt;
use object_store::path::Path;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use super::columns::{self, Columns, HOST, TIME};
use super::history::{self, Consumed, StreamObjects};
use super::object::{self, OBJECT_BYTES_MAX, Opened, UNPACKED_BYTES_MAX};
use super::plan::{Gap, Listed, Number, Plan, Position, StreamPlan};
use super::validate::{self, Judged, Refusal, Verdict};
use super::{CompactError, Quarantined, SILVER, days, quarantine};
use crate::clock::{Clock, Day};
use crate::config::{Central, Rename};
use crate::store::{Place, StoreError};
use crate::sync::landing::{ObjectName, StreamId};
use crate::table::schema::PARTITION;
use crate::table::{Commit, Cursor, DataFileWriter, Snapshot, TableError, TableVersion, log, schema};

/// The most landing bytes that one commit folds, but for a single number that is larger.
const SLICE_BYTES: u64 = 128 << 20;

/// The bytes of rows in memory after which a slice takes no further number.
const SLICE_UNPACKED_BYTES: usize = 512 << 20;

/// The objects after which a slice takes no further number.
const SLICE_OBJECTS: u64 = 8_192;

/// The days after which a slice takes no further number: each becomes a file.
const SLICE_DAYS: usize = 1_000;

/// How many objects are fetched at once.
const FETCHES: usize = 8;

/// How many objects are unpacked at once, ahead of the slice.
const OPENED: usize = 2;

/// How many rows a row group of a data file holds.
const ROW_GROUP_ROWS: usize = 256 << 10;

/// How many sorted rows are put together at a time.
const PIECE_ROWS: usize = 8_192;

/// The columns that a data file is sorted by.
pub(super) const ORDER: [&str; 4] = [TIME, HOST, "file", "offset"];

/// A fleet table as the next commit to it must know it.
#[derive(Debug)]
pub(super) struct Target {
    place: Place,
    id: String,
    version: Option<TableVersion>,
    columns: Columns,
    renames: Arc<[Rename]>,
    /// Its cursors, by application id.
    pub cursors: HashMap<String, i64>,
}

impl Target {
    /// Reads the fleet table `table`, which need not exist.
    ///
    /// # Errors
    /// The store failed, or the log is damaged.
    pub async fn load(config: &Central, table: &str) -> Result<Self, TableError> {
        let place = config.place.join(SILVER).join(table);
        let renames = config.renames.iter().filter(|rename| rename.table == table).cloned().collect();
        let Some(snapshot) = Snapshot::load(&place).await? else {
            let id = uuid::Uuid::new_v4().to_string();
            let (columns, cursors) = (Columns::unknown(), HashMap::new());
            return Ok(Self { place, id, version: None, columns, renames, cursors });
        };
        Ok(Self {
            place,
            id: snapshot.id()?,
            version: Some(snapshot.version()),
            columns: Columns::of_table(&*snapshot.schema()?),
            renames,
            cursors: snapshot.cursors().await?,
        })
    }

    /// Its version; `None` before it is made.
    pub fn version(&self) -> Option<TableVersion> {
        self.version
    }
}

/// What one commit is to hold.
#[derive(Debug)]
pub(super) struct Slice {
    columns: Columns,
    renames: Arc<[Rename]>,
    days: BTreeMap<Day, Vec<(Arc<str>, RecordBatch)>>,
    streams: BTreeMap<StreamId, (Position, StreamObjects)>,
    /// Objects out of quarantine, each of which sets a cursor of its own.
    requeued: Vec<ObjectName>,
    unpacked_bytes: usize,
    /// Where the objects lie that it consumes.
    pub consumed: Vec<Path>,
    /// Those of them that it refuses.
    pub quarantined: Vec<Quarantined>,
    /// Objects whose rows it holds.
    pub objects: u64,
    /// Rows that it holds.
    pub rows: u64,
}

impl Slice {
    /// An empty one for a table as it stands.
    pub fn new(target: &Target) -> Self {
        Self {
            columns: target.columns.clone(),
            renames: Arc::clone(&target.renames),
            days: BTreeMap::new(),
            streams: BTreeMap::new(),
            requeued: Vec::new(),
            unpacked_bytes: 0,
            consumed: Vec::new(),
            quarantined: Vec::new(),
            objects: 0,
            rows: 0,
        }
    }

    /// Whether there is nothing to commit.
    pub fn is_empty(&self) -> bool {
        self.streams.is_empty()
    }

    /// Whether a commit should hold no more than this.
    fn is_full(&self) -> bool {
        self.unpacked_bytes >= SLICE_UNPACKED_BYTES
            || self.consumed.len() as u64 >= SLICE_OBJECTS
            || self.days.len() >= SLICE_DAYS
    }

    /// Passes the numbers up to `position` of a stream without any object of them.
    pub fn pass_over(&mut self, stream: &StreamId, position: Position) {
        self.streams.insert(stream.clone(), (position, StreamObjects::none(stream)));
    }

    /// Takes the rows of an object in that the cursor of its stream has passed.
    ///
    /// # Errors
    /// Why they cannot stand in this table; nothing is taken then.
    pub fn take_requeued(&mut self, name: &ObjectName, opened: Opened) -> Result<(), Refusal> {
        self.take(name, opened)?;
        self.requeued.push(name.clone());
        Ok(())
    }

    /// Takes an object's rows in.
    ///
    /// # Errors
    /// Why they cannot stand in this table; nothing is taken then.
    fn take(&mut self, name: &ObjectName, opened: Opened) -> Result<(), Refusal> {
        let schema = columns::renamed(&opened.schema, &self.renames)?;
        let named = |batch: RecordBatch| RecordBatch::try_new(Arc::clone(&schema), batch.columns().to_vec());
        let batches: Result<Vec<_>, _> = opened.batches.into_iter().map(named).collect();
        let days = days::by_day(&batches.map_err(|e| Refusal::Column(e.to_string()))?)?;
        self.columns.merge(&schema)?;
        self.unpacked_bytes += opened.bytes;
        let host: Arc<str> = Arc::from(name.stream.host.as_str());
        for (day, batches) in days {
            self.rows += batches.iter().map(|batch| batch.num_rows() as u64).sum::<u64>();
            let of_day = self.days.entry(day).or_default();
            of_day.extend(batches.into_iter().map(|batch| (Arc::clone(&host), batch)));
        }
        self.objects += 1;
        Ok(())
    }
}

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
    let (mut folded, mut quarantined) = (Vec::new(), Vec::new());
    for ((name, opened), Listed { location, .. }) in objects.into_iter().zip(&number.objects) {
        match opened.and_then(|opened| slice.take(&name, opened)) {
            Ok(()) => folded.push(history::id(&name)),
            Err(refusal) => {
                slice.quarantined.push(quarantine::keep(lake, location, &refusal, clock.now()).await?);
                quarantined.push(history::id(&name));
            }
        }
        slice.consumed.push(location.clone());
    }
    let of_stream = || (stream.position, StreamObjects::none(&stream.stream));
    let (position, consumed) = slice.streams.entry(stream.stream.clone()).or_insert_with(of_stream);
    *position = stream.position;
    consumed.folded.append(&mut folded);
    consumed.quarantined.append(&mut quarantined);
    Ok(())
}

/// Writes the slice's rows and commits them with the cursors of its streams; `target` then knows the new version.
///
/// # Errors
/// The store failed, or rows could not be encoded. The commit may be there or not.
pub(super) async fn commit(
    slice: Slice,
    target: &mut Target,
    clock: &dyn Clock,
) -> Result<Commit, CompactError> {
    let files = slice.columns.of_files();
    let mut actions = Vec::new();
    let now = clock.now();
    if target.version.is_none() {
        actions.push(schema::protocol(&target.place)?);
    }
    if target.version.is_none() || slice.columns != target.columns {
        let columns = slice.columns.with_partition();
        actions.push(schema::metadata(&target.place, &target.id, &columns, &[PARTITION], now)?);
    }
    for (day, batches) in slice.days {
        let mut writer = DataFileWriter::try_new(&target.place, &files, properties())?;
        for batch in sorted(batches, &files).map_err(|source| unsorted(target, source))? {
            writer.write(&batch.map_err(|source| unsorted(target, source))?)?;
        }
        if writer.rows() > 0 {
            actions.push(Action::Add(writer.finish(&[])?.put(&target.place, day, now).await?));
        }
    }
    let mut consumed = Consumed::default();
    for (stream, (position, objects)) in slice.streams {
        actions.extend(position.actions(&stream));
        position.note(&stream, &mut target.cursors);
        consumed.streams.push(objects);
    }
    for name in slice.requeued {
        let cursor = Cursor::Requeued(name.digest.clone());
        actions.push(cursor.at(name.seq.0 as i64));
        target.cursors.insert(cursor.to_string(), name.seq.0 as i64);
        consumed.requeued.push(history::Requeued::of(&name));
    }
    let info = serde_json::to_value(&consumed).unwrap_or_default();
    actions.push(log::commit_info("WRITE", info, now));
    let version = target.version.map_or(TableVersion(0), TableVersion::next);
    let commit = log::append(&target.place, version, &actions).await?;
    if let Commit::Done(version) = commit {
        target.version = Some(version);
        target.columns = slice.columns;
    }
    Ok(commit)
}

fn unsorted(target: &Target, source: ArrowError) -> CompactError {
    CompactError::Rows { table: target.place.url().to_string(), source }
}

/// The rows of one day with the columns of `files`, in [`ORDER`], piece by piece.
fn sorted(
    batches: Vec<(Arc<str>, RecordBatch)>,
    files: &SchemaRef,
) -> Result<impl Iterator<Item = Result<RecordBatch, ArrowError>>, ArrowError> {
    let fitted: Vec<RecordBatch> = batches
        .into_iter()
        .map(|(host, batch)| columns::fit(&batch, files, &host))
        .collect::<Result<_, _>>()?;
    let key = |name: &&str| {
        let parts: Vec<_> =
            fitted.iter().filter_map(|batch| Some(batch.column_by_name(name)?.as_ref())).collect();
        Ok(SortColumn { values: concat(&parts)?, options: None })
    };
    let order = match fitted.first() {
        None => UInt32Array::from(Vec::<u32>::new()),
        Some(_) => {
            let keys = ORDER.iter().map(key).collect::<Result<Vec<_>, ArrowError>>()?;
            lexsort_to_indices(&keys, None)?
        }
    };
    let rows: Vec<(usize, usize)> = fitted
        .iter()
        .enumerate()
        .flat_map(|(batch, rows)| (0..rows.num_rows()).map(move |row| (batch, row)))
        .collect();
    let count = rows.len();
    let piece = move |start: usize| {
        let indices = order.values().iter().skip(start).take(PIECE_ROWS);
        let places: Vec<_> =
            indices.map(|row| rows.get(*row as usize).copied().unwrap_or_default()).collect();
        interleave_record_batch(&fitted.iter().collect::<Vec<_>>(), &places)
    };
    Ok((0..count).step_by(PIECE_ROWS).map(piece))
}

/// How the data files of a fleet table are encoded. Row groups are small enough that a reader passes over those of
/// other times.
pub(super) fn properties() -> WriterProperties {
    WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .build()
}
