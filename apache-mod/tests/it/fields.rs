//! HTTP/1.1: every field of the event, keep-alive, bodies, and text that is hostile or broken.

use crate::apache::{Apache, Extra, Mpm, available};
use crate::client::{curl, get, raw};
use crate::collector::Collector;

#[test]
fn a_keep_alive_connection_gives_one_event_per_request_with_every_field() {
    if !available() {
        return;
    }
    let apache = Apache::start(Mpm::Event, &Extra::default());
    let collector = Collector::start(&apache.socket());
    let request =
        b"GET /index.html?a=1&b=%C3%A9 HTTP/1.1\r\nHoST: a.example:80\r\nuser-AGENT: \"odd\\\" \xff\xe9 t\xc3\xa9st\r\n\
        X-Twice: 1\r\nAccept: */*\r\nCookie: id=1234567890\r\nX-Twice: 2\r\n\r\n\
        POST /missing HTTP/1.1\r\nHost: a.example\r\nContent-Length: 11\r\nConnection: close\r\n\r\nhello=world";
    let (port, answer) = raw(apache.http, request);
    assert_eq!(answer.windows(9).filter(|bytes| bytes == b"HTTP/1.1 ").count(), 2);
    let events = collector.wait_for(2);
    assert_eq!(events.len(), 2);
    let (first, second) = (&events[0].event, &events[1].event);

    let loopback = Some("127.0.0.1".parse().unwrap());
    for event in [first, second] {
        assert_eq!((event.src_ip, event.src_port, event.client_ip), (loopback, Some(port), loopback));
        assert_eq!((event.dst_ip, event.dst_port), (loopback, Some(apache.http)));
        assert_eq!((event.scheme.as_deref(), event.server.as_deref()), (Some("http"), Some("main.example")));
        assert_eq!((event.http_version.as_deref(), event.h2.as_deref()), (Some("HTTP/1.1"), None));
        assert_eq!((event.ts_ns % 1000, event.ts_resolution_ns), (0, 1000));
        let age = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as i64 - event.ts_ns;
        assert!((0..10_000_000_000).contains(&age), "{age} ns old");
        assert!(event.duration_us.unwrap() < 5_000_000);
    }
    assert_eq!(first.conn_id, second.conn_id);
    assert_eq!((first.request_no, second.request_no), (Some(0), Some(1)));
    assert_eq!((first.method.as_deref(), second.method.as_deref()), (Some("GET"), Some("POST")));
    assert_eq!((first.status, second.status), (Some(200), Some(404)));
    assert_eq!((first.path.as_deref(), first.query.as_deref()), (Some("/index.html"), Some("a=1&b=%C3%A9")));
    assert_eq!((second.path.as_deref(), second.query.as_deref()), (Some("/missing"), None));
    assert_eq!(first.host.as_deref(), Some("a.example:80"));
    // Order and capitals as sent; httpd joins a header sent twice where it stood first; the cookie is its length.
    let expected = [
        ("HoST", "a.example:80"),
        ("user-AGENT", "\"odd\\\" \\xff\\xe9 tést"),
        ("X-Twice", "1, 2"),
        ("Accept", "*/*"),
        ("Cookie", "13"),
    ];
    assert_eq!(first.headers, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    assert_eq!(events[0].count("invalid_utf8"), 2);
    let second_request =
        b"POST /missing HTTP/1.1\r\nHost: a.example\r\nContent-Length: 11\r\nConnection: close\r\n\r\nhello=world".len();
    assert_eq!(second.request_bytes, Some(second_request as u64));
    assert!((100..2000).contains(&first.response_bytes.unwrap()), "{:?}", first.response_bytes);

    assert!(get(apache.http, "/"));
    let third = &collector.wait_for(3)[2].event;
    assert_ne!(third.conn_id, first.conn_id);
    assert_eq!(third.request_no, Some(0));
}

#[test]
fn tls_connections_are_told_with_the_port_that_the_wire_shows() {
    if !available() {
        return;
    }
    let apache = Apache::start(Mpm::Prefork, &Extra::default());
    let collector = Collector::start(&apache.socket());
    let url = format!("https://127.0.0.1:{}/big.bin", apache.https);
    let port = curl(&["--http1.1", "-o", "/dev/null", "-w", "%{local_port}", &url]);
    let events = collector.wait_for(1);
    let event = &events[0].event;
    assert_eq!(event.src_port, Some(port.parse().unwrap()));
    assert_eq!((event.scheme.as_deref(), event.server.as_deref()), (Some("https"), Some("tls.example")));
    assert!(event.response_bytes.unwrap() > 300_000);
}

#[test]
fn broken_and_oversized_requests_are_logged_within_the_limit_and_hurt_nobody() {
    if !available() {
        return;
    }
    let apache = Apache::start(Mpm::Worker, &Extra { config: "ReqinLogMaxRecord 8192\n", single_child: true });
    let collector = Collector::start(&apache.socket());
    let many = |count: usize, len: usize| {
        let headers: String = (0..count).map(|n| format!("X-{n}: {}\r\n", "v".repeat(len))).collect();
        format!("GET /huge HTTP/1.1\r\nHost: a.example\r\nUser-Agent: short\r\n{headers}Connection: close\r\n\r\n").into_bytes()
    };
    let hostile =
        [&b"GET /hostile HTTP/1.1\r\nHost: a.example\r\nX-Bytes: "[..], &[0xfe; 8000], b"\r\nConnection: close\r\n\r\n"].concat();
    let requests = [
        b"GARBAGE\r\n\r\n".to_vec(),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n".to_vec(),
        b"GET / HTTP/1.1\r\nHost: a\r\nBad Header : x\r\n\r\n".to_vec(),
        b"GET / HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n".to_vec(),
        b"GET /\xff\xfe\x1b[31m HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(),
        [&b"GET /"[..], &[b'a'; 9000], b" HTTP/1.1\r\nHost: a\r\n\r\n"].concat(),
        b"GET /\r\n".to_vec(),
        b"GET http://other.example/abs?x=1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".to_vec(),
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n".to_vec(),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\xff\xff\x04garbage".to_vec(),
        b"GET / HTTP/1.1\r\nHost: cut off in the mid".to_vec(),
        many(200, 10),
        many(97, 8000),
        hostile,
    ];
    for (number, request) in requests.iter().enumerate() {
        raw(apache.http, request);
        let alive = format!("alive={number}");
        assert!(get(apache.http, &format!("/?{alive}")), "after {:?}", String::from_utf8_lossy(request));
        collector.wait_until(|events| events.iter().any(|e| e.event.query.as_deref() == Some(&alive)));
    }
    let events = collector.settle();
    let of = |path: &str| {
        events.iter().find(|r| r.event.path.as_deref() == Some(path)).unwrap_or_else(|| panic!("no {path} in {events:#?}"))
    };
    assert!(events.iter().all(|received| received.len <= 8192));
    assert!(events.iter().filter(|received| received.event.status == Some(400)).count() >= 5, "{events:#?}");

    // 98 of 100 headers of 8000 bytes: the short ones whole, the long ones cut alike, none left out.
    let huge = events
        .iter()
        .find(|r| r.event.path.as_deref() == Some("/huge") && r.event.status == Some(404))
        .expect("97 headers are accepted");
    assert_eq!(huge.event.header("User-Agent"), Some("short"));
    assert!(huge.event.headers.len() >= 50 && huge.len > 7900, "{} headers, {} bytes", huge.event.headers.len(), huge.len);
    assert_eq!(huge.event.headers.len() as u64 + huge.count("headers_dropped"), 100);
    assert!(huge.count("truncated") >= 50);
    let hostile = of("/hostile");
    assert!(hostile.event.header("X-Bytes").unwrap().starts_with("\\xfe\\xfe"));
    assert_eq!(hostile.count("truncated"), 1);
    // RFC 9112 §3.2.2: the authority of an absolute target replaces the Host header, and httpd does so before any module sees it.
    let absolute = of("http://other.example/abs");
    assert_eq!((absolute.event.host.as_deref(), absolute.event.query.as_deref()), (Some("other.example"), Some("x=1")));
    let log = apache.stop();
    assert!(!log.contains("exit signal") && !log.contains("panicked"), "{log}");
}
