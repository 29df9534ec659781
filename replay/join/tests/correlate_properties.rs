//! Properties of the join: any interleaving that respects the watermark gives the same rows, and they are those of the plain rules.
//!
//! Promises: small, dense inputs (two addresses, two ports, seconds apart), so that reuse, ties, skewed order and lost handshakes occur
//! in almost every case; bounded cases.
//!
//! Read next: `oracle/mod.rs`, `scenarios.rs`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod oracle;

use std::net::IpAddr;
use std::sync::Arc;

use ja4_event::{EVENT_VERSION, HttpEvent, NetworkEvent, Protocol, Transport};
use ja4_join::correlate::{Correlator, CorrelatorConfig, Joined, SourceId};
use proptest::prelude::*;

const SECOND: i64 = 1_000_000_000;

fn config() -> CorrelatorConfig {
    CorrelatorConfig {
        window_ns: 2 * SECOND,
        tolerance_ns: SECOND / 10,
        keepalive_max_ns: 15 * SECOND,
        idle_doubt_ns: 5 * SECOND,
        late_grace_ns: 0,
        guess_lookback_ns: 12 * SECOND,
        ..CorrelatorConfig::default()
    }
}

prop_compose! {
    fn handshake()(
        tick in 0_i64..400, ip in 0..2, port in 0_u16..2, dst in 0_u16..3, sni in 0..3, alpn in 0..3, kind in 0..8, mapped: bool, close in 0_i64..6,
    ) -> NetworkEvent {
        let src_ip: IpAddr = match (ip, mapped) { (0, false) => "192.0.2.1", (0, true) => "::ffff:192.0.2.1", _ => "2001:db8::1" }.parse().unwrap();
        let (protocol, transport) = match kind { 0 => (Protocol::Quic, Transport::Udp), 1 | 2 => (Protocol::Http, Transport::Tcp), _ => (Protocol::Tls, Transport::Tcp) };
        // A few of them come close behind another, within the tolerance.
        let ts_ns = tick * SECOND / 10 + 7 + close * 13_000_000;
        NetworkEvent {
            ts_ns,
            sni: [None, Some("a.example"), Some("b.example")][sni as usize].map(str::to_owned),
            alpn: [&[][..], &["h2", "http/1.1"], &["http/1.1"]][alpn as usize].iter().map(|p| (*p).to_owned()).collect(),
            ja4: Some(format!("{src_ip}{port}{dst}{sni}{alpn}{kind}")),
            ..network(src_ip, 5000 + port, "198.51.100.1", 443 + dst / 2, protocol, transport)
        }
    }
}

prop_compose! {
    fn request()(
        tick in 0_i64..400, ip in 0..2, port in 0_u16..5, dst in 0_u16..4, host in 0..3, version in 0..4, conn in 0_u32..4, no in 0_u32..4,
        second in 0..3, complete in 0..3, scheme in 0..4, source in 0_u32..2, busy in 0..6, close in 0_i64..6,
    ) -> (HttpEvent, SourceId) {
        let resolution = if second == 0 { SECOND } else { 1 };
        let ts_ns = (tick * SECOND / 10 + 50_000_000 - close * 9_000_000).div_euclid(resolution) * resolution;
        let event = HttpEvent {
            v: EVENT_VERSION,
            ts_ns,
            ts_resolution_ns: resolution,
            src_ip: Some(if ip == 0 { "192.0.2.1" } else { "2001:db8::1" }.parse().unwrap()),
            src_port: (port < 4).then_some(5000 + port % 2),
            dst_port: (dst < 3).then_some(443 + dst / 2),
            host: [None, Some("a.example"), Some("B.example:443")][host as usize].map(str::to_owned),
            http_version: [None, Some("HTTP/1.1"), Some("HTTP/1.1"), Some("HTTP/2.0")][version as usize].map(str::to_owned),
            conn_id: (conn > 0).then(|| conn.to_string()),
            request_no: (no > 0).then(|| no - 1),
            headers_complete: complete == 0,
            scheme: [None, Some("https"), Some("https"), Some("http")][scheme as usize].map(str::to_owned),
            duration_us: (busy == 0).then_some(3_000_000),
            ..HttpEvent::default()
        };
        (event, SourceId(source))
    }
}

fn network(src_ip: IpAddr, src_port: u16, dst_ip: &str, dst_port: u16, protocol: Protocol, transport: Transport) -> NetworkEvent {
    let json = serde_json::json!({
        "v": 1, "ts_ns": 0, "src_ip": src_ip, "src_port": src_port, "dst_ip": dst_ip, "dst_port": dst_port,
    });
    NetworkEvent { protocol, transport, ..serde_json::from_value(json).unwrap() }
}

