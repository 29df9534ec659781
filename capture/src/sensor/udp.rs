//! One UDP conversation that speaks QUIC or DTLS.
//!
//! Promises: told by content, on any port; no state for any other datagram; the first ClientHello and the first ServerHello count,
//! however many datagrams they came in. With a key log that has its secrets, a QUIC connection is followed on for its HTTP/3 requests.
//!
//! Read next: `../quic/mod.rs`, `../dtls/mod.rs`, `http3.rs`, `build.rs`.

use ja4_event::Protocol;

use crate::decode::Datagram;
use crate::dtls::{DtlsHandshake, is_dtls};
use crate::fingerprint::{ClientFacts, ServerFacts};
use crate::flow::key::Side;
use crate::http::Request;
use crate::quic::{PacketKinds, QuicConnection, QuicLimits, is_supported, version_of_long_header};
use crate::sensor::http3::{Fate, Hellos, Http3};
use crate::sensor::tcp::{ClientSide, Context, News};
use crate::tls::hello::{ClientHello, HelloTransport, ServerHello};

/// State of one conversation.
#[derive(Debug)]
pub struct UdpFlow {
    /// Number of its first packet within the run.
    pub number: u64,
    /// Time of its first packet.
    pub start_ns: i64,
    /// The side taken for the client.
    pub client_side: Side,
    /// TTL and don't-fragment bit of the first packet of each side.
    pub first_ip: [Option<(u8, Option<bool>)>; 2],
    /// First ClientHello.
    pub client: Option<Box<ClientSide>>,
    /// First ServerHello.
    pub server: Option<Box<ServerFacts>>,
    /// Number of its event while that waits.
    pub event_number: Option<u64>,
    /// Bytes of it counted into the total.
    pub accounted_bytes: usize,
    /// Requests not yet taken by the sensor; taken after each datagram.
    pub requests: Vec<(i64, Request)>,
    /// Requests handed out.
    pub request_count: u32,
    /// JA4H of each request.
    pub ja4h: Vec<String>,
    /// The same, raw.
    pub ja4h_r: Vec<String>,
    /// Whether the key log had the keys.
    pub was_decrypted: bool,
    http3: Behind,
    speaks: Speaks,
    datagrams: u32,
    times: QuicTimes,
}

#[derive(Debug)]
enum Speaks {
    Quic(Box<QuicConnection>),
    Dtls(Box<DtlsHandshake>),
}

/// What lies behind the handshake of a QUIC connection.
#[derive(Debug, Default)]
enum Behind {
    #[default]
    Untried,
    Followed(Box<Http3>),
    Over,
}

/// The four points in time of JA4L over QUIC.
#[derive(Debug, Default)]
struct QuicTimes {
    client_initial: Option<i64>,
    server_initial: Option<(i64, u8)>,
    server_handshake: Option<i64>,
    client_handshake: Option<(i64, u8)>,
}

/// What a datagram is, by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A QUIC long header of a version whose Initial packets can be read, or Version Negotiation.
    Quic,
    /// A DTLS record.
    Dtls,
}

/// Tells QUIC and DTLS by content.
#[inline]
#[must_use]
pub fn kind(payload: &[u8]) -> Option<Kind> {
    let first = *payload.first()?;
    if first & 0x80 != 0 {
        return version_of_long_header(payload).filter(|version| is_supported(*version)).map(|_| Kind::Quic);
    }
    ((20..=26).contains(&first) && is_dtls(payload)).then_some(Kind::Dtls)
}

impl UdpFlow {
    /// A conversation whose first datagram is of this kind.
    #[must_use]
    pub fn new(number: u64, ts_ns: i64, client_side: Side, kind: Kind) -> Self {
        let speaks = match kind {
            Kind::Quic => Speaks::Quic(Box::new(QuicConnection::new(QuicLimits::default()))),
            Kind::Dtls => Speaks::Dtls(Box::default()),
        };
        Self {
            number,
            start_ns: ts_ns,
            client_side,
            first_ip: [None; 2],
            client: None,
            server: None,
            event_number: None,
            accounted_bytes: 0,
            requests: Vec::new(),
            request_count: 0,
            ja4h: Vec::new(),
            ja4h_r: Vec::new(),
            was_decrypted: false,
            http3: Behind::default(),
            speaks,
            datagrams: 0,
            times: QuicTimes::default(),
        }
    }

    /// QUIC or DTLS.
    #[must_use]
    pub fn protocol(&self) -> Protocol {
        match self.speaks {
            Speaks::Quic(_) => Protocol::Quic,
            Speaks::Dtls(_) => Protocol::Dtls,
        }
    }

