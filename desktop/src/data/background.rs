//! Work beside the frames that needs no store: fitting a model, looking for the nearest change.
//!
//! Promises: a frame never waits for it; what it reports is the newest phase and share; a work that was dropped or stopped gives no
//! result, and a fit in it ends within a tree or a batch.
//!
//! Read next: `mod.rs` (who starts it), `worker.rs` (work that needs the store).

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use eframe::egui;

/// What is running, counted, so that the window knows that it is busy.
#[derive(Debug, Clone)]
pub struct Running {
    count: Arc<AtomicUsize>,
    ctx: egui::Context,
}

impl Running {
    /// Nothing yet.
    #[must_use]
    pub fn new(ctx: &egui::Context) -> Self {
        Self { count: Arc::default(), ctx: ctx.clone() }
    }

    /// Whether anything is.
    #[must_use]
    pub fn any(&self) -> bool {
        self.count.load(Ordering::Acquire) > 0
    }

    /// Starts `work` on a thread of its own.
    pub fn start<T: Send + 'static>(&self, work: impl FnOnce(&Told) -> T + Send + 'static) -> Background<T> {
        let told = Told { shared: Arc::default(), ctx: self.ctx.clone() };
        let slot = Arc::new(Mutex::new(None));
        let counted = Counted::new(self.clone());
        let (theirs, result) = (told.clone(), Arc::clone(&slot));
        std::thread::spawn(move || {
            let done = work(&theirs);
            if !theirs.is_stopped() {
                *result.lock().unwrap_or_else(PoisonError::into_inner) = Some(done);
            }
            // The result is there before the window stops being busy.
            drop(counted);
        });
        Background { told, slot }
    }
}

/// One work that runs; a panic counts it down as well.
struct Counted(Running);

impl Counted {
    fn new(running: Running) -> Self {
        running.count.fetch_add(1, Ordering::AcqRel);
        Self(running)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.count.fetch_sub(1, Ordering::AcqRel);
        self.0.ctx.request_repaint();
    }
}

#[derive(Debug, Default)]
struct Shared {
    stop: Arc<AtomicBool>,
    state: Mutex<(String, f32)>,
}

/// Between the work and whoever watches it.
#[derive(Debug, Clone)]
pub struct Told {
    shared: Arc<Shared>,
    ctx: egui::Context,
}

impl Told {
    /// Whether nobody wants the result any more.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.shared.stop.load(Ordering::Acquire)
    }

    /// Raised once nobody wants the result any more; for what looks at a flag by itself.
    #[must_use]
    pub fn stop_flag(&self) -> &Arc<AtomicBool> {
        &self.shared.stop
    }

    /// Says what is being done, and which share of all is behind.
    pub fn phase(&self, phase: &str, share: f32) {
        *self.shared.state.lock().unwrap_or_else(PoisonError::into_inner) = (phase.to_owned(), share);
        self.ctx.request_repaint();
    }
}

/// Handle of a work; dropping it stops it.
#[derive(Debug)]
pub struct Background<T> {
    told: Told,
    slot: Arc<Mutex<Option<T>>>,
}

impl<T> Background<T> {
    /// The result, once it is there; given once.
    #[must_use]
    pub fn take(&self) -> Option<T> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// What is being done, and which share of all is behind, 0 to 1.
    #[must_use]
    pub fn state(&self) -> (String, f32) {
        self.told.shared.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl<T> Drop for Background<T> {
    fn drop(&mut self) {
        self.told.shared.stop.store(true, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_comes_once_and_a_stopped_work_gives_none() {
        let running = Running::new(&egui::Context::default());
        let done = running.start(|told| {
            told.phase("counting", 0.5);
            7
        });
        while running.any() {
            std::thread::yield_now();
        }
        assert_eq!(done.state(), ("counting".to_owned(), 0.5));
        assert_eq!((done.take(), done.take()), (Some(7), None));
        let slot = {
            let dropped = running.start(|told| {
                while !told.is_stopped() {
                    std::thread::yield_now()
                }
            });
            Arc::clone(&dropped.slot)
        };
        while running.any() {
            std::thread::yield_now();
        }
        assert!(slot.lock().unwrap().is_none());
    }
}
