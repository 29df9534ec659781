//! The thread that owns journal and join: gathers what comes, makes it durable, joins it, lets event time pass.
//!
//! Promises: nothing is joined that the journal does not hold; what the journal cannot take is counted and told; every watermark and every
//! end is an entry of the journal before it takes effect.
//!
//! Read next: `join.rs` (the join itself), `journal.rs`, `daemon.rs` (the other threads).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use ja4_event::HttpEvent;
use ja4_join::enrich::Enricher;
use ja4_join::httplog::{HttpTail, TailState};

use super::daemon::{Driver, Input, LiveConfig};
use super::join::{Decided, Joiner};
use super::journal::{Entry, TailMark};
use super::queue::{Receiver, Sender, Taken, Weighed};
use super::{Level, Stream, status};
use crate::ReplayError;
use crate::spool::{Record, Spool, SpoolError};

/// Bytes of events that wait for one fsync.
const GROUP_BYTES: usize = 4 << 20;
/// How often an idle join looks at the clock.
const IDLE_NS: i64 = 1_000_000_000;
/// How often places of logs are written down although nothing came, and delivered journal segments are removed.
const HOUSEKEEPING_NS: i64 = 60_000_000_000;
/// The join's cursor in the journal.
pub(super) const CONSUMER: &str = "join";

/// The join thread: the one that owns the journal.
pub(super) struct Joining<'a> {
    config: &'a LiveConfig,
    driver: &'a Driver,
    journal: Spool,
    joiner: Joiner,
    out: Sender<Decided>,
    done: Arc<AtomicU64>,
    reopen: Arc<AtomicBool>,
    kept_house_ns: i64,
    /// Whether the last attempt to write the journal failed.
    failing: bool,
}

impl<'a> Joining<'a> {
    /// Joins the journal of earlier lives again.
    pub(super) fn start(
        config: &'a LiveConfig,
        driver: &'a Driver,
        journal: Spool,
        delivered: u64,
        out: Sender<Decided>,
        done: Arc<AtomicU64>,
        reopen: Arc<AtomicBool>,
    ) -> Result<Self, ReplayError> {
        let skews: Vec<i64> = config.logs.iter().map(|log| log.skew_ns).collect();
        let enricher = enricher(config)?;
        let mut joiner = Joiner::new(config.correlator.clone(), config.delays, enricher, &skews, driver.status.clone());
        let records = journal.records(journal.first_seq(), u64::MAX);
        let restored = joiner.restore(records, delivered, &mut |decided| {
            driver.status.beat();
            out.send(decided).is_ok()
        })?;
        if restored.entries > 0 {
            let text = format!(
                "joined {} journal entries again ({} unreadable); {} rows had not been stored",
                restored.entries, restored.unreadable, restored.rows
            );
            (driver.tell)(Level::Info, "journal", &text);
        }
        Ok(Self { config, driver, journal, joiner, out, done, reopen, kept_house_ns: 0, failing: false })
    }

    /// Opens the logs where they were left.
    pub(super) fn tails(&self) -> Result<Vec<(u32, HttpTail)>, ReplayError> {
        let numbered = (0_u32..).zip(&self.config.logs);
        numbered
            .map(|(number, log)| {
                let state: Option<&TailState> = self.joiner.tail_state(number);
                Ok((number, HttpTail::open(&log.path, &log.options, state)?))
            })
            .collect()
    }

    /// Takes what comes until every sender is gone, then ends everything that waits.
    pub(super) fn run(&mut self, from: &Receiver<Input>) -> Result<(), ReplayError> {
        let mut looked_ns = (self.driver.ticker)();
        loop {
            let (group, ended) = self.gather(from);
            self.driver.status.beat();
            let now_ns = (self.driver.ticker)();
            self.take(&group, now_ns);
            let busy = !group.is_empty();
            if busy || now_ns.saturating_sub(looked_ns) >= IDLE_NS {
                looked_ns = now_ns;
                self.advance(now_ns);
                self.joiner.report();
                self.keep_house(now_ns, from);
            }
            if ended {
                return self.finish();
            }
        }
    }

    /// What came within the time of one fsync.
    fn gather(&self, from: &Receiver<Input>) -> (Vec<Input>, bool) {
        let mut group = Vec::new();
        let mut bytes = 0_usize;
        let mut due_ns = i64::MAX;
        loop {
            let left_ns = due_ns.saturating_sub((self.driver.ticker)()).clamp(0, 200_000_000);
            if bytes >= GROUP_BYTES || (left_ns == 0 && !group.is_empty()) {
                return (group, false);
            }
            match from.take(Duration::from_nanos(left_ns.unsigned_abs())) {
                Taken::Item(input) => {
                    if group.is_empty() {
                        due_ns = (self.driver.ticker)().saturating_add(self.config.sync_ns);
                    }
                    bytes = bytes.saturating_add(input.bytes());
                    group.push(input);
                }
                Taken::Nothing if group.is_empty() => return (group, false),
                Taken::Nothing => {}
                Taken::Ended => return (group, true),
            }
        }
    }

