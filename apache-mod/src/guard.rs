//! Stops panics at the border to httpd: C frames must never be unwound, and a worker must never die for a log line.
//!
//! Promises: after the first panic in a process the module goes quiet there: every later call returns its default at once,
//! so a defect that fires on each request costs one message, not a flood. Read next: `ffi.rs`, which wraps each callback.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the module has panicked in this process.
#[derive(Debug, Default)]
pub struct Guard {
    tripped: AtomicBool,
}

impl Guard {
    /// A guard that has not tripped.
    #[must_use]
    pub const fn new() -> Self {
        Self { tripped: AtomicBool::new(false) }
    }

    /// Runs `body`; returns `otherwise` if it panics or if an earlier call did.
    pub fn run<T>(&self, otherwise: T, body: impl FnOnce() -> T) -> T {
        if self.tripped.load(Ordering::Relaxed) {
            return otherwise;
        }
        // After a panic nothing that `body` touched is read again, which is what unwind safety asks for.
        match catch_unwind(AssertUnwindSafe(body)) {
            Ok(value) => value,
            Err(payload) => {
                self.tripped.store(true, Ordering::Relaxed);
                // Dropping the payload could panic in turn; it is leaked, once per process.
                std::mem::forget(payload);
                otherwise
            }
        }
    }

    /// Back to the start, for the restart of a server that keeps its process.
    pub fn reset(&self) {
        self.tripped.store(false, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_gives_the_default_and_silences_what_follows() {
        let guard = Guard::new();
        assert_eq!(guard.run(-1, || 7), 7);
        assert_eq!(guard.run(-1, || panic!("a defect")), -1);
        let mut ran = false;
        assert_eq!(
            guard.run(-1, || {
                ran = true;
                7
            }),
            -1
        );
        assert!(!ran);
        guard.reset();
        assert_eq!(guard.run(-1, || 7), 7);
    }
}
