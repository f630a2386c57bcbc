//! Keeps one row in so many. The same rows are kept on every host and in every replay.
//!
//! ```toml
//! [[pipeline.then]]
//! plugin = "builtin:sample"
//! [pipeline.then.config]
//! keep_one_in = 100
//! by = ["trace_id"]
//! rules = [
//!     { where = 'level in ("ERROR", "FATAL")', keep_one_in = 1 },
//!     { where = 'path starts_with "/health"', keep_one_in = 10000 },
//! ]
//! ```
//!
//! | key | |
//! |---|---|
//! | `keep_one_in` | one row in so many is kept; 1 keeps all, 0 none |
//! | `by` | columns whose values decide together: rows with equal ones are kept or dropped as one; if nothing is said, each row is judged for itself |
//! | `rules` | conditions with rates of their own: the first that holds counts; see [`logsmith_expression`] |
//! | `weight` | the column that is written, `weight` if nothing is said |
//!
//! The column `weight` says how many rows a row stands for: `sum(weight)` estimates how many there were.
//!
//! What decides is a hash of the values of `by`, or of what a line is told by: `host`, `file` and `offset`. A row in which
//! one of the values of `by` is missing is judged for itself, since rows without a trace are no trace. What one in 100
//! keeps is a part of what one in 10 keeps.
//!
//! Counts: `sampled_out`.

use logsmith_expression::{Bound, Expression};
use logsmith_plugin::{
    AnyColumn, Batch, Column, Datum, Fault, Field, Kind, Output, Plan, Rest, Transform, Values, View, count,
    input_field, parse_config,
};
use serde::Deserialize;
use xxhash_rust::xxh3::xxh3_64;

/// What a line is told by.
const IDENTITY: [&str; 3] = ["host", "file", "offset"];

/// The plugin, as the host sees it.
#[derive(Debug)]
pub struct SamplePlugin {
    keep_one_in: u32,
    rules: Vec<Rule>,
    /// Of the columns that are read, those that decide, and those that decide where one of these has no value.
    by: Vec<usize>,
    identity: Vec<usize>,
}

/// A condition with a rate of its own.
#[derive(Debug)]
struct Rule {
    condition: Expression,
    /// Of the columns that are read, those of the condition.
    columns: Vec<usize>,
    keep_one_in: u32,
}

/// The configuration.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    keep_one_in: Option<u32>,
    #[serde(default)]
    by: Vec<String>,
    #[serde(default)]
    rules: Vec<RuleSettings>,
    weight: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleSettings {
    r#where: String,
    keep_one_in: u32,
}

