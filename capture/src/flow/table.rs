//! The bounded table of connections: watched ones in a slab, finished ones as a key that is only remembered.
//!
//! Promises: one look-up per packet, no allocation once warm; eviction is oldest first and prefers half-open connections, so that
//! a flood of SYNs cannot push out connections that talk; a finished connection is forgotten when it was silent for long, so that
//! memory follows the traffic of an hour and not the length of a capture; hash seeds are random and no output follows hash order.
//!
//! Read next: `../sensor/tcp.rs`.

use std::collections::VecDeque;
use std::hash::{BuildHasher, Hash};

use hashbrown::HashTable;

use crate::flow::key::{FlowKey, Key4, Key6};
use crate::limits::{Gauge, Limits, PolicyReport};

const DONE: u32 = u32::MAX;

/// Finished connections looked at for silence when one more joins them.
const LOOKED_AT: usize = 4;

/// Packet time in steps of 2³⁵ ns (34 s): fine enough for silence of minutes, and half as large as a time in ns.
type Era = u32;

fn era(ts_ns: i64) -> Era {
    u32::try_from(ts_ns >> 35).unwrap_or(0)
}

/// What the table knows of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// Watched, in this slot.
    Watched(u32),
    /// Finished; the mark left by [`FlowTable::finish`].
    Finished(u32),
    /// Never seen, or forgotten.
    Unknown,
}

#[derive(Debug, Clone, Copy)]
struct Entry<K> {
    key: K,
    slot: u32,
    mark: u32,
    /// Of the last packet, once finished.
    seen: Era,
    /// Of its valid place in `finished`; a connection that began anew left another behind.
    queued: Era,
}

#[derive(Debug)]
struct Index<K> {
    table: HashTable<Entry<K>>,
    /// Finished connections by the time from which on their silence is counted.
    finished: VecDeque<(K, Era)>,
}

impl<K: Copy + Eq + Hash> Index<K> {
    fn new() -> Self {
        Self { table: HashTable::new(), finished: VecDeque::new() }
    }

    #[inline]
    fn find(&mut self, hash: u64, key: &K, now: Era, idle: Era) -> Found {
        match self.table.find_mut(hash, |entry| entry.key == *key) {
            // Whether it is forgotten is decided here and not by when it is removed, which differs between numbers of threads.
            Some(entry) if entry.slot == DONE && now.saturating_sub(entry.seen) > idle => Found::Unknown,
            Some(entry) if entry.slot == DONE => {
                if entry.seen != now {
                    entry.seen = now;
                }
                Found::Finished(entry.mark)
            }
            Some(entry) => Found::Watched(entry.slot),
            None => Found::Unknown,
        }
    }

    fn set(&mut self, hasher: &foldhash::fast::RandomState, key: K, slot: u32, mark: u32, seen: Era) {
        let hash = hasher.hash_one(key);
        match self.table.find_mut(hash, |entry| entry.key == key) {
            Some(entry) => *entry = Entry { key, slot, mark, seen, queued: seen },
            None => {
                let entry = Entry { key, slot, mark, seen, queued: seen };
                self.table.insert_unique(hash, entry, |entry| hasher.hash_one(entry.key));
            }
        }
    }

    fn remove(&mut self, hasher: &foldhash::fast::RandomState, key: &K, only_done: bool) -> bool {
        let found = self.table.find_entry(hasher.hash_one(key), |entry| entry.key == *key && (!only_done || entry.slot == DONE));
        found.map(|entry| entry.remove()).is_ok()
    }

    fn forget_oldest(&mut self, hasher: &foldhash::fast::RandomState) -> bool {
        let Some((key, _)) = self.finished.pop_front() else { return false };
        self.remove(hasher, &key, true);
        true
    }

