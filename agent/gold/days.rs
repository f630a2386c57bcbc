//! Whether the days of a view's partitions are those on which rows were ingested, by which fleet Silver is partitioned
//! and expires: then it is known which partitions Silver still covers.

use arrow::datatypes::DataType;
use deltalake::datafusion::logical_expr::{Expr, LogicalPlan};

use super::partition::Partitioning;
use crate::table::schema::PARTITION;

/// The column that says when a row was ingested.
const TIME: &str = "ingested_at";

/// What the days of a view's partitions are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Days {
    /// Each row is counted in the partition of the day of its ingestion.
    Same,
    /// Each row is counted in the partition of the day of its ingestion, or of one before: in that of the week, say.
    OfIngestion,
    /// Days of something else, or no days.
    Other,
}

impl Days {
    /// What the days of the partitions are, as far as the form of the query tells for certain.
    pub fn of(plan: &LogicalPlan, partitioning: Partitioning) -> Self {
        let Partitioning::Day { key } = partitioning else { return Self::Other };
        let mut at = plan;
        let group = loop {
            match (at, at.inputs().as_slice()) {
                (LogicalPlan::Aggregate(aggregate), _) => break aggregate.group_expr.get(key),
                (_, [below]) => at = below,
                _ => return Self::Other,
            }
        };
        // Below a projection, `ingested_at` may be the name of something else.
        loop {
            match (at, at.inputs().as_slice()) {
                (LogicalPlan::TableScan(_), _) => break,
                (LogicalPlan::Projection(_), _) => return Self::Other,
                (_, [below]) => at = below,
                _ => return Self::Other,
            }
        }
        match group {
            Some(group) if is_same(group) => Self::Same,
            Some(group) if is_of_ingestion(group) => Self::OfIngestion,
            _ => Self::Other,
        }
    }
}

/// What a day, or a part of one, is called.
const WITHIN_A_DAY: [&str; 6] = ["day", "hour", "minute", "second", "millisecond", "microsecond"];

/// Whether a term is the time of ingestion, its day, or the start of the part of that day that it lies in, all in UTC.
fn is_same(term: &Expr) -> bool {
    let is_time = |term: &Expr| matches!(term, Expr::Column(column) if column.name == TIME);
    match term {
        Expr::Alias(alias) => is_same(&alias.expr),
        Expr::Column(column) => column.name == PARTITION || column.name == TIME,
        Expr::Cast(cast) => *cast.field.data_type() == DataType::Date32 && is_time(&cast.expr),
        Expr::ScalarFunction(function) => match (function.func.name(), function.args.as_slice()) {
            ("date_trunc", [Expr::Literal(part, _), time]) => {
                let part = part.try_as_str().flatten().unwrap_or_default().to_lowercase();
                WITHIN_A_DAY.contains(&part.as_str()) && is_time(time)
            }
            _ => false,
        },
        _ => false,
    }
}

/// Whether a term is the time of ingestion, or the start of the hour, the day, the week, ... that it lies in.
fn is_of_ingestion(term: &Expr) -> bool {
    match term {
        Expr::Column(column) => [TIME, PARTITION].contains(&column.name.as_str()),
        Expr::Alias(alias) => is_of_ingestion(&alias.expr),
        Expr::Cast(cast) => is_of_ingestion(&cast.expr),
        Expr::ScalarFunction(function) => match (function.func.name(), function.args.as_slice()) {
            ("date_trunc" | "date_bin", [Expr::Literal(..), time]) => is_of_ingestion(time),
            _ => false,
        },
        _ => false,
    }
}
