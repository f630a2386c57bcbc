//! Lines and file positions to one Bronze commit.
//!
//! Invariant: the records of the files that a batch was read from stand in the commitInfo of the commit
//! that adds its rows. There is no other record of positions. Now and then a commit restates all files, so
//! that a start reads back only to there; log clean-up never goes past it.

mod encode;
mod runs;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use deltalake::kernel::Action;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::clock::Timestamp;
use crate::seal::Seal;
use crate::store::Place;
use crate::table::{Cursor, LocalTable, Snapshot, TableError, TableVersion, log};
use crate::tail::{Lines, Positions, Tail, TailCounters, Told};

pub use encode::encode;

/// The version of the form of [`Standing`].
const FORMAT: u32 = 1;

/// A commit restates all files after this many records were written since the last restatement, or after
/// twice as many as there are files: so restating costs at most as much again as the records do.
const RECORDS_BEFORE_RESTATE: usize = 256;

/// The columns of a Bronze data file, without the partition column.
pub fn columns() -> SchemaRef {
    let micros = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    Arc::new(Schema::new(vec![
        Field::new("line", DataType::Utf8, false),
        Field::new("raw", DataType::Binary, true),
        Field::new("file", DataType::Int64, false),
        Field::new("offset", DataType::Int64, false),
        Field::new("path", DataType::Utf8, false),
        Field::new("source", DataType::Utf8, false),
        Field::new("host", DataType::Utf8, false),
        Field::new("ingested_at", micros, false),
        Field::new("cut_bytes", DataType::Int64, true),
    ]))
}

/// What a Bronze commit says of the files.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Standing<P> {
    format: u32,
    scope: Scope,
    /// Written as [`Told`], read as [`Positions`].
    #[serde(flatten)]
    positions: P,
    losses: Losses,
    /// Where feeds stand that can be read again, by source.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    feeds: BTreeMap<String, String>,
    /// Whose folder this is; stands where `scope` is `all`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seal: Option<Seal>,
}

/// Which files a commit tells about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Scope {
    /// Those that changed.
    Moved,
    /// All of them: no earlier commit is needed.
    All,
}

/// What could not be taken from the files since the table began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Losses {
    /// Lines that were cut.
    pub cut_lines: u64,
    /// Bytes that were left out of them.
    pub cut_bytes: u64,
    /// Files that vanished, or were truncated, before they were read to the end.
    pub vanished_files: u64,
    /// Bytes in them that had been seen and were not read.
    pub vanished_bytes: u64,
    /// NUL bytes skipped that stood where a line should begin.
    #[serde(default)]
    pub hole_bytes: u64,
    /// Rotated files that gzip compressed and that are damaged; what can be read of them is read.
    #[serde(default)]
    pub damaged_files: u64,
}

impl Losses {
    fn with(self, counters: TailCounters) -> Self {
        Self {
            cut_lines: self.cut_lines + counters.cut_lines,
            cut_bytes: self.cut_bytes + counters.cut_bytes,
            vanished_files: self.vanished_files + counters.vanished_files,
            vanished_bytes: self.vanished_bytes + counters.vanished_bytes,
            hole_bytes: self.hole_bytes + counters.hole_bytes,
            damaged_files: self.damaged_files + counters.damaged_files,
        }
    }
}

/// Where tailing stands, as the Bronze log tells it.
#[derive(Clone, Debug, Default)]
pub struct Restored {
    /// How far the files are read.
    pub positions: Positions,
    /// What could not be taken since the table began.
    pub losses: Losses,
    /// Where feeds stand that can be read again, by source.
    pub feeds: BTreeMap<String, String>,
    /// Whose folder this is.
    pub seal: Option<Seal>,
    /// The version of the last commit that restates all files.
    pub restated_at: TableVersion,
}

impl Restored {
    /// Reads back from `newest` to the last restatement.
    ///
    /// # Errors
    /// The store failed, or a log entry is missing or damaged before a restatement was found.
    pub async fn read(place: &Place, newest: TableVersion) -> Result<Self, TableError> {
        let mut newest_first = Vec::new();
        let mut version = newest;
        loop {
            let entry = log::read_local(place, version).await?;
            if let Some(info) = entry.info.get("tail") {
                let standing = Standing::<Positions>::deserialize(info)
                    .map_err(|error| TableError::damaged_entry(place, version, error))?;
                if standing.format != FORMAT {
                    let reason =
                        format!("positions of format {}; this version reads {FORMAT}", standing.format);
                    return Err(TableError::Entry { table: place.url().to_string(), version, reason });
                }
                let restates = standing.scope == Scope::All;
                newest_first.push(standing);
                if restates {
                    break;
                }
            }
            match version.0.checked_sub(1) {
                Some(earlier) => version = TableVersion(earlier),
                None => break,
            }
        }
        let mut restored = Self { restated_at: version, ..Self::default() };
        for standing in newest_first.into_iter().rev() {
            restored.positions.apply(standing.positions);
            restored.losses = standing.losses;
            restored.feeds = standing.feeds;
            restored.seal = standing.seal.or(restored.seal);
        }
        Ok(restored)
    }
}

