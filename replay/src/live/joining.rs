//! The thread that owns journal and join: gathers what comes, makes it durable, joins it, lets event time pass.
//!
//! Promises: nothing is joined that the journal does not hold; what the journal cannot take is counted and told; every watermark and every
//! end is an entry of the journal before it takes effect.
//!
//! Read next: `join.rs` (the join itself), `journal.rs`, `daemon.rs` (the other threads).

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ja4_event::HttpEvent;
use ja4_join::enrich::Enricher;
use ja4_join::httplog::{HttpTail, TailState};

use super::daemon::{Driver, Input, LiveConfig};
use super::join::{Decided, Joiner};
use super::journal::{Entry, TailMark};
use super::queue::{Receiver, Sender, Taken, Weighed};
use super::reload::Seen;
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
    sync_ns: i64,
    seen: Seen,
    kept_house_ns: i64,
    committed_ns: i64,
    needed: Needed,
    lateness: Lateness,
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
    ) -> Result<Self, ReplayError> {
        let skews: Vec<i64> = config.logs.iter().map(|log| log.skew_ns).collect();
        let enricher = enricher(config.reference.as_deref())?;
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
        Ok(Self {
            config,
            driver,
            journal,
            joiner,
            out,
            done,
            sync_ns: config.sync_ns,
            seen: Seen::default(),
            kept_house_ns: 0,
            committed_ns: 0,
            needed: Needed::default(),
            lateness: Lateness::default(),
            failing: false,
        })
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
                        due_ns = (self.driver.ticker)().saturating_add(self.sync_ns);
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
                self.needed.took(self.journal.stats().acknowledged, self.joiner.all_decided_at_ns());
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
        self.needed.decided(self.joiner.advanced_ns(), journal_seq, !decided.is_empty());
        if !decided.is_empty() {
            // The deliverer is gone only after a failure of its own, which is the error of the whole.
            if self.out.send(decided).is_err() {
                self.driver.stop.store(true, Ordering::Relaxed);
            }
        }
    }

    fn keep_house(&mut self, now_ns: i64, from: &Receiver<Input>) {
        self.driver.status.levels(from.level().0, self.journal.stats().bytes);
        if let Some(settings) = self.driver.reload.take(&mut self.seen) {
            self.sync_ns = settings.sync_ns;
            self.joiner.set_delays(settings.delays);
            match enricher(settings.reference.as_deref()) {
                Ok(enricher) => self.joiner.set_enricher(enricher),
                Err(error) => (self.driver.tell)(Level::Error, "reload", &format!("{error}; the tables stay as they were")),
            }
        }
        let crowded = self.journal.stats().bytes > self.config.journal.keep_bytes;
        if crowded && now_ns.saturating_sub(self.committed_ns) >= IDLE_NS {
            self.committed_ns = now_ns;
            self.commit();
        }
        if now_ns.saturating_sub(self.kept_house_ns) < HOUSEKEEPING_NS {
            return;
        }
        self.kept_house_ns = now_ns;
        let stats = self.joiner.stats();
        if let Some(text) = self.lateness.minute(stats.requests, stats.late_requests) {
            (self.driver.tell)(Level::Warn, "join", &text);
        }
        let marks: Vec<TailMark> = self.joiner.tails().cloned().collect();
        for mark in marks {
            self.note(Entry::Tail(mark));
        }
        self.commit();
    }

    /// Lets segments go that no restart needs.
    fn commit(&mut self) {
        let Some(seq) = self.needed.not_before(self.done.load(Ordering::Acquire)) else { return };
        if seq > self.journal.committed(CONSUMER)
            && let Err(error) = self.journal.commit_to(CONSUMER, seq)
        {
            (self.driver.tell)(Level::Warn, "journal", &error.to_string());
        }
    }
}

/// Up to which place of the journal every request was decided and its row is durable in the outbox.
#[derive(Debug, Default)]
struct Needed {
    /// Places, the watermark from which all requests up to there are decided, and that of the first of those that share an entry.
    taken: VecDeque<(u64, i64, i64)>,
    /// Places up to which all was decided, and the last place that rows were given out for.
    settled: VecDeque<(u64, u64)>,
    given_out: u64,
}

