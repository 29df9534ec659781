//! The bodies of the fuzz targets: bytes in, a panic when a promise is broken.
//!
//! Promises: the same code runs under cargo-fuzz (`fuzz_targets/`) and on the stable toolchain (`tests/it/fuzz_smoke.rs`). A target
//! checks more than "no panic": bounds of memory, progress, and that cutting the input in two changes nothing.
//! Read next: `docs/ROBUSTNESS.md` (what was run, what was found).

use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::Path;

use ja4_capture::decode::frag::FragmentTable;
use ja4_capture::decode::{Decoded, decode, decode_carried};
use ja4_capture::dtls::DtlsHandshake;
use ja4_capture::fingerprint::{ClientFacts, ServerFacts};
use ja4_capture::flow::stream::{Arrival, Stream};
use ja4_capture::http::h1::H1Parser;
use ja4_capture::http::h2::H2Client;
use ja4_capture::http::h3::H3Connection;
use ja4_capture::keylog::{DecryptLimits, KeyLog, Plaintext, TlsDecryptor, TlsParameters};
use ja4_capture::quic::QuicConnection;
use ja4_capture::source::open::from_reader;
use ja4_capture::source::{Packet, PacketSource};
use ja4_capture::tls::hello::{ClientHello, HelloTransport, ServerHello};
use ja4_capture::tls::record::{HandshakeReader, Next};
use ja4_capture::{Limits, Sensor, SensorConfig};

/// A target's body.
pub type Target = fn(&[u8]);

/// Name and body of every target.
pub const TARGETS: [(&str, Target); 11] = [
    ("readers", readers),
    ("decode", decode_frame),
    ("reassembly", reassembly),
    ("client_hello", client_hello),
    ("quic_initial", quic_initial),
    ("dtls", dtls),
    ("http1", http1),
    ("http2", http2),
    ("http3", http3),
    ("key_log", key_log),
    ("sensor", sensor),
];

/// Most bytes a connection-level parser may hold beyond its own limits: room that vectors take ahead.
const SLACK_BYTES: usize = 512 * 1024;

/// A capture file: always ends, never more packets than bytes allow, the end stays the end.
pub fn readers(data: &[u8]) {
    let Ok(mut source) = from_reader(Box::new(Cursor::new(data.to_vec())), Path::new("fuzz"), None) else { return };
    let mut packets = 0;
    // A compressed file may hold much more than its bytes: only so much of it is looked at.
    while packets < 100_000 && source.advance() {
        packets += 1;
        assert!(source.packet().orig_len as usize >= source.packet().data.len());
    }
    if packets < 100_000 {
        assert!(!source.advance() && source.packet().data.is_empty());
    }
    source.take_damage();
    source.take_secrets();
}

/// A frame behind one byte that chooses the link type; fragments go through the table.
pub fn decode_frame(data: &[u8]) {
    const LINKS: [u32; 13] = [1, 0, 9, 12, 14, 50, 51, 101, 108, 113, 228, 229, 276];
    let Some((first, frame)) = data.split_first() else { return };
    let limits = Limits { datagrams: 4, fragment_bytes: 4096, ..Limits::default() };
    let mut fragments = FragmentTable::default();
    let link = LINKS[usize::from(*first) % LINKS.len()];
    // Halves of the frame as further frames: what fragments need to meet.
    for part in [frame, &frame[frame.len() / 2..]] {
        let mut decoded = decode(link, part, &limits);
        let mut whole;
        while let Decoded::Fragment(fragment) = decoded {
            let (ip, protocol, depth) = (fragment.ip, fragment.protocol, fragment.depth);
            let Some(bytes) = fragments.add(&fragment, 0, &limits) else { break };
            assert!(bytes.len() <= 65_535);
            whole = bytes;
            decoded = decode_carried(ip, protocol, &whole, depth, &limits);
        }
        if let Decoded::Tcp(segment) = decoded {
            assert!(segment.payload.len() <= 65_535 + 40 || segment.payload.len() <= part.len());
        }
    }
    assert!(fragments.policies(&limits).iter().all(|line| line.peak <= line.limit + 65_535));
}

