//! A file mapped into memory: the one place of this crate with `unsafe`.
//!
//! Promises: read-only and private; only regular files that are not empty are mapped. Policy: a capture that another program
//! *truncates* while it is mapped raises SIGBUS in any reader of a map; who captures into a file while reading it hands it in by
//! a pipe (`-`), which is read with `read()` instead.
//!
//! Read next: `window.rs`.

use std::fs::File;
use std::io;
use std::ops::Deref;

/// Bytes of a mapped file.
#[derive(Debug)]
pub struct FileMap(memmap2::Mmap);

impl FileMap {
    /// Maps a whole regular file.
    ///
    /// # Errors
    /// The system's reason for refusing.
    #[allow(unsafe_code)]
    pub fn new(file: &File) -> io::Result<Self> {
        // SAFETY: the map is read-only and private to this struct, and outlives every slice taken from it (they borrow it).
        // Another process may change the file: the bytes read are then old or new ones, which a parser of untrusted bytes
        // takes either way, since each is read through checked getters and no length is read twice. Truncation: see the head.
        let map = unsafe { memmap2::Mmap::map(file)? };
        #[cfg(unix)]
        map.advise(memmap2::Advice::Sequential).ok();
        Ok(Self(map))
    }

    /// Has the pages of these bytes mapped in, as far as the system can do so at once. What it does not do happens when they are read.
    pub fn map_in(&self, at: usize, bytes: usize) {
        #[cfg(target_os = "linux")]
        self.0.advise_range(memmap2::Advice::PopulateRead, at, bytes).ok();
        #[cfg(not(target_os = "linux"))]
        let _ = (at, bytes);
    }

    /// Gives the pages of these bytes back, which will probably not be read again.
    #[allow(unsafe_code)]
    pub fn let_go(&self, at: usize, bytes: usize) {
        // SAFETY: the map is of a file, private and never written to: pages read again are those of the file, as they would have
        // been if the kernel had dropped them by itself.
        #[cfg(target_os = "linux")]
        unsafe {
            self.0.unchecked_advise_range(memmap2::UncheckedAdvice::DontNeed, at, bytes).ok();
        }
        #[cfg(not(target_os = "linux"))]
        let _ = (at, bytes);
    }

    /// Asks the processor to fetch the bytes at `at` and the line behind them, and does not wait. Beyond the end: nothing.
    #[inline]
    #[allow(unsafe_code)]
    pub fn fetch_ahead(&self, at: usize) {
        #[cfg(target_arch = "x86_64")]
        if let Some(line) = self.0.get(at..).filter(|rest| rest.len() > 64) {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            // SAFETY: a hint; it reads nothing the program can see and never faults, and the bytes lie within the map.
            unsafe {
                _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast());
                _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().add(64).cast());
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = at;
    }
}

/// Bytes of one slice that are fetched at most: a hello of a browser and what stands in front of it.
const FETCHED_BYTES: usize = 2048;

/// Asks the processor to fetch these bytes (the first 2 KiB of them), and does not wait.
#[inline]
#[allow(unsafe_code)]
pub fn fetch(bytes: &[u8]) {
    #[cfg(target_arch = "x86_64")]
    for line in bytes.chunks(64).take(FETCHED_BYTES / 64) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a hint, as above; the address is that of a slice.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (bytes, FETCHED_BYTES);
}

impl Deref for FileMap {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}
