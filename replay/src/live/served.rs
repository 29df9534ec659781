//! A sink and how it is doing: when it gets its next batch, what its refusals mean, what is told of it.
//!
//! Promises: a batch that was taken is committed and does not come again; one that was refused comes again as it was, after pauses that double;
//! a sink that does not answer is told of once; a sink whose reader is gone is passed over.
//!
//! Read next: `worker.rs` (its thread), `pace.rs` (how many rows at once), `deliver.rs`.

use std::thread::JoinHandle;
use std::time::Duration;

use super::pace::Pace;
use super::queue::Nudge;
use super::reload::Tunable;
use super::sinks::{Refusal, Sink};
use super::status::{SinkFigures, Status};
use super::worker::{Answer, Job, Worker, requests_in};
use super::{Level, Tell};
use crate::ReplayError;
use crate::spool::{Spool, Stored, rows};

/// The pause after a first refusal, and the longest.
const FIRST_PAUSE_NS: i64 = 500_000_000;
const LONGEST_PAUSE_NS: i64 = 30_000_000_000;
/// A delivery that takes longer is told of.
const LONG_NS: i64 = 10_000_000_000;

/// See the head.
pub(super) struct Served {
    name: &'static str,
    figures: SinkFigures,
    tell: Tell,
    worker: Worker,
    thread: JoinHandle<()>,
    under_way: Option<UnderWay>,
    /// Of the sink, ns.
    gather_ns: i64,
    pause_ns: i64,
    /// Not before this, of the ticker.
    next_ns: i64,
    gone: bool,
    pace: Pace,
    /// Settings that its next job brings along.
    fresh: Option<Tunable>,
    /// Why it refuses, as it was told; empty while it does not.
    told: String,
}

/// What its thread is busy with.
struct UnderWay {
    since_ns: i64,
    told: bool,
    batch: Option<BatchUnderWay>,
}

#[derive(Clone, Copy)]
struct BatchUnderWay {
    last_seq: u64,
    requests: u64,
    /// Whether more was there already than the batch took.
    more: bool,
}

impl Served {
    /// Starts the sink's thread, which opens what it writes to.
    pub fn start(sink: Box<dyn Sink>, nudge: Nudge, status: &Status, tell: Tell, now_ns: i64) -> Result<Self, ReplayError> {
        let (name, gather_ns) = (sink.name(), sink.gather_ns());
        let started = Worker::start(sink, nudge, tell.clone());
        let (worker, thread) = started.map_err(|_| ReplayError::Worker("start a thread for a sink"))?;
        let mut served = Self {
            name,
            figures: SinkFigures::new(&status.registry, name),
            tell,
            worker,
            thread,
            under_way: None,
            gather_ns,
            pause_ns: 0,
            next_ns: i64::MIN,
            gone: false,
            pace: Pace::default(),
            fresh: None,
            told: String::new(),
        };
        served.give(Job::Begin, None, now_ns)?;
        Ok(served)
    }

    /// Rows came into the outbox: requests, and other rows.
    pub fn came(&mut self, requests: usize, others: usize) {
        self.figures.received.add(u64::try_from(requests).unwrap_or(u64::MAX));
        self.pace.add(requests.saturating_add(others));
    }

    /// Its next job brings these settings along.
    pub fn reload(&mut self, settings: &Tunable) {
        self.fresh = Some(settings.clone());
    }

    /// Whether it is due at `now_ns` and has nothing to do.
    pub fn is_due(&self, now_ns: i64) -> bool {
        self.is_idle() && now_ns >= self.next_ns
    }

    /// Whether its thread has nothing to do.
    pub fn is_idle(&self) -> bool {
        self.under_way.is_none()
    }

    /// Whether it refused the last batch, or takes nothing any more.
    pub fn refuses(&self) -> bool {
        self.gone || self.pause_ns > 0
    }

    /// Requests that it has not taken.
    pub fn left(&self) -> u64 {
        self.figures.received.get().saturating_sub(self.figures.sent.get())
    }

    /// Gives it its next batch, if it has nothing to do and there is one.
    pub fn hand(&mut self, outbox: &mut Spool, now_ns: i64) -> Result<(), ReplayError> {
        if !self.is_idle() || self.gone {
            return Ok(());
        }
        let most = self.pace.most(now_ns, self.gather_ns);
        let weigh = |record: &Stored| rows::count(&record.payload);
        let Some(batch) = outbox.next_batch_within(self.name, most, weigh)? else { return Ok(()) };
        let requests = u64::try_from(requests_in(&batch)).unwrap_or(u64::MAX);
        let more = batch.last_seq < outbox.stats().acknowledged;
        let under_way = BatchUnderWay { last_seq: batch.last_seq, requests, more };
        let settings = self.fresh.take();
        self.give(Job::Deliver(batch, settings.map(Box::new)), Some(under_way), now_ns)
    }

