//! HPACK decoding of request header blocks (RFC 7541), bounded for an observer that trusts neither end.
//!
//! Promises: no panic, no allocation beyond `HpackLimits`, linear time (a bound on the work of one block that a general-purpose
//! codec, which trusts its peer, need not keep). The tests compare with `loona-hpack` and with the RFC's appendix C.
//! Read next: `huffman.rs`, `mod.rs`.

use super::huffman;
use std::collections::VecDeque;

/// Bounds of one connection's decoder.
#[derive(Clone, Copy, Debug)]
pub(super) struct HpackLimits {
    /// Largest dynamic table that an encoder may ask for, in bytes as RFC 7541 4.1 counts them.
    pub table_bytes: usize,
    /// Decoded names and values of one block.
    pub list_bytes: usize,
    /// Fields of one block.
    pub fields: usize,
}

/// A block that cannot be decoded; the connection's compression state is lost with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) enum HpackError {
    /// Malformed, or refers to an entry that does not exist (the start of the connection may be missing).
    Malformed,
    /// A bound was exceeded.
    TooLarge,
}

/// Decoder state: the dynamic table.
#[derive(Debug)]
pub(super) struct Decoder {
    table: VecDeque<(Vec<u8>, Vec<u8>)>,
    table_bytes: usize,
    table_max: usize,
    limits: HpackLimits,
}

impl Decoder {
    pub fn new(limits: HpackLimits) -> Self {
        Self { table: VecDeque::new(), table_bytes: 0, table_max: limits.table_bytes.min(4096), limits }
    }

    /// Decodes one whole block and calls `field` with each name and value, in order.
    pub fn decode(&mut self, block: &[u8], mut field: impl FnMut(&[u8], &[u8])) -> Result<(), HpackError> {
        let (mut list_bytes, mut fields) = (0usize, 0usize);
        let mut rest = block;
        while let Some(&first) = rest.first() {
            if first & 0xe0 == 0x20 {
                let size = integer(&mut rest, 5)?;
                self.resize(size)?;
                continue;
            }
            let left = self.limits.list_bytes.saturating_sub(list_bytes);
            let used = if first & 0x80 != 0 {
                let (name, value) = self.entry(integer(&mut rest, 7)?)?;
                field(name, value);
                name.len().saturating_add(value.len())
            } else {
                self.literal(&mut rest, first & 0x40 != 0, left, &mut field)?
            };
            list_bytes = list_bytes.saturating_add(used);
            fields = fields.saturating_add(1);
            if list_bytes > self.limits.list_bytes || fields > self.limits.fields {
                return Err(HpackError::TooLarge);
            }
        }
        Ok(())
    }

    /// Bytes held on the heap, at least.
    pub fn heap_bytes(&self) -> usize {
        self.table.capacity().saturating_mul(size_of::<(Vec<u8>, Vec<u8>)>()).saturating_add(self.table_bytes)
    }

    /// A literal field (sections 6.2.1 to 6.2.3); gives the bytes of its name and value.
    fn literal(
        &mut self,
        rest: &mut &[u8],
        indexed: bool,
        room: usize,
        field: &mut impl FnMut(&[u8], &[u8]),
    ) -> Result<usize, HpackError> {
        let index = integer(rest, if indexed { 6 } else { 4 })?;
        let name = if index == 0 { string(rest, 7, room)? } else { self.entry(index)?.0.to_vec() };
        let value = string(rest, 7, room.saturating_sub(name.len()))?;
        field(&name, &value);
        let used = name.len().saturating_add(value.len());
        if indexed {
            self.insert(name, value);
        }
        Ok(used)
    }

    fn entry(&self, index: usize) -> Result<(&[u8], &[u8]), HpackError> {
        let at = index.checked_sub(1).ok_or(HpackError::Malformed)?;
        if let Some((name, value)) = STATIC_TABLE.get(at) {
            return Ok((name.as_bytes(), value.as_bytes()));
        }
        let dynamic = self.table.get(at.saturating_sub(STATIC_TABLE.len()));
        dynamic.map(|(name, value)| (name.as_slice(), value.as_slice())).ok_or(HpackError::Malformed)
    }

    fn insert(&mut self, name: Vec<u8>, value: Vec<u8>) {
        let size = entry_bytes(&name, &value);
        self.evict_to(self.table_max.saturating_sub(size));
        if size <= self.table_max {
            self.table_bytes = self.table_bytes.saturating_add(size);
            self.table.push_front((name, value));
        }
    }

