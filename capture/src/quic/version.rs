//! What differs between QUIC versions for an observer: salt, key labels, packet type bits.
//!
//! Promises: an unknown version is None, never a guess, except the reserved 0x?a?a?a?a values, whose clients protect their
//! packets with the salt of version 1. Sources: RFC 9001 5.2, RFC 9369 3, drafts quic-tls-22 to -34, and for mvfst and
//! Google's T05x the values that their clients send on the wire.
//! Read next: `keys.rs`.

use super::packet::LongKind;

/// Version 2 (RFC 9369).
pub(super) const V2: u32 = 0x6b33_43cf;

/// The parameters of one QUIC version.
#[derive(Clone, Copy, Debug)]
pub(crate) struct VersionParams {
    /// HKDF-Extract salt of the Initial secret.
    pub salt: &'static [u8; 20],
    /// Labels of packet protection key, IV and header protection key.
    pub labels: [&'static [u8]; 3],
    /// Type of CRYPTO frames: 6 (RFC 9000 19.6), 8 in Google's T05x.
    pub crypto_frame_type: u64,
}

impl VersionParams {
    /// Whether labels are those of version 2 (RFC 9369 section 3.3.2).
    pub fn is_v2(&self) -> bool {
        self.labels == LABELS_V2
    }
}

const LABELS_V1: [&[u8]; 3] = [b"quic key", b"quic iv", b"quic hp"];
const LABELS_V2: [&[u8]; 3] = [b"quicv2 key", b"quicv2 iv", b"quicv2 hp"];

const SALT_DRAFT_22: [u8; 20] =
    [0x7f, 0xbc, 0xdb, 0x0e, 0x7c, 0x66, 0xbb, 0xe9, 0x19, 0x3a, 0x96, 0xcd, 0x21, 0x51, 0x9e, 0xbd, 0x7a, 0x02, 0x64, 0x4a];
const SALT_DRAFT_23: [u8; 20] =
    [0xc3, 0xee, 0xf7, 0x12, 0xc7, 0x2e, 0xbb, 0x5a, 0x11, 0xa7, 0xd2, 0x43, 0x2b, 0xb4, 0x63, 0x65, 0xbe, 0xf9, 0xf5, 0x02];
const SALT_DRAFT_29: [u8; 20] =
    [0xaf, 0xbf, 0xec, 0x28, 0x99, 0x93, 0xd2, 0x4c, 0x9e, 0x97, 0x86, 0xf1, 0x9c, 0x61, 0x11, 0xe0, 0x43, 0x90, 0xa8, 0x99];
const SALT_V1: [u8; 20] =
    [0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17, 0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad, 0xcc, 0xbb, 0x7f, 0x0a];
const SALT_V2: [u8; 20] =
    [0x0d, 0xed, 0xe3, 0xde, 0xf7, 0x00, 0xa6, 0xdb, 0x81, 0x93, 0x81, 0xbe, 0x6e, 0x26, 0x9d, 0xcb, 0xf9, 0xbd, 0x2e, 0xd9];
const SALT_T050: [u8; 20] =
    [0x7f, 0xf5, 0x79, 0xe5, 0xac, 0xd0, 0x72, 0x91, 0x55, 0x80, 0x30, 0x4c, 0x43, 0xa2, 0x36, 0x7c, 0x60, 0x48, 0x83, 0x10];
const SALT_T051: [u8; 20] =
    [0x7a, 0x4e, 0xde, 0xf4, 0xe7, 0xcc, 0xee, 0x5f, 0xa4, 0x50, 0x6c, 0x19, 0x12, 0x4f, 0xc8, 0xcc, 0xda, 0x6e, 0x03, 0x3d];

/// True when Initial packets of `version` can be opened.
#[must_use]
pub fn is_supported(version: u32) -> bool {
    params(version).is_some()
}

/// Parameters of `version`; None for 0 (Version Negotiation) and unknown versions.
pub(crate) fn params(version: u32) -> Option<VersionParams> {
    let salt = match version {
        V2 => return Some(VersionParams { salt: &SALT_V2, labels: LABELS_V2, crypto_frame_type: 6 }),
        1 | 0xff00_0021..=0xff00_0022 => &SALT_V1,
        0xff00_001d..=0xff00_0020 => &SALT_DRAFT_29,
        0xff00_0017..=0xff00_001c | 0xface_b002 | 0xface_b00e => &SALT_DRAFT_23,
        0xff00_0016 | 0xface_b001 => &SALT_DRAFT_22,
        0x5430_3530 => &SALT_T050,
        0x5430_3531 => &SALT_T051,
        reserved if reserved & 0x0f0f_0f0f == 0x0a0a_0a0a => &SALT_V1,
        _ => return None,
    };
    let crypto_frame_type = if matches!(version, 0x5430_3530 | 0x5430_3531) { 8 } else { 6 };
    Some(VersionParams { salt, labels: LABELS_V1, crypto_frame_type })
}

/// Packet type from bits 4 and 5 of the first byte (RFC 9000 17.2, RFC 9369 3.2).
pub(super) fn long_kind(version: u32, first_byte: u8) -> LongKind {
    let bits = (first_byte >> 4) & 3;
    let bits = if version == V2 { bits.wrapping_sub(1) & 3 } else { bits };
    match bits {
        0 => LongKind::Initial,
        1 => LongKind::ZeroRtt,
        2 => LongKind::Handshake,
        _ => LongKind::Retry,
    }
}
