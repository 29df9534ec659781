//! The identity of a conversation, the same for both directions.
//!
//! Promises: the smaller (address, port) pair comes first; the direction of a packet is told by whether it came from that one.
//! VLAN tags and tunnel ids are not part of it: a connection seen inside and outside a tunnel is one.
//!
//! Read next: `table.rs`.

use std::hash::{Hash, Hasher};
use std::net::IpAddr;

use crate::decode::Addresses;

/// Which side sent a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The side whose (address, port) is the smaller.
    Low,
    /// The other.
    High,
}

impl Side {
    /// Place in a two-element array.
    #[inline]
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::Low => 0,
            Self::High => 1,
        }
    }

    /// The peer.
    #[inline]
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Low => Self::High,
            Self::High => Self::Low,
        }
    }
}

/// IPv4 key: low and high address, then both ports.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key4 {
    addresses: [u32; 2],
    ports: u32,
}

/// IPv6 key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key6 {
    addresses: [u64; 4],
    ports: u32,
}

impl Hash for Key4 {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        let [low, high] = self.addresses;
        state.write_u64(u64::from(low) << 32 | u64::from(high));
        state.write_u32(self.ports);
    }
}

impl Hash for Key6 {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        for part in self.addresses {
            state.write_u64(part);
        }
        state.write_u32(self.ports);
    }
}

/// Key of either family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FlowKey {
    /// IPv4.
    V4(Key4),
    /// IPv6.
    V6(Key6),
}

impl FlowKey {
    /// The key of a packet, and which side sent it.
    #[inline]
    #[must_use]
    pub fn new(addresses: Addresses, src_port: u16, dst_port: u16) -> (Self, Side) {
        match addresses {
            Addresses::V4 { src, dst } => {
                let (src, dst) = (u32::from_be_bytes(src), u32::from_be_bytes(dst));
                let side = if (src, src_port) <= (dst, dst_port) { Side::Low } else { Side::High };
                let key = match side {
                    Side::Low => Key4 { addresses: [src, dst], ports: join(src_port, dst_port) },
                    Side::High => Key4 { addresses: [dst, src], ports: join(dst_port, src_port) },
                };
                (Self::V4(key), side)
            }
            Addresses::V6 { src, dst } => {
                let (src, dst) = (u128::from_be_bytes(src), u128::from_be_bytes(dst));
                let side = if (src, src_port) <= (dst, dst_port) { Side::Low } else { Side::High };
                let (low, high, ports) = match side {
                    Side::Low => (src, dst, join(src_port, dst_port)),
                    Side::High => (dst, src, join(dst_port, src_port)),
                };
                let halves = |v: u128| ((v >> 64) as u64, v as u64);
                let ((a, b), (c, d)) = (halves(low), halves(high));
                (Self::V6(Key6 { addresses: [a, b, c, d], ports }), side)
            }
        }
    }

    /// Addresses and ports of a packet from this side: source first, as on the wire.
    #[must_use]
    pub fn from_side(&self, side: Side) -> (Addresses, u16, u16) {
        let ((src, src_port), (dst, dst_port)) = (self.end(side), self.end(side.other()));
        let addresses = match (src, dst) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => Addresses::V4 { src: src.octets(), dst: dst.octets() },
            (src, dst) => Addresses::V6 { src: v6(src), dst: v6(dst) },
        };
        (addresses, src_port, dst_port)
    }

    /// Address and port of one side.
    #[must_use]
    pub fn end(&self, side: Side) -> (IpAddr, u16) {
        let port = |ports: u32| match side {
            Side::Low => (ports >> 16) as u16,
            Side::High => ports as u16,
        };
        match self {
            Self::V4(key) => {
                let [low, high] = key.addresses;
                (IpAddr::from((if side == Side::Low { low } else { high }).to_be_bytes()), port(key.ports))
            }
            Self::V6(key) => {
                let [a, b, c, d] = key.addresses;
                let (first, second) = if side == Side::Low { (a, b) } else { (c, d) };
                (IpAddr::from((u128::from(first) << 64 | u128::from(second)).to_be_bytes()), port(key.ports))
            }
        }
    }
}

fn v6(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V6(address) => address.octets(),
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
    }
}

#[inline]
fn join(low: u16, high: u16) -> u32 {
    u32::from(low) << 16 | u32::from(high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_directions_share_a_key_that_gives_the_ends_back() {
        let there = Addresses::V4 { src: [10, 0, 0, 2], dst: [10, 0, 0, 1] };
        let back = Addresses::V4 { src: [10, 0, 0, 1], dst: [10, 0, 0, 2] };
        let (key, side) = FlowKey::new(there, 443, 5555);
        assert_eq!(FlowKey::new(back, 5555, 443), (key, side.other()));
        assert_eq!(key.end(side), ("10.0.0.2".parse().unwrap(), 443));
        assert_eq!(key.end(side.other()), ("10.0.0.1".parse().unwrap(), 5555));
        let v6 = |src: u8, dst: u8| Addresses::V6 { src: [src; 16], dst: [dst; 16] };
        let (key, side) = FlowKey::new(v6(1, 2), 1, 2);
        assert_eq!((FlowKey::new(v6(2, 1), 2, 1).0, side), (key, Side::Low));
        assert_eq!(key.end(Side::High), (IpAddr::from([2; 16]), 2));
    }
}
