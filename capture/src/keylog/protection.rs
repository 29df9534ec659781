//! Opening of protected TLS records in place: AEAD suites here, CBC suites in `cbc_hmac.rs`.
//!
//! Promises: nothing is given out whose tag or MAC does not verify; no allocation. Sources: RFC 5288 section 3, RFC 7905
//! section 2, RFC 5246 section 6.2.3, RFC 8446 section 5.2.
//! Read next: `decrypt.rs`.

use super::cbc_hmac::CbcKeys;
use super::suites::Cipher;
use ring::aead;

/// Protection of one direction.
pub(super) enum Protection {
    Aead(Box<Aead>),
    Cbc(Box<CbcKeys>),
}

/// How an AEAD's nonce is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NonceKind {
    /// Four bytes of key material, then eight at the front of the record (GCM in TLS 1.2).
    Explicit,
    /// Twelve bytes of key material, XOR the sequence number.
    Sequence,
}

/// Keys of an AEAD in one direction.
pub(super) struct Aead {
    key: aead::LessSafeKey,
    iv: [u8; 12],
    nonce: NonceKind,
}

/// What the record layer knows of a record.
#[derive(Clone, Copy, Debug)]
pub(super) struct RecordInfo {
    pub sequence: u64,
    pub content_type: u8,
    pub version: [u8; 2],
}

impl Protection {
    /// Opens a TLS 1.2 record's `fragment` in place; gives the plaintext.
    pub fn open_tls12<'a>(&self, info: RecordInfo, fragment: &'a mut [u8]) -> Option<&'a [u8]> {
        match self {
            Self::Cbc(keys) => keys.open(info, fragment),
            Self::Aead(keys) => {
                let overhead = if keys.nonce == NonceKind::Explicit { 24 } else { 16 };
                let plaintext_len = fragment.len().checked_sub(overhead)?;
                let data = additional_data(info, plaintext_len)?;
                keys.open(info.sequence, &data, fragment).map(|plaintext| &*plaintext)
            }
        }
    }
}

impl Aead {
    pub fn new(cipher: Cipher, key: &[u8], iv: &[u8], nonce: NonceKind) -> Option<Self> {
        let algorithm = match cipher {
            Cipher::Aes128Gcm => &aead::AES_128_GCM,
            Cipher::Aes256Gcm => &aead::AES_256_GCM,
            Cipher::ChaCha20Poly1305 => &aead::CHACHA20_POLY1305,
            Cipher::Cbc { .. } => return None,
        };
        let mut full_iv = [0; 12];
        full_iv.get_mut(..iv.len())?.copy_from_slice(iv);
        Some(Self { key: aead::LessSafeKey::new(aead::UnboundKey::new(algorithm, key).ok()?), iv: full_iv, nonce })
    }

    /// Opens a TLS 1.3 record in place; gives content type and content (RFC 8446 5.2: zeros behind the type are padding).
    pub fn open_tls13<'a>(&self, sequence: u64, header: &[u8; 5], fragment: &'a mut [u8]) -> Option<(u8, &'a [u8])> {
        let inner = self.open(sequence, header, fragment)?;
        let type_at = inner.iter().rposition(|b| *b != 0)?;
        let (content, tail) = inner.split_at_checked(type_at)?;
        Some((*tail.first()?, content))
    }

    fn open<'a>(&self, sequence: u64, additional_data: &[u8], fragment: &'a mut [u8]) -> Option<&'a mut [u8]> {
        let mut nonce = self.iv;
        let (tail, sealed) = match self.nonce {
            NonceKind::Explicit => {
                let (explicit, sealed) = fragment.split_first_chunk_mut::<8>()?;
                (*explicit, sealed)
            }
            NonceKind::Sequence => (sequence.to_be_bytes(), fragment),
        };
        // The last eight bytes of an explicit nonce's IV are zero, so one rule serves both kinds.
        for (byte, part) in nonce.iter_mut().skip(4).zip(tail) {
            *byte ^= part;
        }
        let nonce = aead::Nonce::assume_unique_for_key(nonce);
        self.key.open_in_place(nonce, aead::Aad::from(additional_data), sealed).ok()
    }
}

/// `seq_num + type + version + length` of RFC 5246 6.2.3.
pub(super) fn additional_data(info: RecordInfo, plaintext_len: usize) -> Option<[u8; 13]> {
    let [a, b, c, d, e, f, g, h] = info.sequence.to_be_bytes();
    let [v0, v1] = info.version;
    let [l0, l1] = u16::try_from(plaintext_len).ok()?.to_be_bytes();
    Some([a, b, c, d, e, f, g, h, info.content_type, v0, v1, l0, l1])
}
