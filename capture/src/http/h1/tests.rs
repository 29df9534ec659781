//! Tests of the HTTP/1 parser: framing, recovery and independence of the split.

use super::*;
use crate::http::HttpVersion;
use proptest::prelude::*;

fn parse(stream: &[u8]) -> (Vec<Request>, H1State) {
    let (mut parser, mut requests) = (H1Parser::default(), Vec::new());
    parser.feed(stream, &mut requests);
    (requests, parser.state())
}

fn names(request: &Request) -> Vec<&str> {
    request.headers.iter().map(|h| std::str::from_utf8(&h.name).unwrap()).collect()
}

const PIPELINE: &[u8] =
    b"\r\nPOST /a%20b HTTP/1.1\r\nHost: example.org\r\nX-odd-CASE:  v  \r\nContent-Length: 11\r\n\r\nGET / HTTP/\
POST /chunks HTTP/1.1\nTransfer-Encoding: gzip, chunked\n\n5;x=y\r\nhello\r\n0\r\nTrailer: t\r\n\r\n\
GET /with blank HTTP/1.0\r\nA: 1\r\n folded\r\nnonsense\r\n\r\nHEAD /last HTTP/1.1\r\n\r\n";

#[test]
fn several_requests_with_bodies_bare_line_feeds_and_folding() {
    let (requests, state) = parse(PIPELINE);
    assert_eq!(state, H1State::Head);
    let targets: Vec<&[u8]> = requests.iter().map(|r| r.target.as_slice()).collect();
    assert_eq!(targets, [&b"/a%20b"[..], b"/chunks", b"/with blank", b"/last"]);
    assert_eq!(names(&requests[0]), ["Host", "X-odd-CASE", "Content-Length"]);
    assert_eq!(requests[0].header("x-ODD-case"), Some(&b"v"[..]));
    assert_eq!(requests[0].host(), b"example.org");
    assert_eq!(requests[2].version, HttpVersion::Http10);
    assert_eq!(requests[2].header("a"), Some(&b"1 folded"[..]));
}

#[test]
fn after_connect_foreign_bytes_are_left_for_the_caller() {
    let stream = b"CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n\x16\x03\x01\x00\x05hello";
    let (mut parser, mut requests) = (H1Parser::default(), Vec::new());
    let consumed = parser.feed(stream, &mut requests);
    assert_eq!((requests.len(), parser.state()), (1, H1State::Tunnel));
    assert_eq!(&stream[consumed..], b"\x16\x03\x01\x00\x05hello");
    assert_eq!(parser.feed(b"more", &mut requests), 0);
    // A refused CONNECT is repeated on the same connection.
    let (requests, state) = parse(b"CONNECT a:1 HTTP/1.1\r\n\r\nCONNECT a:1 HTTP/1.1\r\nProxy-Authorization: x\r\n\r\n");
    assert_eq!((requests.len(), state), (2, H1State::Head));
}

#[test]
fn what_is_no_request_stops_with_its_reason() {
    let stops = |stream: &[u8]| match parse(stream) {
        (_, H1State::Stopped(reason)) => reason,
        other => panic!("{other:?}"),
    };
    assert_eq!(stops(b"\x16\x03\x01"), StopReason::NotARequest);
    assert_eq!(stops(b"GET /\r\n"), StopReason::NotARequest);
    assert_eq!(stops(b"OPTIONS sip:x SIP/2.0\r\n"), StopReason::NotARequest);
    assert_eq!(stops(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), StopReason::Http2Preface);
    assert_eq!(stops(b"POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n"), StopReason::BadContentLength);
    assert_eq!(stops(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), StopReason::BadChunk);
    assert_eq!(stops(&[b'A'; 33]), StopReason::NotARequest);
    let endless = [b"GET / HTTP/1.1\r\nX: ".to_vec(), vec![b'a'; 70_000]].concat();
    assert_eq!(stops(&endless), StopReason::HeadTooLarge);
    let many = [b"GET / HTTP/1.1\r\n".to_vec(), b"a:\n".repeat(1_001)].concat();
    assert_eq!(stops(&many), StopReason::HeadTooLarge);
}

#[test]
fn a_gap_inside_a_body_costs_nothing_and_elsewhere_one_request() {
    let (mut parser, mut requests) = (H1Parser::default(), Vec::new());
    parser.feed(b"POST / HTTP/1.1\r\nContent-Length: 100\r\n\r\n12345", &mut requests);
    parser.gap(90);
    parser.feed(b"67890GET /next HTTP/1.1\r\nHo", &mut requests);
    assert_eq!(requests.len(), 1);
    parser.gap(50);
    parser.feed(b"lost: x\r\n\r\n", &mut requests);
    assert_eq!(parser.state(), H1State::Resync);
    parser.feed(b"GET /third HTTP/1.1\r\n\r\n", &mut requests);
    assert_eq!(requests.last().unwrap().target, b"/third");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn never_panics_and_memory_is_bounded(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..40)) {
        let (mut parser, mut requests) = (H1Parser::new(H1Limits { head_bytes: 256, headers: 8 }), Vec::new());
        for piece in &pieces {
            parser.feed(piece, &mut requests);
            prop_assert!(parser.heap_bytes() < 4_096);
        }
    }

    /// Any cut of any of these streams, whole or damaged, gives the same requests and the same final state.
    #[test]
    fn the_split_never_changes_the_result(
        cuts in prop::collection::vec(1usize..40, 1..60),
        tail in prop::sample::select(vec![&b""[..], b"\x16\x03", b"CONNECT a:1 HTTP/1.1\r\n\r\n\x16abc", b"garbage in here\r\n\r\n", b"G"]),
        flip in prop::option::of((0usize..400, any::<u8>())),
    ) {
        let mut stream = [PIPELINE, tail].concat();
        if let Some((at, byte)) = flip {
            let at = at % stream.len();
            stream[at] = byte;
        }
        let (whole, state) = parse(&stream);
        let (mut parser, mut requests) = (H1Parser::default(), Vec::new());
        let (mut rest, mut cuts) = (&stream[..], cuts.iter().cycle());
        while !rest.is_empty() {
            let (piece, after) = rest.split_at((*cuts.next().unwrap()).min(rest.len()));
            parser.feed(piece, &mut requests);
            rest = after;
        }
        prop_assert_eq!(whole, requests);
        prop_assert_eq!(state, parser.state());
    }
}
