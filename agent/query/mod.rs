//! SQL over the tables of a lake or of a host, for reading only.
//!
//! A table is called `<schema>.<name>` (`silver.web`, `gold.levels`), and by its bare name where only one has it.
//! Each table is read as it stands when the session is made.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::RecordBatch;
use deltalake::datafusion::catalog::{MemorySchemaProvider, TableProvider};
use deltalake::datafusion::common::TableReference;
use deltalake::datafusion::config::Dialect;
use deltalake::datafusion::error::DataFusionError;
use deltalake::datafusion::execution::context::SQLOptions;
use deltalake::datafusion::prelude::{SessionConfig, SessionContext};
use deltalake::datafusion::sql::parser::Statement;
use deltalake::datafusion::sql::sqlparser::ast::Statement as Sql;

use crate::store::{Place, StoreError};
use crate::table::{Snapshot, TableError};

/// The catalog of all tables.
const CATALOG: &str = "lake";

/// The schema of the bare names.
const BARE: &str = "public";

/// Folders that hold tables by name, and so are schemas.
const SCHEMAS: [&str; 2] = ["silver", "gold"];

/// Folders of a host that are tables.
const TABLES: [&str; 2] = ["bronze", "dead_letter"];

/// Why a query was not answered.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// A table failed.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The query names a table that is not there.
    #[error("there is no table {name}; there are: {known}")]
    UnknownTable {
        /// What the query says.
        name: String,
        /// All tables, divided by commas.
        known: String,
    },
    /// The query names several tables.
    #[error("{name} is one of {tables}: write which")]
    Ambiguous {
        /// What the query says.
        name: String,
        /// The tables that it may mean, divided by commas.
        tables: String,
    },
    /// The statement would write.
    #[error("only queries are answered: SELECT, EXPLAIN, SHOW and DESCRIBE")]
    ReadOnly,
    /// The query is wrong, or fails on the rows.
    #[error("{}", .0.strip_backtrace())]
    Sql(Box<DataFusionError>),
}

impl From<DataFusionError> for QueryError {
    fn from(source: DataFusionError) -> Self {
        Self::Sql(Box::new(source))
    }
}

/// A table to be queried.
#[derive(Clone, Debug)]
pub struct Named {
    /// `silver`, `gold`, ...; empty for a table of no schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// Where it lies.
    pub place: Place,
}

/// The tables below a folder: `silver/*` and `gold/*` of a lake, and `bronze`, `silver/*` and `dead_letter` of a
/// state folder.
///
/// # Errors
/// The store failed.
pub async fn discover(place: &Place) -> Result<Vec<Named>, StoreError> {
    let mut tables = Vec::new();
    for schema in SCHEMAS {
        let folder = place.join(schema);
        for name in folder.folders().await? {
            tables.push(Named { schema: schema.to_owned(), place: folder.join(&name), name });
        }
    }
    let folders = place.folders().await?;
    for name in TABLES.into_iter().filter(|name| folders.iter().any(|folder| folder == name)) {
        tables.push(Named { schema: String::new(), name: name.to_owned(), place: place.join(name) });
    }
    Ok(tables)
}

/// A session that knows these tables; folders that hold no table are left out.
///
/// # Errors
/// A table could not be read.
pub async fn session(tables: Vec<Named>) -> Result<SessionContext, QueryError> {
    let config =
        SessionConfig::new().with_default_catalog_and_schema(CATALOG, BARE).with_information_schema(true);
    let context = SessionContext::new_with_config(config);
    let mut bare: BTreeMap<String, Vec<Arc<dyn TableProvider>>> = BTreeMap::new();
    for Named { schema, name, place } in tables {
        let Some(provider) = provider(&context, &place).await? else { continue };
        bare.entry(name.clone()).or_default().push(Arc::clone(&provider));
        if schema.is_empty() {
            continue;
        }
        let schemas = context.catalog(CATALOG);
        if let Some(schemas) = schemas.filter(|schemas| schemas.schema(&schema).is_none()) {
            schemas.register_schema(&schema, Arc::new(MemorySchemaProvider::new()))?;
        }
        context.register_table(TableReference::partial(schema, name), provider)?;
    }
    for (name, mut providers) in bare {
        if let (1, Some(provider)) = (providers.len(), providers.pop()) {
            context.register_table(TableReference::partial(BARE, name), provider)?;
        }
    }
    Ok(context)
}

