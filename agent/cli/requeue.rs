//! `logsmith requeue`: folds objects of the quarantine after all.

use std::process::ExitCode;

use super::{ConfigArg, central_config};
use crate::clock::SystemClock;
use crate::compact::{self, Requeued};
use crate::text::{Shown, ShownLines};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Objects by their names below the lake, or folders of them: quarantine/TABLE/HOST/
    #[arg(required = true)]
    objects: Vec<String>,
    #[command(flatten)]
    config: ConfigArg,
}

pub(super) async fn main(args: &Args) -> anyhow::Result<ExitCode> {
    let config = central_config(&args.config.config)?;
    let (mut refused, mut objects) = (false, Vec::new());
    for named in &args.objects {
        if named.ends_with(".parquet") {
            objects.push(named.clone());
        } else {
            objects.extend(compact::in_quarantine(&config, named).await?);
        }
    }
    for object in &objects {
        let outcome = compact::requeue(&config, object, &SystemClock).await?;
        println!("{}: {}", Shown(object), ShownLines(&outcome));
        refused |= matches!(outcome, Requeued::Refused(_));
    }
    Ok(if refused { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
