//! What became of the rows of a batch.

use std::collections::BTreeMap;
use std::fmt;

use arrow::array::RecordBatch;

/// What became of the rows of a batch. **Each input row is exactly once here**: as the source of output rows, as
/// dropped, or as dead.
#[derive(Clone, Debug)]
pub struct Verdicts {
    /// The output rows, in one batch or several, none of them empty.
    pub rows: Vec<RecordBatch>,
    /// For each output row of all batches the input row that it comes from.
    pub source_rows: Vec<u32>,
    /// Input rows that were left out on purpose, ascending.
    pub dropped: Vec<u32>,
    /// Input rows that cannot be transformed, ascending.
    pub dead: Vec<Dead>,
    /// What the plugins counted, by name.
    pub counts: BTreeMap<String, u64>,
    /// Instances that were thrown away after a fault.
    pub instances_discarded: usize,
}

impl Verdicts {
    /// Whether any row came through without a fault of the plugin.
    pub fn has_passed(&self) -> bool {
        let is_fault = |dead: &Dead| dead.kind != DeadKind::Rejected;
        !self.source_rows.is_empty()
            || !self.dropped.is_empty()
            || self.dead.iter().any(|dead| !is_fault(dead))
    }
}

/// A row that cannot be transformed, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dead {
    /// Which row of the batch.
    pub row: u32,
    /// Which plugin of the chain, from 0.
    pub plugin: usize,
    /// What happened.
    pub kind: DeadKind,
    /// The same for people.
    pub reason: String,
}

/// What happened to a row that cannot be transformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeadKind {
    /// The plugin rejected it.
    Rejected,
    /// The plugin trapped on it: a panic, or an exhausted stack.
    Trapped,
    /// The plugin did not come to an end with it, twice.
    Deadline,
    /// The plugin wanted more memory for it than it may have.
    OutOfMemory,
    /// The plugin's answer breaks the rules of the boundary.
    InvalidOutput,
    /// The plugin refused the batch, although the row was alone in it.
    Refused,
}

impl DeadKind {
    /// As dead-letter tables keep it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rejected => "rejected",
            Self::Trapped => "trapped",
            Self::Deadline => "deadline",
            Self::OutOfMemory => "out_of_memory",
            Self::InvalidOutput => "invalid_output",
            Self::Refused => "refused",
        }
    }
}

impl fmt::Display for DeadKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
