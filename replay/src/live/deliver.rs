//! Rows to sinks: into the outbox first, durable with the place of the journal they stand for; from there to each sink at its own pace.
//!
//! Promises: rows and their place in the journal are one group of the outbox, so that a crash keeps both or neither; a sink that fails
//! is tried again with growing pauses and holds up no other; when the outbox is full of rows that a sink did not take, the join waits,
//! and with it the sockets: nothing is dropped here. At the end the sinks have [`Ending`]'s time to take what is there; the outbox keeps the
//! rest for the next start, and the journal what the outbox had no room for.
//!
//! Read next: `sinks.rs`, `../spool/mod.rs`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use ja4_join::row::HttpLogRow;

use super::clock::Ticker;
use super::join::Decided;
use super::queue::{Receiver, Taken};
use super::reload::{Reload, Seen};
use super::sinks::{Refusal, Sink};
use super::status::{SinkFigures, Status};
use super::{Level, Tell};
use crate::spool::{Batch, Record, Recovery, Spool, SpoolError, Stored, rows};
use crate::store::TlsOnlyRow;

/// Kinds of records in the outbox.
mod kind {
    pub const ROWS: u8 = 1;
    pub const TLS_ONLY: u8 = 2;
    /// Place of the journal up to which everything stands before this.
    pub const MARK: u8 = 3;
}

/// Rows in one record: the unit of reading.
const ROWS_PER_RECORD: usize = 512;
/// Rows that a delivery may always take.
const ROWS_PER_DELIVERY: usize = 4096;
/// Items of the queue that are made durable before the sinks have their turn again.
const TAKEN_BETWEEN_DELIVERIES: usize = 64;
/// How long a wait for rows lasts before the sinks are looked at.
const PATIENCE: Duration = Duration::from_millis(100);
const FIRST_PAUSE_NS: i64 = 500_000_000;
const LONGEST_PAUSE_NS: i64 = 30_000_000_000;

/// Place of the journal that an outbox has everything of.
#[must_use]
pub fn delivered(recovery: &Recovery) -> u64 {
    let mark = recovery.last.get(&kind::MARK);
    mark.and_then(|mark| mark.first_chunk()).map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

/// A sink and how it is doing.
struct Served {
    sink: Box<dyn Sink>,
    figures: SinkFigures,
    pause_ns: i64,
    /// Not before this, of the ticker.
    next_ns: i64,
    gone: bool,
    pace: Pace,
    /// Why it refuses, as it was told; empty while it does not.
    told: String,
}

/// How many rows come in between two deliveries.
#[derive(Debug, Default)]
struct Pace {
    since_ns: i64,
    rows: usize,
    /// Of the last whole interval.
    per_delivery: usize,
}

impl Pace {
    /// Rows came in.
    fn add(&mut self, rows: usize) {
        self.rows = self.rows.saturating_add(rows);
    }

    /// The most rows that a delivery may take, when one is due every `interval_ns` and it is now `now_ns`.
    fn most(&mut self, now_ns: i64, interval_ns: i64) -> usize {
        let (passed_ns, interval_ns) = (now_ns.saturating_sub(self.since_ns), interval_ns.max(FIRST_PAUSE_NS));
        if passed_ns >= interval_ns {
            let intervals = usize::try_from(passed_ns / interval_ns).unwrap_or(usize::MAX);
            *self = Self { since_ns: now_ns, rows: 0, per_delivery: self.rows.div_ceil(intervals.max(1)) };
        }
        self.per_delivery.saturating_mul(2).max(ROWS_PER_DELIVERY)
    }
}

/// The thread that owns the outbox.
pub struct Deliverer {
    outbox: Spool,
    sinks: Vec<Served>,
    ticker: Ticker,
    tell: Tell,
    status: Status,
    /// Place of the journal that need not be joined again.
    done: Arc<AtomicU64>,
    ending: Ending,
    reload: Arc<Reload>,
    seen: Seen,
}

/// What came of taking rows in.
enum TookIn {
    /// What was there is durable.
    Kept,
    /// Not all of it, and the program is to end.
    GaveUp,
    /// Nothing follows.
    Ended,
}

/// When to give up on sinks that do not take what waits for them.
#[derive(Debug, Clone)]
pub struct Ending {
    /// Set when the program is to end.
    pub stop: Arc<AtomicBool>,
    /// How long the sinks may take from then on, ns.
    pub grace_ns: i64,
    since_ns: Option<i64>,
}

impl Ending {
    /// Not yet.
    #[must_use]
    pub fn new(stop: Arc<AtomicBool>, grace_ns: i64) -> Self {
        Self { stop, grace_ns, since_ns: None }
    }

    /// Whether the time is over at `now_ns` of the ticker.
    fn is_over(&mut self, now_ns: i64) -> bool {
        if !self.stop.load(Ordering::Relaxed) {
            return false;
        }
        now_ns.saturating_sub(*self.since_ns.get_or_insert(now_ns)) >= self.grace_ns
    }
}

/// How the sinks ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Delivered {
    /// Rows that some sink has not taken; they stay in the outbox for the next start.
    pub left_rows: u64,
    /// Whether rows found no room in the outbox: the next start joins their events again, from the journal.
    pub gave_up: bool,
}

