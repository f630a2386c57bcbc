//! Where a line of this host went: from its file and offset to its verdict and its landing object, read from the tables.

use std::fmt;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use deltalake::kernel::Add;
use serde::Deserialize;
use serde_json::Value;

use crate::clock::Timestamp;
use crate::config::{Edge, Pipeline};
use crate::silver::Verdict;
use crate::state::{self, folder};
use crate::store::Place;
use crate::sync::landing::{BronzeRange, DEAD_LETTER, Footer, ObjectName, StreamId};
use crate::table::{Cursor, Digest, Snapshot, TableError, TableVersion, datafile, log};
use crate::text::Shown;
use crate::transform::Fingerprint;

/// What identifies a line of this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineId {
    /// The number of its file.
    pub file: i64,
    /// Where it starts there, in bytes.
    pub offset: i64,
}

/// Where a line went.
#[derive(Debug)]
pub struct Trace {
    id: LineId,
    line: Option<Line>,
    fate: Fate,
    judgement: Option<Judgement>,
    landing: Option<(ObjectName, bool)>,
}

/// A line as it was read.
#[derive(Debug)]
struct Line {
    path: String,
    source: String,
    ingested_at: Timestamp,
    /// Its text, while Bronze keeps it.
    text: Option<String>,
    /// The Bronze version that has it, while the log tells.
    bronze: Option<TableVersion>,
}

/// What became of a line.
#[derive(Debug)]
enum Fate {
    Rows(usize),
    Dead {
        plugin: String,
        reason: String,
    },
    Dropped,
    /// Its row has gone on, or it was dropped.
    RowsOrDropped,
    Waiting,
    OtherSource,
    Forgotten,
}

/// The commit that judged a line.
#[derive(Debug)]
struct Judgement {
    table: String,
    /// While the log tells of it.
    commit: Option<(TableVersion, Option<Timestamp>)>,
    bronze: BronzeRange,
    plugins: Vec<Fingerprint>,
}

/// A Silver table of the pipeline: the one that it writes, or one that was replaced.
struct Table {
    name: String,
    place: Place,
    snapshot: Snapshot,
}

/// A commit of a Silver table, and what it says.
struct Judged {
    version: TableVersion,
    time: Option<Timestamp>,
    verdict: Verdict,
}

/// Follows the line through `pipeline`.
///
/// # Errors
/// A table cannot be read.
pub async fn trace(edge: &Edge, pipeline: &Pipeline, id: LineId) -> Result<Trace, TableError> {
    let root = Place::local(&edge.state_dir)?;
    let bronze = root.join(folder::BRONZE);
    let mut trace = Trace { id, line: None, fate: Fate::Forgotten, judgement: None, landing: None };
    if let Some(snapshot) = Snapshot::load(&bronze).await?
        && let Some((add, rows)) = find(&bronze, &snapshot, id, |_| true).await?
    {
        let version = version_of(&bronze, &add.path).await?;
        let text = string(&rows, "line");
        trace.line = line(&rows).map(|line| Line { text, bronze: version, ..line });
    }
    let mut tables = Vec::new();
    let silver = root.join(folder::SILVER);
    for name in silver.folders().await? {
        if name == pipeline.name || state::replaced_name(&name) == Some(&pipeline.name) {
            let place = silver.join(&name);
            if let Some(snapshot) = Snapshot::load(&place).await? {
                tables.push(Table { name, place, snapshot });
            }
        }
    }
    for table in &tables {
        if let Some((add, rows)) = find(&table.place, &table.snapshot, id, |_| true).await? {
            trace.fate = Fate::Rows(rows.num_rows());
            trace.line = trace.line.or_else(|| line(&rows));
            let is_of_file = |verdict: &Verdict| verdict.rows.as_ref().is_some_and(|it| it.path == add.path);
            let judged = judged(&table.place, is_of_file).await?;
            trace.settle(edge, table, &pipeline.name, &table.place, &add, judged).await?;
            return Ok(trace);
        }
    }
    let dead_letters = root.join(folder::DEAD_LETTER);
    let of_pipeline = |row: &RecordBatch| string(row, "pipeline").is_some_and(|name| name == pipeline.name);
    if let Some(snapshot) = Snapshot::load(&dead_letters).await?
        && let Some((add, rows)) = find(&dead_letters, &snapshot, id, of_pipeline).await?
    {
        let text = |column| string(&rows, column).unwrap_or_default();
        trace.fate = Fate::Dead { plugin: text("plugin"), reason: text("reason") };
        trace.line =
            trace.line.or_else(|| line(&rows).map(|line| Line { text: string(&rows, "line"), ..line }));
        let id = footer(&dead_letters, &add).await?.map(|(footer, _)| footer.table_id);
        for table in &tables {
            if id.is_some() && id != Some(table.snapshot.id()?) {
                continue;
            }
            let is_of_file = |verdict: &Verdict| {
                verdict.dead_letters.as_ref().is_some_and(|dead| dead.object.path == add.path)
            };
            let judged = judged(&table.place, is_of_file).await?;
            trace.settle(edge, table, DEAD_LETTER, &dead_letters, &add, judged).await?;
        }
        return Ok(trace);
    }
    if let Some(read) = &trace.line {
        trace.fate = match read.bronze {
            _ if !pipeline.sources.contains(&read.source) => Fate::OtherSource,
            None => Fate::Forgotten,
            Some(version) => {
                let (fate, judgement) = unseen(&tables, &bronze, version).await?;
                trace.judgement = judgement;
                fate
            }
        };
    }
    Ok(trace)
}

