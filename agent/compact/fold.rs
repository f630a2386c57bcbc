//! Folding: many landing objects into few large, time-sorted files, and one commit that adds them together
//! with the cursors of their streams.
//!
//! A commit goes to exactly the version after the one that the cursors were read from. Rows are sorted by their keys
//! and encoded piece by piece, never copied as a whole.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::{SortColumn, concat, interleave_record_batch, lexsort_to_indices};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use deltalake::kernel::Action;
use object_store::path::Path;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use super::columns::{self, Columns, HOST, TIME};
use super::history::{self, Consumed, Made, ObjectId, ReplacedObjects, StreamObjects};
use super::object::Opened;
use super::plan::Position;
use super::replace::{self, Replacement};
use super::validate::Refusal;
use super::volume::Volume;
use super::{CompactError, Quarantined, SILVER, days};
use crate::clock::{Clock, Day};
use crate::config::{Central, Rename};
use crate::store::Place;
use crate::sync::landing::{ObjectName, StreamId};
use crate::table::schema::PARTITION;
use crate::table::{Commit, Cursor, DataFileWriter, Snapshot, TableError, TableVersion, log, schema};

/// The bytes of rows in memory after which a slice takes no further number.
const SLICE_UNPACKED_BYTES: usize = 512 << 20;

/// The objects after which a slice takes no further number.
pub(super) const SLICE_OBJECTS: u64 = 8_192;

/// The days after which a slice takes no further number: each becomes a file.
const SLICE_DAYS: usize = 1_000;

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

    /// The first day that retention has not taken out of it; `None` if it has taken nothing.
    fn first_kept(&self) -> Option<Day> {
        let day = self.cursors.get(&Cursor::Expired.to_string())?;
        i32::try_from(*day).ok().map(Day)
    }

    /// Its version; `None` before it is made.
    pub fn version(&self) -> Option<TableVersion> {
        self.version
    }
}

/// Rows, by day, each batch with the host that it is of.
type HostRows = BTreeMap<Day, Vec<(Arc<str>, RecordBatch)>>;

/// What one commit is to hold.
#[derive(Debug)]
pub(super) struct Slice {
    columns: Columns,
    renames: Arc<[Rename]>,
    days: HostRows,
    streams: BTreeMap<StreamId, (Position, StreamObjects)>,
    /// Objects out of quarantine, each of which sets a cursor of its own.
    requeued: Vec<ObjectName>,
    made: Vec<Made>,
    unpacked_bytes: usize,
    /// What leaves the table.
    replacements: Vec<Replacement>,
    /// The first day that retention has left in the table.
    first_kept: Option<Day>,
    /// Where the objects lie that it consumes.
    pub consumed: Vec<Path>,
    /// Those of them that it refuses.
    pub quarantined: Vec<Quarantined>,
    /// Objects whose rows it holds.
    pub objects: u64,
    /// Rows that it holds.
    pub rows: u64,
    /// The bytes of the objects whose rows it holds.
    pub bytes: u64,
    /// Rows of a replay that are left out, because retention has taken the rows that they would replace.
    pub out_of_reach: u64,
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
            made: Vec::new(),
            unpacked_bytes: 0,
            replacements: Vec::new(),
            first_kept: target.first_kept(),
            consumed: Vec::new(),
            quarantined: Vec::new(),
            objects: 0,
            rows: 0,
            bytes: 0,
            out_of_reach: 0,
        }
    }

    /// Whether there is nothing to commit.
    pub fn is_empty(&self) -> bool {
        self.streams.is_empty()
    }

    /// Whether a commit should hold no more than this.
    pub fn is_full(&self) -> bool {
        self.unpacked_bytes >= SLICE_UNPACKED_BYTES
            || self.consumed.len() as u64 >= SLICE_OBJECTS
            || self.days.len() >= SLICE_DAYS
    }

    /// Passes the numbers of a stream up to `position`, of which these objects were folded, of this volume, and these refused.
    pub fn pass(
        &mut self,
        stream: &StreamId,
        position: Position,
        mut folded: Vec<ObjectId>,
        mut quarantined: Vec<ObjectId>,
        volume: Volume,
    ) {
        let none = || (position, StreamObjects::none(stream));
        let (reached, objects) = self.streams.entry(stream.clone()).or_insert_with(none);
        *reached = position;
        objects.folded.append(&mut folded);
        objects.quarantined.append(&mut quarantined);
        self.bytes += volume.bytes;
        objects.volume.add(volume);
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
    pub fn take(&mut self, name: &ObjectName, opened: Opened) -> Result<(), Refusal> {
        let schema = columns::renamed(&opened.schema, &self.renames)?;
        let named = |batch: RecordBatch| RecordBatch::try_new(Arc::clone(&schema), batch.columns().to_vec());
        let batches: Result<Vec<_>, _> = opened.batches.into_iter().map(named).collect();
        let unfit = |e: ArrowError| Refusal::Column(e.to_string());
        let mut days = days::by_day(&batches.map_err(unfit)?)?;
        let replaced = opened.footer.replaces;
        let replacement = replaced.map(|replaced| Replacement { name: name.clone(), replaced });
        let left = replacement.as_ref().map(|replacement| self.without(replacement)).transpose();
        let left = left.map_err(unfit)?;
        self.columns.merge(&schema)?;
        history::note(&mut self.made, name, &opened.footer.plugins);
        self.unpacked_bytes += opened.bytes;
        if let (Some(replacement), Some(left)) = (replacement, left) {
            self.out_of_reach += replace::within_reach(&mut days, self.first_kept);
            self.rows = left.values().flatten().map(|(_, batch)| batch.num_rows() as u64).sum();
            self.days = left;
            self.replacements.push(replacement);
        }
        let host: Arc<str> = Arc::from(name.stream.host.as_str());
        for (day, batches) in days {
            self.rows += days::rows(&batches);
            let of_day = self.days.entry(day).or_default();
            of_day.extend(batches.into_iter().map(|batch| (Arc::clone(&host), batch)));
        }
        self.objects += 1;
        Ok(())
    }

    /// The rows that it holds without those that are replaced.
    fn without(&self, replacement: &Replacement) -> Result<HostRows, ArrowError> {
        let of_host = |(host, batch): &(Arc<str>, RecordBatch)| {
            let left = replace::left(batch.clone(), Some(host), std::slice::from_ref(replacement))?;
            Ok((Arc::clone(host), left))
        };
        let of_day = |(day, batches): (&Day, &Vec<(Arc<str>, RecordBatch)>)| {
            Ok((*day, batches.iter().map(of_host).collect::<Result<_, ArrowError>>()?))
        };
        self.days.iter().map(of_day).collect()
    }
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
    let mut consumed = Consumed { made: slice.made, ..Consumed::default() };
    if let (Some(version), false) = (target.version, slice.replacements.is_empty()) {
        // The files of another version are not those that this one replaces.
        let snapshot = Snapshot::load(&target.place).await?.filter(|snapshot| snapshot.version() == version);
        let Some(snapshot) = snapshot else { return Ok(Commit::Conflict) };
        let removal = replace::remove(&target.place, &snapshot, &slice.replacements, now).await?;
        consumed.kept = (removal.rows > 0).then_some(removal.kept);
        actions.extend(removal.actions);
    }
    consumed.replaced = slice.replacements.into_iter().map(ReplacedObjects::of).collect();
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
