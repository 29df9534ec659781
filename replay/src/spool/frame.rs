//! The bytes of a segment: a header, then frames. Every frame says where it belongs, so that reading goes on behind any damage.
//!
//! Segment header, 24 bytes: `JA4SPOOL`, version (u32), first sequence number (u64), CRC-32 of these 20.
//! Frame: `J4Fr`, payload length (u32), sequence number (u64), kind (u8), flags (u8), 2 zero bytes, CRC-32 of these 20, payload, CRC-32 of
//! the payload. All numbers little-endian. CRC-32 is IEEE's (crc32fast).
//!
//! Promises: [`Scan`] gives every whole frame of any bytes, in order, and the ranges between them, the same ones whether the bytes come at
//! once or piece by piece; it never reads beyond the slice and always ends.
//!
//! Read next: `recover.rs`, which judges the ranges.

use std::ops::Range;

/// Longest payload.
pub const MAX_PAYLOAD_BYTES: usize = 64 << 20;

/// Bytes before the first frame.
pub const SEGMENT_HEADER_BYTES: usize = 24;
/// Bytes of a frame beside its payload.
pub const FRAME_OVERHEAD_BYTES: usize = FRAME_HEADER_BYTES + 4;

const FRAME_HEADER_BYTES: usize = 24;
const SEGMENT_MAGIC: &[u8; 8] = b"JA4SPOOL";
const FRAME_MAGIC: &[u8; 4] = b"J4Fr";
const VERSION: u32 = 1;

/// First record of a group.
pub const FLAG_FIRST: u8 = 1;
/// Last record of a group.
pub const FLAG_LAST: u8 = 2;

/// A whole frame in a slice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    pub seq: u64,
    pub kind: u8,
    pub flags: u8,
    /// From the frame's first byte to behind its last.
    pub at: Range<usize>,
    pub payload: Range<usize>,
}

/// The header of a segment.
pub fn segment_header(first_seq: u64) -> [u8; SEGMENT_HEADER_BYTES] {
    let mut header = Vec::with_capacity(SEGMENT_HEADER_BYTES);
    header.extend_from_slice(SEGMENT_MAGIC);
    header.extend_from_slice(&VERSION.to_le_bytes());
    header.extend_from_slice(&first_seq.to_le_bytes());
    header.extend_from_slice(&crc32fast::hash(&header).to_le_bytes());
    header.try_into().unwrap_or([0; SEGMENT_HEADER_BYTES])
}

/// Whether `bytes` open with the header of this segment.
pub fn is_segment_header(bytes: &[u8], first_seq: u64) -> bool {
    bytes.get(..SEGMENT_HEADER_BYTES).is_some_and(|found| found == segment_header(first_seq))
}

/// Appends a frame to `out`.
pub fn write_frame(out: &mut Vec<u8>, seq: u64, kind: u8, flags: u8, payload: &[u8]) {
    let begin = out.len();
    out.extend_from_slice(FRAME_MAGIC);
    out.extend_from_slice(&u32::try_from(payload.len()).unwrap_or(u32::MAX).to_le_bytes());
    out.extend_from_slice(&seq.to_le_bytes());
    out.extend_from_slice(&[kind, flags, 0, 0]);
    let header = crc32fast::hash(out.get(begin..).unwrap_or_default());
    out.extend_from_slice(&header.to_le_bytes());
    out.extend_from_slice(payload);
    out.extend_from_slice(&crc32fast::hash(payload).to_le_bytes());
}

/// What a scan came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// A whole frame.
    Frame(Frame),
    /// No further frame is whole, but one may be once more bytes follow: everything before this offset is done with.
    More(usize),
}

/// Goes through the frames of a segment's bytes.
#[derive(Debug)]
pub struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Scan<'a> {
    /// Begins at `at`.
    pub fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at }
    }

    /// The next whole frame of bytes that are all there are, however far away.
    pub fn next_frame(&mut self) -> Option<Frame> {
        let mut from = self.at;
        loop {
            let at = self.next_magic(from)?;
            if let Some(frame) = frame_at(self.bytes, at) {
                self.at = frame.at.end;
                return Some(frame);
            }
            from = at.checked_add(1)?;
        }
    }

    /// The next whole frame of bytes that others may follow. A frame whose end is not there yet is waited for: what looks like a frame
    /// inside its payload is not one.
    pub fn next_or_more(&mut self) -> Found {
        let mut from = self.at;
        while let Some(at) = self.next_magic(from) {
            if is_cut_off(self.bytes, at) {
                return Found::More(at);
            }
            if let Some(frame) = frame_at(self.bytes, at) {
                self.at = frame.at.end;
                return Found::Frame(frame);
            }
            from = at.saturating_add(1);
        }
        // The last bytes may be the first ones of a frame.
        Found::More(self.bytes.len().saturating_sub(FRAME_MAGIC.len() - 1).max(from).min(self.bytes.len()))
    }

    fn next_magic(&self, from: usize) -> Option<usize> {
        from.checked_add(memchr::memmem::find(self.bytes.get(from..)?, FRAME_MAGIC)?)
    }
}

/// Whether what begins at `at` is a frame, as far as it is there, and is not all there.
fn is_cut_off(bytes: &[u8], at: usize) -> bool {
    let rest = bytes.get(at..).unwrap_or_default();
    rest.len() < FRAME_HEADER_BYTES
        || payload_bytes(rest).is_some_and(|length| rest.len() < length.saturating_add(FRAME_OVERHEAD_BYTES))
}

/// Length of the payload behind a header, if the header is whole.
fn payload_bytes(frame: &[u8]) -> Option<usize> {
    let (signed, checksum) = frame.get(..FRAME_HEADER_BYTES)?.split_last_chunk::<4>()?;
    if crc32fast::hash(signed) != u32::from_le_bytes(*checksum) {
        return None;
    }
    let length = usize::try_from(u32::from_le_bytes(*signed.get(4..)?.first_chunk::<4>()?)).ok()?;
    (length <= MAX_PAYLOAD_BYTES).then_some(length)
}

/// The frame that begins at `at`, if it is whole.
fn frame_at(bytes: &[u8], at: usize) -> Option<Frame> {
    let signed = bytes.get(at..)?;
    let length = payload_bytes(signed)?;
    let seq = u64::from_le_bytes(*signed.get(8..)?.first_chunk::<8>()?);
    let (kind, flags) = (*signed.get(16)?, *signed.get(17)?);
    let payload = at.checked_add(FRAME_HEADER_BYTES)?..at.checked_add(FRAME_HEADER_BYTES)?.checked_add(length)?;
    let end = payload.end.checked_add(4)?;
    let checksum = bytes.get(payload.end..end)?.first_chunk::<4>()?;
    (crc32fast::hash(bytes.get(payload.clone())?) == u32::from_le_bytes(*checksum)).then_some(Frame {
        seq,
        kind,
        flags,
        at: at..end,
        payload,
    })
}
