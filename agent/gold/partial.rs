//! The three things done to a view's groups: count new rows, merge states, finish states.
//!
//! The plan of the view's SQL is taken apart at its aggregation. Below lies what is done to each row, above
//! what is done to each group; the aggregation itself is run in DataFusion's modes `Partial` (rows to states),
//! `PartialReduce` (states to states) and `Final` (states to values). So any aggregate function that has a
//! state that Delta can keep is kept in the same way.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{Field, Schema, SchemaRef};
use deltalake::datafusion::catalog::memory::MemorySourceConfig;
use deltalake::datafusion::common::Result;
use deltalake::datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use deltalake::datafusion::execution::TaskContext;
use deltalake::datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode};
use deltalake::datafusion::physical_plan::{ExecutionPlan, collect};

use super::plan::storable;

/// A view's aggregation, and what is done to its result.
#[derive(Debug)]
pub(super) struct Aggregation {
    innermost: AggregateExec,
    whole: Arc<dyn ExecutionPlan>,
    context: Arc<TaskContext>,
    states: SchemaRef,
}

impl Aggregation {
    /// Takes a plan apart; `None` if it has no aggregation.
    pub fn find(whole: Arc<dyn ExecutionPlan>, context: Arc<TaskContext>) -> Result<Option<Self>> {
        let mut found = None;
        whole.apply(|node| {
            if node.downcast_ref::<AggregateExec>().is_some() {
                found = Some(Arc::clone(node));
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
        let Some(node) = found else { return Ok(None) };
        let Some(aggregate) = node.downcast_ref::<AggregateExec>() else { return Ok(None) };
        let innermost = AggregateExec::try_new(
            AggregateMode::Partial,
            aggregate.group_expr().clone(),
            aggregate.aggr_expr().to_vec(),
            aggregate.filter_expr().to_vec(),
            Arc::clone(aggregate.input()),
            aggregate.input_schema(),
        )?;
        let states = innermost.schema();
        Ok(Some(Self { innermost, whole, context, states }))
    }

    /// How many columns the groups have: the first ones of each state row.
    pub fn keys(&self) -> usize {
        self.innermost.group_expr().num_group_exprs()
    }

    /// The columns of state rows as DataFusion has them.
    pub fn states(&self) -> &SchemaRef {
        &self.states
    }

    /// The names of its aggregate functions.
    pub fn functions(&self) -> impl Iterator<Item = &str> {
        self.innermost.aggr_expr().iter().map(|function| function.fun().name())
    }

    /// The columns of the view.
    pub fn output(&self) -> SchemaRef {
        self.whole.schema()
    }

    /// The state rows of the rows that the plan reads, in the form that is stored. A group may come twice.
    pub async fn count(&self, stored: &SchemaRef) -> Result<Vec<RecordBatch>> {
        let counted = collect(Arc::new(self.innermost.clone()), Arc::clone(&self.context)).await?;
        convert(counted, stored)
    }

    /// One state row for each group of `states`, which have the stored form and keep it.
    pub async fn merge(&self, states: Vec<RecordBatch>, stored: &SchemaRef) -> Result<Vec<RecordBatch>> {
        let merge = self.over(AggregateMode::PartialReduce, states)?;
        convert(collect(merge, Arc::clone(&self.context)).await?, stored)
    }

    /// The rows of the view for states, one of each group, in the stored form.
    pub async fn finish(&self, states: Vec<RecordBatch>, shown: &SchemaRef) -> Result<Vec<RecordBatch>> {
        let finished = self.over(AggregateMode::Final, states)?;
        let plan = Arc::clone(&self.whole).transform_down(|node| {
            Ok(if node.downcast_ref::<AggregateExec>().is_some() {
                Transformed::new(Arc::clone(&finished), true, TreeNodeRecursion::Jump)
            } else {
                Transformed::no(node)
            })
        })?;
        convert(collect(plan.data, Arc::clone(&self.context)).await?, shown)
    }

    fn over(&self, mode: AggregateMode, states: Vec<RecordBatch>) -> Result<Arc<dyn ExecutionPlan>> {
        let states = convert(states, &self.states)?;
        let input = MemorySourceConfig::try_new_exec(&[states], Arc::clone(&self.states), None)?;
        let aggregates = self.innermost.aggr_expr().to_vec();
        let filters = vec![None; aggregates.len()];
        let groups = self.innermost.group_expr().as_final();
        let input_schema = self.innermost.input_schema();
        Ok(Arc::new(AggregateExec::try_new(mode, groups, aggregates, filters, input, input_schema)?))
    }
}

/// The columns in which state rows are stored: plain types, and names that do not change with DataFusion.
/// `None` where a state has a type that Delta cannot keep.
pub(super) fn stored(states: &SchemaRef, keys: usize) -> Option<SchemaRef> {
    let field = |(index, field): (usize, &Arc<Field>)| {
        let name = if index < keys { format!("key_{index}") } else { format!("state_{}", index - keys) };
        Some(Field::new(name, storable(field.data_type())?, true))
    };
    let fields: Option<Vec<Field>> = states.fields().iter().enumerate().map(field).collect();
    Some(Arc::new(Schema::new(fields?)))
}

/// The same rows with the types and names of `schema`, column by column. A value that does not fit is an error.
fn convert(batches: Vec<RecordBatch>, schema: &SchemaRef) -> Result<Vec<RecordBatch>> {
    let strict = CastOptions { safe: false, ..CastOptions::default() };
    let batch = |batch: RecordBatch| {
        let columns = batch.columns().iter().zip(schema.fields());
        let columns: Vec<ArrayRef> = columns
            .map(|(column, field)| cast_with_options(column, field.data_type(), &strict))
            .collect::<Result<_, _>>()?;
        Ok(RecordBatch::try_new(Arc::clone(schema), columns)?)
    };
    batches.into_iter().filter(|rows| rows.num_rows() > 0).map(batch).collect()
}
