//! `logsmith query`: SQL over Silver and Gold, or over a host's tables.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;

use super::format::{Format, Header};
use super::{Kind, central_config, kind_of, local_config, read_config};
use crate::query;
use crate::store::{Place, StoreOptions};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The statement; tables are `silver.NAME`, `gold.NAME`, on a host also `bronze` and `dead_letter`.
    sql: String,
    /// The configuration of the central job or of the agent.
    #[arg(short = 'c', long = "config", value_name = "FILE", conflicts_with = "url")]
    config: Option<PathBuf>,
    /// The lake, or a state folder, by URL.
    #[arg(long, required_unless_present = "config")]
    url: Option<String>,
    /// How to print the rows.
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

pub(super) async fn main(args: &Args) -> anyhow::Result<ExitCode> {
    let place = match (&args.config, &args.url) {
        (Some(config), _) => match kind_of(&read_config(config)?) {
            Kind::Edge => Place::local(&local_config(config)?.state_dir)?,
            Kind::Central => central_config(config)?.place,
        },
        (None, Some(url)) => Place::open(url, &StoreOptions::new())?,
        (None, None) => bail!("name the lake by -c or --url"),
    };
    let rows = query::answer(&place, &args.sql).await?;
    args.format.print(&rows, Header::Shown)?;
    Ok(ExitCode::SUCCESS)
}
