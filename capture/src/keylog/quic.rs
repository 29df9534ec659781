//! QUIC packets behind the handshake, opened with logged secrets (RFC 9001 sections 5 and 6, RFC 9369 section 3.3.2).
//!
//! Promises: the AEAD decides; a packet whose tag does not verify changes nothing. Key updates are followed one generation at a time,
//! and packets of the generation before still open. Header protection keys never change. Key material is wiped as in `schedule.rs`.
//! Read next: `../quic/mod.rs`; `../sensor/http3.rs` for what is done with the plaintext.

use ring::aead::{self, quic};

use super::nss::ConnectionSecrets;
use super::schedule::traffic_prk;
use super::secret::Secret;
use super::suites::{self, Cipher, Hash};
use crate::quic::hkdf_label::{expand, expand_into};
use crate::quic::keys::full_packet_number;
use crate::quic::version::{VersionParams, params};

/// Bit of the key phase in the first byte of a short header (RFC 9000 section 17.3.1).
const KEY_PHASE: u8 = 0x04;
/// Bits of the first byte under header protection, of a long and of a short header (RFC 9001 section 5.4.1).
const LONG_MASK: u8 = 0x0f;
const SHORT_MASK: u8 = 0x1f;

/// Packet protection of one direction behind the handshake, or of 0-RTT packets.
pub(crate) struct QuicProtection {
    header: quic::HeaderProtectionKey,
    params: VersionParams,
    suite: (Cipher, Hash),
    now: Generation,
    before: Option<Generation>,
    phase: bool,
    next_number: u64,
}

/// Keys between two updates.
struct Generation {
    secret: Secret,
    key: aead::LessSafeKey,
    iv: [u8; 12],
}

impl QuicProtection {
    /// The client's 1-RTT packets.
    pub fn client(secrets: &ConnectionSecrets, cipher_suite: u16, version: u32) -> Option<Self> {
        Self::new(secrets.client_application.as_ref()?, suites::tls13(cipher_suite)?, version)
    }

    /// The server's 1-RTT packets.
    pub fn server(secrets: &ConnectionSecrets, cipher_suite: u16, version: u32) -> Option<Self> {
        Self::new(secrets.server_application.as_ref()?, suites::tls13(cipher_suite)?, version)
    }

    /// 0-RTT packets. Their suite is that of an earlier connection: what fits the secret's length is tried.
    pub fn early(secrets: &ConnectionSecrets, version: u32) -> Vec<Self> {
        let Some(secret) = &secrets.client_early else { return Vec::new() };
        let suites = [0x1301, 0x1302, 0x1303].into_iter().filter_map(suites::tls13);
        suites.filter_map(|suite| Self::new(secret, suite, version)).collect()
    }

    fn new(secret: &Secret, suite: (Cipher, Hash), version: u32) -> Option<Self> {
        let params = params(version)?;
        let [_, _, header_label] = params.labels;
        let algorithm = match suite.0 {
            Cipher::Aes128Gcm => &quic::AES_128,
            Cipher::Aes256Gcm => &quic::AES_256,
            Cipher::ChaCha20Poly1305 => &quic::CHACHA20,
            Cipher::Cbc { .. } => return None,
        };
        let header = expand(&traffic_prk(secret, suite.1)?, header_label, algorithm)?;
        let now = Generation::new(secret.clone(), suite, &params)?;
        Some(Self { header, params, suite, now, before: None, phase: false, next_number: 0 })
    }

