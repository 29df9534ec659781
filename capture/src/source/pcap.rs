//! The classic capture format: microseconds or nanoseconds, either byte order (draft-ietf-opsawg-pcap, §4 and §5).
//!
//! Promises: zero-copy; a record that claims more than any capture writer stores ends the file there (nothing behind it can be
//! trusted), a tail that is cut is reported with its offset; records whose captured length exceeds the wire length are kept.
//!
//! Read next: `pcapng.rs`.

use std::sync::Arc;

use crate::bytes::{be16, be32};
use crate::error::Damage;
use crate::source::map::FileMap;
use crate::source::window::Window;
use crate::source::{Packet, PacketSource, link};

/// Bytes of the file header.
pub const FILE_HEADER_BYTES: usize = 24;
/// Most bytes a record may claim: the bound of libpcap (MAXIMUM_SNAPLEN), or the file's own snap length if that is larger.
pub const MAX_RECORD_BYTES: u32 = 262_144;
/// No snap length above this is believed.
const MAX_SNAP_BYTES: u32 = 128 * 1024 * 1024;

/// A number as the writer's machine stored it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ByteOrder {
    /// Most significant byte first.
    Big,
    /// Least significant byte first.
    Little,
}

impl ByteOrder {
    /// 32-bit value at `at`.
    #[inline]
    #[must_use]
    pub fn u32(self, bytes: &[u8], at: usize) -> Option<u32> {
        let value = be32(bytes, at)?;
        Some(if self == Self::Big { value } else { value.swap_bytes() })
    }

    /// The four 32-bit values of a record header.
    #[inline]
    fn four(self, bytes: [u8; 16]) -> (u32, u32, u32, u32) {
        let [a3, a2, a1, a0, b3, b2, b1, b0, c3, c2, c1, c0, d3, d2, d1, d0] = bytes;
        let read = |bytes: [u8; 4]| if self == Self::Big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) };
        (read([a3, a2, a1, a0]), read([b3, b2, b1, b0]), read([c3, c2, c1, c0]), read([d3, d2, d1, d0]))
    }

    /// 16-bit value at `at`.
    #[inline]
    #[must_use]
    pub fn u16(self, bytes: &[u8], at: usize) -> Option<u16> {
        let value = be16(bytes, at)?;
        Some(if self == Self::Big { value } else { value.swap_bytes() })
    }
}

/// What a file header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    order: ByteOrder,
    /// Nanoseconds per unit of the fraction field.
    fraction_ns: i64,
    /// 16, or 24 in the "modified" format of old Red Hat kernels.
    record_header_bytes: usize,
    link_type: u32,
    max_record_bytes: u32,
}

impl Header {
    /// Reads a file header; `None` if the magic is not one of pcap, or bytes are missing.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let (order, fraction_ns, record_header_bytes) = match be32(bytes, 0)? {
            0xa1b2_c3d4 => (ByteOrder::Big, 1000, 16),
            0xd4c3_b2a1 => (ByteOrder::Little, 1000, 16),
            0xa1b2_3c4d => (ByteOrder::Big, 1, 16),
            0x4d3c_b2a1 => (ByteOrder::Little, 1, 16),
            0xa1b2_cd34 => (ByteOrder::Big, 1000, 24),
            0x34cd_b2a1 => (ByteOrder::Little, 1000, 24),
            _ => return None,
        };
        let snap_bytes = order.u32(bytes, 16)?;
        // The upper bits carry the length of a frame check sequence.
        let link_type = order.u32(bytes, 20)? & 0xffff;
        let believable = if snap_bytes > MAX_SNAP_BYTES { 0 } else { snap_bytes };
        Some(Self { order, fraction_ns, record_header_bytes, link_type, max_record_bytes: believable.max(MAX_RECORD_BYTES) })
    }
}

/// Where a file says what its packets begin with.
const LINK_TYPE_AT: u64 = 20;

/// Reads one file.
#[derive(Debug)]
pub struct PcapReader {
    window: Window,
    name: String,
    header: Header,
    /// The present packet, as bytes at the window's position: header, then data.
    current: Option<Current>,
    damage: Vec<Damage>,
    ended: bool,
}

