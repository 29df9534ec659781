//! Packets on their way from a reader thread to the caller, copied out of the kernel's ring.
//!
//! Promises: two allocations for many packets; a batch is full at 64 KiB or 256 packets, whichever comes first, and takes the packet
//! that goes beyond.
//!
//! Read next: `reader.rs`, `merge.rs`.

use crate::error::CaptureError;
use crate::source::Packet;

const FULL_BYTES: usize = 64 * 1024;
const FULL_PACKETS: usize = 256;

/// What a reader sends.
#[derive(Debug)]
pub enum Message {
    /// Packets of one interface.
    Packets(Batch),
    /// Nothing more comes from this interface.
    Ended {
        /// Which.
        place: usize,
        /// Why, unless it was asked to.
        failure: Option<CaptureError>,
    },
}

/// Packets of one interface in the order they were captured.
#[derive(Debug)]
pub struct Batch {
    /// Which interface.
    pub place: usize,
    link_type: u32,
    headers: Vec<Header>,
    bytes: Vec<u8>,
}

#[derive(Debug)]
struct Header {
    ts_ns: i64,
    orig_len: u32,
    /// End of its bytes; they begin where those of the packet before end.
    end: usize,
}

impl Batch {
    /// An empty one.
    #[must_use]
    pub fn new(place: usize, link_type: u32) -> Self {
        Self { place, link_type, headers: Vec::new(), bytes: Vec::new() }
    }

    /// Copies a packet in.
    pub fn push(&mut self, ts_ns: i64, orig_len: u32, data: &[u8]) {
        self.bytes.extend_from_slice(data);
        self.headers.push(Header { ts_ns, orig_len, end: self.bytes.len() });
    }

    /// Takes the packets out into a batch of its own.
    #[must_use]
    pub fn take(&mut self) -> Self {
        std::mem::replace(self, Self::new(self.place, self.link_type))
    }

    /// Whether it should be sent.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.bytes.len() >= FULL_BYTES || self.headers.len() >= FULL_PACKETS
    }

    /// Number of packets.
    #[must_use]
    pub fn len(&self) -> usize {
        self.headers.len()
    }

    /// Memory it takes, roughly; never 0.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        let headers = self.headers.len().saturating_mul(size_of::<Header>());
        size_of::<Self>().saturating_add(headers).saturating_add(self.bytes.len())
    }

    /// Time of the packet at this place, nanoseconds since 1970.
    #[must_use]
    pub fn ts_ns(&self, at: usize) -> Option<i64> {
        self.headers.get(at).map(|header| header.ts_ns)
    }

    /// The packet at this place.
    #[must_use]
    pub fn packet(&self, at: usize) -> Option<Packet<'_>> {
        let header = self.headers.get(at)?;
        let begin = at.checked_sub(1).and_then(|before| self.headers.get(before)).map_or(0, |before| before.end);
        let data = self.bytes.get(begin..header.end)?;
        Some(Packet { ts_ns: header.ts_ns, link_type: self.link_type, data, orig_len: header.orig_len })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_come_out_as_they_went_in() {
        let mut batch = Batch::new(3, 1);
        for (ts_ns, data) in [(5, b"ab".as_slice()), (6, b""), (7, b"cde")] {
            batch.push(ts_ns, 1500, data);
        }
        let sent = batch.take();
        assert_eq!((batch.len(), sent.len(), sent.place), (0, 3, 3));
        let packets = (0..3).map(|at| sent.packet(at).map(|p| (p.ts_ns, p.data.to_vec(), p.orig_len)));
        let expected = [(5, b"ab".to_vec(), 1500), (6, Vec::new(), 1500), (7, b"cde".to_vec(), 1500)];
        assert_eq!(packets.flatten().collect::<Vec<_>>(), expected);
        assert!(sent.packet(3).is_none());
    }
}
