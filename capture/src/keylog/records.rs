//! TLS records cut from a byte stream, handshake messages cut from records, certificates cut from handshake messages.
//!
//! Promises: bounded buffers; each byte is copied once; declared lengths never reserve memory. Sources: RFC 8446 sections 4,
//! 4.4.2 and 5.1.
//! Read next: `decrypt.rs`.

/// Longest record: 2^14 bytes and the expansion that TLS 1.2 allows (RFC 5246 6.2.3).
const RECORD_MAX_BYTES: usize = 16_384 + 2_048;

/// One direction's stream, cut into records.
#[derive(Debug, Default)]
pub(super) struct RecordBuffer {
    bytes: Vec<u8>,
}

/// A complete record: header and fragment, writable for opening in place.
pub(super) struct Record<'a> {
    pub header: [u8; 5],
    pub fragment: &'a mut [u8],
}

impl RecordBuffer {
    /// Moves bytes of `rest` into the buffer until a record is complete and hands that to `on_record`.
    ///
    /// Some(value) when a record was handed out, None when bytes are missing, Err when a length breaks the protocol.
    pub fn next<T>(&mut self, rest: &mut &[u8], on_record: impl FnOnce(Record<'_>) -> T) -> Result<Option<T>, ()> {
        self.fill(rest, 5);
        let Some(&header) = self.bytes.first_chunk::<5>() else { return Ok(None) };
        let [_, _, _, high, low] = header;
        let len = usize::from(u16::from_be_bytes([high, low]));
        if len > RECORD_MAX_BYTES {
            return Err(());
        }
        self.fill(rest, len + 5);
        if self.bytes.len() < len + 5 {
            return Ok(None);
        }
        let value = self.bytes.get_mut(5..).map(|fragment| on_record(Record { header, fragment }));
        self.bytes.clear();
        Ok(value)
    }

    pub fn heap_bytes(&self) -> usize {
        self.bytes.capacity()
    }

    /// Drops what is buffered.
    pub fn clear(&mut self) {
        self.bytes = Vec::new();
    }

    fn fill(&mut self, rest: &mut &[u8], wanted: usize) {
        let missing = wanted.saturating_sub(self.bytes.len());
        let (now, after) = rest.split_at_checked(missing).unwrap_or((rest, &[]));
        self.bytes.extend_from_slice(now);
        *rest = after;
    }
}

/// Handshake messages cut from the contents of successive handshake records.
#[derive(Debug, Default)]
pub(super) struct MessageBuffer {
    bytes: Vec<u8>,
}

impl MessageBuffer {
    /// Adds a record's content and calls `on_message` with each message completed by it (header and body).
    ///
    /// Err when a message would exceed `limit_bytes`.
    pub fn add(&mut self, content: &[u8], limit_bytes: usize, mut on_message: impl FnMut(u8, &[u8])) -> Result<(), ()> {
        self.bytes.extend_from_slice(content);
        let mut rest = self.bytes.as_slice();
        while let Some(&[kind, a, b, c]) = rest.first_chunk::<4>() {
            let len = usize::try_from(u32::from_be_bytes([0, a, b, c])).unwrap_or(usize::MAX).saturating_add(4);
            if len > limit_bytes {
                return Err(());
            }
            let Some((message, after)) = rest.split_at_checked(len) else { break };
            on_message(kind, message);
            rest = after;
        }
        let used = self.bytes.len().saturating_sub(rest.len());
        self.bytes.drain(..used);
        Ok(())
    }

    pub fn heap_bytes(&self) -> usize {
        self.bytes.capacity()
    }
}

/// The DER certificates of a TLS 1.3 Certificate message (header and body), in order; as many as are whole.
#[must_use]
pub fn tls13_certificates(message: &[u8]) -> Vec<&[u8]> {
    let Some((_context, mut list)) = message
        .get(4..)
        .and_then(|body| take_vector(body, 1))
        .and_then(|(context, rest)| take_vector(rest, 3).map(|(list, _)| (context, list)))
    else {
        return Vec::new();
    };
    let mut certificates = Vec::new();
    while let Some((der, after)) = take_vector(list, 3) {
        certificates.push(der);
        let Some((_extensions, after)) = take_vector(after, 2) else { break };
        list = after;
    }
    certificates
}

/// A vector with a length of `len_bytes` bytes, and what follows it.
fn take_vector(input: &[u8], len_bytes: usize) -> Option<(&[u8], &[u8])> {
    let (len, rest) = input.split_at_checked(len_bytes)?;
    let len = len.iter().fold(0usize, |len, byte| (len << 8) | usize::from(*byte));
    rest.split_at_checked(len)
}
