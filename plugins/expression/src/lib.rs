//! Conditions over the columns of a row, for plugins that pick rows.
//!
//! ```text
//! level == "ERROR" && status >= 500 || message contains "timeout"
//! not (path starts_with "/health") && fields["user"] in ("ann", "bob") && time >= "2026-11-30T00:00:00Z"
//! ```
//!
//! | condition | holds where |
//! |---|---|
//! | `a && b`, `a \|\| b`, `not a`, `( )` | as they say; `not` binds closest, then `&&`, then `\|\|` |
//! | `==` `!=` `<` `<=` `>` `>=` | both sides compare so; texts by their bytes |
//! | `a in (1, 2)`, `a not in (1, 2)` | one of the values equals `a`, or none does |
//! | `contains` `starts_with` `ends_with` | a text has another in it, at its start, at its end |
//! | `matches` | a regular expression finds something in a text |
//! | `is null`, `is not null` | there is no value, or there is one |
//! | a boolean column | it is true |
//!
//! A side is a column, a value of a map (`fields["user"]`, a text), a number, a text between `"` or `'`, in which
//! nothing is escaped, `true`, `false`, or `number(..)` of a text. A name with other signs than letters, digits and
//! `_` stands between backticks. Beside a time or a date a text is one: `time >= "2026-11-30T00:00:00Z"`.
//!
//! **A missing value makes a condition unknown**, as in SQL: `status >= 500` is neither true nor false without a
//! status, and `not` leaves it so; `a || b` is true where one side is, whatever the other.
//!
//! Types are checked when an expression is compiled: what does not fit is said with its place.

mod evaluate;
mod lexer;
mod parser;

use logsmith_pattern::Pattern;
use logsmith_plugin::{Column, Fault, Field};

pub use crate::evaluate::Bound;

/// A condition, compiled for the columns of an input.
#[derive(Debug)]
pub struct Expression {
    test: Test,
    columns: Vec<String>,
}

impl Expression {
    /// Compiles a condition; or says what is wrong with it, and at which letter.
    pub fn compile(text: &str, input: &[Field]) -> Result<Self, String> {
        let (test, columns) = parser::parse(text, input)?;
        Ok(Self { test, columns })
    }

    /// The columns that it reads.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Ready for the rows of a batch. `columns` are those of [`columns`](Self::columns), in that order.
    pub fn bind<'b>(
        &mut self,
        columns: impl IntoIterator<Item = &'b Column>,
    ) -> Result<Bound<'_, 'b>, Fault> {
        Bound::new(&mut self.test, columns, self.columns.len())
    }
}

/// A condition.
#[derive(Debug)]
enum Test {
    All(Vec<Test>),
    Any(Vec<Test>),
    Not(Box<Test>),
    Holds(Operand),
    Compare(Operand, Comparison, Operand),
    In(Operand, Vec<Operand>),
    Text(Operand, Search, Operand),
    Matches(Operand, Box<Pattern>),
    IsNull(Operand),
}

/// One side of a condition. Columns go by their number.
#[derive(Clone, Debug, PartialEq)]
enum Operand {
    Column(usize),
    Entry(usize, String),
    NumberOf(Box<Operand>),
    Int(i64),
    Real(f64),
    Text(String),
    Boolean(bool),
    /// Microseconds.
    Time(i64),
    Day(i32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Search {
    Contains,
    StartsWith,
    EndsWith,
}

#[cfg(test)]
mod tests;
