//! Sees when the configuration or the file of a plugin changes, and offers pipelines what they are to run then.
//!
//! Of a changed configuration the plugins of pipelines that run are taken between two batches. With anything else all stages
//! start anew, in this process: cursors stand in the tables, so that nothing is lost or repeated. A configuration with
//! mistakes changes nothing; another host name or state folder needs a restart, and is told.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tracing::{error, info, warn};

use super::housekeeping::compiled_bytes_max;
use super::meters::HostMeters;
use super::notes::{About, CONFIGURATION, Note, Noted};
use super::offer::{Offer, Offers};
use super::settle::Settling;
use super::succession::Succession;
use super::{EdgeError, open_chains};
use crate::bronze;
use crate::config::{ConfigFiles, Edge, anew_for};
use crate::memory;
use crate::state::folder;
use crate::transform::{CacheFolder, Chain, Engine, PluginError, PluginSource, PluginSpec, Sha256};

/// How often files are looked at; one that two looks find alike is at rest.
const INTERVAL: Duration = Duration::from_secs(1);

/// What is watched.
#[derive(Debug)]
pub(super) struct Reload {
    /// The configuration that the agent was started with.
    written: ConfigFiles,
    settling: Settling,
    pipelines: Vec<Watched>,
    engine: Engine,
    state_dir: PathBuf,
    host: String,
    disk_budget_bytes: u64,
    succession: Succession,
}

/// The plugins of a pipeline, as they are wanted now.
#[derive(Debug)]
struct Watched {
    name: String,
    specs: Vec<PluginSpec>,
    files: Vec<Settling>,
    /// The components of those that were opened last.
    components: Vec<Sha256>,
    offers: Arc<Offers>,
}

impl Reload {
    /// Watches what `edge` was read from, and the files of its plugins as they stand: make this before these are opened.
    pub(super) fn new(edge: &Edge, engine: Engine, succession: Succession) -> Self {
        let watched = |pipeline: &crate::config::Pipeline| Watched {
            name: pipeline.name.clone(),
            specs: pipeline.plugins.clone(),
            files: files(&pipeline.plugins),
            components: Vec::new(),
            offers: Arc::default(),
        };
        Self {
            written: edge.written.clone(),
            settling: Settling::configuration(&edge.written.main.file),
            pipelines: edge.pipelines.iter().map(watched).collect(),
            engine,
            state_dir: edge.state_dir.clone(),
            host: edge.host.clone(),
            disk_budget_bytes: edge.disk_budget_bytes,
            succession,
        }
    }

    /// That pipelines, in their order, run these plugins now; of others nothing compiled is kept.
    pub(super) fn opened(&mut self, chains: &[Chain]) {
        for (pipeline, chain) in self.pipelines.iter_mut().zip(chains) {
            pipeline.components = components(chain);
        }
        self.forget_others();
    }

    fn forget_others(&self) {
        let components = self.pipelines.iter().flat_map(|pipeline| &pipeline.components).copied();
        self.engine.forget_others(&components.collect());
    }

    /// Where each pipeline finds what it is offered, in their order.
    pub(super) fn offers(&self) -> Vec<Arc<Offers>> {
        self.pipelines.iter().map(|pipeline| Arc::clone(&pipeline.offers)).collect()
    }

    /// Watches until it is stopped, and tells `host` whether all of the configuration is taken.
    pub(super) async fn run(mut self, host: HostMeters, mut stopped: watch::Receiver<bool>) {
        let mut note = Note::new(About::Refused, &self.state_dir, CONFIGURATION);
        loop {
            tokio::select! {
                () = tokio::time::sleep(INTERVAL) => {}
                _ = stopped.wait_for(|stopped| *stopped) => return,
            }
            tokio::task::block_in_place(|| self.look(&mut note));
            host.configuration_refused.set(note.is_there().into());
        }
    }