impl Deliverer {
    /// Takes over an outbox that was opened with the sinks' names as consumers.
    #[must_use]
    #[allow(clippy::too_many_arguments, reason = "what the thread is made of, handed over once")]
    pub fn new(
        outbox: Spool,
        sinks: Vec<Box<dyn Sink>>,
        status: Status,
        ticker: Ticker,
        tell: Tell,
        done: Arc<AtomicU64>,
        ending: Ending,
        reload: Arc<Reload>,
    ) -> Self {
        let served = |sink: Box<dyn Sink>| {
            let figures = SinkFigures::new(&status.registry, sink.name());
            Served { sink, figures, pause_ns: 0, next_ns: i64::MIN, gone: false, pace: Pace::default(), told: String::new() }
        };
        let sinks = sinks.into_iter().map(served).collect();
        Self { outbox, sinks, ticker, tell, status, done, ending, reload, seen: Seen::default() }
    }

    /// Serves until the queue ends, then delivers what is left as far as the sinks take it.
    ///
    /// # Errors
    /// The outbox cannot be written and waiting does not help.
    pub fn run(mut self, from: &Receiver<Decided>) -> Result<Delivered, SpoolError> {
        self.rebuild()?;
        let (mut gave_up, mut behind) = (false, false);
        while !gave_up {
            // Rows that wait in the outbox are delivered between those that come, not instead of them.
            match self.take_in(from, if behind { Duration::ZERO } else { PATIENCE })? {
                TookIn::Kept => {}
                TookIn::GaveUp => gave_up = true,
                TookIn::Ended => break,
            }
            if let Some(settings) = self.reload.take(&mut self.seen) {
                self.ending.grace_ns = settings.stop_ns;
                self.sinks.iter_mut().for_each(|served| served.sink.reload(&settings));
            }
            behind = self.serve()?;
        }
        self.serve_last()?;
        let mut left_rows = 0_u64;
        for served in &mut self.sinks {
            served.sink.finish();
            left_rows = left_rows.max(served.figures.received.get().saturating_sub(served.figures.sent.get()));
        }
        Ok(Delivered { left_rows, gave_up })
    }

    /// Makes durable what has come meanwhile, so that nothing piles up in the queue while a sink takes its time.
    fn take_in(&mut self, from: &Receiver<Decided>, patience: Duration) -> Result<TookIn, SpoolError> {
        let mut patience = patience;
        for _ in 0..TAKEN_BETWEEN_DELIVERIES {
            match from.take(patience) {
                Taken::Item(decided) if self.keep(&decided)? => patience = Duration::ZERO,
                Taken::Item(_) => return Ok(TookIn::GaveUp),
                Taken::Nothing => break,
                Taken::Ended => return Ok(TookIn::Ended),
            }
        }
        Ok(TookIn::Kept)
    }

