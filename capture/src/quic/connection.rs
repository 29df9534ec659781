//! One QUIC connection as a passive observer sees it: datagrams of both directions in, the two hellos out.
//!
//! Promises: bounded by `QuicLimits` whatever arrives; the first complete ClientHello and ServerHello are kept and never
//! replaced; the outcome does not depend on how CRYPTO frames were spread over packets and datagrams. Keys follow the
//! client's first Destination Connection ID and are derived anew when only newer ones open the client's packets: that
//! covers Retry (RFC 9001 5.2), Version Negotiation, RFC 9368 version change, and a port reused by a new connection.
//! Read next: `packet.rs`, `keys.rs`, `crypto_stream.rs`.

use super::crypto_stream::{CryptoStream, StreamLimits};
use super::frames::{self, Frame};
use super::keys::InitialKeys;
use super::packet::{self, LongKind, LongPacket, PacketKinds, Step};
use super::version;

/// Bounds of one connection; the defaults are far above what browsers send.
#[derive(Clone, Copy, Debug)]
pub struct QuicLimits {
    /// CRYPTO bytes per direction, assembled; as many may wait out of order. Default 65,536.
    pub crypto_bytes: usize,
    /// CRYPTO segments that may wait out of order, per direction. Default 256.
    pub crypto_segments: usize,
    /// Initial packets that fail to open before the connection is given up. Default 32.
    pub failed_opens: u32,
}

impl Default for QuicLimits {
    fn default() -> Self {
        Self { crypto_bytes: 65_536, crypto_segments: 256, failed_opens: 32 }
    }
}

/// What one datagram brought, as far as the caller must act.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum QuicEvent {
    /// Nothing new.
    #[default]
    Nothing,
    /// The ClientHello is now complete.
    ClientHello,
    /// The ServerHello (or HelloRetryRequest) is now complete.
    ServerHello,
    /// A CONNECTION_CLOSE frame was read in an Initial packet.
    Closed,
    /// Bounds were reached or the stream is no TLS: no hello will come, the connection can be dropped.
    GaveUp,
}

/// Result of `QuicConnection::datagram`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QuicProgress {
    /// What to act on.
    pub event: QuicEvent,
    /// Kinds of the packets in the datagram, by their headers; for JA4L's time points.
    pub kinds: PacketKinds,
    /// Initial packets whose protection was opened.
    pub opened: u32,
}

/// Observer's state of one connection. About 1.5 KiB once keys exist, plus CRYPTO bytes while hellos are incomplete.
pub struct QuicConnection {
    limits: QuicLimits,
    version: u32,
    original_dcid: Vec<u8>,
    keys: Option<Box<InitialKeys>>,
    client: Direction,
    server: Direction,
    failed_opens: u32,
    given_up: bool,
    buffer: Vec<u8>,
}

#[derive(Default)]
struct Direction {
    stream: CryptoStream,
    next_packet_number: u64,
    complete: bool,
}

impl std::fmt::Debug for QuicConnection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("QuicConnection")
            .field("version", &format_args!("{:#010x}", self.version))
            .field("has_keys", &self.keys.is_some())
            .field("client_hello", &self.client.complete)
            .field("server_hello", &self.server.complete)
            .field("failed_opens", &self.failed_opens)
            .finish_non_exhaustive()
    }
}

impl Default for QuicConnection {
    fn default() -> Self {
        Self::new(QuicLimits::default())
    }
}

impl QuicConnection {
    /// An observer that has seen nothing yet.
    #[must_use]
    pub fn new(limits: QuicLimits) -> Self {
        Self {
            limits,
            version: 0,
            original_dcid: Vec::new(),
            keys: None,
            client: Direction::default(),
            server: Direction::default(),
            failed_opens: 0,
            given_up: false,
            buffer: Vec::new(),
        }
    }

