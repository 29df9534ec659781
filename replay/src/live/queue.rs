//! Between two threads: chunks in order, bounded by the bytes they hold.
//!
//! Promises: a full queue makes the sender wait, so nothing is dropped here; the bound is exceeded by at most one chunk; when the
//! receiver is gone the sender is told, and the reverse.
//!
//! Read next: `daemon.rs`.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Something with a size.
pub trait Weighed {
    /// Bytes it holds, roughly.
    fn bytes(&self) -> usize;
}

#[derive(Debug)]
struct State<T> {
    items: VecDeque<T>,
    bytes: usize,
    peak_bytes: usize,
    senders: usize,
    receiver_gone: bool,
    /// The receiver is to look at something else.
    nudged: bool,
}

#[derive(Debug)]
struct Shared<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
    limit_bytes: usize,
}

/// The end that gives.
#[derive(Debug)]
pub struct Sender<T>(Arc<Shared<T>>);

/// The end that takes.
#[derive(Debug)]
pub struct Receiver<T>(Arc<Shared<T>>);

/// See [`Receiver::nudge`].
pub type Nudge = Arc<dyn Fn() + Send + Sync>;

/// What a receiver got.
#[derive(Debug, PartialEq, Eq)]
pub enum Taken<T> {
    /// The oldest item.
    Item(T),
    /// Nothing came in time, or a nudge did.
    Nothing,
    /// Every sender is gone and nothing is left.
    Ended,
}

/// A queue that holds about `limit_bytes`.
#[must_use]
pub fn queue<T: Weighed>(limit_bytes: usize) -> (Sender<T>, Receiver<T>) {
    let state = State { items: VecDeque::new(), bytes: 0, peak_bytes: 0, senders: 1, receiver_gone: false, nudged: false };
    let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new(), limit_bytes });
    (Sender(Arc::clone(&shared)), Receiver(shared))
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Weighed> Sender<T> {
    /// Hands over, waiting for room. Gives the item back when nobody takes any more.
    ///
    /// # Errors
    /// The receiver is gone.
    pub fn send(&self, item: T) -> Result<(), T> {
        let mut state = self.0.lock();
        while state.bytes >= self.0.limit_bytes && !state.receiver_gone {
            state = self.0.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.receiver_gone {
            return Err(item);
        }
        state.bytes = state.bytes.saturating_add(item.bytes());
        state.peak_bytes = state.peak_bytes.max(state.bytes);
        state.items.push_back(item);
        self.0.changed.notify_all();
        Ok(())
    }

    /// Bytes waiting, and the most there ever were.
    #[must_use]
    pub fn level(&self) -> (usize, usize) {
        let state = self.0.lock();
        (state.bytes, state.peak_bytes)
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        let mut state = self.0.lock();
        state.senders = state.senders.saturating_add(1);
        drop(state);
        Self(Arc::clone(&self.0))
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.senders = state.senders.saturating_sub(1);
        self.0.changed.notify_all();
    }
}

impl<T: Weighed> Receiver<T> {
    /// Takes the oldest item, waiting at most `patience`.
    pub fn take(&self, patience: Duration) -> Taken<T> {
        let state = self.0.lock();
        let nothing = |state: &mut State<T>| state.items.is_empty() && state.senders > 0 && !state.nudged;
        let (mut state, _) = self.0.changed.wait_timeout_while(state, patience, nothing).unwrap_or_else(PoisonError::into_inner);
        match state.items.pop_front() {
            Some(item) => {
                state.bytes = state.bytes.saturating_sub(item.bytes());
                self.0.changed.notify_all();
                Taken::Item(item)
            }
            None if state.senders == 0 => Taken::Ended,
            None => {
                state.nudged = false;
                Taken::Nothing
            }
        }
    }

    /// Makes a receiver that waits look up: for other threads that have something for it.
    #[must_use]
    pub fn nudge(&self) -> Nudge
    where
        T: Send + 'static,
    {
        let shared = Arc::clone(&self.0);
        Arc::new(move || {
            shared.lock().nudged = true;
            shared.changed.notify_all();
        })
    }

    /// Bytes waiting, and the most there ever were.
    #[must_use]
    pub fn level(&self) -> (usize, usize) {
        let state = self.0.lock();
        (state.bytes, state.peak_bytes)
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.0.lock().receiver_gone = true;
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Weighed for Vec<u8> {
        fn bytes(&self) -> usize {
            self.len()
        }
    }

    #[test]
    fn order_is_kept_the_bound_holds_and_both_ends_notice_the_other() {
        let (sender, receiver) = queue::<Vec<u8>>(100);
        let thread = std::thread::spawn(move || {
            for n in 0..200_u8 {
                sender.send(vec![n; 30]).unwrap();
                assert!(sender.level().1 < 130);
            }
        });
        let mut expected = 0;
        loop {
            match receiver.take(Duration::from_secs(10)) {
                Taken::Item(item) => {
                    assert_eq!(item[0], expected);
                    expected += 1;
                }
                Taken::Ended => break,
                Taken::Nothing => panic!("the sender is slow"),
            }
        }
        thread.join().unwrap();
        assert_eq!(expected, 200);
        let (sender, receiver) = queue::<Vec<u8>>(100);
        receiver.nudge()();
        assert_eq!(receiver.take(Duration::MAX), Taken::Nothing);
        assert_eq!(receiver.take(Duration::ZERO), Taken::Nothing);
        drop(receiver);
        assert_eq!(sender.send(vec![1]), Err(vec![1]));
    }
}
