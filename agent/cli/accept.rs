//! `logsmith accept`: gives up objects that will not arrive.

use std::process::ExitCode;

use super::{ConfigArg, central_config};
use crate::central;
use crate::clock::SystemClock;
use crate::text::{Shown, ShownLines};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The stream that waits, as `compact` prints it: table/host/table-id.
    stream: String,
    #[command(flatten)]
    config: ConfigArg,
}

pub(super) async fn main(args: &Args) -> anyhow::Result<ExitCode> {
    let config = central_config(&args.config.config)?;
    let (gap, report) = central::accept(&config, &args.stream, &SystemClock).await?;
    println!("given up: {}\n{}", Shown(&gap), ShownLines(&report));
    Ok(if report.is_whole() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
