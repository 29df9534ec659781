//! Key-log decryption: NSS key logs (files and pcapng Decryption Secrets Blocks) and TLS 1.2/1.3 record decryption with them.
//!
//! Promises: pure; keys are held in memory only as long as the owner lives, wiped when dropped, never printed (`Debug` shows
//! counts). One limit to that: ring's expanded cipher and MAC keys live inside ring's own types, which do not wipe themselves.
//! Cryptography comes from `ring` (AEADs, HKDF, HMAC) and RustCrypto (`aes`, `cbc` for the old suites).
//! Read next: `nss.rs`, then `decrypt.rs`.

mod cbc_hmac;
mod decrypt;
mod nss;
mod protection;
mod quic;
mod records;
mod schedule;
mod secret;
mod suites;

pub use decrypt::{DecryptError, DecryptLimits, Plaintext, TlsDecryptor, TlsParameters};
pub use nss::{ConnectionSecrets, KeyLog, KeyLogLimits, KeyLogStats};
pub(crate) use quic::QuicProtection;
pub use records::tls13_certificates;
pub use suites::is_supported_suite;

#[cfg(test)]
mod tests;
