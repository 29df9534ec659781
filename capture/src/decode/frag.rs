//! IP datagrams from fragments (RFC 791 §3.2, RFC 8200 §4.5).
//!
//! Promises: bounded in datagrams, fragments each and bytes; the oldest datagram is given up first. Overlapping fragments: the
//! bytes that came first are kept (RFC 5722 would drop the datagram; a sensor that drops it can be blinded, so ours is told to
//! agree with the many stacks that keep the first). Fragments older than a minute never mix with new ones of the same id.
//!
//! Read next: `../flow/tcp.rs` (the same rule for segments).

use std::collections::{BTreeMap, VecDeque};

use hashbrown::HashMap;

use crate::decode::{Addresses, Fragment};
use crate::limits::{Gauge, Limits, PolicyReport};

const MAX_DATAGRAM_BYTES: u32 = 65_535;
/// RFC 8200 §4.5: sixty seconds.
const LIFETIME_NS: i64 = 60_000_000_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    addresses: Addresses,
    id: u32,
    protocol: u8,
    depth: u8,
}

#[derive(Debug, Default)]
struct Partial {
    first_ns: i64,
    generation: u64,
    /// Non-overlapping pieces by offset.
    pieces: BTreeMap<u32, Vec<u8>>,
    held_bytes: usize,
    total_bytes: Option<u32>,
}

/// Datagrams being put together.
#[derive(Debug, Default)]
pub struct FragmentTable {
    partials: HashMap<Key, Partial, foldhash::fast::RandomState>,
    /// Oldest first; entries whose generation is gone are stale.
    order: VecDeque<(Key, u64)>,
    generation: u64,
    bytes: usize,
    datagrams_gauge: Gauge,
    bytes_gauge: Gauge,
}

impl FragmentTable {
    /// Takes one fragment; gives the whole payload when it was the last one missing.
    pub fn add(&mut self, fragment: &Fragment<'_>, now_ns: i64, limits: &Limits) -> Option<Vec<u8>> {
        let data_bytes = u32::try_from(fragment.data.len()).ok()?;
        let end = fragment.offset_bytes.checked_add(data_bytes).filter(|end| *end <= MAX_DATAGRAM_BYTES)?;
        if fragment.cut || data_bytes == 0 {
            return None;
        }
        let key = Key { addresses: fragment.ip.addresses, id: fragment.id, protocol: fragment.protocol, depth: fragment.depth };
        if self.partials.get(&key).is_some_and(|p| now_ns.saturating_sub(p.first_ns).saturating_abs() > LIFETIME_NS) {
            self.forget(&key);
        }
        if !self.partials.contains_key(&key) {
            self.make_room(limits);
            self.generation = self.generation.wrapping_add(1);
            self.order.push_back((key, self.generation));
            self.partials.insert(key, Partial { first_ns: now_ns, generation: self.generation, ..Partial::default() });
            self.datagrams_gauge.set(self.partials.len());
        }
        let partial = self.partials.get_mut(&key)?;
        if partial.pieces.len() >= limits.fragments {
            self.forget(&key);
            self.datagrams_gauge.evict();
            return None;
        }
        if !fragment.more {
            partial.total_bytes.get_or_insert(end);
        }
        let before = partial.held_bytes;
        insert_new_bytes(&mut partial.pieces, fragment.offset_bytes, fragment.data, &mut partial.held_bytes);
        self.bytes = self.bytes.saturating_add(partial.held_bytes.saturating_sub(before));
        // Too few bytes cannot be whole: the pieces are not walked for each fragment that comes after the last one.
        let enough = |total: u32| partial.held_bytes >= total as usize;
        let whole = partial.total_bytes.is_some_and(|total| enough(total) && covers(&partial.pieces, total));
        self.bytes_gauge.set(self.bytes);
        if whole {
            let pieces = self.forget(&key)?;
            let mut payload = pieces.pieces.into_values().flatten().collect::<Vec<_>>();
            payload.truncate(pieces.total_bytes.unwrap_or(MAX_DATAGRAM_BYTES) as usize);
            return Some(payload);
        }
        while self.bytes > limits.fragment_bytes && self.evict_oldest() {
            self.bytes_gauge.evict();
        }
        None
    }

    /// Lines for the limits report.
    #[must_use]
    pub fn policies(&self, limits: &Limits) -> Vec<PolicyReport> {
        vec![
            PolicyReport::new("fragmented datagrams", limits.datagrams, self.datagrams_gauge, "give up the oldest"),
            PolicyReport::new("fragment bytes", limits.fragment_bytes, self.bytes_gauge, "give up the oldest datagram"),
        ]
    }

