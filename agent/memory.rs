//! What the allocator keeps.

/// The largest block that is not given back to the system at once, in bytes; of free memory at the end of the heap,
/// twice as much is kept.
const KEPT_BYTES: usize = 8 << 20;

/// Has freed memory kept for the next batch, within a bound; to be called once, before there is work.
///
/// glibc gives each large block back when it is freed, and takes it anew, page by page, for the next batch: a fifth of
/// the way from file to Parquet. By its manual (`mallopt`, `M_MMAP_THRESHOLD`) the limit from which a block is large, and
/// with it what is kept, follows the largest block that was freed so far. This frees one that was never touched.
pub fn settle() {
    drop(std::hint::black_box(Vec::<u8>::with_capacity(KEPT_BYTES)));
}
