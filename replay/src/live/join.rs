//! Events to rows: each event goes to the journal, is made durable with its neighbours, and only then joined.
//!
//! Promises: what [`Joiner`] gives out is a function of the journal alone; [`Joiner::restore`] joins a journal again and gives out only
//! what lies behind the last delivered entry; text that cannot be read is counted by stream and kept out.
//!
//! Read next: `journal.rs`, `clock.rs`, `ja4_join::correlate::engine`.

use std::collections::BTreeMap;
use std::sync::Arc;

use ja4_event::{EVENT_VERSION, HttpEvent, MAX_RECORD_BYTES, NetworkEvent};
use ja4_join::correlate::{Correlator, CorrelatorConfig, CorrelatorStats, Joined, SourceId};
use ja4_join::enrich::{Enricher, HttpSourceInfo};
use ja4_join::httplog::{Damage, JsonReader, TailState};
use ja4_join::row::HttpLogRow;

use super::Stream;
use super::clock::{Delays, EventTime};
use super::journal::{Entry, TailMark};
use super::queue::Weighed;
use super::status::Status;
use crate::pipeline::tls_only;
use crate::spool::{Records, SpoolError};
use crate::store::TlsOnlyRow;

/// The requests of the socket are this source; log number n is source n + 1.
const SOCKET: SourceId = SourceId(0);

/// More than the skew that the join tolerates.
const SLACK_NS: i64 = 1_000_000_000;

/// What was decided up to a place of the journal.
#[derive(Debug, Default)]
pub struct Decided {
    /// Requests, in the order of the correlator.
    pub rows: Vec<HttpLogRow>,
    /// Handshakes that carried none.
    pub tls_only: Vec<TlsOnlyRow>,
    /// Everything that the journal says up to here is in `rows` or was given out before.
    pub journal_seq: u64,
}

impl Decided {
    /// Whether there is nothing to store.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.tls_only.is_empty()
    }
}

impl Weighed for Decided {
    fn bytes(&self) -> usize {
        let rows = self.rows.len().saturating_mul(size_of::<HttpLogRow>().saturating_add(512));
        rows.saturating_add(self.tls_only.len().saturating_mul(size_of::<TlsOnlyRow>().saturating_add(256))).saturating_add(64)
    }
}

/// What restoring found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Restored {
    /// Entries joined again.
    pub entries: u64,
    /// Of those, unreadable.
    pub unreadable: u64,
    /// Rows that had not been delivered.
    pub rows: u64,
}

/// Joins events. Holds everything that restarting has to bring back.
pub struct Joiner {
    correlator: Correlator,
    enricher: Enricher,
    reader: JsonReader,
    damage: Damage,
    time: EventTime,
    advanced_ns: i64,
    window_ns: i64,
    /// Coarsest time stamp of a request so far.
    resolution_ns: i64,
    tails: BTreeMap<u32, TailMark>,
    joined: Vec<Joined>,
    handshakes: Vec<Arc<NetworkEvent>>,
    status: Status,
}

impl std::fmt::Debug for Joiner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Joiner").field("held", &self.correlator.held()).finish_non_exhaustive()
    }
}

impl Joiner {
    /// A joiner that has seen nothing. `skews_ns` are the clocks of the tailed logs against the machine's, by number.
    #[must_use]
    pub fn new(config: CorrelatorConfig, delays: Delays, enricher: Enricher, skews_ns: &[i64], status: Status) -> Self {
        let window_ns = config.clone().clamped().window_ns;
        let mut correlator = Correlator::new(config);
        for (number, skew_ns) in skews_ns.iter().enumerate() {
            correlator.set_skew(source_of(u32::try_from(number).unwrap_or(u32::MAX)), *skew_ns);
        }
        Self {
            correlator,
            enricher,
            reader: JsonReader::default(),
            damage: Damage::new(0),
            time: EventTime::new(delays),
            advanced_ns: i64::MIN,
            window_ns,
            resolution_ns: 1,
            tails: BTreeMap::new(),
            joined: Vec::new(),
            handshakes: Vec::new(),
            status,
        }
    }

