//! The client's half of an HTTP/2 connection (RFC 9113): connection fingerprint and requests.
//!
//! Promises: incremental, bounded by `H2Limits`, payloads other than header blocks and a few small frames are skipped and
//! never buffered; the split of the input never changes the result. Once a header block cannot be decoded nothing after it
//! can (HPACK is stateful), so the connection stops with a reason; requests before it are kept.
//! Read next: `fingerprint.rs`, `hpack.rs`.

mod fingerprint;
pub(in crate::http) mod hpack;
mod huffman;

use super::{Header, HttpVersion, Request};
use fingerprint::Collected;
use hpack::{Decoder, HpackError, HpackLimits};

/// Client connection preface (RFC 9113 3.4).
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Bounds of one connection.
#[derive(Clone, Copy, Debug)]
pub struct H2Limits {
    /// Compressed bytes of one header block, HEADERS and its CONTINUATION frames together. Default 65,536.
    pub block_bytes: usize,
    /// CONTINUATION frames of one block (empty ones cost nothing but time). Default 64.
    pub continuations: usize,
    /// Decoded bytes of one header list. Default 262,144.
    pub list_bytes: usize,
    /// Header fields of one list. Default 1,000.
    pub headers: usize,
    /// HPACK dynamic table that a client may use. Default 65,536.
    pub table_bytes: usize,
}

impl Default for H2Limits {
    fn default() -> Self {
        Self { block_bytes: 65_536, continuations: 64, list_bytes: 262_144, headers: 1_000, table_bytes: 65_536 }
    }
}

/// Why no further request will come out of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum H2Stop {
    /// The stream does not begin with the connection preface.
    NoPreface,
    /// A frame breaks RFC 9113, for example one between HEADERS and its CONTINUATION.
    BadFrame,
    /// A header block is malformed, or refers to entries from before the capture began.
    BadHeaderBlock,
    /// A bound of `H2Limits` was exceeded.
    TooLarge,
    /// Bytes of the stream were lost where they cannot be stepped over.
    Gap,
}

/// Parser state of one connection.
#[derive(Debug)]
pub struct H2Client {
    limits: H2Limits,
    phase: Phase,
    /// Preface, frame header or payload as far as it came.
    pending: Vec<u8>,
    block: Option<Block>,
    decoder: Decoder,
    collected: Collected,
    fingerprint: Option<String>,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    Preface,
    FrameHeader,
    Payload(FrameHeader),
    Skip { left: usize },
    Stopped(H2Stop),
}

#[derive(Clone, Copy, Debug)]
struct FrameHeader {
    len: usize,
    kind: u8,
    flags: u8,
    stream: u32,
}

/// A header block under construction.
#[derive(Debug)]
struct Block {
    stream: u32,
    bytes: Vec<u8>,
    continuations: usize,
}

const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
const SETTINGS: u8 = 4;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
const FLAG_ACK: u8 = 0x1;
const FLAG_END_HEADERS: u8 = 0x4;
const FLAG_PADDED: u8 = 0x8;
const FLAG_PRIORITY: u8 = 0x20;

impl Default for H2Client {
    fn default() -> Self {
        Self::new(H2Limits::default())
    }
}

impl H2Client {
    /// A parser at the start of the client's stream.
    #[must_use]
    pub fn new(limits: H2Limits) -> Self {
        let hpack = HpackLimits { table_bytes: limits.table_bytes, list_bytes: limits.list_bytes, fields: limits.headers };
        Self {
            limits,
            phase: Phase::Preface,
            pending: Vec::new(),
            block: None,
            decoder: Decoder::new(hpack),
            collected: Collected::default(),
            fingerprint: None,
        }
    }

    /// Takes the next bytes of the client's stream and appends completed requests to `requests`.
    pub fn feed(&mut self, data: &[u8], requests: &mut Vec<Request>) {
        let mut rest = data;
        loop {
            match self.phase {
                Phase::Preface => match self.take(&mut rest, PREFACE.len()) {
                    Some(bytes) if bytes == PREFACE => self.phase = Phase::FrameHeader,
                    Some(_) => self.stop(H2Stop::NoPreface),
                    None if PREFACE.starts_with(&self.pending) => return,
                    None => self.stop(H2Stop::NoPreface),
                },
                Phase::FrameHeader => match self.take(&mut rest, 9) {
                    Some(bytes) => self.frame_header(&bytes, requests),
                    None => return,
                },
                Phase::Payload(frame) => match self.take(&mut rest, frame.len) {
                    Some(payload) => self.payload(frame, &payload, requests),
                    None => return,
                },
                Phase::Skip { left } => {
                    let now = left.min(rest.len());
                    rest = rest.get(now..).unwrap_or_default();
                    let left = left.saturating_sub(now);
                    if left > 0 {
                        self.phase = Phase::Skip { left };
                        return;
                    }
                    self.phase = Phase::FrameHeader;
                }
                Phase::Stopped(_) => return,
            }
        }
    }

    /// Tells that `lost_bytes` of the stream are missing before the next `feed`; only skipped payloads survive that.
    pub fn gap(&mut self, lost_bytes: u64) {
        match (&mut self.phase, usize::try_from(lost_bytes)) {
            (Phase::Skip { left }, Ok(lost)) if lost < *left => *left = left.saturating_sub(lost),
            (Phase::Stopped(_), _) => {}
            _ => self.stop(H2Stop::Gap),
        }
    }

    /// `SETTINGS|WINDOW_UPDATE|PRIORITY|pseudo-header order`, once the first request was read.
    #[must_use]
    pub fn fingerprint(&self) -> Option<&str> {
        self.fingerprint.as_deref()
    }

