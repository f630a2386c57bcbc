//! What is laid down on a host that runs logsmith as a service, and taken up again: the binary, its units, manual pages and
//! completions, a sample of the configuration, the user that it runs as, and the folders that it needs.
//!
//! Packages are made of the same files. What is the operator's, configuration and state, is never overwritten and never
//! taken away.

mod apply;
mod layout;
mod user;

pub use apply::{Done, Mode, Step, install, uninstall};
pub use layout::{File, files};

use std::io;
use std::path::{Path, PathBuf};

/// What a host is to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The agent, of any host: `logsmith run`.
    Agent,
    /// The central job, of one: `logsmith-central compact`. It has a binary, a user and keys of its own, so that an agent
    /// beside it can do nothing of what it can.
    #[cfg(feature = "central")]
    Central,
}

impl Role {
    /// The name of the binary, of the user, of the units, and of the folders.
    pub fn name(self) -> &'static str {
        match self {
            Self::Agent => "logsmith",
            #[cfg(feature = "central")]
            Self::Central => "logsmith-central",
        }
    }

    /// What it reads on a host: the groups that its user is in.
    fn groups(self) -> &'static [&'static str] {
        match self {
            Self::Agent => &["adm", "systemd-journal"],
            #[cfg(feature = "central")]
            Self::Central => &[],
        }
    }
}

/// Where it goes.
#[derive(Clone, Debug)]
pub struct Target {
    /// The file system: `/`, or a folder in its place.
    pub root: PathBuf,
    /// Where programs lie in it, absolute: `/usr` for a package, `/usr/local` for what no package brings.
    pub prefix: PathBuf,
}

impl Target {
    /// Where a path of the file system is found.
    fn place(&self, path: &Path) -> PathBuf {
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// Whether it is the file system that runs.
    fn is_running(&self) -> bool {
        self.root == Path::new("/")
    }
}

/// Why something could not be laid down or taken up. What was done before stays done; the same command goes on.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// A file or a folder.
    #[error("cannot {doing} {}", .path.display())]
    File {
        /// What was tried.
        doing: &'static str,
        /// Of what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Another program.
    #[error("`{command}` failed: {reason}")]
    Command {
        /// As it was called.
        command: String,
        /// What it said.
        reason: String,
    },
}
