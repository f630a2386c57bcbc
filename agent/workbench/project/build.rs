//! A project to a component.

use std::path::{Path, PathBuf};
use std::{fs, io};

use super::stage::Stage;
use super::{Language, c, rust, script};

/// Why there is no component.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The folder holds no project.
    #[error(
        "{0} holds no plugin: it has no Cargo.toml, plugin.js, plugin.py or plugin.c; `logsmith plugin new NAME` makes a \
         project"
    )]
    NoProject(PathBuf),
    /// A program cannot be run.
    #[error("cannot run {program}: {reason}; {advice}")]
    Program {
        /// Which program.
        program: String,
        /// Why not.
        reason: String,
        /// What to install.
        advice: &'static str,
    },
    /// Nothing here compiles Rust for plugins.
    #[error(
        "this machine's Rust cannot compile for {target}. Run\n    rustup target add {target}\nor, where rustup cannot fetch \
         it (Debian and its kin, 150 MB, made of packages by apt),\n    logsmith plugin build --fetch-compiler",
        target = rust::TARGET
    )]
    NoTarget,
    /// The compiler has no linker for components.
    #[error(
        "there is no {linker} in {0}: this Rust is too old, or not rustup's; run `rustup update`",
        linker = rust::LINKER
    )]
    NoLinker(PathBuf),
    /// There is no folder to keep tools in.
    #[error("there is no folder to keep the tools in that build plugins: set HOME")]
    NoCache,
    /// A program failed; its words were shown.
    #[error("{0} failed")]
    Failed(String),
    /// The project makes no component.
    #[error(
        "{manifest}: nothing was built that could be a plugin: write crate-type = [\"cdylib\"] below [lib]"
    )]
    NoArtifact {
        /// The project's manifest.
        manifest: PathBuf,
    },
    /// What was compiled cannot be a plugin.
    #[error(
        "what was compiled is no plugin: {0}; a plugin has no files, no clock and no output, such as printf's"
    )]
    NoPlugin(String),
    /// A file cannot be read or written.
    #[error("cannot {operation} {path}: {source}")]
    Io {
        /// What was tried.
        operation: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

impl BuildError {
    /// The error of an operation on a file.
    pub(super) fn io(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { operation, path: path.to_owned(), source }
    }
}

/// What to do where this machine's compiler of Rust has no standard library for plugins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Fetch one.
    Fetch,
    /// Say so.
    Refuse,
}

/// Builds the project at `folder`, optimised, and returns where its component lies: in its folder `dist`. A tool that a
/// language needs besides is installed at first use, and kept in the user's cache folder.
///
/// # Errors
/// See [`BuildError`]. What compilers have to say stands on standard error.
pub fn build(folder: &Path, missing: Missing) -> Result<PathBuf, BuildError> {
    let no_project = || BuildError::NoProject(folder.to_owned());
    let folder = folder.canonicalize().map_err(|_| no_project())?;
    let language = Language::of(&folder).ok_or_else(no_project)?;
    let named = |name: &str| folder.join("dist").join(name).with_extension("wasm");
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    match language {
        Language::Rust => {
            let built = rust::build(&folder, missing)?;
            let name = built.file_stem().unwrap_or_default().to_string_lossy();
            place(&built, named(&name))
        }
        Language::Js => place(&script::javascript(&Stage::of(&folder, &["js"])?)?, named(&name)),
        Language::Python => place(&script::python(&Stage::of(&folder, &["py"])?)?, named(&name)),
        Language::C => place(&c::build(&Stage::of(&folder, &["c", "h"])?)?, named(&name)),
    }
}

/// What this machine lacks to build a project in this language, in words; nothing if all is there.
pub fn lacking(language: Language) -> Option<String> {
    let found = match language {
        Language::Rust => rust::check(),
        Language::Js => script::QJS.check(),
        Language::Python => script::PY.check(),
        Language::C => c::ZIG.check(),
    };
    found.err().map(|error| error.to_string())
}

/// Puts a component to its place: an agent that looks there sees the old one or the new one.
fn place(built: &Path, component: PathBuf) -> Result<PathBuf, BuildError> {
    let part = component.with_file_name(".component.part");
    let put = || {
        fs::create_dir_all(component.parent().unwrap_or(Path::new(".")))?;
        fs::copy(built, &part)?;
        fs::rename(&part, &component)
    };
    put().map_err(BuildError::io("write", &component))?;
    Ok(component)
}
