//! What a view's SQL means, and whether it can be kept: one aggregation over one fleet Silver table, with
//! functions whose partial results can be merged.

use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use deltalake::datafusion::DATAFUSION_VERSION;
use deltalake::datafusion::catalog::{MemorySchemaProvider, TableProvider};
use deltalake::datafusion::datasource::MemTable;
use deltalake::datafusion::error::DataFusionError;
use deltalake::datafusion::execution::{SessionState, SessionStateBuilder};
use deltalake::datafusion::logical_expr::LogicalPlan;
use deltalake::datafusion::prelude::{SessionConfig, SessionContext};
use deltalake::kernel::Add;

use super::days::Days;
use super::judge::{Columns, Made, NO_GROUPS, SKETCHES, judge};
use super::partial::{self, Aggregation};
use super::partition::{Partition, Partitioning};
use super::source::{Of, Source, parse, source};
use super::{GOLD, GoldError};
use crate::compact::SILVER;
use crate::config::View;
use crate::store::Place;
use crate::table::Digest;
use crate::table::scan::Files;
use crate::table::schema::{is_taken_by_all, plain, utc};

/// The partition column, in the state of a view over another view, that names a partition of that one.
pub(super) const BELOW: &str = "below";

/// The catalog of the tables that views read.
const CATALOG: &str = "lake";

/// How a view is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// What it reads: `silver.<table>`, or `gold.<view>`.
    pub over: String,
    /// The fleet Silver table that its rows come from in the end.
    pub table: String,
    /// What its partitions are; `None` while the table's columns are not known.
    pub partitions: Option<String>,
    /// The columns of the Gold table and their types; empty while the table's columns are not known.
    pub columns: Vec<(String, String)>,
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "over {}", self.over)?;
        match &self.partitions {
            Some(partitions) => write!(f, ", partitions: {partitions}")?,
            None => {
                write!(f, "; silver.{} is not there yet: only the form of the query was checked", self.table)?
            }
        }
        self.columns.iter().try_for_each(|(name, kind)| write!(f, "\n    {name:<20} {kind}"))
    }
}

/// The columns of a table, partition columns included.
#[derive(Debug)]
pub(super) struct Layout {
    /// All of them.
    pub columns: Schema,
    /// Those that are partition columns, by name.
    pub partition: Vec<&'static str>,
}

/// What a view's rows are read from.
#[derive(Debug)]
pub(super) enum Input {
    /// A fleet Silver table of these columns.
    Silver(Schema),
    /// Another view.
    View(Arc<ViewPlan>),
}

/// A view that can be kept.
#[derive(Debug)]
pub(super) struct ViewPlan {
    /// The view, as the configuration has it.
    pub view: View,
    source: Source,
    input: Input,
    aggregation: Aggregation,
    /// The columns of its state, without partition columns.
    pub stored: SchemaRef,
    /// The columns of its Gold table, without the partition column.
    pub shown: SchemaRef,
    /// What the columns of its Gold table are made of.
    made: Vec<Made>,
    /// How both tables are partitioned.
    pub partitioning: Partitioning,
    /// What the days of its partitions have to do with those of the table that it reads.
    pub days: Days,
}

impl ViewPlan {
    /// Plans a view, of these of the configuration, over `input`.
    ///
    /// # Errors
    /// [`GoldError::Sql`] or [`GoldError::Refused`].
    pub async fn new(view: &View, views: &[View], input: Input) -> Result<Self, GoldError> {
        let source = source(view, views)?;
        // The plan is made of the columns alone; which rows it reads is said when it counts.
        let (aggregation, logical, made) = match &input {
            Input::Silver(columns) => {
                let nowhere = Place::local(std::path::Path::new("/"))?;
                aggregation(view, &source, Rows::of_silver(view, &nowhere, columns, &[])?, &[]).await?
            }
            Input::View(below) => {
                let groups = below.shown_groups(&None, Vec::new()).map_err(|e| sql_error(view, e))?;
                aggregation(view, &source, groups, &below.columns()).await?
            }
        };
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
        let view = view.clone();
        let days = match input {
            Input::Silver(_) => Days::of(&logical, partitioning),
            Input::View(_) => Days::Other,
        };
        Ok(Self { view, source, input, aggregation, stored, shown, made, partitioning, days })
    }

