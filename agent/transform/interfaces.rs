//! What a component says of itself before it is opened.

use super::engine::Engine;
use super::error::PluginError;
use super::limits::Limits;
use super::plugin::load;
use super::source::{PluginSource, Sha256};

/// A plugin as it lies there: no configuration, no columns yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interfaces {
    /// The component's size.
    pub bytes: u64,
    /// Its hash.
    pub sha256: Sha256,
    /// What it wants of the host, with versions.
    pub imports: Vec<String>,
    /// What it offers, with versions.
    pub exports: Vec<String>,
}

impl Interfaces {
    /// Reads and compiles a component.
    ///
    /// # Errors
    /// It cannot be read, or is no plugin.
    pub fn read(engine: &Engine, source: &PluginSource) -> Result<Self, PluginError> {
        let (bytes, sha256) = source.read(&Limits::default())?;
        let pre = load(engine, &source.to_string(), &bytes, sha256)?;
        let types = pre.instance_pre().component().component_type();
        let wasmtime = pre.engine();
        Ok(Self {
            bytes: bytes.len() as u64,
            sha256,
            imports: types.imports(wasmtime).map(|(name, _)| name.to_owned()).collect(),
            exports: types.exports(wasmtime).map(|(name, _)| name.to_owned()).collect(),
        })
    }
}