    /// Listens, for so long, for what came of its job.
    pub fn hear(&mut self, outbox: &mut Spool, patience: Duration, now_ns: i64) -> Result<(), ReplayError> {
        let Some(under_way) = &self.under_way else { return Ok(()) };
        let Some(answer) = self.worker.answer(patience)? else {
            self.tell_if_long(now_ns);
            return Ok(());
        };
        let (since_ns, batch) = (under_way.since_ns, under_way.batch);
        self.under_way = None;
        match (answer, batch) {
            (Answer::Delivered(Ok(()), gather_ns), Some(batch)) => {
                outbox.commit_to(self.name, batch.last_seq)?;
                self.gather_ns = gather_ns;
                self.pace.took_ns = now_ns.saturating_sub(since_ns);
                self.took(batch, since_ns);
            }
            (Answer::Begun(Err(why)) | Answer::Delivered(Err(why), _), _) => self.refused(why, outbox, now_ns)?,
            (Answer::Begun(Ok(())) | Answer::Finished | Answer::Delivered(..), _) => {}
        }
        Ok(())
    }

    /// Nobody reads any more: what comes is passed over, so that the outbox does not fill up.
    pub fn pass_over(&mut self, outbox: &mut Spool) -> Result<(), ReplayError> {
        if self.gone {
            self.figures.dropped.raise_to(self.left());
            let acknowledged = outbox.stats().acknowledged;
            if outbox.committed(self.name) < acknowledged {
                outbox.commit_to(self.name, acknowledged)?;
            }
        }
        Ok(())
    }

    /// Nothing follows. Its thread must have nothing to do.
    pub fn finish(self) -> Result<(), ReplayError> {
        self.worker.give(Job::Finish)?;
        drop(self.worker);
        self.thread.join().map_err(|_| ReplayError::Worker("end a sink"))
    }

    fn give(&mut self, job: Job, batch: Option<BatchUnderWay>, now_ns: i64) -> Result<(), ReplayError> {
        self.under_way = Some(UnderWay { since_ns: now_ns, told: false, batch });
        self.worker.give(job)
    }

    /// A batch was taken; it had been given at `since_ns`.
    fn took(&mut self, batch: BatchUnderWay, since_ns: i64) {
        self.figures.sent.add(batch.requests);
        if self.pause_ns > 0 {
            (self.tell)(Level::Info, "sink", &format!("{}: delivering again", self.name));
        }
        self.pause_ns = 0;
        self.told.clear();
        self.figures.failing.set(0.0);
        // What waits already is not gathered any longer.
        self.next_ns = if batch.more { i64::MIN } else { since_ns.saturating_add(self.gather_ns) };
    }

    fn refused(&mut self, refusal: Refusal, outbox: &mut Spool, now_ns: i64) -> Result<(), ReplayError> {
        match refusal {
            Refusal::Later(why) => self.tried_again(why, now_ns),
            // Nothing was ever delivered to it: it is new.
            Refusal::Again(_) if outbox.committed(self.name) == 0 => {}
            Refusal::Again(why) => {
                let reach =
                    if outbox.rewind(self.name)? == 1 { "all of it is there" } else { "older rows are not there any more" };
                (self.tell)(Level::Warn, "rebuild", &format!("{why}; it is filled again from the segments ({reach})"));
                // It is well again, as far as anybody knows.
                (self.pause_ns, self.next_ns) = (0, i64::MIN);
                self.told.clear();
            }
            Refusal::Gone => {
                let text = format!("{}: its reader is gone; nothing more is written there", self.name);
                (self.tell)(Level::Info, "sink", &text);
                self.gone = true;
            }
        }
        Ok(())
    }

    fn tried_again(&mut self, why: String, now_ns: i64) {
        // The reason may become another one: away first, and then of another schema.
        if self.told != why {
            (self.tell)(Level::Error, "sink", &format!("{}: {why}; tried again", self.name));
            self.told = why;
        }
        self.pause_ns = self.pause_ns.saturating_mul(2).clamp(FIRST_PAUSE_NS, LONGEST_PAUSE_NS);
        self.next_ns = now_ns.saturating_add(self.pause_ns);
        self.figures.failures.inc();
        self.figures.failing.set(1.0);
    }

    fn tell_if_long(&mut self, now_ns: i64) {
        let Some(under_way) = self.under_way.as_mut().filter(|job| !job.told && now_ns.saturating_sub(job.since_ns) >= LONG_NS)
        else {
            return;
        };
        under_way.told = true;
        self.figures.failing.set(1.0);
        let text = format!("{}: no answer for {} s; its rows wait, other sinks go on", self.name, LONG_NS / 1_000_000_000);
        (self.tell)(Level::Warn, "sink", &text);
    }
}
