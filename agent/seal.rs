//! Whose state folder this is. A copied or restored folder must not go on as if it were the original:
//! two agents would then number different rows alike.

use std::collections::BTreeMap;
use std::fs::{self, FileTimes, OpenOptions};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::lock;
use crate::table::TableVersion;

/// The identity of a state folder and of the tables in it, kept in the Bronze log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seal {
    /// The machine's id, or its host name where it has none.
    pub machine: String,
    /// The inode of the state folder.
    pub inode: u64,
    /// The birth time of the state folder in microseconds since the epoch, where the file system knows it: the root of a
    /// volume has the same inode as that of any other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub born: Option<i64>,
    /// The folder's `lock` file, which is changed by each agent that runs: whatever puts an older state of the folder back
    /// into it puts another file in its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock: Option<FileId>,
    /// The name of the host, under which landing objects are numbered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The ids of the tables that belong to it, by folder (`silver/app`).
    pub tables: BTreeMap<String, String>,
    /// Versions that tables had when the agent started last, by folder.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub versions: BTreeMap<String, TableVersion>,
}

/// What tells a file from any other on its file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileId {
    /// Its inode.
    pub inode: u64,
    /// Its birth time in microseconds since the epoch, where the file system knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub born: Option<i64>,
}

impl FileId {
    fn of(path: &Path) -> io::Result<Self> {
        let metadata = fs::metadata(path)?;
        let since = |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH).ok();
        let born = metadata.created().ok().and_then(since);
        let born = born.and_then(|since| i64::try_from(since.as_micros()).ok());
        Ok(Self { inode: metadata.ino(), born })
    }

    fn differs(self, other: Self) -> bool {
        self.inode != other.inode || self.born.zip(other.born).is_some_and(|(one, other)| one != other)
    }
}

/// Changes the `lock` file of a state folder, so that no copy made before passes for it.
///
/// # Errors
/// It cannot be changed.
pub fn touch(folder: &Path, now: Timestamp) -> io::Result<()> {
    let micros = Duration::from_micros(u64::try_from(now.micros()).unwrap_or_default());
    let file = OpenOptions::new().write(true).open(lock::file(folder))?;
    file.set_times(FileTimes::new().set_modified(SystemTime::UNIX_EPOCH + micros))
}

impl Seal {
    /// The seal that this machine, this folder, which is locked, and the host's name call for, without tables.
    ///
    /// # Errors
    /// The folder cannot be looked at.
    pub fn of(folder: &Path, host: &str) -> io::Result<Self> {
        let FileId { inode, born } = FileId::of(folder)?;
        let lock = Some(FileId::of(&lock::file(folder))?);
        let machine = ["/etc/machine-id", "/var/lib/dbus/machine-id"]
            .iter()
            .filter_map(|file| fs::read_to_string(file).ok())
            .map(|id| id.trim().to_owned())
            .find(|id| !id.is_empty())
            .unwrap_or_else(|| rustix::system::uname().nodename().to_string_lossy().into_owned());
        let (host, tables, versions) = (Some(host.to_owned()), BTreeMap::new(), BTreeMap::new());
        Ok(Self { machine, inode, born, lock, host, tables, versions })
    }

    /// What tells this folder from the one that `kept` was written for; `None` if nothing does.
    pub fn differs(&self, kept: &Self) -> Option<String> {
        if self.machine != kept.machine {
            return Some(format!("it was written on machine {}, this is {}", kept.machine, self.machine));
        }
        if self.inode != kept.inode {
            return Some(format!("it was written as inode {}, this is {}", kept.inode, self.inode));
        }
        let (own, was) =
            (FileId { inode: self.inode, born: self.born }, FileId { inode: kept.inode, born: kept.born });
        if own.differs(was) {
            let time = |id: FileId| Timestamp::from_micros(id.born.unwrap_or_default());
            return Some(format!("it was made at {}, this one at {}", time(was), time(own)));
        }
        if self.lock.zip(kept.lock).is_some_and(|(own, was)| own.differs(was)) {
            return Some(
                "its `lock` is another file than then, as where a backup was put back into it".to_owned(),
            );
        }
        None
    }
}
