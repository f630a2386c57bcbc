//! Whether every step and every expression of a view's query can be kept by new rows alone; if not, why.

use deltalake::datafusion::common::DFSchema;
use deltalake::datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use deltalake::datafusion::error::DataFusionError;
use deltalake::datafusion::logical_expr::expr::AggregateFunction;
use deltalake::datafusion::logical_expr::{Expr, LogicalPlan, Volatility};

/// The aggregate functions whose states are kept as plain columns.
const PLAIN: [&str; 13] = [
    "count",
    "sum",
    "min",
    "max",
    "avg",
    "stddev",
    "stddev_pop",
    "var",
    "var_pop",
    "bool_and",
    "bool_or",
    "first_value",
    "last_value",
];

/// Those whose states only the version of DataFusion that wrote them is sure to read.
pub(super) const SKETCHES: [&str; 2] = ["approx_distinct", "approx_percentile_cont"];

/// Those that pick a value, or count values, whatever these are made of.
const PICKING: [&str; 7] = ["count", "min", "max", "bool_and", "bool_or", "first_value", "last_value"];

pub(super) const NO_GROUPS: &str = "it must group rows: SELECT ..., count(*) ... GROUP BY ...";

/// What the values of a column are made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Made {
    /// Of a row, or of what rows are grouped by.
    Plain,
    /// By this aggregate function.
    By(String),
    /// By an expression over what aggregate functions made.
    Mixed,
}

/// The columns of what a query reads, by name, and what they are made of; those that are not named are plain.
pub(super) type Columns = [(String, Made)];

