//! A note beside the tables that a pipeline holds, for `logsmith status`. It is a hint for people: nothing reads it
//! to decide, and a start takes it away.

use std::fs;
use std::path::{Path, PathBuf};

use tracing::warn;

use crate::state::folder;
use crate::transform::PluginError;

/// Where the note of one pipeline lies, and whether it is there.
#[derive(Debug)]
pub(super) struct HeldNote {
    file: PathBuf,
    is_there: bool,
}

impl HeldNote {
    /// The note of `pipeline`; one that a process before left is taken away.
    pub(super) fn new(state_dir: &Path, pipeline: &str) -> Self {
        let mut note = Self { file: file(state_dir, pipeline), is_there: true };
        note.clear();
        note
    }

    /// Writes why the pipeline holds.
    pub(super) fn note(&mut self, reason: &PluginError) {
        let folder = self.file.parent().unwrap_or(Path::new("/"));
        match fs::create_dir_all(folder).and_then(|()| fs::write(&self.file, reason.to_string())) {
            Ok(()) => self.is_there = true,
            Err(error) => warn!(%error, "cannot note for `status` that the pipeline holds"),
        }
    }

    /// The pipeline goes on.
    pub(super) fn clear(&mut self) {
        if std::mem::take(&mut self.is_there) {
            // Not there is as good.
            let _ = fs::remove_file(&self.file);
        }
    }
}

/// Why `pipeline` held when its agent last tried, if it did.
pub fn held_reason(state_dir: &Path, pipeline: &str) -> Option<String> {
    fs::read_to_string(file(state_dir, pipeline)).ok()
}

fn file(state_dir: &Path, pipeline: &str) -> PathBuf {
    state_dir.join(folder::HELD).join(pipeline)
}
