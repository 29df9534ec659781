//! What the C library's allocator keeps of memory that was given back: little, so that what a process holds is what it uses.
//!
//! Promises: set once, before any thread is there; another C library is left as it is. Without this, a burst (a store that comes back
//! after a minute) leaves behind up to an arena a thread, each with what it held at its highest.
//!
//! The one line of `unsafe` is a call of `mallopt`, which takes two integers and keeps no pointer.
//!
//! Read next: `main.rs`, docs/ROBUSTNESS.md (a correlator through a bad network).

/// Sets the allocator's parameters. One that is refused stays what it was.
#[cfg(target_env = "gnu")]
pub fn keep_little() {
    // Two arenas are enough for threads that hand rows to each other; the top of one is given back from 1 MiB on; what is larger than
    // 256 KiB has pages of its own. Setting them also ends the allocator's own raising of the last two.
    for (parameter, value) in [(libc::M_ARENA_MAX, 2), (libc::M_TRIM_THRESHOLD, 1 << 20), (libc::M_MMAP_THRESHOLD, 256 << 10)] {
        // SAFETY: two integers go in and nothing is kept; a value that makes no sense is refused.
        #[allow(unsafe_code, reason = "see the head")]
        let _accepted = unsafe { libc::mallopt(parameter, value) };
    }
}

/// Nothing to set.
#[cfg(not(target_env = "gnu"))]
pub fn keep_little() {}
