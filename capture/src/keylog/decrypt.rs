//! Decryption of one TLS connection with logged secrets: both directions' bytes in, application data and handshake messages out.
//!
//! Promises: bounded by `DecryptLimits`; the split of the input never changes the output; a record that does not open stops
//! its direction with a reason and nothing after it is guessed. TLS 1.2 (RFC 5246) with GCM, ChaCha20-Poly1305 and CBC; TLS 1.3
//! (RFC 8446) with its three common suites, 0-RTT data, key updates and middlebox ChangeCipherSpec records.
//! Read next: `schedule.rs`, `protection.rs`, `records.rs`.

use super::nss::ConnectionSecrets;
use super::protection::{Aead, Protection, RecordInfo};
use super::records::{MessageBuffer, Record, RecordBuffer};
use super::schedule;
use super::secret::Secret;
use super::suites::{self, Cipher, Hash};

/// What the hellos said. All of it is in clear.
#[derive(Clone, Copy, Debug)]
pub struct TlsParameters {
    /// Random of the ClientHello (of the first one; a second after HelloRetryRequest repeats it).
    pub client_random: [u8; 32],
    /// Random of the ServerHello.
    pub server_random: [u8; 32],
    /// Cipher suite of the ServerHello.
    pub cipher_suite: u16,
    /// Negotiated version: 0x0303 or 0x0304 (`supported_versions` of the ServerHello counts).
    pub version: u16,
    /// True when the ServerHello carries extension 22, encrypt_then_mac (RFC 7366).
    pub encrypt_then_mac: bool,
}

/// Bounds of one connection.
#[derive(Clone, Copy, Debug)]
pub struct DecryptLimits {
    /// Bytes of one handshake message. Default 131,072 (long certificate chains).
    pub message_bytes: usize,
    /// Bytes of 0-RTT data held back until the server's answer to them is known. Default 65,536.
    pub early_data_bytes: usize,
}

impl Default for DecryptLimits {
    fn default() -> Self {
        Self { message_bytes: 131_072, early_data_bytes: 65_536 }
    }
}

/// Why a connection, or one direction of it, cannot be decrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecryptError {
    /// Neither TLS 1.2 nor 1.3.
    #[error("decryption supports TLS 1.2 and 1.3 alone")]
    UnsupportedVersion,
    /// No decryption for the negotiated suite.
    #[error("decryption does not support the negotiated cipher suite")]
    UnsupportedSuite,
    /// The key log lacks a secret of this connection, or its length does not fit the suite.
    #[error("the key log lacks a secret that this connection needs")]
    MissingSecret,
    /// A record's authentication failed: wrong secrets, or bytes lost or altered.
    #[error("a record did not open with the logged secrets")]
    RecordRefused,
    /// A record or message exceeds its bound or breaks the protocol.
    #[error("a record breaks the protocol or exceeds its bound")]
    BadRecord,
    /// A second handshake on the connection, for which the log format has no secrets in the clear.
    #[error("the connection renegotiated its keys in a way that cannot be followed")]
    Renegotiation,
    /// Bytes of the stream were lost.
    #[error("bytes of the stream are missing")]
    Gap,
}

/// What a record held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plaintext<'a> {
    /// Bytes of the application's stream. 0-RTT data is among them when the server accepted it; refused 0-RTT data is
    /// left out, because the client sends it again.
    ApplicationData(&'a [u8]),
    /// A whole handshake message that was sent encrypted: its type, and header with body. Type 11 is Certificate
    /// (see `tls13_certificates`), 25 a compressed one (RFC 8879).
    Handshake(u8, &'a [u8]),
    /// An alert: level and description; description 0 is close_notify.
    Alert(u8, u8),
}

/// State of one connection.
pub struct TlsDecryptor {
    limits: DecryptLimits,
    client: Direction,
    server: Direction,
}

struct Direction {
    records: RecordBuffer,
    messages: MessageBuffer,
    sequence: u64,
    keys: Keys,
    stopped: Option<DecryptError>,
}

enum Keys {
    /// TLS 1.2: clear until ChangeCipherSpec.
    Tls12 {
        protection: Protection,
        active: bool,
    },
    Tls13(Box<Tls13>),
}

/// Keys of one direction under TLS 1.3.
struct Tls13 {
    cipher: Cipher,
    hash: Hash,
    current: Aead,
    /// Keys that take over when early data ended: those of the handshake.
    handshake: Option<Aead>,
    /// 0-RTT data until the client's EndOfEarlyData shows that the server accepted it (RFC 8446 4.5).
    early_data: Vec<u8>,
    /// Secret of the application keys, until they are in use and then for key updates.
    application: Secret,
    application_active: bool,
}

const CHANGE_CIPHER_SPEC: u8 = 20;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;
const END_OF_EARLY_DATA: u8 = 5;
const FINISHED: u8 = 20;
const KEY_UPDATE: u8 = 24;

impl std::fmt::Debug for TlsDecryptor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsDecryptor")
            .field("client_stopped", &self.client.stopped)
            .field("server_stopped", &self.server.stopped)
            .finish_non_exhaustive()
    }
}

