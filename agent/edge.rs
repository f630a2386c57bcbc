//! The agent: wires tail, transform, sync and housekeeping, and drains them in that order.
//!
//! Each stage reads its position from its own output when the state folder is opened, and follows the table
//! before it. Files are the buffer: where a later stage is slow, Bronze grows to its share of the disk
//! budget, and then reading stops.

mod feeds;
mod housekeeping;
mod judge;
mod lookout;
mod meters;
mod notes;
mod offer;
mod reload;
mod replay;
mod report;
mod scans;
mod settle;
mod succession;
mod swap;
mod tail;
mod trace;
mod transform;
mod watchdog;

pub use housekeeping::{DiskUse, disk_use};
pub use replay::{
    Changed, Difference, LeftOut, Range, ReplayError, Replayed, Request, Since, difference, replay,
};
pub use report::{
    DiskReport, FORMAT as REPORT_FORMAT, FileReport, PipelineReport, Report, SourceReport, TableReport,
    UploadReport, WaitingReport, report,
};
pub use succession::{Succession, Successors, Unfit, succession};
pub use trace::{LineId, Trace, trace};

use std::future::ready;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use meters::Meters;
use notes::{About, Note, Noted};
use reload::Reload;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::{Instrument, error, info, info_span};

use crate::bronze;
use crate::clock::Clock;
use crate::config::{Edge, Pipeline};
use crate::feed::{FeedError, FeedKind, Follow};
use crate::memory;
use crate::metrics::{Endpoint, MetricsError, Registry};
use crate::pulse::{self, Pulses};
use crate::shutdown::{Phase, Shutdown};
use crate::state::{self, Onward, Opening, State, StateError};
use crate::store::{DiskWaits, WhenFull};
use crate::sync::{Sync, Synced, sync};
use crate::systemd::Manager;
use crate::table::{TableError, TableVersion};
use crate::tail::TailError;
use crate::transform::{Chain, Engine, PluginError, RejectRates};

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
    /// A pipeline's plugin fails on everything that is left. Bronze keeps these lines.
    #[error(
        "pipeline `{pipeline}` holds, and Bronze keeps its lines until the plugin is mended or replaced: {source}"
    )]
    Held {
        /// The pipeline.
        pipeline: String,
        /// What is wrong with the plugin.
        source: PluginError,
    },
    /// A data file is damaged; what comes after it waits.
    #[error("{stage} holds {UNTIL_BACK}: {source}")]
    Damaged {
        /// The stage.
        stage: String,
        /// Which file, and what settles it.
        source: Box<TableError>,
    },
    /// A source that is no file cannot be opened.
    #[error(transparent)]
    Feed(#[from] FeedError),
    /// Metrics cannot be served.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
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

/// How far the consumers of a Silver table, and of Bronze for it, have committed, for housekeeping.
#[derive(Debug)]
struct Progress {
    /// The last Bronze version that Silver judged.
    judged: AtomicU64,
    /// The last Silver version that the dead-letter table has.
    followed: AtomicU64,
    /// The last Silver version that is in the landing.
    synced: AtomicU64,
    /// Bytes of Bronze whose Silver, about as large, is not written yet; of what was read since the start.
    owed: AtomicU64,
}

impl Progress {
    fn new(judged: TableVersion, onward: &Onward) -> Arc<Self> {
        Arc::new(Self {
            judged: AtomicU64::new(judged.0),
            followed: AtomicU64::new(onward.followed.0),
            synced: AtomicU64::new(onward.synced.0),
            owed: AtomicU64::new(0),
        })
    }

    /// Silver was written for so many bytes of Bronze, some of which may be from before the start.
    fn settle(&self, bytes: u64) {
        let _ = self
            .owed
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |owed| Some(owed.saturating_sub(bytes)));
    }

    fn set(cell: &AtomicU64, version: TableVersion) {
        cell.store(version.0, Ordering::Release);
    }

    fn get(cell: &AtomicU64) -> TableVersion {
        TableVersion(cell.load(Ordering::Acquire))
    }
}

/// How far the disk budget lets the tail stage go on, as housekeeping saw it last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Room {
    /// Up to here commits may be charged, in bytes, counted from the start of the agent.
    charged_max: u64,
    /// Whether there was room at all.
    is_full: bool,
}

/// What the tail stage has committed so far, in bytes.
type Charged = Arc<AtomicU64>;

