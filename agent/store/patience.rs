//! Waiting for a disk that takes nothing: one that is full, or may only be read.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::time::Duration;

use prometheus_client::metrics::gauge::Gauge;
use rustix::fs::{StatVfsMountFlags, statvfs};
use tracing::{info, warn};

use crate::pulse;

/// How long until something is tried again.
const PAUSE: Duration = Duration::from_secs(1);

/// With fewer bytes left, a disk is full: less than a commit takes.
const LEFT_BYTES_MIN: u64 = 64 << 10;

/// How many writes wait for the disk; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct DiskWaits(Gauge);

impl DiskWaits {
    /// Whether any does.
    pub fn is_any(&self) -> bool {
        self.0.get() > 0
    }

    /// As a metric.
    pub fn gauge(&self) -> Gauge {
        self.0.clone()
    }

    /// Tries until the disk takes it, or it fails for another reason; the log says that it waits.
    ///
    /// # Errors
    /// Those that are not for a disk to mend, as `is_passing` tells.
    pub async fn patiently<T, E: Display, F: Future<Output = Result<T, E>>>(
        &self,
        is_passing: impl Fn(&E) -> bool,
        mut attempt: impl FnMut() -> F,
    ) -> Result<T, E> {
        let mut wait = None;
        loop {
            match attempt().await {
                Err(error) if is_passing(&error) => {
                    if wait.is_none() {
                        warn!(%error, "the disk takes nothing; waiting until it does");
                        wait = Some(Wait::begin(&self.0));
                    }
                    pulse::resting(tokio::time::sleep(PAUSE)).await;
                }
                result => {
                    if wait.is_some() && result.is_ok() {
                        info!("the disk takes what is written again");
                    }
                    return result;
                }
            }
        }
    }
}

/// Counts until it is dropped, also where the wait is called off.
struct Wait<'a>(&'a Gauge);

impl<'a> Wait<'a> {
    fn begin(gauge: &'a Gauge) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Whether an error is about the room or the mode of a disk, which may change by itself.
pub fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::ReadOnlyFilesystem)
}

/// Writes into a folder what nobody sees, to know whether its disk takes anything.
///
/// # Errors
/// It does not.
pub fn probe(folder: &Path) -> io::Result<()> {
    let mut file = tempfile::tempfile_in(folder)?;
    file.write_all(&[0; LEFT_BYTES_MIN as usize])?;
    file.sync_all()
}

/// Why the disk of a folder takes nothing, as far as can be seen without writing; `None` if nothing speaks against it.
pub fn refusal(folder: &Path) -> Option<&'static str> {
    let disk = statvfs(folder).ok()?;
    if disk.f_flag.contains(StatVfsMountFlags::RDONLY) {
        return Some("it may only be read");
    }
    (disk.f_bavail.saturating_mul(disk.f_frsize) < LEFT_BYTES_MIN).then_some("it is full")
}