    /// A store that was lost gets everything that is still there.
    fn rebuild(&mut self) -> Result<(), SpoolError> {
        for served in &mut self.sinks {
            let name = served.sink.name();
            if self.outbox.committed(name) == 0 {
                continue;
            }
            if let Some(why) = served.sink.wants_everything_again() {
                let first = self.outbox.rewind(name)?;
                let reach = if first == 1 { "all of it is there" } else { "older rows are not there any more" };
                (self.tell)(Level::Warn, "rebuild", &format!("{why}; it is filled again from the segments ({reach})"));
            }
        }
        Ok(())
    }

    /// Makes rows durable. While the outbox cannot take them, the sinks go on and everything before waits; `false` if the program is to end
    /// meanwhile and the sinks had their time.
    fn keep(&mut self, decided: &Decided) -> Result<bool, SpoolError> {
        let mark = decided.journal_seq.to_le_bytes();
        let blocks: Vec<(u8, Vec<u8>)> = decided
            .rows
            .chunks(ROWS_PER_RECORD)
            .map(|chunk| (kind::ROWS, rows::encode(chunk)))
            .chain(decided.tls_only.chunks(ROWS_PER_RECORD).map(|chunk| (kind::TLS_ONLY, rows::encode_tls_only(chunk))))
            .collect();
        let mut records: Vec<Record<'_>> = blocks.iter().map(|(kind, payload)| Record { kind: *kind, payload }).collect();
        records.push(Record { kind: kind::MARK, payload: &mark });
        let mut told = false;
        // Nothing is appended twice: what was appended and could not be made durable is made so by the next attempt.
        let mut appended = false;
        loop {
            let outcome = match appended {
                false => self.outbox.append(&records).map(|_| appended = true).and_then(|()| self.outbox.sync()),
                true => self.outbox.sync(),
            };
            match outcome {
                Ok(_) => break,
                Err(error) if error.may_pass() || appended => {
                    if !std::mem::replace(&mut told, true) {
                        (self.tell)(Level::Error, "outbox", &format!("{error}; the join waits"));
                    }
                    self.serve()?;
                    if self.ending.is_over((self.ticker)()) {
                        return Ok(false);
                    }
                    std::thread::sleep(PATIENCE);
                }
                Err(error) => return Err(error),
            }
        }
        let rows = u64::try_from(decided.rows.len()).unwrap_or(u64::MAX);
        for served in &mut self.sinks {
            served.figures.received.add(rows);
            served.pace.add(decided.rows.len().saturating_add(decided.tls_only.len()));
        }
        self.done.store(decided.journal_seq, Ordering::Release);
        self.status.outbox_bytes(self.outbox.stats().bytes);
        Ok(true)
    }

    /// Gives each sink that is due the next batch. Whether one of them may have another one at once.
    fn serve(&mut self) -> Result<bool, SpoolError> {
        let mut more = false;
        for place in 0..self.sinks.len() {
            let now_ns = (self.ticker)();
            if self.sinks.get(place).is_some_and(|served| now_ns >= served.next_ns) {
                more |= self.serve_one(place)?;
            }
            self.pass_over(place)?;
        }
        self.status.outbox_bytes(self.outbox.stats().bytes);
        Ok(more)
    }

    /// At the end no sink waits for its time: each takes what is there, until it refuses.
    fn serve_last(&mut self) -> Result<(), SpoolError> {
        for place in 0..self.sinks.len() {
            while self.serve_one(place)? {}
            self.pass_over(place)?;
        }
        self.status.outbox_bytes(self.outbox.stats().bytes);
        Ok(())
    }

