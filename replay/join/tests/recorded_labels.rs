//! The join on the recorded data set: its labels say when each connection began and whether a handshake was sent, its logs are real.
//!
//! Promises: no packet is read here; handshakes are made from the labels, so this tests the join alone. Both logs are used: JSON with
//! microseconds, and Combined with ports and whole seconds. Skipped with a message where the data set is absent.
//!
//! Read next: `docs/JOIN.md`; `scenarios.rs`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stdout, missing_docs)]

use std::path::{Path, PathBuf};

use ja4_event::{HttpEvent, NetworkEvent};
use ja4_join::correlate::{Correlator, CorrelatorConfig, HandshakeTime, Joined, RequestTime, SourceId, estimate_skew};
use ja4_join::httplog::{HttpLog, HttpLogOptions};

const SECOND: i64 = 1_000_000_000;

/// A labelled connection: its first and last packet.
struct Connection {
    event: NetworkEvent,
    last_ns: i64,
    has_hello: bool,
}

fn folder() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/recorded/site-small");
    if folder.join("labels.csv").exists() {
        return Some(folder);
    }
    println!("skipped: {} is absent", folder.display());
    None
}

fn connections(folder: &Path) -> Vec<Connection> {
    let text = std::fs::read_to_string(folder.join("labels.csv")).unwrap();
    let mut lines = text.lines().filter(|line| !line.starts_with('#'));
    let header: Vec<&str> = lines.next().unwrap().split(',').collect();
    let at = |name: &str| header.iter().position(|column| *column == name).unwrap_or_else(|| panic!("labels.csv lacks {name}"));
    let columns = ["src_ip", "src_port", "dst_ip", "dst_port", "first_ns", "last_ns", "has_hello"].map(at);
    lines
        .map(|line| {
            let values: Vec<&str> = line.split(',').collect();
            let [src_ip, src_port, dst_ip, dst_port, first_ns, last_ns, has_hello] = columns.map(|column| values[column]);
            let number = |text: &str| text.parse::<i64>().unwrap();
            let json = serde_json::json!({
                "v": 1, "ts_ns": number(first_ns), "src_ip": src_ip, "src_port": number(src_port), "dst_ip": dst_ip,
                "dst_port": number(dst_port), "alpn": ["h2", "http/1.1"],
            });
            let event = serde_json::from_value(json).unwrap();
            Connection { event, last_ns: number(last_ns), has_hello: has_hello == "1" }
        })
        .collect()
}

/// The labelled connection that carried a request, if exactly one on its port was open then.
fn truth<'a>(connections: &'a [Connection], http: &HttpEvent) -> Option<&'a Connection> {
    let slack_ns = http.ts_resolution_ns;
    let mut open = connections.iter().filter(|c| {
        Some(c.event.src_ip) == http.src_ip
            && Some(c.event.src_port) == http.src_port
            && c.event.ts_ns <= http.ts_ns + slack_ns
            && http.ts_ns <= c.last_ns + SECOND / 10
    });
    open.next().filter(|_| open.next().is_none())
}

fn check(log: &str) {
    let Some(folder) = folder() else { return };
    let connections = connections(&folder);
    let mut reader = HttpLog::open(&folder.join(log), &HttpLogOptions::default()).unwrap();
    let requests: Vec<HttpEvent> = std::iter::from_fn(|| reader.next_event()).collect();
    let handshakes: Vec<NetworkEvent> = connections.iter().filter(|c| c.has_hello).map(|c| c.event.clone()).collect();
    let estimate = estimate_skew(
        &handshakes.iter().filter_map(HandshakeTime::of).collect::<Vec<_>>(),
        &requests.iter().filter_map(RequestTime::of).collect::<Vec<_>>(),
    );
    assert_eq!(estimate.skew_ns, 0, "the capture was made on the server: {estimate:?}");

    let mut correlator = Correlator::new(CorrelatorConfig::default());
    handshakes.into_iter().for_each(|event| correlator.network(event));
    requests.iter().for_each(|event| correlator.http(event.clone(), SourceId(0)));
    correlator.finish();
    let mut joined: Vec<Joined> = Vec::new();
    correlator.take_joined(&mut joined);
    let (mut given, mut right, mut captured, mut known) = (0_u32, 0_u32, 0_u32, 0_u32);
    for row in &joined {
        let Some(truth) = truth(&connections, &row.http) else { continue };
        known += 1;
        captured += u32::from(truth.has_hello);
        given += u32::from(row.handshake.is_some());
        right +=
            u32::from(truth.has_hello && row.handshake.as_ref().is_some_and(|handshake| handshake.ts_ns == truth.event.ts_ns));
    }
    println!("{log}: {} rows, {known} with a known truth, {right} right of {given} given and {captured} captured", joined.len());
    println!("{:?} {estimate:?}", correlator.stats());
    assert!(
        known * 100 >= requests.len() as u32 * 95 && captured > 500,
        "{known} of {} requests have a known truth",
        requests.len()
    );
    assert!(f64::from(right) >= 0.995 * f64::from(given), "precision: {right} of {given}");
    assert!(f64::from(right) >= 0.98 * f64::from(captured), "recall: {right} of {captured}");
}

#[test]
fn the_json_log_of_the_recorded_site_joins_as_labelled() {
    check("access.jsonl.gz");
}

#[test]
fn the_combined_log_with_ports_joins_as_labelled() {
    check("access_combined_ports.log.gz");
}
