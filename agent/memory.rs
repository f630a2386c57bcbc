//! What the process keeps of memory that it does not need: freed blocks, where figures and names are those of glibc's
//! `mallopt` and `malloc_trim`, and nothing is done with another C library; and code that ran once.

/// The largest block that is not given back to the system at once, in bytes.
#[cfg(target_env = "gnu")]
const BLOCK_BYTES_MAX: i32 = 8 << 20;

/// Free memory that is kept at the end of a heap, in bytes: somewhat more than a batch of lines takes on its way to Bronze.
#[cfg(target_env = "gnu")]
const KEPT_BYTES: i32 = 32 << 20;

/// Heaps that threads share. By default each thread has one, up to eight a core, and each keeps what was freed in it.
#[cfg(target_env = "gnu")]
const HEAPS: i32 = 2;

/// Has freed memory kept for the next batch, within a bound; to be called once, before there is work.
///
/// By default each large block is given back when it is freed, and taken anew, page by page, for the next batch: a fifth
/// of the way from file to Parquet.
pub fn settle() {
    #[cfg(target_env = "gnu")]
    #[expect(unsafe_code, reason = "the C library has no other way")]
    // SAFETY: the calls set parameters of the allocator, which may be set at any time.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, BLOCK_BYTES_MAX);
        libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT_BYTES);
    }
}

/// Has all threads share few heaps, for a process that few of them keep busy: an agent that stays for long. To be called
/// once, before there is work.
pub fn share() {
    #[cfg(target_env = "gnu")]
    #[expect(unsafe_code, reason = "the C library has no other way")]
    // SAFETY: the call sets a parameter of the allocator, which may be set at any time.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, HEAPS);
    }
}

/// Gives back to the system what it can have, for after work that is not done again, or not soon: all free memory, since
/// compiling a plugin takes 100 MB; and the pages of the program itself, of which those that still run come back as they do.
pub fn give_back() {
    #[cfg(target_env = "gnu")]
    #[expect(unsafe_code, reason = "the C library has no other way")]
    // SAFETY: only memory that is free is touched.
    unsafe {
        libc::malloc_trim(0);
    }
    #[expect(unsafe_code, reason = "only the loader knows where the program lies")]
    // SAFETY: the function is one that the loader may call, and needs no data.
    unsafe {
        libc::dl_iterate_phdr(Some(let_go_of_code), std::ptr::null_mut());
    }
}

/// Unmaps the pages of those segments of a loaded object that nobody writes to. They stay in the kernel's cache of the
/// file for as long as that has room, and are mapped from there when they are next wanted.
#[expect(unsafe_code, reason = "objects are known by their addresses")]
unsafe extern "C" fn let_go_of_code(
    object: *mut libc::dl_phdr_info,
    _: libc::size_t,
    _: *mut libc::c_void,
) -> libc::c_int {
    // SAFETY: the loader hands over an object that stays loaded during this call, with as many headers as it says.
    let (base, headers) = unsafe {
        let object = &*object;
        (object.dlpi_addr, std::slice::from_raw_parts(object.dlpi_phdr, object.dlpi_phnum.into()))
    };
    let page_bytes = rustix::param::page_size();
    for header in headers {
        if header.p_type == libc::PT_LOAD && header.p_flags & libc::PF_W == 0 {
            let at = (base + header.p_vaddr) as usize;
            let begin = at & !(page_bytes - 1);
            // SAFETY: these pages hold what their file holds, since they cannot be written to and the loader has changed
            // nothing in them: position-independent code has its relocations elsewhere.
            unsafe {
                libc::madvise(begin as *mut _, at + header.p_memsz as usize - begin, libc::MADV_DONTNEED);
            }
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What of files is mapped into this process and in memory.
    fn mapped_kib() -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let mapped = status.lines().find_map(|line| line.strip_prefix("RssFile:")).unwrap();
        mapped.trim().strip_suffix(" kB").unwrap().parse().unwrap()
    }

    #[test]
    fn code_that_has_run_is_let_go_of_and_comes_back() {
        let before = mapped_kib();
        give_back();
        let after = mapped_kib();
        assert!(after < before, "{before} KiB before, {after} KiB after");
    }
}
