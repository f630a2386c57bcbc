//! What a view's SQL means, and whether it can be kept: one aggregation over one fleet Silver table, with
//! functions whose partial results can be merged.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use deltalake::datafusion::DATAFUSION_VERSION;
use deltalake::datafusion::common::TableReference;
use deltalake::datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use deltalake::datafusion::config::Dialect;
use deltalake::datafusion::error::DataFusionError;
use deltalake::datafusion::execution::{SessionState, SessionStateBuilder};
use deltalake::datafusion::logical_expr::{Expr, LogicalPlan, Volatility};
use deltalake::datafusion::prelude::{SessionConfig, SessionContext};
use deltalake::datafusion::sql::parser::Statement;
use deltalake::datafusion::sql::sqlparser::ast::{SetExpr, Statement as Sql};
use deltalake::kernel::Add;

use super::GoldError;
use super::days::Days;
use super::partial::{self, Aggregation};
use super::partition::Partitioning;
use crate::compact::SILVER;
use crate::config::View;
use crate::store::Place;
use crate::table::Digest;
use crate::table::scan::Files;
use crate::table::schema::{plain, utc};

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
const SKETCHES: [&str; 2] = ["approx_distinct", "approx_percentile_cont"];

/// Characters that engines which read Delta do not take in the name of a column.
const NOT_IN_NAMES: &str = " ,;{}()\n\t=";

/// How a view is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// The fleet Silver table that it reads.
    pub table: String,
    /// What its partitions are; `None` while the table's columns are not known.
    pub partitions: Option<String>,
    /// The columns of the Gold table and their types; empty while the table's columns are not known.
    pub columns: Vec<(String, String)>,
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "over silver.{}", self.table)?;
        match &self.partitions {
            Some(partitions) => write!(f, ", partitions: {partitions}")?,
            None => f.write_str(", which is not there yet: only the form of the query was checked")?,
        }
        self.columns.iter().try_for_each(|(name, kind)| write!(f, "\n    {name:<20} {kind}"))
    }
}

/// A view that can be kept.
#[derive(Debug)]
pub(super) struct ViewPlan {
    view: View,
    table: String,
    silver: Schema,
    aggregation: Aggregation,
    /// The columns of its state, without the partition column.
    pub stored: SchemaRef,
    /// The columns of its Gold table, without the partition column.
    pub shown: SchemaRef,
    /// How both tables are partitioned.
    pub partitioning: Partitioning,
    /// What the days of its partitions have to do with those of the table that it reads.
    pub days: Days,
}

/// The fleet Silver table that a view reads. Judges what can be judged by the SQL's form alone.
///
/// # Errors
/// [`GoldError::Sql`] or [`GoldError::Refused`].
pub(super) fn source(view: &View) -> Result<String, GoldError> {
    let refuse = |reason: &str| Err(refused(view, reason.to_owned()));
    let state = session();
    let statement = parse(&state, view)?;
    let Statement::Statement(sql) = &statement else { return refuse("it is no query") };
    let Sql::Query(query) = sql.as_ref() else { return refuse("it is no query") };
    if query.limit_clause.is_some() || query.fetch.is_some() {
        return refuse("LIMIT depends on all rows there are; leave it out, and limit when you query Gold");
    }
    match query.body.as_ref() {
        SetExpr::Select(select) if select.distinct.is_some() => return refuse("DISTINCT cannot be kept"),
        SetExpr::Select(select) => {
            if select.from.len() != 1 || select.from.iter().any(|from| !from.joins.is_empty()) {
                return refuse("it must read one table, without joins");
            }
        }
        SetExpr::Query(_) => {}
        _ => return refuse("it must be one SELECT; make a view of each part"),
    }
    let tables = state.resolve_table_references(&statement).map_err(|source| sql_error(view, source))?;
    let [table] = tables.as_slice() else { return refuse("it must read one table, without joins") };
    match table.schema() {
        None | Some(SILVER) => Ok(table.table().to_owned()),
        Some(schema) => Err(refused(view, format!("it reads `{schema}`; views read `{SILVER}`"))),
    }
}

