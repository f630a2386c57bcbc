//! The central job's configuration.

use crate::store::{Place, StoreOptions};

/// What `logsmith compact` and `logsmith query` work on, checked.
#[derive(Clone, Debug)]
pub struct Central {
    /// The lake: `landing/`, `silver/`, `gold/` and `quarantine/` lie below.
    pub place: Place,
    /// Options of the store, as written.
    pub options: StoreOptions,
    /// The Gold tables to keep.
    pub views: Vec<View>,
}

/// A Gold table, defined by SQL over fleet Silver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// The name of the Gold table: letters, digits and `_`.
    pub name: String,
    /// A grouping query over one fleet Silver table.
    pub sql: String,
    /// Into how many partitions groups without a time window are hashed; 1 for few groups.
    pub hash_partitions: u32,
}
