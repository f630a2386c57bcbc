//! What a pipeline is offered to run instead of what it runs: the newest offer counts.

use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

use crate::transform::{Chain, PluginSpec};

/// Plugins as the files and the configuration have them now.
#[derive(Debug)]
pub(super) struct Offer {
    pub(super) specs: Vec<PluginSpec>,
    /// Opened; or why they cannot be.
    pub(super) chain: Result<Chain, String>,
}

/// A place for one offer.
#[derive(Debug, Default)]
pub(super) struct Offers {
    newest: Mutex<Option<Offer>>,
    made: Notify,
}

impl Offers {
    /// Makes an offer; one that was not looked at is forgotten.
    pub(super) fn make(&self, offer: Offer) {
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner) = Some(offer);
        self.made.notify_one();
    }

    /// Takes the newest offer, if there is one.
    pub(super) fn take(&self) -> Option<Offer> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Waits until an offer was made. One that was taken meanwhile may end the wait too.
    pub(super) async fn made(&self) {
        self.made.notified().await;
    }
}
