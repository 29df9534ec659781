//! Requests that wait until everything that could have carried them must have been seen.
//!
//! Promises: they leave in the order of the end of their uncertainty interval, then time, key and place in their log, whatever
//! order they came in; entries and bytes are bounded. At a bound the oldest is handed out early, to be decided with what is known.
//!
//! They come nearly in order, and a hundred thousand may wait. Only those of the earliest slice of time are kept sorted, which stay in the
//! processor's cache; a later one is put to its slice unsorted. What the rules ask of a request is noted when it comes, for the same reason.
//!
//! Read next: `engine.rs`.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use ja4_event::HttpEvent;

use super::clock_error::{Following, is_fine, lookahead_ns};
use super::config::{CorrelatorConfig, Gauge, PolicyReport, SourceId};
use super::decide::{Connection, Question};
use super::evidence::Usage;
use super::key::PeerKey;
use super::row_key::RowKey;

/// Port of a request whose log lacks it, in the sort key.
const NO_PORT: u32 = u32::MAX;
/// With more requests than this in the span of time that [`PendingTable::following`] looks at, it gives none.
const MAX_LOOKED_AT: usize = 8192;
/// A slice of time is this power of two of nanoseconds: 16.8 ms.
const SLICE_BITS: u32 = 24;

/// A request in waiting.
#[derive(Debug)]
pub struct Waiting {
    /// The request as logged.
    pub http: Box<HttpEvent>,
    /// Its source.
    pub source: SourceId,
    /// Its identity.
    pub row_key: RowKey,
    /// Ordinal among identical records of the source.
    pub ordinal: u32,
    /// Its time, skew-corrected.
    pub ts_ns: i64,
    /// Earliest true time.
    pub lo_ns: i64,
    /// Latest true time.
    pub hi_ns: i64,
    /// How long its response took, microseconds; 0 where the log does not say.
    pub busy_us: i64,
    /// What it says about its connection's content.
    pub usage: Usage,
    /// Its place in the server's own numbering.
    pub connection: Option<Connection>,
    /// Client address and port, where the log has both.
    pub key: Option<PeerKey>,
    /// Whether it came after its window had passed.
    pub late: bool,
    bytes: usize,
}

/// What decides the order: `(hi, ts, address, port, place in log, row key, source)`; the source tells one record in two logs apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    hi_ns: i64,
    ts_ns: i64,
    ip: u128,
    port: u32,
    sequence: u64,
    row_key: RowKey,
    source: SourceId,
    slot: u32,
}

/// The bounded queue of requests.
#[derive(Debug, Default)]
pub struct PendingTable {
    order: Calendar,
    slots: Vec<Option<Waiting>>,
    free: Vec<u32>,
    bytes: usize,
    count_gauge: Gauge,
    bytes_gauge: Gauge,
}

impl Waiting {
    /// A request of `source` that is to wait; its earliest, logged and latest time are given.
    #[must_use]
    pub fn new(http: Box<HttpEvent>, source: SourceId, row_key: (RowKey, u32), times_ns: (i64, i64, i64), late: bool) -> Self {
        let (lo_ns, ts_ns, hi_ns) = times_ns;
        let (row_key, ordinal) = row_key;
        let key = http.src_ip.zip(http.src_port).map(|(ip, port)| PeerKey::new(ip, port));
        let busy_us = http.duration_us.map_or(0, |us| i64::try_from(us).unwrap_or(i64::MAX));
        let (usage, connection, bytes) = (Usage::of(&http), Connection::of(&http), event_bytes(&http));
        Self { http, source, row_key, ordinal, ts_ns, lo_ns, hi_ns, busy_us, usage, connection, key, late, bytes }
    }

    /// The request as the rules see it.
    #[must_use]
    pub fn question(&self) -> Question<'_> {
        let Self { http, source, ts_ns, lo_ns, hi_ns, usage, connection, late, .. } = self;
        Question {
            http,
            source: *source,
            ts_ns: *ts_ns,
            lo_ns: *lo_ns,
            hi_ns: *hi_ns,
            late: *late,
            usage: *usage,
            connection: *connection,
        }
    }
}

