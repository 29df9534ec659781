//! Tests of key logs and decryption: RFC 8448 section 3, sealed TLS 1.2 records of every cipher, key updates, splits, bounds.

use super::suites::{Cipher, Hash, Mac};
use super::*;
use aes::cipher::block_padding::NoPadding;
use aes::cipher::{BlockModeEncrypt as _, KeyIvInit as _};
use proptest::prelude::*;
use ring::{aead, hkdf, hmac};

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter_map(|c| char::from(c).to_digit(16)).map(|d| d as u8).collect();
    digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// Owned copies of what a direction held.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    data: Vec<u8>,
    messages: Vec<(u8, usize)>,
    alerts: Vec<(u8, u8)>,
}

impl Seen {
    fn take(&mut self, plaintext: Plaintext<'_>) {
        match plaintext {
            Plaintext::ApplicationData(bytes) => self.data.extend(bytes),
            Plaintext::Handshake(kind, message) => self.messages.push((kind, message.len())),
            Plaintext::Alert(level, description) => self.alerts.push((level, description)),
        }
    }
}

const RANDOM: &str = "cb34ecb1e78163ba1c38c6dacb196a6dffa21a8d9912ec18a2ef6283024dece7";
/// RFC 8448 section 3: secrets of a TLS_AES_128_GCM_SHA256 connection.
const RFC_8448_LOG: &str = "# RFC 8448\r\n\
CLIENT_HANDSHAKE_TRAFFIC_SECRET RANDOM b3eddb126e067f35a780b3abf45e2d8f3b1a950738f52e9600746a0e27a55a21\r\n\
SERVER_HANDSHAKE_TRAFFIC_SECRET RANDOM b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38\r\n\
CLIENT_TRAFFIC_SECRET_0 RANDOM 9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5\r\n\
SERVER_TRAFFIC_SECRET_0 RANDOM a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643\r\n\
EXPORTER_SECRET RANDOM fe22f881176eda18eb8f44529e6792c50c9a3f89452f68d8ae311b4309d3cf50\r\n";
/// Its client's Finished, application data (bytes 0 to 49) and close_notify.
const RFC_8448_CLIENT: &str = "1703030035 75ec4dc238cce60b298044a71e219c56cc77b0517fe9b93c7a4bfc44d87f38f80338ac98fc46deb384bd1caeacab6867d726c40546\
    1703030043 a23f7054b62c94d0affafe8228ba55cbefacea42f914aa66bcab3f2b9819a8a5b46b395bd54a9a20441e2b62974e1f5a6292a2977014bd1e3deae63aee\
    bb21694915e4 1703030013 c9872760655666b74d7ff1153efd6db6d0b0e3";

fn log(text: &str) -> KeyLog {
    let mut log = KeyLog::default();
    log.add_text(text.replace("RANDOM", RANDOM).replace(&format!("CLIENT_{RANDOM}"), "CLIENT_RANDOM").as_bytes());
    log
}

fn random() -> [u8; 32] {
    hex(RANDOM).try_into().unwrap()
}

fn parameters(version: u16, cipher_suite: u16, encrypt_then_mac: bool) -> TlsParameters {
    TlsParameters { client_random: random(), server_random: [0x5a; 32], cipher_suite, version, encrypt_then_mac }
}

fn decryptor(log: &KeyLog, parameters: &TlsParameters) -> TlsDecryptor {
    TlsDecryptor::new(log.get(&random()).unwrap(), parameters, DecryptLimits::default()).unwrap()
}

#[test]
fn rfc_8448_section_3_client_stream_at_every_split() {
    let log = log(RFC_8448_LOG);
    assert_eq!(log.stats(), KeyLogStats { accepted: 4, ignored: 1, malformed: 0, refused: 0 });
    let stream = [hex("140303000101"), hex(RFC_8448_CLIENT)].concat();
    for split in 0..stream.len() {
        let (mut decryptor, mut seen) = (decryptor(&log, &parameters(0x0304, 0x1301, false)), Seen::default());
        decryptor.feed(true, &stream[..split], |plaintext| seen.take(plaintext)).unwrap();
        decryptor.feed(true, &stream[split..], |plaintext| seen.take(plaintext)).unwrap();
        assert_eq!(seen.data, (0..50).collect::<Vec<u8>>());
        assert_eq!((seen.messages, seen.alerts), (vec![(20, 36)], vec![(1, 0)]));
    }
}

#[test]
fn secrets_are_never_printed() {
    let log = log(RFC_8448_LOG);
    let printed = format!("{log:?} {:?} {:?}", log.get(&random()), decryptor(&log, &parameters(0x0304, 0x1301, false)));
    assert!(!printed.contains("b3ed") && !printed.contains("179, 237") && printed.contains("Secret(32 bytes)"), "{printed}");
}