impl ViewPlan {
    /// Plans a view over a Silver table of these columns.
    ///
    /// # Errors
    /// [`GoldError::Sql`] or [`GoldError::Refused`].
    pub async fn new(view: &View, silver: &Schema) -> Result<Self, GoldError> {
        let table = source(view)?;
        // The plan is made of the columns alone; which files it reads is said when it counts.
        let nowhere = Place::local(std::path::Path::new("/"))?;
        let (aggregation, logical) = aggregation(view, &table, &nowhere, silver, &[]).await?;
        let states = aggregation.states();
        let stored = partial::stored(states, aggregation.keys()).ok_or_else(|| {
            refused(view, "a group or a state has a type that Delta cannot keep".to_owned())
        })?;
        let keys: Vec<DataType> =
            stored.fields().iter().take(aggregation.keys()).map(|key| key.data_type().clone()).collect();
        let partitioning = Partitioning::choose(&keys, view.hash_partitions);
        if view.keep.is_some() && !matches!(partitioning, Partitioning::Day { .. }) {
            let reason = "`keep` wants a group that is a time: no other groups are over some day";
            return Err(refused(view, reason.to_owned()));
        }
        let shown = shown(view, &aggregation.output(), partitioning)?;
        let (view, silver) = (view.clone(), silver.clone());
        let days = Days::of(&logical, partitioning);
        Ok(Self { view, table, silver, aggregation, stored, shown, partitioning, days })
    }

    /// How the view is kept, in words.
    pub fn describe(&self) -> Description {
        let partitions = match self.partitioning {
            Partitioning::Whole => "one partition".to_owned(),
            Partitioning::Day { .. } => "a partition for each UTC day".to_owned(),
            Partitioning::Hash { buckets, .. } => format!("{buckets} partitions, by hash of the groups"),
        };
        let column = |field: &Arc<Field>| (field.name().clone(), field.data_type().to_string());
        let columns = self.shown.fields().iter().map(column).collect();
        Description { table: self.table.clone(), partitions: Some(partitions), columns }
    }

    /// What tells a changed view: the SQL, and the layout of its state.
    pub fn fingerprint(&self) -> String {
        let Self { view, stored, shown, partitioning, .. } = self;
        let mut definition = format!("{}\n{stored:?}\n{shown:?}\n{partitioning:?}", view.sql.trim());
        if self.aggregation.functions().any(|name| SKETCHES.contains(&name)) {
            definition.push_str(DATAFUSION_VERSION);
        }
        Digest::of(definition.as_bytes()).to_string()
    }

    /// The states of the rows of `files`, which lie in the Silver table at `place`. A group may come twice.
    ///
    /// # Errors
    /// A file cannot be read, or an expression fails on its rows.
    pub async fn count(&self, place: &Place, files: &[Add]) -> Result<Vec<RecordBatch>, GoldError> {
        let (aggregation, _) = aggregation(&self.view, &self.table, place, &self.silver, files).await?;
        aggregation.count(&self.stored).await.map_err(|source| self.failed("count new rows", source))
    }

    /// One state for each group of `states`.
    ///
    /// # Errors
    /// The states are damaged.
    pub async fn merge(&self, states: Vec<RecordBatch>) -> Result<Vec<RecordBatch>, GoldError> {
        let merged = self.aggregation.merge(states, &self.stored).await;
        merged.map_err(|source| self.failed("merge states", source))
    }

    /// The rows of the Gold table for `states`, one of each group.
    ///
    /// # Errors
    /// An expression fails on a group.
    pub async fn finish(&self, states: Vec<RecordBatch>) -> Result<Vec<RecordBatch>, GoldError> {
        let finished = self.aggregation.finish(states, &self.shown).await;
        finished.map_err(|source| self.failed("finish states", source))
    }

    /// An Arrow error in the view's own steps.
    pub fn failed(&self, operation: &'static str, source: impl Into<DataFusionError>) -> GoldError {
        GoldError::Execute { view: self.view.name.clone(), operation, source: Box::new(source.into()) }
    }
}

