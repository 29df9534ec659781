//! The correlator: takes both streams in any order, and decides each request once its window has passed.
//!
//! Promises: `advance(w)` says that no event at or before `w − window` follows. As long as that holds and no bound is hit, what
//! comes out is the same for every interleaving of the streams and every step of the watermark. Events that come later than that
//! are still joined with what is remembered, and counted. A request is decided when the watermark has passed the end of its
//! uncertainty interval by the window and twice the tolerance.
//!
//! Read next: `decide.rs` (the rules), `pending.rs` and `handshakes.rs` (the two tables), `docs/JOIN.md`.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::quality::RandomState;
use ja4_event::{HttpEvent, NetworkEvent};

use super::clock_error::lookahead_ns;
use super::config::{CorrelatorConfig, Gauge, PolicyReport, SourceId};
use super::decide::{MatchKind, Verdict, decide, uncertainty};
use super::guess::guess;
use super::handshakes::{HandshakeTable, Inserted};
use super::key::{PeerKey, ip_number};
use super::pending::{PendingTable, Waiting};
use super::row_key::{RowKey, RowKeyer};

/// A request and what is known of its connection.
#[derive(Debug, Clone, PartialEq)]
pub struct Joined {
    /// The request as logged.
    pub http: Box<HttpEvent>,
    /// Its source.
    pub source: SourceId,
    /// Its time, skew-corrected, ns since 1970 UTC.
    pub ts_ns: i64,
    /// Identity of the row.
    pub row_key: RowKey,
    /// Ordinal among identical records of the source, from 0; it is part of the row key.
    pub ordinal: u32,
    /// Handshake that carried it.
    pub handshake: Option<Arc<NetworkEvent>>,
    /// How it was joined.
    pub match_kind: MatchKind,
    /// 0 to 1; 0 without a handshake.
    pub confidence: f64,
    /// Handshakes that could have carried it.
    pub candidates: u32,
    /// From the hello to the request, microseconds; negative within the tolerance.
    pub hello_to_request_us: Option<i64>,
    /// Ordinal of the request among those of its handshake, from 0.
    pub handshake_request_no: Option<u32>,
}

/// What went in and out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CorrelatorStats {
    /// Handshakes received.
    pub handshakes: u64,
    /// Handshakes received twice (overlapping captures).
    pub duplicate_handshakes: u64,
    /// Handshakes that came later than the watermark allows.
    pub late_handshakes: u64,
    /// Requests received.
    pub requests: u64,
    /// Requests received twice (overlapping logs), while the first still waited.
    pub duplicate_requests: u64,
    /// Requests that came later than the watermark allows.
    pub late_requests: u64,
    /// Handshakes given out as never having carried a request.
    pub tls_only: u64,
    /// Requests joined, by [`MatchKind::ALL`].
    pub by_kind: [u64; 6],
}

#[derive(Debug, Default)]
struct Source {
    keyer: RowKeyer,
    skew_ns: i64,
    sequence: u64,
    last_used: u64,
}

/// Joins handshakes and requests. See the head of this file for what the watermark means.
#[derive(Debug)]
pub struct Correlator {
    config: CorrelatorConfig,
    handshakes: HandshakeTable,
    pending: PendingTable,
    sources: HashMap<SourceId, Source, RandomState>,
    source_gauge: Gauge,
    watermark_ns: i64,
    joined: Vec<Joined>,
    tls_only: Vec<Arc<NetworkEvent>>,
    run: Vec<Waiting>,
    next_keys: Vec<PeerKey>,
    next_ids: Vec<u32>,
    stats: CorrelatorStats,
}

impl Correlator {
    /// A correlator that has seen nothing. Spans and bounds are clamped to usable values.
    #[must_use]
    pub fn new(config: CorrelatorConfig) -> Self {
        Self {
            config: config.clamped(),
            handshakes: HandshakeTable::new(),
            pending: PendingTable::default(),
            sources: HashMap::default(),
            source_gauge: Gauge::default(),
            watermark_ns: i64::MIN,
            joined: Vec::new(),
            tls_only: Vec::new(),
            run: Vec::new(),
            next_keys: Vec::new(),
            next_ids: Vec::new(),
            stats: CorrelatorStats::default(),
        }
    }

    /// Sets the clock skew of a source: its log's clock less the capture's, in ns. Call before its first request.
    pub fn set_skew(&mut self, source: SourceId, skew_ns: i64) {
        self.source(source).skew_ns = skew_ns;
    }

    /// Takes a handshake.
    pub fn network(&mut self, event: NetworkEvent) {
        self.stats.handshakes += 1;
        self.stats.late_handshakes += u64::from(event.ts_ns <= self.watermark_ns.saturating_sub(self.config.window_ns));
        let given_out = self.tls_only.len();
        if self.handshakes.insert(event, &self.config, &mut self.tls_only) == Inserted::Duplicate {
            self.stats.duplicate_handshakes += 1;
        }
        self.stats.tls_only += (self.tls_only.len() - given_out) as u64;
    }