impl Trace {
    /// Takes down what judged the line, by the commit that added its file, or else by the file's own footer, and which
    /// landing object the file is.
    async fn settle(
        &mut self,
        edge: &Edge,
        table: &Table,
        fleet_table: &str,
        place: &Place,
        add: &Add,
        judged: Option<Judged>,
    ) -> Result<(), TableError> {
        let Some((footer, digest)) = footer(place, add).await? else { return Ok(()) };
        let commit = judged.as_ref().map(|judged| (judged.version, judged.time));
        let (bronze, plugins) = match judged {
            Some(Judged { verdict, .. }) => (verdict.bronze, verdict.plugins),
            None => {
                let plugins = footer.plugins.iter().filter_map(|it| Fingerprint::deserialize(it).ok());
                (footer.bronze, plugins.collect())
            }
        };
        self.judgement = Some(Judgement { table: table.name.clone(), commit, bronze, plugins });
        if edge.central.is_some() {
            let (host, table_id) = (footer.host, footer.table_id);
            let stream = StreamId { table: fleet_table.to_owned(), host, table_id };
            let name = ObjectName { stream, seq: footer.seq, part: footer.part, digest: digest.to_string() };
            let synced = table.snapshot.cursor(&Cursor::Sync).await?.unwrap_or(0);
            // Entries are cleaned up once what they add is put.
            let is_put = commit.is_none_or(|(version, _)| version.as_cursor() <= synced);
            self.landing = Some((name, is_put));
        }
        Ok(())
    }
}

/// What became of a line of this Bronze version that has no row and no dead letter here.
async fn unseen(
    tables: &[Table],
    bronze: &Place,
    version: TableVersion,
) -> Result<(Fate, Option<Judgement>), TableError> {
    let Some(snapshot) = Snapshot::load(bronze).await? else { return Ok((Fate::Forgotten, None)) };
    let id = snapshot.id()?;
    for table in tables {
        let covers = |verdict: &Verdict| {
            let BronzeRange { table_id, first, last } = &verdict.bronze;
            *table_id == id && (*first..=*last).contains(&version)
        };
        if let Some(Judged { version, time, verdict }) = judged(&table.place, covers).await? {
            let live = table.snapshot.files()?;
            let is_here =
                verdict.rows.as_ref().is_none_or(|rows| live.iter().any(|add| add.path == rows.path));
            let fate = if is_here { Fate::Dropped } else { Fate::RowsOrDropped };
            let Verdict { bronze, plugins, .. } = verdict;
            let commit = Some((version, time));
            return Ok((fate, Some(Judgement { table: table.name.clone(), commit, bronze, plugins })));
        }
    }
    let mut judged = 0;
    for table in tables {
        judged = judged.max(table.snapshot.cursor(&Cursor::Bronze(id.clone())).await?.unwrap_or(0));
    }
    Ok((if version.as_cursor() > judged { Fate::Waiting } else { Fate::Forgotten }, None))
}

/// The rows of a line, all in one data file, and that file.
async fn find(
    place: &Place,
    snapshot: &Snapshot,
    id: LineId,
    chosen: impl Fn(&RecordBatch) -> bool,
) -> Result<Option<(Add, RecordBatch)>, TableError> {
    for add in snapshot.files()?.into_iter().filter(|add| may_hold(add, id)) {
        for batch in datafile::read_local(place, &add.path).await? {
            let wanted = [("file", id.file), ("offset", id.offset)].map(|(name, value)| {
                let column = batch.column_by_name(name)?.as_primitive_opt::<Int64Type>()?;
                Some(column.iter().map(|found| Some(found == Some(value))).collect::<BooleanArray>())
            });
            let [Some(file), Some(offset)] = &wanted else { continue };
            let rows = arrow::compute::and(file, offset).and_then(|both| filter_record_batch(&batch, &both));
            let rows =
                rows.map_err(|source| TableError::Schema { table: place.url().to_string(), source })?;
            if rows.num_rows() > 0 && chosen(&rows) {
                return Ok(Some((add, rows)));
            }
        }
    }
    Ok(None)
}