    /// Why the parser gave up, if it did.
    #[must_use]
    pub fn stopped(&self) -> Option<H2Stop> {
        if let Phase::Stopped(reason) = self.phase { Some(reason) } else { None }
    }

    /// Bytes held on the heap, for the caller's table of memory.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        let block = self.block.as_ref().map_or(0, |b| b.bytes.capacity());
        self.pending.capacity().saturating_add(block).saturating_add(self.decoder.heap_bytes())
    }

    /// Takes exactly `len` bytes, from earlier segments first; None (all of `rest` kept) while there are fewer.
    fn take(&mut self, rest: &mut &[u8], len: usize) -> Option<Vec<u8>> {
        let missing = len.saturating_sub(self.pending.len());
        let (now, after) = rest.split_at_checked(missing).unwrap_or((rest, &[]));
        self.pending.extend_from_slice(now);
        *rest = after;
        (now.len() == missing).then(|| std::mem::take(&mut self.pending))
    }

    fn frame_header(&mut self, bytes: &[u8], requests: &mut Vec<Request>) {
        let Some(&[l0, l1, l2, kind, flags, s0, s1, s2, s3]) = bytes.first_chunk::<9>() else { return };
        let len = usize::try_from(u32::from_be_bytes([0, l0, l1, l2])).unwrap_or(usize::MAX);
        let frame = FrameHeader { len, kind, flags, stream: u32::from_be_bytes([s0, s1, s2, s3]) & 0x7fff_ffff };
        let continues = self.block.as_ref().map(|block| kind == CONTINUATION && block.stream == frame.stream);
        let wanted = match kind {
            HEADERS | CONTINUATION => true,
            SETTINGS => flags & FLAG_ACK == 0 && self.fingerprint.is_none(),
            PRIORITY => self.fingerprint.is_none(),
            WINDOW_UPDATE => frame.stream == 0 && self.fingerprint.is_none(),
            _ => false,
        };
        match continues {
            Some(false) => self.stop(H2Stop::BadFrame),
            None if kind == CONTINUATION => self.stop(H2Stop::BadFrame),
            _ if wanted && len > self.limits.block_bytes => self.stop(H2Stop::TooLarge),
            _ if wanted && len == 0 => self.payload(frame, &[], requests),
            _ if wanted => self.phase = Phase::Payload(frame),
            _ => self.phase = Phase::Skip { left: len },
        }
    }

    fn payload(&mut self, frame: FrameHeader, payload: &[u8], requests: &mut Vec<Request>) {
        self.phase = Phase::FrameHeader;
        match frame.kind {
            SETTINGS => self.collected.settings(payload),
            PRIORITY => self.collected.priority(frame.stream, payload),
            WINDOW_UPDATE => self.collected.window_update(payload),
            HEADERS => match block_fragment(frame.flags, payload) {
                Some(fragment) => {
                    self.block = Some(Block { stream: frame.stream, bytes: fragment.to_vec(), continuations: 0 });
                    self.end_block(frame.flags, requests);
                }
                None => self.stop(H2Stop::BadFrame),
            },
            _ => {
                let limits = self.limits;
                let Some(block) = &mut self.block else { return };
                block.continuations = block.continuations.saturating_add(1);
                block.bytes.extend_from_slice(payload);
                if block.bytes.len() > limits.block_bytes || block.continuations > limits.continuations {
                    return self.stop(H2Stop::TooLarge);
                }
                self.end_block(frame.flags, requests);
            }
        }
    }

    /// Decodes the block when its last frame has come.
    fn end_block(&mut self, flags: u8, requests: &mut Vec<Request>) {
        if flags & FLAG_END_HEADERS == 0 {
            return;
        }
        let Some(block) = self.block.take() else { return };
        let mut request = Request {
            method: Vec::new(),
            target: Vec::new(),
            version: HttpVersion::Http2,
            headers: Vec::new(),
            authority: Vec::new(),
            scheme: Vec::new(),
            stream_id: block.stream,
        };
        let mut pseudo_order = Vec::new();
        let decoded = self.decoder.decode(&block.bytes, |name, value| match name.strip_prefix(b":") {
            Some(pseudo) => {
                pseudo_order.extend(pseudo.first());
                match pseudo {
                    b"method" => request.method = value.to_vec(),
                    b"path" => request.target = value.to_vec(),
                    b"authority" => request.authority = value.to_vec(),
                    b"scheme" => request.scheme = value.to_vec(),
                    _ => {}
                }
            }
            None => request.headers.push(Header { name: name.to_vec(), value: value.to_vec() }),
        });
        match decoded {
            Err(HpackError::Malformed) => self.stop(H2Stop::BadHeaderBlock),
            Err(HpackError::TooLarge) => self.stop(H2Stop::TooLarge),
            // Without a method it is the trailer section of an earlier request.
            Ok(()) if request.method.is_empty() => {}
            Ok(()) => {
                if self.fingerprint.is_none() {
                    self.fingerprint = Some(self.collected.finish(&pseudo_order));
                }
                requests.push(request);
            }
        }
    }

    fn stop(&mut self, reason: H2Stop) {
        self.phase = Phase::Stopped(reason);
        self.pending = Vec::new();
        self.block = None;
    }
}

/// The header block fragment of a HEADERS payload: without padding and priority (RFC 9113 6.2).
fn block_fragment(flags: u8, payload: &[u8]) -> Option<&[u8]> {
    let mut rest = payload;
    let mut padding = 0;
    if flags & FLAG_PADDED != 0 {
        let (len, tail) = rest.split_first()?;
        (padding, rest) = (usize::from(*len), tail);
    }
    if flags & FLAG_PRIORITY != 0 {
        rest = rest.get(5..)?;
    }
    rest.get(..rest.len().checked_sub(padding)?)
}

#[cfg(test)]
mod tests;
