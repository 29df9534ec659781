//! No path is quadratic: doubling an input five times makes it at most slightly more than proportionally slower.
//!
//! Each size is timed best of five, and the slope of log time over log size must stay at 1.2 or below. A machine that is busy with
//! other work disturbs timings, so a case may be measured again best of 25 and best of 100; a quadratic path has slope 2 each time.

use std::sync::{Mutex, PoisonError};

use ja4_capture::fingerprint::ClientFacts;
use ja4_capture::http::h1::{H1Limits, H1Parser};
use ja4_capture::http::h2::{H2Client, H2Limits};
use ja4_capture::tls::hello::{ClientHello, HelloTransport};
use ja4_capture::{Limits, Sensor, SensorConfig};

use crate::support::{ACK, CLIENT, Everything, SERVER, SYN, Tcp, client_hello, ethernet, message, records, stopwatch, tcp};

const MOST: f64 = 1.2;

/// One measurement at a time: tests run on all processors.
static ALONE: Mutex<()> = Mutex::new(());

/// Seconds of work, without those in which other programs had the processor: on a machine busy enough, none of many tries is free
/// of them.
fn best_of(tries: usize, mut work: impl FnMut()) -> f64 {
    (0..tries)
        .map(|_| {
            let (waited, begun) = (waited_seconds(), stopwatch());
            work();
            let elapsed = begun.elapsed().as_secs_f64();
            elapsed - (waited_seconds() - waited)
        })
        .fold(f64::INFINITY, f64::min)
        .max(1e-9)
}

/// How long this thread has waited for a processor so far, where the system tells (Linux).
fn waited_seconds() -> f64 {
    let figures = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    figures.split_whitespace().nth(1).and_then(|ns| ns.parse::<f64>().ok()).unwrap_or(0.0) / 1e9
}

/// Slope of the least-squares line through (log size, log seconds).
fn slope(points: &[(f64, f64)]) -> f64 {
    let n = points.len() as f64;
    let (mean_x, mean_y) = (points.iter().map(|p| p.0).sum::<f64>() / n, points.iter().map(|p| p.1).sum::<f64>() / n);
    let covariance = points.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum::<f64>();
    covariance / points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum::<f64>()
}

/// `prepare` makes the input of a size, `work` is timed.
fn assert_linear<I>(name: &str, smallest: usize, prepare: impl Fn(usize) -> I, work: impl Fn(&I)) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let (mut slopes, mut last) = (Vec::new(), Vec::new());
    for tries in [5, 25, 100] {
        let mut points = Vec::new();
        for doubling in 0..=5 {
            let size = smallest << doubling;
            let input = prepare(size);
            points.push(((size as f64).ln(), best_of(tries, || work(&input)).ln()));
        }
        slopes.push(slope(&points));
        last = points.iter().map(|(size, seconds)| (size.exp().round(), seconds.exp())).collect();
        if slopes.last().is_some_and(|slope| *slope <= MOST) {
            eprintln!("{name}: slope {:.2}", slopes[slopes.len() - 1]);
            return;
        }
    }
    panic!("{name}: slopes {slopes:.2?} over {MOST}; last times {last:?}");
}

/// Frames one behind the other, as a capture holds them: scattered ones would measure the processor's caches.
struct Packed {
    bytes: Vec<u8>,
    lengths: Vec<usize>,
}

fn pack(frames: Vec<Vec<u8>>) -> Packed {
    Packed { lengths: frames.iter().map(Vec::len).collect(), bytes: frames.concat() }
}

fn sense(frames: &Packed, limits: &Limits) -> Everything {
    let mut sink = Everything::default();
    let mut sensor = Sensor::new(SensorConfig { limits: limits.clone() });
    let mut rest = frames.bytes.as_slice();
    for (length, n) in frames.lengths.iter().zip(0..) {
        let (data, behind) = rest.split_at(*length);
        rest = behind;
        let packet = ja4_capture::source::Packet { ts_ns: n * 1000, link_type: 1, data, orig_len: data.len() as u32 };
        sensor.packet(&packet, &mut sink);
    }
    sensor.finish(&mut sink);
    sink
}

/// Bounds so large that none is reached: it is the algorithm that is measured.
fn wide() -> Limits {
    Limits {
        segments: 1 << 20,
        flow_bytes: 1 << 28,
        total_bytes: 1 << 30,
        fragments: 1 << 20,
        fragment_bytes: 1 << 28,
        datagrams: 1 << 20,
        scan_segments: u16::MAX,
        scan_bytes: 1 << 28,
        ..Limits::default()
    }
}

fn segment(seq: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
    tcp(&Tcp { src: (CLIENT, 40_000), dst: (SERVER, 443), seq, ack: 1, flags, options: &[], payload })
}

fn fragment(id: u16, offset_units: u16, more: bool) -> Vec<u8> {
    let mut ip = vec![0x45, 0];
    ip.extend(28_u16.to_be_bytes());
    ip.extend(id.to_be_bytes());
    ip.extend((offset_units | if more { 0x2000 } else { 0 }).to_be_bytes());
    ip.extend([64, 6, 0, 0]);
    ip.extend(CLIENT);
    ip.extend(SERVER);
    ip.extend([7; 8]);
    ethernet(&ip)
}

