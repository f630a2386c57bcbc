//! How often one place in the code may tell something.

use std::collections::HashMap;
use std::fmt::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tracing::callsite::Identifier;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Subscriber, warn};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use crate::text::Shown;

/// So many messages of one place are written in a minute.
const MESSAGES_MAX: u32 = 100;
const WINDOW: Duration = Duration::from_secs(60);

/// How often it is told what was left out.
const TELL_INTERVAL: Duration = Duration::from_secs(30);

/// What was left out is told with the beginning of one message, at most so many bytes of it.
const SAMPLE_BYTES_MAX: usize = 200;

/// Lets so many messages of each place pass; clones count together.
#[derive(Clone, Debug, Default)]
pub(super) struct Limit(Arc<Counted>);

#[derive(Debug, Default)]
struct Counted {
    places: Mutex<HashMap<Identifier, Place>>,
    counts: [AtomicU64; 5],
    left_out: AtomicU64,
}

#[derive(Debug)]
struct Place {
    began: Instant,
    messages: u32,
    /// Since it was last told.
    left_out: u64,
    /// One of those.
    sample: String,
}

/// Messages of one place that were not written.
#[derive(Clone, Debug, PartialEq, Eq)]
struct LeftOut {
    /// How many.
    messages: u64,
    /// The beginning of one of them.
    sample: String,
}

/// How many messages were written, by level from the gravest on, and how many were left out.
pub fn counts() -> ([(&'static str, u64); 5], u64) {
    let counted = &Limit::shared().0;
    let levels = ["error", "warn", "info", "debug", "trace"];
    let count = |at: usize| counted.counts.get(at).map_or(0, |count| count.load(Ordering::Relaxed));
    (
        std::array::from_fn(|at| (levels.get(at).copied().unwrap_or(""), count(at))),
        counted.left_out.load(Ordering::Relaxed),
    )
}

/// Tells how many messages were left out since this was told last.
pub fn tell_left_out() {
    for LeftOut { messages, sample } in Limit::shared().take_left_out() {
        warn!("{messages} messages were left out that were like this one: {sample}");
    }
}

/// Tells it now and then, for as long as it is let.
pub async fn keep_telling_left_out() -> std::convert::Infallible {
    loop {
        tokio::time::sleep(TELL_INTERVAL).await;
        tell_left_out();
    }
}

impl Limit {
    /// The one that the process logs by.
    pub(super) fn shared() -> Self {
        static SHARED: OnceLock<Limit> = OnceLock::new();
        SHARED.get_or_init(Self::default).clone()
    }

    /// Whether a message of this place passes at `now`; `sample` tells one that does not.
    fn passes(&self, place: Identifier, now: Instant, sample: impl FnOnce() -> String) -> bool {
        let mut places = self.lock();
        let place = places.entry(place).or_insert_with(|| Place {
            began: now,
            messages: 0,
            left_out: 0,
            sample: String::new(),
        });
        if now.saturating_duration_since(place.began) >= WINDOW {
            (place.began, place.messages) = (now, 0);
        }
        if place.messages < MESSAGES_MAX {
            place.messages += 1;
            return true;
        }
        if place.left_out == 0 {
            place.sample = sample();
        }
        place.left_out += 1;
        self.0.left_out.fetch_add(1, Ordering::Relaxed);
        false
    }

    /// What was left out since this was asked last.
    fn take_left_out(&self) -> Vec<LeftOut> {
        let mut places = self.lock();
        let taken = places.values_mut().filter(|place| place.left_out > 0).map(|place| LeftOut {
            messages: std::mem::take(&mut place.left_out),
            sample: std::mem::take(&mut place.sample),
        });
        taken.collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Identifier, Place>> {
        // Plain sums: no panic can leave them half changed.
        self.0.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A layer that hears only of messages that pass a limit. No filter does it: one that looks at events as they come leaves the
/// registry's account of filters unsettled where it says no.
#[derive(Debug)]
pub(super) struct Limited<L> {
    pub(super) layer: L,
    pub(super) limit: Limit,
}

impl<S: Subscriber, L: Layer<S>> Layer<S> for Limited<L> {
    fn on_layer(&mut self, subscriber: &mut S) {
        self.layer.on_layer(subscriber);
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        self.layer.on_new_span(attributes, id, context);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        self.layer.on_record(id, values, context);
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let metadata = event.metadata();
        if !self.limit.passes(metadata.callsite(), Instant::now(), || message(event)) {
            return;
        }
        let levels = [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG, Level::TRACE];
        let at = levels.iter().position(|level| level == metadata.level());
        if let Some(count) = at.and_then(|at| self.limit.0.counts.get(at)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.layer.on_event(event, context);
    }

    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        self.layer.on_enter(id, context);
    }

    fn on_exit(&self, id: &Id, context: Context<'_, S>) {
        self.layer.on_exit(id, context);
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        self.layer.on_close(id, context);
    }
}

/// The beginning of what an event tells, without its fields.
fn message(event: &Event<'_>) -> String {
    struct Message(String);
    impl Visit for Message {
        fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
            if field.name() == "message" {
                let _ = write!(self.0, "{}", Shown(format_args!("{value:?}")));
            }
        }
    }
    let mut message = Message(String::new());
    event.record(&mut message);
    message.0.truncate(message.0.floor_char_boundary(SAMPLE_BYTES_MAX));
    message.0
}

#[cfg(test)]
mod tests {
    use tracing::Callsite;
    use tracing::metadata::Kind;

    use super::*;

    #[test]
    fn a_place_tells_so_much_a_minute_and_what_is_left_out_is_told_once() {
        let limit = Limit::default();
        let (here, there) = (place_a(), place_b());
        let began = Instant::now();
        let passed = |place: &Identifier, at: Instant, count: u32| {
            (0..count).filter(|_| limit.passes(place.clone(), at, || "a sample".to_owned())).count()
        };
        assert_eq!(passed(&here, began, 1_000), 100);
        assert_eq!(passed(&there, began, 60), 60, "another place has its own");
        let left_out = LeftOut { messages: 900, sample: "a sample".to_owned() };
        assert_eq!(limit.take_left_out(), [left_out]);
        assert_eq!(limit.take_left_out(), []);
        assert_eq!(passed(&here, began + WINDOW / 2, 1), 0);
        assert_eq!(passed(&here, began + WINDOW, 1_000), 100, "a new minute");
    }

    fn place_a() -> Identifier {
        Callsite::metadata(tracing::callsite!(name: "a", kind: Kind::EVENT, fields: message)).callsite()
    }

    fn place_b() -> Identifier {
        Callsite::metadata(tracing::callsite!(name: "b", kind: Kind::EVENT, fields: message)).callsite()
    }
}
