//! How far a host is, read from its tables: what `logsmith status` and `logsmith top` show.
//!
//! The names of these fields are those of `logsmith status --json`. Fields may be added; none is renamed, given another
//! unit or taken away without [`FORMAT`] going up. Numbers count from the beginning of a table unless they say otherwise,
//! and what does not apply is null.

use std::collections::BTreeMap;

use serde::Serialize;

use super::housekeeping::disk_use;
use super::notes::{held_reason, refused_configuration, refused_reason, unput_reason};
use crate::bronze::{Losses, Restored};
use crate::config::Edge;
use crate::silver::Ledger;
use crate::silver::unput::queue;
use crate::state::{self, folder};
use crate::store::Place;
use crate::table::datafile::row_count;
use crate::table::{Cursor, Snapshot, TableError, TableVersion, log};
use crate::tail::{FileStatus, file_status, passed_over};

/// The version of the form of [`Report`].
pub const FORMAT: u32 = 1;

/// How far files, tables, pipelines and sync of a host are.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// [`FORMAT`].
    pub format: u32,
    /// The host, as rows and landing prefixes carry it.
    pub host: String,
    /// The state folder.
    pub state_dir: String,
    /// Whether the agent has ever run on this state folder; all else is empty if it has not.
    pub has_run: bool,
    /// The files that are known, by path.
    pub files: Vec<FileReport>,
    /// Files that sources name and that are not read, since they are named as if they were compressed; they hold plain text.
    pub passed_over: Vec<String>,
    /// The sources that read files, by name.
    pub sources: Vec<SourceReport>,
    /// The tables of the state folder: Bronze, Silver by pipeline, dead letters.
    pub tables: Vec<TableReport>,
    /// The pipelines, in the order of the configuration.
    pub pipelines: Vec<PipelineReport>,
    /// What could not be taken.
    pub losses: Losses,
    /// What the state folder takes.
    pub disk: DiskReport,
    /// What of the configuration the running agent has not taken, and why.
    pub configuration_refused: Option<String>,
}

/// How far a file is read.
#[derive(Clone, Debug, Serialize)]
pub struct FileReport {
    /// Where it stands; `\u{fffd}` stands for bytes that are no UTF-8.
    pub path: String,
    /// The source that reads it.
    pub source: String,
    /// Its size now; null if it does not stand at its path any more.
    pub size_bytes: Option<u64>,
    /// Bytes of it that stand in Bronze.
    pub taken_bytes: u64,
    /// Bytes that do not, as far as they can be seen.
    pub lag_bytes: u64,
    /// What is wrong with it, if it was compressed.
    pub damage: Option<String>,
    /// Whether the agent could never open it.
    pub locked: bool,
}

/// The files of a source together.
#[derive(Clone, Debug, Serialize)]
pub struct SourceReport {
    /// The source.
    pub name: String,
    /// How many of its files are known.
    pub files: u64,
    /// Bytes of them that do not stand in Bronze.
    pub lag_bytes: u64,
}

/// One table.
#[derive(Clone, Debug, Serialize)]
pub struct TableReport {
    /// Its folder in the state folder.
    pub name: String,
    /// Its newest version.
    pub version: TableVersion,
    /// Rows in it now.
    pub rows: u64,
    /// What their files take.
    pub bytes: u64,
}

/// One pipeline.
#[derive(Clone, Debug, Serialize)]
pub struct PipelineReport {
    /// Its name.
    pub name: String,
    /// Lines judged.
    pub lines: u64,
    /// Rows made of them.
    pub rows: u64,
    /// Lines dropped on purpose.
    pub dropped: u64,
    /// Lines that became dead letters.
    pub dead_letters: u64,
    /// What of Bronze has no verdict yet, the lines of all sources together.
    pub waiting: WaitingReport,
    /// Why it holds, if it does.
    pub held: Option<String>,
    /// Why the plugins that are configured are not those that run, if they are not.
    pub refused: Option<String>,
    /// What goes to the central store; null if none is configured.
    pub uploads: Option<UploadReport>,
}

/// What of Bronze waits for a pipeline.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct WaitingReport {
    /// Versions of Bronze.
    pub versions: u64,
    /// Lines in them.
    pub lines: u64,
    /// What their files take.
    pub bytes: u64,
}

/// What of a pipeline goes to the central store.
#[derive(Clone, Debug, Serialize)]
pub struct UploadReport {
    /// Where to.
    pub url: String,
    /// The newest version of Silver.
    pub version: TableVersion,
    /// The last version of Silver whose objects are known to be put; it may lag.
    pub put_up_to: TableVersion,
    /// Objects of rows that were made.
    pub objects_made: u64,
    /// Objects that may not be put yet, dead letters' among them.
    pub waiting_objects: u64,
    /// What they take.
    pub waiting_bytes: u64,
    /// Why they are not put, if a data file is damaged.
    pub held: Option<String>,
}

/// What the state folder takes.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct DiskReport {
    /// Bytes of all files in it.
    pub used_bytes: u64,
    /// Bytes that it may take.
    pub budget_bytes: u64,
    /// Bytes of lines that may still be taken; at 0, reading waits.
    pub room_bytes: u64,
    /// Whether reading waits for room.
    pub is_full: bool,
    /// Why the disk itself takes nothing, if it does not: the agent waits until it does.
    pub takes_nothing: Option<&'static str>,
}

