//! Tunnels inside IP and UDP: GRE (with key, TEB, ERSPAN I–III, PPTP), VXLAN, Geneve, GTP-U, Teredo.
//!
//! Promises: a UDP tunnel is taken for one only if its port *and* its header agree, since any port may be a client's; whatever
//! is inside starts a new round of the bounded walk in `mod.rs`.
//!
//! Read next: `ip.rs`.

use crate::bytes::Cursor;
use crate::decode::{Layer, ip};

const VXLAN: u16 = 4789;
const VXLAN_LINUX: u16 = 8472;
const VXLAN_GPE: u16 = 4790;
const GENEVE: u16 = 6081;
const GTP_U: u16 = 2152;
const TEREDO: u16 = 3544;

/// A GRE header (RFC 2784, 2890; version 1: RFC 2637) and, for ERSPAN, the header behind it.
#[must_use]
pub fn gre(data: &[u8]) -> Option<Layer<'_>> {
    let mut cursor = Cursor::new(data);
    let flags = cursor.u16()?;
    let kind = cursor.u16()?;
    let has = |bit: u16| flags & bit != 0;
    if has(0x4000) {
        // Source routing (RFC 1701) was never used; its length cannot be trusted.
        return Some(Layer::Done(super::Decoded::Other));
    }
    if has(0x8000) {
        cursor.skip(4)?;
    }
    if has(0x2000) {
        cursor.skip(4)?;
    }
    if has(0x1000) {
        cursor.skip(4)?;
    }
    if flags & 7 == 1 && has(0x0080) {
        cursor.skip(4)?;
    }
    match kind {
        // ERSPAN type I has no header of its own and no sequence number; type II has both (draft-foschiano-erspan).
        0x88be => {
            if has(0x1000) {
                cursor.skip(8)?;
            }
            Some(Layer::Ethernet(cursor.rest()))
        }
        // ERSPAN type III: twelve bytes, and eight more if the last bit says so.
        0x22eb => {
            let last = *cursor.take(12)?.last()?;
            if last & 1 == 1 {
                cursor.skip(8)?;
            }
            Some(Layer::Ethernet(cursor.rest()))
        }
        _ => Some(Layer::EtherType(kind, cursor.rest())),
    }
}

/// What a UDP datagram carries if it is a tunnel; `None` if it is not.
#[inline]
#[must_use]
pub fn in_udp(src_port: u16, dst_port: u16, payload: &[u8]) -> Option<Layer<'_>> {
    let one_is = |port| src_port == port || dst_port == port;
    // One datagram may bear two of these ports (VXLAN to VXLAN-GPE): the header decides.
    let vxlan = || if one_is(VXLAN) || one_is(VXLAN_LINUX) { vxlan(payload) } else { None };
    let vxlan_gpe = || if one_is(VXLAN_GPE) { vxlan_gpe(payload) } else { None };
    let gtp_u = || if one_is(GTP_U) { gtp_u(payload) } else { None };
    let geneve = || if one_is(GENEVE) { geneve(payload) } else { None };
    let teredo = || if one_is(TEREDO) { teredo(payload) } else { None };
    vxlan().or_else(vxlan_gpe).or_else(gtp_u).or_else(geneve).or_else(teredo)
}

/// RFC 7348 §5: flags with the I bit, reserved bytes zero (the group-policy draft uses two of them).
fn vxlan(payload: &[u8]) -> Option<Layer<'_>> {
    let mut cursor = Cursor::new(payload);
    let flags = cursor.u8()?;
    cursor.skip(6)?;
    let reserved = cursor.u8()?;
    (flags & 0x7f == 8 && reserved == 0 && cursor.len() >= 14).then_some(Layer::Ethernet(cursor.rest()))
}

/// draft-ietf-nvo3-vxlan-gpe: the P bit and a next-protocol byte.
fn vxlan_gpe(payload: &[u8]) -> Option<Layer<'_>> {
    let mut cursor = Cursor::new(payload);
    let flags = cursor.u8()?;
    cursor.skip(2)?;
    let next = cursor.u8()?;
    cursor.skip(4)?;
    if flags & 0x0c != 0x0c {
        return None;
    }
    match next {
        1 | 2 => Some(Layer::Ip(cursor.rest())),
        3 => Some(Layer::Ethernet(cursor.rest())),
        _ => None,
    }
}

/// RFC 8926 §3.4: version 0, options of up to 63 words.
fn geneve(payload: &[u8]) -> Option<Layer<'_>> {
    let mut cursor = Cursor::new(payload);
    let first = cursor.u8()?;
    cursor.skip(1)?;
    let kind = cursor.u16()?;
    cursor.skip(4)?;
    if first >> 6 != 0 || !matches!(kind, 0x6558 | 0x0800 | 0x86dd) {
        return None;
    }
    cursor.skip(usize::from(first & 63) * 4)?;
    Some(Layer::EtherType(kind, cursor.rest()))
}

/// 3GPP TS 29.281 §5: G-PDU of version 1 with its optional fields and extension headers.
fn gtp_u(payload: &[u8]) -> Option<Layer<'_>> {
    let mut cursor = Cursor::new(payload);
    let flags = cursor.u8()?;
    let kind = cursor.u8()?;
    let length = usize::from(cursor.u16()?);
    cursor.skip(4)?;
    if flags & 0xf0 != 0x30 || kind != 0xff || length > cursor.len() {
        return None;
    }
    if flags & 7 != 0 {
        cursor.skip(3)?;
        let mut next = cursor.u8()?;
        let mut left = 8_u8;
        while flags & 4 != 0 && next != 0 {
            left = left.checked_sub(1)?;
            let units = usize::from(cursor.u8()?);
            let body = cursor.take((units * 4).checked_sub(1)?)?;
            next = *body.last()?;
        }
    }
    ip::looks_like_ip(cursor.rest()).then_some(Layer::Ip(cursor.rest()))
}

/// RFC 4380 §5.1.1: optional authentication and origin indications, then IPv6 whose length agrees.
fn teredo(payload: &[u8]) -> Option<Layer<'_>> {
    let mut cursor = Cursor::new(payload);
    if cursor.rest().starts_with(&[0, 1]) {
        cursor.skip(2)?;
        let (client, value) = (usize::from(cursor.u8()?), usize::from(cursor.u8()?));
        cursor.skip(client + value + 9)?;
    }
    if cursor.rest().starts_with(&[0, 0]) {
        cursor.skip(8)?;
    }
    ip::is_whole_v6(cursor.rest()).then_some(Layer::Ip(cursor.rest()))
}
