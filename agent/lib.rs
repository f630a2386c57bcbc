//! From log files on a host to Gold tables in object storage, each line exactly once.

pub mod clock;
