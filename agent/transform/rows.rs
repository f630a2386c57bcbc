//! Row conservation: an answer is used only if each row of the call is in it exactly once.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef};

use super::columns::checked_column;
use super::plan::Plan;
use super::state::clip;
use super::wit::{Output, Reject};

/// What became of the rows of one call, counted from the first row of the batch.
#[derive(Debug)]
pub struct Answer {
    /// The first row of the call.
    pub first_row: u32,
    pub columns: Vec<ArrayRef>,
    pub source_rows: Vec<u32>,
    pub dropped: Vec<u32>,
    /// With reasons.
    pub rejected: Vec<(u32, String)>,
}

impl Answer {
    /// The bytes that the columns hold.
    pub fn bytes(&self) -> usize {
        self.columns.iter().map(|column| column.get_buffer_memory_size()).sum()
    }

    /// The answer to a call with `rows` rows, the first of which is `first_row` in the batch; or what is wrong with
    /// it.
    pub fn checked(output: Output, plan: &Plan, first_row: u32, rows: u32) -> Result<Self, String> {
        let Output { columns, source_rows, dropped, rejects } = output;
        check_conservation(rows, &source_rows, &dropped, &rejects)?;
        if columns.len() != plan.writes.len() {
            return Err(format!("{} columns instead of {}", columns.len(), plan.writes.len()));
        }
        let checked =
            |(column, ((kind, nullability), field)): (_, (&(_, _), &Arc<arrow::datatypes::Field>))| {
                checked_column(column, *kind, *nullability, source_rows.len())
                    .map_err(|reason| format!("column `{}`: {reason}", field.name()))
            };
        let planned = plan.writes.iter().zip(plan.schema.fields());
        let columns = columns.into_iter().zip(planned).map(checked).collect::<Result<_, _>>()?;
        let in_batch = |rows: Vec<u32>| rows.into_iter().map(|row| row + first_row).collect();
        Ok(Self {
            first_row,
            columns,
            source_rows: in_batch(source_rows),
            dropped: in_batch(dropped),
            rejected: rejects
                .into_iter()
                .map(|reject| (reject.row + first_row, clip(&reject.reason)))
                .collect(),
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Unknown,
    Output,
    Dropped,
    Rejected,
}

fn check_conservation(
    rows: u32,
    source_rows: &[u32],
    dropped: &[u32],
    rejects: &[Reject],
) -> Result<(), String> {
    let one_to_one = || source_rows.len() == rows as usize && source_rows.iter().copied().eq(0..rows);
    if dropped.is_empty() && rejects.is_empty() && one_to_one() {
        return Ok(());
    }
    let mut fates = vec![Fate::Unknown; rows as usize];
    let rejected = rejects.iter().map(|reject| (reject.row, Fate::Rejected));
    let dropped = dropped.iter().map(|row| (*row, Fate::Dropped));
    let output = source_rows.iter().map(|row| (*row, Fate::Output));
    for (row, fate) in output.chain(dropped).chain(rejected) {
        match fates.get_mut(row as usize) {
            Some(known @ Fate::Unknown) => *known = fate,
            Some(Fate::Output) if fate == Fate::Output => {}
            Some(known) => return Err(format!("row {row} is {fate:?}, but also {known:?}")),
            None => return Err(format!("row {row} of {rows} rows")),
        }
    }
    match fates.iter().position(|fate| *fate == Fate::Unknown) {
        Some(row) => Err(format!("row {row} is lost")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(source_rows: &[u32], dropped: &[u32], rejected: &[u32], expected: Result<(), &str>) {
        let rejects: Vec<_> = rejected.iter().map(|row| Reject { row: *row, reason: "bad".into() }).collect();
        let checked = check_conservation(3, source_rows, dropped, &rejects);
        assert_eq!(checked, expected.map_err(String::from), "{source_rows:?} {dropped:?} {rejected:?}");
    }

    #[test]
    fn each_row_is_in_an_answer_exactly_once() {
        check(&[0, 1, 2], &[], &[], Ok(()));
        check(&[2, 0, 0, 1, 2], &[], &[], Ok(()));
        check(&[1], &[2], &[0], Ok(()));
        check(&[], &[2, 1, 0], &[], Ok(()));
        check(&[0, 1], &[], &[], Err("row 2 is lost"));
        check(&[0, 1, 1], &[], &[], Err("row 2 is lost"));
        check(&[0, 1, 2], &[1], &[], Err("row 1 is Dropped, but also Output"));
        check(&[0, 1, 2], &[], &[2], Err("row 2 is Rejected, but also Output"));
        check(&[0], &[1, 1], &[2], Err("row 1 is Dropped, but also Dropped"));
        check(&[0], &[1], &[2, 2], Err("row 2 is Rejected, but also Rejected"));
        check(&[0, 1, 3], &[2], &[], Err("row 3 of 3 rows"));
        check(&[0, 1, 2], &[u32::MAX], &[], Err("row 4294967295 of 3 rows"));
    }
}
