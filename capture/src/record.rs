//! One connection's fingerprints, as `ja4-lab fingerprint` prints them.
//!
//! Promises: the field names of `docs/CONTRACTS.md`; a field not seen is absent, never `""`; `src` is the client.
//!
//! Read next: `jsonl.rs` (writers), `sensor/mod.rs` (makes them).

use std::net::IpAddr;
use std::sync::Arc;

use ja4_event::Transport;
use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::fingerprint::{ClientFacts, ClientTexts, ServerFacts, ServerTexts};

/// Everything seen of one connection. Lists are in wire order.
#[derive(Debug, Clone, PartialEq)]
pub struct ConnectionRecord {
    /// Client address: the side that sent the ClientHello, else the SYN, else the first packet.
    pub src: IpAddr,
    /// Client port.
    pub sport: u16,
    /// Server address.
    pub dst: IpAddr,
    /// Server port.
    pub dport: u16,
    /// `tcp` or `udp`.
    pub transport: Transport,
    /// Time of the first packet, nanoseconds since 1970 UTC.
    pub start_ns: i64,
    /// Server name of the ClientHello, as sent.
    pub sni: Option<String>,
    /// Protocols offered by the client.
    pub alpn: Vec<String>,
    /// JA3 and JA4 of the ClientHello; shared with other connections of clients that say the same.
    pub client: Option<Arc<ClientTexts>>,
    /// JA3S and JA4S of the ServerHello.
    pub server: Option<Arc<ServerTexts>>,
    /// JA4H of each HTTP request.
    pub ja4h: Vec<String>,
    /// JA4H of each HTTP request, raw.
    pub ja4h_r: Vec<String>,
    /// JA4T of the first SYN.
    pub ja4t: Option<String>,
    /// JA4TS of the first SYN-ACK.
    pub ja4ts: Option<String>,
    /// JA4L of the client.
    pub ja4l_c: Option<String>,
    /// JA4L of the server.
    pub ja4l_s: Option<String>,
    /// JA4X of each certificate of the server.
    pub ja4x: Vec<String>,
    /// JA4SSH of each 200-packet window, and of the shorter last one.
    pub ja4ssh: Vec<String>,
    /// HTTP/2 settings fingerprint, where the preface was readable.
    pub h2: Vec<String>,
    /// Number of the first packet within the run, from 1: breaks ties of order. Not printed.
    pub number: u64,
}

impl ConnectionRecord {
    /// A record without fingerprints.
    #[must_use]
    pub fn new(client: (IpAddr, u16), server: (IpAddr, u16), transport: Transport, start_ns: i64, number: u64) -> Self {
        Self {
            src: client.0,
            sport: client.1,
            dst: server.0,
            dport: server.1,
            transport,
            start_ns,
            sni: None,
            alpn: Vec::new(),
            client: None,
            server: None,
            ja4h: Vec::new(),
            ja4h_r: Vec::new(),
            ja4t: None,
            ja4ts: None,
            ja4l_c: None,
            ja4l_s: None,
            ja4x: Vec::new(),
            ja4ssh: Vec::new(),
            h2: Vec::new(),
            number,
        }
    }

    /// Whether there is any fingerprint in it.
    #[must_use]
    pub fn has_fingerprint(&self) -> bool {
        let texts = [&self.ja4t, &self.ja4ts, &self.ja4l_c, &self.ja4l_s];
        let lists = [&self.ja4h, &self.ja4x, &self.ja4ssh, &self.h2];
        self.client.is_some()
            || self.server.is_some()
            || texts.iter().any(|text| text.is_some())
            || lists.iter().any(|list| !list.is_empty())
    }

    /// MD5 of the JA3 string.
    #[must_use]
    pub fn ja3(&self) -> Option<&str> {
        self.client.as_ref().map(|texts| texts.ja3.as_str())
    }

    /// The JA3 string.
    #[must_use]
    pub fn ja3_raw(&self) -> Option<&str> {
        self.client.as_ref().map(|texts| texts.ja3_raw.as_str())
    }

    /// MD5 of the JA3S string.
    #[must_use]
    pub fn ja3s(&self) -> Option<&str> {
        self.server.as_ref().map(|texts| texts.ja3s.as_str())
    }

    /// The JA3S string.
    #[must_use]
    pub fn ja3s_raw(&self) -> Option<&str> {
        self.server.as_ref().map(|texts| texts.ja3s_raw.as_str())
    }

