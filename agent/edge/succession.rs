//! How an agent that runs hands over to one with another configuration.

use tokio::sync::mpsc;

use crate::config::{ConfigFiles, Edge};

/// A configuration with which the agent could not start.
#[derive(Clone, Debug)]
pub struct Unfit {
    /// What it is written in.
    pub written: ConfigFiles,
    /// Why not.
    pub reason: String,
}

/// The side of the agent that runs.
#[derive(Debug)]
pub struct Succession {
    successor: mpsc::Sender<Edge>,
    unfit: Option<Unfit>,
}

/// The side that stops it, and starts its successor.
#[derive(Debug)]
pub struct Successors(mpsc::Receiver<Edge>);

/// Both sides; `unfit` is not named as a successor again.
pub fn succession(unfit: Option<Unfit>) -> (Succession, Successors) {
    let (successor, successors) = mpsc::channel(1);
    (Succession { successor, unfit }, Successors(successors))
}

impl Succession {
    /// Why there can be no successor with this configuration, if that was tried.
    pub(super) fn refusal(&self, written: &ConfigFiles) -> Option<&str> {
        self.unfit.as_ref().filter(|unfit| unfit.written == *written).map(|unfit| unfit.reason.as_str())
    }

    /// Names the configuration that the agent is to go on with.
    pub(super) fn name(&self, successor: Edge) {
        // Nobody waits for one where the agent ends by itself.
        let _ = self.successor.try_send(successor);
    }
}

impl Successors {
    /// The configuration to go on with; never, where there will be none.
    pub async fn next(&mut self) -> Edge {
        match self.0.recv().await {
            Some(edge) => edge,
            None => std::future::pending().await,
        }
    }
}
