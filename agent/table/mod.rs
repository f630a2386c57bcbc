//! Delta tables as every hop uses them: snapshots, commits, cursors, data files, housekeeping.
//!
//! Invariants:
//! - A commit goes to exactly the version after the one that its cursors were read from. It is never
//!   rebased: who loses a race reads the cursors again and starts over.
//! - Data files are durable before the log entry that names them.
//! - [`cursor`] alone knows how a cursor is stored.
//!
//! The log format is the Delta transaction protocol, reader version 1 and writer version 2:
//! <https://github.com/delta-io/delta/blob/master/PROTOCOL.md>.

#[cfg(feature = "central")]
pub mod cleanup;
pub mod cursor;
pub mod datafile;
pub mod housekeeping;
pub mod local;
pub mod log;
#[cfg(feature = "central")]
pub mod scan;
pub mod schema;
pub mod snapshot;
pub mod verify;

use std::fmt;

use crate::store::{Place, StoreError};

pub use cursor::Cursor;
pub use datafile::{DataFile, DataFileWriter, Digest, Statistics};
pub use local::LocalTable;
pub use log::{Commit, Entry};
pub use snapshot::Snapshot;

/// The version of a Delta table: the number of a log entry, from 0 on.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(transparent)]
pub struct TableVersion(pub u64);

impl TableVersion {
    /// The version that the next commit makes.
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// The value of a cursor that counts versions.
    pub const fn as_cursor(self) -> i64 {
        self.0 as i64
    }
}

impl fmt::Display for TableVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why a table could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The log cannot be read as the Delta protocol says.
    #[error("{table}: cannot {operation}: {source}")]
    Delta {
        /// The table's address.
        table: String,
        /// What was being done.
        operation: &'static str,
        /// The reader's own words.
        source: Box<deltalake::DeltaTableError>,
    },
    /// A log entry that must be there is not.
    #[error("{table}: version {version} is missing from the log")]
    Gap {
        /// The table's address.
        table: String,
        /// The missing version.
        version: TableVersion,
    },
    /// A log entry is not what logsmith writes.
    #[error("{table}: version {version}: {reason}")]
    Entry {
        /// The table's address.
        table: String,
        /// The entry's version.
        version: TableVersion,
        /// What is wrong with it.
        reason: String,
    },
    /// The log of a local table is not whole.
    #[error(
        "{table}: {what} of version {version} is damaged: {reason}.\n\
         Put it back from a backup. Or move this folder away, and settle that it is missing:\n  \
         logsmith adopt -c CONFIG --missing replay   what fed it is read again: nothing is lost, lines may arrive twice\n  \
         logsmith adopt -c CONFIG --missing skip     what fed it is passed over: nothing arrives twice, lines may be lost\n  \
         logsmith fresh -c CONFIG                    sets the whole state folder aside and begins anew"
    )]
    Damaged {
        /// The table's address.
        table: String,
        /// The version.
        version: TableVersion,
        /// What of it.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// A data file of a local table cannot be read, or is not the one that was committed.
    #[error(
        "{file}: this data file is damaged: {reason}.\n\
         Put it back from a backup. Or move it away, and settle that it is lost:\n  \
         logsmith adopt -c CONFIG --missing skip     gives up what was in it\n  \
         logsmith fresh -c CONFIG                    sets the whole state folder aside and begins anew"
    )]
    DamagedFile {
        /// The file.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Rows could not be encoded or decoded as Parquet.
    #[error("{file}: cannot {operation} rows: {source}")]
    Parquet {
        /// The data file or table.
        file: String,
        /// `encode` or `decode`.
        operation: &'static str,
        /// The codec's own words.
        source: parquet::errors::ParquetError,
    },
    /// Columns have no counterpart in Delta.
    #[error("{table}: column types that Delta cannot keep: {source}")]
    Schema {
        /// The table's address.
        table: String,
        /// What could not be converted.
        source: arrow::error::ArrowError,
    },
    /// An earlier commit failed, so that the end of the log is unclear.
    #[error("{table}: an earlier commit failed; start again, so that the log is read afresh")]
    Poisoned {
        /// The table's address.
        table: String,
    },
    /// Another process wrote to a table that this process owns.
    #[error("{table}: version {version} was written by another process; only one agent may run on it")]
    Foreign {
        /// The table's address.
        table: String,
        /// The version that was taken.
        version: TableVersion,
    },
}

impl TableError {
    /// Something of the local table at `place` is damaged.
    pub fn damaged(place: &Place, version: TableVersion, what: &'static str, reason: String) -> Self {
        Self::Damaged { table: place.url().to_string(), version, what, reason }
    }

    /// The data file `path` of the local table at `place` is damaged.
    pub fn damaged_file(place: &Place, path: &str, reason: impl fmt::Display) -> Self {
        Self::DamagedFile { file: format!("{}{path}", place.url()), reason: reason.to_string() }
    }

    /// An entry of the local table at `place` is damaged.
    pub fn damaged_entry(place: &Place, version: TableVersion, reason: impl fmt::Display) -> Self {
        Self::damaged(place, version, "the log entry", reason.to_string())
    }

    /// An entry that a local table must have is not there.
    pub fn missing(place: &Place, version: TableVersion) -> Self {
        Self::damaged_entry(place, version, "it is missing")
    }
}
