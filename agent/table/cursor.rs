//! Cursors: how far an output has consumed its input, kept in the output's own log.
//!
//! A cursor is a Delta `txn` action: an application id that names what is counted, and a number. It is
//! committed together with the rows that it accounts for. An application id stands at most once in a
//! commit, and none is ever removed; so there are few, and their names are fixed here.

use std::fmt;

use deltalake::kernel::{Action, Transaction};

/// A consumer that found nothing to do in this many versions commits its cursor all the same, so that log
/// clean-up, which stays below every cursor, can go on.
pub const IDLE_VERSIONS_MAX: u64 = 64;

/// What a cursor counts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Cursor {
    /// In Bronze: commits that moved file positions.
    Tail,
    /// In Silver: the last version consumed of the Bronze table with this id.
    Bronze(String),
    /// In Silver: landing objects made of its rows.
    Seq,
    /// In Silver: landing objects made of its dead letters.
    DeadLetterSeq,
    /// In Silver: the last version whose landing objects were all put.
    Sync,
    /// In the dead-letter table, and in a view's state: the last version consumed of the Silver table with this id.
    Silver(String),
    /// In a Gold table: the version of the state table (with this id) that it shows. In a view's state: the version
    /// consumed of the state (with this id) of the view that it reads.
    State(String),
    /// In fleet Silver: the last sequence number folded of a stream.
    Stream {
        /// The host, as the landing prefix names it.
        host: String,
        /// The id of the host's Silver table.
        table_id: String,
    },
    /// In fleet Silver: the digest of the last object folded of a stream, cut to 63 bits.
    StreamDigest {
        /// The host, as the landing prefix names it.
        host: String,
        /// The id of the host's Silver table.
        table_id: String,
    },
    /// In fleet Silver: an object with this digest was folded out of quarantine; the value is its number.
    Requeued(String),
    /// In a view's state that is counted from a Silver table (with this id) that was there before: how many of the data
    /// files of the version that it has come to are counted; negative once all are.
    Counted(String),
    /// In a view's state: 1 where it was emptied because another took its place.
    Retired,
    /// In fleet Silver: the days before this one, counted from 1970-01-01, were taken out when their time was over. In a
    /// view's state: they were too, or it never had all of their rows.
    Expired,
}

impl Cursor {
    /// The action that sets this cursor to `value`.
    pub fn at(&self, value: i64) -> Action {
        Action::Txn(Transaction::new(self.to_string(), value))
    }

    /// Whether an application id found in a log is a [`Cursor::Bronze`], and of which table.
    pub fn bronze_id(app_id: &str) -> Option<&str> {
        app_id.strip_prefix("bronze/")
    }

    /// Whether an application id found in a log is a [`Cursor::Stream`], and of which host.
    pub fn stream_host(app_id: &str) -> Option<&str> {
        app_id.strip_prefix("stream/")?.split_once('/').map(|(host, _)| host)
    }

    /// Whether an application id found in a log is a [`Cursor::Silver`], and of which table.
    pub fn silver_id(app_id: &str) -> Option<&str> {
        app_id.strip_prefix("silver/")
    }
}

impl fmt::Display for Cursor {
    /// The application id.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tail => f.write_str("tail"),
            Self::Bronze(id) => write!(f, "bronze/{id}"),
            Self::Seq => f.write_str("seq"),
            Self::DeadLetterSeq => f.write_str("seq/dead_letter"),
            Self::Sync => f.write_str("sync"),
            Self::Silver(id) => write!(f, "silver/{id}"),
            Self::State(id) => write!(f, "state/{id}"),
            Self::Stream { host, table_id } => write!(f, "stream/{host}/{table_id}"),
            Self::StreamDigest { host, table_id } => write!(f, "digest/{host}/{table_id}"),
            Self::Requeued(digest) => write!(f, "requeue/{digest}"),
            Self::Counted(id) => write!(f, "counted/{id}"),
            Self::Retired => f.write_str("retired"),
            Self::Expired => f.write_str("expired"),
        }
    }
}
