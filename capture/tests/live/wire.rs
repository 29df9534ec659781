//! On a wire: live equals file, nothing lost, privileges gone, signals, interfaces that vanish.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::support::{Wire, events_of, figures, json_lines, open_folder, recorded, without_times};

/// Packets of the recorded capture.
const PACKETS: u64 = 51_245;
const EVENTS: usize = 1618;

#[test]
fn live_events_are_those_of_the_file_and_of_tcpdump_and_nothing_is_lost() {
    let folder = open_folder();
    let (Some(capture), Some(wire)) = (recorded(folder.path()), Wire::new()) else { return };
    let written = folder.path().join("tcpdump.pcap");
    let tcpdump = wire.tcpdump(&written);
    let sentinel = wire.sentinel(&["-i", "vb", "--bpf", "ip or ip6", "--output", "stdout"]);
    assert_unprivileged(sentinel.child.id());
    wire.replay(&capture, "--mbps=100");
    // At once: what is still in the kernel's ring, and what the sensor holds, must come out.
    sentinel.signal("TERM");
    let (code, out, said) = sentinel.end();
    // tcpdump loses the block the kernel is filling, and has it filled for up to two seconds.
    std::thread::sleep(Duration::from_millis(2300));
    tcpdump.signal("TERM");
    let (_, _, counted) = tcpdump.end();
    assert!(counted.contains("\n0 packets dropped by kernel"), "{counted}");

    assert_eq!(code, 0, "{said}");
    let figures = figures(&said);
    let counted = ["packets", "kernel_dropped", "events", "sent", "late_events"].map(|key| figures[key].as_u64().unwrap());
    let ip_packets = counted[0];
    assert!(ip_packets > PACKETS - 200 && ip_packets <= PACKETS, "all but ARP: {ip_packets}");
    assert_eq!(counted, [ip_packets, 0, EVENTS as u64, EVENTS as u64, 0], "{said}");

    let live = json_lines(&out);
    let (dumped, of_dump) = events_of(&written);
    assert_eq!(of_dump["packets"], PACKETS);
    assert_eq!(live, dumped, "every field, times included, in the same order");
    let (original, _) = events_of(&capture);
    assert_eq!(without_times(live), without_times(original));
}

#[test]
fn two_interfaces_are_one_stream_in_order_of_time() {
    let folder = open_folder();
    let (Some(capture), Some(wire)) = (recorded(folder.path()), Wire::new()) else { return };
    let of_file = without_times(events_of(&capture).0);
    // Each packet is seen twice: where it goes out and where it comes in.
    let sentinel =
        wire.sentinel(&["-i", "va,vb", "--output", "stdout", "--snap-length-bytes", "2048", "--buffer-bytes", "67108864"]);
    wire.replay(&capture, "--mbps=40");
    sentinel.signal("INT");
    let (code, out, said) = sentinel.end();
    assert_eq!(code, 0, "{said}");
    let figures = figures(&said);
    let delivered = figures["interfaces"].as_array().unwrap().iter().map(|one| one["delivered"].as_u64().unwrap());
    assert_eq!(delivered.collect::<Vec<_>>(), [PACKETS, PACKETS], "{said}");
    assert_eq!((&figures["kernel_dropped"], &figures["out_of_order"]), (&0.into(), &0.into()), "{said}");
    assert_eq!(without_times(json_lines(&out)), of_file);
}

#[test]
fn a_ring_that_is_too_small_loses_packets_and_says_how_many() {
    let folder = open_folder();
    let (Some(capture), Some(wire)) = (recorded(folder.path()), Wire::new()) else { return };
    let sentinel = wire.sentinel(&["-i", "vb", "--output", "stdout", "--immediate", "--buffer-bytes", "262144"]);
    wire.replay(&capture, "--topspeed");
    sentinel.signal("TERM");
    let (code, _, said) = sentinel.end();
    let figures = figures(&said);
    let of = |key: &str| figures["interfaces"][0][key].as_u64().unwrap();
    assert_eq!((code, of("kernel_received")), (0, PACKETS), "{said}");
    assert!(of("kernel_dropped") > 0, "{said}");
    assert_eq!(of("delivered") + of("kernel_dropped"), PACKETS, "{said}");
    assert_eq!(figures["packets"], of("delivered"));
}