    /// Opens `packet`, whose protected packet number begins at `number_at`, into `buffer` (overwritten); gives the frames.
    pub fn open<'b>(&mut self, packet: &[u8], number_at: usize, buffer: &'b mut Vec<u8>) -> Option<&'b [u8]> {
        let sample_at = number_at.checked_add(4)?;
        let sample = packet.get(sample_at..sample_at.checked_add(16)?)?;
        let [first_mask, number_mask @ ..] = self.header.new_mask(sample).ok()?;
        let protected = *packet.first()?;
        let is_long = protected & 0x80 != 0;
        let first = protected ^ (first_mask & if is_long { LONG_MASK } else { SHORT_MASK });
        let number_bytes = usize::from(first & 3) + 1;
        let mut header = packet.get(..number_at.checked_add(number_bytes)?)?.to_vec();
        *header.first_mut()? = first;
        let mut truncated = 0_u64;
        for (byte, mask) in header.get_mut(number_at..)?.iter_mut().zip(number_mask) {
            *byte ^= mask;
            truncated = truncated << 8 | u64::from(*byte);
        }
        let number = full_packet_number(self.next_number, truncated, number_bytes);
        let sealed = packet.get(header.len()..)?;
        let phase = !is_long && first & KEY_PHASE != 0;
        let opened = if phase == self.phase {
            self.now.open(number, &header, sealed, buffer)?
        } else {
            self.other_phase(number, &header, sealed, buffer)?
        };
        self.next_number = self.next_number.max(number.saturating_add(1));
        buffer.get(..opened)
    }

    /// A packet of the other key phase: of the next generation, else of the one before (RFC 9001 section 6.3).
    fn other_phase(&mut self, number: u64, header: &[u8], sealed: &[u8], buffer: &mut Vec<u8>) -> Option<usize> {
        let update = if self.params.is_v2() { &b"quicv2 ku"[..] } else { b"quic ku" };
        let prk = traffic_prk(&self.now.secret, self.suite.1)?;
        let secret = Secret::filled(self.now.secret.bytes().len(), |out| expand_into(&prk, update, out))?;
        let next = Generation::new(secret, self.suite, &self.params)?;
        if let Some(opened) = next.open(number, header, sealed, buffer) {
            self.before = Some(std::mem::replace(&mut self.now, next));
            self.phase = !self.phase;
            return Some(opened);
        }
        self.before.as_ref()?.open(number, header, sealed, buffer)
    }
}

impl Generation {
    fn new(secret: Secret, (cipher, hash): (Cipher, Hash), params: &VersionParams) -> Option<Self> {
        let prk = traffic_prk(&secret, hash)?;
        let [key_label, iv_label, _] = params.labels;
        let algorithm = match cipher {
            Cipher::Aes128Gcm => &aead::AES_128_GCM,
            Cipher::Aes256Gcm => &aead::AES_256_GCM,
            Cipher::ChaCha20Poly1305 => &aead::CHACHA20_POLY1305,
            Cipher::Cbc { .. } => return None,
        };
        let key: aead::UnboundKey = expand(&prk, key_label, algorithm)?;
        let mut iv = [0; 12];
        expand_into(&prk, iv_label, &mut iv)?;
        Some(Self { secret, key: aead::LessSafeKey::new(key), iv })
    }

    /// Opens `sealed` into `buffer`; gives the length of the plaintext.
    fn open(&self, number: u64, header: &[u8], sealed: &[u8], buffer: &mut Vec<u8>) -> Option<usize> {
        buffer.clear();
        buffer.extend_from_slice(sealed);
        let mut nonce = self.iv;
        for (byte, part) in nonce.iter_mut().skip(4).zip(number.to_be_bytes()) {
            *byte ^= part;
        }
        let nonce = aead::Nonce::assume_unique_for_key(nonce);
        self.key.open_in_place(nonce, aead::Aad::from(header), buffer).ok().map(|plaintext| plaintext.len())
    }
}

