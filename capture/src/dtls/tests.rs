//! Tests of the DTLS observer: fragments in any order, the second ClientHello, bounds, damaged input.

use super::*;
use proptest::prelude::*;

fn record(version: u16, epoch: u16, body: &[u8]) -> Vec<u8> {
    let mut out = vec![22];
    out.extend(version.to_be_bytes());
    out.extend(epoch.to_be_bytes());
    out.extend([0; 6]);
    out.extend((body.len() as u16).to_be_bytes());
    out.extend(body);
    out
}

fn fragment(kind: u8, seq: u16, body: &[u8], from: usize, to: usize) -> Vec<u8> {
    let mut out = vec![kind];
    out.extend(&(body.len() as u32).to_be_bytes()[1..]);
    out.extend(seq.to_be_bytes());
    out.extend(&(from as u32).to_be_bytes()[1..]);
    out.extend(&((to - from) as u32).to_be_bytes()[1..]);
    out.extend(&body[from..to]);
    out
}

/// A ClientHello body with a session id of 3 bytes, a cookie, and recognisable bytes after it.
fn body(cookie: &[u8], tail_len: usize) -> Vec<u8> {
    let mut out = vec![0xfe, 0xfd];
    out.extend([7; 32]);
    out.extend([3, 1, 2, 3, cookie.len() as u8]);
    out.extend(cookie);
    out.extend((0..tail_len).map(|at| at as u8));
    out
}

fn tls_message(tail_len: usize) -> Vec<u8> {
    let mut plain = body(b"", tail_len);
    plain.remove(38);
    [&[1], &(plain.len() as u32).to_be_bytes()[1..], &plain[..]].concat()
}

#[test]
fn cookie_is_removed_and_the_server_hello_found() {
    let mut flow = DtlsHandshake::default();
    let hello = body(b"cookie-of-20-bytes..", 60);
    let datagram = record(0xfeff, 0, &fragment(1, 1, &hello, 0, hello.len()));
    assert!(is_dtls(&datagram));
    assert_eq!(flow.datagram(&datagram), DtlsEvent::ClientHello);
    assert_eq!(flow.client_hello(), Some(&tls_message(60)[..]));
    let mut reply = record(0xfefd, 0, &fragment(2, 1, &[9; 70], 0, 70));
    reply.extend(record(0xfefd, 0, &fragment(11, 2, &[1; 10], 0, 10)));
    assert_eq!(flow.datagram(&reply), DtlsEvent::ServerHello);
    assert_eq!(flow.server_hello().map(|m| (m.len(), m[0], m[3])), Some((74, 2, 70)));
    assert!(flow.is_complete());
}

#[test]
fn second_hello_completes_when_the_first_stayed_incomplete() {
    let mut flow = DtlsHandshake::default();
    let (first, second) = (body(b"", 400), body(b"0123456789abcdef", 400));
    flow.datagram(&record(0xfefd, 0, &fragment(1, 0, &first, 200, first.len())));
    let verify = record(0xfeff, 0, &fragment(3, 0, &[0xfe, 0xff, 1, 0], 0, 4));
    assert_eq!(flow.datagram(&verify), DtlsEvent::HelloVerifyRequest);
    assert_eq!(flow.datagram(&record(0xfefd, 0, &fragment(1, 1, &second, 0, 300))), DtlsEvent::Nothing);
    assert_eq!(flow.datagram(&record(0xfefd, 0, &fragment(1, 1, &second, 250, second.len()))), DtlsEvent::ClientHello);
    assert_eq!(flow.client_hello(), Some(&tls_message(400)[..]));
    let other = body(b"", 10);
    assert_eq!(flow.datagram(&record(0xfefd, 0, &fragment(1, 2, &other, 0, other.len()))), DtlsEvent::Nothing);
    assert_eq!(flow.client_hello(), Some(&tls_message(400)[..]));
}

#[test]
fn encrypted_epochs_and_foreign_datagrams_bring_nothing() {
    let mut flow = DtlsHandshake::default();
    let hello = body(b"", 60);
    assert_eq!(flow.datagram(&record(0xfefd, 1, &fragment(1, 0, &hello, 0, hello.len()))), DtlsEvent::Nothing);
    assert_eq!(flow.datagram(b"\x00\x01\x00\x00\x21\x12\xa4\x42 stun"), DtlsEvent::Nothing);
    assert!(!is_dtls(b"\x16\x03\x01\x00\x05\0\0\0\0\0\0\0\0") && !is_dtls(b"\x16\xfe"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn fragments_in_any_order_give_the_same_hello(tail in 1usize..900, step in 1usize..200, order in any::<u64>(), per_record in 1usize..4) {
        let hello = body(b"some cookie", tail);
        let step = step.max(hello.len() / 50);
        let mut pieces: Vec<Vec<u8>> = (0..hello.len()).step_by(step)
            .map(|at| fragment(1, 0, &hello, at.saturating_sub(5), (at + step).min(hello.len()))).collect();
        pieces.sort_by_key(|piece| (u64::from(piece[8]) << 8 | u64::from(piece[7])).wrapping_add(order).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut flow = DtlsHandshake::default();
        for group in pieces.chunks(per_record) {
            flow.datagram(&record(0xfefd, 0, &group.concat()));
        }
        prop_assert_eq!(flow.client_hello(), Some(&tls_message(tail)[..]));
    }

    #[test]
    fn damaged_datagrams_never_panic_and_memory_is_bounded(
        datagrams in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..120), any::<u16>(), any::<bool>()), 0..40),
    ) {
        let limits = DtlsLimits { hello_bytes: 512, fragments: 4 };
        let mut flow = DtlsHandshake::new(limits);
        for (bytes, seq, wrapped) in &datagrams {
            let datagram = if *wrapped { record(0xfefd, 0, &fragment(1 + (*seq % 2) as u8, *seq, bytes, bytes.len() / 2, bytes.len())) } else { bytes.clone() };
            flow.datagram(&datagram);
            prop_assert!(flow.heap_bytes() < 8_192);
        }
    }
}
