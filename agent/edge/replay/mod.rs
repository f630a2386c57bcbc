//! Replay: the lines that Bronze still has, through the plugins as they are now, in place of what was made of them.
//!
//! Invariants:
//! - Nothing changes before all of it is judged and durable; then one Silver commit replaces the old generation.
//! - A plugin that fails on everything replaces nothing.
//! - A range begins where a verdict begins, so that whole landing objects are replaced, and ends at the cursor.

mod difference;
mod make;
mod range;

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::Int64Type;

use super::judge::{Held, of_sources};
use super::{EdgeError, open_chains};
use crate::clock::{Clock, Timestamp};
use crate::config::{Edge, Pipeline};
use crate::failpoint::{self, Failpoint};
use crate::silver::open::{ChangedType, changed_type, columns};
use crate::silver::{Counts, Live, OpenError, Scope};
use crate::state::{self, Opening, State, StateError, folder};
use crate::store::{DiskWaits, Place, StoreError, WhenFull};
use crate::table::{Snapshot, TableError, TableVersion, datafile};
use crate::transform::{Chain, Engine, PluginError};
use make::make;

pub use difference::{Changed, Difference, difference};
pub use range::{LeftOut, Range};

/// Where a replay begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// With this version of Bronze.
    Version(TableVersion),
    /// With the lines that were committed to Bronze at this time.
    Time(Timestamp),
}

/// What is to be replayed.
#[derive(Clone, Debug)]
pub struct Request {
    /// Of which pipeline.
    pub pipeline: String,
    /// From where on; all that is kept if not said.
    pub since: Option<Since>,
    /// Which lines.
    pub scope: Scope,
}

/// Why nothing was replayed. Nothing was changed, but for a failure of the last commit, which a new start settles.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// No pipeline has this name.
    #[error("there is no pipeline `{name}` in the configuration; there are: {known}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// There is nothing to judge again.
    #[error("nothing to replay: {0}")]
    Nothing(String),
    /// The plugins write a column with another type than the table has.
    #[error(
        "column {0}: a table never changes a type, so that its lines cannot be replayed into it. Give the column \
         another name; or start the agent, which begins a new table, for lines to come"
    )]
    ChangedType(ChangedType),
    /// The plugin fails on everything.
    #[error("nothing was replaced: {0}")]
    Plugin(PluginError),
    /// The plugins write a column that Silver adds itself.
    #[error(transparent)]
    Silver(#[from] OpenError),
    /// The state folder is refused.
    #[error(transparent)]
    State(#[from] StateError),
    /// A stage failed.
    #[error(transparent)]
    Edge(#[from] EdgeError),
    /// A table cannot be read or written.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The folder's path cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Held> for ReplayError {
    fn from(held: Held) -> Self {
        match held {
            Held::Plugin(error) => Self::Plugin(error),
            Held::Damaged(error) => Self::Table(error),
            Held::Failed(error) => Self::Edge(error),
        }
    }
}

/// What a replay did.
#[derive(Debug)]
pub struct Replayed {
    /// What was replayed.
    pub range: Range,
    /// What became of its lines before.
    pub was: Counts,
    /// What became of them now.
    pub now: Counts,
}

/// Replays lines, and commits what comes of them.
///
/// # Errors
/// See [`ReplayError`]; an agent that runs on the folder is [`StateError::Taken`].
pub async fn replay(edge: &Edge, request: &Request, clock: &dyn Clock) -> Result<Replayed, ReplayError> {
    let (index, pipeline) = find(edge, request)?;
    let mut chains = open_chains(edge, &Engine::try_new(None).map_err(ReplayError::Plugin)?)?;
    let written: Vec<_> = chains.iter().map(|chain| Arc::clone(chain.output_schema())).collect();
    let places = Places::of(edge, pipeline)?;
    // Opening the folder would begin what is missing, and a new table where a column has another type.
    Range::find(&places, request).await?;
    if let Some(chain) = chains.get(index) {
        places.refuse_changed_type(chain).await?;
    }
    let State { lock: _lock, mut silvers, .. } =
        state::open(edge, &written, Opening::Strict, WhenFull::Wait(DiskWaits::default()), clock.now())
            .await?;
    let (Some((silver, onward)), Some(chain)) = (silvers.get_mut(index), chains.get_mut(index)) else {
        return Err(unknown(edge, request));
    };
    let range = Range::find(&places, request).await?;
    let draft = make(&places, &range, pipeline, silver, chain, clock).await?;
    failpoint::reached(Failpoint::AfterReplayFiles);
    let plugins: Vec<_> = chain.fingerprints().cloned().collect();
    let now = clock.now();
    let verdict = silver.replace(draft, &range.live, range.bronze.clone(), &plugins, now).await?;
    failpoint::reached(Failpoint::AfterReplayCommit);
    let table = &silver.table;
    let (from, to) = (onward.followed, table.version());
    silver.dead_letters.follow(table.place(), table.id(), from, to, now).await?;
    let was = range.counts();
    let now = range.scope.after(was, verdict.counts);
    Ok(Replayed { range, was, now })
}

fn find<'a>(edge: &'a Edge, request: &Request) -> Result<(usize, &'a Pipeline), ReplayError> {
    let named = |pipeline: &&Pipeline| pipeline.name == request.pipeline;
    let found = edge.pipelines.iter().enumerate().find(|(_, pipeline)| named(pipeline));
    found.ok_or_else(|| unknown(edge, request))
}

fn unknown(edge: &Edge, request: &Request) -> ReplayError {
    let known: Vec<&str> = edge.pipelines.iter().map(|pipeline| pipeline.name.as_str()).collect();
    ReplayError::Unknown { name: request.pipeline.clone(), known: known.join(", ") }
}

/// Where the tables of a pipeline lie.
#[derive(Debug)]
struct Places {
    bronze: Place,
    silver: Place,
    dead_letters: Place,
}

impl Places {
    fn of(edge: &Edge, pipeline: &Pipeline) -> Result<Self, StoreError> {
        let root = Place::local(&edge.state_dir)?;
        Ok(Self {
            bronze: root.join(folder::BRONZE),
            silver: root.join(folder::SILVER).join(&pipeline.name),
            dead_letters: root.join(folder::DEAD_LETTER),
        })
    }

    async fn refuse_changed_type(&self, chain: &Chain) -> Result<(), ReplayError> {
        let Some(silver) = Snapshot::load(&self.silver).await? else { return Ok(()) };
        let wanted = columns(&self.silver, chain.output_schema())?;
        match changed_type(silver.schema()?.as_ref(), &wanted) {
            Some(change) => Err(ReplayError::ChangedType(change)),
            None => Ok(()),
        }
    }
}

/// Which lines of a batch are judged again.
struct Chosen<'a> {
    sources: &'a [String],
    /// The lines' files and offsets; all lines if none.
    only: Option<HashSet<(i64, i64)>>,
}

