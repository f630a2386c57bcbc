//! Projects of plugin authors: made of a template and the sources of the language's SDK, built into a component.
//!
//! The SDKs are on no registry, so that a project brings its own along: the files that this binary was built beside. That
//! of Rust lies in the folder `sdk`, laid out as in the repository; what only the repository's own plugins need is left
//! out.

pub mod build;
mod c;
mod language;
mod name;
mod rust;
mod script;
mod sdk;
mod stage;
mod tools;

use std::path::{Path, PathBuf};
use std::{env, fs, io};

pub use language::Language;

/// Why there is no new project.
#[derive(Debug, thiserror::Error)]
pub enum NewError {
    /// The language has no place for a plugin of this name.
    #[error("`{name}` is no name for a plugin: {reason}")]
    Name {
        /// Which name.
        name: String,
        /// Why not, and what to write.
        reason: String,
    },
    /// Something is there already.
    #[error("{0} is there already")]
    Exists(PathBuf),
    /// A file cannot be written.
    #[error("cannot write {path}: {source}")]
    Write {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The SDK's manifest is not what it was, which is a fault of ours.
    #[error("the SDK's manifest cannot be read: {0}")]
    Manifest(String),
}

/// What stands for the plugin's name in a template.
const NAME: &str = "PLUGIN_NAME";

/// Makes a project at `folder`, which is named like the plugin and must not be there yet.
///
/// # Errors
/// See [`NewError`].
pub fn create(folder: &Path, language: Language) -> Result<(), NewError> {
    let name = folder.file_name().unwrap_or(folder.as_os_str()).to_string_lossy().into_owned();
    name::check(&name, language).map_err(|reason| NewError::Name { name: name.clone(), reason })?;
    if folder.symlink_metadata().is_ok() {
        return Err(NewError::Exists(folder.to_owned()));
    }
    for (path, text) in language.files().iter().chain(&language::COMMON) {
        write(&folder.join(path), &text.replace(NAME, &name))?;
    }
    if language != Language::Rust {
        return Ok(());
    }
    let manifest = sdk::manifest().map_err(NewError::Manifest)?;
    write(&folder.join("sdk/plugins/Cargo.toml"), &manifest)?;
    for (path, text) in sdk::FILES {
        write(&folder.join("sdk").join(path), text)?;
    }
    Ok(())
}

/// The folder that is ours among what this user's programs keep for later, if the user has a home.
pub fn user_cache() -> Option<PathBuf> {
    let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|cache| cache.is_absolute());
    let cache = cache.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cache")));
    Some(cache?.join("logsmith"))
}

fn write(path: &Path, text: &str) -> Result<(), NewError> {
    let parent = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(parent)
        .and_then(|()| fs::write(path, text))
        .map_err(|source| NewError::Write { path: path.to_owned(), source })
}
