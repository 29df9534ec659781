//! All that one ClientHello or ServerHello tells, as owned values: made once per handshake; texts are shared by all that say the same.
//!
//! Promises: the same for TLS, QUIC and DTLS; nothing here depends on packets or time.
//!
//! Read next: `../record.rs` (prints them), `../sensor/` (makes them).

use std::sync::Arc;

use crate::fingerprint::memo::{ClientTexts, ServerTexts, client_texts, server_texts};
use crate::fingerprint::text::name_text;
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
    /// JA3 and JA4.
    pub texts: Arc<ClientTexts>,
}

impl ClientFacts {
    /// Reads them off a hello.
    #[must_use]
    pub fn new(hello: &ClientHello<'_>, transport: HelloTransport) -> Self {
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
            texts: client_texts(hello, transport),
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
    /// JA3S and JA4S.
    pub texts: Arc<ServerTexts>,
}

impl ServerFacts {
    /// Reads them off a hello.
    #[must_use]
    pub fn new(hello: &ServerHello<'_>, transport: HelloTransport) -> Self {
        Self {
            version: hello.version(),
            cipher_suite: hello.cipher_suite,
            random: *hello.random,
            encrypt_then_mac: hello.extensions.find(EXT_ENCRYPT_THEN_MAC).is_some(),
            texts: server_texts(hello, transport),
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
