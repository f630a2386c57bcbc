//! The positions that a Bronze commit carries: which files are known, and how far each is read.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::identity::Fingerprint;

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

/// How far one file is read, and what tells it again after a rename, a copy or a restart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRecord {
    /// The number of the file.
    pub key: FileKey,
    /// The source that reads it.
    pub source: String,
    /// Where it stood last.
    #[serde(with = "lossless_path")]
    pub path: PathBuf,
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
    /// The file is gone: the record ends here.
    #[serde(default, skip_serializing_if = "is_false")]
    pub gone: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_false(value: &bool) -> bool {
    !*value
}

/// The whole state of a tail, or, in a commit, what changed of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Positions {
    /// The key that the next new file gets.
    pub next_key: FileKey,
    /// Sources that have been started once: `start_at` counts for them no more.
    pub sources: BTreeSet<String>,
    /// Files by key.
    #[serde(with = "as_list")]
    pub files: BTreeMap<FileKey, FileRecord>,
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

mod as_list {
    use super::{BTreeMap, FileKey, FileRecord};
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        files: &BTreeMap<FileKey, FileRecord>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(files.values())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<FileKey, FileRecord>, D::Error> {
        let records = Vec::<FileRecord>::deserialize(deserializer)?;
        Ok(records.into_iter().map(|record| (record.key, record)).collect())
    }
}

/// A path as a string where it is UTF-8, else as `{"bytes": ".."}` with `%XX` for `%` and for every byte that is not
/// printable ASCII.
mod lossless_path {
    use super::{OsStr, OsStrExt, OsStringExt, Path, PathBuf};
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

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PathBuf, D::Error> {
        match Form::deserialize(deserializer)? {
            Form::Text(text) => Ok(text.into()),
            Form::Escaped { bytes } => unescape(&bytes)
                .map(|bytes| std::ffi::OsString::from_vec(bytes).into())
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
