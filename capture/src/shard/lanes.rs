//! The reading side: decodes packets, puts fragments together, and sorts the work by connection into one load per worker.
//!
//! Promises: each packet is decoded once here (and copied only where its file is not mapped); which worker gets a connection
//! follows a random seed and never the output; the time of packets that went to other workers is told to each of them, so
//! that all let events out as one sensor would.
//!
//! Read next: `../shard.rs`.

use std::hash::BuildHasher;
use std::ops::Range;
use std::sync::Arc;

use crate::decode::frag::FragmentTable;
use crate::decode::{Decoded, Fragment, IpHeader, decode, decode_carried};
use crate::flow::key::FlowKey;
use crate::limits::Limits;
use crate::run::Summary;
use crate::sensor::clock::EventClock;
use crate::sensor::{Counters, udp};
use crate::shard::collect::End;
use crate::source::PacketSource;
use crate::source::map::FileMap;

/// What one worker has to do for one batch of packets.
#[derive(Debug, Default)]
pub(super) struct Load<'m> {
    pub items: Vec<Item<'m>>,
    /// Bytes of packets that do not lie in a mapped file.
    bytes: Vec<u8>,
    /// Number of the batch's last packet.
    pub last_number: u64,
    /// Latest event time since the last item.
    pub latest_ns: i64,
    /// Event time at the end of the batch.
    pub now_ns: i64,
    /// No batch follows.
    pub is_last: bool,
}

/// One piece of work.
#[derive(Debug)]
pub(super) struct Item<'m> {
    /// Number of its packet, from 1.
    pub number: u64,
    /// Time of its packet.
    pub ts_ns: i64,
    /// Latest event time since the item before.
    pub latest_ns: i64,
    pub work: Work<'m>,
}

#[derive(Debug)]
pub(super) enum Work<'m> {
    /// A segment or datagram that lies in a mapped file.
    Decoded(Decoded<'m>),
    /// A frame, copied.
    Frame { link_type: u32, bytes: Range<usize> },
    /// A datagram put together from fragments.
    Carried { ip: IpHeader, protocol: u8, depth: u8, bytes: Range<usize> },
    /// TLS secrets met in the capture.
    Secrets(Arc<Vec<u8>>),
}

impl Load<'_> {
    /// Bytes that were copied into this load.
    pub fn bytes_of(&self, range: &Range<usize>) -> &[u8] {
        self.bytes.get(range.clone()).unwrap_or_default()
    }

    fn copy(&mut self, bytes: &[u8]) -> Range<usize> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        start..self.bytes.len()
    }
}

/// Reads packets into loads.
#[derive(Debug)]
pub(super) struct Reader<'m> {
    maps: &'m [Option<Arc<FileMap>>],
    limits: Limits,
    hasher: foldhash::fast::RandomState,
    loads: Vec<Load<'m>>,
    spare: Vec<Load<'m>>,
    clock: EventClock,
    now_ns: i64,
    fragments: FragmentTable,
    /// Whether there are TLS secrets: then packets behind a QUIC handshake are wanted, too.
    has_keys: bool,
    counters: Counters,
    first_ns: i64,
    last_ns: i64,
}

impl<'m> Reader<'m> {
    pub fn new(maps: &'m [Option<Arc<FileMap>>], limits: &Limits, workers: usize, has_keys: bool) -> Self {
        let mut reader = Self {
            maps,
            limits: limits.clone(),
            hasher: foldhash::fast::RandomState::default(),
            loads: Vec::new(),
            spare: Vec::new(),
            clock: EventClock::default(),
            now_ns: i64::MIN,
            fragments: FragmentTable::default(),
            has_keys,
            counters: Counters::default(),
            first_ns: i64::MAX,
            last_ns: i64::MIN,
        };
        reader.loads.resize_with(workers, || reader.spare.pop().unwrap_or_default());
        reader
    }

    /// What was counted while reading; connections are counted by the workers.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Reads up to `packets` packets. `false` if the source ended.
    pub fn fill(&mut self, source: &mut impl PacketSource, packets: u32) -> bool {
        for load in &mut self.loads {
            load.latest_ns = i64::MIN;
        }
        for _ in 0..packets {
            if !source.advance() {
                return false;
            }
            self.packet(source);
        }
        true
    }

