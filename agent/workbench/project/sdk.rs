//! The SDK's sources, as they are in the repository.

macro_rules! files {
    ($($path:literal)*) => {
        &[$(($path, include_str!(concat!("../../../", $path)))),*]
    };
}

/// Each file with its path in the repository.
pub(super) const FILES: &[(&str, &str)] = files![
    "plugins/macros/Cargo.toml"
    "plugins/macros/src/lib.rs"
    "plugins/macros/src/attributes.rs"
    "plugins/macros/src/lifetimes.rs"
    "plugins/macros/src/record.rs"
    "plugins/macros/src/transform.rs"
    "plugins/macros/src/types.rs"
    "plugins/sdk/Cargo.toml"
    "plugins/sdk/src/build.rs"
    "plugins/sdk/src/column.rs"
    "plugins/sdk/src/copy.rs"
    "plugins/sdk/src/format.rs"
    "plugins/sdk/src/guest.rs"
    "plugins/sdk/src/host.rs"
    "plugins/sdk/src/lib.rs"
    "plugins/sdk/src/names.rs"
    "plugins/sdk/src/read.rs"
    "plugins/sdk/src/record.rs"
    "plugins/sdk/src/scan.rs"
    "plugins/sdk/src/text_type.rs"
    "plugins/sdk/src/time.rs"
    "plugins/sdk/src/transform.rs"
    "plugins/sdk/src/typed.rs"
    "plugins/sdk/src/value.rs"
    "plugins/sdk/src/view.rs"
    "plugins/sdk/src/year.rs"
    "plugins/sdk/src/zone.rs"
    "wit/0.1.0/transform.wit"
];

/// The workspace of the plugins, with the SDK as its only members.
///
/// # Errors
/// It is no TOML, or no workspace.
pub(super) fn manifest() -> Result<String, String> {
    let text = include_str!("../../../plugins/Cargo.toml");
    let mut manifest: toml::Table = toml::from_str(text).map_err(|error| error.to_string())?;
    let workspace = manifest.get_mut("workspace").and_then(toml::Value::as_table_mut);
    let workspace = workspace.ok_or("it has no [workspace]")?;
    workspace.insert("members".to_owned(), vec!["sdk", "macros"].into());
    Ok(manifest.to_string())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    /// A file that is added to the SDK must be added to the list.
    #[test]
    fn every_source_of_the_sdk_is_embedded() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let folders = ["plugins/sdk/src", "plugins/macros/src", "wit"];
        let found = folders.iter().flat_map(|folder| walkdir::WalkDir::new(root.join(folder)));
        let found = found.flatten().filter(|entry| entry.file_type().is_file());
        let mut expected: BTreeSet<String> = found
            .map(|entry| entry.path().strip_prefix(root).unwrap().to_str().unwrap().to_owned())
            .collect();
        expected.extend(["plugins/sdk/Cargo.toml".to_owned(), "plugins/macros/Cargo.toml".to_owned()]);
        let embedded: BTreeSet<String> = FILES.iter().map(|(path, _)| (*path).to_owned()).collect();
        assert_eq!(embedded, expected);
    }
}
