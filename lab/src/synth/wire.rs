//! Packets: Ethernet, IP, TCP, and the pcap records around them.
//!
//! Promises: checksums are right; bytes of a payload that are not written count as zeros, so a cut packet's checksum holds too.
//!
//! Read next: `emit.rs` (which packets a connection has).

use std::net::IpAddr;

/// TCP flags.
pub mod flag {
    /// Connection begins.
    pub const SYN: u8 = 0x02;
    /// Side ends.
    pub const FIN: u8 = 0x01;
    /// Acknowledges.
    pub const ACK: u8 = 0x10;
    /// Data for the reader.
    pub const PSH: u8 = 0x08;
}

/// One TCP segment.
#[derive(Debug, Clone, Copy)]
pub struct Segment<'a> {
    /// Sender.
    pub src: (IpAddr, u16),
    /// Receiver.
    pub dst: (IpAddr, u16),
    /// TTL or hop limit on arrival.
    pub ttl: u8,
    /// Don't-fragment bit (IPv4).
    pub df: bool,
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgement number; 0 without ACK.
    pub ack: u32,
    /// Flags.
    pub flags: u8,
    /// Window.
    pub window: u16,
    /// Options, a multiple of four bytes.
    pub options: &'a [u8],
    /// What is written of the payload.
    pub payload: &'a [u8],
    /// Bytes of the payload on the wire.
    pub payload_bytes: usize,
}

/// The file header of a little-endian nanosecond pcap of Ethernet.
pub const PCAP_HEADER: [u8; 24] = [0x4d, 0x3c, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 1, 0, 0, 0];

const CLIENT_MAC: [u8; 6] = [2, 0, 0, 0, 0, 2];
const SERVER_MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];

/// Appends the pcap record of `segment` at `ts_ns`.
pub fn record(out: &mut Vec<u8>, ts_ns: i64, segment: &Segment<'_>, from_client: bool) {
    let header_at = out.len();
    out.extend_from_slice(&[0; 16]);
    let (to, from) = if from_client { (SERVER_MAC, CLIENT_MAC) } else { (CLIENT_MAC, SERVER_MAC) };
    out.extend_from_slice(&to);
    out.extend_from_slice(&from);
    let tcp_bytes = 20 + segment.options.len() + segment.payload_bytes;
    match (segment.src.0, segment.dst.0) {
        (IpAddr::V4(src), IpAddr::V4(dst)) => {
            out.extend_from_slice(&[0x08, 0x00]);
            let ip_at = out.len();
            out.extend_from_slice(&[0x45, 0]);
            out.extend_from_slice(&low16(20 + tcp_bytes));
            out.extend_from_slice(&[0, 0, if segment.df { 0x40 } else { 0 }, 0, segment.ttl, 6, 0, 0]);
            out.extend_from_slice(&src.octets());
            out.extend_from_slice(&dst.octets());
            let sum = fold(out.get(ip_at..).map_or(0, |header| sum16(0, header)));
            put16(out, ip_at + 10, sum);
            tcp(out, segment, sum16(sum16(0, &src.octets()), &dst.octets()), tcp_bytes);
        }
        (src, dst) => {
            let (src, dst) = (v6(src), v6(dst));
            out.extend_from_slice(&[0x86, 0xdd, 0x60, 0, 0, 0]);
            out.extend_from_slice(&low16(tcp_bytes));
            out.extend_from_slice(&[6, segment.ttl]);
            out.extend_from_slice(&src);
            out.extend_from_slice(&dst);
            tcp(out, segment, sum16(sum16(0, &src), &dst), tcp_bytes);
        }
    }
    let written = out.len() - header_at - 16;
    let on_wire = written + segment.payload_bytes.saturating_sub(segment.payload.len());
    let le = |value: i64| u32::try_from(value).unwrap_or(0).to_le_bytes();
    let size = |value: usize| u32::try_from(value).unwrap_or(0).to_le_bytes();
    let head = [le(ts_ns.div_euclid(1_000_000_000)), le(ts_ns.rem_euclid(1_000_000_000)), size(written), size(on_wire)].concat();
    if let Some(place) = out.get_mut(header_at..header_at + 16) {
        place.copy_from_slice(&head);
    }
}

fn tcp(out: &mut Vec<u8>, segment: &Segment<'_>, addresses: u32, tcp_bytes: usize) {
    let at = out.len();
    out.extend_from_slice(&segment.src.1.to_be_bytes());
    out.extend_from_slice(&segment.dst.1.to_be_bytes());
    out.extend_from_slice(&segment.seq.to_be_bytes());
    out.extend_from_slice(&segment.ack.to_be_bytes());
    let words = u8::try_from((20 + segment.options.len()) / 4).unwrap_or(15);
    out.extend_from_slice(&[words << 4, segment.flags]);
    out.extend_from_slice(&segment.window.to_be_bytes());
    out.extend_from_slice(&[0, 0, 0, 0]);
    out.extend_from_slice(segment.options);
    out.extend_from_slice(segment.payload);
    let length = u32::try_from(tcp_bytes).unwrap_or(0);
    let sum = addresses.wrapping_add(6).wrapping_add(length >> 16).wrapping_add(length & 0xffff);
    let sum = fold(out.get(at..).map_or(sum, |bytes| sum16(sum, bytes)));
    put16(out, at + 16, sum);
}

fn v6(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    }
}

fn low16(value: usize) -> [u8; 2] {
    u16::try_from(value).unwrap_or(u16::MAX).to_be_bytes()
}

fn put16(out: &mut [u8], at: usize, value: u16) {
    if let Some(place) = out.get_mut(at..at + 2) {
        place.copy_from_slice(&value.to_be_bytes());
    }
}

/// Sum of 16-bit words (RFC 1071), an odd byte padded with zero.
fn sum16(mut sum: u32, bytes: &[u8]) -> u32 {
    let mut pairs = bytes.chunks_exact(2);
    for pair in &mut pairs {
        sum = sum.wrapping_add(pair.iter().fold(0, |word, byte| word << 8 | u32::from(*byte)));
    }
    pairs.remainder().first().map_or(sum, |last| sum.wrapping_add(u32::from(*last) << 8))
}

fn fold(mut sum: u32) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_right() {
        for (src, dst, header) in [("10.0.0.1", "10.0.0.2", 20), ("fd00::1", "fd00::2", 40)] {
            let mut out = Vec::new();
            let (src, dst): (IpAddr, IpAddr) = (src.parse().unwrap(), dst.parse().unwrap());
            let segment = Segment {
                src: (src, 40_000),
                dst: (dst, 443),
                ttl: 60,
                df: true,
                seq: 7,
                ack: 9,
                flags: flag::ACK | flag::PSH,
                window: 512,
                options: &[1, 1, 1, 1],
                payload: b"hello",
                payload_bytes: 900,
            };
            record(&mut out, 1_500_000_001, &segment, true);
            let ip = &out[16 + 14..];
            if header == 20 {
                assert_eq!(fold(sum16(0, &ip[..20])), 0);
            }
            let (a, b) =
                if header == 20 { (ip[12..16].to_vec(), ip[16..20].to_vec()) } else { (ip[8..24].to_vec(), ip[24..40].to_vec()) };
            let pseudo = sum16(sum16(6 + 924, &a), &b);
            assert_eq!(fold(sum16(pseudo, &ip[header..])), 0);
            assert_eq!(u32::from_le_bytes(out[12..16].try_into().unwrap()) as usize, out.len() - 16 + 895);
        }
    }
}
