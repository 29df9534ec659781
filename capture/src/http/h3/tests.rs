//! Tests of the HTTP/3 parser over streams made here: cuts, waiting for QPACK entries, what is stepped over, bounds.

use super::*;
use proptest::prelude::*;

fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = 0x4000 | payload.len() as u16;
    [&[kind], &length.to_be_bytes()[..], payload].concat()
}

/// `GET https://seed.example<path>` from the static table, with a literal user agent.
fn get(path: &str) -> Vec<u8> {
    let literal = |reference: &[u8], value: &str| [reference, &[value.len() as u8], value.as_bytes()].concat();
    [vec![0, 0, 0xd1, 0xd7], literal(&[0x51], path), literal(&[0x50], "seed.example"), literal(&[0x5f, 80], "x/1")].concat()
}

fn described(requests: &[Request]) -> Vec<String> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    requests
        .iter()
        .map(|r| {
            let headers = r.headers.iter().map(|h| format!(" {}: {}", text(&h.name), text(&h.value))).collect::<String>();
            format!("{} {}://{}{}{headers}", text(&r.method), text(&r.scheme), text(&r.authority), text(&r.target))
        })
        .collect()
}

#[test]
fn a_request_is_read_and_the_rest_of_its_stream_is_not_wanted() {
    let (mut h3, mut requests) = (H3Connection::default(), Vec::new());
    let stream =
        [frame(0x21, b"grease"), frame(HEADERS as u8, &get("/a?b")), frame(0, b"body"), frame(HEADERS as u8, &get("/trailer"))]
            .concat();
    assert!(!h3.feed(4, &stream, &mut requests));
    assert!(!h3.feed(4, &frame(HEADERS as u8, &get("/again")), &mut requests));
    assert_eq!(described(&requests), ["GET https://seed.example/a?b user-agent: x/1"]);
    assert_eq!((requests[0].version, requests[0].stream_id), (HttpVersion::Http3, 4));
}

#[test]
fn a_section_waits_for_the_entries_it_refers_to_and_for_the_servers_settings() {
    // Encoder: capacity 220, then `:path: /dynamic` inserted. Section: required insert count 1 (encoded 2), base 1.
    let encoder = [&[QPACK_ENCODER as u8, 0x3f, 0xbd, 0x01, 0xc1, 8][..], b"/dynamic"].concat();
    let section = [&[2, 0, 0xd1, 0xd7, 0x80][..]].concat();
    let settings = [vec![CONTROL as u8], frame(SETTINGS as u8, &[1, 0x40, 220])].concat();
    let parts: [(u64, Vec<u8>); 3] = [(0, frame(HEADERS as u8, &section)), (6, encoder), (3, settings)];
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let (mut h3, mut requests) = (H3Connection::default(), Vec::new());
        for at in order {
            h3.feed(parts[at].0, &parts[at].1, &mut requests);
        }
        assert_eq!(described(&requests), ["GET https:///dynamic"], "{order:?}");
    }
    let (mut h3, mut requests) = (H3Connection::default(), Vec::new());
    h3.feed(6, &[QPACK_ENCODER as u8], &mut requests);
    h3.feed(0, &parts[0].1, &mut requests);
    h3.lost(6);
    assert_eq!((requests.len(), h3.lost_sections()), (0, 1), "entries that will not come");
}

#[test]
fn streams_that_hold_no_request_are_not_wanted() {
    let (mut h3, mut requests) = (H3Connection::default(), Vec::new());
    assert!(!h3.feed(2, &[0, 4, 0], &mut requests), "the client's control stream");
    assert!(!h3.feed(7, &[2, 0x3f], &mut requests), "the server's encoder");
    assert!(!h3.feed(1, b"x", &mut requests), "bidirectional by the server");
    assert!(!h3.feed(10, &[0x40, 0x54, 1], &mut requests), "a WebTransport stream");
    assert!(h3.feed(6, &[], &mut requests));
    assert!(requests.is_empty());
}

#[test]
fn bounds_are_kept() {
    let limits = H3Limits { section_bytes: 100, blocked: 2, streams: 8, ..H3Limits::default() };
    let (mut h3, mut requests) = (H3Connection::new(limits), Vec::new());
    assert!(!h3.feed(0, &frame(HEADERS as u8, &[0; 200])[..9], &mut requests), "a section beyond its bound");
    for stream in 1..100 {
        h3.feed(stream * 4, &frame(HEADERS as u8, &[9, 0, 0x80]), &mut requests);
    }
    assert_eq!((h3.blocked.len(), h3.lost_sections()), (2, 97));
    assert!(h3.streams.len() <= 8 && h3.heap_bytes() < 2000);
}

proptest! {
    #[test]
    fn cutting_a_stream_changes_nothing(cut in 0_usize..80, second in 0_usize..80) {
        let stream = [frame(0x21, b"grease"), frame(HEADERS as u8, &get("/cut")), frame(0, b"body")].concat();
        let (mut h3, mut requests) = (H3Connection::default(), Vec::new());
        let (first, second) = (cut.min(second), cut.max(second));
        let (a, rest) = stream.split_at(first.min(stream.len()));
        let (b, c) = rest.split_at((second - first).min(rest.len()));
        for part in [a, b, c] {
            h3.feed(0, part, &mut requests);
        }
        prop_assert_eq!(described(&requests), ["GET https://seed.example/cut user-agent: x/1"]);
    }

    #[test]
    fn any_bytes_are_survived(parts in proptest::collection::vec((0_u64..12, proptest::collection::vec(0_u8..255, 0..60)), 0..12)) {
        let (mut h3, mut requests) = (H3Connection::default(), Vec::new());
        for (stream, bytes) in parts {
            h3.feed(stream, &bytes, &mut requests);
        }
        prop_assert!(h3.heap_bytes() < 400_000);
    }
}
