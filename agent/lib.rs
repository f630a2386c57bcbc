//! From log files on a host to Gold tables in object storage, each line exactly once.

pub mod clock;
pub mod config;
pub mod store;
pub mod sync;
pub mod table;