#[test]
fn an_idle_wire_still_lets_handshakes_out_and_answers_signals() {
    let folder = open_folder();
    let (Some(capture), Some(wire)) = (recorded(folder.path()), Wire::new()) else { return };
    // Everything up to and including the first ClientHello, whose ServerHello never comes.
    let (events, _) = events_of(&capture);
    let first = events.iter().find(|event| event["protocol"] == "tls").unwrap();
    let begin = folder.path().join("begin.pcap");
    let packets = cut_behind(&capture, &begin, first["ts_ns"].as_i64().unwrap());
    let mut sentinel = wire.sentinel(&["-i", "vb", "--output", "stdout"]);
    wire.replay(&begin, "--topspeed");
    std::thread::sleep(Duration::from_millis(300));
    sentinel.signal("USR1");
    let told: Value = serde_json::from_str(&sentinel.wait_until_said("\"kernel_dropped\"")).unwrap();
    assert_eq!([&told["packets"], &told["interfaces"][0]["kernel_received"]], [packets, packets]);
    let line = loop {
        let line = sentinel.next_line(Duration::from_secs(9)).expect("an event within its five seconds and a little more");
        let event: Value = serde_json::from_str(&line).unwrap();
        if event["ja4"] == first["ja4"] && event["src_port"] == first["src_port"] {
            break event;
        }
    };
    assert_eq!(line["ja4s"], Value::Null, "no ServerHello was sent");
    sentinel.signal("HUP");
    assert_eq!(sentinel.end().0, 0);
}

#[test]
fn an_interface_that_vanishes_ends_it_with_a_sentence() {
    let Some(wire) = Wire::new() else { return };
    let sentinel = wire.sentinel(&["-i", "vb", "--output", "stdout"]);
    assert!(wire.exec(&["ip", "link", "delete", "vb"]));
    let (code, _, said) = sentinel.end();
    assert_eq!(code, 1, "{said}");
    let sentence = said.lines().last().unwrap();
    assert!(sentence.starts_with("ja4-sentinel: no interface is left to listen on: cannot read interface vb: "), "{said}");
}

/// Not root, in no set a capability, none to be gained, confined; each thread.
fn assert_unprivileged(pid: u32) {
    let mut threads = 0;
    for task in std::fs::read_dir(format!("/proc/{pid}/task")).unwrap() {
        let status = std::fs::read_to_string(task.unwrap().path().join("status")).unwrap();
        let value = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
            line.unwrap_or_else(|| panic!("no {key} in {status}")).split_whitespace().map(str::to_owned).collect::<Vec<_>>()
        };
        assert!(value("Uid").iter().chain(&value("Gid")).chain(&value("Groups")).all(|id| id != "0"), "{status}");
        for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
            assert_eq!(value(set), ["0000000000000000"], "{set}");
        }
        assert_eq!(value("NoNewPrivs"), ["1"]);
        assert_eq!(value("Seccomp"), ["2"], "a filter");
        threads += 1;
    }
    assert!(threads >= 1);
}

/// Writes the packets up to a time, and the one of that time; gives their number.
fn cut_behind(from: &Path, to: &Path, last_ns: i64) -> u64 {
    let bytes = std::fs::read(from).unwrap();
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    assert_eq!(word(0), 0xa1b2_c3d4, "microseconds, little-endian");
    let (mut end, mut packets) = (24, 0);
    while end < bytes.len() {
        let ts_ns = i64::from(word(end)) * 1_000_000_000 + i64::from(word(end + 4)) * 1000;
        if ts_ns > last_ns {
            break;
        }
        end += 16 + word(end + 8) as usize;
        packets += 1;
    }
    std::fs::write(to, &bytes[..end]).unwrap();
    packets
}
