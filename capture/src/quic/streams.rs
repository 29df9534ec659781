//! STREAM frames of opened packets (RFC 9000 section 19) put in order, stream by stream.
//!
//! Promises: any order, overlap and repetition; the first byte seen at a place wins; bounded in streams and in bytes that wait behind a
//! hole. A stream that exceeds its bound is told as lost, once, and followed no further.
//! Read next: `../http/h3/mod.rs`, which reads the streams.

use std::collections::BTreeMap;

use super::frames::skip_ack;
use super::packet::{take_bytes, take_varint};

/// Bounds of one connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StreamsLimits {
    /// Streams followed; beyond, the request streams opened first are forgotten.
    pub streams: usize,
    /// Bytes that wait behind holes, of one stream.
    pub waiting_bytes: usize,
    /// Pieces that wait behind holes, of one stream.
    pub waiting_pieces: usize,
}

/// What a stream's bytes are handed to.
pub(crate) trait StreamSink {
    /// The next bytes of a stream. `false`: nothing more of it is wanted.
    fn bytes(&mut self, stream: u64, data: &[u8]) -> bool;
    /// A stream cannot be followed any further.
    fn lost(&mut self, stream: u64);
}

/// All streams of one connection, of both directions: their numbers tell who sends on which (a bidirectional one is followed from
/// the client's side alone).
#[derive(Debug)]
pub(crate) struct Streams {
    limits: StreamsLimits,
    open: BTreeMap<u64, Stream>,
    /// Request streams below this number are forgotten.
    floor: u64,
    waiting_bytes: usize,
}

#[derive(Debug, Default)]
struct Stream {
    /// Offset of the next byte to hand on.
    next: u64,
    waiting: BTreeMap<u64, Vec<u8>>,
    waiting_bytes: usize,
    unwanted: bool,
}

impl Streams {
    pub fn new(limits: StreamsLimits) -> Self {
        Self { limits, open: BTreeMap::new(), floor: 0, waiting_bytes: 0 }
    }

    /// Takes the frames of one opened packet. A frame of unknown type ends the packet: its length is not known.
    pub fn packet(&mut self, mut frames: &[u8], from_client: bool, sink: &mut impl StreamSink) {
        while let Some(frame) = next_stream_frame(&mut frames) {
            let (by_server, one_way) = (frame.stream & 1 != 0, frame.stream & 2 != 0);
            let is_request = !one_way && !by_server && from_client;
            if is_request || (one_way && by_server != from_client) {
                self.data(&frame, sink);
            }
        }
    }

    /// Bytes held on the heap, at least.
    pub fn heap_bytes(&self) -> usize {
        self.open.len().saturating_mul(size_of::<(u64, Stream)>()).saturating_add(self.waiting_bytes)
    }

    fn data(&mut self, frame: &StreamFrame<'_>, sink: &mut impl StreamSink) {
        let id = frame.stream;
        if id & 3 == 0 && id < self.floor {
            return;
        }
        if !self.open.contains_key(&id) && self.open.len() >= self.limits.streams {
            self.forget_one();
        }
        let stream = self.open.entry(id).or_default();
        let before = stream.waiting_bytes;
        if !stream.unwanted && !stream.take(frame, self.limits, sink) {
            *stream = Stream { unwanted: true, ..Stream::default() };
        }
        self.waiting_bytes = self.waiting_bytes.saturating_add(stream.waiting_bytes).saturating_sub(before);
    }

    fn forget_one(&mut self) {
        let oldest = self.open.keys().find(|id| **id & 3 == 0).or(self.open.keys().next()).copied();
        if let Some((id, stream)) = oldest.and_then(|id| self.open.remove_entry(&id)) {
            self.floor = if id & 3 == 0 { self.floor.max(id.saturating_add(4)) } else { self.floor };
            self.waiting_bytes = self.waiting_bytes.saturating_sub(stream.waiting_bytes);
        }
    }
}

impl Stream {
    /// `false`: the stream is over for us.
    fn take(&mut self, frame: &StreamFrame<'_>, limits: StreamsLimits, sink: &mut impl StreamSink) -> bool {
        if frame.offset > self.next {
            self.wait(frame.offset, frame.data);
            let over = self.waiting_bytes > limits.waiting_bytes || self.waiting.len() > limits.waiting_pieces;
            if over {
                sink.lost(frame.stream);
            }
            return !over;
        }
        if !self.hand_on(frame.stream, frame.offset, frame.data, sink) {
            return false;
        }
        while let Some(piece) = self.waiting.first_entry().filter(|piece| *piece.key() <= self.next) {
            let (offset, data) = piece.remove_entry();
            self.waiting_bytes = self.waiting_bytes.saturating_sub(data.len());
            if !self.hand_on(frame.stream, offset, &data, sink) {
                return false;
            }
        }
        true
    }

