//! The fuzz targets on the stable toolchain: saved seeds, findings of the past, and mutations of both, for a bounded number of runs.
//!
//! By hand: `JA4_FUZZ_EXECUTIONS=1000000 cargo test --release -p ja4-capture --test it fuzz_smoke -- --nocapture` (per target).
//! `JA4_WRITE_SEEDS=1` writes the seeds anew. What was run stands in `docs/ROBUSTNESS.md`.

#[path = "../../fuzz/targets.rs"]
mod targets;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ja4_capture::Limits;
use ja4_capture::decode::{Decoded, decode};
use ja4_capture::source::PacketSource;
use ja4_capture::source::open::open;

use crate::support::{
    ACK, CLIENT, Random, SERVER, Tcp, client_hello, connection, corpus_captures, ethernet, ipv4, message, pcap, records,
    server_hello, tcp,
};

/// Without JA4_FUZZ_EXECUTIONS a target ends after this.
const SHORT: Duration = Duration::from_millis(900);
const MAX_INPUT_BYTES: usize = 4096;

fn manifest(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn files(folder: &Path) -> Vec<Vec<u8>> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut paths = entries.map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
    paths.sort();
    paths.iter().filter(|path| path.is_file()).map(|path| std::fs::read(path).unwrap()).collect()
}

