//! Rows to sinks: into the outbox first, durable with the place of the journal they stand for; from there to each sink at its own pace.
//!
//! Promises: rows and their place in the journal are one group of the outbox, so that a crash keeps both or neither; a sink that fails
//! is tried again with growing pauses, and one that does not return holds up no other, nor the outbox; when the outbox is full of rows that a
//! sink did not take, the join waits, and with it the sockets: nothing is dropped here. At the end the sinks have [`Ending`]'s time to take what
//! is there; the outbox keeps the rest for the next start, and the journal what the outbox had no room for.
//!
//! Read next: `served.rs` (one sink), `sinks.rs`, `../spool/mod.rs`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use super::clock::Ticker;
use super::join::Decided;
use super::queue::{Receiver, Taken};
use super::reload::{Reload, Seen};
use super::served::Served;
use super::sinks::Sink;
use super::status::Status;
use super::worker::kind;
use super::{Level, Tell};
use crate::ReplayError;
use crate::spool::{Record, Recovery, Spool, rows};

/// Rows in one record: the unit of reading.
const ROWS_PER_RECORD: usize = 512;
/// Items of the queue that are made durable before the sinks have their turn again.
const TAKEN_BETWEEN_DELIVERIES: usize = 64;
/// How long a wait lasts before the sinks are looked at, or after a full outbox.
const PATIENCE: Duration = Duration::from_millis(100);

/// Place of the journal that an outbox has everything of.
#[must_use]
pub fn delivered(recovery: &Recovery) -> u64 {
    let mark = recovery.last.get(&kind::MARK);
    mark.and_then(|mark| mark.first_chunk()).map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

/// The thread that owns the outbox.
pub struct Deliverer {
    outbox: Spool,
    /// Not started yet.
    sinks: Vec<Box<dyn Sink>>,
    served: Vec<Served>,
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
        Self { outbox, sinks, served: Vec::new(), ticker, tell, status, done, ending, reload, seen: Seen::default() }
    }

    /// Serves until the queue ends, then delivers what is left as far as the sinks take it.
    ///
    /// # Errors
    /// The outbox cannot be written and waiting does not help.
    pub fn run(mut self, from: &Receiver<Decided>) -> Result<Delivered, ReplayError> {
        for sink in std::mem::take(&mut self.sinks) {
            let now_ns = (self.ticker)();
            let served = Served::start(sink, from.nudge(), &self.status, Arc::clone(&self.tell), now_ns)?;
            self.served.push(served);
        }
        let mut gave_up = false;
        while !gave_up {
            match self.take_in(from)? {
                TookIn::Kept => {}
                TookIn::GaveUp => gave_up = true,
                TookIn::Ended => break,
            }
            if let Some(settings) = self.reload.take(&mut self.seen) {
                self.ending.grace_ns = settings.stop_ns;
                self.served.iter_mut().for_each(|served| served.reload(&settings));
            }
            self.serve()?;
        }
        self.serve_last()?;
        let left_rows = self.served.iter().map(Served::left).max().unwrap_or(0);
        self.served.into_iter().try_for_each(Served::finish)?;
        Ok(Delivered { left_rows, gave_up })
    }

    /// Makes durable what comes, so that nothing piles up in the queue while a sink takes its time. Ends when a sink has something to say.
    fn take_in(&mut self, from: &Receiver<Decided>) -> Result<TookIn, ReplayError> {
        let mut patience = PATIENCE;
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

    /// Makes rows durable. While the outbox cannot take them, the sinks go on and everything before waits; `false` if the program is to end
    /// meanwhile and the sinks had their time.
    fn keep(&mut self, decided: &Decided) -> Result<bool, ReplayError> {
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
                Err(error) => return Err(error.into()),
            }
        }
        self.served.iter_mut().for_each(|served| served.came(decided.rows.len(), decided.tls_only.len()));
        self.done.store(decided.journal_seq, Ordering::Release);
        self.status.outbox_bytes(self.outbox.stats().bytes);
        Ok(true)
    }

    /// Hears what the sinks have to say, and gives each that is due its next batch.
    fn serve(&mut self) -> Result<(), ReplayError> {
        for served in &mut self.served {
            let now_ns = (self.ticker)();
            served.hear(&mut self.outbox, Duration::ZERO, now_ns)?;
            if served.is_due(now_ns) && !self.ending.is_over(now_ns) {
                served.hand(&mut self.outbox, now_ns)?;
            }
            served.pass_over(&mut self.outbox)?;
        }
        self.status.outbox_bytes(self.outbox.stats().bytes);
        Ok(())
    }

    /// At the end no sink waits for its time: each takes what is there, until it refuses or the time is over. Only what is under way is waited for.
    fn serve_last(&mut self) -> Result<(), ReplayError> {
        // Whoever had refused before gets one more chance.
        let mut tried = vec![false; self.served.len()];
        loop {
            let mut idle = true;
            for (served, tried) in self.served.iter_mut().zip(&mut tried) {
                served.hear(&mut self.outbox, PATIENCE, (self.ticker)())?;
                let now_ns = (self.ticker)();
                if !(*tried && served.refuses() || self.ending.is_over(now_ns)) {
                    *tried |= served.is_idle();
                    served.hand(&mut self.outbox, now_ns)?;
                }
                served.pass_over(&mut self.outbox)?;
                idle &= served.is_idle();
            }
            self.status.outbox_bytes(self.outbox.stats().bytes);
            if idle {
                return Ok(());
            }
        }
    }
}
