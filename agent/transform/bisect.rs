//! Applies a plugin to a batch, piece by piece, and hunts down the rows that make it fail.
//!
//! - An instance never sees two batches, and none is used after a fault.
//! - A piece that fails is cut in two; a row that fails alone is dead. Pieces wait in a queue, so that all of one
//!   size are tried before any of half the size: when nothing has passed after a while, the fault is everywhere,
//!   and the plugin is broken rather than its rows.
//! - A few rows that all fail are poisonous all the same if others passed before: the plugin is not broken then. Next
//!   time others must have passed again.
//! - A row that reached its deadline alone is tried once more, with more time.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::time::Duration;

use super::columns::Input;
use super::instance::{Component, Crash, Instance, NotOpened, fault_text};
use super::plan::Plan;
use super::rows::Answer;
use super::state::{MESSAGES_MAX, merge_counts};
use super::verdict::{Dead, DeadKind};
use super::wit::{Batch, ColumnParam, FieldParam};

/// What is applied to what.
pub struct Context<'a> {
    pub component: &'a Component,
    pub plan: &'a Plan,
    /// The fields that the plugin was opened for.
    pub fields: &'a [FieldParam<'a>],
    /// The columns that it reads.
    pub columns: &'a [Input],
    /// What to think where no row passes.
    pub doubt: Doubt,
}

/// Who is at fault where no row of a batch passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// The plugin, unless there is a single row.
    Plugin,
    /// The rows, if there are few: other rows have passed.
    FewRows,
}

/// So many rows may be condemned together because others have passed.
const FEW_ROWS_MAX: u32 = 64;

/// What became of all rows.
#[derive(Debug, Default)]
pub struct Settled {
    /// In the order of the rows.
    pub answers: Vec<Answer>,
    pub dead: Vec<Dead>,
    pub counts: BTreeMap<String, u64>,
    pub instances_discarded: usize,
}

/// Why the batch as a whole has no verdicts.
#[derive(Debug)]
pub enum NoVerdicts {
    /// No row passes, or no instance opens.
    Broken { reason: String },
    /// The answers hold too much.
    OutputTooLarge,
}

/// Settles every row of the batch.
pub fn apply(context: &Context<'_>, rows: u32) -> Result<Settled, NoVerdicts> {
    let mut hunt = Hunt {
        context,
        instance: None,
        messages_left: MESSAGES_MAX,
        queue: pieces(context, rows),
        settled: Settled::default(),
        output_bytes: 0,
        fault_cpu_time: Duration::ZERO,
        first_fault: None,
    };
    while let Some(piece) = hunt.queue.pop_front() {
        hunt.step(piece)?;
    }
    let Hunt { mut settled, first_fault, .. } = hunt;
    let few_rows_max = match context.doubt {
        Doubt::Plugin => 1,
        Doubt::FewRows => FEW_ROWS_MAX,
    };
    match first_fault {
        Some(reason) if settled.answers.is_empty() && rows > few_rows_max => {
            Err(NoVerdicts::Broken { reason })
        }
        _ => {
            settled.answers.sort_by_key(|answer| answer.first_row);
            settled.dead.sort_by_key(|dead| dead.row);
            Ok(settled)
        }
    }
}

struct Hunt<'a> {
    context: &'a Context<'a>,
    instance: Option<Instance>,
    messages_left: u32,
    queue: VecDeque<Range<u32>>,
    settled: Settled,
    output_bytes: usize,
    fault_cpu_time: Duration,
    first_fault: Option<String>,
}

