//! A local file system whose writes are durable before they are acknowledged.
//!
//! Invariant, for every put: the bytes go to a temporary file, the file is synced, then it gets its name
//! (by a link, which fails where the name is taken, or by a rename that replaces), then the folder is
//! synced. A name therefore never stands for bytes that a power loss could take away. The local store of
//! `object_store` 0.13 syncs nothing, and publishes the name first.
//!
//! What does not fit on the disk may wait: a put begins anew, with a new temporary file, until it fits.
//!
//! Temporary files are named `<name>#<number>`, which `object_store` leaves out of every listing.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::ops::Range;
use std::path::{Path as FsPath, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyMode, CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, ObjectStoreExt, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult,
    RenameOptions, RenameTargetMode, Result, UploadPart,
};

use super::patience::{DiskWaits, is_passing};
use crate::pulse;

/// An [`ObjectStore`] over the whole local file system, `/` being its root, with durable writes.
#[derive(Clone, Debug, Default)]
pub struct DurableFileSystem {
    inner: Arc<LocalFileSystem>,
    when_full: WhenFull,
}

/// What becomes of a put where the disk is full, or may only be read.
#[derive(Clone, Debug, Default)]
pub enum WhenFull {
    /// It fails.
    #[default]
    Fail,
    /// It is tried again until it succeeds, and is one of these until then.
    Wait(DiskWaits),
}

impl DurableFileSystem {
    /// The file system of this host.
    pub fn new(when_full: WhenFull) -> Self {
        Self { when_full, ..Self::default() }
    }

    /// Publishes, as often as `when_full` wants.
    async fn publish(&self, location: &Path, payload: PutPayload, mode: PutMode) -> Result<PutResult> {
        let publish = || self.try_publish(location, payload.clone(), mode.clone());
        match &self.when_full {
            WhenFull::Fail => publish().await,
            WhenFull::Wait(waits) => waits.patiently(Failure::is_passing, publish).await,
        }
    }

    async fn try_publish(&self, location: &Path, payload: PutPayload, mode: PutMode) -> Result<PutResult> {
        let name = self.inner.path_to_filesystem(location)?;
        let replace = match mode {
            PutMode::Create => Replace::Never,
            PutMode::Overwrite => Replace::Allowed,
            PutMode::Update(_) => {
                return Err(Error::NotImplemented {
                    operation: "put with mode Update".to_owned(),
                    implementer: self.to_string(),
                });
            }
        };
        blocking(move || {
            let mut staged = Staged::create(name)?;
            if let Err(error) = payload.iter().try_for_each(|chunk| staged.write(chunk)) {
                // It would take the room that the next attempt needs.
                let _ = fs::remove_file(&staged.temporary);
                return Err(error);
            }
            staged.publish(replace)
        })
        .await?;
        Ok(PutResult { e_tag: None, version: None })
    }
}

impl std::fmt::Display for DurableFileSystem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DurableFileSystem")
    }
}

#[deny(clippy::missing_trait_methods)]
#[async_trait::async_trait]
impl ObjectStore for DurableFileSystem {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        self.publish(location, payload, opts.mode).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        _opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let name = self.inner.path_to_filesystem(location)?;
        let staged = blocking(move || Staged::create(name)).await?;
        Ok(Box::new(StagedUpload { staged: Some(staged) }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let mode = match options.mode {
            CopyMode::Create => PutMode::Create,
            CopyMode::Overwrite => PutMode::Overwrite,
        };
        let bytes = self.inner.get(from).await?.bytes().await?;
        self.publish(to, bytes.into(), mode).await.map(drop)
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        let mode = match options.target_mode {
            RenameTargetMode::Create => CopyMode::Create,
            RenameTargetMode::Overwrite => CopyMode::Overwrite,
        };
        self.copy_opts(from, to, CopyOptions::new().with_mode(mode)).await?;
        self.inner.delete(from).await
    }
}

/// Whether a name that is taken may be given to the new file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Replace {
    /// An existing file stays; the put fails with `AlreadyExists`.
    Never,
    /// An existing file is replaced in one step.
    Allowed,
}

/// A file being written under a temporary name, in the folder of its final one.
#[derive(Debug)]
struct Staged {
    file: File,
    temporary: PathBuf,
    name: PathBuf,
}