/// Judges a plan over a table of these columns. What the columns of its result are made of, or the reason for which it
/// cannot be kept.
pub(super) fn judge(
    plan: &LogicalPlan,
    below: &Columns,
) -> Result<Result<Vec<Made>, String>, DataFusionError> {
    let (mut reason, mut aggregations) = (None, 0);
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::Aggregate(_) = node {
            aggregations += 1;
        }
        reason = reason.take().or_else(|| step(node));
        node.apply_expressions(|expression| {
            expression.apply(|part| {
                reason = reason.take().or_else(|| term(part));
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok(match (reason, aggregations) {
        (Some(reason), _) => Err(reason),
        (None, 0) => Err(NO_GROUPS.to_owned()),
        (None, 1) => columns(plan, below),
        (None, _) => Err("it groups groups; make a view of each step".to_owned()),
    })
}

fn step(node: &LogicalPlan) -> Option<String> {
    let what = match node {
        LogicalPlan::Projection(_)
        | LogicalPlan::Filter(_)
        | LogicalPlan::Aggregate(_)
        | LogicalPlan::Sort(_)
        | LogicalPlan::TableScan(_)
        | LogicalPlan::SubqueryAlias(_) => return None,
        LogicalPlan::Join(_) => "a join",
        LogicalPlan::Window(_) => "a window function",
        LogicalPlan::Distinct(_) => "DISTINCT",
        LogicalPlan::Limit(_) => "LIMIT",
        LogicalPlan::Union(_) => "UNION",
        LogicalPlan::Subquery(_) => "a subquery in an expression",
        other => return Some(format!("{} cannot be kept by new rows alone", other.display())),
    };
    Some(format!("{what} cannot be kept by new rows alone"))
}

fn term(expression: &Expr) -> Option<String> {
    match expression {
        Expr::AggregateFunction(function) => {
            let (name, ordered) = (function.func.name(), !function.params.order_by.is_empty());
            if !PLAIN.contains(&name) && !SKETCHES.contains(&name) {
                let kept = [PLAIN.as_slice(), &SKETCHES].concat().join(", ");
                return Some(format!("{name} is not kept; {kept} are"));
            }
            if function.params.distinct {
                return Some(format!(
                    "{name}(DISTINCT ...) would keep every value there is; approx_distinct does not"
                ));
            }
            match name {
                "first_value" | "last_value" => (!ordered).then(|| {
                    format!("{name} of rows in no order; write {name}(column ORDER BY ingested_at)")
                }),
                // WITHIN GROUP (ORDER BY ...) names what it is a percentile of.
                "approx_percentile_cont" => None,
                _ => ordered.then(|| format!("{name} with ORDER BY is not kept")),
            }
        }
        Expr::ScalarFunction(function) if function.func.signature().volatility != Volatility::Immutable => {
            Some(format!("{}() gives another value tomorrow", function.func.name()))
        }
        Expr::GroupingSet(_) => {
            Some("grouping sets, CUBE and ROLLUP are not kept; make a view of each".to_owned())
        }
        Expr::ScalarSubquery(_) | Expr::InSubquery(_) | Expr::Exists(_) | Expr::SetComparison(_) => {
            Some("a subquery in an expression cannot be kept by new rows alone".to_owned())
        }
        Expr::WindowFunction(_) => Some("a window function cannot be kept by new rows alone".to_owned()),
        _ => None,
    }
}

/// What the columns of a plan's result are made of.
fn columns(plan: &LogicalPlan, below: &Columns) -> Result<Vec<Made>, String> {
    let Some(input) = plan.inputs().first().copied() else {
        let names = plan.schema().fields().iter().map(|field| field.name());
        let made =
            |name| below.iter().find(|(column, _)| column == name).map_or(Made::Plain, |c| c.1.clone());
        return Ok(names.map(made).collect());
    };
    let made = columns(input, below)?;
    let of = |expression: &Expr| of(expression, input.schema(), &made);
    match plan {
        LogicalPlan::Projection(projection) => Ok(projection.expr.iter().map(of).collect()),
        LogicalPlan::Aggregate(aggregate) => {
            let mut columns: Vec<Made> = aggregate.group_expr.iter().map(of).collect();
            for expression in &aggregate.aggr_expr {
                let Expr::AggregateFunction(function) = expression.clone().unalias() else {
                    columns.push(Made::Mixed);
                    continue;
                };
                function
                    .params
                    .args
                    .iter()
                    .try_for_each(|argument| again(&function, argument, of(argument)))?;
                columns.push(Made::By(function.func.name().to_owned()));
            }
            Ok(columns)
        }
        _ => Ok(made),
    }
}

fn of(expression: &Expr, schema: &DFSchema, made: &[Made]) -> Made {
    match expression {
        Expr::Alias(alias) => of(&alias.expr, schema, made),
        Expr::Cast(cast) => of(&cast.expr, schema, made),
        Expr::Column(column) => {
            let place = schema.index_of_column(column).ok();
            place.and_then(|place| made.get(place)).cloned().unwrap_or(Made::Mixed)
        }
        _ => {
            let columns = expression.column_refs();
            let is_plain = |column: &Expr| of(column, schema, made) == Made::Plain;
            match columns.into_iter().all(|column| is_plain(&Expr::Column(column.clone()))) {
                true => Made::Plain,
                false => Made::Mixed,
            }
        }
    }
}

/// Whether an aggregate function may be applied to what others have made; if not, why, and what to write instead.
fn again(function: &AggregateFunction, argument: &Expr, made: Made) -> Result<(), String> {
    let name = function.func.name();
    let instead = match &made {
        Made::Plain => return Ok(()),
        _ if PICKING.contains(&name) => return Ok(()),
        Made::By(inner) => match inner.as_str() {
            "avg" => "keep the sum and the count below, and write sum(total) / sum(n) here",
            "stddev" | "stddev_pop" | "var" | "var_pop" => {
                "keep count(*), sum(x) and sum(x * x) below, and make it of their sums here"
            }
            sketch if SKETCHES.contains(&sketch) => "make a view over Silver of it",
            _ => return Ok(()),
        },
        Made::Mixed => "keep the parts of the expression below, and write it over their sums here",
    };
    let of = match made {
        Made::By(inner) => format!("{inner} of each group below"),
        Made::Plain | Made::Mixed => "expression of each group below".to_owned(),
    };
    let column = match argument {
        Expr::Column(column) => column.name.clone(),
        other => other.human_display().to_string(),
    };
    Err(format!(
        "{name}({column}): `{column}` is the {of}, and the {name} of these is not that of the rows; {instead}"
    ))
}
