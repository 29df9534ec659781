//! Initial packet protection: keys from a connection ID, header protection, packet numbers, opening (RFC 9001 5.2 to 5.4).
//!
//! Promises: the AEAD decides; a packet whose tag does not verify yields None and changes nothing. The caller's buffer
//! is reused for every packet, so opening allocates only until the largest packet was seen.
//! Read next: `frames.rs` for what the plaintext holds.

use super::hkdf_label::{expand, expand_into};
use super::packet::LongPacket;
use super::version::VersionParams;
use ring::aead::{self, quic};
use ring::hkdf;
use std::cell::OnceCell;

/// Packet protection of both directions in the Initial number space.
pub(super) struct InitialKeys {
    pub client: DirectionKeys,
    /// Derived when the first server packet comes; a ClientHello alone needs only half of the work.
    server: OnceCell<Option<DirectionKeys>>,
    initial: hkdf::Prk,
    params: VersionParams,
}

/// Packet protection of one direction.
pub(super) struct DirectionKeys {
    header: quic::HeaderProtectionKey,
    aead: aead::LessSafeKey,
    iv: [u8; 12],
}

impl InitialKeys {
    /// Keys for the connection whose first client Initial carried `dcid`.
    pub fn new(params: &VersionParams, dcid: &[u8]) -> Option<Self> {
        let initial = hkdf::Salt::new(hkdf::HKDF_SHA256, params.salt).extract(dcid);
        let client = DirectionKeys::new(params, &initial, b"client in")?;
        Some(Self { client, server: OnceCell::new(), initial, params: *params })
    }

    /// Keys of the server's packets.
    pub fn server(&self) -> Option<&DirectionKeys> {
        self.server.get_or_init(|| DirectionKeys::new(&self.params, &self.initial, b"server in")).as_ref()
    }
}

impl DirectionKeys {
    fn new(params: &VersionParams, initial: &hkdf::Prk, label: &[u8]) -> Option<Self> {
        let secret: hkdf::Prk = expand(initial, label, hkdf::HKDF_SHA256)?;
        let [key_label, iv_label, header_label] = params.labels;
        let key: aead::UnboundKey = expand(&secret, key_label, &aead::AES_128_GCM)?;
        let header: quic::HeaderProtectionKey = expand(&secret, header_label, &quic::AES_128)?;
        let mut iv = [0; 12];
        expand_into(&secret, iv_label, &mut iv)?;
        Some(Self { header, aead: aead::LessSafeKey::new(key), iv })
    }

    /// Opens `packet` into `buffer` (overwritten); gives the packet number and the plaintext frames.
    ///
    /// `expected_number` is one more than the largest number opened so far in this direction (RFC 9000 A.3).
    pub fn open<'b>(&self, packet: &LongPacket<'_>, expected_number: u64, buffer: &'b mut Vec<u8>) -> Option<(u64, &'b [u8])> {
        let sample_at = packet.packet_number_at.checked_add(4)?;
        let sample = packet.bytes.get(sample_at..sample_at.checked_add(16)?)?;
        let [first_mask, number_mask @ ..] = self.header.new_mask(sample).ok()?;

        buffer.clear();
        buffer.extend_from_slice(packet.bytes);
        let first = buffer.first_mut()?;
        *first ^= first_mask & 0x0f;
        let number_len = usize::from(*first & 3) + 1;
        let (header, ciphertext) = buffer.split_at_mut_checked(packet.packet_number_at.checked_add(number_len)?)?;
        let number_bytes = header.get_mut(packet.packet_number_at..)?;
        let mut truncated = 0u64;
        for (byte, mask) in number_bytes.iter_mut().zip(number_mask) {
            *byte ^= mask;
            truncated = (truncated << 8) | u64::from(*byte);
        }
        let number = full_packet_number(expected_number, truncated, number_len);
        let mut nonce = self.iv;
        for (byte, part) in nonce.iter_mut().skip(4).zip(number.to_be_bytes()) {
            *byte ^= part;
        }
        let nonce = aead::Nonce::assume_unique_for_key(nonce);
        let plaintext = self.aead.open_in_place(nonce, aead::Aad::from(&*header), ciphertext).ok()?;
        Some((number, plaintext))
    }
}

/// Restores a packet number from its `len` low-order bytes (RFC 9000 appendix A.3).
pub(crate) fn full_packet_number(expected: u64, truncated: u64, len: usize) -> u64 {
    let window = 1u64 << (8 * len.min(4));
    let half = window / 2;
    let candidate = (expected & !(window - 1)) | truncated;
    if candidate.saturating_add(half) <= expected && candidate < (1 << 62) - window {
        candidate + window
    } else if candidate > expected.saturating_add(half) && candidate >= window {
        candidate - window
    } else {
        candidate
    }
}

#[cfg(test)]
mod tests {
    use super::full_packet_number;

    #[test]
    fn packet_numbers_follow_the_example_of_rfc_9000_a3() {
        assert_eq!(full_packet_number(0xa82f_30eb, 0x9b32, 2), 0xa82f_9b32);
        assert_eq!(full_packet_number(0, 2, 4), 2);
        assert_eq!(full_packet_number(256, 255, 1), 255);
        assert_eq!(full_packet_number(254, 1, 1), 257);
    }
}
