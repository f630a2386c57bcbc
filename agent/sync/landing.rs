//! The landing: how objects are named and what their footers say. Shared by the host that puts them and
//! the central job that folds them.
//!
//! An object's name is `landing/<table>/<host>/<table id>/<seq>-<part>-<digest>.parquet`, below the central
//! URL. A host's key may write below `landing/*/<host>/` and nothing else; so the host is what the prefix
//! says, whatever a footer claims.

use std::fmt;

use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::table::{Digest, TableVersion};

/// The key of the Parquet key-value metadata that holds a [`Footer`] as JSON.
pub const FOOTER_KEY: &str = "logsmith";

/// The version of the footer's form, where an object only adds rows.
pub const FOOTER_FORMAT: u32 = 1;

/// The version of the footer's form, where the rows replace others: whoever does not know it refuses the object, and
/// does not count lines twice.
pub const REPLACING_FORMAT: u32 = 2;

/// The folder, below the central URL, that hosts write to.
pub const LANDING: &str = "landing";

/// The table name under which dead letters travel.
pub const DEAD_LETTER: &str = "dead_letter";

/// The number of a landing object within its stream: 1, 2, 3, ... without gaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seq(pub u64);

impl Seq {
    /// The number after this one.
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A stream: what one host's Silver table puts for one fleet table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId {
    /// The fleet table; [`DEAD_LETTER`] for dead letters.
    pub table: String,
    /// The host, as the landing prefix names it.
    pub host: String,
    /// The id of the Silver table on the host.
    pub table_id: String,
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.table, self.host, self.table_id)
    }
}

/// The name of a landing object, taken apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectName {
    /// The stream that it belongs to.
    pub stream: StreamId,
    /// Its number in the stream.
    pub seq: Seq,
    /// Which part of this number it is, from 1 on.
    pub part: u32,
    /// The SHA-256 of its bytes, as hexadecimal.
    pub digest: String,
}

impl ObjectName {
    /// Takes a name apart; `path` is relative to the central URL, or ends in such a path.
    ///
    /// # Errors
    /// What is wrong with the name.
    pub fn parse(path: &str) -> Result<Self, String> {
        let wrong = |what: &str| format!("{what} in the object name `{path}`");
        let mut parts = path.rsplit('/');
        let mut folder = |what| parts.next().filter(|part| !part.is_empty()).ok_or_else(|| wrong(what));
        let file = folder("no file name")?;
        let table_id = folder("no table id")?.to_owned();
        let host = folder("no host")?.to_owned();
        let table = folder("no table")?.to_owned();
        if folder("no landing folder")? != LANDING {
            return Err(wrong("no landing folder"));
        }
        let stem = file.strip_suffix(".parquet").ok_or_else(|| wrong("no ending .parquet"))?;
        let mut fields = stem.splitn(3, '-');
        let mut field = |what| fields.next().ok_or_else(|| wrong(what));
        let seq = field("no seq")?.parse().map(Seq).map_err(|_| wrong("no number as seq"))?;
        let part = field("no part")?.parse().map_err(|_| wrong("no number as part"))?;
        let digest = field("no digest")?.to_owned();
        if digest.parse::<Digest>().is_err() {
            return Err(wrong("no SHA-256 as digest"));
        }
        Ok(Self { stream: StreamId { table, host, table_id }, seq, part, digest })
    }
}

impl fmt::Display for ObjectName {
    /// The path below the central URL. The seq is padded, so that names sort as they were made.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stream, seq, part, digest } = self;
        write!(f, "{LANDING}/{stream}/{:012}-{part}-{digest}.parquet", seq.0)
    }
}

/// The versions of a Bronze table that an object accounts for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BronzeRange {
    /// The id of the Bronze table.
    pub table_id: String,
    /// The first version.
    pub first: TableVersion,
    /// The last version.
    pub last: TableVersion,
}

/// What an object says of itself, in its Parquet footer, so that it can be judged without its name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Footer {
    /// [`FOOTER_FORMAT`], or [`REPLACING_FORMAT`] with `replaces`.
    pub format: u32,
    /// The fleet table.
    pub table: String,
    /// The host that made it.
    pub host: String,
    /// The id of the Silver table that it comes from.
    pub table_id: String,
    /// Its number in the stream.
    pub seq: Seq,
    /// Which part of this number it is, from 1 on.
    pub part: u32,
    /// How many parts this number has.
    pub parts: u32,
    /// The Bronze versions that the number accounts for.
    pub bronze: BronzeRange,
    /// The digest of the stream's object before this one; `None` for the first.
    pub previous: Option<Digest>,
    /// The plugins that made the rows: name, version, sha256, config hash.
    pub plugins: Vec<Value>,
    /// What its rows stand in place of, where a replay made them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<Replaced>,
    /// The version of logsmith that made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
}

/// The rows that an object replaces: those of earlier objects of its own stream, be they replaced already by an object
/// between. All that is said here is true of each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replaced {
    /// The generation of the stream that the object belongs to: 1 for the first replay.
    pub generation: u64,
    /// The pipeline; in the table of dead letters nothing else tells whose they are.
    pub pipeline: String,
    /// The numbers of the objects, in ascending runs from a first to a last.
    pub objects: Vec<(Seq, Seq)>,
    /// The first and the last `ingested_at`, in microseconds.
    pub ingested_at: (i64, i64),
    /// The first and the last `processed_at`, in microseconds. It tells the rows from those of another stream of the
    /// host, which has the same numbers.
    pub processed_at: (i64, i64),
}

impl Replaced {
    /// Whether the object with this number is replaced.
    pub fn has(&self, seq: Seq) -> bool {
        let next = self.objects.partition_point(|(_, last)| *last < seq);
        self.objects.get(next).is_some_and(|(first, _)| *first <= seq)
    }
}

impl Footer {
    /// The footer in the bytes of a Parquet file; `None` if it has none, or one of another form.
    pub fn read(bytes: Bytes) -> Option<Self> {
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).ok()?;
        let pairs = reader.metadata().file_metadata().key_value_metadata()?;
        serde_json::from_str(pairs.iter().find(|pair| pair.key == FOOTER_KEY)?.value.as_deref()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_back() {
        let name = ObjectName {
            stream: StreamId { table: "web".into(), host: "edge-1".into(), table_id: "5b1".into() },
            seq: Seq(42),
            part: 1,
            digest: Digest::of(b"x").to_string(),
        };
        assert_eq!(ObjectName::parse(&format!("lake/prefix/{name}")), Ok(name.clone()));
        let stray = name.to_string().replace("-1-", "-one-");
        assert!(ObjectName::parse(&stray).unwrap_err().contains("no number as part"));
    }
}
