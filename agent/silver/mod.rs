//! Rows and a Bronze version to one Silver commit, and dead letters beside it.
//!
//! Invariants:
//! - The Silver commit is the verdict on a range of Bronze: it holds the rows, the cursor, the plugins that
//!   judged, and the `add` action of the dead letters' file, which is durable before.
//! - The dead-letter table is a projection of the Silver logs: what a crash kept from it is copied at the
//!   next start.
//! - Numbers and digests of the landing objects are settled in the same commit, so that whatever is put
//!   later is put alike each time.
//! - A replay is one such commit: it removes what an earlier verdict on its range has added, and adds its own.

pub mod columns;
pub mod dead_letter;
pub mod generation;
pub mod live;
pub mod open;
mod put;
pub mod unput;

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use deltalake::kernel::{Action, Add};
use serde::{Deserialize, Serialize};

use crate::clock::{Day, Timestamp};
use crate::store::Place;
use crate::sync::landing::{BronzeRange, Seq};
use crate::table::{Cursor, DataFileWriter, Digest, LocalTable, TableError, TableVersion, log};
use crate::transform::Fingerprint;
use generation::{Generation, Unit};
use put::{About, Put};

pub use dead_letter::DeadLetters;
pub use live::{Live, Scope};
pub use open::OpenError;

/// The version of the form of [`Verdict`], and that of one with a generation.
const FORMAT: u32 = 1;
const GENERATION_FORMAT: u32 = 2;

/// What a Silver commit says beside its rows.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Verdict {
    format: u32,
    /// The Bronze versions judged.
    pub bronze: BronzeRange,
    /// The plugins that judged.
    pub plugins: Vec<Fingerprint>,
    /// The plugins that had judged until then, where these are others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced: Option<Vec<Fingerprint>>,
    /// What became of the lines.
    pub counts: Counts,
    /// The landing object made of the rows.
    pub rows: Option<Object>,
    /// The landing object made of the dead letters, with the action that adds its file to their table.
    pub dead_letters: Option<DeadObject>,
    /// What a replay made instead of what was there; `rows` and `dead_letters` are none then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<Generation>,
}

impl Verdict {
    /// The verdict of an entry of the log of the Silver table at `place`, if it is one.
    ///
    /// # Errors
    /// It is damaged.
    pub fn of(place: &Place, entry: &log::Entry) -> Result<Option<Self>, TableError> {
        let verdict = entry.info.get("verdict").map(Self::deserialize).transpose();
        verdict.map_err(|e| TableError::damaged_entry(place, entry.version, format!("verdict: {e}")))
    }

    /// The runs of Bronze versions that were judged together, in order: of a replay several.
    pub fn into_units(self) -> Vec<Unit> {
        let Self { bronze, counts, rows, dead_letters, generation, .. } = self;
        match generation {
            Some(generation) => generation.units,
            None => vec![Unit { bronze, counts, rows, dead_letters }],
        }
    }
}

/// What became of the lines of a Bronze range: `lines = judged rows + dropped + dead`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Lines that the pipeline saw.
    pub lines: u64,
    /// Rows made of them; one line may give several.
    pub rows: u64,
    /// Lines dropped on purpose.
    pub dropped: u64,
    /// Lines that became dead letters.
    pub dead: u64,
}

impl Counts {
    /// The sum.
    pub fn plus(self, more: Self) -> Self {
        Self {
            lines: self.lines + more.lines,
            rows: self.rows + more.rows,
            dropped: self.dropped + more.dropped,
            dead: self.dead + more.dead,
        }
    }

    fn minus(self, less: Self) -> Self {
        Self {
            lines: self.lines.saturating_sub(less.lines),
            rows: self.rows.saturating_sub(less.rows),
            dropped: self.dropped.saturating_sub(less.dropped),
            dead: self.dead.saturating_sub(less.dead),
        }
    }
}

/// A local data file that is to be put as a landing object.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Object {
    /// The file, relative to its table.
    pub path: String,
    /// Its number in the stream.
    pub seq: Seq,
    /// The digest of its bytes.
    pub digest: Digest,
}