/// Feeds everything in a random order that keeps each log's own order, with watermarks as bold as the contract allows.
fn interleaved(
    handshakes: &[NetworkEvent],
    requests: &[(HttpEvent, SourceId)],
    config: &CorrelatorConfig,
    mut seed: u64,
) -> (Vec<Joined>, Vec<Arc<NetworkEvent>>) {
    let mut random = move |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % below.max(1)
    };
    let mut correlator = Correlator::new(config.clone());
    let mut network: Vec<NetworkEvent> = handshakes.to_vec();
    let mut logs: [Vec<HttpEvent>; 2] =
        [0, 1].map(|s| requests.iter().filter(|(_, source)| source.0 == s).map(|(e, _)| e.clone()).collect());
    logs.iter_mut().for_each(|log| log.reverse());
    let (mut joined, mut tls_only) = (Vec::new(), Vec::new());
    while !network.is_empty() || logs.iter().any(|log| !log.is_empty()) {
        match random(3) {
            0 if !network.is_empty() => {
                // Mostly in order of time, so that watermarks move.
                network.sort_by_key(|event| event.ts_ns);
                let at = random(3).min(network.len() - 1);
                correlator.network(network.remove(at));
            }
            pick => {
                let source = pick % 2;
                if let Some(event) = logs[source].pop() {
                    correlator.http(event, SourceId(source as u32));
                }
            }
        }
        if random(2) == 0 {
            let remaining = network.iter().map(|event| event.ts_ns).chain(logs.iter().flatten().map(|event| event.ts_ns));
            if let Some(earliest) = remaining.min() {
                correlator.advance(earliest + config.window_ns - 1 - random(3) as i64 * SECOND);
            }
        }
        correlator.take_joined(&mut joined);
        correlator.take_tls_only(&mut tls_only);
    }
    correlator.finish();
    correlator.take_joined(&mut joined);
    correlator.take_tls_only(&mut tls_only);
    assert_eq!(correlator.held(), (0, 0));
    (joined, tls_only)
}

