//! Listing a folder that others write to as they like.
//!
//! A bucket takes names that a client cannot: with an empty part, a `..`, a control character. One such name makes
//! the whole page of a listing unreadable. Here it is told, and the folder that it lies in is passed over, at most
//! as many folders deep as the caller says; all others are listed.

use std::collections::VecDeque;
use std::sync::Arc;

use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::list::{PaginatedListOptions, PaginatedListStore};
use object_store::path::{Error as PathError, Path};
use object_store::{Certificate, ClientOptions, ObjectMeta, ObjectStore, ObjectStoreScheme};
use url::Url;

use super::options::{CA_FILE, ca_bundle, of_environment};
use super::{Place, StoreError, StoreOptions};

/// How many names a page of a listing has at most.
const PAGE_NAMES: usize = 1_000;

/// What a listing comes across.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// An object.
    Object(ObjectMeta),
    /// A name that no client can use; what else lies in its folder was passed over.
    Unusable(String),
}

/// A bucket, as an object store and as one that lists page by page.
pub(super) type Bucket = (Arc<dyn ObjectStore>, Arc<dyn PaginatedListStore>, Path);

/// Opens the bucket that `url` names, with these options over those of the environment.
///
/// # Errors
/// What to tell: the URL names none, an option is not known, or has a value that the store refuses.
pub(super) fn open(url: &Url, options: &StoreOptions) -> Result<Bucket, String> {
    let mut client = ClientOptions::new();
    let mut own = options.own();
    let ca_file = own.iter().position(|(name, _)| name == CA_FILE).map(|at| own.remove(at).1);
    for certificate in ca_file.or_else(|| ca_bundle(url.scheme())).map_or(Ok(Vec::new()), certificates)? {
        client = client.with_root_certificate(certificate);
    }
    let told = |error: object_store::Error| error.to_string();
    macro_rules! bucket {
        ($builder:ty, $path:expr) => {{
            let mut builder = <$builder>::new().with_client_options(client).with_url(url.as_str());
            // The environment has variables that are for others.
            for (key, value) in of_environment(url.scheme()) {
                if let Ok(key) = key.parse() {
                    builder = builder.with_config(key, value);
                }
            }
            for (key, value) in own {
                builder = builder.with_config(key.parse().map_err(told)?, value);
            }
            let store = Arc::new(builder.build().map_err(told)?);
            let path = Path::parse($path).map_err(|error| error.to_string())?;
            Ok((Arc::clone(&store) as _, store as _, path))
        }};
    }
    match ObjectStoreScheme::parse(url).map_err(|error| error.to_string())? {
        (ObjectStoreScheme::AmazonS3, path) => bucket!(AmazonS3Builder, path),
        (ObjectStoreScheme::GoogleCloudStorage, path) => bucket!(GoogleCloudStorageBuilder, path),
        (ObjectStoreScheme::MicrosoftAzure, path) => bucket!(MicrosoftAzureBuilder, path),
        (scheme, _) => Err(format!("{scheme:?} is not served")),
    }
}

/// The certificates in a file.
fn certificates(file: String) -> Result<Vec<Certificate>, String> {
    let wrong = |error: &dyn std::fmt::Display| format!("{CA_FILE}: {file}: {error}");
    let pem = std::fs::read(&file).map_err(|error| wrong(&error))?;
    let certificates = Certificate::from_pem_bundle(&pem).map_err(|error| wrong(&error))?;
    match certificates.is_empty() {
        true => Err(wrong(&"no certificate in PEM is in it")),
        false => Ok(certificates),
    }
}

impl Place {
    /// All objects below this folder, in the store's own order. Of a name that cannot be used, the folder is passed
    /// over that is `depth` levels below this one, or the deepest that the name can still tell.
    pub fn list_all(&self, depth: usize) -> BoxStream<'static, Result<Found, StoreError>> {
        let url = self.url.to_string();
        let failed = move |source| StoreError::Request { operation: "list", url: url.clone(), source };
        let listing = match &self.lister {
            None => self.store.list(Some(&self.path)).map_ok(Found::Object).boxed(),
            Some(lister) => pages(Arc::clone(lister), &self.path, depth, None),
        };
        // A folder that is missing holds nothing.
        let present = |found: &object_store::Result<Found>| {
            let missing = matches!(found, Err(object_store::Error::NotFound { .. }));
            std::future::ready(!missing)
        };
        listing.take_while(present).map_err(failed).boxed()
    }

    /// The names of the folders right below this one that can be used, sorted; and the names that cannot.
    ///
    /// # Errors
    /// The store refused or could not be reached.
    pub async fn all_folders(&self) -> Result<(Vec<String>, Vec<String>), StoreError> {
        let Some(lister) = &self.lister else { return Ok((self.folders().await?, Vec::new())) };
        let (mut folders, mut unusable, mut after) = (Vec::new(), Vec::new(), None);
        let level = self.path.parts().count();
        loop {
            // A page with folders in it would not be readable either: so from folder to folder.
            let mut listing = pages(Arc::clone(lister), &self.path, 1, after.take());
            let found = listing.next().await.transpose().map_err(|source| self.failed("list", "", source))?;
            let (name, folder) = match found {
                None => return Ok((folders, unusable)),
                Some(Found::Unusable(name)) => {
                    let folder = folder_of(&name, level);
                    if folder.is_none() {
                        unusable.push(name.clone());
                    }
                    (name, folder)
                }
                Some(Found::Object(object)) => {
                    let name = object.location.to_string();
                    let folder = folder_of(&name, level);
                    (name, folder)
                }
            };
            after = Some(passed(&name, level + 1));
            folders.extend(folder);
        }
    }
}