/// A file of dead letters that is to be put as a landing object.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DeadObject {
    /// The object.
    #[serde(flatten)]
    pub object: Object,
    /// The action that adds the file to the dead-letter table.
    pub add: Add,
}

/// Where a stream's numbers and digest chain stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tip {
    /// The number of the last object.
    pub seq: Option<Seq>,
    /// Its digest.
    pub digest: Option<Digest>,
}

impl Tip {
    fn next_seq(self) -> Seq {
        self.seq.map_or(Seq(1), Seq::next)
    }

    fn moved_to(self, object: &Object) -> Self {
        Self { seq: Some(object.seq), digest: Some(object.digest) }
    }
}

/// Where a Silver table stands; every verdict restates it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// The stream of its rows.
    pub rows: Tip,
    /// The stream of its dead letters.
    pub dead_letters: Tip,
    /// What became of all lines since the table began.
    pub totals: Counts,
    /// How often lines were replayed.
    #[serde(default)]
    pub generation: u64,
}

impl Ledger {
    /// The newest ledger in the log of the table at `place`, and the version that states it.
    ///
    /// # Errors
    /// The store failed, or an entry is missing or damaged before one was found.
    pub async fn read(place: &Place, newest: TableVersion) -> Result<(Self, TableVersion), TableError> {
        let mut version = newest;
        loop {
            let entry = log::read_local(place, version).await?;
            if let Some(ledger) = entry.info.get("ledger") {
                let ledger = Self::deserialize(ledger)
                    .map_err(|e| TableError::damaged_entry(place, version, format!("ledger: {e}")))?;
                return Ok((ledger, version));
            }
            match version.0.checked_sub(1) {
                Some(earlier) => version = TableVersion(earlier),
                None => return Ok((Self::default(), version)),
            }
        }
    }
}

/// The Silver table of one pipeline, as its transform stage writes it.
#[derive(Debug)]
pub struct Silver {
    /// The pipeline's name.
    pub name: String,
    /// The host, as rows and landing prefixes carry it.
    pub host: String,
    /// The table.
    pub table: Arc<LocalTable>,
    /// The dead-letter table, shared by all pipelines.
    pub dead_letters: Arc<DeadLetters>,
    /// The last Bronze version judged.
    pub cursor: TableVersion,
    columns: SchemaRef,
    ledger: Ledger,
    /// The plugins of the last verdict.
    judges: Option<Vec<Fingerprint>>,
}

/// Judged lines that are not committed yet; all of one UTC day.
#[derive(Debug)]
pub struct Pending {
    /// The UTC day on which the lines were ingested.
    pub day: Day,
    rows: DataFileWriter,
    dead: DataFileWriter,
    counts: Counts,
    processed_at: Timestamp,
    /// The number of the object that its rows are to become.
    seq: Seq,
}

impl Pending {
    /// What became of the lines so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Bytes that its files would have now, about.
    pub fn bytes(&self) -> usize {
        self.rows.bytes() + self.dead.bytes()
    }
}

/// The judgement of one Bronze batch: rows with their lineage, and dead letters.
#[derive(Debug)]
pub struct Judged<'a> {
    /// The lines.
    pub input: &'a RecordBatch,
    /// The plugins' rows.
    pub rows: &'a [RecordBatch],
    /// For each row of all batches, the line that it was made of.
    pub source_rows: &'a [u32],
    /// How many lines were dropped on purpose.
    pub dropped: usize,
    /// Lines that became dead letters: line, plugin, reason.
    pub dead: Vec<(u32, &'a str, &'a str)>,
}

impl Silver {
    /// Whether any landing object was made of it.
    pub fn has_stream(&self) -> bool {
        self.ledger.rows.seq.is_some() || self.ledger.dead_letters.seq.is_some()
    }

    /// The columns of a data file whose plugins write `written`.
    ///
    /// # Errors
    /// Why this table cannot take them.
    pub fn columns_with(&self, written: &Schema) -> Result<SchemaRef, String> {
        let columns = open::columns(self.table.place(), written).map_err(|error| error.to_string())?;
        match open::changed_type(&self.columns, &columns) {
            None => Ok(columns),
            Some(change) => {
                Err(format!("the column {change}, which takes a new table; restart the agent to begin one"))
            }
        }
    }

