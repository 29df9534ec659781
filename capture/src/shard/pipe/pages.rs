//! Pages of a mapped file: who has to wait maps those in that will be read next, and lets go of those that were read.
//!
//! Promises: nothing depends on it but time and memory. A page that nobody mapped in is mapped in when it is read; one that was let
//! go and is read again is mapped in again.
//!
//! Read next: `../pipe.rs`, `../../source/map.rs`.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError};

use crate::source::map::FileMap;

/// Bytes mapped in at one time: some ten microseconds, after which the one who waits looks again.
const STEP_BYTES: usize = 256 * 1024;
/// Pages are mapped in at most so far ahead of the reader.
const AHEAD_BYTES: usize = 16 * 1024 * 1024;
/// Bytes let go at one time. Each time costs the other processor an interruption.
const LET_GO_BYTES: usize = 8 * 1024 * 1024;

/// What both threads know of the pages of one file.
#[derive(Debug)]
pub(super) struct Pages<'m> {
    /// The file, if there is one and it is mapped.
    map: Option<&'m FileMap>,
    /// The reader has come so far.
    read: AtomicUsize,
    /// Pages before here are mapped in, or somebody is about to do so.
    mapped_to: AtomicUsize,
    /// The bytes before here are not needed any more.
    done: AtomicUsize,
    /// Pages before here were let go.
    let_go_to: AtomicUsize,
}

impl<'m> Pages<'m> {
    pub fn new(map: Option<&'m FileMap>) -> Self {
        let zero = AtomicUsize::default;
        Self { map, read: zero(), mapped_to: zero(), done: zero(), let_go_to: zero() }
    }

    /// The reader has come to `read`; what lies before `done` will not be looked at again.
    pub fn moved(&self, read: usize, done: usize) {
        self.read.store(read, Ordering::Relaxed);
        self.mapped_to.fetch_max(read, Ordering::Relaxed);
        self.done.store(done, Ordering::Relaxed);
    }

    /// The next message. While there is none, pages are seen to.
    pub fn receive<T>(&self, from: &Receiver<T>) -> Option<T> {
        loop {
            match from.try_recv() {
                Ok(message) => return Some(message),
                Err(TryRecvError::Disconnected) => return None,
                Err(TryRecvError::Empty) if self.help() => {}
                Err(TryRecvError::Empty) => return from.recv().ok(),
            }
        }
    }

    /// Does one step. `false` if there is nothing to do.
    fn help(&self) -> bool {
        let Some(map) = self.map else { return false };
        let bound = self.read.load(Ordering::Relaxed).saturating_add(AHEAD_BYTES).min(map.len());
        if let Some(from) = claim(&self.mapped_to, STEP_BYTES, bound) {
            map.map_in(from, STEP_BYTES);
            return true;
        }
        if let Some(from) = claim(&self.let_go_to, LET_GO_BYTES, self.done.load(Ordering::Relaxed)) {
            map.let_go(from, LET_GO_BYTES);
            return true;
        }
        false
    }
}

/// Moves `place` on by one step, if that stays within `bound`; gives where the step begins.
fn claim(place: &AtomicUsize, step: usize, bound: usize) -> Option<usize> {
    let next = |at: usize| at.checked_add(step).filter(|end| *end <= bound);
    place.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).ok()
}
