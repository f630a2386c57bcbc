//! What a plugin may use.

use std::time::Duration;

use super::owner::FileOwner;

/// Limits of one plugin. The default suits plugins that take some microseconds a row.
///
/// Times are CPU time of the calling thread, so that a busy host condemns nothing; they are watched once in a
/// [`TICK`](super::engine::TICK).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Linear memory of one instance, bytes.
    pub memory_bytes_max: usize,
    /// Instantiating and opening one instance.
    pub open_cpu_time_max: Duration,
    /// One call, whatever its rows.
    pub call_cpu_time_max: Duration,
    /// On top of `call_cpu_time_max` for each row of the call.
    pub row_cpu_time_max: Duration,
    /// A row that exceeded `call_cpu_time_max` alone is tried once more with this much; then it is a dead letter.
    pub lone_row_cpu_time_max: Duration,
    /// When faults have cost this much and no row of the batch has passed, the plugin is broken.
    pub fault_cpu_time_max: Duration,
    /// What one answer may bring across, bytes.
    pub transfer_bytes_max: usize,
    /// What the answers to one batch may hold, bytes.
    pub output_bytes_max: usize,
    /// Rows of one call. A batch is cut into calls of this size.
    pub call_rows_max: usize,
    /// Bytes of text in one call, unless one row alone has more.
    pub call_bytes_max: usize,
    /// A component's file, bytes.
    pub component_bytes_max: u64,
    /// Whose that file must be.
    pub file_owner: FileOwner,
    /// Dead letters of this plugin within a minute of reading; with more it is broken. `None` lets it find all lines
    /// dead, of which none is lost.
    pub rejects_per_minute_max: Option<u64>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes_max: 256 << 20,
            open_cpu_time_max: Duration::from_secs(10),
            call_cpu_time_max: Duration::from_millis(100),
            row_cpu_time_max: Duration::from_micros(200),
            lone_row_cpu_time_max: Duration::from_secs(1),
            fault_cpu_time_max: Duration::from_secs(20),
            transfer_bytes_max: 64 << 20,
            output_bytes_max: 1 << 30,
            call_rows_max: 4_096,
            call_bytes_max: 1 << 20,
            component_bytes_max: 64 << 20,
            file_owner: FileOwner::Anyone,
            rejects_per_minute_max: None,
        }
    }
}

impl Limits {
    /// The deadline of a call with `rows` rows.
    pub(super) fn call_cpu_time(&self, rows: usize) -> Duration {
        let rows = u32::try_from(rows).unwrap_or(u32::MAX);
        self.call_cpu_time_max.saturating_add(self.row_cpu_time_max.saturating_mul(rows))
    }
}
