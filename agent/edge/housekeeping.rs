//! The housekeeping stage: keeps the state folder within its budget.
//!
//! What gives way first: Silver and dead letters that are in the landing, then Bronze that every pipeline has
//! judged. When nothing may go, reading stops. Silver that is nowhere else is never given up.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::watch;
use tracing::warn;

use super::meters::HostMeters;
use super::{Charged, Progress, Room};
use crate::clock::Clock;
use crate::failpoint::{self, Failpoint};
use crate::memory;
use crate::pulse;
use crate::seal;
use crate::silver::DeadLetters;
use crate::silver::unput::unput;
use crate::table::housekeeping::{Allowance, Expiry, History, Upkeep, needed, tidy};
use crate::table::{LocalTable, Snapshot, TableError, log};

/// How often the folder is looked at.
const INTERVAL: Duration = Duration::from_secs(2);

/// Parts of the budget, in percent: above the first, space is freed down to the second; up to the third, lines
/// are taken. The rest is room for checkpoints.
const RECLAIM_ABOVE: u64 = 70;
const RECLAIM_TO: u64 = 55;
const TAKE_UP_TO: u64 = 85;
/// What compiled plugins may take, of what is taken before any line is.
const COMPILED: u64 = 10;

/// What the housekeeping stage works on.
#[derive(Debug)]
pub(super) struct Housekeeping {
    pub(super) folder: PathBuf,
    pub(super) budget_bytes: u64,
    pub(super) bronze: Arc<LocalTable>,
    /// Silver tables, those that no pipeline writes any more included, and how far their consumers are.
    pub(super) silvers: Vec<(Arc<LocalTable>, Arc<Progress>)>,
    pub(super) dead_letters: Arc<DeadLetters>,
    /// Whether Silver goes to a central store; rows that are nowhere else are never given up.
    pub(super) central: bool,
    pub(super) room: watch::Sender<Room>,
    pub(super) charged: Charged,
    pub(super) host: HostMeters,
    pub(super) clock: Arc<dyn Clock>,
}

/// Upkeep of all tables, from pass to pass.
#[derive(Debug, Default)]
struct Upkeeps {
    bronze: Upkeep,
    silvers: Vec<Upkeep>,
    dead_letters: Upkeep,
}

impl Housekeeping {
    /// Works until it is stopped; a pass under way is finished. A pass that fails is told and tried again.
    pub(super) async fn run(self, mut stopped: watch::Receiver<bool>) {
        let mut upkeeps = Upkeeps::default();
        upkeeps.silvers.resize_with(self.silvers.len(), Upkeep::default);
        let (mut stood, mut is_lean) = (Vec::new(), false);
        loop {
            let touched = seal::touch(&self.folder, self.clock.now());
            if let Err(error) = touched {
                warn!(%error, folder = %self.folder.display(), "cannot touch the lock file");
            }
            if let Err(error) = self.pass(&mut upkeeps).await {
                warn!(%error, "housekeeping failed, trying on");
            }
            // What the last work took is given back once no more comes.
            let before = std::mem::replace(&mut stood, self.stand());
            let is_quiet = stood == before;
            if is_quiet && !is_lean {
                memory::give_back();
            }
            is_lean = is_quiet;
            tokio::select! {
                () = pulse::resting(tokio::time::sleep(INTERVAL)) => {}
                _ = stopped.wait_for(|stopped| *stopped) => return,
            }
        }
    }

    /// How far all stages are: two that are alike have no work between them.
    fn stand(&self) -> Vec<u64> {
        let silvers = self.silvers.iter();
        let silvers =
            silvers.flat_map(|(table, progress)| [table.version().0, Progress::get(&progress.synced).0]);
        silvers.chain([self.charged.load(Ordering::Acquire), self.bronze.version().0]).collect()
    }

