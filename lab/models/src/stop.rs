//! Leaving a fit before its end: whoever watches raises a flag, and every fit of that thread ends at its next tree or batch.
//!
//! Promises: a fit that nobody stops is the same to the bit; a fit that was stopped gives [`ModelError::Stopped`] and no half model; a flag
//! holds for the work it was given for, also where that panics, and for no other. Threads of the pool are lent to whatever waits, so an
//! ensemble takes the flag from the thread that asked, and carries it ([`Stop::hold`]) to those that fit its voices.
//! Read next: `eif/algorithm.rs`, `gbdt/algorithm.rs`, `autoencoder/algorithm.rs` (where it is looked at).

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{ModelError, Result};

thread_local! {
    /// The flag of the work that this thread was asked for.
    static STOP: RefCell<Option<Arc<AtomicBool>>> = const { RefCell::new(None) };
    /// What this thread fits a voice for, where another one asked.
    static HELD: RefCell<Option<Stop>> = const { RefCell::new(None) };
}

/// Does `work`; fits in it end with [`ModelError::Stopped`] soon after `flag` is raised. Not for a thread of rayon's pool, which is lent to others.
pub fn unless<T>(flag: &Arc<AtomicBool>, work: impl FnOnce() -> T) -> T {
    struct Before(Option<Arc<AtomicBool>>);
    impl Drop for Before {
        fn drop(&mut self) {
            STOP.set(self.0.take());
        }
    }
    let _before = Before(STOP.replace(Some(Arc::clone(flag))));
    work()
}

/// The flag of this thread's work, to be carried to the threads that help with it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stop(Option<Arc<AtomicBool>>);

impl Stop {
    /// Of the work that was asked of this thread.
    pub(crate) fn asked() -> Self {
        Self(STOP.with_borrow(Clone::clone))
    }

    /// Of the voice that is fitted here.
    pub(crate) fn of_this_thread() -> Self {
        HELD.with_borrow(Clone::clone).unwrap_or_else(Self::asked)
    }

    /// Does `work` for whoever holds this flag, on whatever thread.
    pub(crate) fn hold<T>(&self, work: impl FnOnce() -> T) -> T {
        struct Before(Option<Stop>);
        impl Drop for Before {
            fn drop(&mut self) {
                HELD.set(self.0.take());
            }
        }
        let _before = Before(HELD.replace(Some(self.clone())));
        work()
    }

    /// An error once the flag is raised.
    pub(crate) fn check(&self, operation: &'static str) -> Result<()> {
        match &self.0 {
            Some(flag) if flag.load(Ordering::Relaxed) => Err(ModelError::Stopped { operation }),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AutoencoderParams, BoostedParams, EifParams, EnsembleParams, FeatureSet, Fit, Matrix, TrainingData, Voice as _};

    fn table(rows: usize) -> Matrix {
        let names = ["a", "b", "c"].map(str::to_owned).to_vec();
        let values = (0..rows * 3).map(|at| f64::from(u32::try_from(at * 7919 % 1009).unwrap())).collect();
        Matrix::new(FeatureSet::new(names).unwrap(), values).unwrap()
    }

    #[test]
    fn a_raised_flag_ends_every_fit_and_a_lowered_one_changes_nothing() {
        let table = table(200);
        let labels: Vec<bool> = (0..200).map(|row| row % 3 == 0).collect();
        let ensemble = EnsembleParams::default()
            .eif(EifParams::default().trees(20))
            .autoencoder(Some(AutoencoderParams::default()))
            .boosted(Some(BoostedParams::default()))
            .check()
            .unwrap();
        let fit = || ensemble.fit_on(TrainingData { baseline: &table, labelled: Some((&table, &labels)) }, 7);
        let flag = Arc::new(AtomicBool::new(false));
        let free = fit().unwrap().digest();
        assert_eq!(unless(&flag, fit).unwrap().digest(), free);
        flag.store(true, Ordering::Relaxed);
        let stopped = unless(&flag, fit).map(drop);
        assert!(matches!(stopped, Err(ModelError::Stopped { .. })), "{stopped:?}");
        let (eif, autoencoder, boosted) = (
            EifParams::default().check().unwrap(),
            AutoencoderParams::default().check().unwrap(),
            BoostedParams::default().check().unwrap(),
        );
        assert!(matches!(unless(&flag, || eif.fit(&table, None, 1).map(drop)), Err(ModelError::Stopped { .. })));
        assert!(matches!(unless(&flag, || autoencoder.fit(&table, None, 1).map(drop)), Err(ModelError::Stopped { .. })));
        assert!(matches!(unless(&flag, || boosted.fit(&table, Some(&labels), 1).map(drop)), Err(ModelError::Stopped { .. })));
        // The flag was for that work only.
        assert_eq!(fit().unwrap().digest(), free);
    }
}