    /// Joins a journal again; rows of entries up to `delivered` were given out in an earlier life and are not given out again.
    ///
    /// # Errors
    /// The journal cannot be read, or `out` says stop (`false`), which is no error.
    pub fn restore(
        &mut self,
        mut records: Records,
        delivered: u64,
        out: &mut dyn FnMut(Decided) -> bool,
    ) -> Result<Restored, SpoolError> {
        let mut restored = Restored::default();
        while let Some(record) = records.next_record()? {
            restored.entries = restored.entries.saturating_add(1);
            let decides = match Entry::read(record.kind, record.payload) {
                Ok(entry) => self.apply(entry),
                Err(_) => {
                    restored.unreadable = restored.unreadable.saturating_add(1);
                    false
                }
            };
            if !decides {
                continue;
            }
            let decided = self.take(record.seq);
            if record.seq > delivered && !decided.is_empty() {
                restored.rows = restored.rows.saturating_add(u64::try_from(decided.rows.len()).unwrap_or(u64::MAX));
                if !out(decided) {
                    break;
                }
            }
        }
        Ok(restored)
    }

    /// Takes an entry of the journal; says whether it may have decided something.
    fn apply(&mut self, entry: Entry) -> bool {
        match entry {
            Entry::Http(bytes) => self.http(&bytes, 0),
            Entry::Network(bytes) => self.network(&bytes, 0),
            Entry::Line { log, event } => self.line(log, *event, 0),
            Entry::Tail(mark) => drop(self.tails.insert(mark.log, mark)),
            Entry::Advance(watermark_ns) => {
                self.advance(watermark_ns);
                return true;
            }
            Entry::Stopped => {
                self.correlator.decide_waiting();
                return true;
            }
        }
        false
    }

    /// Takes a request as it came, at `now_ns` of the ticker. What cannot be read is counted.
    pub fn http(&mut self, record: &[u8], now_ns: i64) {
        match self.reader.parse(record, &mut self.damage) {
            Ok(event) => {
                self.status.http.lost_before.add(sender_dropped(record));
                self.saw(Stream::Http, event.ts_ns, now_ns);
                self.resolution_ns = self.resolution_ns.max(event.ts_resolution_ns);
                self.correlator.http(event, SOCKET);
            }
            Err(_) => self.status.http.damaged.inc(),
        }
    }

    /// Takes a handshake as it came, at `now_ns` of the ticker. What cannot be read is counted.
    pub fn network(&mut self, record: &[u8], now_ns: i64) {
        let event = serde_json::from_slice::<NetworkEvent>(record).ok();
        match event.filter(|event| event.v == EVENT_VERSION && record.len() <= MAX_RECORD_BYTES) {
            Some(event) => {
                self.saw(Stream::Network, event.ts_ns, now_ns);
                self.correlator.network(event);
            }
            None => self.status.network.damaged.inc(),
        }
    }

    /// Takes a request that a log reader made.
    pub fn line(&mut self, log: u32, event: HttpEvent, now_ns: i64) {
        self.saw(Stream::Http, event.ts_ns, now_ns);
        self.resolution_ns = self.resolution_ns.max(event.ts_resolution_ns);
        self.correlator.http(event, source_of(log));
    }

    /// Remembers how far a log was read and which headers it names.
    pub fn tail(&mut self, mark: TailMark) {
        self.tails.insert(mark.log, mark);
    }

    /// Where reading of a log goes on.
    #[must_use]
    pub fn tail_state(&self, log: u32) -> Option<&TailState> {
        self.tails.get(&log).map(|mark| &mark.state)
    }

    /// How far each log was read.
    pub fn tails(&self) -> impl Iterator<Item = &TailMark> {
        self.tails.values()
    }

    /// The watermark that may be declared now; `None` if it would say nothing new.
    pub fn due(&mut self, now_ns: i64) -> Option<i64> {
        let reached_ns = self.time.reached_ns(now_ns)?;
        // No event before `reached_ns` follows, so none at or before `watermark − window`: as in a replay.
        let watermark_ns = reached_ns.saturating_add(self.window_ns).saturating_sub(1);
        (watermark_ns > self.advanced_ns).then_some(watermark_ns)
    }

