//! Requests of an HTTP/3 connection (RFC 9114) out of the bytes of its streams.
//!
//! Promises: incremental, bounded by `H3Limits`; of a request's stream only the first field section is kept, DATA is stepped over; the
//! cut of a stream never changes the result, nor does the order in which streams arrive, but for the order of requests. A field
//! section that refers to QPACK entries still to come waits for them, within a bound.
//! Read next: `qpack.rs`; `../../quic/streams.rs`, which puts the streams in order.

mod qpack;

use std::collections::BTreeMap;

use super::{Header, HttpVersion, Request};
use crate::quic::packet::{take_bytes, take_varint};
use qpack::{Decoder, QpackError, QpackLimits};

/// Bounds of one connection.
#[derive(Clone, Copy, Debug)]
pub struct H3Limits {
    /// Compressed bytes of one field section, and of a SETTINGS frame. Default 65,536.
    pub section_bytes: usize,
    /// Field sections that wait for QPACK entries; together at most `section_bytes`. Default 64.
    pub blocked: usize,
    /// Decoded bytes of one field section. Default 262,144.
    pub list_bytes: usize,
    /// Header fields of one section. Default 1,000.
    pub headers: usize,
    /// QPACK dynamic table that a client may use. Default 65,536.
    pub table_bytes: usize,
    /// Streams whose state is kept. Default 1,024; beyond, the ones opened first are forgotten.
    pub streams: usize,
}

impl Default for H3Limits {
    fn default() -> Self {
        Self { section_bytes: 65_536, blocked: 64, list_bytes: 262_144, headers: 1_000, table_bytes: 65_536, streams: 1_024 }
    }
}

/// State of one connection, both directions.
#[derive(Debug)]
pub struct H3Connection {
    limits: H3Limits,
    streams: BTreeMap<u64, Stream>,
    decoder: Decoder,
    blocked: Vec<Section>,
    /// The encoder stream broke: sections that use the dynamic table are lost.
    qpack_broken: bool,
    lost_sections: u64,
}

/// A field section of a request.
#[derive(Debug)]
struct Section {
    stream: u64,
    bytes: Vec<u8>,
}

/// What a stream is (RFC 9000 section 2.1, RFC 9114 section 6).
#[derive(Debug)]
enum Stream {
    /// Bidirectional, opened by the client: a request.
    Request(Frames),
    /// Unidirectional, its type not yet read.
    Untold(Vec<u8>),
    /// The server's control stream, until its SETTINGS.
    Control(Frames),
    /// The client's QPACK encoder stream.
    Encoder,
    /// Nothing more is wanted.
    Done,
}

const CONTROL: u64 = 0;
const QPACK_ENCODER: u64 = 2;
/// Frame types (RFC 9114 section 7.2).
const HEADERS: u64 = 1;
const SETTINGS: u64 = 4;
/// SETTINGS_QPACK_MAX_TABLE_CAPACITY (RFC 9204 section 5).
const MAX_TABLE_CAPACITY: u64 = 1;
/// Longest instruction of a QPACK encoder that is believed: a field no larger than its table.
const INSTRUCTION_BYTES: usize = 65_536 + 64;

impl Default for H3Connection {
    fn default() -> Self {
        Self::new(H3Limits::default())
    }
}

impl H3Connection {
    /// A connection of which nothing was seen.
    #[must_use]
    pub fn new(limits: H3Limits) -> Self {
        let qpack = QpackLimits {
            table_bytes: limits.table_bytes,
            instruction_bytes: INSTRUCTION_BYTES,
            list_bytes: limits.list_bytes,
            fields: limits.headers,
        };
        Self {
            limits,
            streams: BTreeMap::new(),
            decoder: Decoder::new(qpack),
            blocked: Vec::new(),
            qpack_broken: false,
            lost_sections: 0,
        }
    }

