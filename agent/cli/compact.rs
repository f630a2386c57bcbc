//! `logsmith compact`: the central job.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tracing::{info, warn};

use super::{ConfigArg, central_config};
use crate::central::{self, Event, Metrics};
use crate::clock::{Clock, SystemClock};
use crate::metrics::Endpoint;
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
    let (metrics, registry) = Metrics::new();
    // Ends with this function.
    let mut served = tokio::task::JoinSet::new();
    if let Some(address) = &config.running.metrics {
        let endpoint = Endpoint::bind(address).await?;
        info!("metrics on {}", endpoint.address());
        served.spawn(endpoint.serve(Arc::new(registry), metrics.health()));
    }
    let tell = |event: Event| {
        metrics.note(&event, SystemClock.now());
        match event {
            Event::Standby { holder } => info!("standing by: the lease is with {holder}"),
            Event::Leads => info!("the lease is ours"),
            Event::Passed { result: Ok(report), .. } => info!("{report}"),
            Event::Passed { result: Err(error), .. } => warn!(%error, "pass failed, trying again"),
        }
    };
    central::run_every(&config, &SystemClock, interval, stop, tell).await;
    Ok(ExitCode::SUCCESS)
}
