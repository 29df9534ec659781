//! What a TCP connection speaks beside TLS: clear-text HTTP/1 and HTTP/2, SSH.
//!
//! Promises: told by the first bytes of a direction, never by port; HTTP hides no TLS (a file that contains a hello is no
//! handshake), except behind CONNECT and Upgrade; lists are bounded.
//!
//! Read next: `../http/mod.rs`, `tcp.rs`.

use crate::flow::key::Side;
use crate::http::h1::{H1Limits, H1Parser, H1State, StopReason};
use crate::http::h2::{H2Client, H2Limits};
use crate::http::{DETECT_BYTES, Detection, Request, detect};
use crate::limits::Limits;
use crate::sensor::tcp::Context;

/// The protocol, as far as known.
#[derive(Debug, Default)]
pub struct App {
    /// First bytes of each direction while they are too few to tell.
    probes: [Probe; 2],
    speaks: Speaks,
    /// A CONNECT or Upgrade was asked for: what follows may be TLS.
    handover: bool,
    /// Requests not yet taken by the sensor; taken after each packet.
    pub requests: Vec<(i64, Request)>,
    /// Requests seen.
    pub request_count: u32,
    /// Fingerprints of the requests, or of SSH windows.
    pub values: Values,
}

/// Fingerprints collected along a connection.
#[derive(Debug, Default)]
pub struct Values {
    /// JA4H of each request.
    pub ja4h: Vec<String>,
    /// The same, raw.
    pub ja4h_r: Vec<String>,
    /// JA4SSH of each window.
    pub ja4ssh: Vec<String>,
    /// HTTP/2 settings fingerprint.
    pub h2: Vec<String>,
    /// Time of the first request byte.
    pub http_ns: Option<i64>,
}

#[derive(Debug, Default)]
enum Probe {
    #[default]
    Fresh,
    Some {
        bytes: Vec<u8>,
        ts_ns: i64,
    },
    Told,
}

#[derive(Debug, Default)]
enum Speaks {
    #[default]
    Unknown,
    Http1 {
        client: Side,
        parser: Box<H1Parser>,
    },
    Http2 {
        client: Side,
        parser: Box<H2Client>,
    },
    #[cfg(feature = "ja4plus")]
    Ssh(Box<crate::plus::ja4ssh::Ja4Ssh>),
}

/// What is left for the TLS reader.
#[derive(Debug, Clone, Copy, Default)]
pub struct BehindApp {
    /// Offset within the bytes from which TLS may begin; `None`: nowhere.
    pub for_tls: Option<usize>,
    /// HTTP was recognised just now; the sender is the client.
    pub http_begins: bool,
}

impl App {
    /// Whether it is not yet known what the connection speaks.
    #[must_use]
    pub fn is_undecided(&self) -> bool {
        matches!(self.speaks, Speaks::Unknown)
    }

    /// Whether nothing more will be learnt here.
    #[must_use]
    pub fn is_done(&self) -> bool {
        match &self.speaks {
            Speaks::Unknown => true,
            Speaks::Http1 { parser, .. } => matches!(parser.state(), H1State::Tunnel | H1State::Stopped(_)),
            Speaks::Http2 { parser, .. } => parser.stopped().is_some(),
            #[cfg(feature = "ja4plus")]
            Speaks::Ssh(_) => false,
        }
    }

    /// Whether the bytes of a direction are still read here.
    #[must_use]
    pub fn wants(&self, side: Side) -> bool {
        match &self.speaks {
            Speaks::Http1 { client, .. } | Speaks::Http2 { client, .. } => *client == side && !self.is_done(),
            #[cfg(feature = "ja4plus")]
            Speaks::Ssh(_) => true,
            Speaks::Unknown => false,
        }
    }

    /// Whether an HTTP/2 settings fingerprint may still turn up.
    #[must_use]
    pub fn may_show_h2(&self) -> bool {
        match &self.speaks {
            Speaks::Unknown => true,
            Speaks::Http2 { parser, .. } => self.values.h2.is_empty() && parser.stopped().is_none(),
            _ => false,
        }
    }

    /// Whether it is SSH, whose packets are counted.
    #[must_use]
    pub fn is_ssh(&self) -> bool {
        #[cfg(feature = "ja4plus")]
        return matches!(self.speaks, Speaks::Ssh(_));
        #[cfg(not(feature = "ja4plus"))]
        false
    }

    /// Counts one packet of an SSH connection.
    pub fn count_packet(&mut self, from_client: bool, payload_bytes: usize, pure_ack: bool, limits: &Limits) {
        #[cfg(feature = "ja4plus")]
        if let Speaks::Ssh(ssh) = &mut self.speaks
            && let Some(window) = ssh.packet(from_client, payload_bytes, pure_ack)
            && self.values.ja4ssh.len() < limits.values_per_flow
        {
            self.values.ja4ssh.push(window);
        }
        #[cfg(not(feature = "ja4plus"))]
        let _ = (from_client, payload_bytes, pure_ack, limits);
    }

    /// The connection ended: the last, shorter window counts too.
    pub fn finish(&mut self) {
        #[cfg(feature = "ja4plus")]
        if let Speaks::Ssh(ssh) = &mut self.speaks {
            self.values.ja4ssh.extend(ssh.finish());
        }
        if let Speaks::Http2 { parser, .. } = &self.speaks
            && self.values.h2.is_empty()
        {
            self.values.h2.extend(parser.fingerprint().map(str::to_owned));
        }
    }