/// Loads the plugins of all pipelines.
///
/// # Errors
/// The first plugin that cannot be used.
pub fn open_chains(edge: &Edge, engine: &Engine) -> Result<Vec<Chain>, EdgeError> {
    let open = |pipeline: &Pipeline| {
        Chain::open(engine, &pipeline.plugins, &bronze::columns())
            .map_err(|error| EdgeError::Plugin { pipeline: pipeline.name.clone(), source: error.source })
    };
    edge.pipelines.iter().map(open).collect()
}

/// Runs the agent until it is stopped, or, once, until everything has arrived. `manager` hears that it is ready once the
/// first commit is made, and that it is alive for as long as all stages make progress. Where the configuration changes in
/// more than its plugins, `succession` names the one to go on with, once this agent is stopped.
///
/// # Errors
/// See [`EdgeError`]; nothing that was acknowledged is lost, and the next start goes on.
pub async fn run(
    edge: &Edge,
    mode: RunMode,
    clock: Arc<dyn Clock>,
    shutdown: Shutdown,
    manager: Arc<Manager>,
    succession: Succession,
) -> Result<(), EdgeError> {
    let (disk, pulses, mut registry) = (DiskWaits::default(), Pulses::default(), Registry::default());
    let meters = Meters::new(&mut registry, &disk, clock.now());
    let registry = Arc::new(registry);
    let endpoint = match &edge.metrics {
        Some(address) => Some(Endpoint::bind(address).await?),
        None => None,
    };
    // These end with this function, however it ends.
    let mut served = JoinSet::new();
    served.spawn(watchdog::tell_waits(Arc::clone(&manager), disk.clone()));
    if let Some(endpoint) = endpoint {
        info!("metrics on {}", endpoint.address());
        let is_starting = {
            let manager = Arc::clone(&manager);
            move || !manager.is_ready() || manager.is_reloading()
        };
        let health =
            lookout::health(&meters, edge, pulses.clone(), disk.clone(), is_starting, shutdown.clone());
        served.spawn(endpoint.serve(Arc::clone(&registry), health));
    }
    // The cache of compiled plugins is made in it, and would say less clearly what is wrong.
    let made = disk.patiently(StateError::is_passing, || ready(state::make_folder(&edge.state_dir)));
    let mut stopped = shutdown.clone();
    tokio::select! {
        made = made => made?,
        () = stopped.draining() => return Ok(()),
    }
    // An engine keeps what its compiler worked with, 100 MB, for as long as it lives: one that fills the cache goes first.
    let new_engine = || {
        reload::new_engine(&edge.state_dir, edge.disk_budget_bytes)
            .map_err(|source| EdgeError::Plugin { pipeline: "all".to_owned(), source })
    };
    let engine = new_engine()?;
    let mut reload = Reload::new(edge, engine.clone(), succession);
    drop(open_chains(edge, &new_engine()?)?);
    memory::give_back();
    let chains = open_chains(edge, &engine)?;
    let written: Vec<_> = chains.iter().map(|chain| Arc::clone(chain.output_schema())).collect();
    let when_full = WhenFull::Wait(disk.clone());
    let state = state::open(edge, &written, Opening::Strict, when_full, clock.now()).await?;
    let State { lock, mut bronze, restored, silvers, dead_letters, retired, .. } = state;
    reload.opened(&chains);
    let mut tail = crate::tail::Tail::open(edge.sources.clone(), restored.positions, edge.tail_limits)?;
    tail.booted_at(clock.booted());
    tail.unpack_in(edge.state_dir.join(state::folder::CACHE));
    let follow = if mode == RunMode::Once { Follow::UpToNow } else { Follow::On };
    let feeds = feeds::Intake::open(&edge.feeds, &restored.feeds, follow, &mut tail).await?;
    // Before anything is built on them: which tables belong together, and where files stand whose source begins at their end.
    let now = clock.now();
    let _ = tokio::task::block_in_place(|| tail.scan(now));
    bronze.commit(None, &mut tail, now).await?;
    memory::give_back();
    info!(state = %edge.state_dir.display(), host = edge.host, "agent started");

    let mut stages: JoinSet<Result<(), EdgeError>> = JoinSet::new();
    let mut syncs = Vec::new();
    let (room, room_seen) = watch::channel(Room::default());
    let charged = Charged::default();
    let (bronze_ended, bronze_end) = watch::channel(false);
    let bronze_table = Arc::clone(bronze.table());
    let mut upkept = Vec::new();
    let mut spawn_sync = |stages: &mut JoinSet<_>, sync: Option<Sync>, end, progress: &Arc<Progress>| {
        let Some(sync) = sync else { return };
        syncs.push(meters.syncs.of(&sync));
        let span = info_span!("sync", table = sync.name);
        let folder = sync.silver.place().path().filename().unwrap_or_default().to_owned();
        let unput = Note::new(About::Unput, &edge.state_dir, &folder);
        let name = format!("sync {}", sync.name);
        let stage = sync_stage(sync, end, Arc::clone(progress), unput, Arc::clone(&clock), shutdown.clone());
        stages.spawn(pulses.attend(&name, stage).instrument(span));
    };
    for (((silver, onward), chain), (pipeline, offers)) in
        silvers.into_iter().zip(chains).zip(edge.pipelines.iter().zip(reload.offers()))
    {
        let progress = Progress::new(silver.cursor, &onward);
        upkept.push((Arc::clone(&silver.table), Arc::clone(&progress)));
        let (ended, end) = watch::channel(false);
        spawn_sync(&mut stages, onward.sync, end, &progress);
        let stage = transform::Stage {
            bronze: Arc::clone(&bronze_table),
            silver,
            plugins: chain.fingerprints().cloned().collect(),
            rejects: RejectRates::new(&chain),
            chain,
            sources: pipeline.sources.clone(),
            rhythm: edge.silver_flush,
            progress,
            specs: pipeline.plugins.clone(),
            offers,
            held: Note::new(About::Held, &edge.state_dir, &pipeline.name),
            refused: Note::new(About::Refused, &edge.state_dir, &pipeline.name),
            meters: meters.pipelines.of(&pipeline.name),
            shutdown: shutdown.clone(),
            clock: Arc::clone(&clock),
        };
        let upstream = bronze_end.clone();
        let span = info_span!("transform", pipeline = pipeline.name);
        let stage = async move {
            let result = stage.run(upstream).await;
            if matches!(result, Ok(()) | Err(EdgeError::Held { .. } | EdgeError::Damaged { .. })) {
                ended.send_replace(true);
            }
            result
        };
        stages.spawn(pulses.attend(&format!("transform {}", pipeline.name), stage).instrument(span));
    }
    for (table, onward) in retired {
        // It has judged all that it ever will.
        let progress = Progress::new(TableVersion(u64::MAX), &onward);
        let (_, end) = watch::channel(true);
        spawn_sync(&mut stages, onward.sync, end, &progress);
        upkept.push((table, progress));
    }
    let pipelines = edge.pipelines.iter().zip(&upkept);
    let watchdog = watchdog::Watchdog {
        manager,
        pulses: pulses.clone(),
        bronze: Arc::clone(&bronze_table),
        pipelines: pipelines
            .map(|(pipeline, (_, progress))| (pipeline.name.clone(), Arc::clone(progress)))
            .collect(),
        shutdown: shutdown.clone(),
    };
    let lookout = lookout::Lookout {
        bronze: Arc::clone(&bronze_table),
        progress: watchdog.pipelines.clone(),
        pipelines: meters.pipelines.clone(),
        syncs,
        clock: Arc::clone(&clock),
    };
    let files = edge.sources.iter().map(|source| source.name.as_str());
    let source_names = files.chain(edge.feeds.iter().map(|feed| feed.name.as_str()));
    let stage = tail::Stage {
        pipelines: watchdog.pipelines.iter().map(|(_, progress)| Arc::clone(progress)).collect(),
        batch_bytes_max: edge.bronze_flush.bytes_max.min(edge.disk_budget_bytes / BUDGET_BATCHES),
        tail,
        feeds,
        bronze,
        rhythm: edge.bronze_flush,
        rescan_interval: edge.rescan_interval,
        mode,
        is_held: false,
        room: room_seen,
        charged: Arc::clone(&charged),
        meters: meters.sources.of(source_names),
        counted: tokio::time::Instant::now(),
        clock: Arc::clone(&clock),
    };
    let stopped = shutdown.clone();
    let stage = async move {
        stage.run(stopped).await?;
        bronze_ended.send_replace(true);
        Ok(())
    };
    stages.spawn(pulses.attend("tail", stage).instrument(info_span!("tail")));
    let upkeep = housekeeping::Housekeeping {
        folder: edge.state_dir.clone(),
        budget_bytes: edge.disk_budget_bytes,
        bronze: bronze_table,
        silvers: upkept,
        dead_letters,
        central: edge.central.is_some(),
        room,
        charged,
        host: meters.host.clone(),
        clock,
    };
    let (upkeep_stopper, upkeep_stopped) = watch::channel(false);
    let reload = match mode {
        RunMode::Follow => Some(tokio::spawn(reload.run(meters.host.clone(), upkeep_stopped.clone()))),
        RunMode::Once => None,
    };
    let own = edge.feeds.iter().find_map(|feed| match &feed.kind {
        FeedKind::Own(own) if mode == RunMode::Follow => own.metrics_interval,
        _ => None,
    });
    if edge.metrics.is_some() || own.is_some() {
        served.spawn(lookout.run());
    }
    if let Some(interval) = own {
        served.spawn(lookout::tell_metrics(registry, interval));
    }
    let upkeep = pulses.attend("housekeeping", upkeep.run(upkeep_stopped));
    let upkeep = tokio::spawn(upkeep.instrument(info_span!("housekeeping")));
    let watchdog = tokio::spawn(watchdog.run());
    let mut held = None;
    let result = loop {
        match stages.join_next().await {
            None => break Ok(()),
            Some(Ok(Ok(()))) => {}
            Some(Ok(Err(error @ (EdgeError::Held { .. } | EdgeError::Damaged { .. })))) => held = Some(error),
            Some(Ok(Err(error))) => break Err(error),
            Some(Err(error)) => break Err(error.into()),
        }
    };
    stages.shutdown().await;
    // Whoever starts anew listens where these do.
    served.shutdown().await;
    upkeep_stopper.send_replace(true);
    let tidy = upkeep.await;
    watchdog.abort();
    if let Some(reload) = reload {
        reload.await?;
    }
    if result.is_err() || tidy.is_err() {
        // A put may still be under way on another thread: the folder is let go of with the process.
        std::mem::forget(lock);
        return result;
    }
    match (held, mode) {
        (Some(held), RunMode::Once) => Err(held),
        _ => Ok(()),
    }
}