    /// Declares a watermark. Call it only with what is in the journal.
    pub fn advance(&mut self, watermark_ns: i64) {
        self.advanced_ns = self.advanced_ns.max(watermark_ns);
        self.correlator.advance(watermark_ns);
    }

    /// Decides everything that waits and gives every handshake out: the end.
    pub fn finish(&mut self) {
        self.correlator.finish();
    }

    /// The watermark from which every request taken so far is certainly decided.
    #[must_use]
    pub fn all_decided_at_ns(&self) -> i64 {
        let newest_ns = self.time.newest_request_ns().unwrap_or(i64::MIN);
        newest_ns.saturating_add(self.resolution_ns).saturating_add(SLACK_NS).saturating_add(self.window_ns)
    }

    /// The watermark declared last.
    #[must_use]
    pub fn advanced_ns(&self) -> i64 {
        self.advanced_ns
    }

    /// Whether anything is held that time will decide.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.correlator.held() != (0, 0)
    }

    /// What was decided since the last time.
    pub fn take(&mut self, journal_seq: u64) -> Decided {
        self.correlator.take_joined(&mut self.joined);
        self.correlator.take_tls_only(&mut self.handshakes);
        let mut decided = Decided { journal_seq, ..Decided::default() };
        for joined in self.joined.drain(..) {
            let log = joined.source.0.checked_sub(1);
            let mark = log.and_then(|log| self.tails.get(&log));
            let named_headers = mark.map_or(&[][..], |mark| mark.named_headers.as_slice());
            decided.rows.push(self.enricher.row(&joined, &HttpSourceInfo { named_headers }));
        }
        decided.tls_only.extend(self.handshakes.drain(..).map(|event| tls_only(&event)));
        decided
    }

    /// Other delays from now on. Watermarks are in the journal, so a restart joins as before.
    pub fn set_delays(&mut self, delays: Delays) {
        self.time.set_delays(delays);
    }

    /// Other reference tables from now on.
    pub fn set_enricher(&mut self, enricher: Enricher) {
        self.enricher = enricher;
    }

    /// What the join counted.
    #[must_use]
    pub fn stats(&self) -> CorrelatorStats {
        self.correlator.stats()
    }

    /// Tells the figures.
    pub fn report(&self) {
        let decided_to_ns = self.advanced_ns.saturating_sub(self.window_ns);
        let newest_ns = self.time.newest_ns().filter(|_| self.advanced_ns > i64::MIN);
        let lag_ns = newest_ns.map_or(0, |newest_ns| newest_ns.saturating_sub(decided_to_ns).max(0));
        self.status.joined(&self.correlator.stats(), self.correlator.held(), lag_ns);
    }

    fn saw(&mut self, stream: Stream, ts_ns: i64, now_ns: i64) {
        self.time.saw(stream, ts_ns, now_ns);
    }
}

fn source_of(log: u32) -> SourceId {
    SourceId(log.saturating_add(1))
}

/// The module's count of records it lost since the last one that arrived. Inside a text the quote before the colon would be escaped.
fn sender_dropped(record: &[u8]) -> u64 {
    const KEY: &[u8] = b"\"dropped\":";
    let Some(at) = memchr::memmem::find(record, KEY) else { return 0 };
    let digits = record.get(at.saturating_add(KEY.len())..).unwrap_or_default();
    let number = digits.iter().skip_while(|byte| **byte == b' ').take_while(|byte| byte.is_ascii_digit());
    number.take(18).fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_modules_own_count_is_believed() {
        assert_eq!(sender_dropped(br#"{"v":1,"dropped":37,"ts_ns":5}"#), 37);
        assert_eq!(sender_dropped(br#"{"v":1,"path":"\"dropped\":99"}"#), 0);
        assert_eq!(sender_dropped(b"{}"), 0);
    }
}
