//! Record keys from logged secrets: the key block of TLS 1.2 (RFC 5246 sections 5 and 6.3), traffic keys of 1.3 (RFC 8446 7.3).
//!
//! Promises: intermediate key material is wiped when dropped; a secret of the wrong length yields None.
//! Read next: `protection.rs`, which uses the keys.

use super::protection::{Aead, NonceKind, Protection};
use super::secret::Secret;
use super::suites::{Cipher, Hash, Mac};
use super::{cbc_hmac::CbcKeys, decrypt::TlsParameters};
use crate::quic::hkdf_label::expand_into;
use ring::{hkdf, hmac};

/// Protection of client and server records under TLS 1.2.
pub(super) fn tls12(master: &Secret, cipher: Cipher, hash: Hash, params: &TlsParameters) -> Option<(Protection, Protection)> {
    let (mac_bytes, key_bytes, iv_bytes) = match cipher {
        Cipher::Aes128Gcm => (0, 16, 4),
        Cipher::Aes256Gcm => (0, 32, 4),
        Cipher::ChaCha20Poly1305 => (0, 32, 12),
        Cipher::Cbc { key_bytes, mac } => (mac_len(mac), key_bytes, 0),
    };
    let total = 2 * (mac_bytes + key_bytes + iv_bytes);
    let seed: [&[u8]; 3] = [b"key expansion", &params.server_random, &params.client_random];
    let block = Secret::filled(total, |out| prf(hash, master.bytes(), &seed, out))?;
    let mut rest = block.bytes();
    let mut take = |len| {
        let (taken, tail) = rest.split_at_checked(len)?;
        rest = tail;
        Some(taken)
    };
    let (client_mac, server_mac) = (take(mac_bytes)?, take(mac_bytes)?);
    let (client_key, server_key) = (take(key_bytes)?, take(key_bytes)?);
    let (client_iv, server_iv) = (take(iv_bytes)?, take(iv_bytes)?);
    let build = |mac_key: &[u8], key: &[u8], iv: &[u8]| match cipher {
        Cipher::Cbc { mac, .. } => Some(Protection::Cbc(Box::new(CbcKeys::new(mac, mac_key, key, params.encrypt_then_mac)?))),
        Cipher::ChaCha20Poly1305 => Some(Protection::Aead(Box::new(Aead::new(cipher, key, iv, NonceKind::Sequence)?))),
        _ => Some(Protection::Aead(Box::new(Aead::new(cipher, key, iv, NonceKind::Explicit)?))),
    };
    Some((build(client_mac, client_key, client_iv)?, build(server_mac, server_key, server_iv)?))
}

/// Protection of one direction's records under a TLS 1.3 traffic secret.
pub(super) fn tls13(secret: &Secret, cipher: Cipher, hash: Hash) -> Option<Aead> {
    let prk = traffic_prk(secret, hash)?;
    let key = Secret::filled(if cipher == Cipher::Aes128Gcm { 16 } else { 32 }, |out| expand_into(&prk, b"key", out))?;
    let iv = Secret::filled(12, |out| expand_into(&prk, b"iv", out))?;
    Aead::new(cipher, key.bytes(), iv.bytes(), NonceKind::Sequence)
}

/// The traffic secret after a KeyUpdate (RFC 8446 7.2).
pub(super) fn next_traffic_secret(secret: &Secret, hash: Hash) -> Option<Secret> {
    let prk = traffic_prk(secret, hash)?;
    Secret::filled(secret.bytes().len(), |out| expand_into(&prk, b"traffic upd", out))
}

pub(super) fn traffic_prk(secret: &Secret, hash: Hash) -> Option<hkdf::Prk> {
    let (algorithm, len) = match hash {
        Hash::Sha256 => (hkdf::HKDF_SHA256, 32),
        Hash::Sha384 => (hkdf::HKDF_SHA384, 48),
    };
    (secret.bytes().len() == len).then(|| hkdf::Prk::new_less_safe(algorithm, secret.bytes()))
}

/// P_hash of RFC 5246 section 5 over the concatenation of `seed`.
pub(super) fn prf(hash: Hash, secret: &[u8], seed: &[&[u8]], out: &mut [u8]) -> Option<()> {
    let algorithm = match hash {
        Hash::Sha256 => hmac::HMAC_SHA256,
        Hash::Sha384 => hmac::HMAC_SHA384,
    };
    let key = hmac::Key::new(algorithm, secret);
    let sign = |first: &[u8], parts: &[&[u8]]| {
        let mut context = hmac::Context::with_key(&key);
        context.update(first);
        parts.iter().for_each(|part| context.update(part));
        context.sign()
    };
    let mut a = sign(&[], seed);
    for chunk in out.chunks_mut(a.as_ref().len()) {
        let block = sign(a.as_ref(), seed);
        chunk.copy_from_slice(block.as_ref().get(..chunk.len())?);
        a = sign(a.as_ref(), &[]);
    }
    Some(())
}

fn mac_len(mac: Mac) -> usize {
    match mac {
        Mac::Sha1 => 20,
        Mac::Sha256 => 32,
        Mac::Sha384 => 48,
    }
}