    /// Takes one UDP payload. `from_client` is the caller's view of the direction.
    ///
    /// The direction matters: server packets open only with keys that came from a client packet, so a caller who does
    /// not know the client yet tries the sender of the first Initial and swaps when `opened` stays 0 and
    /// `has_keys` false.
    pub fn datagram(&mut self, payload: &[u8], from_client: bool) -> QuicProgress {
        let mut progress = QuicProgress::default();
        let mut rest = payload;
        while let Some(step) = packet::next(&mut rest) {
            match step {
                Step::Short(_) => progress.kinds.insert(PacketKinds::SHORT),
                Step::Broken => break,
                Step::Long(packet) => {
                    progress.kinds.insert(kind_bit(packet.kind));
                    if packet.kind == LongKind::Initial {
                        self.initial(&packet, from_client, &mut progress);
                    }
                }
            }
        }
        if self.is_complete() || self.given_up {
            self.keys = None;
            self.buffer = Vec::new();
        }
        progress
    }

    /// The client's first complete ClientHello: handshake header (type 1, 24-bit length) and body.
    #[must_use]
    pub fn client_hello(&self) -> Option<&[u8]> {
        if self.client.complete { self.client.stream.first_message() } else { None }
    }

    /// The server's first complete ServerHello (or HelloRetryRequest): handshake header (type 2) and body.
    #[must_use]
    pub fn server_hello(&self) -> Option<&[u8]> {
        if self.server.complete { self.server.stream.first_message() } else { None }
    }

