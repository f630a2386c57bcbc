//! `logsmith status`: how far files, tables and sync are, read from the tables themselves.

use std::process::ExitCode;

use bytesize::ByteSize;

use super::{ConfigArg, local_config};
use crate::edge::{DiskReport, FileReport, PipelineReport, Report, TableReport, report};
use crate::text::{Shown, ShownLines, json_text};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    config: ConfigArg,
    /// One JSON object for programs. Its fields keep their names and units; others may come.
    #[arg(long)]
    json: bool,
}

pub(super) async fn main(args: &Args) -> anyhow::Result<ExitCode> {
    let edge = local_config(&args.config.config)?;
    let report = report(&edge).await?;
    match args.json {
        true => println!("{}", json_text(&serde_json::to_string_pretty(&report)?)),
        false => print(&report),
    }
    Ok(ExitCode::SUCCESS)
}

fn print(report: &Report) {
    if !report.has_run {
        println!("{}: the agent has not run here yet", Shown(&report.state_dir));
        return print_refusal(&report.disk);
    }
    println!("{:<48} {:>12} {:>12} {:>12}", "FILE", "SIZE", "TAKEN", "LAG");
    report.files.iter().for_each(print_file);
    for path in &report.passed_over {
        println!("{}: not read: it is named as if it were compressed, and is plain text", Shown(path));
    }
    println!("\n{:<24} {:>8} {:>12} {:>10}", "TABLE", "VERSION", "ROWS", "BYTES");
    report.tables.iter().for_each(print_table);
    report.pipelines.iter().for_each(print_pipeline);
    let losses = report.losses;
    println!(
        "\nlines cut: {} ({} left out); files vanished unread: {} ({}); NUL holes skipped: {}; \
         compressed files damaged: {}",
        losses.cut_lines,
        ByteSize(losses.cut_bytes),
        losses.vanished_files,
        ByteSize(losses.vanished_bytes),
        ByteSize(losses.hole_bytes),
        losses.damaged_files,
    );
    let disk = report.disk;
    let full = if disk.is_full { "; full, reading waits until room is made" } else { "" };
    println!("disk: {} of {}{full}", ByteSize(disk.used_bytes), ByteSize(disk.budget_bytes));
    print_refusal(&disk);
    if let Some(reason) = &report.configuration_refused {
        println!("configuration changed since the agent started: {}", ShownLines(reason));
    }
}

fn print_refusal(disk: &DiskReport) {
    if let Some(reason) = disk.takes_nothing {
        println!("the disk takes nothing: {reason}; the agent waits until it does");
    }
}

fn print_file(file: &FileReport) {
    let size = file.size_bytes.map_or_else(|| "gone".to_owned(), |size| size.to_string());
    let path = Shown(&file.path);
    println!("{path:<48} {size:>12} {:>12} {:>12}", file.taken_bytes, file.lag_bytes);
    if file.locked {
        println!("  unread: the agent could never open it; it tries on");
    }
    if let Some(damage) = &file.damage {
        println!("  damaged: {damage}; what can be read of it is read");
    }
}

fn print_table(table: &TableReport) {
    let TableReport { name, version, rows, bytes } = table;
    println!("{name:<24} {version:>8} {rows:>12} {:>10}", ByteSize(*bytes).to_string());
}

fn print_pipeline(pipeline: &PipelineReport) {
    let PipelineReport { name, lines, rows, dropped, dead_letters, waiting, held, refused, uploads } =
        pipeline;
    println!(
        "\npipeline {name}: {lines} lines judged, Bronze versions waiting: {} ({} lines, {})",
        waiting.versions,
        waiting.lines,
        ByteSize(waiting.bytes)
    );
    println!("  rows {rows}, dropped on purpose {dropped}, dead letters {dead_letters}");
    if let Some(reason) = held {
        println!("  HOLDS {}", ShownLines(reason));
    }
    if let Some(reason) = refused {
        println!("  REFUSED, and the plugins before run on: {}", ShownLines(reason));
    }
    if let Some(reason) = uploads.as_ref().and_then(|uploads| uploads.held.as_ref()) {
        println!("  PUTS NOTHING {}", ShownLines(reason));
    }
    match uploads {
        None => println!("  not put anywhere: no central store is configured"),
        Some(uploads) => println!(
            "  put to {} up to Silver version {} of {}; landing objects made: {}, waiting: {} ({})",
            uploads.url,
            uploads.put_up_to,
            uploads.version,
            uploads.objects_made,
            uploads.waiting_objects,
            ByteSize(uploads.waiting_bytes)
        ),
    }
}
