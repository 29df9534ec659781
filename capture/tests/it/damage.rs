//! Damaged input: the corpus cut off, its length fields falsified, its packets altered. Never a panic, never a hang; what came
//! before the damage is kept.

use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ja4_capture::source::open::{FileSource, from_reader};
use ja4_capture::source::{Packet, PacketSource};
use ja4_capture::{Limits, Sensor, SensorConfig};

use crate::support::{Everything, Random, connection, corpus_captures, pcap, stopwatch};

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

/// Whether everything is tried (`JA4_DAMAGE=full`, half an hour; the figures stand in docs/ROBUSTNESS.md) or a bounded part of it.
fn everything() -> bool {
    std::env::var_os("JA4_DAMAGE").is_some_and(|value| value == "full")
}

fn own_capture() -> Vec<u8> {
    pcap(&connection([10, 0, 0, 1], 1, 0, "cut.example"))
}

/// Our own capture, then those of the corpus, each with its name.
fn captures() -> Vec<(String, Vec<u8>)> {
    let corpus = corpus_captures().into_iter().map(|path| (path.display().to_string(), std::fs::read(path).expect("a capture")));
    std::iter::once(("our own".to_owned(), own_capture())).chain(corpus).collect()
}

/// What was tried.
#[derive(Debug, Default, Clone, Copy)]
struct Tried {
    captures: u64,
    inputs: u64,
    slowest: Duration,
}

impl Tried {
    fn add(&mut self, since: std::time::Instant) {
        (self.inputs, self.slowest) = (self.inputs + 1, self.slowest.max(since.elapsed()));
    }
}

/// Calls `each` for every capture, with its number and bytes, on as many threads as there are processors.
fn on_all_processors(captures: &[(String, Vec<u8>)], each: impl Fn(usize, &[u8], &mut Tried) + Sync) -> Tried {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut tried = Tried::default();
        while let Some((number, (name, bytes))) =
            Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|n| Some((n, captures.get(n)?)))
        {
            let _told = TellOnPanic(name);
            each(number, bytes, &mut tried);
            tried.captures += 1;
            if everything() {
                eprintln!("{} of {}: {name}, {tried:?}", number + 1, captures.len());
            }
        }
        tried
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let all = (0..threads).map(|_| scope.spawn(work)).collect::<Vec<_>>();
        all.into_iter().map(|thread| thread.join().expect("no capture may do harm")).fold(Tried::default(), |sum, one| Tried {
            captures: sum.captures + one.captures,
            inputs: sum.inputs + one.inputs,
            slowest: sum.slowest.max(one.slowest),
        })
    })
}

/// Says which capture it was when a check fails.
struct TellOnPanic<'a>(&'a str);

impl Drop for TellOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the capture was {}", self.0);
        }
    }
}

/// Where each packet of a classic capture ends; none for another format.
fn ends(bytes: &[u8]) -> Option<Vec<usize>> {
    let read = match bytes.first_chunk()? {
        [0xd4, 0xc3, 0xb2, 0xa1] | [0x4d, 0x3c, 0xb2, 0xa1] => u32::from_le_bytes,
        [0xa1, 0xb2, 0xc3, 0xd4] | [0xa1, 0xb2, 0x3c, 0x4d] => u32::from_be_bytes,
        _ => return None,
    };
    let (mut ends, mut at) = (Vec::new(), 24);
    while let Some(captured) = bytes.get(at + 8..).and_then(|field| field.first_chunk()) {
        at += 16 + read(*captured) as usize;
        ends.push(at);
    }
    ends.retain(|end| *end <= bytes.len());
    Some(ends)
}

/// What the first packets of a capture show.
fn sense_first(bytes: &[u8], packets: usize) -> Everything {
    let mut sink = Everything::default();
    let mut sensor = Sensor::new(SensorConfig { limits: Limits::default() });
    let mut source = open(bytes).expect("a capture");
    for _ in 0..packets {
        assert!(source.advance());
        sensor.packet(&source.packet(), &mut sink);
    }
    sensor.finish(&mut sink);
    sink
}

#[test]
fn a_capture_cut_anywhere_keeps_the_packets_before_the_cut() {
    let (every_byte_of, cuts_of_others) = if everything() { (30_000, 1000) } else { (1500, 8) };
    let tried = on_all_processors(&captures(), |_, bytes, tried| {
        let (whole, ends) = (packets(bytes), ends(bytes));
        let step = if bytes.len() <= every_byte_of { 1 } else { bytes.len() / cuts_of_others };
        let mut before = (usize::MAX, Everything::default());
        for cut in (0..=bytes.len()).step_by(step) {
            let start = stopwatch();
            let kept = packets(&bytes[..cut]);
            assert!(whole.starts_with(&kept), "cut at {cut} of {}", bytes.len());
            match &ends {
                Some(ends) => assert_eq!(kept.len(), ends.iter().filter(|end| **end <= cut).count(), "cut at {cut}"),
                None => assert!(before.0 == usize::MAX || kept.len() >= before.0, "cut at {cut}"),
            }
            let seen = sense(&bytes[..cut]);
            if kept.len() != before.0 {
                before = (kept.len(), if kept.is_empty() { Everything::default() } else { sense_first(bytes, kept.len()) });
            }
            assert_eq!((&seen.records, &seen.events), (&before.1.records, &before.1.events), "cut at {cut} of {}", bytes.len());
            tried.add(start);
        }
    });
    eprintln!("cuts: {tried:?}");
}