impl Hunt<'_> {
    fn step(&mut self, piece: Range<u32>) -> Result<(), NoVerdicts> {
        let limits = &self.context.component.limits;
        let mut crash = match self.attempt(&piece, limits.call_cpu_time(piece.len()))? {
            Ok(answer) => return self.accept(answer),
            Err(crash) => crash,
        };
        self.blame(&crash)?;
        if piece.len() > 1 {
            let middle = piece.start + (piece.end - piece.start) / 2;
            self.queue.extend([piece.start..middle, middle..piece.end]);
            return Ok(());
        }
        if crash.kind == DeadKind::Deadline {
            crash = match self.attempt(&piece, limits.lone_row_cpu_time_max)? {
                Ok(answer) => return self.accept(answer),
                Err(crash) => crash,
            };
            self.blame(&crash)?;
        }
        let Crash { kind, reason, .. } = crash;
        self.settled.dead.push(Dead { row: piece.start, plugin: 0, kind, reason });
        Ok(())
    }

    /// One call, on the instance at hand or on a new one.
    fn attempt(
        &mut self,
        piece: &Range<u32>,
        cpu_time_max: Duration,
    ) -> Result<Result<Answer, Crash>, NoVerdicts> {
        let mut instance = match self.instance.take() {
            Some(instance) => instance,
            None => self.open()?,
        };
        let rows = piece.start as usize..piece.end as usize;
        let parts: Vec<_> = self.context.columns.iter().map(|column| column.part(rows.clone())).collect();
        let columns: Vec<ColumnParam<'_>> = parts.iter().map(|part| part.param()).collect();
        let row_count = piece.end - piece.start;
        let batch = Batch { rows: row_count, columns: &columns };
        let called = instance.apply(batch, &self.context.component.limits, cpu_time_max);
        let checked = called.and_then(|(output, counts)| {
            match Answer::checked(output, self.context.plan, piece.start, row_count) {
                Ok(answer) => Ok((answer, counts)),
                Err(reason) => {
                    Err(instance.crash(DeadKind::InvalidOutput, format!("invalid answer: {reason}")))
                }
            }
        });
        Ok(match checked {
            Ok((answer, counts)) => {
                merge_counts(&mut self.settled.counts, counts);
                self.messages_left = instance.messages_left();
                if !instance.is_bloated() {
                    self.instance = Some(instance);
                }
                Ok(answer)
            }
            Err(crash) => {
                self.messages_left = crash.messages_left;
                self.settled.instances_discarded += 1;
                Err(crash)
            }
        })
    }

    fn open(&self) -> Result<Instance, NoVerdicts> {
        let reason = match self.context.component.open(self.context.fields, self.messages_left) {
            Ok((instance, plan)) if self.context.plan.is_still(&plan) => return Ok(instance),
            Ok(_) => "it opened with another plan than before".into(),
            Err(NotOpened::Fault(fault)) => format!("it does not open again: {}", fault_text(&fault)),
            Err(NotOpened::Crash(crash)) => format!("it does not open again: {}", crash.reason),
        };
        Err(NoVerdicts::Broken { reason })
    }

    fn accept(&mut self, answer: Answer) -> Result<(), NoVerdicts> {
        self.output_bytes = self.output_bytes.saturating_add(answer.bytes());
        if self.output_bytes > self.context.component.limits.output_bytes_max {
            return Err(NoVerdicts::OutputTooLarge);
        }
        self.settled.answers.push(answer);
        Ok(())
    }

    /// Takes a fault down, and gives the whole plugin up when faults are all that there is.
    fn blame(&mut self, crash: &Crash) -> Result<(), NoVerdicts> {
        self.fault_cpu_time = self.fault_cpu_time.saturating_add(crash.cpu_time);
        let reason = self.first_fault.get_or_insert_with(|| crash.reason.clone());
        let fault_cpu_time_max = self.context.component.limits.fault_cpu_time_max;
        if self.settled.answers.is_empty() && self.fault_cpu_time > fault_cpu_time_max {
            return Err(NoVerdicts::Broken { reason: reason.clone() });
        }
        Ok(())
    }
}

/// Cuts the batch into calls.
fn pieces(context: &Context<'_>, rows: u32) -> VecDeque<Range<u32>> {
    let limits = &context.component.limits;
    let rows_max = u32::try_from(limits.call_rows_max).unwrap_or(u32::MAX).max(1);
    let bytes = |piece: &Range<u32>| -> usize {
        let rows = piece.start as usize..piece.end as usize;
        context.columns.iter().map(|column| column.text_bytes(rows.clone())).sum()
    };
    let mut pieces = VecDeque::new();
    let mut start = 0;
    while start < rows {
        let mut piece = start..rows.min(start.saturating_add(rows_max));
        while piece.len() > 1 && bytes(&piece) > limits.call_bytes_max {
            piece.end = piece.start + (piece.end - piece.start) / 2;
        }
        start = piece.end;
        pieces.push_back(piece);
    }
    pieces
}
