//! Columns out of the named groups of regular expressions, typed by configuration.
//!
//! ```toml
//! [[pipeline]]
//! plugin = "builtin:regex"
//! [pipeline.config]
//! patterns = ['^%{IP:client} %{WORD:method} (?<path>\S+) (?<bytes>\d+|-) %{HTTPDATE:time}$', '^(?<note>.*)$']
//! types = { bytes = "long", time = "timestamp:%d/%b/%Y:%H:%M:%S %z" }
//! ```
//!
//! | key | |
//! |---|---|
//! | `patterns` | regular expressions, tried in order; the first that matches makes the row |
//! | `column` | the column that is read, `line` if nothing is said |
//! | `types` | for each group the type of its column, `string` if nothing is said: see [`TextType`](logsmith_plugin::TextType) |
//! | `names` | further names for `%{..}`: regular expressions, which may use names themselves |
//! | `on_failure` | `"reject"` (if nothing is said) or `"null"`: what becomes of a row that no pattern matches, or with a value that is not of its type |
//!
//! - `(?<bytes>\d+)` and `%{INT:bytes}` make a column `bytes`; `%{INT}` and `(\d+)` make none. The columns are those of
//!   all patterns together, and a row has no value where its pattern has no such group, or a group that took no part.
//!   An empty text is no value where the type is another than `string`.
//! - `%{NAME}` stands for the expression of that name: see [`NAMES`]. Names tell what a text looks like and no more,
//!   as `%{IPV4}` does with `999.1.1.1`. Several `%{..}` of a pattern may fill one column: the first that took part does.
//! - The syntax is that of Rust's `regex`, which takes linear time and so knows no look-around and no back-references.
//!   `\d`, `\w`, `\s` and `\b` are those of ASCII. A pattern matches anywhere: `^` and `$` hold it fast, and make it
//!   faster. In a record of several lines `.` ends at a newline; `(?s)` lets it go on.
//!
//! Counts: `unmatched` rows and `unreadable` values, where `on_failure` is `"null"`.

mod grok;
mod settings;

use logsmith_pattern::{Groups, Pattern};
use logsmith_plugin::{
    AnyColumn, Batch, Datum, Fault, Field, OnFailure, Output, Plan, RejectedRow, Rest, Transform,
    TypedColumn, View, count, input_text, parse_config,
};

pub use crate::grok::NAMES;
pub use crate::settings::Settings;

/// The plugin, as the host sees it.
#[derive(Debug)]
pub struct RegexPlugin {
    alternatives: Vec<Alternative>,
    columns: Vec<TypedColumn>,
    on_failure: OnFailure,
    groups: Groups,
}

/// A pattern, and the column that each of its groups fills.
#[derive(Debug)]
struct Alternative {
    pattern: Pattern,
    /// Columns by number, with the number of the group.
    fills: Vec<(usize, usize)>,
}

/// Why a row has not the values that it should.
enum Failure<'t> {
    NoValue,
    Unmatched,
    Unreadable { column: usize, text: &'t str },
}

impl Transform for RegexPlugin {
    fn open(config: &str, input: &[Field]) -> Result<(Self, Plan), Fault> {
        let settings: Settings = parse_config(config)?;
        let column = settings.column.clone();
        input_text(&column, input)?;
        let plugin = settings.compile().map_err(Fault::Config)?;
        let plan = Plan {
            name: "regex",
            version: env!("CARGO_PKG_VERSION"),
            reads: vec![column],
            writes: plugin.columns.iter().map(TypedColumn::field).collect(),
            rest: Rest::Keep,
        };
        Ok((plugin, plan))
    }

    fn apply(&mut self, batch: Batch) -> Result<Output, Fault> {
        let texts: View<'_, &str> = View::in_batch(&batch, 0)?;
        let mut columns = TypedColumn::columns(&self.columns, &batch);
        let mut values = vec![None; columns.len()];
        let mut output = Output { source_rows: Vec::with_capacity(batch.rows as usize), ..Output::default() };
        let (mut unmatched, mut unreadable) = (0, 0);
        for row in 0..batch.rows {
            values.fill(None);
            let read = texts.get(row as usize).ok_or(Failure::NoValue);
            match (read.and_then(|text| self.read(text, &mut values, &mut unreadable)), self.on_failure) {
                (Err(failure), OnFailure::Reject) => {
                    output.rejects.push(RejectedRow { row, reason: self.reason(&failure) });
                    continue;
                }
                (Err(Failure::Unmatched), OnFailure::Null) => unmatched += 1,
                _ => {}
            }
            for (column, value) in columns.iter_mut().zip(&values) {
                column.push(*value);
            }
            output.source_rows.push(row);
        }
        for (name, by) in [("unmatched", unmatched), ("unreadable", unreadable)] {
            if by > 0 {
                count(name, by);
            }
        }
        output.columns = columns.into_iter().map(AnyColumn::finish).collect();
        Ok(output)
    }
}

impl RegexPlugin {
    /// Takes the values out of a text. Where a value that is not of its type is to be none, it is counted.
    #[inline]
    fn read<'t>(
        &mut self,
        text: &'t str,
        values: &mut [Option<Datum<'t>>],
        unreadable: &mut u64,
    ) -> Result<(), Failure<'t>> {
        let groups = &mut self.groups;
        let mut alternatives = self.alternatives.iter_mut();
        let fills = alternatives
            .find_map(|Alternative { pattern, fills }| pattern.captures(text, groups).then_some(&*fills))
            .ok_or(Failure::Unmatched)?;
        for (column, group) in fills.iter().copied() {
            let (Some(value), Some(target)) = (values.get_mut(column), self.columns.get(column)) else {
                continue;
            };
            let Some(part) = self.groups.get(group).and_then(|range| text.get(range)) else { continue };
            if value.is_some() {
                continue;
            }
            *value = target.read(part);
            if value.is_some() || part.is_empty() {
                continue;
            }
            match self.on_failure {
                OnFailure::Reject => return Err(Failure::Unreadable { column, text: part }),
                OnFailure::Null => *unreadable += 1,
            }
        }
        Ok(())
    }

    #[cold]
    fn reason(&self, failure: &Failure<'_>) -> String {
        match failure {
            Failure::NoValue => "there is no text to match".into(),
            Failure::Unmatched => match self.alternatives.len() {
                1 => "the pattern does not match".into(),
                many => format!("none of the {many} patterns matches"),
            },
            Failure::Unreadable { column, text } => {
                self.columns.get(*column).map_or_else(String::new, |target| target.reason(text))
            }
        }
    }
}

logsmith_plugin::export!(RegexPlugin);

#[cfg(test)]
mod tests;
