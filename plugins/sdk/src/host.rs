//! What a plugin may ask of the host. In a native test messages go to stderr, and counts nowhere.

/// How important a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// For whoever looks for a mistake.
    Debug,
    /// Worth knowing.
    Info,
    /// Something is not as it should be.
    Warn,
    /// Something failed.
    Error,
}

/// Writes a message to the agent's log, for whoever runs the plugin; what is wrong with a row is said by its
/// [`Reject`](crate::Reject). The host cuts long ones, and keeps only the first of many in a batch.
///
/// ```
/// use logsmith_plugin::{Level, log};
///
/// log(Level::Warn, "the list of countries is older than a year");
/// ```
pub fn log(level: Level, message: &str) {
    #[cfg(target_arch = "wasm32")]
    crate::guest::log(level, message);
    #[cfg(not(target_arch = "wasm32"))]
    eprintln!("{level:?}: {message}");
}

/// Adds to a counter of this plugin. Each call leaves the plugin: sum up what happens in every row.
///
/// ```
/// use logsmith_plugin::count;
///
/// count("times_unreadable", 1);
/// ```
pub fn count(name: &str, by: u64) {
    #[cfg(target_arch = "wasm32")]
    crate::guest::count(name, by);
    #[cfg(not(target_arch = "wasm32"))]
    let _ = (name, by);
}
