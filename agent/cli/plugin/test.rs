//! `logsmith plugin test`: fixtures through the production engine, with production limits.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};

use super::super::told;
use super::{PluginArg, engine, excerpt};
use crate::workbench::Fixture;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    plugin: PluginArg,
    /// Fixtures; those in the folder's `tests` if not given.
    files: Vec<PathBuf>,
    /// Write what the plugin answers now as what is expected.
    #[arg(long)]
    bless: bool,
}

pub(super) fn main(args: &Args) -> anyhow::Result<ExitCode> {
    let source = args.plugin.source()?;
    let files = if args.files.is_empty() { found(&args.plugin)? } else { args.files.clone() };
    let engine = engine()?;
    let mut failed = 0;
    for file in &files {
        let outcome = Fixture::read(file).and_then(|fixture| match args.bless {
            true => fixture.bless(&engine, &source).map(|()| None),
            false => fixture.run(&engine, &source).map(Some),
        });
        let shown = file.display();
        match outcome {
            Ok(None) => println!("blessed  {shown}"),
            Ok(Some(report)) if report.differences.is_empty() => {
                println!("ok       {shown}: {} lines", report.lines)
            }
            Ok(Some(report)) => {
                failed += 1;
                println!("FAILED   {shown}: {} of {} lines", report.differences.len(), report.lines);
                for difference in &report.differences {
                    println!("  line {}: {}", difference.line, excerpt(&difference.input));
                    difference.lines.iter().for_each(|line| println!("    {line}"));
                }
            }
            Err(error) => {
                failed += 1;
                println!("FAILED   {}", told(&error.into()));
            }
        }
    }
    println!("{} passed, {failed} failed", files.len() - failed);
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The fixtures of a project.
fn found(plugin: &PluginArg) -> anyhow::Result<Vec<PathBuf>> {
    let Some(folder) = plugin.folder() else { bail!("name the fixtures: {} is no folder", plugin.plugin) };
    let tests = folder.join("tests");
    let entries =
        std::fs::read_dir(&tests).with_context(|| format!("cannot look into {}", tests.display()))?;
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    if files.is_empty() {
        bail!(
            "there is no fixture in {}: write one, such as {}",
            tests.display(),
            tests.join("first.toml").display()
        );
    }
    Ok(files)
}