#[derive(Debug, Clone, Copy)]
struct Current {
    ts_ns: i64,
    data_bytes: usize,
    orig_len: u32,
}

impl PcapReader {
    /// Starts behind the file header, which the caller has looked at but not stepped over.
    #[must_use]
    pub fn new(mut window: Window, name: String, header: Header) -> Self {
        window.skip(FILE_HEADER_BYTES);
        let unread = link::unread(header.link_type);
        let damage = unread.map(|what| Damage { file: name.clone(), offset_bytes: LINK_TYPE_AT, what, resumed: true });
        Self { window, name, header, current: None, damage: damage.into_iter().collect(), ended: false }
    }

    #[cold]
    fn end(&mut self, what: Option<String>) -> bool {
        self.ended = true;
        self.current = None;
        let what = self.window.take_read_error().map(|e| format!("reading stopped: {e}")).or(what);
        if let Some(what) = what {
            self.damage.push(Damage { file: self.name.clone(), offset_bytes: self.window.position(), what, resumed: false });
        }
        false
    }

    fn step_over_current(&mut self) {
        if let Some(current) = self.current.take() {
            self.window.skip(self.header.record_header_bytes.saturating_add(current.data_bytes));
        }
    }
}

impl PacketSource for PcapReader {
    #[inline]
    fn advance(&mut self) -> bool {
        if self.ended {
            return false;
        }
        self.step_over_current();
        let Header { order, fraction_ns, record_header_bytes, max_record_bytes, .. } = self.header;
        let mut bytes = self.window.peek(record_header_bytes);
        if bytes.is_empty() {
            return self.end(None);
        }
        let Some((seconds, fraction, captured, length)) =
            bytes.first_chunk().filter(|_| bytes.len() >= record_header_bytes).map(|head| order.four(*head))
        else {
            let what = format!("the file ends {} bytes into a packet header", bytes.len());
            return self.end(Some(what));
        };
        if captured > max_record_bytes {
            return self.end(Some(format!("a packet claims {captured} captured bytes, over the bound of {max_record_bytes}")));
        }
        let data_bytes = captured as usize;
        let record_bytes = record_header_bytes.saturating_add(data_bytes);
        if bytes.len() < record_bytes {
            bytes = self.window.peek(record_bytes);
        }
        if bytes.len() < record_bytes {
            let there = bytes.len().saturating_sub(record_header_bytes);
            return self.end(Some(format!("the file ends {there} bytes into a packet of {data_bytes}")));
        }
        let ts_ns =
            i64::from(seconds).saturating_mul(1_000_000_000).saturating_add(i64::from(fraction).saturating_mul(fraction_ns));
        self.current = Some(Current { ts_ns, data_bytes, orig_len: length.max(captured) });
        true
    }

    #[inline]
    fn packet(&self) -> Packet<'_> {
        let Some(current) = self.current else {
            return Packet { ts_ns: 0, link_type: self.header.link_type, data: &[], orig_len: 0 };
        };
        let data = self.window.at_hand().get(self.header.record_header_bytes..).and_then(|b| b.get(..current.data_bytes));
        Packet {
            ts_ns: current.ts_ns,
            link_type: self.header.link_type,
            data: data.unwrap_or_default(),
            orig_len: current.orig_len,
        }
    }

    fn maps(&self) -> Vec<Option<Arc<FileMap>>> {
        vec![self.window.map()]
    }

    #[inline]
    fn place_in_map(&self) -> Option<(usize, usize)> {
        Some((0, self.window.place_in_map()?.checked_add(self.header.record_header_bytes)?))
    }

    fn bytes_read(&self) -> u64 {
        self.window.bytes_read()
    }

    fn total_bytes(&self) -> Option<u64> {
        self.window.total_bytes()
    }

    fn take_damage(&mut self) -> Vec<Damage> {
        std::mem::take(&mut self.damage)
    }

    #[inline]
    fn has_secrets(&self) -> bool {
        false
    }

    fn take_secrets(&mut self) -> Vec<Vec<u8>> {
        Vec::new()
    }
}
