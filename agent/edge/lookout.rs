//! Looks how far pipelines and syncs are, for `/metrics`, at a rhythm of its own: what waits grows while they stand still.

use std::sync::Arc;
use std::time::Duration;

use tracing::debug;

use super::Progress;
use super::meters::{Meters, Pipelines, SyncMeters, age};
use crate::clock::{Clock, Timestamp};
use crate::config::Edge;
use crate::logging;
use crate::metrics::{self, Health, Registry};
use crate::pulse::Pulses;
use crate::shutdown::{Phase, Shutdown};
use crate::store::DiskWaits;
use crate::table::{LocalTable, TableError, log};

/// A stage that goes without progress for longer hangs.
const PATIENCE: Duration = Duration::from_secs(180);

/// Whether the agent does its work, for `/readyz`, and whether its stages make progress, for `/healthz`.
pub(super) fn health(
    meters: &Meters,
    edge: &Edge,
    pulses: Pulses,
    disk: DiskWaits,
    is_starting: impl Fn() -> bool + Send + Sync + 'static,
    shutdown: Shutdown,
) -> impl Fn() -> Health + Send + Sync + 'static {
    let is_held = meters.sources.is_held();
    let pipelines = edge.pipelines.iter().map(|pipeline| pipeline.name.clone());
    let pipelines: Vec<_> = pipelines.map(|name| (meters.pipelines.is_held(&name), name)).collect();
    move || {
        let broken: Vec<&str> =
            pipelines.iter().filter(|(held, _)| held.get() > 0).map(|(_, name)| name.as_str()).collect();
        let unready = if shutdown.phase() > Phase::Running {
            Some("the agent is stopping".to_owned())
        } else if disk.is_any() {
            Some("the disk takes nothing; the agent waits until it does".to_owned())
        } else if is_starting() {
            Some("the agent is starting".to_owned())
        } else if is_held.get() > 0 {
            Some("the disk budget is full; reading waits until room is made".to_owned())
        } else if !broken.is_empty() {
            Some(format!("pipelines hold, since their plugins are broken: {}", broken.join(", ")))
        } else {
            None
        };
        let ill = pulses.hanging(PATIENCE);
        let ill = ill.map(|(stage, silence)| format!("{stage}: no progress for {} s", silence.as_secs()));
        Health { ill, unready }
    }
}

/// Tells all metrics now and then, as the fields of one message, by what they are called with their labels.
pub(super) async fn tell_metrics(registry: Arc<Registry>, interval: Duration) -> std::convert::Infallible {
    loop {
        tokio::time::sleep(interval).await;
        let samples = metrics::samples(&registry).into_iter();
        logging::tell("metrics", samples.map(|(name, value)| (name, value.into())).collect());
    }
}

/// How often.
const INTERVAL: Duration = Duration::from_secs(2);

/// What is looked at.
#[derive(Debug)]
pub(super) struct Lookout {
    pub(super) bronze: Arc<LocalTable>,
    /// The pipelines, and how far they are.
    pub(super) progress: Vec<(String, Arc<Progress>)>,
    pub(super) pipelines: Pipelines,
    pub(super) syncs: Vec<SyncMeters>,
    pub(super) clock: Arc<dyn Clock>,
}

impl Lookout {
    /// Looks for as long as it is let.
    pub(super) async fn run(mut self) -> std::convert::Infallible {
        loop {
            if let Err(error) = self.look(self.clock.now()).await {
                debug!(%error, "cannot look how far tables are");
            }
            tokio::time::sleep(INTERVAL).await;
        }
    }

    async fn look(&mut self, now: Timestamp) -> Result<(), TableError> {
        let newest = self.bronze.version();
        for (name, progress) in &self.progress {
            let judged = Progress::get(&progress.judged);
            let oldest = match judged < newest {
                true => log::read(self.bronze.place(), judged.next()).await?.and_then(|entry| entry.time),
                false => None,
            };
            self.pipelines.wait(name, newest.0.saturating_sub(judged.0), age(oldest, now));
        }
        for sync in &mut self.syncs {
            sync.look(now).await?;
        }
        Ok(())
    }
}
