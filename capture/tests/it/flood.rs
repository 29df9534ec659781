//! Floods against small bounds: tables stay within them, evictions are counted, and the connections that talk keep their fingerprints.

use ja4_capture::source::Packet;
use ja4_capture::{Limits, PolicyReport, Sensor, SensorConfig};

use crate::support::{ACK, Everything, SERVER, SYN, SYN_OPTIONS, Tcp, client_hello, connection, ethernet, ipv4, records, tcp};

/// Mixes the frames of whole connections into a flood, one hostile packet after another, and counts the names that came out.
fn names_kept(limits: Limits, hostile: u32, mut attack: impl FnMut(u32) -> Vec<u8>) -> (usize, usize, Sensor) {
    let mut sensor = Sensor::new(SensorConfig { limits });
    let mut sink = Everything::default();
    let send = |sensor: &mut Sensor, sink: &mut Everything, data: &[u8], n: u32| {
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
    let kept = sink.records.iter().filter(|r| r.sni.as_deref() == Some("kept.example")).count();
    (begun, kept, sensor)
}

fn line(sensor: &Sensor, table: &str) -> PolicyReport {
    sensor.policies().into_iter().find(|line| line.table == table).expect("a line for the table")
}

fn from(n: u32) -> [u8; 4] {
    let mixed = n.wrapping_mul(2_654_435_761);
    [(mixed >> 24) as u8 | 128, (mixed >> 16) as u8, (mixed >> 8) as u8, mixed as u8]
}

#[test]
fn syn_flood() {
    let limits = Limits { flows: 5000, finished_flows: 5000, ..Limits::default() };
    let (begun, kept, sensor) = names_kept(limits, 300_000, |n| {
        tcp(&Tcp { src: (from(n), 1024), dst: (SERVER, 443), seq: n, ack: 0, flags: SYN, options: &SYN_OPTIONS, payload: &[] })
    });
    assert!(kept * 100 >= begun * 99, "{kept} of {begun}");
    let flows = line(&sensor, "tcp connections");
    assert!(flows.peak <= 5000 && flows.evictions > 200_000, "{flows:?}");
}

#[test]
fn half_hello_flood() {
    let limits = Limits { flows: 20_000, total_bytes: 1024 * 1024, ..Limits::default() };
    let half = records(&client_hello("half.example"), 16_000)[..150].to_vec();
    let (begun, kept, sensor) = names_kept(limits, 100_000, |n| {
        tcp(&Tcp { src: (from(n), 1024), dst: (SERVER, 443), seq: n, ack: 1, flags: ACK, options: &[], payload: &half })
    });
    assert!(kept * 100 >= begun * 99, "{kept} of {begun}");
    let bytes = line(&sensor, "reassembly bytes");
    assert!(bytes.peak <= 1024 * 1024 + 64 * 1024 && bytes.evictions > 50_000, "{bytes:?}");
}

#[test]
fn fragment_flood() {
    let limits = Limits { datagrams: 1000, ..Limits::default() };
    let (begun, kept, sensor) = names_kept(limits, 200_000, |n| {
        let mut ip = ipv4(from(n), SERVER, 6, &[0; 64]);
        ip[6] = 0x20;
        ethernet(&ip)
    });
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
