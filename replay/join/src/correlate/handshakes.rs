//! The handshakes remembered: by client address and port, by client address (for logs without port), and by when they expire.
//!
//! Promises: one allocation per handshake, shared by all its requests; bounds in entries, bytes, per key and per address, each
//! counted. At a bound the oldest goes first, and handshakes that never carried a request go before busy ones once they fill
//! half the table, so a flood of empty handshakes cannot push out working connections. A handshake whose key has a request
//! waiting is passed over. Expiry is by event time; a silent year costs one pass over what is held.
//!
//! Read next: `decide.rs` (what is asked of it), `engine.rs` (when).

use std::cmp::Ordering;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use foldhash::quality::RandomState;
use ja4_event::NetworkEvent;

use super::config::{CorrelatorConfig, Gauge, PolicyReport, SourceId};
use super::evidence::Offer;
use super::handshake::{Binding, Handshake, due_ns, event_bytes};
use super::key::PeerKey;
use super::order::{order, order_with_key};

/// No handshake.
const NONE: u32 = u32::MAX;
/// How many handshakes with a request waiting may be passed over in search of one to evict.
const MAX_PASSED_OVER: usize = 4096;

#[derive(Debug, Default)]
struct Slot {
    generation: u32,
    handshake: Option<Handshake>,
}

#[derive(Debug)]
struct KeyEntry {
    /// Newest handshake on the key.
    newest: u32,
    handshakes: u32,
    /// Requests waiting.
    waiting: u32,
}

#[derive(Debug, Default)]
struct IpEntry {
    alive: usize,
    /// Time, slot and generation of the handshakes of the address, oldest first; some may be gone.
    recent: VecDeque<(i64, u32, u32)>,
}

/// What became of a handshake that was offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inserted {
    /// Remembered.
    Kept,
    /// The very same event was there already.
    Duplicate,
}

/// The bounded store of handshakes.
#[derive(Debug)]
pub struct HandshakeTable {
    slots: Vec<Slot>,
    free: Vec<u32>,
    keys: HashMap<PeerKey, KeyEntry, RandomState>,
    ips: HashMap<u128, IpEntry, RandomState>,
    /// Never carried a request, by due time.
    fresh: BTreeSet<(i64, u32)>,
    /// Carried one, by due time.
    used: BTreeSet<(i64, u32)>,
    bytes: usize,
    expired: Vec<(i64, Arc<NetworkEvent>)>,
    count_gauge: Gauge,
    bytes_gauge: Gauge,
    key_gauge: Gauge,
    ip_gauge: Gauge,
}

