//! Captures built in code, with the parts of every fingerprint as well as its hash.

use ja4_capture::Limits;

use crate::support::{
    ACK, CLIENT, RST, SERVER, SYN, SYN_OPTIONS, Tcp, client_hello, connection, ethernet, ipv4, records, sense, tcp, tcp_header,
};

#[test]
fn one_connection_shows_all_its_parts() {
    let (seen, sensor) = sense(&connection(CLIENT, 40_000, 1_000_000_000, "example.org"), Limits::default());
    let [record] = seen.records.as_slice() else { panic!("one record, not {:?}", seen.records) };
    assert_eq!((record.src.to_string().as_str(), record.sport, record.dport), ("192.0.2.10", 40_000, 443));
    assert_eq!(record.start_ns, 1_000_000_000);
    assert_eq!(record.sni.as_deref(), Some("example.org"));
    assert_eq!(record.alpn, ["h2", "http/1.1"]);
    assert_eq!(record.ja3_raw(), Some("771,4865-4866-49195,0-10-11-13-16-43-51,29-23,0"));
    assert_eq!(record.ja4_r(), Some("t13d0307h2_1301,1302,c02b_000a,000b,000d,002b,0033_0403,0804,0401"));
    assert_eq!(record.ja4_ro(), Some("t13d0307h2_1301,1302,c02b_0000,000a,000b,000d,0010,002b,0033_0403,0804,0401"));
    // sha256("1301,1302,c02b") and sha256("000a,000b,000d,002b,0033_0403,0804,0401"), md5 of the JA3 string: by coreutils.
    assert_eq!(record.ja4(), Some("t13d0307h2_5559582ccdc4_5e6a61e7dae5"));
    assert_eq!(record.ja3(), Some("ce04116d61aa4c0fc142193e54a2a31e"));
    assert_eq!(record.ja3s_raw(), Some("771,4865,51-43"));
    assert_eq!(sensor.counters().tls_handshakes, 1);
    if cfg!(feature = "ja4plus") {
        assert_eq!(record.ja4s_r(), Some("t130200_1301_0033,002b"));
        assert_eq!(record.ja4t.as_deref(), Some("64240_2-4-8-1-3_1460_7"));
        assert_eq!(record.ja4ts.as_deref(), Some("64240_2-4-8-1-3_1460_7"));
        assert_eq!((record.ja4l_c.as_deref(), record.ja4l_s.as_deref()), (Some("50_64"), Some("50_64")));
    }
}

#[test]
fn a_port_used_again_is_a_new_connection_and_a_repeated_syn_is_not() {
    let mut frames = connection(CLIENT, 40_000, 0, "first.example");
    frames.push((2_000_000, frames[0].1.clone()));
    for (ts, mut frame) in connection(CLIENT, 40_000, 3_000_000, "second.example") {
        // Another initial sequence number on both sides.
        frame[38] ^= 0x40;
        frame[42] ^= 0x40;
        frames.push((ts, frame));
    }
    let (seen, _) = sense(&frames, Limits::default());
    let names = seen.records.iter().map(|r| r.sni.as_deref().unwrap_or("-")).collect::<Vec<_>>();
    assert_eq!(names, ["first.example", "second.example"]);
}