impl Staged {
    fn create(name: PathBuf) -> Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let folder = parent(&name);
        create_folders(folder).map_err(|e| failed("create folder", folder, e))?;
        loop {
            let number = u64::from(std::process::id()) << 32 | NEXT.fetch_add(1, Ordering::Relaxed);
            let temporary = PathBuf::from(format!("{}#{number}", name.display()));
            match OpenOptions::new().write(true).create_new(true).open(&temporary) {
                Ok(file) => return Ok(Self { file, temporary, name }),
                Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
                Err(e) => return Err(failed("create", &temporary, e)),
            }
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).map_err(|e| failed("write", &self.temporary, e))
    }

    fn publish(self, replace: Replace) -> Result<()> {
        let result = self.try_publish(replace);
        if result.is_err() || replace == Replace::Never {
            // What is left behind by a failure here is swept when the table is next opened.
            let _ = fs::remove_file(&self.temporary);
        }
        result
    }

    fn try_publish(&self, replace: Replace) -> Result<()> {
        self.file.sync_all().map_err(|e| failed("sync", &self.temporary, e))?;
        match replace {
            Replace::Never => fs::hard_link(&self.temporary, &self.name),
            Replace::Allowed => fs::rename(&self.temporary, &self.name),
        }
        .map_err(|e| failed("name", &self.name, e))?;
        let folder = parent(&self.name);
        sync_folder(folder).map_err(|e| failed("sync folder", folder, e))
    }
}

/// A multipart upload to a [`Staged`] file; parts arrive in order.
#[derive(Debug)]
struct StagedUpload {
    staged: Option<Staged>,
}

impl StagedUpload {
    fn ended() -> Error {
        Error::Generic { store: "DurableFileSystem", source: "the upload has ended".into() }
    }
}

#[async_trait::async_trait]
impl MultipartUpload for StagedUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let written = match &mut self.staged {
            Some(staged) => data.iter().try_for_each(|chunk| staged.write(chunk)),
            None => Err(Self::ended()),
        };
        Box::pin(std::future::ready(written))
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let staged = self.staged.take().ok_or_else(Self::ended)?;
        blocking(move || staged.publish(Replace::Allowed)).await?;
        Ok(PutResult { e_tag: None, version: None })
    }

    async fn abort(&mut self) -> Result<()> {
        match self.staged.take() {
            Some(staged) => {
                fs::remove_file(&staged.temporary).map_err(|e| failed("delete", &staged.temporary, e))
            }
            None => Ok(()),
        }
    }
}

/// Creates `folder` and what is missing above it; each new name is durable before the next is made.
pub(super) fn create_folders(folder: &FsPath) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let above = parent(folder);
    create_folders(above)?;
    match fs::create_dir(folder) {
        Ok(()) => sync_folder(above),
        Err(e) if e.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(e) => Err(e),
    }
}

pub(super) fn sync_folder(folder: &FsPath) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn parent(path: &FsPath) -> &FsPath {
    path.parent().unwrap_or(FsPath::new("/"))
}

fn failed(operation: &'static str, path: &FsPath, error: io::Error) -> Error {
    let location = path.display().to_string();
    match error.kind() {
        ErrorKind::AlreadyExists => Error::AlreadyExists { path: location, source: error.into() },
        ErrorKind::NotFound => Error::NotFound { path: location, source: error.into() },
        _ => Error::Generic {
            store: "DurableFileSystem",
            source: Failure { operation, location, error }.into(),
        },
    }
}

/// What the file system said.
#[derive(Debug, thiserror::Error)]
#[error("cannot {operation} {location}: {error}")]
struct Failure {
    operation: &'static str,
    location: String,
    error: io::Error,
}

impl Failure {
    /// Whether this is about the room or the mode of a disk, and nothing of the put has got its name.
    fn is_passing(error: &Error) -> bool {
        let Error::Generic { source, .. } = error else { return false };
        let failure = source.downcast_ref::<Self>();
        failure.is_some_and(|failure| failure.operation != "sync folder" && is_passing(&failure.error))
    }
}

/// Runs file system calls off the async threads.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await.map_err(|source| Error::JoinError { source })?;
    pulse::beat();
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store_in(folder: &FsPath, name: &str) -> (DurableFileSystem, Path) {
        (DurableFileSystem::new(WhenFull::Fail), Path::from_absolute_path(folder.join(name)).unwrap())
    }

    #[tokio::test]
    async fn no_temporary_name_is_left_behind() {
        let folder = tempfile::tempdir().unwrap();
        let (store, path) = store_in(folder.path(), "x");
        store.put(&path, "1".into()).await.unwrap();
        store.put_opts(&path, "2".into(), PutMode::Create.into()).await.unwrap_err();
        let names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names, ["x"]);
        assert_eq!(fs::read(folder.path().join("x")).unwrap(), b"1");
    }

    #[tokio::test]
    async fn a_multipart_upload_appears_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let (store, path) = store_in(folder.path(), "x");
        let mut upload = store.put_multipart(&path).await.unwrap();
        upload.put_part("ab".into()).await.unwrap();
        assert!(!folder.path().join("x").exists());
        upload.put_part("cd".into()).await.unwrap();
        upload.complete().await.unwrap();
        assert_eq!(fs::read(folder.path().join("x")).unwrap(), b"abcd");
    }
}
