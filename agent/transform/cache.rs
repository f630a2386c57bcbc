//! The folder of compiled plugins. What lies in it is run as it is: only this user may ever have written to it.
//!
//! A file appears whole, under the name of what it was made of, and is never changed: it is mapped, not read. Its pages
//! come into memory as they run, and the kernel takes them back when memory is short.

use std::collections::HashSet;
use std::fs::{self, DirBuilder, File, Permissions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::{Timespec, Timestamps, UTIME_NOW};
use tempfile::NamedTempFile;
use tracing::{debug, warn};
use wasmtime::component::Component;

use super::executable;
use super::source::Sha256;

/// Where compiled plugins are kept. The folder is nobody else's.
#[derive(Clone, Copy, Debug)]
pub struct CacheFolder<'a> {
    /// Made private, and what others could write to is thrown away.
    pub path: &'a Path,
    /// Beyond so many bytes those go that were not used for longest; a plugin that takes more is compiled each time.
    pub bytes_max: u64,
}

/// Compiled plugins.
#[derive(Clone, Debug)]
pub(super) struct Cache {
    folder: PathBuf,
    bytes_max: u64,
}

impl Cache {
    /// Those in a folder, in which nothing but files is left.
    ///
    /// # Errors
    /// It cannot be made private.
    pub fn open(folder: CacheFolder<'_>) -> io::Result<Self> {
        let CacheFolder { path, bytes_max } = folder;
        let folder = std::path::absolute(path)?;
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", folder.display()));
        make_private(&folder).and_then(|()| remove_folders(&folder)).map_err(named)?;
        Ok(Self { folder, bytes_max })
    }

    /// A component, whose hash is known, compiled if it is not there yet. A folder that cannot be written to costs time and no plugin.
    ///
    /// # Errors
    /// It cannot be compiled.
    pub fn component(
        &self,
        engine: &wasmtime::Engine,
        wasm: &[u8],
        sha256: Sha256,
    ) -> wasmtime::Result<Component> {
        let path = self.folder.join(name(engine, sha256));
        if let Some(component) = mapped(engine, &path) {
            return Ok(component);
        }
        let code = engine.precompile_component(wasm)?;
        match self.keep(&path, &code) {
            Ok(()) => {}
            Err(error) => warn!(path = %path.display(), %error, "a compiled plugin cannot be kept"),
        }
        if let Some(component) = mapped(engine, &path) {
            return Ok(component);
        }
        #[expect(unsafe_code, reason = "the compiler's output is machine code")]
        // SAFETY: this is what the compiler of this engine has just answered.
        unsafe {
            Component::deserialize(engine, code)
        }
    }

    /// Puts a file there whole and durably: after a power loss a part of one must not be run.
    fn keep(&self, path: &Path, code: &[u8]) -> io::Result<()> {
        if code.len() as u64 > self.bytes_max {
            let (bytes, bytes_max) = (code.len(), self.bytes_max);
            return Err(io::Error::other(format!("it has {bytes} bytes, where {bytes_max} are left to it")));
        }
        let mut file = NamedTempFile::new_in(&self.folder)?;
        file.write_all(code)?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        for surplus in surplus(kept(&self.folder)?, self.bytes_max) {
            fs::remove_file(surplus)?;
        }
        Ok(())
    }

    /// Removes all but what these engines made of these components. What is running goes on: it is mapped.
    ///
    /// # Errors
    /// A file cannot be removed.
    pub fn keep_only(&self, engines: &[&wasmtime::Engine], components: &HashSet<Sha256>) -> io::Result<()> {
        let names = |engine: &&wasmtime::Engine| components.iter().map(|wasm| name(engine, *wasm)).collect();
        let names: Vec<HashSet<String>> = engines.iter().map(names).collect();
        for Kept { path, .. } in kept(&self.folder)? {
            let file = path.file_name().unwrap_or_default().to_string_lossy();
            if !names.iter().any(|names| names.contains(file.as_ref())) {
                debug!(path = %path.display(), "no pipeline has this compiled plugin any more");
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }
}

/// Tells components and compilers, with their versions and settings, apart.
fn name(engine: &wasmtime::Engine, wasm: Sha256) -> String {
    let mut compiler = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut compiler);
    format!("{wasm}-{:016x}.cwasm", compiler.finish())
}

/// The component in a file, if it is there and of this engine.
fn mapped(engine: &wasmtime::Engine, path: &Path) -> Option<Component> {
    let file = File::open(path).ok()?;
    #[expect(unsafe_code, reason = "machine code is run as it is")]
    // SAFETY: the folder is private to this user, and only `keep` puts files there: whole, and never changed again.
    let component = executable::of_file(&file, || unsafe { Component::deserialize_file(engine, path) });
    let component =
        component.inspect_err(|error| debug!(path = %path.display(), %error, "compiled anew")).ok()?;
    let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
    if let Err(error) = rustix::fs::futimens(&file, &Timestamps { last_access: now, last_modification: now })
    {
        debug!(path = %path.display(), %error, "the time of use cannot be noted");
    }
    Some(component)
}

/// A file of the folder.
#[derive(Debug)]
struct Kept {
    path: PathBuf,
    used: SystemTime,
    bytes: u64,
}

fn kept(folder: &Path) -> io::Result<Vec<Kept>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let file = entry.metadata()?;
        if file.is_file() {
            all.push(Kept { path: entry.path(), used: file.modified()?, bytes: file.len() });
        }
    }
    Ok(all)
}