impl Needed {
    fn took(&mut self, seq: u64, decided_at_ns: i64) {
        match self.taken.back_mut() {
            // One entry for each half second of event time is fine enough.
            Some((last, at_ns, first_ns)) if decided_at_ns.saturating_sub(*first_ns) < IDLE_NS / 2 => {
                (*last, *at_ns) = (seq, decided_at_ns.max(*at_ns));
            }
            _ => self.taken.push_back((seq, decided_at_ns, decided_at_ns)),
        }
    }

    fn decided(&mut self, watermark_ns: i64, journal_seq: u64, gave_out: bool) {
        if gave_out {
            self.given_out = journal_seq;
        }
        let mut settled = None;
        while let Some((seq, ..)) = self.taken.pop_front_if(|(_, decided_at_ns, _)| *decided_at_ns <= watermark_ns) {
            settled = Some(seq);
        }
        if let Some(seq) = settled {
            self.settled.push_back((seq, self.given_out));
        }
    }

    /// The last place that need not be joined again, when rows up to `done` are durable.
    fn not_before(&mut self, done: u64) -> Option<u64> {
        let mut last = None;
        while let Some((seq, _)) = self.settled.pop_front_if(|(_, given_out)| *given_out <= done) {
            last = Some(seq);
        }
        last
    }
}

/// Whether most requests come later than what was decided already.
#[derive(Debug, Default)]
struct Lateness {
    /// Requests so far, and late ones, a minute ago.
    before: (u64, u64),
    told: bool,
}

impl Lateness {
    /// Fewer requests a minute say nothing.
    const ENOUGH: u64 = 20;

    /// A minute has passed. What there is to tell, once until it is well again.
    fn minute(&mut self, requests: u64, late: u64) -> Option<String> {
        let (all, late_now) = (requests.saturating_sub(self.before.0), late.saturating_sub(self.before.1));
        self.before = (requests, late);
        if all < Self::ENOUGH {
            return None;
        }
        let most = late_now > all / 2;
        if std::mem::replace(&mut self.told, most) || !most {
            return None;
        }
        Some(format!(
            "{late_now} of the last {all} requests are older than what was decided already, so that many miss their handshake: \
             http_delay_ms is shorter than they take, or a clock was set back"
        ))
    }
}

fn enricher(reference: Option<&Path>) -> Result<Enricher, ReplayError> {
    Ok(match reference {
        Some(folder) => Enricher::load(folder)?,
        None => Enricher::embedded()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: i64 = 1_000_000_000;

    #[test]
    fn the_journal_keeps_what_is_not_decided_and_not_durable() {
        let mut needed = Needed::default();
        needed.took(10, 100 * S);
        needed.took(20, 110 * S);
        needed.took(30, 120 * S);
        needed.decided(99 * S, 31, true);
        assert_eq!(needed.not_before(31), None, "nothing up to 10 is certainly decided");
        needed.decided(110 * S, 40, true);
        assert_eq!(needed.not_before(31), None, "the rows of 40 are not durable");
        assert_eq!(needed.not_before(40), Some(20));
        needed.decided(130 * S, 50, false);
        assert_eq!(needed.not_before(40), Some(30), "nothing was given out for 50");
        assert_eq!(needed.not_before(99), None);
    }

    #[test]
    fn a_clock_that_was_set_back_is_told_of_once() {
        let mut lateness = Lateness::default();
        assert_eq!(lateness.minute(100, 10), None, "a few are late on any day");
        let text = lateness.minute(200, 110).unwrap();
        assert!(text.starts_with("100 of the last 100 requests are older"), "{text}");
        assert_eq!(lateness.minute(300, 210), None, "said already");
        assert_eq!(lateness.minute(310, 220), None, "too few to say anything");
        assert_eq!(lateness.minute(410, 220), None, "well again");
        assert!(lateness.minute(510, 320).is_some());
    }

    #[test]
    fn one_instant_is_one_entry() {
        let mut needed = Needed::default();
        (0..1000).for_each(|n| needed.took(n, S + i64::try_from(n).unwrap_or_default()));
        assert_eq!(needed.taken.len(), 1);
        needed.decided(S + 998, 1500, false);
        assert_eq!(needed.not_before(0), None, "the last of them is not decided");
        needed.decided(i64::MAX, 2000, false);
        assert_eq!(needed.not_before(0), Some(999));
    }
}