    /// Journals a group, makes it durable, and joins it. What the journal cannot take is counted and told, never joined.
    fn take(&mut self, group: &[Input], now_ns: i64) {
        if group.is_empty() {
            return;
        }
        let mut counts = [0_u64; 2];
        for input in group {
            let (stream, count) = match input {
                Input::Datagrams(datagrams) => (datagrams.stream, datagrams.len()),
                Input::Lines { events, .. } => (Stream::Http, events.len()),
            };
            let count = u64::try_from(count).unwrap_or(u64::MAX);
            self.driver.status.stream(stream).received.add(count);
            if let Some(sum) = counts.get_mut(usize::from(stream == Stream::Network)) {
                *sum = sum.saturating_add(count);
            }
        }
        let figures = |fate: fn(&status::JoinFigures) -> &crate::metrics::Counter| {
            for (stream, count) in [Stream::Http, Stream::Network].into_iter().zip(counts) {
                fate(self.driver.status.stream(stream)).add(count);
            }
        };
        match self.write(group) {
            Ok(()) => {
                figures(|figures| &figures.acknowledged);
                if std::mem::replace(&mut self.failing, false) {
                    (self.driver.tell)(Level::Info, "journal", "events are acknowledged again");
                }
                for input in group {
                    self.join(input, now_ns);
                }
            }
            Err(error) => {
                figures(|figures| &figures.refused);
                if !std::mem::replace(&mut self.failing, true) {
                    (self.driver.tell)(Level::Error, "journal", &format!("{error}; events are dropped and counted"));
                }
            }
        }
    }

    /// The whole group is one group of the spool: all of it is acknowledged, or nothing.
    fn write(&mut self, group: &[Input]) -> Result<(), SpoolError> {
        let mut lines: Vec<(u8, Vec<u8>)> = Vec::new();
        for input in group {
            if let Input::Lines { events, mark } = input {
                let entry = |event: &HttpEvent| Entry::Line { log: mark.log, event: Box::new(event.clone()) }.write();
                lines.extend(events.iter().map(entry));
                lines.push(Entry::Tail(mark.clone()).write());
            }
        }
        let datagrams =
            group.iter().filter_map(|input| if let Input::Datagrams(datagrams) = input { Some(datagrams) } else { None });
        let raw = datagrams.flat_map(|datagrams| {
            let kind = Entry::raw_kind(datagrams.stream);
            datagrams.iter().map(move |payload| Record { kind, payload })
        });
        let records: Vec<Record<'_>> = raw.chain(lines.iter().map(|(kind, payload)| Record { kind: *kind, payload })).collect();
        self.journal.append(&records)?;
        self.journal.sync().map(drop)
    }

    fn join(&mut self, input: &Input, now_ns: i64) {
        match input {
            Input::Datagrams(datagrams) if datagrams.stream == Stream::Http => {
                datagrams.iter().for_each(|record| self.joiner.http(record, now_ns));
            }
            Input::Datagrams(datagrams) => datagrams.iter().for_each(|record| self.joiner.network(record, now_ns)),
            Input::Lines { events, mark } => {
                for event in events {
                    self.joiner.line(mark.log, event.clone(), now_ns);
                }
                self.joiner.tail(mark.clone());
            }
        }
    }

    /// Lets event time pass, if there is something it may decide.
    fn advance(&mut self, now_ns: i64) {
        if !self.joiner.holds() {
            return;
        }
        let Some(watermark_ns) = self.joiner.due(now_ns) else { return };
        if let Some(seq) = self.note(Entry::Advance(watermark_ns)) {
            self.joiner.advance(watermark_ns);
            self.give_out(seq);
        }
    }

    /// Ends what waits. The journal says so, so that the next start does not decide it again.
    fn finish(&mut self) -> Result<(), ReplayError> {
        if let Some(seq) = self.note(Entry::Stopped) {
            self.joiner.finish();
            self.give_out(seq);
        }
        self.joiner.report();
        Ok(())
    }

    /// Writes an entry of our own, durably; `None` if the journal does not take it now.
    fn note(&mut self, entry: Entry) -> Option<u64> {
        let (kind, payload) = entry.write();
        let written = self.journal.append(&[Record { kind, payload: &payload }]).and_then(|seq| self.journal.sync().map(|_| seq));
        match written {
            Ok(seq) => Some(seq),
            Err(error) => {
                if !std::mem::replace(&mut self.failing, true) {
                    (self.driver.tell)(Level::Error, "journal", &error.to_string());
                }
                None
            }
        }
    }

    fn give_out(&mut self, journal_seq: u64) {
        let decided = self.joiner.take(journal_seq);
        if !decided.is_empty() {
            // The deliverer is gone only after a failure of its own, which is the error of the whole.
            if self.out.send(decided).is_err() {
                self.driver.stop.store(true, Ordering::Relaxed);
            }
        }
    }

    fn keep_house(&mut self, now_ns: i64, from: &Receiver<Input>) {
        self.driver.status.levels(from.level().0, self.journal.stats().bytes);
        if self.driver.reload.swap(false, Ordering::Relaxed) {
            self.reopen.store(true, Ordering::Relaxed);
            match enricher(self.config) {
                Ok(enricher) => self.joiner.set_enricher(enricher),
                Err(error) => (self.driver.tell)(Level::Error, "reload", &format!("{error}; the tables stay as they were")),
            }
        }
        if now_ns.saturating_sub(self.kept_house_ns) < HOUSEKEEPING_NS {
            return;
        }
        self.kept_house_ns = now_ns;
        let marks: Vec<TailMark> = self.joiner.tails().cloned().collect();
        for mark in marks {
            self.note(Entry::Tail(mark));
        }
        if let Err(error) = self.journal.commit_to(CONSUMER, self.done.load(Ordering::Acquire)) {
            (self.driver.tell)(Level::Warn, "journal", &error.to_string());
        }
    }
}

fn enricher(config: &LiveConfig) -> Result<Enricher, ReplayError> {
    Ok(match &config.reference {
        Some(folder) => Enricher::load(folder)?,
        None => Enricher::embedded()?,
    })
}
