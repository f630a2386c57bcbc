//! `logsmith run`: the agent's life.

use std::pin::Pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{error, info, warn};

use super::{ConfigArg, edge_config};
use crate::clock::SystemClock;
use crate::config::{Edge, STDIN};
use crate::edge::{self, EdgeError, RunMode, Unfit};
use crate::feed::{Feed, FeedKind};
use crate::shutdown::{self, Stopper};
use crate::systemd::{Manager, News};

/// How long a stop waits for the central store to take what is left.
const DRAIN_PATIENCE: Duration = Duration::from_secs(20);

/// How long a change of the configuration waits for the central store to take what is left; it is put afterwards.
const RELOAD_PATIENCE: Duration = Duration::from_secs(2);

/// Longer lines of standard input are cut.
const STDIN_LINE_BYTES_MAX: usize = 1 << 20;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    config: ConfigArg,
    /// End when everything that stands in the files now has arrived, waiting for a central store that is away.
    #[arg(long)]
    once: bool,
    /// Read standard input too, as the source `stdin`, and end when it and everything that stands in the files has
    /// arrived.
    #[arg(long)]
    stdin: bool,
}

pub(super) async fn main(args: Args) -> anyhow::Result<ExitCode> {
    let mut config = edge_config(&args.config.config)?;
    let mode = if args.once || args.stdin { RunMode::Once } else { RunMode::Follow };
    if args.stdin {
        add_stdin(&mut config)?;
    }
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    // What ends by itself has nothing to reload, and ends with its terminal.
    let mut hangup = (mode == RunMode::Follow).then(|| signal(SignalKind::hangup())).transpose()?;
    let manager = Arc::new(Manager::of_environment().context("the service manager cannot be told anything")?);
    let (mut before, mut unfit) = (None, None);
    loop {
        let (stopper, shutdown) = shutdown::channel();
        let (succession, mut successors) = edge::succession(unfit.take());
        let clock = Arc::new(SystemClock);
        let running = config.clone();
        let agent = edge::run(&running, mode, clock, shutdown, Arc::clone(&manager), succession);
        tokio::pin!(agent);
        let next = loop {
            tokio::select! {
                ended = &mut agent => match (ended, before.take()) {
                    // Not until it has started is what was before done with.
                    (Err(error), Some(before)) if manager.is_reloading() => {
                        error!("the changed configuration is not taken, the one before goes on: {error}");
                        unfit = Some(Unfit { written: config.written.clone(), reason: error.to_string() });
                        break before;
                    }
                    (ended, _) => return Ok(ended.map(|()| ExitCode::SUCCESS)?),
                },
                next = successors.next() => {
                    manager.tell(&[News::Reloading]);
                    tokio::spawn(async move { stopper.drain(RELOAD_PATIENCE).await });
                    let ended = tokio::select! {
                        ended = &mut agent => ended,
                        _ = terminate.recv() => return Ok(at_once()),
                        _ = interrupt.recv() => return Ok(at_once()),
                    };
                    ended?;
                    before = Some(running.clone());
                    break next;
                }
                _ = terminate.recv() => return stop(agent, stopper, terminate, interrupt).await,
                _ = interrupt.recv() => return stop(agent, stopper, terminate, interrupt).await,
                () = heard(&mut hangup) => {
                    info!("what changes in the configuration is taken as it changes");
                    // One that is still starting is not ready because of this.
                    if manager.is_ready() && !manager.is_reloading() {
                        manager.tell(&[News::Reloading]);
                        manager.tell(&[News::Ready]);
                    }
                }
            }
        };
        config = next;
    }
}

/// Lets an agent finish what was read, unless a second signal comes.
async fn stop(
    mut agent: Pin<&mut impl Future<Output = Result<(), EdgeError>>>,
    stopper: Stopper,
    mut terminate: Signal,
    mut interrupt: Signal,
) -> anyhow::Result<ExitCode> {
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

fn add_stdin(config: &mut Edge) -> anyhow::Result<()> {
    let is_taken = config.pipelines.iter().any(|pipeline| pipeline.sources.iter().any(|name| name == STDIN));
    anyhow::ensure!(
        is_taken,
        "no pipeline takes the source `{STDIN}`; name it in `sources`, or leave that key out"
    );
    config.feeds.push(Feed {
        name: STDIN.to_owned(),
        kind: FeedKind::Stdin,
        line_bytes_max: STDIN_LINE_BYTES_MAX,
    });
    Ok(())
}

/// Waits for a signal, for ever where none is wanted.
async fn heard(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}

/// Everything acknowledged is durable, so that leaving is all there is to do.
fn at_once() -> ExitCode {
    warn!("stopped at once; the next start goes on from the last commit");
    std::process::exit(1)
}
