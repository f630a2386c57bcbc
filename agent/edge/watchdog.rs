//! Tells the service manager how the agent is: ready, at work, stopping; and that all stages make progress, as long as they
//! do. A stage that hangs is told once, and has the manager hear no more, so that it starts the agent anew.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tracing::{error, info};

use super::Progress;
use crate::pulse::Pulses;
use crate::shutdown::{Phase, Shutdown};
use crate::store::DiskWaits;
use crate::systemd::{Manager, News};
use crate::table::LocalTable;

/// How long a stage may go without progress where no manager says so.
const PATIENCE: Duration = Duration::from_secs(180);

/// The manager hears so often that all is well within the time that it allows, and not more often than this.
const TIMES: u32 = 4;
const INTERVAL_MIN: Duration = Duration::from_millis(50);
const INTERVAL_MAX: Duration = Duration::from_secs(10);

/// How often a manager that waits for a start is told why it takes so long, and how long that lets it wait on.
const WAIT_INTERVAL: Duration = Duration::from_secs(5);
const WAIT_EXTENSION: Duration = Duration::from_secs(60);

/// Has the manager not give up a start that waits for the disk.
pub(super) async fn tell_waits(manager: Arc<Manager>, disk: DiskWaits) -> Infallible {
    loop {
        tokio::time::sleep(WAIT_INTERVAL).await;
        if disk.is_any() && !manager.is_ready() {
            let status = News::Status("starting: waiting until the disk takes something");
            manager.tell(&[News::Starting(WAIT_EXTENSION), status]);
        }
    }
}

/// What is watched.
#[derive(Debug)]
pub(super) struct Watchdog {
    pub(super) manager: Arc<Manager>,
    pub(super) pulses: Pulses,
    pub(super) bronze: Arc<LocalTable>,
    /// The pipelines, and how far they are.
    pub(super) pipelines: Vec<(String, Arc<Progress>)>,
    pub(super) shutdown: Shutdown,
}

impl Watchdog {
    /// Watches for as long as it is let.
    pub(super) async fn run(mut self) {
        let patience = self.manager.watchdog().unwrap_or(PATIENCE);
        let interval = (patience / TIMES).clamp(INTERVAL_MIN, INTERVAL_MAX);
        self.manager.tell(&[News::Ready]);
        let mut hung: Option<String> = None;
        let mut is_stopping = false;
        loop {
            match (self.pulses.hanging(patience), &hung) {
                (None, before) => {
                    if let Some(stage) = before {
                        info!(stage, "goes on");
                    }
                    self.manager.tell(&[News::Alive, News::Status(&self.status())]);
                    hung = None;
                }
                (Some((stage, silence)), before) if before.as_ref() != Some(&stage) => {
                    error!(stage, "no progress for {} s", silence.as_secs());
                    self.manager.tell(&[News::Status(&format!("{stage} hangs"))]);
                    hung = Some(stage);
                }
                _ => {}
            }
            tokio::select! {
                () = tokio::time::sleep(interval) => {}
                () = self.shutdown.draining(), if !is_stopping => {
                    is_stopping = true;
                    // What stops to start again with another configuration does not stop for the manager.
                    if !self.manager.is_reloading() {
                        self.manager.tell(&[News::Stopping]);
                    }
                }
            }
        }
    }

    /// How far everything is, in one line.
    fn status(&self) -> String {
        let newest = self.bronze.version();
        let mut status = match self.shutdown.phase() {
            Phase::Running => format!("reading, {} commits", newest.0),
            Phase::Draining | Phase::Expired => "stopping: finishing what was read".to_owned(),
        };
        for (name, progress) in &self.pipelines {
            let left = newest.0.saturating_sub(Progress::get(&progress.judged).0);
            status += &format!("; {name}: {left} to judge");
        }
        status
    }
}
