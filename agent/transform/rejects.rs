//! How many lines each plugin of a chain finds dead in a minute: beyond its limit it counts as broken.

use std::collections::VecDeque;
use std::time::Duration;

use super::chain::Chain;
use super::error::PluginError;
use super::verdict::Verdicts;
use crate::clock::Timestamp;

/// Dead letters are counted over this time of reading, so that a backlog counts as it came.
const WINDOW: Duration = Duration::from_secs(60);

/// The dead letters of the last minute, plugin by plugin.
#[derive(Debug)]
pub struct RejectRates(Vec<Rate>);

#[derive(Debug)]
struct Rate {
    plugin: String,
    rejects_max: Option<u64>,
    /// When lines were read, and how many of these are dead; of the last minute.
    recent: VecDeque<(Timestamp, u64)>,
}

impl RejectRates {
    /// None yet.
    pub fn new(chain: &Chain) -> Self {
        let rate = |(plugin, rejects_max): (&str, _)| Rate {
            plugin: plugin.to_owned(),
            rejects_max,
            recent: VecDeque::new(),
        };
        Self(chain.rejects_per_minute_max().map(rate).collect())
    }

    /// Takes down what became of lines that were read at `at`, which is no earlier than any before.
    ///
    /// # Errors
    /// A plugin found more dead than it may. Nothing is taken down then, so that the same lines find the same answer.
    pub fn admit<'a>(
        &mut self,
        at: Timestamp,
        verdicts: impl Iterator<Item = &'a Verdicts> + Clone,
    ) -> Result<(), PluginError> {
        let dead = || verdicts.clone().flat_map(|verdicts| &verdicts.dead);
        let mut counts = Vec::with_capacity(self.0.len());
        for (index, rate) in self.0.iter().enumerate() {
            let of_this = dead().filter(|dead| dead.plugin == index);
            let count = of_this.clone().count() as u64;
            let rejects = rate.since(at) + count;
            if let (Some(rejects_max), Some(first)) = (rate.rejects_max, of_this.clone().next())
                && rejects > rejects_max
            {
                let (plugin, reason) = (rate.plugin.clone(), first.reason.clone());
                return Err(PluginError::TooManyRejects { plugin, rejects, rejects_max, reason });
            }
            counts.push(count);
        }
        for (rate, count) in self.0.iter_mut().zip(counts) {
            rate.recent.retain(|(earlier, _)| is_recent(*earlier, at));
            if count > 0 && rate.rejects_max.is_some() {
                rate.recent.push_back((at, count));
            }
        }
        Ok(())
    }
}

impl Rate {
    fn since(&self, at: Timestamp) -> u64 {
        self.recent.iter().filter(|(earlier, _)| is_recent(*earlier, at)).map(|(_, count)| count).sum()
    }
}

fn is_recent(earlier: Timestamp, at: Timestamp) -> bool {
    at.micros().saturating_sub(earlier.micros()) < WINDOW.as_micros() as i64
}
