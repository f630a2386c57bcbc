//! Notes beside the tables for `logsmith status`: that a pipeline holds, that something new was not taken. They are hints
//! for people: nothing reads them to decide, and a start takes them away.

use std::fs;
use std::path::{Path, PathBuf};

use tracing::warn;

use crate::state::{folder, replaced_name};

/// What a note is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum About {
    /// A pipeline that holds.
    Held,
    /// A Silver table of which nothing is put.
    Unput,
    /// Plugins, or a configuration, that are there and were not taken.
    Refused,
}

impl About {
    fn file(self, state_dir: &Path, name: &str) -> PathBuf {
        let folder = match self {
            Self::Held => folder::HELD,
            Self::Unput => folder::UNPUT,
            Self::Refused => folder::REFUSED,
        };
        state_dir.join(folder).join(name)
    }
}

/// No pipeline has this name.
pub(super) const CONFIGURATION: &str = "edge.toml";

/// Where one note lies, and what stands in it.
#[derive(Debug)]
pub(super) struct Note {
    file: PathBuf,
    text: Option<String>,
}

/// Whether a note says what the one before did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Noted {
    New,
    Again,
}

impl Note {
    /// On the pipeline, the folder of a Silver table, or the [`CONFIGURATION`], `name`; one that a process before left is taken away.
    pub(super) fn new(about: About, state_dir: &Path, name: &str) -> Self {
        let mut note = Self { file: about.file(state_dir, name), text: Some(String::new()) };
        note.clear();
        note
    }

    /// Writes the reason.
    pub(super) fn note(&mut self, reason: &str) -> Noted {
        if self.text.as_deref() == Some(reason) {
            return Noted::Again;
        }
        let folder = self.file.parent().unwrap_or(Path::new("/"));
        if let Err(error) = fs::create_dir_all(folder).and_then(|()| fs::write(&self.file, reason)) {
            warn!(%error, file = %self.file.display(), "cannot leave a note for `status`");
        }
        self.text = Some(reason.to_owned());
        Noted::New
    }

    /// Whether it is there.
    pub(super) fn is_there(&self) -> bool {
        self.text.is_some()
    }

    /// It is over.
    pub(super) fn clear(&mut self) {
        if self.text.take().is_some() {
            // Not there is as good.
            let _ = fs::remove_file(&self.file);
        }
    }
}

/// Why `pipeline` held when its agent last tried, if it did.
pub fn held_reason(state_dir: &Path, pipeline: &str) -> Option<String> {
    fs::read_to_string(About::Held.file(state_dir, pipeline)).ok()
}

/// Why nothing of what `pipeline` made is put, if there is a reason: of its table, or of one that was replaced.
pub fn unput_reason(state_dir: &Path, pipeline: &str) -> Option<String> {
    let notes = fs::read_dir(state_dir.join(folder::UNPUT)).ok()?.flatten();
    let names = notes.filter_map(|note| note.file_name().into_string().ok());
    let mut names: Vec<String> =
        names.filter(|name| name == pipeline || replaced_name(name) == Some(pipeline)).collect();
    names.sort();
    names.iter().find_map(|name| fs::read_to_string(About::Unput.file(state_dir, name)).ok())
}

/// Why the plugins that are configured for `pipeline` now are not those that run, if they are not.
pub fn refused_reason(state_dir: &Path, pipeline: &str) -> Option<String> {
    fs::read_to_string(About::Refused.file(state_dir, pipeline)).ok()
}

/// What of the configuration the running agent has not taken, if there is such.
pub fn refused_configuration(state_dir: &Path) -> Option<String> {
    refused_reason(state_dir, CONFIGURATION)
}
