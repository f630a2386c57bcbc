//! The columns of a fleet table, and how an object's rows come to fit them.
//!
//! Columns are added, by name; a column never changes its type, and no value is cast to another type. The
//! partition column is not among them: it stands in the log.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray, new_null_array};
use arrow::compute::{cast, filter_record_batch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimestampMicrosecondType};
use arrow::error::ArrowError;

use super::validate::Refusal;
use crate::clock::{Day, Timestamp};
use crate::table::schema::{PARTITION, plain, utc};

/// The column that rows are sorted and partitioned by.
pub(super) const TIME: &str = "ingested_at";

/// The column that central sets itself, from the landing prefix.
pub(super) const HOST: &str = "host";

/// The columns that every object has: where each row comes from.
fn lineage() -> [(&'static str, DataType); 7] {
    [
        (HOST, DataType::Utf8),
        ("source", DataType::Utf8),
        ("path", DataType::Utf8),
        ("file", DataType::Int64),
        ("offset", DataType::Int64),
        (TIME, utc()),
        ("processed_at", utc()),
    ]
}

/// The columns of a fleet table, as its data files have them.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Columns {
    fields: Vec<Field>,
}

impl Columns {
    /// Those of a table that is there.
    pub fn of_table(schema: &Schema) -> Self {
        let fields = schema.fields().iter().filter(|field| field.name() != PARTITION);
        let fit = |field: &Arc<Field>| {
            let data_type = plain(field.data_type()).unwrap_or_else(|| field.data_type().clone());
            Field::new(field.name(), data_type, true)
        };
        Self { fields: fields.map(fit).collect() }
    }

    /// Those of a table of which nothing is known yet.
    pub fn unknown() -> Self {
        Self { fields: Vec::new() }
    }

    /// Adds the columns of an object that are new.
    ///
    /// # Errors
    /// Why its rows cannot stand in this table; the columns are then as before.
    pub fn merge(&mut self, object: &Schema) -> Result<(), Refusal> {
        let refuse = |reason: String| Err(Refusal::Column(reason));
        for (name, data_type) in lineage() {
            let found = object.field_with_name(name).ok().and_then(|field| plain(field.data_type()));
            if found.as_ref() != Some(&data_type) {
                return refuse(format!("there is no column `{name}` of type {data_type}"));
            }
        }
        let mut merged = self.fields.clone();
        for field in object.fields() {
            let name = field.name();
            let Some(data_type) = plain(field.data_type()) else {
                return refuse(format!(
                    "column `{name}` has the type {}, which is not kept",
                    field.data_type()
                ));
            };
            if name.eq_ignore_ascii_case(PARTITION) {
                return refuse(format!("column `{name}` has the name of the partition column"));
            }
            match merged.iter().find(|known| known.name().eq_ignore_ascii_case(name)) {
                None => merged.push(Field::new(name, data_type, true)),
                Some(known) if known.name() != name => {
                    return refuse(format!("column `{name}` differs from `{}` in case only", known.name()));
                }
                Some(known) if known.data_type() != &data_type => {
                    let known = known.data_type();
                    return refuse(format!(
                        "column `{name}` has the type {data_type}; the table has {known}"
                    ));
                }
                Some(_) => {}
            }
        }
        self.fields = merged;
        Ok(())
    }

    /// The schema of the table's data files.
    pub fn of_files(&self) -> SchemaRef {
        Arc::new(Schema::new(self.known()))
    }

    /// The schema that the table's metadata states.
    pub fn with_partition(&self) -> SchemaRef {
        let mut fields = self.known();
        fields.push(Field::new(PARTITION, DataType::Date32, true));
        Arc::new(Schema::new(fields))
    }

    fn known(&self) -> Vec<Field> {
        if !self.fields.is_empty() {
            return self.fields.clone();
        }
        // All that came so far was refused: the cursors that pass it still need a table.
        lineage().map(|(name, data_type)| Field::new(name, data_type, true)).to_vec()
    }
}

/// `batch` with the columns of `files`: what it lacks is null, its host is `host`.
pub(super) fn fit(batch: &RecordBatch, files: &SchemaRef, host: &str) -> Result<RecordBatch, ArrowError> {
    let rows = batch.num_rows();
    let column = |field: &Arc<Field>| -> Result<ArrayRef, ArrowError> {
        if field.name() == HOST {
            return Ok(Arc::new(StringArray::from_iter_values(std::iter::repeat_n(host, rows))));
        }
        match batch.column_by_name(field.name()) {
            Some(column) if column.data_type() == field.data_type() => Ok(Arc::clone(column)),
            Some(column) => cast(column, field.data_type()),
            None => Ok(new_null_array(field.data_type(), rows)),
        }
    };
    let columns = files.fields().iter().map(column).collect::<Result<_, _>>()?;
    RecordBatch::try_new(Arc::clone(files), columns)
}

/// The rows of an object by the UTC day of their ingestion.
///
/// # Errors
/// A row has no time, or one that no calendar day of four-digit years has.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn object(extra: &[(&str, DataType)]) -> Schema {
        let fields = lineage().into_iter().chain(extra.iter().cloned());
        Schema::new(fields.map(|(name, data_type)| Field::new(name, data_type, false)).collect::<Vec<_>>())
    }

    #[test]
    fn new_columns_are_added_and_a_changed_type_is_refused() {
        let mut columns = Columns::unknown();
        columns.merge(&object(&[("status", DataType::Int32)])).unwrap();
        columns.merge(&object(&[("bytes", DataType::Int64)])).unwrap();
        let before = columns.clone();
        let refusal = |columns: &mut Columns, name, data_type| {
            columns.merge(&object(&[("new", DataType::Utf8), (name, data_type)])).unwrap_err().to_string()
        };
        assert_eq!(
            refusal(&mut columns, "status", DataType::Int64),
            "column `status` has the type Int64; the table has Int32"
        );
        assert!(refusal(&mut columns, "Bytes", DataType::Int64).contains("in case only"));
        assert!(refusal(&mut columns, "n", DataType::UInt64).contains("is not kept"));
        assert!(refusal(&mut columns, "date", DataType::Date32).contains("partition column"));
        assert_eq!(columns, before);
        assert!(columns.of_files().field_with_name("bytes").is_ok());
    }

    #[test]
    fn an_object_without_lineage_is_refused() {
        let schema = Schema::new(vec![Field::new("host", DataType::Utf8, false)]);
        let refusal = Columns::unknown().merge(&schema).unwrap_err();
        assert_eq!(refusal.to_string(), "there is no column `source` of type Utf8");
    }
}
