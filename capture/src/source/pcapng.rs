//! The block format (draft-ietf-opsawg-pcapng): several sections and interfaces with their own byte order, resolution and offset.
//!
//! Promises: zero-copy; Enhanced, Simple and the obsolete Packet Block; Decryption Secrets Blocks are handed out; unknown blocks
//! are stepped over; a block with an impossible length ends the file there, one that is merely inconsistent is skipped.
//!
//! Read next: `open.rs`.

use std::sync::Arc;

use crate::bytes::be32;
use crate::error::Damage;
use crate::source::map::FileMap;
use crate::source::pcap::ByteOrder;
use crate::source::window::Window;
use crate::source::{Packet, PacketSource, link};

/// Block type of a Section Header; reads the same in both byte orders.
pub const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const OBSOLETE_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;
const SECRETS: u32 = 10;
/// "TLSK": secrets in NSS key-log format.
const TLS_KEY_LOG: u32 = 0x544c_534b;
/// No block above this is believed: the longest packet libpcap reads plus options.
const MAX_BLOCK_BYTES: u32 = 64 * 1024 * 1024;

/// Reads one file.
#[derive(Debug)]
pub struct PcapNgReader {
    window: Window,
    name: String,
    order: ByteOrder,
    interfaces: Vec<Interface>,
    /// Bytes of the present block still to step over.
    block_bytes: usize,
    current: Option<Current>,
    last_ts_ns: i64,
    damage: Vec<Damage>,
    secrets: Vec<Vec<u8>>,
    ended: bool,
}

#[derive(Debug, Clone, Copy)]
struct Current {
    ts_ns: i64,
    link_type: u32,
    /// Where the data begins, counted from the start of the block.
    data_at: usize,
    data_bytes: usize,
    orig_len: u32,
}

/// What an Interface Description Block says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Interface {
    link_type: u32,
    snap_bytes: u32,
    resolution: Resolution,
    offset_seconds: i64,
}

/// Units of a timestamp: 10^-n or 2^-n seconds (if_tsresol).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Resolution {
    Decimal(u8),
    Binary(u8),
}

impl Interface {
    /// Nanoseconds since 1970 of a tick count; out of range is clamped.
    fn nanoseconds(&self, ticks: u64) -> i64 {
        let ticks = i128::from(ticks);
        let ns = match self.resolution {
            Resolution::Decimal(n @ 0..=9) => ticks.saturating_mul(10_i128.pow(u32::from(9 - n))),
            Resolution::Decimal(n) => 10_i128.checked_pow(u32::from(n) - 9).map_or(0, |divisor| ticks / divisor),
            Resolution::Binary(n) => ticks.saturating_mul(1_000_000_000).checked_shr(u32::from(n)).unwrap_or(0),
        };
        let ns = ns.saturating_add(i128::from(self.offset_seconds).saturating_mul(1_000_000_000));
        i64::try_from(ns).unwrap_or(if ns > 0 { i64::MAX } else { i64::MIN })
    }
}

impl PcapNgReader {
    /// Starts at the first Section Header Block.
    #[must_use]
    pub fn new(window: Window, name: String) -> Self {
        Self {
            window,
            name,
            order: ByteOrder::Little,
            interfaces: Vec::new(),
            block_bytes: 0,
            current: None,
            last_ts_ns: 0,
            damage: Vec::new(),
            secrets: Vec::new(),
            ended: false,
        }
    }

    #[cold]
    fn end(&mut self, what: Option<String>) -> bool {
        self.ended = true;
        self.current = None;
        let what = self.window.take_read_error().map(|e| format!("reading stopped: {e}")).or(what);
        if let Some(what) = what {
            self.note(what, false);
        }
        false
    }

    #[cold]
    fn note(&mut self, what: String, resumed: bool) {
        self.damage.push(Damage { file: self.name.clone(), offset_bytes: self.window.position(), what, resumed });
    }

