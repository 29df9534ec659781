//! Several captures as one source, ordered by time.
//!
//! Promises: always takes the earliest head; equal times go in the order of the files' sorted names, so that the order of
//! arguments never changes a result. Within one file the capture's own order is kept, even where its clock runs backwards.
//!
//! Read next: `../run.rs`.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use crate::error::Damage;
use crate::source::map::FileMap;
use crate::source::{Packet, PacketSource};

/// What was read of one source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// Packets.
    pub packets: u64,
    /// Time of the earliest, nanoseconds since 1970; above `last_ns` where there is none.
    pub first_ns: i64,
    /// Time of the latest.
    pub last_ns: i64,
}

/// Merges sources; their order breaks ties.
#[derive(Debug)]
pub struct MergedSource<S> {
    sources: Vec<S>,
    taken: Vec<Taken>,
    /// Time of each source's head and its place; the current one is not in here.
    heads: BinaryHeap<Reverse<(i64, usize)>>,
    current: Option<usize>,
    started: bool,
    /// Some source met secrets since they were taken.
    secrets_seen: bool,
}

impl<S: PacketSource> MergedSource<S> {
    /// Merges `sources`.
    #[must_use]
    pub fn new(sources: Vec<S>) -> Self {
        let taken = sources.iter().map(|_| Taken { packets: 0, first_ns: i64::MAX, last_ns: i64::MIN }).collect();
        Self { sources, taken, heads: BinaryHeap::new(), current: None, started: false, secrets_seen: false }
    }

    /// What was read of each source, in their order.
    #[must_use]
    pub fn taken(&self) -> &[Taken] {
        &self.taken
    }

    fn load(&mut self, place: usize) {
        if let Some(source) = self.sources.get_mut(place)
            && source.advance()
        {
            self.secrets_seen |= source.has_secrets();
            let ts_ns = source.packet().ts_ns;
            self.heads.push(Reverse((ts_ns, place)));
            if let Some(taken) = self.taken.get_mut(place) {
                taken.packets = taken.packets.saturating_add(1);
                taken.first_ns = taken.first_ns.min(ts_ns);
                taken.last_ns = taken.last_ns.max(ts_ns);
            }
        }
    }
}

impl<S: PacketSource> PacketSource for MergedSource<S> {
    fn advance(&mut self) -> bool {
        if !self.started {
            self.started = true;
            for place in 0..self.sources.len() {
                self.load(place);
            }
        } else if let Some(place) = self.current.take() {
            self.load(place);
        }
        self.current = self.heads.pop().map(|Reverse((_, place))| place);
        self.current.is_some()
    }

    fn packet(&self) -> Packet<'_> {
        let source = self.current.and_then(|place| self.sources.get(place));
        source.map_or(Packet { ts_ns: 0, link_type: 0, data: &[], orig_len: 0 }, PacketSource::packet)
    }

    fn maps(&self) -> Vec<Option<Arc<FileMap>>> {
        self.sources.iter().map(|source| source.maps().into_iter().next().flatten()).collect()
    }

    fn place_in_map(&self) -> Option<(usize, usize)> {
        let file = self.current?;
        Some((file, self.sources.get(file)?.place_in_map()?.1))
    }

    fn bytes_read(&self) -> u64 {
        self.sources.iter().map(PacketSource::bytes_read).fold(0, u64::saturating_add)
    }

    fn total_bytes(&self) -> Option<u64> {
        self.sources.iter().map(PacketSource::total_bytes).try_fold(0_u64, |sum, n| Some(sum.saturating_add(n?)))
    }

    fn take_damage(&mut self) -> Vec<Damage> {
        self.sources.iter_mut().flat_map(PacketSource::take_damage).collect()
    }

    #[inline]
    fn has_secrets(&self) -> bool {
        self.secrets_seen
    }

    fn take_secrets(&mut self) -> Vec<Vec<u8>> {
        self.secrets_seen = false;
        self.sources.iter_mut().flat_map(PacketSource::take_secrets).collect()
    }
}
