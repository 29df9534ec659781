//! A sink on a thread of its own: a store that does not answer, or a pipe that nobody reads, holds up neither the outbox nor other sinks.
//!
//! Promises: one job at a time, each answered once; whoever waits for rows is nudged at every answer.
//!
//! Read next: `served.rs` (who gives the jobs), `sinks.rs` (what a sink does).

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use ja4_join::row::HttpLogRow;

use super::queue::Nudge;
use super::reload::Tunable;
use super::sinks::{Refusal, Rows, Sink};
use super::{Level, Tell};
use crate::ReplayError;
use crate::spool::{Batch, rows};
use crate::store::TlsOnlyRow;

/// Kinds of records in the outbox.
pub(super) mod kind {
    pub const ROWS: u8 = 1;
    pub const TLS_ONLY: u8 = 2;
    /// Place of the journal up to which everything stands before this.
    pub const MARK: u8 = 3;
}

/// What a sink is to do.
pub(super) enum Job {
    /// Open what it writes to.
    Begin,
    /// Take new settings, if there are some, and then a batch.
    Deliver(Batch, Option<Box<Tunable>>),
    /// Nothing follows.
    Finish,
}

/// What came of it.
pub(super) enum Answer {
    /// Whether it could.
    Begun(Result<(), Refusal>),
    /// Whether the batch was taken, and how long rows may be gathered for the next one, ns.
    Delivered(Result<(), Refusal>, i64),
    /// It has ended.
    Finished,
}

/// The other end of the thread. A thread that hangs is left behind when this is dropped.
pub(super) struct Worker {
    jobs: SyncSender<Job>,
    answers: Receiver<Answer>,
}

impl Worker {
    /// Starts the thread.
    pub fn start(sink: Box<dyn Sink>, nudge: Nudge, tell: Tell) -> std::io::Result<(Self, JoinHandle<()>)> {
        let (jobs, to_do) = sync_channel(1);
        let (done, answers) = sync_channel(1);
        let thread = std::thread::Builder::new().name(format!("sink {}", sink.name()));
        let thread = thread.spawn(move || {
            let mut sink = sink;
            for job in to_do {
                let answer = answer(sink.as_mut(), job, &tell);
                if done.send(answer).is_err() {
                    return;
                }
                nudge();
            }
        })?;
        Ok((Self { jobs, answers }, thread))
    }

    /// Gives a job. There must be none under way.
    pub fn give(&self, job: Job) -> Result<(), ReplayError> {
        self.jobs.send(job).map_err(|_| ENDED)
    }

    /// The answer, if it comes in time.
    pub fn answer(&self, patience: Duration) -> Result<Option<Answer>, ReplayError> {
        match self.answers.recv_timeout(patience) {
            Ok(answer) => Ok(Some(answer)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(ENDED),
        }
    }
}

/// A sink panicked.
const ENDED: ReplayError = ReplayError::Worker("deliver rows");

fn answer(sink: &mut dyn Sink, job: Job, tell: &Tell) -> Answer {
    match job {
        Job::Begin => Answer::Begun(sink.begin()),
        Job::Deliver(batch, settings) => {
            if let Some(settings) = settings {
                sink.reload(&settings);
            }
            let outcome = sink.deliver(&Delivery { batch: &batch, tell });
            Answer::Delivered(outcome, sink.gather_ns())
        }
        Job::Finish => {
            sink.finish();
            Answer::Finished
        }
    }
}

/// A batch of the outbox as sinks read it. A record that cannot be read is told of and passed over.
struct Delivery<'a> {
    batch: &'a Batch,
    tell: &'a Tell,
}

impl Delivery<'_> {
    fn each<R>(&self, of: u8, decode: fn(&[u8]) -> Result<Vec<R>, rows::RowsError>, each: &mut dyn FnMut(&[R])) {
        for record in self.batch.records.iter().filter(|record| record.kind == of) {
            match decode(&record.payload) {
                Ok(rows) => each(&rows),
                Err(error) => {
                    (self.tell)(Level::Error, "outbox", &format!("record {}: {error}; its rows are passed over", record.seq));
                }
            }
        }
    }
}

impl Rows for Delivery<'_> {
    fn requests(&self, each: &mut dyn FnMut(&[HttpLogRow])) {
        self.each(kind::ROWS, rows::decode, each);
    }

    fn handshakes(&self, each: &mut dyn FnMut(&[TlsOnlyRow])) {
        self.each(kind::TLS_ONLY, rows::decode_tls_only, each);
    }

    fn count(&self) -> usize {
        requests_in(self.batch)
    }

    fn last_seq(&self) -> u64 {
        self.batch.last_seq
    }
}

/// Requests in a batch, by what its records say of themselves.
pub(super) fn requests_in(batch: &Batch) -> usize {
    let records = batch.records.iter().filter(|record| record.kind == kind::ROWS);
    records.map(|record| rows::count(&record.payload)).fold(0, usize::saturating_add)
}
