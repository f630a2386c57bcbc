//! What the host keeps for one instance: its memory account, its deadline, what it said and counted.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use wasmtime::{ResourceLimiter, StoreContextMut, UpdateDeadline};

use super::wit::host::Level;

/// Messages of one batch that reach the agent's log.
pub const MESSAGES_MAX: u32 = 20;
/// A longer text of a plugin, message or reason, is cut. Bytes.
const TEXT_BYTES_MAX: usize = 1 << 10;
/// Further counters of one batch are ignored.
const COUNTERS_MAX: usize = 100;
/// A counter with a longer name is ignored. Bytes.
const COUNTER_NAME_BYTES_MAX: usize = 100;

const INSTANCES_MAX: usize = 100;
const MEMORIES_MAX: usize = 100;
const TABLES_MAX: usize = 100;
/// Elements, of a pointer's size each.
const TABLE_ELEMENTS_MAX: usize = 1 << 16;

/// What the host keeps for one instance.
#[derive(Debug)]
pub struct HostState {
    plugin: String,
    memory: MemoryAccount,
    deadline: Deadline,
    messages_left: u32,
    /// Of the current call.
    last_error: Option<String>,
    /// Of the current call.
    counts: BTreeMap<String, u64>,
}

impl HostState {
    pub fn new(plugin: &str, memory_bytes_max: usize, messages_left: u32) -> Self {
        Self {
            plugin: plugin.into(),
            memory: MemoryAccount { bytes: 0, bytes_max: memory_bytes_max, refused: None },
            deadline: Deadline::default(),
            messages_left,
            last_error: None,
            counts: BTreeMap::new(),
        }
    }

    /// Before a call.
    pub fn begin(&mut self, cpu_time_max: Duration) {
        self.deadline = Deadline { start: thread_cpu_time(), cpu_time_max };
        self.memory.refused = None;
        self.last_error = None;
        self.counts.clear();
    }

    /// The counts of the call that just succeeded.
    pub fn take_counts(&mut self) -> BTreeMap<String, u64> {
        std::mem::take(&mut self.counts)
    }

    pub fn messages_left(&self) -> u32 {
        self.messages_left
    }

    /// CPU time of the current call so far.
    pub fn cpu_time(&self) -> Duration {
        thread_cpu_time().saturating_sub(self.deadline.start)
    }

    pub fn cpu_time_max(&self) -> Duration {
        self.deadline.cpu_time_max
    }

    pub fn memory(&mut self) -> &mut MemoryAccount {
        &mut self.memory
    }

    /// What the plugin last called an error in the current call: its panic, if it panicked.
    pub fn last_error(&self) -> Option<&str> {
        self.last_error.as_deref()
    }

    pub fn say(&mut self, level: Level, message: &str) {
        let text = clip(message);
        let plugin = self.plugin.as_str();
        if let Some(left) = self.messages_left.checked_sub(1) {
            self.messages_left = left;
            match level {
                Level::Debug => tracing::debug!(plugin, "{text}"),
                Level::Info => tracing::info!(plugin, "{text}"),
                Level::Warn => tracing::warn!(plugin, "{text}"),
                Level::Error => tracing::error!(plugin, "{text}"),
            }
        }
        if level == Level::Error {
            self.last_error = Some(text);
        }
    }

    pub fn add(&mut self, name: String, by: u64) {
        if let Some(count) = self.counts.get_mut(&name) {
            *count = count.saturating_add(by);
        } else if name.len() <= COUNTER_NAME_BYTES_MAX && self.counts.len() < COUNTERS_MAX {
            self.counts.insert(name, by);
        }
    }
}

/// Adds the counts of one call to those of a batch.
pub fn merge_counts(sum: &mut BTreeMap<String, u64>, counts: BTreeMap<String, u64>) {
    for (name, by) in counts {
        if let Some(count) = sum.get_mut(&name) {
            *count = count.saturating_add(by);
        } else if sum.len() < COUNTERS_MAX {
            sum.insert(name, by);
        }
    }
}

/// A plugin's text as people may see it: not too long, and without control characters.
pub fn clip(text: &str) -> String {
    let clipped = text.get(..text.floor_char_boundary(TEXT_BYTES_MAX)).unwrap_or_default();
    let mut clean: String = clipped.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if clipped.len() < text.len() {
        clean.push('…');
    }
    clean
}

/// When a call has had its CPU time.
#[derive(Debug, Default)]
struct Deadline {
    start: Duration,
    cpu_time_max: Duration,
}

/// The guest was interrupted at its deadline.
#[derive(Debug)]
pub struct DeadlineReached;

impl fmt::Display for DeadlineReached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the deadline is reached")
    }
}

impl std::error::Error for DeadlineReached {}

/// At each tick of the clock: on, or over.
pub fn check_deadline(store: StoreContextMut<'_, HostState>) -> wasmtime::Result<UpdateDeadline> {
    let state = store.data();
    if state.cpu_time() >= state.cpu_time_max() {
        return Err(DeadlineReached.into());
    }
    Ok(UpdateDeadline::Continue(1))
}

/// CPU time that this thread has used.
pub fn thread_cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// The linear memory of an instance.
#[derive(Debug)]
pub struct MemoryAccount {
    bytes: usize,
    bytes_max: usize,
    refused: Option<usize>,
}

impl MemoryAccount {
    /// What the instance holds. It never shrinks.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    pub fn bytes_max(&self) -> usize {
        self.bytes_max
    }

    /// What the instance wanted to hold when it was refused more in the current call.
    pub fn refused(&self) -> Option<usize> {
        self.refused
    }
}

impl ResourceLimiter for MemoryAccount {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let bytes = self.bytes.saturating_sub(current).saturating_add(desired);
        if bytes > self.bytes_max {
            self.refused = Some(bytes);
            return Ok(false);
        }
        self.bytes = bytes;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired <= TABLE_ELEMENTS_MAX)
    }

    fn instances(&self) -> usize {
        INSTANCES_MAX
    }

    fn tables(&self) -> usize {
        TABLES_MAX
    }

    fn memories(&self) -> usize {
        MEMORIES_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_characters_and_has_no_control_characters() {
        assert_eq!(clip("a\nb\u{1b}[31m"), "a b [31m");
        let clipped = clip(&"é".repeat(2_000));
        assert_eq!(clipped.chars().count(), TEXT_BYTES_MAX / 2 + 1);
        assert!(clipped.ends_with('…'));
    }

    #[test]
    fn counters_are_bounded() {
        let mut state = HostState::new("test", 0, MESSAGES_MAX);
        for i in 0..1_000 {
            state.add(format!("c{i}"), u64::MAX);
            state.add(format!("c{i}"), 1);
        }
        state.add("n".repeat(COUNTER_NAME_BYTES_MAX + 1), 1);
        let counts = state.take_counts();
        assert_eq!(counts.len(), COUNTERS_MAX);
        assert!(counts.values().all(|count| *count == u64::MAX));
    }
}