    /// Version of the last client Initial that could be opened; 0 before.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.version
    }

    /// True once a client Initial was opened (and until both hellos are complete): the direction was guessed right.
    #[must_use]
    pub fn has_keys(&self) -> bool {
        self.keys.is_some()
    }

    /// Both hellos are known: later datagrams cost only the walk over their headers.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.client.complete && self.server.complete
    }

    /// Bytes held on the heap, for the caller's table of memory.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        let keys = self.keys.as_ref().map_or(0, |_| size_of::<InitialKeys>());
        [keys, self.buffer.capacity(), self.original_dcid.capacity(), self.client.stream.heap_bytes()]
            .iter()
            .fold(self.server.stream.heap_bytes(), |sum, part| sum.saturating_add(*part))
    }

    fn initial(&mut self, packet: &LongPacket<'_>, from_client: bool, progress: &mut QuicProgress) {
        if self.given_up || !self.wants(packet, from_client) {
            return;
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        match self.open(packet, from_client, &mut buffer) {
            Some(plaintext) => {
                progress.opened += 1;
                self.frames(plaintext, from_client, progress);
            }
            None => {
                self.failed_opens = self.failed_opens.saturating_add(1);
                self.given_up |= self.failed_opens >= self.limits.failed_opens;
            }
        }
        self.buffer = buffer;
        if self.given_up {
            progress.event = QuicEvent::GaveUp;
        }
    }

    /// False for packets that can bring nothing new: opening costs three orders of magnitude more than skipping.
    fn wants(&self, packet: &LongPacket<'_>, from_client: bool) -> bool {
        if !from_client {
            return !self.server.complete;
        }
        // After a Retry the hello is known already, but the server's packets need the keys of the new connection ID.
        let rekeyed = !self.server.complete && self.server.next_packet_number == 0 && packet.dcid != self.original_dcid;
        !self.client.complete || rekeyed
    }

    /// Opens a packet with the current keys, else with those of its own version and connection ID.
    fn open<'b>(&mut self, packet: &LongPacket<'_>, from_client: bool, buffer: &'b mut Vec<u8>) -> Option<&'b [u8]> {
        if let Some(keys) = &self.keys {
            let (direction, keys) =
                if from_client { (&mut self.client, &keys.client) } else { (&mut self.server, keys.server()?) };
            if let Some((number, start, len)) = try_open(keys, packet, direction.next_packet_number, buffer) {
                direction.next_packet_number = direction.next_packet_number.max(number.saturating_add(1));
                return buffer.get(start..start.checked_add(len)?);
            }
        }
        let params = version::params(packet.version)?;
        if from_client {
            let fresh = InitialKeys::new(&params, packet.dcid)?;
            let (number, start, len) = try_open(&fresh.client, packet, 0, buffer)?;
            self.adopt(packet, fresh);
            self.client.next_packet_number = number.saturating_add(1);
            return buffer.get(start..start.checked_add(len)?);
        }
        // A server may answer in another version (RFC 9368); its keys still come from the client's connection ID.
        if self.keys.is_none() || packet.version == self.version {
            return None;
        }
        let changed = InitialKeys::new(&params, &self.original_dcid)?;
        let (number, start, len) = try_open(changed.server()?, packet, self.server.next_packet_number, buffer)?;
        self.server.next_packet_number = number.saturating_add(1);
        self.version = packet.version;
        self.keys = Some(Box::new(changed));
        buffer.get(start..start.checked_add(len)?)
    }

    /// Switches to keys that opened a client packet; half-read streams under older keys are void.
    fn adopt(&mut self, packet: &LongPacket<'_>, keys: InitialKeys) {
        self.version = packet.version;
        self.original_dcid.clear();
        self.original_dcid.extend_from_slice(packet.dcid);
        self.keys = Some(Box::new(keys));
        for direction in [&mut self.client, &mut self.server] {
            if !direction.complete {
                *direction = Direction::default();
            }
        }
    }

    fn frames(&mut self, mut plaintext: &[u8], from_client: bool, progress: &mut QuicProgress) {
        let crypto_type = version::params(self.version).map_or(6, |params| params.crypto_frame_type);
        let limits = StreamLimits { bytes: self.limits.crypto_bytes, segments: self.limits.crypto_segments };
        let (direction, expected_type, event) = if from_client {
            (&mut self.client, 1, QuicEvent::ClientHello)
        } else {
            (&mut self.server, 2, QuicEvent::ServerHello)
        };
        while let Some(frame) = frames::next(&mut plaintext, crypto_type) {
            match frame {
                Frame::Crypto { offset, data } if !direction.complete => {
                    direction.stream.insert(offset, data, limits);
                }
                Frame::Crypto { .. } => {}
                Frame::ConnectionClose if progress.event == QuicEvent::Nothing => progress.event = QuicEvent::Closed,
                Frame::ConnectionClose => {}
            }
        }
        if direction.complete {
            return;
        }
        if let Some(message) = direction.stream.first_message() {
            direction.complete = message.first() == Some(&expected_type);
            self.given_up |= !direction.complete;
            if direction.complete {
                direction.stream.finish();
                progress.event = event;
            }
        } else {
            self.given_up |= !direction.stream.can_complete(limits);
        }
    }
}

/// Opens `packet`; gives its number and where in `buffer` the plaintext lies (so that the borrow of the keys ends here).
fn try_open(
    keys: &super::keys::DirectionKeys,
    packet: &LongPacket<'_>,
    expected: u64,
    buffer: &mut Vec<u8>,
) -> Option<(u64, usize, usize)> {
    let (number, len) = keys.open(packet, expected, buffer).map(|(number, plaintext)| (number, plaintext.len()))?;
    // AES-GCM adds a 16-byte tag behind the plaintext; the packet in `buffer` ends with it.
    let start = buffer.len().checked_sub(len)?.checked_sub(16)?;
    Some((number, start, len))
}

fn kind_bit(kind: LongKind) -> PacketKinds {
    match kind {
        LongKind::Initial => PacketKinds::INITIAL,
        LongKind::ZeroRtt => PacketKinds::ZERO_RTT,
        LongKind::Handshake => PacketKinds::HANDSHAKE,
        LongKind::Retry => PacketKinds::RETRY,
        LongKind::VersionNegotiation => PacketKinds::VERSION_NEGOTIATION,
    }
}