    /// Takes the next bytes of a stream, in its order; completed requests are appended to `requests`. `false`: nothing more of this
    /// stream is wanted.
    pub fn feed(&mut self, stream: u64, mut data: &[u8], requests: &mut Vec<Request>) -> bool {
        if !self.streams.contains_key(&stream) && self.streams.len() >= self.limits.streams {
            // Request streams come in ascending order; the first are the most likely to be over. The few others stay.
            let oldest = self.streams.keys().find(|id| *id & 3 == 0).copied();
            oldest.and_then(|id| self.streams.remove(&id));
        }
        let mut state = self.streams.remove(&stream).unwrap_or_else(|| Stream::opened(stream));
        if let Stream::Untold(head) = &mut state {
            head.extend_from_slice(data);
            let mut rest = head.as_slice();
            let Some(kind) = take_varint(&mut rest) else {
                self.streams.insert(stream, state);
                return true;
            };
            let behind = rest.to_vec();
            state = Stream::told(stream, kind);
            self.streams.insert(stream, state);
            return self.feed(stream, &behind, requests);
        }
        state = match state {
            Stream::Request(mut frames) => loop {
                match frames.next(&mut data, self.limits.section_bytes) {
                    Next::Frame(HEADERS, bytes) => {
                        self.section(Section { stream, bytes }, requests);
                        break Stream::Done;
                    }
                    Next::Frame(..) => {}
                    Next::More => break Stream::Request(frames),
                    Next::Broken => break Stream::Done,
                }
            },
            Stream::Control(mut frames) => match frames.next(&mut data, self.limits.section_bytes) {
                // SETTINGS is the first frame, and there is one (RFC 9114 section 6.2.1).
                Next::Frame(SETTINGS, settings) => {
                    self.settings(&settings);
                    self.unblock(requests);
                    Stream::Done
                }
                Next::More => Stream::Control(frames),
                Next::Frame(..) | Next::Broken => Stream::Done,
            },
            Stream::Encoder => {
                self.decoder.push(data);
                self.follow_encoder(requests)
            }
            Stream::Untold(_) | Stream::Done => Stream::Done,
        };
        let wanted = !matches!(state, Stream::Done);
        self.streams.insert(stream, state);
        wanted
    }

    /// Bytes of a stream are missing and will not come.
    pub fn lost(&mut self, stream: u64) {
        if matches!(self.streams.insert(stream, Stream::Done), Some(Stream::Encoder)) {
            self.lose_encoder();
        }
    }

    /// Field sections that could not be decoded, or not kept.
    #[must_use]
    pub fn lost_sections(&self) -> u64 {
        self.lost_sections
    }