/// Places in order: the earliest slice of time sorted, later slices as they came.
#[derive(Debug, Default)]
struct Calendar {
    /// The earliest slice, last place first.
    now: Vec<Place>,
    /// What came for it, or for a slice before it, after it was sorted.
    early: BinaryHeap<Reverse<Place>>,
    /// Slice up to which places are in these two.
    slice: i64,
    later: BTreeMap<i64, Vec<Place>>,
    len: usize,
}

impl Calendar {
    fn push(&mut self, place: Place) {
        let slice = place.hi_ns >> SLICE_BITS;
        if self.len == 0 {
            self.slice = slice;
        }
        self.len += 1;
        if slice <= self.slice {
            self.early.push(Reverse(place));
        } else {
            self.later.entry(slice).or_default().push(place);
        }
    }

    /// The first; a pop that empties the earliest slice brings the next one.
    fn peek(&self) -> Option<&Place> {
        match (self.now.last(), self.early.peek()) {
            (Some(now), Some(Reverse(early))) => Some(now.min(early)),
            (now, early) => now.or(early.map(|Reverse(place)| place)),
        }
    }

    /// The next few of the earliest slice, in no order; fewer, or none, where others come before them.
    fn next_few(&self, count: usize) -> &[Place] {
        self.now.get(self.now.len().saturating_sub(count)..).unwrap_or_default()
    }

    /// Places after `from_ns` up to `until_ns`, in no order.
    fn between(&self, from_ns: i64, until_ns: i64) -> impl Iterator<Item = &Place> {
        let slices = self.later.range(from_ns >> SLICE_BITS..=(until_ns.max(from_ns) >> SLICE_BITS));
        let early = self.early.iter().map(|Reverse(place)| place);
        let places = self.now.iter().chain(early).chain(slices.flat_map(|(_, places)| places));
        places.filter(move |place| place.hi_ns > from_ns && place.hi_ns <= until_ns)
    }

    fn pop(&mut self) -> Option<Place> {
        let early_first = match (self.now.last(), self.early.peek()) {
            (Some(now), Some(Reverse(early))) => early < now,
            (now, _) => now.is_none(),
        };
        let place = if early_first { self.early.pop()?.0 } else { self.now.pop()? };
        self.len -= 1;
        if self.now.is_empty()
            && self.early.is_empty()
            && let Some((slice, mut places)) = self.later.pop_first()
        {
            self.slice = slice;
            places.sort_unstable_by(|a, b| b.cmp(a));
            self.now = places;
        }
        Some(place)
    }
}