    /// The columns of its Gold table, and what they are made of.
    fn columns(&self) -> Vec<(String, Made)> {
        let names = self.shown.fields().iter().map(|field| field.name().clone());
        names.zip(self.made.iter().cloned()).collect()
    }

    /// The columns of its state table. Over another view there is one more: a state row is that of the groups in one
    /// partition of the view below.
    pub fn state_layout(&self) -> Layout {
        let mut layout = self.layout(&self.stored);
        if let Input::View(_) = self.input {
            layout.partition.push(BELOW);
            let fields = layout.columns.fields().iter().cloned();
            let below = Arc::new(Field::new(BELOW, DataType::Utf8, true));
            layout.columns = Schema::new(fields.chain([below]).collect::<Vec<_>>());
        }
        layout
    }

    /// The columns of its Gold table.
    pub fn gold_layout(&self) -> Layout {
        self.layout(&self.shown)
    }

    fn layout(&self, columns: &SchemaRef) -> Layout {
        let columns = self.partitioning.with_column(columns);
        Layout { columns, partition: self.partitioning.names().to_vec() }
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
        let (over, table) = (self.source.to_string(), self.table().to_owned());
        Description { over, table, partitions: Some(partitions), columns }
    }

    /// The fleet Silver table that its rows come from in the end.
    fn table(&self) -> &str {
        match (&self.input, &self.source.of) {
            (Input::View(below), _) => below.table(),
            (Input::Silver(_), Of::Silver(name) | Of::View(name)) => name,
        }
    }

    /// What tells a changed view: the SQL, and the layout of its state.
    pub fn fingerprint(&self) -> String {
        let Self { view, stored, shown, partitioning, .. } = self;
        let mut definition = format!("{}\n{stored:?}\n{shown:?}\n{partitioning:?}", view.sql.trim());
        if self.aggregation.functions().any(|name| SKETCHES.contains(&name)) {
            definition.push_str(DATAFUSION_VERSION);
        }
        if let Input::View(below) = &self.input {
            definition.push_str(&format!("{}\n{:?}", self.source, below.partitioning));
        }
        Digest::of(definition.as_bytes()).to_string()
    }

    /// The states of the rows of `files`, which lie in the Silver table at `place`. A group may come twice.
    ///
    /// # Errors
    /// A file cannot be read, or an expression fails on its rows.
    pub async fn count(&self, place: &Place, files: &[Add]) -> Result<Vec<RecordBatch>, GoldError> {
        match &self.input {
            Input::Silver(columns) => {
                self.count_all(Rows::of_silver(&self.view, place, columns, files)?, &[]).await
            }
            Input::View(_) => Ok(Vec::new()),
        }
    }

    /// The states of the groups that one partition of the view below has, given their states there.
    ///
    /// # Errors
    /// The states are damaged, or an expression fails on a group.
    pub async fn count_groups(
        &self,
        partition: &Partition,
        states: Vec<RecordBatch>,
    ) -> Result<Vec<RecordBatch>, GoldError> {
        let Input::View(below) = &self.input else { return Ok(Vec::new()) };
        let groups = below.finish(states).await?;
        let groups = below.shown_groups(partition, groups).map_err(|e| self.failed("read groups", e))?;
        self.count_all(groups, &below.columns()).await
    }

    async fn count_all(&self, rows: Rows, below: &Columns) -> Result<Vec<RecordBatch>, GoldError> {
        let (aggregation, ..) = aggregation(&self.view, &self.source, rows, below).await?;
        aggregation.count(&self.stored).await.map_err(|source| self.failed("count new rows", source))
    }

    /// The states of rows in memory, which have the columns of the Silver table.
    #[cfg(test)]
    pub async fn count_rows(&self, rows: Vec<RecordBatch>) -> Vec<RecordBatch> {
        let Input::Silver(columns) = &self.input else { return Vec::new() };
        let table = MemTable::try_new(Arc::new(columns.clone()), vec![rows]).unwrap();
        self.count_all(Rows { table: Arc::new(table), store: None }, &[]).await.unwrap()
    }

