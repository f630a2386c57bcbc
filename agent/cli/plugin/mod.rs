//! `logsmith plugin`: what plugin authors work with; one file a subcommand, each thin.

mod bench;
mod build;
mod diff;
mod inspect;
mod new;
mod run;
mod test;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use serde_json::Value;

use super::read_config;
use crate::clock::{Clock, SystemClock};
use crate::text::Shown;
use crate::transform::{CacheFolder, Engine, PluginSource};
use crate::workbench::project::user_cache;
use crate::workbench::trial::Origin;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Begin a plugin: a folder with a sample, a test and all that it takes to build it.
    New(new::Args),
    /// Build a plugin's component.
    Build(build::Args),
    /// Run a plugin's fixtures, as the agent would run the plugin.
    Test(test::Args),
    /// Print the rows that a plugin makes of a file.
    Run(run::Args),
    /// Tell what a component is, wants and writes.
    Inspect(inspect::Args),
    /// Tell of which lines two plugins make something else.
    Diff(diff::Args),
    /// Tell what a plugin costs on the lines of a file, and where.
    Bench(bench::Args),
}

pub(super) fn main(args: &Args) -> anyhow::Result<ExitCode> {
    match &args.command {
        Command::New(args) => new::main(args),
        Command::Build(args) => build::main(args),
        Command::Test(args) => test::main(args),
        Command::Run(args) => run::main(args),
        Command::Inspect(args) => inspect::main(args),
        Command::Diff(args) => diff::main(args),
        Command::Bench(args) => bench::main(args),
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

    fn built(&self, folder: &Path) -> anyhow::Result<PathBuf> {
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

/// The option that configures a plugin.
#[derive(Clone, Debug, clap::Args)]
struct ConfigValue {
    /// The plugin's configuration: JSON, or `@FILE` with JSON or TOML in it.
    #[arg(long, value_name = "JSON")]
    config: Option<String>,
}

impl ConfigValue {
    /// The configuration; an empty one if none was given.
    ///
    /// # Errors
    /// It is no JSON and no TOML, or the file cannot be read.
    fn value(&self) -> anyhow::Result<Value> {
        let Some(text) = &self.config else { return Ok(Value::Object(serde_json::Map::new())) };
        let Some(file) = text.strip_prefix('@') else {
            return serde_json::from_str(text).context("--config is no JSON; write '{\"key\": 1}' or @FILE");
        };
        let file = Path::new(file);
        let text = read_config(file)?;
        let is_toml = file.extension().is_some_and(|extension| extension == "toml");
        match is_toml {
            true => toml::from_str(&text).with_context(|| format!("{} is no TOML", file.display())),
            false => serde_json::from_str(&text).with_context(|| format!("{} is no JSON", file.display())),
        }
    }
}

/// Lines of a file that are read now.
fn origin(file: &Path) -> Origin {
    Origin { path: file.display().to_string(), ingested_at: SystemClock.now(), offset: 0 }
}

/// Characters of a line that are shown.
const EXCERPT_CHARS_MAX: usize = 300;

/// The beginning of a line, for a terminal.
fn excerpt(line: &str) -> Shown<String> {
    let mut chars = line.chars();
    let mut excerpt: String = chars.by_ref().take(EXCERPT_CHARS_MAX).collect();
    if chars.next().is_some() {
        excerpt.push('…');
    }
    Shown(excerpt)
}

/// Of compiled plugins, in the user's cache folder.
const CACHE_BYTES_MAX: u64 = 1 << 30;

/// An engine that keeps what it compiled in the user's cache folder: a plugin that carries an interpreter takes seconds.
fn engine() -> anyhow::Result<Engine> {
    let cache = user_cache().map(|cache| cache.join("compiled"));
    let cache = cache.as_deref().map(|path| CacheFolder { path, bytes_max: CACHE_BYTES_MAX });
    Ok(Engine::try_new(cache)?)
}