    /// Hands on what is new of a piece that begins at or before the next byte; where a waiting piece came first, that one's bytes.
    fn hand_on(&mut self, id: u64, offset: u64, data: &[u8], sink: &mut impl StreamSink) -> bool {
        let known = usize::try_from(self.next.saturating_sub(offset)).unwrap_or(usize::MAX);
        let Some(mut fresh) = data.get(known..).filter(|fresh| !fresh.is_empty()) else { return true };
        if let Some((first, _)) = self.waiting.first_key_value() {
            let until = usize::try_from(first.saturating_sub(self.next)).unwrap_or(usize::MAX);
            fresh = fresh.get(..until).unwrap_or(fresh);
        }
        let wanted = sink.bytes(id, fresh);
        self.next = self.next.saturating_add(fresh.len() as u64);
        // Behind the waiting piece the rest of this one may go on.
        if wanted && known.saturating_add(fresh.len()) < data.len() {
            self.wait(self.next, data.get(known.saturating_add(fresh.len())..).unwrap_or_default());
        }
        wanted
    }

    /// Keeps those bytes of a piece that no waiting one has.
    fn wait(&mut self, mut offset: u64, mut data: &[u8]) {
        while !data.is_empty() {
            let covered = self.waiting.range(..=offset).next_back().map(|(at, kept)| at.saturating_add(kept.len() as u64));
            if let Some(end) = covered.filter(|end| *end > offset) {
                let known = usize::try_from(end - offset).unwrap_or(usize::MAX);
                (offset, data) = (end, data.get(known..).unwrap_or_default());
                continue;
            }
            let room = self.waiting.range(offset..).next().map_or(u64::MAX, |(at, _)| at - offset);
            let (now, later) = data.split_at_checked(usize::try_from(room).unwrap_or(usize::MAX)).unwrap_or((data, &[]));
            self.waiting.insert(offset, now.to_vec());
            self.waiting_bytes = self.waiting_bytes.saturating_add(now.len());
            (offset, data) = (offset.saturating_add(now.len() as u64), later);
        }
    }
}

/// One STREAM frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct StreamFrame<'a> {
    stream: u64,
    offset: u64,
    data: &'a [u8],
}

/// Takes the next STREAM frame off `rest` and steps over all others; None at the end of the packet or of what can be read.
fn next_stream_frame<'a>(rest: &mut &'a [u8]) -> Option<StreamFrame<'a>> {
    loop {
        // Integers that follow the type, for frames that are nothing else (RFC 9000 table 3).
        let integers = match take_varint(rest)? {
            // PADDING, PING, HANDSHAKE_DONE, IMMEDIATE_ACK.
            0x00 | 0x01 | 0x1e | 0x1f => 0,
            kind @ (0x02 | 0x03) => {
                skip_ack(rest, kind == 0x03)?;
                0
            }
            // RESET_STREAM.
            0x04 => 3,
            // STOP_SENDING, MAX_STREAM_DATA, STREAM_DATA_BLOCKED.
            0x05 | 0x11 | 0x15 => 2,
            // CRYPTO: offset, length, bytes.
            0x06 => {
                take_varint(rest)?;
                let length = take_varint(rest)?;
                take_bytes(rest, length)?;
                0
            }
            // NEW_TOKEN, DATAGRAM with a length (RFC 9221).
            0x07 | 0x31 => {
                let length = take_varint(rest)?;
                take_bytes(rest, length)?;
                0
            }
            kind @ 0x08..=0x0f => return stream_frame(rest, kind),
            // MAX_DATA, MAX_STREAMS, DATA_BLOCKED, STREAMS_BLOCKED, RETIRE_CONNECTION_ID; TIMESTAMP (draft-huitema-quic-ts).
            0x10 | 0x12..=0x14 | 0x16 | 0x17 | 0x19 | 0x02f5 => 1,
            // NEW_CONNECTION_ID: two integers, an identifier with its length, a token of 16 bytes.
            0x18 => {
                let (_, _) = (take_varint(rest)?, take_varint(rest)?);
                let length = take_bytes(rest, 1)?.first().copied()?;
                take_bytes(rest, u64::from(length).saturating_add(16))?;
                0
            }
            // PATH_CHALLENGE, PATH_RESPONSE.
            0x1a | 0x1b => {
                take_bytes(rest, 8)?;
                0
            }
            // CONNECTION_CLOSE, DATAGRAM without a length, and what is not known: nothing that follows can be read.
            _ => return None,
        };
        for _ in 0..integers {
            take_varint(rest)?;
        }
    }
}