impl TlsDecryptor {
    /// Prepares decryption of a connection whose hellos said `params` and whose secrets were logged.
    pub fn new(secrets: &ConnectionSecrets, params: &TlsParameters, limits: DecryptLimits) -> Result<Self, DecryptError> {
        let (client, server) = match params.version {
            0x0303 => {
                let (cipher, hash) = suites::tls12(params.cipher_suite).ok_or(DecryptError::UnsupportedSuite)?;
                let master = secrets.master.as_ref().filter(|m| m.bytes().len() == 48).ok_or(DecryptError::MissingSecret)?;
                let (client, server) = schedule::tls12(master, cipher, hash, params).ok_or(DecryptError::MissingSecret)?;
                let keys = |protection| Keys::Tls12 { protection, active: false };
                (keys(client), keys(server))
            }
            0x0304 => {
                let suite = suites::tls13(params.cipher_suite).ok_or(DecryptError::UnsupportedSuite)?;
                let client =
                    Tls13::new(suite, secrets.client_early.as_ref(), &secrets.client_handshake, &secrets.client_application);
                let server = Tls13::new(suite, None, &secrets.server_handshake, &secrets.server_application);
                let keys = |keys: Option<Tls13>| keys.map(|k| Keys::Tls13(Box::new(k))).ok_or(DecryptError::MissingSecret);
                (keys(client)?, keys(server)?)
            }
            _ => return Err(DecryptError::UnsupportedVersion),
        };
        Ok(Self { limits, client: Direction::new(client), server: Direction::new(server) })
    }

    /// Takes the next bytes of one direction's stream and calls `sink` with what they hold, in order.
    ///
    /// The stream may begin at any record boundary before the first encrypted record: clear handshake records are
    /// stepped over. Gives the reason once the direction has stopped; further bytes are then ignored.
    pub fn feed(&mut self, from_client: bool, data: &[u8], mut sink: impl FnMut(Plaintext<'_>)) -> Result<(), DecryptError> {
        let limits = self.limits;
        let direction = if from_client { &mut self.client } else { &mut self.server };
        if let Some(reason) = direction.stopped {
            return Err(reason);
        }
        direction.feed(data, limits, &mut sink).inspect_err(|reason| direction.stop(*reason))
    }

    /// Tells that bytes of one direction are missing: the record boundaries are lost, the direction stops.
    pub fn gap(&mut self, from_client: bool) {
        let direction = if from_client { &mut self.client } else { &mut self.server };
        if direction.stopped.is_none() {
            direction.stop(DecryptError::Gap);
        }
    }

    /// Why a direction stopped, if it did.
    #[must_use]
    pub fn stopped(&self, from_client: bool) -> Option<DecryptError> {
        if from_client { self.client.stopped } else { self.server.stopped }
    }

    /// Bytes held on the heap, for the caller's table of memory.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        [&self.client, &self.server].iter().fold(2 * size_of::<Tls13>(), |sum, direction| {
            sum.saturating_add(direction.records.heap_bytes()).saturating_add(direction.messages.heap_bytes())
        })
    }
}

impl Direction {
    fn new(keys: Keys) -> Self {
        Self { records: RecordBuffer::default(), messages: MessageBuffer::default(), sequence: 0, keys, stopped: None }
    }

    fn stop(&mut self, reason: DecryptError) {
        self.stopped = Some(reason);
        self.records.clear();
        self.messages = MessageBuffer::default();
    }

