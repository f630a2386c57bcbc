//! Logging to systemd's journal.

use std::fmt;
use std::io;
use std::os::fd::AsFd;

use rustix::fs::fstat;
use tracing::{Event, Level, Subscriber};
use tracing_journald::{Priority, PriorityMappings};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Where the service manager says which stream goes to the journal: `device:inode`.
const STREAM: &str = "JOURNAL_STREAM";

/// What stands in front of the names of fields.
const PREFIX: &str = "LOGSMITH";

/// Whether what is written to standard error goes to the journal. A process that a service starts inherits the variable, and
/// may have another standard error.
pub(super) fn is_stderr() -> bool {
    let Some(stream) = std::env::var(STREAM).ok() else { return false };
    let Ok(stat) = fstat(io::stderr().as_fd()) else { return false };
    stream == format!("{}:{}", stat.st_dev, stat.st_ino)
}

/// Entries with fields, handed to the journal itself.
///
/// # Errors
/// Its socket cannot be reached.
pub(super) fn entries() -> io::Result<tracing_journald::Layer> {
    let layer = tracing_journald::layer()?.with_priority_mappings(PriorityMappings {
        info: Priority::Informational,
        debug: Priority::Debug,
        ..PriorityMappings::new()
    });
    Ok(layer.with_field_prefix(Some(PREFIX.to_owned())).with_syslog_identifier("logsmith".to_owned()))
}

/// Lines with the priority in front, `<4>` for a warning, as the journal understands those of a service.
pub(super) struct Prioritised<F>(pub(super) F);

impl<S, N, F> FormatEvent<S, N> for Prioritised<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut to: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let priority = match *event.metadata().level() {
            Level::ERROR => 3,
            Level::WARN => 4,
            Level::INFO => 6,
            Level::DEBUG | Level::TRACE => 7,
        };
        write!(to, "<{priority}>")?;
        self.0.format_event(context, to, event)
    }
}
