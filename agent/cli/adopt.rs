//! `logsmith adopt`: takes a state folder that was moved, restored or damaged as this machine's own.

use std::process::ExitCode;
use std::sync::Arc;

use clap::ValueEnum;

use super::{ConfigArg, edge_config};
use crate::clock::{Clock, SystemClock};
use crate::edge::open_chains;
use crate::state::{self, Opening, Streams};
use crate::store::WhenFull;
use crate::tail::{StartAt, Tail};
use crate::text::Shown;
use crate::transform::Engine;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    config: ConfigArg,
    /// What to do about the input of a table that is missing.
    #[arg(long, value_enum)]
    missing: Option<Missing>,
}

/// Where a table is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Missing {
    /// Read again what it was made of: nothing is lost, lines may arrive twice.
    Replay,
    /// Pass over what it was made of: nothing arrives twice, lines may be lost.
    Skip,
}

pub(super) async fn main(args: &Args) -> anyhow::Result<ExitCode> {
    let mut edge = edge_config(&args.config.config)?;
    let opening = match args.missing {
        None => Opening::Adopt,
        Some(Missing::Replay) => Opening::AdoptReplay,
        Some(Missing::Skip) => Opening::AdoptSkip,
    };
    let clock = SystemClock;
    let chains = open_chains(&edge, &Engine::try_new(None)?)?;
    let written: Vec<_> = chains.iter().map(|chain| Arc::clone(chain.output_schema())).collect();
    // Somebody waits for an answer.
    let mut state = state::open(&edge, &written, opening, WhenFull::Fail, clock.now()).await?;
    if opening == Opening::AdoptSkip && state.restored.positions.sources.is_empty() {
        edge.sources.iter_mut().for_each(|source| source.start_at = StartAt::End);
    }
    // Where reading starts is settled now, not by what the files hold at the next start.
    let mut tail = Tail::open(edge.sources, state.restored.positions, edge.tail_limits)?;
    tail.scan(clock.now());
    state.bronze.commit(None, &mut tail, clock.now()).await?;
    println!("{} is this machine's now; start the agent again.", Shown(edge.state_dir.display()));
    if state.streams == Streams::BeginAnew && edge.central.is_some() {
        println!(
            "What it makes from here on goes to central as new streams. If this is an older state of the folder, what was \
             put since then and still stands in the files is put again, and is in central twice; if it was only moved, \
             nothing is."
        );
    }
    Ok(ExitCode::SUCCESS)
}