/// Puts what Silver commits, until Silver has ended and all of it is put.
async fn sync_stage(
    mut state: Sync,
    mut silver_end: watch::Receiver<bool>,
    progress: Arc<Progress>,
    mut unput: Note,
    clock: Arc<dyn Clock>,
    mut shutdown: Shutdown,
) -> Result<(), EdgeError> {
    let mut versions = state.silver.versions();
    loop {
        let ended = *silver_end.borrow_and_update();
        versions.mark_unchanged();
        let damaged = match sync(&mut state, clock.as_ref(), &mut shutdown).await {
            Ok(Synced::Stopped) => return Ok(()),
            Ok(Synced::UpTo(_)) => {
                unput.clear();
                None
            }
            Err(error @ TableError::DamagedFile { .. }) => Some(error),
            Err(error) => return Err(error.into()),
        };
        Progress::set(&progress.synced, state.cursor);
        let is_held = damaged.is_some();
        if let Some(source) = damaged {
            if unput.note(&format!("{UNTIL_BACK}: {source}")) == Noted::New {
                error!(error = %source, "nothing more is put");
            }
            if ended || shutdown.phase() == Phase::Expired {
                let stage = format!("putting `{}`", state.name);
                return Err(EdgeError::Damaged { stage, source: source.into() });
            }
        }
        if ended || shutdown.phase() == Phase::Expired {
            return Ok(());
        }
        tokio::select! {
            _ = pulse::resting(versions.changed()), if !is_held => {}
            _ = silver_end.changed() => {}
            () = pulse::resting(tokio::time::sleep(RETRY_INTERVAL)), if is_held => {}
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

/// The disk budget holds so many batches at least, so that one of them cannot exceed it.
const BUDGET_BATCHES: u64 = 32;

/// How long a hold for the sake of a damaged data file lasts.
const UNTIL_BACK: &str = "until a data file is back, or given up";

/// How long to wait before trying again what only a person, or a restart of something else, can mend.
const RETRY_INTERVAL: Duration = Duration::from_secs(30);