async fn provider(
    context: &SessionContext,
    place: &Place,
) -> Result<Option<Arc<dyn TableProvider>>, QueryError> {
    let Some(snapshot) = Snapshot::load(place).await? else { return Ok(None) };
    context.register_object_store(place.url(), Arc::clone(place.store()));
    let session = Arc::new(context.state());
    Ok(Some(snapshot.into_table().table_provider().with_session(session).await?))
}

/// Answers one query over the tables that lie at `place`: a lake, or a host's state folder.
///
/// # Errors
/// See [`QueryError`].
pub async fn answer(place: &Place, sql: &str) -> Result<Vec<RecordBatch>, QueryError> {
    let context = session(discover(place).await?).await?;
    run(&context, sql).await
}

/// Answers a query.
///
/// # Errors
/// [`QueryError::ReadOnly`] for everything that is no query; [`QueryError::UnknownTable`] or [`QueryError::Ambiguous`]; or the query is wrong.
pub async fn run(context: &SessionContext, sql: &str) -> Result<Vec<RecordBatch>, QueryError> {
    let state = context.state();
    let statement = state.sql_to_statement(sql, &Dialect::Generic)?;
    if !reads(&statement) {
        return Err(QueryError::ReadOnly);
    }
    for table in state.resolve_table_references(&statement)? {
        if !context.table_exist(table.clone())? && table.schema() != Some("information_schema") {
            let (name, known) = (table.to_string(), known(context));
            let ending = format!(".{name}");
            let tables: Vec<&str> =
                known.iter().map(String::as_str).filter(|full| full.ends_with(&ending)).collect();
            return Err(match tables.as_slice() {
                [_, _, ..] => QueryError::Ambiguous { name, tables: tables.join(", ") },
                _ => {
                    QueryError::UnknownTable { name, known: known.into_iter().collect::<Vec<_>>().join(", ") }
                }
            });
        }
    }
    let plan = state.statement_to_plan(statement).await?;
    SQLOptions::new()
        .with_allow_ddl(false)
        .with_allow_dml(false)
        .with_allow_statements(false)
        .verify_plan(&plan)
        .map_err(|_| QueryError::ReadOnly)?;
    Ok(context.execute_logical_plan(plan).await?.collect().await?)
}

fn reads(statement: &Statement) -> bool {
    match statement {
        Statement::Statement(sql) => matches!(
            sql.as_ref(),
            Sql::Query(_)
                | Sql::Explain { .. }
                | Sql::ExplainTable { .. }
                | Sql::ShowTables { .. }
                | Sql::ShowColumns { .. }
        ),
        Statement::Explain(explain) => reads(&explain.statement),
        _ => false,
    }
}

/// All tables as a query calls them.
fn known(context: &SessionContext) -> BTreeSet<String> {
    let Some(catalog) = context.catalog(CATALOG) else { return BTreeSet::new() };
    let names = |schema: String| {
        let tables = catalog.schema(&schema).map(|tables| tables.table_names()).unwrap_or_default();
        tables.into_iter().map(move |table| if schema == BARE { table } else { format!("{schema}.{table}") })
    };
    let all: BTreeSet<String> = catalog.schema_names().into_iter().flat_map(names).collect();
    let called = |bare: &&String| !all.iter().any(|name| name.ends_with(&format!(".{bare}")));
    all.iter().filter(called).cloned().collect()
}
