//! What the allocator keeps of freed memory. Figures and names are those of glibc's `mallopt` and `malloc_trim`; with
//! another C library nothing is done.

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

/// Gives all free memory back to the system, for after work that is not done again, or not soon: compiling a plugin takes
/// 100 MB.
pub fn give_back() {
    #[cfg(target_env = "gnu")]
    #[expect(unsafe_code, reason = "the C library has no other way")]
    // SAFETY: only memory that is free is touched.
    unsafe {
        libc::malloc_trim(0);
    }
}