/// Whether the statistics of a file leave room for the line.
fn may_hold(add: &Add, id: LineId) -> bool {
    let stats = add.stats.as_deref().and_then(|stats| serde_json::from_str::<Value>(stats).ok());
    let bound = |which: &str, name: &str| stats.as_ref()?.get(which)?.get(name)?.as_i64();
    [("file", id.file), ("offset", id.offset)].into_iter().all(|(name, value)| {
        bound("minValues", name).is_none_or(|least| least <= value)
            && bound("maxValues", name).is_none_or(|most| value <= most)
    })
}

/// The version that added a data file, if the log still tells.
async fn version_of(place: &Place, path: &str) -> Result<Option<TableVersion>, TableError> {
    for version in log::list(place).await?.0.into_iter().rev() {
        let Some(entry) = log::read(place, version).await? else { continue };
        if entry.adds.iter().any(|add| add.data_change && add.path == path) {
            return Ok(Some(version));
        }
    }
    Ok(None)
}

/// The newest verdict of a Silver table that is the wanted one.
async fn judged(place: &Place, is_wanted: impl Fn(&Verdict) -> bool) -> Result<Option<Judged>, TableError> {
    for version in log::list(place).await?.0.into_iter().rev() {
        let Some(mut entry) = log::read(place, version).await? else { continue };
        let verdict = entry.info.get_mut("verdict").map(Value::take);
        let verdict = verdict.and_then(|verdict| serde_json::from_value::<Verdict>(verdict).ok());
        if let Some(verdict) = verdict.filter(&is_wanted) {
            return Ok(Some(Judged { version, time: entry.time, verdict }));
        }
    }
    Ok(None)
}

/// What a data file says of itself as a landing object, and its digest.
async fn footer(place: &Place, add: &Add) -> Result<Option<(Footer, Digest)>, TableError> {
    let Some(bytes) = place.get(&add.path).await? else { return Ok(None) };
    let digest = Digest::of(&bytes);
    Ok(Footer::read(bytes).map(|footer| (footer, digest)))
}

fn string(rows: &RecordBatch, name: &str) -> Option<String> {
    let column = rows.column_by_name(name)?.as_string_opt::<i32>()?;
    column.is_valid(0).then(|| column.value(0).to_owned())
}

/// The line of the first row.
fn line(rows: &RecordBatch) -> Option<Line> {
    let times = rows.column_by_name("ingested_at")?.as_primitive_opt::<TimestampMicrosecondType>()?;
    Some(Line {
        path: string(rows, "path")?,
        source: string(rows, "source")?,
        ingested_at: Timestamp::from_micros(times.value(0)),
        text: None,
        bronze: None,
    })
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LineId { file, offset } = self.id;
        let Some(Line { path, source, ingested_at, text, bronze }) = &self.line else {
            return write!(
                f,
                "line      byte {offset} of file {file}: no table here has it, or had it lately"
            );
        };
        let path = Shown(path);
        writeln!(f, "line      {path}, byte {offset} (file {file}), source {source}, read {ingested_at}")?;
        match text {
            Some(text) => writeln!(f, "          {}", Shown(text))?,
            None => writeln!(f, "          Bronze no longer keeps it")?,
        }
        if let Some(version) = bronze {
            writeln!(f, "bronze    version {version}")?;
        }
        match &self.fate {
            Fate::Rows(1) => writeln!(f, "verdict   1 row")?,
            Fate::Rows(rows) => writeln!(f, "verdict   {rows} rows")?,
            Fate::Dead { plugin, reason } => {
                writeln!(f, "verdict   dead letter of {plugin}: {}", Shown(reason))?;
            }
            Fate::Dropped => writeln!(f, "verdict   dropped on purpose")?,
            Fate::RowsOrDropped => {
                writeln!(f, "verdict   dropped on purpose, or its rows have expired here")?
            }
            Fate::Waiting => writeln!(f, "verdict   none yet: it waits")?,
            Fate::OtherSource => writeln!(f, "verdict   none: the pipeline does not take this source")?,
            Fate::Forgotten => writeln!(f, "verdict   nothing here tells of it any more")?,
        }
        if let Some(Judgement { table, commit, bronze, plugins }) = &self.judgement {
            write!(f, "silver    {}/{table}", folder::SILVER)?;
            if let Some((version, time)) = commit {
                write!(f, " version {version}")?;
                time.map_or(Ok(()), |time| write!(f, ", {time}"))?;
            }
            writeln!(f, ", of Bronze versions {} to {}", bronze.first, bronze.last)?;
            for plugin in plugins {
                writeln!(f, "{plugin}")?;
            }
        }
        match &self.landing {
            Some((name, true)) => write!(f, "landing   {name}, put"),
            Some((name, false)) => write!(f, "landing   {name}, not put yet"),
            None => write!(f, "landing   none"),
        }
    }
}