    fn look(&mut self, note: &mut Note) {
        let wanted = if self.settling.has_settled() { self.configured(note) } else { None };
        let mut has_opened = false;
        for pipeline in &mut self.pipelines {
            let mut has_changed = false;
            for file in &mut pipeline.files {
                has_changed |= file.has_settled();
            }
            let configured =
                wanted.iter().flat_map(|edge| &edge.pipelines).find(|it| it.name == pipeline.name);
            if let Some(configured) = configured.filter(|it| it.plugins != pipeline.specs) {
                pipeline.specs = configured.plugins.clone();
                pipeline.files = files(&pipeline.specs);
                has_changed = true;
            }
            if has_changed {
                let filling = || new_engine(&self.state_dir, self.disk_budget_bytes);
                let chain = open(&pipeline.specs, &self.engine, filling).map_err(|error| told(&error));
                if let Ok(chain) = &chain {
                    pipeline.components = components(chain);
                    has_opened = true;
                }
                pipeline.offers.make(Offer { specs: pipeline.specs.clone(), chain });
            }
        }
        if has_opened {
            self.forget_others();
        }
    }

    /// The configuration as it stands, where its plugins are all that can be taken of it now.
    fn configured(&self, note: &mut Note) -> Option<Edge> {
        let read = ConfigFiles::read(&self.written.main.file).map_err(|error| error.to_string());
        let parsed = read.and_then(|written| Edge::parse(&written).map_err(|error| error.to_string()));
        let edge = match parsed {
            Ok(edge) => edge,
            Err(mistakes) => {
                if note.note(&mistakes) == Noted::New {
                    error!("the configuration has mistakes, and all stays as it is:\n{mistakes}");
                }
                return None;
            }
        };
        let others = anew_for(&self.written, &edge.written);
        let refusal = match self.succession.refusal(&edge.written) {
            Some(reason) => Some(reason.to_owned()),
            None if edge.host != self.host => Some("a restart is needed for another `host`".to_owned()),
            None if edge.state_dir != self.state_dir => {
                Some("a restart is needed for another `state_dir`".to_owned())
            }
            None if others.is_empty() => None,
            None => self.tried(&edge).err(),
        };
        if let Some(reason) = refusal {
            if note.note(&reason) == Noted::New {
                warn!("the configuration has changed, and is not taken: {reason}");
            }
            return None;
        }
        note.clear();
        if !others.is_empty() {
            info!("the configuration has changed, all starts anew for {}", others.join(", "));
            self.succession.name(edge);
            return None;
        }
        if edge.written != self.written {
            info!("the configuration was read again");
        }
        Some(edge)
    }

    /// Opens all plugins of a configuration, to see whether an agent could start with it.
    fn tried(&self, edge: &Edge) -> Result<(), String> {
        let engine = new_engine(&self.state_dir, self.disk_budget_bytes).map_err(|error| told(&error))?;
        let opened = open_chains(edge, &engine);
        memory::give_back();
        match opened {
            Err(EdgeError::Plugin { pipeline, source }) => {
                Err(format!("pipeline `{pipeline}`: {}", told(&source)))
            }
            Err(error) => Err(error.to_string()),
            Ok(_) => Ok(()),
        }
    }
}

/// An engine that keeps what it compiled in a state folder, within its share of the budget.
///
/// # Errors
/// The engine does not start.
pub(super) fn new_engine(state_dir: &Path, disk_budget_bytes: u64) -> Result<Engine, PluginError> {
    let path = &state_dir.join(folder::CACHE);
    Engine::try_new(Some(CacheFolder { path, bytes_max: compiled_bytes_max(disk_budget_bytes) }))
}

/// Opens plugins. An engine keeps what its compiler worked with for as long as it lives: one that fills the cache goes
/// first.
fn open(
    specs: &[PluginSpec],
    engine: &Engine,
    filling: impl Fn() -> Result<Engine, PluginError>,
) -> Result<Chain, PluginError> {
    let columns = bronze::columns();
    drop(Chain::open(&filling()?, specs, &columns)?);
    memory::give_back();
    Ok(Chain::open(engine, specs, &columns)?)
}

fn components(chain: &Chain) -> Vec<Sha256> {
    chain.fingerprints().map(|fingerprint| fingerprint.sha256).collect()
}

fn files(specs: &[PluginSpec]) -> Vec<Settling> {
    let file = |spec: &PluginSpec| match &spec.source {
        PluginSource::File { path, .. } => Some(Settling::taken(path)),
        PluginSource::Builtin(_) => None,
    };
    specs.iter().filter_map(file).collect()
}

/// An error and its causes.
fn told(error: &PluginError) -> String {
    let mut told = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        told = format!("{told}: {error}");
        cause = error.source();
    }
    told
}
