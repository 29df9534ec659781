//! All that one ClientHello or ServerHello tells, as owned values: made once per handshake, shared by records and events.
//!
//! Promises: the same for TLS, QUIC and DTLS; nothing here depends on packets or time.
//!
//! Read next: `../record.rs` (prints them), `../sensor/` (makes them).

use crate::fingerprint::ja3::ja3s_raw;
use crate::fingerprint::ja4::Ja4;
use crate::fingerprint::memo::{Texts, texts};
use crate::fingerprint::text::{md5_hex, name_text};
use crate::tls::hello::{
    ClientHello, EXT_ECH, EXT_ENCRYPT_THEN_MAC, EXT_PRE_SHARED_KEY, EXT_SESSION_TICKET, EXT_SUPPORTED_VERSIONS, HelloTransport,
    ServerHello, is_grease,
};

/// What a ClientHello says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientFacts {
    /// Highest version offered (JA4's rule).
    pub version: u16,
    /// Server name, as sent.
    pub sni: Option<String>,
    /// Protocols offered, in order.
    pub alpn: Vec<String>,
    /// Bytes of the handshake message.
    pub hello_bytes: u32,
    /// Cipher suites without GREASE.
    pub cipher_count: u16,
    /// Extensions without GREASE.
    pub extension_count: u16,
    /// Whether any cipher or extension was GREASE.
    pub grease: bool,
    /// Whether the client offered to resume.
    pub resumption: bool,
    /// Whether encrypted_client_hello was offered.
    pub ech: bool,
    /// client_random: finds the keys of this handshake in a key log.
    pub random: [u8; 32],
    /// The JA3 string.
    pub ja3_raw: String,
    /// Its MD5.
    pub ja3: String,
    /// JA4 in four forms.
    pub ja4: Ja4,
}

impl ClientFacts {
    /// Reads them off a hello.
    #[must_use]
    pub fn new(hello: &ClientHello<'_>, transport: HelloTransport) -> Self {
        let Texts { ja3_raw, ja3, ja4 } = texts(hello, transport);
        let ticket = hello.extension(EXT_SESSION_TICKET).is_some_and(|data| !data.is_empty());
        let old_session = hello.extension(EXT_SUPPORTED_VERSIONS).is_none() && !hello.session_id.is_empty();
        Self {
            version: hello.highest_version(),
            sni: hello.server_name().map(name_text),
            alpn: hello.alpn().filter(|name| !name.is_empty()).map(name_text).collect(),
            hello_bytes: u32::try_from(hello.message_bytes).unwrap_or(u32::MAX),
            cipher_count: count(hello.cipher_suites.without_grease()),
            extension_count: u16::try_from(hello.extension_count()).unwrap_or(u16::MAX),
            grease: hello.cipher_suites.iter().any(is_grease) || hello.extensions.kinds().any(is_grease),
            resumption: hello.extension(EXT_PRE_SHARED_KEY).is_some() || ticket || old_session,
            ech: hello.extension(EXT_ECH).is_some(),
            random: *hello.random,
            ja3,
            ja3_raw,
            ja4,
        }
    }
}

/// What a ServerHello says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerFacts {
    /// Version chosen.
    pub version: u16,
    /// Cipher suite chosen.
    pub cipher_suite: u16,
    /// server_random.
    pub random: [u8; 32],
    /// Whether it agreed to encrypt_then_mac (RFC 7366).
    pub encrypt_then_mac: bool,
    /// The JA3S string.
    pub ja3s_raw: String,
    /// Its MD5.
    pub ja3s: String,
    /// JA4S, hashed; `None` if built without the `ja4plus` feature.
    pub ja4s: Option<String>,
    /// JA4S, raw.
    pub ja4s_r: Option<String>,
}

impl ServerFacts {
    /// Reads them off a hello.
    #[must_use]
    pub fn new(hello: &ServerHello<'_>, transport: HelloTransport) -> Self {
        let raw = ja3s_raw(hello);
        #[cfg(feature = "ja4plus")]
        let (ja4s, ja4s_r) = crate::plus::ja4s::ja4s(hello, transport).into();
        #[cfg(not(feature = "ja4plus"))]
        let (ja4s, ja4s_r) = {
            let _ = transport;
            (None, None)
        };
        Self {
            version: hello.version(),
            cipher_suite: hello.cipher_suite,
            random: *hello.random,
            encrypt_then_mac: hello.extensions.find(EXT_ENCRYPT_THEN_MAC).is_some(),
            ja3s: md5_hex(raw.as_bytes()),
            ja3s_raw: raw,
            ja4s,
            ja4s_r,
        }
    }

    /// Whether what follows the ServerHello is encrypted (TLS 1.3 and its drafts), so that no certificate will be readable.
    #[must_use]
    pub fn encrypted_certificates(&self) -> bool {
        self.version == 0x0304 || self.version >> 8 == 0x7f
    }
}

fn count<T>(values: impl Iterator<Item = T>) -> u16 {
    u16::try_from(values.count()).unwrap_or(u16::MAX)
}
