//! The central job: fold the landing into fleet Silver, bring the views up to it, then delete what was folded.
//!
//! Deleting comes last. Whatever is killed before, the next pass finds the objects behind their cursors and
//! finishes.

#[cfg(test)]
mod killed;
mod lease;
mod metrics;
mod trace;
mod upkeep;

use std::fmt;
use std::future::Future;
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::time::Instant;

use crate::clock::Clock;
use crate::compact::{self, CompactError, CompactReport, Gap, Left, OBJECTS_MAX, Settled};
use crate::config::Central;
use crate::failpoint::{self, Failpoint};
use crate::gold::{self, SLICE_BYTES, ViewReport, ViewUpdate};
use crate::store::StoreError;
use lease::{Lease, Standing};

pub use metrics::Metrics;
pub use trace::{ROWS_MAX as TRACED_ROWS_MAX, Trace, trace};

/// Why a pass failed.
#[derive(Debug, thiserror::Error)]
pub enum CentralError {
    /// The landing could not be folded.
    #[error(transparent)]
    Compact(#[from] CompactError),
    /// Folded objects could not be deleted; the next pass does it.
    #[error(transparent)]
    Delete(#[from] StoreError),
}

/// What a pass did.
#[derive(Debug)]
pub struct Report {
    /// By fleet table: objects and rows folded, quarantine, gaps, conflicts.
    pub folded: CompactReport,
    /// By view, in the order of the configuration.
    pub views: Vec<ViewReport>,
}

impl Report {
    /// Whether everything was done: no table and no view failed. (What waits, or is in quarantine, was dealt with.)
    pub fn is_whole(&self) -> bool {
        self.folded.tables.values().all(|table| table.failure.is_none())
            && self.views.iter().all(|view| view.result.is_ok())
    }
}

impl fmt::Display for Report {
    /// A line for each table, each thing to look at, and each view.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = Vec::new();
        for (name, table) in &self.folded.tables {
            lines.push(format!("silver/{name}: {} objects, {} rows folded", table.objects, table.rows));
            if table.out_of_reach > 0 {
                lines.push(format!(
                    "  {} rows of a replay left out: their days are over, and stay as the views have counted them",
                    table.out_of_reach
                ));
            }
            lines.extend(table.failure.iter().map(|failure| format!("  failed: {failure}")));
            lines.extend(
                table.quarantined.iter().map(|bad| format!("  quarantine: {}: {}", bad.object, bad.reason)),
            );
            lines.extend(table.gaps.iter().map(|gap| format!("  waiting: {gap}")));
        }
        let odd = self.folded.unusable.iter().map(|name| name.escape_debug());
        lines.extend(odd.map(|name| format!("remove by hand: `{name}`: no client can name this object")));
        for ViewReport { view, result } in &self.views {
            if let Ok(update) = result
                && update.sealed > 0
            {
                lines.push(format!(
                    "gold/{view}: {} partitions still count rows that a replay has replaced: what else they count is \
                     no longer in Silver",
                    update.sealed
                ));
            }
            lines.push(match result {
                Ok(ViewUpdate { counting: Some(counting), .. }) => format!(
                    "gold/{view}: {} of {} files counted; it is shown when all are",
                    counting.files, counting.of
                ),
                Ok(ViewUpdate { waits_for: Some(below), .. }) => {
                    format!("gold/{view}: waits for gold/{below}, which is being counted")
                }
                Ok(update) => match update.silver {
                    Some(version) => format!(
                        "gold/{view}: {} partitions brought up to Silver version {version}",
                        update.shown
                    ),
                    None => format!("gold/{view}: waits for its Silver table"),
                },
                Err(error) => format!("gold/{view}: {error}"),
            });
        }
        if lines.is_empty() {
            lines.push("nothing in the landing, no views".to_owned());
        }
        f.write_str(&lines.join("\n"))
    }
}

/// One pass, in as many rounds as the backlog needs: each holds so many objects, and no more memory than they take.
///
/// A view that fails says so in the report and stops nothing: it reads committed Silver, not the landing.
///
/// # Errors
/// The landing could not be folded, or not be deleted.
pub async fn run_once(config: &Central, clock: &dyn Clock) -> Result<Report, CentralError> {
    rounds(config, clock, OBJECTS_MAX, SLICE_BYTES).await
}

/// In each round a view that is being counted gets one slice further; so what arrives meanwhile does not wait for it.
async fn rounds(
    config: &Central,
    clock: &dyn Clock,
    objects_max: usize,
    slice_bytes: i64,
) -> Result<Report, CentralError> {
    let mut folded = CompactReport::default();
    let views = loop {
        folded.add(compact::compact_some(config, clock, objects_max).await?);
        let views = gold::update_by(config, clock, slice_bytes).await;
        let counting = |report: &ViewReport| report.result.as_ref().is_ok_and(|it| it.counting.is_some());
        let is_counting = views.iter().any(counting);
        failpoint::reached(Failpoint::BeforeDelete);
        let consumed = std::mem::take(&mut folded.consumed);
        let stuck = consumed.is_empty();
        compact::delete(&config.place, consumed).await?;
        if !is_counting && (stuck || folded.left == Left::Nothing) {
            break views;
        }
    };
    upkeep::keep(config, &folded, clock).await;
    Ok(Report { folded, views })
}

/// Gives up what is missing in a stream, named `table/host/table-id`, and folds what waits behind.
///
/// # Errors
/// Nothing is missing there; or as for [`run_once`].
pub async fn accept(
    config: &Central,
    stream: &str,
    clock: &dyn Clock,
) -> Result<(Gap, Report), CentralError> {
    let before = run_once(config, clock).await?;
    let gaps = before.folded.tables.into_values().flat_map(|table| table.gaps);
    let Some(gap) = gaps.into_iter().find(|gap| gap.stream == stream) else {
        let reason = "no objects wait there for one that is missing".to_owned();
        return Err(CompactError::Unknown { name: stream.to_owned(), reason }.into());
    };
    match compact::accept(config, &gap, clock).await? {
        Settled::Passed(_) | Settled::Gone => Ok((gap, run_once(config, clock).await?)),
    }
}

/// What happens to a job that goes on.
#[derive(Debug)]
pub enum Event {
    /// Another job holds the lease: this one waits for it.
    Standby {
        /// What the other one calls itself: untrusted text.
        holder: String,
    },
    /// The lease is ours.
    Leads,
    /// A pass ended.
    Passed {
        /// How.
        result: Result<Report, CentralError>,
        /// How long it took.
        took: Duration,
    },
}

/// How long the store may take to let the lease go, when the job ends.
const RELEASE_TIME_MAX: Duration = Duration::from_secs(5);

/// Passes until `cancel` completes, each starting `interval` after the one before ended, while no other job holds the
/// lease. A pass that has begun is finished. `told` hears what happens; a failed pass is tried again as the next.
pub async fn run_every(
    config: &Central,
    clock: &dyn Clock,
    interval: Duration,
    cancel: impl Future<Output = ()>,
    mut told: impl FnMut(Event),
) {
    let (standing, mut stands) = watch::channel(Standing::Unknown);
    let (stop, stopped) = oneshot::channel();
    // On a task of its own: a pass may take longer than a lease lasts.
    let kept = tokio::spawn(Lease::new(&config.place, config.running.lease).keep(standing, stopped));
    tokio::pin!(cancel);
    let mut before = Standing::Unknown;
    loop {
        let now = stands.borrow_and_update().clone();
        if now != before {
            match &now {
                Standing::Unknown => {}
                Standing::Standby { holder } => told(Event::Standby { holder: holder.clone() }),
                Standing::Held => told(Event::Leads),
            }
            before = now;
        }
        if before == Standing::Held {
            let started = Instant::now();
            let pass = run_once(config, clock);
            tokio::pin!(pass);
            let (result, cancelled) = tokio::select! {
                biased;
                result = &mut pass => (result, false),
                () = &mut cancel => (pass.await, true),
            };
            told(Event::Passed { result, took: started.elapsed() });
            if cancelled {
                break;
            }
        }
        let due = async {
            match before {
                Standing::Held => tokio::time::sleep(interval).await,
                _ => std::future::pending().await,
            }
        };
        tokio::select! {
            () = &mut cancel => break,
            Ok(()) = stands.changed(), if before != Standing::Held => {}
            () = due => {}
        }
    }
    drop(stop);
    let _ = tokio::time::timeout(RELEASE_TIME_MAX, kept).await;
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use arrow::util::pretty::pretty_format_batches;

    use super::upkeep::CHECKPOINT_COMMITS;
    use super::*;
    use crate::compact::fake_host::{DAY, FakeHost, Noon, Row, lake};
    use crate::config::View;
    use crate::query;
    use crate::table::{TableVersion, log};

    fn view(name: &str, sql: &str) -> View {
        View { name: name.into(), sql: sql.into(), hash_partitions: 1, keep: None }
    }

    #[tokio::test]
    async fn a_pass_folds_counts_and_deletes_and_a_broken_view_stops_nothing() {
        let (_folder, config) = lake(vec![
            view("broken", "SELECT nothing, count(*) AS n FROM web GROUP BY nothing"),
            view("levels", "SELECT level, count(*) AS n FROM web GROUP BY level"),
        ]);
        let mut host = FakeHost::new(&config, "a");
        host.put(&[Row::at(DAY, "info", 1), Row::at(DAY, "warn", 1)]).await;
        let report = run_once(&config, &Noon).await.unwrap();
        assert_eq!(report.folded.tables.get("web").unwrap().rows, 2);
        let [broken, levels] = report.views.as_slice() else { panic!("{report:?}") };
        assert!(broken.result.as_ref().unwrap_err().to_string().contains("nothing"));
        assert_eq!(levels.result.as_ref().unwrap().silver, Some(TableVersion(0)));
        assert!(config.place.join("landing").list().await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_backlog_is_folded_in_rounds_and_no_stream_that_waits_stands_in_the_way() {
        let (_folder, config) =
            lake(vec![view("levels", "SELECT level, count(*) AS n FROM web GROUP BY level")]);
        let mut stuck = FakeHost::new(&config, "a");
        stuck.seq = 7;
        for host in ["b", "c", "d"] {
            let mut host = FakeHost::new(&config, host);
            for n in 0..90 {
                if n < 30 {
                    stuck.put(&[Row::at(DAY, "lost", n)]).await;
                }
                host.put(&[Row::at(DAY, "info", n)]).await;
            }
            let _ = config
                .place
                .put_new(&format!("landing/web/x/{}", host.stream.host), "x".into())
                .await
                .unwrap();
        }
        let report = rounds(&config, &Noon, 20, SLICE_BYTES).await.unwrap();
        let web = report.folded.tables.get("web").unwrap();
        assert_eq!((web.objects, web.rows, web.quarantined.len()), (270, 270, 3));
        assert_eq!(web.gaps.iter().map(|gap| (gap.seq.0, gap.waiting)).collect::<Vec<_>>(), [(1, 90)]);
        assert!(web.version.unwrap() > TableVersion(2), "in several rounds: {:?}", web.version);
        assert_eq!(config.place.join("landing").list().await.unwrap().len(), 90);
        let answer = query::answer(&config.place, "SELECT level, n FROM gold.levels").await.unwrap();
        assert!(pretty_format_batches(&answer).unwrap().to_string().contains("| info  | 270 |"));
    }

    #[tokio::test]
    async fn a_checkpoint_is_written_when_the_log_is_long() {
        let (_folder, config) = lake(Vec::new());
        let mut host = FakeHost::new(&config, "a");
        for n in 0..=CHECKPOINT_COMMITS as i64 {
            host.put(&[Row::at(DAY, "info", n)]).await;
            run_once(&config, &Noon).await.unwrap();
        }
        let (_, checkpoints) = log::list(&config.place.join("silver/web")).await.unwrap();
        assert_eq!(checkpoints, [TableVersion(CHECKPOINT_COMMITS)]);
        host.put(&[Row::at(DAY, "info", 1)]).await;
        assert_eq!(run_once(&config, &Noon).await.unwrap().folded.tables.get("web").unwrap().objects, 1);
    }

    #[tokio::test]
    async fn passes_repeat_until_cancelled() {
        let (_folder, config) = lake(Vec::new());
        let passes = RefCell::new(0);
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let stop = RefCell::new(Some(stop));
        let told = |event: Event| {
            let Event::Passed { result, .. } = event else { return };
            result.unwrap();
            *passes.borrow_mut() += 1;
            if *passes.borrow() == 3 {
                drop(stop.borrow_mut().take());
            }
        };
        let cancel = async { drop(stopped.await) };
        run_every(&config, &Noon, Duration::ZERO, cancel, told).await;
        assert!(*passes.borrow() >= 3);
    }
}
