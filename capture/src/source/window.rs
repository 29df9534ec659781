//! A view that moves over the bytes of a capture: a mapped file, or a stream read piece by piece.
//!
//! Promises: a stream holds one block plus a read-ahead of 256 KiB, and grows only by bytes that really arrived; a read error
//! ends the bytes and is kept for the report.
//!
//! Read next: `pcap.rs`.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::source::map::FileMap;

const READ_AHEAD_BYTES: usize = 256 * 1024;

/// Bytes of one capture.
pub struct Window {
    bytes: Bytes,
    /// Offset of the first byte not yet stepped over.
    position: u64,
    total_bytes: Option<u64>,
    read_error: Option<String>,
}

enum Bytes {
    Mapped { map: Arc<FileMap>, at: usize },
    Stream { reader: Box<dyn Read + Send>, buffer: Vec<u8>, start: usize, end: usize, ended: bool, taken: Arc<AtomicU64> },
}

impl std::fmt::Debug for Window {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Window").field("position", &self.position).field("total_bytes", &self.total_bytes).finish_non_exhaustive()
    }
}

impl Window {
    /// Over a mapped file.
    #[must_use]
    pub fn mapped(map: FileMap) -> Self {
        let total_bytes = Some(map.len() as u64);
        Self { bytes: Bytes::Mapped { map: Arc::new(map), at: 0 }, position: 0, total_bytes, read_error: None }
    }

    /// Over a stream. `taken` counts the bytes its innermost reader took; `total_bytes` is the size of that, if known.
    #[must_use]
    pub fn stream(reader: Box<dyn Read + Send>, taken: Arc<AtomicU64>, total_bytes: Option<u64>) -> Self {
        let bytes = Bytes::Stream { reader, buffer: Vec::new(), start: 0, end: 0, ended: false, taken };
        Self { bytes, position: 0, total_bytes, read_error: None }
    }

    /// Offset of the first byte not yet stepped over, in the decompressed capture.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The mapped file, if it is one.
    #[must_use]
    pub fn map(&self) -> Option<Arc<FileMap>> {
        match &self.bytes {
            Bytes::Mapped { map, .. } => Some(Arc::clone(map)),
            Bytes::Stream { .. } => None,
        }
    }

    /// Offset of the bytes at hand within the mapped file.
    #[inline]
    #[must_use]
    pub fn place_in_map(&self) -> Option<usize> {
        match &self.bytes {
            Bytes::Mapped { at, .. } => Some(*at),
            Bytes::Stream { .. } => None,
        }
    }

    /// Bytes of the input taken so far.
    #[must_use]
    pub fn bytes_read(&self) -> u64 {
        match &self.bytes {
            Bytes::Mapped { .. } => self.position,
            Bytes::Stream { taken, .. } => taken.load(Ordering::Relaxed),
        }
    }

    /// Size of the input, if known.
    #[must_use]
    pub fn total_bytes(&self) -> Option<u64> {
        self.total_bytes
    }

    /// Why the stream ended early, if it did.
    pub fn take_read_error(&mut self) -> Option<String> {
        self.read_error.take()
    }

    /// The bytes at hand: at least `want` of them, unless the capture ends before.
    #[inline]
    pub fn peek(&mut self, want: usize) -> &[u8] {
        if let Bytes::Stream { start, end, ended: false, .. } = &self.bytes
            && end.saturating_sub(*start) < want
        {
            self.refill(want);
        }
        self.at_hand()
    }

    /// The bytes at hand, without reading more.
    #[inline]
    #[must_use]
    pub fn at_hand(&self) -> &[u8] {
        match &self.bytes {
            Bytes::Mapped { map, at } => map.get(*at..).unwrap_or_default(),
            Bytes::Stream { buffer, start, end, .. } => buffer.get(*start..*end).unwrap_or_default(),
        }
    }

    /// Steps over `n` bytes, which may lie beyond those at hand. Returns how many there were.
    #[inline]
    pub fn skip(&mut self, n: usize) -> usize {
        let mut left = n;
        loop {
            let step = left.min(self.at_hand().len());
            match &mut self.bytes {
                Bytes::Mapped { at, .. } => *at = at.saturating_add(step),
                Bytes::Stream { start, .. } => *start = start.saturating_add(step),
            }
            self.position = self.position.saturating_add(step as u64);
            left = left.saturating_sub(step);
            if left == 0 || self.peek(1).is_empty() {
                return n.saturating_sub(left);
            }
        }
    }

    #[cold]
    fn refill(&mut self, want: usize) {
        let Bytes::Stream { reader, buffer, start, end, ended, .. } = &mut self.bytes else { return };
        buffer.copy_within(*start..*end, 0);
        *end = end.saturating_sub(*start);
        *start = 0;
        while *end < want && !*ended {
            let room = end.saturating_add(READ_AHEAD_BYTES);
            if buffer.len() < room {
                buffer.resize(room, 0);
            }
            match reader.read(buffer.get_mut(*end..).unwrap_or_default()) {
                Ok(0) => *ended = true,
                Ok(n) => *end = end.saturating_add(n),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => {
                    *ended = true;
                    self.read_error = Some(error.to_string());
                }
            }
        }
    }
}

/// Counts what passes through a reader.
#[derive(Debug)]
pub struct CountingReader<R> {
    inner: R,
    taken: Arc<AtomicU64>,
}

impl<R> CountingReader<R> {
    /// Counts into `taken`.
    pub fn new(inner: R, taken: Arc<AtomicU64>) -> Self {
        Self { inner, taken }
    }
}

impl<R: Read> Read for CountingReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.taken.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_gives_its_bytes_in_order_whatever_the_reads() {
        let bytes = (0..600_000_u32).map(|i| (i % 251) as u8).collect::<Vec<_>>();
        let reader = Box::new(std::io::Cursor::new(bytes.clone()));
        let mut window = Window::stream(reader, Arc::default(), None);
        assert_eq!(window.peek(300_000).get(..300_000), bytes.get(..300_000));
        assert_eq!(window.skip(299_999), 299_999);
        assert_eq!(window.peek(2).get(..2), bytes.get(299_999..300_001));
        assert_eq!(window.skip(1_000_000), 300_001);
        assert!(window.peek(1).is_empty());
        assert_eq!(window.position(), 600_000);
    }
}
