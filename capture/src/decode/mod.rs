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
    match plain_tcp(link_type, data) {
        Some(segment) => Decoded::Tcp(segment),
        None => walk(link::first(link_type, data), 0, limits),
    }
}

/// The frame that nearly every capture is made of, read in one step: Ethernet, IPv4 without options or IPv6 without extension
/// headers, whole, TCP. `None` for every other, also for a damaged one, which [`decode`] then walks through; a test compares
/// the two ways.
#[inline]
#[must_use]
pub fn plain_tcp(link_type: u32, data: &[u8]) -> Option<Segment<'_>> {
    let (ethernet, packet) = data.split_first_chunk::<14>().filter(|_| link_type == crate::source::link::ETHERNET)?;
    match ethernet {
        [.., 0x08, 0x00] => ip::plain_v4(packet),
        [.., 0x86, 0xdd] => ip::plain_v6(packet),
        _ => None,
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(v6: bool, tcp: &[u8]) -> Vec<u8> {
        let mut data = vec![2; 12];
        if v6 {
            data.extend([0x86, 0xdd, 0x60, 0, 0, 0, 0, tcp.len() as u8, 6, 64]);
            data.extend([7; 32]);
        } else {
            data.extend([8, 0, 0x45, 0, 0, 20 + tcp.len() as u8, 0, 1, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
        }
        [data, tcp.to_vec()].concat()
    }

    proptest::proptest! {
        /// Headers right and wrong, cut and padded, with any one or two bytes changed.
        #[test]
        fn one_step_gives_what_the_walk_gives(
            v6: bool,
            offset in 4_u8..8,
            payload in 0_usize..40,
            changes in proptest::collection::vec((0_usize..80, proptest::num::u8::ANY), 0..3),
            cut in 0_usize..6,
            padding in 0_usize..6,
        ) {
            let mut tcp = vec![9; 12];
            tcp.extend([offset << 4, 16, 1, 2, 0, 0, 0, 0]);
            tcp.extend(vec![3; usize::from(offset.max(5)) * 4 - 20 + payload]);
            let mut data = packet(v6, &tcp);
            data.truncate(data.len() - cut);
            data.extend(vec![0; padding]);
            for (at, byte) in changes {
                let length = data.len();
                data[at % length] = byte;
            }
            let limits = Limits::default();
            let walked = walk(link::first(1, &data), 0, &limits);
            proptest::prop_assert_eq!(format!("{:?}", decode(1, &data, &limits)), format!("{walked:?}"));
        }
    }

    #[test]
    fn plain_frames_are_read_in_one_step() {
        for v6 in [false, true] {
            let segment = [&[0, 80, 1, 187, 0, 0, 0, 1, 0, 0, 0, 2, 0x50, 16, 1, 2, 0, 0, 0, 0][..], b"payload"].concat();
            let data = packet(v6, &segment);
            let segment = plain_tcp(1, &data).expect("a plain frame");
            assert_eq!((segment.src_port, segment.dst_port, segment.payload), (80, 443, &b"payload"[..]));
        }
    }
}
