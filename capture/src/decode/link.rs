//! Link layers: Ethernet with VLAN stacks, Linux cooked, BSD loopback, raw IP, PPP, PPPoE, MPLS.
//!
//! Promises: an unknown link type or Ethernet type is `Other`, a header cut short is `Damaged`; stacks of tags and labels are
//! bounded by `Limits::header_chain`.
//!
//! Read next: `ip.rs`.

use crate::bytes::{Cursor, be16};
use crate::decode::{Decoded, Layer};
use crate::limits::Limits;
use crate::source::link;

const DAMAGED: Layer<'_> = Layer::Done(Decoded::Damaged);
const OTHER: Layer<'_> = Layer::Done(Decoded::Other);

/// Where to begin for a link type.
#[inline]
#[must_use]
pub fn first(link_type: u32, data: &[u8]) -> Layer<'_> {
    let behind = |n: usize| data.get(n..);
    let found = match link_type {
        link::ETHERNET => Some(Layer::Ethernet(data)),
        link::RAW | link::RAW_BSD | link::RAW_OPENBSD | link::IPV4 | link::IPV6 => Some(Layer::Ip(data)),
        // Four bytes of address family, whose numbers differ by system; the version nibble behind them says the same.
        link::NULL | link::LOOP => behind(4).map(Layer::Ip),
        link::LINUX_SLL => be16(data, 14).zip(behind(16)).map(|(kind, rest)| Layer::EtherType(kind, rest)),
        link::LINUX_SLL2 => be16(data, 0).zip(behind(20)).map(|(kind, rest)| Layer::EtherType(kind, rest)),
        link::PPP | link::PPP_HDLC => Some(Layer::Ppp(data)),
        link::PPP_ETHER => Some(Layer::EtherType(0x8864, data)),
        _ => return OTHER,
    };
    found.unwrap_or(DAMAGED)
}

/// An Ethernet II or 802.3 header.
#[inline]
#[must_use]
pub fn ethernet(data: &[u8]) -> Layer<'_> {
    match be16(data, 12).zip(data.get(14..)) {
        Some((0x0800 | 0x86dd, rest)) => Layer::Ip(rest),
        Some((kind, rest)) => Layer::EtherType(kind, rest),
        None => DAMAGED,
    }
}

/// What an Ethernet type announces.
#[must_use]
pub fn ether_type<'a>(kind: u16, data: &'a [u8], limits: &Limits) -> Layer<'a> {
    match kind {
        0x0800 | 0x86dd => Layer::Ip(data),
        // 802.1Q, 802.1ad and their older numbers: tag, then the next type.
        0x8100 | 0x88a8 | 0x9100 | 0x9200 => {
            be16(data, 2).zip(data.get(4..)).map_or(DAMAGED, |(next, rest)| Layer::EtherType(next, rest))
        }
        0x8847 | 0x8848 => mpls(data, limits),
        // PPPoE session (RFC 2516): version and type 1, code 0, session, length.
        0x8864 => match (data.first(), data.get(1), be16(data, 4), data.get(6..)) {
            (Some(0x11), Some(0), Some(length), Some(rest)) => Layer::Ppp(rest.get(..usize::from(length)).unwrap_or(rest)),
            (Some(_), Some(_), Some(_), Some(_)) => OTHER,
            _ => DAMAGED,
        },
        0x6558 => Layer::Ethernet(data),
        0x880b => Layer::Ppp(data),
        // 802.3 with LLC: only SNAP leads on (RFC 1042). `4` is what Linux cooked captures write for 802.2.
        0..0x0600 => match data.get(..6) {
            Some([0xaa, 0xaa, 3, 0, 0, 0]) => {
                be16(data, 6).zip(data.get(8..)).map_or(DAMAGED, |(k, rest)| Layer::EtherType(k, rest))
            }
            _ => OTHER,
        },
        _ => OTHER,
    }
}

/// A PPP frame, its HDLC address and control bytes there or not (RFC 1661 §2, RFC 1662 §3.1).
#[must_use]
pub fn ppp(data: &[u8]) -> Layer<'_> {
    let mut cursor = Cursor::new(data);
    if data.starts_with(&[0xff, 3]) {
        cursor.skip(2);
    }
    let Some(first) = cursor.u8() else { return DAMAGED };
    // A protocol number may be compressed to its low byte, which is odd.
    let protocol = if first & 1 == 1 { Some(u16::from(first)) } else { cursor.u8().map(|low| u16::from_be_bytes([first, low])) };
    match protocol {
        Some(0x0021 | 0x0057) => Layer::Ip(cursor.rest()),
        Some(0x0281) => Layer::EtherType(0x8847, cursor.rest()),
        Some(_) => OTHER,
        None => DAMAGED,
    }
}

/// A label stack (RFC 3032); what follows the last label is told by its first half byte.
fn mpls<'a>(data: &'a [u8], limits: &Limits) -> Layer<'a> {
    let mut cursor = Cursor::new(data);
    for _ in 0..limits.header_chain {
        let Some(label) = cursor.u32() else { return DAMAGED };
        if label & 0x100 != 0 {
            return match cursor.rest().first().map(|byte| byte >> 4) {
                Some(4 | 6) => Layer::Ip(cursor.rest()),
                // A pseudowire control word (RFC 4385) in front of Ethernet.
                Some(0) => cursor.rest().get(4..).map_or(DAMAGED, Layer::Ethernet),
                Some(_) => Layer::Ethernet(cursor.rest()),
                None => DAMAGED,
            };
        }
    }
    OTHER
}
