//! Packets, hellos and captures built in code, and a sink that keeps everything.

use std::path::PathBuf;

use ja4_capture::event::{HttpEvent, NetworkEvent};
use ja4_capture::source::Packet;
use ja4_capture::{ConnectionRecord, Limits, Sensor, SensorConfig, SensorSink};

pub const CLIENT: [u8; 4] = [192, 0, 2, 10];
pub const SERVER: [u8; 4] = [198, 51, 100, 1];
pub const FIN: u8 = 1;
pub const SYN: u8 = 2;
pub const RST: u8 = 4;
pub const ACK: u8 = 16;

/// The shared corpus, where there is one.
pub fn corpus() -> Option<PathBuf> {
    let shared = std::env::var_os("JA4_SHARED")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared"), PathBuf::from);
    let folder = shared.join("conformance/dev");
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("skipped: no conformance captures at {}", folder.display());
    None
}

/// Every capture of the corpus, sorted.
pub fn corpus_captures() -> Vec<PathBuf> {
    let Some(folder) = corpus() else { return Vec::new() };
    let mut captures = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let folder = entry.unwrap().path();
        if folder.is_dir() {
            captures.extend(std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()));
        }
    }
    captures.retain(|path| matches!(path.extension().and_then(|e| e.to_str()), Some("pcap" | "pcapng")));
    captures.sort();
    captures
}

#[derive(Debug, Default)]
pub struct Everything {
    pub records: Vec<ConnectionRecord>,
    pub events: Vec<NetworkEvent>,
    pub requests: Vec<HttpEvent>,
}

impl SensorSink for Everything {
    fn wants_http(&self) -> bool {
        true
    }
    fn http(&mut self, request: HttpEvent) {
        self.requests.push(request);
    }
    fn record(&mut self, record: ConnectionRecord) {
        self.records.push(record);
    }
    fn event(&mut self, event: NetworkEvent) {
        self.events.push(event);
    }
}

/// Begins to measure.
#[allow(clippy::disallowed_methods)] // Figures for docs/ROBUSTNESS.md; no result depends on them.
pub fn stopwatch() -> std::time::Instant {
    std::time::Instant::now()
}

/// Numbers that look random and are the same in each run (xorshift).
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound.max(1) as u64) as usize
    }
}

/// A frame with its time.
pub type Frame = (i64, Vec<u8>);

/// Runs Ethernet frames through a sensor.
pub fn sense(frames: &[Frame], limits: Limits) -> (Everything, Sensor) {
    let mut sink = Everything::default();
    let mut sensor = Sensor::new(SensorConfig { limits });
    for (ts_ns, data) in frames {
        let orig_len = u32::try_from(data.len()).unwrap();
        sensor.packet(&Packet { ts_ns: *ts_ns, link_type: 1, data, orig_len }, &mut sink);
    }
    sensor.finish(&mut sink);
    (sink, sensor)
}

pub struct Tcp<'a> {
    pub src: ([u8; 4], u16),
    pub dst: ([u8; 4], u16),
    pub seq: u32,
    pub ack: u32,
    pub flags: u8,
    pub options: &'a [u8],
    pub payload: &'a [u8],
}

/// An Ethernet frame with an IPv4 TCP segment, TTL 64, don't-fragment set, window 64240.
pub fn tcp(segment: &Tcp<'_>) -> Vec<u8> {
    ethernet(&ipv4(segment.src.0, segment.dst.0, 6, &tcp_header(segment)))
}

pub fn tcp_header(segment: &Tcp<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend(segment.src.1.to_be_bytes());
    out.extend(segment.dst.1.to_be_bytes());
    out.extend(segment.seq.to_be_bytes());
    out.extend(segment.ack.to_be_bytes());
    out.push(u8::try_from((20 + segment.options.len()) / 4).unwrap() << 4);
    out.push(segment.flags);
    out.extend(64_240_u16.to_be_bytes());
    out.extend([0; 4]);
    out.extend(segment.options);
    out.extend(segment.payload);
    out
}

pub fn ipv4(src: [u8; 4], dst: [u8; 4], protocol: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![0x45, 0];
    out.extend(u16::try_from(20 + payload.len()).unwrap().to_be_bytes());
    out.extend([0, 1, 0x40, 0, 64, protocol, 0, 0]);
    out.extend(src);
    out.extend(dst);
    out.extend(payload);
    out
}

pub fn ethernet(ip: &[u8]) -> Vec<u8> {
    let mut out = vec![2; 12];
    out.extend([8, 0]);
    out.extend(ip);
    out
}

pub fn extension(kind: u16, data: &[u8]) -> Vec<u8> {
    let mut out = kind.to_be_bytes().to_vec();
    out.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
    out.extend(data);
    out
}

