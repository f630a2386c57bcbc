//! `logsmith run`: the agent's life.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tracing::{info, warn};

use super::{ConfigArg, edge_config};
use crate::clock::SystemClock;
use crate::edge::{self, RunMode};
use crate::shutdown;

/// How long a stop waits for the central store to take what is left.
const DRAIN_PATIENCE: Duration = Duration::from_secs(20);

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    config: ConfigArg,
    /// End when everything that stands in the files now has arrived, waiting for a central store that is away.
    #[arg(long)]
    once: bool,
}

pub(super) async fn main(args: Args) -> anyhow::Result<ExitCode> {
    let config = edge_config(&args.config.config)?;
    let mode = if args.once { RunMode::Once } else { RunMode::Follow };
    let (stopper, shutdown) = shutdown::channel();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let agent = edge::run(&config, mode, Arc::new(SystemClock), shutdown);
    tokio::pin!(agent);
    tokio::select! {
        ended = &mut agent => return Ok(ended.map(|()| ExitCode::SUCCESS)?),
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    info!("stopping: what was read is finished first; a second signal stops at once");
    let patience = stopper.drain(DRAIN_PATIENCE);
    tokio::pin!(patience);
    let mut is_patience_over = false;
    loop {
        tokio::select! {
            ended = &mut agent => {
                ended?;
                info!("stopped");
                return Ok(ExitCode::SUCCESS);
            }
            () = &mut patience, if !is_patience_over => is_patience_over = true,
            _ = terminate.recv() => return Ok(at_once()),
            _ = interrupt.recv() => return Ok(at_once()),
        }
    }
}

/// Everything acknowledged is durable, so that leaving is all there is to do.
fn at_once() -> ExitCode {
    warn!("stopped at once; the next start goes on from the last commit");
    std::process::exit(1)
}