    /// Handles the block at the window's position, all of whose bytes are at hand. `true` if it was a packet.
    fn block(&mut self, kind: u32, length: usize) -> bool {
        let block = self.window.at_hand().get(..length).unwrap_or_default();
        let body = block.get(..length.saturating_sub(4)).unwrap_or_default();
        match kind {
            ENHANCED_PACKET | OBSOLETE_PACKET | SIMPLE_PACKET => {
                match parse_packet(self.order, kind, body, &self.interfaces, self.last_ts_ns) {
                    Ok(current) => {
                        self.last_ts_ns = current.ts_ns;
                        self.current = Some(current);
                        return true;
                    }
                    Err(what) => self.note(what.to_owned(), true),
                }
            }
            INTERFACE => match parse_interface(self.order, body) {
                Some(interface) => {
                    self.interfaces.push(interface);
                    link::unread(interface.link_type).into_iter().for_each(|what| self.note(what, true));
                }
                None => self.note("an interface description is too short".to_owned(), true),
            },
            SECTION_HEADER => self.interfaces.clear(),
            SECRETS if self.order.u32(body, 8) == Some(TLS_KEY_LOG) => {
                let claimed = self.order.u32(body, 12).map_or(0, |n| n as usize);
                let text = body.get(16..).unwrap_or_default();
                self.secrets.push(text.get(..claimed).unwrap_or(text).to_vec());
            }
            _ => {}
        }
        false
    }
}

impl PacketSource for PcapNgReader {
    fn advance(&mut self) -> bool {
        while !self.ended {
            self.current = None;
            self.window.skip(std::mem::take(&mut self.block_bytes));
            let head = self.window.peek(12);
            if head.is_empty() {
                return self.end(None);
            }
            let Some(raw_kind) = be32(head, 0).filter(|_| head.len() >= 12) else {
                let what = format!("the file ends {} bytes into a block header", head.len());
                return self.end(Some(what));
            };
            if raw_kind == SECTION_HEADER {
                self.order = match be32(head, 8) {
                    Some(0x1a2b_3c4d) => ByteOrder::Big,
                    Some(0x4d3c_2b1a) => ByteOrder::Little,
                    _ => return self.end(Some("a section header has no byte-order mark".to_owned())),
                };
            }
            let kind = self.order.u32(head, 0).unwrap_or(0);
            let claimed = self.order.u32(head, 4).unwrap_or(0);
            if !(12..=MAX_BLOCK_BYTES).contains(&claimed) {
                return self.end(Some(format!("a block of type {kind:#x} claims the impossible length of {claimed} bytes")));
            }
            // Blocks are padded to four bytes; a writer that forgot to count the padding is understood.
            let length = (claimed as usize).next_multiple_of(4);
            let there = self.window.peek(length).len();
            if there < claimed as usize {
                return self.end(Some(format!("the file ends {there} bytes into a block of {claimed}")));
            }
            self.block_bytes = length;
            let is_packet = self.block(kind, claimed as usize);
            if is_packet {
                return true;
            }
        }
        false
    }

    #[inline]
    fn packet(&self) -> Packet<'_> {
        let Some(current) = self.current else { return Packet { ts_ns: 0, link_type: 0, data: &[], orig_len: 0 } };
        let data = self.window.at_hand().get(current.data_at..).and_then(|b| b.get(..current.data_bytes));
        Packet { ts_ns: current.ts_ns, link_type: current.link_type, data: data.unwrap_or_default(), orig_len: current.orig_len }
    }

    fn maps(&self) -> Vec<Option<Arc<FileMap>>> {
        vec![self.window.map()]
    }

    #[inline]
    fn place_in_map(&self) -> Option<(usize, usize)> {
        Some((0, self.window.place_in_map()?.checked_add(self.current?.data_at)?))
    }

    fn bytes_read(&self) -> u64 {
        self.window.bytes_read()
    }

    fn total_bytes(&self) -> Option<u64> {
        self.window.total_bytes()
    }

    fn take_damage(&mut self) -> Vec<Damage> {
        std::mem::take(&mut self.damage)
    }

    #[inline]
    fn has_secrets(&self) -> bool {
        !self.secrets.is_empty()
    }

    fn take_secrets(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.secrets)
    }
}