    async fn pass(&self, upkeeps: &mut Upkeeps) -> Result<(), TableError> {
        tokio::task::block_in_place(|| failpoint::reached(Failpoint::Tidy));
        // What is charged from here on may not be seen by the look that follows.
        let charged = self.charged.load(Ordering::Acquire);
        let owed: u64 = self.silvers.iter().map(|(_, progress)| progress.owed.load(Ordering::Acquire)).sum();
        let disk = disk_use(&self.folder, self.budget_bytes);
        self.host.look_at(disk);
        let mut excess = match disk.used_bytes > disk.share(RECLAIM_ABOVE) {
            true => disk.used_bytes - disk.share(RECLAIM_TO),
            false => 0,
        };
        let room = disk.room_bytes().saturating_sub(owed);
        self.room.send_replace(Room { charged_max: charged + room, is_full: disk.room_bytes() == 0 });

        // What became of the lines that Bronze still has is told as long.
        let first_kept = log::list(self.bronze.place()).await?.0.first().copied().unwrap_or_default();
        for ((table, progress), upkeep) in self.silvers.iter().zip(&mut upkeeps.silvers) {
            if upkeep.is_due(table, excess) {
                let Some(snapshot) = Snapshot::load(table.place()).await? else { continue };
                let synced = Progress::get(&progress.synced);
                let consumed = synced.min(Progress::get(&progress.followed));
                let expiry = match self.central {
                    true => Expiry::Except(needed(table, synced).await?),
                    false => Expiry::Never,
                };
                let history = History::OfInput(first_kept);
                let allowance = Allowance { consumed, reclaim_bytes: excess, expiry, history };
                excess -= self.tidy(table, upkeep, &snapshot, &allowance).await?;
            }
        }
        let (table, upkeep) = (self.dead_letters.table(), &mut upkeeps.dead_letters);
        if upkeep.is_due(table, excess)
            && let Some(snapshot) = Snapshot::load(table.place()).await?
        {
            let expiry = match self.central {
                true => Expiry::Except(self.unsynced_dead().await?),
                false => Expiry::Never,
            };
            let history = History::Needless;
            let allowance =
                Allowance { consumed: snapshot.version(), reclaim_bytes: excess, expiry, history };
            excess -= self.tidy(table, upkeep, &snapshot, &allowance).await?;
        }
        if upkeeps.bronze.is_due(&self.bronze, excess)
            && let Some(snapshot) = Snapshot::load(self.bronze.place()).await?
        {
            let consumed = self.silvers.iter().map(|(_, progress)| Progress::get(&progress.judged)).min();
            let consumed = consumed.unwrap_or_default();
            let expiry = Expiry::Except(needed(&self.bronze, consumed).await?);
            let history = History::OfFiles;
            let allowance = Allowance { consumed, reclaim_bytes: excess, expiry, history };
            self.tidy(&self.bronze, &mut upkeeps.bronze, &snapshot, &allowance).await?;
        }
        Ok(())
    }

    /// One pass over one table; returns how much of what was asked for it freed.
    async fn tidy(
        &self,
        table: &LocalTable,
        upkeep: &mut Upkeep,
        snapshot: &Snapshot,
        allowance: &Allowance,
    ) -> Result<u64, TableError> {
        let tidied = tidy(table, upkeep, snapshot, allowance, self.clock.now()).await?;
        Ok(tidied.bytes_freed.min(allowance.reclaim_bytes))
    }

    /// The dead letters' files that are not in the landing.
    async fn unsynced_dead(&self) -> Result<HashSet<String>, TableError> {
        let mut paths = HashSet::new();
        for (table, progress) in &self.silvers {
            paths.extend(unput(table, Progress::get(&progress.synced)).await?.dead_letters);
        }
        Ok(paths)
    }
}

/// How much of its budget a state folder takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskUse {
    /// Bytes of all files in the folder.
    pub used_bytes: u64,
    /// Bytes that it may take.
    pub budget_bytes: u64,
}

impl DiskUse {
    /// How many bytes of lines may still be taken; at 0, reading waits.
    pub fn room_bytes(self) -> u64 {
        self.share(TAKE_UP_TO).saturating_sub(self.used_bytes)
    }

    fn share(self, percent: u64) -> u64 {
        self.budget_bytes / 100 * percent
    }
}

/// How many bytes compiled plugins may take of a budget.
pub(super) fn compiled_bytes_max(budget_bytes: u64) -> u64 {
    budget_bytes / 100 * COMPILED
}

/// Looks how much of its budget `folder` takes.
pub fn disk_use(folder: &Path, budget_bytes: u64) -> DiskUse {
    let files = walkdir::WalkDir::new(folder).into_iter().flatten();
    let sizes = files.filter(|entry| entry.file_type().is_file()).filter_map(|file| file.metadata().ok());
    DiskUse { used_bytes: sizes.map(|metadata| metadata.len()).sum(), budget_bytes }
}
