//! `logsmith check`: every mistake in a configuration, before any data file opens.

use std::path::PathBuf;
use std::process::ExitCode;

use arrow::datatypes::Schema;

use super::{Kind, kind_of, read_config, told};
use crate::bronze;
use crate::config::{
    Central, ConfigFiles, Edge, Explained, Mistakes, Surroundings, WrongPlugin, explain, schema,
};
use crate::table::schema::type_name;
use crate::tail::{named_files, overlaps};
use crate::text::Shown;
#[cfg(feature = "central")]
use crate::text::ShownLines;
use crate::transform::{Chain, ChainError, Engine, PluginSpec};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The configuration file.
    #[arg(short = 'c', long = "config", value_name = "FILE", required_unless_present = "schema")]
    config: Option<PathBuf>,
    /// Print what holds, too: each key of the agent's configuration with its value and where that comes from, and the
    /// files that sources name now.
    #[arg(long)]
    explain: bool,
    /// Print the JSON schema of the agent's configuration, for editors, and check nothing.
    #[arg(long, exclusive = true)]
    schema: bool,
}

pub(super) async fn main(args: &Args) -> anyhow::Result<ExitCode> {
    let Some(file) = &args.config else {
        println!("{:#}", schema());
        return Ok(ExitCode::SUCCESS);
    };
    let text = read_config(file)?;
    match kind_of(&text) {
        Kind::Edge => check_edge(&ConfigFiles::read(file)?, args.explain),
        Kind::Central if args.explain => {
            anyhow::bail!("--explain is for an agent's configuration; {} is a central job's", file.display())
        }
        Kind::Central => match Central::parse(file, &text) {
            Ok(central) => check_central(&central).await,
            Err(mistakes) => Ok(tell(&mistakes)),
        },
    }
}

fn tell(mistakes: &Mistakes) -> ExitCode {
    eprintln!("{mistakes}");
    let count = mistakes.0.len();
    eprintln!("{count} mistake{}", if count == 1 { "" } else { "s" });
    ExitCode::FAILURE
}

fn check_edge(written: &ConfigFiles, is_explained: bool) -> anyhow::Result<ExitCode> {
    let engine = Engine::try_new(None)?;
    let mut chains = Vec::new();
    let mut open = |plugins: &[PluginSpec]| {
        let chain = Chain::open(&engine, plugins, &bronze::columns())
            .map_err(|ChainError { index, source }| WrongPlugin { index, reason: told(&source.into()) })?;
        chains.push(chain);
        Ok(())
    };
    let edge = match Edge::parse_with(written, Surroundings::Needed, &mut open) {
        Ok(edge) => edge,
        Err(mistakes) => return Ok(tell(&mistakes)),
    };
    println!("host {}, state in {}", edge.host, Shown(edge.state_dir.display()));
    match &edge.central {
        Some(place) => println!("central {}", place.url()),
        None => println!("no central store: Silver stays on this host"),
    }
    for (pipeline, chain) in edge.pipelines.iter().zip(&chains) {
        println!("pipeline {}: {} -> silver/{}", pipeline.name, pipeline.sources.join(", "), pipeline.name);
        for plugin in chain.fingerprints() {
            println!("  plugin {} {}", Shown(&plugin.name), Shown(&plugin.version));
            println!("    sha256 {}, config hash {}", plugin.sha256, plugin.config_hash);
        }
        print_columns(chain.output_schema());
    }
    if is_explained {
        print_explained(written, &edge)?;
    }
    for overlap in overlaps(&edge.sources) {
        eprintln!("warning: {overlap}");
    }
    println!("ok");
    Ok(ExitCode::SUCCESS)
}

fn print_explained(written: &ConfigFiles, edge: &Edge) -> anyhow::Result<()> {
    for Explained { key, value, origin } in explain(written)? {
        println!("{:<60} {}", Shown(format!("{key} = {value}")), Shown(origin));
    }
    for source in &edge.sources {
        let files = named_files(source);
        println!("source {} names {} files now", source.name, files.len());
        for file in files {
            println!("  {}", Shown(file.display()));
        }
    }
    Ok(())
}

pub(super) fn print_columns(columns: &Schema) {
    for field in columns.fields() {
        let nullable = if field.is_nullable() { ", may be null" } else { "" };
        println!("    {:<20} {}{nullable}", Shown(field.name()), type_name(field.data_type()));
    }
}

#[cfg(feature = "central")]
async fn check_central(central: &Central) -> anyhow::Result<ExitCode> {
    println!("central {}", central.place.url());
    let mut failures = 0;
    for view in &central.views {
        match describe(central, view).await {
            Ok(description) => println!("view {}: {}", view.name, ShownLines(description)),
            Err(error) => {
                failures += 1;
                eprintln!("{}", ShownLines(error));
            }
        }
    }
    if failures > 0 {
        eprintln!("{failures} of {} views cannot be kept", central.views.len());
        return Ok(ExitCode::FAILURE);
    }
    println!("ok");
    Ok(ExitCode::SUCCESS)
}

/// With the columns of fleet Silver, where that is there already and can be reached.
#[cfg(feature = "central")]
async fn describe(
    central: &Central,
    view: &crate::config::View,
) -> Result<crate::gold::Description, crate::gold::GoldError> {
    let form = crate::gold::check(view, &central.views, None).await?;
    let columns = crate::gold::silver_columns(&central.place, &form.table).await;
    match columns.inspect_err(|error| {
        eprintln!("only the form of view {} was checked: {}", view.name, ShownLines(error))
    }) {
        Ok(Some(columns)) => crate::gold::check(view, &central.views, Some(&columns)).await,
        Ok(None) => crate::gold::check_waiting(view, &central.views).map(|()| form),
        Err(_) => Ok(form),
    }
}

#[cfg(not(feature = "central"))]
async fn check_central(central: &Central) -> anyhow::Result<ExitCode> {
    println!("central {}", central.place.url());
    println!(
        "{} views; this binary is built for hosts and does not look into their SQL",
        central.views.len()
    );
    Ok(ExitCode::SUCCESS)
}
