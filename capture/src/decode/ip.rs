//! IPv4 (RFC 791) and IPv6 (RFC 8200) headers, extension headers, TCP and UDP.
//!
//! Promises: the IP total length cuts off link padding; a total length of zero (segmentation offload) means "to the end"; an
//! extension-header chain longer than the budget gives no ports; fragments go to `frag.rs`.
//!
//! Read next: `tunnel.rs`, `frag.rs`.

use crate::bytes::{Cursor, be16, be32};
use crate::decode::{Addresses, Datagram, Decoded, Fragment, IpHeader, Layer, Segment, tunnel};
use crate::limits::Limits;

const DAMAGED: Layer<'_> = Layer::Done(Decoded::Damaged);
const OTHER: Layer<'_> = Layer::Done(Decoded::Other);

/// Protocol numbers (IANA).
mod protocol {
    pub const HOP_BY_HOP: u8 = 0;
    pub const IPV4: u8 = 4;
    pub const TCP: u8 = 6;
    pub const UDP: u8 = 17;
    pub const IPV6: u8 = 41;
    pub const ROUTING: u8 = 43;
    pub const FRAGMENT: u8 = 44;
    pub const GRE: u8 = 47;
    pub const AUTHENTICATION: u8 = 51;
    pub const DESTINATION: u8 = 60;
    pub const MOBILITY: u8 = 135;
    pub const MPLS: u8 = 137;
    pub const HIP: u8 = 139;
    pub const SHIM6: u8 = 140;
}

/// An IP header of either version.
#[inline]
#[must_use]
pub fn header<'a>(data: &'a [u8], depth: u8, limits: &Limits) -> Layer<'a> {
    match data.first().map(|byte| byte >> 4) {
        Some(4) => v4(data, depth).unwrap_or(DAMAGED),
        Some(6) => v6(data, depth, limits).unwrap_or(DAMAGED),
        _ => DAMAGED,
    }
}

/// An IPv4 packet without options that is whole and carries TCP; `None` for every other.
#[inline]
#[must_use]
pub fn plain_v4(data: &[u8]) -> Option<Segment<'_>> {
    let (fixed, behind) = data.split_first_chunk::<20>()?;
    let [version_ihl, _, length_high, length_low, _, _, fragment_high, fragment_low, ttl, protocol, _, _, addresses @ ..] =
        *fixed;
    let flags_offset = u16::from_be_bytes([fragment_high, fragment_low]);
    if version_ihl != 0x45 || protocol != protocol::TCP || flags_offset & 0x3fff != 0 {
        return None;
    }
    let carried_bytes = usize::from(u16::from_be_bytes([length_high, length_low])).checked_sub(20)?;
    let [s3, s2, s1, s0, d3, d2, d1, d0] = addresses;
    let addresses = Addresses::V4 { src: [s3, s2, s1, s0], dst: [d3, d2, d1, d0] };
    let ip = IpHeader { addresses, ttl, dont_fragment: Some(flags_offset & 0x4000 != 0) };
    tcp(ip, behind.get(..carried_bytes)?, 0)
}

/// An IPv6 packet without extension headers that is whole and carries TCP; `None` for every other.
#[inline]
#[must_use]
pub fn plain_v6(data: &[u8]) -> Option<Segment<'_>> {
    let (fixed, behind) = data.split_first_chunk::<40>()?;
    let [version, _, _, _, length_high, length_low, next, ttl, ..] = *fixed;
    let carried_bytes = usize::from(u16::from_be_bytes([length_high, length_low]));
    if version >> 4 != 6 || next != protocol::TCP || carried_bytes == 0 {
        return None;
    }
    let (src, dst) = (*fixed.get(8..)?.first_chunk()?, *fixed.get(24..)?.first_chunk()?);
    let ip = IpHeader { addresses: Addresses::V6 { src, dst }, ttl, dont_fragment: None };
    tcp(ip, behind.get(..carried_bytes)?, 0)
}

