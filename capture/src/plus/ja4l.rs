//! JA4L, light distance from handshake timing (FoxIO-LLC/ja4, JA4L; FoxIO License 1.1, see `mod.rs`).
//!
//! Promises: half the interval in microseconds, truncated, and the TTL of the innermost header: `latency_us_ttl`.
//! Server: SYN to SYN-ACK. Client: SYN-ACK to the *first* ACK (later ones do not count).
//!
//! Read next: `../sensor/mod.rs`.

use crate::fingerprint::text::{into_text, push_decimal};

/// One JA4L value; `None` if time ran backwards.
#[must_use]
pub fn ja4l(from_ns: i64, to_ns: i64, ttl: u8) -> Option<String> {
    let half_us = u64::try_from(to_ns.checked_sub(from_ns)?).ok()? / 2000;
    let mut out = Vec::with_capacity(12);
    push_decimal(&mut out, half_us);
    out.push(b'_');
    push_decimal(&mut out, u64::from(ttl));
    Some(into_text(out))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_the_interval_truncated() {
        assert_eq!(ja4l(0, 3_999, 64).as_deref(), Some("1_64"));
        assert_eq!(ja4l(0, 4_000, 57).as_deref(), Some("2_57"));
        assert_eq!(ja4l(1, 0, 57), None);
    }
}
