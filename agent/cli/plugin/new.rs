//! `logsmith plugin new`: a project that builds at once.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::ValueEnum;

use crate::text::Shown;
use crate::workbench::project;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The plugin's name, which the new folder gets; or a path that ends with it.
    name: PathBuf,
    /// The language to write it in.
    #[arg(long, value_enum, default_value = "rust")]
    lang: Lang,
}

/// Languages that there are templates for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Lang {
    /// With `cargo test`, and the SDK's sources in the folder `sdk`.
    Rust,
}

pub(super) fn main(args: &Args) -> anyhow::Result<ExitCode> {
    match args.lang {
        Lang::Rust => project::create(&args.name)?,
    }
    let name = Shown(args.name.display());
    println!("{name} is a plugin for lines like those in {name}/sample.log. Next:");
    println!("  logsmith plugin build {name}");
    println!("  logsmith plugin test {name}");
    println!("  logsmith plugin run {name} {name}/sample.log");
    if let Some(lacking) = project::build::lacking() {
        println!("\nTo build it, something is missing: {lacking}");
    }
    Ok(ExitCode::SUCCESS)
}