    /// Gives a sink its next batch. Whether it took it and more is there.
    fn serve_one(&mut self, place: usize) -> Result<bool, SpoolError> {
        let now_ns = (self.ticker)();
        let Some(served) = self.sinks.get_mut(place).filter(|served| !served.gone) else { return Ok(false) };
        if self.ending.is_over(now_ns) {
            return Ok(false);
        }
        let most = served.pace.most(now_ns, served.sink.gather_ns());
        let weigh = |record: &Stored| rows::count(&record.payload);
        let Some(batch) = self.outbox.next_batch_within(served.sink.name(), most, weigh)? else { return Ok(false) };
        let (rows, tls_only) = open(&batch, &self.tell);
        let count = u64::try_from(rows.len()).unwrap_or(u64::MAX);
        match served.sink.deliver(&rows, &tls_only, batch.last_seq) {
            Ok(()) => {
                self.outbox.commit(served.sink.name(), &batch)?;
                served.figures.sent.add(count);
                if served.pause_ns > 0 {
                    (self.tell)(Level::Info, "sink", &format!("{}: delivering again", served.sink.name()));
                }
                served.pause_ns = 0;
                served.told.clear();
                served.figures.failing.set(0.0);
                let more = batch.last_seq < self.outbox.stats().acknowledged;
                // What waits already is not gathered any longer.
                served.next_ns = if more { i64::MIN } else { now_ns.saturating_add(served.sink.gather_ns()) };
                return Ok(more);
            }
            Err(Refusal::Later(why)) => {
                // The reason may become another one: away first, and then of another schema.
                if served.told != why {
                    (self.tell)(Level::Error, "sink", &format!("{}: {why}; tried again", served.sink.name()));
                    served.told = why;
                }
                served.pause_ns = served.pause_ns.saturating_mul(2).clamp(FIRST_PAUSE_NS, LONGEST_PAUSE_NS);
                served.next_ns = now_ns.saturating_add(served.pause_ns);
                served.figures.failures.inc();
                served.figures.failing.set(1.0);
            }
            Err(Refusal::Gone) => {
                let name = served.sink.name();
                (self.tell)(Level::Info, "sink", &format!("{name}: its reader is gone; nothing more is written there"));
                served.gone = true;
            }
        }
        Ok(false)
    }

    /// Nobody reads any more: what comes is passed over, so that the outbox does not fill up.
    fn pass_over(&mut self, place: usize) -> Result<(), SpoolError> {
        if let Some(served) = self.sinks.get_mut(place).filter(|served| served.gone) {
            let name = served.sink.name();
            served.figures.dropped.raise_to(served.figures.received.get().saturating_sub(served.figures.sent.get()));
            let acknowledged = self.outbox.stats().acknowledged;
            if self.outbox.committed(name) < acknowledged {
                self.outbox.commit_to(name, acknowledged)?;
            }
        }
        Ok(())
    }
}

/// The rows of a batch.
fn open(batch: &Batch, tell: &Tell) -> (Vec<HttpLogRow>, Vec<TlsOnlyRow>) {
    let (mut all, mut tls_only) = (Vec::new(), Vec::new());
    for record in &batch.records {
        let outcome = match record.kind {
            kind::ROWS => rows::decode(&record.payload).map(|mut rows| all.append(&mut rows)),
            kind::TLS_ONLY => rows::decode_tls_only(&record.payload).map(|mut rows| tls_only.append(&mut rows)),
            _ => Ok(()),
        };
        if let Err(error) = outcome {
            tell(Level::Error, "outbox", &format!("record {}: {error}; its rows are passed over", record.seq));
        }
    }
    (all, tls_only)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_takes_twice_what_comes_between_two_of_them_and_no_more_after_a_pause() {
        const SECOND_NS: i64 = 1_000_000_000;
        let mut pace = Pace::default();
        assert_eq!(pace.most(0, SECOND_NS), ROWS_PER_DELIVERY);
        for second in 1..=60 {
            pace.add(50_000);
            // Asked again and again within a second, as while a sink is away.
            assert_eq!(pace.most(second * SECOND_NS - 1, SECOND_NS), if second == 1 { ROWS_PER_DELIVERY } else { 100_000 });
            assert_eq!(pace.most(second * SECOND_NS, SECOND_NS), 100_000);
        }
        // Not asked for ten seconds, in which as many rows a second came as before.
        (0..10).for_each(|_| pace.add(50_000));
        assert_eq!(pace.most(70 * SECOND_NS, SECOND_NS), 100_000);
        assert_eq!(pace.most(71 * SECOND_NS, SECOND_NS), ROWS_PER_DELIVERY);
    }
}