/// Reads how far this host is, from its tables; the agent may run or not.
///
/// # Errors
/// A table cannot be read.
pub async fn report(edge: &Edge) -> Result<Report, TableError> {
    let root = Place::local(&edge.state_dir)?;
    let disk = disk_use(&edge.state_dir, edge.disk_budget_bytes);
    let room_bytes = disk.room_bytes();
    let mut report = Report {
        format: FORMAT,
        host: edge.host.clone(),
        state_dir: edge.state_dir.display().to_string(),
        has_run: false,
        files: Vec::new(),
        passed_over: Vec::new(),
        sources: Vec::new(),
        tables: Vec::new(),
        pipelines: Vec::new(),
        losses: Losses::default(),
        disk: DiskReport {
            used_bytes: disk.used_bytes,
            budget_bytes: disk.budget_bytes,
            room_bytes,
            is_full: room_bytes == 0,
            takes_nothing: state::refusal(&edge.state_dir),
        },
        configuration_refused: refused_configuration(&edge.state_dir),
    };
    let bronze_place = root.join(folder::BRONZE);
    let Some(bronze) = Snapshot::load(&bronze_place).await? else { return Ok(report) };
    let restored = Restored::read(&bronze_place, bronze.version()).await?;
    report.has_run = true;
    report.losses = restored.losses;
    report.files = files(&restored);
    let passed = passed_over(&edge.sources).into_iter();
    report.passed_over = passed.map(|path| path.display().to_string()).collect();
    report.sources = sources(edge, &report.files);
    report.tables.push(table(folder::BRONZE, &bronze)?);
    for pipeline in &edge.pipelines {
        let name = format!("{}/{}", folder::SILVER, pipeline.name);
        let place = root.join(&name);
        let Some(silver) = Snapshot::load(&place).await? else { continue };
        report.tables.push(table(&name, &silver)?);
        let judged = silver.cursor(&Cursor::Bronze(bronze.id()?)).await?.unwrap_or(0);
        let waiting = waiting(&bronze_place, judged, bronze.version()).await?;
        let (ledger, _) = Ledger::read(&place, silver.version()).await?;
        report.pipelines.push(PipelineReport {
            name: pipeline.name.clone(),
            lines: ledger.totals.lines,
            rows: ledger.totals.rows,
            dropped: ledger.totals.dropped,
            dead_letters: ledger.totals.dead,
            waiting,
            held: held_reason(&edge.state_dir, &pipeline.name),
            refused: refused_reason(&edge.state_dir, &pipeline.name),
            uploads: uploads(edge, &pipeline.name, &place, &silver, &ledger).await?,
        });
    }
    if let Some(dead) = Snapshot::load(&root.join(folder::DEAD_LETTER)).await? {
        report.tables.push(table(folder::DEAD_LETTER, &dead)?);
    }
    Ok(report)
}

fn files(restored: &Restored) -> Vec<FileReport> {
    let report = |file: FileStatus| FileReport {
        path: file.path.display().to_string(),
        source: file.source.to_string(),
        size_bytes: file.size,
        taken_bytes: file.offset,
        lag_bytes: file.lag(),
        damage: file.damage.map(|damage| damage.to_string()),
        locked: file.is_locked,
    };
    file_status(&restored.positions).into_iter().map(report).collect()
}

fn sources(edge: &Edge, files: &[FileReport]) -> Vec<SourceReport> {
    let none = |name: &str| SourceReport { name: name.to_owned(), files: 0, lag_bytes: 0 };
    let configured = edge.sources.iter().map(|source| (source.name.as_str(), none(&source.name)));
    let mut sources: BTreeMap<&str, SourceReport> = configured.collect();
    for file in files {
        let source = sources.entry(&file.source).or_insert_with(|| none(&file.source));
        source.files += 1;
        source.lag_bytes += file.lag_bytes;
    }
    sources.into_values().collect()
}

fn table(name: &str, snapshot: &Snapshot) -> Result<TableReport, TableError> {
    let files = snapshot.files()?;
    Ok(TableReport {
        name: name.to_owned(),
        version: snapshot.version(),
        rows: files.iter().filter_map(row_count).sum(),
        bytes: files.iter().map(|add| add.size.unsigned_abs()).sum(),
    })
}

async fn waiting(bronze: &Place, judged: i64, newest: TableVersion) -> Result<WaitingReport, TableError> {
    let mut waiting = WaitingReport::default();
    for version in judged.unsigned_abs() + 1..=newest.0 {
        waiting.versions += 1;
        let Some(entry) = log::read(bronze, TableVersion(version)).await? else { continue };
        waiting.lines += entry.adds.iter().filter_map(row_count).sum::<u64>();
        waiting.bytes += entry.adds.iter().map(|add| add.size.unsigned_abs()).sum::<u64>();
    }
    Ok(waiting)
}

async fn uploads(
    edge: &Edge,
    pipeline: &str,
    place: &Place,
    silver: &Snapshot,
    ledger: &Ledger,
) -> Result<Option<UploadReport>, TableError> {
    let Some(central) = &edge.central else { return Ok(None) };
    let put_up_to = TableVersion(silver.cursor(&Cursor::Sync).await?.unwrap_or(0).unsigned_abs());
    let queue = queue(place, put_up_to, silver.version()).await?;
    Ok(Some(UploadReport {
        url: central.url().to_string(),
        version: silver.version(),
        put_up_to,
        objects_made: ledger.rows.seq.map_or(0, |seq| seq.0),
        waiting_objects: queue.objects,
        waiting_bytes: queue.bytes,
        held: unput_reason(&edge.state_dir, pipeline),
    }))
}
