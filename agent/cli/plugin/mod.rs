//! `logsmith plugin`: what plugin authors work with; one file a subcommand, each thin.

mod test;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};

use crate::transform::{Engine, PluginSource};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Run a plugin's fixtures, as the agent would run the plugin.
    Test(test::Args),
}

pub(super) fn main(args: &Args) -> anyhow::Result<ExitCode> {
    match &args.command {
        Command::Test(args) => test::main(args),
    }
}

/// The argument that names a plugin.
#[derive(Clone, Debug, clap::Args)]
struct PluginArg {
    /// `builtin:NAME`, a component, or the folder of a plugin that was built.
    plugin: String,
}

/// The folder of a project, below its root, that its component is built into.
const DIST: &str = "dist";

impl PluginArg {
    /// Where the component is.
    ///
    /// # Errors
    /// A folder without a component, or with several.
    fn source(&self) -> anyhow::Result<PluginSource> {
        if let Some(name) = self.plugin.strip_prefix("builtin:") {
            return Ok(PluginSource::Builtin(name.to_owned()));
        }
        let path = PathBuf::from(&self.plugin);
        let path = if path.is_dir() { self.built(&path)? } else { path };
        Ok(PluginSource::File { path, sha256: None })
    }

    /// The project's folder, if that is what was named.
    fn folder(&self) -> Option<PathBuf> {
        Some(PathBuf::from(&self.plugin)).filter(|path| path.is_dir())
    }

    fn built(&self, folder: &std::path::Path) -> anyhow::Result<PathBuf> {
        let dist = folder.join(DIST);
        let mut components: Vec<PathBuf> = match std::fs::read_dir(&dist) {
            Ok(entries) => entries.filter_map(|entry| Some(entry.ok()?.path())).collect(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error).with_context(|| format!("cannot look into {}", dist.display())),
        };
        components.retain(|path| path.extension().is_some_and(|extension| extension == "wasm"));
        match components.as_slice() {
            [component] => Ok(component.clone()),
            [] => {
                bail!("{} has no component yet: run `logsmith plugin build {}`", dist.display(), self.plugin)
            }
            _ => bail!("{} has several components: name one of them", dist.display()),
        }
    }
}

/// An engine without a cache: nothing of an author's trials is kept.
fn engine() -> anyhow::Result<Engine> {
    Ok(Engine::try_new(None)?)
}
