//! Replacing: rows that a replay made anew on a host leave the table in the commit that brings the new ones.
//!
//! Invariants:
//! - An object replaces rows of its own host alone, whatever its footer claims, and of earlier objects alone.
//! - A commit holds both: rows are never in the table twice, nor missing from it in between.
//! - Days that retention has taken are left as the views have counted them: of these nothing is folded again.

use std::collections::{BTreeMap, HashSet};

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::compute::{cast, filter_record_batch};
use arrow::datatypes::{DataType, Int64Type, TimestampMicrosecondType};
use arrow::error::ArrowError;
use deltalake::kernel::{Action, Add};
use futures::StreamExt;
use serde_json::Value;

use super::columns::{Columns, HOST, TIME};
use super::fold::properties;
use super::merge::{columns_of, failed, rows_of};
use super::{CompactError, days};
use crate::clock::{Day, Timestamp};
use crate::store::Place;
use crate::sync::landing::{DEAD_LETTER, ObjectName, Replaced, Seq};
use crate::table::schema::{PARTITION, utc};
use crate::table::{DataFileWriter, Snapshot};

/// The columns that tell whether a row is replaced.
const TOLD_BY: [&str; 5] = [HOST, TIME, "processed_at", "seq", "pipeline"];

/// What one object replaces.
#[derive(Clone, Debug)]
pub(super) struct Replacement {
    /// The object.
    pub name: ObjectName,
    /// The rows that leave.
    pub replaced: Replaced,
}

impl Replacement {
    /// Which rows stay, of a batch whose rows are of `host`, or of the hosts that they name; `None` where all do.
    pub fn stay(&self, batch: &RecordBatch, host: Option<&str>) -> Result<Option<BooleanArray>, ArrowError> {
        let own = self.name.stream.host.as_str();
        if host.is_some_and(|host| host != own) {
            return Ok(None);
        }
        let hosts = match host {
            Some(_) => None,
            None => Some(text(batch, HOST)?),
        };
        let (ingested, processed) = (times(batch, TIME)?, times(batch, "processed_at")?);
        let in_table = match self.name.stream.table.as_str() {
            DEAD_LETTER => Mark::Pipeline(text(batch, "pipeline")?),
            _ => Mark::Seq(numbers(batch, "seq")?),
        };
        let within = |times: &ArrayRef, row: usize, (first, last): (i64, i64)| {
            let times = times.as_primitive::<TimestampMicrosecondType>();
            times.is_valid(row) && (first..=last).contains(&times.value(row))
        };
        let goes = |row: usize| {
            let is_own = |hosts: &ArrayRef| hosts.is_valid(row) && hosts.as_string::<i32>().value(row) == own;
            hosts.as_ref().is_none_or(is_own)
                && in_table.is_of(row, &self.replaced)
                && within(&ingested, row, self.replaced.ingested_at)
                && within(&processed, row, self.replaced.processed_at)
        };
        let stay: BooleanArray = (0..batch.num_rows()).map(|row| Some(!goes(row))).collect();
        Ok((stay.true_count() < batch.num_rows()).then_some(stay))
    }

    /// Whether a data file may hold such rows, as far as its day and its statistics tell.
    fn concerns(&self, file: &Add) -> bool {
        let day = file.partition_values.get(PARTITION).and_then(Option::as_deref).and_then(Day::parse);
        let (first, last) = self.replaced.ingested_at;
        let days = Timestamp::from_micros(first).day()..=Timestamp::from_micros(last).day();
        if day.is_some_and(|day| !days.contains(&day)) {
            return false;
        }
        let statistics = file.stats.as_deref().and_then(|stats| serde_json::from_str::<Value>(stats).ok());
        let bound = |of: &str| statistics.as_ref()?.get(of)?.get("seq")?.as_u64().map(Seq);
        match bound("minValues").zip(bound("maxValues")) {
            Some((low, high)) => {
                self.replaced.objects.iter().any(|(first, last)| *first <= high && low <= *last)
            }
            None => true,
        }
    }
}

/// What tells, beside the times, that a row is one of those replaced.
enum Mark {
    /// Its object's number.
    Seq(ArrayRef),
    /// Its pipeline: dead letters carry no number.
    Pipeline(ArrayRef),
}

impl Mark {
    fn is_of(&self, row: usize, replaced: &Replaced) -> bool {
        match self {
            Self::Seq(numbers) => {
                let number = numbers.as_primitive::<Int64Type>();
                let seq = || u64::try_from(number.value(row)).map(Seq);
                number.is_valid(row) && seq().is_ok_and(|seq| replaced.has(seq))
            }
            Self::Pipeline(names) => {
                names.is_valid(row) && names.as_string::<i32>().value(row) == replaced.pipeline
            }
        }
    }
}

