//! Floods: tables stay within their bounds, evictions are counted, and the connections that talk keep their fingerprints.
//!
//! Small bounds and small floods by default; at full size against the default bounds by hand, one process each, as resident memory
//! is measured (figures in docs/ROBUSTNESS.md):
//! `for flood in syns fragments half_hellos; do cargo test --release -p ja4-capture --test it full_size_$flood -- --ignored --nocapture; done`

use ja4_capture::event::NetworkEvent;
use ja4_capture::source::Packet;
use ja4_capture::{ConnectionRecord, Limits, PolicyReport, Sensor, SensorConfig, SensorSink};

use crate::support::{
    ACK, Everything, SERVER, SYN, SYN_OPTIONS, Tcp, client_hello, connection, ethernet, ipv4, records, stopwatch, tcp,
};

/// Counts the names of legitimate connections; a flood has too many records to keep.
#[derive(Default)]
struct Names(usize);

impl SensorSink for Names {
    fn record(&mut self, record: ConnectionRecord) {
        self.0 += usize::from(record.sni.as_deref() == Some("kept.example"));
    }
    fn event(&mut self, _: NetworkEvent) {}
}

/// Mixes the frames of whole connections into a flood, one in a hundred packets, and counts the names that came out.
fn names_kept(limits: Limits, hostile: u32, mut attack: impl FnMut(u32) -> Vec<u8>) -> (usize, usize, Sensor) {
    let mut sensor = Sensor::new(SensorConfig { limits });
    let mut sink = Names::default();
    let send = |sensor: &mut Sensor, sink: &mut Names, data: &[u8], n: u32| {
        let packet = Packet { ts_ns: i64::from(n) * 1000, link_type: 1, data, orig_len: data.len() as u32 };
        sensor.packet(&packet, sink);
    };
    let mut waiting = Vec::new();
    let mut begun = 0_usize;
    for n in 0..hostile {
        let frame = attack(n);
        send(&mut sensor, &mut sink, &frame, n);
        if n % 700 == 0 {
            let client = [10, (n >> 16) as u8, (n >> 8) as u8, n as u8];
            let mut frames = connection(client, 40_000, 0, "kept.example");
            frames.reverse();
            waiting.push(frames);
            begun += 1;
        }
        // Each legitimate connection goes on with one packet every hundred hostile ones.
        if n % 100 == 0 {
            for frames in &mut waiting {
                if let Some((_, frame)) = frames.pop() {
                    send(&mut sensor, &mut sink, &frame, n);
                }
            }
            waiting.retain(|frames| !frames.is_empty());
        }
    }
    sensor.finish(&mut sink);
    (begun, sink.0, sensor)
}

fn line(sensor: &Sensor, table: &str) -> PolicyReport {
    sensor.policies().into_iter().find(|line| line.table == table).expect("a line for the table")
}

fn from(n: u32) -> [u8; 4] {
    let mixed = n.wrapping_mul(2_654_435_761);
    [(mixed >> 24) as u8 | 128, (mixed >> 16) as u8, (mixed >> 8) as u8, mixed as u8]
}

fn lone_syn(n: u32) -> Vec<u8> {
    tcp(&Tcp { src: (from(n), 1024), dst: (SERVER, 443), seq: n, ack: 0, flags: SYN, options: &SYN_OPTIONS, payload: &[] })
}

fn lone_fragment(n: u32) -> Vec<u8> {
    let mut ip = ipv4(from(n), SERVER, 6, &[0; 64]);
    ip[6] = 0x20;
    ethernet(&ip)
}

/// So many bytes of a hello that goes on for 2,000 more.
fn half_hello(bytes: usize) -> impl FnMut(u32) -> Vec<u8> {
    let hello = [client_hello("half.example"), vec![0; 2000]].concat();
    let mut half = records(&hello, 16_000);
    let length = hello.len() - 4;
    half[6..9].copy_from_slice(&[0, (length >> 8) as u8, length as u8]);
    half.truncate(bytes);
    move |n| tcp(&Tcp { src: (from(n), 1024), dst: (SERVER, 443), seq: n, ack: 1, flags: ACK, options: &[], payload: &half })
}

#[test]
fn syn_flood() {
    let limits = Limits { flows: 5000, finished_flows: 5000, ..Limits::default() };
    let (begun, kept, sensor) = names_kept(limits, 300_000, lone_syn);
    assert!(kept * 100 >= begun * 99, "{kept} of {begun}");
    let flows = line(&sensor, "tcp connections");
    assert!(flows.peak <= 5000 && flows.evictions > 200_000, "{flows:?}");
}

#[test]
fn half_hello_flood() {
    let limits = Limits { flows: 20_000, total_bytes: 1024 * 1024, ..Limits::default() };
    let (begun, kept, sensor) = names_kept(limits, 100_000, half_hello(150));
    assert!(kept * 100 >= begun * 99, "{kept} of {begun}");
    let bytes = line(&sensor, "reassembly bytes");
    assert!(bytes.peak <= 1024 * 1024 + 64 * 1024 && bytes.evictions > 50_000, "{bytes:?}");
}

