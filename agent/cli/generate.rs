//! `logsmith generate`: sample JSON logs.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::clock::SystemClock;
use crate::generate::{Plan, generate};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The folder to write to; created if missing.
    folder: PathBuf,
    /// How many files are written side by side.
    #[arg(long, default_value_t = 1)]
    files: usize,
    /// How many lines to write in all.
    #[arg(long, default_value_t = 10_000)]
    lines: u64,
    /// Lines a second; 0 for as fast as possible.
    #[arg(long, default_value_t = 0)]
    rate: u64,
    /// Levels and their weights.
    #[arg(long, default_value = "DEBUG=10,INFO=70,WARN=15,ERROR=5", value_delimiter = ',', value_parser = level)]
    levels: Vec<(String, u32)>,
    /// Of a thousand lines, how many are broken JSON.
    #[arg(long, default_value_t = 0)]
    broken_permille: u32,
    /// Rotate a file, by rename, after this many of its lines; 0 for never.
    #[arg(long, default_value_t = 0)]
    rotate_lines: u64,
    /// The same seed writes the same lines, but for their times.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Writes, and prints what was written as one line of JSON.
pub(super) fn main(args: &Args) -> anyhow::Result<ExitCode> {
    let plan = Plan {
        folder: args.folder.clone(),
        files: args.files,
        lines: args.lines,
        rate: args.rate,
        levels: args.levels.clone(),
        broken_permille: args.broken_permille,
        rotate_lines: args.rotate_lines,
        seed: args.seed,
    };
    let written = generate(&plan, &SystemClock, |_| {})?;
    println!("{}", serde_json::to_string(&written)?);
    Ok(ExitCode::SUCCESS)
}

fn level(text: &str) -> Result<(String, u32), String> {
    let wrong = || format!("`{text}`: write LEVEL=WEIGHT, like INFO=70");
    let (level, weight) = text.split_once('=').ok_or_else(wrong)?;
    let weight = weight.parse().map_err(|_| wrong())?;
    if level.is_empty() || !level.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Err(wrong());
    }
    Ok((level.to_owned(), weight))
}
