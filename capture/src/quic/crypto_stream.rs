//! Reassembly of one direction's CRYPTO frames: any order, overlapping, repeated (RFC 9000 section 19.6). DTLS uses it for the
//! fragments of a handshake message, which obey the same rules (RFC 6347 section 4.2.3).
//!
//! Promises: memory is bounded by `limit_bytes` of assembled plus as much of waiting data, and by `limit_segments`
//! waiting segments; bytes once assembled never change (first wins), so replays cannot rewrite a hello. A segment that
//! continues the assembled bytes is always taken, so the bounds cannot be used to block a well-ordered sender.
//! Read next: `connection.rs`.

/// Reassembled handshake bytes from offset 0.
#[derive(Debug, Default)]
pub(crate) struct CryptoStream {
    assembled: Vec<u8>,
    /// Segments ahead of `assembled`, by offset. Offsets fit usize because they are below `limit_bytes`.
    waiting: Vec<(usize, Vec<u8>)>,
    waiting_bytes: usize,
}

/// Bounds of one stream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StreamLimits {
    pub bytes: usize,
    pub segments: usize,
}

impl CryptoStream {
    /// Adds `data` at `offset`; false when a bound refused some of it.
    pub fn insert(&mut self, offset: u64, data: &[u8], limits: StreamLimits) -> bool {
        let Ok(offset) = usize::try_from(offset) else { return false };
        let Some(end) = offset.checked_add(data.len()) else { return false };
        if end > limits.bytes {
            return false;
        }
        if offset > self.assembled.len() {
            return self.wait(offset, end, data, limits);
        }
        self.append(offset, data);
        self.drain_waiting();
        true
    }

    /// The first handshake message, type byte to last body byte, once complete.
    pub fn first_message(&self) -> Option<&[u8]> {
        self.assembled.get(..self.first_message_len()?)
    }

    /// False when the first message declares more bytes than the stream may ever hold.
    pub fn can_complete(&self, limits: StreamLimits) -> bool {
        self.first_message_len().is_none_or(|len| len <= limits.bytes)
    }

    /// Drops everything but the first message.
    pub fn finish(&mut self) {
        if let Some(len) = self.first_message_len() {
            self.assembled.truncate(len);
            self.assembled.shrink_to_fit();
        }
        self.waiting = Vec::new();
        self.waiting_bytes = 0;
    }

    /// Bytes held on the heap.
    pub fn heap_bytes(&self) -> usize {
        let entries = self.waiting.capacity().saturating_mul(size_of::<(usize, Vec<u8>)>());
        self.assembled.capacity().saturating_add(self.waiting_bytes).saturating_add(entries)
    }

    fn first_message_len(&self) -> Option<usize> {
        let [_kind, a, b, c] = *self.assembled.first_chunk::<4>()?;
        usize::try_from(u32::from_be_bytes([0, a, b, c])).ok()?.checked_add(4)
    }

    fn append(&mut self, offset: usize, data: &[u8]) {
        let known = self.assembled.len().saturating_sub(offset);
        if let Some(new) = data.get(known..) {
            self.assembled.extend_from_slice(new);
        }
    }

    fn wait(&mut self, offset: usize, end: usize, data: &[u8], limits: StreamLimits) -> bool {
        let covered = self.waiting.iter().any(|(at, kept)| *at <= offset && at.saturating_add(kept.len()) >= end);
        if covered {
            return true;
        }
        let total = self.waiting_bytes.saturating_add(data.len());
        if self.waiting.len() >= limits.segments || total > limits.bytes {
            return false;
        }
        let place = self.waiting.partition_point(|(at, _)| *at <= offset);
        self.waiting.insert(place, (offset, data.to_vec()));
        self.waiting_bytes = total;
        true
    }

    fn drain_waiting(&mut self) {
        let mut ready = 0;
        let mut waiting = std::mem::take(&mut self.waiting);
        for (offset, data) in &waiting {
            if *offset > self.assembled.len() {
                break;
            }
            self.append(*offset, data);
            self.waiting_bytes = self.waiting_bytes.saturating_sub(data.len());
            ready += 1;
        }
        waiting.drain(..ready);
        self.waiting = waiting;
    }
}