#[test]
fn fragment_flood() {
    let limits = Limits { datagrams: 1000, ..Limits::default() };
    let (begun, kept, sensor) = names_kept(limits, 200_000, lone_fragment);
    assert_eq!(kept, begun);
    let datagrams = line(&sensor, "fragmented datagrams");
    assert!(datagrams.peak <= 1000 && datagrams.evictions > 190_000, "{datagrams:?}");
}

#[test]
fn segments_that_leave_a_hole_do_not_pile_up() {
    let limits = Limits { flow_bytes: 64 * 1024, ..Limits::default() };
    let mut sensor = Sensor::new(SensorConfig { limits });
    let mut sink = Everything::default();
    let open = tcp(&Tcp { src: ([1; 4], 5), dst: (SERVER, 443), seq: 0, ack: 0, flags: SYN, options: &[], payload: &[] });
    let mut send = |data: &[u8]| sensor.packet(&Packet { ts_ns: 0, link_type: 1, data, orig_len: data.len() as u32 }, &mut sink);
    send(&open);
    for n in 0..20_000_u32 {
        send(&tcp(&Tcp {
            src: ([1; 4], 5),
            dst: (SERVER, 443),
            seq: 2 + n * 1001,
            ack: 1,
            flags: ACK,
            options: &[],
            payload: &[7; 1000],
        }));
    }
    let bytes = line(&sensor, "reassembly bytes");
    assert!(bytes.peak <= 80 * 1024, "{bytes:?}");
}

#[test]
fn the_end_of_a_capture_is_no_eviction() {
    let frames = connection([10, 0, 0, 1], 40_000, 0, "open.example");
    let (seen, sensor) = crate::support::sense(&frames[..4], Limits::default());
    assert_eq!(seen.records.len(), 1);
    assert!(sensor.policies().iter().all(|line| line.evictions == 0), "{:?}", sensor.policies());
}

/// A year without a packet, as time stamps show it: what waited goes out in order, and no timer runs through the year step by step.
#[test]
fn a_year_long_silence() {
    const YEAR_NS: i64 = 365 * 86_400 * 1_000_000_000;
    let mut frames = Vec::new();
    for (start_ns, first) in [(0, 10), (YEAR_NS, 11)] {
        for n in 0..200_u8 {
            let mut all = connection([first, 0, 0, n], 40_000, start_ns, "kept.example");
            // Before the silence nobody answers any more after the ClientHello.
            all.truncate(if start_ns == 0 { 4 } else { 7 });
            frames.extend(all);
        }
    }
    let (seen, sensor) = crate::support::sense(&frames, Limits::default());
    assert_eq!((seen.records.len(), seen.events.len()), (400, 400));
    assert!(seen.events.is_sorted_by_key(|event| event.ts_ns), "events in order of time");
    assert!(seen.records.iter().all(|record| record.sni.as_deref() == Some("kept.example")));
    assert!(sensor.policies().iter().all(|line| line.evictions == 0), "{:?}", sensor.policies());
    assert_eq!(sensor.counters().late_events, 0);
}

#[test]
#[ignore = "seconds to minutes, measures the memory of the process: by hand"]
fn full_size_syns() {
    full_size("tcp connections", 10_000_000, lone_syn);
}

#[test]
#[ignore = "seconds to minutes, measures the memory of the process: by hand"]
fn full_size_fragments() {
    full_size("fragmented datagrams", 5_000_000, lone_fragment);
}

#[test]
#[ignore = "seconds to minutes, measures the memory of the process: by hand"]
fn full_size_half_hellos() {
    full_size("reassembly bytes", 1_000_000, half_hello(1400));
}

/// A flood against the default bounds. The memory cap is that of the bytes held, [`Limits::total_bytes`] and
/// [`Limits::fragment_bytes`].
fn full_size(table: &str, hostile: u32, attack: impl FnMut(u32) -> Vec<u8>) {
    let limits = Limits::default();
    let cap_mb = (limits.total_bytes + limits.fragment_bytes) >> 20;
    let start = stopwatch();
    let (begun, kept, sensor) = names_kept(limits, hostile, attack);
    let line = line(&sensor, table);
    let status = std::fs::read_to_string("/proc/self/status").expect("a Linux system");
    let peak =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.trim().parse::<usize>().ok());
    let peak_mb = peak.expect("a peak of resident memory") >> 10;
    eprintln!(
        "{hostile} hostile packets in {:.1} s: {kept} of {begun} legitimate connections kept; resident {peak_mb} MiB (cap {cap_mb} + 64); {}: \
         limit {}, peak {}, evictions {}",
        start.elapsed().as_secs_f64(),
        line.table,
        line.limit,
        line.peak,
        line.evictions
    );
    assert!(kept * 100 >= begun * 99, "{kept} of {begun}");
    assert!(peak_mb <= cap_mb + 64, "resident {peak_mb} MiB");
    assert!(line.evictions > 0);
}
