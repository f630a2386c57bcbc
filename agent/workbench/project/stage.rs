//! A copy of the sources of a project, which its component is made of.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use walkdir::{DirEntry, WalkDir};

use super::build::BuildError;

/// The boundary that plugins are built for.
pub(super) const WIT: &str = include_str!("../../../wit/0.1.0/transform.wit");
/// The world in it.
pub(super) const WORLD: &str = "plugin";

/// Folders of a project without sources of its component.
const OTHER_FOLDERS: [&str; 4] = ["dist", "tests", "node_modules", "__pycache__"];

/// Sources in a folder of their own: no path of this machine gets into a component, and links may lead anywhere.
pub(super) struct Stage {
    folder: TempDir,
    /// The sources, below [`sources`](Self::sources), in order.
    pub files: Vec<PathBuf>,
}

impl Stage {
    /// Copies the files with these extensions.
    pub fn of(project: &Path, extensions: &[&str]) -> Result<Self, BuildError> {
        let folder = tempfile::tempdir().map_err(BuildError::io("write", &std::env::temp_dir()))?;
        let mut stage = Self { folder, files: Vec::new() };
        let is_wanted = |entry: &DirEntry| {
            let name = entry.file_name().to_string_lossy();
            entry.depth() == 0 || !(name.starts_with('.') || OTHER_FOLDERS.contains(&name.as_ref()))
        };
        let walk = WalkDir::new(project).follow_links(true).sort_by_file_name().into_iter();
        for entry in walk.filter_entry(is_wanted) {
            let entry = entry.map_err(|error| BuildError::io("read", project)(error.into()))?;
            let extension = entry.path().extension().unwrap_or_default().to_string_lossy();
            if entry.file_type().is_file() && extensions.contains(&extension.as_ref()) {
                let path = entry.path().strip_prefix(project).unwrap_or(entry.path()).to_owned();
                copy(entry.path(), &stage.sources().join(&path))?;
                stage.files.push(path);
            }
        }
        let wit = stage.wit();
        fs::write(&wit, WIT).map_err(BuildError::io("write", &wit))?;
        Ok(stage)
    }

    /// The folder of the sources.
    pub fn sources(&self) -> PathBuf {
        self.folder.path().join("plugin")
    }

    /// The file of the boundary.
    pub fn wit(&self) -> PathBuf {
        self.folder.path().join("transform.wit")
    }

    /// Where the component is to be put.
    pub fn component(&self) -> PathBuf {
        self.folder.path().join("component.wasm")
    }
}

fn copy(from: &Path, to: &Path) -> Result<(), BuildError> {
    let folder = to.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).and_then(|()| fs::copy(from, to)).map_err(BuildError::io("copy", from))?;
    Ok(())
}
