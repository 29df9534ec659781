//! Packets of several interfaces in order of time.
//!
//! Promises: with one interface, nothing waits. With several, a packet goes out when every other interface has shown a later one,
//! when the newest packet is a window later, when nothing came for a window of real time, or when too much is held. After
//! [`Merger::wait_for_all`] time is no reason any more: every interface is about to deliver its rest and to close. What comes
//! too late for its place is handed out at once and counted. Holds at most [`MAX_HELD_BYTES`] beyond the batch that came last.
//!
//! Read next: `mod.rs`.

use std::collections::VecDeque;

use crate::live::batch::Batch;
use crate::source::Packet;

/// Bytes held for order; with more, the earliest packet goes out whatever may still come.
const MAX_HELD_BYTES: usize = 32 * 1024 * 1024;

/// Holds packets back for order.
#[derive(Debug)]
pub struct Merger {
    lanes: Vec<Lane>,
    window_ns: i64,
    newest_ns: i64,
    last_ns: i64,
    held_bytes: usize,
    releasing: bool,
    /// The interfaces are being emptied for the last time.
    ending: bool,
    current: Option<usize>,
    out_of_order: u64,
}

#[derive(Debug, Default)]
struct Lane {
    batches: VecDeque<Batch>,
    /// Packets of the front batch that were handed out; the current one is not among them.
    taken: usize,
    closed: bool,
}

impl Lane {
    fn head_ns(&self) -> Option<i64> {
        self.batches.front()?.ts_ns(self.taken)
    }
}

impl Merger {
    /// For so many interfaces.
    #[must_use]
    pub fn new(interfaces: usize, window_ns: i64) -> Self {
        Self {
            lanes: (0..interfaces).map(|_| Lane::default()).collect(),
            window_ns,
            newest_ns: i64::MIN,
            last_ns: i64::MIN,
            held_bytes: 0,
            releasing: false,
            ending: false,
            current: None,
            out_of_order: 0,
        }
    }

    /// Takes packets in.
    pub fn add(&mut self, batch: Batch) {
        let Some(newest_ns) = batch.len().checked_sub(1).and_then(|last| batch.ts_ns(last)) else { return };
        self.newest_ns = self.newest_ns.max(newest_ns);
        self.releasing = false;
        if let Some(lane) = self.lanes.get_mut(batch.place) {
            self.held_bytes = self.held_bytes.saturating_add(batch.size_bytes());
            lane.batches.push_back(batch);
        }
    }

    /// Nothing more comes from this interface.
    pub fn close(&mut self, place: usize) {
        if let Some(lane) = self.lanes.get_mut(place) {
            lane.closed = true;
        }
    }

    /// Nothing came for a while: what is held may go, unless every interface is awaited.
    pub fn release_held(&mut self) {
        self.releasing = !self.ending;
    }

    /// From now on a packet waits until every interface has shown a later one or is closed. The readers were asked to end: what
    /// the kernel still holds comes at once and late, so that neither silence nor a newer packet says that nothing earlier comes.
    pub fn wait_for_all(&mut self) {
        self.ending = true;
        self.releasing = false;
    }