#[test]
fn key_log_lines_good_unused_malformed_and_over_the_bound() {
    let mut log = KeyLog::new(KeyLogLimits { connections: 1 });
    let master = "ab".repeat(48);
    log.add_text(format!("\n# comment\nCLIENT_RANDOM {RANDOM} {master}\r\nRSA 0123456789abcdef {master}\n").as_bytes());
    log.add_line(b"CLIENT_RANDOM short 00");
    log.add_line(format!("CLIENT_RANDOM {RANDOM} {}", "ab".repeat(32)).as_bytes());
    log.add_line(format!("CLIENT_TRAFFIC_SECRET_0 {RANDOM} {} extra", "ab".repeat(32)).as_bytes());
    log.add_line(b"\xff\xfe binary");
    log.add_line(format!("CLIENT_RANDOM {} {master}", "00".repeat(32)).as_bytes());
    assert_eq!(log.stats(), KeyLogStats { accepted: 1, ignored: 1, malformed: 4, refused: 1 });
    assert_eq!(log.len(), 1);
}

#[test]
fn the_prf_gives_the_published_sha256_vector() {
    // IETF TLS mailing list, "Test vectors for TLS 1.2 PRF", P_SHA256.
    let (secret, seed) = (hex("9bbe436ba940f017b17652849a71db35"), hex("a0ba9f936cda311827a6f796ffd5198c"));
    let mut out = [0; 100];
    schedule::prf(Hash::Sha256, &secret, &[b"test label", &seed], &mut out).unwrap();
    let expected = "e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a6b301791e90d35c9c9a46b4e14baf9af0fa022f7077def17abfd\
        3797c0564bab4fbc91666e9def9b97fce34f796789baa48082d122ee42c5a72e5a5110fff70187347b66";
    assert_eq!(out.to_vec(), hex(expected));
}

/// Seals TLS 1.2 application data the way a sender with this key block does.
fn seal_tls12(cipher: Cipher, hash: Hash, parameters: &TlsParameters, sequence: u64, content: &[u8]) -> Vec<u8> {
    let (mac, key_bytes, iv_bytes) = match cipher {
        Cipher::Aes128Gcm => (0, 16, 4),
        Cipher::Aes256Gcm => (0, 32, 4),
        Cipher::ChaCha20Poly1305 => (0, 32, 12),
        Cipher::Cbc { key_bytes, mac: Mac::Sha1 } => (20, key_bytes, 0),
        Cipher::Cbc { key_bytes, mac: Mac::Sha256 } => (32, key_bytes, 0),
        Cipher::Cbc { key_bytes, mac: Mac::Sha384 } => (48, key_bytes, 0),
    };
    let mut block = vec![0; 2 * (mac + key_bytes + iv_bytes)];
    let seed: [&[u8]; 3] = [b"key expansion", &parameters.server_random, &parameters.client_random];
    schedule::prf(hash, &[0xab; 48], &seed, &mut block).unwrap();
    let (mac_key, key, iv) = (&block[..mac], &block[2 * mac..2 * mac + key_bytes], &block[2 * (mac + key_bytes)..][..iv_bytes]);
    let data = |len: usize| [&sequence.to_be_bytes()[..], &[23, 3, 3], &(len as u16).to_be_bytes()].concat();
    let mut body = content.to_vec();
    let fragment = if let Cipher::Cbc { mac, .. } = cipher {
        let algorithm = match mac {
            Mac::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Mac::Sha256 => hmac::HMAC_SHA256,
            Mac::Sha384 => hmac::HMAC_SHA384,
        };
        let tag = |bytes: &[u8]| hmac::sign(&hmac::Key::new(algorithm, mac_key), &[data(bytes.len()), bytes.to_vec()].concat());
        if !parameters.encrypt_then_mac {
            body.extend(tag(content).as_ref());
        }
        let padding = 15 - body.len() % 16 + 16;
        body.extend(vec![padding as u8; padding + 1]);
        let len = body.len();
        let iv = [9u8; 16];
        if key_bytes == 16 {
            cbc::Encryptor::<aes::Aes128>::new_from_slices(key, &iv)
                .unwrap()
                .encrypt_padded::<NoPadding>(&mut body, len)
                .unwrap();
        } else {
            cbc::Encryptor::<aes::Aes256>::new_from_slices(key, &iv)
                .unwrap()
                .encrypt_padded::<NoPadding>(&mut body, len)
                .unwrap();
        }
        let mut sealed = [&iv[..], &body].concat();
        if parameters.encrypt_then_mac {
            let outer = tag(&sealed);
            sealed.extend(outer.as_ref());
        }
        sealed
    } else {
        let explicit = if iv_bytes == 4 { (sequence ^ 0x1122).to_be_bytes().to_vec() } else { Vec::new() };
        let mut nonce = [0; 12];
        nonce[..iv_bytes].copy_from_slice(iv);
        let low = if iv_bytes == 4 { explicit.clone() } else { sequence.to_be_bytes().to_vec() };
        nonce[4..].iter_mut().zip(low).for_each(|(n, l)| *n ^= l);
        let algorithm = match cipher {
            Cipher::Aes128Gcm => &aead::AES_128_GCM,
            Cipher::Aes256Gcm => &aead::AES_256_GCM,
            _ => &aead::CHACHA20_POLY1305,
        };
        let key = aead::LessSafeKey::new(aead::UnboundKey::new(algorithm, key).unwrap());
        let nonce = aead::Nonce::assume_unique_for_key(nonce);
        key.seal_in_place_append_tag(nonce, aead::Aad::from(data(content.len())), &mut body).unwrap();
        [explicit, body].concat()
    };
    [&[23, 3, 3], &(fragment.len() as u16).to_be_bytes()[..], &fragment].concat()
}

