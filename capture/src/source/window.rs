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
/// The first read is small, so that a small capture costs little; each later one is twice as large, up to the read-ahead.
const FIRST_READ_BYTES: usize = 16 * 1024;

/// Bytes of one capture.
pub struct Window {
    store: Store,
    /// The bytes at hand, as a range of the store.
    start: usize,
    end: usize,
    /// Offset of the first byte not yet stepped over.
    position: u64,
    total_bytes: Option<u64>,
    read_error: Option<String>,
}

enum Store {
    Mapped(Arc<FileMap>),
    Stream { reader: Box<dyn Read + Send>, buffer: Vec<u8>, ended: bool, taken: Arc<AtomicU64> },
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
        let (end, total_bytes) = (map.len(), Some(map.len() as u64));
        Self { store: Store::Mapped(Arc::new(map)), start: 0, end, position: 0, total_bytes, read_error: None }
    }

    /// Over a stream. `taken` counts the bytes its innermost reader took; `total_bytes` is the size of that, if known.
    #[must_use]
    pub fn stream(reader: Box<dyn Read + Send>, taken: Arc<AtomicU64>, total_bytes: Option<u64>) -> Self {
        let store = Store::Stream { reader, buffer: Vec::new(), ended: false, taken };
        Self { store, start: 0, end: 0, position: 0, total_bytes, read_error: None }
    }

    /// Offset of the first byte not yet stepped over, in the decompressed capture.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The mapped file, if it is one.
    #[must_use]
    pub fn map(&self) -> Option<Arc<FileMap>> {
        match &self.store {
            Store::Mapped(map) => Some(Arc::clone(map)),
            Store::Stream { .. } => None,
        }
    }

    /// Offset of the bytes at hand within the mapped file.
    #[inline]
    #[must_use]
    pub fn place_in_map(&self) -> Option<usize> {
        match &self.store {
            Store::Mapped(_) => Some(self.start),
            Store::Stream { .. } => None,
        }
    }

    /// Bytes of the input taken so far.
    #[must_use]
    pub fn bytes_read(&self) -> u64 {
        match &self.store {
            Store::Mapped(_) => self.position,
            Store::Stream { taken, .. } => taken.load(Ordering::Relaxed),
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
        if self.end.saturating_sub(self.start) < want {
            self.refill(want);
        }
        self.at_hand()
    }

    /// The bytes at hand, without reading more.
    #[inline]
    #[must_use]
    pub fn at_hand(&self) -> &[u8] {
        let bytes: &[u8] = match &self.store {
            Store::Mapped(map) => map,
            Store::Stream { buffer, .. } => buffer,
        };
        bytes.get(self.start..self.end).unwrap_or_default()
    }

    /// Steps over `n` bytes, which may lie beyond those at hand. Returns how many there were.
    #[inline]
    pub fn skip(&mut self, n: usize) -> usize {
        if self.end.saturating_sub(self.start) >= n {
            self.start = self.start.saturating_add(n);
            self.position = self.position.saturating_add(n as u64);
            return n;
        }
        self.skip_far(n)
    }

    #[cold]
    fn skip_far(&mut self, n: usize) -> usize {
        let mut left = n;
        loop {
            let step = left.min(self.end.saturating_sub(self.start));
            self.start = self.start.saturating_add(step);
            self.position = self.position.saturating_add(step as u64);
            left = left.saturating_sub(step);
            if left == 0 || self.peek(1).is_empty() {
                return n.saturating_sub(left);
            }
        }
    }

    #[cold]
    fn refill(&mut self, want: usize) {
        let Store::Stream { reader, buffer, ended, .. } = &mut self.store else { return };
        if *ended {
            return;
        }
        buffer.copy_within(self.start..self.end, 0);
        self.end = self.end.saturating_sub(self.start);
        self.start = 0;
        while self.end < want && !*ended {
            let ahead = buffer.len().saturating_mul(2).clamp(FIRST_READ_BYTES, READ_AHEAD_BYTES);
            let room = self.end.saturating_add(ahead);
            if buffer.len() < room {
                buffer.resize(room, 0);
            }
            match reader.read(buffer.get_mut(self.end..).unwrap_or_default()) {
                Ok(0) => *ended = true,
                Ok(n) => self.end = self.end.saturating_add(n),
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