    fn resize(&mut self, size: usize) -> Result<(), HpackError> {
        if size > self.limits.table_bytes {
            return Err(HpackError::TooLarge);
        }
        self.table_max = size;
        self.evict_to(size);
        Ok(())
    }

    fn evict_to(&mut self, size: usize) {
        while self.table_bytes > size {
            let Some((name, value)) = self.table.pop_back() else { break };
            self.table_bytes = self.table_bytes.saturating_sub(entry_bytes(&name, &value));
        }
    }
}

pub(in crate::http) fn entry_bytes(name: &[u8], value: &[u8]) -> usize {
    name.len().saturating_add(value.len()).saturating_add(32)
}

/// An integer with `prefix` bits in the first byte (section 5.1); refused beyond 2^28, which no bound here allows anyway.
pub(in crate::http) fn integer(rest: &mut &[u8], prefix: u32) -> Result<usize, HpackError> {
    let (&first, mut tail) = rest.split_first().ok_or(HpackError::Malformed)?;
    let mask = 0xffu8 >> (8u32.saturating_sub(prefix));
    let mut value = usize::from(first & mask);
    if first & mask == mask {
        let mut shift = 0u32;
        loop {
            let (&byte, after) = tail.split_first().ok_or(HpackError::Malformed)?;
            tail = after;
            value = value.saturating_add(usize::from(byte & 0x7f) << shift);
            if byte & 0x80 == 0 {
                break;
            }
            shift += 7;
            if shift > 21 {
                return Err(HpackError::Malformed);
            }
        }
    }
    *rest = tail;
    Ok(value)
}

/// A string literal (section 5.2) of at most `room` decoded bytes. Its length has `prefix` bits in the first byte, the bit above them
/// tells the Huffman code: 7 in HPACK, also fewer in QPACK (RFC 9204 section 4.1.2).
pub(in crate::http) fn string(rest: &mut &[u8], prefix: u32, room: usize) -> Result<Vec<u8>, HpackError> {
    let huffman_coded = rest.first().ok_or(HpackError::Malformed)? >> prefix & 1 != 0;
    let len = integer(rest, prefix)?;
    let (raw, tail) = rest.split_at_checked(len).ok_or(HpackError::Malformed)?;
    *rest = tail;
    if !huffman_coded {
        return if len <= room { Ok(raw.to_vec()) } else { Err(HpackError::TooLarge) };
    }
    let mut out = Vec::with_capacity(len.saturating_add(len / 2).min(room));
    huffman::decode(raw, room, &mut out).ok_or(if out.len() >= room { HpackError::TooLarge } else { HpackError::Malformed })?;
    Ok(out)
}

/// RFC 7541 appendix A.
const STATIC_TABLE: [(&str, &str); 61] = [
    (":authority", ""),
    (":method", "GET"),
    (":method", "POST"),
    (":path", "/"),
    (":path", "/index.html"),
    (":scheme", "http"),
    (":scheme", "https"),
    (":status", "200"),
    (":status", "204"),
    (":status", "206"),
    (":status", "304"),
    (":status", "400"),
    (":status", "404"),
    (":status", "500"),
    ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"),
    ("accept-language", ""),
    ("accept-ranges", ""),
    ("accept", ""),
    ("access-control-allow-origin", ""),
    ("age", ""),
    ("allow", ""),
    ("authorization", ""),
    ("cache-control", ""),
    ("content-disposition", ""),
    ("content-encoding", ""),
    ("content-language", ""),
    ("content-length", ""),
    ("content-location", ""),
    ("content-range", ""),
    ("content-type", ""),
    ("cookie", ""),
    ("date", ""),
    ("etag", ""),
    ("expect", ""),
    ("expires", ""),
    ("from", ""),
    ("host", ""),
    ("if-match", ""),
    ("if-modified-since", ""),
    ("if-none-match", ""),
    ("if-range", ""),
    ("if-unmodified-since", ""),
    ("last-modified", ""),
    ("link", ""),
    ("location", ""),
    ("max-forwards", ""),
    ("proxy-authenticate", ""),
    ("proxy-authorization", ""),
    ("range", ""),
    ("referer", ""),
    ("refresh", ""),
    ("retry-after", ""),
    ("server", ""),
    ("set-cookie", ""),
    ("strict-transport-security", ""),
    ("transfer-encoding", ""),
    ("user-agent", ""),
    ("vary", ""),
    ("via", ""),
    ("www-authenticate", ""),
];

#[cfg(test)]
mod tests;
