//! JA4S, the server's answer to a hello (FoxIO-LLC/ja4, technical_details/JA4S.md; FoxIO License 1.1, see `mod.rs`).
//!
//! Promises: first ServerHello as sent (a HelloRetryRequest counts); extensions keep the server's order and GREASE; version from
//! its supported_versions; ALPN as in JA4, usually `00` in TLS 1.3 where it is encrypted.
//!
//! Read next: `../fingerprint/ja4.rs`.

use crate::fingerprint::ja4::{push_alpn, version_text};
use crate::fingerprint::text::{into_text, push_count, push_hex_list, push_hex16, push_sha12};
use crate::tls::hello::{HelloTransport, ServerHello};

/// Hashed and raw form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ja4s {
    /// `t120400_c02f_4993ccf7354b`.
    pub ja4s: String,
    /// `t120400_c02f_0017,ff01,000b,0023`.
    pub ja4s_r: String,
}

impl From<Ja4s> for (Option<String>, Option<String>) {
    fn from(value: Ja4s) -> Self {
        (Some(value.ja4s), Some(value.ja4s_r))
    }
}

/// Both forms of one ServerHello.
#[must_use]
pub fn ja4s(hello: &ServerHello<'_>, transport: HelloTransport) -> Ja4s {
    let mut ja4s = Vec::with_capacity(25);
    ja4s.push(transport.letter());
    ja4s.extend_from_slice(version_text(hello.version()).as_bytes());
    push_count(&mut ja4s, hello.extensions.iter().count());
    push_alpn(&mut ja4s, hello.alpn());
    ja4s.push(b'_');
    push_hex16(&mut ja4s, hello.cipher_suite);
    ja4s.push(b'_');
    let mut list = Vec::with_capacity(32);
    push_hex_list(&mut list, hello.extensions.kinds());
    let mut ja4s_r = ja4s.clone();
    ja4s_r.extend_from_slice(&list);
    push_sha12(&mut ja4s, &list);
    Ja4s { ja4s: into_text(ja4s), ja4s_r: into_text(ja4s_r) }
}
