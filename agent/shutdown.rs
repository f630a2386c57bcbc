//! Stopping: intake ends at once, queues are drained until a deadline, then everything ends.

use std::time::Duration;

use tokio::sync::watch;

/// How far a stop has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Work goes on.
    Running,
    /// No more is read; what was read is finished.
    Draining,
    /// Whatever still waits is left for the next start.
    Expired,
}

/// The side that stops others.
#[derive(Debug)]
pub struct Stopper(watch::Sender<Phase>);

/// The side that is stopped; cheap to clone.
#[derive(Clone, Debug)]
pub struct Shutdown(watch::Receiver<Phase>);

/// A stopper and what it stops.
pub fn channel() -> (Stopper, Shutdown) {
    let (sender, receiver) = watch::channel(Phase::Running);
    (Stopper(sender), Shutdown(receiver))
}

impl Stopper {
    /// Ends intake; what waits for others gives up after `patience`.
    pub async fn drain(&self, patience: Duration) {
        self.0.send_replace(Phase::Draining);
        tokio::time::sleep(patience).await;
        self.0.send_replace(Phase::Expired);
    }
}

impl Shutdown {
    /// How far it has gone.
    pub fn phase(&self) -> Phase {
        *self.0.borrow()
    }

    /// Returns once intake has ended.
    pub async fn draining(&mut self) {
        self.reached(Phase::Draining).await;
    }

    /// Returns once the patience of draining is over.
    pub async fn drain_expired(&mut self) {
        self.reached(Phase::Expired).await;
    }

    async fn reached(&mut self, phase: Phase) {
        // A stopper that is gone stops nothing any more.
        if self.0.wait_for(|now| *now >= phase).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
