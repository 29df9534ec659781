//! Tests of the QUIC observer: the vectors of RFC 9001 and RFC 9369 appendix A, and properties over sealed packets.
//!
//! The helper `seal` protects packets the way a sender does, so that order, splitting, coalescing and Retry can be varied.

use super::hkdf_label::{expand, expand_into};
use super::*;
use proptest::prelude::*;
use ring::{aead, aead::quic as hp, hkdf};

const DCID: &[u8] = &[0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51, 0x57, 0x08];
/// CRYPTO frame of RFC 9001 A.2 and RFC 9369 A.2.
const CLIENT_CRYPTO: &str = "060040f1010000ed0303ebf8fa56f12939b9584a3896472ec40bb863cfd3e86804fe3a47f06a2b69484c00000413011302010000c0\
    00000010000e00000b6578616d706c652e636f6dff01000100000a00080006001d0017001800100007000504616c706e000500050100000000003300260024001d0020\
    9370b2c9caa47fbabaf4559fedba753de171fa71f50f1ce15d43e994ec74d748002b0003020304000d0010000e0403050306030203080408050806002d00020101001c\
    00024001003900320408ffffffffffffffff05048000ffff07048000ffff0801100104800075300901100f088394c8f03e51570806048000ffff";
const SERVER_CRYPTO: &str = "02000000000600405a020000560303eefce7f7b37ba1d1632e96677825ddf73988cfc79825df566dc5430b9a045a12001301\
    00002e00330024001d00209d3c940d89690b84d08a60993c144eca684d1081287c834d5311bcf32bb9da1a002b00020304";
const SERVER_V1: &str = "cf000000010008f067a5502a4262b5004075c0d95a482cd0991cd25b0aac406a5816b6394100f37a1c69797554780bb38cc5a99f\
    5ede4cf73c3ec2493a1839b3dbcba3f6ea46c5b7684df3548e7ddeb9c3bf9c73cc3f3bded74b562bfb19fb84022f8ef4cdd93795d77d06edbb7aaf2f58891850ab\
    bdca3d20398c276456cbc42158407dd074ee";
const SERVER_V2: &str = "dc6b3343cf0008f067a5502a4262b5004075d92faaf16f05d8a4398c47089698baeea26b91eb761d9b89237bbf87263017915358\
    230035f7fd3945d88965cf17f9af6e16886c61bfc703106fbaf3cb4cfa52382dd16a393e42757507698075b2c984c707f0a0812d8cd5a6881eaf21ceda98f4bd23\
    f6fe1a3e2c43edd9ce7ca84bed8521e2e140";

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter_map(|c| char::from(c).to_digit(16)).map(|d| d as u8).collect();
    digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// Protects `frames` as one Initial packet; `key_dcid` is the connection ID that the keys come from.
fn seal(version: u32, key_dcid: &[u8], from_client: bool, dcid: &[u8], scid: &[u8], number: u32, frames: &[u8]) -> Vec<u8> {
    let params = version::params(version).unwrap();
    let initial = hkdf::Salt::new(hkdf::HKDF_SHA256, params.salt).extract(key_dcid);
    let label: &[u8] = if from_client { b"client in" } else { b"server in" };
    let secret: hkdf::Prk = expand(&initial, label, hkdf::HKDF_SHA256).unwrap();
    let key: aead::UnboundKey = expand(&secret, params.labels[0], &aead::AES_128_GCM).unwrap();
    let header_key: hp::HeaderProtectionKey = expand(&secret, params.labels[2], &hp::AES_128).unwrap();
    let mut nonce = [0; 12];
    expand_into(&secret, params.labels[1], &mut nonce).unwrap();
    for (byte, part) in nonce[8..].iter_mut().zip(number.to_be_bytes()) {
        *byte ^= part;
    }
    let mut packet = vec![if version == version::V2 { 0xd3 } else { 0xc3 }];
    packet.extend(version.to_be_bytes());
    packet.push(dcid.len() as u8);
    packet.extend(dcid);
    packet.push(scid.len() as u8);
    packet.extend(scid);
    packet.push(0);
    packet.extend((0x4000 | (frames.len() + 20) as u16).to_be_bytes());
    let number_at = packet.len();
    packet.extend(number.to_be_bytes());
    let mut body = frames.to_vec();
    let nonce = aead::Nonce::assume_unique_for_key(nonce);
    aead::LessSafeKey::new(key).seal_in_place_append_tag(nonce, aead::Aad::from(&packet), &mut body).unwrap();
    packet.extend(body);
    let mask = header_key.new_mask(&packet[number_at + 4..number_at + 20]).unwrap();
    packet[0] ^= mask[0] & 0x0f;
    for at in 0..4 {
        packet[number_at + at] ^= mask[at + 1];
    }
    packet
}

