//! What the agent tells of itself, as lines of JSON.

use std::collections::HashSet;
use std::time::Duration;

use tracing::level_filters::LevelFilter;

use super::{Inlet, place};
use crate::logging;

/// What of the agent's own telling becomes lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Own {
    /// Messages of this level, and graver ones.
    pub level: LevelFilter,
    /// How often all metrics are told as one line; never if `None`.
    pub metrics_interval: Option<Duration>,
    /// The pipelines that take these lines: what these tell does not become lines.
    pub carriers: HashSet<String>,
}

/// Follows what is told for as long as lines are taken.
pub(super) fn read(own: &Own, inlet: Inlet) {
    let mut told = logging::follow(own.level, own.carriers.clone());
    tokio::spawn(async move {
        let path = place("self");
        while let Some(line) = told.next().await {
            if inlet.send(&path, line.into_bytes(), 0, None).await.is_err() {
                return;
            }
        }
    });
}
