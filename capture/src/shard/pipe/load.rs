//! What the calling thread hands to the sensor's thread: packets, decoded where they are plain.
//!
//! Promises: the order of packets is kept. Those of mapped files are handed over as they lie there, others are copied.
//!
//! Read next: `../pipe.rs`, `../../sensor/slim.rs`.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use crate::decode::plain_tcp;
use crate::flow::key::{FlowKey, Key4, Key6};
use crate::sensor::slim::Slim;
use crate::shard::collect::Batch;
use crate::source::map::{FileMap, fetch};
use crate::source::{Packet, PacketSource};

/// Packets of a load. A hand-over costs a few microseconds where the other thread has to be woken.
const LOAD_PACKETS: u32 = 4096;
/// So many packets ahead, the calling thread fetches record headers before they are asked for. Their place is guessed: as if all
/// were as long as the present one, which is nearly always right where much is carried.
const PACKETS_AHEAD: usize = 8;
/// So many packets it steps over before it decodes the first of them, whose headers are there by then.
const STEPPED_AHEAD: usize = 12;
/// Ethernet, IPv6 and TCP with time stamps, and the first byte of the payload; beyond the second line of a cache.
const HEADER_BYTES: usize = 129;
/// Bytes of a record header of the classic format.
const RECORD_BYTES: usize = 16;

/// Packets on their way to the sensor.
#[derive(Debug, Default)]
pub(super) struct Load<'m> {
    /// What is asked of every packet.
    pub heads: Vec<Head>,
    /// What is asked of those whose connections are not finished, by the same places. Kept apart because memory that one processor
    /// wrote comes slowly to the other: for most packets of a capture that carries much, this does not have to.
    pub frames: Vec<Frame<'m>>,
    /// Keys of the frames over IPv6, which are so much larger than others that they would make every head larger.
    pub keys: Vec<Key6>,
    /// Captured bytes of the slim ones.
    pub slim_bytes: u64,
    /// Bytes of packets that do not lie in a mapped file.
    pub bytes: Vec<u8>,
    /// TLS secrets met in the capture, each with the number of frames before it.
    pub secrets: Vec<(usize, Vec<u8>)>,
    /// An earlier answer, for its memory.
    pub spare: Batch,
    pub first_ns: i64,
    pub last_ns: i64,
    pub is_last: bool,
}

#[derive(Debug)]
pub(super) struct Head {
    pub ts_ns: i64,
    /// Of a plain TCP frame over IPv4.
    pub key: Key4,
    pub kind: Kind,
    /// Bytes of it will probably be read.
    is_wanted: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A plain TCP frame over IPv4, with or without payload.
    V4 { is_empty: bool },
    /// The same over IPv6; its key is the next one of the load.
    V6 { is_empty: bool },
    /// Not decoded.
    Other,
}

#[derive(Debug)]
pub(super) enum Frame<'m> {
    /// A plain TCP frame.
    Slim(Slim<'m>),
    /// Another frame: link type, bytes.
    Mapped(u32, &'m [u8]),
    /// The same, copied.
    Copied(u32, Range<usize>),
}

/// A packet in a mapped file that was stepped over.
#[derive(Debug)]
struct Stepped<'m> {
    ts_ns: i64,
    link_type: u32,
    data: &'m [u8],
}

/// Fills loads.
#[derive(Debug)]
pub(super) struct Reader<'m> {
    maps: &'m [Option<Arc<FileMap>>],
    stepped: VecDeque<Stepped<'m>>,
    /// Captured bytes of the packet before.
    bytes_before: usize,
}

impl<'m> Reader<'m> {
    /// Of a source whose packets lie in these maps, as far as they do.
    pub fn new(maps: &'m [Option<Arc<FileMap>>]) -> Self {
        Self { maps, stepped: VecDeque::with_capacity(STEPPED_AHEAD + 1), bytes_before: 0 }
    }

