//! Waiting between attempts: longer each time, with jitter so that a fleet does not knock in step.

use std::time::Duration;

use rand::Rng;

/// Delays that double from [`Backoff::FIRST`] to [`Backoff::LAST`], each drawn between half of it and all.
#[derive(Clone, Debug)]
pub struct Backoff {
    next: Duration,
}

impl Backoff {
    /// The first delay at most.
    pub const FIRST: Duration = Duration::from_millis(250);
    /// The longest delay.
    pub const LAST: Duration = Duration::from_secs(60);

    /// Before the first failure.
    pub fn new() -> Self {
        Self { next: Self::FIRST }
    }

    /// How long to wait after one more failure.
    pub fn delay(&mut self, random: &mut impl Rng) -> Duration {
        let longest = self.next;
        self.next = (longest * 2).min(Self::LAST);
        longest.mul_f64(random.random_range(0.5..=1.0))
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    #[test]
    fn delays_grow_to_a_minute_and_stay() {
        let mut random = StdRng::seed_from_u64(7);
        let mut backoff = Backoff::new();
        let delays: Vec<Duration> = (0..20).map(|_| backoff.delay(&mut random)).collect();
        assert!(delays[0] <= Backoff::FIRST && delays[0] >= Backoff::FIRST / 2);
        assert!(delays[19] <= Backoff::LAST && delays[19] >= Backoff::LAST / 2);
    }
}
