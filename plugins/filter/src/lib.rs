//! Keeps the rows for which a condition holds; the others are dropped on purpose.
//!
//! ```toml
//! [[pipeline.then]]
//! plugin = "builtin:filter"
//! [pipeline.then.config]
//! where = '''level == "ERROR" && status >= 500 || fields["user"] in ("ann", "bob")'''
//! ```
//!
//! | key | |
//! |---|---|
//! | `where` | the condition: see [`logsmith_expression`] |
//!
//! A row for which it is unknown whether the condition holds, since a value is missing, does not pass: say
//! `status is null || status < 500` to keep it. The plugin writes no column. In front of the plugin that makes columns
//! it picks lines, as `path ends_with "access.log"` does; behind it rows.
//!
//! To route rows to several tables, give each its pipeline over the same sources, with a filter of its own.
//!
//! Counts: `unknown`, the rows that did not pass since a value was missing.

use logsmith_expression::Expression;
use logsmith_plugin::{Batch, Fault, Field, Output, Plan, Rest, Transform, count, parse_config};
use serde::Deserialize;

/// The plugin, as the host sees it.
#[derive(Debug)]
pub struct FilterPlugin {
    condition: Expression,
}

/// The configuration.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    r#where: Option<String>,
}

impl Transform for FilterPlugin {
    fn open(config: &str, input: &[Field]) -> Result<(Self, Plan), Fault> {
        let condition = parse_config::<Settings>(config)?.r#where.ok_or_else(|| {
            Fault::Config(
                "`where` is missing: write a condition, as in `where = 'level == \"ERROR\"'`".into(),
            )
        })?;
        let condition = Expression::compile(&condition, input)
            .map_err(|error| Fault::Config(format!("`where`: {error}")))?;
        if condition.columns().is_empty() {
            return Err(Fault::Config(
                "`where`: it reads no column, and so holds for all rows or none".into(),
            ));
        }
        let plan = Plan {
            name: "filter",
            version: env!("CARGO_PKG_VERSION"),
            reads: condition.columns().to_vec(),
            writes: Vec::new(),
            rest: Rest::Keep,
        };
        Ok((Self { condition }, plan))
    }

    fn apply(&mut self, batch: Batch) -> Result<Output, Fault> {
        let mut condition = self.condition.bind(&batch.columns)?;
        let mut output = Output { source_rows: Vec::with_capacity(batch.rows as usize), ..Output::default() };
        let mut unknown = 0;
        for row in 0..batch.rows {
            let holds = condition.holds(row as usize);
            if holds == Some(true) {
                output.source_rows.push(row);
            } else {
                output.dropped.push(row);
                unknown += u64::from(holds.is_none());
            }
        }
        if unknown > 0 {
            count("unknown", unknown);
        }
        Ok(output)
    }
}

logsmith_plugin::export!(FilterPlugin);

#[cfg(test)]
mod tests {
    use logsmith_plugin::{AnyColumn, Datum, Kind};

    use super::*;

    fn open(config: &str) -> Result<(FilterPlugin, Plan), Fault> {
        let field = |name: &str, kind| Field { name: name.into(), kind, nullable: true };
        FilterPlugin::open(config, &[field("line", Kind::Utf8), field("status", Kind::Int32)])
    }

    #[test]
    fn rows_pass_or_are_dropped() {
        let (mut plugin, plan) = open(r#"{"where":"status >= 500"}"#).expect("a good configuration");
        assert_eq!((plan.name, plan.rest), ("filter", Rest::Keep));
        assert_eq!((plan.reads, plan.writes), (vec!["status".to_owned()], vec![]));
        let mut status = AnyColumn::with_capacity(Kind::Int32, 4, 0).expect("no map");
        for value in [Some(500), Some(499), None, Some(503)] {
            status.push(value.map(Datum::Int32));
        }
        let output = plugin.apply(Batch { rows: 4, columns: vec![status.finish()] }).expect("a good batch");
        assert_eq!((output.source_rows, output.dropped), (vec![0, 3], vec![1, 2]));
        assert!(output.columns.is_empty() && output.rejects.is_empty());
    }

    #[test]
    fn a_wrong_configuration_says_what_to_write() {
        for (config, words) in [
            ("{}", "`where` is missing: write a condition"),
            (r#"{"where":"true"}"#, "it reads no column"),
            (
                r#"{"where":"stats > 1"}"#,
                "`where`: at letter 1: there is no column `stats`, only: line, status",
            ),
            (r#"{"keep":"status > 1"}"#, "unknown field `keep`"),
        ] {
            match open(config) {
                Err(Fault::Config(error)) => assert!(error.contains(words), "{error}"),
                other => panic!("{config}: {:?}", other.map(|(_, plan)| plan)),
            }
        }
    }
}