/// Every interleaving gives the same, and that is what the plain rules say.
fn check(mut handshakes: Vec<NetworkEvent>, mut requests: Vec<(HttpEvent, SourceId)>, seed: u64) -> Result<(), TestCaseError> {
    let config = config();
    // Two handshakes of one instant on one address have no order of their own in the plain rules' guess.
    handshakes.sort_by_key(|e| (e.src_ip.to_canonical(), e.ts_ns));
    handshakes.dedup_by_key(|e| (e.src_ip.to_canonical(), e.ts_ns));
    // A log line is written in order of time within its log.
    requests.sort_by_key(|(event, _)| event.ts_ns);
    let (expected, unused) = oracle::join(&handshakes, &requests, &config);
    // Identical records of the two logs are one row.
    let (first, first_tls) = interleaved(&handshakes, &requests, &config, seed);
    for other in [seed ^ 1, seed.rotate_left(17) ^ 0x55] {
        let (again, again_tls) = interleaved(&handshakes, &requests, &config, other);
        prop_assert_eq!(&first, &again);
        prop_assert_eq!(&first_tls, &again_tls);
    }
    let mut keys: Vec<_> = first.iter().map(|joined| joined.row_key).collect();
    keys.sort_unstable();
    keys.dedup();
    prop_assert_eq!(keys.len(), first.len(), "a row key twice");
    let has_duplicates = requests.len() != first.len();
    if !has_duplicates {
        prop_assert_eq!(expected.len(), first.len());
        for (expected, found) in expected.iter().zip(&first) {
            prop_assert_eq!(&expected.request, &*found.http);
            prop_assert_eq!(expected.kind, found.match_kind, "{:?} {:?}", found, expected);
            prop_assert_eq!(expected.handshake.as_ref(), found.handshake.as_deref(), "{:?} {:?}", found, expected);
            prop_assert_eq!(expected.candidates, found.candidates);
            prop_assert!((expected.confidence - found.confidence).abs() < 1e-12, "{:?} {:?}", found, expected);
            prop_assert_eq!(expected.number, found.handshake_request_no);
        }
        let mut unused: Vec<_> = unused.iter().map(|e| (e.ts_ns, e.ja4.clone())).collect();
        let mut found: Vec<_> = first_tls.iter().map(|e| (e.ts_ns, e.ja4.clone())).collect();
        unused.sort();
        found.sort();
        prop_assert_eq!(unused, found);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn every_interleaving_gives_the_rows_of_the_plain_rules(
        handshakes in prop::collection::vec(handshake(), 0..30),
        requests in prop::collection::vec(request(), 0..40),
        seed: u64,
    ) {
        check(handshakes, requests, seed)?;
    }

    /// The same within two seconds: ports come again within the tolerance of the clocks in every case.
    #[test]
    fn so_it_does_where_ports_come_again_within_the_tolerance(
        mut handshakes in prop::collection::vec(handshake(), 0..25),
        mut requests in prop::collection::vec(request(), 0..25),
        seed: u64,
    ) {
        for event in &mut handshakes {
            event.ts_ns %= 2 * SECOND;
        }
        for (event, _) in &mut requests {
            event.ts_ns %= 2 * SECOND;
        }
        check(handshakes, requests, seed)?;
    }
}

#[test]
fn handshakes_without_requests_stay_within_the_bounds_and_working_connections_survive_them() {
    let config = CorrelatorConfig { max_handshakes: 20_000, ..CorrelatorConfig::default() };
    let mut correlator = Correlator::new(config);
    let (mut joined, mut tls_only) = (Vec::new(), Vec::new());
    let (mut flood, mut legitimate) = (0_u64, 0_usize);
    for step in 0..300_000_i64 {
        let ts_ns = 1_700_000_000 * SECOND + step * 20_000; // 50,000 a second
        let ip = IpAddr::V6((0x2001_0db8_u128 << 96 | u128::from(step as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)).into());
        correlator.network(NetworkEvent { ts_ns, ..network(ip, 1000, "198.51.100.1", 443, Protocol::Tls, Transport::Tcp) });
        flood += 1;
        if step % 100 == 0 {
            let ip: IpAddr = format!("192.0.2.{}", step / 100 % 250).parse().unwrap();
            let port = (step / 100 / 250 + 1024) as u16;
            correlator.network(NetworkEvent { ts_ns, ..network(ip, port, "198.51.100.1", 443, Protocol::Tls, Transport::Tcp) });
            let at = ts_ns + SECOND / 20;
            correlator.http(
                HttpEvent { ts_ns: at, ts_resolution_ns: 1, src_ip: Some(ip), src_port: Some(port), ..HttpEvent::default() },
                SourceId(0),
            );
            legitimate += 1;
        }
        if step % 1000 == 0 {
            correlator.advance(ts_ns);
        }
        correlator.take_joined(&mut joined);
        correlator.take_tls_only(&mut tls_only);
        assert!(correlator.held().1 <= 20_000);
    }
    correlator.finish();
    correlator.take_joined(&mut joined);
    correlator.take_tls_only(&mut tls_only);
    let matched = joined.iter().filter(|joined| joined.handshake.is_some()).count();
    assert!(matched * 100 >= legitimate * 99, "{matched} of {legitimate}");
    assert_eq!(joined.len(), legitimate);
    let report = correlator.policies().into_iter().find(|policy| policy.name == "handshakes").unwrap();
    assert!(report.evictions >= flood - 20_000 && report.peak <= 20_001, "{report:?}");
    assert!(tls_only.len() as u64 >= flood, "each handshake is accounted for");
}

#[test]
fn pending_requests_over_the_bound_are_decided_early_and_none_is_lost() {
    let config = CorrelatorConfig { max_pending_requests: 100, ..CorrelatorConfig::default() };
    let mut correlator = Correlator::new(config);
    let ip: IpAddr = "192.0.2.1".parse().unwrap();
    for i in 0..1000_u16 {
        let ts_ns = i64::from(i) * 1000;
        correlator.http(
            HttpEvent { ts_ns, ts_resolution_ns: 1, src_ip: Some(ip), src_port: Some(i), ..HttpEvent::default() },
            SourceId(0),
        );
        assert!(correlator.held().0 <= 100);
    }
    correlator.finish();
    let mut joined = Vec::new();
    correlator.take_joined(&mut joined);
    assert_eq!(joined.len(), 1000);
    assert!(joined.windows(2).all(|pair| pair[0].ts_ns < pair[1].ts_ns));
    assert_eq!(correlator.policies().iter().find(|policy| policy.name == "pending_requests").unwrap().evictions, 900);
}

#[test]
fn one_log_read_twice_is_one_set_of_rows_and_two_identical_lines_are_two() {
    let mut correlator = Correlator::new(CorrelatorConfig::default());
    let line = HttpEvent {
        ts_ns: 5,
        ts_resolution_ns: 1,
        src_ip: Some("192.0.2.1".parse().unwrap()),
        src_port: Some(9),
        ..HttpEvent::default()
    };
    for source in [SourceId(1), SourceId(2)] {
        correlator.http(line.clone(), source);
        correlator.http(line.clone(), source);
    }
    correlator.finish();
    let mut joined = Vec::new();
    correlator.take_joined(&mut joined);
    assert_eq!(joined.len(), 2);
    assert_eq!(joined.iter().map(|joined| joined.ordinal).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(correlator.stats().duplicate_requests, 2);
}

#[test]
fn times_at_the_edges_of_the_range_do_no_harm() {
    let mut correlator = Correlator::new(CorrelatorConfig::default());
    let ip: IpAddr = "192.0.2.1".parse().unwrap();
    for ts_ns in [i64::MIN, -1, 0, 1, i64::MAX] {
        correlator.network(NetworkEvent { ts_ns, ..network(ip, 9, "198.51.100.1", 443, Protocol::Tls, Transport::Tcp) });
        let http = HttpEvent {
            ts_ns,
            ts_resolution_ns: i64::MAX,
            src_ip: Some(ip),
            src_port: Some(9),
            duration_us: Some(u64::MAX),
            ..HttpEvent::default()
        };
        correlator.http(http, SourceId(0));
        correlator.advance(ts_ns);
    }
    correlator.finish();
    let mut joined = Vec::new();
    correlator.take_joined(&mut joined);
    assert_eq!(joined.len(), 5);
    assert_eq!(correlator.held(), (0, 0));
}