fn crypto_frame(offset: usize, data: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x06];
    frame.extend((0x8000_0000u32 | offset as u32).to_be_bytes());
    frame.extend((0x4000 | data.len() as u16).to_be_bytes());
    frame.extend(data);
    frame
}

/// A handshake message whose body is recognisable by position.
fn message(kind: u8, body_len: usize) -> Vec<u8> {
    let mut out = vec![kind];
    out.extend(&(body_len as u32).to_be_bytes()[1..]);
    out.extend((0..body_len).map(|at| (at % 251) as u8));
    out
}

fn padded(mut frames: Vec<u8>, len: usize) -> Vec<u8> {
    frames.resize(frames.len().max(len), 0);
    frames
}

#[test]
fn rfc_9001_and_9369_appendix_a_client_and_server_initials() {
    let tails = [
        (1, "c000000001088394c8f03e5157080000449e7b9aec34d1b1c98dd7689fb8ec11", "e221af44860018ab0856972e194cd934", SERVER_V1),
        (
            version::V2,
            "d76b3343cf088394c8f03e5157080000449ea0c95e82ffe67b6abcdb4298b485",
            "a18b2faa745b6fe189cf772a9f84cbfc",
            SERVER_V2,
        ),
    ];
    for (version, head, tail, server) in tails {
        let packet = seal(version, DCID, true, DCID, &[], 2, &padded(hex(CLIENT_CRYPTO), 1162));
        assert!(packet.starts_with(&hex(head)) && packet.ends_with(&hex(tail)) && packet.len() == 1200);
        let mut connection = QuicConnection::default();
        let progress = connection.datagram(&packet, true);
        assert_eq!((progress.event, progress.opened), (QuicEvent::ClientHello, 1));
        assert_eq!(connection.client_hello().unwrap(), &hex(CLIENT_CRYPTO)[4..]);
        assert_eq!(connection.version(), version);
        assert_eq!(connection.datagram(&hex(server), false).event, QuicEvent::ServerHello);
        assert_eq!(connection.server_hello().unwrap(), &hex(SERVER_CRYPTO)[9..]);
        assert!(connection.is_complete() && !connection.has_keys());
    }
}

#[test]
fn version_is_read_from_long_headers_only() {
    assert_eq!(version_of_long_header(&hex(SERVER_V1)), Some(1));
    assert_eq!(version_of_long_header(&hex(SERVER_V2)), Some(version::V2));
    assert_eq!(version_of_long_header(&hex("80000000000101020102")), Some(0));
    assert_eq!(version_of_long_header(b"GET / HTTP/1.1"), None);
    // RFC 9287: the second bit may be clear, in versions that are known.
    assert_eq!(version_of_long_header(&hex("80000000010101020102")), Some(1));
    assert_eq!(version_of_long_header(&hex("800a0a0a0a0101020102")), None);
    assert_eq!(version_of_long_header(&hex("c00000000115")), None);
    assert!(is_supported(0xff00_001d) && is_supported(0x1a2a_3a4a) && !is_supported(0) && !is_supported(7));
}

#[test]
fn coalesced_packets_with_padding_ack_and_close_frames() {
    let hello = message(1, 700);
    let mut first = vec![0x01, 0x02, 0x00, 0x00, 0x00, 0x00];
    first.extend(crypto_frame(300, &hello[300..]));
    let mut datagram = seal(1, DCID, true, DCID, b"abc", 0, &first);
    datagram.extend(seal(1, DCID, true, DCID, b"abc", 1, &padded(crypto_frame(0, &hello[..300]), 500)));
    datagram.extend([0; 64]);
    let mut connection = QuicConnection::default();
    let progress = connection.datagram(&datagram, true);
    assert_eq!((progress.event, progress.opened), (QuicEvent::ClientHello, 2));
    assert_eq!(connection.client_hello(), Some(&hello[..]));
    let close = seal(1, DCID, false, b"abc", b"srv", 0, &padded(vec![0x1c, 0x41, 0x28, 0x06, 0x00], 64));
    assert_eq!(connection.datagram(&close, false).event, QuicEvent::Closed);
}

#[test]
fn after_retry_the_server_hello_opens_with_the_new_connection_id() {
    let (hello, reply) = (message(1, 300), message(2, 90));
    let mut connection = QuicConnection::default();
    connection.datagram(&seal(1, DCID, true, DCID, b"c", 0, &crypto_frame(0, &hello)), true);
    let retry = hex("f000000001016304abcdef01 0102030405060708090a0b0c0d0e0f10");
    assert!(connection.datagram(&retry, false).kinds.contains(PacketKinds::RETRY));
    connection.datagram(&seal(1, b"fresh-id", true, b"fresh-id", b"c", 1, &crypto_frame(0, &hello)), true);
    let progress = connection.datagram(&seal(1, b"fresh-id", false, b"c", b"s", 0, &crypto_frame(0, &reply)), false);
    assert_eq!(progress.event, QuicEvent::ServerHello);
    assert_eq!((connection.client_hello(), connection.server_hello()), (Some(&hello[..]), Some(&reply[..])));
}

