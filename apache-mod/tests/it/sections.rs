//! Directives: per location and virtual host, which values are kept, sampling, mod_remoteip, refused values.

use std::collections::BTreeMap;

use crate::apache::{Apache, Extra, Mpm, available};
use crate::client::{get, raw};
use crate::collector::Collector;

const CONFIG: &str = "
ReqinLogSecretHeaders X-Token
RemoteIPHeader X-Forwarded-For
RemoteIPInternalProxy 127.0.0.1
RequestHeader unset X-Removed
RequestHeader set X-Invented yes
Redirect 301 /moved /index.html
ErrorDocument 404 /index.html
<Location /quiet>
ReqinLogEnabled Off
</Location>
<Location /names>
ReqinLogHeaders User-Agent
ReqinLogSecretHeaders X-Key
</Location>
<Location /sampled>
ReqinLogSample 3
</Location>
Listen 127.0.0.1:{port}
<VirtualHost 127.0.0.1:{port}>
ServerName proxied.example
RemoteIPProxyProtocol On
ReqinLogSocket other.socket
ReqinLogHeaders -
</VirtualHost>
";

#[test]
fn sections_decide_what_is_logged_and_where() {
    if !available() {
        return;
    }
    let apache = Apache::start(Mpm::Event, &Extra { config: CONFIG, single_child: false });
    let collector = Collector::start(&apache.socket());
    let other = Collector::start(&apache.dir.join("other.socket"));
    let send = |target: &str, headers: &str| {
        raw(apache.http, format!("GET {target} HTTP/1.1\r\nHost: a\r\n{headers}Connection: close\r\n\r\n").as_bytes())
    };

    send("/quiet/", "");
    let (port, _) = send("/names", "User-Agent: me\r\nX-Token: 12345\r\nX-Key: 123\r\nAccept: */*\r\n");
    let all = collector.wait_for(1);
    assert_eq!(all.len(), 1, "/quiet is not logged");
    let event = &all[0].event;
    let expected = [("Host", ""), ("User-Agent", "me"), ("X-Token", "5"), ("X-Key", "3"), ("Accept", ""), ("Connection", "")];
    assert_eq!(event.headers, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    // The answer came from /index.html by an internal redirect; the event is about what was asked.
    assert_eq!((event.path.as_deref(), event.status, event.request_no), (Some("/names"), Some(404), Some(0)));
    assert_eq!(event.src_port, Some(port));

    // mod_remoteip and mod_headers edit the request; the event has the headers that came and both addresses.
    send("/moved", "X-Forwarded-For: 198.51.100.7\r\nX-Removed: 1\r\n");
    let moved = &collector.wait_for(2)[1].event;
    assert_eq!(moved.status, Some(301));
    assert_eq!((moved.client_ip, moved.src_ip), (Some("198.51.100.7".parse().unwrap()), Some("127.0.0.1".parse().unwrap())));
    let names: Vec<&str> = moved.headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["Host", "X-Forwarded-For", "X-Removed", "Connection"]);

    // PROXY protocol: the address pair of the wire stays the one of the balancer, which is what a sensor sees.
    let (port, answer) =
        raw(apache.port, b"PROXY TCP4 203.0.113.5 10.0.0.1 40000 443\r\nGET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
    let proxied = &other.wait_for(1)[0].event;
    assert_eq!((proxied.client_ip, proxied.src_ip), (Some("203.0.113.5".parse().unwrap()), Some("127.0.0.1".parse().unwrap())));
    assert_eq!((proxied.src_port, proxied.server.as_deref()), (Some(port), Some("proxied.example")));
    assert!(proxied.headers.iter().all(|(_, value)| value.is_empty()));
    assert_eq!(collector.settle().len(), 2, "the other socket is the virtual host's alone");
}

#[test]
fn a_sample_keeps_clients_whole() {
    if !available() {
        return;
    }
    let apache = Apache::start(Mpm::Prefork, &Extra { config: CONFIG, single_child: false });
    let collector = Collector::start(&apache.socket());
    let mut barriers = 0;
    for request in 0..120 {
        let client = request % 60;
        let head =
            format!("GET /sampled HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 203.0.113.{client}\r\nConnection: close\r\n\r\n");
        raw(apache.http, head.as_bytes());
        if request % 8 == 7 {
            // Wait for a record that comes for certain, so that never more than ten are queued: some kernels hold no more.
            assert!(get(apache.http, "/"));
            barriers += 1;
            collector.wait_until(|events| events.iter().filter(|e| e.event.path.as_deref() == Some("/")).count() == barriers);
        }
    }
    let mut requests = BTreeMap::new();
    for received in collector.settle().iter().filter(|received| received.event.path.as_deref() == Some("/sampled")) {
        assert_eq!(received.count("sample"), 3);
        *requests.entry(received.event.client_ip).or_insert(0) += 1;
    }
    assert!((10..=32).contains(&requests.len()), "{} of 60 clients at one in three", requests.len());
    assert!(requests.values().all(|count| *count == 2), "{requests:?}");
}

#[test]
fn without_the_directive_nothing_is_logged() {
    if !available() {
        return;
    }
    let apache = Apache::start(Mpm::Event, &Extra { config: "ReqinLogEnabled Off\n", single_child: true });
    let collector = Collector::start(&apache.socket());
    assert!(get(apache.http, "/"));
    assert!(collector.settle().is_empty());
}

#[test]
fn wrong_values_are_refused_with_a_sentence() {
    if !available() {
        return;
    }
    let long = format!("ReqinLogSocket /{}\n", "x".repeat(120));
    for (config, complaint) in [
        ("ReqinLogMaxRecord 100\n", "2048 to 65536"),
        ("ReqinLogSample 0\n", "1 to 1000000"),
        ("ReqinLogHeaders \"not a name\"\n", "not a header name"),
        ("ReqinLogEnabled Maybe\n", "must be On or Off"),
        ("<Location />\nReqinLogSocket /run/x\n</Location>\n", "not allowed"),
        (long.as_str(), "at most 107 bytes"),
    ] {
        let (accepted, output) = Apache::check(&Extra { config, single_child: false });
        assert!(!accepted && output.contains(complaint), "{config}: {output}");
    }
    let (accepted, output) = Apache::check(&Extra { config: CONFIG, single_child: false });
    assert!(accepted, "{output}");
}