    /// Forgets the first finished connections if they were silent for long; those that were not wait again.
    fn forget_silent(&mut self, hasher: &foldhash::fast::RandomState, now: Era, idle: Era) {
        for _ in 0..LOOKED_AT {
            let Some(&(key, since)) = self.finished.front().filter(|(_, since)| now.saturating_sub(*since) > idle) else {
                return;
            };
            self.finished.pop_front();
            let valid = |entry: &Entry<K>| entry.key == key && entry.slot == DONE && entry.queued == since;
            let Ok(mut entry) = self.table.find_entry(hasher.hash_one(key), valid) else { continue };
            let seen = entry.get().seen;
            if now.saturating_sub(seen) > idle {
                entry.remove();
            } else {
                entry.get_mut().queued = seen;
                self.finished.push_back((key, seen));
            }
        }
    }
}

#[derive(Debug)]
struct Slot<F> {
    generation: u32,
    half_open: bool,
    flow: Option<(FlowKey, F)>,
}

/// Connections with state of type `F`.
#[derive(Debug)]
pub struct FlowTable<F> {
    hasher: foldhash::fast::RandomState,
    v4: Index<Key4>,
    v6: Index<Key6>,
    slots: Vec<Slot<F>>,
    free: Vec<u32>,
    half_open: VecDeque<(u32, u32)>,
    talking: VecDeque<(u32, u32)>,
    /// Of the packet looked up last.
    now: Era,
    watched_gauge: Gauge,
    finished_gauge: Gauge,
}

impl<F> Default for FlowTable<F> {
    fn default() -> Self {
        Self {
            hasher: foldhash::fast::RandomState::default(),
            v4: Index::new(),
            v6: Index::new(),
            slots: Vec::new(),
            free: Vec::new(),
            half_open: VecDeque::new(),
            talking: VecDeque::new(),
            now: 0,
            watched_gauge: Gauge::default(),
            finished_gauge: Gauge::default(),
        }
    }
}

impl<F> FlowTable<F> {
    /// Looks up the key of a packet of time `ts_ns`.
    #[inline]
    #[must_use]
    pub fn find(&mut self, key: &FlowKey, ts_ns: i64, limits: &Limits) -> Found {
        self.now = era(ts_ns);
        let idle = limits.finished_idle_secs >> 5;
        match key {
            FlowKey::V4(key) => self.v4.find(self.hasher.hash_one(key), key, self.now, idle),
            FlowKey::V6(key) => self.v6.find(self.hasher.hash_one(key), key, self.now, idle),
        }
    }

    /// Connections watched now.
    #[must_use]
    pub fn watched(&self) -> usize {
        self.slots.len().saturating_sub(self.free.len())
    }

    /// State of a slot.
    #[inline]
    pub fn get_mut(&mut self, slot: u32) -> Option<&mut F> {
        self.slots.get_mut(slot as usize)?.flow.as_mut().map(|(_, flow)| flow)
    }

    /// Key and state of a slot.
    pub fn get(&self, slot: u32) -> Option<&(FlowKey, F)> {
        self.slots.get(slot as usize)?.flow.as_ref()
    }