    /// Takes a request of a source.
    pub fn http(&mut self, event: HttpEvent, source: SourceId) {
        self.stats.requests += 1;
        let capacity = self.config.ordinal_capacity;
        let from = self.source(source);
        let row_key = from.keyer.key(&event, capacity);
        let sequence = from.sequence;
        from.sequence += 1;
        let ts_ns = event.ts_ns.saturating_sub(from.skew_ns);
        let (lo_ns, hi_ns) = uncertainty(&event, ts_ns, &self.config);
        let late = hi_ns.saturating_add(self.config.window_ns) <= self.watermark_ns;
        self.stats.late_requests += u64::from(late);
        let waiting = Waiting::new(Box::new(event), source, row_key, (lo_ns, ts_ns, hi_ns), late);
        if let Some(key) = waiting.key {
            self.handshakes.wait(key);
        }
        self.pending.push(waiting, sequence);
        while self.pending.is_over(&self.config) {
            self.decide_run(i64::MAX);
        }
    }

    /// Says that no event at or before `watermark_ns − window` follows. A watermark that goes back is ignored.
    pub fn advance(&mut self, watermark_ns: i64) {
        self.watermark_ns = self.watermark_ns.max(watermark_ns);
        // A decision looks at what follows the request, so that must have been seen as well.
        let ahead_ns = self.config.window_ns.saturating_add(lookahead_ns(&self.config));
        self.decide_until(self.watermark_ns.saturating_sub(ahead_ns));
        let given_out = self.tls_only.len();
        self.handshakes.expire(self.watermark_ns, &self.config, &mut self.tls_only);
        self.stats.tls_only += (self.tls_only.len() - given_out) as u64;
    }

    /// Decides everything that waits with what is known, although more may follow: the program ends, its traffic does not.
    pub fn decide_waiting(&mut self) {
        self.decide_until(i64::MAX);
    }

    /// Says that nothing follows: everything that waits is decided, every handshake without request is given out.
    pub fn finish(&mut self) {
        self.decide_waiting();
        self.advance(i64::MAX);
    }

    /// Says that a source has ended, so that its counters can be dropped. The same number may then be given to another input.
    pub fn end_source(&mut self, source: SourceId) {
        self.sources.remove(&source);
    }

    /// Moves the requests decided so far into `out`: by the end of their uncertainty (for logs of equal resolution: by time), key
    /// and place in the log. Call after each batch; the correlator does not bound what is not fetched.
    pub fn take_joined(&mut self, out: &mut Vec<Joined>) {
        out.append(&mut self.joined);
    }

    /// Moves the handshakes that never carried a request into `out`, in the order in which they expired.
    pub fn take_tls_only(&mut self, out: &mut Vec<Arc<NetworkEvent>>) {
        out.append(&mut self.tls_only);
    }

    /// What went in and out.
    #[must_use]
    pub fn stats(&self) -> CorrelatorStats {
        self.stats
    }

    /// Requests waiting and handshakes remembered.
    #[must_use]
    pub fn held(&self) -> (usize, usize) {
        (self.pending.len(), self.handshakes.len())
    }

    /// Every bounded table: limit, peak, evictions.
    #[must_use]
    pub fn policies(&self) -> Vec<PolicyReport> {
        let mut reports = Vec::with_capacity(8);
        reports.extend(self.pending.reports(&self.config));
        reports.extend(self.handshakes.reports(&self.config));
        let forget = "counters of the source unused for longest are dropped";
        reports.push(self.source_gauge.report("sources", self.config.max_sources, forget));
        reports
    }

    fn source(&mut self, id: SourceId) -> &mut Source {
        let now = self.stats.requests;
        if !self.sources.contains_key(&id) && self.sources.len() >= self.config.max_sources {
            self.source_gauge.evictions += 1;
            // Rare and small: one pass over the sources. The smallest (time, id) does not depend on the order of the pass.
            #[allow(clippy::iter_over_hash_type, reason = "a minimum does not depend on the order")]
            if let Some(idle) = self.sources.iter().map(|(id, source)| (source.last_used, *id)).min() {
                self.sources.remove(&idle.1);
            }
        }
        let count = self.sources.len() + 1;
        let source = self.sources.entry(id).or_insert_with(|| {
            self.source_gauge.seen(count);
            Source::default()
        });
        source.last_used = now;
        source
    }

    /// Decides everything whose uncertainty ended by `until_ns`, a few at a time: what a few need is fetched from memory together.
    fn decide_until(&mut self, until_ns: i64) {
        while self.pending.is_due(until_ns) {
            self.pending.next_keys(LOOK_AHEAD, &mut self.next_keys);
            self.handshakes.look_ahead(&self.next_keys, &mut self.next_ids);
            for _ in 0..LOOK_AHEAD {
                if !self.decide_run(until_ns) {
                    return;
                }
            }
        }
    }