    /// The loads filled so far, one for each worker in order.
    pub fn take_loads(&mut self, is_last: bool) -> Vec<Load<'m>> {
        let workers = self.loads.len();
        let mut taken = std::mem::take(&mut self.loads);
        for load in &mut taken {
            load.last_number = self.counters.packets;
            load.now_ns = self.now_ns;
            load.is_last = is_last;
        }
        self.loads.resize_with(workers, || self.spare.pop().unwrap_or_default());
        taken
    }

    /// Takes a load back whose work is done, for its memory.
    pub fn use_again(&mut self, mut load: Load<'m>) {
        load.items.clear();
        load.bytes.clear();
        self.spare.push(load);
    }

    /// Puts the figures of all workers and its own together.
    pub fn close(&self, ends: Vec<End>, summary: &mut Summary) {
        summary.note_times(self.first_ns, self.last_ns);
        summary.counters = self.counters;
        let mut ends = ends.into_iter();
        if let Some(first) = ends.next() {
            summary.counters.add_own(&first.counters);
            summary.policies = first.policies;
        }
        for end in ends {
            summary.counters.add_own(&end.counters);
            for (line, other) in summary.policies.iter_mut().zip(&end.policies) {
                line.limit = line.limit.saturating_add(other.limit);
                line.merge(other);
            }
        }
        for own in self.fragments.policies(&self.limits) {
            summary.policies.iter_mut().filter(|line| line.table == own.table).for_each(|line| line.clone_from(&own));
        }
    }

    #[inline]
    fn packet(&mut self, source: &mut impl PacketSource) {
        if source.has_secrets() {
            self.secrets(source.take_secrets());
        }
        let packet = source.packet();
        self.first_ns = self.first_ns.min(packet.ts_ns);
        self.last_ns = self.last_ns.max(packet.ts_ns);
        self.counters.packets = self.counters.packets.wrapping_add(1);
        self.counters.bytes = self.counters.bytes.wrapping_add(packet.data.len() as u64);
        self.now_ns = self.clock.observe(packet.ts_ns);
        for load in &mut self.loads {
            load.latest_ns = load.latest_ns.max(self.now_ns);
        }
        let mapped =
            source.place_in_map().and_then(|(file, at)| self.maps.get(file)?.as_ref()?.get(at..)?.get(..packet.data.len()));
        match mapped {
            Some(data) => {
                let decoded = decode(packet.link_type, data, &self.limits);
                match self.worker_of(&decoded) {
                    Some(worker) => self.push(worker, packet.ts_ns, |_| Work::Decoded(decoded)),
                    None => self.without_ports(&decoded, packet.ts_ns),
                }
            }
            None => {
                let decoded = decode(packet.link_type, packet.data, &self.limits);
                let frame = |load: &mut Load<'m>| Work::Frame { link_type: packet.link_type, bytes: load.copy(packet.data) };
                match self.worker_of(&decoded) {
                    Some(worker) => self.push(worker, packet.ts_ns, frame),
                    None => self.without_ports(&decoded, packet.ts_ns),
                }
            }
        }
    }

    /// Which worker keeps the connection of this packet; `None` if it belongs to none.
    #[inline]
    fn worker_of(&mut self, decoded: &Decoded<'_>) -> Option<usize> {
        let key = match decoded {
            Decoded::Tcp(segment) => {
                self.counters.tcp_segments = self.counters.tcp_segments.wrapping_add(1);
                FlowKey::new(segment.ip.addresses, segment.src_port, segment.dst_port).0
            }
            Decoded::Udp(datagram) => {
                self.counters.udp_datagrams = self.counters.udp_datagrams.wrapping_add(1);
                if !self.has_keys {
                    udp::kind(datagram.payload)?;
                }
                FlowKey::new(datagram.ip.addresses, datagram.src_port, datagram.dst_port).0
            }
            _ => return None,
        };
        let workers = self.loads.len() as u64;
        // The high half: the workers' tables use hashers of their own, so nothing is shared with their bucket choice.
        let worker = if workers > 1 { (self.hasher.hash_one(key) >> 32) % workers } else { 0 };
        usize::try_from(worker).ok()
    }

    fn without_ports(&mut self, decoded: &Decoded<'_>, ts_ns: i64) {
        match decoded {
            Decoded::Fragment(fragment) => self.fragment(fragment, ts_ns),
            Decoded::Damaged => self.counters.damaged_packets = self.counters.damaged_packets.wrapping_add(1),
            Decoded::Tcp(_) | Decoded::Udp(_) | Decoded::Other => {}
        }
    }

    fn fragment(&mut self, fragment: &Fragment<'_>, ts_ns: i64) {
        self.counters.fragments = self.counters.fragments.wrapping_add(1);
        let Some(whole) = self.fragments.add(fragment, ts_ns, &self.limits) else { return };
        let (ip, protocol, depth) = (fragment.ip, fragment.protocol, fragment.depth);
        // A datagram may hold a tunnel whose packets are fragments again; each round is one level deeper.
        let decoded = decode_carried(ip, protocol, &whole, depth, &self.limits);
        match self.worker_of(&decoded) {
            Some(worker) => {
                self.push(worker, ts_ns, |load| Work::Carried { ip, protocol, depth, bytes: load.copy(&whole) });
            }
            None => self.without_ports(&decoded, ts_ns),
        }
    }

    #[inline]
    fn push(&mut self, worker: usize, ts_ns: i64, work: impl FnOnce(&mut Load<'m>) -> Work<'m>) {
        let Some(load) = self.loads.get_mut(worker) else { return };
        let latest_ns = std::mem::replace(&mut load.latest_ns, i64::MIN);
        let work = work(load);
        load.items.push(Item { number: self.counters.packets, ts_ns, latest_ns, work });
    }

    #[cold]
    fn secrets(&mut self, found: Vec<Vec<u8>>) {
        self.has_keys = true;
        for secrets in found.into_iter().map(Arc::new) {
            for worker in 0..self.loads.len() {
                let secrets = Arc::clone(&secrets);
                self.push(worker, self.now_ns, |_| Work::Secrets(secrets));
            }
        }
    }
}
