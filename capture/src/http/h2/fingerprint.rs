//! The HTTP/2 settings fingerprint: `SETTINGS|WINDOW_UPDATE|PRIORITY|pseudo-header order`.
//!
//! Source: Shuster and Segal, "Passive Fingerprinting of HTTP/2 Clients" (Akamai, Black Hat Europe 2017). Example of a browser:
//! `1:65536;2:0;4:6291456;6:262144|15663105|0|m,a,s,p`. Promises: bounded, and equal to what the Apache module of this
//! project writes for the same bytes.
//! Read next: `mod.rs`, which feeds it.

use std::fmt::Write as _;

/// Most settings and most PRIORITY frames that are written; clients send up to eight and six.
const MAX_PARTS: usize = 32;

/// What has been seen of a client until its first complete header block.
#[derive(Clone, Debug, Default)]
pub(super) struct Collected {
    settings: Option<Vec<(u16, u32)>>,
    window_increment: Option<u32>,
    priorities: Vec<Priority>,
}

#[derive(Clone, Copy, Debug)]
struct Priority {
    stream: u32,
    exclusive: bool,
    depends_on: u32,
    weight: u16,
}

impl Collected {
    /// The first SETTINGS frame counts, with its parameters in wire order.
    pub fn settings(&mut self, payload: &[u8]) {
        if self.settings.is_none() {
            let (entries, _) = payload.as_chunks::<6>();
            let read = |e: &[u8; 6]| (u16::from_be_bytes([e[0], e[1]]), u32::from_be_bytes([e[2], e[3], e[4], e[5]]));
            self.settings = Some(entries.iter().take(MAX_PARTS).map(read).collect());
        }
    }

    /// The first WINDOW_UPDATE of the connection (stream 0) counts.
    pub fn window_update(&mut self, payload: &[u8]) {
        if let (None, Some(bytes)) = (self.window_increment, payload.first_chunk::<4>()) {
            self.window_increment = Some(u32::from_be_bytes(*bytes) & 0x7fff_ffff);
        }
    }

    /// Each PRIORITY frame, in order.
    pub fn priority(&mut self, stream: u32, payload: &[u8]) {
        if let (true, Some([a, b, c, d, weight])) = (self.priorities.len() < MAX_PARTS, payload.first_chunk::<5>()) {
            let word = u32::from_be_bytes([*a, *b, *c, *d]);
            let (exclusive, depends_on) = (word >> 31 == 1, word & 0x7fff_ffff);
            self.priorities.push(Priority { stream, exclusive, depends_on, weight: u16::from(*weight) + 1 });
        }
    }

    /// The fingerprint, given the first letters of the pseudo-header fields in order.
    pub fn finish(&self, pseudo_order: &[u8]) -> String {
        let mut out = String::new();
        for (at, (id, value)) in self.settings.iter().flatten().enumerate() {
            let _ = write!(out, "{}{id}:{value}", if at > 0 { ";" } else { "" });
        }
        match self.window_increment {
            Some(increment) => {
                let _ = write!(out, "|{increment}|");
            }
            None => out.push_str("|00|"),
        }
        if self.priorities.is_empty() {
            out.push('0');
        }
        for (at, p) in self.priorities.iter().enumerate() {
            let comma = if at > 0 { "," } else { "" };
            let _ = write!(out, "{comma}{}:{}:{}:{}", p.stream, u8::from(p.exclusive), p.depends_on, p.weight);
        }
        for (at, letter) in pseudo_order.iter().enumerate() {
            out.push(if at > 0 { ',' } else { '|' });
            out.push(char::from(*letter));
        }
        if pseudo_order.is_empty() {
            out.push('|');
        }
        out
    }
}
