//! `logsmith plugin new`: a project that builds at once.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::text::Shown;
use crate::workbench::project::{self, Language};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The plugin's name, which the new folder gets; or a path that ends with it.
    name: PathBuf,
    /// The language to write it in.
    #[arg(long, value_enum, default_value = "rust")]
    lang: Language,
}

pub(super) fn main(args: &Args) -> anyhow::Result<ExitCode> {
    project::create(&args.name, args.lang)?;
    let name = Shown(args.name.display());
    println!("{name} is a plugin for lines like those in {name}/sample.log. Next:");
    println!("  logsmith plugin build {name}");
    println!("  logsmith plugin test {name}");
    println!("  logsmith plugin run {name} {name}/sample.log");
    if let Some(lacking) = project::build::lacking(args.lang) {
        println!("\nTo build it, something is missing: {lacking}");
    }
    Ok(ExitCode::SUCCESS)
}