    /// Rows of one partition of the Gold table, as a table with the partition column.
    fn shown_groups(&self, partition: &Partition, rows: Vec<RecordBatch>) -> Result<Rows, DataFusionError> {
        let schema = Arc::new(self.partitioning.with_column(&self.shown));
        let with_partition = |rows: RecordBatch| {
            let mut columns: Vec<ArrayRef> = rows.columns().to_vec();
            if let Some(column) = self.partitioning.column() {
                let values = StringArray::from(vec![partition.as_deref(); rows.num_rows()]);
                columns.push(cast(&values, column.data_type())?);
            }
            RecordBatch::try_new(Arc::clone(&schema), columns)
        };
        let rows: Vec<RecordBatch> =
            rows.into_iter().map(with_partition).collect::<Result<_, ArrowError>>()?;
        Ok(Rows { table: Arc::new(MemTable::try_new(schema, vec![rows])?), store: None })
    }

    /// One state for each group of `states`.
    ///
    /// # Errors
    /// The states are damaged.
    pub async fn merge(&self, states: Vec<RecordBatch>) -> Result<Vec<RecordBatch>, GoldError> {
        let merged = self.aggregation.merge(states, &self.stored).await;
        merged.map_err(|source| self.failed("merge states", source))
    }

    /// The rows of the Gold table for `states`, of which a group may have several.
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

pub(super) fn session() -> SessionState {
    let config =
        SessionConfig::new().with_target_partitions(1).with_default_catalog_and_schema(CATALOG, SILVER);
    // The physical rules look for parallelism and for answers in statistics. The plan is taken apart and run
    // piece by piece, so it must stay as the planner makes it.
    SessionStateBuilder::new()
        .with_default_features()
        .with_config(config)
        .with_physical_optimizer_rules(Vec::new())
        .build()
}

/// The rows that a query reads, as a table, and where its files lie.
struct Rows {
    table: Arc<dyn TableProvider>,
    store: Option<Place>,
}

impl Rows {
    fn of_silver(view: &View, place: &Place, columns: &Schema, files: &[Add]) -> Result<Self, GoldError> {
        let files = Files::new(place, columns, files).map_err(|source| sql_error(view, source))?;
        Ok(Self { table: Arc::new(files), store: Some(place.clone()) })
    }
}

/// The aggregation of a view's query, the plan that it is from, and what the columns of its result are made of.
async fn aggregation(
    view: &View,
    source: &Source,
    rows: Rows,
    below: &Columns,
) -> Result<(Aggregation, LogicalPlan, Vec<Made>), GoldError> {
    let failed = |source| sql_error(view, source);
    let context = SessionContext::new_with_state(session());
    if let Some(place) = rows.store {
        context.register_object_store(place.url(), Arc::clone(place.store()));
    }
    if let Some(catalog) = context.catalog(CATALOG) {
        let gold = Arc::new(MemorySchemaProvider::new());
        catalog.register_schema(GOLD, gold).map_err(failed)?;
    }
    context.register_table(source.reference.clone(), rows.table).map_err(failed)?;
    let state = context.state();
    let statement = parse(&state, view)?;
    let logical = state.statement_to_plan(statement).await.map_err(failed)?;
    let made = judge(&logical, below).map_err(failed)?.map_err(|reason| refused(view, reason))?;
    let physical = state.create_physical_plan(&logical).await.map_err(failed)?;
    let found = Aggregation::find(physical, context.task_ctx()).map_err(failed)?;
    let found = found.ok_or_else(|| refused(view, NO_GROUPS.to_owned()))?;
    Ok((found, logical, made))
}

/// The columns of the Gold table.
fn shown(view: &View, output: &SchemaRef, partitioning: Partitioning) -> Result<SchemaRef, GoldError> {
    let mut fields: Vec<Field> = Vec::new();
    for field in output.fields() {
        let name = field.name();
        let refuse = |reason: fmt::Arguments<'_>| refused(view, format!("column `{name}`: {reason}"));
        if !is_taken_by_all(name) {
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

pub(super) fn refused(view: &View, reason: String) -> GoldError {
    GoldError::Refused { view: view.name.clone(), reason }
}

pub(super) fn sql_error(view: &View, source: DataFusionError) -> GoldError {
    GoldError::Sql { view: view.name.clone(), source: Box::new(source) }
}
