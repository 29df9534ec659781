//! Tests of the HTTP/2 client parser: the published fingerprint form, framing rules, bounds, independence of the split.

use super::*;
use proptest::prelude::*;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut out = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    out.extend([kind, flags]);
    out.extend(stream.to_be_bytes());
    out.extend(payload);
    out
}

fn settings(entries: &[(u16, u32)]) -> Vec<u8> {
    entries.iter().flat_map(|(id, v)| [&id.to_be_bytes()[..], &v.to_be_bytes()].concat()).collect()
}

fn block(encoder: &mut loona_hpack::Encoder<'_>, fields: &[(&str, &str)]) -> Vec<u8> {
    encoder.encode(fields.iter().map(|(n, v)| (n.as_bytes(), v.as_bytes())))
}

/// Two requests the way a browser sends them: a body, padding, priority, a split header block, frames to be ignored.
fn connection() -> Vec<u8> {
    let mut encoder = loona_hpack::Encoder::new();
    let chrome = [(":method", "GET"), (":authority", "example.org"), (":scheme", "https"), (":path", "/a"), ("user-agent", "x")];
    let first = block(&mut encoder, &chrome);
    let (head, tail) = first.split_at(7);
    let second =
        block(&mut encoder, &[(":method", "POST"), (":path", "/b"), ("cookie", "a=1"), ("cookie", "b=2"), ("user-agent", "x")]);
    let padded = [&[3, 0x80, 0, 0, 0, 255][..], &second, &[0, 0, 0]].concat();
    [
        PREFACE.to_vec(),
        frame(SETTINGS, 0, 0, &settings(&[(1, 65536), (2, 0), (4, 6_291_456), (6, 262_144)])),
        frame(WINDOW_UPDATE, 0, 0, &15_663_105u32.to_be_bytes()),
        frame(0xee, 0, 0, b"grease"),
        frame(HEADERS, 0x1, 1, head),
        frame(CONTINUATION, FLAG_END_HEADERS, 1, tail),
        frame(SETTINGS, FLAG_ACK, 0, &[]),
        frame(HEADERS, FLAG_END_HEADERS | FLAG_PADDED | FLAG_PRIORITY, 3, &padded),
        frame(0, 0, 3, &[b'd'; 300]),
        frame(HEADERS, FLAG_END_HEADERS | 1, 3, &block(&mut encoder, &[("trailer", "t")])),
    ]
    .concat()
}

#[test]
fn fingerprint_and_requests_of_a_browser() {
    let (mut client, mut requests) = (H2Client::default(), Vec::new());
    client.feed(&connection(), &mut requests);
    assert_eq!(client.stopped(), None);
    assert_eq!(client.fingerprint(), Some("1:65536;2:0;4:6291456;6:262144|15663105|0|m,a,s,p"));
    assert_eq!(requests.len(), 2);
    assert_eq!((requests[0].host(), requests[0].stream_id), (&b"example.org"[..], 1));
    assert_eq!((requests[1].target.as_slice(), requests[1].stream_id), (&b"/b"[..], 3));
    assert_eq!(requests[1].headers_named("cookie").collect::<Vec<_>>(), [b"a=1", b"b=2"]);
}

#[test]
fn priorities_are_listed_and_absent_parts_have_their_marks() {
    let mut encoder = loona_hpack::Encoder::new();
    let head = block(&mut encoder, &[(":method", "GET"), (":path", "/"), (":authority", "a"), (":scheme", "https")]);
    let stream = [
        PREFACE.to_vec(),
        frame(SETTINGS, 0, 0, &[]),
        frame(PRIORITY, 0, 3, &[0, 0, 0, 0, 200]),
        frame(PRIORITY, 0, 5, &[0x80, 0, 0, 3, 0]),
        frame(HEADERS, FLAG_END_HEADERS, 15, &head),
    ];
    let mut client = H2Client::default();
    client.feed(&stream.concat(), &mut Vec::new());
    assert_eq!(client.fingerprint(), Some("|00|3:0:0:201,5:1:3:1|m,p,a,s"));
}

#[test]
fn floods_and_broken_framing_stop_with_their_reason() {
    let run = |frames: &[Vec<u8>]| {
        let mut client = H2Client::default();
        client.feed(&[PREFACE, &frames.concat()].concat(), &mut Vec::new());
        client.stopped()
    };
    let open = frame(HEADERS, 0, 1, &[0x82]);
    assert_eq!(run(&[open.clone(), frame(0, 0, 1, b"x")]), Some(H2Stop::BadFrame));
    assert_eq!(run(&[open.clone(), frame(CONTINUATION, 4, 3, b"")]), Some(H2Stop::BadFrame));
    assert_eq!(run(&[frame(CONTINUATION, 4, 1, b"")]), Some(H2Stop::BadFrame));
    assert_eq!(run(&[vec![open.clone()], vec![frame(CONTINUATION, 0, 1, b""); 65]].concat()), Some(H2Stop::TooLarge));
    assert_eq!(run(&[vec![open], vec![frame(CONTINUATION, 0, 1, &[0x82; 9_000]); 8]].concat()), Some(H2Stop::TooLarge));
    assert_eq!(run(&[frame(HEADERS, 4, 1, &[0xbe])]), Some(H2Stop::BadHeaderBlock));
    assert_eq!(run(&[frame(HEADERS, 4 | FLAG_PADDED, 1, &[9, 0x82])]), Some(H2Stop::BadFrame));
    let mut client = H2Client::default();
    client.feed(b"PRI * HTTP/1", &mut Vec::new());
    assert_eq!(client.stopped(), Some(H2Stop::NoPreface));
}

#[test]
fn a_gap_within_a_body_is_stepped_over() {
    let stream = connection();
    let body_at = stream.windows(4).position(|w| w == b"dddd").unwrap();
    let (mut client, mut requests) = (H2Client::default(), Vec::new());
    client.feed(&stream[..body_at + 10], &mut requests);
    client.gap(200);
    client.feed(&stream[body_at + 210..], &mut requests);
    assert_eq!((client.stopped(), requests.len()), (None, 2));
    client.gap(1);
    assert_eq!(client.stopped(), Some(H2Stop::Gap));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn the_split_never_changes_the_result_and_nothing_panics(
        cuts in prop::collection::vec(1usize..50, 1..40),
        flips in prop::collection::vec((0usize..2_000, any::<u8>()), 0..4),
    ) {
        let mut stream = connection();
        for (at, byte) in flips {
            let at = at % stream.len();
            stream[at] = byte;
        }
        let (mut whole, mut expected) = (H2Client::default(), Vec::new());
        whole.feed(&stream, &mut expected);
        let (mut client, mut requests) = (H2Client::default(), Vec::new());
        let (mut rest, mut cuts) = (&stream[..], cuts.iter().cycle());
        while !rest.is_empty() {
            let (piece, after) = rest.split_at((*cuts.next().unwrap()).min(rest.len()));
            client.feed(piece, &mut requests);
            rest = after;
        }
        prop_assert_eq!(expected, requests);
        prop_assert_eq!(whole.stopped(), client.stopped());
        prop_assert_eq!(whole.fingerprint(), client.fingerprint());
    }

    #[test]
    fn arbitrary_bytes_after_the_preface(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let mut client = H2Client::default();
        client.feed(&[PREFACE, &bytes].concat(), &mut Vec::new());
        prop_assert!(client.heap_bytes() < 100_000);
    }
}
