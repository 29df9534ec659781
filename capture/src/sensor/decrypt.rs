//! Decryption of one TLS connection while it passes: bytes since the hellos are kept until both are known, then opened.
//!
//! Promises: nothing is kept unless a key log is loaded, and nothing longer than until the ClientHello shows that the log has no
//! secrets for it; bounded by `Limits::flow_bytes`; secrets stay inside `../keylog/`.
//!
//! Read next: `../keylog/mod.rs`, `tcp.rs`.

use crate::fingerprint::{ClientFacts, ServerFacts};
use crate::flow::key::Side;
use crate::keylog::{DecryptLimits, KeyLog, Plaintext, TlsDecryptor, TlsParameters};
use crate::limits::Limits;

/// How far the decryption of a connection is.
#[derive(Debug, Default)]
pub enum Decryption {
    /// Not asked for, impossible, or over.
    #[default]
    Off,
    /// Both directions' bytes since their hellos began.
    Waiting([Vec<u8>; 2]),
    /// Keys are known.
    Active {
        /// Whose bytes are the client's.
        client: Side,
        /// The state.
        decryptor: Box<TlsDecryptor>,
    },
}

/// Handshake type of a Certificate message.
#[cfg(feature = "ja4plus")]
const CERTIFICATE: u8 = 11;

/// What decrypted bytes of one direction hold.
#[derive(Debug, Default)]
pub struct Opened {
    /// Application bytes of the client.
    pub client_bytes: Vec<u8>,
    /// JA4X of certificates of the server.
    pub ja4x: Vec<String>,
}

impl Decryption {
    /// Keeps bytes that lie at or behind the beginning of a hello.
    pub fn keep(&mut self, side: Side, data: &[u8], limits: &Limits) {
        if let Self::Off = self {
            *self = Self::Waiting([Vec::new(), Vec::new()]);
        }
        let Self::Waiting(kept) = self else { return };
        let total = kept.iter().map(Vec::len).fold(data.len(), usize::saturating_add);
        if total > limits.flow_bytes {
            *self = Self::Off;
        } else if let Some(kept) = kept.get_mut(side.index()) {
            kept.extend_from_slice(data);
        }
    }

    /// Keeps further bytes of a direction whose hello began.
    pub fn keep_more(&mut self, side: Side, data: &[u8], limits: &Limits) {
        let began = matches!(self, Self::Waiting(kept) if kept.get(side.index()).is_some_and(|kept| !kept.is_empty()));
        if began {
            self.keep(side, data, limits);
        }
    }

    /// Both hellos are known: looks the keys up and opens what was kept.
    pub fn start(&mut self, client_side: Side, client: &ClientFacts, server: &ServerFacts, keys: &KeyLog) -> Opened {
        let mut opened = Opened::default();
        let Self::Waiting(kept) = std::mem::take(self) else { return opened };
        let parameters = TlsParameters {
            client_random: client.random,
            server_random: server.random,
            cipher_suite: server.cipher_suite,
            version: server.version,
            encrypt_then_mac: server.encrypt_then_mac,
        };
        let decryptor =
            keys.get(&client.random).and_then(|secrets| TlsDecryptor::new(secrets, &parameters, DecryptLimits::default()).ok());
        let Some(decryptor) = decryptor else { return opened };
        *self = Self::Active { client: client_side, decryptor: Box::new(decryptor) };
        let [low, high] = kept;
        for (side, bytes) in [(Side::Low, low), (Side::High, high)] {
            self.open(side, &bytes, &mut opened);
        }
        opened
    }

    /// Opens the next bytes of a direction.
    pub fn open(&mut self, side: Side, data: &[u8], opened: &mut Opened) {
        let Self::Active { client, decryptor } = self else { return };
        let from_client = side == *client;
        // The reason of a stop is kept by the decryptor; a stopped connection adds nothing more.
        let fed = decryptor.feed(from_client, data, |plaintext| match plaintext {
            Plaintext::ApplicationData(bytes) if from_client => opened.client_bytes.extend_from_slice(bytes),
            #[cfg(feature = "ja4plus")]
            Plaintext::Handshake(CERTIFICATE, message) if !from_client => {
                let certificates = crate::keylog::tls13_certificates(message);
                opened.ja4x.extend(certificates.into_iter().filter_map(crate::plus::ja4x::ja4x).map(|x| x.ja4x));
            }
            _ => {}
        });
        if fed.is_err() && decryptor.stopped(true).is_some() {
            *self = Self::Off;
        }
    }

    /// Bytes of a direction were lost.
    pub fn gap(&mut self, side: Side) {
        match self {
            Self::Off => {}
            Self::Waiting(_) => *self = Self::Off,
            Self::Active { client, decryptor } => decryptor.gap(side == *client),
        }
    }

    /// Whether keys are in use.
    #[must_use]
    pub fn is_active(&self) -> bool {
        matches!(self, Self::Active { .. })
    }

    /// Whether bytes are wanted.
    #[must_use]
    pub fn is_off(&self) -> bool {
        matches!(self, Self::Off)
    }

    /// Bytes held.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        match self {
            Self::Off => 0,
            Self::Waiting(kept) => kept.iter().map(Vec::capacity).fold(0, usize::saturating_add),
            Self::Active { decryptor, .. } => decryptor.heap_bytes(),
        }
    }
}