fn column(batch: &RecordBatch, name: &str, kind: &DataType) -> Result<ArrayRef, ArrowError> {
    match batch.column_by_name(name) {
        Some(column) => cast(column, kind),
        None => Ok(arrow::array::new_null_array(kind, batch.num_rows())),
    }
}

fn text(batch: &RecordBatch, name: &str) -> Result<ArrayRef, ArrowError> {
    column(batch, name, &DataType::Utf8)
}

fn numbers(batch: &RecordBatch, name: &str) -> Result<ArrayRef, ArrowError> {
    column(batch, name, &DataType::Int64)
}

fn times(batch: &RecordBatch, name: &str) -> Result<ArrayRef, ArrowError> {
    column(batch, name, &utc())
}

/// The rows of a batch that no replacement takes.
pub(super) fn left(
    batch: RecordBatch,
    host: Option<&str>,
    replacements: &[Replacement],
) -> Result<RecordBatch, ArrowError> {
    replacements.iter().try_fold(batch, |batch, replacement| match replacement.stay(&batch, host)? {
        Some(stay) => filter_record_batch(&batch, &stay),
        None => Ok(batch),
    })
}

/// What replacements do to the files of a table.
#[derive(Debug, Default)]
pub(super) struct Removal {
    /// The actions: files that held such rows go, files with what is left of them come.
    pub actions: Vec<Action>,
    /// The files that come.
    pub kept: Vec<String>,
    /// How many rows leave.
    pub rows: u64,
}

/// Takes rows out of the table that `snapshot` shows. Memory: a batch of rows, and a file as it is encoded.
pub(super) async fn remove(
    place: &Place,
    snapshot: &Snapshot,
    replacements: &[Replacement],
    now: Timestamp,
) -> Result<Removal, CompactError> {
    let columns = Columns::of_table(&*snapshot.schema()?).of_files();
    let (mut removal, mut gone) = (Removal::default(), HashSet::new());
    for file in snapshot.files()? {
        let those: Vec<_> =
            replacements.iter().filter(|replacement| replacement.concerns(&file)).cloned().collect();
        let day = file.partition_values.get(PARTITION).and_then(Option::as_deref).and_then(Day::parse);
        let Some(day) = day else { continue };
        let taken = count(place, snapshot, &file, &those).await?;
        if taken == 0 {
            continue;
        }
        let mut rows = rows_of(place, snapshot, std::slice::from_ref(&file))?;
        let mut writer = DataFileWriter::try_new(place, &columns, properties())?;
        while let Some(batch) = rows.next().await {
            let batch = batch.map_err(|source| failed(place, source))?;
            writer.write(&left(batch, None, &those).map_err(|source| unfit(place, source))?)?;
        }
        removal.rows += taken;
        gone.insert(file.path);
        if writer.rows() > 0 {
            let add = writer.finish(&[])?.put(place, day, now).await?;
            removal.kept.push(add.path.clone());
            removal.actions.push(Action::Add(add));
        }
    }
    let removes = snapshot.removals(|file| gone.contains(&file.path))?;
    removal.actions.extend(removes.into_iter().map(Action::Remove));
    Ok(removal)
}

/// How many rows of a file leave. Most files of a day hold none of the stream: of these a few columns are read.
async fn count(
    place: &Place,
    snapshot: &Snapshot,
    file: &Add,
    replacements: &[Replacement],
) -> Result<u64, CompactError> {
    if replacements.is_empty() {
        return Ok(0);
    }
    let mut rows = columns_of(place, snapshot, file, &TOLD_BY)?;
    let mut taken = 0;
    while let Some(batch) = rows.next().await {
        let batch = batch.map_err(|source| failed(place, source))?;
        let before = batch.num_rows();
        let left = left(batch, None, replacements).map_err(|source| unfit(place, source))?;
        taken += before - left.num_rows();
    }
    Ok(taken as u64)
}

fn unfit(place: &Place, source: ArrowError) -> CompactError {
    CompactError::Rows { table: place.url().to_string(), source }
}

/// Takes the days out that retention has taken out of the table, and tells how many rows they had.
pub(super) fn within_reach(days: &mut BTreeMap<Day, Vec<RecordBatch>>, first_kept: Option<Day>) -> u64 {
    let Some(first) = first_kept else { return 0 };
    let kept = days.split_off(&first);
    let gone = std::mem::replace(days, kept);
    gone.values().map(|batches| days::rows(batches)).sum()
}