/// Finds the data of a packet block. `body` is the block without its trailing length.
fn parse_packet(
    order: ByteOrder,
    kind: u32,
    body: &[u8],
    interfaces: &[Interface],
    last_ts_ns: i64,
) -> Result<Current, &'static str> {
    let short = "a packet block is too short for its fields";
    let u32_at = |at| order.u32(body, at).ok_or(short);
    let interface_id = match kind {
        ENHANCED_PACKET => u32_at(8)? as usize,
        OBSOLETE_PACKET => usize::from(order.u16(body, 8).ok_or(short)?),
        _ => 0,
    };
    let interface = interfaces.get(interface_id).ok_or("a packet names an interface that was not described")?;
    if kind == SIMPLE_PACKET {
        let orig_len = u32_at(8)?;
        let snap = if interface.snap_bytes == 0 { u32::MAX } else { interface.snap_bytes };
        let there = body.len().saturating_sub(12);
        let data_bytes = there.min(orig_len as usize).min(snap as usize);
        return Ok(Current { ts_ns: last_ts_ns, link_type: interface.link_type, data_at: 12, data_bytes, orig_len });
    }
    let ticks = u64::from(u32_at(12)?) << 32 | u64::from(u32_at(16)?);
    let (captured, length) = (u32_at(20)?, u32_at(24)?);
    let data_bytes = captured as usize;
    if body.len().saturating_sub(28) < data_bytes {
        return Err("a packet claims more captured bytes than its block holds");
    }
    let ts_ns = interface.nanoseconds(ticks);
    Ok(Current { ts_ns, link_type: interface.link_type, data_at: 28, data_bytes, orig_len: length.max(captured) })
}

/// Reads an Interface Description Block with the options that matter to time.
fn parse_interface(order: ByteOrder, body: &[u8]) -> Option<Interface> {
    let mut interface = Interface {
        link_type: u32::from(order.u16(body, 8)?),
        snap_bytes: order.u32(body, 12)?,
        resolution: Resolution::Decimal(6),
        offset_seconds: 0,
    };
    let mut options = body.get(16..).unwrap_or_default();
    while let (Some(code), Some(length)) = (order.u16(options, 0), order.u16(options, 2)) {
        let Some(value) = options.get(4..).and_then(|rest| rest.get(..usize::from(length))) else { break };
        match (code, value) {
            (0, _) => break,
            (9, [resolution, ..]) => {
                let exponent = resolution & 0x7f;
                interface.resolution =
                    if resolution & 0x80 == 0 { Resolution::Decimal(exponent) } else { Resolution::Binary(exponent) };
            }
            (14, value) if value.len() >= 8 => {
                let (high, low) = match order {
                    ByteOrder::Big => (order.u32(value, 0)?, order.u32(value, 4)?),
                    ByteOrder::Little => (order.u32(value, 4)?, order.u32(value, 0)?),
                };
                interface.offset_seconds = (u64::from(high) << 32 | u64::from(low)).cast_signed();
            }
            _ => {}
        }
        options = options.get(4_usize.saturating_add(usize::from(length)).next_multiple_of(4)..).unwrap_or_default();
    }
    Some(interface)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolutions_and_offsets_give_nanoseconds() {
        let of = |resolution, offset_seconds| Interface { link_type: 1, snap_bytes: 0, resolution, offset_seconds };
        assert_eq!(of(Resolution::Decimal(6), 0).nanoseconds(1_000_001), 1_000_001_000);
        assert_eq!(of(Resolution::Decimal(9), 2).nanoseconds(5), 2_000_000_005);
        assert_eq!(of(Resolution::Decimal(12), 0).nanoseconds(5_999), 5);
        assert_eq!(of(Resolution::Binary(10), -1).nanoseconds(1536), 500_000_000);
        assert_eq!(of(Resolution::Decimal(127), 0).nanoseconds(7), 0);
        assert_eq!(of(Resolution::Binary(127), 0).nanoseconds(7), 0);
        assert_eq!(of(Resolution::Decimal(0), 0).nanoseconds(u64::MAX), i64::MAX);
    }
}
