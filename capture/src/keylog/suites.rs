//! Cipher suites whose records can be opened, with what their key schedules need (IANA TLS Cipher Suites registry).
//!
//! Promises: an unknown suite is None. The key exchange does not matter: the master secret comes from the key log.
//! Read next: `schedule.rs`.

/// Protection of records under a suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cipher {
    Aes128Gcm,
    Aes256Gcm,
    ChaCha20Poly1305,
    /// AES-CBC with an HMAC; lengths in bytes.
    Cbc {
        key_bytes: usize,
        mac: Mac,
    },
}

/// HMAC of a CBC suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mac {
    Sha1,
    Sha256,
    Sha384,
}

/// Hash of the PRF (TLS 1.2) or of HKDF (TLS 1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hash {
    Sha256,
    Sha384,
}

/// True when records under `cipher_suite` can be opened, given secrets, in TLS 1.2 or 1.3.
#[must_use]
pub fn is_supported_suite(cipher_suite: u16) -> bool {
    tls13(cipher_suite).is_some() || tls12(cipher_suite).is_some()
}

/// TLS 1.3 suites (RFC 8446 B.4), without the two CCM ones.
pub(super) fn tls13(cipher_suite: u16) -> Option<(Cipher, Hash)> {
    match cipher_suite {
        0x1301 => Some((Cipher::Aes128Gcm, Hash::Sha256)),
        0x1302 => Some((Cipher::Aes256Gcm, Hash::Sha384)),
        0x1303 => Some((Cipher::ChaCha20Poly1305, Hash::Sha256)),
        _ => None,
    }
}

/// TLS 1.2 suites by cipher, whatever their key exchange (RFC 5246, 5288, 5289, 5487, 5489, 7905).
pub(super) fn tls12(cipher_suite: u16) -> Option<(Cipher, Hash)> {
    let cbc = |key_bytes, mac| Cipher::Cbc { key_bytes, mac };
    match cipher_suite {
        0x009c | 0x009e | 0x00a0 | 0x00a2 | 0x00a4 | 0x00a6 | 0x00a8 | 0x00aa | 0x00ac | 0xc02b | 0xc02d | 0xc02f | 0xc031 => {
            Some((Cipher::Aes128Gcm, Hash::Sha256))
        }
        0x009d | 0x009f | 0x00a1 | 0x00a3 | 0x00a5 | 0x00a7 | 0x00a9 | 0x00ab | 0x00ad | 0xc02c | 0xc02e | 0xc030 | 0xc032 => {
            Some((Cipher::Aes256Gcm, Hash::Sha384))
        }
        0xcca8..=0xccae => Some((Cipher::ChaCha20Poly1305, Hash::Sha256)),
        0x002f..=0x0034 | 0x008c | 0x0090 | 0x0094 | 0xc004 | 0xc009 | 0xc00e | 0xc013 | 0xc018 | 0xc035 => {
            Some((cbc(16, Mac::Sha1), Hash::Sha256))
        }
        0x0035..=0x003a | 0x008d | 0x0091 | 0x0095 | 0xc005 | 0xc00a | 0xc00f | 0xc014 | 0xc019 | 0xc036 => {
            Some((cbc(32, Mac::Sha1), Hash::Sha256))
        }
        0x003c | 0x003e..=0x0040 | 0x0067 | 0x006c | 0x00ae | 0x00b2 | 0x00b6 | 0xc023 | 0xc025 | 0xc027 | 0xc029 | 0xc037 => {
            Some((cbc(16, Mac::Sha256), Hash::Sha256))
        }
        0x003d | 0x0068..=0x006b | 0x006d => Some((cbc(32, Mac::Sha256), Hash::Sha256)),
        0x00af | 0x00b3 | 0x00b7 | 0xc024 | 0xc026 | 0xc028 | 0xc02a | 0xc038 => {
            let key_bytes = 32;
            Some((cbc(key_bytes, Mac::Sha384), Hash::Sha384))
        }
        _ => None,
    }
}
