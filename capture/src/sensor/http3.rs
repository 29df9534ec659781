//! HTTP/3 of one QUIC connection whose secrets a key log holds: packets behind the handshake to requests.
//!
//! Promises: nothing is kept unless a key log is loaded, nothing more once the ClientHello shows that the log has no secrets for it, and
//! nothing beyond `Limits::flow_bytes`; secrets stay inside `../keylog/`. Connection IDs are taken to be as long as those of the
//! handshake (RFC 9000 section 5.1 lets an end vary them; those who do lose nothing but these requests).
//!
//! Read next: `../keylog/quic.rs`, `../quic/streams.rs`, `../http/h3/mod.rs`; `udp.rs` (owns this).

use crate::fingerprint::{ClientFacts, ServerFacts};
use crate::http::Request;
use crate::http::h3::H3Connection;
use crate::keylog::{KeyLog, QuicProtection};
use crate::limits::Limits;
use crate::quic::packet::{LongKind, Step, next};
use crate::quic::streams::{StreamSink, Streams, StreamsLimits};

/// Streams followed at one time; pieces that wait behind holes, of each.
const STREAMS: usize = 1024;
const WAITING_PIECES: usize = 512;

/// How far the decryption of a connection is.
#[derive(Debug)]
pub struct Http3 {
    /// Length of the connection IDs that the server chose, and the client: each packet carries its receiver's.
    id_bytes: [Option<usize>; 2],
    early: Vec<QuicProtection>,
    client: Option<QuicProtection>,
    server: Option<QuicProtection>,
    streams: Streams,
    parser: H3Connection,
    buffer: Vec<u8>,
}

/// What is known of the handshake.
#[derive(Debug, Clone, Copy)]
pub struct Hellos<'a> {
    /// QUIC version of the Initial packets.
    pub version: u32,
    /// The ClientHello.
    pub client: Option<&'a ClientFacts>,
    /// The ServerHello.
    pub server: Option<&'a ServerFacts>,
}

/// What becomes of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is followed on.
    Goes,
    /// No packet to come can be opened, or a bound was reached.
    Ends,
}

impl Http3 {
    /// A connection of which nothing was seen.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        let bounds = StreamsLimits { streams: STREAMS, waiting_bytes: limits.flow_bytes, waiting_pieces: WAITING_PIECES };
        Self {
            id_bytes: [None; 2],
            early: Vec::new(),
            client: None,
            server: None,
            streams: Streams::new(bounds),
            parser: H3Connection::default(),
            buffer: Vec::new(),
        }
    }

    /// Takes one datagram, whose Initial packets were read before.
    pub fn datagram(
        &mut self,
        payload: &[u8],
        from_client: bool,
        hellos: Hellos<'_>,
        keys: &KeyLog,
        limits: &Limits,
        requests: &mut Vec<Request>,
    ) -> Fate {
        if !self.find_keys(hellos, keys) {
            return Fate::Ends;
        }
        let mut rest = payload;
        while let Some(step) = next(&mut rest) {
            match step {
                Step::Long(packet) => {
                    if let Some(id_bytes) = self.id_bytes.get_mut(usize::from(from_client)) {
                        *id_bytes = Some(packet.scid.len());
                    }
                    if packet.kind == LongKind::ZeroRtt && from_client {
                        self.early(packet.bytes, packet.packet_number_at, requests);
                    }
                }
                Step::Short(packet) => self.short(packet, from_client, requests),
                Step::Broken => break,
            }
        }
        if self.held_bytes() > limits.flow_bytes { Fate::Ends } else { Fate::Goes }
    }

    /// Whether packets of the client behind the handshake can be opened.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.client.is_some()
    }

    /// Bytes held.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        let parts =
            [self.parser.heap_bytes(), self.buffer.capacity(), self.early.len().saturating_mul(size_of::<QuicProtection>())];
        parts.into_iter().fold(self.streams.heap_bytes(), usize::saturating_add)
    }

    /// Looks the secrets up as soon as a hello shows whose they are. `false`: there are none.
    fn find_keys(&mut self, hellos: Hellos<'_>, keys: &KeyLog) -> bool {
        let Some(client) = hellos.client.filter(|_| self.client.is_none()) else { return true };
        let Some(secrets) = keys.get(&client.random) else { return false };
        if self.early.is_empty() {
            self.early = QuicProtection::early(secrets, hellos.version);
        }
        let Some(server) = hellos.server else { return true };
        self.client = QuicProtection::client(secrets, server.cipher_suite, hellos.version);
        self.server = QuicProtection::server(secrets, server.cipher_suite, hellos.version);
        self.client.is_some()
    }

    fn early(&mut self, packet: &[u8], number_at: usize, requests: &mut Vec<Request>) {
        let mut buffer = std::mem::take(&mut self.buffer);
        let mut right = None;
        for (place, keys) in self.early.iter_mut().enumerate() {
            if let Some(frames) = keys.open(packet, number_at, &mut buffer) {
                self.streams.packet(frames, true, &mut Into { parser: &mut self.parser, requests });
                right = Some(place);
                break;
            }
        }
        // The suite is known now.
        if let Some(place) = right.filter(|_| self.early.len() > 1) {
            self.early = vec![self.early.swap_remove(place)];
        }
        self.buffer = buffer;
    }

    fn short(&mut self, packet: &[u8], from_client: bool, requests: &mut Vec<Request>) {
        let keys = if from_client { &mut self.client } else { &mut self.server };
        // A packet carries the connection ID that its receiver chose.
        let id_bytes = self.id_bytes.get(usize::from(!from_client)).copied().flatten();
        let (Some(keys), Some(id_bytes)) = (keys, id_bytes) else { return };
        if let Some(frames) = keys.open(packet, id_bytes.saturating_add(1), &mut self.buffer) {
            self.streams.packet(frames, from_client, &mut Into { parser: &mut self.parser, requests });
        }
    }
}

/// Stream bytes into requests.
struct Into<'a> {
    parser: &'a mut H3Connection,
    requests: &'a mut Vec<Request>,
}

impl StreamSink for Into<'_> {
    fn bytes(&mut self, stream: u64, data: &[u8]) -> bool {
        self.parser.feed(stream, data, self.requests)
    }

    fn lost(&mut self, stream: u64) {
        self.parser.lost(stream);
    }
}