    /// Gives the table the columns of `columns` that it does not have.
    ///
    /// # Errors
    /// The store failed.
    pub async fn add_columns(&mut self, columns: &SchemaRef, now: Timestamp) -> Result<(), TableError> {
        let merged = open::merge(&self.columns, columns);
        if merged.fields().len() > self.columns.fields().len() {
            open::add_columns(&self.table, &merged, now).await?;
            self.columns = merged;
        }
        Ok(())
    }

    /// Begins a commit for lines ingested on `day`.
    ///
    /// # Errors
    /// The table's columns cannot be written as Parquet.
    pub fn begin(&self, day: Day, now: Timestamp) -> Result<Pending, TableError> {
        self.begin_after(&self.ledger, day, now)
    }

    /// Adds the judgement of one batch of lines.
    ///
    /// # Errors
    /// The rows do not have the table's columns.
    pub fn add(&self, pending: &mut Pending, judged: &Judged<'_>) -> Result<(), TableError> {
        let schema = |source| TableError::Schema { table: self.table.place().url().to_string(), source };
        let mut sources = judged.source_rows;
        for rows in judged.rows {
            let (of_these, later) = sources.split_at_checked(rows.num_rows()).unwrap_or((sources, &[]));
            sources = later;
            let origin = columns::Origin { input: judged.input, source_rows: of_these };
            let rows = columns::silver_rows(&self.columns, &origin, rows, pending.processed_at, pending.seq);
            pending.rows.write(&rows.map_err(schema)?)?;
        }
        let dead = columns::dead_letter_rows(judged, &self.name, pending.processed_at).map_err(schema)?;
        pending.counts.lines += judged.input.num_rows() as u64;
        pending.counts.rows += judged.source_rows.len() as u64;
        pending.counts.dropped += judged.dropped as u64;
        pending.counts.dead += dead.num_rows() as u64;
        if dead.num_rows() > 0 {
            pending.dead.write(&dead)?;
        }
        Ok(())
    }

    /// Commits the judgement of the Bronze versions after the cursor up to `last`.
    ///
    /// # Errors
    /// The store failed; the range must be judged again after a new start.
    pub async fn commit(
        &mut self,
        pending: Option<Pending>,
        bronze_id: &str,
        last: TableVersion,
        plugins: &[Fingerprint],
        now: Timestamp,
    ) -> Result<Verdict, TableError> {
        let range = BronzeRange { table_id: bronze_id.to_owned(), first: self.cursor.next(), last };
        let mut actions = vec![Cursor::Bronze(bronze_id.to_owned()).at(last.as_cursor())];
        let mut verdict = Verdict {
            format: FORMAT,
            bronze: range,
            plugins: plugins.to_vec(),
            replaced: self.judges.take_if(|judges| judges.as_slice() != plugins),
            counts: Counts::default(),
            rows: None,
            dead_letters: None,
            generation: None,
        };
        let mut ledger = self.ledger;
        if let Some(pending) = pending {
            verdict.counts = pending.counts;
            ledger.totals = ledger.totals.plus(pending.counts);
            let about = About { bronze: &verdict.bronze, plugins, replaced: Default::default() };
            let Put { rows, dead_letters } = self.put(pending, about, &mut ledger, now).await?;
            if let Some(dead) = &dead_letters {
                actions.push(Cursor::DeadLetterSeq.at(dead.object.seq.0 as i64));
            }
            verdict.dead_letters = dead_letters;
            if let Some((object, add)) = rows {
                actions.push(Cursor::Seq.at(object.seq.0 as i64));
                actions.push(Action::Add(add));
                verdict.rows = Some(object);
            }
        }
        let info = serde_json::json!({ "verdict": verdict, "ledger": ledger });
        actions.push(log::commit_info("WRITE", info, now));
        let version = self.table.commit(&actions).await?;
        self.table.set_anchor(version);
        self.ledger = ledger;
        self.cursor = last;
        self.judges = Some(plugins.to_vec());
        Ok(verdict)
    }
}
