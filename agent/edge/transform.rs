//! The transform stage of one pipeline: Bronze to Silver, at its own rhythm.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::{debug, error, info};

use super::judge::{self, Held, JudgedLines, of_sources};
use super::meters::PipelineMeters;
use super::notes::{Note, Noted};
use super::offer::{Offer, Offers};
use super::swap::{SAMPLE_ROWS_MAX, SAMPLE_VERSIONS_MAX, try_in_shadow};
use super::{EdgeError, Progress, RETRY_INTERVAL, UNTIL_BACK, sleep_until};
use crate::clock::Clock;
use crate::config::Rhythm;
use crate::failpoint::{self, Failpoint};
use crate::pulse;
use crate::shutdown::{Phase, Shutdown};
use crate::silver::{Pending, Silver};
use crate::table::{Entry, LocalTable, TableError, TableVersion, datafile, log};
use crate::transform::{Chain, Fingerprint, PluginError, PluginSpec, RejectRates};

/// What the transform stage of a pipeline works on.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) bronze: Arc<LocalTable>,
    pub(super) silver: Silver,
    pub(super) chain: Chain,
    pub(super) plugins: Vec<Fingerprint>,
    pub(super) rejects: RejectRates,
    pub(super) sources: Vec<String>,
    pub(super) rhythm: Rhythm,
    pub(super) progress: Arc<Progress>,
    /// What the plugins were opened from.
    pub(super) specs: Vec<PluginSpec>,
    /// What is to run instead, when there is such.
    pub(super) offers: Arc<Offers>,
    pub(super) held: Note,
    pub(super) refused: Note,
    pub(super) meters: PipelineMeters,
    pub(super) shutdown: Shutdown,
    pub(super) clock: Arc<dyn Clock>,
}

/// What is judged and not committed.
#[derive(Debug)]
struct Open {
    pending: Option<Pending>,
    /// The last Bronze version that was judged.
    judged: TableVersion,
    /// What the Bronze files of the versions judged since the last commit have, in bytes.
    lines_bytes: u64,
    /// What the lines judged since the last commit take in memory, in bytes; rows take about as much.
    unpacked_bytes: usize,
    /// When it must be committed, also where no line was for this pipeline: Bronze waits for the cursor.
    due: Option<Instant>,
}

/// A Silver commit is made at this many bytes of lines, however small they pack: central takes no object whose rows are
/// larger than a gigabyte.
pub(super) const UNPACKED_BYTES_MAX: usize = 256 << 20;

/// So many later versions, and so many lines of each, are tried before a plugin counts as broken.
const PROBES_MAX: usize = 16;
const PROBE_ROWS_MAX: usize = 1_000;

impl Stage {
    /// Judges until Bronze has ended and all of it is judged, or the plugin turns out broken on what is left.
    pub(super) async fn run(mut self, mut bronze_end: watch::Receiver<bool>) -> Result<(), EdgeError> {
        let mut versions = self.bronze.versions();
        let mut open =
            Open { pending: None, judged: self.silver.cursor, lines_bytes: 0, unpacked_bytes: 0, due: None };
        loop {
            let ended = *bronze_end.borrow_and_update();
            let newest = *versions.borrow_and_update();
            match self.catch_up(&mut open, newest).await {
                Ok(()) => {}
                Err(Held::Failed(error)) => return Err(error),
                Err(Held::Plugin(error)) => {
                    let is_of_all_lines = !matches!(error, PluginError::TooManyRejects { .. });
                    if is_of_all_lines && self.others_pass(open.judged.next(), newest).await? {
                        continue;
                    }
                    self.commit(&mut open).await?;
                    self.meters.held(true);
                    if self.held.note(&format!("until its plugin is mended or replaced: {error}"))
                        == Noted::New
                    {
                        error!(%error, "plugin is broken, the pipeline holds; Bronze keeps its lines");
                    }
                    if ended {
                        return Err(EdgeError::Held { pipeline: self.silver.name, source: error });
                    }
                    self.wait_for_change(&mut bronze_end).await;
                    continue;
                }
                Err(Held::Damaged(error)) => {
                    self.commit(&mut open).await?;
                    if self.held.note(&format!("{UNTIL_BACK}: {error}")) == Noted::New {
                        error!(%error, "the pipeline holds; Bronze keeps what comes after");
                    }
                    if ended {
                        return Err(EdgeError::Damaged {
                            stage: format!("pipeline `{}`", self.silver.name),
                            source: error.into(),
                        });
                    }
                    self.wait_for_change(&mut bronze_end).await;
                    continue;
                }
            }
            self.held.clear();
            self.meters.held(false);
            if ended || open.due.is_some_and(|due| due <= Instant::now()) {
                self.commit(&mut open).await?;
            }
            if ended {
                return Ok(());
            }
            tokio::select! {
                () = pulse::resting(sleep_until(open.due)) => {}
                _ = versions.changed() => {}
                _ = bronze_end.changed() => {}
                () = self.offers.made() => {}
            }
        }
    }