    fn feed(&mut self, data: &[u8], limits: DecryptLimits, sink: &mut dyn FnMut(Plaintext<'_>)) -> Result<(), DecryptError> {
        let Self { records, messages, sequence, keys, .. } = self;
        let mut rest = data;
        loop {
            let opened = records.next(&mut rest, |record| match keys {
                Keys::Tls12 { protection, active } => tls12_record(protection, active, sequence, messages, record, limits, sink),
                Keys::Tls13(keys) => keys.record(sequence, messages, record, limits, sink),
            });
            match opened {
                Ok(Some(result)) => result?,
                Ok(None) => return Ok(()),
                Err(()) => return Err(DecryptError::BadRecord),
            }
        }
    }
}

/// Handles one record of TLS 1.2.
fn tls12_record(
    protection: &Protection,
    active: &mut bool,
    sequence: &mut u64,
    messages: &mut MessageBuffer,
    record: Record<'_>,
    limits: DecryptLimits,
    sink: &mut dyn FnMut(Plaintext<'_>),
) -> Result<(), DecryptError> {
    let [content_type, v0, v1, ..] = record.header;
    if !*active {
        *active = content_type == CHANGE_CIPHER_SPEC;
        return Ok(());
    }
    let info = RecordInfo { sequence: *sequence, content_type, version: [v0, v1] };
    let plaintext = protection.open_tls12(info, record.fragment).ok_or(DecryptError::RecordRefused)?;
    *sequence = sequence.saturating_add(1);
    match content_type {
        // After it come records under keys of a second handshake.
        CHANGE_CIPHER_SPEC => Err(DecryptError::Renegotiation),
        _ => deliver(content_type, plaintext, messages, limits.message_bytes, sink, |_| ()),
    }
}

impl Tls13 {
    fn new(
        suite: (Cipher, Hash),
        early: Option<&Secret>,
        handshake: &Option<Secret>,
        application: &Option<Secret>,
    ) -> Option<Self> {
        let (cipher, hash) = suite;
        let keys = |secret: &Secret| schedule::tls13(secret, cipher, hash);
        let handshake = keys(handshake.as_ref()?)?;
        // A resumed suite's hash fits; an early secret of another length belongs to a refused offer.
        let (current, handshake) = match early.and_then(keys) {
            Some(early) => (early, Some(handshake)),
            None => (handshake, None),
        };
        Some(Self {
            cipher,
            hash,
            current,
            handshake,
            application: application.clone()?,
            application_active: false,
            early_data: Vec::new(),
        })
    }

    fn record(
        &mut self,
        sequence: &mut u64,
        messages: &mut MessageBuffer,
        record: Record<'_>,
        limits: DecryptLimits,
        sink: &mut dyn FnMut(Plaintext<'_>),
    ) -> Result<(), DecryptError> {
        if record.header[0] != APPLICATION_DATA {
            // Hellos, and the ChangeCipherSpec of middlebox compatibility (RFC 8446 appendix D.4).
            return Ok(());
        }
        if let Some(handshake) = self.handshake.take() {
            // Opening destroys the bytes when the key is wrong, so early keys are tried on a copy.
            let mut copy = record.fragment.to_vec();
            if self.current.open_tls13(*sequence, &record.header, &mut copy).is_some() {
                self.handshake = Some(handshake);
            } else {
                (self.current, *sequence) = (handshake, 0);
                self.early_data = Vec::new();
            }
        }
        let opened = self.current.open_tls13(*sequence, &record.header, record.fragment);
        let (content_type, content) = opened.ok_or(DecryptError::RecordRefused)?;
        *sequence = sequence.saturating_add(1);
        if self.handshake.is_some() && content_type == APPLICATION_DATA {
            self.early_data.extend_from_slice(content);
            return if self.early_data.len() <= limits.early_data_bytes { Ok(()) } else { Err(DecryptError::BadRecord) };
        }
        let mut change = None;
        deliver(content_type, content, messages, limits.message_bytes, sink, |kind| {
            if matches!(kind, END_OF_EARLY_DATA | FINISHED | KEY_UPDATE) {
                change = Some(kind);
            }
        })?;
        if let Some(kind) = change {
            if kind == END_OF_EARLY_DATA && !self.early_data.is_empty() {
                sink(Plaintext::ApplicationData(&std::mem::take(&mut self.early_data)));
            }
            if self.change_keys(kind).ok_or(DecryptError::MissingSecret)? {
                *sequence = 0;
            }
        }
        Ok(())
    }

    /// Takes the keys into use that follow handshake message `kind`; Some(false) when none do.
    fn change_keys(&mut self, kind: u8) -> Option<bool> {
        match kind {
            END_OF_EARLY_DATA => self.current = self.handshake.take()?,
            // Client authentication after the handshake ends with a Finished that changes nothing.
            FINISHED if self.application_active => return Some(false),
            FINISHED => {
                self.current = schedule::tls13(&self.application, self.cipher, self.hash)?;
                self.application_active = true;
            }
            _ => {
                self.application = schedule::next_traffic_secret(&self.application, self.hash)?;
                self.current = schedule::tls13(&self.application, self.cipher, self.hash)?;
            }
        }
        Some(true)
    }
}

/// Hands the content of an opened record out.
fn deliver(
    content_type: u8,
    content: &[u8],
    messages: &mut MessageBuffer,
    limit: usize,
    sink: &mut dyn FnMut(Plaintext<'_>),
    mut on_message: impl FnMut(u8),
) -> Result<(), DecryptError> {
    match (content_type, content) {
        (APPLICATION_DATA, _) => {
            sink(Plaintext::ApplicationData(content));
            Ok(())
        }
        (HANDSHAKE, _) => messages
            .add(content, limit, |kind, message| {
                sink(Plaintext::Handshake(kind, message));
                on_message(kind);
            })
            .map_err(|()| DecryptError::BadRecord),
        (ALERT, &[level, description]) => {
            sink(Plaintext::Alert(level, description));
            Ok(())
        }
        // Heartbeats and types of extensions to come: authentic, of no use here.
        _ => Ok(()),
    }
}
