//! One direction of a TCP connection as a byte stream (RFC 9293 §3.4): any order, overlap, repetition and sequence wrap.
//!
//! Promises: the first byte seen at a sequence number wins; memory is bounded in bytes and pieces; when a bound is reached the
//! hole is given up and the stream goes on behind it. Where no SYN was seen, the beginning is not known: segments are then kept
//! for a while, so that an earlier one that arrives late can still become the beginning.
//!
//! Read next: `../sensor/tcp.rs` (reads the streams).

use std::collections::BTreeMap;

use crate::decode::frag::insert_new_bytes;
use crate::limits::Limits;
use crate::tls::record::{Start, start};

/// What a held piece costs beside its bytes.
const PIECE_OVERHEAD_BYTES: usize = 64;
/// How far in front of the first segment seen a beginning may still turn up, bytes.
const BACKWARD_BYTES: u32 = 1 << 20;

/// How much may be read again because a guessed beginning moves back; without a bound, segments sent backwards would be read in
/// quadratic time.
const MAX_READ_AGAIN_BYTES: usize = 1 << 20;

/// One direction.
#[derive(Debug, Default)]
pub struct Stream {
    /// Sequence number of the next byte to deliver.
    next_seq: u32,
    state: State,
    held: Option<Box<Held>>,
    /// Sequence number of the FIN.
    fin: Option<u32>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing seen.
    #[default]
    Empty,
    /// Began in mid-stream: everything delivered is still held.
    Guessed,
    /// The beginning is known (by a SYN, or because the stream was understood).
    Synced,
    /// Not followed any more.
    Ignored,
}

#[derive(Debug, Default)]
struct Held {
    /// Sequence number that offset 0 of `pieces` stands for.
    base_seq: u32,
    pieces: BTreeMap<u32, Vec<u8>>,
    bytes: usize,
    /// Offset of the next byte to deliver, while guessing.
    cursor: u32,
    /// Offset at which reading began.
    begin: u32,
    /// Bytes read again because the beginning moved back.
    read_again_bytes: usize,
}

/// What a segment brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival<'a> {
    /// Bytes to be taken now; then ask [`Stream::pop_ready`].
    InOrder(&'a [u8]),
    /// Nothing new to take, but held pieces may be ready.
    Held,
    /// The stream begins earlier than was thought: forget what was read of it, then ask [`Stream::pop_ready`].
    Restarted,
}

/// How a SYN agrees with what is known of a direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SynFit {
    /// It begins the stream.
    Begins,
    /// It came late: the stream begins at it. Forget what was read, then ask [`Stream::pop_ready`].
    Restarts,
    /// It belongs to another connection.
    Foreign,
}

impl Stream {
    /// A SYN (or SYN-ACK) with this initial sequence number was seen.
    pub fn syn(&mut self, isn: u32) -> SynFit {
        let first = isn.wrapping_add(1);
        match self.state {
            State::Empty => {
                self.next_seq = first;
                self.state = State::Synced;
                SynFit::Begins
            }
            State::Guessed => {
                let gap = self.next_seq.wrapping_sub(first);
                let restarted = gap <= BACKWARD_BYTES && (gap == 0 || self.restart(first));
                if restarted {
                    // What was delivered so far is delivered again, from the true beginning.
                    self.state = State::Synced;
                    self.rebase();
                    return SynFit::Restarts;
                }
                SynFit::Foreign
            }
            State::Synced | State::Ignored => SynFit::Foreign,
        }
    }