#[inline]
fn v4(data: &[u8], depth: u8) -> Option<Layer<'_>> {
    let fixed = data.first_chunk::<20>()?;
    let [version_ihl, _, length_high, length_low, id_high, id_low, fragment_high, fragment_low, ttl, protocol, ..] = *fixed;
    let header_bytes = usize::from(version_ihl & 15) * 4;
    let total_bytes = usize::from(u16::from_be_bytes([length_high, length_low]));
    let total_bytes = if total_bytes == 0 { data.len() } else { total_bytes };
    if header_bytes < 20 || total_bytes < header_bytes || data.len() < header_bytes {
        return None;
    }
    let present = data.get(header_bytes..total_bytes.min(data.len()))?;
    let missing = u32::try_from(total_bytes.saturating_sub(data.len())).unwrap_or(u32::MAX);
    let (src, dst) = (*data.get(12..)?.first_chunk()?, *data.get(16..)?.first_chunk()?);
    let flags_offset = u16::from_be_bytes([fragment_high, fragment_low]);
    let ip = IpHeader { addresses: Addresses::V4 { src, dst }, ttl, dont_fragment: Some(flags_offset & 0x4000 != 0) };
    if flags_offset & 0x3fff != 0 {
        return Some(Layer::Done(Decoded::Fragment(Fragment {
            ip,
            id: u32::from(u16::from_be_bytes([id_high, id_low])),
            protocol,
            offset_bytes: u32::from(flags_offset & 0x1fff) * 8,
            more: flags_offset & 0x2000 != 0,
            data: present,
            cut: missing > 0,
            depth,
        })));
    }
    Some(Layer::Carried(ip, protocol, present, missing))
}

fn v6<'a>(data: &'a [u8], depth: u8, limits: &Limits) -> Option<Layer<'a>> {
    let fixed = data.first_chunk::<40>()?;
    let payload_bytes = usize::from(be16(fixed, 4)?);
    let (mut next, ttl) = (*fixed.get(6)?, *fixed.get(7)?);
    let (src, dst) = (*data.get(8..)?.first_chunk()?, *data.get(24..)?.first_chunk()?);
    let ip = IpHeader { addresses: Addresses::V6 { src, dst }, ttl, dont_fragment: None };
    let behind = data.get(40..)?;
    // Zero: a jumbogram (RFC 2675) or segmentation offload.
    let payload_bytes = if payload_bytes == 0 { behind.len() } else { payload_bytes };
    let missing = u32::try_from(payload_bytes.saturating_sub(behind.len())).unwrap_or(u32::MAX);
    let mut cursor = Cursor::new(behind.get(..payload_bytes).unwrap_or(behind));
    for _ in 0..=limits.header_chain {
        match next {
            protocol::HOP_BY_HOP
            | protocol::ROUTING
            | protocol::DESTINATION
            | protocol::MOBILITY
            | protocol::HIP
            | protocol::SHIM6 => {
                next = cursor.u8()?;
                let units = usize::from(cursor.u8()?);
                cursor.skip(units * 8 + 6)?;
            }
            protocol::FRAGMENT => {
                next = cursor.u8()?;
                cursor.u8()?;
                let offset_more = cursor.u16()?;
                let id = cursor.u32()?;
                // An "atomic" fragment (RFC 6946) is whole.
                if offset_more & 0xfff9 != 0 {
                    return Some(Layer::Done(Decoded::Fragment(Fragment {
                        ip,
                        id,
                        protocol: next,
                        offset_bytes: u32::from(offset_more & 0xfff8),
                        more: offset_more & 1 != 0,
                        data: cursor.rest(),
                        cut: missing > 0,
                        depth,
                    })));
                }
            }
            protocol::AUTHENTICATION => {
                next = cursor.u8()?;
                let units = usize::from(cursor.u8()?);
                cursor.skip(units * 4 + 6)?;
            }
            _ => return Some(Layer::Carried(ip, next, cursor.rest(), missing)),
        }
    }
    Some(OTHER)
}

