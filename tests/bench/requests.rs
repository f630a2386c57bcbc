//! A store that counts what is asked of it, as buckets charge for it.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result,
};

/// How many names one request for a listing brings.
const PAGE_NAMES: u64 = 1_000;

/// Requests by kind.
#[derive(Debug, Default)]
pub struct Requests {
    /// Reads of objects, or of ranges of them.
    pub gets: AtomicU64,
    /// Writes.
    pub puts: AtomicU64,
    /// Pages of listings.
    pub lists: AtomicU64,
    /// Objects deleted.
    pub deletes: AtomicU64,
}

impl Requests {
    /// What they cost in dollars, at the list price of S3 Standard in us-east-1: 0.005 a thousand puts and lists, 0.0004
    /// a thousand gets.
    pub fn dollars(&self) -> f64 {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed) as f64;
        (of(&self.puts) + of(&self.lists)) * 5e-6 + of(&self.gets) * 4e-7
    }
}

impl fmt::Display for Requests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let (lists, gets) = (of(&self.lists), of(&self.gets));
        write!(f, "{lists} lists, {gets} gets, {} puts, {} deletes", of(&self.puts), of(&self.deletes))
    }
}

/// The store that is asked.
#[derive(Debug)]
pub struct Counted {
    /// What answers.
    pub inner: Arc<dyn ObjectStore>,
    /// What was asked.
    pub requests: Arc<Requests>,
}

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "counted {}", self.inner)
    }
}

impl Counted {
    fn listed(
        &self,
        listing: BoxStream<'static, Result<ObjectMeta>>,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.requests.lists.fetch_add(1, Ordering::Relaxed);
        let requests = Arc::clone(&self.requests);
        let count = move |(n, object)| {
            if n > 0 && n % PAGE_NAMES == 0 {
                requests.lists.fetch_add(1, Ordering::Relaxed);
            }
            object
        };
        futures::stream::iter(0_u64..).zip(listing).map(count).boxed()
    }
}

#[deny(clippy::missing_trait_methods)]
#[async_trait::async_trait]
impl ObjectStore for Counted {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        self.requests.puts.fetch_add(1, Ordering::Relaxed);
        self.inner.put_opts(location, payload, opts).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.requests.puts.fetch_add(1, Ordering::Relaxed);
        self.inner.put_multipart_opts(location, opts).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.requests.gets.fetch_add(1, Ordering::Relaxed);
        self.inner.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.requests.gets.fetch_add(ranges.len() as u64, Ordering::Relaxed);
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let requests = Arc::clone(&self.requests);
        let count = move |path: &Result<Path>| {
            requests.deletes.fetch_add(u64::from(path.is_ok()), Ordering::Relaxed);
        };
        self.inner.delete_stream(locations.inspect(count).boxed())
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.listed(self.inner.list(prefix))
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.listed(self.inner.list_with_offset(prefix, offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.requests.lists.fetch_add(1, Ordering::Relaxed);
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.requests.puts.fetch_add(1, Ordering::Relaxed);
        self.inner.copy_opts(from, to, options).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.requests.puts.fetch_add(1, Ordering::Relaxed);
        self.inner.rename_opts(from, to, options).await
    }
}
