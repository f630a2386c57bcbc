//! Whether stages make progress. A stage has a pulse: it beats with each step of its work, and rests while the stage waits
//! for others: for lines, for a central store that is away, for room in the disk budget. A stage that neither beats nor
//! rests hangs.
//!
//! Work knows the pulse of the stage that it is part of without being handed it; work of no stage has none.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

tokio::task_local! {
    static PULSE: Arc<Pulse>;
}

#[derive(Debug)]
struct Pulse {
    stage: String,
    began: Instant,
    /// Milliseconds from the beginning to the last beat.
    beat_at: AtomicU64,
    rests: AtomicU32,
}

impl Pulse {
    fn beat(&self) {
        let millis = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.beat_at.store(millis, Ordering::Release);
    }

    /// How long it has been without a beat and without rest.
    fn silence(&self) -> Duration {
        if self.rests.load(Ordering::Acquire) > 0 {
            return Duration::ZERO;
        }
        self.began.elapsed().saturating_sub(Duration::from_millis(self.beat_at.load(Ordering::Acquire)))
    }
}

/// A step of this stage's work is done.
pub fn beat() {
    let _ = PULSE.try_with(|pulse| pulse.beat());
}

/// Waits for others, at rest. In a `select!` one branch that rests has the whole wait count as rest.
pub async fn resting<F: Future>(wait: F) -> F::Output {
    let _rest = PULSE.try_with(Rest::of).ok();
    wait.await
}

struct Rest(Arc<Pulse>);

impl Rest {
    fn of(pulse: &Arc<Pulse>) -> Self {
        pulse.rests.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(pulse))
    }
}

impl Drop for Rest {
    fn drop(&mut self) {
        self.0.beat();
        self.0.rests.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The pulses of all stages that have not ended; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Pulses(Arc<Mutex<Vec<Weak<Pulse>>>>);

impl Pulses {
    /// Gives `work` a pulse of its own, under this name, until it ends.
    pub fn attend<F: Future>(&self, stage: &str, work: F) -> impl Future<Output = F::Output> + use<F> {
        let pulse = Arc::new(Pulse {
            stage: stage.to_owned(),
            began: Instant::now(),
            beat_at: AtomicU64::new(0),
            rests: AtomicU32::new(0),
        });
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(&pulse));
        PULSE.scope(pulse, work)
    }

    /// The stage that has been silent for longest, and for how long, if that is longer than `patience`.
    pub fn hanging(&self, patience: Duration) -> Option<(String, Duration)> {
        let mut pulses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pulses.retain(|pulse| pulse.strong_count() > 0);
        let silent = pulses.iter().filter_map(Weak::upgrade).map(|pulse| (pulse.silence(), pulse));
        let (silence, pulse) = silent.max_by_key(|(silence, _)| *silence)?;
        (silence > patience).then(|| (pulse.stage.clone(), silence))
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    const PATIENCE: Duration = Duration::from_millis(20);

    async fn hanging_soon(pulses: &Pulses) -> Option<String> {
        tokio::time::sleep(PATIENCE * 3).await;
        pulses.hanging(PATIENCE).map(|(stage, _)| stage)
    }

    #[tokio::test]
    async fn a_stage_hangs_that_neither_beats_nor_rests() {
        let pulses = Pulses::default();
        let stuck = tokio::spawn(pulses.attend("stuck", pending::<()>()));
        assert_eq!(hanging_soon(&pulses).await.as_deref(), Some("stuck"));
        stuck.abort();
        assert!(stuck.await.is_err());
        assert_eq!(hanging_soon(&pulses).await, None, "it has ended");
    }

    #[tokio::test]
    async fn a_stage_that_waits_or_works_does_not_hang() {
        let pulses = Pulses::default();
        let waits = async {
            tokio::select! {
                () = resting(pending()) => {}
                () = pending() => {}
            }
        };
        tokio::spawn(pulses.attend("waits", waits));
        assert_eq!(hanging_soon(&pulses).await, None);
        let rests_and_hangs = async {
            resting(tokio::task::yield_now()).await;
            pending::<()>().await;
        };
        tokio::spawn(pulses.attend("rested", rests_and_hangs));
        assert_eq!(hanging_soon(&pulses).await.as_deref(), Some("rested"));
    }
}
