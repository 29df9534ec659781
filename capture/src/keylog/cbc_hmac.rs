//! AES-CBC records of TLS 1.2: MAC-then-encrypt (RFC 5246 section 6.2.3.2) and encrypt-then-MAC (RFC 7366).
//!
//! Promises: the MAC is checked before anything is given out; padding is checked byte by byte. Timing does not matter here: an
//! observer answers nobody. Keys are wiped when dropped (the HMAC key inside ring's type is not).
//! Read next: `protection.rs`.

use super::protection::{RecordInfo, additional_data};
use super::secret::Secret;
use super::suites::Mac;
use aes::cipher::block_padding::NoPadding;
use aes::cipher::{BlockModeDecrypt as _, KeyIvInit as _};
use ring::hmac;

const BLOCK_BYTES: usize = 16;

/// Keys of one direction.
pub(super) struct CbcKeys {
    mac: hmac::Key,
    key: Secret,
    encrypt_then_mac: bool,
}

impl CbcKeys {
    pub fn new(mac: Mac, mac_key: &[u8], key: &[u8], encrypt_then_mac: bool) -> Option<Self> {
        let algorithm = match mac {
            Mac::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Mac::Sha256 => hmac::HMAC_SHA256,
            Mac::Sha384 => hmac::HMAC_SHA384,
        };
        let key = Secret::filled(key.len(), |out| {
            out.copy_from_slice(key);
            Some(())
        })?;
        Some(Self { mac: hmac::Key::new(algorithm, mac_key), key, encrypt_then_mac })
    }

    /// Opens a record's fragment (explicit IV, then ciphertext) in place.
    pub fn open<'a>(&self, info: RecordInfo, fragment: &'a mut [u8]) -> Option<&'a [u8]> {
        let mac_bytes = self.mac.algorithm().digest_algorithm().output_len();
        if self.encrypt_then_mac {
            let (sealed, tag) = fragment.split_at_mut_checked(fragment.len().checked_sub(mac_bytes)?)?;
            self.verify(info, sealed, tag)?;
            let padded = self.decrypt(sealed)?;
            return padded.get(..unpadded_len(padded)?);
        }
        let padded = self.decrypt(fragment)?;
        let (content, rest) = padded.split_at_checked(unpadded_len(padded)?.checked_sub(mac_bytes)?)?;
        self.verify(info, content, rest.get(..mac_bytes)?)?;
        Some(content)
    }

    fn decrypt<'a>(&self, sealed: &'a mut [u8]) -> Option<&'a [u8]> {
        let (iv, blocks) = sealed.split_first_chunk_mut::<BLOCK_BYTES>()?;
        if blocks.is_empty() {
            return None;
        }
        if self.key.bytes().len() == 16 {
            cbc::Decryptor::<aes::Aes128>::new_from_slices(self.key.bytes(), iv).ok()?.decrypt_padded::<NoPadding>(blocks).ok()
        } else {
            cbc::Decryptor::<aes::Aes256>::new_from_slices(self.key.bytes(), iv).ok()?.decrypt_padded::<NoPadding>(blocks).ok()
        }
    }

    fn verify(&self, info: RecordInfo, content: &[u8], tag: &[u8]) -> Option<()> {
        let mut context = hmac::Context::with_key(&self.mac);
        context.update(&additional_data(info, content.len())?);
        context.update(content);
        (context.sign().as_ref() == tag).then_some(())
    }
}

/// Length without padding: the last byte `n` follows `n` bytes of the same value.
fn unpadded_len(padded: &[u8]) -> Option<usize> {
    let last = *padded.last()?;
    let len = padded.len().checked_sub(usize::from(last))?.checked_sub(1)?;
    padded.get(len..)?.iter().all(|b| *b == last).then_some(len)
}
