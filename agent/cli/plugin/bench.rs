//! `logsmith plugin bench`: what a plugin, or all of a pipeline, costs on the lines of a file, and where.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::ValueEnum;
use serde_json::json;

use super::super::edge_config;
use super::{ConfigValue, PluginArg, engine, origin};
use crate::text::Shown;
use crate::transform::{Chain, Fingerprint, Limits, Plugin};
use crate::workbench::bench::{Figures, Span, batches, run};
use crate::workbench::input::Input;
use crate::workbench::trial::Line;
use crate::{bronze, memory};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    plugin: PluginArg,
    /// The file; `-` is standard input.
    file: PathBuf,
    #[command(flatten)]
    config: ConfigValue,
    /// An agent's configuration: PLUGIN is the name of a pipeline in it, of which all plugins are run.
    #[arg(short = 'c', long, value_name = "FILE", conflicts_with = "config")]
    pipelines: Option<PathBuf>,
    /// The CPU time after which no further batch begins (`3s`, `500ms`).
    #[arg(long, value_parser = humantime::parse_duration, default_value = "3s", value_name = "TIME")]
    time: Duration,
    /// How many times the lines are run at most.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    rounds: Option<u64>,
    /// How to print the figures.
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Table,
    /// One JSON object.
    Json,
}

/// Of a longer file the first lines are taken. Bytes.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// Lines that are read at a time.
const LINES_MAX: usize = 10_000;

pub(super) fn main(args: &Args) -> anyhow::Result<ExitCode> {
    memory::settle();
    let mut chain = chain(args)?;
    let lines = lines(args)?;
    if lines.is_empty() {
        bail!("{} has no lines", args.file.display());
    }
    let batches = batches(&lines, origin(&args.file))?;
    let span = Span { cpu_time_max: args.time, rounds_max: args.rounds.unwrap_or(u64::MAX) };
    let figures = run(&mut chain, &batches, span)?;
    let plugins: Vec<&Fingerprint> = chain.fingerprints().collect();
    match args.format {
        Format::Table => {
            let names = plugins.iter().map(|it| format!("{} {}", Shown(&it.name), Shown(&it.version)));
            let names: Vec<String> = names.collect();
            println!("{}: {} lines in {} batches", names.join(", "), lines.len(), batches.len());
            print_table(&plugins, &figures);
        }
        Format::Json => print_json(&plugins, &figures),
    }
    if cfg!(debug_assertions) {
        eprintln!("this program was built without optimisation: an agent's boundary is many times faster");
    }
    Ok(ExitCode::SUCCESS)
}

/// The plugin alone, or those of the pipeline.
fn chain(args: &Args) -> anyhow::Result<Chain> {
    let (engine, columns) = (engine()?, bronze::columns());
    let Some(file) = &args.pipelines else {
        let (source, config) = (args.plugin.source()?, args.config.value()?);
        return Ok(Chain::of(Plugin::open(&engine, &source, &config, &columns, Limits::default())?));
    };
    let edge = edge_config(file)?;
    let name = &args.plugin.plugin;
    let Some(pipeline) = edge.pipelines.iter().find(|pipeline| pipeline.name == *name) else {
        let names: Vec<&str> = edge.pipelines.iter().map(|pipeline| pipeline.name.as_str()).collect();
        bail!("{} has no pipeline `{name}`, only: {}", file.display(), names.join(", "));
    };
    Chain::open(&engine, &pipeline.plugins, &columns)
        .map_err(|error| error.source)
        .with_context(|| format!("pipeline {name}"))
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

fn print_table(plugins: &[&Fingerprint], figures: &Figures) {
    let Figures { rows, bytes, total, .. } = *figures;
    println!(
        "rows       {rows:>12}  in {} batches, {:.3} s of CPU time",
        figures.batches,
        total.as_secs_f64()
    );
    println!("rows/s     {:>12.0}", figures.per_s(rows));
    println!("MB/s       {:>12.1}", figures.per_s(bytes) / 1e6);
    println!("ns/row     {:>12.1}", figures.ns_per_row(total));
    let own = plugins.iter().zip(&figures.usages).map(|(plugin, usage)| {
        let name = if plugins.len() == 1 { "plugin" } else { &plugin.name };
        (name, usage.guest, "its own code")
    });
    let others = [
        ("boundary", figures.boundary(), "columns in and out, and checked"),
        ("instances", figures.instances(), "a new one for each batch"),
    ];
    for (what, time, meaning) in own.chain(others) {
        let (ns, percent) = (figures.ns_per_row(time), figures.percent(time));
        println!("  {:<9}{ns:>12.1}  {percent:5.1} %  {meaning}", Shown(what));
    }
    let mebibytes = figures.memory_bytes_max() as f64 / f64::from(1 << 20);
    println!("memory MiB {mebibytes:>12.1}  the most that an instance held");
    let Figures { rows_out, dropped, dead, instances_discarded, .. } = figures;
    println!(
        "{rows_out} rows came out, {dropped} were dropped, {dead} are dead letters; {instances_discarded} instances broke"
    );
}

/// Times are nanoseconds of CPU time a row.
fn print_json(plugins: &[&Fingerprint], figures: &Figures) {
    let plugins = plugins.iter().zip(&figures.usages).map(|(plugin, usage)| {
        json!({
            "name": plugin.name,
            "version": plugin.version,
            "sha256": plugin.sha256,
            "config_hash": plugin.config_hash,
            "own_ns": figures.ns_per_row(usage.guest),
            "open_ns": figures.ns_per_row(usage.open),
            "instances": usage.instances,
            "memory_bytes_max": usage.memory_bytes_max,
        })
    });
    let all = json!({
        "plugins": plugins.collect::<Vec<_>>(),
        "batches": figures.batches,
        "rows": figures.rows,
        "bytes": figures.bytes,
        "cpu_s": figures.total.as_secs_f64(),
        "rows_per_s": figures.per_s(figures.rows),
        "bytes_per_s": figures.per_s(figures.bytes),
        "ns": figures.ns_per_row(figures.total),
        "boundary_ns": figures.ns_per_row(figures.boundary()),
        "instances_ns": figures.ns_per_row(figures.instances()),
        "rows_out": figures.rows_out,
        "dropped": figures.dropped,
        "dead_letters": figures.dead,
        "instances_discarded": figures.instances_discarded,
        "is_optimised": !cfg!(debug_assertions),
    });
    println!("{all}");
}
