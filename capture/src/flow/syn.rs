//! What a SYN or SYN-ACK says: raw window, options as bytes, TTL, time.
//!
//! Promises: fixed size, no allocation; options are read only when printed; a list that contradicts itself ends there.
//!
//! Read next: `../plus/ja4t.rs`.

use crate::bytes::Cursor;
use crate::decode::Segment;
use crate::fingerprint::text::push_decimal;

/// Longest option list of a TCP header.
const MAX_OPTION_BYTES: usize = 40;

/// One SYN or SYN-ACK.
#[derive(Debug, Clone, Copy)]
pub struct Syn {
    /// When it was captured.
    pub ts_ns: i64,
    /// Raw window field.
    pub window: u16,
    /// TTL or hop limit.
    pub ttl: u8,
    options: [u8; MAX_OPTION_BYTES],
    option_bytes: u8,
}

impl Syn {
    /// Keeps what matters of a segment.
    #[must_use]
    pub fn new(segment: &Segment<'_>, ts_ns: i64) -> Self {
        let mut options = [0; MAX_OPTION_BYTES];
        let mut option_bytes = 0;
        for (place, byte) in options.iter_mut().zip(segment.options) {
            *place = *byte;
            option_bytes += 1;
        }
        Self { ts_ns, window: segment.window, ttl: segment.ip.ttl, options, option_bytes }
    }

    /// Kind and content of each option, NOPs and every end-of-list byte included.
    pub fn options(&self) -> impl Iterator<Item = (u8, &[u8])> {
        let mut cursor = Cursor::new(self.options.get(..usize::from(self.option_bytes)).unwrap_or_default());
        std::iter::from_fn(move || {
            let kind = cursor.u8()?;
            if kind <= 1 {
                return Some((kind, &[][..]));
            }
            // The length counts kind and length bytes too (RFC 9293 §3.1).
            let content =
                cursor.u8().and_then(|length| length.checked_sub(2)).map(|length| cursor.take_up_to(usize::from(length)));
            if content.is_none() {
                cursor.take_up_to(MAX_OPTION_BYTES);
            }
            Some((kind, content.unwrap_or_default()))
        })
    }

    /// Option kinds in order, joined by `-`.
    pub fn push_options(&self, out: &mut Vec<u8>) {
        for (index, (kind, _)) in self.options().enumerate() {
            if index > 0 {
                out.push(b'-');
            }
            push_decimal(out, u64::from(kind));
        }
    }

    /// Maximum segment size, bytes.
    #[must_use]
    pub fn mss(&self) -> Option<u16> {
        self.options().find(|(kind, _)| *kind == 2).and_then(|(_, content)| Cursor::new(content).u16())
    }

    /// Window scale, as a shift.
    #[must_use]
    pub fn wscale(&self) -> Option<u8> {
        self.options().find(|(kind, _)| *kind == 3).and_then(|(_, content)| content.first().copied())
    }
}
