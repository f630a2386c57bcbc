//! From log files on a host to Gold tables in object storage, each line exactly once.
//!
//! ```text
//! log files ──tail──▶ bronze ──transform──▶ silver + dead letters ──sync──▶ landing ──compact──▶ silver ──▶ gold ──query
//! └──────────────── on every host: `logsmith run` ────────────────┘          └── central: `logsmith compact` ──┘
//! ```
//!
//! Invariants of the whole:
//! - Every hop reads its cursor from its output, reads the input after it, and commits the rows together
//!   with the new cursor in one Delta commit. There is no other record of progress.
//! - A cursor names the table that it counts. Where that is another one than the one present, the hop refuses.
//! - A local write is durable before it is acknowledged: data first, the log entry last, both create-only.
//! - Every line that a plugin saw ends as rows, as dropped on purpose, or as a dead letter with its reason.
//! - No host reads from the central store; `compact` and `gold` never run on a host.
//! - Nothing is removed that a consumer has not yet committed to have read.
//!
//! A stage knows `table`, `store` and the output of the stage before it; only `edge` and `central` see several.

pub mod backoff;
pub mod bronze;
#[cfg(feature = "central")]
pub mod central;
pub mod cli;
pub mod clock;
#[cfg(feature = "central")]
pub mod compact;
pub mod config;
pub mod edge;
pub mod failpoint;
pub mod feed;
pub mod generate;
#[cfg(feature = "central")]
pub mod gold;
pub mod install;
pub mod lock;
pub mod logging;
pub mod memory;
pub mod metrics;
pub mod pulse;
#[cfg(feature = "central")]
pub mod query;
pub mod seal;
pub mod secrets;
pub mod shutdown;
pub mod silver;
pub mod state;
pub mod store;
pub mod sync;
pub mod systemd;
pub mod table;
pub mod tail;
pub mod text;
pub mod transform;
pub mod workbench;