/// The Bronze table, as the tail stage writes it.
#[derive(Debug)]
pub struct Bronze {
    table: Arc<LocalTable>,
    host: String,
    sequence: i64,
    records_since_restate: usize,
    losses_before: Losses,
    feeds: BTreeMap<String, String>,
    /// Whether `feeds` tells more than the last commit did.
    has_fed: bool,
    seal: Seal,
}

impl Bronze {
    /// Takes up writing where the table's log ends; rows name `host`.
    ///
    /// # Errors
    /// The log is damaged.
    pub async fn open(
        table: Arc<LocalTable>,
        host: &str,
        snapshot: Option<&Snapshot>,
        restored: &Restored,
        seal: Seal,
    ) -> Result<Self, TableError> {
        let sequence = match snapshot {
            Some(snapshot) => snapshot.cursor(&Cursor::Tail).await?.unwrap_or(0),
            None => 0,
        };
        // The first commit restates, so that the seal is kept.
        let records_since_restate = usize::MAX;
        Ok(Self {
            table,
            host: host.to_owned(),
            sequence,
            records_since_restate,
            losses_before: restored.losses,
            feeds: restored.feeds.clone(),
            has_fed: false,
            seal,
        })
    }

    /// The table.
    pub fn table(&self) -> &Arc<LocalTable> {
        &self.table
    }

    /// Whether a feed was read on since the last commit.
    pub fn has_fed(&self) -> bool {
        self.has_fed
    }

    /// Notes how far a feed is read with the lines that the next commit adds.
    pub fn reach(&mut self, source: &str, cursor: String) {
        self.feeds.insert(source.to_owned(), cursor);
        self.has_fed = true;
    }

    /// Commits lines, all ingested on the UTC day of the time beside them, together with how far `tail` has
    /// come: to the end of exactly these. Without lines and without a change of files or feeds nothing is
    /// written.
    ///
    /// Returns the size of the data file in bytes.
    ///
    /// # Errors
    /// The store failed; the lines must be read again after a new start.
    pub async fn commit(
        &mut self,
        lines: Option<(&Lines, Timestamp)>,
        tail: &mut Tail,
        now: Timestamp,
    ) -> Result<u64, TableError> {
        let (positions, scope) = self.positions(tail)?;
        if lines.is_none() && scope == Scope::Moved && positions.records() == 0 && !self.has_fed {
            return Ok(0);
        }
        let mut bytes = 0;
        let mut actions = vec![Cursor::Tail.at(self.sequence + 1)];
        if let Some((lines, ingested_at)) = lines {
            let place = self.table.place();
            let file = tokio::task::block_in_place(|| encode(lines, &self.host)).map_err(|source| {
                TableError::Parquet { file: place.url().to_string(), operation: "encode", source }
            })?;
            bytes = file.bytes.len() as u64;
            actions.push(Action::Add(file.put(place, ingested_at.day(), now).await?));
        }
        let records = positions.records();
        let standing = Standing {
            format: FORMAT,
            scope,
            positions,
            losses: self.losses_before.with(tail.counters()),
            feeds: self.feeds.clone(),
            seal: (scope == Scope::All).then(|| self.seal.clone()),
        };
        actions.push(log::commit_info("WRITE", json!({ "tail": standing }), now));
        let version = self.table.commit(&actions).await?;
        self.sequence += 1;
        self.has_fed = false;
        match scope {
            Scope::All => {
                self.table.set_anchor(version);
                self.records_since_restate = 0;
            }
            Scope::Moved => self.records_since_restate += records,
        }
        Ok(bytes)
    }

    fn positions(&self, tail: &mut Tail) -> Result<(Told, Scope), TableError> {
        let due = RECORDS_BEFORE_RESTATE.max(2 * tail.files());
        let (told, scope) = match self.records_since_restate > due {
            true => (tail.live(), Scope::All),
            false => (tail.moved(), Scope::Moved),
        };
        let told = told.map_err(|error| TableError::Entry {
            table: self.table.place().url().to_string(),
            version: self.table.version().next(),
            reason: error.to_string(),
        })?;
        Ok((told, scope))
    }
}