/// The type in which a value of DataFusion's is kept in a Delta table; `None` if there is none.
pub(super) fn storable(data_type: &DataType) -> Option<DataType> {
    Some(match data_type {
        DataType::UInt64 | DataType::UInt32 => DataType::Int64,
        DataType::UInt16 | DataType::UInt8 => DataType::Int32,
        DataType::Float16 => DataType::Float32,
        DataType::Timestamp(_, _) => utc(),
        DataType::Dictionary(_, values) => storable(values)?,
        other => plain(other)?,
    })
}

fn session() -> SessionState {
    let config =
        SessionConfig::new().with_target_partitions(1).with_default_catalog_and_schema("lake", SILVER);
    // The physical rules look for parallelism and for answers in statistics. The plan is taken apart and run
    // piece by piece, so it must stay as the planner makes it.
    SessionStateBuilder::new()
        .with_default_features()
        .with_config(config)
        .with_physical_optimizer_rules(Vec::new())
        .build()
}

fn parse(state: &SessionState, view: &View) -> Result<Statement, GoldError> {
    state.sql_to_statement(&view.sql, &Dialect::Generic).map_err(|source| sql_error(view, source))
}

async fn aggregation(
    view: &View,
    table: &str,
    place: &Place,
    silver: &Schema,
    files: &[Add],
) -> Result<(Aggregation, LogicalPlan), GoldError> {
    let failed = |source| sql_error(view, source);
    let context = SessionContext::new_with_state(session());
    context.register_object_store(place.url(), Arc::clone(place.store()));
    let files = Files::new(place, silver, files).map_err(failed)?;
    context.register_table(TableReference::partial(SILVER, table), Arc::new(files)).map_err(failed)?;
    let state = context.state();
    let statement = parse(&state, view)?;
    let logical = state.statement_to_plan(statement).await.map_err(failed)?;
    judge(&logical).map_err(failed)?.map_err(|reason| refused(view, reason))?;
    let physical = state.create_physical_plan(&logical).await.map_err(failed)?;
    let found = Aggregation::find(physical, context.task_ctx()).map_err(failed)?;
    let found = found.ok_or_else(|| refused(view, NO_GROUPS.to_owned()))?;
    Ok((found, logical))
}

const NO_GROUPS: &str = "it must group rows: SELECT ..., count(*) ... GROUP BY ...";

/// Whether every step and every expression of a plan can be kept; if not, why.
fn judge(plan: &LogicalPlan) -> Result<Result<(), String>, DataFusionError> {
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
        (None, 1) => Ok(()),
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

/// The columns of the Gold table.
fn shown(view: &View, output: &SchemaRef, partitioning: Partitioning) -> Result<SchemaRef, GoldError> {
    let mut fields: Vec<Field> = Vec::new();
    for field in output.fields() {
        let name = field.name();
        let refuse = |reason: fmt::Arguments<'_>| refused(view, format!("column `{name}`: {reason}"));
        if name.contains(|c| NOT_IN_NAMES.contains(c)) {
            return Err(refuse(format_args!("name it with AS; other engines take no such name")));
        }
        let same = |other: &str| other.eq_ignore_ascii_case(name);
        if partitioning.names().iter().any(|column| same(column)) {
            return Err(refuse(format_args!("that is the partition column's name; choose another with AS")));
        }
        if fields.iter().any(|other| same(other.name())) {
            return Err(refuse(format_args!("there are two of that name; rename one with AS")));
        }
        let Some(data_type) = storable(field.data_type()) else {
            let data_type = field.data_type();
            return Err(refuse(format_args!("Delta cannot keep the type {data_type}; CAST it")));
        };
        fields.push(Field::new(name, data_type, true));
    }
    Ok(Arc::new(Schema::new(fields)))
}

fn refused(view: &View, reason: String) -> GoldError {
    GoldError::Refused { view: view.name.clone(), reason }
}

fn sql_error(view: &View, source: DataFusionError) -> GoldError {
    GoldError::Sql { view: view.name.clone(), source: Box::new(source) }
}