impl HandshakeTable {
    /// An empty table.
    #[must_use]
    pub fn new() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            keys: HashMap::default(),
            ips: HashMap::default(),
            fresh: BTreeSet::new(),
            used: BTreeSet::new(),
            bytes: 0,
            expired: Vec::new(),
            count_gauge: Gauge::default(),
            bytes_gauge: Gauge::default(),
            key_gauge: Gauge::default(),
            ip_gauge: Gauge::default(),
        }
    }

    /// Handshakes held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.fresh.len() + self.used.len()
    }

    /// Whether none is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The handshake of a candidate.
    #[must_use]
    pub fn get(&self, id: u32) -> Option<&Handshake> {
        self.slots.get(id as usize)?.handshake.as_ref()
    }

    /// Remembers a handshake; those that never carried a request and had to go for it are added to `tls_only`.
    pub fn insert(&mut self, event: NetworkEvent, config: &CorrelatorConfig, tls_only: &mut Vec<Arc<NetworkEvent>>) -> Inserted {
        let key = PeerKey::new(event.src_ip, event.src_port);
        let offer = Offer::of(&event);
        let (mut newer_id, mut older_id) = (NONE, self.keys.get(&key).map_or(NONE, |entry| entry.newest));
        let (mut superseded_ns, mut reused) = (i64::MAX, false);
        let mut next_same = NONE;
        // Walk from the newest to the place of this one; usually no step at all.
        while let Some(at) = self.get(older_id) {
            match order(&at.event, &event) {
                Ordering::Less => break,
                Ordering::Equal => return Inserted::Duplicate,
                Ordering::Greater => {
                    if at.same_endpoints(&offer) {
                        next_same = older_id;
                        superseded_ns = at.ts_ns;
                    }
                    (newer_id, older_id) = (older_id, at.older);
                }
            }
        }
        let reuse_ns = config.keepalive_max_ns;
        if let Some(next) = self.get_mut(next_same) {
            next.reused |= next.ts_ns.saturating_sub(event.ts_ns) <= reuse_ns;
        }
        let mut previous_same = older_id;
        while let Some(at) = self.get(previous_same) {
            if at.same_endpoints(&offer) {
                reused = event.ts_ns.saturating_sub(at.ts_ns) <= reuse_ns;
                break;
            }
            previous_same = at.older;
        }

        let (ts_ns, bytes) = (event.ts_ns, event_bytes(&event));
        let id = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            u32::try_from(self.slots.len() - 1).unwrap_or(NONE)
        });
        let mut handshake = Handshake {
            event: Arc::new(event),
            ts_ns,
            offer,
            last_activity_ns: ts_ns,
            superseded_ns,
            reused,
            joined: 0,
            binding: None,
            maybe: None,
            key,
            older: older_id,
            scheduled_ns: 0,
            bytes,
        };
        handshake.scheduled_ns = due_ns(&handshake, config);
        self.fresh.insert((handshake.scheduled_ns, id));
        self.bytes += bytes;
        let generation = match self.slots.get_mut(id as usize) {
            Some(slot) => {
                slot.handshake = Some(handshake);
                slot.generation
            }
            None => return Inserted::Kept,
        };
        let entry = self.keys.entry(key).or_insert(KeyEntry { newest: NONE, handshakes: 0, waiting: 0 });
        entry.handshakes += 1;
        let on_key = entry.handshakes as usize;
        if newer_id == NONE {
            entry.newest = id;
        } else if let Some(newer) = self.get_mut(newer_id) {
            newer.older = id;
        }
        if let Some(previous) = self.get_mut(previous_same) {
            previous.superseded_ns = previous.superseded_ns.min(ts_ns);
            self.reschedule(previous_same, config);
        }
        if config.guess_without_port {
            self.index_by_ip(key.ip(), ts_ns, id, generation, config.max_per_ip);
        }
        self.count_gauge.seen(self.len());
        self.bytes_gauge.seen(self.bytes);
        self.key_gauge.seen(on_key);
        if on_key > config.max_per_key {
            self.key_gauge.evictions += 1;
            self.evict(self.oldest_on_key(key), tls_only);
        }
        while self.len() > config.max_handshakes || (self.bytes > config.max_handshake_bytes && self.len() > 1) {
            let by_count = self.len() > config.max_handshakes;
            let gauge = if by_count { &mut self.count_gauge } else { &mut self.bytes_gauge };
            gauge.evictions += 1;
            let victim = self.choose_victim(config);
            self.evict(victim, tls_only);
        }
        Inserted::Kept
    }

    /// A request on this key has arrived and waits; its handshakes are not evicted meanwhile.
    pub fn wait(&mut self, key: PeerKey) {
        let entry = self.keys.entry(key).or_insert(KeyEntry { newest: NONE, handshakes: 0, waiting: 0 });
        entry.waiting = entry.waiting.saturating_add(1);
    }

    /// A request on this key has been decided.
    pub fn waited(&mut self, key: PeerKey) {
        if let Some(entry) = self.keys.get_mut(&key) {
            entry.waiting = entry.waiting.saturating_sub(1);
            if entry.waiting == 0 && entry.handshakes == 0 {
                self.keys.remove(&key);
            }
        }
    }

    /// Requests that wait on this key.
    #[must_use]
    pub fn waiting_on(&self, key: PeerKey) -> u32 {
        self.keys.get(&key).map_or(0, |entry| entry.waiting)
    }

    /// Reads a word of the newest handshake of each key. The keys are independent of one another, so the processor waits for all of them
    /// at once; asked one after the other, when each is decided, it would wait for each.
    pub fn look_ahead(&self, keys: &[PeerKey], ids: &mut Vec<u32>) {
        ids.clear();
        ids.extend(keys.iter().filter_map(|key| self.keys.get(key)).map(|entry| entry.newest));
        let owners = ids.iter().filter_map(|id| self.get(*id)).map(|handshake| Arc::strong_count(&handshake.event));
        std::hint::black_box(owners.sum::<usize>());
    }

    /// Handshakes on the key, newest first, with their ids.
    pub fn on_key(&self, key: PeerKey) -> impl Iterator<Item = (u32, &Handshake)> + Clone {
        let candidate = |id: u32| Some((id, self.get(id)?));
        let newest = self.keys.get(&key).map_or(NONE, |entry| entry.newest);
        std::iter::successors(candidate(newest), move |(_, handshake)| candidate(handshake.older))
    }

    /// Handshakes of an address with a hello in `[from_ns, to_ns]`, newest first; `None` for one that is already gone. The number
    /// of items depends on the handshakes seen alone, not on which of them have expired.
    pub fn on_ip(&self, ip: u128, from_ns: i64, to_ns: i64) -> impl Iterator<Item = Option<(u32, &Handshake)>> {
        let recent = self.ips.get(&ip).map(|entry| &entry.recent);
        let end = recent.map_or(0, |recent| recent.partition_point(|(ts_ns, ..)| *ts_ns <= to_ns));
        let in_time = recent.into_iter().flat_map(move |recent| recent.iter().take(end).rev());
        in_time.take_while(move |(ts_ns, ..)| *ts_ns >= from_ns).map(|(_, id, generation)| {
            let slot = self.slots.get(*id as usize).filter(|slot| slot.generation == *generation)?;
            Some((*id, slot.handshake.as_ref()?))
        })
    }

    /// Notes that a request was joined. Returns its ordinal among those of the handshake, from 0.
    pub fn join(&mut self, id: u32, activity_ns: i64, binding: Option<Binding>) -> u32 {
        let Some(handshake) = self.get_mut(id) else { return 0 };
        let ordinal = handshake.joined;
        handshake.joined = handshake.joined.saturating_add(1);
        handshake.last_activity_ns = handshake.last_activity_ns.max(activity_ns);
        if let Some(new) = binding {
            handshake.binding = Some(match handshake.binding.filter(|old| old.source == new.source) {
                Some(old) => Binding {
                    source: new.source,
                    connection: new.connection.or(old.connection),
                    last_request_no: old.last_request_no.max(new.last_request_no),
                    saw_first: old.saw_first || new.saw_first,
                },
                None => new,
            });
        }
        let scheduled = (handshake.scheduled_ns, id);
        if ordinal == 0 {
            self.fresh.remove(&scheduled);
            self.used.insert(scheduled);
        }
        ordinal
    }

    /// Notes that a request of this connection was given the handshake without certainty.
    pub fn doubt(&mut self, id: u32, source: SourceId, connection: u64) {
        if let Some(handshake) = self.get_mut(id) {
            handshake.maybe = Some((source, connection));
        }
    }

    /// Forgets what no request on time can ask for any more; those that never carried one are added to `tls_only`.
    pub fn expire(&mut self, watermark_ns: i64, config: &CorrelatorConfig, tls_only: &mut Vec<Arc<NetworkEvent>>) {
        for fresh in [true, false] {
            loop {
                let first = if fresh { self.fresh.first() } else { self.used.first() };
                let Some(&(scheduled_ns, id)) = first.filter(|(due, _)| *due <= watermark_ns) else { break };
                let due_ns = self.get(id).map_or(scheduled_ns, |handshake| due_ns(handshake, config));
                if due_ns > scheduled_ns {
                    self.reschedule_at(id, due_ns);
                } else if let Some(gone) = self.remove(id)
                    && gone.joined == 0
                {
                    self.expired.push((due_ns, gone.event));
                }
            }
        }
        // All of one due time fall into one call, so sorting here orders the whole stream whatever the steps of the watermark.
        self.expired.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| order_with_key(&a.1, &b.1)));
        tls_only.extend(self.expired.drain(..).map(|(_, event)| event));
    }

    /// Bounds, peaks and evictions.
    #[must_use]
    pub fn reports(&self, config: &CorrelatorConfig) -> [PolicyReport; 4] {
        [
            self.count_gauge.report("handshakes", config.max_handshakes, "oldest evicted, without requests first"),
            self.bytes_gauge.report("handshake_bytes", config.max_handshake_bytes, "oldest evicted, without requests first"),
            self.key_gauge.report("handshakes_per_key", config.max_per_key, "oldest of the key evicted"),
            self.ip_gauge.report("handshakes_per_ip_index", config.max_per_ip, "oldest not offered to requests without port"),
        ]
    }

    fn get_mut(&mut self, id: u32) -> Option<&mut Handshake> {
        self.slots.get_mut(id as usize)?.handshake.as_mut()
    }

    fn index_by_ip(&mut self, ip: u128, ts_ns: i64, id: u32, generation: u32, max: usize) {
        let entry = self.ips.entry(ip).or_default();
        entry.alive += 1;
        let at = match entry.recent.back() {
            Some((last_ns, ..)) if *last_ns > ts_ns => entry.recent.partition_point(|(t, ..)| *t <= ts_ns),
            _ => entry.recent.len(),
        };
        entry.recent.insert(at, (ts_ns, id, generation));
        if entry.recent.len() > max {
            entry.recent.pop_front();
            self.ip_gauge.evictions += 1;
        }
        self.ip_gauge.seen(entry.recent.len());
    }

    fn reschedule(&mut self, id: u32, config: &CorrelatorConfig) {
        if let Some(due) = self.get(id).map(|handshake| due_ns(handshake, config)) {
            self.reschedule_at(id, due);
        }
    }

    fn reschedule_at(&mut self, id: u32, due_ns: i64) {
        let Some(handshake) = self.get_mut(id) else { return };
        let old = std::mem::replace(&mut handshake.scheduled_ns, due_ns);
        let set = if handshake.joined == 0 { &mut self.fresh } else { &mut self.used };
        set.remove(&(old, id));
        set.insert((due_ns, id));
    }

    fn oldest_on_key(&self, key: PeerKey) -> u32 {
        self.on_key(key).last().map_or(NONE, |(id, _)| id)
    }

    /// The handshake to evict; see the head of the file for the order.
    fn choose_victim(&mut self, config: &CorrelatorConfig) -> u32 {
        for _ in 0..MAX_PASSED_OVER {
            let from_fresh = self.used.is_empty() || self.fresh.len() >= self.used.len();
            let Some(&(scheduled_ns, id)) = (if from_fresh { self.fresh.first() } else { self.used.first() }) else {
                return NONE;
            };
            let Some(handshake) = self.get(id) else { return id };
            let due_ns = due_ns(handshake, config);
            if due_ns > scheduled_ns {
                self.reschedule_at(id, due_ns);
            } else if self.keys.get(&handshake.key).is_some_and(|entry| entry.waiting > 0) {
                self.reschedule_at(id, scheduled_ns.saturating_add(config.window_ns.max(1)));
            } else {
                return id;
            }
        }
        self.fresh.first().or(self.used.first()).map_or(NONE, |(_, id)| *id)
    }

    fn evict(&mut self, id: u32, tls_only: &mut Vec<Arc<NetworkEvent>>) {
        if let Some(gone) = self.remove(id)
            && gone.joined == 0
        {
            tls_only.push(gone.event);
        }
    }

    fn remove(&mut self, id: u32) -> Option<Handshake> {
        let slot = self.slots.get_mut(id as usize)?;
        let gone = slot.handshake.take()?;
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(id);
        let set = if gone.joined == 0 { &mut self.fresh } else { &mut self.used };
        set.remove(&(gone.scheduled_ns, id));
        self.bytes = self.bytes.saturating_sub(gone.bytes);
        self.unlink(id, &gone);
        if let Some(entry) = self.ips.get_mut(&gone.key.ip()) {
            entry.alive = entry.alive.saturating_sub(1);
            if entry.alive == 0 {
                self.ips.remove(&gone.key.ip());
            } else if entry.recent.front().is_some_and(|(_, first, _)| *first == id) {
                entry.recent.pop_front();
            }
        }
        Some(gone)
    }

    fn unlink(&mut self, id: u32, gone: &Handshake) {
        let Some(entry) = self.keys.get_mut(&gone.key) else { return };
        entry.handshakes = entry.handshakes.saturating_sub(1);
        if entry.newest == id {
            entry.newest = gone.older;
            if entry.handshakes == 0 && entry.waiting == 0 {
                self.keys.remove(&gone.key);
            }
            return;
        }
        let mut at = entry.newest;
        while let Some(handshake) = self.get_mut(at) {
            if handshake.older == id {
                handshake.older = gone.older;
                return;
            }
            at = handshake.older;
        }
    }
}

impl Default for HandshakeTable {
    fn default() -> Self {
        Self::new()
    }
}
