//! Events: one per handshake, in the order of the ClientHellos, complete or after five seconds, whatever the packets around them.

use ja4_capture::Limits;
use ja4_capture::event::Protocol;

use crate::support::{ACK, CLIENT, Frame, SERVER, SYN, SYN_OPTIONS, Tcp, connection, sense, tcp};

const SECOND_NS: i64 = 1_000_000_000;

#[test]
fn an_event_has_what_the_join_needs() {
    let (seen, mut sensor) = sense(&connection(CLIENT, 40_000, SECOND_NS, "example.org"), Limits::default());
    let [event] = seen.events.as_slice() else { panic!("one event, not {:?}", seen.events) };
    assert_eq!((event.src_port, event.dst_port, event.protocol), (40_000, 443, Protocol::Tls));
    assert_eq!((event.start_ns, event.ts_ns, event.syn_to_hello_us), (SECOND_NS, SECOND_NS + 300_000, Some(300)));
    assert_eq!((event.ip_ttl, event.ip_df, event.tcp_window), (Some(64), Some(true), Some(64_240)));
    assert_eq!((event.tcp_mss, event.tcp_wscale, event.tcp_options.as_deref()), (Some(1460), Some(7), Some("2-4-8-1-3")));
    assert_eq!((event.tls_version, event.cipher_count, event.extension_count), (Some(0x0304), Some(3), Some(7)));
    assert_eq!((event.grease, event.resumption, event.ech), (Some(true), Some(false), Some(false)));
    assert!(event.ja4.is_some() && event.ja3s.is_some());
    assert!(sensor.watermark_ns().is_some_and(|w| w <= event.ts_ns));
}

#[test]
fn a_late_server_hello_is_left_out_and_order_is_that_of_the_hellos() {
    let shift = |frames: Vec<Frame>, from: usize, by: i64| {
        frames
            .into_iter()
            .enumerate()
            .map(move |(n, (ts, frame))| (if n >= from { ts + by } else { ts }, frame))
            .collect::<Vec<_>>()
    };
    // The first answers after six seconds, the second at once, the third after four.
    let mut frames = shift(connection(CLIENT, 1, 0, "late.example"), 4, 6 * SECOND_NS);
    frames.extend(connection(CLIENT, 2, SECOND_NS, "at-once.example"));
    frames.extend(shift(connection(CLIENT, 3, 2 * SECOND_NS, "slow.example"), 4, 4 * SECOND_NS));
    frames.sort_by_key(|(ts, _)| *ts);
    let (seen, sensor) = sense(&frames, Limits::default());
    let told = seen.events.iter().map(|e| (e.sni.as_deref().unwrap_or("-"), e.ja3s.is_some())).collect::<Vec<_>>();
    assert_eq!(told, [("late.example", false), ("at-once.example", true), ("slow.example", true)]);
    // The record, which nobody waits for, has it.
    assert!(seen.records.iter().all(|r| r.ja3s().is_some()));
    assert_eq!(sensor.counters().late_events, 0);
}

#[test]
fn one_wild_time_stamp_cuts_no_event_short() {
    let mut frames = connection(CLIENT, 1, SECOND_NS, "a.example");
    let stray = tcp(&Tcp { src: (CLIENT, 7), dst: (SERVER, 7), seq: 1, ack: 0, flags: SYN, options: &SYN_OPTIONS, payload: &[] });
    frames.insert(4, (SECOND_NS * 86_400 * 365, stray));
    let (seen, _) = sense(&frames, Limits::default());
    assert!(seen.events.first().is_some_and(|e| e.ja3s.is_some()));
}

#[test]
fn clear_text_http_gives_one_event_per_connection() {
    let (c, s) = ((CLIENT, 5), (SERVER, 80));
    let requests = b"GET /a?b=1 HTTP/1.1\r\nHost: h\r\nCookie: secret=1\r\n\r\nGET /c HTTP/1.1\r\nHost: h\r\n\r\n";
    let frames = [
        (0, tcp(&Tcp { src: c, dst: s, seq: 10, ack: 0, flags: SYN, options: &SYN_OPTIONS, payload: &[] })),
        (1000, tcp(&Tcp { src: c, dst: s, seq: 11, ack: 1, flags: ACK, options: &[], payload: &requests[..30] })),
        (2000, tcp(&Tcp { src: c, dst: s, seq: 41, ack: 1, flags: ACK, options: &[], payload: &requests[30..] })),
    ];
    let (seen, _) = sense(&frames, Limits::default());
    let [event] = seen.events.as_slice() else { panic!("one event, not {:?}", seen.events) };
    assert_eq!((event.protocol, event.ts_ns, event.tcp_mss, event.ja4.as_ref()), (Protocol::Http, 1000, Some(1460), None));
    let told = seen.requests.iter().map(|r| (r.request_no, r.path.as_deref(), r.query.as_deref())).collect::<Vec<_>>();
    assert_eq!(told, [(Some(0), Some("/a"), Some("b=1")), (Some(1), Some("/c"), None)]);
    assert_eq!(seen.requests[0].header("cookie"), Some("8"));
}