/// Length, direction, bytes: as the targets take datagrams.
fn framed(parts: &[(bool, Vec<u8>)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (from_client, bytes) in parts {
        out.extend([((bytes.len() >> 8) as u8) << 1 | u8::from(!from_client), bytes.len() as u8]);
        out.extend(bytes);
    }
    out
}

/// Inputs made by our own code, by target.
fn made_here(target: &str) -> Vec<Vec<u8>> {
    let (hello, answer) = (client_hello("seed.example"), server_hello());
    let frames = connection(CLIENT, 40_000, 1_000_000_000, "seed.example");
    let udp = |payload: &[u8]| {
        let mut header = vec![0x9c, 0x40, 0x01, 0xbb];
        header.extend(u16::try_from(8 + payload.len()).unwrap().to_be_bytes());
        header.extend([0, 0]);
        header.extend(payload);
        ethernet(&ipv4(CLIENT, SERVER, 17, &header))
    };
    let dtls_hello = {
        let mut body = vec![0xfe, 0xfd];
        body.extend([7; 32]);
        body.extend([0, 0, 0, 4, 0xc0, 0x2b, 0x13, 1, 1, 0, 0, 0]);
        let length = (body.len() as u32).to_be_bytes();
        let mut fragment = vec![1, length[1], length[2], length[3], 0, 0, 0, 0, 0, length[1], length[2], length[3]];
        fragment.extend(body);
        let mut record = vec![22, 0xfe, 0xff, 0, 0, 0, 0, 0, 0, 0, 0];
        record.extend((fragment.len() as u16).to_be_bytes());
        record.extend(fragment);
        record
    };
    let quic = {
        let mut packet = vec![0xc3, 0, 0, 0, 1, 8, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0x44, 0xb0];
        packet.resize(1218, 0x5a);
        packet
    };
    let h2 = {
        let mut out = vec![0, 0, 12, 4, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 100, 0, 4, 0, 1, 0, 0];
        out.extend([0, 0, 4, 8, 0, 0, 0, 0, 0, 0, 15, 0, 1]);
        out.extend([0, 0, 17, 1, 5, 0, 0, 0, 1, 0x82, 0x86, 0x84, 0x41, 0x8c]);
        out.extend([0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff]);
        out
    };
    let request = b"GET /a?b=c HTTP/1.1\r\nHost: seed.example\r\nCookie: a=1; b=2\r\nAccept-Language: de\r\n\r\nPOST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n".to_vec();
    match target {
        "readers" => {
            let mut block = vec![0x0a, 0x0d, 0x0d, 0x0a, 28, 0, 0, 0, 0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0];
            block.extend([0xff; 8]);
            block.extend([28, 0, 0, 0, 1, 0, 0, 0, 20, 0, 0, 0, 1, 0, 0, 0, 0, 0, 4, 0, 20, 0, 0, 0]);
            block.extend([
                6, 0, 0, 0, 36, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 4, 0, 0, 0, 4, 0, 0, 0, 1, 2, 3, 4, 36, 0, 0, 0,
            ]);
            vec![pcap(&frames[..3]), block]
        }
        "decode" => {
            let mut out = frames[..4].iter().map(|(_, frame)| [&[0], frame.as_slice()].concat()).collect::<Vec<_>>();
            let inner = ipv4(SERVER, CLIENT, 6, &frames[0].1[34..]);
            out.push([&[0], ethernet(&ipv4(CLIENT, SERVER, 4, &inner)).as_slice()].concat());
            out.push(
                [&[0], ethernet(&ipv4(CLIENT, SERVER, 47, &[&[0, 0, 8, 0], inner.as_slice()].concat())).as_slice()].concat(),
            );
            out
        }
        "reassembly" => vec![(0..90).collect(), vec![10, 9, 1, 0, 9, 2, 3, 9, 3, 1, 40, 4, 20, 90, 5, 0, 96, 6]],
        "client_hello" => {
            vec![hello.clone(), records(&hello, 100), [records(&answer, 16_000), records(&message(11, &[0; 30]), 9)].concat()]
        }
        "quic_initial" => vec![framed(&[(true, quic.clone()), (false, quic.clone())]), quic],
        "dtls" => vec![framed(&[(true, dtls_hello.clone()), (true, dtls_hello.clone())]), dtls_hello],
        "http1" => vec![request],
        "http2" => vec![h2],
        "http3" => {
            // The server's SETTINGS; an encoder stream of RFC 9204 appendix B; requests that use its entries and that do not.
            let settings = vec![3, 0, 4, 3, 1, 0x40, 220];
            let mut encoder = vec![6, 2, 0x3f, 0xbd, 1, 0xc0, 15];
            encoder.extend(b"www.example.com\xc1\x0c/sample/path");
            let dynamic = vec![0, 1, 6, 3, 0x81, 0xd1, 0xd7, 0x10, 0x11];
            let fixed = [&[4, 1, 11, 0, 0, 0xd1, 0xd7, 0x50, 4][..], b"seed", &[0xc1]].concat();
            let duplicate = vec![6, 1];
            let parts = [settings, encoder, dynamic, fixed, duplicate].map(|part| (true, part));
            vec![framed(&parts), framed(&[parts[2].clone(), parts[1].clone(), parts[0].clone()])]
        }
        "key_log" => vec![
            format!("CLIENT_RANDOM {} {}\n# comment\n", "ab".repeat(32), "cd".repeat(48)).into_bytes(),
            framed(&[(true, vec![22, 3, 3, 0, 4, 1, 0, 0, 0]), (false, [&[23, 3, 3, 0, 40][..], &[9; 40]].concat())]),
        ],
        "sensor" => {
            let mut all = frames.iter().map(|(_, frame)| (true, frame.clone())).collect::<Vec<_>>();
            let c = (CLIENT, 50_000);
            let post = tcp(&Tcp { src: c, dst: (SERVER, 80), seq: 1, ack: 1, flags: ACK, options: &[], payload: &request });
            all.extend([(true, post), (true, udp(&quic)), (true, udp(&dtls_hello))]);
            vec![framed(&all)]
        }
        _ => panic!("no seeds for {target}"),
    }
}

/// Pieces of the shared captures, where there are any, as the target takes them.
fn from_corpus(target: &str) -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    for path in corpus_captures() {
        let bytes = std::fs::read(&path).unwrap();
        if target == "readers" {
            out.push(bytes.get(..MAX_INPUT_BYTES).unwrap_or(&bytes).to_vec());
            continue;
        }
        let Ok(mut source) = open(&path) else { continue };
        let (mut taken, mut group) = (0, Vec::new());
        while taken < 12 && source.advance() {
            let packet = source.packet();
            match (target, decode(packet.link_type, packet.data, &Limits::default())) {
                ("decode", _) => out.push([&[0], packet.data].concat()),
                ("sensor", _) => group.push((true, packet.data.to_vec())),
                ("quic_initial" | "dtls" | "http3", Decoded::Udp(datagram)) => {
                    group.push((taken % 2 == 0, datagram.payload.to_vec()))
                }
                ("client_hello" | "http1" | "http2" | "key_log", Decoded::Tcp(segment)) if !segment.payload.is_empty() => {
                    out.push(segment.payload.to_vec());
                    if let Some(message) = segment.payload.get(5..).filter(|_| target == "client_hello") {
                        out.push(message.to_vec());
                    }
                }
                _ => continue,
            }
            taken += 1;
        }
        if !group.is_empty() {
            out.push(framed(&group));
        }
    }
    out
}

