//! The pipeline: captures and logs in, stored rows out, on as many threads as stages and in bounded memory.
//!
//! Promises: the rows depend on the inputs and settings alone, never on threads or timing; queues between stages are bounded
//! and block the faster stage; a killed replay that is started again ends with the rows of an uninterrupted one.
//!
//! Read next: `run.rs` (the stages), `network.rs`, `http.rs`, `rows.rs`, `plan.rs`, `summary.rs`.

mod http;
mod network;
mod plan;
mod rows;
mod run;
mod summary;
mod tell;
mod truth;

pub use plan::{Input, ReplayPlan, Skew, run_id, settings};
pub(crate) use rows::tls_only;
pub use run::replay;
pub use summary::{FileSummary, PolicySummary, ReplaySummary};
pub use truth::JoinTruth;

/// What a driver shows while a replay runs, and the only place where one may wait.
pub trait Progress: Sync {
    /// Bytes of input read so far, of all.
    fn bytes(&self, read: u64, total: u64);

    /// Something only a curious user wants to read.
    fn detail(&self, text: &str);

    /// Called with the event time reached before events of that time are joined; may sleep.
    fn waiter(&self) -> Box<dyn FnMut(i64) + Send>;

    /// Whether the replay shall stop: what was joined is still stored, and the same replay continues later.
    fn stop(&self) -> bool {
        false
    }
}

/// Shows nothing and never waits.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn bytes(&self, _read: u64, _total: u64) {}

    fn detail(&self, _text: &str) {}

    fn waiter(&self) -> Box<dyn FnMut(i64) + Send> {
        Box::new(|_| {})
    }
}

/// Batches between two stages; a full queue blocks the sender.
pub(crate) const QUEUE_BATCHES: usize = 4;
/// Chunks between the row maker and the writer: as many as are made while the writer compresses a row group, about 50 MB.
pub(crate) const QUEUE_CHUNKS: usize = 8;
/// Events in a batch.
pub(crate) const BATCH_EVENTS: usize = 1024;

/// Events of one stream, with how far its time has certainly passed.
#[derive(Debug)]
pub(crate) struct Batch<T> {
    pub events: Vec<T>,
    /// No later event of this stream is before this, as far as the stream keeps its promise.
    pub reached_ns: i64,
}