    /// Bytes held here.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        let probes = self.probes.iter().map(|probe| if let Probe::Some { bytes, .. } = probe { bytes.capacity() } else { 0 });
        let parser = match &self.speaks {
            Speaks::Http1 { parser, .. } => parser.heap_bytes(),
            Speaks::Http2 { parser, .. } => parser.heap_bytes(),
            _ => 0,
        };
        probes.fold(parser, usize::saturating_add)
    }

    /// What was read of a direction is void.
    pub fn restart(&mut self, side: Side) {
        if let Some(probe) = self.probes.get_mut(side.index()) {
            *probe = Probe::Fresh;
        }
        if let Speaks::Http1 { client, .. } | Speaks::Http2 { client, .. } = &self.speaks
            && *client == side
        {
            self.speaks = Speaks::Unknown;
            self.values = Values { http_ns: self.values.http_ns, ..Values::default() };
        }
    }

    /// Bytes of a direction were lost.
    pub fn lost(&mut self, side: Side) {
        match &mut self.speaks {
            Speaks::Http1 { client, parser } if *client == side => parser.gap(0),
            Speaks::Http2 { client, parser } if *client == side => parser.gap(0),
            _ => {}
        }
    }

    /// Takes the next bytes of a direction.
    pub fn read(&mut self, side: Side, data: &[u8], tls_seen: bool, cx: Context<'_>) -> BehindApp {
        let everything = BehindApp { for_tls: Some(0), http_begins: false };
        match &mut self.speaks {
            Speaks::Unknown if !tls_seen => self.probe(side, data, cx),
            Speaks::Unknown => everything,
            Speaks::Http1 { client, .. } | Speaks::Http2 { client, .. } => {
                if *client == side {
                    self.http(data, cx)
                } else {
                    BehindApp { for_tls: self.handover.then_some(0), http_begins: false }
                }
            }
            #[cfg(feature = "ja4plus")]
            Speaks::Ssh(_) => BehindApp::default(),
        }
    }

    fn probe(&mut self, side: Side, data: &[u8], cx: Context<'_>) -> BehindApp {
        let everything = BehindApp { for_tls: Some(0), http_begins: false };
        let Some(probe) = self.probes.get_mut(side.index()) else { return everything };
        let (seen, first_ns) = match probe {
            Probe::Told => return everything,
            Probe::Fresh => (None, cx.ts_ns),
            Probe::Some { bytes, ts_ns } => {
                let room = DETECT_BYTES.saturating_mul(2).saturating_sub(bytes.len());
                bytes.extend_from_slice(data.get(..room).unwrap_or(data));
                (Some(std::mem::take(bytes)), *ts_ns)
            }
        };
        let bytes = seen.as_deref().unwrap_or(data);
        *probe = Probe::Told;
        #[cfg(feature = "ja4plus")]
        if crate::plus::ja4ssh::is_ssh_banner(bytes) {
            self.speaks = Speaks::Ssh(Box::default());
            return BehindApp::default();
        }
        let could_be_ssh = bytes.len() < 6 && b"SSH-1.".iter().zip(bytes).take(4).all(|(a, b)| a == b);
        match detect(bytes) {
            Detection::Http1 => {
                self.values.http_ns = Some(first_ns);
                self.speaks = Speaks::Http1 { client: side, parser: Box::new(H1Parser::new(H1Limits::default())) };
            }
            Detection::Http2 => {
                self.values.http_ns = Some(first_ns);
                self.speaks = Speaks::Http2 { client: side, parser: Box::new(H2Client::new(H2Limits::default())) };
            }
            detection => {
                if detection == Detection::NeedMore || could_be_ssh {
                    *probe = Probe::Some { bytes: seen.unwrap_or_else(|| data.to_vec()), ts_ns: first_ns };
                }
                return everything;
            }
        }
        let earlier_bytes = bytes.len().saturating_sub(data.len());
        let behind = self.http(seen.as_deref().unwrap_or(data), cx);
        BehindApp { for_tls: behind.for_tls.map(|from| from.saturating_sub(earlier_bytes)), http_begins: true }
    }

    fn http(&mut self, data: &[u8], cx: Context<'_>) -> BehindApp {
        let mut requests = Vec::new();
        let for_tls = match &mut self.speaks {
            Speaks::Http1 { parser, .. } => {
                let taken = parser.feed(data, &mut requests);
                let left_http = matches!(parser.state(), H1State::Tunnel | H1State::Stopped(StopReason::NotARequest));
                left_http.then_some(taken.min(data.len()))
            }
            Speaks::Http2 { parser, .. } => {
                parser.feed(data, &mut requests);
                if self.values.h2.is_empty() {
                    self.values.h2.extend(parser.fingerprint().map(str::to_owned));
                }
                None
            }
            _ => None,
        };
        for request in requests {
            self.request(&request, cx.limits);
            if cx.wants_http {
                self.requests.push((cx.ts_ns, request));
            }
        }
        BehindApp { for_tls: for_tls.filter(|_| self.handover), http_begins: false }
    }

    fn request(&mut self, request: &Request, limits: &Limits) {
        self.handover |= request.method == b"CONNECT" || request.header("upgrade").is_some();
        #[cfg(feature = "ja4plus")]
        if self.values.ja4h.len() < limits.values_per_flow {
            let fingerprint = crate::plus::ja4h::ja4h(request);
            self.values.ja4h.push(fingerprint.ja4h);
            self.values.ja4h_r.push(fingerprint.ja4h_r);
        }
        #[cfg(not(feature = "ja4plus"))]
        let _ = (request, limits);
    }
}
