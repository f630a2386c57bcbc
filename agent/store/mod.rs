//! Where tables and objects lie: a [`Place`] is a folder of a file system or of a bucket.
//!
//! Invariant: everything that logsmith writes to a file system, checkpoints too, goes through
//! [`DurableFileSystem`]; nothing opens a store of its own.

mod durable;
mod lister;
mod options;
mod patience;

use std::fmt;
use std::path::{Path as FsPath, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::list::PaginatedListStore;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload};
use url::Url;

use crate::backoff::Backoff;

pub use durable::{DurableFileSystem, WhenFull};
pub use lister::Found;
pub use options::StoreOptions;
pub use patience::{DiskWaits, is_passing, probe, refusal};

/// Creates a local folder and what is missing above it; each new name is durable before the next is made.
///
/// # Errors
/// A folder cannot be created or synced.
pub fn create_folders(folder: &FsPath) -> std::io::Result<()> {
    durable::create_folders(folder)
}

/// Syncs `folder` and all folders in it. A process that was killed between giving a file its name and syncing the
/// folder leaves a name that is seen, and that a power loss takes away again: nothing may be built on it before this.
///
/// # Errors
/// A folder cannot be read or synced.
pub fn sync_folders(folder: &FsPath) -> std::io::Result<()> {
    for entry in walkdir::WalkDir::new(folder) {
        let entry = entry?;
        if entry.file_type().is_dir() {
            durable::sync_folder(entry.path())?;
        }
    }
    Ok(())
}

/// Gives a folder another name in the same place, durably.
///
/// # Errors
/// It cannot be renamed, or the folder above cannot be synced.
pub fn rename_folder(from: &FsPath, to: &FsPath) -> std::io::Result<()> {
    std::fs::rename(from, to)?;
    durable::sync_folder(to.parent().unwrap_or(FsPath::new("/")))
}

/// What is wrong with an address that holds them.
const CREDENTIALS: &str =
    "an address is shown and logged: write credentials as options, or into the environment";

/// How often a put is tried that the store neither takes nor refuses.
const CONFLICTS_MAX: u32 = 5;

/// Why a store could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The address of a place is not one that can be served.
    #[error("{url}: {reason}")]
    Address {
        /// The address as it was written.
        url: String,
        /// What is wrong with it and what to write.
        reason: String,
    },
    /// A request failed.
    #[error("cannot {operation} {url}: {source}")]
    Request {
        /// `read`, `write`, `list` or `delete`.
        operation: &'static str,
        /// The object or folder.
        url: String,
        /// The store's own words.
        source: object_store::Error,
    },
}

/// The outcome of a create-only put.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// The object is there, durable, with the bytes given.
    Created,
    /// An object of that name was there before; nothing was changed.
    AlreadyExists,
}

/// A folder in a store, addressed by a URL that ends in `/`.
#[derive(Clone)]
pub struct Place {
    store: Arc<dyn ObjectStore>,
    /// The same store, where it is a bucket.
    lister: Option<Arc<dyn PaginatedListStore>>,
    url: Url,
    path: Path,
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Place({})", self.url)
    }
}

impl Place {
    /// A folder of the local file system, which need not exist yet. Writes are durable.
    ///
    /// # Errors
    /// The path is relative or cannot be written as a URL.
    pub fn local(folder: &FsPath) -> Result<Self, StoreError> {
        Self::local_with(folder, WhenFull::Fail)
    }

    /// Like [`Place::local`], with what becomes of puts where the disk is full.
    ///
    /// # Errors
    /// As [`Place::local`].
    pub fn local_with(folder: &FsPath, when_full: WhenFull) -> Result<Self, StoreError> {
        let address = |reason: &str| StoreError::Address {
            url: folder.display().to_string(),
            reason: reason.to_owned(),
        };
        let url = Url::from_directory_path(folder).map_err(|()| address("write an absolute path"))?;
        let path = Path::from_absolute_path(folder).map_err(|e| address(&e.to_string()))?;
        Ok(Self { store: Arc::new(DurableFileSystem::new(when_full)), lister: None, url, path })
    }

    /// A folder by URL: `file://`, `s3://`, `gs://` or `az://`. What `options` leaves out is taken from
    /// the environment variables that each store defines as standard (`AWS_REGION`, `AWS_ACCESS_KEY_ID`, ...).
    ///
    /// # Errors
    /// The scheme is unknown, or an option has a value that the store refuses.
    pub fn open(url: &str, options: &StoreOptions) -> Result<Self, StoreError> {
        let address = |reason: String| StoreError::Address { url: url.to_owned(), reason };
        let mut parsed = match Url::parse(url) {
            // What may be a secret is not repeated.
            Ok(parsed) if parsed.password().is_some() || parsed.query().is_some() => {
                let (url, reason) = (format!("{}://…", parsed.scheme()), CREDENTIALS.to_owned());
                return Err(StoreError::Address { url, reason });
            }
            parsed => parsed,
        }
        .map_err(|e| {
            address(format!("not a URL ({e}); write file:///folder, s3://bucket/prefix, gs://… or az://…"))
        })?;
        if !parsed.path().ends_with('/') {
            parsed.set_path(&format!("{}/", parsed.path()));
        }
        if parsed.scheme() == "file" {
            let folder =
                parsed.to_file_path().map_err(|()| address("write file:///absolute/folder".to_owned()))?;
            return Self::local(&folder);
        }
        if !matches!(parsed.scheme(), "s3" | "s3a" | "gs" | "az" | "azure" | "abfs" | "abfss") {
            let scheme = parsed.scheme();
            return Err(address(format!("scheme `{scheme}` is not served; write file, s3, gs or az")));
        }
        let (store, lister, path) = lister::open(&parsed, options).map_err(address)?;
        Ok(Self { store, lister: Some(lister), url: parsed, path })
    }

