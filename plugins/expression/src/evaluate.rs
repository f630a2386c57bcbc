//! Whether a condition holds for a row.

use std::cmp::Ordering;

use logsmith_plugin::{Column, Date, Fault, Pairs, Timestamp, Values, View};

use crate::{Comparison, Operand, Search, Test};

/// A condition over the rows of a batch.
pub struct Bound<'e, 'b> {
    test: &'e mut Test,
    columns: Vec<Reader<'b>>,
}

/// A column that is read row by row.
enum Reader<'b> {
    Boolean(View<'b, bool>),
    Int32(View<'b, i32>),
    Int64(View<'b, i64>),
    Real(View<'b, f64>),
    Day(View<'b, Date>),
    Time(View<'b, Timestamp>),
    Text(View<'b, &'b str>),
    Map(View<'b, Pairs<'b>>),
}

/// A value of a row. Times and days are their numbers.
#[derive(Clone, Copy)]
enum Value<'v> {
    Boolean(bool),
    Int(i64),
    Real(f64),
    Text(&'v str),
}

impl<'e, 'b> Bound<'e, 'b> {
    pub(crate) fn new(
        test: &'e mut Test,
        columns: impl IntoIterator<Item = &'b Column>,
        count: usize,
    ) -> Result<Self, Fault> {
        let columns: Option<Vec<Reader<'b>>> = columns.into_iter().map(Reader::of).collect();
        match columns {
            Some(columns) if columns.len() == count => Ok(Self { test, columns }),
            _ => Err(Fault::Other("the batch has other columns than the expression reads".into())),
        }
    }

    /// Whether the condition holds for a row; `None` where that is unknown.
    #[inline]
    pub fn holds(&mut self, row: usize) -> Option<bool> {
        self.test.holds(&self.columns, row)
    }
}

impl<'b> Reader<'b> {
    fn of(column: &'b Column) -> Option<Self> {
        match column.values {
            Values::Boolean(_) => View::of(column).map(Self::Boolean),
            Values::Int32(_) => View::of(column).map(Self::Int32),
            Values::Int64(_) => View::of(column).map(Self::Int64),
            Values::Float64(_) => View::of(column).map(Self::Real),
            Values::Date32(_) => View::of(column).map(Self::Day),
            Values::TimestampUs(_) => View::of(column).map(Self::Time),
            Values::Utf8(_) => View::of(column).map(Self::Text),
            Values::StringMap(_) => View::of(column).map(Self::Map),
            Values::Binary(_) => None,
        }
    }

    #[inline]
    fn get(&self, row: usize) -> Option<Value<'b>> {
        Some(match self {
            Self::Boolean(column) => Value::Boolean(column.get(row)?),
            Self::Int32(column) => Value::Int(column.get(row)?.into()),
            Self::Int64(column) => Value::Int(column.get(row)?),
            Self::Real(column) => Value::Real(column.get(row)?),
            Self::Day(column) => Value::Int(column.get(row)?.days().into()),
            Self::Time(column) => Value::Int(column.get(row)?.micros()),
            Self::Text(column) => Value::Text(column.get(row)?),
            Self::Map(_) => return None,
        })
    }
}

impl Operand {
    #[inline]
    fn value<'v, 'b: 'v>(&'v self, columns: &[Reader<'b>], row: usize) -> Option<Value<'v>> {
        Some(match self {
            Self::Column(column) => columns.get(*column)?.get(row)?,
            Self::Entry(column, key) => match columns.get(*column)? {
                Reader::Map(maps) => Value::Text(maps.get(row)?.get(key)?),
                _ => return None,
            },
            Self::NumberOf(operand) => {
                let text = operand.text(columns, row)?;
                match text.parse() {
                    Ok(number) => Value::Int(number),
                    Err(_) => Value::Real(text.parse().ok()?),
                }
            }
            Self::Int(number) | Self::Time(number) => Value::Int(*number),
            Self::Day(days) => Value::Int(i64::from(*days)),
            Self::Real(number) => Value::Real(*number),
            Self::Text(text) => Value::Text(text),
            Self::Boolean(boolean) => Value::Boolean(*boolean),
        })
    }

    #[inline]
    fn text<'v, 'b: 'v>(&'v self, columns: &[Reader<'b>], row: usize) -> Option<&'v str> {
        match self.value(columns, row)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl Test {
    fn holds(&mut self, columns: &[Reader<'_>], row: usize) -> Option<bool> {
        match self {
            Self::All(tests) => until(tests, false, columns, row),
            Self::Any(tests) => until(tests, true, columns, row),
            Self::Not(test) => test.holds(columns, row).map(|holds| !holds),
            Self::Holds(operand) => match operand.value(columns, row)? {
                Value::Boolean(holds) => Some(holds),
                _ => None,
            },
            Self::Compare(left, comparison, right) => {
                let order = order(left.value(columns, row)?, right.value(columns, row)?);
                Some(comparison.holds(order))
            }
            Self::In(left, operands) => {
                let left = left.value(columns, row)?;
                let mut is_unknown = false;
                for operand in operands.iter() {
                    match operand.value(columns, row) {
                        Some(right) if order(left, right) == Some(Ordering::Equal) => return Some(true),
                        Some(_) => {}
                        None => is_unknown = true,
                    }
                }
                (!is_unknown).then_some(false)
            }
            Self::Text(left, search, right) => {
                let (text, part) = (left.text(columns, row)?, right.text(columns, row)?);
                Some(match search {
                    Search::Contains => text.contains(part),
                    Search::StartsWith => text.starts_with(part),
                    Search::EndsWith => text.ends_with(part),
                })
            }
            Self::Matches(left, pattern) => Some(pattern.is_match(left.text(columns, row)?)),
            Self::IsNull(operand) => Some(operand.value(columns, row).is_none()),
        }
    }
}

/// The first test that answers `wanted` decides; else one that is unknown does.
fn until(tests: &mut [Test], wanted: bool, columns: &[Reader<'_>], row: usize) -> Option<bool> {
    let mut is_unknown = false;
    for test in tests {
        match test.holds(columns, row) {
            Some(holds) if holds == wanted => return Some(wanted),
            Some(_) => {}
            None => is_unknown = true,
        }
    }
    (!is_unknown).then_some(!wanted)
}

/// How two values of one type compare. Not at all where one is no number.
#[inline]
fn order(left: Value<'_>, right: Value<'_>) -> Option<Ordering> {
    match (left, right) {
        (Value::Int(left), Value::Int(right)) => Some(left.cmp(&right)),
        (Value::Int(left), Value::Real(right)) => (left as f64).partial_cmp(&right),
        (Value::Real(left), Value::Int(right)) => left.partial_cmp(&(right as f64)),
        (Value::Real(left), Value::Real(right)) => left.partial_cmp(&right),
        (Value::Text(left), Value::Text(right)) => Some(left.cmp(right)),
        (Value::Boolean(left), Value::Boolean(right)) => Some(left.cmp(&right)),
        _ => None,
    }
}

impl Comparison {
    fn holds(self, order: Option<Ordering>) -> bool {
        match self {
            Self::Equal => order == Some(Ordering::Equal),
            Self::NotEqual => order != Some(Ordering::Equal),
            Self::Less => order == Some(Ordering::Less),
            Self::LessOrEqual => matches!(order, Some(Ordering::Less | Ordering::Equal)),
            Self::Greater => order == Some(Ordering::Greater),
            Self::GreaterOrEqual => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
        }
    }
}
