//! `logsmith plugin build`: a project to a component, and what came of it.

use std::path::PathBuf;
use std::process::ExitCode;

use super::super::check::print_columns;
use super::super::told;
use super::engine;
use crate::bronze;
use crate::text::{Shown, ShownLines};
use crate::transform::{Interfaces, Limits, Plugin, PluginError, PluginSource};
use crate::workbench::project::build::{Missing, build};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The project's folder.
    #[arg(default_value = ".")]
    folder: PathBuf,
    /// Make a compiler for plugins in Rust where rustup has none: 150 MB of Debian packages, kept in the cache folder.
    #[arg(long)]
    fetch_compiler: bool,
}

pub(super) fn main(args: &Args) -> anyhow::Result<ExitCode> {
    let missing = if args.fetch_compiler { Missing::Fetch } else { Missing::Refuse };
    let component = build(&args.folder, missing)?;
    let (engine, source) = (engine()?, PluginSource::File { path: component.clone(), sha256: None });
    let Interfaces { bytes, sha256, .. } = Interfaces::read(&engine, &source)?;
    println!("{}: {bytes} bytes, sha256 {sha256}", Shown(component.display()));
    let config = serde_json::json!({});
    match Plugin::open(&engine, &source, &config, &bronze::columns(), Limits::default()) {
        Ok(plugin) => print_columns(plugin.output_schema()),
        // It may need a configuration, or columns of a plugin before it.
        Err(error @ (PluginError::Config { .. } | PluginError::Input { .. })) => {
            println!("its columns depend: {}", ShownLines(told(&error.into())));
        }
        Err(error) => return Err(error.into()),
    }
    Ok(ExitCode::SUCCESS)
}