/// What an IP header carries.
#[inline]
#[must_use]
pub fn carried(ip: IpHeader, kind: u8, data: &[u8], missing: u32) -> Layer<'_> {
    match kind {
        protocol::TCP => Layer::Done(tcp(ip, data, missing).map_or(Decoded::Damaged, Decoded::Tcp)),
        protocol::UDP => udp(ip, data),
        protocol::IPV4 | protocol::IPV6 => Layer::Ip(data),
        protocol::GRE => tunnel::gre(data).unwrap_or(DAMAGED),
        protocol::MPLS => Layer::EtherType(0x8847, data),
        // An authentication header in front of the rest (RFC 4302), also in IPv4. A chain of them is not followed.
        protocol::AUTHENTICATION => match (data.first(), data.get(1)) {
            (Some(&next @ (protocol::TCP | protocol::UDP | protocol::IPV4 | protocol::IPV6)), Some(units)) => {
                data.get(usize::from(*units) * 4 + 8..).map_or(DAMAGED, |rest| Layer::Carried(ip, next, rest, missing))
            }
            _ => OTHER,
        },
        _ => OTHER,
    }
}

/// A TCP header and what it carries; `missing_bytes` were on the wire behind `data` but not captured.
#[inline]
#[must_use]
pub fn tcp(ip: IpHeader, data: &[u8], missing_bytes: u32) -> Option<Segment<'_>> {
    let fixed = data.first_chunk::<20>()?;
    let [sp1, sp0, dp1, dp0, s3, s2, s1, s0, a3, a2, a1, a0, offset, flags, w1, w0, ..] = *fixed;
    let header_bytes = usize::from(offset >> 4) * 4;
    if header_bytes < 20 {
        return None;
    }
    let (options, payload) = match data.split_at_checked(header_bytes) {
        Some((head, payload)) => (head.get(20..)?, payload),
        // The capture ends within the options: they are kept as far as they go.
        None if missing_bytes > 0 => (data.get(20..)?, &[][..]),
        None => return None,
    };
    Some(Segment {
        ip,
        src_port: u16::from_be_bytes([sp1, sp0]),
        dst_port: u16::from_be_bytes([dp1, dp0]),
        seq: u32::from_be_bytes([s3, s2, s1, s0]),
        ack: u32::from_be_bytes([a3, a2, a1, a0]),
        flags,
        window: u16::from_be_bytes([w1, w0]),
        options,
        payload,
        missing_bytes,
    })
}

fn udp(ip: IpHeader, data: &[u8]) -> Layer<'_> {
    let (Some(src_port), Some(dst_port), Some(length), Some(rest)) = (be16(data, 0), be16(data, 2), be16(data, 4), data.get(8..))
    else {
        return DAMAGED;
    };
    let payload = rest.get(..usize::from(length).saturating_sub(8)).filter(|_| length >= 8).unwrap_or(rest);
    tunnel::in_udp(src_port, dst_port, payload).unwrap_or(Layer::Done(Decoded::Udp(Datagram { ip, src_port, dst_port, payload })))
}

/// Whether the bytes could be an IPv6 packet whose length field agrees with them.
#[must_use]
pub fn is_whole_v6(data: &[u8]) -> bool {
    data.first().is_some_and(|byte| byte >> 4 == 6)
        && data.len() >= 40
        && be16(data, 4).is_some_and(|length| usize::from(length) == data.len().saturating_sub(40))
}

/// Whether the bytes could be an IP packet of either version, by header alone.
#[must_use]
pub fn looks_like_ip(data: &[u8]) -> bool {
    match data.first() {
        Some(byte) if byte >> 4 == 4 => byte & 15 >= 5 && be32(data, 16).is_some(),
        Some(byte) if byte >> 4 == 6 => data.len() >= 40,
        _ => false,
    }
}