    /// Bytes held for this conversation.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        let hellos = match &self.speaks {
            Speaks::Quic(quic) => quic.heap_bytes(),
            Speaks::Dtls(dtls) => dtls.heap_bytes(),
        };
        if let Behind::Followed(http3) = &self.http3 { hellos.saturating_add(http3.held_bytes()) } else { hellos }
    }

    /// Whether no datagram to come can add a fingerprint.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let timed = self.times.client_handshake.is_some() || matches!(self.speaks, Speaks::Dtls(_));
        let read = !matches!(&self.http3, Behind::Followed(http3) if http3.is_open());
        self.client.is_some() && self.server.is_some() && timed && read
    }

    /// Takes one datagram.
    pub fn datagram(&mut self, side: Side, datagram: &Datagram<'_>, cx: Context<'_>) -> News {
        let news = self.hellos(side, datagram, cx.ts_ns);
        self.behind(side, datagram.payload, cx);
        news
    }

    /// Reads hellos.
    fn hellos(&mut self, side: Side, datagram: &Datagram<'_>, ts_ns: i64) -> News {
        let mut news = News::default();
        if self.client.is_none() {
            self.datagrams = self.datagrams.saturating_add(1);
        }
        match &mut self.speaks {
            Speaks::Quic(quic) => {
                let mut progress = quic.datagram(datagram.payload, side == self.client_side);
                // The first packet seen may have come from the server: who can be read is the client.
                if !quic.has_keys() && self.client.is_none() && side != self.client_side && progress.opened == 0 {
                    progress = quic.datagram(datagram.payload, true);
                    if progress.opened > 0 {
                        self.client_side = side;
                    }
                }
                self.times.note(side == self.client_side, progress.kinds, ts_ns, datagram.ip.ttl);
                if self.client.is_none()
                    && let Some(hello) = quic.client_hello().and_then(ClientHello::parse)
                {
                    let facts = ClientFacts::new(&hello, HelloTransport::Quic);
                    self.client = Some(Box::new(ClientSide { facts, ts_ns, segments: self.datagrams }));
                    news.client_hello = true;
                }
                if self.server.is_none()
                    && let Some(hello) = quic.server_hello().and_then(ServerHello::parse)
                {
                    self.server = Some(Box::new(ServerFacts::new(&hello, HelloTransport::Quic)));
                    news.server_hello = true;
                }
            }
            Speaks::Dtls(dtls) => {
                dtls.datagram(datagram.payload);
                if self.client.is_none()
                    && let Some(hello) = dtls.client_hello().and_then(ClientHello::parse)
                {
                    let facts = ClientFacts::new(&hello, HelloTransport::Dtls);
                    self.client = Some(Box::new(ClientSide { facts, ts_ns, segments: self.datagrams }));
                    self.client_side = side;
                    news.client_hello = true;
                }
                if self.server.is_none()
                    && let Some(hello) = dtls.server_hello().and_then(ServerHello::parse)
                {
                    self.server = Some(Box::new(ServerFacts::new(&hello, HelloTransport::Dtls)));
                    if self.client.is_none() {
                        self.client_side = side.other();
                    }
                    news.server_hello = true;
                }
            }
        }
        news
    }

    /// Reads requests behind the handshake, if a key log is loaded.
    fn behind(&mut self, side: Side, payload: &[u8], cx: Context<'_>) {
        let (Some(keys), Speaks::Quic(quic)) = (cx.keys, &self.speaks) else { return };
        if let Behind::Untried = self.http3 {
            self.http3 = Behind::Followed(Box::new(Http3::new(cx.limits)));
        }
        let Behind::Followed(http3) = &mut self.http3 else { return };
        let client = self.client.as_ref().map(|client| &client.facts);
        let hellos = Hellos { version: quic.version(), client, server: self.server.as_deref() };
        let mut requests = Vec::new();
        let fate = http3.datagram(payload, side == self.client_side, hellos, keys, cx.limits, &mut requests);
        self.was_decrypted |= http3.is_open();
        if fate == Fate::Ends {
            self.http3 = Behind::Over;
        }
        for request in requests {
            #[cfg(feature = "ja4plus")]
            if self.ja4h.len() < cx.limits.values_per_flow {
                let fingerprint = crate::plus::ja4h::ja4h(&request);
                self.ja4h.push(fingerprint.ja4h);
                self.ja4h_r.push(fingerprint.ja4h_r);
            }
            if cx.wants_http {
                self.requests.push((cx.ts_ns, request));
            }
        }
    }

    /// JA4L of client and server, as far as QUIC showed its four points in time.
    #[must_use]
    pub fn ja4l(&self) -> (Option<String>, Option<String>) {
        #[cfg(feature = "ja4plus")]
        {
            use crate::plus::ja4l::ja4l;
            let QuicTimes { client_initial, server_initial, server_handshake, client_handshake } = &self.times;
            let client = server_handshake.zip(*client_handshake).and_then(|(from, (to, ttl))| ja4l(from, to, ttl));
            let server = client_initial.zip(*server_initial).and_then(|(from, (to, ttl))| ja4l(from, to, ttl));
            (client, server)
        }
        #[cfg(not(feature = "ja4plus"))]
        (None, None)
    }
}

impl QuicTimes {
    /// Server: first client Initial to first server Initial. Client: last server packet with a Handshake packet in it to the
    /// first client packet with one.
    fn note(&mut self, from_client: bool, kinds: PacketKinds, ts_ns: i64, ttl: u8) {
        let initial = kinds.contains(PacketKinds::INITIAL);
        let handshake = kinds.contains(PacketKinds::HANDSHAKE);
        if from_client {
            if initial {
                self.client_initial.get_or_insert(ts_ns);
            }
            if handshake && self.server_handshake.is_some() {
                self.client_handshake.get_or_insert((ts_ns, ttl));
            }
        } else {
            if initial && self.client_initial.is_some() {
                self.server_initial.get_or_insert((ts_ns, ttl));
            }
            if handshake && self.client_handshake.is_none() {
                self.server_handshake = Some(ts_ns);
            }
        }
    }
}
