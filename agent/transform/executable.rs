//! Machine code becomes executable without having been writable where it runs.
//!
//! The usual way writes code into memory and makes that executable. A process that is denied this, by
//! `MemoryDenyWriteExecute` of a systemd unit say, cannot be made to run what somebody managed to write into its memory.
//! Here code is mapped anew in its place, to be read and run: from the file that it lies in, or from a nameless one.

use std::cell::RefCell;
use std::fs::{self, File};
use std::io::{self, Write};

use rustix::fs::{MemfdFlags, memfd_create};
use wasmtime::CustomCodeMemory;

thread_local! {
    /// What is being loaded on this thread.
    static FILE: RefCell<Option<File>> = const { RefCell::new(None) };
}

/// Loads code of `file` by `load`, which maps that file.
pub(super) fn of_file<T>(file: &File, load: impl FnOnce() -> T) -> T {
    // Without a second handle it is copied.
    FILE.set(file.try_clone().ok());
    let loaded = load();
    FILE.take();
    loaded
}

/// Makes code executable so.
#[derive(Clone, Copy, Debug)]
pub(super) struct MappedAnew;

impl CustomCodeMemory for MappedAnew {
    fn required_alignment(&self) -> usize {
        page_bytes()
    }

    fn publish_executable(&self, start: *const u8, len: usize) -> wasmtime::Result<()> {
        let (file, offset) = match FILE.take() {
            Some(file) => (file, offset_in_file(start)?),
            None => (copied(start, len)?, 0),
        };
        map(&file, offset, start, len)?;
        Ok(())
    }

    fn unpublish_executable(&self, _: *const u8, _: usize) -> wasmtime::Result<()> {
        // It is about to be unmapped; nothing else asks for this.
        Ok(())
    }
}

/// Where in the file that is mapped at this address it stands there.
fn offset_in_file(address: *const u8) -> io::Result<u64> {
    let (address, hex) = (address.addr() as u64, |text: &str| u64::from_str_radix(text, 16).ok());
    let maps = fs::read_to_string("/proc/self/maps")?;
    let found = maps.lines().find_map(|line| {
        let mut fields = line.split(' ');
        let (start, end) = fields.next()?.split_once('-')?;
        let (start, end, offset) = (hex(start)?, hex(end)?, hex(fields.nth(1)?)?);
        (start..end).contains(&address).then(|| offset + (address - start))
    });
    found.ok_or_else(|| io::Error::other("the code is mapped nowhere"))
}

/// A nameless file with this code in it.
fn copied(start: *const u8, len: usize) -> io::Result<File> {
    #[expect(unsafe_code, reason = "the engine names its memory by an address")]
    // SAFETY: the engine has this much of its own there, and nobody changes it any more.
    let code = unsafe { std::slice::from_raw_parts(start, len) };
    let mut file = File::from(memfd_create("plugin", MemfdFlags::CLOEXEC)?);
    file.write_all(code)?;
    Ok(file)
}

/// Maps a part of a file in the place of what is mapped there, to be read and run.
fn map(file: &File, offset: u64, start: *const u8, len: usize) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    let offset = libc::off_t::try_from(offset).map_err(io::Error::other)?;
    let (access, how) = (libc::PROT_READ | libc::PROT_EXEC, libc::MAP_PRIVATE | libc::MAP_FIXED);
    #[expect(unsafe_code, reason = "the engine has no way of its own")]
    // SAFETY: the pages are the engine's, which waits for their being replaced, and the file holds the same bytes.
    let mapped = unsafe { libc::mmap(start.cast_mut().cast(), len, access, how, file.as_raw_fd(), offset) };
    match mapped == libc::MAP_FAILED {
        true => Err(io::Error::last_os_error()),
        false => Ok(()),
    }
}

fn page_bytes() -> usize {
    #[expect(unsafe_code, reason = "the C library knows")]
    // SAFETY: it only answers.
    let bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(bytes).unwrap_or(4_096)
}