    /// Waits for what may end a hold.
    async fn wait_for_change(&mut self, bronze_end: &mut watch::Receiver<bool>) {
        tokio::select! {
            () = pulse::resting(tokio::time::sleep(RETRY_INTERVAL)) => {}
            _ = bronze_end.changed() => {}
            () = self.offers.made() => {}
        }
    }

    async fn catch_up(&mut self, open: &mut Open, newest: TableVersion) -> Result<(), Held> {
        self.take_offer(open).await?;
        // When the patience of a stop is over, what is not judged is left for the next start.
        while open.judged < newest && self.shutdown.phase() < Phase::Expired {
            let version = open.judged.next();
            let place = self.bronze.place();
            let entry = log::read_local(place, version).await?;
            self.judge(open, &entry).await?;
            open.judged = version;
            open.lines_bytes += entry.adds.iter().map(|add| add.size.unsigned_abs()).sum::<u64>();
            open.due.get_or_insert_with(|| Instant::now() + self.rhythm.interval);
            let bytes = open.pending.as_ref().map_or(0, Pending::bytes) as u64;
            if bytes >= self.rhythm.bytes_max || open.unpacked_bytes >= UNPACKED_BYTES_MAX {
                self.commit(open).await?;
            }
            self.take_offer(open).await?;
        }
        Ok(())
    }

    /// Runs what is offered from the next Bronze version on, or says why not.
    async fn take_offer(&mut self, open: &mut Open) -> Result<(), EdgeError> {
        let Some(Offer { specs, chain }) = self.offers.take() else { return Ok(()) };
        let taken = match chain {
            Ok(chain) if specs == self.specs && chain.fingerprints().eq(&self.plugins) => Ok(()),
            Ok(chain) => self.swap(open, chain, specs).await?,
            Err(reason) => Err(reason),
        };
        self.meters.refused(taken.is_err());
        match taken {
            Ok(()) => self.refused.clear(),
            Err(reason) => {
                if self.refused.note(&reason) == Noted::New {
                    error!(reason, "changed plugins are refused; those before run on");
                }
            }
        }
        Ok(())
    }

    /// Swaps the plugins, unless they do not fit the table or fail on recent lines; then it says why. What the old ones
    /// judged is committed first, as theirs.
    async fn swap(
        &mut self,
        open: &mut Open,
        mut chain: Chain,
        specs: Vec<PluginSpec>,
    ) -> Result<Result<(), String>, EdgeError> {
        let columns = match self.silver.columns_with(chain.output_schema()) {
            Ok(columns) => columns,
            Err(reason) => return Ok(Err(reason)),
        };
        let sample = self.recent_lines(open.judged.next()).await?;
        let mut tried = || match &sample {
            Some(lines) => try_in_shadow(&mut self.chain, &mut chain, lines),
            None => Ok(()),
        };
        if let Err(reason) = tokio::task::block_in_place(&mut tried) {
            return Ok(Err(format!("{reason}; restart the agent to take them all the same")));
        }
        self.commit(open).await?;
        self.silver.add_columns(&columns, self.clock.now()).await?;
        self.plugins = chain.fingerprints().cloned().collect();
        self.rejects = RejectRates::new(&chain);
        self.chain = chain;
        self.specs = specs;
        for Fingerprint { name, version, sha256, config_hash } in &self.plugins {
            info!(name, version, %sha256, %config_hash, "plugin runs from here on");
        }
        Ok(Ok(()))
    }