impl Transform for SamplePlugin {
    fn open(config: &str, input: &[Field]) -> Result<(Self, Plan), Fault> {
        let Settings { keep_one_in, by, rules, weight } = parse_config(config)?;
        let keep_one_in = keep_one_in.ok_or_else(|| {
            Fault::Config("`keep_one_in` is missing: write a number, as in `keep_one_in = 100`".into())
        })?;
        let mut reads: Vec<String> = Vec::new();
        let mut read = |name: &str| {
            reads.iter().position(|known| known == name).unwrap_or_else(|| {
                reads.push(name.into());
                reads.len() - 1
            })
        };
        let mut decides = |name: &str| {
            let kind = input_field(name, input)?.kind;
            if kind == Kind::StringMap {
                return Err(Fault::Config(format!(
                    "`by`: `{name}` is a map, which has no order: name a column"
                )));
            }
            Ok(read(name))
        };
        let by = by.iter().map(|name| decides(name)).collect::<Result<Vec<_>, Fault>>()?;
        let identity = IDENTITY.into_iter().map(&mut decides).collect::<Result<Vec<_>, Fault>>()?;
        let mut compiled = Vec::with_capacity(rules.len());
        for (number, RuleSettings { r#where, keep_one_in }) in (1..).zip(rules) {
            let condition = Expression::compile(&r#where, input)
                .map_err(|error| Fault::Config(format!("`rules`: number {number}: `where`: {error}")))?;
            let columns = condition.columns().iter().map(|name| read(name)).collect();
            compiled.push(Rule { condition, columns, keep_one_in });
        }
        let plan = Plan {
            name: "sample",
            version: env!("CARGO_PKG_VERSION"),
            reads,
            writes: vec![Field {
                name: weight.unwrap_or_else(|| "weight".into()),
                kind: Kind::Int64,
                nullable: false,
            }],
            rest: Rest::Keep,
        };
        Ok((Self { keep_one_in, rules: compiled, by, identity }, plan))
    }

    fn apply(&mut self, batch: Batch) -> Result<Output, Fault> {
        let Batch { rows, columns } = batch;
        let select =
            |wanted: &[usize]| wanted.iter().filter_map(|index| columns.get(*index)).collect::<Vec<_>>();
        let deciding = |wanted: &[usize]| select(wanted).into_iter().map(Deciding::of).collect::<Vec<_>>();
        let (by, identity) = (deciding(&self.by), deciding(&self.identity));
        let mut rules: Vec<(Bound<'_, '_>, u32)> = Vec::with_capacity(self.rules.len());
        for Rule { condition, columns, keep_one_in } in &mut self.rules {
            rules.push((condition.bind(select(columns))?, *keep_one_in));
        }
        let Some(mut weights) = AnyColumn::with_capacity(Kind::Int64, rows as usize, 0) else {
            return Err(Fault::Other("a number is no column".into()));
        };
        let mut output = Output { source_rows: Vec::with_capacity(rows as usize), ..Output::default() };
        let mut bytes = Vec::new();
        for row in 0..rows {
            let at = row as usize;
            let mut rates = rules.iter_mut().filter_map(|(condition, keep_one_in)| {
                (condition.holds(at) == Some(true)).then_some(*keep_one_in)
            });
            let keep_one_in = rates.next().unwrap_or(self.keep_one_in);
            let is_kept = match keep_one_in {
                0 => false,
                1 => true,
                many => {
                    let shared = if by.is_empty() { None } else { hash(&by, at, &mut bytes) };
                    let hash = shared.or_else(|| hash(&identity, at, &mut bytes)).unwrap_or_default();
                    hash % u64::from(many) == 0
                }
            };
            if is_kept {
                weights.push(Some(Datum::Int64(keep_one_in.into())));
                output.source_rows.push(row);
            } else {
                output.dropped.push(row);
            }
        }
        if !output.dropped.is_empty() {
            count("sampled_out", output.dropped.len() as u64);
        }
        output.columns = vec![weights.finish()];
        Ok(output)
    }
}

/// A column whose values decide.
enum Deciding<'b> {
    Text(View<'b, &'b str>),
    Bytes(View<'b, &'b [u8]>),
    Int32(View<'b, i32>),
    Int64(View<'b, i64>),
    Real(View<'b, f64>),
    Other(&'b Column),
}

impl<'b> Deciding<'b> {
    fn of(column: &'b Column) -> Self {
        let reader = match column.values {
            Values::Utf8(_) => View::of(column).map(Self::Text),
            Values::Binary(_) => View::of(column).map(Self::Bytes),
            Values::Int32(_) => View::of(column).map(Self::Int32),
            Values::Int64(_) => View::of(column).map(Self::Int64),
            Values::Float64(_) => View::of(column).map(Self::Real),
            _ => None,
        };
        reader.unwrap_or(Self::Other(column))
    }

    /// Appends the value of a row, with its length where that varies; `None` where there is none.
    #[inline]
    fn append(&self, row: usize, bytes: &mut Vec<u8>) -> Option<()> {
        let number = match self {
            Self::Text(column) => return append_sized(column.get(row)?.as_bytes(), bytes),
            Self::Bytes(column) => return append_sized(column.get(row)?, bytes),
            Self::Int32(column) => column.get(row)?.into(),
            Self::Int64(column) => column.get(row)?,
            Self::Real(column) => column.get(row)?.to_bits() as i64,
            Self::Other(column) => other(column, row)?,
        };
        bytes.extend_from_slice(&number.to_le_bytes());
        Some(())
    }
}

fn append_sized(value: &[u8], bytes: &mut Vec<u8>) -> Option<()> {
    bytes.extend_from_slice(&(value.len() as u64).to_le_bytes());
    bytes.extend_from_slice(value);
    Some(())
}

/// Times, days, and true or false, as numbers.
fn other(column: &Column, row: usize) -> Option<i64> {
    use logsmith_plugin::{Date, Timestamp};
    let time = View::<Timestamp>::of(column).map(|column| column.get(row).map(Timestamp::micros));
    let day = || View::<Date>::of(column).map(|column| column.get(row).map(|day| day.days().into()));
    let boolean = || View::<bool>::of(column).map(|column| column.get(row).map(i64::from));
    time.or_else(day).or_else(boolean)?
}

/// A number that is the same for the same values everywhere; `None` where one is missing. `bytes` is scratch space.
#[inline]
fn hash(columns: &[Deciding<'_>], row: usize, bytes: &mut Vec<u8>) -> Option<u64> {
    bytes.clear();
    columns.iter().try_for_each(|column| column.append(row, bytes))?;
    Some(xxh3_64(bytes))
}

logsmith_plugin::export!(SamplePlugin);

#[cfg(test)]
mod tests;
