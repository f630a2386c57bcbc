//! Why a state folder is refused, with the commands that settle it.

use std::path::PathBuf;

use crate::silver::open::OpenError;
use crate::store::{self, StoreError};
use crate::table::TableError;

/// Why a state folder is refused.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Another agent runs on the folder.
    #[error("{}: another logsmith runs on this state folder; stop it first, or give this one another `agent.state_dir`", .0.display())]
    Taken(PathBuf),
    /// The folder cannot be made or looked at.
    #[error("{}: {source}; the agent needs to create and write this folder", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// The system's words.
        source: std::io::Error,
    },
    /// The folder was copied or restored.
    #[error(
        "{}: this state folder is not the one that was written: {difference}.\n\
         If the folder was moved or restored, and the other one is gone for good: logsmith adopt -c CONFIG\n\
         If it is a copy of one that lives on: logsmith fresh -c CONFIG (sets it aside and begins anew)",
        folder.display()
    )]
    Foreign {
        /// The folder.
        folder: PathBuf,
        /// What tells the two apart.
        difference: String,
    },
    /// The host has another name than when the folder was begun.
    #[error(
        "{}: this state folder is that of host `{was}`, and this one is called `{now}`. \
         What it ships is numbered under the name that it has: write host = \"{was}\" below [agent] to go on,\n\
         or begin anew as `{now}`: logsmith fresh -c CONFIG (what still stands in the files is shipped again)",
        folder.display()
    )]
    Host {
        /// The folder.
        folder: PathBuf,
        /// The name under which it was begun.
        was: String,
        /// The name now.
        now: String,
    },
    /// A table is missing, or does not fit the others.
    #[error(
        "{}: {what}.\n\
         Put the missing folder back, or settle it:\n  \
         logsmith adopt -c CONFIG --missing replay   what fed it is read again: nothing is lost, lines may arrive twice\n  \
         logsmith adopt -c CONFIG --missing skip     what fed it is passed over: nothing arrives twice, lines may be lost\n  \
         logsmith fresh -c CONFIG                    sets the folder aside and begins anew",
        folder.display()
    )]
    Unfit {
        /// The folder.
        folder: PathBuf,
        /// What does not fit.
        what: String,
    },
    /// A file stands where a folder belongs, or a folder where a file does.
    #[error(
        "{}: this is a {is}, and a {due} belongs here.\n\
         Move it away, and start again. Where a table stood here, put that back, or settle that it is missing:\n  \
         logsmith adopt -c CONFIG --missing replay   what fed it is read again: nothing is lost, lines may arrive twice\n  \
         logsmith adopt -c CONFIG --missing skip     what fed it is passed over: nothing arrives twice, lines may be lost\n  \
         logsmith fresh -c CONFIG                    sets the whole state folder aside and begins anew",
        path.display()
    )]
    Misplaced {
        /// What stands there.
        path: PathBuf,
        /// What it is.
        is: &'static str,
        /// What belongs there.
        due: &'static str,
    },
    /// Data files of a table are not there.
    #[error(
        "{}: {files} data files are lost; the first is {first}.\n\
         Put them back, or settle it:\n  \
         logsmith adopt -c CONFIG --missing skip     gives up what was in them\n  \
         logsmith fresh -c CONFIG                    sets the folder aside and begins anew",
        folder.display()
    )]
    Lost {
        /// The table's folder.
        folder: PathBuf,
        /// How many.
        files: usize,
        /// The first of them, below the folder.
        first: String,
    },
    /// A Silver table cannot be taken up.
    #[error(transparent)]
    Silver(OpenError),
    /// A table cannot be read or written.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The folder's path cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl StateError {
    /// Whether it is about the room or the mode of a disk, which may change by itself.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Folder { source, .. } if store::is_passing(source))
    }
}
