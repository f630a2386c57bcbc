//! `logsmith plugin inspect`: what a component is, wants, and writes.

use std::process::ExitCode;

use super::super::check::print_columns;
use super::super::told;
use super::{ConfigValue, PluginArg, engine};
use crate::bronze;
use crate::transform::{Interfaces, Limits, Plugin, Rest};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    plugin: PluginArg,
    #[command(flatten)]
    config: ConfigValue,
}

pub(super) fn main(args: &Args) -> anyhow::Result<ExitCode> {
    let (engine, source) = (engine()?, args.plugin.source()?);
    let Interfaces { bytes, sha256, imports, exports } = Interfaces::read(&engine, &source)?;
    println!("component {source}");
    println!("  {bytes} bytes, sha256 {sha256}");
    println!("  imports {}", listed(&imports));
    println!("  exports {}", listed(&exports));
    let config = args.config.value()?;
    match Plugin::open(&engine, &source, &config, &bronze::columns(), Limits::default()) {
        Ok(plugin) => {
            let fingerprint = plugin.fingerprint();
            println!("plugin {} {}", fingerprint.name, fingerprint.version);
            println!("  config hash {}", fingerprint.config_hash);
            println!("  reads {}", plugin.reads().join(", "));
            println!("  writes");
            print_columns(plugin.output_schema());
            match plugin.rest() {
                Rest::Kept => println!("  lets the columns of plugins before it pass"),
                Rest::Discarded => println!("  ends the columns of plugins before it"),
            }
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            eprintln!("it does not open with this configuration (--config): {}", told(&error.into()));
            Ok(ExitCode::FAILURE)
        }
    }
}

fn listed(names: &[String]) -> String {
    if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
}
