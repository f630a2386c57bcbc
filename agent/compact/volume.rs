//! How much a commit folded of a stream, and when that came: what `logsmith fleet` tells of hosts.

use arrow::array::AsArray;
use arrow::compute::max;
use arrow::datatypes::TimestampMicrosecondType;
use serde::{Deserialize, Serialize};

use super::columns::TIME;
use super::object::Opened;
use super::plan::Listed;

/// The longest version of an agent that a commit repeats; an object is untrusted input.
const AGENT_BYTES_MAX: usize = 64;

/// What was folded of a stream, as a commit tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Volume {
    /// Rows, those of a replay too.
    pub rows: u64,
    /// The bytes of the landing objects.
    pub bytes: u64,
    /// When the last of them arrived, by the store's clock; microseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arrived: Option<i64>,
    /// The newest `ingested_at` in it, by the host's clock; microseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ingested: Option<i64>,
    /// The version of logsmith that made the last of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
}

impl Volume {
    /// That of one object.
    pub fn of(listed: &Listed, opened: &Opened) -> Self {
        let newest = opened.batches.iter().filter_map(|batch| {
            max(batch.column_by_name(TIME)?.as_primitive_opt::<TimestampMicrosecondType>()?)
        });
        Self {
            rows: opened.batches.iter().map(|batch| batch.num_rows() as u64).sum(),
            bytes: listed.size,
            arrived: Some(listed.arrived),
            ingested: newest.max(),
            agent: opened.footer.agent.clone().filter(|agent| agent.len() <= AGENT_BYTES_MAX),
        }
    }

    /// Adds what was folded later.
    pub fn add(&mut self, later: Self) {
        self.rows += later.rows;
        self.bytes += later.bytes;
        self.arrived = self.arrived.max(later.arrived);
        self.ingested = self.ingested.max(later.ingested);
        self.agent = later.agent.or(self.agent.take());
    }
}
