//! `logsmith fresh`: sets a state folder aside.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, bail};

use super::{ConfigArg, local_config};
use crate::clock::{Clock, SystemClock};
use crate::lock::{self, FolderLock, Locked};
use crate::store;
use crate::text::Shown;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    config: ConfigArg,
}

pub(super) fn main(args: &Args) -> anyhow::Result<ExitCode> {
    let folder = local_config(&args.config.config)?.state_dir;
    if !folder.is_dir() {
        println!("{} is not there yet; there is nothing to set aside.", Shown(folder.display()));
        return Ok(ExitCode::SUCCESS);
    }
    // Nobody holds a lock on what is no file.
    let is_free = lock::file(&folder).is_dir();
    let lock = (!is_free).then(|| FolderLock::acquire(&folder)).transpose()?;
    if matches!(lock, Some(Locked::Taken)) {
        bail!("{}: a logsmith runs on this state folder; stop it first", folder.display());
    }
    let mut aside = folder.clone().into_os_string();
    aside.push(format!(".aside-{}", SystemClock.now().millis()));
    store::rename_folder(&folder, Path::new(&aside))
        .with_context(|| format!("cannot rename {} to {}", folder.display(), aside.display()))?;
    println!(
        "{} was set aside as {}.\nThe next start begins anew: files are read from where `start_at` says, so lines that \
         were shipped before and still stand in them are shipped again, as a new stream.",
        Shown(folder.display()),
        Shown(aside.display())
    );
    Ok(ExitCode::SUCCESS)
}