#[test]
fn a_hello_quoted_or_carried_as_a_file_is_no_handshake() {
    let hello = records(&client_hello("quoted.example"), 16_000);
    let (c, s) = ((CLIENT, 1), (SERVER, 80));
    // An ICMP error quotes the packet that caused it.
    let inner = ipv4(
        CLIENT,
        SERVER,
        6,
        &tcp_header(&Tcp { src: c, dst: s, seq: 1, ack: 0, flags: SYN, options: &SYN_OPTIONS, payload: &[] }),
    );
    let icmp = [&[3, 1, 0, 0, 0, 0, 0, 0][..], &inner].concat();
    let mut frames = vec![(0, ethernet(&ipv4(SERVER, CLIENT, 1, &icmp)))];
    // A POST whose body is a ClientHello, body and head in segments of their own.
    let head = format!("POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", hello.len());
    for (n, (seq, payload)) in [(1, head.as_bytes()), (1 + head.len() as u32, &hello[..])].into_iter().enumerate() {
        frames.push((n as i64, tcp(&Tcp { src: c, dst: s, seq, ack: 1, flags: ACK, options: &[], payload })));
    }
    let (seen, sensor) = sense(&frames, Limits::default());
    assert_eq!(sensor.counters().tls_handshakes, 0);
    assert!(seen.records.iter().all(|r| r.ja4().is_none() && r.ja4t.is_none()), "{:?}", seen.records);
    assert_eq!(seen.requests.len(), 1);
}

#[test]
fn tls_is_found_behind_starttls_and_connect() {
    let hello = records(&client_hello("behind.example"), 16_000);
    let smtp: &[&[u8]] = &[b"EHLO me\r\n", b"STARTTLS\r\n"];
    let connect: &[&[u8]] = &[b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n"];
    let socks: &[&[u8]] = &[&[5, 1, 0], &[5, 1, 0, 3, 1, b'a', 1, 187]];
    let postgres: &[&[u8]] = &[&[0, 0, 0, 8, 4, 210, 22, 47]];
    for (name, preamble) in [("smtp", smtp), ("connect", connect), ("socks", socks), ("postgres", postgres)] {
        for joined in [false, true] {
            // An impatient client may send the hello in the same segment; only line protocols can be told then.
            if joined && matches!(name, "socks" | "postgres") {
                continue;
            }
            let mut seq = 1001;
            let mut frames = vec![(
                0,
                tcp(&Tcp { src: (CLIENT, 9), dst: (SERVER, 25), seq: 1000, ack: 0, flags: SYN, options: &[], payload: &[] }),
            )];
            let mut parts = preamble.iter().map(|p| p.to_vec()).collect::<Vec<_>>();
            match parts.last_mut() {
                Some(last) if joined => last.extend(&hello),
                _ => parts.push(hello.clone()),
            }
            for payload in &parts {
                frames
                    .push((0, tcp(&Tcp { src: (CLIENT, 9), dst: (SERVER, 25), seq, ack: 1, flags: ACK, options: &[], payload })));
                seq += payload.len() as u32;
            }
            let (seen, _) = sense(&frames, Limits::default());
            assert_eq!(seen.records.first().and_then(|r| r.sni.as_deref()), Some("behind.example"), "{name}, joined: {joined}");
        }
    }
}

#[test]
fn encapsulations_deeper_than_the_bound_give_nothing() {
    let syn =
        tcp_header(&Tcp { src: (CLIENT, 1), dst: (SERVER, 2), seq: 1, ack: 0, flags: SYN, options: &SYN_OPTIONS, payload: &[] });
    let nested = |depth: usize| (0..depth).fold(ipv4(CLIENT, SERVER, 6, &syn), |inner, _| ipv4(CLIENT, SERVER, 4, &inner));
    let segments = |depth| sense(&[(0, ethernet(&nested(depth)))], Limits::default()).1.counters().tcp_segments;
    assert_eq!((segments(0), segments(8), segments(9), segments(60)), (1, 1, 0, 0));
}

#[test]
fn a_reset_ends_a_connection() {
    let mut frames = connection(CLIENT, 40_000, 0, "a.example");
    frames.truncate(4);
    frames.push((
        9,
        tcp(&Tcp { src: (SERVER, 443), dst: (CLIENT, 40_000), seq: 5001, ack: 0, flags: RST, options: &[], payload: &[] }),
    ));
    let (seen, _) = sense(&frames, Limits::default());
    assert_eq!(seen.records.len(), 1);
    let event = seen.events.first().expect("an event without ServerHello");
    assert_eq!((event.ja3s.as_ref(), event.tls_version, event.hello_segments), (None, Some(0x0304), Some(1)));
}
