//! `logsmith compact`: the central job.

use std::process::ExitCode;
use std::time::Duration;

use tracing::{info, warn};

use super::{ConfigArg, central_config};
use crate::central;
use crate::clock::SystemClock;
use crate::text::ShownLines;

/// Passes in quicker succession than this would only list the landing.
const INTERVAL_MIN: Duration = Duration::from_millis(50);

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    config: ConfigArg,
    /// Go on for ever, a pass each this long (`60s`, `5min`).
    #[arg(long, value_parser = interval, value_name = "TIME")]
    every: Option<Duration>,
}

fn interval(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(interval) if interval >= INTERVAL_MIN => Ok(interval),
        Ok(_) => Err(format!("write at least {INTERVAL_MIN:?}")),
        Err(error) => Err(error.to_string()),
    }
}

pub(super) async fn main(args: Args) -> anyhow::Result<ExitCode> {
    let config = central_config(&args.config.config)?;
    let Some(interval) = args.every else {
        let report = central::run_once(&config, &SystemClock).await?;
        println!("{}", ShownLines(&report));
        return Ok(if report.is_whole() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    };
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    let mut interrupt = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt())?;
    let stop = async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    let tell = |pass: Result<_, _>| match pass {
        Ok(report) => info!("{report}"),
        Err(error) => warn!(%error, "pass failed, trying again"),
    };
    central::run_every(&config, &SystemClock, interval, stop, tell).await;
    Ok(ExitCode::SUCCESS)
}
