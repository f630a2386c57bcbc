//! The agent: wires tail, transform, sync and housekeeping, and drains them in that order.
//!
//! Each stage reads its position from its own output when the state folder is opened, and follows the table
//! before it. Files are the buffer: where a later stage is slow, Bronze grows to its share of the disk
//! budget, and then reading stops.

mod housekeeping;
mod tail;
mod transform;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::{Instrument, info, info_span};

use crate::bronze;
use crate::clock::Clock;
use crate::config::{Edge, Pipeline};
use crate::shutdown::{Phase, Shutdown};
use crate::state::{self, Opening, State, StateError, folder};
use crate::sync::{Sync, Synced, sync};
use crate::table::{TableError, TableVersion};
use crate::tail::TailError;
use crate::transform::{Chain, Engine, PluginError};

/// When the agent ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunMode {
    /// When it is stopped.
    Follow,
    /// When everything that stands in the files has arrived.
    Once,
}

/// Why the agent cannot go on. A new start takes up where the tables end.
#[derive(Debug, thiserror::Error)]
pub enum EdgeError {
    /// The state folder is refused.
    #[error(transparent)]
    State(#[from] StateError),
    /// A pipeline's plugin cannot be used.
    #[error("pipeline `{pipeline}`: {source}")]
    Plugin {
        /// The pipeline.
        pipeline: String,
        /// What is wrong with the plugin.
        source: PluginError,
    },
    /// The sources cannot be read.
    #[error(transparent)]
    Tail(#[from] TailError),
    /// A table cannot be read or written.
    #[error(transparent)]
    Table(#[from] TableError),
    /// Rows cannot be put together.
    #[error("rows cannot be put together: {0}")]
    Rows(#[from] arrow::error::ArrowError),
    /// A stage ended by a fault of logsmith itself.
    #[error("a stage failed: {0}")]
    Stage(#[from] tokio::task::JoinError),
}

/// How far the consumers of one pipeline's tables have committed, for housekeeping.
#[derive(Debug, Default)]
struct Progress {
    /// The last Bronze version that Silver judged.
    judged: AtomicU64,
    /// The last Silver version that the dead-letter table has.
    followed: AtomicU64,
    /// The last Silver version that is in the landing.
    synced: AtomicU64,
}

impl Progress {
    fn set(cell: &AtomicU64, version: TableVersion) {
        cell.store(version.0, Ordering::Release);
    }

    fn get(cell: &AtomicU64) -> TableVersion {
        TableVersion(cell.load(Ordering::Acquire))
    }
}

/// How much the disk budget lets the tail stage commit until housekeeping looks again, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Room(u64);

/// Loads the plugins of all pipelines.
///
/// # Errors
/// The first plugin that cannot be used.
pub fn open_chains(edge: &Edge, engine: &Engine) -> Result<Vec<Chain>, EdgeError> {
    let open = |pipeline: &Pipeline| {
        Chain::open(engine, &pipeline.plugins, &bronze::columns())
            .map_err(|source| EdgeError::Plugin { pipeline: pipeline.name.clone(), source })
    };
    edge.pipelines.iter().map(open).collect()
}

/// Runs the agent until it is stopped, or, once, until everything has arrived.
///
/// # Errors
/// See [`EdgeError`]; nothing that was acknowledged is lost, and the next start goes on.
pub async fn run(
    edge: &Edge,
    mode: RunMode,
    clock: Arc<dyn Clock>,
    shutdown: Shutdown,
) -> Result<(), EdgeError> {
    let engine = Engine::try_new(Some(&edge.state_dir.join(folder::CACHE)))
        .map_err(|source| EdgeError::Plugin { pipeline: "all".to_owned(), source })?;
    let chains = open_chains(edge, &engine)?;
    let written: Vec<_> = chains.iter().map(|chain| Arc::clone(chain.output_schema())).collect();
    let state = state::open(edge, &written, Opening::Strict, clock.now()).await?;
    let State { lock, bronze, restored, silvers, syncs, dead_letters, followed, synced, retired } = state;
    let tail = crate::tail::Tail::open(edge.sources.clone(), restored.positions, edge.tail_limits)?;
    info!(state = %edge.state_dir.display(), host = edge.host, "agent started");

    let mut stages: JoinSet<Result<(), EdgeError>> = JoinSet::new();
    let (room, room_seen) = watch::channel(Room(0));
    let (bronze_ended, bronze_end) = watch::channel(false);
    let bronze_table = Arc::clone(bronze.table());
    let progress: Vec<Arc<Progress>> = silvers.iter().map(|_| Arc::default()).collect();
    for (progress, synced) in progress.iter().zip(synced) {
        Progress::set(&progress.synced, synced);
    }
    let mut tables = Vec::new();
    let mut silver_ends = Vec::new();
    for (((silver, chain), followed), (pipeline, progress)) in
        silvers.into_iter().zip(chains).zip(followed).zip(edge.pipelines.iter().zip(&progress))
    {
        Progress::set(&progress.judged, silver.cursor);
        Progress::set(&progress.followed, followed);
        tables.push(Arc::clone(&silver.table));
        let (ended, end) = watch::channel(false);
        silver_ends.push(end);
        let stage = transform::Stage {
            bronze: Arc::clone(&bronze_table),
            silver,
            plugins: chain.fingerprints().cloned().collect(),
            chain,
            sources: pipeline.sources.clone(),
            rhythm: edge.silver_flush,
            progress: Arc::clone(progress),
            clock: Arc::clone(&clock),
        };
        let upstream = bronze_end.clone();
        let span = info_span!("transform", pipeline = pipeline.name);
        stages.spawn(
            async move {
                stage.run(upstream).await?;
                ended.send_replace(true);
                Ok(())
            }
            .instrument(span),
        );
    }
    for ((state, end), progress) in syncs.into_iter().zip(silver_ends).zip(&progress) {
        let span = info_span!("sync", table = state.name);
        let stage = sync_stage(state, end, Arc::clone(progress), Arc::clone(&clock), shutdown.clone());
        stages.spawn(stage.instrument(span));
    }
    let stage = tail::Stage {
        tail,
        bronze,
        host: edge.host.clone(),
        rhythm: edge.bronze_flush,
        rescan_interval: edge.rescan_interval,
        mode,
        is_held: false,
        room: room_seen,
        clock: Arc::clone(&clock),
    };
    let stopped = shutdown.clone();
    stages.spawn(
        async move {
            stage.run(stopped).await?;
            bronze_ended.send_replace(true);
            Ok(())
        }
        .instrument(info_span!("tail")),
    );
    let upkeep = housekeeping::Housekeeping {
        folder: edge.state_dir.clone(),
        budget_bytes: edge.disk_budget_bytes,
        bronze: bronze_table,
        silvers: tables,
        dead_letters,
        progress,
        retired,
        central: edge.central.is_some(),
        room,
        clock,
    };
    let upkeep = tokio::spawn(upkeep.run().instrument(info_span!("housekeeping")));
    let result = loop {
        match stages.join_next().await {
            None => break Ok(()),
            Some(Ok(Ok(()))) => {}
            Some(Ok(Err(error))) => break Err(error),
            Some(Err(error)) => break Err(error.into()),
        }
    };
    stages.shutdown().await;
    upkeep.abort();
    // A pass that is under way must end before another process may take the folder.
    let _ = upkeep.await;
    drop(lock);
    result
}

/// Puts what Silver commits, until Silver has ended and all of it is put.
async fn sync_stage(
    mut state: Sync,
    mut silver_end: watch::Receiver<bool>,
    progress: Arc<Progress>,
    clock: Arc<dyn Clock>,
    mut shutdown: Shutdown,
) -> Result<(), EdgeError> {
    let mut versions = state.silver.versions();
    loop {
        let ended = *silver_end.borrow_and_update();
        versions.mark_unchanged();
        if sync(&mut state, clock.as_ref(), &mut shutdown).await? == Synced::Stopped {
            return Ok(());
        }
        Progress::set(&progress.synced, state.cursor);
        if ended || shutdown.phase() == Phase::Expired {
            return Ok(());
        }
        tokio::select! {
            _ = versions.changed() => {}
            _ = silver_end.changed() => {}
        }
    }
}

/// Waits until `at`, or for ever.
async fn sleep_until(at: Option<tokio::time::Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// How long to wait before trying again what only a person, or a restart of something else, can mend.
const RETRY_INTERVAL: Duration = Duration::from_secs(30);
