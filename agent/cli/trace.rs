//! `logsmith trace`: from a row to its line, and to the plugins that made it.

use std::process::ExitCode;

use anyhow::{Context, bail};

use super::{ConfigArg, Kind, kind_of, local_config, read_config};
use crate::edge::{LineId, trace};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// On a host: the pipeline. In the central store: the table.
    table: String,
    #[command(flatten)]
    config: ConfigArg,
    /// The row's `file`.
    #[arg(long, requires = "offset", conflicts_with = "condition")]
    file: Option<i64>,
    /// The row's `offset`.
    #[arg(long, requires = "file")]
    offset: Option<i64>,
    /// The row's `host`, in the central store.
    #[arg(long, requires = "file")]
    host: Option<String>,
    /// Which rows, in the central store, as SQL: `level = 'ERROR' AND path LIKE '%/app.log'`.
    #[arg(long = "where", value_name = "SQL", required_unless_present = "file")]
    condition: Option<String>,
}

pub(super) async fn main(args: &Args) -> anyhow::Result<ExitCode> {
    match kind_of(&read_config(&args.config.config)?) {
        Kind::Edge => on_host(args).await,
        Kind::Central => in_central(args).await,
    }
}

async fn on_host(args: &Args) -> anyhow::Result<ExitCode> {
    let edge = local_config(&args.config.config)?;
    let (Some(file), Some(offset)) = (args.file, args.offset) else {
        bail!("on a host a line is named by the columns of its row: --file and --offset");
    };
    let known =
        || edge.pipelines.iter().map(|pipeline| pipeline.name.as_str()).collect::<Vec<_>>().join(", ");
    let pipeline = edge.pipelines.iter().find(|pipeline| pipeline.name == args.table);
    let pipeline =
        pipeline.with_context(|| format!("there is no pipeline `{}`; there are {}", args.table, known()))?;
    println!("{}", trace(&edge, pipeline, LineId { file, offset }).await?);
    Ok(ExitCode::SUCCESS)
}

#[cfg(feature = "central")]
async fn in_central(args: &Args) -> anyhow::Result<ExitCode> {
    use crate::central::{TRACED_ROWS_MAX, trace};
    if args.table == crate::sync::landing::DEAD_LETTER {
        bail!("dead letters are traced on their host: logsmith trace PIPELINE --file FILE --offset OFFSET");
    }
    let config = super::central_config(&args.config.config)?;
    let condition = match (&args.condition, args.file, args.offset) {
        (Some(condition), ..) => format!("({condition})"),
        (None, Some(file), Some(offset)) => {
            let host =
                args.host.as_deref().context("several hosts have a file of this number: add --host")?;
            format!("host = '{}' AND file = {file} AND \"offset\" = {offset}", host.replace('\'', "''"))
        }
        (None, ..) => bail!("name rows by --where, or by --host, --file and --offset"),
    };
    let traces = trace(&config, &args.table, &condition).await?;
    if traces.is_empty() {
        bail!("no row of silver.{} is like that", args.table);
    }
    let texts: Vec<String> = traces.iter().map(ToString::to_string).collect();
    println!("{}", texts.join("\n\n"));
    if traces.len() == TRACED_ROWS_MAX {
        println!("\nthere may be more rows; only {TRACED_ROWS_MAX} are traced");
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(not(feature = "central"))]
async fn in_central(_: &Args) -> anyhow::Result<ExitCode> {
    bail!("this binary is built for hosts; trace rows of the central store with one that has the SQL engine")
}
