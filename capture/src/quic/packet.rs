//! QUIC long headers (RFC 8999, RFC 9000 section 17.2) and the walk over the coalesced packets of one datagram.
//!
//! Promises: every packet found lies inside the datagram, each step consumes at least one byte, and a declared length
//! that exceeds the datagram ends the walk. Short-header packets end it as well: they have no length of their own.
//! Read next: `keys.rs`, which opens an Initial packet found here.

use super::version::{is_supported, long_kind};

/// Longest connection ID of versions 1 and 2 (RFC 9000 17.2); drafts before had the same limit or were shorter.
const CONNECTION_ID_MAX_BYTES: usize = 20;

/// What a long-header packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LongKind {
    Initial,
    ZeroRtt,
    Handshake,
    Retry,
    VersionNegotiation,
}

/// The kinds of packets seen in one datagram, as a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PacketKinds(u8);

impl PacketKinds {
    /// An Initial packet (by its header; it need not have been decryptable).
    pub const INITIAL: Self = Self(1);
    /// A 0-RTT packet.
    pub const ZERO_RTT: Self = Self(2);
    /// A Handshake packet.
    pub const HANDSHAKE: Self = Self(4);
    /// A Retry packet.
    pub const RETRY: Self = Self(8);
    /// A Version Negotiation packet.
    pub const VERSION_NEGOTIATION: Self = Self(16);
    /// A short-header (1-RTT) packet, or trailing bytes that look like one.
    pub const SHORT: Self = Self(32);

    /// True when all kinds of `other` are in this set.
    #[must_use]
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Adds the kinds of `other`.
    pub(super) fn insert(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

/// One long-header packet within a datagram.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LongPacket<'a> {
    pub kind: LongKind,
    pub version: u32,
    pub dcid: &'a [u8],
    pub scid: &'a [u8],
    /// The whole packet, first byte to the end of its payload.
    pub bytes: &'a [u8],
    /// Where the protected packet number begins within `bytes`; meaningless for Retry and Version Negotiation.
    pub packet_number_at: usize,
}

/// One step of the walk.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step<'a> {
    Long(LongPacket<'a>),
    /// A short header: the rest of the datagram belongs to it.
    Short(&'a [u8]),
    /// Not QUIC from here on, or cut off.
    Broken,
}

/// The version field of a QUIC long-header packet at the start of a UDP payload; None when it cannot be one.
///
/// Cheap enough for every UDP datagram of unknown kind: looks at seven bytes. 0 is Version Negotiation.
#[must_use]
pub fn version_of_long_header(payload: &[u8]) -> Option<u32> {
    let (first, rest) = payload.split_first()?;
    let (version, rest) = rest.split_first_chunk::<4>()?;
    let version = u32::from_be_bytes(*version);
    let dcid_len = usize::from(*rest.first()?);
    // RFC 8999 leaves 0x40 to the version; those that we know set it, unless both ends agreed not to (RFC 9287). Version Negotiation
    // need not. Where it is not set, only a version that is known by all its bits counts, not one reserved for greasing.
    let known = || is_supported(version) && version & 0x0f0f_0f0f != 0x0a0a_0a0a;
    let form_fits = first & 0x80 != 0 && (first & 0x40 != 0 || version == 0 || known());
    (form_fits && dcid_len <= CONNECTION_ID_MAX_BYTES && rest.len() > dcid_len).then_some(version)
}

/// Takes the next packet off the front of `rest`; None at the end of the datagram.
pub(crate) fn next<'a>(rest: &mut &'a [u8]) -> Option<Step<'a>> {
    let whole: &'a [u8] = rest;
    let first = *whole.first()?;
    *rest = &[];
    if first & 0x80 == 0 {
        // Zero bytes after the last packet are padding at UDP level that some stacks send; 0x40 may be clear (RFC 9287).
        let padding = whole.iter().take(16).all(|byte| *byte == 0);
        return Some(if padding { Step::Broken } else { Step::Short(whole) });
    }
    match parse_long(whole, first) {
        Some((packet, after)) => {
            *rest = after;
            Some(Step::Long(packet))
        }
        None => Some(Step::Broken),
    }
}

/// Reads a variable-length integer (RFC 9000 section 16) off the front.
pub(crate) fn take_varint(rest: &mut &[u8]) -> Option<u64> {
    let (&first, tail) = rest.split_first()?;
    let extra = (1usize << (first >> 6)) - 1;
    let (more, tail) = tail.split_at_checked(extra)?;
    let value = more.iter().fold(u64::from(first & 0x3f), |value, &byte| (value << 8) | u64::from(byte));
    *rest = tail;
    Some(value)
}

/// Takes `len` bytes off the front; None (and nothing taken) when there are fewer.
pub(crate) fn take_bytes<'a>(rest: &mut &'a [u8], len: u64) -> Option<&'a [u8]> {
    let (taken, tail) = rest.split_at_checked(usize::try_from(len).ok()?)?;
    *rest = tail;
    Some(taken)
}

/// Parses the long-header packet that starts `whole`; gives it and what follows it in the datagram.
fn parse_long(whole: &[u8], first: u8) -> Option<(LongPacket<'_>, &[u8])> {
    let version = version_of_long_header(whole)?;
    let mut rest = whole.get(5..)?;
    let dcid = take_connection_id(&mut rest)?;
    let scid = take_connection_id(&mut rest)?;
    let kind = if version == 0 { LongKind::VersionNegotiation } else { long_kind(version, first) };
    if matches!(kind, LongKind::VersionNegotiation | LongKind::Retry) {
        return Some((LongPacket { kind, version, dcid, scid, bytes: whole, packet_number_at: 0 }, &[]));
    }
    if kind == LongKind::Initial {
        let token_len = take_varint(&mut rest)?;
        take_bytes(&mut rest, token_len)?;
    }
    let payload_len = take_varint(&mut rest)?;
    let packet_number_at = whole.len().checked_sub(rest.len())?;
    take_bytes(&mut rest, payload_len)?;
    let bytes = whole.get(..whole.len().checked_sub(rest.len())?)?;
    Some((LongPacket { kind, version, dcid, scid, bytes, packet_number_at }, rest))
}

fn take_connection_id<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (&len, tail) = rest.split_first()?;
    if usize::from(len) > CONNECTION_ID_MAX_BYTES {
        return None;
    }
    *rest = tail;
    take_bytes(rest, u64::from(len))
}
