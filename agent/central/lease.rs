//! A lease, so that of several jobs over one lake one works and the others stand by.
//!
//! It saves work and nothing more: no commit asks for it, and two jobs that both believe to hold it do each other no
//! harm. So it may be simple, and it errs towards working.
//!
//! It is kept as `lease/<number>.json`, create-only like all else: the highest number counts, and whoever puts the next
//! one holds it. The holder does so every third of the lease's time. No clock of one machine is held against that of
//! another, or of the store: a job that stands by takes the lease when it has seen no new number for the time of the lease by its own
//! clock, which never goes back; or at once, where the holder has let go.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;

use crate::store::{Place, Put, StoreError};

/// The folder, below the central URL, that holds it.
const LEASE: &str = "lease";

/// What a number says.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Record {
    /// Who put it: host, process, and a word that no other process has.
    holder: String,
    /// Whether it lets go.
    released: bool,
}

/// How a job stands to the lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It has not been asked for yet.
    Unknown,
    /// It is ours: there is work to do.
    Held,
    /// Another one works.
    Standby {
        /// Its name for itself; what anyone may have written.
        holder: String,
    },
}

/// One job's part in the lease.
#[derive(Debug)]
pub(super) struct Lease {
    place: Place,
    time: Duration,
    holder: String,
    /// The number that is ours.
    ours: Option<u64>,
    /// The newest number of another job, since when it has been, and what it says.
    other: Option<(u64, Instant, Record)>,
}

impl Lease {
    /// For a lake; whoever does not renew it for `time` has lost it.
    pub fn new(lake: &Place, time: Duration) -> Self {
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let holder = format!("{host}, process {}, {}", std::process::id(), uuid::Uuid::new_v4());
        Self { place: lake.join(LEASE), time, holder, ours: None, other: None }
    }

    /// Keeps or awaits the lease, and tells `standing` how it stands, until `stopped`; then lets go.
    pub async fn keep(mut self, standing: watch::Sender<Standing>, mut stopped: oneshot::Receiver<()>) {
        let mut failed = false;
        loop {
            match self.turn(Instant::now()).await {
                Ok(now) => {
                    failed = false;
                    standing.send_if_modified(|before| std::mem::replace(before, now.clone()) != now);
                }
                Err(error) => {
                    if !std::mem::replace(&mut failed, true) {
                        tracing::warn!(%error, "the lease cannot be asked for; the work goes on as it was");
                    }
                    // One that cannot ask works: nothing but work is saved by the lease.
                    standing.send_if_modified(|before| {
                        let is_unknown = *before == Standing::Unknown;
                        if is_unknown {
                            *before = Standing::Held;
                        }
                        is_unknown
                    });
                }
            }
            tokio::select! {
                _ = &mut stopped => break,
                () = tokio::time::sleep(self.time / 3) => {}
            }
        }
        if let Err(error) = self.release().await {
            tracing::debug!(%error, "the lease was not let go; it ends by itself");
        }
    }

    /// Renews the lease at `now`, or takes it where nobody holds it any more.
    async fn turn(&mut self, now: Instant) -> Result<Standing, StoreError> {
        let numbers = self.numbers().await?;
        let newest = numbers.last().copied();
        if let Some(newest) = newest.filter(|newest| self.ours != Some(*newest)) {
            self.ours = None;
            if let Some(holder) = self.look_at(newest, now).await? {
                return Ok(Standing::Standby { holder });
            }
        }
        self.put(newest, false).await?;
        self.clear(&numbers).await?;
        Ok(match self.ours {
            Some(_) => Standing::Held,
            None => Standing::Standby { holder: "another job, since just now".to_owned() },
        })
    }

    /// Who holds the lease by `number`; `None` if nobody does, or if it is ours after all: its answer was lost.
    async fn look_at(&mut self, number: u64, now: Instant) -> Result<Option<String>, StoreError> {
        let (since, record) = match self.other.take() {
            Some((seen, since, record)) if seen == number => (since, record),
            _ => {
                let bytes = self.place.get(&name(number)).await?;
                let record = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
                let unknown = Record { holder: "unknown".to_owned(), released: false };
                (now, record.unwrap_or(unknown))
            }
        };
        let is_over =
            record.released || record.holder == self.holder || now.duration_since(since) >= self.time;
        let holder = (!is_over).then(|| record.holder.clone());
        self.other = Some((number, since, record));
        Ok(holder)
    }

