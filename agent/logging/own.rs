//! What the process tells of itself, for a source of its own: lines of JSON.
//!
//! **It does not feed on itself.** What pipelines and syncs tell that carry these lines is left out, and so is what is told
//! below `info`; all else is told of other things than these lines. A queue that is full drops lines rather than wait.

use std::collections::HashSet;
use std::fmt;
use std::sync::{PoisonError, RwLock};

use serde_json::{Map, Value};
use tokio::sync::mpsc;
use tracing::callsite::rebuild_interest_cache;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id};
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, Filter};
use tracing_subscriber::registry::LookupSpan;

use super::limit::{Limit, Limited};
use crate::clock::{Clock, SystemClock};

/// Lines that may wait to be taken.
const WAITING_MAX: usize = 1_024;

/// The fields of spans that name a pipeline, or the table that it writes.
const NAMING: [&str; 2] = ["pipeline", "table"];

static FOLLOWED: RwLock<Option<Followed>> = RwLock::new(None);

#[derive(Debug)]
struct Followed {
    level: LevelFilter,
    carriers: HashSet<String>,
    lines: mpsc::Sender<String>,
}

/// Whoever takes what is told.
#[derive(Debug)]
pub struct Follower {
    lines: mpsc::Receiver<String>,
}

impl Follower {
    /// The next line, whenever it comes.
    pub async fn next(&mut self) -> Option<String> {
        self.lines.recv().await
    }
}

/// Takes what is told at this level and graver ones from now on; who followed before takes no more. `carriers` are the
/// pipelines that these lines go through.
pub fn follow(level: LevelFilter, carriers: HashSet<String>) -> Follower {
    let (sender, lines) = mpsc::channel(WAITING_MAX);
    let followed = Followed { level: level.min(LevelFilter::INFO), carriers, lines: sender };
    *FOLLOWED.write().unwrap_or_else(PoisonError::into_inner) = Some(followed);
    rebuild_interest_cache();
    Follower { lines }
}

/// Tells the follower, if there is one, something that is no message: `told` with the time and `message`.
pub fn tell(message: &str, told: Map<String, Value>) {
    let line = line("INFO", message.to_owned(), told);
    let followed = FOLLOWED.read().unwrap_or_else(PoisonError::into_inner);
    if let Some(followed) = &*followed {
        // One that does not keep up misses lines.
        let _ = followed.lines.try_send(line);
    }
}

/// What the subscriber needs for it.
pub(super) fn layer<S: Subscriber + for<'a> LookupSpan<'a>>() -> impl Layer<S> {
    Limited { layer: Own, limit: Limit::default() }.with_filter(Wanted)
}

/// Lets pass what a follower wants.
#[derive(Debug)]
struct Wanted;

impl<S> Filter<S> for Wanted {
    fn enabled(&self, metadata: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        let level = FOLLOWED.read().unwrap_or_else(PoisonError::into_inner).as_ref().map(|it| it.level);
        // Libraries say at `info` what they do for others.
        let is_ours = metadata.target().split("::").next() == Some(env!("CARGO_PKG_NAME"));
        let level = if is_ours { level } else { level.map(|level| level.min(LevelFilter::WARN)) };
        level.is_some_and(|level| *metadata.level() <= level)
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        match *metadata.level() <= LevelFilter::INFO {
            true => Interest::sometimes(),
            false => Interest::never(),
        }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::INFO)
    }
}

#[derive(Debug)]
struct Own;

/// What the fields of a span say.
struct Said(Fields);

#[derive(Debug, Default)]
struct Fields(Map<String, Value>);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Own {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut said = Fields::default();
        attributes.record(&mut said);
        span.extensions_mut().insert(Said(said));
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let followed = FOLLOWED.read().unwrap_or_else(PoisonError::into_inner);
        let Some(Followed { carriers, lines, .. }) = &*followed else { return };
        let mut told = Fields::default();
        for span in context.event_scope(event).into_iter().flatten() {
            let extensions = span.extensions();
            let Some(Said(said)) = extensions.get::<Said>() else { continue };
            let names = NAMING.iter().filter_map(|name| said.0.get(*name)?.as_str());
            if names.into_iter().any(|name| carriers.contains(name)) {
                return;
            }
            told.0.extend(said.0.clone());
        }
        event.record(&mut told);
        told.0.insert("target".to_owned(), event.metadata().target().into());
        let message = match told.0.remove("message") {
            Some(Value::String(message)) => message,
            _ => String::new(),
        };
        let _ = lines.try_send(line(event.metadata().level().as_str(), message, told.0));
    }
}

fn line(level: &str, message: String, told: Map<String, Value>) -> String {
    let mut line = Map::new();
    line.insert("time".to_owned(), SystemClock.now().to_string().into());
    line.insert("level".to_owned(), level.into());
    line.insert("message".to_owned(), message.into());
    for (name, value) in told {
        line.entry(name).or_insert(value);
    }
    Value::Object(line).to_string()
}

impl Visit for Fields {
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}").into());
    }
}
