//! Data files of a fleet Silver table as DataFusion reads them: exactly those that are named, none that a snapshot
//! would add.

use std::sync::Arc;

use arrow::datatypes::{DataType, Schema, SchemaRef};
use async_trait::async_trait;
use deltalake::datafusion::catalog::{Session, TableProvider};
use deltalake::datafusion::common::{Result, ScalarValue};
use deltalake::datafusion::datasource::listing::PartitionedFile;
use deltalake::datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use deltalake::datafusion::datasource::source::DataSourceExec;
use deltalake::datafusion::datasource::table_schema::TableSchema;
use deltalake::datafusion::execution::object_store::ObjectStoreUrl;
use deltalake::datafusion::logical_expr::{Expr, TableType};
use deltalake::datafusion::physical_expr::expressions::Column;
use deltalake::datafusion::physical_expr::{LexOrdering, PhysicalSortExpr};
use deltalake::datafusion::physical_plan::ExecutionPlan;
use deltalake::datafusion::physical_plan::empty::EmptyExec;
use deltalake::datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use deltalake::kernel::Add;
use object_store::ObjectMeta;
use url::Position;

use super::schema::{PARTITION, plain};
use crate::store::Place;

/// Data files of one table. Columns that a file does not have are null in its rows.
#[derive(Debug)]
pub struct Files {
    schema: TableSchema,
    store: ObjectStoreUrl,
    files: Vec<PartitionedFile>,
}

impl Files {
    /// `files` of the table at `place`, which has these columns.
    ///
    /// # Errors
    /// A file states no day that its partition column could hold.
    pub fn new(place: &Place, columns: &Schema, files: &[Add]) -> Result<Self> {
        let store = ObjectStoreUrl::parse(&place.url()[..Position::BeforePath])?;
        let file = |add: &Add| {
            let day = add.partition_values.get(PARTITION).cloned().flatten();
            let day = match day {
                Some(day) => ScalarValue::try_from_string(day, &DataType::Date32)?,
                None => ScalarValue::Date32(None),
            };
            let meta = ObjectMeta {
                location: place.object(&add.path),
                last_modified: chrono::DateTime::UNIX_EPOCH,
                size: u64::try_from(add.size).unwrap_or(0),
                e_tag: None,
                version: None,
            };
            Ok(PartitionedFile::new_from_meta(meta).with_partition_values(vec![day]))
        };
        let files = files.iter().map(file).collect::<Result<_>>()?;
        Ok(Self { schema: table_schema(columns), store, files })
    }

    /// The rows of all files, without the partition column, in the order of `columns`, in which each file has its
    /// own. Holds a batch of each file, not the files.
    ///
    /// # Errors
    /// A column is not there.
    pub fn merged(&self, columns: &[&str]) -> Result<Arc<dyn ExecutionPlan>> {
        let rows = self.schema.file_schema();
        let groups = self.files.iter().map(|file| FileGroup::new(vec![file.clone()])).collect();
        let read = self.read(groups, Some((0..rows.fields().len()).collect()))?;
        let key =
            |name: &&str| Ok(PhysicalSortExpr::new_default(Arc::new(Column::new_with_schema(name, rows)?)));
        let order = LexOrdering::new(columns.iter().map(key).collect::<Result<Vec<_>>>()?);
        Ok(match order {
            Some(order) => Arc::new(SortPreservingMergeExec::new(order, read)),
            None => read,
        })
    }

    /// These columns of the rows of all files, file by file.
    ///
    /// # Errors
    /// A column is not there.
    pub fn projected(&self, columns: &[&str]) -> Result<Arc<dyn ExecutionPlan>> {
        let rows = self.schema.file_schema();
        let columns = columns.iter().map(|name| Ok(rows.index_of(name)?)).collect::<Result<_>>()?;
        self.read(vec![FileGroup::new(self.files.clone())], Some(columns))
    }

    fn read(&self, groups: Vec<FileGroup>, columns: Option<Vec<usize>>) -> Result<Arc<dyn ExecutionPlan>> {
        let source = Arc::new(ParquetSource::new(self.schema.clone()));
        let config = FileScanConfigBuilder::new(self.store.clone(), source)
            .with_file_groups(groups)
            .with_projection_indices(columns)?
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }
}

fn table_schema(columns: &Schema) -> TableSchema {
    let (day, rows): (Vec<_>, Vec<_>) =
        columns.fields().iter().cloned().partition(|field| field.name() == PARTITION);
    let rows = rows.iter().map(|field| {
        let data_type = plain(field.data_type()).unwrap_or_else(|| field.data_type().clone());
        field.as_ref().clone().with_data_type(data_type)
    });
    let rows = Arc::new(Schema::new(rows.collect::<Vec<_>>()));
    TableSchema::builder(rows).with_table_partition_cols(day).build()
}

#[async_trait]
impl TableProvider for Files {
    fn schema(&self) -> SchemaRef {
        Arc::clone(self.schema.table_schema())
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        if self.files.is_empty() {
            let schema = self.schema();
            let schema = match projection {
                Some(columns) => Arc::new(schema.project(columns)?),
                None => schema,
            };
            return Ok(Arc::new(EmptyExec::new(schema)));
        }
        let groups = std::thread::available_parallelism().map_or(1, usize::from).min(self.files.len());
        let of_group = |group| {
            let files = self.files.iter().skip(group).step_by(groups).cloned();
            FileGroup::new(files.collect())
        };
        self.read((0..groups).map(of_group).collect(), projection.cloned())
    }
}
