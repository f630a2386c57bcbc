//! Runs plugins over batches: Bronze rows in, Silver rows, drops and dead letters out.
//!
//! Invariants
//! - **Row conservation**: every input row is in the verdicts exactly once, as the source of output rows, as dropped
//!   on purpose, or as dead with a reason. An answer that breaks this is a fault, and no row of it is used.
//! - **Plugins are untrusted.** They get no WASI, nothing but `log` and `count`; memory, CPU time, and what crosses
//!   the boundary have limits; every byte that becomes an Arrow array is checked first.
//! - **State lives within one batch**: no instance sees two, and none is used after a fault.
//! - The same rows give the same answer on every host, but for rows that reach a limit of time.

mod bisect;
mod cache;
mod chain;
mod columns;
mod engine;
mod error;
mod executable;
mod instance;
mod interfaces;
mod limits;
mod linker;
mod meter;
mod owner;
mod plan;
mod plugin;
mod rejects;
mod rows;
mod source;
mod state;
mod verdict;
mod wit;

pub use cache::CacheFolder;
pub use chain::{Chain, ChainError, PluginSpec, Work};
pub use engine::{Engine, TICK};
pub use error::PluginError;
pub use interfaces::Interfaces;
pub use limits::Limits;
pub use meter::{Meter, Usage};
pub use owner::FileOwner;
pub use plan::{LINEAGE_COLUMNS, Rest};
pub use plugin::Plugin;
pub use rejects::RejectRates;
pub use source::{Fingerprint, NotSha256, PluginSource, Sha256};
pub use state::thread_cpu_time;
pub use verdict::{Dead, DeadKind, Verdicts};
