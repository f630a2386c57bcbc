//! `logsmith plugin bench`: what a plugin costs on the lines of a file, and where.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};

use super::{ConfigValue, PluginArg, engine, origin};
use crate::workbench::bench::{Figures, Span, batches, run};
use crate::workbench::input::Input;
use crate::workbench::trial::{Line, Trial};
use crate::{bronze, memory};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    plugin: PluginArg,
    /// The file; `-` is standard input.
    file: PathBuf,
    #[command(flatten)]
    config: ConfigValue,
    /// The CPU time after which no further batch begins (`3s`, `500ms`).
    #[arg(long, value_parser = humantime::parse_duration, default_value = "3s", value_name = "TIME")]
    time: Duration,
    /// How many times the lines are run at most.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    rounds: Option<u64>,
}

/// Of a longer file the first lines are taken. Bytes.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// Lines that are read at a time.
const LINES_MAX: usize = 10_000;

pub(super) fn main(args: &Args) -> anyhow::Result<ExitCode> {
    memory::settle();
    let engine = engine()?;
    let mut trial = Trial::open(&engine, &args.plugin.source()?, &args.config.value()?, &bronze::columns())?;
    let lines = lines(args)?;
    if lines.is_empty() {
        bail!("{} has no lines", args.file.display());
    }
    let batches = batches(&lines, origin(&args.file))?;
    let figures = run(
        &mut trial,
        &batches,
        Span { cpu_time_max: args.time, rounds_max: args.rounds.unwrap_or(u64::MAX) },
    )?;
    let fingerprint = trial.plugin().fingerprint();
    println!(
        "{} {}: {} lines in {} batches",
        fingerprint.name,
        fingerprint.version,
        lines.len(),
        batches.len()
    );
    print(&figures);
    if cfg!(debug_assertions) {
        eprintln!("this program was built without optimisation: an agent's boundary is many times faster");
    }
    Ok(ExitCode::SUCCESS)
}

/// The file's first lines.
fn lines(args: &Args) -> anyhow::Result<Vec<Line>> {
    let name = || format!("cannot read {}", args.file.display());
    let mut input = Input::open(&args.file).with_context(name)?;
    let (mut lines, mut bytes) = (Vec::new(), 0);
    while bytes < FILE_BYTES_MAX {
        let next = input.lines(LINES_MAX).with_context(name)?;
        if next.is_empty() {
            break;
        }
        bytes += next.iter().map(Line::bytes).sum::<u64>();
        lines.extend(next);
    }
    Ok(lines)
}

fn print(figures: &Figures) {
    let Figures { rows, bytes, total, usage, .. } = *figures;
    println!(
        "rows       {rows:>12}  in {} batches, {:.3} s of CPU time",
        figures.batches,
        total.as_secs_f64()
    );
    println!("rows/s     {:>12.0}", figures.per_s(rows));
    println!("MB/s       {:>12.1}", figures.per_s(bytes) / 1e6);
    println!("ns/row     {:>12.1}", figures.ns_per_row(total));
    for (what, time, meaning) in [
        ("plugin", usage.guest, "its own code"),
        ("boundary", figures.boundary(), "columns in and out, and checked"),
        ("instances", usage.open, "a new one for each batch"),
    ] {
        let (ns, percent) = (figures.ns_per_row(time), figures.percent(time));
        println!("  {what:<9}{ns:>12.1}  {percent:5.1} %  {meaning}");
    }
    let mebibytes = usage.memory_bytes_max as f64 / f64::from(1 << 20);
    println!("memory MiB {mebibytes:>12.1}  the most that an instance held");
    let Figures { rows_out, dropped, dead, instances_discarded, .. } = figures;
    println!(
        "{rows_out} rows came out, {dropped} were dropped, {dead} are dead letters; {instances_discarded} instances broke"
    );
}
