//! Options of an object store: what a configuration says, over what the environment says.

use std::collections::HashMap;
use std::fmt;

/// The option that names a file of certificates, in PEM, which are trusted beside those of the system: of a store
/// of one's own.
pub(super) const CA_FILE: &str = "ca_file";

/// Options of an object store by name, as `object_store` spells them (`aws_region`, `aws_endpoint`, ...), and `ca_file`. Some
/// are secrets: shown for debugging are names only.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct StoreOptions(HashMap<String, String>);

impl StoreOptions {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// These alone, in the order of their names; names in lower case.
    pub(super) fn own(&self) -> Vec<(String, String)> {
        let mut own: Vec<_> =
            self.0.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone())).collect();
        own.sort();
        own
    }
}

impl From<HashMap<String, String>> for StoreOptions {
    fn from(options: HashMap<String, String>) -> Self {
        Self(options)
    }
}

impl fmt::Debug for StoreOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// The standard environment variables of the store that `scheme` names, as options.
pub(super) fn of_environment(scheme: &str) -> Vec<(String, String)> {
    let prefix = match scheme {
        "s3" | "s3a" => "AWS_",
        "gs" => "GOOGLE_",
        _ => "AZURE_",
    };
    let standard = std::env::vars().filter(|(name, _)| name.starts_with(prefix));
    standard.map(|(name, value)| (name.to_ascii_lowercase(), value)).collect()
}

/// The file of certificates that the environment names for the store of `scheme`.
pub(super) fn ca_bundle(scheme: &str) -> Option<String> {
    let is_s3 = matches!(scheme, "s3" | "s3a");
    std::env::var("AWS_CA_BUNDLE").ok().filter(|file| is_s3 && !file.is_empty())
}