    /// JA4, sorted and hashed.
    #[must_use]
    pub fn ja4(&self) -> Option<&str> {
        self.client.as_ref().map(|texts| texts.ja4.ja4.as_str())
    }

    /// JA4, sorted and raw.
    #[must_use]
    pub fn ja4_r(&self) -> Option<&str> {
        self.client.as_ref().map(|texts| texts.ja4.ja4_r.as_str())
    }

    /// JA4, original order, hashed.
    #[must_use]
    pub fn ja4_o(&self) -> Option<&str> {
        self.client.as_ref().map(|texts| texts.ja4.ja4_o.as_str())
    }

    /// JA4, original order, raw.
    #[must_use]
    pub fn ja4_ro(&self) -> Option<&str> {
        self.client.as_ref().map(|texts| texts.ja4.ja4_ro.as_str())
    }

    /// JA4S, hashed.
    #[must_use]
    pub fn ja4s(&self) -> Option<&str> {
        self.server.as_ref().and_then(|texts| texts.ja4s.as_deref())
    }

    /// JA4S, raw.
    #[must_use]
    pub fn ja4s_r(&self) -> Option<&str> {
        self.server.as_ref().and_then(|texts| texts.ja4s_r.as_deref())
    }

    /// The texts of both hellos by their names, in the order in which they are printed.
    #[must_use]
    pub fn hello_texts(&self) -> [(&'static str, Option<&str>); 10] {
        [
            ("ja3", self.ja3()),
            ("ja3_raw", self.ja3_raw()),
            ("ja3s", self.ja3s()),
            ("ja3s_raw", self.ja3s_raw()),
            ("ja4", self.ja4()),
            ("ja4_r", self.ja4_r()),
            ("ja4_o", self.ja4_o()),
            ("ja4_ro", self.ja4_ro()),
            ("ja4s", self.ja4s()),
            ("ja4s_r", self.ja4s_r()),
        ]
    }

    /// Where it belongs in the output: by start, then the first packet, then the ends.
    #[must_use]
    pub fn order(&self) -> (i64, u64, IpAddr, u16, IpAddr, u16, Transport) {
        (self.start_ns, self.number, self.src, self.sport, self.dst, self.dport, self.transport)
    }

    /// Takes over what a ClientHello and a ServerHello said.
    pub fn set_hellos(&mut self, client: Option<ClientFacts>, server: Option<ServerFacts>) {
        if let Some(client) = client {
            self.sni = client.sni;
            self.alpn = client.alpn;
            self.client = Some(client.texts);
        }
        if let Some(server) = server {
            self.server = Some(server.texts);
        }
    }
}

/// As `jsonl.rs` prints it: the same names in the same order.
impl Serialize for ConnectionRecord {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("src", &self.src)?;
        map.serialize_entry("sport", &self.sport)?;
        map.serialize_entry("dst", &self.dst)?;
        map.serialize_entry("dport", &self.dport)?;
        map.serialize_entry("transport", &self.transport)?;
        map.serialize_entry("start_ns", &self.start_ns)?;
        let text = |map: &mut S::SerializeMap, name, value: Option<&str>| match value {
            Some(value) => map.serialize_entry(name, value),
            None => Ok(()),
        };
        let list = |map: &mut S::SerializeMap, name, values: &[String]| {
            if values.is_empty() { Ok(()) } else { map.serialize_entry(name, values) }
        };
        text(&mut map, "sni", self.sni.as_deref())?;
        list(&mut map, "alpn", &self.alpn)?;
        for (name, value) in self.hello_texts() {
            text(&mut map, name, value)?;
        }
        list(&mut map, "ja4h", &self.ja4h)?;
        list(&mut map, "ja4h_r", &self.ja4h_r)?;
        text(&mut map, "ja4t", self.ja4t.as_deref())?;
        text(&mut map, "ja4ts", self.ja4ts.as_deref())?;
        text(&mut map, "ja4l_c", self.ja4l_c.as_deref())?;
        text(&mut map, "ja4l_s", self.ja4l_s.as_deref())?;
        list(&mut map, "ja4x", &self.ja4x)?;
        list(&mut map, "ja4ssh", &self.ja4ssh)?;
        list(&mut map, "h2", &self.h2)?;
        map.end()
    }
}