    /// Decides the earliest requests of one instant and key, if their uncertainty ended by `until_ns`.
    fn decide_run(&mut self, until_ns: i64) -> bool {
        let mut run = std::mem::take(&mut self.run);
        let found = self.pending.pop_run(until_ns, &mut run);
        if found {
            if run.len() > 1 {
                self.drop_duplicates(&mut run);
            }
            let connections = connections_of(&run);
            for waiting in run.drain(..) {
                self.decide_one(waiting, &connections);
            }
        }
        self.run = run;
        found
    }

    /// Records with the same row key are the same record read from two inputs.
    fn drop_duplicates(&mut self, run: &mut Vec<Waiting>) {
        let mut keys: Vec<(RowKey, usize)> = run.iter().enumerate().map(|(at, waiting)| (waiting.row_key, at)).collect();
        keys.sort_unstable();
        let mut again: Vec<usize> =
            keys.windows(2).filter_map(|w| (w.first()?.0 == w.last()?.0).then_some(w.last()?.1)).collect();
        again.sort_unstable();
        for at in again.into_iter().rev() {
            let twice = run.remove(at);
            if let Some(key) = twice.key {
                self.handshakes.waited(key);
            }
            self.stats.duplicate_requests += 1;
        }
    }

    fn decide_one(&mut self, waiting: Waiting, connections: &[u64]) {
        let question = waiting.question();
        let verdict = match waiting.key {
            Some(key) => {
                // Only a request that is on time, and whose connection is known, has its place among those that follow.
                let is_placed = question.connection.is_some_and(|connection| connection.id.is_some()) && !question.late;
                let has_company = is_placed && self.handshakes.waiting_on(key) > 1;
                let following = || if has_company { self.pending.following(key, &question, &self.config) } else { Vec::new() };
                decide(&question, self.handshakes.on_key(key), connections, following, &self.config)
            }
            None => match waiting.http.src_ip.filter(|_| self.config.guess_without_port) {
                Some(ip) => {
                    let from_ns = waiting.ts_ns.saturating_sub(self.config.guess_lookback_ns);
                    guess(&question, self.handshakes.on_ip(ip_number(ip), from_ns, question.hi_ns), &self.config)
                }
                None => Verdict::none(MatchKind::NoPort, 0),
            },
        };
        let binding = question.binding();
        let Waiting { http, source, row_key, ordinal, ts_ns, key, busy_us, .. } = waiting;
        let mut joined = (None, None, None);
        if let Some(id) = verdict.chosen
            && let Some((handshake, hello_ns)) = self.handshakes.get(id).map(|found| (Arc::clone(&found.event), found.ts_ns))
        {
            // A response in progress keeps its connection busy; what a log claims beyond the longest keep-alive is not believed.
            let busy_ns = busy_us.saturating_mul(1000).clamp(0, self.config.keepalive_max_ns);
            let sure = matches!(verdict.kind, MatchKind::Exact | MatchKind::ReusedPort);
            if let Some(connection) = binding.and_then(|bound| bound.connection).filter(|_| verdict.kind == MatchKind::Ambiguous)
            {
                self.handshakes.doubt(id, source, connection);
            }
            let binding = binding.filter(|_| sure);
            let number = self.handshakes.join(id, ts_ns.saturating_add(busy_ns), binding);
            let to_request_us = ts_ns.saturating_sub(hello_ns).div_euclid(1000);
            joined = (Some(handshake), Some(to_request_us), Some(number));
        }
        if let Some(key) = key {
            self.handshakes.waited(key);
        }
        if let Some(count) = self.stats.by_kind.get_mut(verdict.kind as usize) {
            *count += 1;
        }
        let (handshake, hello_to_request_us, handshake_request_no) = joined;
        self.joined.push(Joined {
            http,
            source,
            ts_ns,
            row_key,
            ordinal,
            handshake,
            match_kind: verdict.kind,
            confidence: verdict.confidence,
            candidates: verdict.candidates,
            hello_to_request_us,
            handshake_request_no,
        });
    }
}

/// Connections of the requests of one instant and key, in the order of the log; empty unless all are known and of one source.
fn connections_of(run: &[Waiting]) -> Vec<u64> {
    // A lone request has no neighbours to learn an order from.
    let [first, _, ..] = run else { return Vec::new() };
    let mut connections: Vec<u64> = Vec::new();
    for waiting in run {
        let id = waiting.connection.and_then(|connection| connection.id);
        match id.filter(|_| waiting.source == first.source && connections.len() < MAX_CONNECTIONS_IN_RUN) {
            Some(id) if connections.contains(&id) => {}
            Some(id) => connections.push(id),
            None => return Vec::new(),
        }
    }
    connections
}

/// Requests whose handshakes are fetched from memory together.
const LOOK_AHEAD: usize = 16;

/// More connections than this on one port in one instant are not told apart by their order.
const MAX_CONNECTIONS_IN_RUN: usize = 16;
