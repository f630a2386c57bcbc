//! What a view reads: a fleet Silver table, or another view of the configuration.

use std::fmt;

use deltalake::datafusion::common::TableReference;
use deltalake::datafusion::config::Dialect;
use deltalake::datafusion::execution::SessionState;
use deltalake::datafusion::sql::parser::Statement;
use deltalake::datafusion::sql::sqlparser::ast::{SetExpr, Statement as Sql};

use super::plan::{refused, session, sql_error};
use super::{GOLD, GoldError};
use crate::compact::SILVER;
use crate::config::View;

/// What a view reads, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Of {
    /// A fleet Silver table.
    Silver(String),
    /// Another view.
    View(String),
}

/// What the query of a view names after FROM.
#[derive(Clone, Debug)]
pub(super) struct Source {
    /// The table.
    pub of: Of,
    /// How the query calls it.
    pub reference: TableReference,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.of {
            Of::Silver(table) => write!(f, "{SILVER}.{table}"),
            Of::View(view) => write!(f, "{GOLD}.{view}"),
        }
    }
}

/// What a view reads. Judges what can be judged by the SQL's form alone. A name without a schema is that of a Silver
/// table, whatever views there are: a view that is added changes nothing that another one reads.
///
/// # Errors
/// [`GoldError::Sql`] or [`GoldError::Refused`].
pub(super) fn source(view: &View, views: &[View]) -> Result<Source, GoldError> {
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
    let name = table.table().to_owned();
    let is_view = views.iter().any(|other| other.name == name);
    let (schema, of) = match table.schema() {
        None | Some(SILVER) => (SILVER, Of::Silver(name.clone())),
        Some(GOLD) if is_view => (GOLD, Of::View(name.clone())),
        Some(GOLD) => return Err(refused(view, format!("it reads `{GOLD}.{name}`, which is no view"))),
        Some(schema) => {
            let reason = format!("it reads `{schema}`; views read `{SILVER}`, and each other as `{GOLD}`");
            return Err(refused(view, reason));
        }
    };
    Ok(Source { of, reference: TableReference::partial(schema, name) })
}

/// Judges a view whose Silver table is not there: it may mean another view, and waits in vain then.
///
/// # Errors
/// [`GoldError::Refused`] where another view has the name of that table and is no view of it; or the view is wrong.
pub fn check_waiting(view: &View, views: &[View]) -> Result<(), GoldError> {
    let reads = source(view, views)?.of;
    let Of::Silver(name) = &reads else { return Ok(()) };
    let other = views.iter().find(|other| other.name == *name && other.name != view.name);
    let is_of_it = |other: &View| source(other, views).is_ok_and(|source| source.of == reads);
    if other.is_none_or(is_of_it) {
        return Ok(());
    }
    let reason =
        format!("it reads {SILVER}.{name}, which is not there; the view of that name is {GOLD}.{name}");
    Err(refused(view, reason))
}

/// The views that must be kept for `view` to be, from the one that reads Silver up to itself, and the Silver table.
///
/// # Errors
/// One of them reads what it cannot, or they go round in a circle.
pub(super) fn chain<'a>(view: &'a View, views: &'a [View]) -> Result<(String, Vec<&'a View>), GoldError> {
    let mut chain = vec![view];
    loop {
        let last = chain.last().copied().unwrap_or(view);
        let below = match source(last, views)?.of {
            Of::Silver(table) => {
                chain.reverse();
                return Ok((table, chain));
            }
            Of::View(below) => below,
        };
        if let Some(at) = chain.iter().position(|view| view.name == below) {
            let names = chain.iter().skip(at).map(|view| view.name.as_str());
            let circle = names.chain([below.as_str()]).collect::<Vec<_>>().join(" reads ");
            return Err(refused(view, format!("views go round in a circle: {circle}")));
        }
        chain.extend(views.iter().find(|view| view.name == below));
    }
}

pub(super) fn parse(state: &SessionState, view: &View) -> Result<Statement, GoldError> {
    state.sql_to_statement(&view.sql, &Dialect::Generic).map_err(|source| sql_error(view, source))
}
