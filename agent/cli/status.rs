//! `logsmith status`: how far files, tables and sync are, read from the tables themselves.

use std::fmt;
use std::process::ExitCode;

use bytesize::ByteSize;

use super::{ConfigArg, edge_config};
use crate::bronze::Restored;
use crate::config::Edge;
use crate::edge::{disk_use, held_reason, refused_configuration, refused_reason};
use crate::silver::Ledger;
use crate::state::folder;
use crate::store::Place;
use crate::table::datafile::row_count;
use crate::table::{Cursor, Snapshot, TableError, TableVersion, log};
use crate::tail::file_status;
use crate::text::{Shown, ShownLines};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    config: ConfigArg,
}

pub(super) async fn main(args: &Args) -> anyhow::Result<ExitCode> {
    let edge = edge_config(&args.config.config)?;
    let root = Place::local(&edge.state_dir)?;
    let bronze_place = root.join(folder::BRONZE);
    let Some(bronze) = Snapshot::load(&bronze_place).await? else {
        println!("{}: the agent has not run here yet", Shown(edge.state_dir.display()));
        return Ok(ExitCode::SUCCESS);
    };
    let restored = Restored::read(&bronze_place, bronze.version()).await?;
    print_files(&restored);
    println!("\n{:<24} {:>8} {:>12} {:>10}", "TABLE", "VERSION", "ROWS", "BYTES");
    print_table(folder::BRONZE, &bronze)?;
    for pipeline in &edge.pipelines {
        let name = format!("{}/{}", folder::SILVER, pipeline.name);
        if let Some(silver) = Snapshot::load(&root.join(&name)).await? {
            print_table(&name, &silver)?;
        }
    }
    if let Some(dead) = Snapshot::load(&root.join(folder::DEAD_LETTER)).await? {
        print_table(folder::DEAD_LETTER, &dead)?;
    }
    for pipeline in &edge.pipelines {
        print_pipeline(&edge, &root, &pipeline.name, &bronze).await?;
    }
    let losses = restored.losses;
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
    print_disk(&edge);
    if let Some(reason) = refused_configuration(&edge.state_dir) {
        println!("configuration changed since the agent started: {}", ShownLines(reason));
    }
    Ok(ExitCode::SUCCESS)
}

fn print_disk(edge: &Edge) {
    let disk = disk_use(&edge.state_dir, edge.disk_budget_bytes);
    let full = if disk.room_bytes() == 0 { "; full, reading waits until room is made" } else { "" };
    println!("disk: {} of {}{full}", ByteSize(disk.used_bytes), ByteSize(disk.budget_bytes));
}

fn print_files(restored: &Restored) {
    println!("{:<48} {:>12} {:>12} {:>12}", "FILE", "SIZE", "TAKEN", "LAG");
    for file in file_status(&restored.positions) {
        let size = file.size.map_or_else(|| "gone".to_owned(), |size| size.to_string());
        let path = Shown(file.path.display());
        println!("{path:<48} {size:>12} {:>12} {:>12}", file.offset, file.lag());
        if let Some(damage) = file.damage {
            println!("  damaged: {damage}; what can be read of it is read");
        }
    }
}

fn print_table(name: &str, snapshot: &Snapshot) -> Result<(), TableError> {
    let files = snapshot.files()?;
    let bytes: u64 = files.iter().map(|add| add.size.unsigned_abs()).sum();
    let rows: u64 = files.iter().filter_map(row_count).sum();
    println!("{name:<24} {:>8} {rows:>12} {:>10}", snapshot.version(), ByteSize(bytes).to_string());
    Ok(())
}

/// What of Bronze has no verdict yet, the lines of all sources together.
#[derive(Debug, Default)]
struct Waiting {
    versions: u64,
    lines: u64,
    bytes: u64,
}

impl Waiting {
    async fn after(bronze: &Place, judged: i64, newest: TableVersion) -> Result<Self, TableError> {
        let mut waiting = Self::default();
        for version in judged.unsigned_abs() + 1..=newest.0 {
            waiting.versions += 1;
            let Some(entry) = log::read(bronze, TableVersion(version)).await? else { continue };
            waiting.lines += entry.adds.iter().filter_map(row_count).sum::<u64>();
            waiting.bytes += entry.adds.iter().map(|add| add.size.unsigned_abs()).sum::<u64>();
        }
        Ok(waiting)
    }
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { versions, lines, bytes } = self;
        write!(f, "{versions} ({lines} lines, {})", ByteSize(*bytes))
    }
}

async fn print_pipeline(edge: &Edge, root: &Place, name: &str, bronze: &Snapshot) -> anyhow::Result<()> {
    let place = root.join(&format!("{}/{name}", folder::SILVER));
    let Some(silver) = Snapshot::load(&place).await? else { return Ok(()) };
    let (ledger, _) = Ledger::read(&place, silver.version()).await?;
    let judged = silver.cursor(&Cursor::Bronze(bronze.id()?)).await?.unwrap_or(0);
    let waiting = Waiting::after(&root.join(folder::BRONZE), judged, bronze.version()).await?;
    let totals = ledger.totals;
    println!("\npipeline {name}: {} lines judged, Bronze versions waiting: {waiting}", totals.lines);
    println!("  rows {}, dropped on purpose {}, dead letters {}", totals.rows, totals.dropped, totals.dead);
    if let Some(reason) = held_reason(&edge.state_dir, name) {
        println!("  HOLDS until its plugin is mended or replaced: {}", ShownLines(reason));
    }
    if let Some(reason) = refused_reason(&edge.state_dir, name) {
        println!("  REFUSED, and the plugins before run on: {}", ShownLines(reason));
    }
    let Some(central) = &edge.central else {
        println!("  not put anywhere: no central store is configured");
        return Ok(());
    };
    let synced = silver.cursor(&Cursor::Sync).await?.unwrap_or(0);
    let last = ledger.rows.seq.map_or(0, |seq| seq.0);
    println!(
        "  put to {} up to Silver version {synced} of {}; landing objects made: {last}",
        central.url(),
        silver.version()
    );
    Ok(())
}
