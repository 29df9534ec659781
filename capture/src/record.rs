//! One connection's fingerprints, as `ja4-lab fingerprint` prints them.
//!
//! Promises: the field names of `docs/CONTRACTS.md`; a field not seen is absent, never `""`; `src` is the client.
//!
//! Read next: `jsonl.rs` (writers), `sensor/mod.rs` (makes them).

use std::net::IpAddr;

use ja4_event::Transport;
use serde::Serialize;

/// Everything seen of one connection. Lists are in wire order.
#[derive(Debug, Clone, PartialEq, Serialize)]
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
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sni: Option<String>,
    /// Protocols offered by the client.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub alpn: Vec<String>,
    /// MD5 of `ja3_raw`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ja3: Option<String>,
    /// The JA3 string.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ja3_raw: Option<String>,
    /// MD5 of `ja3s_raw`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ja3s: Option<String>,
    /// The JA3S string.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ja3s_raw: Option<String>,
    /// JA4, sorted and hashed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ja4: Option<String>,
    /// JA4, sorted and raw.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ja4_r: Option<String>,
    /// JA4, original order, hashed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ja4_o: Option<String>,
    /// JA4, original order, raw.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ja4_ro: Option<String>,
    /// JA4S, hashed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ja4s: Option<String>,
    /// JA4S, raw.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ja4s_r: Option<String>,
    /// JA4H of each HTTP request.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ja4h: Vec<String>,
    /// JA4H of each HTTP request, raw.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ja4h_r: Vec<String>,
    /// JA4T of the first SYN.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ja4t: Option<String>,
    /// JA4TS of the first SYN-ACK.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ja4ts: Option<String>,
    /// JA4L of the client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ja4l_c: Option<String>,
    /// JA4L of the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ja4l_s: Option<String>,
    /// JA4X of each certificate of the server.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ja4x: Vec<String>,
    /// JA4SSH of each 200-packet window, and of the shorter last one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ja4ssh: Vec<String>,
    /// HTTP/2 settings fingerprint, where the preface was readable.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub h2: Vec<String>,
    /// Number of the first packet within the run, from 1: breaks ties of order. Not printed.
    #[serde(skip)]
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
            ja3: None,
            ja3_raw: None,
            ja3s: None,
            ja3s_raw: None,
            ja4: None,
            ja4_r: None,
            ja4_o: None,
            ja4_ro: None,
            ja4s: None,
            ja4s_r: None,
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
        let texts = [&self.ja3, &self.ja3s, &self.ja4, &self.ja4s, &self.ja4t, &self.ja4ts, &self.ja4l_c, &self.ja4l_s];
        let lists = [&self.ja4h, &self.ja4x, &self.ja4ssh, &self.h2];
        texts.iter().any(|text| text.is_some()) || lists.iter().any(|list| !list.is_empty())
    }

    /// Where it belongs in the output: by start, then the first packet, then the ends.
    #[must_use]
    pub fn order(&self) -> (i64, u64, IpAddr, u16, IpAddr, u16, Transport) {
        (self.start_ns, self.number, self.src, self.sport, self.dst, self.dport, self.transport)
    }

    /// Takes over what a ClientHello and a ServerHello said.
    pub fn set_hellos(
        &mut self,
        client: Option<crate::fingerprint::ClientFacts>,
        server: Option<crate::fingerprint::ServerFacts>,
    ) {
        if let Some(client) = client {
            self.sni = client.sni;
            self.alpn = client.alpn;
            self.ja3 = Some(client.ja3);
            self.ja3_raw = Some(client.ja3_raw);
            self.ja4 = Some(client.ja4.ja4);
            self.ja4_r = Some(client.ja4.ja4_r);
            self.ja4_o = Some(client.ja4.ja4_o);
            self.ja4_ro = Some(client.ja4.ja4_ro);
        }
        if let Some(server) = server {
            self.ja3s = Some(server.ja3s);
            self.ja3s_raw = Some(server.ja3s_raw);
            self.ja4s = server.ja4s;
            self.ja4s_r = server.ja4s_r;
        }
    }
}