/// A ClientHello message with GREASE, SNI, ALPN `h2, http/1.1`, TLS 1.3 and 1.2, and a few more.
pub fn client_hello(sni: &str) -> Vec<u8> {
    let mut name = vec![0, 0, 0];
    name[1..].copy_from_slice(&u16::try_from(sni.len()).unwrap().to_be_bytes());
    name.extend(sni.as_bytes());
    let mut server_name = u16::try_from(name.len()).unwrap().to_be_bytes().to_vec();
    server_name.extend(name);
    let mut extensions = extension(0x1a1a, &[]);
    extensions.extend(extension(0, &server_name));
    extensions.extend(extension(10, &[0, 6, 0x2a, 0x2a, 0, 29, 0, 23]));
    extensions.extend(extension(11, &[1, 0]));
    extensions.extend(extension(13, &[0, 6, 4, 3, 8, 4, 4, 1]));
    extensions.extend(extension(16, b"\x00\x0c\x02h2\x08http/1.1"));
    extensions.extend(extension(43, &[6, 0x3a, 0x3a, 3, 4, 3, 3]));
    extensions.extend(extension(51, &[0; 40]));
    let mut body = vec![3, 3];
    body.extend([7; 32]);
    body.push(32);
    body.extend([9; 32]);
    body.extend([0, 8, 0x4a, 0x4a, 0x13, 1, 0x13, 2, 0xc0, 0x2b, 1, 0]);
    body.extend(u16::try_from(extensions.len()).unwrap().to_be_bytes());
    body.extend(extensions);
    message(1, &body)
}

/// A TLS 1.3 ServerHello message.
pub fn server_hello() -> Vec<u8> {
    let mut body = vec![3, 3];
    body.extend([5; 32]);
    body.push(32);
    body.extend([9; 32]);
    body.extend([0x13, 1, 0]);
    let mut extensions = extension(51, &[0; 36]);
    extensions.extend(extension(43, &[3, 4]));
    body.extend(u16::try_from(extensions.len()).unwrap().to_be_bytes());
    body.extend(extensions);
    message(2, &body)
}

pub fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    let mut out = vec![kind, length[1], length[2], length[3]];
    out.extend(body);
    out
}

/// Handshake bytes in records of at most `record_bytes`.
pub fn records(message: &[u8], record_bytes: usize) -> Vec<u8> {
    let mut out = Vec::new();
    for part in message.chunks(record_bytes) {
        out.extend([22, 3, 1]);
        out.extend(u16::try_from(part.len()).unwrap().to_be_bytes());
        out.extend(part);
    }
    out
}

/// Options of a Linux SYN: MSS 1460, SACK, timestamps, NOP, window scale 7.
pub const SYN_OPTIONS: [u8; 20] = [2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7];

/// A whole connection from `port`: handshake, ClientHello, ServerHello, FINs; 100 µs apart.
pub fn connection(client: [u8; 4], port: u16, start_ns: i64, sni: &str) -> Vec<Frame> {
    let (c, s) = ((client, port), (SERVER, 443));
    let hello = records(&client_hello(sni), 16_000);
    let answer = records(&server_hello(), 16_000);
    let (hello_bytes, answer_bytes) = (hello.len() as u32, answer.len() as u32);
    let up = |seq, ack, flags, options, payload| tcp(&Tcp { src: c, dst: s, seq, ack, flags, options, payload });
    let down = |seq, ack, flags, options, payload| tcp(&Tcp { src: s, dst: c, seq, ack, flags, options, payload });
    let frames = [
        up(1000, 0, SYN, &SYN_OPTIONS, &[]),
        down(5000, 1001, SYN | ACK, &SYN_OPTIONS, &[]),
        up(1001, 5001, ACK, &[], &[]),
        up(1001, 5001, ACK | 8, &[], &hello),
        down(5001, 1001 + hello_bytes, ACK | 8, &[], &answer),
        up(1001 + hello_bytes, 5001 + answer_bytes, ACK | FIN, &[], &[]),
        down(5001 + answer_bytes, 1002 + hello_bytes, ACK | FIN, &[], &[]),
    ];
    frames.into_iter().zip(0..).map(|(frame, n)| (start_ns + n * 100_000, frame)).collect()
}

/// A classic capture: microseconds, little-endian, Ethernet.
pub fn pcap(frames: &[Frame]) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend(0xa1b2_c3d4_u32.to_le_bytes());
    out.extend([2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    out.extend(262_144_u32.to_le_bytes());
    out.extend(1_u32.to_le_bytes());
    for (ts_ns, data) in frames {
        let length = u32::try_from(data.len()).unwrap();
        out.extend(u32::try_from(ts_ns / 1_000_000_000).unwrap().to_le_bytes());
        out.extend(u32::try_from(ts_ns % 1_000_000_000 / 1000).unwrap().to_le_bytes());
        out.extend(length.to_le_bytes());
        out.extend(length.to_le_bytes());
        out.extend(data);
    }
    out
}