/// The body of a STREAM frame (RFC 9000 section 19.8): bits of its type tell which fields are there.
fn stream_frame<'a>(rest: &mut &'a [u8], kind: u64) -> Option<StreamFrame<'a>> {
    let stream = take_varint(rest)?;
    let offset = if kind & 4 != 0 { take_varint(rest)? } else { 0 };
    let data = if kind & 2 != 0 {
        let length = take_varint(rest)?;
        take_bytes(rest, length)?
    } else {
        std::mem::take(rest)
    };
    Some(StreamFrame { stream, offset, data })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMITS: StreamsLimits = StreamsLimits { streams: 4, waiting_bytes: 100, waiting_pieces: 8 };

    #[derive(Default)]
    struct Kept {
        bytes: BTreeMap<u64, Vec<u8>>,
        lost: Vec<u64>,
    }

    impl StreamSink for Kept {
        fn bytes(&mut self, stream: u64, data: &[u8]) -> bool {
            let kept = self.bytes.entry(stream).or_default();
            kept.extend_from_slice(data);
            kept.last() != Some(&b'!')
        }
        fn lost(&mut self, stream: u64) {
            self.lost.push(stream);
        }
    }

    /// A STREAM frame with offset and length.
    fn frame(stream: u8, offset: u8, data: &[u8]) -> Vec<u8> {
        [&[0x0e, stream, offset, data.len() as u8], data].concat()
    }

    #[test]
    fn frames_of_every_kind_are_stepped_over() {
        let ack = [3, 9, 1, 1, 0, 1, 1, 1, 2, 3];
        let others = [4, 0, 1, 2, 5, 0, 1, 6, 0, 2, 7, 7, 7, 1, 9, 0x10, 1, 0x11, 0, 1, 0x31, 2, 8, 8, 0x42, 0xf5, 1, 0x1e];
        let id = [&[0x18, 1, 0, 4][..], &[7; 20], &[0x1a], &[9; 8], &[0, 0, 1]].concat();
        let packet = [&ack[..], &others, &id, &frame(0, 0, b"ab"), &[0x0c, 0, 2], b"cd"].concat();
        let (mut streams, mut kept) = (Streams::new(LIMITS), Kept::default());
        streams.packet(&packet, true, &mut kept);
        assert_eq!(kept.bytes.get(&0).map(Vec::as_slice), Some(&b"abcd"[..]));
    }

    #[test]
    fn only_the_senders_own_streams_count() {
        let packet = [frame(0, 0, b"request"), frame(2, 0, b"client"), frame(3, 0, b"server"), frame(1, 0, b"odd")].concat();
        for (from_client, expected) in [(true, vec![0, 2]), (false, vec![3])] {
            let (mut streams, mut kept) = (Streams::new(LIMITS), Kept::default());
            streams.packet(&packet, from_client, &mut kept);
            assert_eq!(kept.bytes.keys().copied().collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn bounds_are_kept_and_told() {
        let (mut streams, mut kept) = (Streams::new(LIMITS), Kept::default());
        for at in 1..=30 {
            streams.packet(&frame(0, at * 2, b"x"), true, &mut kept);
        }
        assert_eq!((kept.lost.as_slice(), streams.waiting_bytes), (&[0][..], 0), "too many holes");
        for stream in 1..=15 {
            streams.packet(&frame(stream * 4, 1, b"waits"), true, &mut kept);
        }
        assert!(streams.open.len() <= 4 && streams.waiting_bytes <= 20, "{streams:?}");
        streams.packet(&frame(4, 0, b"late"), true, &mut kept);
        assert!(kept.bytes.is_empty(), "a stream that was forgotten does not begin again");
        streams.packet(&frame(60, 0, b"!"), true, &mut kept);
        assert_eq!((kept.bytes.len(), streams.waiting_bytes), (1, 15), "what is not wanted any more is not kept");
    }

    proptest! {
        /// Pieces of one text in any order, overlapping; a byte that differs from the text came later and does not count.
        #[test]
        fn order_and_overlap_change_nothing(pieces in proptest::collection::vec((0_usize..40, 1_usize..20), 0..30)) {
            let text = (100..160_u8).collect::<Vec<_>>();
            let (mut streams, mut kept) = (Streams::new(StreamsLimits { waiting_pieces: 99, ..LIMITS }), Kept::default());
            let (mut seen, mut sent) = (vec![false; 60], vec![]);
            for (at, length) in pieces {
                // What was sent before is falsified now.
                let piece = (at..at + length).map(|place| if seen[place] { 99 } else { text[place] }).collect::<Vec<_>>();
                seen[at..at + length].fill(true);
                sent.push(frame(0, at as u8, &piece));
            }
            for packet in &sent {
                streams.packet(packet, true, &mut kept);
            }
            let whole = seen.iter().take_while(|seen| **seen).count();
            prop_assert_eq!(kept.bytes.remove(&0).unwrap_or_default(), &text[..whole]);
        }

        #[test]
        fn any_bytes_are_survived(packets in proptest::collection::vec(proptest::collection::vec(0_u8..32, 0..60), 0..12)) {
            let (mut streams, mut kept) = (Streams::new(LIMITS), Kept::default());
            for packet in packets {
                streams.packet(&packet, packet.len().is_multiple_of(2), &mut kept);
                prop_assert!(streams.open.len() <= 4 && streams.heap_bytes() < 2000);
            }
        }
    }
}
