//! Which lines a replay is about.

use super::{Places, ReplayError, Request, Since};
use crate::silver::{Counts, Live, Scope, live};
use crate::state::{GivenUp, whole_after};
use crate::sync::landing::BronzeRange;
use crate::table::{Cursor, Snapshot, TableError, TableVersion, log};

/// The lines of a replay: what stands of the verdicts on them is to be replaced.
#[derive(Debug)]
pub struct Range {
    /// Which lines of them.
    pub scope: Scope,
    /// The versions of Bronze.
    pub bronze: BronzeRange,
    /// What stands of the verdicts on these, in order.
    pub live: Vec<Live>,
    /// What was asked for, and is not among them.
    pub left_out: Option<LeftOut>,
}

/// Lines that were asked for and cannot be replayed: up to a version, those of Bronze have expired, or the log does not
/// tell any more what became of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// The last version of Bronze that is left out.
    pub last: TableVersion,
}

impl std::fmt::Display for LeftOut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Bronze up to version {} is left out: it is not kept any more", self.last)
    }
}

impl Range {
    /// What became of the lines by the verdicts that stand.
    pub fn counts(&self) -> Counts {
        self.live.iter().fold(Counts::default(), |sum, live| sum.plus(live.counts))
    }

    pub(super) async fn find(places: &Places, request: &Request) -> Result<Self, ReplayError> {
        let nothing = |why: String| Err(ReplayError::Nothing(why));
        let bronze = Snapshot::load(&places.bronze).await?;
        let silver = Snapshot::load(&places.silver).await?;
        let (Some(bronze), Some(silver)) = (bronze, silver) else {
            return nothing("the agent has not run here yet".to_owned());
        };
        let bronze_id = bronze.id()?;
        let cursor = silver.cursor(&Cursor::Bronze(bronze_id.clone())).await?.unwrap_or(0);
        let cursor = TableVersion(cursor.unsigned_abs());
        let gone = whole_after(&places.bronze, &bronze, GivenUp::Gone).await?;
        let mut live = live::read(&places.silver, silver.version(), &bronze_id, cursor).await?;
        live.retain(|live| live.bronze.first > gone);
        let Some(oldest) = live.first().map(|live| live.bronze.first) else {
            return nothing(format!(
                "of the lines judged so far, up to version {cursor} of Bronze, none are kept any more"
            ));
        };
        let since = match request.since {
            None => TableVersion(1),
            Some(Since::Version(version)) => version,
            Some(Since::Time(time)) => {
                let mut version = cursor.next();
                while version > TableVersion(1) {
                    let before = TableVersion(version.0 - 1);
                    let entry = log::read(&places.bronze, before).await?;
                    if entry.is_none_or(|entry| entry.time.is_some_and(|made| made < time)) {
                        break;
                    }
                    version = before;
                }
                version
            }
        };
        if since > cursor {
            return nothing(format!(
                "version {since} of Bronze is not judged yet; version {cursor} is the last"
            ));
        }
        let from = live.partition_point(|live| live.bronze.first <= since).saturating_sub(1);
        let live = live.split_off(from);
        let first = live.first().map_or(oldest, |live| live.bronze.first);
        let left_out = (since < first).then(|| LeftOut { last: TableVersion(first.0 - 1) });
        let bronze = BronzeRange { table_id: bronze_id, first, last: cursor };
        Ok(Self { scope: request.scope, bronze, live, left_out })
    }
}

/// An entry of the log of Bronze that must be there.
pub(super) async fn entry(places: &Places, version: TableVersion) -> Result<log::Entry, TableError> {
    log::read_local(&places.bronze, version).await
}
