//! `logsmith show`: rows of a table in the state folder, without SQL.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::util::pretty::pretty_format_batches;

use super::local_config;
use crate::store::Place;
use crate::table::schema::PARTITION;
use crate::table::{Snapshot, datafile};
use crate::text::ShownLines;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// `bronze`, `silver/NAME` or `dead_letter`.
    table: String,
    /// The agent's configuration, which names the state folder.
    #[arg(short = 'c', long = "config", value_name = "FILE", conflicts_with = "state_dir")]
    config: Option<PathBuf>,
    /// The state folder itself.
    #[arg(long, value_name = "FOLDER", required_unless_present = "config")]
    state_dir: Option<PathBuf>,
    /// Columns to print, divided by commas; all if not given.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    columns: Vec<String>,
    /// How many rows to print at most.
    #[arg(long, default_value_t = 20)]
    limit: usize,
    /// Only rows of this host.
    #[arg(long)]
    host: Option<String>,
    /// Only rows whose path contains this text.
    #[arg(long)]
    path: Option<String>,
    /// Only rows ingested on this UTC day, like 2026-11-30.
    #[arg(long)]
    date: Option<String>,
}

pub(super) async fn main(args: &Args) -> anyhow::Result<ExitCode> {
    let folder = match (&args.config, &args.state_dir) {
        (Some(config), _) => local_config(config)?.state_dir,
        (None, Some(folder)) => std::path::absolute(folder)?,
        (None, None) => bail!("name the state folder by -c or --state-dir"),
    };
    let place = Place::local(&folder)?.join(&args.table);
    let Some(snapshot) = Snapshot::load(&place).await? else {
        bail!(
            "there is no table `{}` in {}; there are bronze, silver/NAME and dead_letter",
            args.table,
            folder.display()
        );
    };
    let mut files = snapshot.files()?;
    files.sort_by_key(|add| add.modification_time);
    let mut shown = Vec::new();
    let mut left = args.limit;
    for add in files {
        let day = add.partition_values.get(PARTITION).and_then(Option::as_deref);
        if left == 0 || args.date.as_deref().is_some_and(|wanted| day != Some(wanted)) {
            continue;
        }
        for batch in datafile::read_local(&place, &add.path).await? {
            let rows = chosen(&batch, args)?;
            let rows = rows.slice(0, rows.num_rows().min(left));
            left -= rows.num_rows();
            shown.push(project(&rows, &args.columns)?);
        }
    }
    shown.retain(|rows| rows.num_rows() > 0);
    if shown.is_empty() {
        println!("no rows");
    } else {
        println!("{}", ShownLines(pretty_format_batches(&shown)?));
    }
    Ok(ExitCode::SUCCESS)
}

fn chosen(batch: &RecordBatch, args: &Args) -> anyhow::Result<RecordBatch> {
    let mut rows = batch.clone();
    if let Some(host) = &args.host {
        rows = filter(&rows, "host", |value| value == host)?;
    }
    if let Some(path) = &args.path {
        rows = filter(&rows, "path", |value| value.contains(path.as_str()))?;
    }
    Ok(rows)
}

fn filter(rows: &RecordBatch, column: &str, keep: impl Fn(&str) -> bool) -> anyhow::Result<RecordBatch> {
    let values =
        rows.column_by_name(column).with_context(|| format!("the table has no column `{column}`"))?;
    let values = values.as_string_opt::<i32>().with_context(|| format!("column `{column}` is no text"))?;
    let mask: BooleanArray = (0..values.len()).map(|row| Some(keep(values.value(row)))).collect();
    Ok(filter_record_batch(rows, &mask)?)
}

fn project(rows: &RecordBatch, columns: &[String]) -> anyhow::Result<RecordBatch> {
    if columns.is_empty() {
        return Ok(rows.clone());
    }
    let index = |name: &String| {
        let schema = rows.schema();
        schema.index_of(name).map_err(|_| {
            let known: Vec<_> = schema.fields().iter().map(|field| field.name().clone()).collect();
            anyhow::anyhow!("there is no column `{name}`; there are {}", known.join(", "))
        })
    };
    let indexes: Vec<usize> = columns.iter().map(index).collect::<Result<_, _>>()?;
    Ok(rows.project(&indexes)?)
}