/// Segments of one direction: (offset, length, filler) triples. Every byte delivered is the first one seen at its place.
pub fn reassembly(data: &[u8]) {
    let limits = Limits { segments: 64, flow_bytes: 1 << 20, ..Limits::default() };
    let mut stream = Stream::default();
    stream.syn(u32::MAX - 100);
    let first = u32::MAX - 99;
    let mut model = BTreeMap::<u32, u8>::new();
    let mut delivered = Vec::new();
    for (number, step) in data.chunks_exact(3).take(200).enumerate() {
        let offset = u32::from(step[0]) * 3;
        let length = usize::from(step[1]) % 97;
        let payload = (0..length).map(|i| step[2].wrapping_add(i as u8).wrapping_mul(number as u8 | 1)).collect::<Vec<_>>();
        let take = |bytes: &[u8], delivered: &mut Vec<u8>| delivered.extend_from_slice(bytes);
        for (place, byte) in (offset..).zip(&payload) {
            if place as usize >= delivered.len() {
                model.entry(place).or_insert(*byte);
            }
        }
        match stream.segment(first.wrapping_add(offset), &payload, 0, &limits) {
            Arrival::InOrder(bytes) => take(bytes, &mut delivered),
            Arrival::Held => {}
            Arrival::Restarted => panic!("a stream with a SYN never restarts"),
        }
        while let Some(bytes) = stream.pop_ready() {
            take(&bytes, &mut delivered);
        }
        assert!(stream.held_bytes() <= limits.flow_bytes);
        let holes_given_up = model.range(..delivered.len() as u32).count() != delivered.len();
        if holes_given_up {
            return;
        }
        for (place, byte) in (0_u32..).zip(&delivered) {
            assert_eq!(model.get(&place), Some(byte), "byte {place}");
        }
    }
}

/// A hello as message, as body, and within records that are cut in two anywhere.
pub fn client_hello(data: &[u8]) {
    for transport in [HelloTransport::Tcp, HelloTransport::Quic, HelloTransport::Dtls] {
        for hello in [ClientHello::parse(data), ClientHello::parse_body(data)].into_iter().flatten() {
            let facts = ClientFacts::new(&hello, transport);
            assert!(facts.texts.ja4.ja4.len() == 36 && facts.texts.ja3.len() == 32, "{:?}", facts.texts.ja4);
            assert_eq!(facts.texts.ja4.ja4.get(..10), facts.texts.ja4.ja4_ro.get(..10));
            assert_eq!(
                sorted_extensions(&facts.texts.ja4.ja4_r),
                sorted_extensions(&facts.texts.ja4.ja4_ro),
                "{:?}",
                facts.texts.ja4
            );
        }
        for hello in [ServerHello::parse(data), ServerHello::parse_body(data)].into_iter().flatten() {
            assert_eq!(ServerFacts::new(&hello, transport).texts.ja3s.len(), 32);
        }
    }
    let cut = data.first().map_or(0, |byte| usize::from(*byte) % data.len());
    let read = |parts: &[&[u8]]| {
        let mut messages = Vec::new();
        let mut reader = HandshakeReader::new(65_536);
        for part in parts {
            reader.feed(part, &mut |message| {
                messages.push(message.to_vec());
                Next::More
            });
            assert!(reader.held_bytes() <= 65_536 + SLACK_BYTES);
        }
        messages
    };
    let (head, tail) = data.split_at(cut);
    let (whole, parts) = (read(&[data]), read(&[head, tail]));
    // A reader that is through (or was led astray) is dropped by its caller; until then the cut changes nothing.
    assert!(parts.starts_with(&whole) || whole.starts_with(&parts), "cut at {cut}");
}

