//! The files that are known, and the ways to find one: by key, by inode, by path.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use super::identity::FileId;
use super::known::{Known, link_target};
use super::positions::FileKey;

/// All known files.
#[derive(Debug, Default)]
pub(super) struct Files {
    /// Boxed: keys come in order, which leaves the map's nodes half empty.
    by_key: BTreeMap<FileKey, Box<Known>>,
    by_id: HashMap<FileId, FileKey>,
    by_path: HashMap<Arc<Path>, Vec<FileKey>>,
}

impl Files {
    pub(super) fn insert(&mut self, known: Known) {
        self.by_id.insert(known.id, known.key);
        self.by_path.entry(Arc::clone(&known.path)).or_default().push(known.key);
        self.by_key.insert(known.key, Box::new(known));
    }

    pub(super) fn remove(&mut self, key: FileKey) -> Option<Known> {
        let known = self.by_key.remove(&key)?;
        self.unlink_id(key, known.id);
        self.unlink_path(key, &known.path);
        Some(*known)
    }

    pub(super) fn get(&self, key: FileKey) -> Option<&Known> {
        self.by_key.get(&key).map(Box::as_ref)
    }

    pub(super) fn get_mut(&mut self, key: FileKey) -> Option<&mut Known> {
        self.by_key.get_mut(&key).map(Box::as_mut)
    }

    pub(super) fn at_id(&self, id: FileId) -> Option<FileKey> {
        self.by_id.get(&id).copied()
    }

    /// The files whose last path is `path`.
    pub(super) fn at_path(&self, path: &Path) -> &[FileKey] {
        self.by_path.get(path).map_or(&[], Vec::as_slice)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Known> {
        self.by_key.values().map(Box::as_ref)
    }

    pub(super) fn iter_mut(&mut self) -> impl ExactSizeIterator<Item = &mut Known> {
        self.by_key.values_mut().map(Box::as_mut)
    }

    pub(super) fn len(&self) -> usize {
        self.by_key.len()
    }

    /// Notes that a file now stands at another path.
    pub(super) fn move_to(&mut self, key: FileKey, path: &Path) {
        let Some(known) = self.by_key.get_mut(&key) else { return };
        let old = std::mem::replace(&mut known.path, path.into());
        tracing::debug!(file = %key, from = %old.display(), to = %path.display(), "file has moved");
        known.target = link_target(path);
        known.dirty = true;
        known.was_at.get_or_insert_with(|| Arc::clone(&old));
        let path = Arc::clone(&known.path);
        self.unlink_path(key, &old);
        self.by_path.entry(path).or_default().push(key);
    }

    /// Notes that a file has another inode: its copy took its place, or its device has a new number.
    pub(super) fn set_id(&mut self, key: FileKey, id: FileId, born: Option<i64>) {
        let Some(known) = self.by_key.get_mut(&key) else { return };
        let old = std::mem::replace(&mut known.id, id);
        known.born = born;
        known.dirty = true;
        self.unlink_id(key, old);
        self.by_id.insert(id, key);
    }

    /// Forgets which file an inode is: it has been given to another.
    pub(super) fn unlink_id(&mut self, key: FileKey, id: FileId) {
        if self.by_id.get(&id) == Some(&key) {
            self.by_id.remove(&id);
        }
    }

    fn unlink_path(&mut self, key: FileKey, path: &Path) {
        if let Some(keys) = self.by_path.get_mut(path) {
            keys.retain(|other| *other != key);
            if keys.is_empty() {
                self.by_path.remove(path);
            }
        }
    }
}