    /// Bytes held on the heap, at least.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        let streams = self.streams.values().map(|stream| match stream {
            Stream::Request(frames) | Stream::Control(frames) => frames.held.capacity(),
            Stream::Untold(head) => head.capacity(),
            Stream::Encoder | Stream::Done => 0,
        });
        let table = self.streams.len().saturating_mul(size_of::<(u64, Stream)>());
        let blocked = self.blocked.iter().map(|section| section.bytes.capacity());
        streams.chain(blocked).fold(table.saturating_add(self.decoder.heap_bytes()), usize::saturating_add)
    }

    /// Decodes a section, or keeps it until its entries have come.
    fn section(&mut self, section: Section, requests: &mut Vec<Request>) {
        match self.request(&section) {
            Ok(request) => requests.extend(request),
            Err(QpackError::Blocked) if self.may_wait(&section) => self.blocked.push(section),
            Err(_) => self.lost_sections = self.lost_sections.saturating_add(1),
        }
    }

    fn may_wait(&self, section: &Section) -> bool {
        let bytes = self.blocked.iter().map(|waiting| waiting.bytes.len()).fold(section.bytes.len(), usize::saturating_add);
        !self.qpack_broken && self.blocked.len() < self.limits.blocked && bytes <= self.limits.section_bytes
    }

    /// Tries what waited, in its order.
    fn unblock(&mut self, requests: &mut Vec<Request>) {
        if self.blocked.is_empty() {
            return;
        }
        for section in std::mem::take(&mut self.blocked) {
            self.section(section, requests);
        }
    }

    /// What waits is tried after each instruction: a later one may evict what it needs.
    fn follow_encoder(&mut self, requests: &mut Vec<Request>) -> Stream {
        loop {
            match self.decoder.step() {
                Ok(true) => self.unblock(requests),
                Ok(false) => return Stream::Encoder,
                Err(_) => {
                    self.lose_encoder();
                    return Stream::Done;
                }
            }
        }
    }

    fn lose_encoder(&mut self) {
        self.qpack_broken = true;
        self.lost_sections = self.lost_sections.saturating_add(self.blocked.len() as u64);
        self.blocked = Vec::new();
    }

    fn request(&self, section: &Section) -> Result<Option<Request>, QpackError> {
        let mut request = Request {
            method: Vec::new(),
            target: Vec::new(),
            version: HttpVersion::Http3,
            headers: Vec::new(),
            authority: Vec::new(),
            scheme: Vec::new(),
            stream_id: u32::try_from(section.stream).unwrap_or(u32::MAX),
        };
        self.decoder.decode(&section.bytes, |name, value| match name {
            b":method" => request.method = value.to_vec(),
            b":path" => request.target = value.to_vec(),
            b":authority" => request.authority = value.to_vec(),
            b":scheme" => request.scheme = value.to_vec(),
            [b':', ..] => {}
            _ => request.headers.push(Header { name: name.to_vec(), value: value.to_vec() }),
        })?;
        Ok(Some(request).filter(|request| !request.method.is_empty()))
    }

    fn settings(&mut self, mut payload: &[u8]) {
        let mut capacity = 0;
        while let (Some(name), Some(value)) = (take_varint(&mut payload), take_varint(&mut payload)) {
            if name == MAX_TABLE_CAPACITY {
                capacity = value;
            }
        }
        self.decoder.announce(capacity);
    }
}

impl Stream {
    fn opened(id: u64) -> Self {
        match id & 3 {
            0 => Self::Request(Frames::default()),
            2 | 3 => Self::Untold(Vec::new()),
            // Bidirectional, by the server: HTTP/3 has none.
            _ => Self::Done,
        }
    }

    /// A unidirectional stream of this type (RFC 9114 section 6.2, RFC 9204 section 4.2).
    fn told(id: u64, kind: u64) -> Self {
        let by_server = id & 1 != 0;
        match kind {
            CONTROL if by_server => Self::Control(Frames::default()),
            QPACK_ENCODER if !by_server => Self::Encoder,
            _ => Self::Done,
        }
    }
}

/// Takes a stream apart into frames (RFC 9114 section 7.1); only those asked for are kept.
#[derive(Debug, Default)]
struct Frames {
    /// Head, or payload of a kept frame, as far as it came.
    held: Vec<u8>,
    /// Type and length of the present frame.
    head: Option<(u64, u64)>,
}

enum Next {
    /// A whole frame: HEADERS or SETTINGS; or one that was stepped over, without its bytes.
    Frame(u64, Vec<u8>),
    More,
    Broken,
}

impl Frames {
    fn next(&mut self, data: &mut &[u8], bound: usize) -> Next {
        while self.head.is_none() {
            let Some((first, rest)) = data.split_first() else { return Next::More };
            self.held.push(*first);
            *data = rest;
            let mut head = self.held.as_slice();
            if let (Some(kind), Some(length)) = (take_varint(&mut head), take_varint(&mut head)) {
                self.head = Some((kind, length));
                self.held.clear();
            }
        }
        let Some((kind, left)) = self.head else { return Next::Broken };
        let wanted = matches!(kind, HEADERS | SETTINGS);
        if wanted && left > bound as u64 {
            return Next::Broken;
        }
        let missing = left.saturating_sub(self.held.len() as u64);
        let now = take_bytes(data, missing).unwrap_or_else(|| std::mem::take(data));
        if wanted {
            self.held.extend_from_slice(now);
        } else {
            self.head = Some((kind, left.saturating_sub(now.len() as u64)));
        }
        if (now.len() as u64) < missing {
            return Next::More;
        }
        self.head = None;
        Next::Frame(kind, std::mem::take(&mut self.held))
    }
}

#[cfg(test)]
mod tests;