#[test]
fn segments_of_one_connection() {
    let limits = wide();
    let frames = |count: usize, with_syn: bool, reverse: bool| {
        let mut frames = (0..count as u32).map(|n| segment(101 + n * 4, ACK, &n.to_be_bytes())).collect::<Vec<_>>();
        if reverse {
            frames.reverse();
        }
        if with_syn {
            frames.insert(0, segment(100, SYN, &[]));
        }
        pack(frames)
    };
    // Sizes whose state fits the processor's caches: where no SYN was seen every piece is kept, since a beginning may still come.
    for (name, smallest, with_syn, reverse) in [
        ("segments in order", 1000, true, false),
        ("segments backwards", 500, true, true),
        ("segments in order, no SYN", 500, false, false),
        ("segments backwards, no SYN", 500, false, true),
    ] {
        assert_linear(
            name,
            smallest,
            |size| frames(size, with_syn, reverse),
            |frames| {
                sense(frames, &limits);
            },
        );
    }
    // With the bounds as they are, the policies run.
    assert_linear(
        "segments backwards at the default bounds",
        4000,
        |size| frames(size, true, true),
        |frames| {
            sense(frames, &Limits::default());
        },
    );
}

#[test]
fn fragments() {
    let limits = wide();
    let one = |count: usize| pack((0..count as u16).rev().map(|n| fragment(1, n, usize::from(n) + 1 < count)).collect());
    assert_linear("fragments of one datagram, backwards", 250, one, |frames| {
        sense(frames, &limits);
    });
    let last_first = |count: usize| {
        let mut frames = (0..count as u16).map(|n| fragment(1, n, usize::from(n) + 1 < count)).collect::<Vec<_>>();
        frames.rotate_right(1);
        pack(frames)
    };
    assert_linear("fragments of one datagram, the last one first", 250, last_first, |frames| {
        sense(frames, &limits);
    });
    // More datagrams than the table has places, so that each new one pushes out the oldest.
    let many = |count: usize| pack((0..count).map(|n| fragment(n as u16, (n >> 16) as u16 + 1, true)).collect());
    let few = Limits { datagrams: 64, ..Limits::default() };
    assert_linear("datagrams never completed", 2000, many, |frames| {
        sense(frames, &few);
    });
}

#[test]
fn extensions_and_ciphers_of_a_hello() {
    let hello = |extensions: usize, ciphers: usize| {
        let mut body = vec![3, 3];
        body.extend([7; 33]);
        body[34] = 0;
        body.extend(((ciphers * 2) as u16).to_be_bytes());
        body.extend((0..ciphers).flat_map(|n| (n as u16).wrapping_mul(40_503).to_be_bytes()));
        body.extend([1, 0]);
        body.extend(((extensions * 4) as u16).to_be_bytes());
        // Kinds in no order, none of which the fingerprints look for.
        body.extend((0..extensions).flat_map(|n| {
            let [a, b] = ((n as u16).wrapping_mul(40_503) | 0x4000).to_be_bytes();
            [a, b, 0, 0]
        }));
        message(1, &body)
    };
    let facts = |message: &Vec<u8>| {
        let hello = ClientHello::parse(message).expect("a hello");
        assert!(ClientFacts::new(&hello, HelloTransport::Tcp).extension_count > 0);
    };
    // From 511 on a hello is too long to be remembered, and 32 times as many fill what a hello can hold.
    assert_linear("extensions", 511, |size| hello(size, 1), facts);
    assert_linear("cipher suites", 1000, |size| hello(1, size), facts);
}

#[test]
fn a_hello_in_ever_smaller_records_and_segments() {
    let limits = wide();
    let name = "a".repeat(200);
    let input = |size: usize| {
        // Hellos of more and more bytes, each record one byte long.
        let mut padded = client_hello(&name)[4..].to_vec();
        padded.resize(size, 0);
        let stream = records(&message(1, &padded), 1);
        let mut frames = vec![segment(100, SYN, &[])];
        frames.extend(stream.chunks(7).zip(0..).map(|(part, n)| segment(101 + n * 7, ACK, part)));
        pack(frames)
    };
    assert_linear("one-byte records", 1000, input, |frames| {
        assert_eq!(sense(frames, &limits).records.len(), 1);
    });
}

#[test]
fn headers_of_a_request() {
    let limits = H1Limits { head_bytes: 1 << 28, headers: 1 << 24 };
    let h1 = |count: usize| {
        let mut text = b"GET / HTTP/1.1\r\n".to_vec();
        (0..count).for_each(|n| text.extend(format!("x-{n}: value {n}\r\n").bytes()));
        text.extend(b"\r\n");
        text
    };
    assert_linear("HTTP/1 headers", 500, h1, |text| {
        let (mut parser, mut requests) = (H1Parser::new(limits), Vec::new());
        // In pieces, as they come.
        text.chunks(100).for_each(|part| {
            parser.feed(part, &mut requests);
        });
        assert_eq!(requests.len(), 1);
        #[cfg(feature = "ja4plus")]
        assert!(!ja4_capture::plus::ja4h::ja4h(&requests[0]).ja4h.is_empty());
    });
    let h2 = |count: usize| {
        let mut out = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        out.extend([0, 0, 0, 4, 0, 0, 0, 0, 0]);
        // Requests of 30 fields each: more of them, since one block is bounded.
        for stream in 0..count as u32 {
            let mut block = vec![0x82, 0x86, 0x84];
            for n in 0..27_u8 {
                block.extend([0x40, 2, b'a' + n % 26, b'x', 2, b'v', b'a' + n % 26]);
            }
            out.extend([0, (block.len() >> 8) as u8, block.len() as u8, 1, 5]);
            out.extend((2 * stream + 1).to_be_bytes());
            out.extend(block);
        }
        out
    };
    assert_linear("HTTP/2 header fields", 20, h2, |bytes| {
        let (mut parser, mut requests) = (H2Client::new(H2Limits::default()), Vec::new());
        bytes.chunks(100).for_each(|part| parser.feed(part, &mut requests));
        assert!(!requests.is_empty());
    });
}