impl PendingTable {
    /// Adds a request; `sequence` is its place in its log.
    pub fn push(&mut self, waiting: Waiting, sequence: u64) {
        self.bytes += waiting.bytes;
        let (ip, port) = match (waiting.key, waiting.http.src_ip) {
            (Some(key), _) => (key.ip(), u32::from(key.port())),
            (None, Some(ip)) => (super::key::ip_number(ip), NO_PORT),
            (None, None) => (0, NO_PORT),
        };
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
        });
        let Waiting { hi_ns, ts_ns, row_key, source, .. } = waiting;
        self.order.push(Place { hi_ns, ts_ns, ip, port, sequence, row_key, source, slot });
        if let Some(place) = self.slots.get_mut(slot as usize) {
            *place = Some(waiting);
        }
        self.count_gauge.seen(self.order.len);
        self.bytes_gauge.seen(self.bytes);
    }

    /// Takes the requests of the earliest instant and key whose uncertainty ended at or before `until_ns` into `run`, in the order
    /// of their logs. Returns `false` if there is none.
    pub fn pop_run(&mut self, until_ns: i64, run: &mut Vec<Waiting>) -> bool {
        run.clear();
        let Some(first) = self.order.peek().copied().filter(|first| first.hi_ns <= until_ns) else { return false };
        let same =
            |place: &Place| (place.hi_ns, place.ts_ns, place.ip, place.port) == (first.hi_ns, first.ts_ns, first.ip, first.port);
        while self.order.peek().is_some_and(same) {
            let Some(place) = self.order.pop() else { break };
            self.free.push(place.slot);
            if let Some(waiting) = self.slots.get_mut(place.slot as usize).and_then(Option::take) {
                self.bytes = self.bytes.saturating_sub(waiting.bytes);
                run.push(waiting);
            }
        }
        true
    }

    /// What the requests tell that follow a question of `key` in the same log, by up to `ahead_ns`: one entry for each connection, in
    /// order. Empty where that would mean to look at more than [`MAX_LOOKED_AT`] requests.
    #[must_use]
    pub fn following(&self, key: PeerKey, question: &Question<'_>, config: &CorrelatorConfig) -> Vec<Following> {
        let (ip, port) = (key.ip(), u32::from(key.port()));
        let until_ns = question.hi_ns.saturating_add(lookahead_ns(config));
        let mut places: Vec<Place> = Vec::new();
        for (count, place) in self.order.between(question.hi_ns, until_ns).enumerate() {
            if count >= MAX_LOOKED_AT {
                return Vec::new();
            }
            if (place.ip, place.port) == (ip, port) {
                places.push(*place);
            }
        }
        places.sort_unstable();
        let mut following: Vec<Following> = Vec::new();
        for place in places {
            let Some(Some(waiting)) = self.slots.get(place.slot as usize) else { continue };
            let bears_witness = waiting.source == question.source
                && !waiting.late
                && waiting.usage.same_server(&question.usage)
                && is_fine(waiting.http.ts_resolution_ns, config);
            let Some(id) = waiting.connection.filter(|_| bears_witness).and_then(|connection| connection.id) else { continue };
            match following.iter_mut().find(|known| known.connection == id) {
                Some(known) => known.last_ns = waiting.ts_ns,
                None => following.push(Following {
                    connection: id,
                    first_ns: waiting.ts_ns,
                    last_ns: waiting.ts_ns,
                    usage: waiting.usage,
                    is_first: waiting.question().is_first(),
                }),
            }
        }
        following
    }

    /// Whether a request's uncertainty ended at or before `until_ns`.
    #[must_use]
    pub fn is_due(&self, until_ns: i64) -> bool {
        self.order.peek().is_some_and(|first| first.hi_ns <= until_ns)
    }

    /// Keys of the requests that are decided next, up to `count` of them; reads a word of each, so that the processor has them at hand.
    pub fn next_keys(&self, count: usize, keys: &mut Vec<PeerKey>) {
        keys.clear();
        for place in self.order.next_few(count) {
            let waiting = self.slots.get(place.slot as usize).and_then(Option::as_ref);
            keys.extend(waiting.and_then(|waiting| waiting.key));
        }
    }

    /// Whether a bound is exceeded; the caller then decides the oldest run early.
    pub fn is_over(&mut self, config: &CorrelatorConfig) -> bool {
        if self.order.len > config.max_pending_requests {
            self.count_gauge.evictions += 1;
            return true;
        }
        let over = self.bytes > config.max_pending_bytes && self.order.len > 1;
        self.bytes_gauge.evictions += u64::from(over);
        over
    }

    /// Requests waiting.
    #[must_use]
    pub fn len(&self) -> usize {
        self.order.len
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.order.len == 0
    }

    /// Bounds, peaks and early decisions.
    #[must_use]
    pub fn reports(&self, config: &CorrelatorConfig) -> [PolicyReport; 2] {
        [
            self.count_gauge.report("pending_requests", config.max_pending_requests, "oldest decided early with what is known"),
            self.bytes_gauge.report("pending_bytes", config.max_pending_bytes, "oldest decided early with what is known"),
        ]
    }
}

/// Approximate heap and inline bytes of a request in waiting.
fn event_bytes(e: &HttpEvent) -> usize {
    let texts = [&e.server, &e.conn_id, &e.scheme, &e.method, &e.host, &e.path, &e.query, &e.http_version, &e.h2];
    let heap: usize = texts.into_iter().flatten().map(String::capacity).sum();
    let headers: usize = e.headers.iter().map(|(name, value)| name.capacity() + value.capacity() + 2 * size_of::<String>()).sum();
    size_of::<HttpEvent>() + size_of::<Waiting>() + size_of::<Place>() + heap + headers
}