/// One to eight changes: bits, bytes, lengths, pieces left out, repeated, or taken from another seed.
fn mutate(random: &mut Random, seeds: &[Vec<u8>], out: &mut Vec<u8>) {
    out.clear();
    out.extend_from_slice(&seeds[random.below(seeds.len())]);
    out.truncate(MAX_INPUT_BYTES);
    for _ in 0..=random.below(8) {
        if out.is_empty() {
            out.push(random.below(256) as u8);
        }
        let (at, length) = (random.below(out.len()), random.below(64) + 1);
        let end = (at + length).min(out.len());
        match random.below(8) {
            0 => out[at] ^= 1 << random.below(8),
            1 => out[at] = random.below(256) as u8,
            2 => out[at] = [0, 1, 0x7f, 0x80, 0xff][random.below(5)],
            3 => out[at] = out[at].wrapping_add([1, 255][random.below(2)]),
            4 => drop(out.drain(at..end)),
            5 => {
                let piece = out[at..end].to_vec();
                out.splice(at..at, piece);
            }
            6 => out.truncate(at),
            _ => {
                let other = &seeds[random.below(seeds.len())];
                let from = random.below(other.len());
                let piece = other[from..(from + length).min(other.len())].to_vec();
                out.splice(at..at, piece);
            }
        }
    }
    out.truncate(2 * MAX_INPUT_BYTES);
}

#[allow(clippy::disallowed_methods)] // A test bounds itself by the clock.
fn run(name: &str) {
    let (_, body) = targets::TARGETS.iter().find(|(target, _)| *target == name).expect("a target");
    let folder = manifest("fuzz/seeds").join(name);
    if std::env::var_os("JA4_WRITE_SEEDS").is_some() {
        std::fs::create_dir_all(&folder).unwrap();
        for (number, seed) in made_here(name).iter().enumerate() {
            std::fs::write(folder.join(format!("{number}")), seed).unwrap();
        }
    }
    let mut seeds = files(&folder);
    assert!(!seeds.is_empty(), "no seeds in {}", folder.display());
    seeds.extend(files(&manifest("../datasets/regressions").join(name)));
    seeds.extend(from_corpus(name));
    seeds.retain(|seed| !seed.is_empty());
    let wanted = std::env::var("JA4_FUZZ_EXECUTIONS").ok().and_then(|text| text.parse::<u64>().ok());
    let begun = Instant::now();
    let (mut random, mut input, mut executions) = (Random(0x9e37_79b9_7f4a_7c15), Vec::new(), 0_u64);
    let mut slowest = Duration::ZERO;
    let mut once = |input: &[u8]| {
        let start = Instant::now();
        if let Err(panic) = std::panic::catch_unwind(|| body(input)) {
            let path = std::env::temp_dir().join(format!("ja4-fuzz-{name}"));
            std::fs::write(&path, input).unwrap();
            eprintln!("{name}: the input is kept as {}", path.display());
            std::panic::resume_unwind(panic);
        }
        slowest = slowest.max(start.elapsed());
    };
    for seed in &seeds {
        once(seed);
    }
    while wanted.map_or_else(|| begun.elapsed() < SHORT, |wanted| executions < wanted) {
        mutate(&mut random, &seeds, &mut input);
        once(&input);
        executions += 1;
    }
    eprintln!("{name}: {executions} executions from {} seeds in {:.1?}, slowest {slowest:.1?}", seeds.len(), begun.elapsed());
    assert!(slowest < Duration::from_secs(5), "{name}: one input took {slowest:?}");
    assert!(executions > 0);
}

macro_rules! targets {
    ($($name:ident)*) => {
        /// One test for each target.
        mod target {
            $(#[test]
            fn $name() {
                super::run(stringify!($name));
            })*
            #[test]
            fn every_one_is_run() {
                assert_eq!(super::targets::TARGETS.map(|(name, _)| name), [$(stringify!($name)),*]);
            }
        }
    };
}

targets!(readers decode reassembly client_hello quic_initial dtls http1 http2 http3 key_log sensor);