    /// Starts watching a key that is not watched. The caller has made room (see [`FlowTable::oldest`]).
    pub fn insert(&mut self, key: FlowKey, flow: F, half_open: bool) -> u32 {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot { generation: 0, half_open, flow: None });
            u32::try_from(self.slots.len().saturating_sub(1)).unwrap_or(DONE - 1)
        });
        if let Some(place) = self.slots.get_mut(slot as usize) {
            place.flow = Some((key, flow));
            place.half_open = half_open;
            let queue = if half_open { &mut self.half_open } else { &mut self.talking };
            queue.push_back((slot, place.generation));
        }
        self.set(key, slot, 0);
        self.watched_gauge.set(self.watched());
        self.compact();
        slot
    }

    /// A half-open connection began to talk: it is evicted later than those that did not.
    #[inline]
    pub fn talks(&mut self, slot: u32) {
        if let Some(place) = self.slots.get_mut(slot as usize)
            && place.half_open
        {
            place.half_open = false;
            self.talking.push_back((slot, place.generation));
            self.compact();
        }
    }

    /// Stops watching; the key is remembered with `mark`, so that its later packets cost one look-up.
    pub fn finish(&mut self, slot: u32, mark: u32, limits: &Limits) -> Option<(FlowKey, F)> {
        let (key, flow) = self.release(slot)?;
        self.set(key, DONE, mark);
        match key {
            FlowKey::V4(key) => self.v4.finished.push_back((key, self.now)),
            FlowKey::V6(key) => self.v6.finished.push_back((key, self.now)),
        }
        let idle = limits.finished_idle_secs >> 5;
        self.v4.forget_silent(&self.hasher, self.now, idle);
        self.v6.forget_silent(&self.hasher, self.now, idle);
        let finished = |table: &Self| table.v4.finished.len().saturating_add(table.v6.finished.len());
        while finished(self) > limits.finished_flows {
            let (v4, v6) = (self.v4.finished.len(), self.v6.finished.len());
            let index_done = if v4 >= v6 { self.v4.forget_oldest(&self.hasher) } else { self.v6.forget_oldest(&self.hasher) };
            if !index_done {
                break;
            }
            self.finished_gauge.evict();
        }
        self.finished_gauge.set(finished(self));
        Some((key, flow))
    }

    /// Stops watching and forgets the key, because a bound was reached.
    pub fn evict(&mut self, slot: u32) -> Option<(FlowKey, F)> {
        let taken = self.take(slot)?;
        self.watched_gauge.evict();
        Some(taken)
    }

    /// Stops watching and forgets the key, because the capture ended.
    pub fn take(&mut self, slot: u32) -> Option<(FlowKey, F)> {
        let (key, flow) = self.release(slot)?;
        match key {
            FlowKey::V4(key) => self.v4.remove(&self.hasher, &key, false),
            FlowKey::V6(key) => self.v6.remove(&self.hasher, &key, false),
        };
        Some((key, flow))
    }

    /// The slot to evict next: the oldest half-open connection, else the one that began to talk first.
    pub fn oldest(&mut self) -> Option<u32> {
        Self::front(&self.slots, &mut self.half_open, true).or_else(|| Self::front(&self.slots, &mut self.talking, false))
    }

    /// The slot that began to talk first; it goes to the end of the queue. For memory that half-open connections do not hold.
    pub fn rotate_talking(&mut self) -> Option<u32> {
        let slot = Self::front(&self.slots, &mut self.talking, false)?;
        self.talking.rotate_left(1);
        Some(slot)
    }

    /// Slots in use, in order of their start (by `order`). For the end of the capture.
    pub fn all_slots(&self, order: impl Fn(&F) -> u64) -> Vec<u32> {
        let used =
            self.slots.iter().enumerate().filter_map(|(i, slot)| Some((order(&slot.flow.as_ref()?.1), u32::try_from(i).ok()?)));
        let mut used = used.collect::<Vec<_>>();
        used.sort_unstable();
        used.into_iter().map(|(_, slot)| slot).collect()
    }

    /// Lines for the limits report.
    #[must_use]
    pub fn policies(&self, name: &str, bound: usize, finished_bound: usize) -> Vec<PolicyReport> {
        let watched = PolicyReport::new(name, bound, self.watched_gauge, "give up the oldest half-open one, else the oldest");
        let finished = PolicyReport::new(&format!("finished {name}"), finished_bound, self.finished_gauge, "forget the oldest");
        vec![watched, finished]
    }

    fn front(slots: &[Slot<F>], queue: &mut VecDeque<(u32, u32)>, half_open: bool) -> Option<u32> {
        while let Some((slot, generation)) = queue.front().copied() {
            let valid = slots
                .get(slot as usize)
                .is_some_and(|s| s.flow.is_some() && s.generation == generation && s.half_open == half_open);
            if valid {
                return Some(slot);
            }
            queue.pop_front();
        }
        None
    }

    fn release(&mut self, slot: u32) -> Option<(FlowKey, F)> {
        let place = self.slots.get_mut(slot as usize)?;
        let taken = place.flow.take()?;
        place.generation = place.generation.wrapping_add(1);
        self.free.push(slot);
        Some(taken)
    }

    fn set(&mut self, key: FlowKey, slot: u32, mark: u32) {
        match key {
            FlowKey::V4(key) => self.v4.set(&self.hasher, key, slot, mark, self.now),
            FlowKey::V6(key) => self.v6.set(&self.hasher, key, slot, mark, self.now),
        }
    }

    /// Drops stale queue entries once they outnumber the slots; each entry is looked at a constant number of times on average.
    fn compact(&mut self) {
        let bound = self.slots.len().saturating_mul(2).saturating_add(1024);
        for (queue, half_open) in [(&mut self.half_open, true), (&mut self.talking, false)] {
            if queue.len() > bound {
                let slots = &self.slots;
                queue.retain(|(slot, generation)| {
                    slots
                        .get(*slot as usize)
                        .is_some_and(|s| s.flow.is_some() && s.generation == *generation && s.half_open == half_open)
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::Addresses;

    fn key(n: u8) -> FlowKey {
        FlowKey::new(Addresses::V4 { src: [n, 0, 0, 1], dst: [9, 9, 9, 9] }, 1000, 443).0
    }

    #[test]
    fn half_open_ones_go_first_and_oldest_first() {
        let mut table = FlowTable::<u8>::default();
        let slots = (0..4).map(|n| table.insert(key(n), n, true)).collect::<Vec<_>>();
        table.talks(slots[0]);
        let oldest = table.oldest().unwrap();
        assert_eq!(table.evict(oldest), Some((key(1), 1)));
        assert_eq!(table.find(&key(1), 0, &Limits::default()), Found::Unknown);
        for expected in [2, 3, 0] {
            let oldest = table.oldest().unwrap();
            assert_eq!(table.evict(oldest).unwrap().1, expected);
        }
        assert_eq!(table.oldest(), None);
    }

    #[test]
    fn finished_ones_are_remembered_up_to_the_bound() {
        let mut table = FlowTable::<u8>::default();
        let limits = Limits { finished_flows: 2, ..Limits::default() };
        for n in 0..5 {
            let slot = table.insert(key(n), n, false);
            table.finish(slot, u32::from(n), &limits);
        }
        assert_eq!(table.find(&key(4), 0, &limits), Found::Finished(4));
        assert_eq!(table.find(&key(3), 0, &limits), Found::Finished(3));
        assert_eq!(table.find(&key(2), 0, &limits), Found::Unknown);
        assert_eq!(table.watched(), 0);
    }

    #[test]
    fn silent_ones_are_forgotten_and_their_memory_with_them() {
        let mut table = FlowTable::<u8>::default();
        let limits = Limits::default();
        let minutes = |n: i64| n * 60_000_000_000;
        for n in 0..200_u8 {
            // One connection a minute; the first one goes on talking all the time.
            let at_ns = minutes(i64::from(n));
            assert_eq!(table.find(&key(n), at_ns, &limits), Found::Unknown);
            let slot = table.insert(key(n), n, false);
            table.finish(slot, u32::from(n), &limits);
            assert_eq!(table.find(&key(0), at_ns, &limits), Found::Finished(0));
        }
        assert_eq!(table.find(&key(190), minutes(200), &limits), Found::Finished(190));
        assert_eq!(table.find(&key(100), minutes(200), &limits), Found::Unknown);
        assert!(table.v4.table.len() < 70, "{} are remembered", table.v4.table.len());
        assert!(table.v4.finished.len() < 70, "{} wait", table.v4.finished.len());
        // Silence is told by time alone, not by what was removed.
        assert_eq!(table.find(&key(199), minutes(300), &limits), Found::Unknown);
    }
}
