//! The folder of compiled plugins. What lies in it is run as it is: only this user may ever have written to it.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::Path;

use tracing::warn;

/// Nobody else reads, writes or enters.
const PRIVATE: u32 = 0o700;
/// Others can write.
const OTHERS_WRITE: u32 = 0o022;

/// Sees to it that `folder` is there and private. One that others could write to is emptied: a cache loses nothing.
///
/// # Errors
/// It can neither be made private nor be taken away.
pub(super) fn make_private(folder: &Path) -> io::Result<()> {
    if let Ok(found) = fs::symlink_metadata(folder) {
        let is_ours = found.is_dir() && found.uid() == rustix::process::geteuid().as_raw();
        if is_ours && found.mode() & OTHERS_WRITE == 0 {
            return match found.mode() & 0o777 {
                PRIVATE => Ok(()),
                _ => fs::set_permissions(folder, Permissions::from_mode(PRIVATE)),
            };
        }
        warn!(folder = %folder.display(), "others could write compiled plugins here; they are thrown away");
        match found.is_dir() {
            true => fs::remove_dir_all(folder)?,
            false => fs::remove_file(folder)?,
        }
    }
    if let Some(parent) = folder.parent() {
        fs::create_dir_all(parent)?;
    }
    match DirBuilder::new().mode(PRIVATE).create(folder) {
        // Another engine of this process came first.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}