/// Which of the files go so that the others fit, those first that were not used for longest. The newest stays.
fn surplus(mut kept: Vec<Kept>, bytes_max: u64) -> impl Iterator<Item = PathBuf> {
    kept.sort_by_key(|file| std::cmp::Reverse(file.used));
    let mut bytes = 0_u64;
    kept.into_iter().enumerate().filter_map(move |(number, file)| {
        bytes = bytes.saturating_add(file.bytes);
        (number > 0 && bytes > bytes_max).then_some(file.path)
    })
}

/// Removes folders, such as former versions had here.
fn remove_folders(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

/// Nobody else reads, writes or enters.
const PRIVATE: u32 = 0o700;
/// Others can write.
const OTHERS_WRITE: u32 = 0o022;

/// Sees to it that `folder` is there and private. One that others could write to is emptied: a cache loses nothing.
///
/// # Errors
/// It can neither be made private nor be taken away.
fn make_private(folder: &Path) -> io::Result<()> {
    if let Ok(found) = fs::symlink_metadata(folder) {
        let is_ours = found.is_dir() && found.uid() == rustix::process::geteuid().as_raw();
        if is_ours && found.mode() & OTHERS_WRITE == 0 {
            return match found.mode() & 0o777 {
                PRIVATE => Ok(()),
                _ => fs::set_permissions(folder, Permissions::from_mode(PRIVATE)),
            };
        }
        warn!(folder = %folder.display(), "others could write compiled plugins here; they are thrown away");
        match found.is_dir() {
            true => fs::remove_dir_all(folder)?,
            false => fs::remove_file(folder)?,
        }
    }
    if let Some(parent) = folder.parent() {
        fs::create_dir_all(parent)?;
    }
    match DirBuilder::new().mode(PRIVATE).create(folder) {
        // Another engine of this process came first.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// A component without anything in it.
    const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";
    /// Another one: it has a name.
    const NAMED: &[u8] = b"\0asm\x0d\0\x01\0\0\x02\x01n";

    fn open(folder: &Path) -> Cache {
        Cache::open(CacheFolder { path: folder, bytes_max: 1 << 20 }).unwrap()
    }

    #[test]
    fn what_is_damaged_is_compiled_anew() {
        let folder = tempfile::tempdir().unwrap();
        let cache = open(&folder.path().join("cache"));
        let engine = wasmtime::Engine::default();
        let path = cache.folder.join(name(&engine, Sha256::of(EMPTY)));
        cache.component(&engine, EMPTY, Sha256::of(EMPTY)).unwrap();
        let whole = fs::read(&path).unwrap();
        for damaged in [&whole[..whole.len() / 2], b"\x7fELF", b""] {
            // As `keep` does: a mapped file is never written to.
            fs::remove_file(&path).unwrap();
            fs::write(&path, damaged).unwrap();
            assert!(mapped(&engine, &path).is_none());
            cache.component(&engine, EMPTY, Sha256::of(EMPTY)).unwrap();
            assert_eq!(fs::read(&path).unwrap(), whole);
        }
    }

    #[test]
    fn other_settings_are_another_file() {
        let folder = tempfile::tempdir().unwrap();
        let cache = open(folder.path());
        for epochs in [true, false] {
            let engine = wasmtime::Engine::new(wasmtime::Config::new().epoch_interruption(epochs)).unwrap();
            cache.component(&engine, EMPTY, Sha256::of(EMPTY)).unwrap();
            cache.component(&engine, EMPTY, Sha256::of(EMPTY)).unwrap();
        }
        assert_eq!(kept(folder.path()).unwrap().len(), 2);
    }

    #[test]
    fn what_is_too_large_is_compiled_each_time() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(CacheFolder { path: folder.path(), bytes_max: 10 }).unwrap();
        cache.component(&wasmtime::Engine::default(), EMPTY, Sha256::of(EMPTY)).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn only_what_is_wanted_stays() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("modules/wasmtime-1")).unwrap();
        let cache = open(folder.path());
        let engine = wasmtime::Engine::default();
        let other = wasmtime::Engine::new(wasmtime::Config::new().epoch_interruption(true)).unwrap();
        for (engine, wasm) in [(&engine, EMPTY), (&engine, NAMED), (&other, EMPTY)] {
            cache.component(engine, wasm, Sha256::of(wasm)).unwrap();
        }
        fs::write(folder.path().join(".tmpAbCdEf"), "half").unwrap();
        cache.keep_only(&[&engine], &HashSet::from([Sha256::of(NAMED)])).unwrap();
        let left: Vec<_> =
            fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, [name(&engine, Sha256::of(NAMED)).as_str()]);
    }

    #[test]
    fn what_was_not_used_for_longest_goes_first() {
        let file = |name: &str, second: u64, bytes: u64| Kept {
            path: name.into(),
            used: SystemTime::UNIX_EPOCH + Duration::from_secs(second),
            bytes,
        };
        let files = || vec![file("old", 1, 40), file("new", 3, 40), file("middle", 2, 40)];
        let gone = |bytes_max| surplus(files(), bytes_max).collect::<Vec<_>>();
        assert_eq!(gone(120), Vec::<PathBuf>::new());
        assert_eq!(gone(119), [PathBuf::from("old")]);
        assert_eq!(
            gone(10),
            [PathBuf::from("middle"), PathBuf::from("old")],
            "the newest was just put there"
        );
    }
}