/// Where a listing stands.
struct Listing {
    lister: Arc<dyn PaginatedListStore>,
    prefix: String,
    /// The number of parts of the folder that is passed over for a name that cannot be used.
    parts: usize,
    after: Option<String>,
    token: Option<String>,
    names: usize,
    page: VecDeque<Found>,
    more: bool,
}

fn pages(
    lister: Arc<dyn PaginatedListStore>,
    folder: &Path,
    depth: usize,
    after: Option<String>,
) -> BoxStream<'static, object_store::Result<Found>> {
    let prefix = if folder.as_ref().is_empty() { String::new() } else { format!("{folder}/") };
    let parts = folder.parts().count() + depth;
    let (token, names, page) = (None, PAGE_NAMES, VecDeque::new());
    let listing = Listing { lister, prefix, parts, after, token, names, page, more: true };
    futures::stream::try_unfold(listing, |mut listing| async move {
        while listing.page.is_empty() && listing.more {
            listing.turn().await?;
        }
        Ok(listing.page.pop_front().map(|found| (found, listing)))
    })
    .boxed()
}

impl Listing {
    /// Fetches the next page, or finds out which name keeps it from being read.
    async fn turn(&mut self) -> object_store::Result<()> {
        let options = PaginatedListOptions {
            offset: if self.token.is_none() { self.after.clone() } else { None },
            max_keys: Some(self.names),
            page_token: self.token.clone(),
            ..PaginatedListOptions::default()
        };
        match self.lister.list_paginated(Some(&self.prefix), options).await {
            Ok(read) => {
                self.page.extend(read.result.objects.into_iter().map(Found::Object));
                self.token = read.page_token;
                self.more = self.token.is_some();
            }
            // Fewer names, until the one that is wrong comes alone.
            Err(object_store::Error::InvalidPath { .. }) if self.names > 1 => self.names /= 2,
            Err(object_store::Error::InvalidPath { source }) => {
                let name = match &source {
                    PathError::EmptySegment { path } | PathError::BadSegment { path, .. } => path.clone(),
                    _ => return Err(source.into()),
                };
                let next = passed(&name, self.parts);
                if self.after.as_ref().is_some_and(|after| *after >= next) {
                    // The store does not go on from where it was asked to.
                    return Err(source.into());
                }
                self.page.push_back(Found::Unusable(name));
                (self.after, self.token, self.names) = (Some(next), None, PAGE_NAMES);
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

fn is_usable(part: &str) -> bool {
    Path::parse(part).is_ok_and(|path| path.parts().count() == 1)
}

/// The part of a name at `level`, where it can be used and is a folder's.
fn folder_of(name: &str, level: usize) -> Option<String> {
    let mut parts = name.split('/').skip(level);
    let folder = parts.next().filter(|folder| is_usable(folder))?;
    parts.next().map(|_| folder.to_owned())
}

/// The name after which a listing goes on that passes over the folder of `name` with `parts` parts, or with fewer,
/// if one before them cannot be used.
fn passed(name: &str, parts: usize) -> String {
    let kept = name.split('/').take_while(|part| is_usable(part)).count().saturating_add(1).min(parts);
    let folder: Vec<&str> = name.split('/').take(kept).collect();
    // The character after `/`.
    format!("{}0", folder.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_of_an_unusable_name_is_passed_and_no_other() {
        assert_eq!(passed("l/landing/web/evil/t/../x", 4), "l/landing/web/evil0");
        assert_eq!(passed("l/landing/web//evil/x", 4), "l/landing/web/0");
        assert_eq!(passed("l/landing/\u{1}/evil/x", 4), "l/landing/\u{1}0");
        assert_eq!(passed("l/landing/web/a\u{1}", 4), "l/landing/web/a\u{1}0");
    }
}
