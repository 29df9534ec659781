//! Stopping what a store is doing, from another thread: Ctrl-C on the command line, Cancel in the window.
//!
//! Promises: the call that runs ends soon with [`ReplayError::Interrupted`], and the next one works; with nothing running, nothing happens.
//!
//! Read next: `mod.rs` (`Store::interrupter`).

use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use crate::ReplayError;

/// Stops what one connection is doing; kept by another thread than the one that waits.
pub trait Interrupt: Send + Sync {
    /// Stops the statement that runs now. One that is about to begin may be missed: who has to be sure asks again until the call has ended.
    fn interrupt(&self);
}

impl Interrupt for duckdb::InterruptHandle {
    fn interrupt(&self) {
        Self::interrupt(self);
    }
}

/// The answer of a server that a connection waits for. Interrupting ends the wait; what was asked is given up, not waited for.
#[derive(Clone, Default)]
pub(super) struct Pending(Arc<Mutex<Option<GiveUp>>>);

type GiveUp = Box<dyn FnOnce() + Send>;

/// Why a wait ended without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unanswered {
    /// Somebody stopped it.
    Interrupted,
    /// Who was to answer is gone.
    Lost,
}

/// Where the answer goes; dropped without one, the wait ends as well.
pub(super) struct Answering<T>(SyncSender<Result<T, Unanswered>>);

impl<T> Answering<T> {
    /// Answers. Who was interrupted no longer listens, which is no error.
    pub fn send(self, answer: T) {
        let _ = self.0.try_send(Ok(answer));
    }
}

impl<T> Drop for Answering<T> {
    fn drop(&mut self) {
        let _ = self.0.try_send(Err(Unanswered::Lost));
    }
}

impl Pending {
    /// Waits for what `ask` sends, on whatever thread; `ask` gives what has to be done where nobody wants the answer any more.
    pub fn wait<T: Send + 'static, G: FnOnce() + Send + 'static>(
        &self,
        ask: impl FnOnce(Answering<T>) -> G,
    ) -> Result<T, Unanswered> {
        // Who asks and who interrupts may both speak; only the first is heard, and neither waits.
        let (done, answer) = sync_channel(2);
        let interrupting = done.clone();
        let abandon = ask(Answering(done));
        self.set(Some(Box::new(move || {
            let _ = interrupting.try_send(Err(Unanswered::Interrupted));
            abandon();
        })));
        let answer = answer.recv().unwrap_or(Err(Unanswered::Lost));
        self.set(None);
        answer
    }

    fn set(&self, give_up: Option<GiveUp>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = give_up;
    }
}

impl Interrupt for Pending {
    fn interrupt(&self) {
        let give_up = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(give_up) = give_up {
            give_up();
        }
    }
}

impl Unanswered {
    /// The error of the call that waited.
    pub fn refusal(self, operation: &'static str, store: &str) -> ReplayError {
        let store = store.to_owned();
        match self {
            Self::Interrupted => ReplayError::Interrupted { operation, store },
            Self::Lost => ReplayError::Unreachable { operation, store, detail: "the thread that asked it ended".to_owned() },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[test]
    fn a_wait_ends_by_an_answer_by_nobody_left_to_give_one_and_by_an_interruption() {
        let pending = Pending::default();
        let answered = pending.wait(|done| {
            done.send(7);
            || ()
        });
        assert_eq!(answered, Ok(7));
        let lost = pending.wait::<u8, _>(|done| {
            drop(done);
            || ()
        });
        assert_eq!(lost, Err(Unanswered::Lost));
        // Whoever holds the sender never answers; the other thread asks until it was heard.
        let (other, over) = (pending.clone(), Arc::new(AtomicBool::new(false)));
        let seen = Arc::clone(&over);
        let asking = std::thread::spawn(move || {
            while !seen.load(Ordering::Acquire) {
                other.interrupt();
                std::thread::yield_now();
            }
        });
        let mut kept = None;
        let stopped = pending.wait::<u8, _>(|done| {
            kept = Some(done);
            || ()
        });
        over.store(true, Ordering::Release);
        asking.join().unwrap();
        assert_eq!(stopped, Err(Unanswered::Interrupted));
        pending.interrupt();
    }
}