    fn make_room(&mut self, limits: &Limits) {
        while self.partials.len() >= limits.datagrams.max(1) && self.evict_oldest() {
            self.datagrams_gauge.evict();
        }
        // Whole datagrams leave their place in the queue behind.
        if self.order.len() > limits.datagrams.saturating_mul(2).saturating_add(64) {
            let partials = &self.partials;
            self.order.retain(|(key, generation)| partials.get(key).is_some_and(|p| p.generation == *generation));
        }
    }

    fn evict_oldest(&mut self) -> bool {
        while let Some((key, generation)) = self.order.pop_front() {
            if self.partials.get(&key).is_some_and(|p| p.generation == generation) {
                self.forget(&key);
                return true;
            }
        }
        false
    }

    fn forget(&mut self, key: &Key) -> Option<Partial> {
        let partial = self.partials.remove(key)?;
        self.bytes = self.bytes.saturating_sub(partial.held_bytes);
        Some(partial)
    }
}

/// Adds those bytes of `data` that no piece covers yet. Also used for TCP segments.
pub fn insert_new_bytes(pieces: &mut BTreeMap<u32, Vec<u8>>, offset: u32, data: &[u8], held_bytes: &mut usize) {
    let mut at = offset;
    let mut data = data;
    // Bytes an earlier piece reaches over.
    if let Some((start, piece)) = pieces.range(..=at).next_back() {
        let covered_to = start.saturating_add(piece.len() as u32);
        let skip = (covered_to.saturating_sub(at) as usize).min(data.len());
        data = data.get(skip..).unwrap_or_default();
        at = at.saturating_add(skip as u32);
    }
    while !data.is_empty() {
        let next = pieces.range(at..).next().map(|(start, piece)| (*start, piece.len()));
        let room = next.map_or(data.len(), |(start, _)| (start.saturating_sub(at) as usize).min(data.len()));
        let (new, rest) = data.split_at_checked(room).unwrap_or((data, &[]));
        if !new.is_empty() {
            *held_bytes = held_bytes.saturating_add(new.len());
            pieces.insert(at, new.to_vec());
        }
        let covered = next.map_or(0, |(_, length)| length).min(rest.len());
        data = rest.get(covered..).unwrap_or_default();
        at = at.saturating_add(new.len() as u32).saturating_add(covered as u32);
    }
}

fn covers(pieces: &BTreeMap<u32, Vec<u8>>, total: u32) -> bool {
    let mut reached = 0_u32;
    for (start, piece) in pieces {
        if *start > reached {
            return false;
        }
        reached = start.saturating_add(piece.len() as u32);
        if reached >= total {
            return true;
        }
    }
    reached >= total
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::IpHeader;

    fn piece(offset_bytes: u32, more: bool, data: &[u8], id: u32) -> Fragment<'_> {
        let addresses = Addresses::V4 { src: [1; 4], dst: [2; 4] };
        let ip = IpHeader { addresses, ttl: 64, dont_fragment: Some(false) };
        Fragment { ip, id, protocol: 6, offset_bytes, more, data, cut: false, depth: 1 }
    }

    #[test]
    fn first_bytes_win_in_any_order() {
        let mut table = FragmentTable::default();
        let limits = Limits::default();
        assert_eq!(table.add(&piece(8, false, b"89abcdef", 1), 0, &limits), None);
        assert_eq!(table.add(&piece(8, true, b"XXXXXXXX", 1), 0, &limits), None);
        let whole = table.add(&piece(0, true, b"01234567YY", 1), 0, &limits).expect("whole");
        assert_eq!(whole, b"0123456789abcdef");
        assert_eq!(table.bytes, 0);
    }

    #[test]
    fn a_flood_stays_within_the_bounds_and_the_newest_survives() {
        let mut table = FragmentTable::default();
        let limits = Limits { datagrams: 10, fragment_bytes: 100, ..Limits::default() };
        for id in 0..1000 {
            assert_eq!(table.add(&piece(0, true, &[0; 16], id), 0, &limits), None);
        }
        assert!(table.partials.len() <= 10 && table.bytes <= 100 && table.order.len() <= 84);
        assert!(table.add(&piece(16, false, &[1; 8], 999), 0, &limits).is_some());
    }

    #[test]
    fn fragments_of_another_minute_do_not_mix() {
        let mut table = FragmentTable::default();
        let limits = Limits::default();
        assert_eq!(table.add(&piece(0, true, &[0; 16], 1), 0, &limits), None);
        assert_eq!(table.add(&piece(16, false, &[1; 8], 1), LIFETIME_NS * 2, &limits), None);
    }
}
