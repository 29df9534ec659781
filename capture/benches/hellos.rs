//! ClientHello → JA4 from memory: how many a second one thread does (`docs/PERFORMANCE.md`).
//!
//! Usage: `hellos [ROUNDS]`. The hellos are like a browser's (517 bytes with padding, and 1,760 with a post-quantum key share),
//! 512 of them with extensions in as many orders, names and GREASE values. Only the last line asks the memo (`fingerprint/memo.rs`).

// A program that measures, with inputs it makes itself.
#![allow(clippy::disallowed_methods, clippy::print_stdout, clippy::cast_possible_truncation)]

use std::hint::black_box;
use std::time::Instant;

use ja4_capture::fingerprint::ClientFacts;
use ja4_capture::fingerprint::ja4::{ja4, ja4_only};
use ja4_capture::tls::hello::{ClientHello, HelloTransport};

fn main() {
    let rounds = std::env::args().nth(1).and_then(|text| text.parse::<usize>().ok()).unwrap_or(2000);
    let hellos = (0..512_usize).map(hello).collect::<Vec<_>>();
    println!("{} hellos of {} and {} bytes, {rounds} rounds", hellos.len(), bytes(&hellos, 0), bytes(&hellos, 1));
    time("parsed", rounds, &hellos, |hello| hello.message_bytes);
    time("JA4", rounds, &hellos, |hello| ja4_only(hello, HelloTransport::Tcp).len());
    time("JA4, JA4_r, JA4_o, JA4_ro", rounds, &hellos, |hello| ja4(hello, HelloTransport::Tcp).ja4.len());
    time("JA3 and JA4, every form, name, ALPN; met before", rounds, &hellos, |hello| {
        ClientFacts::new(hello, HelloTransport::Tcp).texts.ja3.len()
    });
}

fn time(what: &str, rounds: usize, hellos: &[Vec<u8>], mut each: impl FnMut(&ClientHello<'_>) -> usize) {
    let start = Instant::now();
    let mut done = 0_usize;
    for message in std::iter::repeat_n(hellos, rounds).flatten() {
        if let Some(hello) = ClientHello::parse(black_box(message)) {
            black_box(each(&hello));
            done += 1;
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    println!("{:>10.0} a second: {what}", done as f64 / seconds);
}

fn bytes(hellos: &[Vec<u8>], at: usize) -> usize {
    hellos.get(at).map_or(0, Vec::len)
}

/// The message of the `n`th hello.
fn hello(n: usize) -> Vec<u8> {
    let grease = |k: usize| {
        let byte = (((n + k) % 16) << 4 | 0x0a) as u8;
        [byte, byte]
    };
    let name = format!("www{n}.example.org");
    let sni = vec16(&[&[0][..], &vec16(name.as_bytes())].concat());
    let suites = [4865, 4866, 4867, 49195, 49199, 49196, 49200, 52393, 52392, 49171, 49172, 156, 157, 47, 53_u16];
    let signatures = [0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601_u16];
    let mut extensions = vec![
        (0, sni),
        (23, vec![]),
        (65281, vec![0]),
        (10, vec16(&[&grease(1)[..], &[0x11, 0xec, 0, 29, 0, 23, 0, 24]].concat())),
        (11, vec![1, 0]),
        (35, vec![]),
        (16, vec16(b"\x02h2\x08http/1.1")),
        (5, vec![1, 0, 0, 0, 0]),
        (13, vec16(&signatures.iter().flat_map(|value| value.to_be_bytes()).collect::<Vec<_>>())),
        (18, vec![]),
        (51, vec16(&vec![7; if n.is_multiple_of(2) { 40 } else { 1263 }])),
        (45, vec![1, 1]),
        (43, [&[6][..], &grease(2), &[3, 4, 3, 3]].concat()),
        (27, vec![2, 0, 2]),
        (17613, vec![0, 3, 2, 104, 50]),
        (65037, vec![0; 186]),
    ];
    // As browsers do since 2023: every order is as likely.
    for at in (1..extensions.len()).rev() {
        let other = (n.wrapping_mul(2_654_435_761).wrapping_add(at.wrapping_mul(40_503)) >> 7) % (at + 1);
        extensions.swap(at, other);
    }
    let [high, low] = grease(3);
    extensions.insert(0, (u16::from_be_bytes([high, low]), vec![]));
    let mut block = Vec::new();
    for (kind, data) in extensions {
        block.extend(u16::to_be_bytes(kind));
        block.extend(vec16(&data));
    }
    let ciphers = [grease(0).to_vec(), suites.iter().flat_map(|value| value.to_be_bytes()).collect()].concat();
    let mut body = vec![3, 3];
    body.extend([n as u8; 32]);
    body.push(32);
    body.extend([9; 32]);
    body.extend(vec16(&ciphers));
    body.extend([1, 0]);
    let padding = 513_usize.saturating_sub(body.len() + 2 + block.len() + 4);
    block.extend([0, 21]);
    block.extend(vec16(&vec![0; padding]));
    body.extend(vec16(&block));
    let length = (body.len() as u32).to_be_bytes();
    [&[1], &length[1..], &body[..]].concat()
}

fn vec16(data: &[u8]) -> Vec<u8> {
    [&(data.len() as u16).to_be_bytes()[..], data].concat()
}