    /// Lines for this pipeline out of Bronze versions up to `last`, the newest first; `None` where none is left.
    async fn recent_lines(&self, last: TableVersion) -> Result<Option<RecordBatch>, EdgeError> {
        let last = last.min(self.bronze.version());
        let (mut sample, mut rows_left): (Vec<RecordBatch>, _) = (Vec::new(), SAMPLE_ROWS_MAX);
        for version in (1..=last.0).rev().take(SAMPLE_VERSIONS_MAX).map(TableVersion) {
            let place = self.bronze.place();
            let Some(entry) = log::read(place, version).await? else { break };
            for add in entry.adds.iter().filter(|add| add.data_change) {
                // What every pipeline has judged may have expired.
                let Ok(batches) = datafile::read_local(place, &add.path).await else { continue };
                for batch in batches {
                    let lines = of_sources(&batch, &self.sources)?;
                    let lines = lines.slice(0, lines.num_rows().min(rows_left));
                    let is_like_others = sample.first().is_none_or(|first| first.schema() == lines.schema());
                    if lines.num_rows() > 0 && is_like_others {
                        rows_left -= lines.num_rows();
                        sample.push(lines);
                    }
                }
            }
        }
        let Some(first) = sample.first() else { return Ok(None) };
        Ok(Some(concat_batches(&first.schema(), &sample)?))
    }

    /// Whether lines that come later pass, up to `newest`: then the plugin is not broken, and knows it.
    async fn others_pass(&mut self, held: TableVersion, newest: TableVersion) -> Result<bool, EdgeError> {
        for version in (held.0 + 1..=newest.0).take(PROBES_MAX).map(TableVersion) {
            let place = self.bronze.place();
            let Some(entry) = log::read(place, version).await? else { return Ok(false) };
            for add in entry.adds.iter().filter(|add| add.data_change) {
                let Ok(batches) = datafile::read_local(place, &add.path).await else { continue };
                for batch in batches {
                    let lines = of_sources(&batch, &self.sources)?;
                    let lines = lines.slice(0, lines.num_rows().min(PROBE_ROWS_MAX));
                    let passed = tokio::task::block_in_place(|| self.chain.apply(&lines));
                    if passed.is_ok_and(|verdicts| verdicts.has_passed()) {
                        return Ok(true);
                    }
                }
            }
        }
        Ok(false)
    }

    /// Judges the lines of one Bronze version: all of them, or none.
    async fn judge(&mut self, open: &mut Open, entry: &Entry) -> Result<(), Held> {
        tokio::task::block_in_place(|| failpoint::reached(Failpoint::Judge));
        let choose = |batch: &_| of_sources(batch, &self.sources);
        let judged = judge::version(self.bronze.place(), entry, &choose, &mut self.chain).await;
        self.meters.worked(self.chain.take_work());
        let judged = judged?;
        let read_at = entry.time.unwrap_or_else(|| self.clock.now());
        let verdicts = judged.iter().map(|judged| &judged.verdicts);
        self.rejects.admit(read_at, verdicts).map_err(Held::Plugin)?;
        // A Bronze version is of one day, so that no commit comes between its lines.
        if let Some(JudgedLines { day, .. }) = judged.first()
            && open.pending.as_ref().is_some_and(|pending| pending.day != *day)
        {
            self.commit(open).await?;
        }
        for judged in judged {
            self.meters.counted(&judged.verdicts);
            open.unpacked_bytes += judged.lines.get_array_memory_size();
            self.add(open, &judged)?;
        }
        Ok(())
    }

    fn add(&mut self, open: &mut Open, judged: &JudgedLines) -> Result<(), TableError> {
        let pending = match &mut open.pending {
            Some(pending) => pending,
            None => open.pending.insert(self.silver.begin(judged.day, self.clock.now())?),
        };
        let judged = judged.by(&self.plugins);
        tokio::task::block_in_place(|| self.silver.add(pending, &judged))
    }

    async fn commit(&mut self, open: &mut Open) -> Result<(), TableError> {
        let last = open.judged;
        let pending = open.pending.take();
        open.due = None;
        if last == self.silver.cursor {
            return Ok(());
        }
        let now = self.clock.now();
        let before = self.silver.table.version();
        let verdict = self.silver.commit(pending, self.bronze.id(), last, &self.plugins, now).await?;
        Progress::set(&self.progress.judged, last);
        self.progress.settle(std::mem::take(&mut open.lines_bytes));
        open.unpacked_bytes = 0;
        let counts = verdict.counts;
        self.meters.committed(counts);
        if counts.dead > 0 {
            info!(
                rows = counts.rows,
                dropped = counts.dropped,
                dead = counts.dead,
                "judged, with dead letters"
            );
        } else {
            debug!(rows = counts.rows, dropped = counts.dropped, "judged");
        }
        let silver = &self.silver;
        let from = Progress::get(&self.progress.followed).min(before);
        let (table, to) = (&silver.table, silver.table.version());
        let followed = silver.dead_letters.follow(table.place(), table.id(), from, to, now).await?;
        Progress::set(&self.progress.followed, followed);
        Ok(())
    }
}