    /// Lets go, if it is ours, so that another job need not wait.
    async fn release(&mut self) -> Result<(), StoreError> {
        let numbers = self.numbers().await?;
        if self.ours.is_some() && numbers.last().copied() == self.ours {
            self.put(self.ours, true).await?;
            self.clear(&numbers).await?;
            self.ours = None;
        }
        Ok(())
    }

    async fn put(&mut self, newest: Option<u64>, released: bool) -> Result<(), StoreError> {
        let next = newest.map_or(1, |newest| newest.saturating_add(1));
        let record = Record { holder: self.holder.clone(), released };
        let bytes = serde_json::to_vec(&record).unwrap_or_default();
        self.ours = match self.place.put_new(&name(next), Bytes::from(bytes)).await? {
            Put::Created => Some(next),
            Put::AlreadyExists => None,
        };
        Ok(())
    }

    /// The numbers that are there, ascending; what has another name is not ours.
    async fn numbers(&self) -> Result<Vec<u64>, StoreError> {
        let objects = self.place.list().await?;
        let number = |file: &str| file.strip_suffix(".json")?.parse().ok();
        let numbers = objects.iter().filter_map(|object| number(object.location.filename()?));
        let mut numbers: Vec<u64> = numbers.collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// Deletes numbers before ours. The one right before it stays a while: another job may be about to read it.
    async fn clear(&self, numbers: &[u64]) -> Result<(), StoreError> {
        for old in numbers.iter().rev().skip(1).filter(|_| self.ours.is_some()) {
            self.place.delete(&name(*old)).await?;
        }
        Ok(())
    }
}

fn name(number: u64) -> String {
    format!("{number:020}.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: Duration = Duration::from_secs(60);

    fn standby(lease: &Lease) -> Standing {
        Standing::Standby { holder: lease.holder.clone() }
    }

    #[tokio::test]
    async fn one_holds_it_and_another_takes_it_when_no_number_came_for_its_time() {
        let folder = tempfile::tempdir().unwrap();
        let lake = Place::local(folder.path()).unwrap();
        let [mut a, mut b] = [(); 2].map(|()| Lease::new(&lake, TIME));
        let mut now = Instant::now();
        assert_eq!(a.turn(now).await.unwrap(), Standing::Held);
        for _ in 0..20 {
            assert_eq!(b.turn(now).await.unwrap(), standby(&a));
            assert_eq!(a.turn(now).await.unwrap(), Standing::Held);
            now += TIME / 3;
        }
        assert!(a.numbers().await.unwrap().len() <= 2, "old numbers go");
        // The holder is silent from now on. Its last number is new to the other one, which waits for the whole time.
        assert_eq!(b.turn(now).await.unwrap(), standby(&a));
        now += TIME - Duration::from_millis(1);
        assert_eq!(b.turn(now).await.unwrap(), standby(&a));
        now += Duration::from_millis(1);
        assert_eq!(b.turn(now).await.unwrap(), Standing::Held);
        // The first one was only asleep.
        assert_eq!(a.turn(now).await.unwrap(), standby(&b));
        b.release().await.unwrap();
        assert_eq!(a.turn(now).await.unwrap(), Standing::Held, "what is let go is free at once");
        assert_eq!(b.turn(now).await.unwrap(), standby(&a));
        b.release().await.unwrap();
        assert_eq!(a.turn(now).await.unwrap(), Standing::Held, "who does not hold it lets nothing go");
    }

    #[tokio::test]
    async fn a_renewal_whose_answer_was_lost_is_known_again_and_rubbish_holds_nobody_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let lake = Place::local(folder.path()).unwrap();
        let now = Instant::now();
        let mut lease = Lease::new(&lake, Duration::ZERO);
        assert_eq!(lease.turn(now).await.unwrap(), Standing::Held);
        let mut before = Lease { holder: lease.holder.clone(), time: TIME, ..Lease::new(&lake, TIME) };
        assert_eq!(before.turn(now).await.unwrap(), Standing::Held, "the number is its own");
        let _ = lake.join(LEASE).put_new(&name(7), Bytes::from_static(b"{")).await.unwrap();
        assert_eq!(before.turn(now).await.unwrap(), Standing::Standby { holder: "unknown".to_owned() });
        assert_eq!(lease.turn(now).await.unwrap(), Standing::Held);
    }
}
