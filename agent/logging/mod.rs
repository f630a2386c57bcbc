//! What the process tells of itself: to a terminal, a file or a pipe as lines, to the journal as entries with fields,
//! and, where a source asks for it, to its own pipelines.
//!
//! **One place in the code tells so much a minute and no more** (see `limit.rs`): a store that fails a thousand times, or a plugin
//! that complains of each line, fills no disk.

mod journal;
mod limit;
mod own;

use std::io::{self, IsTerminal};

use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::{Format, debug_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, field::MakeExt};

pub use limit::{counts, keep_telling_left_out, tell_left_out};
pub use own::{Follower, follow, tell};

use crate::text::Shown;

/// What says how much is logged, in the form of `RUST_LOG`.
const VARIABLE: &str = "LOGSMITH_LOG";

/// Begins to log what `filter` says, unless the environment says otherwise.
pub fn start(filter: &str) {
    let filter = EnvFilter::try_from_env(VARIABLE).unwrap_or_else(|_| EnvFilter::new(filter));
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_target(false)
        .fmt_fields(fields());
    let output: Box<dyn Layer<Registry> + Send + Sync> = match journal::is_stderr() {
        false => lines.boxed(),
        true => match journal::entries() {
            Ok(entries) => entries.boxed(),
            // A sandbox may hide the socket; what is written to standard error arrives all the same.
            Err(_) => {
                let format = Format::default().with_target(false).with_level(false).without_time();
                lines.event_format(journal::Prioritised(format)).boxed()
            }
        },
    };
    let limited = limit::Limited { layer: output, limit: limit::Limit::shared() };
    tracing_subscriber::registry().with(limited.with_filter(filter)).with(own::layer()).init();
}

/// How what an event or a span tells is written: names of files, and what stands in them, can do a terminal no harm.
fn fields() -> impl for<'writer> FormatFields<'writer> + Send + Sync + 'static {
    debug_fn(|to, field, value| match field.name() {
        "message" => write!(to, "{}", Shown(format_args!("{value:?}"))),
        name => write!(to, "{name}={}", Shown(format_args!("{value:?}"))),
    })
    .delimited(" ")
}
