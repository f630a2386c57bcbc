//! The days of an object's rows: a fleet table is partitioned by them.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::TimestampMicrosecondType;

use super::columns::TIME;
use super::validate::Refusal;
use crate::clock::{Day, Timestamp};

/// The most days that the rows of one object may lie on: each becomes a file.
const DAYS_MAX: usize = 400;

/// The rows of an object by the UTC day of their ingestion.
///
/// # Errors
/// A row has no time, or one that no calendar day of four-digit years has; or there are too many days.
pub(super) fn by_day(batches: &[RecordBatch]) -> Result<BTreeMap<Day, Vec<RecordBatch>>, Refusal> {
    let mut days: BTreeMap<Day, Vec<RecordBatch>> = BTreeMap::new();
    let refuse = |reason: &str| Refusal::Column(format!("column `{TIME}` {reason}"));
    for batch in batches {
        let times = batch
            .column_by_name(TIME)
            .and_then(|column| column.as_primitive_opt::<TimestampMicrosecondType>())
            .ok_or_else(|| refuse("is missing"))?;
        if times.null_count() > 0 {
            return Err(refuse("is null in a row"));
        }
        let of_rows: Vec<Day> =
            times.values().iter().map(|time| Timestamp::from_micros(*time).day()).collect();
        if of_rows.iter().any(|day| !(Day(-719_162)..=Day(2_932_896)).contains(day)) {
            return Err(refuse("lies outside the years 1 to 9999"));
        }
        let mut distinct = of_rows.clone();
        distinct.sort_unstable();
        distinct.dedup();
        for day in &distinct {
            days.entry(*day).or_default();
        }
        if days.len() > DAYS_MAX {
            return Err(refuse("lies on more than 400 days"));
        }
        if let [day] = distinct.as_slice() {
            days.entry(*day).or_default().push(batch.clone());
            continue;
        }
        for day in distinct {
            let chosen = of_rows.iter().map(|of_row| Some(*of_row == day)).collect();
            let rows = filter_record_batch(batch, &chosen).map_err(|e| Refusal::Column(e.to_string()))?;
            days.entry(day).or_default().push(rows);
        }
    }
    Ok(days)
}

/// How many rows these are.
pub(super) fn rows(batches: &[RecordBatch]) -> u64 {
    batches.iter().map(|batch| batch.num_rows() as u64).sum()
}
