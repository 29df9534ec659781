//! Who hears which part of a run begins, so that a driver with a clock can say where the time goes.
//!
//! Promises: a run does the same whether or not anybody listens; a part ends where the next one of its lane begins, the last of a lane with the
//! part of the run that it began in, unless [`DONE`] says otherwise. The models run side by side, so each has a lane of its own beside that of the run; so have
//! campaigns, which are found while scores are written.
//!
//! Read next: `mod.rs` (the parts), `../cli/timings.rs` (a listener).

use std::fmt;
use std::sync::Arc;

/// The lane of the run itself; those of the models have their names.
pub const RUN: &str = "run";
/// The lane of what is computed while the run writes.
pub(crate) const BESIDE: &str = "beside";
/// Begins when the last part of a lane has ended; no part itself.
pub const DONE: &str = "";

type Listener = dyn Fn(&'static str, &'static str) + Send + Sync;

/// A listener, or nobody.
#[derive(Clone, Default)]
pub struct Watch(Option<Arc<Listener>>);

impl Watch {
    /// Tells `hear` the lane and the name of each part that begins.
    #[must_use]
    pub fn new(hear: impl Fn(&'static str, &'static str) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(hear)))
    }

    pub(crate) fn begins(&self, lane: &'static str, part: &'static str) {
        if let Some(hear) = &self.0 {
            hear(lane, part);
        }
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Watch(somebody)" } else { "Watch(nobody)" })
    }
}
