//! Pages of a mapped file: who has to wait maps those in that will be read next, and lets go of those that were read.
//!
//! Promises: nothing depends on it but time and memory. A page that nobody mapped in is mapped in when it is read; one that was let
//! go and is read again is mapped in again. What was read and not let go stays below 64 MiB, beside what is on the way.
//!
//! Read next: `../shard.rs`, `../source/map.rs`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError};

use crate::source::PacketSource;
use crate::source::map::FileMap;

/// Bytes mapped in at one time: some ten microseconds, after which the one who waits looks again.
const STEP_BYTES: usize = 256 * 1024;
/// Pages are mapped in at most so far ahead of the reader.
const AHEAD_BYTES: usize = 16 * 1024 * 1024;
/// Bytes let go at one time. Each time costs the other processor an interruption.
const LET_GO_BYTES: usize = 8 * 1024 * 1024;
/// So much is left for who has to wait; beyond that, who is busy lets go, too.
const LEFT_BYTES: usize = 64 * 1024 * 1024;

/// What all threads know of the pages of one file.
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
    /// Of the file that these are the maps of. Several files are read in turn, and their pages are left to the system.
    pub fn new(maps: &'m [Option<Arc<FileMap>>]) -> Self {
        let map = if let [Some(only)] = maps { Some(&**only) } else { None };
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
        self.let_go(map, 0)
    }

    /// Lets pages go that nobody had the time to. To be called once a load.
    pub fn keep_up(&self) {
        if let Some(map) = self.map {
            self.let_go(map, LEFT_BYTES);
        }
    }

    fn let_go(&self, map: &FileMap, left: usize) -> bool {
        let from = claim(&self.let_go_to, LET_GO_BYTES, self.done.load(Ordering::Relaxed).saturating_sub(left));
        from.inspect(|from| map.let_go(*from, LET_GO_BYTES)).is_some()
    }
}

/// Where the present packet lies in its mapped file; 0 where it does not lie in one.
pub(super) fn place(source: &impl PacketSource) -> usize {
    source.place_in_map().map_or(0, |(_, at)| at)
}

/// Moves `place` on by one step, if that stays within `bound`; gives where the step begins.
fn claim(place: &AtomicUsize, step: usize, bound: usize) -> Option<usize> {
    let next = |at: usize| at.checked_add(step).filter(|end| *end <= bound);
    place.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).ok()
}

#[cfg(test)]
mod tests {
    use std::io::{Seek, SeekFrom, Write};

    use super::*;

    #[test]
    fn what_was_read_is_let_go_and_can_be_read_again() {
        const BYTES: usize = 100 * 1024 * 1024;
        let mut file = tempfile::tempfile().unwrap();
        file.set_len(BYTES as u64).unwrap();
        for at in [0, BYTES / 2, BYTES - 1] {
            file.seek(SeekFrom::Start(at as u64)).unwrap();
            file.write_all(&[7]).unwrap();
        }
        let maps = [Some(Arc::new(FileMap::new(&file).unwrap()))];
        let (pages, map) = (Pages::new(&maps), maps[0].as_ref().unwrap());
        let ends = || [map[0], map[BYTES / 2], map[BYTES - 1]];
        assert_eq!(ends(), [7; 3]);
        pages.moved(BYTES - 1, BYTES - 1);
        (0..100).for_each(|_| pages.keep_up());
        let let_go_to = pages.let_go_to.load(Ordering::Relaxed);
        assert!((BYTES - LEFT_BYTES - LET_GO_BYTES..=BYTES - LEFT_BYTES).contains(&let_go_to), "{let_go_to}");
        while pages.help() {}
        let let_go_to = pages.let_go_to.load(Ordering::Relaxed);
        assert!((BYTES - 1 - LET_GO_BYTES..BYTES).contains(&let_go_to), "{let_go_to}");
        assert_eq!(ends(), [7; 3]);
    }

    #[test]
    fn pages_are_mapped_in_ahead_of_the_reader_and_not_further() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(2 * AHEAD_BYTES as u64).unwrap();
        let maps = [Some(Arc::new(FileMap::new(&file).unwrap()))];
        let pages = Pages::new(&maps);
        let steps = |pages: &Pages<'_>| std::iter::repeat_with(|| pages.help()).take_while(|done| *done).count();
        assert_eq!(steps(&pages), AHEAD_BYTES / STEP_BYTES);
        pages.moved(AHEAD_BYTES + 10 * STEP_BYTES, 0);
        assert_eq!(steps(&pages), (AHEAD_BYTES - 10 * STEP_BYTES) / STEP_BYTES, "the reader was faster for ten steps");
    }

    #[test]
    fn who_waits_gets_the_next_message_and_learns_that_none_comes() {
        let pages = Pages::new(&[]);
        let (sender, receiver) = std::sync::mpsc::sync_channel(1);
        sender.send(1).unwrap();
        drop(sender);
        assert_eq!((pages.receive(&receiver), pages.receive(&receiver)), (Some(1), None));
    }
}