/// Every field that may be a length, wherever it is: one to four bytes, either byte order, set to 0, 1, one less, one more and
/// the largest value. Which of them are lengths does not matter: all must be survived.
#[test]
fn false_lengths_anywhere_do_no_harm() {
    let (every_byte_of, places) = if everything() { (20_000, 600) } else { (0, 12) };
    let mut captures = captures();
    captures.retain(|(_, bytes)| everything() || bytes.len() < 8000);
    let tried = on_all_processors(&captures, |number, bytes, tried| {
        let (whole, ends) = (packets(bytes), ends(bytes).unwrap_or_default());
        let frames = Frames::of(bytes, &ends);
        let mut changed = bytes.to_vec();
        let step = if bytes.len() <= every_byte_of { 1 } else { bytes.len() / places + 1 };
        // Another start for each capture, so that a bounded run meets different fields in each.
        for at in (number % step..bytes.len()).step_by(step) {
            let untouched = ends.iter().filter(|end| **end <= at).count();
            for (width, wrong) in false_lengths(bytes, at) {
                let start = stopwatch();
                let field = at..at + width;
                changed[field.clone()].copy_from_slice(&wrong[..width]);
                match &frames {
                    // Only bytes of one packet: the records around them are read as before.
                    Some(frames) if frames.hold(&field) => frames.sense(&changed),
                    _ => {
                        if at >= 24 {
                            assert!(packets(&changed).starts_with(&whole[..untouched]), "changed at {at}");
                        }
                        sense(&changed);
                    }
                }
                changed[field.clone()].copy_from_slice(&bytes[field]);
                tried.add(start);
            }
        }
    });
    eprintln!("false lengths: {tried:?}");
}

/// The packets of a whole classic capture and where their bytes lie, so that a changed copy need not be read as a file again.
struct Frames {
    link_type: u32,
    /// Time and place, in order.
    packets: Vec<(i64, Range<usize>)>,
}

impl Frames {
    fn of(bytes: &[u8], ends: &[usize]) -> Option<Self> {
        let mut source = open(bytes)?;
        let (mut link_type, mut packets) = (0, Vec::new());
        for end in ends {
            let packet = source.advance().then(|| source.packet())?;
            link_type = packet.link_type;
            packets.push((packet.ts_ns, end - packet.data.len()..*end));
        }
        (!packets.is_empty() && !source.advance()).then_some(Self { link_type, packets })
    }

    fn hold(&self, field: &Range<usize>) -> bool {
        let after = self.packets.partition_point(|(_, place)| place.start <= field.start);
        after.checked_sub(1).is_some_and(|at| field.end <= self.packets[at].1.end)
    }

    fn sense(&self, bytes: &[u8]) {
        let mut sink = Everything::default();
        let mut sensor = Sensor::new(SensorConfig { limits: Limits::default() });
        for (ts_ns, place) in &self.packets {
            let data = &bytes[place.clone()];
            sensor.packet(&Packet { ts_ns: *ts_ns, link_type: self.link_type, data, orig_len: data.len() as u32 }, &mut sink);
        }
        sensor.finish(&mut sink);
    }
}

/// The wrong values of every field that begins at `at`: its width, and its bytes. Each that differs once.
fn false_lengths(bytes: &[u8], at: usize) -> Vec<(usize, [u8; 4])> {
    let mut all = Vec::new();
    for (width, big) in [(1, true), (2, true), (2, false), (3, true), (4, true), (4, false)] {
        let Some(field) = bytes.get(at..at + width) else { continue };
        let add = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
        let value = if big { field.iter().fold(0, add) } else { field.iter().rev().fold(0, add) };
        for wrong in [0, 1, value.wrapping_sub(1), value.wrapping_add(1), u64::MAX] {
            let mut place = [0; 4];
            place[..width].copy_from_slice(&wrong.to_be_bytes()[8 - width..]);
            if !big {
                place[..width].reverse();
            }
            if place[..width] != *field && !all.contains(&(width, place)) {
                all.push((width, place));
            }
        }
    }
    all
}

#[test]
fn every_width_order_and_value_is_tried_once() {
    let all = false_lengths(&[0x01, 0x02, 0x03, 0x04], 0);
    for expected in
        [(1, [0, 0, 0, 0]), (1, [2, 0, 0, 0]), (2, [1, 1, 0, 0]), (2, [2, 2, 0, 0]), (4, [0xff; 4]), (3, [1, 2, 4, 0])]
    {
        assert_eq!(all.iter().filter(|one| **one == expected).count(), 1, "{expected:?}");
    }
    assert!(!all.contains(&(1, [1, 0, 0, 0])), "that is what it was");
}

#[test]
fn altered_packets_never_stop_the_sensor() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for (_, bytes) in captures().into_iter().filter(|(_, bytes)| bytes.len() < 60_000) {
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
