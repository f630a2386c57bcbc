//! What a plugin says that it will read and write, checked.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};

use super::columns::{Nullability, data_type, kind_of};
use super::wit::{self, Kind};

/// Columns that Silver adds by itself: no plugin may write them.
pub const LINEAGE_COLUMNS: [&str; 9] =
    ["host", "source", "path", "file", "offset", "ingested_at", "processed_at", "date", "seq"];

/// Columns that one plugin may write.
const WRITES_MAX: usize = 1_000;
/// Of a plugin's name, its version, or a column's name. Bytes.
const NAME_BYTES_MAX: usize = 200;
/// Letters that Parquet-based engines refuse in a column's name.
const FORBIDDEN_LETTERS: &[char] =
    &[' ', ',', ';', '{', '}', '(', ')', '\n', '\t', '=', '`', '.', '\\', '/', '"'];

/// What becomes of the columns that a plugin does not write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// They go along.
    Kept,
    /// They end.
    Discarded,
}

/// A plan that can be followed.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The plugin's name and version.
    pub name: String,
    pub version: String,
    /// Input columns, in the order of the call.
    pub reads: Vec<String>,
    /// How each written column crosses.
    pub writes: Vec<(Kind, Nullability)>,
    /// The written columns.
    pub schema: SchemaRef,
    /// What becomes of the others.
    pub rest: Rest,
}

impl Plan {
    /// The plan, or why it cannot be followed on `input`.
    pub fn checked(plan: wit::Plan, input: &Schema) -> Result<Self, String> {
        let wit::Plan { name, version, reads, writes, rest } = plan;
        for (what, text) in [("name", &name), ("version", &version)] {
            if text.is_empty() || text.len() > NAME_BYTES_MAX || text.chars().any(char::is_control) {
                return Err(format!("a {what} of no or too many letters"));
            }
        }
        check_reads(&reads, input)?;
        check_writes(&writes)?;
        let field = |field: &wit::FieldResult| Field::new(&field.name, data_type(field.kind), field.nullable);
        let nullability = |nullable| if nullable { Nullability::MayBeNull } else { Nullability::NeverNull };
        Ok(Self {
            name,
            version,
            reads,
            schema: Arc::new(Schema::new(writes.iter().map(field).collect::<Vec<_>>())),
            writes: writes.iter().map(|field| (field.kind, nullability(field.nullable))).collect(),
            rest: match rest {
                wit::Rest::Keep => Rest::Kept,
                wit::Rest::Discard => Rest::Discarded,
            },
        })
    }

    /// Whether an instance that was opened later says the same.
    pub fn is_still(&self, plan: &wit::Plan) -> bool {
        let wit::Plan { name, version, reads, writes, rest } = plan;
        let same_field =
            |(field, (kind, planned)): (&wit::FieldResult, (&(Kind, Nullability), &Arc<Field>))| {
                (&field.name, field.kind, field.nullable) == (planned.name(), kind.0, planned.is_nullable())
            };
        (name, version, reads) == (&self.name, &self.version, &self.reads)
            && (*rest == wit::Rest::Keep) == (self.rest == Rest::Kept)
            && writes.len() == self.writes.len()
            && writes.iter().zip(self.writes.iter().zip(self.schema.fields())).all(same_field)
    }
}

fn check_reads(reads: &[String], input: &Schema) -> Result<(), String> {
    let mut seen = HashSet::new();
    for name in reads {
        match input.column_with_name(name) {
            Some((_, field)) if kind_of(field.data_type()).is_some() => {}
            _ => return Err(format!("it reads `{}`, which the input does not have", name.escape_debug())),
        }
        if !seen.insert(name) {
            return Err(format!("it reads `{name}` twice"));
        }
    }
    Ok(())
}

/// Delta takes names that differ in case only for one.
fn check_writes(writes: &[wit::FieldResult]) -> Result<(), String> {
    if writes.len() > WRITES_MAX {
        return Err(format!("it writes {} columns, of which a table has up to {WRITES_MAX}", writes.len()));
    }
    let mut seen = HashSet::new();
    for wit::FieldResult { name, .. } in writes {
        let forbidden = |letter: char| letter.is_control() || FORBIDDEN_LETTERS.contains(&letter);
        if name.is_empty() || name.len() > NAME_BYTES_MAX || name.contains(forbidden) {
            return Err(format!("`{}` is no name for a column", name.escape_debug()));
        }
        let folded = name.to_lowercase();
        if LINEAGE_COLUMNS.contains(&folded.as_str()) {
            return Err(format!("it writes `{name}`, a column that Silver fills by itself"));
        }
        if !seen.insert(folded) {
            return Err(format!("it writes two columns `{name}`"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::DataType;

    use super::*;

    fn check(reads: &[&str], writes: &[&str], expected: Result<(), &str>) {
        let field =
            |name: &&str| wit::FieldResult { name: name.to_string(), kind: Kind::Utf8, nullable: true };
        let plan = wit::Plan {
            name: "p".into(),
            version: "1".into(),
            reads: reads.iter().map(|name| name.to_string()).collect(),
            writes: writes.iter().map(field).collect(),
            rest: wit::Rest::Keep,
        };
        let fields = [("line", DataType::Utf8), ("list", DataType::new_list(DataType::Utf8, true))];
        let input = Schema::new(fields.map(|(name, data_type)| Field::new(name, data_type, true)).to_vec());
        let checked = Plan::checked(plan, &input).map(|_| ());
        assert_eq!(checked, expected.map_err(String::from), "{reads:?} {writes:?}");
    }

    #[test]
    fn only_what_can_be_a_table_is_a_plan() {
        check(&["line"], &["a", "b"], Ok(()));
        check(&[], &["line"], Ok(()));
        check(&["nothing"], &["a"], Err("it reads `nothing`, which the input does not have"));
        check(&["list"], &["a"], Err("it reads `list`, which the input does not have"));
        check(&["line", "line"], &["a"], Err("it reads `line` twice"));
        check(&["line"], &[], Ok(()));
        let many: Vec<String> = (0..=WRITES_MAX).map(|n| format!("c{n}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        check(&["line"], &many, Err("it writes 1001 columns, of which a table has up to 1000"));
        check(&["line"], &["a", "A"], Err("it writes two columns `A`"));
        check(&["line"], &["Host"], Err("it writes `Host`, a column that Silver fills by itself"));
        check(&["line"], &["a b"], Err("`a b` is no name for a column"));
        check(&["line"], &["a\nb"], Err("`a\\nb` is no name for a column"));
        check(&["line"], &[""], Err("`` is no name for a column"));
    }
}
