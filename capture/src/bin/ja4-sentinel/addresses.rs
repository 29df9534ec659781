//! Which events are sent, by address.
//!
//! Promises: `exclude` wins over `include`; an empty `include` means everything; an IPv4 address carried inside IPv6
//! (`::ffff:a.b.c.d`) is looked at as IPv4. A network is written as CIDR or as a single address; bits behind the prefix must be 0,
//! so that a slip of the pen is told.
//!
//! Read next: `run.rs`.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use ja4_capture::event::NetworkEvent;

/// Whose address is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Side {
    /// Who sent the ClientHello.
    Client,
    /// Who answered.
    Server,
    /// Enough if one of them is in the list.
    #[default]
    Either,
}

/// The two lists.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AddressFilter {
    /// Networks whose events are sent; empty means all.
    pub include: Vec<Network>,
    /// Networks whose events are not sent.
    pub exclude: Vec<Network>,
    /// Whose address is looked at.
    pub side: Side,
}

/// A network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network(IpNet);

impl AddressFilter {
    /// Whether this event is sent.
    pub fn lets_through(&self, event: &NetworkEvent) -> bool {
        if self.include.is_empty() && self.exclude.is_empty() {
            return true;
        }
        let (client, server) = (event.src_ip.to_canonical(), event.dst_ip.to_canonical());
        let found = |list: &[Network]| {
            list.iter().any(|network| match self.side {
                Side::Client => network.0.contains(&client),
                Side::Server => network.0.contains(&server),
                Side::Either => network.0.contains(&client) || network.0.contains(&server),
            })
        };
        !found(&self.exclude) && (self.include.is_empty() || found(&self.include))
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let single = text.parse::<IpAddr>().map(IpNet::from);
        let network = single.or_else(|_| text.parse::<IpNet>()).map_err(|_| {
            format!("{text:?} is no network; allowed are addresses and CIDR such as 192.0.2.7, 192.0.2.0/24 and 2001:db8::/32")
        })?;
        if network != network.trunc() {
            return Err(format!("{text:?} has bits behind its prefix; write {}", network.trunc()));
        }
        Ok(Self(network))
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(src: &str, dst: &str) -> NetworkEvent {
        let json = format!(r#"{{"v":1,"ts_ns":1,"src_ip":"{src}","src_port":1,"dst_ip":"{dst}","dst_port":443}}"#);
        serde_json::from_str(&json).unwrap()
    }

    fn filter(include: &[&str], exclude: &[&str], side: Side) -> AddressFilter {
        let list = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        AddressFilter { include: list(include), exclude: list(exclude), side }
    }

    #[test]
    fn lists_are_applied_to_the_chosen_side() {
        let visit = event("192.0.2.7", "198.51.100.1");
        let lets = |include: &[&str], exclude: &[&str], side| filter(include, exclude, side).lets_through(&visit);
        assert!(lets(&[], &[], Side::Either));
        assert!(lets(&["192.0.2.0/24"], &[], Side::Client));
        assert!(!lets(&["192.0.2.0/24"], &[], Side::Server));
        assert!(lets(&["198.51.100.1"], &[], Side::Either));
        assert!(!lets(&["192.0.2.0/24"], &["192.0.2.7"], Side::Either), "exclude wins");
        assert!(!lets(&[], &["198.51.100.0/24"], Side::Either));
        assert!(lets(&[], &["198.51.100.0/24"], Side::Client));
        assert!(lets(&["192.0.2.0/24"], &["2001:db8::/32"], Side::Client));
        assert!(filter(&["192.0.2.0/24"], &[], Side::Client).lets_through(&event("::ffff:192.0.2.7", "::1")));
    }

    #[test]
    fn slips_of_the_pen_are_told() {
        let error = |text: &str| text.parse::<Network>().unwrap_err();
        assert_eq!(error("192.0.2.7/24"), "\"192.0.2.7/24\" has bits behind its prefix; write 192.0.2.0/24");
        assert!(error("192.0.2.0/33").contains("is no network; allowed are"));
        assert!(error("eth0").contains("is no network; allowed are"));
    }
}
