//! Where packets come from: pcap and pcapng files (plain, gzip, zstd), standard input, folders, several files merged by time.
//!
//! Promises: formats are told by their first bytes, never by name; files are mapped and packets borrowed from the map; a stream
//! is read in constant memory; a reader always advances or ends; a damaged tail keeps everything before it and is reported with
//! file and offset.
//!
//! Read next: `open.rs` (file → reader), `pcap.rs`, `pcapng.rs`, `merge.rs`.

pub mod map;
pub mod merge;
pub mod open;
pub mod pcap;
pub mod pcapng;
pub mod window;

use std::sync::Arc;

use crate::error::Damage;
use crate::source::map::FileMap;

/// Link-layer header types (<https://www.tcpdump.org/linktypes.html>).
pub mod link {
    /// BSD loopback: four-byte address family in the writer's byte order.
    pub const NULL: u32 = 0;
    /// Ethernet.
    pub const ETHERNET: u32 = 1;
    /// PPP, with or without HDLC framing.
    pub const PPP: u32 = 9;
    /// Raw IP, as some systems number it.
    pub const RAW_BSD: u32 = 12;
    /// Raw IP, OpenBSD's number.
    pub const RAW_OPENBSD: u32 = 14;
    /// PPP in HDLC-like framing.
    pub const PPP_HDLC: u32 = 50;
    /// PPP over Ethernet, without the Ethernet header.
    pub const PPP_ETHER: u32 = 51;
    /// Raw IP.
    pub const RAW: u32 = 101;
    /// OpenBSD loopback: four-byte address family in network byte order.
    pub const LOOP: u32 = 108;
    /// Linux "cooked" v1.
    pub const LINUX_SLL: u32 = 113;
    /// Raw IPv4.
    pub const IPV4: u32 = 228;
    /// Raw IPv6.
    pub const IPV6: u32 = 229;
    /// Linux "cooked" v2.
    pub const LINUX_SLL2: u32 = 276;

    /// Why nothing of an interface can be read; `None` where its packets can.
    #[must_use]
    pub fn unread(link_type: u32) -> Option<String> {
        let name = match link_type {
            NULL | ETHERNET | PPP | RAW_BSD | RAW_OPENBSD | PPP_HDLC | PPP_ETHER | RAW | LOOP | LINUX_SLL | IPV4 | IPV6
            | LINUX_SLL2 => {
                return None;
            }
            105 => " (802.11)",
            127 => " (802.11 with radiotap)",
            119 => " (802.11 with Prism headers)",
            187 | 201 => " (Bluetooth)",
            189 | 220 | 249 => " (USB)",
            195 | 230 => " (802.15.4)",
            239 => " (netfilter log)",
            147..=162 => " (for private use)",
            _ => "",
        };
        let read = "Ethernet, Linux cooked, raw IP, loopback and PPP are";
        Some(format!("packets of link type {link_type}{name} are not read, those of {read}"))
    }
}

/// One captured frame, borrowed from its source.
#[derive(Debug, Clone, Copy)]
pub struct Packet<'a> {
    /// Capture time, nanoseconds since 1970 UTC.
    pub ts_ns: i64,
    /// Link-layer header type, see [`link`].
    pub link_type: u32,
    /// The bytes captured.
    pub data: &'a [u8],
    /// Length on the wire; at least `data.len()`.
    pub orig_len: u32,
}

/// A source of packets in capture order.
pub trait PacketSource {
    /// Moves to the next packet. `false` at the end, and from then on.
    fn advance(&mut self) -> bool;

    /// The packet moved to. An empty one before the first call of [`PacketSource::advance`] and after the end.
    fn packet(&self) -> Packet<'_>;

    /// The maps that packets may lie in, by place of their file. Files that are not mapped have none.
    fn maps(&self) -> Vec<Option<Arc<FileMap>>> {
        Vec::new()
    }

    /// Where the packet's bytes begin: place of its file in [`PacketSource::maps`] and offset within that map.
    fn place_in_map(&self) -> Option<(usize, usize)> {
        None
    }

    /// Bytes of the input taken so far (of the compressed file, if it is one).
    fn bytes_read(&self) -> u64;

    /// Size of the input, where it is known.
    fn total_bytes(&self) -> Option<u64>;

    /// Damage met so far, taken out.
    fn take_damage(&mut self) -> Vec<Damage>;

    /// Whether [`PacketSource::take_secrets`] has something. Asked for each packet.
    fn has_secrets(&self) -> bool;

    /// TLS secrets met since the last call (pcapng Decryption Secrets Blocks in NSS key-log format), taken out.
    /// They are never logged or stored by this crate.
    fn take_secrets(&mut self) -> Vec<Vec<u8>>;
}