#[test]
fn tls12_records_of_every_cipher_and_both_mac_orders() {
    let log = log(&format!("CLIENT_RANDOM RANDOM {}\n", "ab".repeat(48)));
    let suites = [0x009c, 0xc030, 0xcca8, 0x002f, 0xc014, 0xc027, 0x006b, 0xc028];
    for (suite, encrypt_then_mac) in suites.iter().flat_map(|s| [(*s, false), (*s, true)]) {
        let parameters = parameters(0x0303, suite, encrypt_then_mac);
        let (cipher, hash) = suites::tls12(suite).unwrap();
        let mut stream = hex("1603030004 0e000000 140303000101");
        for (sequence, text) in [&b"GET / HTTP/1.1\r\n"[..], b"", b"Host: a\r\n\r\n"].iter().enumerate() {
            stream.extend(seal_tls12(cipher, hash, &parameters, sequence as u64, text));
        }
        let (mut good, mut seen) = (decryptor(&log, &parameters), Seen::default());
        stream.chunks(7).for_each(|piece| good.feed(true, piece, |plaintext| seen.take(plaintext)).unwrap());
        assert_eq!(seen.data, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "{suite:04x}");
        // Each byte of the protected part is authenticated.
        let at = stream.len() - 20;
        stream[at] ^= 1;
        let (mut damaged, mut seen) = (decryptor(&log, &parameters), Seen::default());
        assert_eq!(
            damaged.feed(true, &stream, |plaintext| seen.take(plaintext)),
            Err(DecryptError::RecordRefused),
            "{suite:04x}"
        );
        assert_eq!((seen.data.len(), damaged.stopped(true)), (16, Some(DecryptError::RecordRefused)));
        assert_eq!(damaged.stopped(false), None);
    }
}

/// Seals a TLS 1.3 record under `secret` (SHA-256 suites).
fn seal_tls13(secret: &[u8], sequence: u64, content_type: u8, content: &[u8]) -> Vec<u8> {
    let prk = hkdf::Prk::new_less_safe(hkdf::HKDF_SHA256, secret);
    let (mut key, mut nonce) = ([0; 16], [0; 12]);
    crate::quic::hkdf_label::expand_into(&prk, b"key", &mut key).unwrap();
    crate::quic::hkdf_label::expand_into(&prk, b"iv", &mut nonce).unwrap();
    nonce[4..].iter_mut().zip(sequence.to_be_bytes()).for_each(|(n, s)| *n ^= s);
    let mut body = [content, &[content_type, 0, 0, 0]].concat();
    let header = [&[23, 3, 3], &((body.len() + 16) as u16).to_be_bytes()[..]].concat();
    let key = aead::LessSafeKey::new(aead::UnboundKey::new(&aead::AES_128_GCM, &key).unwrap());
    key.seal_in_place_append_tag(aead::Nonce::assume_unique_for_key(nonce), aead::Aad::from(&header), &mut body).unwrap();
    [header, body].concat()
}

fn updated(secret: &[u8]) -> Vec<u8> {
    let mut out = vec![0; 32];
    let prk = hkdf::Prk::new_less_safe(hkdf::HKDF_SHA256, secret);
    crate::quic::hkdf_label::expand_into(&prk, b"traffic upd", &mut out).unwrap();
    out
}

