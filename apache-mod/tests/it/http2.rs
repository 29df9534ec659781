//! HTTP/2: streams share their connection's port, and the fingerprint is what the client really sent, over TLS and in the clear.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Command;
use std::time::Duration;

use crate::apache::{Apache, Extra, Mpm, available};
use crate::client::{curl, spawn};
use crate::collector::Collector;

#[test]
fn streams_carry_the_port_and_the_fingerprint_of_their_connection() {
    if !available() {
        return;
    }
    let expected = format!("{}|0|m,p,s,a", settings_and_window_that_curl_sends());
    for mpm in [Mpm::Worker, Mpm::Event] {
        let apache = Apache::start(mpm, &Extra::default());
        let collector = Collector::start(&apache.socket());
        let url = |path: &str| format!("https://127.0.0.1:{}{path}", apache.https);
        let output = curl(&[
            "--http2",
            "-H",
            "X-Mixed-Case: Kept",
            "-H",
            "Cookie: a=b",
            "-w",
            "%{http_version} %{local_port}\n",
            &url("/?n=0"),
            &url("/?n=1"),
            &url("/?n=2"),
        ]);
        let lines: Vec<&str> = output.lines().collect();
        assert_eq!(lines.len(), 6, "{output}");
        assert_eq!((lines[0], lines[2], lines[4]), ("hello", "hello", "hello"));
        let mut events = collector.wait_for(3);
        events.sort_by_key(|received| received.event.request_no); // streams are logged when httpd is done with them
        for (position, received) in events.iter().enumerate() {
            let event = &received.event;
            assert_eq!(format!("2 {}", event.src_port.unwrap()), lines[1]);
            assert_eq!(event.http_version.as_deref(), Some("HTTP/2.0"));
            assert_eq!((event.scheme.as_deref(), event.status), (Some("https"), Some(200)));
            assert_eq!(
                (event.request_no, event.query.as_deref()),
                (Some(position as u32), Some(format!("n={position}").as_str()))
            );
            assert_eq!(event.conn_id, events[0].event.conn_id);
            assert_eq!(event.host.as_deref(), Some(format!("127.0.0.1:{}", apache.https).as_str()));
            assert_eq!(event.h2.as_deref(), Some(expected.as_str()), "{mpm:?}");
            // Names as the wire has them, and no Host header, which the client did not send.
            let names: Vec<&str> = event.headers.iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!(names, ["user-agent", "accept", "x-mixed-case", "cookie"]);
            assert_eq!((event.header("x-mixed-case"), event.header("cookie")), (Some("Kept"), Some("3")));
        }

        let clear =
            curl(&["--http2-prior-knowledge", "-w", "%{http_version}", &format!("http://127.0.0.1:{}/big.bin", apache.http)]);
        assert_eq!(clear.len(), 300_001);
        assert_eq!(collector.wait_for(4)[3].event.h2.as_deref(), Some(expected.as_str()));

        // The filter must not keep HTTP/1.1 connections from being what they are.
        let plain = curl(&["--http1.1", "-w", "%{http_version}", &url("/?n=4"), &url("/?n=5")]);
        assert_eq!(plain, "hello\n1.1hello\n1.1");
        assert!(collector.wait_for(6)[4..].iter().all(|received| received.event.h2.is_none()));
    }
}

#[test]
fn parallel_streams_each_get_a_number_of_their_own() {
    if !available() {
        return;
    }
    let apache = Apache::start(Mpm::Event, &Extra { config: "", single_child: true });
    let collector = Collector::start(&apache.socket());
    let url = format!("https://127.0.0.1:{}/index.html?n=[0-39]", apache.https);
    curl(&["--http2", "--parallel", "--parallel-max", "40", &url]);
    // Kernels that queue ten datagrams (net.unix.max_dgram_qlen) may lose some of the burst; one request later tells how many.
    collector.settle();
    curl(&["--http2", &url.replace("[0-39]", "40")]);
    let events = collector.settle();
    let lost: u64 = events.iter().map(|received| received.count("dropped")).sum();
    assert_eq!(events.len() as u64 + lost, 41);
    let numbers: BTreeSet<_> =
        events.iter().map(|received| (received.event.conn_id.as_deref(), received.event.request_no)).collect();
    assert_eq!(numbers.len(), events.len(), "two streams have the same number");
    assert!(numbers.iter().all(|(_, number)| number.is_some_and(|number| number < 40)));
}

/// What curl says to a server that only listens, read without the module's parser: `id:value;…|window`.
fn settings_and_window_that_curl_sends() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let mut command = Command::new("curl");
    command.args(["-s", "--noproxy", "*", "--max-time", "5", "--http2-prior-knowledge", &url]);
    let mut curl = spawn(&mut command).expect("curl runs");
    let (mut stream, _) = listener.accept().expect("curl connects");
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut bytes = vec![0; 24];
    stream.read_exact(&mut bytes).unwrap();
    assert_eq!(bytes, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    stream.write_all(b"\x00\x00\x00\x04\x00\x00\x00\x00\x00").unwrap(); // our own SETTINGS, so that curl goes on
    let (mut settings, mut window) = (Vec::new(), "00".to_owned());
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).unwrap();
        let mut payload = vec![0; usize::from(head[1]) << 8 | usize::from(head[2])];
        stream.read_exact(&mut payload).unwrap();
        let word = |bytes: &[u8]| u32::from_be_bytes(bytes.try_into().unwrap());
        match head[3] {
            4 if head[4] == 0 => {
                settings =
                    payload.chunks(6).map(|s| format!("{}:{}", u16::from(s[0]) << 8 | u16::from(s[1]), word(&s[2..]))).collect()
            }
            8 => window = word(&payload).to_string(),
            1 => break,
            _ => {}
        }
    }
    let _ = curl.kill();
    let _ = curl.wait();
    format!("{}|{window}", settings.join(";"))
}