    /// Whether packets wait.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.held_bytes > 0
    }

    /// Packets handed out after a later one.
    #[must_use]
    pub fn out_of_order(&self) -> u64 {
        self.out_of_order
    }

    /// Moves to the next packet that may go out.
    pub fn advance(&mut self) -> bool {
        if let Some(place) = self.current.take() {
            self.step_over(place);
        }
        let heads = self.lanes.iter().enumerate();
        let Some((ts_ns, place)) = heads.filter_map(|(place, lane)| Some((lane.head_ns()?, place))).min() else { return false };
        let may_go = self.releasing
            || self.held_bytes > MAX_HELD_BYTES
            || (!self.ending && self.newest_ns.saturating_sub(ts_ns) >= self.window_ns)
            || self.lanes.iter().all(|lane| lane.closed || !lane.batches.is_empty());
        if may_go {
            self.out_of_order = self.out_of_order.saturating_add(u64::from(ts_ns < self.last_ns));
            self.last_ns = self.last_ns.max(ts_ns);
            self.current = Some(place);
        }
        may_go
    }

    /// The packet moved to.
    #[must_use]
    pub fn packet(&self) -> Packet<'_> {
        let lane = self.current.and_then(|place| self.lanes.get(place));
        let packet = lane.and_then(|lane| lane.batches.front()?.packet(lane.taken));
        packet.unwrap_or(Packet { ts_ns: 0, link_type: 0, data: &[], orig_len: 0 })
    }

    fn step_over(&mut self, place: usize) {
        let Some(lane) = self.lanes.get_mut(place) else { return };
        lane.taken = lane.taken.saturating_add(1);
        if let Some(done) = lane.batches.pop_front_if(|batch| lane.taken >= batch.len()) {
            lane.taken = 0;
            self.held_bytes = self.held_bytes.saturating_sub(done.size_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(place: usize, times: &[i64]) -> Batch {
        let mut batch = Batch::new(place, 1);
        for ts_ns in times {
            batch.push(*ts_ns, 1, &[u8::try_from(place).unwrap()]);
        }
        batch
    }

    fn all(merger: &mut Merger) -> Vec<(i64, usize)> {
        let mut out = Vec::new();
        while merger.advance() {
            let packet = merger.packet();
            out.push((packet.ts_ns, usize::from(packet.data[0])));
        }
        out
    }

    #[test]
    fn one_interface_waits_for_nobody() {
        let mut merger = Merger::new(1, 1_000_000);
        merger.add(batch(0, &[3, 1, 2]));
        assert_eq!(all(&mut merger), [(3, 0), (1, 0), (2, 0)], "one interface keeps its own order");
        assert!(!merger.holds());
    }

    #[test]
    fn two_directions_on_two_interfaces_come_in_order_of_time() {
        let mut merger = Merger::new(2, 100);
        merger.add(batch(0, &[10, 30, 50]));
        assert_eq!(all(&mut merger), []);
        merger.add(batch(1, &[20, 40]));
        assert_eq!(all(&mut merger), [(10, 0), (20, 1), (30, 0), (40, 1)]);
        assert!(merger.holds());
        merger.add(batch(0, &[150]));
        assert_eq!(all(&mut merger), [(50, 0)], "a window later, nothing earlier is awaited");
        merger.release_held();
        assert_eq!(all(&mut merger), [(150, 0)]);
        merger.add(batch(1, &[149]));
        merger.close(0);
        assert_eq!(all(&mut merger), [(149, 1)]);
        assert_eq!(merger.out_of_order(), 1);
    }

    #[test]
    fn at_the_end_neither_silence_nor_a_newer_packet_overtakes_an_interface_that_is_still_open() {
        let mut merger = Merger::new(2, 100);
        merger.add(batch(0, &[10, 30, 500]));
        merger.wait_for_all();
        merger.release_held();
        assert_eq!(all(&mut merger), [], "the other interface has not delivered its rest");
        merger.add(batch(1, &[20, 40]));
        assert_eq!(all(&mut merger), [(10, 0), (20, 1), (30, 0), (40, 1)]);
        merger.close(1);
        assert_eq!(all(&mut merger), [(500, 0)]);
        assert_eq!((merger.out_of_order(), merger.holds()), (0, false));
    }

    #[test]
    fn what_is_held_is_bounded() {
        let mut merger = Merger::new(2, i64::MAX);
        let mut waiting = 0_i64;
        for ts_ns in 0..1000 {
            let mut batch = Batch::new(0, 1);
            batch.push(ts_ns, 65_536, &[0; 65_536]);
            merger.add(batch);
            waiting += 1 - i64::try_from(all(&mut merger).len()).unwrap();
            assert!(merger.held_bytes <= MAX_HELD_BYTES);
        }
        assert!((500..512).contains(&waiting), "{waiting}");
        merger.release_held();
        assert_eq!(all(&mut merger).len(), usize::try_from(waiting).unwrap());
        assert_eq!((merger.held_bytes, merger.holds()), (0, false));
    }
}