#[test]
fn tls13_early_data_key_update_and_late_client_authentication() {
    let (early, handshake, application) = ([1; 32], [2; 32], [3; 32]);
    let line = |label: &str, byte: &str| format!("{label} RANDOM {}\n", byte.repeat(32));
    let secrets = ["CLIENT_HANDSHAKE_TRAFFIC_SECRET", "SERVER_HANDSHAKE_TRAFFIC_SECRET"].map(|l| line(l, "02")).concat()
        + &["CLIENT_TRAFFIC_SECRET_0", "SERVER_TRAFFIC_SECRET_0"].map(|l| line(l, "03")).concat()
        + &line("CLIENT_EARLY_TRAFFIC_SECRET", "01");
    let log = log(&secrets);
    let finished = [&[20, 0, 0, 32][..], &[7; 32]].concat();
    let second = updated(&application);
    let body = [
        seal_tls13(&handshake, 0, 22, &finished),
        seal_tls13(&application, 0, 23, b"one "),
        seal_tls13(&application, 1, 22, &finished),
        seal_tls13(&application, 2, 22, &[24, 0, 0, 1, 0]),
        seal_tls13(&second, 0, 23, b"two "),
        seal_tls13(&second, 1, 22, &[24, 0, 0, 1, 1]),
        seal_tls13(&updated(&second), 0, 23, b"three"),
    ];
    let early_part = [seal_tls13(&early, 0, 23, b"zero "), seal_tls13(&early, 1, 22, &[5, 0, 0, 0])].concat();
    let refused = seal_tls13(&early, 0, 23, b"zero ");
    let streams = [
        (body.concat(), "one two three"),
        ([early_part, body.concat()].concat(), "zero one two three"),
        ([refused, body.concat()].concat(), "one two three"),
    ];
    for (stream, expected) in streams {
        let (mut decryptor, mut seen) = (decryptor(&log, &parameters(0x0304, 0x1301, false)), Seen::default());
        stream.chunks(11).for_each(|piece| decryptor.feed(true, piece, |plaintext| seen.take(plaintext)).unwrap());
        assert_eq!(String::from_utf8_lossy(&seen.data), expected);
    }
}

#[test]
fn what_cannot_be_decrypted_says_why() {
    let log = log(RFC_8448_LOG);
    let secrets = log.get(&random()).unwrap();
    let refuse = |version, suite| TlsDecryptor::new(secrets, &parameters(version, suite, false), DecryptLimits::default()).err();
    assert_eq!(refuse(0x0301, 0x002f), Some(DecryptError::UnsupportedVersion));
    assert_eq!(refuse(0x0304, 0x1304), Some(DecryptError::UnsupportedSuite));
    assert_eq!(refuse(0x0303, 0xc02f), Some(DecryptError::MissingSecret));
    assert_eq!(refuse(0x0304, 0x1302), Some(DecryptError::MissingSecret));
    let mut decryptor = decryptor(&log, &parameters(0x0304, 0x1301, false));
    decryptor.gap(false);
    assert_eq!(decryptor.feed(false, b"x", |_| ()), Err(DecryptError::Gap));
    assert_eq!(decryptor.feed(true, &hex("170303ffff"), |_| ()), Err(DecryptError::BadRecord));
}

#[test]
fn certificates_are_cut_from_a_message() {
    let tls13 = hex("0b000013 00 00000f 000003 aabbcc 0002 0000 000001 dd 0000");
    assert_eq!(tls13_certificates(&tls13), [&[0xaa, 0xbb, 0xcc][..], &[0xdd]]);
    assert!(tls13_certificates(&tls13[..7]).is_empty() && tls13_certificates(b"").is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn key_logs_of_arbitrary_bytes_never_panic(text in prop::collection::vec(any::<u8>(), 0..400)) {
        let mut log = KeyLog::default();
        log.add_text(&text);
        log.add_text(&[b"CLIENT_RANDOM ", &text[..]].concat());
    }

    #[test]
    fn damaged_streams_never_panic_and_never_invent_data(
        flips in prop::collection::vec((0usize..150, any::<u8>()), 0..3),
        piece in 1usize..40,
    ) {
        let log = log(RFC_8448_LOG);
        let mut stream = hex(RFC_8448_CLIENT);
        for (at, byte) in flips {
            let at = at % stream.len();
            stream[at] = byte;
        }
        let run = |piece: usize| {
            let (mut decryptor, mut seen) = (decryptor(&log, &parameters(0x0304, 0x1301, false)), Seen::default());
            for part in stream.chunks(piece) {
                let _ = decryptor.feed(true, part, |plaintext| seen.take(plaintext));
            }
            (seen, decryptor.stopped(true))
        };
        let (seen, stopped) = run(piece);
        prop_assert!(seen.data.is_empty() || seen.data == (0..50).collect::<Vec<u8>>());
        prop_assert_eq!(run(stream.len()), (seen, stopped));
    }
}