#[test]
fn a_server_that_answers_in_another_version_is_followed() {
    let (hello, reply) = (message(1, 300), message(2, 90));
    let mut connection = QuicConnection::default();
    connection.datagram(&seal(1, DCID, true, DCID, b"c", 0, &crypto_frame(0, &hello)), true);
    let answer = seal(version::V2, DCID, false, b"c", b"s", 0, &crypto_frame(0, &reply));
    assert_eq!(connection.datagram(&answer, false).event, QuicEvent::ServerHello);
}

#[test]
fn later_packets_cannot_rewrite_a_hello_and_bounds_hold() {
    let hello = message(1, 200);
    let mut connection = QuicConnection::default();
    connection.datagram(&seal(1, DCID, true, DCID, b"c", 0, &crypto_frame(0, &hello[..100])), true);
    let mut forged = crypto_frame(0, &[0xee; 100]);
    forged.extend(crypto_frame(100, &hello[100..]));
    connection.datagram(&seal(1, DCID, true, DCID, b"c", 1, &forged), true);
    assert_eq!(connection.client_hello(), Some(&hello[..]));

    let limits = QuicLimits { crypto_bytes: 4096, crypto_segments: 4, failed_opens: 3 };
    let mut connection = QuicConnection::new(limits);
    for number in 0..200u32 {
        let at = 10 + number as usize * 20;
        connection.datagram(&seal(1, DCID, true, DCID, b"c", number, &crypto_frame(at, &[1; 10])), true);
    }
    assert!(connection.heap_bytes() < 8192, "{}", connection.heap_bytes());
    let huge = seal(1, DCID, true, DCID, b"c", 300, &crypto_frame(0, &[1, 0xff, 0xff, 0xff]));
    assert_eq!(connection.datagram(&huge, true).event, QuicEvent::GaveUp);

    let mut connection = QuicConnection::new(limits);
    let mut broken = seal(1, DCID, true, DCID, b"c", 0, &crypto_frame(0, &hello));
    *broken.last_mut().unwrap() ^= 1;
    let events: Vec<_> = (0..3).map(|_| connection.datagram(&broken, true).event).collect();
    assert_eq!(events, [QuicEvent::Nothing, QuicEvent::Nothing, QuicEvent::GaveUp]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn arbitrary_bytes_never_panic(payloads in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..200), any::<bool>()), 0..8)) {
        let mut connection = QuicConnection::default();
        for (payload, from_client) in &payloads {
            connection.datagram(payload, *from_client);
        }
        prop_assert!(connection.heap_bytes() < 10_000);
    }

    #[test]
    fn arbitrary_frames_and_damaged_packets_never_panic(frames in prop::collection::vec(any::<u8>(), 20..120), cut in 0usize..200, flip in 0usize..200) {
        let mut packet = seal(1, DCID, true, DCID, b"c", 0, &frames);
        QuicConnection::default().datagram(&packet, true);
        let at = flip % packet.len();
        packet[at] ^= 0x55;
        packet.truncate(cut);
        QuicConnection::default().datagram(&packet, true);
    }

    /// Cut anywhere, overlapped, shuffled, over packets and datagrams: the same hello.
    #[test]
    fn the_hello_does_not_depend_on_the_split(
        body_len in 1usize..3000,
        cuts in prop::collection::vec((0usize..3000, 1usize..400), 0..30),
        order in any::<u64>(),
        coalesce in 1usize..4,
    ) {
        let hello = message(1, body_len);
        let mut pieces: Vec<(usize, usize)> = (0..hello.len()).step_by(97).map(|at| (at, (at + 97).min(hello.len()))).collect();
        pieces.extend(cuts.iter().map(|(at, len)| (at % hello.len(), (at % hello.len() + len).min(hello.len()))));
        pieces.sort_by_key(|(at, end)| (*at as u64 ^ order).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(*end as u32 % 64));
        let packets: Vec<Vec<u8>> = pieces.iter().enumerate()
            .map(|(number, (at, end))| seal(1, DCID, true, if number % 3 == 2 { b"other" } else { DCID }, b"c", number as u32, &crypto_frame(*at, &hello[*at..*end])))
            .collect();
        let mut connection = QuicConnection::default();
        // Keys come from the first packet's ID; whichever piece it holds.
        for datagram in packets.chunks(coalesce) {
            connection.datagram(&datagram.concat(), true);
        }
        prop_assert_eq!(connection.client_hello(), Some(&hello[..]));
    }
}
