//! From a captured frame to one TCP segment or UDP datagram, through every encapsulation on the way.
//!
//! Promises: parsed in place, no allocation; the *innermost* addresses and ports win; lengths of the IP header count, not the
//! frame's (Ethernet pads); depth and header chains are bounded, and a budget that runs out means "no ports", never a guess;
//! headers quoted inside ICMP errors are not looked at.
//!
//! Read next: `link.rs`, `ip.rs`, `tunnel.rs`, `frag.rs`.

pub mod frag;
pub mod ip;
pub mod link;
pub mod tunnel;

use crate::limits::Limits;

/// Source and destination address, as on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Addresses {
    /// IPv4.
    V4 {
        /// Source.
        src: [u8; 4],
        /// Destination.
        dst: [u8; 4],
    },
    /// IPv6.
    V6 {
        /// Source.
        src: [u8; 16],
        /// Destination.
        dst: [u8; 16],
    },
}

/// What fingerprints need of an IP header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IpHeader {
    /// Both addresses.
    pub addresses: Addresses,
    /// TTL or hop limit.
    pub ttl: u8,
    /// Don't-fragment bit; `None` for IPv6.
    pub dont_fragment: Option<bool>,
}

/// TCP flag bits.
pub mod flag {
    /// No more data from the sender.
    pub const FIN: u8 = 1;
    /// Synchronise sequence numbers.
    pub const SYN: u8 = 2;
    /// Reset.
    pub const RST: u8 = 4;
    /// Acknowledgement field is valid.
    pub const ACK: u8 = 16;
}

/// One TCP segment.
#[derive(Debug, Clone, Copy)]
pub struct Segment<'a> {
    /// Its IP header.
    pub ip: IpHeader,
    /// Source port.
    pub src_port: u16,
    /// Destination port.
    pub dst_port: u16,
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgement number.
    pub ack: u32,
    /// Flags, see [`flag`].
    pub flags: u8,
    /// Raw window field.
    pub window: u16,
    /// Option bytes.
    pub options: &'a [u8],
    /// Payload present in the capture.
    pub payload: &'a [u8],
    /// Payload bytes the capture left out (snap length), behind `payload`.
    pub missing_bytes: u32,
}

/// One UDP datagram.
#[derive(Debug, Clone, Copy)]
pub struct Datagram<'a> {
    /// Its IP header.
    pub ip: IpHeader,
    /// Source port.
    pub src_port: u16,
    /// Destination port.
    pub dst_port: u16,
    /// Payload present in the capture.
    pub payload: &'a [u8],
}

/// One IP fragment.
#[derive(Debug, Clone, Copy)]
pub struct Fragment<'a> {
    /// Its IP header.
    pub ip: IpHeader,
    /// Identification.
    pub id: u32,
    /// Protocol of the datagram.
    pub protocol: u8,
    /// Where its data belongs, bytes.
    pub offset_bytes: u32,
    /// Whether more fragments follow.
    pub more: bool,
    /// Its data, as far as captured.
    pub data: &'a [u8],
    /// Whether the capture cut it.
    pub cut: bool,
    /// Encapsulations already peeled off.
    pub depth: u8,
}

/// What a frame holds.
#[derive(Debug, Clone, Copy)]
pub enum Decoded<'a> {
    /// A TCP segment.
    Tcp(Segment<'a>),
    /// A UDP datagram that is no tunnel.
    Udp(Datagram<'a>),
    /// A fragment to be put together.
    Fragment(Fragment<'a>),
    /// Something else, sound as far as looked at.
    Other,
    /// A header contradicts itself or is cut off.
    Damaged,
}

/// A place in the stack of headers, with the bytes from there on.
#[derive(Debug, Clone, Copy)]
pub enum Layer<'a> {
    /// An Ethernet header.
    Ethernet(&'a [u8]),
    /// What follows an Ethernet type.
    EtherType(u16, &'a [u8]),
    /// A PPP frame.
    Ppp(&'a [u8]),
    /// An IP header, version by its first half byte.
    Ip(&'a [u8]),
    /// What an IP header carries, and bytes the capture left out behind it.
    Carried(IpHeader, u8, &'a [u8], u32),
    /// The end.
    Done(Decoded<'a>),
}

/// Decodes one frame.
#[inline]
#[must_use]
pub fn decode<'a>(link_type: u32, data: &'a [u8], limits: &Limits) -> Decoded<'a> {
    walk(link::first(link_type, data), 0, limits)
}

/// Goes on with a datagram put together from fragments.
#[must_use]
pub fn decode_carried<'a>(ip: IpHeader, protocol: u8, data: &'a [u8], depth: u8, limits: &Limits) -> Decoded<'a> {
    walk(Layer::Carried(ip, protocol, data, 0), depth, limits)
}

#[inline]
fn walk<'a>(mut layer: Layer<'a>, mut depth: u8, limits: &Limits) -> Decoded<'a> {
    let mut tags = limits.header_chain;
    loop {
        layer = match layer {
            Layer::Ethernet(data) => link::ethernet(data),
            Layer::EtherType(kind, data) => match tags.checked_sub(1) {
                Some(left) => {
                    tags = left;
                    link::ether_type(kind, data, limits)
                }
                None => Layer::Done(Decoded::Other),
            },
            Layer::Ppp(data) => link::ppp(data),
            Layer::Ip(data) => {
                if depth > limits.tunnel_depth {
                    return Decoded::Other;
                }
                depth = depth.saturating_add(1);
                tags = limits.header_chain;
                ip::header(data, depth, limits)
            }
            Layer::Carried(header, protocol, data, missing) => ip::carried(header, protocol, data, missing),
            Layer::Done(decoded) => return decoded,
        };
    }
}