impl<'a> Chosen<'a> {
    /// Those of `live` that `scope` is about; `None` where the files that tell them have expired.
    async fn of(
        places: &Places,
        live: &Live,
        scope: Scope,
        sources: &'a [String],
    ) -> Result<Option<Self>, ReplayError> {
        if scope == Scope::Lines {
            return Ok(Some(Self { sources, only: None }));
        }
        let mut only = HashSet::new();
        for file in &live.dead_letters {
            let Some(bytes) = places.dead_letters.get(&file.path).await? else { return Ok(None) };
            for batch in decoded(&places.dead_letters, &file.path, bytes)? {
                only.extend(identities(&batch));
            }
        }
        Ok(Some(Self { sources, only: Some(only) }))
    }

    fn lines(&self, batch: &RecordBatch) -> Result<RecordBatch, EdgeError> {
        let lines = of_sources(batch, self.sources)?;
        let Some(only) = &self.only else { return Ok(lines) };
        let chosen: BooleanArray = identities(&lines).map(|line| Some(only.contains(&line))).collect();
        Ok(filter_record_batch(&lines, &chosen)?)
    }
}

fn decoded(place: &Place, path: &str, bytes: bytes::Bytes) -> Result<Vec<RecordBatch>, TableError> {
    datafile::decode(bytes).map_err(|error| TableError::damaged_file(place, path, error))
}

/// The file and the offset of each row's line, which tell it from all others.
fn identities(batch: &RecordBatch) -> impl Iterator<Item = (i64, i64)> + '_ {
    let column = |name: &str| batch.column_by_name(name)?.as_primitive_opt::<Int64Type>();
    let pairs = column("file").zip(column("offset"));
    pairs
        .into_iter()
        .flat_map(|(files, offsets)| files.values().iter().copied().zip(offsets.values().iter().copied()))
}
