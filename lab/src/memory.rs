//! How long the allocator waits before it gives freed memory back to the system.
//!
//! Promises: set once, before any thread is there; who set it from outside (`MIMALLOC_PURGE_DELAY`, milliseconds) is obeyed, and an
//! allocator that numbers its options otherwise is left as it is. With the 10 ms of mimalloc 2 a cycle spent an eighth of its processor time on
//! giving pages back and being given them again, cleared (docs/PERFORMANCE.md, "Models and the cycle"); mimalloc 3 waits a second too. Where
//! memory is taken and freed evenly, as in an import, waiting saves little and holds half as much again.
//!
//! The `unsafe` is that of declaring two functions of C, which take and give integers and keep no pointer.
//!
//! Read next: `main.rs`.

use std::ffi::{c_int, c_long};

/// Number of the option `purge_delay` in `mimalloc.h`, and what it is if nobody set it, ms.
const PURGE_DELAY: c_int = 15;
const DEFAULT_MS: c_long = 10;
/// What it becomes, ms.
const WAIT_MS: c_long = 1_000;

#[allow(unsafe_code, reason = "see the head")]
unsafe extern "C" {
    safe fn mi_option_get(option: c_int) -> c_long;
    safe fn mi_option_set(option: c_int, value: c_long);
}

/// Sets it.
pub fn keep_for_a_while() {
    if mi_option_get(PURGE_DELAY) == DEFAULT_MS {
        mi_option_set(PURGE_DELAY, WAIT_MS);
    }
}
