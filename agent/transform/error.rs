//! Why a plugin cannot be used.

use std::path::PathBuf;

use super::source::Sha256;
use crate::secrets::Secrets;

/// Why a plugin cannot be used. `plugin` is what the configuration calls it.
///
/// [`Broken`](Self::Broken), [`TooManyRejects`](Self::TooManyRejects) and [`OutputTooLarge`](Self::OutputTooLarge) come
/// from applying a plugin: the pipeline holds, and no row is lost. All others come from loading it.
#[derive(Debug, thiserror::Error)]
pub enum PluginError {
    /// The engine that runs plugins does not start.
    #[error("cannot start the WebAssembly engine")]
    Engine(#[source] wasmtime_error::Boxed),
    /// A pipeline without plugins.
    #[error("a pipeline needs a plugin, such as builtin:json")]
    NoPlugins,
    /// Plugins that write nothing.
    #[error(
        "the plugins of this pipeline write no column: one must make columns of the lines, such as builtin:json"
    )]
    NoColumns,
    /// There is no built-in plugin of this name.
    #[error("there is no built-in plugin `{name}`, only: {known}")]
    UnknownBuiltin {
        /// What was asked for.
        name: String,
        /// The names that exist.
        known: String,
    },
    /// A built-in plugin's name stands where a file would, and there is no such file.
    #[error("there is no file {path}: the built-in plugin is written `builtin:{name}`")]
    BareBuiltin {
        /// What was read as a path.
        path: PathBuf,
        /// The built-in plugin.
        name: &'static str,
    },
    /// The file cannot be read.
    #[error("cannot read the plugin {path}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The file is larger than a component may be.
    #[error("the plugin {path} has {bytes} bytes, more than the limit of {bytes_max}")]
    FileTooLarge {
        /// Which file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
        /// The limit.
        bytes_max: u64,
    },
    /// The file is not the one that the configuration pins.
    #[error("the plugin {path} has sha256 {actual}, but the configuration wants {expected}")]
    WrongSha256 {
        /// Which file.
        path: PathBuf,
        /// From the configuration.
        expected: Sha256,
        /// Of the file.
        actual: Sha256,
    },
    /// Compiled machine code, which could do anything.
    #[error(
        "{plugin} is compiled machine code (a .cwasm file), which is never run: name the .wasm component itself"
    )]
    Precompiled {
        /// Which plugin.
        plugin: String,
    },
    /// Not WebAssembly at all.
    #[error("{plugin} is not WebAssembly")]
    NotWasm {
        /// Which plugin.
        plugin: String,
    },
    /// WebAssembly, but not a component.
    #[error(
        "{plugin} is a core module, not a component: build it with the linker `wasm-component-ld`, or wrap it with \
         `wasm-tools component new`"
    )]
    CoreModule {
        /// Which plugin.
        plugin: String,
    },
    /// A component that cannot be compiled.
    #[error("{plugin} cannot be compiled")]
    Compile {
        /// Which plugin.
        plugin: String,
        /// Why not.
        source: wasmtime_error::Boxed,
    },
    /// A component that wants more of the host than a plugin gets.
    #[error(
        "{plugin} imports `{import}`, which no plugin gets: a plugin may import `{offered}` and nothing else"
    )]
    Import {
        /// Which plugin.
        plugin: String,
        /// What it wants.
        import: String,
        /// What there is.
        offered: &'static str,
    },
    /// A component of another world.
    #[error("{plugin} does not export `{wanted}`, but: {found}")]
    Export {
        /// Which plugin.
        plugin: String,
        /// What a plugin exports.
        wanted: &'static str,
        /// What this one exports.
        found: String,
    },
    /// A component whose imports or exports have the right names and other types.
    #[error("{plugin} was built for other types than those of logsmith:transform@0.1.0")]
    World {
        /// Which plugin.
        plugin: String,
        /// Where they differ.
        source: wasmtime_error::Boxed,
    },
    /// The plugin refuses its configuration.
    #[error("{plugin} refuses its configuration: {reason}")]
    Config {
        /// Which plugin.
        plugin: String,
        /// In the plugin's words.
        reason: String,
    },
    /// The plugin cannot read its input.
    #[error("{plugin} cannot read its input: {reason}")]
    Input {
        /// Which plugin.
        plugin: String,
        /// In the plugin's words, or in ours.
        reason: String,
    },
    /// The plugin does not open.
    #[error("{plugin} does not open: {reason}")]
    Open {
        /// Which plugin.
        plugin: String,
        /// Its panic, its deadline, its words.
        reason: String,
    },
    /// What the plugin wants to write cannot be a table.
    #[error("{plugin} plans what cannot be: {reason}")]
    Plan {
        /// Which plugin.
        plugin: String,
        /// What cannot be.
        reason: String,
    },
    /// Not one row of a batch passes.
    #[error("{plugin} is broken: not one of {rows} rows passes; the first fails with: {reason}")]
    Broken {
        /// Which plugin.
        plugin: String,
        /// The rows of the batch.
        rows: usize,
        /// Why the first fails.
        reason: String,
    },
    /// More lines of a minute are dead than the configuration allows.
    #[error(
        "{plugin} is broken: it rejects {rejects} lines within a minute, of at most {rejects_max}; one of them with: {reason}"
    )]
    TooManyRejects {
        /// Which plugin.
        plugin: String,
        /// The lines that it finds dead.
        rejects: u64,
        /// The limit.
        rejects_max: u64,
        /// Why one of them is dead.
        reason: String,
    },
    /// The answers to one batch hold more than they may.
    #[error("{plugin} answers one batch with more than {bytes_max} bytes")]
    OutputTooLarge {
        /// Which plugin.
        plugin: String,
        /// The limit.
        bytes_max: usize,
    },
    /// The input batch is not of the schema that the plugin was opened for.
    #[error("{plugin} was opened for another input: {reason}")]
    WrongBatch {
        /// Which plugin.
        plugin: String,
        /// What differs.
        reason: String,
    },
}

impl PluginError {
    /// The same, without secrets in the words of a plugin that does not open.
    pub(super) fn masked(mut self, secrets: &Secrets) -> Self {
        if let Self::Config { reason, .. }
        | Self::Input { reason, .. }
        | Self::Open { reason, .. }
        | Self::Plan { reason, .. } = &mut self
        {
            *reason = secrets.mask(reason);
        }
        self
    }
}

/// `wasmtime::Error` is no `std::error::Error`; boxed it is.
pub(super) mod wasmtime_error {
    /// Any error.
    pub type Boxed = Box<dyn std::error::Error + Send + Sync>;
}