impl std::fmt::Debug for QuicProtection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("QuicProtection")
            .field("phase", &self.phase)
            .field("next_number", &self.next_number)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text.bytes().filter_map(|c| char::from(c).to_digit(16)).map(|d| d as u8).collect();
        digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect()
    }

    fn protection(secret: &[u8], cipher_suite: u16, version: u32) -> QuicProtection {
        let secret = Secret::filled(secret.len(), |out| {
            out.copy_from_slice(secret);
            Some(())
        })
        .unwrap();
        QuicProtection::new(&secret, suites::tls13(cipher_suite).unwrap(), version).unwrap()
    }

    /// Protects `frames` as the sender does, in a packet with a connection ID of four bytes.
    fn seal(keys: &QuicProtection, generation: &Generation, first: u8, number: u16, frames: &[u8]) -> Vec<u8> {
        let mut packet = [&[first | 1][..], &[7; 4], &number.to_be_bytes()].concat();
        let mut nonce = generation.iv;
        nonce[10..].iter_mut().zip(number.to_be_bytes()).for_each(|(byte, part)| *byte ^= part);
        let mut body = frames.to_vec();
        let nonce = aead::Nonce::assume_unique_for_key(nonce);
        generation.key.seal_in_place_append_tag(nonce, aead::Aad::from(&packet), &mut body).unwrap();
        packet.extend(body);
        let mask = keys.header.new_mask(&packet[9..25]).unwrap();
        packet[0] ^= mask[0] & if first & 0x80 != 0 { 0x0f } else { 0x1f };
        packet[5..7].iter_mut().zip(&mask[1..]).for_each(|(byte, mask)| *byte ^= mask);
        packet
    }

    fn updated(keys: &QuicProtection, from: &Generation, label: &[u8]) -> Generation {
        let prk = traffic_prk(&from.secret, keys.suite.1).unwrap();
        let secret = Secret::filled(from.secret.bytes().len(), |out| expand_into(&prk, label, out)).unwrap();
        Generation::new(secret, keys.suite, &keys.params).unwrap()
    }

    #[test]
    fn rfc_9001_appendix_a_5_chacha20_short_header() {
        let mut keys = protection(&hex("9ac312a7f877468ebe69422748ad00a15443f18203a07d6060f688f30f21632b"), 0x1303, 1);
        let update = updated(&keys, &keys.now, b"quic ku");
        assert_eq!(update.secret.bytes(), hex("1223504755036d556342ee9361d253421a826c9ecdf3c7148684b36b714881f9"));
        keys.next_number = 654_360_564;
        let packet = hex("4cfe4189655e5cd55c41f69080575d7999c25a5bfb");
        assert_eq!(keys.open(&packet, 1, &mut Vec::new()), Some(&[1][..]));
        for at in 0..packet.len() {
            let mut changed = packet.clone();
            changed[at] ^= 1;
            assert_eq!(keys.open(&changed, 1, &mut Vec::new()), None, "byte {at}");
        }
    }

    #[test]
    fn key_updates_are_followed_in_every_suite_and_version() {
        for (suite, version, label) in [
            (0x1301, 1, &b"quic ku"[..]),
            (0x1303, 0xff00_001d, b"quic ku"),
            (0x1301, 0x6b33_43cf, b"quicv2 ku"),
            (0x1302, 1, b"quic ku"),
        ] {
            let sender = protection(&vec![5; if suite == 0x1302 { 48 } else { 32 }], suite, version);
            let (second, frames) = (updated(&sender, &sender.now, label), [1; 30]);
            let third = updated(&sender, &second, label);
            let mut keys = protection(sender.now.secret.bytes(), suite, version);
            let mut buffer = Vec::new();
            // Number 3 comes late, after the update; number 8 was protected two updates before, and is lost.
            let sent = [
                (1, &sender.now, 0, true),
                (4, &second, KEY_PHASE, true),
                (3, &sender.now, 0, true),
                (5, &second, KEY_PHASE, true),
            ];
            let later = [(6, &third, 0, true), (7, &second, KEY_PHASE, true), (8, &sender.now, 0, false), (9, &third, 0, true)];
            for (number, generation, phase, opens) in sent.into_iter().chain(later) {
                let packet = seal(&sender, generation, 0x40 | phase, number, &frames);
                let opened = keys.open(&packet, 5, &mut buffer).map(<[u8]>::to_vec);
                assert_eq!(opened, opens.then(|| frames.to_vec()), "{suite:#x} {version:#x} packet {number}");
            }
        }
    }

    #[test]
    fn the_suite_of_early_packets_is_found_by_trying() {
        let secrets = ConnectionSecrets {
            client_early: Secret::filled(32, |out| {
                out.fill(9);
                Some(())
            }),
            ..ConnectionSecrets::default()
        };
        let sender = protection(&[9; 32], 0x1303, 1);
        let packet = seal(&sender, &sender.now, 0xd0, 0, &[1; 30]);
        let mut candidates = QuicProtection::early(&secrets, 1);
        let opened = candidates.iter_mut().filter_map(|keys| keys.open(&packet, 5, &mut Vec::new()).map(<[u8]>::len));
        assert_eq!(opened.collect::<Vec<_>>(), [30]);
    }
}
