//! Whose state folder this is. A copied or restored folder must not go on as if it were the original:
//! two agents would then number different rows alike.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// The identity of a state folder and of the tables in it, kept in the Bronze log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seal {
    /// The machine's id, or its host name where it has none.
    pub machine: String,
    /// The inode of the state folder.
    pub inode: u64,
    /// The name of the host, under which landing objects are numbered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The ids of the tables that belong to it, by folder (`silver/app`).
    pub tables: BTreeMap<String, String>,
}

impl Seal {
    /// The seal that this machine, this folder and the host's name call for, without tables.
    ///
    /// # Errors
    /// The folder cannot be looked at.
    pub fn of(folder: &Path, host: &str) -> std::io::Result<Self> {
        let inode = fs::metadata(folder)?.ino();
        let machine = ["/etc/machine-id", "/var/lib/dbus/machine-id"]
            .iter()
            .filter_map(|file| fs::read_to_string(file).ok())
            .map(|id| id.trim().to_owned())
            .find(|id| !id.is_empty())
            .unwrap_or_else(|| rustix::system::uname().nodename().to_string_lossy().into_owned());
        Ok(Self { machine, inode, host: Some(host.to_owned()), tables: BTreeMap::new() })
    }

    /// What tells this folder from the one that `kept` was written for; `None` if nothing does.
    pub fn differs(&self, kept: &Self) -> Option<String> {
        if self.machine != kept.machine {
            return Some(format!("it was written on machine {}, this is {}", kept.machine, self.machine));
        }
        if self.inode != kept.inode {
            return Some(format!("it was written as inode {}, this is {}", kept.inode, self.inode));
        }
        None
    }
}
