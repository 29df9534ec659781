//! Damaged input: the corpus cut off, its length fields falsified, its packets altered. Never a panic, never a hang; what came
//! before the damage is kept.

use std::path::Path;

use ja4_capture::source::PacketSource;
use ja4_capture::source::open::{FileSource, from_reader};
use ja4_capture::{Limits, Sensor, SensorConfig};

use crate::support::{Everything, Random, connection, corpus_captures, pcap};

fn open(bytes: &[u8]) -> Option<FileSource> {
    from_reader(Box::new(std::io::Cursor::new(bytes.to_vec())), Path::new("damaged"), None).ok()
}

/// Reads all packets; gives a sum for each, so that two readings can be compared.
fn packets(bytes: &[u8]) -> Vec<(i64, usize, u64)> {
    let Some(mut source) = open(bytes) else { return Vec::new() };
    let mut out = Vec::new();
    while source.advance() {
        let packet = source.packet();
        let sum = packet.data.iter().fold(0_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(*byte)));
        out.push((packet.ts_ns, packet.data.len(), sum));
        assert!(packet.orig_len as usize >= packet.data.len());
        assert!(out.len() <= bytes.len() / 12, "more packets than the file has room for");
    }
    assert!(!source.advance(), "the end is the end");
    out
}

fn sense(bytes: &[u8]) -> Everything {
    let mut sink = Everything::default();
    let mut sensor = Sensor::new(SensorConfig { limits: Limits::default() });
    if let Some(mut source) = open(bytes) {
        while source.advance() {
            sensor.packet(&source.packet(), &mut sink);
        }
    }
    sensor.finish(&mut sink);
    sink
}

#[test]
fn a_capture_cut_anywhere_keeps_the_packets_before_the_cut() {
    let own = pcap(&connection([10, 0, 0, 1], 1, 0, "cut.example"));
    let mut captures = vec![own];
    captures.extend(corpus_captures().iter().map(|path| std::fs::read(path).expect("a capture")));
    for bytes in captures {
        let whole = packets(&bytes);
        let step = if bytes.len() <= 2500 { 1 } else { bytes.len() / 12 + 1 };
        for cut in (0..bytes.len()).step_by(step) {
            let kept = packets(&bytes[..cut]);
            assert!(whole.starts_with(&kept), "cut at {cut} of {}", bytes.len());
            if cut + 1 == bytes.len() && !whole.is_empty() {
                assert!(kept.len() + 1 >= whole.len());
            }
        }
    }
}

#[test]
fn false_lengths_in_the_file_format_do_no_harm() {
    let mut captures = vec![pcap(&connection([10, 0, 0, 1], 1, 0, "cut.example"))];
    captures
        .extend(corpus_captures().iter().map(|path| std::fs::read(path).expect("a capture")).filter(|bytes| bytes.len() < 8000));
    for bytes in captures {
        for at in (0..bytes.len().min(2000)).step_by(4) {
            let Some(field) = bytes.get(at..at + 4) else { break };
            let value = u32::from_le_bytes(field.try_into().expect("four bytes"));
            for wrong in [0, 1, value.wrapping_add(1), value.wrapping_sub(1), u32::MAX, value.swap_bytes()] {
                let mut changed = bytes.clone();
                changed[at..at + 4].copy_from_slice(&wrong.to_le_bytes());
                packets(&changed);
            }
        }
    }
}

#[test]
fn altered_packets_never_stop_the_sensor() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut captures = vec![pcap(&connection([10, 0, 0, 1], 1, 0, "cut.example"))];
    captures.extend(
        corpus_captures().iter().map(|path| std::fs::read(path).expect("a capture")).filter(|bytes| bytes.len() < 60_000),
    );
    for bytes in captures {
        for round in 0..12 {
            let mut changed = bytes.clone();
            for _ in 0..=(bytes.len() / 200) {
                let at = random.below(bytes.len());
                changed[at] = match round % 4 {
                    0 => 0,
                    1 => 0xff,
                    2 => changed[at].wrapping_add(1),
                    _ => random.below(256) as u8,
                };
            }
            sense(&changed);
        }
    }
}

#[test]
fn a_packet_length_beyond_belief_ends_the_file_with_its_offset() {
    let frames = connection([10, 0, 0, 1], 1, 0, "x.example");
    let mut bytes = pcap(&frames);
    let third = 24 + 2 * 16 + frames[0].1.len() + frames[1].1.len();
    bytes[third + 8..third + 12].copy_from_slice(&0x7fff_ffff_u32.to_le_bytes());
    let mut source = open(&bytes).expect("a capture");
    let mut read = 0;
    while source.advance() {
        read += 1;
    }
    let damage = source.take_damage();
    assert_eq!((read, damage.len()), (2, 1));
    assert_eq!((damage[0].offset_bytes, damage[0].resumed), (third as u64, false));
    assert!(damage[0].to_string().contains("kept everything before it"));
}
