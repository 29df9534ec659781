//! The join key: the client's address and port, with IPv4-mapped IPv6 addresses written as one address.
//!
//! Promises: `::ffff:192.0.2.1` and `192.0.2.1` are the same peer (a dual-stack socket logs the former, the wire shows the
//! latter); the order of keys is the order of addresses, then ports.
//!
//! Read next: `handshakes.rs`, which looks handshakes up by it.

use std::net::IpAddr;

/// Client address and port of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PeerKey {
    ip: u128,
    port: u16,
}

impl PeerKey {
    /// Key of `ip`:`port`.
    #[must_use]
    pub fn new(ip: IpAddr, port: u16) -> Self {
        Self { ip: ip_number(ip), port }
    }

    /// The address as a number, IPv4 as `::ffff:a.b.c.d`.
    #[must_use]
    pub fn ip(self) -> u128 {
        self.ip
    }

    /// The port.
    #[must_use]
    pub fn port(self) -> u16 {
        self.port
    }
}

/// An address as a number that is equal for an IPv4 address and its IPv6-mapped form (RFC 4291 section 2.5.5.2).
#[must_use]
pub fn ip_number(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapped_address_is_the_address_it_maps() {
        let plain: IpAddr = "192.0.2.1".parse().unwrap();
        let mapped: IpAddr = "::ffff:192.0.2.1".parse().unwrap();
        let other: IpAddr = "::192.0.2.1".parse().unwrap();
        assert_eq!(PeerKey::new(plain, 1), PeerKey::new(mapped, 1));
        assert_ne!(PeerKey::new(plain, 1), PeerKey::new(other, 1), "the deprecated compatible form is another address");
        assert_ne!(PeerKey::new(plain, 1), PeerKey::new(plain, 2));
    }
}
