//! How the groups of a view are spread over partitions, so that a run rewrites only those that it touches.

use std::collections::{BTreeMap, HashMap};

use arrow::array::{Array, AsArray, RecordBatch, UInt32Array};
use arrow::compute::{cast, take_record_batch};
use arrow::datatypes::{DataType, Date32Type, Field, SchemaRef, TimestampMicrosecondType};
use arrow::error::ArrowError;
use xxhash_rust::xxh3::Xxh3;

use crate::clock::{Day, Timestamp};
use crate::table::schema::PARTITION;

/// The partition column of a view whose groups are hashed.
const BUCKET: &str = "bucket";

/// The days that a partition value can name: those of the years 1 to 9999.
const DAYS: std::ops::RangeInclusive<Day> = Day(-719_162)..=Day(2_932_896);

/// A partition: the value of the partition column, as Delta writes it; `None` is null, and the one partition
/// of a table that has no such column.
pub(super) type Partition = Option<String>;

/// Which partition a group belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Partitioning {
    /// All to one.
    Whole,
    /// By the UTC day of a group column, counted from 0. Null and days beyond the calendar share one.
    Day {
        /// The group column.
        key: usize,
    },
    /// By the hash of the group columns.
    Hash {
        /// How many group columns there are: the first ones.
        keys: usize,
        /// How many partitions.
        buckets: u32,
    },
}

impl Partitioning {
    /// The way for groups of these types: by day where one of them is a time.
    pub fn choose(keys: &[DataType], buckets: u32) -> Self {
        let time = |key: &DataType| matches!(key, DataType::Date32 | DataType::Timestamp(_, _));
        match keys.iter().position(time) {
            Some(key) => Self::Day { key },
            None if buckets <= 1 || keys.is_empty() => Self::Whole,
            None => Self::Hash { keys: keys.len(), buckets },
        }
    }

    /// The partition column, if there is one.
    pub fn column(self) -> Option<Field> {
        match self {
            Self::Whole => None,
            Self::Day { .. } => Some(Field::new(PARTITION, DataType::Date32, true)),
            Self::Hash { .. } => Some(Field::new(BUCKET, DataType::Int32, true)),
        }
    }

    /// `columns` and the partition column, as a table's metadata states them.
    pub fn with_column(self, columns: &SchemaRef) -> arrow::datatypes::Schema {
        let fields = columns.fields().iter().cloned().chain(self.column().map(std::sync::Arc::new));
        arrow::datatypes::Schema::new(fields.collect::<Vec<_>>())
    }

    /// The name of the partition column, as a list of none or one.
    pub fn names(self) -> &'static [&'static str] {
        match self {
            Self::Whole => &[],
            Self::Day { .. } => &[PARTITION],
            Self::Hash { .. } => &[BUCKET],
        }
    }

    /// What a data file of `partition` states.
    pub fn values(self, partition: &Partition) -> Vec<(&'static str, Option<String>)> {
        self.names().iter().map(|name| (*name, partition.clone())).collect()
    }

    /// The partition that a data file states.
    pub fn of_file(self, values: &HashMap<String, Option<String>>) -> Partition {
        self.names().first().and_then(|name| values.get(*name).cloned().flatten())
    }

    /// Splits rows that start with the group columns.
    pub fn split(
        self,
        batches: Vec<RecordBatch>,
    ) -> Result<BTreeMap<Partition, Vec<RecordBatch>>, ArrowError> {
        let mut split: BTreeMap<Partition, Vec<RecordBatch>> = BTreeMap::new();
        for batch in batches.into_iter().filter(|batch| batch.num_rows() > 0) {
            let mut rows: BTreeMap<Option<i64>, Vec<u32>> = BTreeMap::new();
            for (row, place) in (0..).zip(self.places(&batch)?) {
                rows.entry(place).or_default().push(row);
            }
            if let (1, Some((place, _))) = (rows.len(), rows.first_key_value()) {
                split.entry(self.partition(*place)).or_default().push(batch);
                continue;
            }
            for (place, rows) in rows {
                let part = take_record_batch(&batch, &UInt32Array::from(rows))?;
                split.entry(self.partition(place)).or_default().push(part);
            }
        }
        Ok(split)
    }

    fn partition(self, place: Option<i64>) -> Partition {
        match self {
            Self::Day { .. } => place.map(|day| Day(day as i32).to_string()),
            Self::Whole | Self::Hash { .. } => place.map(|bucket| bucket.to_string()),
        }
    }

    /// The place of each row: a day, a bucket, or none.
    fn places(self, batch: &RecordBatch) -> Result<Vec<Option<i64>>, ArrowError> {
        match self {
            Self::Whole => Ok(vec![None; batch.num_rows()]),
            Self::Day { key } => {
                let column = batch.columns().get(key).ok_or_else(|| missing(key))?;
                let days: Vec<Option<Day>> = match column.data_type() {
                    DataType::Date32 => {
                        column.as_primitive::<Date32Type>().iter().map(|d| d.map(Day)).collect()
                    }
                    _ => {
                        let times = column.as_primitive_opt::<TimestampMicrosecondType>();
                        let times = times.ok_or_else(|| missing(key))?.iter();
                        times.map(|time| time.map(|time| Timestamp::from_micros(time).day())).collect()
                    }
                };
                let day = |day: Option<Day>| day.filter(|day| DAYS.contains(day)).map(|day| i64::from(day.0));
                Ok(days.into_iter().map(day).collect())
            }
            Self::Hash { keys, buckets } => hash(batch, keys, buckets),
        }
    }
}

/// A hash of the keys as text, so that it does not change with the memory layout of anything.
fn hash(batch: &RecordBatch, keys: usize, buckets: u32) -> Result<Vec<Option<i64>>, ArrowError> {
    let mut hashes = vec![Xxh3::new(); batch.num_rows()];
    for column in batch.columns().iter().take(keys) {
        let text = cast(column, &DataType::Utf8)?;
        for (value, hash) in text.as_string::<i32>().iter().zip(&mut hashes) {
            hash.update(&value.map_or(u64::MAX, |value| value.len() as u64).to_le_bytes());
            hash.update(value.unwrap_or_default().as_bytes());
        }
    }
    let bucket = |hash: &Xxh3| Some((hash.digest() % u64::from(buckets.max(1))) as i64);
    Ok(hashes.iter().map(bucket).collect())
}

fn missing(key: usize) -> ArrowError {
    ArrowError::SchemaError(format!("group column {key} is no time"))
}
