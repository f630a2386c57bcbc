//! From log files on a host to Gold tables in object storage, each line exactly once.

#[cfg(feature = "central")]
pub mod central;
pub mod clock;
#[cfg(feature = "central")]
pub mod compact;
pub mod config;
pub mod failpoint;
#[cfg(feature = "central")]
pub mod gold;
#[cfg(feature = "central")]
pub mod query;
pub mod store;
pub mod sync;
pub mod table;
