//! The columns of a fleet table, and how an object's rows come to fit them.
//!
//! Columns are added, by name; a column never changes its type, and no value is cast to another type. The
//! partition column is not among them: it stands in the log.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray, new_null_array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef};
use arrow::error::ArrowError;

use super::validate::Refusal;
use crate::config::Rename;
use crate::table::schema::{PARTITION, is_taken_by_all, plain, type_name, utc};

/// The column that rows are sorted and partitioned by.
pub(super) const TIME: &str = "ingested_at";

/// The column that central sets itself, from the landing prefix.
pub(super) const HOST: &str = "host";

/// The most columns that a fleet table takes on.
const COLUMNS_MAX: usize = 2_000;

/// The longest name of a column.
const NAME_BYTES_MAX: usize = 255;

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

    /// Adds the columns of an object, as [`accept`] gives them, that are new.
    ///
    /// # Errors
    /// Why its rows cannot stand in this table; the columns are then as before.
    pub fn merge(&mut self, object: &Schema) -> Result<(), Refusal> {
        let refuse = |reason: String| Err(Refusal::Column(reason));
        let mut merged = self.fields.clone();
        for field in object.fields() {
            let (name, data_type) = (field.name(), field.data_type());
            match merged.iter().find(|known| known.name().eq_ignore_ascii_case(name)) {
                None => merged.push(Field::new(name, data_type.clone(), true)),
                Some(known) if known.name() != name => {
                    return refuse(format!("column `{name}` differs from `{}` in case only", known.name()));
                }
                Some(known) if known.data_type() != data_type => {
                    let (found, known) = (type_name(data_type), type_name(known.data_type()));
                    return Err(Refusal::Type { column: name.clone(), found, known });
                }
                Some(_) => {}
            }
        }
        if merged.len() > COLUMNS_MAX {
            let columns = merged.len();
            return refuse(format!("the table would have {columns} columns; {COLUMNS_MAX} are the most"));
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

/// The columns of an object, each in the one form in which such values are kept.
///
/// # Errors
/// A lineage column is missing, or a column is of a kind, or has a name, that no fleet table can have.
pub(super) fn accept(object: &Schema) -> Result<SchemaRef, Refusal> {
    let refuse = |reason: String| Err(Refusal::Column(reason));
    for (name, data_type) in lineage() {
        let found = object.field_with_name(name).ok().and_then(|field| plain(field.data_type()));
        if found.as_ref() != Some(&data_type) {
            return refuse(format!("there is no column `{name}` of type {data_type}"));
        }
    }
    let mut fields = Vec::with_capacity(object.fields().len());
    for field in object.fields() {
        let name = field.name();
        let Some(data_type) = plain(field.data_type()) else {
            return refuse(format!("column `{name}` has the type {}, which is not kept", field.data_type()));
        };
        if name.eq_ignore_ascii_case(PARTITION) {
            return refuse(format!("column `{name}` has the name of the partition column"));
        }
        fields.push(Field::new(name, data_type, true));
    }
    let fields = Fields::from(fields);
    names(&fields)?;
    Ok(Arc::new(Schema::new(fields)))
}

/// Refuses names that stand twice, and names that other engines do not take: one such column would make the
/// whole table unreadable to them.
fn names(fields: &Fields) -> Result<(), Refusal> {
    let mut seen = HashSet::new();
    for field in fields {
        let name = field.name();
        let refuse =
            |reason: &str| Err(Refusal::Column(format!("column `{}` {reason}", name.escape_debug())));
        if name.is_empty() || name.len() > NAME_BYTES_MAX {
            return Err(Refusal::Column(format!("a column's name has {} bytes", name.len())));
        }
        if !is_taken_by_all(name) {
            return refuse("has a name that other engines do not take");
        }
        if !seen.insert(name.to_ascii_lowercase()) {
            return refuse("stands there twice, but for case");
        }
        match field.data_type() {
            DataType::Struct(fields) => names(fields)?,
            // What lies in a list or a map has a name only where it is a struct.
            DataType::List(item) => inner_names(item)?,
            DataType::Map(entries, _) => inner_names(entries)?,
            _ => {}
        }
    }
    Ok(())
}

fn inner_names(field: &Field) -> Result<(), Refusal> {
    match field.data_type() {
        DataType::Struct(fields) => names(fields),
        DataType::List(inner) | DataType::Map(inner, _) => inner_names(inner),
        _ => Ok(()),
    }
}

/// The columns of an object by the names that the table has for them.
///
/// # Errors
/// A column would get the name of another.
pub(super) fn renamed(object: &SchemaRef, renames: &[Rename]) -> Result<SchemaRef, Refusal> {
    let name_of = |field: &Field| {
        let matches =
            |rename: &&Rename| rename.column == *field.name() && rename.kind == type_name(field.data_type());
        let is_lineage = lineage().iter().any(|(name, _)| name == field.name());
        renames.iter().find(matches).filter(|_| !is_lineage).map(|rename| rename.to.clone())
    };
    if object.fields().iter().all(|field| name_of(field).is_none()) {
        return Ok(Arc::clone(object));
    }
    let field = |field: &Arc<Field>| match name_of(field) {
        Some(name) => Arc::new(field.as_ref().clone().with_name(name)),
        None => Arc::clone(field),
    };
    accept(&Schema::new(object.fields().iter().map(field).collect::<Fields>()))
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
        columns.merge(&accept(&object(&[("status", DataType::Int32)])).unwrap()).unwrap();
        columns.merge(&accept(&object(&[("bytes", DataType::Int64)])).unwrap()).unwrap();
        let before = columns.clone();
        let refusal = |columns: &mut Columns, name, data_type| {
            let object = accept(&object(&[("new", DataType::Utf8), (name, data_type)]));
            object.and_then(|object| columns.merge(&object)).unwrap_err().to_string()
        };
        assert_eq!(
            refusal(&mut columns, "status", DataType::Int64),
            "column `status` has the type long; the table has integer. A [[rename]] with a name for it, and `requeue`, \
             bring it in"
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
        let refusal = accept(&schema).unwrap_err();
        assert_eq!(refusal.to_string(), "there is no column `source` of type Utf8");
    }

    #[test]
    fn a_name_that_stands_twice_or_that_other_engines_refuse_is_refused() {
        let refusal = |extra: &[(&str, DataType)]| accept(&object(extra)).unwrap_err().to_string();
        let (text, number) = (DataType::Utf8, DataType::Int64);
        assert!(refusal(&[("n", number.clone()), ("n", number.clone())]).contains("twice"));
        assert!(refusal(&[("n", number.clone()), ("N", text.clone())]).contains("twice"));
        let twice = vec![Field::new("k", text.clone(), true), Field::new("k", text.clone(), true)];
        assert!(refusal(&[("s", DataType::Struct(twice.into()))]).contains("twice"));
        assert!(refusal(&[("a b", text.clone())]).contains("other engines"));
        assert!(refusal(&[("", text.clone())]).contains("0 bytes"));
        assert!(refusal(&[(&"n".repeat(256), text)]).contains("256 bytes"));
    }

    #[test]
    fn a_table_takes_on_so_many_columns_and_no_more() {
        let names: Vec<String> = (0..COLUMNS_MAX).map(|n| format!("c{n}")).collect();
        let (some, more) = names.split_at(COLUMNS_MAX - 10);
        let schema = |names: &[String]| {
            let extra: Vec<_> = names.iter().map(|name| (name.as_str(), DataType::Int64)).collect();
            accept(&object(&extra)).unwrap()
        };
        let mut columns = Columns::unknown();
        columns.merge(&schema(some)).unwrap();
        let before = columns.clone();
        assert!(columns.merge(&schema(more)).unwrap_err().to_string().contains("2007 columns"));
        assert_eq!(columns, before);
    }
}
