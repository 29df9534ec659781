//! The listener: tokens, limits, methods, headers, and clients that mean no good.
//!
//! Read next: `service.rs` (how the service is started).

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use crate::service::{Service, get};
use crate::support::{lab_fails, lab_ok, text};

const TOKEN: &str = "0123456789abcdef-test";

/// Sends `request` as it is and gives what comes back.
fn raw(service: &Service, request: &str) -> String {
    let mut stream = TcpStream::connect(service.url.trim_start_matches("http://")).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

fn ask(service: &Service, path: &str, headers: &str) -> String {
    raw(service, &format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n"))
}

fn empty(folder: &std::path::Path) -> std::path::PathBuf {
    let db = folder.join("empty.duckdb");
    lab_ok(&["db", "migrate", "--db", text(&db)]);
    db
}

#[test]
fn beyond_loopback_a_token_is_needed() {
    let folder = tempfile::tempdir().unwrap();
    let db = empty(folder.path());
    let told = lab_fails(&["detect", "--db", text(&db), "--listen", "0.0.0.0:0", "--once"]);
    assert!(told.contains("beyond loopback a token is needed"), "{told}");
    let short = folder.path().join("token");
    std::fs::write(&short, "short\n").unwrap();
    let told = lab_fails(&["detect", "--db", text(&db), "--listen", "0.0.0.0:0", "--once", "--token-file", text(&short)]);
    assert!(told.contains("at least 16"), "{told}");
}

#[test]
fn with_a_token_nothing_but_health_is_told_without_it() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start(&empty(folder.path()), &[], &[("JA4_API_TOKEN", TOKEN)]);
    for path in ["/metrics", "/openapi.json", "/api/v1/sessions", "/api/v1/health", "/nothing"] {
        for headers in ["", "Authorization: Bearer wrong-wrong-wrong-wrong\r\n", "Authorization: Basic 0123456789abcdef-test\r\n"]
        {
            let answer = ask(&service, path, headers);
            assert!(
                answer.starts_with("HTTP/1.1 401 ") && answer.contains("www-authenticate: Bearer"),
                "{path} {headers}: {answer}"
            );
        }
    }
    assert!(ask(&service, "/health", "").starts_with("HTTP/1.1 200 "));
    let good = format!("Authorization: bearer {TOKEN}\r\n");
    assert!(ask(&service, "/metrics", &good).starts_with("HTTP/1.1 200 "));
    assert!(ask(&service, "/nothing", &good).starts_with("HTTP/1.1 404 "));
}

#[test]
fn a_web_page_that_points_its_name_here_reads_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start(&empty(folder.path()), &[], &[]);
    let answer = raw(&service, "GET /api/v1/health HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
}

#[test]
fn only_reading_is_possible_and_headers_are_safe() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start(&empty(folder.path()), &[], &[]);
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"] {
        let answer = raw(
            &service,
            &format!("{method} /health HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"),
        );
        assert!(answer.starts_with("HTTP/1.1 405 ") && answer.contains("allow: GET, HEAD"), "{method}: {answer}");
    }
    let head = raw(&service, "HEAD /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 200 ") && head.ends_with("\r\n\r\n"), "{head}");
    let answer = ask(&service, "/health", "");
    for header in [
        "x-content-type-options: nosniff",
        "cache-control: no-store",
        "content-security-policy: default-src 'none'",
        "x-frame-options: DENY",
    ] {
        assert!(answer.contains(header), "{header}: {answer}");
    }
    assert!(!answer.contains("access-control-allow"), "{answer}");
    let long = ask(&service, &format!("/health?x={}", "y".repeat(5000)), "");
    assert!(long.starts_with("HTTP/1.1 414 "), "{long}");
    for garbage in ["\r\n\r\n", "GET\r\n\r\n", "\u{0}\u{1}\u{2}", "GET / HTTP/9.9\r\n\r\n"] {
        let answer = raw(&service, garbage);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{garbage:?}: {answer}");
    }
    assert_eq!(service.get("/health").0, 200);
}

#[test]
fn a_client_that_asks_too_fast_is_slowed_down() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start(&empty(folder.path()), &["--rate", "5"], &[]);
    let statuses: Vec<u16> = (0..40).map(|_| get(&format!("{}/health", service.url)).0).collect();
    assert!(statuses.iter().take(10).all(|status| *status == 200), "{statuses:?}");
    assert!(statuses.contains(&429), "{statuses:?}");
    let answer = ask(&service, "/health", "");
    assert!(answer.starts_with("HTTP/1.1 429 ") && answer.contains("retry-after: "), "{answer}");
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(get(&format!("{}/health", service.url)).0, 200);
}

#[test]
fn half_requests_do_not_keep_others_out() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start(&empty(folder.path()), &[], &[]);
    let address = service.url.trim_start_matches("http://").to_owned();
    // One client's share of connections is 32; this one leaves some for the question below.
    let slow: Vec<TcpStream> = (0..30)
        .map(|_| {
            let mut stream = TcpStream::connect(&address).unwrap();
            stream.write_all(b"GET /health HTTP/1.1\r\nHost: lo").unwrap();
            stream
        })
        .collect();
    assert_eq!(service.get("/health").0, 200);
    drop(slow);
    // Beyond its share a client's connections are closed at once, and it can come back.
    let many: Vec<TcpStream> = (0..60).map(|_| TcpStream::connect(&address).unwrap()).collect();
    std::thread::sleep(Duration::from_millis(300));
    let closed = many.iter().filter(|stream| {
        stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        matches!(std::io::Read::read(&mut &**stream, &mut [0; 1]), Ok(0))
    });
    assert!(closed.count() >= 20);
    drop(many);
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(service.get("/health").0, 200);
}