    /// Bytes held.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.held.as_ref().map_or(0, |h| h.bytes.saturating_add(h.pieces.len().saturating_mul(PIECE_OVERHEAD_BYTES)))
    }

    /// The stream was understood where it is: what was delivered need not be kept.
    pub fn settle(&mut self) {
        if self.state == State::Guessed {
            self.state = State::Synced;
            if let Some(held) = &mut self.held {
                let cursor = held.cursor;
                held.pieces.retain(|start, piece| start.saturating_add(piece.len() as u32) > cursor);
                held.bytes = held.pieces.values().map(Vec::len).sum();
                if held.pieces.is_empty() {
                    self.held = None;
                }
            }
        }
    }

    /// Nothing more is wanted of this direction.
    pub fn ignore(&mut self) {
        self.state = State::Ignored;
        self.held = None;
    }

    /// Whether nothing more is wanted.
    #[inline]
    #[must_use]
    pub fn is_ignored(&self) -> bool {
        self.state == State::Ignored
    }

    /// A FIN stands at this sequence number.
    pub fn set_fin(&mut self, seq: u32) {
        self.fin = Some(seq);
    }

    /// Whether a FIN was seen and every byte before it was delivered (or is not wanted).
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.fin.is_some_and(|fin| self.state == State::Ignored || self.next_seq.wrapping_sub(fin).cast_signed() >= 0)
    }

    /// Whether bytes wait for a hole to be filled.
    #[must_use]
    pub fn waits(&self) -> bool {
        self.state == State::Synced && self.held.is_some()
    }

    /// Takes a segment's payload. `missing` bytes behind it were on the wire but not captured.
    pub fn segment<'a>(&mut self, seq: u32, payload: &'a [u8], missing: u32, limits: &Limits) -> Arrival<'a> {
        match self.state {
            State::Ignored => Arrival::Held,
            State::Synced => self.synced(seq, payload, missing, limits),
            State::Empty | State::Guessed => self.guessed(seq, payload, limits),
        }
    }

    /// The next held bytes that became ready.
    pub fn pop_ready(&mut self) -> Option<Vec<u8>> {
        if self.state == State::Guessed {
            let held = self.held.as_mut()?;
            let (start, piece) = held.pieces.range(..=held.cursor).next_back()?;
            let fresh = piece.get(held.cursor.checked_sub(*start)? as usize..).filter(|fresh| !fresh.is_empty())?.to_vec();
            held.cursor = held.cursor.saturating_add(fresh.len() as u32);
            self.next_seq = self.next_seq.wrapping_add(fresh.len() as u32);
            return Some(fresh);
        }
        loop {
            let held = self.held.as_mut()?;
            let entry = held.pieces.first_entry()?;
            let at = held.base_seq.wrapping_add(*entry.key());
            let behind = self.next_seq.wrapping_sub(at).cast_signed();
            if behind < 0 {
                return None;
            }
            let mut piece = entry.remove();
            held.bytes = held.bytes.saturating_sub(piece.len());
            if held.pieces.is_empty() {
                self.held = None;
            }
            let stale = (behind as usize).min(piece.len());
            if stale < piece.len() {
                piece.drain(..stale);
                self.next_seq = self.next_seq.wrapping_add(piece.len() as u32);
                return Some(piece);
            }
        }
    }

    fn synced<'a>(&mut self, seq: u32, payload: &'a [u8], missing: u32, limits: &Limits) -> Arrival<'a> {
        let ahead = seq.wrapping_sub(self.next_seq).cast_signed();
        if ahead <= 0 {
            let known = ahead.unsigned_abs() as usize;
            let Some(fresh) = payload.get(known..).filter(|fresh| !fresh.is_empty() || missing > 0) else { return Arrival::Held };
            // An earlier piece that reaches into this segment came first and wins.
            if let Some(limit) = self.first_held_distance().filter(|distance| (*distance as usize) < fresh.len()) {
                let (now, later) = fresh.split_at_checked(limit as usize).unwrap_or((fresh, &[]));
                self.hold(self.next_seq.wrapping_add(limit), later, limits);
                self.next_seq = self.next_seq.wrapping_add(limit);
                return if now.is_empty() { Arrival::Held } else { Arrival::InOrder(now) };
            }
            self.next_seq = self.next_seq.wrapping_add(fresh.len() as u32).wrapping_add(missing);
            return Arrival::InOrder(fresh);
        }
        self.hold(seq, payload, limits);
        let over = self.held.as_ref().is_some_and(|h| h.pieces.len() > limits.segments) || self.held_bytes() > limits.flow_bytes;
        if over && let Some(distance) = self.first_held_distance() {
            // The hole is given up.
            self.next_seq = self.next_seq.wrapping_add(distance);
        }
        Arrival::Held
    }

    /// Bytes from the next byte wanted to the first held piece.
    fn first_held_distance(&self) -> Option<u32> {
        let held = self.held.as_ref()?;
        let (start, _) = held.pieces.first_key_value()?;
        let distance = held.base_seq.wrapping_add(*start).wrapping_sub(self.next_seq);
        (distance.cast_signed() >= 0).then_some(distance)
    }

    fn hold(&mut self, seq: u32, data: &[u8], limits: &Limits) {
        if data.is_empty() {
            return;
        }
        let next_seq = self.next_seq;
        let held = self.held.get_or_insert_with(|| Box::new(Held { base_seq: next_seq, ..Held::default() }));
        let offset = seq.wrapping_sub(held.base_seq);
        // Nothing of a sane window lies further ahead.
        if offset > 1 << 30 || held.pieces.len() > limits.segments {
            return;
        }
        insert_new_bytes(&mut held.pieces, offset, data, &mut held.bytes);
    }

    fn guessed<'a>(&mut self, seq: u32, payload: &'a [u8], limits: &Limits) -> Arrival<'a> {
        let beginning = start(payload);
        if self.state == State::Empty {
            self.state = State::Guessed;
            self.next_seq = seq;
            let base_seq = seq.wrapping_sub(BACKWARD_BYTES);
            self.held = Some(Box::new(Held { base_seq, cursor: BACKWARD_BYTES, begin: BACKWARD_BYTES, ..Held::default() }));
        }
        let Some(held) = self.held.as_mut() else { return Arrival::Held };
        let offset = seq.wrapping_sub(held.base_seq);
        if offset > 1 << 30 {
            return Arrival::Held;
        }
        insert_new_bytes(&mut held.pieces, offset, payload, &mut held.bytes);
        // Only in front of the present beginning: a repeated segment from behind it may look like a start, too.
        let earlier = offset < held.begin;
        let over = held.pieces.len() > limits.segments;
        if over || self.held_bytes() > limits.flow_bytes {
            self.settle();
            return Arrival::Held;
        }
        if earlier && beginning != Start::No && self.restart(seq) {
            return Arrival::Restarted;
        }
        Arrival::Held
    }

    /// All held pieces become waiting ones.
    fn rebase(&mut self) {
        if self.held.as_ref().is_some_and(|held| held.pieces.is_empty()) {
            self.held = None;
        }
    }

    /// Moves the beginning back to `first`, if it lies there.
    fn restart(&mut self, first: u32) -> bool {
        let Some(held) = self.held.as_mut() else { return false };
        let offset = first.wrapping_sub(held.base_seq);
        if offset > held.cursor || held.read_again_bytes > MAX_READ_AGAIN_BYTES {
            return false;
        }
        held.read_again_bytes = held.read_again_bytes.saturating_add(held.bytes);
        held.cursor = offset;
        held.begin = offset;
        self.next_seq = first;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(stream: &mut Stream, seq: u32, payload: &[u8], out: &mut Vec<u8>) {
        match stream.segment(seq, payload, 0, &Limits::default()) {
            Arrival::InOrder(data) => out.extend(data),
            Arrival::Held => {}
            Arrival::Restarted => out.clear(),
        }
        while let Some(piece) = stream.pop_ready() {
            out.extend(piece);
        }
    }

    #[test]
    fn order_overlap_repetition_and_wrap_make_no_difference() {
        let isn = u32::MAX - 3;
        let mut stream = Stream::default();
        stream.syn(isn);
        let first = isn.wrapping_add(1);
        let mut out = Vec::new();
        read(&mut stream, first.wrapping_add(4), b"efgh", &mut out);
        read(&mut stream, first.wrapping_add(6), b"XXij", &mut out);
        assert!(stream.waits());
        read(&mut stream, first, b"abcdYY", &mut out);
        read(&mut stream, first, b"ZZZZ", &mut out);
        read(&mut stream, first.wrapping_add(10), b"k", &mut out);
        assert_eq!(out, b"abcdefghijk");
        assert!(!stream.waits());
    }

    #[test]
    fn a_late_beginning_is_found_without_a_syn() {
        let hello = [22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3, 9, 9, 9];
        let mut stream = Stream::default();
        let mut out = Vec::new();
        for at in [9_usize, 3, 11, 0] {
            let piece = &hello[at..(at + 3).min(14)];
            read(&mut stream, 1000 + at as u32, piece, &mut out);
        }
        read(&mut stream, 1006, &hello[6..9], &mut out);
        assert_eq!(out, hello);
    }

    #[test]
    fn a_hole_is_given_up_when_the_bound_is_reached() {
        let mut stream = Stream::default();
        stream.syn(0);
        let limits = Limits { flow_bytes: 2000, ..Limits::default() };
        let mut out = Vec::new();
        for n in 0..10_u32 {
            if let Arrival::InOrder(data) = stream.segment(101 + n * 300, &[n as u8; 300], 0, &limits) {
                out.extend(data);
            }
            while let Some(piece) = stream.pop_ready() {
                out.extend(piece);
            }
            assert!(stream.held_bytes() <= 2500);
        }
        assert_eq!(out.first(), Some(&0));
        assert_eq!(out.len(), 3000);
    }
}