/// The extensions of a raw JA4, sorted, without those that the sorted form leaves out.
fn sorted_extensions(raw: &str) -> Vec<&str> {
    let list = raw.split('_').nth(2).unwrap_or_default();
    let mut kinds = list.split(',').filter(|kind| !matches!(*kind, "" | "0000" | "0010")).collect::<Vec<_>>();
    kinds.sort_unstable();
    kinds
}

/// Datagrams: length (two bytes), direction (lowest bit of the first), bytes.
fn datagrams(mut data: &[u8]) -> impl Iterator<Item = (bool, &[u8])> {
    std::iter::from_fn(move || {
        let (head, rest) = data.split_first_chunk::<2>()?;
        let length = (usize::from(head[0] >> 1) << 8 | usize::from(head[1])).min(rest.len());
        let (datagram, rest) = rest.split_at(length);
        data = rest;
        Some((head[0] & 1 == 0, datagram))
    })
}

/// QUIC datagrams of both directions.
pub fn quic_initial(data: &[u8]) {
    let mut quic = QuicConnection::default();
    for (from_client, datagram) in datagrams(data).chain([(true, data)]) {
        quic.datagram(datagram, from_client);
        assert!(quic.heap_bytes() <= 4 * 65_536 + data.len() + SLACK_BYTES);
    }
    for message in [quic.client_hello(), quic.server_hello()].into_iter().flatten() {
        assert!(message.len() >= 4);
    }
}

/// DTLS datagrams.
pub fn dtls(data: &[u8]) {
    let mut dtls = DtlsHandshake::default();
    for (_, datagram) in datagrams(data).chain([(true, data)]) {
        let _ = ja4_capture::dtls::is_dtls(datagram);
        dtls.datagram(datagram);
        assert!(dtls.heap_bytes() <= 4 * 65_536 + data.len() + SLACK_BYTES);
    }
    if let Some(hello) = dtls.client_hello().and_then(ClientHello::parse) {
        assert_eq!(ClientFacts::new(&hello, HelloTransport::Dtls).texts.ja3.len(), 32);
    }
}

/// HTTP/1 requests, whole and in two parts.
pub fn http1(data: &[u8]) {
    let _ = ja4_capture::http::detect(data);
    let read = |parts: &[&[u8]]| {
        let (mut parser, mut requests) = (H1Parser::default(), Vec::new());
        for part in parts {
            assert!(parser.feed(part, &mut requests) <= part.len());
            assert!(parser.heap_bytes() <= 8 * data.len() + SLACK_BYTES);
        }
        requests
    };
    let cut = data.last().map_or(0, |byte| usize::from(*byte) % data.len());
    let (head, tail) = data.split_at(cut);
    assert_eq!(read(&[data]), read(&[head, tail]), "cut at {cut}");
}

/// HTTP/2 frames with HPACK, behind the preface and without it, whole and in two parts.
pub fn http2(data: &[u8]) {
    let preface = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", data].concat();
    for data in [data, &preface] {
        let read = |parts: &[&[u8]]| {
            let (mut parser, mut requests) = (H2Client::default(), Vec::new());
            for part in parts {
                parser.feed(part, &mut requests);
                assert!(parser.heap_bytes() <= 64 * data.len() + 2 * SLACK_BYTES);
            }
            (requests, parser.fingerprint().map(str::to_owned), parser.stopped())
        };
        let cut = data.last().map_or(0, |byte| usize::from(*byte) % data.len());
        let (head, tail) = data.split_at(cut);
        assert_eq!(format!("{:?}", read(&[data])), format!("{:?}", read(&[head, tail])), "cut at {cut}");
    }
}

