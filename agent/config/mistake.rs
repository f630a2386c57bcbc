//! What is wrong in a configuration, and where.

use std::fmt;
use std::path::PathBuf;

use super::excerpt::Excerpt;
use crate::text::{Shown, ShownLines};

/// One mistake in a configuration file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The file.
    pub file: PathBuf,
    /// Line, from 1 on.
    pub line: usize,
    /// Column, from 1 on, in characters.
    pub column: usize,
    /// The key, written with dots and indexes: `pipeline[0].plugin`. Empty for the file as a whole.
    pub key: String,
    /// What is wrong and what to write.
    pub reason: String,
    /// The line, where it can be shown.
    pub(super) excerpt: Option<Excerpt>,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: ", Shown(self.file.display()), self.line, self.column)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", Shown(&self.key))?;
        }
        write!(f, "{}", ShownLines(&self.reason))?;
        match &self.excerpt {
            Some(excerpt) => write!(f, "\n{excerpt}"),
            None => Ok(()),
        }
    }
}

/// All mistakes of a configuration, each with the line in which it is.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct Mistakes(pub Vec<Mistake>);
