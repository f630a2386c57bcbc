//! How fast objects are put, of all tables together.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// A limit on bytes a second. An object goes in one request, as fast as the network takes it, and the next one waits until
/// the time that its bytes may take is over. Clones share the limit.
#[derive(Clone, Debug, Default)]
pub struct Pace(Option<Arc<Limit>>);

#[derive(Debug)]
struct Limit {
    bytes_per_second: u64,
    free_at: Mutex<Option<Instant>>,
}

impl Pace {
    /// At most so many bytes a second; at least 1.
    pub fn of(bytes_per_second: u64) -> Self {
        let bytes_per_second = bytes_per_second.max(1);
        Self(Some(Arc::new(Limit { bytes_per_second, free_at: Mutex::new(None) })))
    }

    /// Waits until `bytes` may be sent. Whoever waits has its turn, which it loses, but not the time, if it does not wait on.
    pub async fn turn(&self, bytes: usize) {
        let Some(limit) = &self.0 else { return };
        tokio::time::sleep_until(limit.reserve(bytes, Instant::now())).await;
    }
}

impl Limit {
    /// When `bytes` may begin; the time that they may take is theirs.
    fn reserve(&self, bytes: usize, now: Instant) -> Instant {
        // One time: no panic can leave it half changed.
        let mut free_at = self.free_at.lock().unwrap_or_else(PoisonError::into_inner);
        let begin = free_at.map_or(now, |free| free.max(now));
        *free_at = Some(begin + Duration::from_secs_f64(bytes as f64 / self.bytes_per_second as f64));
        begin
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_object_waits_for_the_time_of_those_before_and_no_longer() {
        let limit = Limit { bytes_per_second: 1_000, free_at: Mutex::new(None) };
        let now = Instant::now();
        assert_eq!(limit.reserve(2_000, now), now);
        assert_eq!(limit.reserve(500, now), now + Duration::from_secs(2));
        // Time in which nothing was sent is not made up for.
        let later = now + Duration::from_secs(10);
        assert_eq!(limit.reserve(500, later), later);
    }
}
