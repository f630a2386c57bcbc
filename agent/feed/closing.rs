//! The end of what listens: what has arrived by then is not lost, and a sender that goes on holds nobody up.

use std::pin::pin;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

/// Once it closes, nothing has arrived where nothing comes for this long.
const PAUSE: Duration = Duration::from_millis(50);
/// What comes for longer than this after the close has not arrived before it.
const LAST_MAX: Duration = Duration::from_secs(1);

/// Whether it is time for something that listens to end.
#[derive(Clone, Debug)]
pub(super) struct Closing {
    told: watch::Receiver<bool>,
    /// When it ends at the latest; known once it was told to.
    until: Option<Instant>,
}

impl Closing {
    /// Ends some time after `told` says so, or is dropped.
    pub(super) fn of(told: watch::Receiver<bool>) -> Self {
        Self { told, until: None }
    }

    /// What comes next; none when it is time to end, and then `next` is given up.
    pub(super) async fn unless_over<T>(&mut self, next: impl Future<Output = T>) -> Option<T> {
        let mut next = pin!(next);
        let until = match self.until {
            Some(until) => until,
            None => tokio::select! {
                came = &mut next => return Some(came),
                _ = self.told.wait_for(|told| *told) => *self.until.insert(Instant::now() + LAST_MAX),
            },
        };
        timeout_at(until.min(Instant::now() + PAUSE), next).await.ok()
    }
}