    /// This folder through a store that wraps its own: to count what is asked of it, say.
    pub fn through(self, wrap: impl FnOnce(Arc<dyn ObjectStore>) -> Arc<dyn ObjectStore>) -> Self {
        Self { store: wrap(self.store), lister: None, ..self }
    }

    /// The folder `name` below this one; `name` may hold `/`.
    pub fn join(&self, name: &str) -> Self {
        let mut path = self.path.clone();
        let mut url = self.url.clone();
        for part in name.split('/').filter(|part| !part.is_empty()) {
            path = path.join(part);
            if let Ok(mut segments) = url.path_segments_mut() {
                segments.pop_if_empty().push(part);
            }
        }
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push("");
        }
        Self { store: Arc::clone(&self.store), lister: self.lister.clone(), url, path }
    }

    /// The address of this folder, ending in `/`.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// This folder on the local file system, if it lies there.
    pub fn folder(&self) -> Option<PathBuf> {
        self.url.to_file_path().ok()
    }

    /// The store, with `/` at the root of the bucket or file system.
    pub fn store(&self) -> &Arc<dyn ObjectStore> {
        &self.store
    }

    /// The path of this folder within [`Place::store`].
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of the object `name` (parts divided by `/`, taken as they are) below this folder.
    pub fn object(&self, name: &str) -> Path {
        name.split('/').filter(|part| !part.is_empty()).fold(self.path.clone(), |path, part| path.join(part))
    }

    /// Writes a new object, durably, and never over an existing one.
    ///
    /// # Errors
    /// The store refused, or its answer did not arrive: then the object may be there or not.
    pub async fn put_new(&self, name: &str, bytes: Bytes) -> Result<Put, StoreError> {
        let mut backoff = Backoff::new();
        for _ in 1..CONFLICTS_MAX {
            match self.try_put_new(name, bytes.clone()).await {
                Err(source) if self.is_undecided(&source) => {
                    let delay = backoff.delay(&mut rand::rng());
                    tokio::time::sleep(delay).await;
                }
                result => return result.map_err(|source| self.failed("write", name, source)),
            }
        }
        self.try_put_new(name, bytes).await.map_err(|source| self.failed("write", name, source))
    }

    async fn try_put_new(&self, name: &str, bytes: Bytes) -> object_store::Result<Put> {
        let options = PutOptions::from(PutMode::Create);
        match self.store.put_opts(&self.object(name), PutPayload::from(bytes), options).await {
            Ok(_) => Ok(Put::Created),
            Err(error) if self.is_undecided(&error) => Err(error),
            Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => {
                Ok(Put::AlreadyExists)
            }
            Err(source) => Err(source),
        }
    }

    /// Whether the refusal of a create-only put says nothing of whether the object is there. S3 answers 409 while another
    /// request for the same name is under way, and 412 where the object is; the client takes both for the latter, and
    /// only the cause tells them apart. Azure says 409 where the object is.
    fn is_undecided(&self, error: &object_store::Error) -> bool {
        let is_s3 = matches!(self.url.scheme(), "s3" | "s3a");
        match error {
            object_store::Error::AlreadyExists { source, .. } if is_s3 => {
                !source.downcast_ref::<object_store::Error>().is_some_and(|cause| {
                    matches!(
                        cause,
                        object_store::Error::Precondition { .. } | object_store::Error::NotModified { .. }
                    )
                })
            }
            _ => false,
        }
    }

    /// The whole object, or `None` where there is none.
    ///
    /// # Errors
    /// The store refused or could not be reached.
    pub async fn get(&self, name: &str) -> Result<Option<Bytes>, StoreError> {
        let result = match self.store.get(&self.object(name)).await {
            Ok(found) => found.bytes().await,
            Err(source) => Err(source),
        };
        match result {
            Ok(bytes) => Ok(Some(bytes)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(source) => Err(self.failed("read", name, source)),
        }
    }

    /// The size of an object in bytes, or `None` where there is none.
    ///
    /// # Errors
    /// The store refused or could not be reached.
    pub async fn size(&self, name: &str) -> Result<Option<u64>, StoreError> {
        match self.store.head(&self.object(name)).await {
            Ok(found) => Ok(Some(found.size)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(source) => Err(self.failed("read", name, source)),
        }
    }

    /// All objects below this folder, in the store's own order; none where the folder is missing.
    ///
    /// # Errors
    /// The store refused or could not be reached.
    pub async fn list(&self) -> Result<Vec<ObjectMeta>, StoreError> {
        match self.store.list(Some(&self.path)).try_collect().await {
            Ok(objects) => Ok(objects),
            Err(object_store::Error::NotFound { .. }) => Ok(Vec::new()),
            Err(source) => Err(self.failed("list", "", source)),
        }
    }

    /// The objects below this folder whose names come after `name`; none where the folder is missing.
    ///
    /// # Errors
    /// The store refused or could not be reached.
    pub async fn list_after(&self, name: &str) -> Result<Vec<ObjectMeta>, StoreError> {
        let from = self.object(name);
        match self.store.list_with_offset(Some(&self.path), &from).try_collect().await {
            Ok(objects) => Ok(objects),
            Err(object_store::Error::NotFound { .. }) => Ok(Vec::new()),
            Err(source) => Err(self.failed("list", "", source)),
        }
    }

    /// The names of the folders right below this one, sorted.
    ///
    /// # Errors
    /// The store refused or could not be reached.
    pub async fn folders(&self) -> Result<Vec<String>, StoreError> {
        match self.store.list_with_delimiter(Some(&self.path)).await {
            Ok(listed) => {
                let name = |path: &Path| path.filename().map(str::to_owned);
                let mut names: Vec<String> = listed.common_prefixes.iter().filter_map(name).collect();
                names.sort();
                Ok(names)
            }
            Err(object_store::Error::NotFound { .. }) => Ok(Vec::new()),
            Err(source) => Err(self.failed("list", "", source)),
        }
    }

    /// Removes an object; a missing one is no error.
    ///
    /// # Errors
    /// The store refused or could not be reached.
    pub async fn delete(&self, name: &str) -> Result<(), StoreError> {
        match self.store.delete(&self.object(name)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(source) => Err(self.failed("delete", name, source)),
        }
    }

    fn failed(&self, operation: &'static str, name: &str, source: object_store::Error) -> StoreError {
        StoreError::Request { operation, url: format!("{}{name}", self.url), source }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn a_wrong_address_says_what_to_write() {
        let error = |url: &str| Place::open(url, &StoreOptions::new()).unwrap_err().to_string();
        assert!(error("logs").contains("write file:///folder"), "{}", error("logs"));
        assert!(error("ftp://host/x").contains("write file, s3, gs or az"));
    }

    #[test]
    fn an_address_with_credentials_is_refused_and_not_repeated() {
        for url in ["s3://key:SECRET@bucket/x", "az://container/x?sig=SECRET"] {
            let error = Place::open(url, &StoreOptions::new()).unwrap_err().to_string();
            assert!(error.contains("as options") && !error.contains("SECRET"), "{error}");
        }
    }

    #[test]
    fn options_show_their_names_only() {
        let options = HashMap::from([("aws_secret_access_key".to_owned(), "SECRET".to_owned())]);
        let shown = format!("{:?}", StoreOptions::from(options));
        assert_eq!(shown, "{\"aws_secret_access_key\"}");
    }

    #[test]
    fn an_option_that_no_store_knows_and_a_file_that_is_no_certificate_are_mistakes() {
        let error = |url: &str, key: &str, value: &str| {
            let options = HashMap::from([(key.to_owned(), value.to_owned())]).into();
            Place::open(url, &options).unwrap_err().to_string()
        };
        for url in ["s3://b/x", "gs://b/x"] {
            let said = error(url, "aws_regoin", "SECRET");
            assert!(said.contains("aws_regoin") && !said.contains("SECRET"), "{said}");
        }
        let said = error("s3://b/x", "ca_file", "/does/not/exist");
        assert!(said.contains("ca_file") && said.contains("/does/not/exist"), "{said}");
        let said = error("s3://b/x", "ca_file", "/dev/null");
        assert!(said.contains("ca_file"), "{said}");
    }

    #[test]
    fn joined_folders_keep_url_and_path_alike() {
        let place = Place::open("file:///srv/lake", &StoreOptions::new()).unwrap().join("silver/web log");
        assert_eq!(place.url().as_str(), "file:///srv/lake/silver/web%20log/");
        assert_eq!(place.folder().unwrap(), FsPath::new("/srv/lake/silver/web log"));
    }

    #[tokio::test]
    async fn a_second_put_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::local(folder.path()).unwrap().join("a/b");
        assert_eq!(place.put_new("x", Bytes::from_static(b"1")).await.unwrap(), Put::Created);
        assert_eq!(place.put_new("x", Bytes::from_static(b"2")).await.unwrap(), Put::AlreadyExists);
        assert_eq!(place.get("x").await.unwrap().unwrap(), "1");
        assert_eq!(place.list().await.unwrap().len(), 1);
    }
}
