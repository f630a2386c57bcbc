//! The positions that a Bronze commit carries: which files are known, and how far each is read.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::identity::Fingerprint;
use super::members::Damage;
use super::packed;

/// The number of a file, issued at first sight and never again. With a byte offset it names a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FileKey(u64);

impl FileKey {
    /// The key of the first file ever.
    pub const FIRST: Self = Self(1);

    /// The value of the `file` column.
    pub fn column(self) -> i64 {
        i64::try_from(self.0).unwrap_or(i64::MAX)
    }

    pub(super) fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for FileKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How far one file is read, and what tells it again after a rename, a copy or a restart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRecord {
    /// The number of the file.
    pub key: FileKey,
    /// The source that reads it.
    #[serde(with = "shared_name")]
    pub source: Arc<str>,
    /// Where it stood last.
    #[serde(with = "lossless_path")]
    pub path: Arc<Path>,
    /// Device number.
    pub dev: u64,
    /// Inode number.
    pub ino: u64,
    /// Birth time in microseconds since the epoch, where the file system knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub born: Option<i64>,
    /// When it was first seen, in microseconds since the epoch.
    pub since: i64,
    /// Bytes read, all of which stand in Bronze.
    pub offset: u64,
    /// Its size when it was last looked at.
    pub size: u64,
    /// Hashes of its bytes.
    #[serde(flatten)]
    pub print: Fingerprint,
    /// The last line taken had no newline: a newline that comes next belongs to it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub open_line: bool,
    /// A rotation took it to a path that no source includes; it is read on there.
    #[serde(default, skip_serializing_if = "is_false")]
    pub rotated: bool,
    /// It was compressed after a rotation; offset and size are those of the text.
    #[serde(default, skip_serializing_if = "is_false")]
    pub compressed: bool,
    /// What is wrong with it, if it was compressed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub damage: Option<Damage>,
    /// It could never be opened: nothing of it is known but its size.
    #[serde(default, skip_serializing_if = "is_false")]
    pub locked: bool,
    /// The file is gone: the record ends here.
    #[serde(default, skip_serializing_if = "is_false")]
    pub gone: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_false(value: &bool) -> bool {
    !*value
}

/// The whole state of a tail, or, in a commit, what changed of it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Positions {
    /// The key that the next new file gets.
    pub next_key: FileKey,
    /// Sources that have been started once: `start_at` counts for them no more.
    pub sources: BTreeSet<String>,
    /// Files by key.
    #[serde(deserialize_with = "by_key")]
    pub files: BTreeMap<FileKey, FileRecord>,
}

/// [`Positions`] as a commit tells them.
#[derive(Clone, Debug, Serialize)]
pub struct Told {
    next_key: FileKey,
    sources: BTreeSet<String>,
    /// A list of records; if there are many, they are [packed](super::packed): every reader of the log reads a commit
    /// whole that restates all files, and some more than once.
    files: Value,
    #[serde(skip)]
    records: usize,
}

/// So many records are packed.
const PACKED_MIN: usize = 1_000;

impl Told {
    /// # Errors
    /// A record cannot be written as JSON.
    pub(super) fn new(
        next_key: FileKey,
        sources: BTreeSet<String>,
        files: impl ExactSizeIterator<Item = FileRecord>,
    ) -> serde_json::Result<Self> {
        let records = files.len();
        let files = match records < PACKED_MIN {
            true => Value::Array(files.map(serde_json::to_value).collect::<Result<_, _>>()?),
            false => Value::String(packed::pack(files)?),
        };
        Ok(Self { next_key, sources, files, records })
    }

    /// How many files it tells of.
    pub fn records(&self) -> usize {
        self.records
    }
}

impl Default for Positions {
    /// Nothing known: the first start.
    fn default() -> Self {
        Self { next_key: FileKey::FIRST, sources: BTreeSet::new(), files: BTreeMap::new() }
    }
}

impl Positions {
    /// Brings this state up to a later commit. Applying all commits since one that restated all files, in order,
    /// gives the state to open a tail with.
    pub fn apply(&mut self, later: Self) {
        self.next_key = self.next_key.max(later.next_key);
        self.sources.extend(later.sources);
        for (key, record) in later.files {
            if record.gone {
                self.files.remove(&key);
            } else {
                self.files.insert(key, record);
            }
        }
    }
}

/// Reads records, as a list or packed.
fn by_key<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<FileKey, FileRecord>, D::Error> {
    struct Records;

    impl<'de> Visitor<'de> for Records {
        type Value = ByKey;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("records of files, as a list or packed")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<ByKey, A::Error> {
            let mut files = ByKey::default();
            while let Some(record) = list.next_element()? {
                files.extend([record]);
            }
            Ok(files)
        }

        fn visit_str<E: de::Error>(self, packed: &str) -> Result<ByKey, E> {
            let mut files = ByKey::default();
            packed::unpack(packed, &mut files).map_err(E::custom)?;
            Ok(files)
        }
    }

    deserializer.deserialize_any(Records).map(|files| files.0)
}

#[derive(Default)]
struct ByKey(BTreeMap<FileKey, FileRecord>);

impl Extend<FileRecord> for ByKey {
    fn extend<I: IntoIterator<Item = FileRecord>>(&mut self, records: I) {
        self.0.extend(records.into_iter().map(|record| (record.key, record)));
    }
}

/// A name that many records have in common.
mod shared_name {
    use super::Arc;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(name: &Arc<str>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(name)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<str>, D::Error> {
        String::deserialize(deserializer).map(Into::into)
    }
}

/// A path as a string where it is UTF-8, else as `{"bytes": ".."}` with `%XX` for `%` and for every byte that is not
/// printable ASCII.
mod lossless_path {
    use super::{Arc, OsStr, OsStrExt, OsStringExt, Path, PathBuf};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    enum Form {
        Text(String),
        Escaped { bytes: String },
    }

    pub(super) fn serialize<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
        let form = match path.to_str() {
            Some(text) => Form::Text(text.to_owned()),
            None => Form::Escaped { bytes: escape(path.as_os_str()) },
        };
        form.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<Path>, D::Error> {
        match Form::deserialize(deserializer)? {
            Form::Text(text) => Ok(PathBuf::from(text).into()),
            Form::Escaped { bytes } => unescape(&bytes)
                .map(|bytes| PathBuf::from(std::ffi::OsString::from_vec(bytes)).into())
                .ok_or_else(|| serde::de::Error::custom(format!("`{bytes}` is not an escaped path"))),
        }
    }

    fn escape(path: &OsStr) -> String {
        path.as_bytes().iter().fold(String::new(), |text, byte| match byte {
            b' '..=b'~' if *byte != b'%' => text + char::from(*byte).encode_utf8(&mut [0; 4]),
            _ => text + &format!("%{byte:02X}"),
        })
    }

    fn unescape(text: &str) -> Option<Vec<u8>> {
        let mut parts = text.split('%');
        let mut bytes = parts.next()?.as_bytes().to_vec();
        for part in parts {
            let (hex, rest) = part.split_at_checked(2)?;
            bytes.push(u8::from_str_radix(hex, 16).ok()?);
            bytes.extend_from_slice(rest.as_bytes());
        }
        Some(bytes)
    }
}