/// Streams of an HTTP/3 connection with QPACK: the first byte of each part names its stream. Whole and each part in two.
pub fn http3(data: &[u8]) {
    let read = |cut: usize| {
        let (mut parser, mut requests) = (H3Connection::default(), Vec::new());
        for (_, part) in datagrams(data) {
            let Some((stream, bytes)) = part.split_first() else { continue };
            let (head, tail) = bytes.split_at(cut.min(bytes.len()));
            for bytes in [head, tail] {
                parser.feed(u64::from(stream & 15), bytes, &mut requests);
                assert!(parser.heap_bytes() <= 64 * data.len() + 2 * SLACK_BYTES);
            }
        }
        // A request that waited for another stream comes when that stream does.
        requests.sort_by_key(|request| request.stream_id);
        (requests, parser.lost_sections())
    };
    let cut = data.last().map_or(0, |byte| usize::from(*byte));
    assert_eq!(read(0), read(cut), "cut at {cut}");
}

/// A key log, and records under secrets it might have had.
pub fn key_log(data: &[u8]) {
    let mut keys = KeyLog::default();
    keys.add_text(data);
    let stats = keys.stats();
    assert!(stats.accepted as usize <= data.len());
    let random = "07".repeat(32);
    let mut text = String::new();
    for label in ["CLIENT_HANDSHAKE", "SERVER_HANDSHAKE"] {
        text.push_str(&format!("{label}_TRAFFIC_SECRET {random} {}\n", "11".repeat(32)));
    }
    text.push_str(&format!(
        "CLIENT_TRAFFIC_SECRET_0 {random} {}\nSERVER_TRAFFIC_SECRET_0 {random} {}\n",
        "22".repeat(32),
        "33".repeat(32)
    ));
    text.push_str(&format!("CLIENT_RANDOM {random} {}\n", "44".repeat(48)));
    keys.add_text(text.as_bytes());
    let Some(secrets) = keys.get(&[7; 32]) else { return };
    const SUITES: [(u16, u16); 6] =
        [(0x1301, 0x0304), (0x1303, 0x0304), (0xc02b, 0x0303), (0xc013, 0x0303), (0xcca8, 0x0303), (0x003d, 0x0303)];
    let (cipher_suite, version) = SUITES[data.first().map_or(0, |byte| usize::from(*byte)) % SUITES.len()];
    let parameters = TlsParameters {
        client_random: [7; 32],
        server_random: [5; 32],
        cipher_suite,
        version,
        encrypt_then_mac: data.len().is_multiple_of(2),
    };
    let Ok(mut decryptor) = TlsDecryptor::new(secrets, &parameters, DecryptLimits::default()) else { return };
    for (from_client, bytes) in datagrams(data) {
        let refused = decryptor.feed(from_client, bytes, |found| {
            if let Plaintext::Handshake(_, message) = found {
                let _ = ja4_capture::keylog::tls13_certificates(message);
            }
        });
        refused.ok();
        assert!(decryptor.heap_bytes() <= 4 * data.len() + SLACK_BYTES);
    }
}

/// Ethernet frames through a sensor with small bounds: they hold.
pub fn sensor(data: &[u8]) {
    let limits = Limits {
        flows: 2,
        udp_flows: 2,
        finished_flows: 2,
        total_bytes: 8192,
        flow_bytes: 4096,
        pending_events: 2,
        ..Limits::default()
    };
    let mut sensor = Sensor::new(SensorConfig { limits });
    let mut sink = Nothing;
    for ((_, frame), n) in datagrams(data).zip(0..) {
        let orig_len = u32::try_from(frame.len()).unwrap_or(u32::MAX);
        sensor.packet(&Packet { ts_ns: n * 1_000_000, link_type: 1, data: frame, orig_len }, &mut sink);
    }
    sensor.finish(&mut sink);
    for line in sensor.policies().iter().filter(|line| line.table.contains("connections") || line.table.contains("conversations"))
    {
        assert!(line.peak <= line.limit, "{line:?}");
    }
}

/// A sink that wants everything and keeps nothing.
struct Nothing;

impl ja4_capture::SensorSink for Nothing {
    fn wants_http(&self) -> bool {
        true
    }
    fn record(&mut self, record: ja4_capture::ConnectionRecord) {
        assert!(record.has_fingerprint());
    }
    fn event(&mut self, _: ja4_capture::event::NetworkEvent) {}
}