    /// Takes the next packets. `false` if the source ended.
    pub fn fill(&mut self, load: &mut Load<'m>, source: &mut impl PacketSource) -> bool {
        load.clear();
        for _ in 0..LOAD_PACKETS {
            if !source.advance() {
                load.is_last = true;
                break;
            }
            if source.has_secrets() {
                self.decode_all(load);
                let before = load.frames.len();
                load.secrets.extend(source.take_secrets().into_iter().map(|secrets| (before, secrets)));
            }
            let Packet { ts_ns, link_type, data, .. } = source.packet();
            load.first_ns = load.first_ns.min(ts_ns);
            load.last_ns = load.last_ns.max(ts_ns);
            match self.mapped(source, data.len()) {
                Some(data) => {
                    self.stepped.push_back(Stepped { ts_ns, link_type, data });
                    if self.stepped.len() > STEPPED_AHEAD {
                        self.decode_next(load);
                    }
                }
                None => {
                    self.decode_all(load);
                    let start = load.bytes.len();
                    load.bytes.extend_from_slice(data);
                    load.push(ts_ns, None, Frame::Copied(link_type, start..load.bytes.len()));
                }
            }
        }
        self.decode_all(load);
        !load.is_last
    }

    /// The present packet's bytes where they lie in a mapped file. Its headers are fetched, and where the head of a later one
    /// probably is.
    #[inline]
    fn mapped(&mut self, source: &impl PacketSource, bytes: usize) -> Option<&'m [u8]> {
        let (file, at) = source.place_in_map()?;
        let map: &'m FileMap = self.maps.get(file)?.as_ref()?;
        let record_bytes = bytes.saturating_add(RECORD_BYTES);
        let changed = std::mem::replace(&mut self.bytes_before, bytes) != bytes;
        // Where the length changes, all guesses for the packets in between were wrong.
        for packets in if changed { 1 } else { PACKETS_AHEAD }..=PACKETS_AHEAD {
            map.fetch_ahead(at.saturating_add(record_bytes.saturating_mul(packets)).saturating_sub(RECORD_BYTES));
        }
        let data = map.get(at..)?.get(..bytes)?;
        fetch(data.get(..HEADER_BYTES).unwrap_or(data));
        Some(data)
    }

    #[inline]
    fn decode_all(&mut self, load: &mut Load<'m>) {
        while !self.stepped.is_empty() {
            self.decode_next(load);
        }
    }

    /// Decodes the packet that was stepped over first, if it is a plain one, and adds it to the load.
    #[inline]
    fn decode_next(&mut self, load: &mut Load<'m>) {
        let Some(Stepped { ts_ns, link_type, data }) = self.stepped.pop_front() else { return };
        match plain_tcp(link_type, data).and_then(|segment| Slim::new(&segment)) {
            None => load.push(ts_ns, None, Frame::Mapped(link_type, data)),
            Some((key, slim)) => {
                load.slim_bytes = load.slim_bytes.wrapping_add(data.len() as u64);
                load.push(ts_ns, Some(key), Frame::Slim(slim));
            }
        }
    }
}

impl<'m> Load<'m> {
    #[inline]
    fn push(&mut self, ts_ns: i64, key: Option<FlowKey>, frame: Frame<'m>) {
        let (is_empty, is_wanted) = match &frame {
            Frame::Slim(slim) => (slim.is_empty(), slim.has_handshake()),
            Frame::Mapped(..) => (false, true),
            Frame::Copied(..) => (false, false),
        };
        let (key, kind) = match key {
            Some(FlowKey::V4(key)) => (key, Kind::V4 { is_empty }),
            Some(FlowKey::V6(key)) => {
                self.keys.push(key);
                (Key4::default(), Kind::V6 { is_empty })
            }
            None => (Key4::default(), Kind::Other),
        };
        self.heads.push(Head { ts_ns, key, kind, is_wanted });
        self.frames.push(frame);
    }

    fn clear(&mut self) {
        self.heads.clear();
        self.frames.clear();
        self.keys.clear();
        self.bytes.clear();
        self.secrets.clear();
        self.slim_bytes = 0;
        (self.first_ns, self.last_ns) = (i64::MAX, i64::MIN);
    }

    /// Fetches what will be read of the frame at `place`: of a plain one the handshake it may carry, of others the headers.
    #[inline]
    pub fn fetch(&self, place: usize) {
        if self.heads.get(place).is_none_or(|head| !head.is_wanted) {
            return;
        }
        match self.frames.get(place) {
            Some(Frame::Slim(slim)) => fetch(slim.payload()),
            Some(Frame::Mapped(_, data)) => fetch(data.get(..HEADER_BYTES).unwrap_or(data)),
            Some(Frame::Copied(..)) | None => {}
        }
    }
}
